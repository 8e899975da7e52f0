package ebpf

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/launch"
	"culprit/internal/lens"
	"culprit/internal/procfs"
	"culprit/internal/sysabi"
	"culprit/internal/testkit"
)

// counter is a sink that encodes, as a case file does, and keeps nothing.
type counter struct {
	calls, lost, bytes uint64
	buf                []byte
	until              int // after 1000 events nothing is taken until this process is gone
}

func (c *counter) Put(e event.Event) {
	c.buf = event.Append(c.buf[:0], e)
	c.bytes += uint64(len(c.buf))
	switch b := e.Body.(type) {
	case *event.Syscall:
		c.calls++
		if c.until > 0 && c.calls == 1000 {
			gone(c.until)
		}
	case *event.Loss:
		c.lost += b.Count
	}
}

// gone waits for the end of a process, which may stay as a zombie.
func gone(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	for {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != unix.EINTR {
			return
		}
	}
}

// start starts a command with its output thrown away.
func start(t testing.TB, argv ...string) int {
	t.Helper()
	path := testkit.Program(t, argv[0])
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	pid, err := launch.Config{Path: path, Argv: argv, Env: os.Environ(), FDs: []uintptr{null.Fd(), null.Fd(), null.Fd()}}.Start()
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestStormWithoutLoss(t *testing.T) {
	need(t)
	var c counter
	pid := start(t, "dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=200000")
	if err := New(Options{}).Record(context.Background(), lens.Target{PID: pid}, &c); err != nil {
		t.Fatal(err)
	}
	if c.calls < 400000 || c.lost != 0 {
		t.Errorf("%d calls recorded, %d lost", c.calls, c.lost)
	}
}

// A sink that is too slow costs events, which are counted, not memory.
func TestSlowSink(t *testing.T) {
	need(t)
	var c counter
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	pid := start(t, "dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=200000")
	c.until = pid
	r := New(Options{Buffer: 4 << 20})
	if err := r.Record(context.Background(), lens.Target{PID: pid}, &c); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if c.lost == 0 {
		t.Fatalf("nothing lost of %d calls: the sink is not too slow", c.calls)
	}
	// What was kept and what was counted as lost is all there was.
	if n := c.calls + c.lost; n < 400000 || n > 410000 {
		t.Errorf("%d calls recorded and %d lost are %d, of a bit more than 400000", c.calls, c.lost, n)
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 16<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if st, ok := r.Status(); !ok || !st.Exited() || st.ExitStatus() != 0 {
		t.Errorf("status %v %v", st, ok)
	}
}

// Of so many children none is missed, and none of another.
func TestChildren(t *testing.T) {
	need(t)
	const n = 2000
	pid := start(t, compile(t, "testdata/hostile.c"), "children", "2000")
	var c collector
	if err := New(Options{}).Record(context.Background(), lens.Target{PID: pid}, &c); err != nil {
		t.Fatal(err)
	}
	born, asked, ended, status := map[int32]bool{}, map[int32]bool{}, map[int32]bool{}, uint32(0)
	for _, e := range c.list {
		switch b := e.Body.(type) {
		case *event.Fork:
			born[b.Child] = true
		case *event.Exit:
			ended[e.PID] = true
			status += b.Status >> 8
		case *event.Syscall:
			if p, ok := sysabi.Decode(b).Path(); ok && p == "/child" {
				asked[e.PID] = true
			}
		case *event.Loss:
			t.Errorf("%+v", b)
		}
	}
	want := uint32(0)
	for i := range uint32(n) {
		want += i & 63
	}
	if len(born) != n || len(asked) != n || len(ended) != n+1 || status != want {
		t.Errorf("%d born, %d asked, %d ended with the sum %d: want %d, and %d", len(born), len(asked), len(ended), status, n, want)
	}
}

func TestTimeout(t *testing.T) {
	need(t)
	pid := still(t, []string{prog(t), "hang"})
	var c collector
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // until it has been waiting in one read for a while
		for last, same := "", 0; same < 10; time.Sleep(10 * time.Millisecond) {
			w := procfs.Wait(int32(pid), int32(pid))
			if same++; w.Syscall != last || w.State != "S" || !strings.HasPrefix(w.Syscall, "0 ") {
				last, same = w.Syscall, 0
			}
		}
		cancel()
	}()
	r := New(Options{})
	if err := r.Record(ctx, lens.Target{PID: pid}, &c); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, 0, nil)
	}()
	if got := r.Remaining(); len(got) != 1 || got[0] != pid {
		t.Errorf("remaining %v, want %d", got, pid)
	}
	var wait *event.Wait
	var last *event.Syscall
	for _, e := range c.list {
		switch b := e.Body.(type) {
		case *event.Wait:
			wait = b
		case *event.Syscall:
			last = b
		}
	}
	if wait == nil || wait.State != "S" {
		t.Errorf("wait %+v", wait)
	}
	if last == nil || last.Flags != event.Unfinished || sysabi.Decode(last).Name != "read" {
		t.Errorf("last call %+v, want read, unfinished", last)
	}
	if err := unix.Kill(pid, 0); err != nil {
		t.Errorf("the program is gone: %v", err)
	}
}

