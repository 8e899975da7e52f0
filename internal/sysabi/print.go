package sysabi

import (
	"strconv"

	"culprit/internal/event"
)

// String prints the call as strace(1) does:
//
//	openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
func (d Decoded) String() string { return string(d.Append(nil, Options{})) }

// Append appends the call as text to b.
func (d Decoded) Append(b []byte, o Options) []byte {
	start := len(b)
	p := printer{b: b, opt: o, s: d.s, c: d.Call, m: memoryOf(d.s), failed: d.Errno != 0, unfinished: d.Unfinished}
	p.str(d.Name)
	p.str("(")
	for i := range d.Args {
		v := &d.Args[i]
		p.sep(i)
		if d.Unfinished && v.arg.dir == out {
			p.str(" <unfinished ...>")
			break
		}
		if v.arg.named || o.Names {
			p.str(v.Name)
			p.str("=")
		}
		p.value(v)
		if d.Unfinished && i == len(d.Args)-1 && d.Call.ret != retNone {
			p.str(" <unfinished ...>")
		}
	}
	p.str(")")
	for p.str(" "); len(p.b)-start < o.Column; {
		p.str(" ")
	}
	p.str("= ")
	p.result(&d)
	return p.b
}

func (p *printer) result(d *Decoded) {
	switch {
	case d.Unfinished || d.Call.ret == retNone && d.Errno == 0:
		p.str("?")
		return
	case d.Errno != 0:
		if d.Errno >= 512 {
			p.str("? ")
		} else {
			p.str("-1 ")
		}
		p.str(d.Errno.Name())
		p.str(" (")
		p.str(d.Errno.Text())
		p.str(")")
		return
	}
	r := d.s.Ret
	switch d.Call.result(&d.s.Args) {
	case retFlags:
		p.hex(uint64(r))
	case retHex:
		if d.Call.ptr == 4 {
			r = int64(uint32(r))
		}
		if r == 0 {
			p.str("NULL")
		} else {
			p.hex(uint64(r))
		}
	case retClipped:
		p.uint(uint64(r))
		if r >= 0xfffff000 && r < 1<<32 {
			e := Errno(-int32(r))
			p.str(" " + e.Name() + " (" + e.Text() + ")")
		}
	case retOctal:
		p.octal(uint64(r), 2)
	case retFD:
		p.fd(r)
	case retUint:
		p.ulong(r)
	case retTID, retTGID, retPGID, retSID:
		p.pid(r, PIDKind(d.Call.result(&d.s.Args)-retTID))
	default:
		p.int(r)
	}
	if d.Call.after != nil {
		n := len(p.b)
		p.str(" (")
		d.Call.after(p)
		if len(p.b) == n+2 && !p.empty {
			p.b = p.b[:n]
		} else {
			p.str(")")
		}
	}
}

// Text prints the value as it stands in the call's text.
func (v Value) Text() string {
	if v.arg == nil {
		return strconv.FormatInt(v.Int, 10)
	}
	p := printer{s: v.s, c: v.c, m: memoryOf(v.s)}
	p.failed = failed(v.s.Ret) && !v.c.noError
	p.unfinished = v.s.Flags&event.Unfinished != 0
	p.value(&v)
	return string(p.b)
}

// printer appends text. In the functions that print structures, b has the size
// that their layout says.
type printer struct {
	b          []byte
	opt        Options
	s          *event.Syscall
	c          *Call
	m          memory
	at         event.Phase // of the structure being printed
	both       bool        // it was given and is filled; now the second time
	failed     bool
	unfinished bool
	remote     bool  // buffers are in another process
	budget     int   // bytes that vectors may still print, see memory.total
	dir        int64 // the directory descriptor printed last, where inDir
	inDir      bool

	nl         netlinkState
	nlBuffers  bool // vectors have messages of netlink
	nlProtocol int
	nlDepth    int  // of what lies in messages that lie in messages
	empty      bool // a remark is printed although it has no text
	second     bool // prints the second part of an argument, see later
	fetches    int  // of memory that memory points to, see fetch
	in         place
	holes      bool // an array had no elements, or some could not be read
}

func (p *printer) word() int { return int(p.c.ptr) }

