package ptrace

import (
	"encoding/binary"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/python/inject"
	pystack "culprit/internal/lens/python/remote"
	"culprit/internal/procfs"
	"culprit/internal/remote"
	"culprit/internal/sysabi"
)

// task is one thread. A thread group shares proc, tasks that share descriptors
// (CLONE_FILES) share files.
type task struct {
	tid, pid int32
	proc     *process
	files    *files
	started  bool // its first stop has been seen

	asked   event.Time // when it was interrupted in order to be attached to; 0 once it stood
	resumes uint32     // number of the call that restart_syscall(2) goes on with, if it is the next

	// The call in flight, from the filter's stop to the exit stop.
	inCall bool
	emit   bool
	role   role
	call   *sysabi.Call
	sys    event.Syscall
	start  event.Time
	arena  *sysabi.Arena // holds what was copied at entry; nil when nothing was
	lim    sysabi.Limits
	fd     int32       // of the data that flows
	desc   *descriptor // what fd is, nil when not known
}

// process is one thread group.
type process struct {
	pid    int32
	tasks  int
	mem    int    // /proc/PID/mem, 0 when not open
	pidfd  int    // 0 when not open, -1 when it can't be opened
	notes  uint32 // given for this process
	peeked bool   // its sockets were looked at for the last time
	door   *inject.Door
	python *pystack.Reader // nil in what is no Python, or has no agent
}

func (r *Recorder) newProcess(pid int32) *process {
	p := &process{pid: pid}
	r.procs[pid] = p
	r.mu.Lock()
	r.alive[pid] = true
	r.mu.Unlock()
	return p
}

func (r *Recorder) newTask(tid int32, p *process, f *files) *task {
	t := &task{tid: tid, pid: p.pid, proc: p, files: f}
	f.refs++
	p.tasks++
	r.tasks[tid] = t
	return t
}

// drop forgets a task, and its process with the last one.
func (r *Recorder) drop(t *task) {
	delete(r.tasks, t.tid)
	if t.asked != 0 {
		r.unstood--
	}
	r.giveArena(t)
	r.releaseFiles(t.files)
	t.proc.tasks--
	if t.proc.tasks > 0 {
		return
	}
	r.closeProcess(t.proc)
	delete(r.procs, t.pid)
	r.mu.Lock()
	delete(r.alive, t.pid)
	r.mu.Unlock()
}

func (r *Recorder) closeProcess(p *process) {
	if p.mem > 0 {
		_ = unix.Close(p.mem)
	}
	if p.pidfd > 0 {
		_ = unix.Close(p.pidfd)
	}
	p.mem, p.pidfd = 0, 0
}

func (r *Recorder) put(t *task, at event.Time, body event.Body) {
	if !r.pass {
		r.sink.Put(event.Event{Time: at, PID: t.pid, TID: t.tid, Body: body})
	}
}

// loop waits for stops and answers them until nothing is left to trace.
func (r *Recorder) loop() {
	for len(r.tasks) > 0 || len(r.held) > 0 {
		if w := r.wake.Load(); w != 0 && !r.pass {
			if w&wakeCtx != 0 {
				r.waits()
			}
			r.finish()
		}
		if r.pass && r.running && (r.unstood == 0 || lens.Now() > r.until) {
			return // the end of this thread lets all go
		}
		tid, e := r.wait()
		switch e {
		case 0:
			if tid == 0 { // nobody has stopped
				time.Sleep(time.Millisecond)
				continue
			}
			r.stopped(tid, r.waiter.Status)
		case unix.EINTR:
		default: // ECHILD: nothing is ours any more
			r.finish()
			return
		}
	}
	r.finish()
}

func (r *Recorder) wait() (int32, unix.Errno) {
	if r.pass && r.running {
		return r.waiter.Poll()
	}
	return r.waiter.Wait()
}

