package explain_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/casefile"
	"culprit/internal/explain"
	"culprit/internal/timeline"
)

var update = flag.Bool("update", false, "write the verdicts of the recorded cases anew")

// TestCases explains every recorded case of testdata/cases and compares the
// verdict with the one that stands beside it. A case is the text form of a real
// recording (`culprit debug events`), gzipped; its golden file is the diagnosis
// in full.
func TestCases(t *testing.T) {
	cases, err := filepath.Glob("testdata/cases/*.events.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("there are no recorded cases in testdata/cases")
	}
	named := map[string]bool{}
	for _, path := range cases {
		name := strings.TrimSuffix(filepath.Base(path), ".events.gz")
		t.Run(name, func(t *testing.T) {
			r := explain.Explain(load(t, path))
			// A case is named CAUSE or CAUSE.VARIANT: a fact that no -update changes.
			want, _, _ := strings.Cut(name, ".")
			named[want] = true
			if r.Verdict.Cause != want {
				t.Errorf("verdict %s, want %s", r.Verdict.Cause, want)
			}
			got := describe(r)
			golden := strings.TrimSuffix(path, ".events.gz") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			data, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(data), got); d != "" {
				t.Errorf("the diagnosis changed (-want +got); -update takes it over:\n%s", d)
			}
		})
	}
	for _, cause := range explain.Causes {
		for _, name := range cause.Names {
			if !named[name] && !unrecorded[name] {
				t.Errorf("there is no recorded case whose verdict is %s", name)
			}
		}
	}
}

// unrecorded lists the causes that the rules can give but that no recorded case
// shows yet. It only ever gets shorter.
var unrecorded = map[string]bool{
	"quota-exceeded": true, // needs a kernel with CONFIG_QFMT_V2, XFS or tmpfs quotas, which the recording one has not
}

// Recorded cases stay small: everybody who clones the repository gets them.
func TestCaseSizes(t *testing.T) {
	const each, together = 60 << 10, 5 << 19
	cases, err := filepath.Glob("testdata/cases/*.gz")
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, path := range cases {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st.Size() > each {
			t.Errorf("%s has %d bytes, at most %d are allowed", path, st.Size(), each)
		}
		if _, err := os.Stat(strings.TrimSuffix(path, ".events.gz") + ".golden"); err != nil {
			t.Error(err)
		}
		sum += st.Size()
	}
	if sum > together {
		t.Errorf("the cases have %d bytes, at most %d are allowed", sum, together)
	}
	goldens, err := filepath.Glob("testdata/cases/*.golden")
	if err != nil || len(goldens) != len(cases) {
		t.Errorf("%d cases, %d golden files: %v", len(cases), len(goldens), err)
	}
}

func load(t *testing.T, path string) *timeline.Timeline {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	events, err := casefile.ReadText(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	tl, err := timeline.Build(casefile.All(events...))
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

// describe writes a diagnosis as text that reads well in a diff.
func describe(r explain.Result) string {
	var b strings.Builder
	finding := func(head string, f explain.Finding) {
		fmt.Fprintf(&b, "%s %s (%s, %s)\n  title %s\n", head, f.Cause, f.Confidence, f.Side, f.Title)
		for _, x := range []struct{ name, text string }{{"why", f.Why}, {"where", f.Where}} {
			if x.text != "" {
				fmt.Fprintf(&b, "  %s %s\n", x.name, x.text)
			}
		}
		for _, x := range f.Facts {
			fmt.Fprintf(&b, "  fact %s = %v\n", x.Name, x.Value)
		}
		for _, x := range f.Links {
			fmt.Fprintf(&b, "  link %s %.2f %s\n", x.Kind, x.Weight, x.Text)
		}
		for _, x := range f.Evidence {
			fmt.Fprintf(&b, "  proof %s %s\n", x.Lens, x.Text)
		}
		for _, x := range f.Next {
			fmt.Fprintf(&b, "  next %s\n", x)
		}
	}
	finding("verdict", r.Verdict)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "also %s (%s) %s\n", f.Cause, f.Confidence, f.Title)
	}
	return b.String()
}