func (p *printer) str(s string)  { p.b = append(p.b, s...) }
func (p *printer) int(v int64)   { p.b = strconv.AppendInt(p.b, v, 10) }
func (p *printer) uint(v uint64) { p.b = strconv.AppendUint(p.b, v, 10) }
func (p *printer) hex(v uint64)  { p.b = appendHex(p.b, v) }
func (p *printer) ptr(v uint64)  { p.b = appendPtr(p.b, v) }

// octal prints with a leading zero and at least width digits after it.
func (p *printer) octal(v uint64, width int) {
	p.str("0")
	t := strconv.FormatUint(v, 8)
	for n := len(t); n < width; n++ {
		p.str("0")
	}
	p.str(t)
}

// hexPad prints as C's %#0*x does.
func (p *printer) hexPad(v uint64, width int) {
	t := strconv.FormatUint(v, 16)
	n := len(t)
	if v != 0 {
		p.str("0x")
		n += 2
	}
	for ; n < width; n++ {
		p.str("0")
	}
	p.str(t)
}

// sep puts a comma before all elements but the first.
func (p *printer) sep(i int) {
	if i > 0 {
		p.str(", ")
	}
}

// field begins a field of a structure.
func (p *printer) field(name string) {
	if n := len(p.b); n == 0 && p.second || n > 0 && p.b[n-1] != '{' {
		p.str(", ")
	}
	p.str(name)
	p.str("=")
}

// value prints an argument.
func (p *printer) value(v *Value) {
	if p.opt.Addresses {
		switch v.Kind {
		case KindStruct, KindSigset, KindFDSet, KindStrings, KindSockaddr, KindMessage, KindMessages, KindIovec:
			p.ptr(v.Uint)
			return
		}
	}
	if v.arg.show != nil {
		p.at = v.phase()
		v.arg.show(p, v)
		if v.arg.more != nil && !p.unfinished {
			p.later(v)
		}
		return
	}
	switch v.Kind {
	case KindInt, KindLong, KindOffset:
		p.int(v.Int)
	case KindUint, KindSize:
		p.uint(v.Uint)
	case KindHex:
		p.hex(v.Uint)
	case KindPtr:
		p.ptr(v.Uint)
	case KindFD:
		p.fd(v.Int)
	case KindDirFD:
		p.dirfd(v.Int)
	case KindPath, KindString:
		p.text(v)
	case KindBuffer:
		if !v.Captured {
			p.ptr(v.Uint)
			return
		}
		if v.arg.st != nil {
			p.dirents(v)
			return
		}
		if v.arg.socket && p.socketData(v) {
			return
		}
		if v.arg.hexed {
			p.hexString(v.Data, v.Len)
			return
		}
		if len(v.Data) < min(v.Len, p.opt.strLen()+1) {
			p.ptr(v.Uint) // not all of it can be read
			return
		}
		p.quote(v.Data, v.Len, p.opt.strLen())
	case KindIovec:
		p.budget, p.remote = p.m.total(), v.arg.remote
		p.iovec(v.Uint, v.s.Args[v.arg.n.v], p.left(v), v.phase())
		p.remote = false
	case KindMessage:
		p.budget = p.m.total()
		p.message(v)
	case KindMessages:
		p.budget = p.m.total()
		p.messages(v)
	case KindSockaddr:
		if len(v.Data) < 2 || len(v.Data) < min(v.Len, maxSockaddr) || int32(v.Len) < 0 {
			p.ptr(v.Uint)
			return
		}
		p.sockaddr(v.Addr)
	case KindStrings:
		p.strings(v)
	case KindFlags:
		switch v.arg.set {
		case setOpenFlags:
			p.styled(v.Uint, func() { p.openFlags(v.Uint) })
			return
		case setMountFlags:
			p.mountFlags(v.Uint)
			return
		case setFutexWakeOps:
			p.styled(v.Uint, func() { p.wakeOp(v.Uint) })
			return
		case setCloneFlags:
			p.styled(v.Uint, func() { p.cloneFlags(v.Uint) })
			return
		}
		p.flags(v.arg.set, v.Uint)
	case KindEnum:
		if v.arg.swap {
			p.str("htons(")
			p.enum(v.arg.set, v.Uint&0xff<<8|v.Uint>>8&0xff)
			p.str(")")
			return
		}
		p.enum(v.arg.set, v.Uint)
	case KindEnumFlags:
		p.styled(v.Uint, func() { p.enumFlags(v) })
	case KindMode:
		if v.arg.set != nil {
			p.styledMode(v.Uint)
		} else {
			p.perm(v.Uint)
		}
	case KindSignal:
		p.signal(v.Int)
	case KindID:
		if v.Int == -1 {
			p.str("-1")
		} else {
			p.uint(v.Uint)
		}
	case KindDev:
		p.dev(uint64(uint32(v.Uint)))
	case KindStruct:
		p.structure(v)
	case KindSigset:
		if !v.Captured || v.Truncated || v.Len > 8 || v.Len != 8 && p.c.Name != "rt_sigpending" || v.arg.dir == out && (p.failed || p.unfinished) {
			p.ptr(v.Uint)
			return
		}
		p.sigset(v.Data)
	case KindFDSet:
		if !v.Captured || v.Truncated {
			p.ptr(v.Uint)
			return
		}
		p.fdSet(v.Data, int(int32(p.s.Args[v.arg.n.v])))
	case KindIoctl:
		p.ioctl(v.Uint)
	case KindPID:
		kind := v.arg.pid
		if v.arg.pidBy != nil {
			kind = v.arg.pidBy(&v.s.Args)
		}
		p.pid(v.Int, kind)
	}
}

