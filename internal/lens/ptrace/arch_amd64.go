package ptrace

import (
	"golang.org/x/sys/unix"

	"culprit/internal/event"
)

// archNative is the architecture whose numbers the filter tells apart.
const archNative = event.ArchX8664

// Numbers and sizes of 32-bit programs, for the calls made inside the target.
const (
	compatPrctl   = 172
	compatSeccomp = 354
)

// Offsets in struct user_regs_struct (asm/user_64.h) of the registers that hold
// the third and the fourth argument of a system call.
const (
	userRDX = 12 * 8
	userR10 = 7 * 8
)

// restartUnlessHandled makes the kernel treat the call that a task came out of with EINTR
// as one that is made again unless a handler runs: ERESTARTNOHAND
// (linux/errno.h), which is what it does with most calls by itself.
func restartUnlessHandled(tid int32) bool {
	const userRAX, restartNoHand = 10 * 8, 514
	result := int64(-restartNoHand)
	return ptrace(unix.PTRACE_POKEUSR, tid, userRAX, uintptr(result)) == 0
}

// interruptedCall says which call a task that stands in a stop came out of
// because it was interrupted, with its result. It is none when the task stood in
// its own code.
func interruptedCall(tid int32) (nr uint32, ret int64, ok bool) {
	var r unix.PtraceRegs
	if unix.PtraceGetRegs(int(tid), &r) != nil || int64(r.Orig_rax) < 0 {
		return 0, 0, false
	}
	return uint32(r.Orig_rax), int64(int32(r.Rax)), true
}

// setArgument changes an argument, 2 or 3, of the call that a task stands in.
func setArgument(t *task, n int, value uint64) bool {
	off := uintptr(userRDX)
	if n == 3 {
		off = userR10
	}
	return ptrace(unix.PTRACE_POKEUSR, t.tid, off, uintptr(value)) == 0
}

// instead turns the call that the task is about to make into another.
func instead(r *unix.PtraceRegs, nr uint64, args [6]uint64) {
	r.Orig_rax = nr
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = args[0], args[1], args[2], args[3], args[4], args[5]
}

// result is that of the call that the task comes out of.
func result(r *unix.PtraceRegs) int64 { return int64(r.Rax) }

// again makes the task run its system call instruction (0f 05) once more.
// Orig_rax -1 keeps the kernel from restarting anything by itself.
func again(r *unix.PtraceRegs) {
	r.Rip -= 2
	r.Rax, r.Orig_rax = r.Orig_rax, ^uint64(0)
}
