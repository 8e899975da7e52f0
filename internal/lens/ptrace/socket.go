package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
)

// borrow makes a descriptor of ours for a task's socket (pidfd_getfd(2), Linux
// 5.6): the same open socket, so whoever has it must not take anything from it.
func (r *Recorder) borrow(t *task, fd int32) (int, bool) {
	p := t.proc
	if p.pidfd == 0 {
		n, err := unix.PidfdOpen(int(p.pid), 0)
		if err != nil {
			p.pidfd = -1
			r.note(t, noteGetfd)
			return 0, false
		}
		p.pidfd = n
	}
	if p.pidfd < 0 {
		return 0, false
	}
	n, err := unix.PidfdGetfd(p.pidfd, int(fd), 0)
	if err != nil {
		if err == unix.EPERM || err == unix.ENOSYS {
			r.note(t, noteGetfd)
		}
		return 0, false
	}
	return n, true
}

// askSocket fills in type and addresses; it says whether an address is new.
func (r *Recorder) askSocket(t *task, fd int32, d *descriptor) bool {
	d.tries++
	s, ok := r.borrow(t, fd)
	if !ok {
		return false
	}
	defer unix.Close(s)
	if d.typ == 0 {
		d.typ, _ = unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_TYPE)
	}
	local, remote := address(unix.SYS_GETSOCKNAME, s), address(unix.SYS_GETPEERNAME, s)
	changed := string(local) != string(d.local) || len(remote) > 0 && string(remote) != string(d.remote)
	d.local = local
	if len(remote) > 0 {
		d.remote = remote
	}
	return changed
}

func address(call uintptr, s int) []byte {
	var b [128]byte // struct sockaddr_storage
	n := uint32(len(b))
	_, _, e := unix.RawSyscall(call, uintptr(s), uintptr(unsafe.Pointer(&b)), uintptr(unsafe.Pointer(&n)))
	if e != 0 {
		return nil
	}
	return append([]byte(nil), b[:min(int(n), len(b))]...)
}

// peek looks at what lies unread in a stream socket's receive queue, if fd is
// known to be one. Only when there are bytes does it read, and then no more
// than these: reading an empty queue would take the socket's pending error away
// from the program.
func (r *Recorder) peek(t *task, fd int32, when string) {
	d := t.files.fds[fd]
	if d == nil || d.kind != socketFD || !connected(d.typ) || r.pass {
		return
	}
	s, ok := r.borrow(t, fd)
	if !ok {
		return
	}
	defer unix.Close(s)
	n, err := unix.IoctlGetInt(s, unix.SIOCINQ)
	if err != nil || n <= 0 || n == d.queued {
		return
	}
	// With SO_PEEK_OFF in use a look would move the program's own place.
	if off, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PEEK_OFF); err == nil && off >= 0 {
		r.put(t, lens.Now(), &event.Peek{FD: fd, Link: d.link, When: when, Queued: uint32(n)})
		return
	}
	want := min(n, r.opt.MaxPeek)
	if len(r.peekBuf) < want {
		r.peekBuf = make([]byte, want)
	}
	got, _, err := unix.Recvfrom(s, r.peekBuf[:want], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err != nil || got <= 0 {
		return
	}
	d.queued = n
	r.put(t, lens.Now(), &event.Peek{FD: fd, Link: d.link, When: when, Queued: uint32(n), Data: r.peekBuf[:got]})
}

// peekAll looks at all known sockets of a process for the last time.
func (r *Recorder) peekAll(t *task) {
	t.proc.peeked = true
	for fd := range t.files.fds {
		r.peek(t, fd, "exit")
	}
}
