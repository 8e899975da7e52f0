package tracer

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ptrace(2) requests and events that x/sys doesn't name on every architecture
// (linux/ptrace.h).
const (
	reqSeize          = 0x4206
	reqInterrupt      = 0x4207
	reqListen         = 0x4208
	reqGetSiginfo     = 0x4202
	reqGetEventMsg    = 0x4201
	reqGetSyscallInfo = 0x420e

	eventExec    = 4
	eventExit    = 6
	eventSeccomp = 7
	eventStop    = 128

	infoEntry   = 1
	infoExit    = 2
	infoSeccomp = 3 // as an entry, and what the filter said

)

// syscallInfo is struct ptrace_syscall_info (linux/ptrace.h), Linux 5.3.
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	u    [8]uint64 // entry: nr, args[6]; exit: rval, is_error (a byte)
}

// ptrace makes a request that neither blocks nor needs the Go scheduler.
func ptrace(req uintptr, tid int32, addr, data uintptr) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, req, uintptr(tid), addr, data, 0, 0)
	return e
}

func (r *Tracer) syscallInfo(tid int32) bool {
	return ptrace(reqGetSyscallInfo, tid, unsafe.Sizeof(r.info), uintptr(unsafe.Pointer(&r.info))) == 0
}

func (r *Tracer) eventMessage(tid int32) (int32, bool) {
	if ptrace(reqGetEventMsg, tid, 0, uintptr(unsafe.Pointer(&r.message))) != 0 {
		return 0, false
	}
	return int32(r.message), true
}

// reader reads a task's memory: sysabi.Reader.
type reader struct {
	t      *Task
	local  unix.Iovec
	remote unix.RemoteIovec
}

// ReadMem copies from addr on what can be read.
func (m *reader) ReadMem(p []byte, addr uint64) int {
	if len(p) == 0 {
		return 0
	}
	if m.t.mem > 0 {
		return m.file(p, addr)
	}
	m.local.Base = &p[0]
	m.local.SetLen(len(p))
	m.remote.Base, m.remote.Len = uintptr(addr), len(p)
	n, _, e := unix.RawSyscall6(unix.SYS_PROCESS_VM_READV, uintptr(m.t.TID), uintptr(unsafe.Pointer(&m.local)), 1,
		uintptr(unsafe.Pointer(&m.remote)), 1, 0)
	switch e {
	case 0:
		return int(n)
	case unix.EPERM, unix.ENOSYS:
		// Not allowed by this call, but perhaps through /proc/TID/mem.
		fd, err := unix.Open(procPath(m.t.TID, "/mem"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			m.t.mem = fd
			return m.file(p, addr)
		}
	}
	return 0
}

func (m *reader) file(p []byte, addr uint64) int {
	n, _, e := unix.Syscall6(unix.SYS_PREAD64, uintptr(m.t.mem), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), uintptr(addr), 0, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

func procPath(tid int32, file string) string { return "/proc/" + strconv.Itoa(int(tid)) + file }

// sigaction is the kernel's struct on x86-64 and arm64 (asm/signal.h).
type sigaction struct {
	handler, flags, restorer, mask uint64
}

const (
	saNoCldStop = 1
	saRestart   = 0x10000000
)

// wakeSignal interrupts the tracing thread's wait. The Go runtime's handler
// ignores it.
const wakeSignal = 61

// changeFlags changes sa_flags of a signal's disposition and returns the former
// disposition.
func changeFlags(sig int, clear, set uint64) sigaction {
	var old sigaction
	rtSigaction(sig, nil, &old)
	if old.handler > 1 { // neither SIG_DFL nor SIG_IGN
		now := old
		now.flags = now.flags&^clear | set
		rtSigaction(sig, &now, nil)
	}
	return old
}

func rtSigaction(sig int, act, old *sigaction) {
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
}
