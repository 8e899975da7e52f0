package ptrace

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/procfs"
	"culprit/internal/sysabi"
)

// A running program is attached to with PTRACE_SEIZE, thread by thread. Each
// thread is interrupted once, to be told to stop at its calls from then on; a
// call that it waits in is made again. It is let go by the end of the tracing
// thread: the kernel then detaches everything (ptrace(2)), which interrupts
// nothing, resumes whoever stands in a stop with the signal that it is about to
// get, and leaves a stopped process stopped.

// maxUnstood is how long a recorder that is done waits, in ns, for threads that
// it has interrupted and that have not come to a stop: one that is let go before
// may return from its call with EINTR.
const maxUnstood = 2_000_000_000

// attachRunning seizes all threads of the root process.
func (r *Recorder) attachRunning() error {
	var first error
	passed := map[int32]bool{} // dead, or made by a thread that was seized before and so ours already
	var p *process
	var f *files
	for again := true; again; {
		again = false
		for _, tid := range procfs.Threads(r.root) {
			if r.tasks[tid] != nil || passed[tid] {
				continue
			}
			again = true
			if e := ptrace(reqSeize, tid, 0, runningOptions); e != 0 {
				passed[tid] = true
				if first == nil {
					first = e
				}
				continue
			}
			if p == nil {
				p, f = r.newProcess(r.root), newFiles()
			}
			t := r.newTask(tid, p, f)
			t.asked = lens.Now()
			_ = ptrace(reqInterrupt, tid, 0, 0)
			r.unstood++
		}
	}
	if p == nil {
		if first == nil {
			first = unix.ESRCH
		}
		return fmt.Errorf("attach to process %d: %w", r.root, first)
	}
	r.seized, r.started = uint32(r.unstood), true
	for _, t := range r.tasks {
		r.execed(t, 0)
		r.note(t, noteRunning)
		break
	}
	return nil
}

// stands answers the first stop of a thread that was attached to.
func (r *Recorder) stands(t *task, sig unix.Signal) {
	if !stopSignal(sig) && r.syscallInfo(t.tid) {
		nr, again := makeAgain(t.tid, event.Arch(r.info.arch))
		if t.resumes = nr; again {
			r.note(t, noteRestarted)
		}
	}
	r.pause = max(r.pause, lens.Now()-t.asked)
	t.asked = 0
	if r.unstood--; r.unstood == 0 {
		r.paused(t)
	}
}

// makeAgain sees to it that the call that a stopped thread was interrupted in is
// made again. The kernel does that with most calls by itself. For those that it
// ends with EINTR (signal(7)) we ask it to, unless a handler is to run, so that
// the program doesn't notice; asked says so. resumes is the number of a call
// that the thread will go on with by restart_syscall(2).
func makeAgain(tid int32, arch event.Arch) (resumes uint32, asked bool) {
	const restartBlock = -516 // ERESTART_RESTARTBLOCK (linux/errno.h)
	nr, ret, ok := interruptedCall(tid)
	switch {
	case ok && ret == restartBlock:
		return nr, false
	case ok && ret == -int64(unix.EINTR) && restartable(arch, nr):
		return 0, restartUnlessHandled(tid)
	}
	return 0, false
}

// paused tells how long the program stood still.
func (r *Recorder) paused(t *task) {
	r.put(t, lens.Now(), &event.Attach{Threads: r.seized, Pause: int64(r.pause)})
}

// restartable tells the calls that have done nothing when they return EINTR, and
// so can be made again. Of close(2) that is not true.
func restartable(arch event.Arch, nr uint32) bool {
	c := sysabi.Lookup(arch, nr)
	if c == nil {
		return false
	}
	switch c.Name {
	case "epoll_wait", "epoll_pwait", "epoll_pwait2", "semop", "semtimedop", "rt_sigtimedwait", "io_getevents", "io_pgetevents",
		"io_uring_enter", "msgrcv", "msgsnd", "accept", "accept4", "connect":
		return true
	}
	return c.Data()
}

// callStop answers the stop at the entry or at the exit of a call of a program
// that has no filter.
func (r *Recorder) callStop(t *task) {
	now := lens.Now()
	if !r.syscallInfo(t.tid) {
		r.resume(t, 0)
		return
	}
	switch r.info.op {
	case infoEntry:
		nr := &r.info.u[0]
		if t.resumes != 0 {
			if c := sysabi.Lookup(event.Arch(r.info.arch), uint32(*nr)); c != nil && c.Name == "restart_syscall" {
				*nr = uint64(t.resumes)
			}
			t.resumes = 0
		}
		if !r.choice.selects(event.Arch(r.info.arch), uint32(*nr), (*[6]uint64)(r.info.u[1:7])) {
			break
		}
		t.start = now
		r.entered(t)
		return
	case infoExit:
		if t.inCall {
			r.left(t, now)
			return
		}
	}
	r.resume(t, 0)
}

// mortal runs f on an OS thread that ends with it, so that the kernel lets go
// what it traced.
func mortal(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f() // a goroutine that ends locked takes its thread along
		return
	}
	// This thread would only be parked. While it is locked another one runs the
	// new goroutine.
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() {
		defer close(done)
		mortal(f)
	}()
	<-done
}

// ended waits until a thread of ours is gone.
func ended(tid int) {
	for unix.Tgkill(unix.Getpid(), tid, 0) == nil {
		time.Sleep(50 * time.Microsecond)
	}
}

// maxHold bounds how long Hold waits for threads to stand still.
const maxHold = 20 * time.Millisecond

// Hold stops threads of running processes, as far as it may, while f looks at
// them, and lets them go. It returns how long they stood still.
func Hold(tids []int32, f func()) (pause time.Duration) {
	if len(tids) == 0 {
		f()
		return 0
	}
	owner := make(chan int, 1)
	go mortal(func() {
		defer func() { owner <- unix.Gettid() }()
		var asked, stand []int32
		from := lens.Now()
		for _, tid := range tids {
			if ptrace(reqSeize, tid, 0, 0) == 0 && ptrace(reqInterrupt, tid, 0, 0) == 0 {
				asked = append(asked, tid)
			}
		}
		stand, asked = standing(asked, from+event.Time(maxHold))
		f()
		for _, tid := range stand {
			_ = ptrace(unix.PTRACE_DETACH, tid, 0, 0)
		}
		pause = time.Duration(lens.Now() - from)
		standing(asked, from+maxUnstood)
	})
	ended(<-owner)
	return pause
}

// standing waits until the threads, which were interrupted, stand still, or the
// time is over, and returns who does and who doesn't.
func standing(asked []int32, until event.Time) (stand, not []int32) {
	for len(asked) > 0 && lens.Now() < until {
		asked = slices.DeleteFunc(asked, func(tid int32) bool {
			var st unix.WaitStatus
			n, err := unix.Wait4(int(tid), &st, unix.WALL|unix.WNOHANG|waitNoThread, nil)
			switch {
			case n == 0 && err == nil, err == unix.EINTR:
				return false
			case err != nil || !st.Stopped():
				return true // gone
			case uint32(st)>>16 != eventStop:
				// About to get a signal; the stop that was asked for follows.
				_ = ptrace(unix.PTRACE_CONT, tid, 0, uintptr(st.StopSignal()))
				return false
			}
			var info syscallInfo
			if !stopSignal(st.StopSignal()) && getSyscallInfo(tid, &info) {
				makeAgain(tid, event.Arch(info.arch))
			}
			stand = append(stand, tid)
			return true
		})
		runtime.Gosched()
	}
	return stand, asked
}
