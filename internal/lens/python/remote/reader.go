package remote

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// Reader reads the stacks of one process again and again, in a twentieth of the
// time: it remembers code objects, and looks only whether they still are what
// they were. It is for one goroutine.
type Reader struct {
	r      *reader
	run    Runtime
	states map[int32]thread
	seen   map[int32]*seen // what was read of a thread last
	spare  *seen           // to be used again
	used   []*code         // of the stack being read
	remote []unix.RemoteIovec
	buf    []byte
}

// thread is where a thread's state is, and its pthread_t.
type thread struct{ at, self uint64 }

// seen are the pieces of memory that a stack was read from. They are read anew
// in one call, and those that the stack still leads to are used.
type seen struct {
	state, cframe uint64
	frames        []uint64
	codes         []*code
	heads         int // where the codes begin in the buffer
	read          int // bytes of the buffer that are good
}

// Reader returns a Reader of the process.
func (p Runtime) Reader() *Reader {
	return &Reader{r: p.reader(), run: p, states: map[int32]thread{}, seen: map[int32]*seen{}}
}

// In returns a Reader of a process that was forked from this one.
func (w *Reader) In(pid int) *Reader { return w.run.In(pid).Reader() }

const (
	stateSize = 184 // of a thread state, up to what is needed of it
	frameSize = 112 // of a frame, likewise
	headSize  = 104 // of a code object, from codeHead on
	codeHead  = 40
	cframeEnd = 16 // of a _PyCFrame, likewise
	maxSeen   = 1024
)

// Stack appends the frames of a thread to dst, innermost first; none when the
// thread is not one of Python's.
func (w *Reader) Stack(dst []Frame, tid int32) []Frame {
	for range 2 {
		last := w.again(tid)
		state, ok := w.state(tid, last)
		if !ok {
			delete(w.seen, tid)
			return dst
		}
		now := w.spare
		if w.spare = nil; now == nil {
			now = &seen{}
		}
		*now = seen{frames: now.frames[:0], codes: now.codes[:0]}
		out := w.frames(dst, state, last, now)
		if w.same(last) {
			now.state, now.codes = w.states[tid].at, append(now.codes, w.used...)
			if len(w.seen) > maxSeen {
				clear(w.seen)
			}
			w.seen[tid], w.spare = now, last
			return out
		}
		clear(w.r.codes) // one was freed, and its memory is another's now
		clear(w.seen)
	}
	return dst
}

// again reads once more what a thread's stack was read from last, nil when there
// is nothing.
func (w *Reader) again(tid int32) *seen {
	s := w.seen[tid]
	if s == nil {
		return nil
	}
	w.remote = append(w.remote[:0], unix.RemoteIovec{Base: uintptr(s.state), Len: stateSize})
	if s.cframe != 0 {
		w.remote = append(w.remote, unix.RemoteIovec{Base: uintptr(s.cframe), Len: cframeEnd})
	}
	for _, f := range s.frames {
		w.remote = append(w.remote, unix.RemoteIovec{Base: uintptr(f), Len: frameSize})
	}
	for _, c := range s.codes {
		w.remote = append(w.remote, unix.RemoteIovec{Base: uintptr(c.addr + codeHead), Len: headSize})
	}
	s.heads = s.first() + len(s.frames)*frameSize
	s.read = w.readAll(s.heads + len(s.codes)*headSize)
	return s
}

// first is where the frames begin in the buffer.
func (s *seen) first() int {
	if s.cframe != 0 {
		return stateSize + cframeEnd
	}
	return stateSize
}

// readAll reads the pieces of w.remote, size bytes together, into the buffer. It
// returns how much of it could be read.
func (w *Reader) readAll(size int) int {
	if len(w.remote) > maxPieces || size == 0 {
		return 0
	}
	if len(w.buf) < size {
		w.buf = make([]byte, size)
	}
	n, err := unix.ProcessVMReadv(w.r.pid, []unix.Iovec{{Base: &w.buf[0], Len: uint64(size)}}, w.remote, 0)
	if err != nil {
		return 0
	}
	return n
}

const maxPieces = 1024 // IOV_MAX

// part is a piece of the buffer, nil when it could not be read.
func (w *Reader) part(s *seen, from, size int) []byte {
	if s == nil || from+size > s.read {
		return nil
	}
	return w.buf[from : from+size]
}

