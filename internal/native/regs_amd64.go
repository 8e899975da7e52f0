package native

import "golang.org/x/sys/unix"

// Waiting makes registers of the two that /proc/PID/syscall tells of a thread of
// a 64-bit program: stack pointer and program counter. The walk ends at the
// first frame that needs another one which no frame before it has saved.
func Waiting(sp, pc uint64) Registers {
	r := Registers{PC: pc, Word: 8}
	r.Set(rsp, sp)
	return r
}

// X8664 makes registers of what PTRACE_GETREGS gives on x86-64, of a 64-bit or
// a 32-bit program.
func X8664(g *unix.PtraceRegs) Registers {
	const user32 = 0x23 // the code segment of 32-bit programs
	if g.Cs == user32 {
		r := Registers{PC: uint64(uint32(g.Rip)), Word: 4}
		for i, v := range [...]uint64{g.Rax, g.Rcx, g.Rdx, g.Rbx, g.Rsp, g.Rbp, g.Rsi, g.Rdi} {
			r.Set(i, uint64(uint32(v)))
		}
		return r
	}
	r := Registers{PC: g.Rip, Word: 8}
	for i, v := range [...]uint64{g.Rax, g.Rdx, g.Rcx, g.Rbx, g.Rsi, g.Rdi, g.Rbp, g.Rsp,
		g.R8, g.R9, g.R10, g.R11, g.R12, g.R13, g.R14, g.R15, g.Rip} {
		r.Set(i, v)
	}
	return r
}
