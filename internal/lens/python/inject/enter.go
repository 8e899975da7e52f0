package inject

import "golang.org/x/sys/unix"

// entries are the system calls of x86-64 that a Python thread makes with the GIL
// released, holding nothing that Python code needs. malloc makes brk, mmap,
// munmap, mprotect, madvise and futex while it holds its own lock.
var entries = map[uint64]bool{
	unix.SYS_READ: true, unix.SYS_WRITE: true, unix.SYS_READV: true, unix.SYS_WRITEV: true,
	unix.SYS_PREAD64: true, unix.SYS_PWRITE64: true, unix.SYS_PREADV: true, unix.SYS_PWRITEV: true,
	unix.SYS_RECVFROM: true, unix.SYS_SENDTO: true, unix.SYS_RECVMSG: true, unix.SYS_SENDMSG: true,
	unix.SYS_RECVMMSG: true, unix.SYS_SENDMMSG: true, unix.SYS_SENDFILE: true, unix.SYS_SPLICE: true,
	unix.SYS_CONNECT: true, unix.SYS_ACCEPT: true, unix.SYS_ACCEPT4: true,
	unix.SYS_POLL: true, unix.SYS_PPOLL: true, unix.SYS_SELECT: true, unix.SYS_PSELECT6: true,
	unix.SYS_EPOLL_WAIT: true, unix.SYS_EPOLL_PWAIT: true, unix.SYS_EPOLL_PWAIT2: true,
	unix.SYS_NANOSLEEP: true, unix.SYS_CLOCK_NANOSLEEP: true, unix.SYS_PAUSE: true,
	unix.SYS_RT_SIGTIMEDWAIT: true, unix.SYS_WAIT4: true, unix.SYS_WAITID: true,
	unix.SYS_FLOCK: true, unix.SYS_FCNTL: true, unix.SYS_FSYNC: true, unix.SYS_FDATASYNC: true,
	unix.SYS_OPEN: true, unix.SYS_OPENAT: true,
}

// MayEnter reports whether Python code may be run in a thread that stands in, or
// comes out of, system call nr of x86-64. holder says whether the thread has the
// GIL, as far as that is known: one that waits for a lock (futex) must not.
func MayEnter(nr uint64, holder bool) bool {
	return entries[nr] || nr == unix.SYS_FUTEX && !holder
}
