package ptrace

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/procfs"
	"culprit/internal/testkit"
)

// Every mode of the program does and prints the same under the recorder.
func TestSameEffect(t *testing.T) {
	bin := prog(t)
	for _, mode := range []string{
		"tree", "execthread", "kill9", "segv", "crash", "term", "closeall", "filter", "undumpable",
		"answer-unix", "answer-tcp", "pending", "partial", "iovecs", "maps", "storm",
	} {
		t.Run(mode, func(t *testing.T) {
			wantStatus, want := plain(t, bin, mode)
			r := record(t, Options{}, bin, mode)
			// A core dump is the machine's setting, not the program's end.
			if got := uint32(r.status) &^ 0x80; got != uint32(wantStatus)&^0x80 {
				t.Errorf("wait status %#x, is %#x without a recorder", got, uint32(wantStatus))
			}
			if d := cmp.Diff(want, r.out); d != "" {
				t.Errorf("output (-plain +recorded):\n%s", d)
			}
			exits, at := of[*event.Exit](r)
			i := slices.IndexFunc(at, func(e event.Event) bool { return int(e.TID) == r.pid })
			if i < 0 || exits[i].Status != uint32(r.status) {
				t.Errorf("the root program's Exit event is missing or differs from %#x", uint32(r.status))
			}
			if left := r.rec.Remaining(); len(left) > 0 {
				t.Errorf("processes left: %v", left)
			}
		})
	}
}

func TestTree(t *testing.T) {
	r := record(t, Options{}, prog(t), "tree")
	root := int32(r.pid)
	forks, at := of[*event.Fork](r)
	threads, children := map[int32]bool{}, map[int32]bool{}
	for i, f := range forks {
		if at[i].PID != root {
			continue
		}
		if f.Thread {
			threads[f.Child] = true
		} else {
			children[f.Child] = true
		}
	}
	if len(threads) != 4 || len(children) != 4 {
		t.Errorf("%d threads and %d children, want 4 and 4", len(threads), len(children))
	}
	// A thread's first call is already seen.
	for _, name := range []string{"thread0", "thread1", "thread2", "thread3"} {
		tid := r.touched("/touch/" + name)
		if !threads[tid] {
			t.Errorf("%s was touched by %d, no thread of the program", name, tid)
		}
	}
	for _, name := range []string{"fork", "clone3", "clonefiles"} {
		if pid := r.touched("/touch/" + name); !children[pid] {
			t.Errorf("%s was touched by %d, no child of the program", name, pid)
		}
	}
	exits, at := of[*event.Exit](r)
	want := map[uint32]bool{3 << 8: true, 5 << 8: true, 7 << 8: true, 9 << 8: true}
	for i, e := range exits {
		if children[at[i].TID] {
			delete(want, e.Status)
		}
	}
	if len(want) > 0 {
		t.Errorf("no child ended with wait status %v", want)
	}
	var execs []string
	bodies, _ := of[*event.Exec](r)
	for _, x := range bodies {
		execs = append(execs, strings.Join(x.Argv, " "))
		if x.Cwd == "" || x.Exe == "" || x.Secure || x.UID != uint32(os.Geteuid()) {
			t.Errorf("exec %+v", x)
		}
	}
	if d := cmp.Diff([]string{prog(t) + " tree", "sh -c exit 5"}, execs); d != "" {
		t.Errorf("execs (-want +got):\n%s", d)
	}
	// Order: the record of execve, with result 0, stands before its Exec.
	var order []string
	for _, e := range r.events {
		switch b := e.Body.(type) {
		case *event.Syscall:
			if b.Arch == archNative && b.NR == unix.SYS_EXECVE {
				order = append(order, "call")
				if b.Ret != 0 || b.Dur <= 0 {
					t.Errorf("execve: %+v", b)
				}
			}
		case *event.Exec:
			order = append(order, "exec")
		}
	}
	if d := cmp.Diff([]string{"exec", "call", "exec"}, order); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
}

