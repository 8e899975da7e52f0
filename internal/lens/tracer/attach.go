package tracer

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// AttachError says that a process could not be attached to.
type AttachError struct {
	PID int
	Err error
}

func (e *AttachError) Error() string { return fmt.Sprintf("attach to %d: %v", e.PID, e.Err) }

// Unwrap returns the errno.
func (e *AttachError) Unwrap() error { return e.Err }

// Refused is what a Handler may implement to be told of processes that can't be
// attached to.
type Refused interface{ Refused(err *AttachError) }

// attachAll attaches to the processes, and with Follow to all their threads.
func (r *Tracer) attachAll() error {
	for _, pid := range r.opt.Attach {
		if r.tasks[int32(pid)] != nil {
			continue
		}
		if e := r.seize(pid, Attached); e != 0 {
			if h, ok := r.h.(Refused); ok {
				h.Refused(&AttachError{pid, e})
			}
			continue
		}
		if !r.opt.Follow {
			continue
		}
		// Threads may be made meanwhile: once more until there is no new one.
		for again := true; again; {
			again = false
			for _, tid := range threads(pid) {
				if r.tasks[int32(tid)] == nil && r.seize(tid, Thread) == 0 {
					again = true
				}
			}
		}
	}
	if pid := r.opt.Starting; pid != 0 {
		if e := r.seize(pid, Attached); e != 0 {
			return &AttachError{pid, e}
		}
		t := r.tasks[int32(pid)]
		t.exec = true
	}
	if h, ok := r.h.(interface{ Ready() }); ok {
		h.Ready()
	}
	if len(r.tasks) == 0 {
		return ErrNoneLeft
	}
	return nil
}

func (r *Tracer) seize(tid int, how How) unix.Errno {
	if e := ptrace(reqSeize, int32(tid), 0, r.Options()); e != 0 {
		return e
	}
	if e := ptrace(reqInterrupt, int32(tid), 0, 0); e != 0 {
		return e
	}
	r.newTask(int32(tid), how)
	return 0
}

func threads(pid int) []int {
	list, _ := os.ReadDir(procPath(int32(pid), "/task"))
	var tids []int
	for _, e := range list {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	slices.Sort(tids)
	return tids
}

// detachAll lets every task run on untraced. One that isn't stopped is
// interrupted first.
func (r *Tracer) detachAll() {
	if r.failed == nil && (r.opt.KillOnExit || r.opt.Only != nil) {
		return // the kernel ends them when this process ends
	}
	if sig := r.fatal.Load(); sig != 0 && r.root != 0 && r.tasks[r.root] != nil {
		_ = unix.Kill(int(r.root), unix.SIGCONT)
		_ = unix.Kill(int(r.root), unix.Signal(sig))
	}
	for _, s := range r.stops {
		r.letGo(s)
	}
	r.Each(func(t *Task) {
		if ptrace(unix.PTRACE_DETACH, t.TID, 0, uintptr(t.inject)) == 0 {
			r.detached(t)
			return
		}
		_ = ptrace(reqInterrupt, t.TID, 0, 0)
	})
	for len(r.tasks) > 0 {
		tid, e := r.waiter.Wait()
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return
		}
		r.letGo(stop{tid: tid, status: r.waiter.Status})
	}
}

// letGo detaches from a task that has stopped.
func (r *Tracer) letGo(s stop) {
	st := unix.WaitStatus(s.status)
	t := r.tasks[s.tid]
	switch {
	case t == nil:
		if st.Stopped() { // a child that nobody has seen
			_ = ptrace(unix.PTRACE_DETACH, s.tid, 0, 0)
		} else {
			r.h.Unknown(s.tid, st)
		}
	case !st.Stopped():
		r.ended(t, st)
	case s.status>>16 == 0 && st.StopSignal() != unix.SIGTRAP|0x80:
		r.detach(t, st.StopSignal())
	case s.status>>16 == eventStop && st.StopSignal() != unix.SIGTRAP:
		r.detach(t, st.StopSignal())
	default:
		r.detach(t, 0)
	}
}

func (r *Tracer) detach(t *Task, sig unix.Signal) {
	_ = ptrace(unix.PTRACE_DETACH, t.TID, 0, uintptr(sig))
	r.detached(t)
}

func (r *Tracer) detached(t *Task) {
	delete(r.tasks, t.TID)
	t.close()
	r.h.Detached(t)
}

// Detach lets the task, which stands still, run on untraced after this stop.
func (t *Task) Detach() { t.detach = true }
