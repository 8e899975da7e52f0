package ebpf

import (
	"encoding/binary"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/procfs"
	"culprit/internal/sysabi"
)

// task is one thread.
type task struct {
	tid  int32
	proc *process

	// What was copied of the record to come: parts that came before it.
	seq   uint32
	parts []event.Mem
	store []byte
	other []byte // argv of an execve, which is no memory of a call

	// A call that a signal interrupted, until it is known that the thread
	// survived: if not, it never returned to the program.
	held   *event.Syscall
	heldAt event.Time
}

// process is one thread group.
type process struct {
	pid    int32
	tasks  int
	fds    map[int32]*descriptor
	closed int // of fds, those that are not announced
	notes  uint32
	// The leader's end counts when the last thread is gone.
	ended  bool
	status uint32
	// The last signal that was sent to it, until it is delivered.
	sent     [48]byte
	sentTo   int32
	sentTime event.Time
}

func (r *Recorder) process(pid int32) *process {
	p := r.procs[pid]
	if p == nil {
		p = &process{pid: pid, fds: map[int32]*descriptor{}}
		r.procs[pid] = p
		r.mu.Lock()
		r.alive[pid] = true
		r.mu.Unlock()
	}
	return p
}

func (r *Recorder) task(p *process, tid int32) *task {
	t := r.tasks[tid]
	if t == nil {
		t = &task{tid: tid, proc: p}
		p.tasks++
		r.tasks[tid] = t
	}
	return t
}

func (r *Recorder) drop(t *task) {
	r.last = nil
	delete(r.tasks, t.tid)
	if t.proc.tasks--; t.proc.tasks > 0 {
		return
	}
	r.dropProcess(t.proc)
}

func (r *Recorder) dropProcess(p *process) {
	delete(r.procs, p.pid)
	r.mu.Lock()
	delete(r.alive, p.pid)
	r.mu.Unlock()
}

// record takes in one record of the ring.
func (r *Recorder) record(b []byte) {
	c := cursor{b: b}
	h := c.head()
	if c.bad {
		r.damaged++
		return
	}
	t := r.last
	if t == nil || t.tid != h.tid || t.proc.pid != h.pid {
		t = r.task(r.process(h.pid), h.tid)
		r.last = t
	}
	if t.held != nil && h.kind != recordExit && h.flags&flagGenerated == 0 {
		r.put(t, t.heldAt, t.held)
		t.held = nil
	}
	switch h.kind {
	case recordSyscall:
		r.syscall(t, &h, &c)
	case recordPart:
		r.part(t, &h, &c)
	case recordFork:
		child := int32(c.u32())
		thread := h.flags&flagThread != 0
		r.put(t, event.Time(h.time), &event.Fork{Child: child, Thread: thread})
		p := t.proc
		if !thread {
			p = r.process(child)
		}
		r.task(p, child)
	case recordExec:
		r.exec(t, &h, &c)
	case recordExit:
		r.exit(t, &h, &c)
	case recordSignal:
		r.signalled(t, &h, &c)
	case recordFD:
		r.described(t, &h, &c)
	case recordPeek:
		r.peeked(t, &h, &c)
	default:
		r.damaged++
		return
	}
	if c.bad {
		r.damaged++
	}
}

func (r *Recorder) put(t *task, at event.Time, body event.Body) {
	r.sink.Put(event.Event{Time: at, PID: t.proc.pid, TID: t.tid, Body: body})
}

// part keeps memory until the record it belongs to comes.
func (r *Recorder) part(t *task, h *head, c *cursor) {
	if t.seq != h.seq {
		t.reset(h.seq)
	}
	for {
		p, ok := c.next()
		if !ok {
			return
		}
		if p.at == atArgv {
			t.other = append(t.other, p.data...)
			continue
		}
		n := len(t.store)
		t.store = append(t.store, p.data...)
		// Earlier pieces keep the array that they were copied into.
		t.parts = append(t.parts, event.Mem{At: event.Phase(p.at), Addr: p.addr, Data: t.store[n:len(t.store):len(t.store)]})
	}
}

// keepStore is what a thread may keep of its store for the next call.
const keepStore = 64 << 10

func (t *task) reset(seq uint32) {
	t.seq = seq
	t.parts = t.parts[:0]
	t.other = t.other[:0]
	if cap(t.store) > keepStore {
		t.store = nil
	}
	t.store = t.store[:0]
}

