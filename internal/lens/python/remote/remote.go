// Package remote reads the Python stacks of a running process from outside:
// file, function and line of every frame of every thread, and who has the GIL.
//
// It needs no agent in the process and works while all its threads hang. It
// reads memory only (process_vm_readv(2)) and stops nothing, so a stack that
// changes meanwhile may come out short or not at all; what does not look like a
// code object is never shown. It reads no locals, and it knows CPython 3.8 to
// 3.13 with the GIL; of others it says that it can't.
package remote

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Frame is one Python frame.
type Frame struct {
	File string
	Func string // qualified from 3.11 on
	Line int
}

// Thread is one thread that Python knows, innermost frame first.
type Thread struct {
	TID    int32
	Ident  uint64 // threading.get_ident()
	Frames []Frame
}

// ErrNotPython is returned for a process that has no CPython of a known version
// in it.
var ErrNotPython = errors.New("not a CPython process of a known version")

// Bounds on what hostile or damaged memory can make the reader do.
const (
	maxThreads = 256
	maxFrames  = 200
	maxString  = 4096
	maxTable   = 1 << 18
)

// Runtime is the interpreter of one process, as long as that runs the program
// that it ran when it was found.
type Runtime struct {
	pid, minor int
	at         uint64 // address of _PyRuntime
}

// Find looks for the interpreter of process pid. It reads files and may take
// some 10 ms, which Stacks then doesn't.
func Find(pid int) (Runtime, error) {
	at, minor, err := locate(pid)
	return Runtime{pid, minor, at}, err
}

// At is the interpreter of process pid whose version is 3.minor and whose
// _PyRuntime is at addr.
func At(pid, minor int, addr uint64) (Runtime, error) {
	if minor < firstMinor || minor > lastMinor {
		return Runtime{}, fmt.Errorf("process %d has Python 3.%d: %w", pid, minor, ErrNotPython)
	}
	return Runtime{pid, minor, addr}, nil
}

// In is the same interpreter in a process that was forked from this one.
func (p Runtime) In(pid int) Runtime { return Runtime{pid, p.minor, p.at} }

// Stacks reads the stacks of all threads of process pid.
func Stacks(pid int) ([]Thread, error) {
	r, err := Find(pid)
	if err != nil {
		return nil, err
	}
	return r.Stacks()
}

// Stacks reads the stacks of all threads.
func (p Runtime) Stacks() ([]Thread, error) {
	r := p.reader()
	interp, ok := r.word(p.at + r.o.interp)
	if !ok || interp == 0 {
		return nil, fmt.Errorf("read the interpreter of process %d: %w", p.pid, ErrNotPython)
	}
	return r.threads(interp), nil
}

// GIL is the main interpreter's lock: who waits for it waits for a futex
// between From and To.
type GIL struct {
	From, To uint64
	Locked   bool
	Holder   int32 // thread that has it, 0: none, or not known
}

// GIL reads who has the lock; the zero value when that can't be read.
func (p Runtime) GIL() GIL {
	const lastHolder, locked, size = 8, 16, 208 // of struct _gil_runtime_state (pycore_gil.h), 3.8 to 3.13
	r := p.reader()
	at, ok := p.at+r.o.gil, true
	if r.o.gilOwn {
		var interp uint64
		if interp, ok = r.word(p.at + r.o.interp); ok {
			at, ok = r.word(interp + r.o.gil)
		}
	}
	state, ok2 := r.word(at + locked)
	if !ok || !ok2 || at == 0 {
		return GIL{}
	}
	g := GIL{From: at, To: at + size, Locked: int32(uint32(state)) != 0}
	if ts, ok := r.word(at + lastHolder); ok && g.Locked && ts != 0 {
		g.Holder = r.tid(ts)
	}
	return g
}