// A process that is not the target's, and busy with the same calls, is not
// shown.
func TestOnlyTheTarget(t *testing.T) {
	need(t)
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			_, _ = os.Stat("/culprit-stranger")
		}
	}()
	list := run(t, Options{}, "true")
	stop.Store(true)
	<-done
	own := list[0].PID
	for _, e := range list {
		if e.PID != own && e.PID != 0 {
			t.Fatalf("an event of process %d: %+v", e.PID, e.Body)
		}
		if s, ok := e.Body.(*event.Syscall); ok && strings.Contains(sysabi.Decode(s).String(), "stranger") {
			t.Fatal("a call of the recorder's own process")
		}
	}
	if s, ok := list[1].Body.(*event.Syscall); !ok || sysabi.Decode(s).Name != "brk" {
		t.Errorf("the first call is %+v, want the dynamic loader's brk", list[1].Body)
	}
}

func TestUnavailable(t *testing.T) {
	err := unavailable(unix.EPERM)
	var u *lens.Unavailable
	if !errors.As(err, &u) || u.Remedy == "" || !errors.Is(err, lens.ErrUnavailable) {
		t.Errorf("%+v", err)
	}
}

func TestBufferSize(t *testing.T) {
	for _, c := range []struct{ want, size int }{{1, 4 << 20}, {5 << 20, 4 << 20}, {64 << 20, 64 << 20}, {100 << 20, 64 << 20}} {
		if got := bufferSize(c.want); got != c.size {
			t.Errorf("bufferSize(%d) = %d, want %d", c.want, got, c.size)
		}
	}
	if got := bufferSize(0); got < 4<<20 || got > 64<<20 || got&(got-1) != 0 {
		t.Errorf("bufferSize(0) = %d", got)
	}
}

// FuzzRecord gives the reader records that no kernel made.
func FuzzRecord(f *testing.F) {
	for kind := byte(0); kind < 10; kind++ {
		b := make([]byte, headSize+104)
		b[0], b[4], b[8] = kind, 1, 1
		f.Add(b)
		f.Add(append(b, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 3, 0, 'a', 'b', 'c', 0, 0, 0))
	}
	base := New(Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &Recorder{
			opt: base.opt, native: base.native, compat: base.compat, sink: new(counter),
			tasks: map[int32]*task{}, procs: map[int32]*process{}, streams: map[uint32]*stream{}, alive: map[int32]bool{},
		}
		r.record(b)
		r.record(b)
	})
}

func BenchmarkRecord(b *testing.B) {
	r := New(Options{})
	r.sink = new(counter)
	rec := make([]byte, headSize+80+24)
	rec[0], rec[4], rec[8] = recordSyscall, 1, 1
	rec[headSize+80+8] = 1
	b.ReportAllocs()
	for b.Loop() {
		r.record(rec)
	}
}

// writer is a case file that counts.
type writer struct {
	*casefile.Writer
	t     testing.TB
	calls uint64
}

func (w *writer) create() {
	var err error
	if w.Writer, err = casefile.Create(filepath.Join(w.t.TempDir(), "case"), casefile.Options{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) Put(e event.Event) {
	if _, ok := e.Body.(*event.Syscall); ok {
		w.calls++
	}
	w.Writer.Put(e)
}

// BenchmarkOverhead reports what a call costs the program, and us, in processor
// time: wall time means nothing on a busy machine.
func BenchmarkOverhead(b *testing.B) {
	need(b)
	for _, c := range []struct {
		name string
		argv []string
	}{
		{"dd", []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=1000000"}},
		{"find", []string{"find", "/usr", "-name", "x"}},
		{"python", []string{"python3", "-c", "import json, http.client, ssl, argparse, asyncio, logging, email, sqlite3"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var plain, under, self time.Duration
			var events uint64
			for b.Loop() {
				at := cpu(unix.RUSAGE_CHILDREN)
				if err := exec.Command(c.argv[0], c.argv[1:]...).Run(); err != nil {
					testkit.Lack(b, err)
				}
				plain += cpu(unix.RUSAGE_CHILDREN) - at
				at = cpu(unix.RUSAGE_CHILDREN)
				pid := start(b, c.argv...)
				r := New(Options{})
				k := writer{t: b}
				k.create()
				if err := r.Prepare(); err != nil {
					b.Fatal(err)
				}
				own := cpu(unix.RUSAGE_SELF) // without the loading
				if err := r.Record(context.Background(), lens.Target{PID: pid}, &k); err != nil {
					b.Fatal(err)
				}
				if err := k.Close(); err != nil {
					b.Fatal(err)
				}
				under += cpu(unix.RUSAGE_CHILDREN) - at
				self += cpu(unix.RUSAGE_SELF) - own
				events += k.calls
			}
			n := float64(events)
			b.ReportMetric(float64(under)/float64(plain), "x-plain")
			b.ReportMetric(float64(under-plain)/n, "ns-in-program/call")
			b.ReportMetric(float64(self)/n, "ns-reader/call")
		})
	}
}

func cpu(who int) time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(who, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
