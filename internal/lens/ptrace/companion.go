package ptrace

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/lens"
	"culprit/internal/lens/python/inject"
	"culprit/internal/procfs"
	"culprit/internal/remote"
)

// Companion brings the Python agent into a program that another recorder
// records, and into all that descends from it. It stops tasks when they fork or
// call execve, and shortly at signals, but at no system call, so that those cost
// nothing.
type Companion struct {
	agent  *inject.Agent
	onStop func(unix.Signal)
	root   int32
	doors  map[int32]*inject.Door // by process
	known  map[int32]bool         // tasks
	held   map[int32]unix.WaitStatus
	status uint32

	quit   atomic.Bool
	owner  int // OS thread
	closed chan struct{}

	mu     sync.Mutex
	result unix.WaitStatus
	done   bool
}

// companionOptions leave the program alone when the tracer is gone.
const companionOptions = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC

// Accompany begins to trace the process pid, which stands stopped before its
// first instruction. onStop is as Options.OnStop and may be nil. An error is or
// wraps *lens.Unavailable when tracing isn't allowed; the process is then as it
// was.
func Accompany(pid int, agent *inject.Agent, onStop func(unix.Signal)) (*Companion, error) {
	c := &Companion{agent: agent, onStop: onStop, root: int32(pid), doors: map[int32]*inject.Door{}, known: map[int32]bool{int32(pid): true},
		held: map[int32]unix.WaitStatus{}, closed: make(chan struct{})}
	ready := make(chan error, 1)
	go mortal(func() {
		defer close(c.closed)
		c.owner = unix.Gettid()
		child := changeFlags(int(unix.SIGCHLD), 0, saNoCldStop)
		waking := changeFlags(wakeSignal, saRestart, 0)
		defer rtSigaction(int(unix.SIGCHLD), &child, nil)
		defer rtSigaction(wakeSignal, &waking, nil)
		err := c.begin()
		ready <- err
		if err == nil {
			c.loop()
		}
	})
	if err := <-ready; err != nil {
		<-c.closed
		ended(c.owner)
		return nil, err
	}
	return c, nil
}

func (c *Companion) begin() error {
	if e := ptrace(reqSeize, c.root, 0, companionOptions); e != 0 {
		return &lens.Unavailable{Ability: "ptrace", Reason: fmt.Sprintf("PTRACE_SEIZE of %d: %v", c.root, e), Remedy: remedy()}
	}
	var st unix.WaitStatus
	for {
		_, err := unix.Wait4(int(c.root), &st, unix.WALL, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return fmt.Errorf("wait for %d: %w", c.root, err)
		}
	}
	if !st.Stopped() || uint32(st)>>16 != eventStop {
		return fmt.Errorf("process %d, wait status %#x: %w", c.root, uint32(st), errNotStopped)
	}
	c.look(c.root)
	_ = ptrace(reqListen, c.root, 0, 0) // until its SIGCONT
	return nil
}

// look sees what a process runs from now on.
func (c *Companion) look(pid int32) {
	delete(c.doors, pid)
	if d := c.agent.Exec(int(pid)); d != nil {
		c.doors[pid] = d
	}
}

func (c *Companion) loop() {
	for len(c.known) > 0 && !c.quit.Load() {
		tid, _, e := unix.Syscall6(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&c.status)), unix.WALL|waitNoThread, 0, 0, 0)
		switch e {
		case 0:
			c.stopped(int32(tid), unix.WaitStatus(c.status))
		case unix.EINTR:
		default: // ECHILD
			return
		}
	}
	c.letGo()
}

