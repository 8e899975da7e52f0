package ptrace

import (
	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/sysabi"
)

// role is what a call means to the recorder itself.
type role uint8

const (
	noRole role = iota
	roleClose
	roleCloseRange
	roleDup  // result is another name of the first argument
	roleDup2 // second argument becomes another name of the first
	roleFcntl
	roleConnect
	roleAccept
	roleShutdown
	roleExitGroup
	rolePrctl
	roleSeccomp
	rolePtrace
	roleUnshare
	roleUring
	roleMessages // the result counts messages, not bytes
	roleNoMemory // data that doesn't pass through the program's memory
)

func rolesOf(arch event.Arch) *[tableSize]role {
	t := new([tableSize]role)
	for _, e := range []struct {
		name string
		role role
	}{
		{"close", roleClose}, {"close_range", roleCloseRange},
		{"dup", roleDup}, {"dup2", roleDup2}, {"dup3", roleDup2},
		{"fcntl", roleFcntl}, {"fcntl64", roleFcntl},
		{"connect", roleConnect}, {"accept", roleAccept}, {"accept4", roleAccept},
		{"shutdown", roleShutdown}, {"exit_group", roleExitGroup},
		{"prctl", rolePrctl}, {"seccomp", roleSeccomp}, {"ptrace", rolePtrace},
		{"unshare", roleUnshare}, {"io_uring_setup", roleUring},
		{"sendmmsg", roleMessages}, {"recvmmsg", roleMessages},
		{"sendfile", roleNoMemory}, {"sendfile64", roleNoMemory}, {"splice", roleNoMemory}, {"tee", roleNoMemory},
	} {
		if nr, ok := sysabi.Number(arch, e.name); ok && nr < tableSize {
			t[nr] = e.role
		}
	}
	return t
}

// enter takes in a call that is about to be made.
func (r *Recorder) enter(t *task) {
	t.start = lens.Now()
	if !r.syscallInfo(t.tid) || r.info.op != infoSeccomp {
		r.resume(t, 0)
		return
	}
	r.entered(t)
}

// entered takes in the call that r.info tells of.
func (r *Recorder) entered(t *task) {
	if t.inCall { // its exit was never seen
		r.unfinished(t)
	}
	s := &t.sys
	*s = event.Syscall{Arch: event.Arch(r.info.arch), NR: uint32(r.info.u[0]), Args: [6]uint64(r.info.u[1:7]), Mem: s.Mem[:0]}
	r.mem.t = t
	sysabi.Socketcall(s, &r.mem)
	t.call = sysabi.Lookup(s.Arch, s.NR)
	t.emit = r.choice.emits(s.Arch, s.NR)
	t.role = noRole
	if roles := r.roles[s.Arch]; roles != nil && s.NR < tableSize {
		t.role = roles[s.NR]
	}
	t.lim = sysabi.Limits{String: maxString, Data: r.opt.Snaplen}
	t.desc = nil
	if t.emit {
		var agents bool
		if s.Stack, agents = r.stack(t); agents {
			s.Flags |= event.Injected
		}
	}
	if t.call != nil && t.emit {
		r.takeArena(t)
		s.Mem = t.call.Capture(s.Mem, event.Enter, &s.Args, 0, t.lim, &r.mem, t.arena)
		if len(s.Mem) == 0 {
			r.giveArena(t)
		}
		if t.call.Data() {
			r.transfer(t)
		}
	}
	if t.role != noRole {
		r.before(t)
	}
	t.inCall = true
	r.resume(t, 0)
}

// before does what must be done while the call has not yet taken effect.
func (r *Recorder) before(t *task) {
	a := &t.sys.Args
	switch t.role {
	case roleClose, roleShutdown:
		r.peek(t, int32(a[0]), "close")
	case roleDup2:
		if a[0] != a[1] {
			r.peek(t, int32(a[1]), "close")
		}
	case roleCloseRange:
		for fd := range t.files.fds {
			if uint32(fd) >= uint32(a[0]) && uint32(fd) <= uint32(a[1]) && a[2]&unix.CLOSE_RANGE_CLOEXEC == 0 {
				r.peek(t, fd, "close")
			}
		}
	case roleExitGroup:
		r.peekAll(t)
	case rolePrctl:
		if a[0] == unix.PR_SET_DUMPABLE && a[1] != 1 && t.proc.mem == 0 {
			// From now on only root may open it.
			t.proc.mem = openMem(t.pid)
		}
	}
}

// exit takes in a call's result.
func (r *Recorder) exit(t *task) {
	now := lens.Now()
	if !t.inCall || !r.syscallInfo(t.tid) {
		r.resume(t, 0)
		return
	}
	if r.info.op != infoExit { // the entry stop, which kernels before 4.8 make after the filter's
		r.resume(t, 0)
		return
	}
	r.left(t, now)
}

