package sysabi

import stdstrings "strings"

// More words for structures: members that depend on others, unions, arrays that
// follow a structure, and the choice of what is printed of one.

// place is the structure that is being printed: its memory, and where it lies.
type place struct {
	r    *cstruct
	b    []byte
	base uint64 // its address
	at   int    // offset of the member that is being printed
}

// structure makes a record whose members are aligned as i386 has it, 64 bits to
// 4 bytes. tight makes one without padding, values one that is printed as a
// list without names.
func structure(fields ...field) *cstruct { return layOut(8, fields) }

func tight(fields ...field) *cstruct { return layOut(1, fields) }

func values(fields ...field) *cstruct {
	r := structure(fields...)
	r.list = true
	return r
}

func layOut(most int, fields []field) *cstruct {
	r := &cstruct{fields: fields, all: fields, align: 1}
	r.size = lay(r, 8, most, func(f *field) *int { return &f.at })
	r.size32 = lay(r, 4, min(most, 4), func(f *field) *int { return &f.at32 })
	return r
}

// lay sets the offsets for one size of words and returns the structure's size.
func lay(r *cstruct, word, most int, offset func(f *field) *int) int {
	end, align, last := 0, 1, 0
	for i := range r.fields {
		f := &r.fields[i]
		switch a := f.alignment(word, most); {
		case f.mark:
			continue
		case f.tail:
			last = -1
		case f.over:
		default:
			align = max(align, a)
			last = (end + a - 1) / a * a
		}
		*offset(f) = last
		if !f.tail {
			end = max(end, last+f.bytes(word))
		}
	}
	r.align = max(r.align, align)
	size := (end + align - 1) / align * align
	for i := range r.fields {
		if o := offset(&r.fields[i]); *o < 0 {
			*o = end
		}
	}
	return size
}

func (f *field) alignment(word, most int) int {
	a := f.align
	if a == 0 {
		a = f.size
	}
	if a == 0 {
		a = word
	}
	return min(a, most)
}

// pick returns r with these members only, in this order. "..." ends it where
// structures are abbreviated, "...." everywhere.
func (r *cstruct) pick(names string) *cstruct {
	c := *r
	c.fields = nil
	for _, name := range stdstrings.Fields(names) {
		switch name {
		case "...":
			c.fields = append(c.fields, abbreviation)
			continue
		case "....":
			c.fields = append(c.fields, field{mark: true, tail: true})
			continue
		}
		c.fields = append(c.fields, *r.member(name))
	}
	return &c
}

func (r *cstruct) member(name string) *field {
	all := r.all
	if all == nil {
		all = r.fields
	}
	for i := range all {
		if all[i].name == name {
			return &all[i]
		}
	}
	panic("sysabi: no member " + name)
}

// memberBytes returns the bytes of another member of the structure being printed, get
// its value.
func (p *printer) memberBytes(name string) []byte {
	f := p.in.r.member(name)
	at := f.at
	if p.c.ptr == 4 {
		at = f.at32
	}
	return f.in(p.in.b, at, p.word())
}

func (p *printer) get(name string) uint64 { return le(p.memberBytes(name)) }

// here is the address of the member that is being printed.
func (p *printer) here() uint64 { return p.in.base + uint64(p.in.at) }

// abbreviation ends an abbreviated structure.
var abbreviation = field{mark: true}

// gap stands for members that an abbreviated structure leaves out.
var gap = field{mark: true, over: true}

type condition = func(p *printer, b, all []byte) bool

// is holds when another member has one of these values, has when it has one of
// these bits.
func is(name string, values ...uint64) condition {
	return func(p *printer, _, _ []byte) bool {
		u := p.get(name)
		for _, v := range values {
			if u == v {
				return true
			}
		}
		return false
	}
}

func isNot(name string, values ...uint64) condition {
	c := is(name, values...)
	return func(p *printer, b, all []byte) bool { return !c(p, b, all) }
}

func has(name string, bits uint64) condition {
	return func(p *printer, _, _ []byte) bool { return p.get(name)&bits != 0 }
}

func hasNot(name string, bits uint64) condition {
	return func(p *printer, _, _ []byte) bool { return p.get(name)&bits == 0 }
}

// fully holds where structures are printed in full.
func fully(p *printer, _, _ []byte) bool { return !p.abbreviated() }

// alignedTo says how a member is aligned when not to its size.
func (f field) alignedTo(n int) field { f.align = n; return f }

// called gives a member another name.
func (f field) called(name string) field { f.name = name; return f }

// overlaid says that a member lies where the one before it lies.
func (f field) overlaid() field { f.over = true; return f }

// several is an array of n elements, abbreviated as arrays are.
func (f field) several(n int) field { return f.counted(n, nil) }

// upTo is an array of n elements, of which another member says how many count.
func (f field) upTo(n int, name string) field {
	return f.counted(n, func(p *printer) uint64 { return p.get(name) })
}

func (f field) counted(n int, used func(p *printer) uint64) field {
	each, size, size32 := f.show, f.size, f.size32
	f.n = n
	f.show = func(p *printer, b, all []byte) {
		step := size
		if step == 0 {
			step = p.word()
		}
		if p.word() == 4 && size32 > 0 {
			step = size32
		}
		count := n
		if used != nil {
			count = int(min(used(p), uint64(n)))
		}
		first := p.in.at
		p.str("[")
		for i := range count {
			p.sep(i)
			if i >= p.opt.strLen() && p.abbreviated() {
				p.str("...")
				break
			}
			p.in.at = first + i*step
			each(p, b[i*step:(i+1)*step], all)
		}
		p.str("]")
	}
	return f
}

// after is an array of records that begins where the structure ends, as long as
// another member says; of most elements at most when it isn't 0 and structures
// are abbreviated.
func after(name string, r *cstruct, count string, most uint64) field {
	return tail(name, func(p *printer) { p.records(r, p.here(), p.get(count), most) })
}

// tail is what lies behind the structure and show prints.
func tail(name string, show func(p *printer)) field {
	return field{name: name, size: 1, tail: true, show: func(p *printer, _, _ []byte) { show(p) }}
}

// records prints an array of n records, of which the first most with
// abbreviations when that isn't 0.
func (p *printer) records(r *cstruct, addr, n, most uint64) {
	outer, next := p.in, addr
	defer func() { p.in = outer }()
	if most == 0 || !p.abbreviated() {
		most = n
	}
	count := uint64(0)
	p.arrayUpTo(addr, n, p.bytesOf(r), most, func(b []byte) {
		p.in = place{base: next}
		next += uint64(p.bytesOf(r))
		count++
		p.record(r, b)
	})
	limit := min(n, most)
	if p.abbreviated() {
		limit = min(limit, uint64(p.opt.strLen()))
	}
	p.holes = p.holes || n == 0 || count < limit
}

// to is a pointer to a record; to64 one of 64 bits everywhere.
func to(name string, r *cstruct) field {
	return field{name: name, show: func(p *printer, b, _ []byte) { p.recordAt(r, le(b)) }}
}

// toArray is a pointer to as many records as another member says.
func toArray(name string, r *cstruct, count string) field {
	return field{name: name, show: func(p *printer, b, _ []byte) { p.records(r, le(b), p.get(count), 0) }}
}

// shows replaces how a member is printed.
func (f field) shows(show func(p *printer)) field {
	f.show = func(p *printer, _, _ []byte) { show(p) }
	return f
}

// is64 says that a pointer has 64 bits everywhere.
func (f field) is64() field { f.size = 8; return f }
