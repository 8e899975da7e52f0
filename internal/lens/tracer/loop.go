package tracer

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/sysabi"
)

// loop waits for stops and answers them until nothing is left to trace.
func (r *Tracer) loop() {
	for len(r.tasks) > 0 {
		if r.stop.Load() == 1 {
			r.detachAll()
			return
		}
		tid, e := r.wait()
		switch e {
		case 0:
			r.stopped(tid, r.status)
		case unix.EINTR:
		default: // ECHILD
			return
		}
	}
}

// pace says whether it pays to stay awake for the next stop.
type pace struct {
	alone bool // there is one core only: a thread that stays awake waits in vain
	quick int  // grows with each stop that came soon, shrinks otherwise
	waits uint
}

const (
	awakeTries = 100 // looks before going to sleep: some 30 us
	awakeProbe = 64  // every so many waits it is tried whatever quick says
	awakeMost  = 8
)

// wait takes the next stop. A thread that makes many calls stops again within
// microseconds, while putting this thread to sleep and waking it up costs some
// 20 us where cores are idle. So it looks for a while, and sleeps only then.
func (r *Tracer) wait() (int32, unix.Errno) {
	var usage uintptr
	if r.opt.Usage {
		usage = uintptr(unsafe.Pointer(&r.usage))
	}
	status := uintptr(unsafe.Pointer(&r.status))
	if r.pace.waits++; !r.pace.alone && (r.pace.quick > 0 || r.pace.waits%awakeProbe == 0) {
		for range awakeTries {
			pid, _, e := unix.RawSyscall6(unix.SYS_WAIT4, ^uintptr(0), status, unix.WALL|unix.WNOHANG|waitNoThread, usage, 0, 0)
			if e != 0 || pid != 0 {
				r.pace.quick = min(r.pace.quick+1, awakeMost)
				return int32(pid), e
			}
		}
		r.pace.quick = max(r.pace.quick-awakeMost/2, 0)
	}
	pid, _, e := unix.Syscall6(unix.SYS_WAIT4, ^uintptr(0), status, unix.WALL|waitNoThread, usage, 0, 0)
	return int32(pid), e
}

// resume lets a stopped task go on to its next stop. A task that is gone
// meanwhile is no error, its wait status follows.
func (r *Tracer) resume(t *Task, sig unix.Signal) {
	if t.detach {
		r.detach(t, sig)
		return
	}
	_ = ptrace(unix.PTRACE_SYSCALL, t.TID, 0, uintptr(sig))
}

func (r *Tracer) stopped(tid int32, status uint32) {
	st := unix.WaitStatus(status)
	t := r.tasks[tid]
	if t == nil {
		if !st.Stopped() {
			return
		}
		t = r.newTask(tid, Forked)
	}
	if r.opt.Usage {
		t.CPU = r.usage.Stime.Nano()
	}
	if !st.Stopped() {
		r.ended(t, st)
		return
	}
	switch ev := status >> 16; {
	case st.StopSignal() == unix.SIGTRAP|0x80:
		r.call(t)
	case ev == 0:
		r.signalled(t, st.StopSignal())
	case ev == eventStop:
		r.groupStop(t, st.StopSignal())
	case ev == eventExec:
		if former, ok := r.eventMessage(tid); ok && former != tid {
			t = r.takeOver(t, former)
		}
		if r.opt.DetachOnExec && !t.exec {
			t.detach = true
		}
		r.resume(t, 0)
	case ev == eventExit:
		t.exits = true
		r.h.Exiting(t)
		t.InCall = false
		r.resume(t, 0)
	default:
		r.resume(t, 0)
	}
}

// call takes in the entry to a system call, or its exit.
func (r *Tracer) call(t *Task) {
	if !r.syscallInfo(t.TID) {
		r.resume(t, 0)
		return
	}
	switch r.info.op {
	case infoEntry:
		t.Start = lens.Now()
		t.arena.Reset()
		t.Sys = event.Syscall{Arch: event.Arch(r.info.arch), NR: uint32(r.info.u[0]), Args: [6]uint64(r.info.u[1:7]), Mem: t.Sys.Mem[:0]}
		t.Call = sysabi.Lookup(t.Sys.Arch, t.Sys.NR)
		t.IP, t.InCall, t.skip = r.info.ip, true, false
		r.h.Enter(t)
	case infoExit:
		if !t.InCall { // attached in the middle of it
			r.resume(t, 0)
			return
		}
		t.End = lens.Now()
		t.Sys.Ret = int64(r.info.u[0])
		t.Sys.Dur = int64(t.End - t.Start)
		if t.skip {
			t.Sys.Ret = t.result
			_ = t.setResult(t.result)
		}
		if t.exec {
			r.started(t)
		}
		r.h.Exit(t)
		t.InCall = false
	default:
		r.resume(t, 0)
		return
	}
	sig := t.inject
	t.inject = 0
	r.resume(t, sig)
	r.h.After(t)
}

// started ends the start of the program: when it can't be executed, its process
// exits with status 1 as strace's does.
func (r *Tracer) started(t *Task) {
	t.exec = false
	if t.Sys.Ret == 0 {
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
	if t.TID == r.root && t.exec && sig == unix.SIGCONT {
		r.resume(t, 0) // the one that start sent
		return
	}
	if e := ptrace(reqGetSiginfo, t.TID, 0, uintptr(unsafe.Pointer(&r.siginfo))); e != 0 {
		r.resume(t, sig)
		return
	}
	r.resume(t, r.h.Signal(t, sig, r.siginfo[:]))
}

// groupStop answers PTRACE_EVENT_STOP: a new task's first stop, a group-stop,
// or its end.
func (r *Tracer) groupStop(t *Task, sig unix.Signal) {
	first := !t.started
	t.started = true
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
