package explain_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"culprit/internal/casefile"
	"culprit/internal/explain"
	"culprit/internal/lens/ptrace"
	"culprit/internal/record"
	"culprit/internal/testkit"
	"culprit/internal/timeline"
)

// recorded runs a command under the recorder in an empty directory that files
// (name to text) are put into, all executable, and explains it.
func recorded(t *testing.T, files map[string]string, command ...string) (explain.Result, *timeline.Timeline) {
	t.Helper()
	if err := ptrace.New(ptrace.Options{}).Probe(); err != nil {
		testkit.Lack(t, err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The program's own words must not mix with the test's.
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	shell := append([]string{"sh", "-c", `exec "$@" >"$OUT" 2>&1`, "sh"}, command...)
	name := filepath.Join(t.TempDir(), "case.pcapng")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	env := []string{"PATH=" + dir + "/bin:/usr/bin:/bin", "OUT=" + out.Name(), "LC_ALL=C"}
	if _, err := record.Run(ctx, record.Config{Command: shell, Env: env, Case: name}, record.Watcher{}); err != nil {
		t.Fatal(err)
	}
	c, err := casefile.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tl, err := timeline.Build(c.Events())
	if err != nil {
		t.Fatal(err)
	}
	return explain.Explain(tl), tl
}

func fact(f explain.Finding, name string) any {
	for _, x := range f.Facts {
		if x.Name == name {
			return x.Value
		}
	}
	return nil
}

// foreign is a 64-bit ELF program for another machine, or, with the machine of
// this one, of a loader that is not there.
func foreign(machine byte, loader string) string {
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	b[16], b[18], b[20] = 2, machine, 1 // ET_EXEC
	b[32], b[52], b[54], b[56] = 64, 64, 56, 1
	b[64], b[64+8], b[64+32], b[64+40] = 3, 120, byte(len(loader)+1), byte(len(loader)+1) // PT_INTERP
	return string(b) + loader + "\x00"
}

func TestCommandCauses(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   map[string]string
		command []string
		cause   string
		facts   map[string]string // of the verdict; "*" stands for the directory
		says    string            // in title, reason or advice
	}{
		{"carriage return, dash", map[string]string{"tools/x.sh": "#!/bin/bash\r\necho hello\r\n", "run": "#!/bin/sh\n./tools/x.sh 4.2\n"},
			[]string{"./run"}, "interpreter-missing", map[string]string{"path": "*/tools/x.sh", "interpreter": "/bin/bash\r"}, `"/bin/bash\r"`},
		{"carriage return, bash", map[string]string{"x.sh": "#!/bin/sh\r\n"},
			[]string{"bash", "-c", "./x.sh; exit"}, "interpreter-missing", map[string]string{"path": "*/x.sh"}, "CRLF"},
		{"carriage return, in PATH", map[string]string{"bin/release": "#!/bin/sh\r\n"},
			[]string{"sh", "-c", "release; exit $?"}, "interpreter-missing", map[string]string{"path": "*/bin/release"}, `s/\r$//`},
		{"carriage return, env", map[string]string{"x.py": "#!/usr/bin/env python3\r\nprint()\r\n"},
			[]string{"sh", "-c", "./x.py; exit $?"}, "interpreter-missing", map[string]string{"path": "*/x.py", "interpreter": "python3\r"}, "CRLF"},
		{"carriage return, the command itself", map[string]string{"x.sh": "#!/bin/sh\r\n"},
			[]string{"./x.sh"}, "interpreter-missing", map[string]string{"path": "*/x.sh"}, "CRLF"},
		{"carriage return, of a command", map[string]string{"x.sh": "no-such-tool\r\n"},
			[]string{"sh", "x.sh"}, "command-not-found", map[string]string{"command": "no-such-tool\r"}, "CRLF"},
		{"missing interpreter", map[string]string{"x": "#! /opt/none/bin/perl -w\n"},
			[]string{"sh", "-c", "./x; exit $?"}, "interpreter-missing", map[string]string{"path": "*/x", "interpreter": "/opt/none/bin/perl"}, "command -v perl"},
		{"missing loader", map[string]string{"x": foreign(62, "/lib/ld-musl-none.so.1")},
			[]string{"sh", "-c", "./x; exit $?"}, "interpreter-missing", map[string]string{"interpreter": "/lib/ld-musl-none.so.1"}, "musl"},
		{"other machine", map[string]string{"x": foreign(0xb7, "/lib/ld.so")},
			[]string{"bash", "-c", "./x; exit $?"}, "exec-format", map[string]string{"path": "*/x", "format": "a 64-bit ELF program for AARCH64"}, "build for"},
		{"a gzip file", map[string]string{"x": "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"},
			[]string{"bash", "-c", "./x; exit $?"}, "exec-format", map[string]string{"format": "a gzip file"}, "gzip"},
		{"no such tool", nil, []string{"sh", "-c", "./tool; exit $?"}, "command-not-found", map[string]string{"command": "*/tool"}, "There is no"},
		{"no such tool, bash", nil, []string{"bash", "-c", "/opt/none/tool; exit $?"}, "command-not-found", map[string]string{"command": "/opt/none/tool"}, "There is no"},
		{"not in PATH", nil, []string{"sh", "-c", "no-such-tool; exit $?"}, "command-not-found", map[string]string{"command": "no-such-tool"}, "every directory of PATH"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.command[0] == "bash" {
				testkit.Program(t, "bash")
			}
			r, tl := recorded(t, c.files, c.command...)
			v := r.Verdict
			if v.Cause != c.cause {
				t.Errorf("cause %s, want %s: %s", v.Cause, c.cause, v.Title)
			}
			for name, want := range c.facts {
				want = strings.ReplaceAll(want, "*", tl.Header.Cwd)
				if got := fact(v, name); got != want {
					t.Errorf("fact %s is %q, want %q", name, got, want)
				}
			}
			if text := v.Title + "\n" + v.Why + "\n" + strings.Join(v.Next, "\n"); !strings.Contains(text, c.says) {
				t.Errorf("nothing says %q:\n%s", c.says, text)
			}
		})
	}
}

