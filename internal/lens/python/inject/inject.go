// Package inject runs Python code inside a program's CPython, from outside: in
// a thread that stands still, by calls of the interpreter's C functions
// (package remote). Nothing must have been prepared in the program.
//
// It knows no tracing loop: whoever traces starts a script of this package with
// [remote.Start] and hands it the thread's stops. Code runs in a thread that
// may wait for the GIL, so the others must run. Where a thread may be taken is
// told by [MayEnter].
package inject

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"

	"culprit/internal/dynsym"
	"culprit/internal/remote"
)

// Interpreter is a CPython from 3.8 on with a GIL in a process.
type Interpreter struct {
	PID    int
	object *dynsym.Object
	minor  int // 3.minor, 0 when not known yet
}

// Runtime says where _PyRuntime is, and which version 3.minor it is of; not ok
// before the agent has come in.
func (p *Interpreter) Runtime() (addr uint64, minor int, ok bool) {
	addr, ok = p.object.Lookup("_PyRuntime")
	return addr, p.minor, ok && p.minor != 0
}

func memory(pid int) dynsym.Memory {
	return func(addr uint64, p []byte) bool { return remote.Read(pid, addr, p) == len(p) }
}

var (
	// ErrNotPython is returned for a process that has no CPython in it, or one
	// older than 3.8.
	ErrNotPython = errors.New("no CPython from 3.8 on is loaded")
	// ErrFreeThreaded is returned for a CPython without GIL.
	ErrFreeThreaded = errors.New("this CPython is built without the GIL (free-threaded)")
)

// library is the name of a file that CPython may live in, besides the program
// itself.
var library = regexp.MustCompile(`^libpython3[.0-9a-z]*\.so`)

// Find looks for the interpreter of a process, which must be past the start of
// its dynamic linker.
func Find(pid int) (*Interpreter, error) {
	maps, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/maps")
	if err != nil {
		return nil, fmt.Errorf("read the mappings of process %d: %w", pid, err)
	}
	exe, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	for line := range bytes.Lines(maps) {
		f := strings.Fields(string(line))
		if len(f) < 6 || f[2] != "00000000" {
			continue
		}
		// A path may hold spaces; f has enough of it to tell.
		file := strings.TrimSuffix(strings.Join(f[5:], " "), " (deleted)")
		if file != strings.TrimSuffix(exe, " (deleted)") && !library.MatchString(path.Base(file)) {
			continue
		}
		start, _, _ := strings.Cut(f[0], "-")
		base, err := strconv.ParseUint(start, 16, 64)
		if err != nil {
			continue
		}
		if in, err := At(pid, base); err == nil || errors.Is(err, ErrFreeThreaded) {
			return in, err
		}
	}
	return nil, fmt.Errorf("process %d: %w", pid, ErrNotPython)
}

// At looks for the interpreter in the object whose ELF header is at base.
func At(pid int, base uint64) (*Interpreter, error) {
	o, err := dynsym.Open(memory(pid), base)
	if err != nil {
		return nil, err
	}
	if _, ok := o.Lookup("Py_RunMain"); !ok { // new in 3.8
		return nil, ErrNotPython
	}
	if _, ok := o.Lookup("_Py_MergeZeroLocalRefcount"); ok {
		return nil, ErrFreeThreaded
	}
	return &Interpreter{PID: pid, object: o}, nil
}

// RunMain is the address of Py_RunMain: when it is called the interpreter is
// complete, holds the GIL, and has run nothing of the program yet.
func (p *Interpreter) RunMain() (uint64, bool) { return p.object.Lookup("Py_RunMain") }

// functions are addresses of C functions by name.
type functions map[string]uint64

func (p *Interpreter) lookup(names ...string) (functions, error) {
	f := functions{}
	for _, n := range names {
		addr, ok := p.object.Lookup(n)
		if !ok {
			return nil, fmt.Errorf("the Python of process %d does not export %s", p.PID, n)
		}
		f[n] = addr
	}
	return f, nil
}

// ErrRaised is returned when the code that was run raised an exception; Python
// has printed it.
var ErrRaised = errors.New("the injected Python code raised an exception")

// Run returns a script that runs Python source as PyRun_SimpleString does, in
// the module __main__, with the GIL taken for it. An exception that leaves it is
// printed by Python, and SystemExit ends the program: the text has to see to it
// that none does.
func (p *Interpreter) Run(text string) (func(*remote.Calls) error, error) {
	f, err := p.lookup("PyGILState_Ensure", "PyRun_SimpleString", "PyGILState_Release")
	if err != nil {
		return nil, err
	}
	return func(c *remote.Calls) (err error) {
		source := append([]byte(text), 0)
		at, err := c.Map(source)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Unmap(at, len(source))) }()
		state, err := c.Call(f["PyGILState_Ensure"])
		if err != nil {
			return err
		}
		result, err := c.Call(f["PyRun_SimpleString"], at)
		if err != nil {
			return err
		}
		if int32(uint32(result)) != 0 {
			err = ErrRaised
		}
		_, last := c.Call(f["PyGILState_Release"], state)
		return errors.Join(err, last)
	}, nil
}

// Invoke returns a script that calls the Python object at addr without
// arguments, with the GIL taken for it. The object has to stay alive; its result
// is dropped, and an exception is printed as one in a destructor is.
func (p *Interpreter) Invoke(addr uint64) (func(*remote.Calls) error, error) {
	f, err := p.lookup("PyGILState_Ensure", "PyObject_CallObject", "Py_DecRef", "PyErr_WriteUnraisable", "PyGILState_Release")
	if err != nil {
		return nil, err
	}
	return func(c *remote.Calls) error {
		state, err := c.Call(f["PyGILState_Ensure"])
		if err != nil {
			return err
		}
		result, err := c.Call(f["PyObject_CallObject"], addr, 0)
		if err != nil {
			return err
		}
		if result == 0 {
			_, err = c.Call(f["PyErr_WriteUnraisable"], addr)
			err = errors.Join(ErrRaised, err)
		} else {
			_, err = c.Call(f["Py_DecRef"], result)
		}
		_, last := c.Call(f["PyGILState_Release"], state)
		return errors.Join(err, last)
	}, nil
}
