package record

import (
	"path/filepath"
	"strings"
	"sync"
	"time"

	"culprit/internal/event"
	"culprit/internal/lens"
)

// ownerBudget is how long the packages of a failed run's programs are looked up
// at its end. A look-up takes 5 to 30 ms.
const ownerBudget = 250 * time.Millisecond

// programs passes events on and remembers which programs were run, and in which
// files they crashed, newest last.
type programs struct {
	sink   lens.Sink
	forked func(parent, child int32) // told of processes; nil for nobody
	mu     sync.Mutex
	seen   []string
}

// Put passes an event on.
func (p *programs) Put(e event.Event) {
	if x, ok := e.Body.(*event.Exec); ok {
		p.mu.Lock()
		p.add(x.Exe)
		if script := script(x); script != "" {
			p.add(script)
		}
		p.mu.Unlock()
	}
	if n, ok := e.Body.(*event.Native); ok {
		p.mu.Lock()
		for i := len(n.Frames) - 1; i >= 0; i-- { // the innermost is looked up first
			p.add(n.Frames[i].Object)
		}
		p.mu.Unlock()
	}
	if f, ok := e.Body.(*event.Fork); ok && !f.Thread && p.forked != nil {
		p.forked(e.PID, f.Child)
	}
	p.sink.Put(e)
}

func (p *programs) add(path string) {
	const most = 256
	if !filepath.IsAbs(path) {
		return
	}
	for i, s := range p.seen {
		if s == path {
			p.seen = append(append(p.seen[:i:i], p.seen[i+1:]...), path)
			return
		}
	}
	if len(p.seen) < most {
		p.seen = append(p.seen, path)
	}
}

// script is the file that an interpreter was started for, by the first argument
// that is a path.
func script(x *event.Exec) string {
	for _, a := range x.Argv[min(1, len(x.Argv)):] {
		if strings.HasPrefix(a, "-") {
			continue
		}
		if !strings.Contains(a, "/") {
			return ""
		}
		if !filepath.IsAbs(a) {
			a = filepath.Join(x.Cwd, a)
		}
		return filepath.Clean(a)
	}
	return ""
}

// owners records which packages the programs came from, the newest programs
// first: those were nearest to the failure.
func (p *programs) owners(of func(path string) (event.Owner, bool)) {
	if of == nil {
		return
	}
	until := time.Now().Add(ownerBudget)
	for i := len(p.seen) - 1; i >= 0 && time.Now().Before(until); i-- {
		if o, ok := of(p.seen[i]); ok {
			o.Path = p.seen[i]
			put(p.sink, &o)
		}
	}
}