// finish ends the recording: from here on everything is only let through.
func (r *Recorder) finish() {
	if r.pass {
		return
	}
	r.losses()
	if r.unstood > 0 {
		for _, t := range r.tasks {
			r.paused(t)
			break
		}
	}
	r.pass = true
	r.until = lens.Now() + maxUnstood
	for _, t := range r.tasks {
		r.giveArena(t)
	}
	for _, p := range r.procs {
		r.closeProcess(p)
		if p.door != nil {
			p.door.Close()
		}
	}
	r.arenas, r.streams, r.peekBuf, r.leave = nil, nil, nil, sysabi.Arena{}
	close(r.recorded)
}

// resume lets a stopped task go on: to the exit of its call when it is in one,
// else until something happens. A task that is gone meanwhile is no error, its
// wait status follows.
func (r *Recorder) resume(t *task, sig unix.Signal) {
	req := uintptr(unix.PTRACE_CONT)
	if t.inCall || r.running && !r.pass {
		req = unix.PTRACE_SYSCALL
	}
	_ = ptrace(req, t.tid, 0, uintptr(sig))
}

func (r *Recorder) stopped(tid int32, status uint32) {
	t := r.tasks[tid]
	st := unix.WaitStatus(status)
	if t == nil {
		// Stopped for the first time, or dead, before its parent's event.
		r.held[tid] = status
		if status>>16 == eventExit { // killed before anything else
			_ = ptrace(unix.PTRACE_CONT, tid, 0, 0)
		}
		if r.kills || len(r.tasks) == 0 {
			r.orphans()
		}
		return
	}
	if !st.Stopped() {
		r.ended(t, status)
		return
	}
	if t.proc.door != nil && r.atDoor(t, st) {
		return
	}
	if r.pass {
		r.passOn(t, st, status>>16)
		return
	}
	switch ev := status >> 16; {
	case ev == eventSeccomp:
		r.enter(t)
	case st.StopSignal() == unix.SIGTRAP|0x80 && r.running:
		r.callStop(t)
	case st.StopSignal() == unix.SIGTRAP|0x80:
		r.exit(t)
	case ev == 0:
		r.signalled(t, st.StopSignal())
	case ev == eventStop:
		r.groupStop(t, st.StopSignal())
	case ev == eventFork || ev == eventVfork || ev == eventClone:
		if child, ok := r.eventMessage(t.tid); ok {
			r.forked(t, child, ev)
		}
		r.resume(t, 0)
	case ev == eventExec:
		former, ok := r.eventMessage(t.tid)
		if !ok {
			former = tid
		}
		r.resume(r.exec(t, former), 0)
	case ev == eventExit:
		r.exiting(t)
		r.resume(t, 0)
	default:
		r.resume(t, 0)
	}
}

// atDoor answers a stop that has to do with the agent's way in.
func (r *Recorder) atDoor(t *task, st unix.WaitStatus) bool {
	switch t.proc.door.Stopped(int(t.tid), st) {
	case remote.Busy:
		return true
	case remote.Done:
		t.proc.python = readerOf(t.pid, t.proc.door.Interpreter())
		t.proc.door = nil
		r.resume(t, 0)
		return true
	case remote.Gone:
		t.proc.door = nil
	}
	return false
}

// enterDoor sees what program a process runs from now on; t stands still.
func (r *Recorder) enterDoor(t *task) {
	t.proc.door, t.proc.python = nil, nil
	if r.opt.Agent != nil && !r.pass {
		t.proc.door = r.opt.Agent.Exec(int(t.pid))
	}
}

// passOn answers a stop without recording.
func (r *Recorder) passOn(t *task, st unix.WaitStatus, ev uint32) {
	t.inCall = false
	switch {
	case ev == 0 && st.StopSignal() != unix.SIGTRAP|0x80:
		r.resume(t, st.StopSignal())
		return
	case ev == eventStop:
		r.groupStop(t, st.StopSignal())
		return
	case ev == eventFork || ev == eventVfork || ev == eventClone:
		if child, ok := r.eventMessage(t.tid); ok {
			r.forked(t, child, 0)
		}
	case ev == eventExec:
		if former, ok := r.eventMessage(t.tid); ok {
			t = r.takeOver(t, former)
		}
		t.proc.door = nil
	}
	r.resume(t, 0)
}

