package record

import (
	"encoding/binary"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/python/remote"
	"culprit/internal/sysabi"
)

// witness stands between the kernel lens and the sink. It lets every event pass
// and, where one tells of a trouble whose reason only this moment knows (who
// holds the lock, which limit was met), it reads that in /proc and puts it
// behind the event as event.Holder, event.Limit, event.Awaits or event.Stack.
//
// It runs on the recorder's thread: a process that it looks at can't go on past
// its next recorded call meanwhile. So it is bounded: each fact is read once,
// and the walks over all processes' descriptors end with scanBudget.
type witness struct {
	sink lens.Sink
	calls
	made        [1024]bool                  // numbers of socket and bind, on any architecture
	interpreter func(pid int32) pythonState // of programs that are interpreted; may be nil

	mu     sync.Mutex
	done   map[fact]bool
	types  map[owned]uint32 // SOCK_* of sockets made in the run
	bound  map[owned][]byte // sockaddr that a socket was bound to
	spent  time.Duration    // of scanBudget
	table  *fdTable
	ooms   map[string]uint64    // oom-kill counters, by source
	hung   map[int32]bool       // processes whose stacks were read, in this look
	gils   map[int32]remote.GIL // of these
	look   uint32               // the newest that was met
	flying map[int32]bool       // threads whose call in flight the recorder has put
	budget int                  // facts left to read
}

// fact is one thing that is read but once.
type fact struct {
	pid  int32
	what string
	name string
}

type owned struct{ pid, fd int32 }

const (
	scanBudget = time.Second // for all walks over /proc/*/fd of one run
	factBudget = 4096        // facts of one run
	maxOwned   = 4096        // sockets remembered
)

// calls holds the numbers of the calls that the witness looks at.
type calls struct {
	restart, socket, bind, listen, flock, fcntl, clone, clone3, fork, vfork, execve, execveat map[event.Arch]uint32
	opens                                                                                     map[event.Arch]map[uint32]bool
}

func newWitness(s lens.Sink, interpreter func(pid int32) pythonState) *witness {
	w := &witness{
		sink: s, interpreter: interpreter, gils: map[int32]remote.GIL{}, budget: factBudget,
		done: map[fact]bool{}, types: map[owned]uint32{}, bound: map[owned][]byte{}, hung: map[int32]bool{}, flying: map[int32]bool{},
	}
	number := func(name string) map[event.Arch]uint32 {
		m := map[event.Arch]uint32{}
		for _, a := range []event.Arch{event.ArchX8664, event.ArchI386, event.ArchAArch64} {
			m[a] = ^uint32(0)
			if nr, ok := sysabi.Number(a, name); ok {
				m[a] = nr
			}
		}
		return m
	}
	w.calls = calls{
		restart: number("restart_syscall"), socket: number("socket"), bind: number("bind"), listen: number("listen"), flock: number("flock"), fcntl: number("fcntl"),
		clone: number("clone"), clone3: number("clone3"), fork: number("fork"), vfork: number("vfork"),
		execve: number("execve"), execveat: number("execveat"), opens: map[event.Arch]map[uint32]bool{},
	}
	for _, name := range []string{"open", "openat", "openat2", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat"} {
		for a, nr := range number(name) {
			if w.opens[a] == nil {
				w.opens[a] = map[uint32]bool{}
			}
			w.opens[a][nr] = nr != ^uint32(0)
		}
	}
	for _, m := range []map[event.Arch]uint32{w.socket, w.bind} {
		for _, nr := range m {
			if int(nr) < len(w.made) {
				w.made[nr] = true
			}
		}
	}
	w.ooms = oomKills()
	return w
}

// Put passes the event on and looks around when it tells of a trouble.
func (w *witness) Put(e event.Event) {
	w.sink.Put(e)
	switch body := e.Body.(type) {
	case *event.Syscall:
		switch {
		case body.Flags&event.Unfinished != 0:
			w.mu.Lock()
			// restart_syscall(2) doesn't say which call it goes on with.
			w.flying[e.TID] = body.NR != w.restart[body.Arch]
			w.mu.Unlock()
		case body.Ret >= 0:
			if int(body.NR) < len(w.made) && w.made[body.NR] {
				w.succeeded(e.PID, body)
			}
		case body.Flags&event.Injected == 0:
			w.failed(e, body)
		}
	case *event.Signal:
		w.signal(e, body)
	case *event.Exit:
		w.mu.Lock()
		delete(w.flying, e.TID)
		w.mu.Unlock()
		if e.PID == e.TID {
			w.exit(e, body)
		}
	case *event.Wait:
		w.mu.Lock()
		w.wait(e, body)
		w.mu.Unlock()
	}
}

// succeeded remembers of a socket what a later failure needs.
func (w *witness) succeeded(pid int32, s *event.Syscall) {
	switch s.NR {
	case w.socket[s.Arch]:
		w.mu.Lock()
		if len(w.types) < maxOwned {
			w.types[owned{pid, int32(s.Ret)}] = uint32(s.Args[1] & 0xf)
		}
		w.mu.Unlock()
	case w.bind[s.Arch]:
		if a, ok := sysabi.Decode(s).Sockaddr(); ok {
			w.mu.Lock()
			if len(w.bound) < maxOwned {
				w.bound[owned{pid, int32(s.Args[0])}] = append([]byte(nil), a.Raw...)
			}
			w.mu.Unlock()
		}
	}
}

