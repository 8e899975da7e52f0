package tracer

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/remote"
	"culprit/internal/sysabi"
)

// loop waits for stops and answers them until no child is left.
func (r *Tracer) loop() {
	for {
		r.ring.Store(false)
		r.release()
		if r.stop.Load() == 1 {
			r.detachAll()
			return
		}
		switch r.gather() {
		case 0:
			for len(r.stops) > 0 && r.stop.Load() == 0 {
				s := r.stops[0]
				r.stops = r.stops[1:]
				r.stopped(s)
			}
		case unix.EINTR:
		default: // ECHILD
			return
		}
	}
}

// stop is one wait status.
type stop struct {
	tid    int32
	status uint32
	cpu    int64
}

// gather takes in the stops that there are, at most one of a task but for the
// last: they are answered in turn, so that no task that stops ever so often
// keeps others waiting.
func (r *Tracer) gather() unix.Errno {
	r.stops = r.queue[:0]
	tid, e := r.waiter.Wait()
	for e == 0 && tid != 0 {
		s := stop{tid, r.waiter.Status, r.usage.Stime.Nano()}
		r.stops = append(r.stops, s)
		if len(r.tasks) < 2 {
			break
		}
		if t := r.tasks[tid]; t != nil {
			if t.queued == r.round {
				break
			}
			t.queued = r.round
		}
		tid, e = r.waiter.Poll()
	}
	r.round++
	r.queue = r.stops
	if len(r.stops) > 0 {
		return 0
	}
	return e
}

// resume lets a stopped task go on to its next stop. A task that is gone
// meanwhile is no error, its wait status follows.
func (r *Tracer) resume(t *Task, sig unix.Signal) {
	if t.detach {
		r.detach(t, sig)
		return
	}
	op := uintptr(unix.PTRACE_SYSCALL)
	if r.opt.Only != nil && !t.InCall && !t.exec { // the filter stops it
		op = unix.PTRACE_CONT
	}
	_ = ptrace(op, t.TID, 0, uintptr(sig))
}

func (r *Tracer) stopped(s stop) {
	st := unix.WaitStatus(s.status)
	r.h.Waited(s.tid, st)
	t := r.tasks[s.tid]
	if t == nil {
		if t = r.unknown(s.tid, st); t == nil {
			return
		}
	}
	if r.opt.Usage {
		t.CPU = s.cpu
	}
	if t.calls != nil && r.called(t, t.calls.Stopped(st)) {
		return
	}
	if !st.Stopped() {
		r.ended(t, st)
		return
	}
	switch ev := s.status >> 16; {
	case st.StopSignal() == unix.SIGTRAP|0x80:
		r.call(t)
	case ev == 0:
		r.signalled(t, st.StopSignal())
	case ev == eventStop:
		r.groupStop(t, st.StopSignal())
	case ev == eventExec:
		if former, ok := r.eventMessage(s.tid); ok && former != s.tid {
			t = r.takeOver(t, former)
		}
		if r.opt.DetachOnExec && !t.exec {
			t.detach = true
		}
		r.resume(t, 0)
	case ev == eventSeccomp:
		if t.InCall { // its entry was shown already
			r.resume(t, 0)
			return
		}
		r.call(t)
	case ev == eventExit:
		t.exits = true
		r.h.Exiting(t)
		t.InCall, t.IP = false, 0
		r.resume(t, 0)
	default:
		r.resume(t, 0)
	}
}

// call takes in the entry to a system call, or its exit.
func (r *Tracer) call(t *Task) {
	if t.InCall && t.ignored && !t.exec { // an exit that nobody wants to know of
		t.InCall = false
		r.resume(t, 0)
		return
	}
	if !r.syscallInfo(t.TID) {
		r.resume(t, 0)
		return
	}
	switch r.info.op {
	case infoEntry, infoSeccomp:
		t.Start = lens.Now()
		t.arena.Reset()
		t.Sys = event.Syscall{Arch: event.Arch(r.info.arch), NR: uint32(r.info.u[0]), Args: [6]uint64(r.info.u[1:7]), Mem: t.Sys.Mem[:0]}
		sysabi.Socketcall(&t.Sys, t)
		t.Call = sysabi.Lookup(t.Sys.Arch, t.Sys.NR)
		t.IP, t.InCall, t.skip, t.ignored, t.fresh = r.info.ip, true, false, false, false
		if t.exec && !executes(t.Call) { // of whoever is about to start the program
			r.resume(t, 0)
			return
		}
		r.h.Enter(t)
		if t.ignored && r.opt.Only != nil && !t.exec {
			t.InCall = false
		}
	case infoExit:
		if !t.InCall { // attached in the middle of it
			r.resume(t, 0)
			return
		}
		t.End = lens.Now()
		t.Sys.Ret = int64(r.info.u[0])
		t.Sys.Dur = int64(t.End - t.Start)
		t.Spoiled = false
		if t.skip {
			failed := t.Sys.Ret < 0 && t.Sys.Ret >= -4095
			if t.Spoiled = failed == t.instead; !t.Spoiled {
				t.Sys.Ret = t.result
				_ = t.setResult(t.result)
			}
		}
		if t.exec {
			if !executes(t.Call) {
				t.InCall = false
				r.resume(t, 0)
				return
			}
			r.started(t)
		}
		r.h.Exit(t)
		t.InCall = false
	default:
		r.resume(t, 0)
		return
	}
	switch sig := t.inject; {
	case t.script != nil && r.begin(t):
	case t.until != 0:
		r.hold(t)
	default:
		t.inject = 0
		r.resume(t, sig)
	}
	r.h.After(t)
}

