package sysabi

import (
	"bytes"
	"encoding/binary"

	"culprit/internal/event"
)

// Decoded is a system call made readable. It points into the event.
type Decoded struct {
	Call       *Call // nil when the number is unknown
	Name       string
	Args       []Value
	Ret        Value
	Errno      Errno // 0 when the call succeeded or did not return
	Unfinished bool

	s    *event.Syscall
	text *printer // see Decoded.printer
}

// Value is an argument or a result. Kind says which fields are set.
type Value struct {
	Name      string // as in the man page
	Kind      ValueKind
	Int       int64  // as a signed number of the argument's width
	Uint      uint64 // the register
	Str       string // paths and strings
	Strings   []string
	Data      []byte // bytes of a buffer that were captured; of a structure, its memory
	Len       int    // bytes that the call transferred or named
	Truncated bool   // fewer bytes or strings were captured than that
	Captured  bool   // the memory that the argument points to was captured
	Addr      Sockaddr

	arg *Arg
	reg int
	s   *event.Syscall
	c   *Call
}

// Decode interprets a recorded call. It never fails: what is unknown or damaged
// comes out as numbers.
func Decode(s *event.Syscall) Decoded {
	var d Decoded
	d.Decode(s, 0)
	return d
}

// Decode is the function Decode for a d that is used again. Arguments before
// number from stay as they are: they are this call's, decoded at its entry.
func (d *Decoded) Decode(s *event.Syscall, from int) {
	d.Call, d.Unfinished, d.s, d.Errno = Lookup(s.Arch, s.NR), s.Flags&event.Unfinished != 0, s, 0
	if d.Call == nil {
		d.Call = &Call{Arch: s.Arch, ptr: 8, Args: rawArgs}
		if s.Arch == event.ArchI386 {
			d.Call.ptr = 4
		}
		d.Call.Name = "syscall_" + string(appendHex(nil, uint64(s.NR)))
	}
	d.Name = d.Call.Name
	if !d.Unfinished && failed(s.Ret) && !d.Call.noError {
		d.Errno = Errno(-s.Ret)
	}
	list := d.Call.args(&s.Args)
	if cap(d.Args) < len(list) {
		d.Args = append(make([]Value, 0, max(len(list), len(s.Args))), d.Args...)
	}
	d.Args = d.Args[:len(list)]
	for i := from; i < len(list); i++ {
		d.value(&d.Args[i], &list[i], list[i].register(i))
	}
	d.Ret = Value{Name: "return", Kind: retKindOf(d.Call.result(&s.Args)), Int: s.Ret, Uint: uint64(s.Ret)}
}

// result is what kind the call's result has.
func (c *Call) result(regs *[6]uint64) retKind {
	if c.retVary != nil {
		return c.retVary(regs)
	}
	return c.ret
}

func retKindOf(r retKind) ValueKind {
	switch r {
	case retFD:
		return KindFD
	case retHex:
		return KindPtr
	case retOctal:
		return KindMode
	case retTID, retTGID, retPGID, retSID:
		return KindPID
	}
	return KindLong
}

func (d *Decoded) value(v *Value, arg *Arg, reg int) {
	s := d.s
	*v = Value{Name: arg.Name, Kind: arg.kind, arg: arg, reg: reg, s: s, c: d.Call}
	raw := s.Args[reg]
	if d.Call.ptr == 4 {
		raw = uint64(uint32(raw))
	}
	v.Uint, v.Int = raw, int64(raw)
	if d.Call.ptr == 4 {
		v.Int = int64(int32(raw))
	}
	switch arg.kind {
	case KindInt, KindFD, KindDirFD, KindSignal, KindID, KindPID:
		if arg.long {
			break
		}
		v.Int, v.Uint = int64(int32(raw)), uint64(uint32(raw))
	case KindFlags, KindEnum, KindEnumFlags:
		if !arg.long {
			v.Int, v.Uint = int64(int32(raw)), uint64(uint32(raw))
		}
	case KindUint:
		v.Uint = uint64(uint32(raw))
	case KindMode: // umode_t
		v.Uint = uint64(uint16(raw))
	case KindOffset:
		if arg.split && d.Call.ptr == 4 && reg < 5 {
			v.Uint = raw | s.Args[reg+1]<<32
			v.Int = int64(v.Uint)
		}
	case KindPath, KindString:
		m := memoryOf(s)
		n := 1 << 30
		if arg.dir == out {
			n = stringSize(arg, s.Ret)
			v.Len = n
			if d.Errno != 0 || d.Unfinished {
				return
			}
			v.Data, v.Captured = m.read(raw, n, event.Leave)
			v.Truncated = len(v.Data) < n
			if arg.n.from == fromConst {
				v.Data, _, _ = bytes.Cut(v.Data, []byte{0})
			} else if arg.n.v == argNUL { // the result counts the NUL byte
				v.Data, _, _ = bytes.Cut(v.Data, []byte{0})
			}
			v.Str = string(v.Data)
			return
		}
		v.Data, v.Captured = m.read(raw, n, event.Enter)
		if i := bytes.IndexByte(v.Data, 0); i >= 0 {
			v.Data = v.Data[:i]
		} else {
			v.Truncated = v.Captured
		}
		v.Str, v.Len = string(v.Data), len(v.Data)
	case KindStrings:
		v.strings(raw)
	case KindBuffer:
		v.Len = d.transferred(arg)
		if arg.dir == out && (d.Errno != 0 || d.Unfinished) {
			return
		}
		v.Data, v.Captured = memoryOf(s).read(raw, v.Len, event.Leave)
		v.Captured = v.Captured || v.Len == 0 && raw != 0
		v.Truncated = len(v.Data) < v.Len
	case KindIovec, KindMessage, KindMessages:
		v.nested(d)
	case KindSockaddr:
		d.sockaddr(v)
	case KindStruct, KindSigset, KindFDSet:
		at := event.Enter
		if arg.dir&in == 0 {
			at = event.Leave
		}
		v.Len = memorySize(arg, d.Call.ptr, &s.Args, s.Ret)
		v.Data, v.Captured = memoryOf(s).read(raw, v.Len, at)
		v.Truncated = len(v.Data) < v.Len
	}
}

