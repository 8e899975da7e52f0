package remote

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// registers are those of a thread on x86-64, of 32-bit programs too.
type registers struct{ unix.PtraceRegs }

// compatCS is __USER32_CS (asm/segment.h): the code segment of 32-bit code.
const compatCS = 0x23

// PTRACE_GETREGS has the 64-bit layout for 32-bit programs too, unlike
// PTRACE_GETREGSET, which is what x/sys uses.
func (r *registers) get(tid int) error { return r.request(unix.PTRACE_GETREGS, tid) }
func (r *registers) set(tid int) error { return r.request(unix.PTRACE_SETREGS, tid) }

func (r *registers) request(req uintptr, tid int) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, req, uintptr(tid), 0, uintptr(unsafe.Pointer(&r.PtraceRegs)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

func (r *registers) pc() uint64   { return r.Rip }
func (r *registers) sp() uint64   { return r.Rsp }
func (r *registers) compat() bool { return r.Cs == compatCS }
func (r *registers) result() int64 {
	if r.compat() {
		return int64(int32(r.Rax))
	}
	return int64(r.Rax)
}

// instruction is syscall, or int 0x80 in 32-bit code.
func (r *registers) instruction() []byte {
	if r.compat() {
		return []byte{0xcd, 0x80}
	}
	return []byte{0x0f, 0x05}
}

// call loads a system call by the instruction at instr. Orig_rax -1 keeps the kernel from taking the thread for
// one whose interrupted call is to be restarted.
func (r *registers) call(instr, nr uint64, args []uint64) {
	r.Rip, r.Rax, r.Orig_rax = instr, nr, ^uint64(0)
	regs := []*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9}
	if r.compat() {
		regs = []*uint64{&r.Rbx, &r.Rcx, &r.Rdx, &r.Rsi, &r.Rdi, &r.Rbp}
	}
	for i, a := range args {
		*regs[i] = a
	}
}

// reenter makes the thread, which stands before a system call that is given up
// now, come to that call again.
func (r *registers) reenter() {
	r.Rip -= uint64(len(r.instruction()))
	r.Rax, r.Orig_rax = r.Orig_rax, ^uint64(0)
}

// cancel gives the call up that the thread stands before.
func (r *registers) cancel() { r.Orig_rax = ^uint64(0) }

// restartBlock is ERESTART_RESTARTBLOCK, noHandler ERESTARTNOHAND
// (linux/errno.h).
const restartBlock, noHandler = -516, -514

// restartPlain makes the kernel repeat an interrupted call from its beginning
// where it would have gone on with what it remembers of it.
func (r *registers) restartPlain() {
	if int64(r.Rax) == restartBlock && int64(r.Orig_rax) >= 0 {
		restart := int64(noHandler)
		r.Rax = uint64(restart)
	}
}

// invoke loads a call of the function fn that returns to address 0, by the
// calling convention of the System V ABI for AMD64 (3.2): six integer arguments
// in registers, the stack aligned to 16 bytes before the return address was
// pushed, the direction flag clear. It returns what to write at its stack
// pointer.
func (r *registers) invoke(stack, fn uint64, args []uint64) []byte {
	const trap, direction, alignment = 1 << 8, 1 << 10, 1 << 18
	r.Rip, r.Rsp = fn, stack&^15-8
	r.Rax, r.Orig_rax = 0, ^uint64(0)
	r.Eflags &^= trap | direction | alignment
	regs := []*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.Rcx, &r.R8, &r.R9}
	for i, a := range args {
		*regs[i] = a
	}
	return binary.LittleEndian.AppendUint64(nil, returnTo)
}

// returned reports whether the thread came back from the call that invoke
// loaded with this stack pointer.
func (r *registers) returned(sp uint64) bool { return r.Rip == returnTo && r.Rsp == sp+8 }

// stepBack goes back over int3 (cc) at addr.
func (r *registers) stepBack(addr uint64) bool {
	if r.Rip != addr+1 {
		return false
	}
	r.Rip = addr
	return true
}

// maxArguments is how many arguments invoke passes.
const maxArguments = 6

// Register sets of a core dump (linux/elf.h): all floating point and vector
// state, and x87 and SSE alone.
const (
	ntXState = 0x202
	ntFPRegs = 2
)

// returnTo is where functions that are called return to: nothing can be mapped
// there (vm.mmap_min_addr), so the thread stops with SIGSEGV.
const returnTo = 0