// begin lets the task run its script, and reports whether it runs.
func (r *Tracer) begin(t *Task) bool {
	script := t.script
	t.script = nil
	c, turn, err := remote.Start(int(t.TID), t.inject, script)
	if err != nil {
		t.done(err)
		return false
	}
	t.calls, t.inject = c, 0
	return r.called(t, turn)
}

// called follows a task that runs its script; false means that its stop has to
// be answered as any other's.
func (r *Tracer) called(t *Task, turn remote.Turn) bool {
	if turn == remote.Busy || turn == remote.Yours {
		return turn == remote.Busy
	}
	c := t.calls
	t.calls = nil
	t.done(c.Err())
	if turn == remote.Done {
		r.resume(t, c.Signal())
	}
	return turn == remote.Done
}

// executes says that a call executes a program.
func executes(c *sysabi.Call) bool { return c != nil && (c.Name == "execve" || c.Name == "execveat") }

// unknown deals with a process that isn't a task yet: a child of one, or, when
// nil is returned, a process that shall not be traced.
func (r *Tracer) unknown(tid int32, st unix.WaitStatus) *Task {
	switch {
	case !st.Stopped():
		if r.opt.DetachOnExec && tid == r.root {
			r.root = 0
			return nil
		}
	case r.opt.Follow:
		return r.newTask(tid, Forked)
	default: // it was cloned with CLONE_PTRACE
		_ = ptrace(unix.PTRACE_DETACH, tid, 0, 0)
	}
	r.h.Unknown(tid, st)
	return nil
}

// started ends the start of the program: when it can't be executed, its process
// exits with status 1 as strace's does.
func (r *Tracer) started(t *Task) {
	t.exec, t.fresh = false, true
	if t.Sys.Ret == 0 || len(r.opt.Argv) == 0 {
		return
	}
	var g registers
	if getRegs(t.TID, &g) == nil {
		load(&g, instructionPointer(&g)-uint64(len(syscallInstruction)), unix.SYS_EXIT_GROUP, 1, 0, 0)
		_ = setRegs(t.TID, &g)
	}
}

// signalled shows a signal and delivers what the handler says.
func (r *Tracer) signalled(t *Task, sig unix.Signal) {
	if t.exec { // not the program's yet, perhaps the SIGCONT that start sent
		if t.TID == r.root && sig == unix.SIGCONT {
			sig = 0
		}
		r.resume(t, sig)
		return
	}
	if e := ptrace(reqGetSiginfo, t.TID, 0, uintptr(unsafe.Pointer(&r.siginfo))); e != 0 {
		r.resume(t, sig)
		return
	}
	if t.IP = 0; r.syscallInfo(t.TID) {
		t.IP = r.info.ip
	}
	if t.fresh && r.opt.Starting == int(t.TID) && ownUrgent(sig, t.TID, r.siginfo[:]) {
		r.resume(t, 0)
		return
	}
	sig = r.h.Signal(t, sig, r.siginfo[:])
	t.IP = 0
	r.resume(t, sig)
}

// ownUrgent says that a signal is the one by which the Go runtime of the process
// that was to become the program preempted its thread.
func ownUrgent(sig unix.Signal, tid int32, info []byte) bool {
	const siTkill = -6
	le := binary.NativeEndian
	return sig == unix.SIGURG && int32(le.Uint32(info[8:])) == siTkill && int32(le.Uint32(info[16:])) == tid
}

// groupStop answers PTRACE_EVENT_STOP: a new task's first stop, a group-stop,
// or its end.
func (r *Tracer) groupStop(t *Task, sig unix.Signal) {
	first := !t.started
	t.started = true
	if first && t.exec && len(r.opt.Argv) == 0 && r.opt.Only != nil {
		if err := installFilter(int(t.TID), program(r.opt.Only)); err != nil {
			r.failed = err
			r.stop.Store(1)
		}
	}
	if first && (t.How == Attached || t.How == Thread) {
		t.Before = t.interrupted()
	}
	switch sig {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		if t.exec && t.TID == r.root {
			r.resume(t, 0)
			return
		}
		if !first || t.How != Forked {
			r.h.Stopped(t, sig)
		}
		if t.detach {
			r.detach(t, sig)
			return
		}
		_ = ptrace(reqListen, t.TID, 0, 0)
	default:
		r.resume(t, 0)
	}
}

// takeOver gives the thread that called execve its leader's number, as the
// kernel does.
func (r *Tracer) takeOver(leader *Task, former int32) *Task {
	t := r.tasks[former]
	if t == nil { // not traced (without Follow): the leader is what we have
		return leader
	}
	r.h.Superseded(t, leader, former)
	delete(r.tasks, former)
	leader.close()
	t.TID = leader.TID
	t.close()
	r.tasks[t.TID] = t
	return t
}

// ended takes a task out that is gone.
func (r *Tracer) ended(t *Task, st unix.WaitStatus) {
	if t.InCall {
		r.h.Exiting(t)
		t.InCall = false
	}
	delete(r.tasks, t.TID)
	t.close()
	if t.TID == r.root {
		r.result = st
	}
	r.h.Exited(t, st)
}
