package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/procfs"
)

// ptrace(2) requests, options and stops that x/sys doesn't name on every
// architecture (linux/ptrace.h).
const (
	reqSeize          = 0x4206
	reqInterrupt      = 0x4207
	reqListen         = 0x4208
	reqGetSiginfo     = 0x4202
	reqGetEventMsg    = 0x4201
	reqGetSyscallInfo = 0x420e

	eventFork    = 1
	eventVfork   = 2
	eventClone   = 3
	eventExec    = 4
	eventExit    = 6
	eventSeccomp = 7
	eventStop    = 128

	infoEntry   = 1
	infoExit    = 2
	infoSeccomp = 3

	waitNoThread = 0x20000000 // __WNOTHREAD: children and tracees of this thread only

	// For a running program: it must go on without us.
	runningOptions = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
		unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT
	options = runningOptions | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL
)

// syscallInfo is struct ptrace_syscall_info (linux/ptrace.h), Linux 5.3.
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	u    [8]uint64 // entry and seccomp: nr, args[6]; exit: rval, is_error
}

// ptrace makes a request that neither blocks nor needs the Go scheduler.
func ptrace(req uintptr, tid int32, addr, data uintptr) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, req, uintptr(tid), addr, data, 0, 0)
	return e
}

func (r *Recorder) syscallInfo(tid int32) bool { return getSyscallInfo(tid, &r.info) }

func getSyscallInfo(tid int32, info *syscallInfo) bool {
	return ptrace(reqGetSyscallInfo, tid, unsafe.Sizeof(*info), uintptr(unsafe.Pointer(info))) == 0
}

func (r *Recorder) eventMessage(tid int32) (int32, bool) {
	if ptrace(reqGetEventMsg, tid, 0, uintptr(unsafe.Pointer(&r.message))) != 0 {
		return 0, false
	}
	return int32(r.message), true
}

// memory reads a task's memory: sysabi.Reader.
type memory struct {
	r      *Recorder
	t      *task
	local  unix.Iovec
	remote unix.RemoteIovec
}

// largeRead is from where on a copy takes so long that the Go scheduler must
// know of it.
const largeRead = 64 << 10

// ReadMem copies from addr on what can be read.
func (m *memory) ReadMem(p []byte, addr uint64) int {
	if len(p) == 0 {
		return 0
	}
	if m.t.proc.mem > 0 {
		return m.file(m.t.proc.mem, p, addr)
	}
	m.local.Base = &p[0]
	m.local.SetLen(len(p))
	m.remote.Base, m.remote.Len = uintptr(addr), len(p)
	call := unix.RawSyscall6
	if len(p) > largeRead {
		call = unix.Syscall6
	}
	n, _, e := call(unix.SYS_PROCESS_VM_READV, uintptr(m.t.tid), uintptr(unsafe.Pointer(&m.local)), 1,
		uintptr(unsafe.Pointer(&m.remote)), 1, 0)
	switch e {
	case 0:
		return int(n)
	case unix.EPERM, unix.ENOSYS:
		// Not allowed by this call, but perhaps through /proc/PID/mem.
		if fd := openMem(m.t.pid); fd > 0 {
			m.t.proc.mem = fd
			return m.file(fd, p, addr)
		}
		m.r.note(m.t, noteUnreadable)
	}
	return 0
}

func (m *memory) file(fd int, p []byte, addr uint64) int {
	n, _, e := unix.Syscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), uintptr(addr), 0, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

// openMem opens /proc/PID/mem. The kernel asks for the right to do so now, not
// when it is read: the descriptor goes on working after PR_SET_DUMPABLE 0.
func openMem(pid int32) int {
	fd, err := unix.Open(procfs.Path(pid, "/mem"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	return fd
}

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
