package sysabi

// span is memory that a program named: n bytes at addr, the first of which are
// in b. Fewer than n are there where the rest could not be read.
type span struct {
	addr uint64
	n    int
	b    []byte
}

// from is the span without its first bytes.
func (s span) from(at int) span {
	at = min(at, s.n)
	return span{s.addr + uint64(at), s.n - at, s.b[min(at, len(s.b)):]}
}

// upTo is the first n bytes of it.
func (s span) upTo(n int) span {
	n = max(min(n, s.n), 0)
	return span{s.addr, n, s.b[:min(n, len(s.b))]}
}

// get returns size bytes at an offset, nil when they could not be read.
func (s span) get(at, size int) []byte {
	if at+size > len(s.b) {
		return nil
	}
	return s.b[at : at+size : at+size]
}

// readable says that so much of the span is there as a string shows.
func (p *printer) readable(s span) bool { return s.addr != 0 && len(s.b) >= min(s.n, p.opt.strLen()+1) }

// hexSpan prints bytes that nobody understands.
func (p *printer) hexSpan(s span) {
	if !p.readable(s) {
		p.ptr(s.addr)
		return
	}
	p.hexString(s.b, s.n)
}

// textSpan prints bytes as a string.
func (p *printer) textSpan(s span) {
	if !p.readable(s) {
		p.ptr(s.addr)
		return
	}
	p.quote(s.b, s.n, p.opt.strLen())
}

// listSpan prints n values, with the names of their indexes when there are some.
func (p *printer) listSpan(f field, s span, n int, names *Set) {
	size := f.bytes(p.word())
	if n == 0 {
		p.str("[]")
		return
	}
	for i := range n {
		b := s.get(i*size, size)
		if b == nil && i == 0 {
			p.ptr(s.addr)
			return
		}
		if i == 0 {
			p.str("[")
		} else {
			p.str(", ")
		}
		if b == nil {
			p.more(s.addr + uint64(i*size))
			break
		}
		if i >= p.opt.strLen() && p.abbreviated() {
			p.str("...")
			break
		}
		p.element(f, b, i, names)
	}
	p.str("]")
}

// more says that what follows, at addr, could not be read.
func (p *printer) more(addr uint64) {
	p.str("... /* ")
	p.hex(addr)
	p.str(" */")
}
