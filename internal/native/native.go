// Package native walks the native stack of a thread that stands still: from its
// registers, its memory and its process's mappings to frames with the file, the
// symbol and, if wanted, the source line of each.
//
// Call frame information is what counts (.eh_frame, .debug_frame); where there
// is none, as in code made at run time, frame pointers are followed. The
// package reads program files, and nothing of a process but through what it is
// handed: whoever has a stopped thread, or a core file, can use it. It knows no
// language's own stacks and prints nothing.
//
//	u := native.New(native.Proc(pid))
//	frames, more := u.Stack(regs, native.ParseMaps(maps), memory, 256)
package native

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// Memory reads memory of the thread. It returns how many bytes it copied from
// addr on, fewer than len(p) where the rest can't be read.
type Memory interface {
	ReadMem(p []byte, addr uint64) int
}

// Registers are a thread's, by their numbers in DWARF. Only those are in use
// that Known has a bit for.
type Registers struct {
	Value [17]uint64
	Known uint32
	PC    uint64
	Word  int // bytes of a register: 8, or 4 for i386
}

// The registers that unwinding names itself, in DWARF's numbers: the frame and
// the stack pointer of x86-64 and of i386.
const (
	rbp, rsp = 6, 7
	ebp, esp = 5, 4
)

func (r *Registers) get(n int) (uint64, bool) {
	if n < 0 || n >= len(r.Value) || r.Known>>n&1 == 0 {
		return 0, false
	}
	return r.Value[n], true
}

// Set gives register n a value.
func (r *Registers) Set(n int, v uint64) {
	if n >= 0 && n < len(r.Value) {
		r.Value[n], r.Known = v, r.Known|1<<n
	}
}

// SP is the stack pointer, 0 when it is not known.
func (r *Registers) SP() uint64 {
	v, _ := r.get(r.sp())
	return v
}

func (r *Registers) sp() int {
	if r.Word == 4 {
		return esp
	}
	return rsp
}

func (r *Registers) fp() int {
	if r.Word == 4 {
		return ebp
	}
	return rbp
}

// Frame is one function's activation.
type Frame struct {
	// PC is where the thread is in the innermost frame, and one less than the
	// return address in the others, so that it lies in the call.
	PC      uint64
	Object  string // the file that is mapped there, or [vdso]; "" for other memory
	Address uint64 // PC as the object's own tables have it
	Symbol  string // as the linker knows it, "" when unknown
	Offset  uint64 // of PC in Symbol
	Build   string // GNU build id of Object in hex, "" when it has none
	File    string // source file, "" when unknown or not asked for
	Line    int
}

// Function is the symbol as a programmer writes it, see [Demangle].
func (f *Frame) Function() string { return Demangle(f.Symbol) }

// Demangle gives a linker's symbol as a programmer writes it, where it is one of
// C++ or Rust, cut off at 64 KiB: a short symbol may stand for a name of any
// length.
func Demangle(symbol string) string { return written(symbol, demangle.MaxLength(16)) }

// Short is Demangle without the types of parameters.
func Short(symbol string) string {
	return written(symbol, demangle.MaxLength(16), demangle.NoParams)
}

func written(symbol string, options ...demangle.Option) string {
	if strings.HasPrefix(symbol, "_Z") || strings.HasPrefix(symbol, "_R") {
		return demangle.Filter(symbol, options...)
	}
	return symbol
}

// Unwinder keeps the files that it has read. It is for one goroutine; threads
// and processes of one program share it.
type Unwinder struct {
	Source bool // fill in File and Line

	open    Opener
	objects map[objectKey]*object // nil where a file can't be used
}

// New returns an unwinder that opens mapped files with open.
func New(open Opener) *Unwinder {
	return &Unwinder{open: open, objects: map[objectKey]*object{}}
}

// Stack returns the frames of a thread, innermost first, at most limit, and
// whether there are more.
func (u *Unwinder) Stack(regs Registers, maps Maps, mem Memory, limit int) (frames []Frame, more bool) {
	inner := true // PC is where the thread is and not a return address
	for {
		if len(frames) == limit {
			return frames, true
		}
		pc := regs.PC
		if !inner {
			pc--
		}
		m := maps.find(pc)
		if m == nil || !m.Exec {
			return frames, false
		}
		o := u.object(m, mem)
		f := Frame{PC: pc, Object: m.Path, Address: pc}
		if o != nil {
			bias := o.bias(m)
			f.Address = pc - bias
			f.Symbol, f.Offset = o.symbol(f.Address)
			f.Build = o.build
			if u.Source {
				f.File, f.Line = o.line(f.Address)
			}
		}
		frames = append(frames, f)
		before, _ := regs.get(regs.sp())
		next, ok := regs, false
		inner, ok = u.step(&next, o, f.Address, mem)
		if !ok {
			return frames, false
		}
		after, _ := next.get(next.sp())
		if after < before && !inner || after == before && next.PC == regs.PC || next.PC == 0 {
			return frames, false // the stack would turn round: it is damaged
		}
		regs = next
	}
}

// step goes from a frame to its caller's. signal says that the present frame
// was made by the kernel to deliver a signal: the next PC is no return address.
func (u *Unwinder) step(regs *Registers, o *object, pc uint64, mem Memory) (signal, ok bool) {
	if o != nil {
		for _, t := range o.tables {
			if f, found := t.find(pc); found {
				return f.signal, f.unwind(t, regs, pc, mem)
			}
		}
	}
	return false, framePointer(regs, mem)
}

// framePointer goes to the caller by the chain of saved frame pointers.
func framePointer(r *Registers, mem Memory) bool {
	const most = 16 << 20 // of one frame, in bytes
	fp, ok1 := r.get(r.fp())
	sp, ok2 := r.get(r.sp())
	word := uint64(r.Word)
	if !ok1 || !ok2 || fp < sp || fp-sp > most || fp%word != 0 {
		return false
	}
	saved, ok1 := readWord(mem, fp, r.Word)
	pc, ok2 := readWord(mem, fp+word, r.Word)
	if !ok1 || !ok2 || pc == 0 {
		return false
	}
	sp, fpNr, spNr := fp+2*word, r.fp(), r.sp()
	r.Known = 0 // nothing says where the others were saved
	r.Set(spNr, sp)
	r.Set(fpNr, saved)
	r.PC = pc
	return true
}

func readWord(mem Memory, addr uint64, size int) (uint64, bool) {
	var b [8]byte
	if mem.ReadMem(b[:size], addr) != size {
		return 0, false
	}
	v := uint64(0)
	for i := range size {
		v |= uint64(b[i]) << (8 * i)
	}
	return v, true
}
