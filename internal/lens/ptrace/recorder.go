// Package ptrace is the kernel lens that needs no root: a seccomp filter in the
// target stops it at the system calls worth recording (SECCOMP_RET_TRACE), all
// others run at full speed, and one thread of ours copies the stopped calls'
// registers and memory (ptrace(2)).
//
// It follows every process and thread that descends from the target from their
// first call on, tells what descriptors are, and looks at what lies unread in a
// socket when it is closed or fails. It interprets nothing beyond what it needs
// for that, and it changes nothing that the program does, but for one thing that
// must be asked for: Options.Agent is brought into Python interpreters. What it
// can't hide: the program can't be traced by another (ptrace gives EPERM), set-uid bits have
// no effect without CAP_SYS_PTRACE, and /proc/PID/status names a tracer.
//
// A filter can't be removed: without a tracer the calls it selects fail with
// ENOSYS. So a recorder that is done early, while processes are left, lets them
// run on (Remaining, Tail), and when culprit dies its tracees are killed.
//
// A program that runs already gets no filter, for that reason: it is stopped at
// all its calls (PTRACE_SYSCALL, running.go), which is slower, and goes on
// untouched whenever the recorder ends.
package ptrace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/launch"
	"culprit/internal/lens"
	"culprit/internal/sysabi"
)

// Recorder records one target.
type Recorder struct {
	opt    Options
	sink   lens.Sink
	choice *selection
	roles  map[event.Arch]*[tableSize]role

	// Everything below to mu belongs to the tracing thread.
	root    int32
	running bool // the target was there before us: no filter, and it goes on without us
	started bool // the SIGCONT that starts the target has been swallowed
	pass    bool // no longer recording
	exited  bool // the root program is gone
	kills   bool // a process was killed: children may stop whose parent cannot tell of them
	tasks   map[int32]*task
	procs   map[int32]*process
	held    map[int32]uint32 // wait status of tasks whose parent's event is still to come
	streams map[string]*stream
	arenas  []*sysabi.Arena // free ones for memory copied at entries
	leave   sysabi.Arena    // memory copied at exits, which is put at once
	noted   uint32          // notes of the run that were given
	looks   uint32          // at what the threads do
	looked  event.Time      // when the last one was
	unstood int             // threads that were attached to and haven't stopped yet
	until   event.Time      // how long these are waited for at the end
	seized  uint32          // threads that were attached to
	pause   event.Time      // for which the slowest of them stood still
	stacks  stacks
	crashes crashes
	peekBuf []byte
	mem     memory
	info    syscallInfo
	message uint64
	waiter  lens.Waiter
	siginfo [128]byte
	signal  event.Signal

	wake     atomic.Uint32 // wakeCtx, wakeGrace: set by the waker
	rootGone chan struct{} // closed by the tracing thread when the root exits
	recorded chan struct{} // closed by it when recording is over
	gone     chan struct{} // closed by it when nothing is left to trace

	mu     sync.Mutex
	alive  map[int32]bool // processes
	result unix.WaitStatus
	done   bool
}

const (
	wakeCtx = 1 << iota
	wakeGrace
)

// New makes a recorder for one use.
func New(o Options) *Recorder {
	r := &Recorder{
		opt:      o.filled(),
		tasks:    map[int32]*task{},
		procs:    map[int32]*process{},
		held:     map[int32]uint32{},
		streams:  map[string]*stream{},
		alive:    map[int32]bool{},
		rootGone: make(chan struct{}),
		recorded: make(chan struct{}),
		gone:     make(chan struct{}),
		stacks:   newStacks(),
	}
	r.choice = choose(archNative, r.opt.Trace)
	r.roles = map[event.Arch]*[tableSize]role{
		archNative:     rolesOf(archNative),
		event.ArchI386: rolesOf(event.ArchI386),
	}
	r.leave.Max = maxTransfer + maxTransfer/2 // calls with several buffers; the event must fit a case
	r.mem.r = r
	return r
}

// Name returns "kernel".
func (r *Recorder) Name() string { return "kernel" }

// Probe tries it: it starts a program, traces it, gives it a filter, and kills
// it before its first instruction.
func (r *Recorder) Probe() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const self = "/proc/self/exe"
	pid, err := launch.Start(self, []string{self}, nil)
	if err != nil {
		return &lens.Unavailable{Ability: "ptrace", Reason: err.Error(), Remedy: remedy()}
	}
	defer func() {
		_ = unix.Kill(pid, unix.SIGKILL)
		var st unix.WaitStatus
		for {
			_, err := unix.Wait4(pid, &st, unix.WALL, nil)
			if err == nil && (st.Exited() || st.Signaled()) || err != nil && err != unix.EINTR {
				return
			}
			if err == nil {
				_ = unix.PtraceCont(pid, 0)
			}
		}
	}()
	_, err = attach(pid, r.choice)
	return err
}

