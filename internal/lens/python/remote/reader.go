package remote

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Reader reads the stacks of one process again and again, in a twentieth of the
// time: it remembers code objects, and looks only whether they still are what
// they were. It is for one goroutine.
type Reader struct {
	r      *reader
	run    Runtime
	states map[int32]uint64 // thread states by thread
	used   []*code          // of the stack being read
	local  []unix.Iovec
	remote []unix.RemoteIovec
	heads  []byte
}

// Reader returns a Reader of the process.
func (p Runtime) Reader() *Reader { return &Reader{r: p.reader(), run: p, states: map[int32]uint64{}} }

// In returns a Reader of a process that was forked from this one.
func (w *Reader) In(pid int) *Reader { return w.run.In(pid).Reader() }

const (
	stateSize = 184 // of a thread state, up to what is needed of it
	frameSize = 112 // of a frame, likewise
	headSize  = 104 // of a code object, from codeHead on
	codeHead  = 40
)

// Stack appends the frames of a thread to dst, innermost first; none when the
// thread is not one of Python's.
func (w *Reader) Stack(dst []Frame, tid int32) []Frame {
	for range 2 {
		state, ok := w.state(tid)
		if !ok {
			return dst
		}
		out := w.frames(dst, state)
		if w.same() {
			return out
		}
		clear(w.r.codes) // one was freed, and its memory is another's now
	}
	return dst
}

// state reads the thread state of a thread.
func (w *Reader) state(tid int32) (state [stateSize]byte, ok bool) {
	at := w.states[tid]
	if at != 0 && w.r.read(at, state[:]) && w.owns(at, tid, &state) {
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
			w.states[id] = ts
		}
		ts, ok = w.r.word(ts + w.r.o.next)
	}
	at, ok = w.states[tid]
	return state, ok && w.r.read(at, state[:])
}

// owns says whether a thread state is still the thread's.
func (w *Reader) owns(at uint64, tid int32, state *[stateSize]byte) bool {
	if n := w.r.o.native; n != 0 {
		return int32(binary.LittleEndian.Uint32(state[n:])) == tid
	}
	return w.r.tid(at) == tid
}

func (w *Reader) frames(dst []Frame, state [stateSize]byte) []Frame {
	o := w.r.o
	f, ok := binary.LittleEndian.Uint64(state[o.frame:]), true
	if o.cframe {
		f, ok = w.r.word(f + o.cframeCurrent)
	}
	w.used = w.used[:0]
	var b [frameSize]byte
	for n := 0; ok && f != 0 && n < maxFrames; n++ {
		if ok = w.r.read(f, b[:]); !ok {
			break
		}
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

// same says whether the code objects of the stack are what they were, in one
// call.
func (w *Reader) same() bool {
	if len(w.used) == 0 {
		return true
	}
	if need := len(w.used) * headSize; len(w.heads) < need {
		w.heads = make([]byte, need)
	}
	w.local = append(w.local[:0], unix.Iovec{Base: &w.heads[0], Len: uint64(len(w.used) * headSize)})
	w.remote = w.remote[:0]
	for _, c := range w.used {
		w.remote = append(w.remote, unix.RemoteIovec{Base: uintptr(c.addr + codeHead), Len: headSize})
	}
	n, err := unix.ProcessVMReadv(w.r.pid, w.local, w.remote, 0)
	if err != nil || n != len(w.used)*headSize {
		return false
	}
	o := w.r.o
	name := max(o.qualname, o.name)
	for i, c := range w.used {
		b := w.heads[i*headSize:]
		if binary.LittleEndian.Uint64(b[o.filename-codeHead:]) != c.filePtr || binary.LittleEndian.Uint64(b[name-codeHead:]) != c.namePtr ||
			int(int32(binary.LittleEndian.Uint32(b[o.first-codeHead:]))) != c.first {
			return false
		}
	}
	return true
}
