package sysabi

import "strconv"

// Members that structures of devices have, besides those of cstruct.go.

// sl and xl are words, with a sign and in hex.
func sl(name string) field { return field{name: name, show: showD} }
func xl(name string) field { return field{name: name, show: showX} }

// verbose prints the field only where structures are printed in full.
func (f field) verbose() field { return f.only(fully) }

// Members of other kinds: numbers of processes, device numbers of a word and of
// 64 bits, bytes as text and in hex, all of them or as many as a member says.
func pid(name string, k PIDKind) field {
	return part(name, 4, func(p *printer, b, _ []byte) { p.pid(les(b), k) })
}

func devWord(name string) field {
	return part(name, 0, func(p *printer, b, _ []byte) { p.dev(le(b)) })
}

func dev64(name string) field {
	return part(name, 8, func(p *printer, b, _ []byte) { p.dev(le(b)) })
}

func fd64(name string) field {
	return field{name: name, size: 8, show: showFD}
}

func rawText(name string, n int, used string) field {
	return field{name: name, size: 1, n: n, show: func(p *printer, b, _ []byte) {
		b = p.part(b, used)
		p.quote(b, len(b), whole)
	}}
}

func rawHex(name string, n int, used string) field {
	return field{name: name, size: 1, n: n, show: func(p *printer, b, _ []byte) {
		p.b = appendHexQuoted(p.b, p.part(b, used), EscapeAll)
	}}
}

// part cuts b to as many bytes as a member says.
func (p *printer) part(b []byte, used string) []byte {
	if used == "" {
		return b
	}
	return b[:min(p.get(used), uint64(len(b)))]
}

// inSeconds is a time with a remark in seconds, of which digits follow the point.
func inSeconds(name string, size int, perSecond uint64, digits int) field {
	return part(name, size, func(p *printer, b, _ []byte) {
		p.uint(le(b))
		p.seconds("", le(b), perSecond, digits)
	})
}

func inSecondsSigned(name string, size int, perSecond uint64, digits int) field {
	return part(name, size, func(p *printer, b, _ []byte) {
		v := les(b)
		p.int(v)
		if v < 0 {
			p.seconds("-", uint64(-v), perSecond, digits)
		} else {
			p.seconds("", uint64(v), perSecond, digits)
		}
	})
}

func (p *printer) seconds(sign string, v, perSecond uint64, digits int) {
	if v == 0 || p.opt.Style == StyleRaw {
		return
	}
	p.str(" /* " + sign)
	p.uint(v / perSecond)
	p.str(".")
	part := strconv.AppendUint(nil, v%perSecond, 10)
	for range digits - len(part) {
		p.str("0")
	}
	p.b = append(p.b, part...)
	p.str(" s */")
}

// decimal is an enum of size bytes whose numbers are printed in decimal.
func decimal(name string, size int, s *Set) field {
	return part(name, size, func(p *printer, b, _ []byte) { p.enumDecimal(s, le(b), false) })
}

func signed(name string, size int, s *Set) field {
	return part(name, size, func(p *printer, b, _ []byte) { p.enumDecimal(s, uint64(les(b)), true) })
}

// enumDecimal prints an enum with its numbers in decimal.
func (p *printer) enumDecimal(s *Set, v uint64, signed bool) {
	name := s.Name(v)
	if name != "" && p.opt.Style == StyleAbbrev {
		p.str(name)
		return
	}
	if signed {
		p.int(int64(v))
	} else {
		p.uint(v)
	}
	switch {
	case p.opt.Style == StyleRaw:
	case name != "":
		p.str(" /* " + name + " */")
	default:
		p.b = s.comment(p.b)
	}
}

// pathAt prints the path at addr.
func (p *printer) pathAt(addr uint64) {
	q, _, whole := p.textAt(addr, maxPath+1)
	if !whole {
		p.ptr(addr)
		return
	}
	p.quote(q, len(q), maxPath)
}

// numbers prints an array of numbers.
func (p *printer) numbers(addr, n uint64, size int) {
	p.array(addr, n, size, func(b []byte) { p.uint(le(b)) })
}