// remedy names what most often forbids ptrace: a tracer of culprit itself, that
// has its children too, a setting (Yama.rst), a container.
func remedy() string {
	status, _ := os.ReadFile("/proc/self/status")
	scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	switch _, tracer, _ := strings.Cut(string(status), "\nTracerPid:\t"); {
	case tracer != "" && !strings.HasPrefix(tracer, "0\n"):
		tracer, _, _ = strings.Cut(tracer, "\n")
		return "process " + tracer + " (a debugger or strace) traces culprit itself: run culprit without it"
	case string(scope) == "3\n":
		return "kernel.yama.ptrace_scope is 3, which lasts until the next boot: write 1 into /etc/sysctl.d and boot"
	case string(scope) == "2\n":
		return "sudo sysctl kernel.yama.ptrace_scope=1"
	}
	return "in a container, start it with `docker run --cap-add SYS_PTRACE --security-opt seccomp=unconfined`"
}

// Record records the target, which stands stopped, and all that descends from
// it, until they are gone, Options.Grace after the root program's end, or until
// ctx is done. Then whatever is left runs on unrecorded, see Remaining; the
// sink is not used any more.
func (r *Recorder) Record(ctx context.Context, t lens.Target, s lens.Sink) error {
	r.sink, r.root, r.running = s, int32(t.PID), t.Running
	ready := make(chan error, 1)
	owner := make(chan int, 1)
	go func() {
		if r.running {
			mortal(func() { r.own(owner, ready) })
			return
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		r.own(owner, ready)
	}()
	tid := <-owner
	if err := <-ready; err != nil {
		<-r.gone
		return err
	}
	var waker sync.WaitGroup
	waker.Go(func() { r.watch(ctx, tid) })
	<-r.recorded
	waker.Wait()
	if r.running {
		<-r.gone
		ended(tid)
		return nil
	}
	if len(r.Remaining()) == 0 {
		<-r.gone
	}
	return nil
}

// own is the tracing thread: it attaches and traces until nothing is left.
func (r *Recorder) own(owner chan<- int, ready chan<- error) {
	defer close(r.gone)
	owner <- unix.Gettid()
	// Every stop would send this process a SIGCHLD, and its handler would run.
	child := changeFlags(int(unix.SIGCHLD), 0, saNoCldStop)
	waking := changeFlags(wakeSignal, saRestart, 0)
	defer rtSigaction(int(unix.SIGCHLD), &child, nil)
	defer rtSigaction(wakeSignal, &waking, nil)

	var err error
	if r.running {
		err = r.attachRunning()
	} else {
		var noNewPrivs bool
		if noNewPrivs, err = attach(int(r.root), r.choice); err == nil {
			err = r.begin(noNewPrivs)
		}
	}
	if err != nil {
		close(r.recorded)
		ready <- err
		return
	}
	ready <- nil
	r.loop()
}

// begin records what the root program is and lets it run.
func (r *Recorder) begin(noNewPrivs bool) error {
	t := r.newTask(r.root, r.newProcess(r.root), newFiles())
	t.started = true
	r.execed(t, 0)
	if noNewPrivs {
		r.note(t, noteNoNewPrivs)
	}
	r.enterDoor(t)
	if err := unix.Kill(int(r.root), unix.SIGCONT); err != nil {
		return fmt.Errorf("start the stopped program: %w", err)
	}
	r.resume(t, 0)
	return nil
}

// watch turns ctx's end and the end of the grace time into wake-ups of the
// tracing thread.
func (r *Recorder) watch(ctx context.Context, tid int) {
	done, rootGone := ctx.Done(), r.rootGone
	var grace <-chan time.Time
	var again <-chan time.Time
	for {
		select {
		case <-r.recorded:
			return
		case <-done:
			r.wake.Or(wakeCtx)
			done = nil
		case <-rootGone:
			timer := time.NewTimer(r.opt.Grace)
			defer timer.Stop()
			grace, rootGone = timer.C, nil
			continue
		case <-grace:
			r.wake.Or(wakeGrace)
			grace = nil
		case <-again:
		}
		// A signal that comes before the thread has begun to wait is lost.
		_ = unix.Tgkill(unix.Getpid(), tid, wakeSignal)
		again = time.After(2 * time.Millisecond)
	}
}

// Status returns the root program's wait status once it is gone.
func (r *Recorder) Status() (unix.WaitStatus, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result, r.done
}

// Remaining returns the processes that are traced now, in order.
func (r *Recorder) Remaining() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	pids := make([]int, 0, len(r.alive))
	for pid := range r.alive {
		pids = append(pids, int(pid))
	}
	slices.Sort(pids)
	return pids
}

// Tail blocks until the processes that outlived Record are gone, or ctx is
// done.
func (r *Recorder) Tail(ctx context.Context) {
	select {
	case <-r.gone:
	case <-ctx.Done():
	}
}

var errNotStopped = errors.New("target is not stopped")
