package remote

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls runs functions of the program in a thread, one after the other. A
// function may wait for other threads of the program, so the thread runs while
// whoever traces goes on with its loop:
//
//	c, err := remote.Start(tid, sig, script) // the thread stands in a stop
//	...
//	// at each stop of that thread:
//	switch c.Stopped(status) {
//	case remote.Busy:  // it runs again: nothing to do
//	case remote.Yours: // answer the stop as if c weren't there
//	case remote.Done:  // it stands as before Start: c.Err, let it go on with c.Signal
//	}
//
// The thread goes back to where it was: registers with the vector state, signal
// mask, and the system call that it was interrupted in, which is made again.
// Signals wait until then, but for those that an instruction causes. A thread
// that stood before a system call stops there once more.
//
// Where a thread may be taken is for the caller to know: not where it has locks
// that the functions need (malloc's, in brk, mmap, munmap), and not in a
// group-stop. The program must not have a mapping at address 0, where the
// functions return to, and no shadow stack.
type Calls struct {
	t      *Thread
	vector []byte // NT_X86_XSTATE, or what there is of it
	kind   uintptr
	sig    unix.Signal
	info   [siginfoSize]byte

	sp       uint64 // stack pointer of the call that is running
	stopped  bool   // by job control meanwhile
	next     func() (request, bool)
	stop     func()
	yield    func(request) bool
	answer   uint64
	failed   error // of the call that is running
	err      error
	finished bool
}

type request struct {
	fn   uint64
	args []uint64
}

// Turn says what a stop of a thread that runs calls needs.
type Turn int

// The answers of [Calls.Stopped].
const (
	Busy  Turn = iota // the thread runs again
	Yours             // the stop has to be answered as that of any other thread
	Done              // the thread stands still, as before Start
	Gone              // the thread is dead or about to be, or another program: its stop is yours
)

const (
	siginfoSize = 128
	eventExit   = 6   // PTRACE_EVENT_EXIT
	eventStop   = 128 // PTRACE_EVENT_STOP

	ptraceGetRegset = 0x4204 // PTRACE_GETREGSET
	ptraceSetRegset = 0x4205 // PTRACE_SETREGSET
	ptraceGetInfo   = 0x4202 // PTRACE_GETSIGINFO
	ptraceSetInfo   = 0x4203 // PTRACE_SETSIGINFO

	maxVector = 64 << 10
)

// ErrCompat is returned for threads that run 32-bit code.
var ErrCompat = errors.New("calls of functions in 32-bit programs are not supported")

// CrashError says that a function was left by a signal of its own.
type CrashError struct {
	Signal unix.Signal
	PC     uint64
}

func (e *CrashError) Error() string {
	return fmt.Sprintf("the function called got %s at %#x", e.Signal, e.PC)
}

// Start lets script begin in the thread tid, which stands in a stop as for
// Begin; sig is the signal that it is about to get in that stop, 0 for none. The
// script runs whenever the thread stands still. It should pass on errors of the
// methods that it calls; its own is what Err returns. Done instead of Busy is
// returned when it called no function.
func Start(tid int, sig unix.Signal, script func(*Calls) error) (*Calls, Turn, error) {
	c := &Calls{sig: sig}
	if sig != 0 {
		if e := request4(ptraceGetInfo, tid, 0, unsafe.Pointer(&c.info)); e != 0 {
			return nil, Gone, fmt.Errorf("read the signal of %d: %w", tid, e)
		}
	}
	if err := c.readVector(tid); err != nil {
		return nil, Gone, err
	}
	t, err := Begin(tid)
	if err != nil {
		return nil, Gone, err
	}
	c.t = t
	if t.Compat() {
		return nil, Gone, errors.Join(ErrCompat, t.End())
	}
	// The kernel takes the handlers of signals away that an instruction causes
	// while they are blocked (force_sig(9)).
	held := ^uint64(0)
	for _, s := range synchronous {
		held &^= 1 << (s - 1)
	}
	if err := sigmask(ptraceSetSigmask, tid, &held); err != nil {
		return nil, Gone, errors.Join(fmt.Errorf("block signals of %d: %w", tid, err), t.End())
	}
	c.next, c.stop = iter.Pull(func(yield func(request) bool) {
		c.yield = yield
		c.err = script(c)
	})
	return c, c.proceed(), nil
}

// synchronous are the signals that an instruction may cause.
var synchronous = []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP, unix.SIGSYS}

// Call calls a function with at most six integer or pointer arguments and
// returns its result; for the script. What it gets after an error is the same
// error.
func (c *Calls) Call(fn uint64, args ...uint64) (uint64, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	if len(args) > maxArguments {
		return 0, fmt.Errorf("%d arguments: a function called in a thread takes %d", len(args), maxArguments)
	}
	if !c.yield(request{fn, args}) {
		c.failed = ErrGone
	}
	return c.answer, c.failed
}

// Place writes data below the thread's stack and returns its address, for the
// script. It is for small things: a stack may end anywhere.
func (c *Calls) Place(data []byte) (uint64, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	return c.t.Place(data)
}

