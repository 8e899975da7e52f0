package strace

import (
	"io"
	"sync"
	"time"
)

// output is one log, shared by tasks or of one. Text is gathered and written
// either at once or, where nobody looks on, a little later.
type output struct {
	w      io.Writer
	direct bool // written at once: a terminal or a pipe

	mu     sync.Mutex // guards what follows; tracing thread against flusher
	b      []byte
	start  int    // where in b the present line begins
	before int    // bytes of it that were written already
	cur    *state // whose line is or was last begun
	open   bool   // that line isn't finished
	err    error
}

const (
	flushAt    = 64 << 10
	flushEvery = 10 * time.Millisecond
)

// begin starts a line.
func (o *output) begin() { o.start, o.before = len(o.b), 0 }

// flush writes what there is.
func (o *output) flush() {
	if len(o.b) == 0 {
		return
	}
	o.before += len(o.b) - o.start
	if _, err := o.w.Write(o.b); err != nil && o.err == nil {
		o.err = err
	}
	o.b, o.start = o.b[:0], 0
}

// done is called when a piece of text is complete.
func (o *output) done() {
	if o.direct || len(o.b) >= flushAt {
		o.flush()
	}
}

// flusher writes the text of outputs that are not direct after a while. It ends
// when stop is closed.
func flusher(outputs func() []*output, stop <-chan struct{}) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for _, o := range outputs() {
			o.mu.Lock()
			o.flush()
			o.mu.Unlock()
		}
	}
}
