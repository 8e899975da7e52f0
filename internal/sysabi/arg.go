package sysabi

// ValueKind says what an argument is and which fields of its [Value] are set.
type ValueKind uint8

// Kinds of values.
const (
	KindInt       ValueKind = iota // signed 32 bits, Int
	KindLong                       // signed, as wide as a register, Int
	KindUint                       // unsigned 32 bits, Uint
	KindSize                       // unsigned, as wide as a register, Uint
	KindHex                        // Uint
	KindPtr                        // an address that is not followed, Uint
	KindFD                         // Int
	KindDirFD                      // Int; AT_FDCWD is -100
	KindPath                       // Str
	KindString                     // Str
	KindBuffer                     // Data
	KindIovec                      // Data: the buffers in order
	KindMessage                    // a msghdr; Data as for KindIovec, Addr
	KindMessages                   // mmsghdr array; Data as for KindIovec
	KindSockaddr                   // Addr
	KindStrings                    // argv or envp, Strings
	KindFlags                      // Uint
	KindEnum                       // Uint
	KindMode                       // permission bits and perhaps a file type, Uint
	KindStruct                     // one structure, or an array of them; Data raw
	KindSignal                     // Int
	KindSigset                     // Data raw
	KindID                         // uid or gid, Int; -1 means "leave"
	KindDev                        // device number, Uint
	KindFDSet                      // Data raw
	KindOffset                     // signed 64 bits in one register or, on i386, two, Int
	KindEnumFlags                  // an enum in the low bits and flags above, Uint
	KindIoctl                      // ioctl request, Uint
	KindPID                        // a number of a process, Int
)

// dir says in which phase an argument's memory counts.
type dir uint8

const (
	in  dir = 1 << iota // the program gives it
	out                 // the kernel fills it
)

// count says how many bytes or elements memory has.
type count struct {
	from countFrom
	v    uint8 // a register's number, or the constant
}

type countFrom uint8

const (
	fromConst   countFrom = iota // v
	fromArg                      // the value of argument v, 32 bits
	fromSizeArg                  // the value of argument v, a long
	fromRet                      // the result
	fromPtr                      // the 32 bit int that argument v points to, after the call
	fromBits                     // argument v counts bits: bytes rounded up to longs
)

// Arg is one argument of a call.
type Arg struct {
	Name string

	kind   ValueKind
	dir    dir
	n      count
	set    *Set
	low    *Set // KindEnumFlags: the enum
	lowM   uint64
	st     *layout
	array  bool                     // print [..] around st
	reg    int8                     // its register plus 1, when that is not its index in the list
	swap   bool                     // KindEnum: in network byte order, 16 bits: printed as htons(..)
	long   bool                     // flags and enums: as wide as a register
	named  bool                     // print the name before it, as clone's are
	ifRet  bool                     // filled only when the result is not 0
	socket bool                     // KindBuffer: of a socket, where netlink has messages
	whole  bool                     // KindEnumFlags: without a name for the enum, flags are not taken out of it
	hexed  bool                     // KindBuffer: bytes that are no text, printed in hex
	onIntr bool                     // filled only when a signal interrupts the call
	pid    PIDKind                  // KindPID
	pidBy  func(*[6]uint64) PIDKind // the same where arguments say it
	max    uint8                    // KindString: what the kernel takes of it at most, without the NUL
	remote bool                     // KindIovec: of another process
	split  bool                     // KindOffset: two registers, low half first, where pointers have 4 bytes

	// show prints the argument and follows what it points to, more prints what
	// only the exit tells, see follow.go.
	show, more func(p *printer, v *Value)
}

// at puts the argument into another register than its index.
func (a Arg) at(reg int8) Arg { a.reg = reg + 1; return a }

// wide says that flags are as wide as a register and not 32 bits.
func (a Arg) wide() Arg { a.long = true; return a }

// addresses says that a vector's buffers are another process's: only their
// addresses are printed.
func (a Arg) addresses() Arg { a.remote = true; return a }

// upTo says how many bytes of a string the kernel takes.
func (a Arg) upTo(n uint8) Arg { a.max = n; return a }

