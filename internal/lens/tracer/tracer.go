// Package tracer stops a program at every system call, before and after it, and
// shows each stop to a handler while the thread stands still. It is the engine
// of `culprit strace`: a tracer that prints while the program runs, attaches to
// running programs, lets children go untraced, and alters calls.
//
// lens/ptrace, the recorder, stops only the calls that it records (a seccomp
// filter that can't be taken away again) and tells of them when they are over;
// it hardly slows the program. This one costs two stops a call, leaves nothing
// behind in the program, and interprets nothing: text is the handler's.
package tracer

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/sysabi"
)

// Options say what is traced. One of Argv and Attach is set.
type Options struct {
	Path   string   // program to start, not searched for
	Argv   []string // its arguments, Argv[0] too
	Env    []string // NAME=VALUE
	User   *User    // whom it runs as, nil for nobody else
	Attach []int    // running processes; with Follow all their threads
	Follow bool     // children and threads are traced too
	Usage  bool     // fill in Task.CPU
	// KillOnExit kills the tasks when the tracer dies (PTRACE_O_EXITKILL).
	KillOnExit bool
	// DetachOnExec ends the tracing of a task when it has called execve, but for
	// the start of the program.
	DetachOnExec bool
}

// User is whom a program is run as.
type User struct {
	UID, GID uint32
	Groups   []uint32
}

// Handler is shown what happens, in order, on the tracing thread. While a
// method runs the task stands still, but for After. A method may call the
// task's methods.
type Handler interface {
	// Attached is called for a task that is traced from now on; by is how.
	Attached(t *Task, by How)
	// Enter: Sys has the number and the arguments of a call about to be made.
	Enter(t *Task)
	// Exit: Sys.Ret is set.
	Exit(t *Task)
	// After is called after Enter and Exit when the task runs on already.
	After(t *Task)
	// Signal is a signal about to be delivered; siginfo has 128 bytes. The
	// signal returned is delivered.
	Signal(t *Task, sig unix.Signal, siginfo []byte) unix.Signal
	// Stopped is a group-stop by sig (SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU).
	Stopped(t *Task, sig unix.Signal)
	// Superseded: t, whose former number was former, called execve and takes
	// the number of its group's leader. old is the leader's task, about to be
	// forgotten, nil when it was gone already.
	Superseded(t, old *Task, former int32)
	// Exiting is the last stop of a task, perhaps in the middle of a call.
	Exiting(t *Task)
	// Exited: the task is gone, with this wait status.
	Exited(t *Task, status unix.WaitStatus)
	// Detached: the task runs on untraced.
	Detached(t *Task)
}

// How says how a task came to be traced.
type How uint8

// Ways into the tracing.
const (
	Started  How = iota // the program itself
	Attached            // a process attached to
	Thread              // a further thread of a process attached to
	Forked              // a child or thread of a traced task
)

// Task is one traced thread. It is used by the handler on the tracing thread
// only.
type Task struct {
	TID    int32
	How    How
	Sys    event.Syscall
	Call   *sysabi.Call // nil when the number is unknown
	Start  event.Time   // of the call: its entry
	End    event.Time   // its exit
	CPU    int64        // ns of system time that the task has used; see Options.Usage
	IP     uint64       // instruction pointer
	InCall bool         // between Enter and Exit
	State  any          // the handler's

	r       *Tracer
	arena   sysabi.Arena
	mem     int // /proc/TID/mem, 0 when not open
	started bool
	exec    bool        // the execve of the program's start is still to succeed
	exits   bool        // its last stop was shown
	inject  unix.Signal // delivered with the next resume
	skip    bool        // the call is replaced: result is set at its exit
	result  int64
	detach  bool // to be detached at its next stop
}

// Tracer traces one program, or the processes that it attached to.
type Tracer struct {
	opt     Options
	h       Handler
	root    int32
	tasks   map[int32]*Task
	held    map[int32]uint32
	info    syscallInfo
	message uint64
	status  uint32
	siginfo [128]byte
	usage   unix.Rusage
	pace    pace
	reader  reader
	result  unix.WaitStatus
	stop    atomic.Int32 // 1: detach from everything
	fatal   atomic.Int32 // signal to pass to the program then
}

// New makes a tracer for one use.
func New(o Options, h Handler) *Tracer {
	return &Tracer{opt: o, h: h, tasks: map[int32]*Task{}, held: map[int32]uint32{}}
}

// ErrNoneLeft is returned when none of the processes could be attached to.
var ErrNoneLeft = errors.New("no process to trace")

