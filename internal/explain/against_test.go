package explain_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/compare"
	"culprit/internal/explain"
)

// TestAgainst explains recorded runs beside others of the same command that
// worked. The golden file tells the diagnosis and where the runs part.
func TestAgainst(t *testing.T) {
	for _, pair := range []struct{ name, bad, good, verdict string }{
		{"config", "file-missing.other-config", "ok.other-config", "file-missing"},
		{"environment", "unknown.other-environment", "ok.other-environment", "unknown"},
		{"answer", "http-not-found.other-answer", "ok.other-answer", "http-not-found"},
		{"noise", "ok.noise-one", "ok.noise-two", "ok"},
		{"the-other-way", "ok.other-config", "file-missing.other-config", "ok"},
	} {
		t.Run(pair.name, func(t *testing.T) {
			at := func(name string) string { return "testdata/cases/" + name + ".events.gz" }
			r := explain.Against(load(t, at(pair.bad)), load(t, at(pair.good)))
			if r.Verdict.Cause != pair.verdict {
				t.Errorf("verdict %s, want %s", r.Verdict.Cause, pair.verdict)
			}
			got := describe(r) + differences(r.Against)
			golden := "testdata/against/" + pair.name + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("(-want +got); -update takes it over:\n%s", d)
			}
		})
	}
}

// Every recorded run beside itself is the same, whatever it did.
func TestAgainstItself(t *testing.T) {
	for _, name := range []string{"ok.noise-one", "file-missing.other-config", "http-not-found.other-answer", "dns-name-not-found.python", "deadlock.mutexes"} {
		path := "testdata/cases/" + name + ".events.gz"
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
		d := compare.Runs(load(t, path), load(t, path))
		if !d.Empty() {
			t.Errorf("%s differs from itself:\n%s", name, differences(d))
		}
	}
}

func differences(d *compare.Diff) string {
	var b strings.Builder
	fmt.Fprintf(&b, "processes %d, alone %d\n", d.Compared.Processes, d.Compared.Alone)
	for _, x := range d.Inputs {
		fmt.Fprintf(&b, "input %s %s\n  here %s\n  good %s\n", x.Kind, x.Name, x.Here, x.Good)
	}
	for _, v := range d.Divergences {
		fmt.Fprintf(&b, "%s trouble=%t\n  here %s\n  good %s\n", v.Lens, v.Trouble, v.Here.Text, v.Good.Text)
	}
	return b.String()
}