// prefixed prints the argument's name before it.
func (a Arg) prefixed() Arg { a.named = true; return a }

// ifAny says that the kernel fills it only when the result is not 0.
func (a Arg) ifAny() Arg { a.ifRet = true; return a }

// halves says that a 64 bit value takes two registers on 32 bit machines.
func (a Arg) halves() Arg { a.split = true; return a }

// register returns the number of the register that argument i of a list is in.
func (a *Arg) register(i int) int {
	if a.reg > 0 {
		return int(a.reg) - 1
	}
	return i
}

// Kind returns what the argument is.
func (a *Arg) Kind() ValueKind { return a.kind }

// Constructors: the words of the table of signatures.

func num(name string) Arg     { return Arg{Name: name, kind: KindInt} }
func long(name string) Arg    { return Arg{Name: name, kind: KindLong} }
func unum(name string) Arg    { return Arg{Name: name, kind: KindUint} }
func size(name string) Arg    { return Arg{Name: name, kind: KindSize} }
func hex(name string) Arg     { return Arg{Name: name, kind: KindHex} }
func unhex(name string) Arg   { return flags(name, setNoFlags) }
func ptr(name string) Arg     { return Arg{Name: name, kind: KindPtr} }
func fdArg(name string) Arg   { return Arg{Name: name, kind: KindFD} }
func dirfdArg(n string) Arg   { return Arg{Name: n, kind: KindDirFD} }
func path(name string) Arg    { return Arg{Name: name, kind: KindPath, dir: in} }
func str(name string) Arg     { return Arg{Name: name, kind: KindString, dir: in} }
func mode(name string) Arg    { return Arg{Name: name, kind: KindMode} }
func tgidOrPgid(n string) Arg { return pidArg(n, tgidOrNegativePgid) }
func idArg(name string) Arg   { return Arg{Name: name, kind: KindID} }
func dev(name string) Arg     { return Arg{Name: name, kind: KindDev} }
func sig(name string) Arg     { return Arg{Name: name, kind: KindSignal} }
func offset(name string) Arg  { return Arg{Name: name, kind: KindOffset} }
func strings(name string) Arg { return Arg{Name: name, kind: KindStrings, dir: in} }

// pidArg is a number of a process: of a thread, a process, a process group or a
// session.
func pidArg(name string, k PIDKind) Arg { return Arg{Name: name, kind: KindPID, pid: k} }

// pidBy is a number of what another argument says.
func pidBy(name string, by func(*[6]uint64) PIDKind) Arg {
	return Arg{Name: name, kind: KindPID, pidBy: by}
}

func flags(name string, s *Set) Arg { return Arg{Name: name, kind: KindFlags, set: s} }
func enum(name string, s *Set) Arg  { return Arg{Name: name, kind: KindEnum, set: s} }

// bufIn is bytes that the program gives, n arguments[lenArg] of them.
func bufIn(name string, lenArg uint8) Arg {
	return Arg{Name: name, kind: KindBuffer, dir: in, n: count{fromSizeArg, lenArg}}
}

// ofSocket says that the buffer of a netlink socket has messages.
func (a Arg) ofSocket() Arg { a.socket = true; return a }

// bufOut is bytes that the kernel fills, as many as the result says.
func bufOut(name string, lenArg uint8) Arg {
	return Arg{Name: name, kind: KindBuffer, dir: out, n: count{fromRet, lenArg}}
}

// strOut is a string that the kernel fills, as many bytes as the result says.
func strOut(name string, lenArg uint8) Arg {
	return Arg{Name: name, kind: KindString, dir: out, n: count{fromRet, lenArg}}
}

// addrIn is a socket address with its length in arguments[lenArg].
func addrIn(name string, lenArg uint8) Arg {
	return Arg{Name: name, kind: KindSockaddr, dir: in, n: count{fromArg, lenArg}}
}

// addrOut is a socket address with a pointer to its length in
// arguments[lenArg].
func addrOut(name string, lenArg uint8) Arg {
	return Arg{Name: name, kind: KindSockaddr, dir: out, n: count{fromPtr, lenArg}}
}