// Map makes a mapping of the thread's process that holds data, for the script,
// which has to take it away again with Unmap.
func (c *Calls) Map(data []byte) (uint64, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	addr, err := c.t.Call(unix.SYS_MMAP, 0, uint64(len(data)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uint64(0), 0)
	if err != nil {
		return 0, err
	}
	if addr < 0 && addr >= -4095 {
		return 0, fmt.Errorf("mmap in thread %d: %w", c.t.tid, unix.Errno(-addr))
	}
	if Write(c.t.tid, uint64(addr), data) < len(data) {
		return 0, errors.Join(fmt.Errorf("write memory of %d: %w", c.t.tid, unix.EIO), c.Unmap(uint64(addr), len(data)))
	}
	return uint64(addr), nil
}

// Unmap takes a mapping of Map away, for the script.
func (c *Calls) Unmap(addr uint64, size int) error {
	if errors.Is(c.failed, ErrGone) {
		return c.failed
	}
	_, err := c.t.Call(unix.SYS_MUNMAP, addr, uint64(size))
	return err
}

// Memory reads memory of the thread's process, for the script.
func (c *Calls) Memory(addr uint64, p []byte) bool { return Read(c.t.tid, addr, p) == len(p) }

// TID is the thread's number.
func (c *Calls) TID() int { return c.t.tid }

// Err is how the calls ended, once they are Done or Gone.
func (c *Calls) Err() error { return c.err }

// Signal is what the thread is to get when it goes on after Done: the one that
// Start was told of.
func (c *Calls) Signal() unix.Signal { return c.sig }

// Stopped answers a stop of the thread, or its end; status is as wait4(2) gave
// it.
func (c *Calls) Stopped(status unix.WaitStatus) Turn {
	if c.finished {
		return Yours
	}
	event := uint32(status) >> 16
	switch {
	case !status.Stopped() || event == eventExit:
		return c.gone()
	case event == unix.PTRACE_EVENT_EXEC:
		// A new program, which inherits the signal mask.
		_ = sigmask(ptraceSetSigmask, c.t.tid, &c.t.mask)
		return c.gone()
	case event == eventStop:
		c.stopped = c.stopped || status.StopSignal() != unix.SIGTRAP
		return Yours
	case status.StopSignal() == unix.SIGTRAP|0x80 || event == unix.PTRACE_EVENT_SECCOMP:
		return c.resume(0)
	case event != 0:
		return Yours
	}
	return c.signalled(status.StopSignal())
}

// signalled answers the stop before a signal: a return, a crash, or one that
// could not be held.
func (c *Calls) signalled(sig unix.Signal) Turn {
	var r registers
	if err := r.get(c.t.tid); err != nil {
		return c.gone()
	}
	if sig == unix.SIGSEGV && r.returned(c.sp) {
		c.answer = uint64(r.Rax)
		return c.proceed()
	}
	var info [siginfoSize]byte // si_code at 8; those above 0 are the kernel's (sigaction(2))
	for _, s := range synchronous[:4] {
		if sig == s && request4(ptraceGetInfo, c.t.tid, 0, unsafe.Pointer(&info)) == 0 && int32(binary.NativeEndian.Uint32(info[8:])) > 0 {
			c.failed = &CrashError{sig, r.pc()}
			return c.proceed()
		}
	}
	return Yours
}

// proceed runs the script until it calls a function, or is over.
func (c *Calls) proceed() Turn {
	q, more := c.next()
	if !more {
		return c.end()
	}
	r := c.t.saved
	frame := r.invoke(c.t.stack, q.fn, q.args)
	c.sp = r.sp()
	err := poke(c.t.tid, c.sp, frame)
	if err == nil {
		err = r.set(c.t.tid)
	}
	if err != nil {
		c.failed = fmt.Errorf("prepare a call in thread %d: %w", c.t.tid, err)
		return c.proceed()
	}
	return c.resume(0)
}

func (c *Calls) resume(sig unix.Signal) Turn {
	// One that was killed meanwhile tells so by its wait status.
	_ = unix.PtraceCont(c.t.tid, int(sig))
	return Busy
}

// end puts the thread back.
func (c *Calls) end() Turn {
	c.finished = true
	c.stop()
	if c.stopped { // what the kernel remembers of the call is another's by now
		c.t.saved.restartPlain()
	}
	errs := []error{c.err}
	if e := c.vectorRequest(ptraceSetRegset); e != 0 {
		errs = append(errs, fmt.Errorf("restore the vector registers of %d: %w", c.t.tid, e))
	}
	errs = append(errs, c.t.End())
	if c.sig != 0 && request4(ptraceSetInfo, c.t.tid, 0, unsafe.Pointer(&c.info)) != 0 {
		errs = append(errs, fmt.Errorf("restore the signal of %d", c.t.tid))
	}
	c.err = errors.Join(errs...)
	return Done
}

// gone lets the script end without its thread.
func (c *Calls) gone() Turn {
	c.finished, c.failed = true, ErrGone
	c.stop()
	c.err = errors.Join(ErrGone, c.err)
	return Gone
}

// readVector reads the floating point and vector registers: all that there are,
// or where the kernel doesn't tell those, the x87 and SSE ones.
func (c *Calls) readVector(tid int) error {
	c.kind, c.vector = ntXState, make([]byte, maxVector)
	e := vectorRequest(ptraceGetRegset, tid, c.kind, &c.vector)
	if e == unix.ENODEV || e == unix.EINVAL || e == unix.EIO {
		c.kind = ntFPRegs
		e = vectorRequest(ptraceGetRegset, tid, c.kind, &c.vector)
	}
	if e != 0 {
		return fmt.Errorf("read the vector registers of %d: %w", tid, e)
	}
	return nil
}

func (c *Calls) vectorRequest(req uintptr) unix.Errno {
	return vectorRequest(req, c.t.tid, c.kind, &c.vector)
}

func vectorRequest(req uintptr, tid int, kind uintptr, data *[]byte) unix.Errno {
	v := unix.Iovec{Base: &(*data)[0], Len: uint64(len(*data))}
	e := request4(req, tid, kind, unsafe.Pointer(&v))
	if e == 0 {
		*data = (*data)[:v.Len]
	}
	return e
}

func request4(req uintptr, tid int, addr uintptr, data unsafe.Pointer) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, req, uintptr(tid), addr, uintptr(data), 0, 0)
	return e
}
