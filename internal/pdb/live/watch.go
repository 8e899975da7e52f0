package live

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens/python/inject"
	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// watcher traces the program while it has breakpoints that Python can't see. A
// call that one is for is left to the agent: its thread calls the agent's entry
// before it goes on, while it holds nothing that Python needs.
type watcher struct {
	pid  int
	keys string // file of TLS secrets

	mu      sync.Mutex
	points  []*breakpoint
	entry   uint64 // of the agent, a Python object
	inside  map[int32]bool
	reasons map[int32][]string // why a thread was made to call the agent
	status  *unix.WaitStatus   // of the program, when the tracer took it

	running int // threads in the agent by this; on the tracing thread only
	python  *inject.Interpreter
	talk    *talk
	tracer  *tracer.Tracer
	stop    context.CancelFunc
	ready   chan struct{}
	done    chan error
}

func newWatcher(pid int, keys string) *watcher {
	return &watcher{pid: pid, keys: keys, inside: map[int32]bool{}, reasons: map[int32][]string{}}
}

// watch says which breakpoints there are from now on. Without one the program is
// let alone as soon as no thread of it stands in the agent because of one.
func (w *watcher) watch(entry uint64, points []*breakpoint) error {
	w.mu.Lock()
	w.entry, w.points = entry, points
	w.mu.Unlock()
	if w.tracer != nil {
		select {
		case err := <-w.done:
			w.tracer = nil
			if err != nil {
				return err
			}
		default:
		}
	}
	if len(points) == 0 || w.tracer != nil {
		return nil
	}
	python, err := inject.Find(w.pid)
	if err != nil {
		return err
	}
	w.python, w.talk = python, newTalk(w.keys)
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	w.ready, w.done = make(chan struct{}), make(chan error, 1)
	h := &handler{watcher: w}
	w.tracer = tracer.New(tracer.Options{Attach: []int{w.pid}, Follow: true}, h)
	go func() {
		_, err := w.tracer.Run(ctx)
		if h.refused != nil {
			err = h.refused
		}
		w.done <- err
	}()
	select {
	case <-w.ready:
		return nil
	case err := <-w.done:
		w.tracer = nil
		return fmt.Errorf("watch the program's system calls: %w", err)
	}
}

// end lets the program alone.
func (w *watcher) end() {
	if w.tracer != nil {
		w.stop()
		<-w.done
		w.tracer = nil
	}
}

// enters and leaves tell of a thread that is at the prompt: what it does is the
// debugger's.
func (w *watcher) enters(tid int32, in bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if in {
		w.inside[tid] = true
	} else {
		clear(w.inside)
	}
}

// reason says why a thread called the agent.
func (w *watcher) reason(tid int32) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.reasons[tid]
	delete(w.reasons, tid)
	return r
}

// handler is what the tracer calls.
type handler struct {
	*watcher
	refused error
}

// task is what is kept of a thread.
type task struct{ other bool } // of another process: let go

func (h *handler) Attached(t *tracer.Task, by tracer.How) {
	st := &task{}
	if by == tracer.Forked {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", h.pid, t.TID)); err != nil {
			st.other = true
			t.Detach()
		}
	}
	t.State = st
}

// Ready: every thread was told to stop.
func (h *handler) Ready() { close(h.ready) }

// Refused: the process can't be attached to.
func (h *handler) Refused(err *tracer.AttachError) { h.refused = err }

var limits = sysabi.Limits{String: 4096, Data: 16 << 20, Failed: 256}

func (h *handler) Enter(t *tracer.Task) {
	h.mu.Lock()
	points, inside := h.points, h.inside[t.TID]
	h.mu.Unlock()
	if len(points) == 0 && h.running == 0 {
		h.tracer.Stop()
	}
	if inside || t.Call == nil || t.State.(*task).other || t.Sys.Arch != event.ArchX8664 || !interesting(points, t.Call) {
		t.Ignore()
		return
	}
	t.Sys.Flags |= event.Unfinished
	t.Capture(event.Enter, limits)
}

// interesting says that a call may be one to stop at, or carries something that
// a breakpoint listens to.
func interesting(points []*breakpoint, c *sysabi.Call) bool {
	for _, b := range points {
		if b.calls != nil && b.calls(c) || b.calls == nil && (c.Data() || talks[c.Name]) {
			return true
		}
	}
	return false
}

func (h *handler) Exit(t *tracer.Task) {
	h.mu.Lock()
	points := h.points
	h.mu.Unlock()
	t.Sys.Flags &^= event.Unfinished
	t.Capture(event.Leave, limits)
	d := sysabi.Decode(&t.Sys)
	m := moment{decoded: &d}
	if r := t.Sys.Ret; r <= -512 && r >= -516 { // it is made again: ERESTARTSYS and the like
		return
	}
	for _, b := range points {
		if b.matches(&m) {
			h.halt(t, b, "--Syscall-- "+d.String(), &m)
			return
		}
	}
	if !mayStop(t.Call) {
		return
	}
	for _, said := range h.talk.hear(&t.Sys, &d) {
		m := moment{decoded: &d, http: said.http, dns: said.dns}
		for _, b := range points {
			if b.hears(&m) {
				h.halt(t, b, said.text(), &m)
				return
			}
		}
	}
}

// halt has the thread call the agent.
func (h *handler) halt(t *tracer.Task, b *breakpoint, say string, m *moment) {
	script, err := h.python.Invoke(h.entry)
	if err != nil {
		return // Find has found it all before
	}
	h.mu.Lock()
	h.reasons[t.TID] = []string{b.number, say, m.decoded.String(), exchange(m.http)}
	h.mu.Unlock()
	h.running++
	t.Run(script, func(error) {
		h.running--
		h.reason(t.TID)
	})
}

func (h *handler) Exited(t *tracer.Task, st unix.WaitStatus) {
	if int(t.TID) == h.pid {
		h.mu.Lock()
		h.status = &st
		h.mu.Unlock()
	}
}

func (h *handler) Superseded(t, old *tracer.Task, former int32)                 {}
func (h *handler) After(*tracer.Task)                                           {}
func (h *handler) Stopped(*tracer.Task, unix.Signal)                            {}
func (h *handler) Exiting(*tracer.Task)                                         {}
func (h *handler) Detached(*tracer.Task)                                        {}
func (h *handler) Waited(int32, unix.WaitStatus)                                {}
func (h *handler) Unknown(int32, unix.WaitStatus)                               {}
func (h *handler) Signal(_ *tracer.Task, sig unix.Signal, _ []byte) unix.Signal { return sig }

// clean keeps a line to itself.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}