// Position is where the thread stands, to be compared only: it changes with every
// few instructions of Python code that are run.
func (p Runtime) Position(tid int32) (at [2]uint64) {
	r := p.reader()
	interp, ok := r.word(p.at + r.o.interp)
	if !ok {
		return at
	}
	ts, ok := r.word(interp + r.o.threads)
	for n := 0; ok && ts != 0 && n < maxThreads; n++ {
		if r.tid(ts) == tid {
			at[0], _ = r.current(ts)
			at[1], _ = r.word(at[0] + r.o.instr)
			break
		}
		ts, ok = r.word(ts + r.o.next)
	}
	return at
}

func (p Runtime) reader() *reader {
	return &reader{pid: p.pid, o: &layouts[p.minor-firstMinor], codes: map[uint64]*code{},
		read: func(addr uint64, b []byte) bool { return copyFrom(p.pid, addr, b) }}
}

func copyFrom(pid int, addr uint64, b []byte) bool {
	if addr < 4096 || len(b) == 0 {
		return false
	}
	n, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}},
		[]unix.RemoteIovec{{Base: uintptr(addr), Len: len(b)}}, 0)
	return err == nil && n == len(b)
}

// reader walks over the interpreter's structures.
type reader struct {
	pid      int
	o        *layout
	read     func(addr uint64, b []byte) bool
	codes    map[uint64]*code
	codeType uint64 // address of PyCode_Type, once seen
}

type code struct {
	file, name string
	first      int
	lines      []byte
	instr      uint64 // address of the first instruction, 3.11 on

	addr, filePtr, namePtr uint64
	offset, line           int // the line that was told last, and where
}

func (r *reader) word(addr uint64) (uint64, bool) {
	var b [8]byte
	ok := r.read(addr, b[:])
	return binary.LittleEndian.Uint64(b[:]), ok
}

func (r *reader) threads(interp uint64) []Thread {
	var out []Thread
	ts, ok := r.word(interp + r.o.threads)
	for n := 0; ok && ts != 0 && n < maxThreads; n++ {
		if tid := r.tid(ts); tid > 0 {
			ident, _ := r.word(ts + r.o.threadID)
			out = append(out, Thread{tid, ident, r.frames(ts)})
		}
		ts, ok = r.word(ts + r.o.next)
	}
	return out
}

// tid is a thread's number. Before 3.11 only its pthread_t is known, which for
// glibc is the address of a structure that holds the number (tid of struct
// pthread, nptl/descr.h); it is believed if the process has such a thread.
func (r *reader) tid(ts uint64) int32 {
	if r.o.native != 0 {
		v, ok := r.word(ts + r.o.native)
		if !ok || v > 1<<30 {
			return 0
		}
		return int32(v)
	}
	self, ok := r.word(ts + r.o.threadID)
	if !ok {
		return 0
	}
	const from, to = 0x2d0, 0x330 // it moved between versions of glibc
	var b [to - from]byte
	if !r.read(self+from, b[:]) {
		return 0
	}
	for i := 0; i < len(b); i += 4 {
		tid := int32(binary.LittleEndian.Uint32(b[i:]))
		if tid > 1 && unix.Access("/proc/"+strconv.Itoa(r.pid)+"/task/"+strconv.Itoa(int(tid)), unix.F_OK) == nil {
			return tid
		}
	}
	return 0
}

// current is a thread's innermost frame.
func (r *reader) current(ts uint64) (uint64, bool) {
	f, ok := r.word(ts + r.o.frame)
	if r.o.cframe {
		f, ok = r.word(f + r.o.cframeCurrent)
	}
	return f, ok
}

func (r *reader) frames(ts uint64) []Frame {
	f, ok := r.current(ts)
	var out []Frame
	for n := 0; ok && f != 0 && n < maxFrames; n++ {
		if fr, good := r.frame(f); good {
			out = append(out, fr)
		}
		f, ok = r.word(f + r.o.back)
	}
	return out
}

const ownedByCStack = 3 // FRAME_OWNED_BY_CSTACK: no Python function

