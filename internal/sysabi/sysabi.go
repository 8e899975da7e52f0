// Package sysabi is what the Linux system call ABI says: the numbers of each
// architecture, one table of signatures by name, the names of flags, enums,
// errnos and signals, and the layout of structures.
//
// The same table tells a recorder which memory of the traced thread to copy
// ([Call.Capture]) and a reader of the recording what it means ([Decode]).
// Everything is a pure function of its arguments and works for recordings of
// any architecture on any machine. The package records nothing and knows
// nothing of processes, descriptors' histories or time.
//
// To add a call: docs/howto/add-a-syscall.md.
//
//go:generate go run ./gen
package sysabi

import (
	"sync"

	"culprit/internal/event"
)

// Class says what a call is about; a call can be of several classes. They are
// the %classes of strace(1).
type Class uint16

// Classes.
const (
	File    Class = 1 << iota // takes a path
	Desc                      // takes or returns a descriptor
	Network                   // sockets
	Process                   // begins, ends or waits for a process or thread
	Signal
	Memory
	IPC   // System V IPC and POSIX message queues
	Creds // user and group ids, capabilities
	Clock
	Other
)

// Call is one system call of one architecture.
type Call struct {
	Name  string
	Class Class
	Args  []Arg // as the man page of section 2 has them; those in use may depend on the values
	Arch  event.Arch

	ret     retKind
	ptr     uint8 // bytes of a pointer and a long: 8 or 4
	data    int8  // argument number of the descriptor that data flows through, plus 1
	noError bool  // cannot fail: the result is a plain value
	retVary func(args *[6]uint64) retKind
	vary    func(args *[6]uint64) []Arg
	after   func(p *printer) // prints the remark after the result, in parentheses
}

type retKind uint8

const (
	retInt retKind = iota
	retFD
	retHex
	retOctal
	retFlags   // in hex, with 0
	retNone    // does not return
	retClipped // an int that is not made a long: an error is a number just below 1<<32
	retUint
	retTID // and the other PIDKinds in their order
	retTGID
	retPGID
	retSID
)

// signatures lists the families; the first entry of a name is the one for all
// architectures, see variants for the others.
var signatures = [...]func() []Call{
	callsFile, callsMeta, callsDesc, callsNet, callsProcess, callsSignal, callsMemory,
	callsWait, callsIPC, callsKey, callsCreds, callsClock, callsSystem, callsOther,
}

// variants returns the signatures that differ on an architecture from those of
// the same name in signatures.
func variants(arch event.Arch) []Call {
	switch arch {
	case event.ArchI386:
		return variantsI386()
	case event.ArchAArch64:
		return variantsAArch64()
	}
	return nil
}

type abi struct {
	byNumber []*Call
	byName   func() map[string]uint32
}

var (
	abiX8664   = sync.OnceValue(func() *abi { return build(event.ArchX8664, numbersX8664[:], 8) })
	abiI386    = sync.OnceValue(func() *abi { return build(event.ArchI386, numbersI386[:], 4) })
	abiAArch64 = sync.OnceValue(func() *abi { return build(event.ArchAArch64, numbersAArch64[:], 8) })
)

func abiOf(arch event.Arch) *abi {
	switch arch {
	case event.ArchX8664:
		return abiX8664()
	case event.ArchI386:
		return abiI386()
	case event.ArchAArch64:
		return abiAArch64()
	}
	return nil
}

// build makes an architecture's table: a number that has a name but no
// signature gets six arguments in hex.
func build(arch event.Arch, names []string, ptr uint8) *abi {
	t := &abi{byNumber: make([]*Call, len(names))}
	t.byName = sync.OnceValue(func() map[string]uint32 {
		m := make(map[string]uint32, len(names))
		for nr, c := range t.byNumber {
			if c != nil {
				m[c.Name] = uint32(nr)
			}
		}
		return m
	})
	all := make([]Call, len(names))
	sig := make(map[string]*Call, 2*len(names))
	take := func(family []Call) {
		for i := range family {
			sig[family[i].Name] = &family[i]
		}
	}
	for _, family := range signatures {
		take(family())
	}
	take(variants(arch))
	for nr, name := range names {
		if name == "" {
			continue
		}
		c := &all[nr]
		if s := sig[name]; s != nil {
			*c = *s
		} else {
			c.Name, c.Class, c.Args = name, Other, rawArgs
		}
		c.Arch, c.ptr = arch, ptr
		t.byNumber[nr] = c
	}
	return t
}

var rawArgs = []Arg{hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")}

// Lookup returns the call with number nr of arch, nil when it is unknown.
func Lookup(arch event.Arch, nr uint32) *Call {
	t := abiOf(arch)
	if t == nil || uint64(nr) >= uint64(len(t.byNumber)) {
		return nil
	}
	return t.byNumber[nr]
}

// Number returns the number that arch gives the call called name.
func Number(arch event.Arch, name string) (uint32, bool) {
	t := abiOf(arch)
	if t == nil {
		return 0, false
	}
	nr, ok := t.byName()[name]
	return nr, ok
}

// Calls returns the names of all calls of arch, in the order of their numbers.
func Calls(arch event.Arch) []string {
	t := abiOf(arch)
	if t == nil {
		return nil
	}
	var names []string
	for _, c := range t.byNumber {
		if c != nil {
			names = append(names, c.Name)
		}
	}
	return names
}

// FD returns the index of the descriptor argument that the call's data flows
// through (read: 0, sendfile: 0, the descriptor written to), or the first
// descriptor argument that the call acts on, or -1 when it has none. A
// directory descriptor of an *at call does not count.
func (c *Call) FD() int {
	if c.data > 0 {
		return int(c.data) - 1
	}
	for i := range c.Args {
		if c.Args[i].kind == KindFD {
			return i
		}
	}
	return -1
}

// Data reports whether the call transfers data through FD: the read, write,
// send and receive families, sendfile, splice and their like.
func (c *Call) Data() bool { return c.data > 0 }

// args returns the arguments in use given the registers: fcntl's third depends
// on the second, open's mode on its flags.
func (c *Call) args(regs *[6]uint64) []Arg {
	if c.vary != nil {
		return c.vary(regs)
	}
	return c.Args
}

// lazily is a value of the tables that is made when it is first asked for: a run
// needs few of them, and every start of culprit would pay for all.
func lazily[T any](of func() T) func() T { return sync.OnceValue(of) }