// enumFlags prints an enum and the flags above it; without an enum the low
// bits are permissions.
func (p *printer) enumFlags(v *Value) {
	low, high := v.Uint&v.arg.lowM, v.Uint&^v.arg.lowM
	names := v.arg.set
	switch {
	case v.arg.low == nil:
		if high != 0 {
			p.b = appendPlain(p.b, names, high)
			p.str("|")
		}
		p.perm(low)
	case v.arg.whole && v.arg.low.Name(low) == "": // not an enum and flags
		all := names.all()
		p.enum(v.arg.low, v.Uint&^all)
		p.b = names.appendMore(p.b, high&all)
	case v.arg.low.Name(low) == "" && low == 0 && high != 0:
		p.b = appendPlain(p.b, names, high)
	default:
		p.enum(v.arg.low, low)
		p.b = names.appendMore(p.b, high)
	}
}

// appendPlain appends flags without a remark on unknown ones.
func appendPlain(b []byte, s *Set, v uint64) []byte {
	n := len(b)
	b = s.appendMore(b, v)
	return append(b[:n], b[min(n+1, len(b)):]...)
}

// left is how many bytes a transfer moved; all that it names when it failed.
func (p *printer) left(v *Value) uint64 {
	if p.failed || p.unfinished {
		if v.arg.dir == out {
			return 0
		}
		return 1 << 40
	}
	return uint64(max(v.s.Ret, 0))
}

func (p *printer) dirfd(fd int64) {
	p.dir, p.inDir = fd, true
	if fd == -100 {
		switch p.opt.Style {
		case StyleRaw:
			p.str("-100")
		case StyleVerbose:
			p.str("-100 /* AT_FDCWD */")
		default:
			p.str("AT_FDCWD")
		}
		if p.opt.FD != nil {
			p.b = p.opt.FD(p.b, fd)
		}
		return
	}
	p.fd(fd)
}

func (p *printer) text(v *Value) {
	if !v.Captured {
		p.ptr(v.Uint)
		return
	}
	limit := p.opt.strLen()
	switch {
	case v.arg.max > 0:
		limit = int(v.arg.max)
		if len(v.Data) < limit {
			break
		}
		// The kernel looks no further, so neither is the end looked for.
		p.quote(v.Data[:limit], limit+1, min(limit, p.opt.strLen()))
		return
	case v.Kind == KindPath:
		limit = maxPath
	case v.arg.dir == out && v.arg.n.v == argNUL:
		p.quote(v.Data, len(v.Data), whole)
		if v.Truncated {
			p.str("...")
		}
		return
	}
	if v.Truncated && len(v.Data) <= limit {
		p.ptr(v.Uint) // it runs into memory that can't be read
		return
	}
	if v.arg.max > 0 {
		limit = min(limit, p.opt.strLen())
	}
	p.quote(v.Data, len(v.Data), limit)
	if v.Kind == KindPath && !v.Truncated {
		p.named(v.Data)
	}
}