func TestExecFromThread(t *testing.T) {
	r := record(t, Options{}, prog(t), "execthread")
	execs, at := of[*event.Exec](r)
	last := len(execs) - 1
	if last != 1 || execs[last].Former == 0 || execs[last].Former == int32(r.pid) || int(at[last].TID) != r.pid {
		t.Fatalf("execs %+v", execs)
	}
	found := false
	for _, c := range r.calls("execve") {
		found = found || c.TID == execs[last].Former && c.Ret == 0 && int(c.PID) == r.pid
	}
	if !found {
		t.Error("execve is not recorded for the thread that called it")
	}
	// The calls of the new program belong to the leader.
	writes := r.calls("write")
	if n := len(writes); n == 0 || int(writes[n-1].TID) != r.pid || writes[n-1].text(writes[n-1].Args[1]) != "from a thread\n" {
		t.Errorf("writes %+v", writes)
	}
}

func TestSignals(t *testing.T) {
	for _, c := range []struct {
		mode string
		sig  unix.Signal
	}{{"segv", unix.SIGSEGV}, {"term", unix.SIGTERM}} {
		r := record(t, Options{}, prog(t), c.mode)
		sigs, _ := of[*event.Signal](r)
		if len(sigs) != 1 || len(sigs[0].Siginfo) != 128 || unix.Signal(sigs[0].Siginfo[0]) != c.sig {
			t.Errorf("%s: signals %+v", c.mode, sigs)
		}
	}
}

func TestStopAndContinue(t *testing.T) {
	pid, out := start(t, nil, prog(t), "stop")
	defer out.Close()
	stopped := make(chan unix.Signal, 10)
	rec := New(Options{OnStop: func(s unix.Signal) { stopped <- s }})
	s := &sink{}
	done := make(chan error, 1)
	go func() { done <- rec.Record(context.Background(), lens.Target{PID: pid}, s) }()
	if sig := <-stopped; sig != unix.SIGSTOP {
		t.Errorf("stopped by %v", sig)
	}
	if st := state(t, pid); st != "t" && st != "T" {
		t.Errorf("the program is in state %s", st)
	}
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	st, _ := rec.Status()
	r := run{events: s.events(t)}
	if st.ExitStatus() != 6 || r.touched("/touch/continued") == 0 {
		t.Errorf("wait status %#x, continued %v", uint32(st), r.touched("/touch/continued"))
	}
	if len(stopped) != 0 {
		t.Errorf("told of %d more stops", len(stopped))
	}
}

func state(t *testing.T, pid int) string {
	t.Helper()
	b := procfs.Field(int32(pid), "State:")
	if len(b) == 0 {
		t.Fatalf("process %d is gone", pid)
	}
	return string(b[:1])
}

func TestOwnFilter(t *testing.T) {
	r := record(t, Options{}, prog(t), "filter")
	if !r.note("own-seccomp") || r.touched("/touch/filtered") == 0 {
		t.Errorf("note %v, calls after it %v", r.note("own-seccomp"), r.touched("/touch/filtered"))
	}
}

func TestUndumpable(t *testing.T) {
	r := record(t, Options{}, prog(t), "undumpable")
	if !r.note("not-dumpable") || r.touched("/touch/undumpable") == 0 {
		t.Errorf("note %v, memory read %v", r.note("not-dumpable"), r.touched("/touch/undumpable") != 0)
	}
}

func TestPtraceInside(t *testing.T) {
	r := record(t, Options{}, prog(t), "traces")
	if !r.note("ptrace-in-ptrace") {
		t.Errorf("no note; the program says %q", r.out)
	}
}

func TestClosedDescriptors(t *testing.T) {
	r := record(t, Options{}, prog(t), "closeall")
	if r.touched("/touch/closed") == 0 || r.status.ExitStatus() != 4 {
		t.Errorf("wait status %#x", uint32(r.status))
	}
}

func TestDaemon(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	pid, out := start(t, []string{"MARK=" + mark}, prog(t), "daemon")
	defer out.Close()
	s := &sink{}
	rec := New(Options{})
	if err := rec.Record(context.Background(), lens.Target{PID: pid}, s); err != nil {
		t.Fatal(err)
	}
	if _, ok := rec.Status(); !ok {
		t.Error("no status")
	}
	if left := rec.Remaining(); len(left) != 1 || left[0] == pid {
		t.Fatalf("remaining %v, want one daemon", left)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Fatal("the daemon was too quick for this test")
	}
	size := len(s.events(t))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	rec.Tail(ctx)
	if left := rec.Remaining(); len(left) != 0 {
		t.Errorf("remaining %v after Tail", left)
	}
	// Its calls went on working without being recorded.
	if b, err := os.ReadFile(mark); err != nil || string(b) != "x" {
		t.Errorf("the daemon's file: %q, %v", b, err)
	}
	if n := len(s.events(t)); n != size {
		t.Errorf("%d events after the end", n-size)
	}
}