func (r *reader) frame(f uint64) (Frame, bool) {
	if r.o.owner != 0 {
		var b [1]byte
		if !r.read(f+r.o.owner, b[:]) || b[0] >= ownedByCStack {
			return Frame{}, false
		}
	}
	at, ok := r.word(f + r.o.code)
	if !ok {
		return Frame{}, false
	}
	c := r.code(at)
	if c == nil {
		return Frame{}, false
	}
	line := c.first
	if v, ok := r.word(f + r.o.instr); ok {
		line = r.at(c, v)
	}
	return Frame{c.file, c.name, line}, true
}

// at is the line of an instruction, as a frame has it.
func (r *reader) at(c *code, instr uint64) int {
	offset := int64(int32(uint32(instr))) // f_lasti: bytes, in 3.10 units of two
	if r.o.adaptive != 0 {
		offset = int64(instr-c.instr) / 2
	}
	if offset < 0 || offset >= maxTable {
		return c.first
	}
	if c.offset != int(offset) {
		c.offset, c.line = int(offset), r.o.line(c.lines, c.first, int(offset))
	}
	return c.line
}

func (r *reader) code(at uint64) *code {
	if c, known := r.codes[at]; known {
		return c
	}
	r.codes[at] = nil
	if !r.isCode(at) {
		return nil
	}
	c := &code{addr: at, instr: at + r.o.adaptive, offset: -1}
	c.filePtr, _ = r.word(at + r.o.filename)
	c.namePtr, _ = r.word(at + max(r.o.qualname, r.o.name)) // the qualified one follows the other
	c.file, c.name = r.string(c.filePtr), r.string(c.namePtr)
	first, ok := r.word(at + r.o.first)
	c.first = int(int32(uint32(first)))
	if !ok || c.name == "" {
		return nil
	}
	c.lines = r.bytes(at + r.o.lines)
	r.codes[at] = c
	return c
}

// isCode looks at an object's type by name: "code".
func (r *reader) isCode(at uint64) bool {
	const typeOf, nameOf = 8, 24 // PyObject.ob_type, PyTypeObject.tp_name
	t, ok := r.word(at + typeOf)
	if !ok || t == 0 {
		return false
	}
	if r.codeType != 0 {
		return t == r.codeType
	}
	name, ok := r.word(t + nameOf)
	var b [5]byte
	if !ok || !r.read(name, b[:]) || string(b[:]) != "code\x00" {
		return false
	}
	r.codeType = t
	return true
}

// string reads the str object at an address.
func (r *reader) string(at uint64) string {
	head := make([]byte, 36)
	if !r.read(at, head) {
		return ""
	}
	n := binary.LittleEndian.Uint64(head[16:])
	state := binary.LittleEndian.Uint32(head[32:])
	kind, compact, ascii := state>>2&7, state>>5&1, state>>6&1
	if n > maxString || compact == 0 || kind != 1 && kind != 2 && kind != 4 {
		return ""
	}
	start := r.o.compact
	if ascii == 1 {
		start = r.o.ascii
	}
	data := make([]byte, int(n)*int(kind))
	if !r.read(at+start, data) {
		return ""
	}
	if ascii == 1 {
		return string(data)
	}
	var s strings.Builder
	for i := 0; i < len(data); i += int(kind) {
		switch kind {
		case 1:
			s.WriteRune(rune(data[i]))
		case 2:
			s.WriteRune(rune(binary.LittleEndian.Uint16(data[i:])))
		case 4:
			s.WriteRune(rune(binary.LittleEndian.Uint32(data[i:])))
		}
	}
	return s.String()
}

// bytes reads the bytes object that the pointer at addr points to.
func (r *reader) bytes(addr uint64) []byte {
	at, ok := r.word(addr)
	if !ok {
		return nil
	}
	n, ok := r.word(at + 16)
	if !ok || n == 0 || n > maxTable {
		return nil
	}
	b := make([]byte, n)
	if !r.read(at+32, b) {
		return nil
	}
	return b
}

// maps reads /proc/PID/maps.
func maps(pid int) (string, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/maps")
	if err != nil {
		return "", fmt.Errorf("read the mappings of process %d: %w", pid, err)
	}
	return string(b), nil
}