func (r *Recorder) syscall(t *task, h *head, c *cursor) {
	s := &r.sys
	s.Arch, s.Flags = archNative, 0
	if h.flags&flagCompat != 0 {
		s.Arch = archCompat
	}
	s.NR = c.u32()
	mode, ino, kept := c.u32(), c.u32(), c.u32()
	s.Dur, s.Ret = int64(c.u64()), int64(c.u64())
	for i := range s.Args {
		s.Args[i] = c.u64()
	}
	s.Mem = s.Mem[:0]
	if h.flags&flagParts != 0 {
		if t.seq == h.seq {
			s.Mem = append(s.Mem, t.parts...)
		} else {
			h.lost++
		}
	}
	if h.lost > 0 {
		r.partial++
	}
	for {
		p, ok := c.next()
		if !ok {
			break
		}
		s.Mem = append(s.Mem, event.Mem{At: event.Phase(p.at & 1), Addr: p.addr, Data: p.data})
	}
	if c.bad {
		return
	}
	if h.flags&flagUnfinished != 0 {
		s.Ret, s.Flags = 0, event.Unfinished
	}
	f := r.facts(s)
	if h.flags&flagFD != 0 && f.fd >= 0 {
		r.transfer(t, h, s, f, mode, ino, kept)
	}
	if s.Ret <= -512 && s.Ret >= -516 && s.Flags == 0 { // ERESTARTSYS and its like (linux/errno.h)
		t.hold(s, event.Time(h.time))
		return
	}
	r.put(t, event.Time(h.time), s)
	if f.role != plain {
		r.after(t, s, f.role)
	}
}

// role is what a call means to the recorder itself.
type role uint8

const (
	plain role = iota
	roleClose
	roleCloseRange
	roleDup2
	roleConnect
	rolePrctl
	roleSeccomp
	roleUring
	roleUncounted // the result does not count bytes that pass through memory
)

// facts is what the reader asks about every call, by number.
type facts struct {
	role role
	fd   int8 // argument that data flows through, -1: none
}

func factsOf(arch event.Arch) *[tableSize]facts {
	t := new([tableSize]facts)
	for nr := range t {
		t[nr].fd = -1
		if c := sysabi.Lookup(arch, uint32(nr)); c != nil && c.Data() {
			t[nr].fd = int8(c.FD())
		}
	}
	for name, role := range map[string]role{
		"close": roleClose, "close_range": roleCloseRange, "dup2": roleDup2, "dup3": roleDup2,
		"connect": roleConnect, "prctl": rolePrctl, "seccomp": roleSeccomp, "io_uring_setup": roleUring,
		"sendmmsg": roleUncounted, "recvmmsg": roleUncounted, "sendfile": roleUncounted,
		"sendfile64": roleUncounted, "splice": roleUncounted, "tee": roleUncounted,
	} {
		if nr, ok := sysabi.Number(arch, name); ok && nr < tableSize {
			t[nr].role = role
		}
	}
	return t
}

// after follows what a call changed.
func (r *Recorder) after(t *task, s *event.Syscall, role role) {
	a := &s.Args
	if role == roleClose && s.Ret != -int64(unix.EBADF) && s.Flags == 0 {
		t.proc.forget(int32(a[0]))
		return
	}
	if s.Ret < 0 {
		return
	}
	switch role {
	case roleDup2:
		if a[0] != a[1] {
			t.proc.forget(int32(a[1]))
		}
	case roleCloseRange:
		if a[2]&unix.CLOSE_RANGE_CLOEXEC == 0 {
			for fd := range t.proc.fds {
				if uint32(fd) >= uint32(a[0]) && uint32(fd) <= uint32(a[1]) {
					t.proc.forget(fd)
				}
			}
		}
	case rolePrctl:
		if a[0] == unix.PR_SET_SECCOMP {
			r.note(t, noteSeccomp)
		}
	case roleSeccomp:
		if a[0] == unix.SECCOMP_SET_MODE_FILTER || a[0] == unix.SECCOMP_SET_MODE_STRICT {
			r.note(t, noteSeccomp)
		}
	case roleUring:
		r.note(t, noteUring)
	}
}

func (t *task) hold(s *event.Syscall, at event.Time) {
	c := *s
	c.Mem = make([]event.Mem, len(s.Mem))
	for i, m := range s.Mem {
		m.Data = slices.Clone(m.Data)
		c.Mem[i] = m
	}
	t.held, t.heldAt = &c, at
}

func (r *Recorder) exec(t *task, h *head, c *cursor) {
	p := t.proc
	x := &event.Exec{UID: c.u32(), Former: int32(c.u32()), Secure: c.u32() != 0}
	_ = c.u32()
	var argv []byte
	if t.seq == h.seq {
		argv = t.other
	}
	for {
		q, ok := c.next()
		if !ok {
			break
		}
		switch q.at {
		case atArgv:
			argv = append(argv, q.data...)
		case atExe:
			x.Exe = path(q.data)
		case atCwd:
			x.Cwd = path(q.data)
		}
	}
	x.Argv = procfs.Strings(argv)
	r.last = nil
	if x.Former != 0 {
		// The caller has its leader's id now; the leader's end was no end.
		if f := r.tasks[x.Former]; f != nil {
			delete(r.tasks, x.Former)
			p.tasks--
		}
		p.ended = false
	}
	p.fds, p.closed = map[int32]*descriptor{}, 0
	p.notes = 0
	t.reset(h.seq)
	r.put(t, event.Time(h.time), x)
	if x.Secure {
		r.note(t, noteSecure)
	}
	if len(r.opt.Env) > 0 && withoutAgent(p.pid, x, r.opt.Env) {
		r.note(t, noteNoAgent)
	}
}

