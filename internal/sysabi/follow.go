package sysabi

import (
	"bytes"

	"culprit/internal/event"
)

// Arguments whose memory points to more memory, in ways of their own: a bpf
// attr, the conditions of a seccomp filter, the iocbs of io_submit. Such an
// argument has a function that prints it and that reads memory through the
// printer only. While the call is captured the same function runs with a
// printer whose reads go to the program's memory and are kept; its text is
// thrown away. So what is printed later was copied before.
//
// That costs more than copying by a rule, so calls that are made often don't
// have it.

const (
	maxFetches = 1 << 14 // of one call
	maxFetch   = 1 << 16 // bytes
)

// shown is an argument of n bytes, as far as a rule knows, that show prints.
func shown(name string, d dir, n int, show func(p *printer, v *Value)) Arg {
	return Arg{Name: name, kind: KindStruct, dir: d, n: count{fromConst, 1}, st: &layout{n, n, nil, false}, show: show}
}

// sized says that a shown argument has as many bytes as a register says.
func (a Arg) sized(reg uint8) Arg {
	a.n, a.st = count{fromSizeArg, reg}, layoutByte
	return a
}

var layoutByte = &layout{1, 1, nil, false}

// given is a shown argument that is a record, printed at the entry.
func given(name string, r *cstruct) Arg { return shown(name, in, r.size, recordAt(r)) }

// filled is a shown argument that is a record, which the kernel fills.
func filled(name string, r *cstruct) Arg {
	return shown(name, out, r.size, recordAt(r))
}

func recordAt(r *cstruct) func(p *printer, v *Value) {
	return func(p *printer, v *Value) { p.recordAt(r, v.Uint) }
}

// recordAt prints the record at addr, its address when it can't be read.
func (p *printer) recordAt(r *cstruct, addr uint64) {
	if b := p.fetch(addr, p.bytesOf(r)); b != nil {
		outer := p.in
		p.in = place{base: addr}
		p.record(r, b)
		p.in = outer
	} else {
		p.ptr(addr)
	}
}

// later prints the part of an argument that only the exit tells.
func (p *printer) later(v *Value) {
	p.at, p.second = event.Leave, true
	v.arg.more(p, v)
	p.second = false
}

// twice is a shown argument of which more prints a second part at the exit.
func (a Arg) twice(more func(p *printer, v *Value)) Arg {
	a.dir, a.more = in|out, more
	return a
}

// extensible is an argument whose size the program says in a register: kernels
// know more or less of it than the program. It has at least least bytes.
func extensible(name string, d dir, r *cstruct, least int, sizeReg uint8) Arg {
	return shown(name, d, 1, func(p *printer, v *Value) {
		p.extensible(r, v.Uint, p.size(v, sizeReg), least)
	}).sized(sizeReg)
}

// size reads a size in a register.
func (p *printer) size(v *Value, reg uint8) uint64 {
	if p.c.ptr == 4 {
		return uint64(uint32(v.s.Args[reg]))
	}
	return v.s.Args[reg]
}

func (p *printer) extensible(r *cstruct, addr, size uint64, least int) {
	if size < uint64(least) {
		p.ptr(addr)
		return
	}
	b := p.fetch(addr, int(min(size, uint64(p.bytesOf(r)))))
	if b == nil {
		p.ptr(addr)
		return
	}
	p.str("{")
	p.members(r, b)
	p.rest(addr, uint64(p.bytesOf(r)), size)
	p.str("}")
}

// rest prints bytes that belong to no known field, when they aren't zero.
func (p *printer) rest(addr, from, to uint64) {
	if to = min(to, pageSize); from >= to {
		return
	}
	b := p.fetch(addr+from, int(to-from))
	if b != nil && zero(b) {
		return
	}
	if n := len(p.b); n > 0 && p.b[n-1] != '{' {
		p.str(", ")
	}
	if b == nil {
		p.str("???")
		return
	}
	p.str("/* bytes ")
	p.uint(from)
	p.str("..")
	p.uint(to - 1)
	p.str(" */ ")
	p.hexString(b, len(b))
}

// rehearse copies what printing the argument will read.
func (k *capture) rehearse(arg *Arg, addr uint64) {
	if k.at == event.Enter && arg.dir&in == 0 || k.at == event.Leave && arg.dir&out == 0 {
		return
	}
	own := new(capture) // k itself stays on the stack, also where nothing is rehearsed
	*own = *k
	s := event.Syscall{Arch: k.call.Arch, Args: *k.regs, Ret: k.ret}
	if k.at == event.Enter {
		s.Flags = event.Unfinished
	}
	p := printer{
		b: k.a.text[:0], opt: Options{Verbose: true, StrLen: max(k.lim.String, 32)}, s: &s, c: k.call,
		m: memory{live: own}, failed: k.at == event.Leave && failed(k.ret) && !k.call.noError, unfinished: k.at == event.Enter,
	}
	v := Value{Name: arg.Name, Kind: arg.kind, Uint: addr, Int: int64(addr), arg: arg, s: &s, c: k.call}
	p.at = v.phase()
	if k.at == event.Leave && arg.more != nil {
		p.later(&v)
	} else {
		arg.show(&p, &v)
	}
	k.a.text = p.b[:0]
	k.dst, k.budget = own.dst, own.budget
}

