package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"culprit/e2e/stage"
)

// bothWays runs a test plainly and under culprit: what a terminal and its
// signals do to a program must not change.
func bothWays(t *testing.T, test func(t *testing.T, s *stage.Stage, before []string)) {
	t.Helper()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		test(t, stage.New(t), nil)
	})
	t.Run("culprit", func(t *testing.T) {
		t.Parallel()
		s := stage.New(t)
		test(t, s, []string{culprit(t), "run", "-q", "-o", s.Path("run.pcapng"), "--"})
	})
}

func shell(script string) stage.Run { return stage.Run{Argv: []string{"sh", "-c", script}} }

func TestTerminal(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, s *stage.Stage, before []string) {
		term := s.Terminal(shell(`test -t 0 && test -t 1 && test -t 2 && stty size </dev/tty && read x && echo "got $x" && exit 4`), before...)
		term.Expect(`24 200`)
		term.Type("hello\n")
		term.Expect(`got hello`)
		if got := term.Wait(); got != 4 {
			t.Errorf("exit status %d, want 4", got)
		}
	})
}

func TestCtrlC(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		status       int
	}{
		{"caught", `trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done`, 5},
		{"default", `echo ready; exec sleep 30`, 128 + int(syscall.SIGINT)},
		{"ignored", `trap '' INT; echo ready; read x; echo "got $x"; exit 3`, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, s *stage.Stage, before []string) {
				term := s.Terminal(shell(tt.script), before...)
				term.Expect(`ready`)
				term.Type("\x03")
				if tt.name == "ignored" {
					term.Expect(`\^C`)
					term.Type("on\n")
					term.Expect(`got on`)
				}
				if got := term.Wait(); got != tt.status {
					t.Errorf("status %d, want %d; the terminal shows:\n%s", got, tt.status, term.Text())
				}
			})
		})
	}
}

// Python turns SIGINT into an exception; it must come once.
func TestCtrlCPython(t *testing.T) {
	t.Parallel()
	stage.Need(t, "python3")
	const source = `import sys, time
count = 0
print("ready", flush=True)
end = time.monotonic() + 30
while time.monotonic() < end:
    try:
        time.sleep(0.3)
        if count:
            sys.exit(40 + count)
    except KeyboardInterrupt:
        count += 1
`
	bothWays(t, func(t *testing.T, s *stage.Stage, before []string) {
		term := s.Terminal(stage.Run{Argv: []string{"/usr/bin/python3", "-c", source}}, before...)
		term.Expect(`ready`)
		term.Type("\x03")
		if got := term.Wait(); got != 41 {
			t.Errorf("status %d, want 41: one KeyboardInterrupt", got)
		}
	})
}

// Signals sent to culprit alone reach the program.
func TestSignalToCulprit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		signal       syscall.Signal
		status       int
	}{
		{"term-caught", `trap 'echo caught; exit 6' TERM; echo ready; while :; do sleep 0.05; done`, syscall.SIGTERM, 6},
		{"term-default", `echo ready; exec sleep 30`, syscall.SIGTERM, 128 + int(syscall.SIGTERM)},
		{"hup-caught", `trap 'echo caught; exit 7' HUP; echo ready; while :; do sleep 0.05; done`, syscall.SIGHUP, 7},
		{"usr1-caught", `trap 'echo caught; exit 8' USR1; echo ready; while :; do sleep 0.05; done`, syscall.SIGUSR1, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, s *stage.Stage, before []string) {
				term := s.Terminal(shell(tt.script), before...)
				term.Expect(`ready`)
				if err := term.Process.Signal(tt.signal); err != nil {
					t.Fatal(err)
				}
				if got := term.Wait(); got != tt.status {
					t.Errorf("status %d, want %d; the terminal shows:\n%s", got, tt.status, term.Text())
				}
			})
		})
	}
}

// A shell with job control stops the job, lists it and takes it up again.
func TestJobControl(t *testing.T) {
	t.Parallel()
	stage.Need(t, "bash")
	bothWays(t, func(t *testing.T, s *stage.Stage, before []string) {
		// exec: a ^Z between vfork and exec would stop the child alone, and dash
		// could not stop while it waits for it.
		job := s.File("job.sh", "echo ready\nread x\necho \"got $x\"\nexec sleep 30\n", 0o755)
		s.File("rc", "PS1='prompt> '\nbind 'set enable-bracketed-paste off' 2>/dev/null\n", 0o644)
		term := s.Terminal(stage.Run{Argv: []string{"bash", "--noprofile", "--rcfile", s.Path("rc"), "-i"}})
		term.Expect(`prompt> `)
		term.Type(strings.Join(append(append([]string{}, before...), "sh", job), " ") + "\n")
		term.Expect(`\nready`)
		term.Type("\x1a")
		term.Expect(`\[1\]\+ +Stopped`)
		term.Expect(`prompt> `)
		term.Type("jobs -l\n")
		term.Expect(`\[1\]\+ +\d+ Stopped`)
		term.Expect(`prompt> `)
		term.Type("fg\n")
		term.Expect(`job\.sh`)
		term.Type("hello\n")
		term.Expect(`\ngot hello`)
		term.Type("\x1a")
		term.Expect(`Stopped`)
		term.Expect(`prompt> `)
		term.Type("bg\n")
		term.Expect(`\[1\]\+.*&`)
		term.Type("fg\n")
		term.Expect(`job\.sh`)
		term.Type("\x03")
		term.Expect(`prompt> `)
		term.Type("echo status=$?\n")
		if got := term.Expect(`\nstatus=\d+`); got != "\nstatus=130" {
			t.Errorf("%s, want 130; the terminal shows:\n%s", strings.TrimSpace(got), term.Text())
		}
		term.Type("exit\n")
		term.Wait()
	})
}

// Death by a signal is 128+n, whichever it is.
func TestDeathBySignal(t *testing.T) {
	t.Parallel()
	exe := culprit(t)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGABRT, syscall.SIGPIPE, syscall.SIGALRM, syscall.SIGXCPU, syscall.Signal(40)} {
		t.Run(fmt.Sprint(int(sig)), func(t *testing.T) {
			t.Parallel()
			s := stage.New(t)
			got := s.Exec(shell(fmt.Sprintf("kill -%d $$", int(sig))), exe, "run", "-q", "-o", s.Path("run.pcapng"), "--")
			if got.Code != 128+int(sig) {
				t.Errorf("exit status %d (signal %d), want %d", got.Code, got.Signal, 128+int(sig))
			}
		})
	}
}

// Standard output that goes into a closed pipe kills with SIGPIPE, also under culprit.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	exe := culprit(t)
	stage.Need(t, "bash")
	s := stage.New(t)
	cmd := exec.CommandContext(t.Context(), stage.Program("bash"), "-c",
		exe+" run -q -o "+s.Path("run.pcapng")+` -- yes | head -n 1; echo "${PIPESTATUS[0]}"`)
	cmd.Env, cmd.Dir = s.Environ(), s.Dir
	out, err := cmd.Output()
	if err != nil || string(out) != "y\n141\n" {
		t.Errorf("%v, %q; want the status 141", err, out)
	}
}
