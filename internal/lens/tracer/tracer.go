// Package tracer stops a program at every system call, before and after it, and
// shows each stop to a handler while the thread stands still. It is the engine
// of `culprit strace`: a tracer that prints while the program runs, attaches to
// running programs, lets children go untraced, and alters calls.
//
// lens/ptrace, the recorder, stops only the calls that it records (a seccomp
// filter that can't be taken away again) and tells of them when they are over;
// it hardly slows the program. This one costs two stops a call, leaves nothing
// behind in the program (but with Options.Only a filter), and interprets
// nothing: text is the handler's.
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
	"culprit/internal/remote"
	"culprit/internal/sysabi"
)

// Options say what is traced: a program to start, processes to attach to, or
// both.
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
	// Starting is a running process that is about to call execve: what it does
	// before is not shown.
	Starting int
	// Only, if set, lets all calls run at full speed but those for which it is
	// true: a seccomp filter is put into the program started before its execve,
	// and so into all that comes of it. It takes no_new_privs along.
	Only func(arch event.Arch, nr uint32) bool
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
	// Waited is called with each wait status, before anything else.
	Waited(tid int32, status unix.WaitStatus)
	// Unknown: a process that is no task ended, or stopped and was let go.
	Unknown(tid int32, status unix.WaitStatus)
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
	IP     uint64       // instruction pointer, 0 when unknown
	InCall bool         // between Enter and Exit
	State  any          // the handler's
	// Before is the call that the task was in when it was attached to, nil when in
	// none.
	Before *sysabi.Call
	// Spoiled: the call that is being left was to be replaced, and was not.
	Spoiled bool

	r       *Tracer
	arena   sysabi.Arena
	mem     int // /proc/TID/mem, 0 when not open
	started bool
	exec    bool        // the execve of the program's start is still to succeed
	exits   bool        // its last stop was shown
	inject  unix.Signal // delivered with the next resume
	fresh   bool        // it has made no call since the program's start
	skip    bool        // the call is replaced: result is set at its exit
	instead bool        // by another one, not by none
	result  int64
	script  func(*remote.Calls) error // to be run after this stop, see Task.Run
	done    func(error)
	calls   *remote.Calls // running
	detach  bool          // to be detached at its next stop
	ignored bool          // nobody wants the exit of the present call
	queued  uint          // the round in which a stop of it was taken in last
	until   event.Time    // not to go on before; 0: now
}

// Tracer traces one program, or the processes that it attached to.
type Tracer struct {
	opt     Options
	h       Handler
	root    int32
	tasks   map[int32]*Task
	queue   []stop // the storage of stops
	stops   []stop // taken in, still to be answered
	round   uint
	held    []*Task         // that wait, see Task.Delay
	next    chan event.Time // the waking goroutine's next time
	ring    atomic.Bool     // that it has come
	info    syscallInfo
	message uint64
	siginfo [128]byte
	usage   unix.Rusage
	waiter  lens.Waiter
	reader  reader
	result  unix.WaitStatus
	failed  error        // ends the tracing
	stop    atomic.Int32 // 1: detach from everything
	fatal   atomic.Int32 // signal to pass to the program then
}

// New makes a tracer for one use.
func New(o Options, h Handler) *Tracer {
	return &Tracer{opt: o, h: h, tasks: map[int32]*Task{}, round: 1, next: make(chan event.Time, 1)}
}

// ErrNoneLeft is returned when none of the processes could be attached to.
var ErrNoneLeft = errors.New("no process to trace")

// Run starts or attaches, traces until nothing is left to trace or ctx is done,
// and returns the wait status of the program that it started. When ctx is done,
// tasks are detached from and run on; the started program gets the signal that
// ctx's cause says (a SignalError), if any.
//
// The calling goroutine's thread is the tracer. Where that is the first of the
// process, /proc/PID/status of the tasks has the process's number as TracerPid,
// as people expect.
func (r *Tracer) Run(ctx context.Context) (unix.WaitStatus, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	var waker sync.WaitGroup
	tid := unix.Gettid()
	waker.Go(func() { r.watch(ctx, done, tid) })
	err := r.own()
	close(done)
	waker.Wait()
	return r.result, err
}

// SignalError is the cause of a context's end by a signal.
type SignalError struct{ Signal unix.Signal }

func (e *SignalError) Error() string { return "interrupted by " + e.Signal.String() }