// Run starts or attaches, traces until nothing is left to trace or ctx is done,
// and returns the wait status of the program that it started. When ctx is done,
// tasks are detached from and run on; the started program gets the signal that
// ctx's cause says (a SignalError), if any.
func (r *Tracer) Run(ctx context.Context) (unix.WaitStatus, error) {
	tid := make(chan int, 1)
	failed := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(done)
		tid <- unix.Gettid()
		failed <- r.own()
	}()
	var waker sync.WaitGroup
	waker.Add(1)
	go func() {
		defer waker.Done()
		r.watch(ctx, done, <-tid)
	}()
	<-done
	waker.Wait()
	return r.result, <-failed
}

// SignalError is the cause of a context's end by a signal.
type SignalError struct{ Signal unix.Signal }

func (e *SignalError) Error() string { return "interrupted by " + e.Signal.String() }

// watch wakes the tracing thread when ctx ends.
func (r *Tracer) watch(ctx context.Context, done chan struct{}, tid int) {
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	var se *SignalError
	if errors.As(context.Cause(ctx), &se) {
		r.fatal.Store(int32(se.Signal))
	}
	r.stop.Store(1)
	for {
		// A signal that comes before the thread has begun to wait is lost.
		_ = unix.Tgkill(unix.Getpid(), tid, wakeSignal)
		select {
		case <-done:
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// own is the tracing thread.
func (r *Tracer) own() error {
	var cores unix.CPUSet
	r.pace.alone = unix.SchedGetaffinity(0, &cores) == nil && cores.Count() == 1
	// Every stop would send this process a SIGCHLD, and its handler would run.
	child := changeFlags(int(unix.SIGCHLD), 0, saNoCldStop)
	waking := changeFlags(wakeSignal, saRestart, 0)
	defer rtSigaction(int(unix.SIGCHLD), &child, nil)
	defer rtSigaction(wakeSignal, &waking, nil)
	defer func() {
		for _, t := range r.tasks {
			t.close()
		}
	}()
	if len(r.opt.Argv) > 0 {
		if err := r.start(); err != nil {
			return fmt.Errorf("start %s: %w", r.opt.Path, err)
		}
	} else if err := r.attachAll(); err != nil {
		return err
	}
	r.loop()
	return nil
}

func (r *Tracer) options() uintptr {
	o := uintptr(unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT)
	if r.opt.KillOnExit {
		o |= unix.PTRACE_O_EXITKILL
	}
	if r.opt.Follow {
		o |= unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE
	}
	return o
}

func (r *Tracer) newTask(tid int32, how How) *Task {
	t := &Task{TID: tid, How: how, r: r}
	t.arena.Max = maxCapture
	r.tasks[tid] = t
	r.h.Attached(t, how)
	return t
}

func (t *Task) close() {
	if t.mem > 0 {
		_ = unix.Close(t.mem)
		t.mem = 0
	}
}

// Tasks returns how many tasks are traced.
func (r *Tracer) Tasks() int { return len(r.tasks) }

// Each calls f for every task, in the order of their numbers.
func (r *Tracer) Each(f func(*Task)) {
	var tids []int32
	for tid := range r.tasks {
		tids = append(tids, tid)
	}
	slices.Sort(tids)
	for _, tid := range tids {
		f(r.tasks[tid])
	}
}

// maxCapture bounds the memory that is copied of one call.
const maxCapture = 64 << 20

// Capture copies the memory that the call names at a phase into Sys.Mem, see
// [sysabi.Call.Capture]. A task that no tracer made (in tests) has no memory.
func (t *Task) Capture(at event.Phase, lim sysabi.Limits) {
	if t.Call == nil || t.r == nil {
		return
	}
	t.r.reader.t = t
	t.Sys.Mem = t.Call.Capture(t.Sys.Mem, at, &t.Sys.Args, t.Sys.Ret, lim, &t.r.reader, &t.arena)
}

// ReadMem copies memory of the task from addr on and returns how many bytes
// could be read.
func (t *Task) ReadMem(p []byte, addr uint64) int {
	t.r.reader.t = t
	return t.r.reader.ReadMem(p, addr)
}

// Skip makes the kernel not do the call that is being entered; its result will
// be ret.
func (t *Task) Skip(ret int64) error {
	t.skip, t.result = true, ret
	return t.setNumber(^uint64(0))
}

// SetNumber makes the call that is being entered another one.
func (t *Task) SetNumber(nr uint32) error { return t.setNumber(uint64(nr)) }

// Deliver makes the task get a signal when it goes on.
func (t *Task) Deliver(sig unix.Signal) { t.inject = sig }

// SetResult changes the result of a call that is being left.
func (t *Task) SetResult(ret int64) error {
	t.Sys.Ret = ret
	return t.setResult(ret)
}

// Kill sends the task a signal.
func (t *Task) Kill(sig unix.Signal) error { return unix.Tgkill(-1, int(t.TID), sig) }

// Now reads the clock of events.
func Now() event.Time { return lens.Now() }