// fetch reads memory for a rehearsal, from what was copied before where it can.
func (k *capture) fetch(addr uint64, n int, at event.Phase) ([]byte, bool) {
	n = min(n, maxFetch)
	q, ok := memory{pieces: k.dst}.phase(addr, n, at)
	if at != k.at || len(q) == n {
		return q, ok
	}
	q = k.read(addr, n)
	return q, len(q) > 0
}

// fetch returns the n bytes at addr as they were when the argument counts, nil
// when they were not captured or the kernel filled nothing.
func (p *printer) fetch(addr uint64, n int) []byte {
	if p.nothing() {
		return nil
	}
	return p.fetchAt(addr, n, p.at)
}

// nothing says that the kernel should have filled memory and did not.
func (p *printer) nothing() bool { return p.at == event.Leave && (p.failed || p.unfinished) }

func (p *printer) fetchAt(addr uint64, n int, at event.Phase) []byte {
	if p.fetches++; addr == 0 || n < 0 || n > maxFetch || p.fetches > maxFetches {
		return nil
	}
	if n == 0 {
		return []byte{}
	}
	if q, _ := p.m.read(addr, n, at); len(q) == n {
		return q
	}
	return nil
}

// number reads a number of n bytes.
func (p *printer) number(addr uint64, n int) (uint64, bool) {
	b := p.fetch(addr, n)
	return le(b), b != nil
}

// text returns the bytes at addr up to a NUL, at most n. ended says that the
// NUL is there, whole that nothing was unreadable before n.
func (p *printer) textAt(addr uint64, n int) (q []byte, ended, whole bool) {
	n = min(n, maxFetch)
	if p.fetches++; addr == 0 || p.fetches > maxFetches || p.nothing() {
		return nil, false, false
	}
	if k := p.m.live; k != nil {
		q, _ = memory{pieces: k.dst}.phase(addr, n, p.at)
		if len(q) < n && bytes.IndexByte(q, 0) < 0 && p.at == k.at {
			k.string(addr, n)
			q, _ = memory{pieces: k.dst}.phase(addr, n, p.at)
		}
	} else {
		q, _ = p.m.read(addr, n, p.at)
	}
	if i := bytes.IndexByte(q, 0); i >= 0 {
		return q[:i], true, true
	}
	return q, false, len(q) == n
}

// strAt prints the string at addr.
func (p *printer) strAt(addr uint64) { p.cstrAt(addr, maxFetch) }

// cstrAt prints a string of at most n bytes.
func (p *printer) cstrAt(addr uint64, n int) {
	limit := p.opt.strLen()
	q, ended, whole := p.textAt(addr, min(limit+1, n))
	switch {
	case !whole:
		p.ptr(addr)
	case ended || n == 0:
		p.quote(q, len(q), limit)
	default:
		p.quote(q[:min(len(q), limit)], len(q)+1, limit)
	}
}

// bytesAt prints n bytes.
func (p *printer) bytesAt(addr, n uint64) { p.bytesWith(addr, n, p.quote) }

// hexAt prints n bytes in hex.
func (p *printer) hexAt(addr, n uint64) {
	p.bytesWith(addr, n, func(b []byte, n, _ int) { p.hexString(b, n) })
}

func (p *printer) bytesWith(addr, n uint64, quote func(b []byte, n, max int)) {
	limit := p.opt.strLen()
	if q := p.fetch(addr, int(min(n, uint64(limit+1)))); q != nil {
		quote(q[:min(len(q), limit)], int(min(n, 1<<31-1)), limit)
	} else {
		p.ptr(addr)
	}
}

// array prints n elements of size bytes.
func (p *printer) array(addr, n uint64, size int, each func(b []byte)) {
	p.arrayUpTo(addr, n, size, 1<<40, each)
}

// arrayUpTo prints most elements at most.
func (p *printer) arrayUpTo(addr, n uint64, size int, most uint64, each func(b []byte)) {
	switch {
	case addr == 0:
		p.str("NULL")
		return
	case n == 0:
		p.str("[]")
		return
	case n > 1<<40 || addr+n*uint64(size) <= addr:
		p.ptr(addr)
		return
	}
	if p.m.live != nil && !p.nothing() { // in one read
		p.m.live.fetch(addr, int(min(n*uint64(size), maxFetch)), p.at)
	}
	for i := range n {
		at := addr + i*uint64(size)
		b := p.fetch(at, size)
		if b == nil && i == 0 {
			p.ptr(addr)
			return
		}
		if i == 0 {
			p.str("[")
		} else {
			p.str(", ")
		}
		if b == nil {
			p.str("... /* ")
			p.hex(at)
			p.str(" */")
			break
		}
		if i >= uint64(p.opt.strLen()) && !p.opt.Verbose || i >= most {
			p.str("...")
			break
		}
		each(b)
	}
	p.str("]")
}

func (p *printer) hexes(addr, n uint64, size int) {
	p.array(addr, n, size, func(b []byte) { p.hex(le(b)) })
}

// indirect prints [v] for what addr points to.
func (p *printer) indirect(addr uint64, size int, show func(b []byte)) {
	b := p.fetch(addr, size)
	if b == nil {
		p.ptr(addr)
		return
	}
	p.str("[")
	show(b)
	p.str("]")
}
