package strace

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

var update = flag.Bool("update", false, "write the golden files anew")

// scene drives a printer with made-up events.
type scene struct {
	p   *printer
	log *bytes.Buffer
	now event.Time
}

func newScene(t *testing.T, args ...string) *scene {
	t.Helper()
	time.Local = time.UTC
	c, err := Parse(append(args, "prog"), 1)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{log: &bytes.Buffer{}, now: 1_000_000_000}
	s.p = newPrinter(c, Process{Name: "strace", Stderr: s.log, Log: s.log, Direct: true, Wall: 1_650_000_000 * time.Second})
	s.p.clock = func() event.Time { s.now += 1000; return s.now }
	return s
}

func (s *scene) task(tid int32, by tracer.How) *tracer.Task {
	t := &tracer.Task{TID: tid, How: by}
	s.p.Attached(t, by)
	return t
}

func (s *scene) enter(t *testing.T, k *tracer.Task, name string, args [6]uint64, mem ...event.Mem) {
	t.Helper()
	nr, ok := sysabi.Number(event.ArchX8664, name)
	if !ok {
		t.Fatalf("no call %s", name)
	}
	s.now += 1_500_000
	k.Start, k.InCall = s.now, true
	k.Sys = event.Syscall{Arch: event.ArchX8664, NR: nr, Args: args, Mem: mem}
	k.Call = sysabi.Lookup(event.ArchX8664, nr)
	s.p.Enter(k)
	s.p.After(k)
}

func (s *scene) exit(k *tracer.Task, ret int64, mem ...event.Mem) {
	s.now += 250_000
	k.End, k.Sys.Ret, k.Sys.Dur = s.now, ret, int64(s.now-k.Start)
	k.Sys.Mem = append(k.Sys.Mem, mem...)
	s.p.Exit(k)
	k.InCall = false
	s.p.After(k)
}

func in(addr uint64, text string) event.Mem { return event.Mem{Addr: addr, Data: []byte(text)} }
func out(addr uint64, text string) event.Mem {
	return event.Mem{At: event.Leave, Addr: addr, Data: []byte(text)}
}

const cwd = 1<<64 - 100 // AT_FDCWD

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

// One task: calls, a failure, a signal, a call that does not return.
func one(t *testing.T, s *scene) {
	k := s.task(100, tracer.Started)
	s.enter(t, k, "openat", [6]uint64{cwd, 0x1000, 0x80000}, in(0x1000, "/etc/passwd\x00"))
	s.exit(k, 3)
	s.enter(t, k, "read", [6]uint64{3, 0x2000, 4096})
	s.exit(k, 6, out(0x2000, "root:\n"))
	s.enter(t, k, "openat", [6]uint64{cwd, 0x1000, 0}, in(0x1000, "/nothing/here/that/is/longer/than/a/column\x00"))
	s.exit(k, -2)
	s.enter(t, k, "write", [6]uint64{1, 0x3000, 3}, out(0x3000, "abc"))
	s.exit(k, -512)
	info := make([]byte, 128)
	info[0], info[16] = byte(unix.SIGTERM), 7
	s.p.Signal(k, unix.SIGTERM, info)
	s.p.Stopped(k, unix.SIGSTOP)
	s.enter(t, k, "read", [6]uint64{0, 0x2000, 10})
	s.p.Exiting(k)
	k.InCall = false
	s.p.Exited(k, unix.WaitStatus(15))
}

// Two threads: lines that are cut and taken up again, an execve of the second.
func two(t *testing.T, s *scene) {
	a := s.task(100, tracer.Started)
	s.enter(t, a, "futex", [6]uint64{0x5000, 128, 7})
	b := s.task(101, tracer.Forked)
	s.enter(t, b, "read", [6]uint64{3, 0x2000, 4096})
	s.exit(a, 0)
	s.exit(b, 1, out(0x2000, "x"))
	s.enter(t, a, "getpid", [6]uint64{})
	s.enter(t, b, "execve", [6]uint64{0x1000, 0x1100, 0x1200}, in(0x1000, "/bin/true\x00"), in(0x1100, "\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		in(0x1200, "\x00\x00\x00\x00\x00\x00\x00\x00"))
	s.p.Superseded(b, a, 101)
	b.TID = 100
	s.exit(b, 0)
	s.p.Exited(b, 0)
}

func TestFormat(t *testing.T) {
	for _, x := range []struct {
		name string
		args []string
		play func(*testing.T, *scene)
	}{
		{"plain", nil, one},
		{"column", []string{"-a", "10", "-s", "3", "-qq"}, one},
		{"times", []string{"-tt", "-T", "-r", "-n", "-i"}, one},
		{"unix-time", []string{"--absolute-timestamps=unix,ms", "--syscall-times=ns"}, one},
		{"raw", []string{"-e", "raw=all", "-e", "signal=none"}, one},
		{"failed", []string{"-Z"}, one},
		{"unfinished", []string{"-e", "status=unfinished"}, one},
		{"hex", []string{"-xx", "-e", "trace=read,write"}, one},
		{"numbers", []string{"-X", "raw"}, one},
		{"both", []string{"-X", "verbose"}, one},
		{"class", []string{"-e", "%file"}, one},
		{"dump", []string{"-e", "read=3", "-e", "write=1", "-e", "trace=%desc"}, one},
		{"threads", []string{"-f"}, two},
		{"threads-file", []string{"-f", "-o", "log"}, two},
		{"threads-quiet", []string{"-f", "-e", "quiet=thread-execve,attach,exit"}, two},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := newScene(t, x.args...)
			x.play(t, s)
			s.p.shared.flush()
			golden(t, x.name, s.log.Bytes())
		})
	}
}

// The order and the columns of the table; the times are given.
func TestSummary(t *testing.T) {
	var all []byte
	for _, args := range [][]string{{"-c"}, {"-c", "-S", "calls"}, {"-c", "-S", "name", "-U", "name,max-time,min_time,errors"}, {"-c", "-w", "-O", "1us"}} {
		c, err := Parse(append(args, "prog"), 1)
		if err != nil {
			t.Fatal(err)
		}
		s := newSummary(c.Summary)
		for i := range 100 {
			s.add("read", i%10 == 0, 2_000, 5_000)
		}
		s.add("a_call_with_a_rather_long_name", false, 1_000_000, 9_000_000)
		s.add("close", true, 0, 3_000)
		all = append(s.append(all), '\n')
	}
	golden(t, "summary", all)
}

func BenchmarkLine(b *testing.B) {
	c, err := Parse([]string{"prog"}, 1)
	if err != nil {
		b.Fatal(err)
	}
	p := newPrinter(c, Process{Name: "strace", Stderr: discard{}, Log: discard{}})
	s := &scene{p: p}
	k := s.task(100, tracer.Started)
	nr, _ := sysabi.Number(event.ArchX8664, "read")
	call := sysabi.Lookup(event.ArchX8664, nr)
	data := []byte("some data that was read from a file, more than is shown")
	mem := make([]event.Mem, 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		k.Call, k.InCall = call, true
		k.Sys = event.Syscall{Arch: event.ArchX8664, NR: nr, Args: [6]uint64{3, 0x2000, 4096}, Mem: mem}
		p.Enter(k)
		p.After(k)
		k.Sys.Mem = append(k.Sys.Mem, event.Mem{At: event.Leave, Addr: 0x2000, Data: data})
		s.exit(k, int64(len(data)))
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