func (r *Recorder) exit(t *task, h *head, c *cursor) {
	p := t.proc
	status, group := c.u32(), c.u32()
	if group&(1<<31) != 0 {
		status = group &^ (1 << 31)
	}
	at := event.Time(h.time)
	leader := t.tid == p.pid
	signalled := r.killed(p, status)
	if t.held != nil {
		if !signalled {
			t.held.Ret, t.held.Flags = 0, event.Unfinished
		}
		r.put(t, t.heldAt, t.held)
		t.held = nil
	}
	if signalled {
		r.siginfoOf(p, p.sentTo, p.sentTime, p.sent[:])
		p.sentTo = 0
	}
	dead := h.flags&flagGroupDead != 0
	if leader {
		p.ended, p.status = true, status
	} else {
		r.put(t, at, &event.Exit{Status: status})
	}
	if dead {
		if group&(1<<31) != 0 {
			p.status = status
		}
		r.sink.Put(event.Event{Time: at, PID: p.pid, TID: p.pid, Body: &event.Exit{Status: p.status}})
		if p.pid == r.root {
			r.mu.Lock()
			if !r.done {
				r.result, r.done = unix.WaitStatus(p.status), true
			}
			r.mu.Unlock()
		}
	}
	r.drop(t)
	if dead && r.procs[p.pid] == p { // a thread's end was lost
		for tid, other := range r.tasks {
			if other.proc == p {
				delete(r.tasks, tid)
			}
		}
		r.dropProcess(p)
	}
}

// signalled takes in a signal. One that was only sent is kept: if it kills the
// process at once, it is never delivered (kernel/signal.c, complete_signal).
func (r *Recorder) signalled(t *task, h *head, c *cursor) {
	q, ok := c.next()
	if !ok || len(q.data) < 48 {
		return
	}
	p := t.proc
	number := binary.NativeEndian.Uint32(q.data)
	if h.flags&flagGenerated != 0 {
		p.sentTo, p.sentTime = t.tid, event.Time(h.time)
		copy(p.sent[:], q.data)
		return
	}
	// si_code SI_USER, si_pid ours: the signal that started the program.
	if t.tid == r.root && number == uint32(unix.SIGCONT) && !r.started &&
		binary.NativeEndian.Uint32(q.data[16:]) == uint32(os.Getpid()) {
		r.started = true
		return
	}
	if p.sentTo != 0 && binary.NativeEndian.Uint32(p.sent[:]) == number {
		p.sentTo = 0
	}
	r.siginfoOf(p, t.tid, event.Time(h.time), q.data)
}

func (r *Recorder) siginfoOf(p *process, tid int32, at event.Time, info []byte) {
	clear(r.siginfo[copy(r.siginfo[:], info):])
	r.signal.Siginfo = r.siginfo[:]
	r.sink.Put(event.Event{Time: at, PID: p.pid, TID: tid, Body: &r.signal})
}

// killed says whether a process was ended by the signal that it was sent last,
// which then was never delivered.
func (r *Recorder) killed(p *process, status uint32) bool {
	sig := status & 0x7f
	return p.sentTo != 0 && sig != uint32(unix.SIGKILL) && binary.NativeEndian.Uint32(p.sent[:]) == sig
}

// Facts about coverage, a bit each.
const (
	noteSecure uint32 = 1 << iota
	noteSeccomp
	noteUring
	noteNoFragments
	noteNoAgent
)

const perRun = noteNoFragments

var noteTexts = map[uint32][2]string{
	noteSecure:      {"set-uid", "the program got privileges from its file (AT_SECURE): the agent and the key log do not work in it"},
	noteSeccomp:     {"own-seccomp", "the program set a seccomp filter of its own: calls that it refuses are not seen"},
	noteUring:       {"io-uring", "the program set up io_uring: operations submitted through it are not seen"},
	noteNoAgent:     {"no-agent", "a Python program was started with an environment of its own, which the eBPF recorder does not change: its exceptions are not seen (--backend ptrace gives it the agent)"},
	noteNoFragments: {"no-socket-look", "the kernel's memory could not be located: unread answers may be missing"},
}

func (r *Recorder) note(t *task, bit uint32) {
	given := &r.noted
	if bit&perRun == 0 {
		given = &t.proc.notes
	}
	if *given&bit != 0 {
		return
	}
	*given |= bit
	text := noteTexts[bit]
	e := event.Event{Time: lens.Now(), Body: &event.Note{Lens: "kernel", Code: text[0], Text: text[1]}}
	if t != nil {
		e.PID, e.TID = t.proc.pid, t.tid
	}
	r.sink.Put(e)
}
