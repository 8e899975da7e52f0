package remote

import (
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

// call loads a call. Orig_rax -1 keeps the kernel from taking the thread for
// one whose interrupted call is to be restarted.
func (r *registers) call(nr uint64, args []uint64) {
	r.Rax, r.Orig_rax = nr, ^uint64(0)
	regs := []*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9}
	if r.compat() {
		regs = []*uint64{&r.Rbx, &r.Rcx, &r.Rdx, &r.Rsi, &r.Rdi, &r.Rbp}
	}
	for i, a := range args {
		*regs[i] = a
	}
}
