package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/launch"
	"culprit/internal/lens"
	"culprit/internal/lens/ptrace"
	"culprit/internal/lens/python/inject"
	"culprit/internal/lens/python/stream"
	"culprit/internal/testkit/pythons"
)

// old says whether the interpreter has no sys.monitoring.
func old(t testing.TB, py string) bool {
	return exec.Command(py, "-c", "import sys; sys.exit(sys.version_info < (3, 12))").Run() != nil
}

// memory is a sink.
type memory struct {
	mu     sync.Mutex
	events []event.Event
}

func (m *memory) Put(e event.Event) {
	raw := event.Append(nil, e)
	e, _, err := event.Decode(raw)
	if err != nil {
		panic(err)
	}
	m.mu.Lock()
	m.events = append(m.events, e)
	m.mu.Unlock()
}

func (m *memory) notes() (out []string) {
	for _, e := range m.events {
		if n, ok := e.Body.(*event.Note); ok {
			out = append(out, n.Code)
		}
	}
	return out
}

var address = regexp.MustCompile("0x[0-9a-f]+")

// outcome is what a user sees of a run.
type outcome struct {
	Stdout, Stderr string
	Status         string
}

// plain runs a command and returns its outcome.
func plain(t testing.TB, dir string, env []string, argv ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = &stdout, &stderr, env, dir
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{address.ReplaceAllString(stdout.String(), "0x"), address.ReplaceAllString(stderr.String(), "0x"), status(unix.WaitStatus(cmd.ProcessState.Sys().(syscall.WaitStatus)))}
}

func status(st unix.WaitStatus) string {
	if st.Signaled() {
		return "signal: " + st.Signal().String()
	}
	return "exit status " + strconv.Itoa(st.ExitStatus())
}

// compiled is where the tests keep the compiled agent.
var compiled = filepath.Join(os.TempDir(), fmt.Sprintf("culprit-agent-%d", os.Getpid()))

func TestMain(m *testing.M) {
	_ = os.Mkdir(compiled, 0o700)
	code := m.Run()
	os.RemoveAll(compiled)
	os.Exit(code)
}

// injected runs a command with the agent brought in by a tracer.
func injected(t testing.TB, sink lens.Sink, run, dir string, env []string, argv ...string) outcome {
	t.Helper()
	path, err := exec.LookPath(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fds := []uintptr{null.Fd()}
	var texts [2]bytes.Buffer
	var copies sync.WaitGroup
	var theirs []*os.File
	for i := range texts {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fds, theirs = append(fds, w.Fd()), append(theirs, w)
		copies.Go(func() { _, _ = io.Copy(&texts[i], r); r.Close() })
	}
	pid, err := launch.Config{Path: path, Argv: argv, Env: env, Dir: dir, FDs: fds}.Start()
	for _, w := range theirs {
		w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	a, err := Agent(run, setting(env, keysVar), func(a inject.Arrival) {
		if n := Refusal(a); n != nil {
			sink.Put(event.Event{PID: a.PID, Body: n})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Cache = compiled
	c, err := ptrace.Accompany(pid, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	copies.Wait()
	for range 30000 {
		if st, done := c.Status(); done {
			return outcome{address.ReplaceAllString(texts[0].String(), "0x"), address.ReplaceAllString(texts[1].String(), "0x"), status(st)}
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the program does not end")
	return outcome{}
}

// run is a recorded run.
type run struct {
	outcome
	sink *memory
	recs map[int32][]stream.Record // by process
	pid  int32                     // the first process
	errs []string
}

// record runs a command under the lens.
func record(t testing.TB, cwd string, env []string, argv ...string) *run {
	t.Helper()
	dir := t.TempDir()
	r := &run{sink: &memory{}, recs: make(map[int32][]stream.Record)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- (&Lens{Poll: 5 * time.Millisecond}).Record(ctx, lens.Target{Dir: dir}, r.sink) }()
	if setting(env, wayVar) == "environment" {
		added, err := Prepare(dir, env)
		if err != nil {
			t.Fatal(err)
		}
		r.outcome = plain(t, cwd, append(env[:len(env):len(env)], added...), argv...)
	} else {
		r.outcome = injected(t, r.sink, dir, cwd, env, argv...)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	states := make(map[int32]*stream.State)
	for _, e := range r.sink.events {
		switch b := e.Body.(type) {
		case *event.Agent:
			if r.pid == 0 {
				r.pid = e.PID
			}
			s := states[e.PID]
			if s == nil {
				s = &stream.State{}
				states[e.PID] = s
			}
			for rec := range s.Records(b.Data) {
				r.recs[e.PID] = append(r.recs[e.PID], rec)
				if x, ok := rec.Body.(*stream.AgentError); ok {
					t.Errorf("agent error: %+v", x)
				}
			}
		case *event.Loss:
			r.errs = append(r.errs, b.What)
		}
	}
	for pid, s := range states {
		if s.Damaged+s.Unknown+s.Unresolved > 0 {
			t.Errorf("process %d: %d damaged, %d unknown, %d unresolved", pid, s.Damaged, s.Unknown, s.Unresolved)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "python-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return r
}

// all returns the bodies of one type, of every process.
func all[T stream.Body](r *run) (out []T) {
	for _, recs := range r.recs {
		for _, rec := range recs {
			if b, ok := rec.Body.(T); ok {
				out = append(out, b)
			}
		}
	}
	return out
}

// raised returns the first exception of a type, nil when there is none.
func (r *run) raised(typ string) *stream.Raised {
	for _, x := range all[*stream.Raised](r) {
		if x.Type == typ {
			return x
		}
	}
	return nil
}

func (r *run) types() (out []string) {
	for _, x := range all[*stream.Raised](r) {
		out = append(out, x.Type)
	}
	return out
}

func script(name string) string {
	p, err := filepath.Abs(filepath.Join("agent_tests", name))
	if err != nil {
		panic(err)
	}
	return p
}

// wayVar in the environment of a program says how the tests bring the agent in.
const wayVar = "AGENT_TEST_WAY"

// keysVar is the TLS key log that the tests give the agent.
const keysVar = "AGENT_TEST_KEYS"

func setting(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// each runs f for every interpreter, and once with the fallback of old ones.
func each(t *testing.T, f func(t *testing.T, py string, env []string)) {
	for name, py := range pythons.All(t) {
		t.Run(name, func(t *testing.T) { f(t, py, pythons.Clean()) })
		if name == "3.9" {
			t.Run(name+"-environment", func(t *testing.T) { f(t, py, append(pythons.Clean(), wayVar+"=environment")) })
		}
		if old(t, py) && (name == "3.8" || name == "3.11") {
			t.Run(name+"-trace", func(t *testing.T) { f(t, py, append(pythons.Clean(), "CULPRIT_CODE=trace")) })
		}
	}
}
