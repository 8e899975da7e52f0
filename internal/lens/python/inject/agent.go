package inject

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"culprit/internal/remote"
)

// Agent is Python code to be run in every interpreter of a run, as a module of
// its own that nothing of the program sees.
type Agent struct {
	Name   string            // of the code, in tracebacks
	Source []byte            // UTF-8, without a zero byte
	Values map[string]string // global names that the code finds
	// Cache is a directory for compiled code, "" for none. What lies in it is
	// run: nobody else may be able to write to it.
	Cache string
	// Came is told of every interpreter, on the thread that traces.
	Came func(Arrival)
}

// Arrival says how the agent came into an interpreter, or why it did not.
type Arrival struct {
	PID, TID int32
	Way      string // one of the constants below
	Took     time.Duration
	Err      error
}

// The ways in, as the agent and a case name them.
const (
	ByRunMain = "Py_RunMain"
	ByCall    = "a system call"
)

// way is the name that the code finds Way under.
const way = "WAY"

// bounds of what is read back of compiled code, in bytes.
const maxCompiled = 4 << 20

const newest = 14 // minor version that the agent knows

// minor is the beginning of what Py_GetVersion says.
var minor = regexp.MustCompile(`^3\.(\d{1,2})\D`)

// release is what Py_GetVersion says of a released version.
var release = regexp.MustCompile(`^3\.(\d{1,2})\.(\d{1,3}) `)

// load returns a script that runs the agent. It takes the GIL for it, which a
// thread at Py_RunMain has already.
func (a *Agent) load(p *Interpreter, by string) func(*remote.Calls) error {
	return a.script(p, by, nil)
}

// result is the name that code which is asked leaves its answer under.
const result = "RESULT"

// maxResult bounds an answer, in bytes.
const maxResult = 16 << 20

// Ask returns a script that runs the agent for the sake of an answer: got is
// handed the bytes object that the code leaves as its global RESULT. Nothing of
// the code stays in the program.
func (a *Agent) Ask(p *Interpreter, got func([]byte)) func(*remote.Calls) error {
	return a.script(p, ByCall, func(in *interior, globals, name uint64) error {
		o, err := in.call("PyDict_GetItemString", globals, name) // a borrowed reference
		if err != nil {
			return err
		}
		b, ok := in.bytes(o, maxResult)
		if !ok {
			return errors.New("the injected code left no answer")
		}
		got(b)
		return nil
	})
}

// script runs the agent, and then what is to be done with its globals.
func (a *Agent) script(p *Interpreter, by string, then func(in *interior, globals, name uint64) error) func(*remote.Calls) error {
	return func(c *remote.Calls) error {
		f, err := p.lookup("PyGILState_Ensure", "PyGILState_Release", "Py_IsInitialized", "Py_GetVersion", "Py_CompileStringExFlags",
			"PyMarshal_ReadObjectFromString", "PyMarshal_WriteObjectToString", "PyEval_GetBuiltins", "PyDict_SetItemString",
			"PyDict_GetItemString", "PyEval_EvalCode", "PyErr_Occurred", "PyErr_Clear", "Py_DecRef")
		if err != nil {
			return err
		}
		in := &interior{c, f}
		if ready, err := in.call("Py_IsInitialized"); err != nil || int32(uint32(ready)) == 0 {
			return errors.Join(err, errors.New("the interpreter is not initialized"))
		}
		state, err := in.call("PyGILState_Ensure")
		if err != nil {
			return err
		}
		// An exception that is on its way here belongs to the program.
		if pending, e := in.call("PyErr_Occurred"); e != nil || pending != 0 {
			err = errors.Join(e, errors.New("the thread is raising an exception"))
		} else {
			err = a.run(in, p, by, then)
		}
		_, last := in.call("PyGILState_Release", state)
		return errors.Join(err, last)
	}
}

// interior calls the interpreter's functions by name.
type interior struct {
	*remote.Calls
	f functions
}

func (in *interior) call(name string, args ...uint64) (uint64, error) {
	return in.Calls.Call(in.f[name], args...)
}

// object calls a function that returns a new reference, nil after an exception.
func (in *interior) object(name string, args ...uint64) (uint64, error) {
	o, err := in.call(name, args...)
	if err == nil && o == 0 {
		kind := in.raised()
		_, err = in.call("PyErr_Clear")
		err = errors.Join(fmt.Errorf("%s raised %s", name, kind), err)
	}
	return o, err
}

// raised names the type of the exception that is pending.
func (in *interior) raised() string {
	const nameOf = 24 // PyTypeObject.tp_name
	var word [8]byte
	name := make([]byte, 32)
	t, err := in.call("PyErr_Occurred")
	if err != nil || !in.Memory(t+nameOf, word[:]) || !in.Memory(binary.LittleEndian.Uint64(word[:]), name) {
		return "an exception"
	}
	name, _, _ = bytes.Cut(name, []byte{0})
	return string(name)
}

