package report

import (
	"bytes"
	"strings"
	"testing"

	"culprit/internal/explain"
)

func TestDocuments(t *testing.T) {
	j := New(refused(), "up.pcapng")
	for name, write := range map[string]func(*bytes.Buffer) error{
		"refused.md":   func(b *bytes.Buffer) error { return j.Markdown(b) },
		"refused.html": func(b *bytes.Buffer) error { return j.HTML(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

// What a program says is text in a document, whatever it says.
func TestDocumentsOfHostileWords(t *testing.T) {
	r := refused()
	const evil = "</title><script>alert(1)</script> `</details>` [x](javascript:y) @everyone | ** \n# head"
	r.Verdict.Title, r.Verdict.Why, r.Verdict.Next = evil, evil, []string{evil}
	r.Verdict.Evidence = []explain.Evidence{{Lens: "kernel", Text: evil}}
	r.Verdict.Facts = []explain.Fact{{Name: "words", Value: evil}}
	j := New(r, "")
	var html, md bytes.Buffer
	if err := j.HTML(&html); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(html.String(), "<script") || strings.Count(html.String(), "</title>") != 1 {
		t.Errorf("the page has the words as markup:\n%s", &html)
	}
	if err := j.Markdown(&md); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(md.String()) {
		outside := "" // of code spans
		for i, part := range strings.Split(line, "`") {
			if i%2 == 0 {
				outside += part
			}
		}
		for _, bad := range []string{"<script", "[x](", " @everyone"} {
			if strings.Contains(outside, bad) && !strings.Contains(outside, `\`+strings.TrimSpace(bad)) {
				t.Errorf("%q is markup in %q", bad, line)
			}
		}
		if strings.HasPrefix(line, "# head") {
			t.Errorf("a line of the program's own: %q", line)
		}
	}
}
