package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"culprit/e2e/stage"
)

// Ctrl-C on a program that hangs: the verdict says what it waited for then.
func TestCtrlCHang(t *testing.T) {
	t.Parallel()
	culprit(t)
	for _, tt := range []struct {
		name, needs string
		argv        []string
		keys        int // Ctrl-C so often
		status      int
		cause, fact string
	}{
		{"terminal", "cat", []string{"sh", "-c", "echo ready; exec cat"}, 1, 130, "waiting-on-input", `/dev/pts/`},
		{"pipe", "cat", []string{"sh", "-c", "echo ready; sleep 30 | cat"}, 1, 130, "waiting-on-input", `sleep 30 \(pid \d+\)`},
		// The first ends the wait in the main thread, the second that at its end.
		{"deadlock", "python3", []string{"/usr/bin/python3", "-u", "-c", pythonDeadlock}, 2, 130, "deadlock", `one .* two|two .* one`},
		{"sleep", "sleep", []string{"sh", "-c", "echo ready; exec sleep 30"}, 1, 130, "killed-by", `terminal`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stage.Need(t, tt.needs)
			s := stage.New(t)
			file := s.Path("report.json")
			term := s.Terminal(stage.Run{Argv: tt.argv}, culprit(t), "run", "-q", "--report", file, "-o", s.Path("run.pcapng"), "--")
			term.Expect(`ready`)
			time.Sleep(time.Second) // until it stands where it hangs
			for i := range tt.keys {
				if i > 0 {
					term.Expect(`KeyboardInterrupt`)
					time.Sleep(1500 * time.Millisecond)
				}
				term.Type("\x03")
			}
			if got := term.Wait(); got != tt.status {
				t.Errorf("status %d, want %d; the terminal shows:\n%s", got, tt.status, term.Text())
			}
			var r report
			b, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(b, &r)
			}
			if err != nil || r.Verdict.Cause != tt.cause || !regexp.MustCompile(tt.fact).MatchString(r.Verdict.text()) {
				t.Errorf("%v, want %s and %q:\n%s", err, tt.cause, tt.fact, b)
			}
		})
	}
}

// What can't be attached to is refused in words, with a way out, and leaves no
// file behind.
func TestAttachRefused(t *testing.T) {
	t.Parallel()
	stage.Need(t, "python3")
	s := stage.New(t)
	sleep := start(t, s, "sh", "-c", "echo ready; exec sleep 60")
	zombie := start(t, s, "/usr/bin/python3", "-c", "import os, time\np = os.fork()\nif p == 0: os._exit(0)\nos.waitid(os.P_PID, p, os.WEXITED | os.WNOWAIT)\nprint('ready', flush=True); print(p, flush=True); time.sleep(60)")
	thread := start(t, s, "/usr/bin/python3", "-c", "import threading, time\nt = threading.Thread(target=time.sleep, args=(60,)); t.start()\nprint('ready', flush=True); print(t.native_id, flush=True)")
	number := func(l *live) string {
		line, err := l.out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	me := culprit(t)
	for _, tt := range []struct {
		name, needs string
		argv        []string
		says        string
	}{
		{"zombie", "sh", []string{me, "attach", "-p", number(zombie)}, `is a zombie: .* parent, process ` + zombie.pid()},
		{"thread", "sh", []string{me, "attach", "-p", number(thread)}, `(?s)a thread of process ` + thread.pid() + `.*hint: .*-p ` + thread.pid()},
		{"itself", "sh", []string{"sh", "-c", "exec " + me + " attach -p $$"}, `that is culprit itself`},
		{"traced", "strace", []string{"sh", "-c", "strace -o /dev/null -p " + sleep.pid() + " & while grep -q 'TracerPid:.0$' /proc/" + sleep.pid() + "/status; do sleep 0.05; done; " + me + " attach -p " + sleep.pid() + "; s=$?; kill $!; exit $s"},
			`sleep is traced already, by process \d+ \(strace\)`},
		{"other-user", "root", append(append([]string{}, nobody...), me, "attach", "--snapshot", "-p", sleep.pid()), `(?s)sleep belongs to user 0.*runs as user 65534.*hint: .*sudo`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stage.Need(t, tt.needs)
			out := s.Exec(stage.Run{Argv: tt.argv})
			if out.Code != 1 || !regexp.MustCompile(tt.says).MatchString(out.Stderr) {
				t.Errorf("status %d, want 1 and %q:\n%s", out.Code, tt.says, out.Stderr)
			}
		})
	}
	if left, _ := os.ReadDir(s.Dir); slices.ContainsFunc(left, func(e os.DirEntry) bool { return strings.Contains(e.Name(), "pcapng") }) {
		t.Errorf("there is %v", left)
	}
}
