package python

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/python/stream"
)

// interpreters are the Pythons of this machine that the agent supports, by a
// short name.
func interpreters(t testing.TB) map[string]string {
	t.Helper()
	out := make(map[string]string)
	home, _ := os.UserHomeDir()
	for _, minor := range []string{"8", "9", "10", "11", "12", "13", "14"} {
		found, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/3."+minor+".*/bin/python3"))
		for _, p := range found {
			out["3."+minor] = p
		}
	}
	if p := "/usr/bin/python3"; exec.Command(p, "-c", "import sys; sys.exit(sys.version_info < (3, 8))").Run() == nil {
		out["system"] = p
	}
	if len(out) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no Python from 3.8 on in ~/.pyenv or /usr/bin")
		}
		t.Skip("no Python from 3.8 on in ~/.pyenv or /usr/bin")
	}
	return out
}

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

// launch runs a command and returns its outcome.
func launch(t testing.TB, dir string, env []string, argv ...string) outcome {
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
	return outcome{address.ReplaceAllString(stdout.String(), "0x"), address.ReplaceAllString(stderr.String(), "0x"), cmd.ProcessState.String()}
}

// run is a recorded run.
type run struct {
	outcome
	sink *memory
	recs map[int32][]stream.Record // by process
	pid  int32                     // the first process
	errs []string
}

func baseEnv() []string {
	env := []string{"PYTHONDONTWRITEBYTECODE=1"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PYTHON") && !strings.HasPrefix(e, "CULPRIT") && !strings.HasPrefix(e, "SSLKEYLOG") {
			env = append(env, e)
		}
	}
	return env
}

// record runs a command under the lens.
func record(t testing.TB, cwd string, env []string, argv ...string) *run {
	t.Helper()
	dir := t.TempDir()
	added, err := Prepare(dir, env)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{sink: &memory{}, recs: make(map[int32][]stream.Record)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- (&Lens{Poll: 5 * time.Millisecond}).Record(ctx, lens.Target{Dir: dir}, r.sink) }()
	r.outcome = launch(t, cwd, append(env[:len(env):len(env)], added...), argv...)
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

// each runs f for every interpreter, and once with the fallback of old ones.
func each(t *testing.T, f func(t *testing.T, py string, env []string)) {
	for name, py := range interpreters(t) {
		t.Run(name, func(t *testing.T) { f(t, py, baseEnv()) })
		if old(t, py) && (name == "3.8" || name == "3.11") {
			t.Run(name+"-trace", func(t *testing.T) { f(t, py, append(baseEnv(), "CULPRIT_CODE=trace")) })
		}
	}
}
