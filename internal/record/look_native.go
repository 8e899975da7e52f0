package record

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens/ptrace"
	"culprit/internal/native"
	"culprit/internal/procfs"
)

// Bounds of the native stacks of one look.
const (
	maxLookStacks = 256
	maxLookFrames = 32
	maxLookMemory = 32 << 10 // bytes copied of the stack of a thread that runs
)

// place is where a thread stands in native code.
type place struct {
	regs  native.Registers
	stack []byte // what lies from the stack pointer on, of a thread that runs on
	known bool
}

// held is where a thread stands that ptrace.Hold holds. It won't stay there: the
// memory that counts is copied.
func held(tid int32) (at place) {
	if at.regs, at.known = ptrace.Registers(tid); at.known {
		at.stack = make([]byte, maxLookMemory)
		at.stack = at.stack[:readMemory(tid, at.stack, at.regs.SP())]
	}
	return at
}

// calling is where a thread stands that is in a call, by its /proc/PID/syscall:
// "NR ARGS... SP PC" (proc(5)).
func calling(syscall string) (at place) {
	f := strings.Fields(syscall)
	if len(f) < 3 {
		return at
	}
	sp, err1 := strconv.ParseUint(f[len(f)-2], 0, 64)
	pc, err2 := strconv.ParseUint(f[len(f)-1], 0, 64)
	at.regs, at.known = native.Waiting(sp, pc), err1 == nil && err2 == nil
	return at
}

// view reads memory of a thread: its copied stack, else as it is now.
type view struct {
	tid int32
	at  *place
}

// ReadMem is native.Memory's.
func (v view) ReadMem(p []byte, addr uint64) int {
	if off := addr - v.at.regs.SP(); off < uint64(len(v.at.stack)) {
		return copy(p, v.at.stack[off:])
	}
	return readMemory(v.tid, p, addr)
}

func readMemory(tid int32, p []byte, addr uint64) int {
	if len(p) == 0 {
		return 0
	}
	local := unix.Iovec{Base: &p[0]}
	local.SetLen(len(p))
	n, err := unix.ProcessVMReadv(int(tid), []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(p)}}, 0)
	if err != nil {
		return 0
	}
	return n
}

// natives walks the native stacks of one look's threads.
type natives struct {
	unwinder *native.Unwinder
	maps     map[int32]native.Maps
	pid      int // whose files are opened
}

func newNatives() *natives {
	n := &natives{maps: map[int32]native.Maps{}}
	n.unwinder = native.New(func(m *native.Mapping) (native.File, error) { return native.Proc(n.pid)(m) })
	return n
}

// walk returns a thread's stack, nil when it can't be read.
func (n *natives) walk(pid, tid int32, at *place) *event.Native {
	if !at.known {
		return nil
	}
	maps, known := n.maps[pid]
	if !known {
		text, _ := os.ReadFile(procfs.Path(pid, "/maps"))
		maps = native.ParseMaps(text)
		n.maps[pid] = maps
	}
	n.pid = int(pid)
	told := native.Event(n.unwinder.Stack(at.regs, maps, view{tid, at}, maxLookFrames))
	if len(told.Frames) == 0 {
		return nil
	}
	return told
}
