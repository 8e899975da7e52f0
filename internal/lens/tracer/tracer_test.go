package tracer

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// notes writes down what a handler is shown.
type notes struct {
	calls    map[string]int
	attached []How
	signals  []unix.Signal
	stops    []unix.Signal
	ends     []unix.WaitStatus
	detached int
	paths    []string
	enter    func(*Task)
	exit     func(*Task)
	waited   func()
}

func (n *notes) Attached(_ *Task, by How) { n.attached = append(n.attached, by) }
func (n *notes) Enter(t *Task) {
	if t.Call != nil {
		n.calls[t.Call.Name]++
		t.Capture(event.Enter, sysabi.Limits{String: 4096})
		if d := sysabi.Decode(&t.Sys); len(d.Args) > 0 {
			if p, ok := d.Path(); ok {
				n.paths = append(n.paths, p)
			}
		}
	}
	if n.enter != nil {
		n.enter(t)
	}
}

func (n *notes) Exit(t *Task) {
	if n.exit != nil {
		n.exit(t)
	}
}
func (n *notes) After(*Task) {}
func (n *notes) Signal(_ *Task, sig unix.Signal, _ []byte) unix.Signal {
	n.signals = append(n.signals, sig)
	return sig
}
func (n *notes) Stopped(_ *Task, sig unix.Signal)       { n.stops = append(n.stops, sig) }
func (n *notes) Superseded(_, _ *Task, _ int32)         {}
func (n *notes) Exiting(*Task)                          {}
func (n *notes) Exited(_ *Task, status unix.WaitStatus) { n.ends = append(n.ends, status) }
func (n *notes) Detached(*Task)                         { n.detached++ }
func (n *notes) Waited(int32, unix.WaitStatus) {
	if n.waited != nil {
		n.waited()
	}
}
func (n *notes) Unknown(int32, unix.WaitStatus) {}

func newNotes() *notes { return &notes{calls: map[string]int{}} }