// watch wakes the tracing thread when a time has come (see Task.Delay) and when
// ctx ends.
func (r *Tracer) watch(ctx context.Context, done chan struct{}, tid int) {
	var timer <-chan time.Time
	for {
		select {
		case <-done:
			return
		case at := <-r.next:
			timer = time.After(time.Duration(at - lens.Now()))
		case <-timer:
			r.ring.Store(true)
			for r.ring.Load() && wake(tid, done) {
			}
		case <-ctx.Done():
			var se *SignalError
			if errors.As(context.Cause(ctx), &se) {
				r.fatal.Store(int32(se.Signal))
			}
			r.stop.Store(1)
			for wake(tid, done) {
			}
			return
		}
	}
}

// wake interrupts the tracing thread. It is to be called again until that has
// noticed, since a signal that comes before the thread has begun to wait is
// lost. It is false when the thread is done.
func wake(tid int, done chan struct{}) bool {
	_ = unix.Tgkill(unix.Getpid(), tid, wakeSignal)
	select {
	case <-done:
		return false
	case <-time.After(time.Millisecond):
		return true
	}
}

// own is the tracing thread.
func (r *Tracer) own() error {
	if r.opt.Usage {
		r.waiter.Usage = &r.usage
	}
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
	}
	if err := r.attachAll(); err != nil {
		return err
	}
	r.loop()
	return r.failed
}

// Options returns the PTRACE_O_ options in use.
func (r *Tracer) Options() uintptr {
	o := uintptr(unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT)
	if r.opt.KillOnExit {
		o |= unix.PTRACE_O_EXITKILL
	}
	if r.opt.Only != nil { // without a tracer the filter makes calls fail
		o |= unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL
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

// Stop makes the tracer detach from everything as soon as the handler's method
// returns; for handlers.
func (r *Tracer) Stop() { r.stop.Store(1) }

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
	t.skip, t.instead, t.result = true, false, ret
	return t.setNumber(^uint64(0))
}

// Replace makes the kernel do another call without arguments instead of the one
// that is being entered; its result will be ret.
func (t *Task) Replace(nr uint32, ret int64) error {
	t.skip, t.instead, t.result = true, true, ret
	return t.setNumber(uint64(nr))
}

// Ignore says that the exit of the call that is being entered is of no
// interest: it isn't shown, and where a filter stops calls there is no stop.
func (t *Task) Ignore() { t.ignored = true }

// Delay keeps the task from going on for a time after this stop.
func (t *Task) Delay(d time.Duration) { t.until = lens.Now() + event.Time(d) }

// hold keeps a task stopped until its time has come.
func (r *Tracer) hold(t *Task) {
	r.held = append(r.held, t)
	r.schedule()
}

// schedule has the thread woken for the first of the held tasks.
func (r *Tracer) schedule() {
	first := event.Time(1<<63 - 1)
	for _, t := range r.held {
		first = min(first, t.until)
	}
	select {
	case <-r.next: // an older order that wasn't taken
	default:
	}
	if len(r.held) > 0 {
		r.next <- first
	}
}

// release lets those held tasks go on whose time has come.
func (r *Tracer) release() {
	if len(r.held) == 0 {
		return
	}
	now := lens.Now()
	kept := r.held[:0]
	for _, t := range r.held {
		switch {
		case r.tasks[t.TID] != t: // gone meanwhile
		case t.until > now:
			kept = append(kept, t)
		default:
			sig := t.inject
			t.inject, t.until = 0, 0
			r.resume(t, sig)
		}
	}
	if len(kept) < len(r.held) {
		clear(r.held[len(kept):])
		r.held = kept
		r.schedule()
	}
}

// Run has the task call functions of the program before it goes on after the
// exit of the present call. The other tasks run meanwhile. done is called with
// how it ended when the task stands still again, or is gone.
func (t *Task) Run(script func(*remote.Calls) error, done func(error)) {
	t.script, t.done = script, done
}

// InProgram says that the task runs the program: its start is over.
func (t *Task) InProgram() bool { return !t.exec }

// Deliver makes the task get a signal when it goes on.
func (t *Task) Deliver(sig unix.Signal) { t.inject = sig }

// WriteMem writes memory of the task from addr on and returns how many bytes it
// could write.
func (t *Task) WriteMem(p []byte, addr uint64) int {
	n, err := unix.ProcessVMWritev(int(t.TID), []unix.Iovec{{Base: &p[0], Len: uint64(len(p))}},
		[]unix.RemoteIovec{{Base: uintptr(addr), Len: len(p)}}, 0)
	if err != nil {
		return 0
	}
	return n
}

// SetResult changes the result of a call that is being left.
func (t *Task) SetResult(ret int64) error {
	t.Sys.Ret = ret
	return t.setResult(ret)
}

// Kill sends the task a signal.
func (t *Task) Kill(sig unix.Signal) error { return unix.Tgkill(-1, int(t.TID), sig) }

// Now reads the clock of events.
func Now() event.Time { return lens.Now() }