func TestTimeout(t *testing.T) {
	pid, out := start(t, nil, prog(t), "hang")
	defer out.Close()
	s := &sink{}
	rec := New(Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := rec.Record(ctx, lens.Target{PID: pid}, s); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("Record came back after %v", d)
	}
	r := run{events: s.events(t), pid: pid}
	waits, at := of[*event.Wait](r)
	if len(waits) != 1 || waits[0].State != "S" || !strings.HasPrefix(waits[0].Syscall, "0 ") || int(at[0].TID) != pid {
		t.Errorf("waits %+v", waits)
	}
	var hung []call
	for _, c := range r.calls() {
		if c.Flags&event.Unfinished != 0 {
			hung = append(hung, c)
		}
	}
	if len(hung) != 1 || hung[0].name != "read" || hung[0].Dur <= 0 {
		t.Errorf("unfinished calls %+v", hung)
	}
	if peeks, _ := of[*event.Peek](r); len(peeks) != 1 || string(peeks[0].Data) != "eft" {
		t.Errorf("peeks %+v", peeks)
	}
	if left := rec.Remaining(); !slices.Equal(left, []int{pid}) {
		t.Errorf("remaining %v", left)
	}
	if _, ok := rec.Status(); ok {
		t.Error("there is a status")
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	rec.Tail(context.Background())
	if st, ok := rec.Status(); !ok || st.Signal() != unix.SIGKILL {
		t.Errorf("status %#x %v", uint32(st), ok)
	}
}

func TestCompat(t *testing.T) {
	testkit.Program(t, "gcc")
	src, err := sources.ReadFile("testdata/compat.s")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "compat")
	cmd := exec.Command("gcc", "-m32", "-nostdlib", "-static", "-x", "assembler", "-o", bin, "-")
	cmd.Stdin = strings.NewReader(string(src))
	out, err := cmd.CombinedOutput()
	need(t, err == nil, "gcc -m32: "+string(out))
	st, _ := plain(t, bin)
	need(t, st.ExitStatus() == 5, "32-bit programs")
	r := record(t, Options{}, bin)
	if r.status.ExitStatus() != 5 {
		t.Errorf("wait status %#x", uint32(r.status))
	}
	calls := r.calls("access")
	if len(calls) != 1 || calls[0].Arch != event.ArchI386 || calls[0].text(calls[0].Args[0]) != "/touch/compat" ||
		calls[0].Ret != -int64(unix.ENOENT) {
		t.Errorf("calls %+v", calls)
	}
}

// Nothing of the recorder stays: no descriptor, no goroutine, no child.
func TestNothingLeft(t *testing.T) {
	bin := prog(t)
	record(t, Options{}, bin, "tree")
	fds, gos := count(t), runtime.NumGoroutine()
	for range 5 {
		record(t, Options{}, bin, "tree")
		record(t, Options{}, bin, "storm")
		record(t, Options{}, bin, "answer-tcp")
		record(t, Options{}, bin, "undumpable")
	}
	if now := count(t); now > fds {
		t.Errorf("%d descriptors, were %d", now, fds)
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > gos && time.Now().Before(end); {
		runtime.Gosched()
	}
	if now := runtime.NumGoroutine(); now > gos {
		t.Errorf("%d goroutines, were %d", now, gos)
	}
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil); err != unix.ECHILD {
		t.Errorf("children are left: %v", err)
	}
}

func count(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestProbe(t *testing.T) {
	if err := New(Options{}).Probe(); err != nil {
		t.Error(err)
	}
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil); err != unix.ECHILD {
		t.Errorf("children are left: %v", err)
	}
}

// A target that is no longer there is an error, not a hang.
func TestNoTarget(t *testing.T) {
	err := New(Options{}).Record(context.Background(), lens.Target{PID: 1 << 30}, &sink{})
	if err == nil {
		t.Error("no error")
	}
}
