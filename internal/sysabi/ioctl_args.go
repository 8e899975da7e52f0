package sysabi

import (
	"bytes"
	stdstrings "strings"
	"sync/atomic"

	"culprit/internal/event"
)

// Arguments of ioctl requests: the words of their table.

func ioctlWith(a ...Arg) []Arg {
	return append([]Arg{fd, {Name: "op", kind: KindIoctl}}, a...)
}

var (
	ioctlNone = lazily(func() []Arg { return ioctlWith() })
	ioctlHex  = lazily(func() []Arg { return ioctlWith(hex("argp")) })
	ioctlPtr  = lazily(func() []Arg { return ioctlWith(ptr("argp")) })
	ioctlInt  = lazily(func() []Arg { return ioctlWith(num("argp")) })
	ioctlUint = lazily(func() []Arg { return ioctlWith(size("argp")) })
	ioctlFD   = lazily(func() []Arg { return ioctlWith(fdArg("argp")) })
)

// gives is a structure from the program, fills one that the kernel fills.
func gives(r *cstruct) []Arg { return ioctlWith(recordArg(r, in, recordAt(r))) }
func fills(r *cstruct) []Arg { return ioctlWith(recordArg(r, out, recordAt(r))) }

func recordArg(r *cstruct, d dir, show func(p *printer, v *Value)) Arg {
	a := shown("argp", d, r.size, show)
	a.st.size32 = r.size32
	return a
}

// completes is a structure with members that the program gives and others that the
// kernel fills, printed as one. A name with "=" before it is of a member that
// both set: " => " and the new value is printed where it differs; after "==" the
// name too.
func completes(r *cstruct, given, filled string) []Arg {
	changed, filled := changes(r, filled)
	first, second := r.pick(given), r.pick(filled)
	return ioctlWith(recordArg(r, in, func(p *printer, v *Value) {
		if b := p.fetch(v.Uint, p.bytesOf(r)); b != nil {
			p.str("{")
			p.membersAt(first, b, v.Uint)
		} else {
			p.ptr(v.Uint)
		}
	}).twice(func(p *printer, v *Value) {
		was := p.fetchAt(v.Uint, p.bytesOf(r), event.Enter)
		if was == nil {
			return
		}
		if b := p.fetch(v.Uint, p.bytesOf(r)); b != nil {
			for _, f := range changed {
				at := f.at
				if p.c.ptr == 4 {
					at = f.at32
				}
				if now := f.in(b, at, p.word()); !bytes.Equal(now, f.in(was, at, p.word())) {
					p.str(" => ")
					if f.named {
						p.str(f.name + "=")
					}
					outer := p.in
					p.in = place{r: r, b: b, base: v.Uint}
					f.show(p, now, b)
					p.in = outer
				}
			}
			p.moreAt(second, b, v.Uint)
		}
		p.str("}")
	}))
}

// moreAt prints members after others, which may have been printed before p was
// made.
func (p *printer) moreAt(r *cstruct, b []byte, addr uint64) {
	start := len(p.b)
	p.str("{")
	p.membersAt(r, b, addr)
	text := string(p.b[start+1:])
	if p.b = p.b[:start]; text != "" {
		p.str(", ")
		p.str(text)
	}
}

// change is a member that both the program and the kernel set.
type change struct {
	*field
	named bool
}

func changes(r *cstruct, names string) (changed []change, others string) {
	for _, n := range stdstrings.Fields(names) {
		if name := stdstrings.TrimLeft(n, "="); name != n {
			changed = append(changed, change{r.member(name), n[1] == '='})
		} else {
			others += n + " "
		}
	}
	return changed, others
}

// becomes is a structure that is printed twice: "{given} => {filled}".
func becomes(r *cstruct, given, filled string) []Arg {
	return turns(r.pick(given), r.pick(filled))
}

func turns(given, filled *cstruct) []Arg {
	return ioctlWith(recordArg(given, in, func(p *printer, v *Value) {
		p.recordAt(given, v.Uint)
	}).twice(func(p *printer, v *Value) {
		if p.nothing() || p.fetchAt(v.Uint, p.bytesOf(given), event.Enter) == nil {
			return
		}
		start := len(p.b)
		p.str(" => ")
		p.recordAt(filled, v.Uint)
		if string(p.b[start:]) == " => {}" {
			p.b = p.b[:start]
		}
	}))
}