func (w *witness) failed(e event.Event, s *event.Syscall) {
	errno := unix.Errno(-s.Ret)
	switch errno {
	case unix.EADDRINUSE, unix.EACCES, unix.EAGAIN, unix.EEXIST, unix.EROFS, unix.ENOSPC, unix.EDQUOT,
		unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.EFBIG, unix.ENOENT, unix.ENOEXEC:
	default:
		return
	}
	nr, arch := s.NR, s.Arch
	exec := nr == w.execve[arch] || nr == w.execveat[arch]
	if !exec && (errno == unix.ENOENT || errno == unix.ENOEXEC) {
		return // the most common failure of all
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if exec && (errno == unix.ENOENT || errno == unix.ENOEXEC || errno == unix.EACCES) {
		w.program(e, s)
	}
	switch errno {
	case unix.EADDRINUSE:
		var addr []byte
		switch nr {
		case w.bind[arch]:
			a, _ := sysabi.Decode(s).Sockaddr()
			addr = a.Raw
		case w.listen[arch]:
			addr = w.bound[owned{e.PID, int32(s.Args[0])}]
		default:
			return
		}
		w.address(e, int32(s.Args[0]), addr)
	case unix.EACCES, unix.EAGAIN:
		switch nr {
		case w.execve[arch], w.execveat[arch]:
			if path := pathOf(e.PID, s); errno == unix.EACCES && path != "" {
				w.file(e, path, true)
			}
		case w.flock[arch], w.fcntl[arch]:
			if nr == w.fcntl[arch] && !setsLock(s.Args[1]) {
				return
			}
			w.lock(e, int32(s.Args[0]))
		case w.clone[arch], w.clone3[arch], w.fork[arch], w.vfork[arch]:
			if errno == unix.EAGAIN {
				w.limits(e, "RLIMIT_NPROC")
				w.pids(e)
			}
		}
	case unix.EEXIST:
		if w.opens[arch][nr] {
			w.lockFile(e, pathOf(e.PID, s))
		}
	case unix.EROFS, unix.ENOSPC, unix.EDQUOT:
		if path := subject(e.PID, s); path != "" {
			w.file(e, path, false)
		}
	case unix.ENOMEM:
		w.limits(e, "RLIMIT_AS", "RLIMIT_DATA")
		w.memory(e)
	case unix.EMFILE:
		w.limits(e, "RLIMIT_NOFILE")
	case unix.EFBIG:
		w.limits(e, "RLIMIT_FSIZE")
	}
}

// setsLock tells fcntl's locking commands that don't wait (fcntl(2)): F_SETLK,
// F_OFD_SETLK.
func setsLock(cmd uint64) bool { return cmd == unix.F_SETLK || cmd == unix.F_OFD_SETLK }

// signal tells who sent a signal and which limit one of the kernel's is about.
func (w *witness) signal(e event.Event, s *event.Signal) {
	if len(s.Siginfo) < 24 {
		return
	}
	le := binary.LittleEndian
	signo, code, from := unix.Signal(le.Uint32(s.Siginfo)), int32(le.Uint32(s.Siginfo[8:])), int32(le.Uint32(s.Siginfo[16:]))
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case signo == unix.SIGXCPU:
		w.limits(e, "RLIMIT_CPU")
	case signo == unix.SIGXFSZ:
		w.limits(e, "RLIMIT_FSIZE")
	case code <= 0 && from > 0 && from != e.PID && signo != unix.SIGCHLD && signo != unix.SIGWINCH && signo != unix.SIGURG:
		if name := sysabi.SignalName(int(signo)); w.once(e.PID, "signal", name+"\x00"+strconv.Itoa(int(from))) {
			h := who(from)
			h.What, h.Name, h.UID = "signal", name, le.Uint32(s.Siginfo[20:])
			w.put(e, h)
		}
	}
}

// exit asks after a SIGKILL whether the kernel was out of memory.
func (w *witness) exit(e event.Event, x *event.Exit) {
	if x.Status&0x7f != uint32(unix.SIGKILL) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for source, n := range oomKills() {
		if before, known := w.ooms[source]; known && n > before {
			w.put(e, &event.Limit{What: "oom-kill", Name: source, Used: n - before})
		}
		w.ooms[source] = n
	}
}

// once reports whether a fact has not been read yet and may be.
func (w *witness) once(pid int32, what, name string) bool {
	k := fact{pid, what, name}
	if w.done[k] || w.budget <= 0 {
		return false
	}
	w.budget--
	w.done[k] = true
	return true
}

func (w *witness) put(e event.Event, body event.Body) {
	w.sink.Put(event.Event{Time: lens.Now(), PID: e.PID, TID: e.TID, Body: body})
}