// left takes in the result of the task's call, which r.info tells of.
func (r *Recorder) left(t *task, now event.Time) {
	t.sys.Ret = int64(r.info.u[0])
	r.mem.t = t
	if t.call != nil && t.emit {
		t.sys.Mem = t.call.Capture(t.sys.Mem, event.Leave, &t.sys.Args, t.sys.Ret, t.lim, &r.mem, &r.leave)
	}
	hold := t.role != noRole || t.desc != nil && t.desc.kind == socketFD
	if !hold {
		// What is left to do doesn't need the task to stand still.
		t.inCall = false
		r.resume(t, 0)
	}
	r.finishCall(t, now, true)
	if hold {
		r.resume(t, 0)
	}
}

// finishCall puts a call whose result is known and draws the consequences.
func (r *Recorder) finishCall(t *task, now event.Time, alive bool) {
	t.inCall = false
	t.sys.Dur = int64(now - t.start)
	if t.emit {
		r.put(t, t.start, &t.sys)
	}
	if alive {
		if t.desc != nil {
			r.transferred(t)
		}
		if t.role != noRole {
			r.after(t)
		}
	}
	r.leave.Reset()
	r.giveArena(t)
}

// unfinished puts a call that will not come back. Of data that it was to send
// the beginning is kept.
func (r *Recorder) unfinished(t *task) {
	t.inCall = false
	if t.emit {
		if t.call != nil {
			r.mem.t = t
			t.sys.Mem = t.call.Capture(t.sys.Mem, event.Leave, &t.sys.Args, -int64(unix.EINTR), t.lim, &r.mem, &r.leave)
		}
		t.sys.Ret, t.sys.Flags = 0, event.Unfinished
		t.sys.Dur = int64(lens.Now() - t.start)
		r.put(t, t.start, &t.sys)
	}
	r.leave.Reset()
	r.giveArena(t)
}

// after follows what a call that succeeded changed.
func (r *Recorder) after(t *task) {
	a, ret := &t.sys.Args, t.sys.Ret
	if t.role == roleClose && ret != -int64(unix.EBADF) {
		r.forget(t, int32(a[0])) // closed even when it failed (close(2))
		return
	}
	if t.role == roleConnect && (ret == 0 || ret == -int64(unix.EINPROGRESS)) {
		r.describeAgain(t, int32(a[0]))
		return
	}
	if t.role == rolePtrace {
		if ret == -int64(unix.EPERM) {
			r.note(t, notePtrace)
		}
		return
	}
	if ret < 0 {
		return
	}
	switch t.role {
	case roleDup:
		r.duplicate(t, int32(a[0]), int32(ret))
	case roleDup2:
		if a[0] != a[1] {
			r.duplicate(t, int32(a[0]), int32(ret))
		}
	case roleFcntl:
		if cmd := int32(a[1]); cmd == unix.F_DUPFD || cmd == unix.F_DUPFD_CLOEXEC {
			r.duplicate(t, int32(a[0]), int32(ret))
		}
	case roleCloseRange:
		if a[2]&unix.CLOSE_RANGE_UNSHARE != 0 {
			r.unshareFiles(t)
		}
		if a[2]&unix.CLOSE_RANGE_CLOEXEC == 0 {
			for fd := range t.files.fds {
				if uint32(fd) >= uint32(a[0]) && uint32(fd) <= uint32(a[1]) {
					r.forget(t, fd)
				}
			}
		}
	case roleAccept:
		r.forget(t, int32(ret))
		r.describe(t, int32(ret))
	case rolePrctl:
		switch {
		case a[0] == unix.PR_SET_DUMPABLE && a[1] != 1:
			r.note(t, noteDumpable)
		case a[0] == unix.PR_SET_SECCOMP:
			r.note(t, noteSeccomp)
		}
	case roleSeccomp:
		if a[0] == unix.SECCOMP_SET_MODE_FILTER || a[0] == unix.SECCOMP_SET_MODE_STRICT {
			r.note(t, noteSeccomp)
		}
	case roleUnshare:
		if a[0]&unix.CLONE_FILES != 0 {
			r.unshareFiles(t)
		}
	case roleUring:
		r.note(t, noteUring)
	}
}

// takeArena gives the task storage for its call. Idle threads have none.
func (r *Recorder) takeArena(t *task) {
	if t.arena != nil {
		return
	}
	if n := len(r.arenas); n > 0 {
		t.arena, r.arenas = r.arenas[n-1], r.arenas[:n-1]
		return
	}
	t.arena = new(sysabi.Arena)
}

func (r *Recorder) giveArena(t *task) {
	if t.arena == nil {
		return
	}
	t.arena.Reset()
	if !r.pass {
		r.arenas = append(r.arenas, t.arena)
	}
	t.arena = nil
}
