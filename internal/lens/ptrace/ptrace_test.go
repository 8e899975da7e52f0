package ptrace

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/launch"
	"culprit/internal/lens"
	"culprit/internal/sysabi"
	"culprit/internal/testkit"
)

//go:embed testdata/*.c testdata/*.s
var sources embed.FS

// need skips, or fails where CI says that the machine has everything.
func need(t testing.TB, ok bool, what string) {
	t.Helper()
	if ok {
		return
	}
	testkit.Lack(t, what)
}

var compiled = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ptrace-test-")
	if err != nil {
		return "", err
	}
	built = dir
	src, err := sources.ReadFile("testdata/prog.c")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "prog")
	cmd := exec.Command("gcc", "-O1", "-pthread", "-w", "-x", "c", "-o", bin, "-")
	cmd.Stdin = bytes.NewReader(src)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile prog.c: %w: %s", err, out)
	}
	return bin, nil
})

var built string // directory of the compiled program

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// prog returns the compiled program of testdata/prog.c.
func prog(t testing.TB) string {
	t.Helper()
	testkit.Program(t, "gcc")
	bin, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// memory sink: keeps the encoded form, as the bodies are used again.
type sink struct {
	mu  sync.Mutex
	buf []byte
}

func (s *sink) Put(e event.Event) {
	s.mu.Lock()
	s.buf = event.Append(s.buf, e)
	s.mu.Unlock()
}

func (s *sink) events(t testing.TB) []event.Event {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []event.Event
	for b := s.buf; len(b) > 0; {
		e, rest, err := event.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		all, b = append(all, e), rest
	}
	return all
}

// run is one recorded run.
type run struct {
	rec    *Recorder
	pid    int
	status unix.WaitStatus
	out    string
	events []event.Event
}

// start starts a program stopped, its output going to the returned file.
func start(t testing.TB, env []string, argv ...string) (pid int, out *os.File) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	pid, err = launch.Config{
		Path: argv[0], Argv: argv, Env: append(os.Environ(), env...), FDs: []uintptr{null.Fd(), out.Fd(), out.Fd()},
	}.Start()
	if err != nil {
		t.Fatal(err)
	}
	return pid, out
}

func text(t testing.TB, f *os.File) string {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func record(t testing.TB, o Options, argv ...string) run {
	t.Helper()
	return recordEnv(t, o, nil, argv...)
}

func recordEnv(t testing.TB, o Options, env []string, argv ...string) run {
	t.Helper()
	pid, out := start(t, env, argv...)
	defer out.Close()
	s := &sink{}
	rec := New(o)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := rec.Record(ctx, lens.Target{PID: pid}, s); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Errorf("%v did not end", argv)
		for _, pid := range rec.Remaining() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		rec.Tail(context.Background())
	}
	st, ok := rec.Status()
	if !ok {
		t.Error("no wait status")
	}
	return run{rec, pid, st, text(t, out), s.events(t)}
}

// call is a recorded call with its name.
type call struct {
	event.Event
	*event.Syscall
	name string
}

func (c call) text(addr uint64) string {
	for _, m := range c.Mem {
		if m.Addr == addr {
			return strings.TrimSuffix(string(m.Data), "\x00")
		}
	}
	return ""
}

// calls returns the recorded calls with one of the names, or all.
func (r run) calls(names ...string) []call {
	var out []call
	for _, e := range r.events {
		s, ok := e.Body.(*event.Syscall)
		if !ok {
			continue
		}
		c := call{Event: e, Syscall: s}
		if d := sysabi.Lookup(s.Arch, s.NR); d != nil {
			c.name = d.Name
		}
		if len(names) == 0 {
			out = append(out, c)
		}
		for _, n := range names {
			if c.name == n {
				out = append(out, c)
			}
		}
	}
	return out
}

// of returns the bodies of one type with their envelopes.
func of[B event.Body](r run) (out []B, at []event.Event) {
	for _, e := range r.events {
		if b, ok := e.Body.(B); ok {
			out, at = append(out, b), append(at, e)
		}
	}
	return out, at
}

func (r run) note(code string) bool {
	notes, _ := of[*event.Note](r)
	for _, n := range notes {
		if n.Code == code {
			return true
		}
	}
	return false
}

// touched returns the thread that called access(path), 0 when none did.
func (r run) touched(path string) int32 {
	for _, c := range r.calls("access") {
		if c.text(c.Args[0]) == path {
			return c.TID
		}
	}
	return 0
}

// plain runs the program without a recorder.
func plain(t testing.TB, argv ...string) (syscall.WaitStatus, string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.Sys().(syscall.WaitStatus), string(out)
}