// state reads the thread state of a thread.
func (w *Reader) state(tid int32, last *seen) (state [stateSize]byte, ok bool) {
	at := w.states[tid]
	if b := w.part(last, 0, stateSize); b != nil && last.state == at.at {
		copy(state[:], b)
		ok = true
	} else if at.at != 0 {
		ok = w.r.read(at.at, state[:])
	}
	if ok && w.owns(at, tid, &state) {
		return state, true
	}
	clear(w.states)
	interp, ok := w.r.word(w.run.at + w.r.o.interp)
	if !ok || interp == 0 {
		return state, false
	}
	ts, ok := w.r.word(interp + w.r.o.threads)
	for n := 0; ok && ts != 0 && n < maxThreads; n++ {
		if id := w.r.tid(ts); id > 0 {
			self, _ := w.r.word(ts + w.r.o.threadID)
			w.states[id] = thread{ts, self}
		}
		ts, ok = w.r.word(ts + w.r.o.next)
	}
	at, ok = w.states[tid]
	return state, ok && w.r.read(at.at, state[:])
}

// owns says whether a thread state is still the thread's.
func (w *Reader) owns(at thread, tid int32, state *[stateSize]byte) bool {
	if n := w.r.o.native; n != 0 {
		return int32(binary.LittleEndian.Uint32(state[n:])) == tid
	}
	return binary.LittleEndian.Uint64(state[w.r.o.threadID:]) == at.self
}

func (w *Reader) frames(dst []Frame, state [stateSize]byte, last, now *seen) []Frame {
	o := w.r.o
	f, ok := binary.LittleEndian.Uint64(state[o.frame:]), true
	if o.cframe {
		now.cframe = f
		if b := w.part(last, stateSize, cframeEnd); b != nil && last.cframe == f {
			f = binary.LittleEndian.Uint64(b[o.cframeCurrent:])
		} else {
			f, ok = w.r.word(f + o.cframeCurrent)
		}
	}
	w.used = w.used[:0]
	var one [frameSize]byte
	for n := 0; ok && f != 0 && n < maxFrames; n++ {
		b := one[:]
		if i := last.frame(f, n); i >= 0 && w.part(last, last.first()+i*frameSize, frameSize) != nil {
			b = w.part(last, last.first()+i*frameSize, frameSize)
		} else if ok = w.r.read(f, b); !ok {
			break
		}
		now.frames = append(now.frames, f)
		f = binary.LittleEndian.Uint64(b[o.back:])
		if o.owner != 0 && b[o.owner] >= ownedByCStack {
			continue
		}
		if c := w.r.code(binary.LittleEndian.Uint64(b[o.code:])); c != nil {
			dst = append(dst, Frame{c.file, c.name, w.r.at(c, binary.LittleEndian.Uint64(b[o.instr:]))})
			w.used = append(w.used, c)
		}
	}
	return dst
}

// frame says which of the frames f is, -1 when it is none of them. It is often
// the one at place n.
func (s *seen) frame(f uint64, n int) int {
	switch {
	case s == nil:
		return -1
	case n < len(s.frames) && s.frames[n] == f:
		return n
	}
	return slices.Index(s.frames, f)
}

// same says whether the code objects of the stack are what they were. Those that
// were not read already are read in one call.
func (w *Reader) same(last *seen) bool {
	w.remote = w.remote[:0]
	rest := w.used[:0:0]
	for n, c := range w.used {
		i := -1
		if last != nil {
			if i = n; i >= len(last.codes) || last.codes[i] != c {
				i = slices.Index(last.codes, c)
			}
		}
		if i >= 0 {
			if b := w.part(last, last.heads+i*headSize, headSize); b != nil {
				if !w.is(c, b) {
					return false
				}
				continue
			}
		}
		rest = append(rest, c)
		w.remote = append(w.remote, unix.RemoteIovec{Base: uintptr(c.addr + codeHead), Len: headSize})
	}
	size := len(rest) * headSize
	if size > 0 && w.readAll(size) != size {
		return false
	}
	for i, c := range rest {
		if !w.is(c, w.buf[i*headSize:]) {
			return false
		}
	}
	return true
}

// is says whether the head of a code object is that of c.
func (w *Reader) is(c *code, b []byte) bool {
	o := w.r.o
	return binary.LittleEndian.Uint64(b[o.filename-codeHead:]) == c.filePtr &&
		binary.LittleEndian.Uint64(b[max(o.qualname, o.name)-codeHead:]) == c.namePtr &&
		int(int32(binary.LittleEndian.Uint32(b[o.first-codeHead:]))) == c.first
}