// named prints what is known of a path.
func (p *printer) named(path []byte) {
	if p.opt.Path == nil {
		return
	}
	if !p.inDir {
		p.dir = -100
	}
	p.b = p.opt.Path(p.b, p.dir, path)
}

func (p *printer) strings(v *Value) {
	if v.Uint == 0 || !v.Captured {
		p.ptr(v.Uint)
		return
	}
	if v.Name == "envp" && !p.opt.Verbose {
		p.variables(v)
		return
	}
	p.stringArray(v.Uint)
}

// perm prints permission bits: octal, with its leading zero three digits wide.
func (p *printer) perm(v uint64) { p.octal(v, 2) }

// mode prints permission bits, and the file type when there is one.
func (p *printer) mode(v uint64) {
	if t := v & 0o170000; t != 0 {
		if n := setFileTypes.Name(t); n != "" {
			p.str(n)
			p.str("|")
			v &^= 0o170000
		}
	}
	for _, f := range [...]struct {
		bit  uint64
		name string
	}{{0o4000, "S_ISUID"}, {0o2000, "S_ISGID"}, {0o1000, "S_ISVTX"}} {
		if v&f.bit != 0 && v&0o170000 == 0 {
			p.str(f.name)
			p.str("|")
			v &^= f.bit
		}
	}
	p.perm(v)
}

func (p *printer) dev(v uint64) {
	p.styled(v, func() {
		p.str("makedev(")
		p.hex(v>>8&0xfff | v>>32&0xfffff000)
		p.str(", ")
		p.hex(v&0xff | v>>12&0xffffff00)
		p.str(")")
	})
}

// structure prints one structure or an array.
func (p *printer) structure(v *Value) {
	failed := (p.failed || p.unfinished) && !(v.arg.onIntr && interrupted(v.s.Ret))
	if v.Uint == 0 || v.arg.dir == out && failed || v.arg.onIntr && !p.failed || v.arg.ifRet && v.s.Ret == 0 {
		p.ptr(v.Uint)
		return
	}
	if v.arg.st == layoutCPUs {
		if v.Len == 0 && v.Uint != 0 {
			p.str("[]")
			return
		}
		if !v.Captured {
			p.ptr(v.Uint)
			return
		}
		p.cpus(v.Data)
		return
	}
	p.at = v.phase()
	size := v.arg.st.bytes(p.c.ptr)
	if !v.arg.array {
		if len(v.Data) < size {
			p.ptr(v.Uint)
			return
		}
		p.both = false
		start := len(p.b)
		v.arg.st.print(p, v.Data)
		if v.arg.dir == in|out && !p.failed && !p.unfinished && v.arg.st.changes {
			after := p.m.exactly(v.Uint, size, event.Leave)
			if after != nil && string(after) != string(v.Data) {
				p.at, p.both = event.Leave, true
				p.change(start, v.arg.st, after)
			}
		}
		return
	}
	n := v.Len / size
	if n == 0 {
		p.str("[]")
		return
	}
	if len(v.Data) < size {
		p.ptr(v.Uint)
		return
	}
	p.str("[")
	for i := range n {
		p.sep(i)
		if len(v.Data) < (i+1)*size {
			p.str("... /* ")
			p.hex(v.Uint + uint64(i*size))
			p.str(" */")
			break
		}
		if i >= p.opt.strLen() && !p.opt.Verbose {
			p.str("...")
			break
		}
		v.arg.st.print(p, v.Data[i*size:(i+1)*size])
	}
	p.str("]")
}

// change prints what the kernel made of a structure that it was given. What
// was printed at start becomes "[128 => 16]" for a length or an offset; of
// others only the new state stays.
func (p *printer) change(start int, l *layout, after []byte) {
	switch l {
	case layoutLen, layoutFrom:
		p.b = p.b[:len(p.b)-1]
		p.str(" => ")
		mark := len(p.b)
		l.print(p, after)
		p.b = append(p.b[:mark], p.b[mark+1:]...)
	default:
		p.b = p.b[:start]
		l.print(p, after)
	}
}