// turnsWhole is turns for requests that print nothing more when an array in what
// is given is empty or can't be read.
func turnsWhole(given, filled *cstruct) []Arg {
	args := turns(given, filled)
	a := &args[len(args)-1]
	more := a.more
	a.more = func(p *printer, v *Value) {
		if !p.hasHoles(func() { p.recordAt(given, v.Uint) }) {
			more(p, v)
		}
	}
	return args
}

// hasHoles says whether what the entry printed has arrays with holes.
func (p *printer) hasHoles(show func()) bool {
	start, at := len(p.b), p.at
	p.holes, p.at = false, event.Enter
	show()
	p.b, p.at = p.b[:start], at
	return p.holes
}

// answers is turns for requests that print the address when they fail.
func answers(given, filled *cstruct) []Arg {
	return ioctlWith(recordArg(given, in, func(p *printer, v *Value) {
		p.recordAt(given, v.Uint)
	}).twice(func(p *printer, v *Value) {
		if p.fetchAt(v.Uint, p.bytesOf(given), event.Enter) != nil {
			p.str(" => ")
			p.recordAt(filled, v.Uint)
		}
	}))
}

func (p *printer) membersAt(r *cstruct, b []byte, addr uint64) {
	outer := p.in
	p.in = place{base: addr}
	p.members(r, b)
	p.in = outer
}

// as names the argument.
func as(name string, args []Arg) []Arg {
	args[len(args)-1].Name = name
	return args
}

// Values behind a pointer.
var (
	refU16 = lazily(func() *cstruct { return values(u16("v")) })
	refInt = lazily(func() *cstruct { return values(s32("v")) })
	refU32 = lazily(func() *cstruct { return values(u32("v")) })
	refX32 = lazily(func() *cstruct { return values(x32("v")) })
	refU64 = lazily(func() *cstruct { return values(u64("v")) })
	refS64 = lazily(func() *cstruct { return values(s64("v")) })
	refX64 = lazily(func() *cstruct { return values(x64("v")) })
	refU   = lazily(func() *cstruct { return values(ul("v")) })
	refS   = lazily(func() *cstruct { return values(sl("v")) })
)

func refFlags(s *Set) *cstruct { return values(f32("v", s)) }
func refEnum(s *Set) *cstruct  { return values(e32("v", s)) }

// givesText is n bytes of text from the program, fillsText what the kernel
// fills; how prints them.
func givesText(n int, how func(p *printer, addr, n uint64)) []Arg {
	return ioctlWith(shown("argp", in, n, func(p *printer, v *Value) { how(p, v.Uint, uint64(n)) }))
}

func fillsText(n int, how func(p *printer, addr, n uint64)) []Arg {
	return ioctlWith(shown("argp", out, n, func(p *printer, v *Value) {
		if p.nothing() {
			p.ptr(v.Uint)
			return
		}
		how(p, v.Uint, uint64(n))
	}))
}

// wholeText prints a text that has a NUL byte within n bytes, all of which must
// be readable.
func wholeText(p *printer, addr, n uint64) {
	if b := p.fetch(addr, int(n)); b != nil {
		p.charArray(b)
	} else {
		p.ptr(addr)
	}
}

// unknownKnown keeps what unknownArgs made, by direction and size: recorders ask
// at every call.
var unknownKnown [1 << 16]atomic.Pointer[[]Arg]

// unknownArgs is the arguments of a request of which only the size is known. A
// driver may fill it and fail. Without abbreviations it is printed as bytes.
func unknownArgs(code uint32) []Arg {
	at := &unknownKnown[code>>16]
	if args := at.Load(); args != nil {
		return *args
	}
	args := newUnknownArgs(code)
	at.Store(&args)
	return args
}

func newUnknownArgs(code uint32) []Arg {
	n := int(iocSize(code))
	dump := func(p *printer, v *Value) {
		if p.abbreviated() || v.Uint == 0 {
			p.hex(v.Uint)
			return
		}
		limit := p.opt.strLen()
		if b := p.fetchAt(v.Uint, min(n, limit+1), p.at); b != nil {
			p.hexString(b, n)
		} else {
			p.ptr(v.Uint)
		}
	}
	switch iocDir(code) {
	case iocWrite:
		return ioctlWith(shown("argp", in, n, dump))
	case iocRead:
		return ioctlWith(shown("argp", out, n, dump))
	}
	return ioctlWith(shown("argp", in, n, dump).twice(func(p *printer, v *Value) {
		if !p.abbreviated() && p.fetchAt(v.Uint, min(n, p.opt.strLen()+1), event.Enter) != nil {
			p.str(" => ")
			dump(p, v)
		}
	}))
}
