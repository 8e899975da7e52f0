package record

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"culprit/internal/lens/ptrace"
	"culprit/internal/procfs"
)

// started starts a program and waits until its state is the letter.
func started(t *testing.T, state string, argv ...string) int32 {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	pid := int32(cmd.Process.Pid)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		w := procfs.Wait(pid, pid)
		if w.State == state && w.Comm == argv[0] && (state == "R" || strings.HasPrefix(w.Syscall, "230 ")) /* clock_nanosleep */ {
			return pid
		}
		if time.Now().After(end) {
			t.Fatalf("%s is in state %s, %s", argv[0], w.State, w.Wchan)
		}
	}
}

// A thread that sleeps is walked from what /proc says, one that runs from a copy.
func TestNatives(t *testing.T) {
	n := newNatives()
	defer n.unwinder.Close()
	asleep := started(t, "S", "sleep", "60")
	at := calling(procfs.Wait(asleep, asleep).Syscall)
	got := n.walk(asleep, asleep, &at)
	if got == nil || !strings.Contains(got.Frames[0].Object, "libc") || got.Frames[0].Build == "" {
		t.Errorf("asleep: %+v", got)
	}
	busy := started(t, "R", "sh", "-c", "while :; do :; done")
	for range 500 { // it runs in the dynamic linker first, whose beginning has one frame
		ptrace.Hold([]int32{busy}, func() { at = held(busy) })
		if got = n.walk(busy, busy, &at); got != nil && len(got.Frames) > 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got == nil || got.Signo != 0 || len(got.Frames) < 2 || len(at.stack) == 0 {
		t.Errorf("busy: %+v, %d bytes of stack", got, len(at.stack))
	}
	for _, text := range []string{"", "running", "-1 0x7ffd 0xzz", "0 0x1"} {
		if at := calling(text); at.known {
			t.Errorf("%q: %+v", text, at)
		}
	}
	if got := n.walk(1<<30, 1<<30, &place{known: true}); got != nil {
		t.Errorf("of no process: %+v", got)
	}
}
