package live

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"culprit/internal/testkit/pythons"
)

// interpreters are the Pythons of this machine, without versions that differ
// from another one in nothing that matters here.
func interpreters(t testing.TB) map[string]string {
	t.Helper()
	all := pythons.All(t)
	delete(all, "3.9")
	delete(all, "3.10")
	return all
}

// outcome is what a user sees of a session.
type outcome struct {
	Pdb, Stdout, Stderr string
	Result              Result
	Err                 error
}

// debug debugs a program in dir.
func debug(t testing.TB, dir, stdin, commands string, change func(*Options), argv ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var files [3]*os.File
	for i := range files {
		f, err := os.Create(filepath.Join(t.TempDir(), "stdio"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	if _, err := files[0].WriteAt([]byte(stdin), 0); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	o := Options{
		Path: argv[0], Argv: argv, Env: environment(dir), Dir: dir, Out: &text, Input: Script(strings.NewReader(commands), &text),
		FDs: []uintptr{files[0].Fd(), files[1].Fd(), files[2].Fd()},
	}
	if change != nil {
		change(&o)
	}
	r, err := Run(ctx, o)
	if ctx.Err() != nil {
		t.Fatalf("not done in time; so far:\n%s", text.Bytes())
	}
	out := outcome{Pdb: text.String(), Result: r, Err: err}
	for i, to := range []*string{1: &out.Stdout, 2: &out.Stderr} {
		if to != nil {
			b, err := os.ReadFile(files[i].Name())
			if err != nil {
				t.Fatal(err)
			}
			*to = string(b)
		}
	}
	return out
}

func environment(dir string) []string {
	return []string{"HOME=" + dir, "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"}
}

// TestSame gives the same commands to `python -m pdb` and to Run: their output
// is the same but for the frames of pdb's own that lie below the program's, and
// for how an uncaught exception is announced.
func TestSame(t *testing.T) {
	cases, err := filepath.Glob("testdata/same/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for version, py := range interpreters(t) {
		for _, file := range cases {
			t.Run(version+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				a, err := txtar.ParseFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var commands string
				for _, f := range a.Files {
					if f.Name == "cmds" {
						commands = string(f.Data)
					} else if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
				defer cancel()
				cmd := exec.CommandContext(ctx, py, "-m", "pdb", "prog.py")
				cmd.Dir, cmd.Env, cmd.Stdin = dir, environment(dir), strings.NewReader(commands)
				want, err := cmd.Output()
				if err != nil && ctx.Err() != nil {
					t.Fatalf("pdb: %v\n%s", err, want)
				}
				got := debug(t, dir, "", commands, nil, py, "prog.py")
				if got.Err != nil || !got.Result.Quit && got.Result.Status != 256 {
					t.Errorf("session ended with %+v, %v", got.Result, got.Err)
				}
				if diff := cmp.Diff(normal(string(want)), normal(got.Pdb)); diff != "" {
					t.Errorf("python -m pdb -> culprit pdb:\n%s\n%s", diff, got.Stderr)
				}
			})
		}
	}
}

var (
	ownFrames = regexp.MustCompile(`(?m)^((?:\(Pdb\) )*)  (\S*/[pb]db\.py\(\d+\)\w+\(\)\n-> .*|<string>\(1\)<module>\(\)(\n-> exec\(compile.*)?)\n`)
	hexNumber = regexp.MustCompile(`0x[0-9a-f]+`)
	ending    = regexp.MustCompile(`(?m)will (restart|end) the program$`)
	again     = regexp.MustCompile(`(?s)Post mortem debugger finished.*`) // and the program is started again
)

func normal(text string) string {
	text = ownFrames.ReplaceAllString(text, "$1")
	text = hexNumber.ReplaceAllString(text, "0x")
	text = again.ReplaceAllString(text, "")
	return ending.ReplaceAllString(text, "will ... the program")
}
