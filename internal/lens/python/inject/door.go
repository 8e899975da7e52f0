package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/dynsym"
	"culprit/internal/remote"
)

// Door watches a process between its execve and the moment when its interpreter
// calls Py_RunMain, by breakpoints, and brings the agent in there. It is handed
// the stops of the process's threads like [remote.Calls], whose answers it gives:
// after Done it is to be forgotten.
//
// A process that forks meanwhile hands its breakpoint down: see Fork.
type Door struct {
	agent  *Agent
	pid    int
	at     uint64 // of the breakpoint
	was    byte   // what it stands in the place of
	python *Interpreter
	calls  *remote.Calls
	closed bool
	began  time.Time
}

const breakpoint = 0xcc // int3

// Reasons why the agent stays out.
var (
	ErrOld    = errors.New("this CPython is older than 3.8")
	ErrNew    = fmt.Errorf("this CPython is newer than what the agent knows (3.%d)", newest)
	ErrPyPy   = errors.New("this is PyPy and not CPython")
	ErrSecure = errors.New("the program runs in secure-execution mode (set-uid)")
)

// Exec looks at the program that a process runs from now on; it stands before
// its first instruction, in a stop of the calling thread. Nil is returned for a
// program that is no Python, or one that the agent does not go into: then Came
// was told.
func (a *Agent) Exec(pid int) *Door {
	d := &Door{agent: a, pid: pid}
	if err := d.open(); err != nil {
		if !errors.Is(err, errOther) {
			a.came(Arrival{PID: int32(pid), TID: int32(pid), Err: err})
		}
		return nil
	}
	return d
}

func (a *Agent) came(x Arrival) {
	if a.Came != nil {
		a.Came(x)
	}
}

// errOther is for programs that are no Python.
var errOther = errors.New("no Python")

func (d *Door) open() error {
	header, entry, secure, ok := auxv(d.pid)
	if !ok {
		return errOther
	}
	o, err := dynsym.Open(memory(d.pid), header)
	if err != nil {
		return errOther
	}
	in, err := At(d.pid, header)
	library := false
	if errors.Is(err, ErrNotPython) {
		if _, old := o.Lookup("Py_Main"); old {
			err = ErrOld
		} else if library, err = links(o.Needed()); err == nil && !library {
			return errOther
		}
	}
	switch {
	case err != nil:
		return err
	case secure:
		return ErrSecure
	case library:
		return d.set(entry)
	}
	d.python = in
	return d.wait()
}

// links tells programs that live in a library of Python's.
func links(needed []string) (bool, error) {
	for _, n := range needed {
		switch {
		case library.MatchString(n):
			return true, nil
		case strings.HasPrefix(n, "libpython"):
			return false, ErrOld
		case strings.HasPrefix(n, "libpypy"):
			return false, ErrPyPy
		}
	}
	return false, nil
}

// wait sets the breakpoint at Py_RunMain.
func (d *Door) wait() error {
	at, ok := d.python.RunMain()
	if !ok {
		return ErrNotPython
	}
	return d.set(at)
}

// auxv says where the ELF header of a process's program is, where it begins, and
// whether it runs in secure-execution mode (getauxval(3)).
func auxv(pid int) (header, entry uint64, secure, ok bool) {
	const atPhdr, atEntry, atSecure, sizeOfHeader = 3, 9, 23, 64
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/auxv")
	if err != nil {
		return 0, 0, false, false
	}
	for ; len(b) >= 16; b = b[16:] {
		v := binary.NativeEndian.Uint64(b[8:])
		switch binary.NativeEndian.Uint64(b) {
		case atPhdr: // linkers put the program headers behind the ELF header
			header = v - sizeOfHeader
		case atEntry:
			entry = v
		case atSecure:
			secure = v != 0
		}
	}
	return header, entry, secure, header != 0 && entry != 0
}

// set puts the breakpoint there.
func (d *Door) set(at uint64) error {
	var b [1]byte
	if remote.Read(d.pid, at, b[:]) != 1 {
		return fmt.Errorf("read text of %d at %#x: %w", d.pid, at, unix.EIO)
	}
	d.at, d.was = at, b[0]
	return d.poke(d.pid, breakpoint)
}

func (d *Door) poke(tid int, b byte) error {
	if _, err := unix.PtracePokeText(tid, uintptr(d.at), []byte{b}); err != nil {
		return fmt.Errorf("write text of %d at %#x: %w", d.pid, d.at, err)
	}
	return nil
}

// Fork returns the door of a child that has its memory copied from this process.
func (d *Door) Fork(child int) *Door {
	if d.at == 0 || d.calls != nil {
		return nil
	}
	copied := &Door{agent: d.agent, pid: child, at: d.at, was: d.was, closed: d.closed}
	if d.python != nil {
		copied.python = &Interpreter{PID: child, object: d.python.object.In(memory(child))}
	}
	return copied
}

// Shut takes the breakpoint away; the process's first thread stands still.
func (d *Door) Shut() { d.shut(d.pid) }

func (d *Door) shut(tid int) {
	if d.at != 0 {
		_ = d.poke(tid, d.was) // of one that is gone there is nothing to restore
		d.at = 0
	}
}

// Interpreter is that of the process, nil before it is known.
func (d *Door) Interpreter() *Interpreter { return d.python }

// Close keeps the agent out from now on. The breakpoint goes when it is hit.
func (d *Door) Close() { d.closed = true }

// Busy reports whether functions are running in the process.
func (d *Door) Busy() bool { return d.calls != nil }

// Stopped answers a stop of a thread of the process, see [remote.Calls.Stopped].
func (d *Door) Stopped(tid int, st unix.WaitStatus) remote.Turn {
	if d.calls != nil {
		if tid != d.calls.TID() {
			return remote.Yours
		}
		turn := d.calls.Stopped(st)
		if turn == remote.Done || turn == remote.Gone {
			d.told(tid, d.calls.Err())
		}
		return turn
	}
	if !st.Stopped() || uint32(st)>>16 != 0 || st.StopSignal() != unix.SIGTRAP {
		return remote.Yours
	}
	if hit, err := remote.StepBack(tid, d.at); err != nil || !hit {
		return remote.Yours
	}
	if d.shut(tid); d.closed {
		return remote.Done
	}
	if d.python == nil {
		return d.entered(tid)
	}
	d.began = time.Now()
	calls, turn, err := remote.Start(tid, 0, d.agent.load(d.python, ByRunMain))
	if err != nil {
		d.told(tid, err)
		return remote.Done
	}
	if d.calls = calls; turn == remote.Done {
		d.told(tid, calls.Err())
	}
	return turn
}

// entered goes on from the program's first instruction: by now the dynamic
// linker has loaded the libraries.
func (d *Door) entered(tid int) remote.Turn {
	in, err := Find(d.pid)
	if errors.Is(err, ErrNotPython) {
		err = ErrOld
	}
	if err == nil {
		d.python = in
		err = d.wait()
	}
	if err != nil {
		d.told(tid, err)
		return remote.Done
	}
	_ = unix.PtraceCont(tid, 0)
	return remote.Busy
}

func (d *Door) told(tid int, err error) {
	a := Arrival{PID: int32(d.pid), TID: int32(tid), Way: ByRunMain, Err: err}
	if !d.began.IsZero() {
		a.Took = time.Since(d.began)
	}
	d.agent.came(a)
}