func stopSignal(s unix.Signal) bool {
	return s == unix.SIGSTOP || s == unix.SIGTSTP || s == unix.SIGTTIN || s == unix.SIGTTOU
}

// groupStop answers PTRACE_EVENT_STOP: a new task's first stop, a group-stop,
// or its end.
func (r *Recorder) groupStop(t *task, sig unix.Signal) {
	t.started = true
	if t.asked != 0 {
		r.stands(t, sig)
	}
	if !stopSignal(sig) {
		r.resume(t, 0)
		return
	}
	if e := ptrace(reqListen, t.tid, 0, 0); e != 0 {
		return
	}
	if t.tid == r.root && r.opt.OnStop != nil {
		r.opt.OnStop(sig)
	}
}

// signalled records a signal and delivers it unchanged.
func (r *Recorder) signalled(t *task, sig unix.Signal) {
	if ptrace(reqGetSiginfo, t.tid, 0, uintptr(unsafe.Pointer(&r.siginfo))) != 0 {
		r.resume(t, sig)
		return
	}
	if !r.started && t.tid == r.root && sig == unix.SIGCONT {
		r.started = true // the one that begin sent
		r.resume(t, 0)
		return
	}
	r.signal.Siginfo = r.siginfo[:]
	at := lens.Now()
	if sig == unix.SIGINT && r.byUser() && at > r.looked+lookAgain {
		// Now it shows what they waited for: whoever pressed Ctrl-C was tired of it.
		r.looked = at
		r.looks++
		r.look()
	}
	crash := r.crash(t, sig)
	r.resume(t, sig)
	r.put(t, at, &r.signal)
	if crash != nil {
		r.put(t, lens.Now(), crash)
	}
}

// byUser reports whether the signal of r.siginfo came from the terminal, or was
// passed on by us (siginfo_t: si_code at 8, si_pid at 16).
func (r *Recorder) byUser() bool {
	const kernel = 0x80 // SI_KERNEL (asm-generic/siginfo.h)
	code, from := binary.NativeEndian.Uint32(r.siginfo[8:]), binary.NativeEndian.Uint32(r.siginfo[16:])
	return code == kernel || int(from) == os.Getpid()
}

// lookAgain is how much later than the one before a Ctrl-C is a new one, in ns:
// all processes in the foreground get it.
const lookAgain = 500_000_000

// forked takes in a new task; ev says whether it came by fork, vfork or clone.
func (r *Recorder) forked(t *task, child int32, ev uint32) {
	// A thread of this group answers to its group's id; a signal 0 only asks.
	thread := unix.Tgkill(int(t.pid), int(child), 0) != unix.ESRCH
	if r.tasks[child] != nil {
		return // taken in when its parent seemed dead
	}
	r.put(t, lens.Now(), &event.Fork{Child: child, Thread: thread})
	p, f := t.proc, t.files
	if !thread {
		p = r.newProcess(child)
		if ev != eventClone || !sameFiles(t.tid, child) {
			f = t.files.clone()
		}
		if d := t.proc.door; d != nil && !sharesMemory(t.tid, child) {
			p.door = d.Fork(int(child))
		}
		if t.proc.python != nil {
			p.python = t.proc.python.In(int(child))
		}
	}
	r.newTask(child, p, f)
	if status, ok := r.held[child]; ok {
		delete(r.held, child)
		r.stopped(child, status)
	}
}

// sameFiles asks whether two tasks share their descriptors, sharesMemory whether
// they share their memory (kcmp(2), KCMP_FILES and KCMP_VM).
func sameFiles(a, b int32) bool    { return same(a, b, 2) }
func sharesMemory(a, b int32) bool { return same(a, b, 1) }