func shell(script string) Options {
	return Options{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin", "MARK=yes"}}
}

func run(t *testing.T, o Options, n *notes) unix.WaitStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	st, err := New(o, n).Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// The first call is the execve of the start, with the arguments as given.
func TestStart(t *testing.T) {
	n := newNotes()
	var first *event.Syscall
	var argv []string
	n.enter = func(k *Task) {
		if first == nil {
			s := k.Sys
			first = &s
			d := sysabi.Decode(&k.Sys)
			v, _ := d.Arg("argv")
			argv = append(argv, v.Strings...)
		}
	}
	st := run(t, shell(`[ "$MARK" = yes ] && exit 7`), n)
	if st.ExitStatus() != 7 {
		t.Errorf("status %#x", uint32(st))
	}
	if sysabi.Lookup(first.Arch, first.NR).Name != "execve" || n.paths[0] != "/bin/sh" || strings.Join(argv, " ") != `sh -c [ "$MARK" = yes ] && exit 7` {
		t.Errorf("first call %d of %q %q", first.NR, n.paths[0], argv)
	}
	if n.calls["exit_group"] != 1 || len(n.ends) != 1 || n.attached[0] != Started {
		t.Errorf("%+v", n)
	}
}

// A program that can't be executed: the call fails, the process ends with 1.
func TestStartFails(t *testing.T) {
	n := newNotes()
	var ret int64
	n.exit = func(t *Task) { ret = t.Sys.Ret }
	st := run(t, Options{Path: "/dev/null", Argv: []string{"x"}}, n)
	if unix.Errno(-ret) != unix.EACCES || st.ExitStatus() != 1 {
		t.Errorf("result %d, status %#x", ret, uint32(st))
	}
}

func TestFollow(t *testing.T) {
	for _, follow := range []bool{false, true} {
		n := newNotes()
		o := shell("(exit 3) & (exit 4) & wait; kill -s TERM $$")
		o.Follow = follow
		st := run(t, o, n)
		if !st.Signaled() || st.Signal() != unix.SIGTERM {
			t.Errorf("status %#x", uint32(st))
		}
		want := 1
		if follow {
			want = 3
		}
		if len(n.ends) != want || len(n.attached) != want {
			t.Errorf("follow %v: %d tasks, %d ends, want %d", follow, len(n.attached), len(n.ends), want)
		}
	}
}

// A process attached to runs on when the tracer lets go of it.
func TestAttach(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "while :; do sleep 0.02; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	n := newNotes()
	ctx, cancel := context.WithCancel(context.Background())
	n.exit = func(*Task) {
		if n.calls["wait4"] >= 3 {
			cancel()
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := New(Options{Attach: []int{cmd.Process.Pid}}, n).Run(ctx)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the tracer does not end")
	}
	if n.detached != 1 || n.attached[0] != Attached {
		t.Errorf("%+v", n)
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/status")
	if err != nil || !strings.Contains(string(b), "TracerPid:\t0\n") || strings.Contains(string(b), "State:\tT") {
		t.Errorf("after detaching: %v\n%s", err, b)
	}
}

func TestAttachFails(t *testing.T) {
	n := newNotes()
	_, err := New(Options{Attach: []int{1 << 22}}, n).Run(context.Background())
	if !errors.Is(err, ErrNoneLeft) {
		t.Errorf("got %v", err)
	}
}

// Calls can be replaced by a result, and signals added.
func TestTamper(t *testing.T) {
	n := newNotes()
	n.enter = func(k *Task) {
		if k.Call != nil && k.Call.Name == "chdir" {
			if err := k.Skip(-int64(unix.EIO)); err != nil {
				t.Error(err)
			}
			k.Deliver(unix.SIGUSR1)
		}
	}
	var ret int64
	n.exit = func(k *Task) {
		if k.Call != nil && k.Call.Name == "chdir" {
			ret = k.Sys.Ret
		}
	}
	st := run(t, shell("trap 'exit 9' USR1; cd /; exit 5"), n)
	if ret != -int64(unix.EIO) || st.ExitStatus() != 9 {
		t.Errorf("chdir gave %d, status %#x, signals %v", ret, uint32(st), n.signals)
	}
}

// A stop by a signal is shown and kept until SIGCONT.
func TestGroupStop(t *testing.T) {
	n := newNotes()
	o := shell("(sleep 0.3; kill -CONT $$) & kill -STOP $$; wait; exit 6")
	o.Follow = true
	st := run(t, o, n)
	if st.ExitStatus() != 6 || len(n.stops) != 1 || n.stops[0] != unix.SIGSTOP {
		t.Errorf("status %#x, stops %v", uint32(st), n.stops)
	}
}

// With a filter nothing stops but the chosen calls, in children from their
// first one on.
func TestOnly(t *testing.T) {
	n := newNotes()
	o := shell("cd /; (cd /usr; exit 3); /bin/true")
	o.Follow = true
	o.Only = func(arch event.Arch, nr uint32) bool {
		c := sysabi.Lookup(arch, nr)
		return c != nil && c.Name == "chdir"
	}
	waits := 0
	n.waited = func() { waits++ }
	if st := run(t, o, n); st.ExitStatus() != 0 {
		t.Errorf("status %#x", uint32(st))
	}
	delete(n.calls, "execve")
	if len(n.calls) != 1 || n.calls["chdir"] != 2 || len(n.ends) != 3 {
		t.Errorf("calls %v, %d ends", n.calls, len(n.ends))
	}
	if waits > 40 {
		t.Errorf("%d stops", waits)
	}
}

// One task is delayed, others go on meanwhile.
func TestDelay(t *testing.T) {
	const delay = 300 * time.Millisecond
	n := newNotes()
	o := shell("(cd /usr; exit 3) & cd /; wait")
	o.Follow = true
	var usr, root time.Time
	start := time.Now()
	n.exit = func(k *Task) {
		if k.Call == nil || k.Call.Name != "chdir" {
			return
		}
		if d := sysabi.Decode(&k.Sys); d.Args[0].Str == "/usr" {
			usr = time.Now()
		} else {
			root = time.Now()
		}
	}
	n.enter = func(k *Task) {
		if k.Call == nil || k.Call.Name != "chdir" {
			return
		}
		if d := sysabi.Decode(&k.Sys); d.Args[0].Str == "/usr" {
			k.Delay(delay)
		}
	}
	run(t, o, n)
	if usr.Sub(start) < delay || !root.Before(usr) {
		t.Errorf("the delayed one after %v, the other after %v", usr.Sub(start), root.Sub(start))
	}
}

// Memory that arguments point to is changed.
func TestWriteMem(t *testing.T) {
	n := newNotes()
	n.enter = func(k *Task) {
		if k.Call != nil && k.Call.Name == "chdir" {
			if got := k.WriteMem([]byte("/usr\x00"), k.Sys.Args[0]); got != 5 {
				t.Errorf("%d bytes written", got)
			}
		}
	}
	if st := run(t, shell(`cd /tmp/; [ "$(/bin/pwd)" = /usr ] || exit 9`), n); st.ExitStatus() != 0 {
		t.Errorf("status %#x", uint32(st))
	}
}
