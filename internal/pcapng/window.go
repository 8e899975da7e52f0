package pcapng

import "io"

// A window begins small, for small files, and grows to windowSize while there
// is more: large enough that system calls don't count, small enough to stay in
// the processor's cache.
const (
	windowStart = 16 << 10
	windowSize  = 256 << 10
)

// window reads a file in large pieces and lends out slices of them, so that a
// block is not copied. What it lends is valid until the next call of peek.
type window struct {
	r        io.Reader
	buf      []byte
	from, to int
	err      error
}

func newWindow(r io.Reader) *window { return &window{r: r} }

// peek returns the next n bytes without consuming them; fewer only with an
// error, which is io.EOF at the end. The buffer grows with what is there to
// read, not with what a length promises.
func (w *window) peek(n int) ([]byte, error) {
	for w.to-w.from < n {
		if w.err != nil {
			return w.buf[w.from:w.to], w.err
		}
		w.more(n)
	}
	return w.buf[w.from : w.from+n], nil
}

// more reads once, after it made room.
func (w *window) more(n int) {
	if w.from > 0 {
		w.to = copy(w.buf, w.buf[w.from:w.to])
		w.from = 0
	}
	if len(w.buf) < windowSize || w.to == len(w.buf) {
		size := max(windowStart, 2*len(w.buf))
		if n > windowSize {
			size = min(size, max(n, len(w.buf)+windowSize))
		}
		buf := make([]byte, size)
		copy(buf, w.buf[:w.to])
		w.buf = buf
	}
	for range 100 {
		got, err := w.r.Read(w.buf[w.to:])
		w.to += got
		w.err = err
		if got > 0 || err != nil {
			return
		}
	}
	w.err = io.ErrNoProgress
}

// skip consumes n bytes that peek has shown.
func (w *window) skip(n int) { w.from += n }