// A shell runs a text file without #! itself: what the kernel said is no cause.
func TestScriptWithoutFirstLine(t *testing.T) {
	for _, shell := range []string{"sh", "bash"} {
		r, _ := recorded(t, map[string]string{"x": "exit 3\n"}, shell, "-c", "./x; exit $?")
		for _, f := range append(r.Findings, r.Verdict) {
			if f.Cause == "exec-format" {
				t.Errorf("%s: %s", shell, f.Title)
			}
		}
	}
}

// A Python program without the run's environment is recorded like any other.
func TestCleanedEnvironment(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		testkit.Lack(t, err)
	}
	const wants = "import os; os.environ['NOPE']\n"
	for name, c := range map[string]struct {
		files   map[string]string
		command []string
	}{
		"env -i":     {nil, []string{"env", "-i", "PATH=/usr/bin:/bin", "python3", "-c", wants}},
		"script":     {map[string]string{"x.py": "#!/usr/bin/python3\n" + wants}, []string{"env", "-i", "./x.py"}},
		"subprocess": {map[string]string{"x.py": wants, "y.py": "import subprocess, sys\nsys.exit(subprocess.run(['/usr/bin/python3', 'x.py'], env={}).returncode)\n"}, []string{"/usr/bin/python3", "y.py"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, tl := recorded(t, c.files, c.command...)
			if v := r.Verdict; v.Cause != "env-missing" || fact(v, "variable") != "NOPE" {
				t.Errorf("%s: %s", v.Cause, v.Title)
			}
			for _, p := range tl.Procs {
				if p.Python != nil && p.Python.Way != "Py_RunMain" {
					t.Errorf("the agent came by %q", p.Python.Way)
				}
			}
		})
	}
}
