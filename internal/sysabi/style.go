package sysabi

import (
	"bytes"

	"culprit/internal/event"
)

// Style says how named constants are printed (strace -X).
type Style uint8

// Styles: the name, the number, the number with the name as a remark.
const (
	StyleAbbrev Style = iota
	StyleRaw
	StyleVerbose
)

// Escape says how bytes of strings are printed.
type Escape uint8

// Escapes: octal escapes where they are needed, hex for all bytes (strace -xx),
// hex escapes where they are needed.
const (
	EscapeOctal Escape = iota
	EscapeAll
	EscapeNonASCII
)

// maxPath is what is printed of a path at most (PATH_MAX without the NUL).
const maxPath = 4095

// styled prints a constant: as a number, as named does, or both.
func (p *printer) styled(v uint64, named func()) {
	switch p.opt.Style {
	case StyleRaw:
		p.hex(v)
		return
	case StyleVerbose:
		start := len(p.b)
		p.inner(named)
		text := string(p.b[start:])
		p.b = p.b[:start]
		p.hex(v)
		number := string(p.b[start:])
		switch {
		case text == number:
		case len(text) > len(number) && text[:len(number)+1] == number+" ": // a remark already
			p.b = append(p.b[:start], text...)
		default:
			p.str(" /* ")
			p.str(text)
			p.str(" */")
		}
		return
	}
	named()
}

func (p *printer) enum(s *Set, v uint64) {
	if p.opt.Style == StyleAbbrev {
		p.b = s.appendEnum(p.b, v)
		return
	}
	p.styled(v, func() { p.b = s.appendEnum(p.b, v) })
}

func (p *printer) flags(s *Set, v uint64) {
	if p.opt.Style == StyleAbbrev {
		p.b = s.appendFlags(p.b, v)
		return
	}
	p.styled(v, func() { p.b = s.appendFlags(p.b, v) })
}

// inner prints with plain names what is part of a styled constant.
func (p *printer) inner(f func()) {
	style := p.opt.Style
	p.opt.Style = StyleAbbrev
	f()
	p.opt.Style = style
}

func (p *printer) signal(n int64) {
	name := SignalName(int(n))
	if int64(int32(n)) != n {
		p.uint(uint64(n)) // a long, and no signal
		return
	}
	switch p.opt.Style {
	case StyleRaw:
		p.int(n)
	case StyleVerbose:
		p.int(n)
		if len(name) > 3 && name[:3] == "SIG" {
			p.str(" /* ")
			p.str(name)
			p.str(" */")
		}
	default:
		p.str(name)
	}
}

// styledMode prints a mode with its file type.
func (p *printer) styledMode(v uint64) {
	switch p.opt.Style {
	case StyleRaw:
		p.perm(v)
	case StyleVerbose:
		p.perm(v)
		if v&0o170000 != 0 || v&0o7000 != 0 {
			p.str(" /* ")
			p.inner(func() { p.mode(v) })
			p.str(" */")
		}
	default:
		p.mode(v)
	}
}

// variables prints how many strings an environment has.
func (p *printer) variables(v *Value) {
	n, whole := p.pointers(v.Uint)
	p.hex(v.Uint)
	p.str(" /* ")
	p.int(int64(n))
	if n == 1 {
		p.str(" var")
	} else {
		p.str(" vars")
	}
	if !whole {
		p.str(", unterminated")
	}
	p.str(" */")
}

// pointers counts the pointers of an array that ends with NULL, and says
// whether that was reached.
func (p *printer) pointers(addr uint64) (n int, whole bool) {
	word := uint64(p.c.ptr)
	for range maxStrings {
		q, _ := p.m.read(addr, int(word), event.Enter)
		if len(q) < int(word) {
			return n, false
		}
		if long64(q, 0, word) == 0 {
			return n, true
		}
		n, addr = n+1, addr+word
	}
	return n, false
}

// stringArray prints an argv. What can't be read is printed as its address.
func (p *printer) stringArray(addr uint64) {
	word := uint64(p.c.ptr)
	p.str("[")
	for i := 0; ; i++ {
		q, _ := p.m.read(addr, int(word), event.Enter)
		if len(q) < int(word) {
			if i == 0 {
				p.b = p.b[:len(p.b)-1]
				p.ptr(addr)
				return
			}
			p.str(", ... /* ")
			p.hex(addr)
			p.str(" */")
			break
		}
		s := long64(q, 0, word)
		if s == 0 {
			break
		}
		p.sep(i)
		if i >= p.opt.strLen() && !p.opt.Verbose || i >= maxStrings {
			p.str("...")
			break
		}
		text, _ := p.m.read(s, min(p.opt.strLen()+1, 1<<20), event.Enter)
		end := bytes.IndexByte(text, 0)
		switch {
		case end >= 0:
			p.quote(text[:end], end, p.opt.strLen())
		case len(text) > p.opt.strLen():
			p.quote(text, len(text), p.opt.strLen())
		default:
			p.ptr(s)
		}
		addr += word
	}
	p.str("]")
}