// transferred is how many bytes of a buffer the call took, or was asked to
// take when it failed or did not return.
func (d *Decoded) transferred(arg *Arg) int {
	if arg.n.from == fromPtr {
		n, _ := memoryOf(d.s).u32(d.s.Args[arg.n.v], event.Leave)
		return int(min(n, maxStructs))
	}
	reg := d.s.Args[arg.n.v]
	if d.Call.ptr == 4 || arg.n.from == fromArg {
		reg = uint64(uint32(reg))
	}
	n := int(min(reg, 1<<31-1))
	if d.Errno == 0 && !d.Unfinished && (arg.n.from == fromRet || d.Call.data > 0) {
		n = int(min(uint64(max(d.s.Ret, 0)), uint64(n)))
	}
	return n
}

func (d *Decoded) sockaddr(v *Value) {
	m := memoryOf(d.s)
	n, at := int(uint32(d.s.Args[v.arg.n.v])), event.Enter
	if v.arg.dir == out {
		if d.Errno != 0 || d.Unfinished {
			return
		}
		l, ok := m.u32(d.s.Args[v.arg.n.v], event.Leave)
		if !ok {
			return
		}
		if p := m.exactly(d.s.Args[v.arg.n.v], 4, event.Enter); p != nil {
			l = min(l, binary.LittleEndian.Uint32(p)) // the room that there was
		}
		n, at = int(l), event.Leave
	}
	v.Len = n
	v.Data, v.Captured = m.read(v.Uint, min(n, maxSockaddr), at)
	v.Truncated = len(v.Data) < n
	v.Addr = DecodeSockaddr(v.Data)
}

// strings collects argv: the pointers that were captured, up to NULL.
func (v *Value) strings(addr uint64) {
	m, word := memoryOf(v.s), uint64(v.c.ptr)
	if addr == 0 {
		return
	}
	for range maxStrings {
		p, ok := m.read(addr, int(word), event.Enter)
		if !ok || len(p) < int(word) {
			v.Truncated = true
			return
		}
		v.Captured = true
		s := long64(p, 0, word)
		if s == 0 {
			return
		}
		text, ok := m.read(s, 1<<30, event.Enter)
		if i := bytes.IndexByte(text, 0); i >= 0 {
			text = text[:i]
		} else {
			v.Truncated = true
			if !ok {
				return
			}
		}
		v.Strings = append(v.Strings, string(text))
		addr += word
	}
	v.Truncated = true
}

// Arg returns the argument called name.
func (d Decoded) Arg(name string) (Value, bool) {
	for i := range d.Args {
		if d.Args[i].Name == name {
			return d.Args[i], true
		}
	}
	return Value{}, false
}

func (d Decoded) first(kinds ...ValueKind) (Value, bool) {
	for i := range d.Args {
		for _, k := range kinds {
			if d.Args[i].Kind == k {
				return d.Args[i], true
			}
		}
	}
	return Value{}, false
}

// FD returns the descriptor that the call acts on (see [Call.FD]), -1 when
// there is none.
func (d Decoded) FD() int32 {
	if i := d.Call.FD(); i >= 0 {
		return int32(d.s.Args[d.Call.Args[i].register(i)])
	}
	return -1
}

// DirFD returns the directory descriptor that belongs to the first path, AT_FDCWD
// (-100) when the call has none.
func (d Decoded) DirFD() int32 {
	if v, ok := d.first(KindDirFD); ok {
		return int32(v.Int)
	}
	return -100
}

// Path returns the first path argument that was captured.
func (d Decoded) Path() (string, bool) {
	v, ok := d.first(KindPath)
	return v.Str, ok && v.Captured
}

// Sockaddr returns the call's socket address: connect's, bind's, sendto's,
// accept's, or that of a message.
func (d Decoded) Sockaddr() (Sockaddr, bool) {
	v, ok := d.first(KindSockaddr, KindMessage, KindMessages)
	return v.Addr, ok && v.Addr.Family != 0
}

// Buffer returns the bytes that the call transferred, buffers of a vector
// joined in order, and how many bytes more were transferred but not captured.
// A call that failed transferred nothing: the bytes are those it offered, and
// missing is 0.
func (d Decoded) Buffer() (data []byte, missing int) {
	v, ok := d.first(KindBuffer, KindIovec, KindMessage, KindMessages)
	if !ok {
		if d.Call.Data() && d.Errno == 0 && !d.Unfinished { // sendfile, splice
			missing = int(min(max(d.s.Ret, 0), 1<<40))
		}
		return nil, missing
	}
	if d.Errno == 0 && !d.Unfinished {
		missing = max(v.Len-len(v.Data), 0)
	}
	return v.Data, missing
}