// same is false where the kernel can't say.
func same(a, b int32, what uintptr) bool {
	v, _, e := unix.RawSyscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), what, 0, 0, 0)
	return e == 0 && v == 0
}

// orphans takes in the tasks whose parent was killed before it could tell of
// them: those whose parent process is not traced any more.
func (r *Recorder) orphans() {
	for tid, status := range r.held {
		last := len(r.tasks) == 0 // nobody is left to tell
		if !unix.WaitStatus(status).Stopped() {
			if last {
				delete(r.held, tid)
			}
			continue
		}
		tgid, ppid, ok := procfs.Family(tid)
		if !ok {
			continue // killed: its wait status follows
		}
		p := r.procs[tgid]
		if !last && (p != nil || r.procs[ppid] != nil) {
			continue
		}
		delete(r.held, tid)
		f := newFiles()
		if p == nil {
			p = r.newProcess(tgid)
		} else if t := r.tasks[tgid]; t != nil {
			f = t.files
		}
		t := r.newTask(tid, p, f)
		if !r.pass {
			r.sink.Put(event.Event{Time: lens.Now(), PID: ppid, TID: ppid, Body: &event.Fork{Child: tid, Thread: tid != tgid}})
		}
		r.stopped(t.tid, status)
	}
}

// exec takes in a successful execve: its record ends here, with result 0, and
// the process is another program from now on.
func (r *Recorder) exec(t *task, former int32) *task {
	caller := t
	if f := r.tasks[former]; f != nil {
		caller = f
	}
	if caller.inCall {
		caller.sys.Ret = 0
		r.finishCall(caller, lens.Now(), false)
	}
	leader := t.tid
	t = r.takeOver(t, former)
	r.releaseFiles(t.files)
	t.files = newFiles()
	t.files.refs++
	if t.proc.mem > 0 {
		_ = unix.Close(t.proc.mem)
	}
	t.proc.mem, t.proc.notes, t.proc.peeked = 0, 0, false
	if former == leader {
		former = 0
	}
	r.execed(t, former)
	r.enterDoor(t)
	return t
}

// takeOver gives the thread that called execve its leader's id, as the kernel
// does, and forgets the group's other threads, which are dead.
func (r *Recorder) takeOver(leader *task, former int32) *task {
	t := r.tasks[former]
	if t == nil || t.proc != leader.proc {
		t = leader
	}
	for _, other := range r.tasks {
		if other.proc != t.proc || other == t {
			continue
		}
		if other.inCall {
			r.unfinished(other)
		}
		r.drop(other)
	}
	if t != leader {
		delete(r.tasks, former)
		t.tid = leader.tid
		r.tasks[t.tid] = t
	}
	return t
}

// exiting is the last look at a task that is about to end.
func (r *Recorder) exiting(t *task) {
	if t.inCall {
		r.unfinished(t)
	}
	status, _ := r.eventMessage(t.tid)
	if !t.proc.peeked && (status&0x7f != 0 || t.proc.tasks == 1) {
		r.peekAll(t)
	}
}

// ended takes a task out that is gone.
func (r *Recorder) ended(t *task, status uint32) {
	if t.inCall {
		r.unfinished(t)
	}
	r.put(t, lens.Now(), &event.Exit{Status: status})
	r.drop(t)
	if t.tid == r.root && !r.exited {
		r.exited = true
		r.mu.Lock()
		r.result, r.done = unix.WaitStatus(status), true
		r.mu.Unlock()
		if r.opt.OnExit != nil {
			r.opt.OnExit(unix.WaitStatus(status))
		}
		close(r.rootGone)
	}
	r.kills = r.kills || unix.WaitStatus(status).Signaled()
	if len(r.held) > 0 {
		r.orphans()
	}
}
