package tracer

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/native"
	"culprit/internal/sysabi"
)

type registers = unix.PtraceRegs

// PTRACE_GETREGS has the 64-bit layout for 32-bit programs too, unlike
// PTRACE_GETREGSET, which is what x/sys uses.
func getRegs(tid int32, g *registers) error {
	if e := ptrace(unix.PTRACE_GETREGS, tid, 0, uintptr(unsafe.Pointer(g))); e != 0 {
		return e
	}
	return nil
}

func setRegs(tid int32, g *registers) error {
	if e := ptrace(unix.PTRACE_SETREGS, tid, 0, uintptr(unsafe.Pointer(g))); e != 0 {
		return e
	}
	return nil
}

// syscallInstruction is the instruction that makes a system call.
var syscallInstruction = []byte{0x0f, 0x05}

func stackPointer(g *registers) uint64       { return g.Rsp }
func instructionPointer(g *registers) uint64 { return g.Rip }

// load makes the thread, when it goes on, call nr with the instruction at ip.
// Orig_rax -1 keeps the kernel from taking it for one whose interrupted call is
// to be restarted.
func load(g *registers, ip, nr, a, b, c uint64) {
	g.Rip, g.Rax, g.Orig_rax, g.Rdi, g.Rsi, g.Rdx = ip, nr, ^uint64(0), a, b, c
}

func (t *Task) setNumber(nr uint64) error {
	var g registers
	if err := getRegs(t.TID, &g); err != nil {
		return err
	}
	g.Orig_rax = nr
	return setRegs(t.TID, &g)
}

func (t *Task) setResult(ret int64) error {
	var g registers
	if err := getRegs(t.TID, &g); err != nil {
		return err
	}
	g.Rax = uint64(ret)
	return setRegs(t.TID, &g)
}

// Registers returns the task's registers for [native.Unwinder.Stack].
func (t *Task) Registers() (native.Registers, error) {
	var g registers
	if err := getRegs(t.TID, &g); err != nil {
		return native.Registers{}, err
	}
	return native.X8664(&g), nil
}

// interrupted returns the call that the task stands in, nil when in none.
func (t *Task) interrupted() *sysabi.Call {
	var g registers
	if getRegs(t.TID, &g) != nil || int64(g.Orig_rax) < 0 {
		return nil
	}
	arch := event.ArchX8664
	if g.Cs == 0x23 { // the code segment of 32-bit programs
		arch = event.ArchI386
	}
	return sysabi.Lookup(arch, uint32(g.Orig_rax))
}