// lenInOut points to the length that goes with addrOut.
func lenInOut(name string) Arg {
	return Arg{Name: name, kind: KindStruct, dir: in | out, n: count{fromConst, 1}, st: layoutLen}
}

func iovIn(name string, cntArg uint8) Arg {
	return Arg{Name: name, kind: KindIovec, dir: in, n: count{fromSizeArg, cntArg}}
}

func iovOut(name string, cntArg uint8) Arg {
	return Arg{Name: name, kind: KindIovec, dir: out, n: count{fromSizeArg, cntArg}}
}

// structIn points to one structure that the program gives.
func structIn(name string, l *layout) Arg {
	return Arg{Name: name, kind: KindStruct, dir: in, n: count{fromConst, 1}, st: l}
}

func structOut(name string, l *layout) Arg {
	return Arg{Name: name, kind: KindStruct, dir: out, n: count{fromConst, 1}, st: l}
}

func structInOut(name string, l *layout) Arg {
	return Arg{Name: name, kind: KindStruct, dir: in | out, n: count{fromConst, 1}, st: l}
}

// arrayIn points to arguments[cntArg] structures.
func arrayIn(name string, l *layout, cntArg uint8) Arg {
	return Arg{Name: name, kind: KindStruct, dir: in, n: count{fromArg, cntArg}, st: l, array: true}
}

// arrayOut points to as many structures as the result says.
func arrayOut(name string, l *layout) Arg {
	return Arg{Name: name, kind: KindStruct, dir: out, n: count{fromRet, 0}, st: l, array: true}
}

// sigset points to a signal set of arguments[lenArg] bytes.
func sigsetIn(name string, lenArg uint8) Arg {
	return Arg{Name: name, kind: KindSigset, dir: in, n: count{fromSizeArg, lenArg}}
}

func sigsetOut(name string, lenArg uint8) Arg {
	return Arg{Name: name, kind: KindSigset, dir: out, n: count{fromSizeArg, lenArg}}
}

// fdSet points to an fd_set for the descriptors below arguments[nArg].
func fdSet(name string, nArg uint8) Arg {
	return Arg{Name: name, kind: KindFDSet, dir: in | out, n: count{fromBits, nArg}}
}

// Arguments that many calls share.
var (
	fd       = fdArg("fd")
	dirfd    = dirfdArg("dirfd")
	pathname = path("pathname")
)

// def makes a row of the table.
func def(name string, class Class, args ...Arg) Call {
	return Call{Name: name, Class: class, Args: args}
}

// The rest of a row, chained.

func (c Call) retFD() Call    { c.ret = retFD; return c }
func (c Call) retHex() Call   { c.ret = retHex; return c }
func (c Call) retOctal() Call { c.ret, c.noError = retOctal, true; return c }
func (c Call) retNone() Call  { c.ret = retNone; return c }

// unsigned says that the call can't fail and returns a user or group id.
func (c Call) unsigned() Call { c.ret, c.noError = retUint, true; return c }

// returnsPID says which number of a process the result is.
func (c Call) returnsPID(k PIDKind) Call { c.ret = retTID + retKind(k); return c }

// never says that the call has no errors: its result is a plain value.
func (c Call) never() Call { c.noError = true; return c }

// returns says that the kind of the result depends on the arguments.
func (c Call) returns(f func(*[6]uint64) retKind) Call { c.retVary = f; return c }

// through says that data flows through descriptor argument i.
func (c Call) through(i int8) Call { c.data = i + 1; return c }

func (c Call) varies(f func(*[6]uint64) []Arg) Call { c.vary = f; return c }
func (c Call) remark(f func(*printer)) Call         { c.after = f; return c }

// arrayInOut points to arguments[cntArg] structures that the kernel changes.
func arrayInOut(name string, l *layout, cntArg uint8) Arg {
	return Arg{Name: name, kind: KindStruct, dir: in | out, n: count{fromArg, cntArg}, st: l, array: true}
}
