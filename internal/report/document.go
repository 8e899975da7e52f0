package report

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"

	"culprit/internal/replay"
)

// The forms for a bug tracker and for a browser. Both are made of the JSON form,
// so that they can't tell anything else.

//go:embed page.html
var pages embed.FS

var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page.html").Funcs(template.FuncMap{
		"facts": facts, "coverage": coverage, "seconds": func(s float64) string { return fmt.Sprintf("+%.3f", s) },
		"shell": shell, "exit": exitText,
	}).ParseFS(pages, "page.html"))
})

// HTML writes the report as one page that loads nothing else.
func (j JSON) HTML(w io.Writer) error { return page().Execute(w, j) }

// Markdown writes the report in GitHub's Markdown (GFM), for a bug tracker.
func (j JSON) Markdown(w io.Writer) error {
	var s strings.Builder
	v := j.Verdict
	fmt.Fprintf(&s, "## %s\n\n`%s` %s. Cause: **%s** (%s, %s).\n", plain(v.Title), code(shell(j.Command)), exitText(j.Exit), v.Cause, v.Confidence, v.Side)
	for _, text := range append([]string{v.Why, v.Where}, v.Who...) {
		if text != "" {
			fmt.Fprintf(&s, "\n%s\n", plain(text))
		}
	}
	if len(v.Evidence) > 0 {
		s.WriteString("\n| time | lens | seen |\n| ---: | --- | --- |\n")
		for _, e := range v.Evidence {
			fmt.Fprintf(&s, "| +%.3f | %s | `%s` |\n", e.Time, e.Lens, strings.ReplaceAll(code(e.Text), "|", `\|`))
		}
	}
	if j.Against != nil {
		s.WriteString("\n### Beside the run that worked\n\n| lens | difference |\n| --- | --- |\n")
		for _, x := range j.Against.Lines() {
			fmt.Fprintf(&s, "| %s | `%s` |\n", x.Label, strings.ReplaceAll(code(x.Text), "|", `\|`))
		}
	}
	list(&s, "Next", v.Next)
	var chain []string
	for _, l := range v.Chain {
		chain = append(chain, fmt.Sprintf("%s (%.2f): %s", l.Kind, l.Weight, l.Text))
	}
	list(&s, "How this hangs together", chain)
	var also []string
	for _, f := range j.Findings {
		also = append(also, fmt.Sprintf("%s (%s, %s)", f.Title, f.Cause, f.Confidence))
	}
	list(&s, "Other candidates", also)
	s.WriteString("\n<details><summary>Facts and coverage</summary>\n\n| name | value |\n| --- | --- |\n")
	for _, f := range slices.Concat(facts(v.Facts), coverage(j.Coverage)) {
		fmt.Fprintf(&s, "| %s | `%s` |\n", plain(f.Name), strings.ReplaceAll(code(f.Value), "|", `\|`))
	}
	s.WriteString("\n</details>\n")
	_, err := io.WriteString(w, s.String())
	return err
}

func list(s *strings.Builder, title string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(s, "\n### %s\n\n", title)
	for _, x := range items {
		fmt.Fprintf(s, "- %s\n", plain(x))
	}
}

// plain keeps what a program said from being taken for Markdown or HTML: all
// punctuation that may mean something is escaped (GFM, section 2.4). Code spans of
// culprit's own words, which stand between backquotes, stay.
func plain(s string) string {
	var out strings.Builder
	for i, part := range strings.Split(oneLine(s), "`") {
		if i > 0 {
			out.WriteByte('`')
		}
		if i%2 == 1 && strings.Count(s, "`")%2 == 0 {
			out.WriteString(part)
			continue
		}
		for _, r := range part {
			if strings.ContainsRune(`\*_{}[]<>#|~&@`, r) {
				out.WriteByte('\\')
			}
			out.WriteRune(r)
		}
	}
	if strings.Count(s, "`")%2 == 1 {
		return strings.ReplaceAll(out.String(), "`", "\\`")
	}
	return out.String()
}

// code is what may stand in a code span.
func code(s string) string { return strings.ReplaceAll(oneLine(s), "`", "'") }

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// fact is a name and a value as text.
type fact struct{ Name, Value string }

func facts(m map[string]any) []fact {
	var out []fact
	for name, v := range m {
		text := fmt.Sprint(v)
		if b, err := json.Marshal(v); err == nil && len(b) > 0 && (b[0] == '{' || b[0] == '[') {
			text = string(b)
		}
		out = append(out, fact{name, text})
	}
	slices.SortFunc(out, func(a, b fact) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func coverage(m map[string]map[string]any) []fact {
	var out []fact
	for lens, fields := range m {
		for _, f := range facts(fields) {
			out = append(out, fact{lens + ": " + f.Name, f.Value})
		}
	}
	slices.SortFunc(out, func(a, b fact) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// shell is a command line as it would be typed.
func shell(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = replay.Quote(w)
	}
	return strings.Join(out, " ")
}

func exitText(e Exit) string {
	switch {
	case e.Timeout:
		return "was ended when its time was over"
	case e.Signal != "":
		return "was ended by " + e.Signal
	case e.Code != nil:
		return fmt.Sprintf("exited with status %d", *e.Code)
	}
	return "had no end in the recording"
}
