package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/native"
)

// archNative is the architecture whose numbers the filter tells apart.
const archNative = event.ArchX8664

// Numbers and sizes of 32-bit programs, for the calls made inside the target.
const (
	compatPrctl   = 172
	compatSeccomp = 354
)

// restartUnlessHandled makes the kernel treat the call that a task came out of with EINTR
// as one that is made again unless a handler runs: ERESTARTNOHAND
// (linux/errno.h), which is what it does with most calls by itself.
func restartUnlessHandled(tid int32) bool {
	const userRAX, restartNoHand = 10 * 8, 514
	result := int64(-restartNoHand)
	return ptrace(unix.PTRACE_POKEUSR, tid, userRAX, uintptr(result)) == 0
}

// Registers reads the registers of a thread that stands in a stop of the calling
// thread, as in [Hold].
// PTRACE_GETREGS has the 64-bit layout for 32-bit programs too.
func Registers(tid int32) (native.Registers, bool) {
	var g unix.PtraceRegs
	if ptrace(unix.PTRACE_GETREGS, tid, 0, uintptr(unsafe.Pointer(&g))) != 0 {
		return native.Registers{}, false
	}
	return native.X8664(&g), true
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