// bytes reads a bytes object that is not empty and not longer than most.
func (in *interior) bytes(o, most uint64) ([]byte, bool) {
	const sizeOf, dataOf = 16, 32 // PyBytesObject: ob_size, ob_sval
	var size [8]byte
	if o == 0 || !in.Memory(o+sizeOf, size[:]) {
		return nil, false
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n == 0 || n > most {
		return nil, false
	}
	data := make([]byte, n)
	return data, in.Memory(o+dataOf, data)
}

func (in *interior) drop(o uint64) {
	if o != 0 {
		_, _ = in.call("Py_DecRef", o) // after an error there is no thread to do it
	}
}

// withData puts data into the program's memory for as long as use needs it.
func (in *interior) withData(data []byte, use func(at uint64) error) error {
	at, err := in.Map(data)
	if err != nil {
		return err
	}
	return errors.Join(use(at), in.Unmap(at, len(data)))
}

// run runs the code with the GIL held.
func (a *Agent) run(in *interior, p *Interpreter, by string, then func(in *interior, globals, name uint64) error) error {
	code, err := a.code(in, p)
	if err != nil {
		return err
	}
	defer in.drop(code)
	globals := dict(a.Values, "__name__", a.Name, way, by)
	builtins := uint64(len(globals))
	globals = append(globals, "__builtins__\x00"...)
	name := uint64(len(globals))
	globals = append(globals, result+"\x00"...)
	return in.withData(globals, func(at uint64) error {
		d, err := in.object("PyMarshal_ReadObjectFromString", at, builtins)
		if err != nil {
			return err
		}
		defer in.drop(d)
		b, err := in.call("PyEval_GetBuiltins") // a borrowed reference
		if err != nil {
			return err
		}
		if _, err := in.call("PyDict_SetItemString", d, at+builtins, b); err != nil {
			return err
		}
		none, err := in.object("PyEval_EvalCode", code, d, d)
		in.drop(none)
		if err == nil && then != nil {
			err = then(in, d, at+name)
		}
		return err
	})
}

// code makes the code object: from the cache, else by compiling the source.
func (a *Agent) code(in *interior, p *Interpreter) (uint64, error) {
	v, err := in.call("Py_GetVersion")
	if err != nil {
		return 0, err
	}
	var version [16]byte
	in.Memory(v, version[:])
	if m := minor.FindSubmatch(version[:]); m != nil {
		p.minor, _ = strconv.Atoi(string(m[1]))
	}
	if p.minor == 0 || p.minor > newest {
		return 0, fmt.Errorf("%.6s: %w", version[:], ErrNew)
	}
	file := ""
	if m := release.FindSubmatch(version[:]); m != nil && a.Cache != "" {
		file = filepath.Join(a.Cache, fmt.Sprintf("agent-cpython-3%s-3.%s.%s.code", m[1], m[1], m[2]))
		if data, err := os.ReadFile(file); err == nil && len(data) > 0 {
			var code uint64
			err := in.withData(data, func(at uint64) (err error) {
				code, err = in.object("PyMarshal_ReadObjectFromString", at, uint64(len(data)))
				return err
			})
			return code, err
		}
	}
	const fileInput, optimize = 257, 2 // Py_file_input; without asserts and docstrings
	source := append(append(a.Source[:len(a.Source):len(a.Source)], 0), a.Name+"\x00"...)
	var code uint64
	err = in.withData(source, func(at uint64) (err error) {
		code, err = in.object("Py_CompileStringExFlags", at, at+uint64(len(a.Source)+1), fileInput, 0, optimize)
		return err
	})
	if err != nil || file == "" {
		return code, err
	}
	return code, in.save(code, file)
}

// save writes a code object to a file.
func (in *interior) save(code uint64, file string) error {
	const marshalVersion = 4
	o, err := in.object("PyMarshal_WriteObjectToString", code, marshalVersion)
	if err != nil {
		return err
	}
	defer in.drop(o)
	data, ok := in.bytes(o, maxCompiled)
	if !ok {
		return nil
	}
	// Made under another name and moved: a reader sees it whole or not at all.
	temp := fmt.Sprintf("%s.%d", file, in.TID())
	if os.WriteFile(temp, data, 0o600) == nil {
		_ = os.Rename(temp, file) // without it the next one compiles again
	}
	return nil
}

// dict is a dict of strings in the form of marshal(3), any version.
func dict(values map[string]string, more ...string) []byte {
	b := []byte{'{'}
	text := func(s string) {
		b = binary.LittleEndian.AppendUint32(append(b, 'u'), uint32(len(s)))
		b = append(b, s...)
	}
	for k, v := range values {
		text(k)
		text(v)
	}
	for _, s := range more {
		text(s)
	}
	return append(b, '0')
}
