package sysabi

// A cstruct is a structure declared as a list of its fields, in the words of the
// constructors below: newRecord(u32("type"), f64("flags", setX)). Offsets follow
// from natural alignment, with 64 bit fields aligned to 8 bytes on 32 bit
// machines too (__aligned_u64).
type cstruct struct {
	fields       []field
	size, size32 int
	align        int
	order        []int   // of printing, when it isn't that in memory
	all          []field // when fields is a choice of them, see pick
	list         bool    // printed as [1, 2], without names
}

// field is a member of a cstruct.
type field struct {
	name     string // "" for padding
	size     int    // bytes of an element, 0 for a word, -1 for none
	n        int    // elements, when it is an array
	align    int    // when it isn't the element's size
	size32   int    // when a word is 4 bytes and it isn't the same
	show     func(p *printer, b, all []byte)
	when     func(p *printer, b, all []byte) bool // nil: always
	own      bool                                 // show prints the name too
	at, at32 int

	over bool // it lies where the field before it lies, in a union
	tail bool // it follows the structure
	mark bool // no field: what comes after it is left out in abbreviated structures, with tail
	// in all; with over the next member goes on
}

func (f *field) bytes(word int) int {
	size := f.size
	switch {
	case size == 0:
		size = word
	case size < 0:
		size = 0
	}
	if word == 4 && f.size32 > 0 {
		size = f.size32
	}
	return size * max(f.n, 1)
}

func newRecord(fields ...field) *cstruct {
	r := &cstruct{fields: fields, align: 1}
	at, at32 := 0, 0
	for i := range r.fields {
		f := &r.fields[i]
		align, align32 := f.align, f.align
		if align == 0 {
			align, align32 = f.size, f.size
		}
		if align == 0 {
			align, align32 = 8, 4
		}
		f.at = (at + align - 1) / align * align
		f.at32 = (at32 + align32 - 1) / align32 * align32
		at, at32 = f.at+f.bytes(8), f.at32+f.bytes(4)
		r.align = max(r.align, align)
	}
	r.size = (at + r.align - 1) / r.align * r.align
	r.size32 = (at32 + min(r.align, 8) - 1) / min(r.align, 8) * min(r.align, 8)
	return r
}

// words says that 64 bit alignment comes from words only, so that there is none
// on 32 bit machines.
func (r *cstruct) words() *cstruct {
	last := &r.fields[len(r.fields)-1]
	r.size32 = (last.at32 + last.bytes(4) + 3) / 4 * 4
	return r
}

func (r *cstruct) layout() *layout {
	return &layout{r.size, r.size32, func(p *printer, b []byte) { p.record(r, b) }, false}
}

// record prints as much of r as b has; a field that is cut reads as if zeros
// followed.
func (p *printer) record(r *cstruct, b []byte) {
	if r.list {
		p.str("[")
		p.members(r, b)
		p.str("]")
		return
	}
	p.str("{")
	p.members(r, b)
	p.str("}")
}

// members is record without the braces.
func (p *printer) members(r *cstruct, b []byte) {
	outer := p.in
	defer func() { p.in = outer }()
	p.in = place{r: r, b: b, base: outer.base + uint64(outer.at)}
	shown, n := 0, len(r.fields)
	if r.order != nil {
		n = len(r.order)
	}
	for i := range n {
		f := &r.fields[i]
		if r.order != nil {
			f = &r.fields[r.order[i]]
		}
		if f.mark && (f.tail || p.abbreviated()) {
			if p.str(", ..."); !f.over {
				return
			}
			continue
		}
		if f.name == "" {
			continue
		}
		at := f.at
		if p.c.ptr == 4 {
			at = f.at32
		}
		if at >= len(b) && !f.tail {
			return
		}
		p.in.at = at
		v := f.in(b, at, p.word())
		if f.when != nil && !f.when(p, v, b) {
			continue
		}
		switch {
		case r.list:
			p.sep(shown)
			shown++
		case !f.own:
			p.field(f.name)
		}
		f.show(p, v, b)
	}
}

// in returns the bytes of a field in a structure, with zeros for those that are
// not there.
func (f *field) in(b []byte, at, word int) []byte {
	if f.tail {
		return nil
	}
	n := f.bytes(word)
	v := b[min(at, len(b)):min(at+n, len(b))]
	if len(v) < n {
		v = append(make([]byte, 0, n), v...)[:n]
	}
	return v
}

// bytesOf returns the size of r for the call's architecture.
func (p *printer) bytesOf(r *cstruct) int {
	if p.c.ptr == 4 {
		return r.size32
	}
	return r.size
}