func (c *Companion) stopped(tid int32, st unix.WaitStatus) {
	if !st.Stopped() {
		c.ended(tid, st)
		return
	}
	if !c.known[tid] { // its parent's event is still to come, and tells whose memory it has
		c.held[tid] = st
		return
	}
	if d, pid := c.door(tid); d != nil {
		switch d.Stopped(int(tid), st) {
		case remote.Busy:
			return
		case remote.Done:
			delete(c.doors, pid)
			c.resume(tid, 0)
			return
		case remote.Gone:
			delete(c.doors, pid)
		}
	}
	sig := unix.Signal(0)
	switch ev := int(uint32(st) >> 16); ev {
	case 0:
		sig = st.StopSignal()
	case eventFork, eventVfork, eventClone:
		c.forked(tid)
	case eventExec:
		c.look(tid)
	case eventStop:
		if s := st.StopSignal(); stopSignal(s) {
			_ = ptrace(reqListen, tid, 0, 0)
			if tid == c.root && c.onStop != nil {
				c.onStop(s)
			}
			return
		}
	}
	c.resume(tid, sig)
}

func (c *Companion) resume(tid int32, sig unix.Signal) {
	_ = ptrace(unix.PTRACE_CONT, tid, 0, uintptr(sig))
}

// door finds the door of a task's process.
func (c *Companion) door(tid int32) (*inject.Door, int32) {
	if len(c.doors) == 0 {
		return nil, 0
	}
	if d := c.doors[tid]; d != nil {
		return d, tid
	}
	pid, _, _ := procfs.Family(tid)
	return c.doors[pid], pid
}

// forked takes in a new task.
func (c *Companion) forked(parent int32) {
	var message uint64
	if ptrace(reqGetEventMsg, parent, 0, uintptr(unsafe.Pointer(&message))) != 0 {
		return
	}
	child := int32(message)
	if d, pid := c.door(parent); d != nil && unix.Tgkill(int(pid), int(child), 0) == unix.ESRCH && !sharesMemory(parent, child) {
		if copied := d.Fork(int(child)); copied != nil {
			c.doors[child] = copied
		}
	}
	c.takeIn(child)
}

func (c *Companion) takeIn(tid int32) {
	c.known[tid] = true
	if st, ok := c.held[tid]; ok {
		delete(c.held, tid)
		c.stopped(tid, st)
	}
}

func (c *Companion) ended(tid int32, st unix.WaitStatus) {
	delete(c.known, tid)
	delete(c.held, tid)
	delete(c.doors, tid)
	if tid == c.root {
		c.mu.Lock()
		c.result, c.done = st, true
		c.mu.Unlock()
	}
	if st.Signaled() || len(c.known) == 0 {
		for tid := range c.held { // their parents may not be there to tell of them
			c.takeIn(tid)
		}
	}
}

// Status returns the first program's wait status once it is gone.
func (c *Companion) Status() (unix.WaitStatus, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result, c.done
}

// Close ends the tracing and returns when the tasks that are left run by
// themselves.
func (c *Companion) Close() {
	c.quit.Store(true)
	for open := true; open; {
		// A signal that comes before the thread has begun to wait is lost.
		_ = unix.Tgkill(unix.Getpid(), c.owner, wakeSignal)
		select {
		case <-c.closed:
			open = false
		case <-time.After(time.Millisecond):
		}
	}
	ended(c.owner)
}

// letGo closes the doors. The tasks are detached by the end of this thread.
func (c *Companion) letGo() {
	for tid := range c.held {
		c.takeIn(tid)
	}
	until := lens.Now() + maxUnstood
	for pid, d := range c.doors {
		if d.Busy() {
			continue
		}
		_ = ptrace(reqInterrupt, pid, 0, 0)
	}
	for len(c.doors) > 0 && lens.Now() < until {
		tid, _, e := unix.Syscall6(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&c.status)), unix.WALL|waitNoThread|unix.WNOHANG, 0, 0, 0)
		if e != 0 && e != unix.EINTR {
			return
		}
		if e != 0 || tid == 0 {
			time.Sleep(100 * time.Microsecond)
			continue
		}
		st := unix.WaitStatus(c.status)
		if d := c.doors[int32(tid)]; d != nil && !d.Busy() && st.Stopped() && uint32(st)>>16 == eventStop {
			d.Shut()
			delete(c.doors, int32(tid))
		}
		c.stopped(int32(tid), st)
	}
}