// le reads an unsigned number of up to 8 bytes.
func le(b []byte) (v uint64) {
	for i := min(len(b), 8) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// les reads a signed number.
func les(b []byte) int64 {
	shift := 64 - 8*min(len(b), 8)
	return int64(le(b)<<shift) >> shift
}

func showU(p *printer, b, _ []byte)  { p.uint(le(b)) }
func showD(p *printer, b, _ []byte)  { p.int(les(b)) }
func showX(p *printer, b, _ []byte)  { p.hex(le(b)) }
func showA(p *printer, b, _ []byte)  { p.ptr(le(b)) }
func showFD(p *printer, b, _ []byte) { p.fd(int64(int32(le(b)))) }

// Numbers: unsigned, signed, in hex; l is a word.
func u8(name string) field  { return field{name: name, size: 1, show: showU} }
func u16(name string) field { return field{name: name, size: 2, show: showU} }
func u32(name string) field { return field{name: name, size: 4, show: showU} }
func u64(name string) field { return field{name: name, size: 8, show: showU} }
func ul(name string) field  { return field{name: name, show: showU} }
func s32(name string) field { return field{name: name, size: 4, show: showD} }
func s64(name string) field { return field{name: name, size: 8, show: showD} }
func x8(name string) field  { return field{name: name, size: 1, show: showX} }
func x16(name string) field { return field{name: name, size: 2, show: showX} }
func x32(name string) field { return field{name: name, size: 4, show: showX} }
func x64(name string) field { return field{name: name, size: 8, show: showX} }

// Addresses that are not followed: of 64 bits, of a pointer.
func a64(name string) field { return field{name: name, size: 8, show: showA} }
func al(name string) field  { return field{name: name, show: showA} }

// A descriptor; a user or group id.
func fd32(name string) field { return field{name: name, size: 4, show: showFD} }

// An enum and flags of size bytes; 0 for a word.
func en(name string, size int, s *Set) field {
	return field{name: name, size: size, show: func(p *printer, b, _ []byte) { p.enum(s, le(b)) }}
}
func fl(name string, size int, s *Set) field {
	return field{name: name, size: size, show: func(p *printer, b, _ []byte) { p.flags(s, le(b)) }}
}
func e32(name string, s *Set) field { return en(name, 4, s) }
func f32(name string, s *Set) field { return fl(name, 4, s) }
func f64(name string, s *Set) field { return fl(name, 8, s) }

// part is a field of its own kind.
func part(name string, size int, show func(p *printer, b, all []byte)) field {
	return field{name: name, size: size, show: show}
}

// list is an array of n elements.
func (f field) list(n int) field {
	each, size := f.show, f.size
	f.n = n
	f.show = func(p *printer, b, all []byte) {
		step := size
		if step == 0 {
			step = p.word()
		}
		p.str("[")
		for i := 0; i < len(b); i += step {
			p.sep(i)
			each(p, b[i:i+step], all)
		}
		p.str("]")
	}
	return f
}

// spare is an array that is printed only when it isn't zero.
func (f field) spare(n int) field {
	f = f.list(n)
	return f.nonzero()
}

// sub is a record in a record.
func sub(name string, r *cstruct) field {
	return field{name: name, size: r.size, size32: r.size32, align: r.align, show: func(p *printer, b, _ []byte) { p.record(r, b) }}
}

func pad(n int) field { return field{size: n, align: 1} }

// only prints the field where cond holds.
func (f field) only(cond func(p *printer, b, all []byte) bool) field { f.when = cond; return f }

// nonzero prints the field only when it isn't zero.
func (f field) nonzero() field {
	return f.only(func(_ *printer, b, _ []byte) bool { return !zero(b) })
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// id prints a user or group id.
func (p *printer) id(v uint64) {
	if uint32(v) == ^uint32(0) {
		p.str("-1")
		return
	}
	p.uint(uint64(uint32(v)))
}

// charArray prints a string that must end within b.
func (p *printer) charArray(b []byte) {
	n := 0
	for n < len(b) && b[n] != 0 {
		n++
	}
	if n < len(b) || n == 0 {
		p.quote(b[:n], n, whole)
		return
	}
	p.quote(b[:n-1], n-1, whole)
	p.str("...")
}

// packed says that nothing is aligned at the structure's end.
func (r *cstruct) packed() *cstruct {
	last := &r.fields[len(r.fields)-1]
	r.size, r.size32 = last.at+last.bytes(8), last.at32+last.bytes(4)
	return r
}
