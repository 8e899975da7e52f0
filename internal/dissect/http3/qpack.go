package http3

import (
	"errors"
	"fmt"

	"golang.org/x/net/http2/hpack"

	"culprit/internal/dissect/http"
)

// reader reads the integers and strings of QPACK (RFC 9204 section 4.1) and the
// variable-length integers of QUIC. It says that bytes are missing, or that they
// make no sense.
type reader struct {
	b     []byte
	short bool
	bad   error
}

var (
	errLong   = errors.New("a number or string over the limit")
	errIndex  = errors.New("an index that the table does not have")
	errPrefix = errors.New("a header block whose prefix makes no sense")
)

func (r *reader) ok() bool { return !r.short && r.bad == nil }

func (r *reader) u8() byte {
	if len(r.b) == 0 {
		r.short = true
		return 0
	}
	x := r.b[0]
	r.b = r.b[1:]
	return x
}

// varint reads a variable-length integer (RFC 9000 section 16).
func (r *reader) varint() uint64 {
	if len(r.b) == 0 || len(r.b) < 1<<(r.b[0]>>6) {
		r.short = true
		return 0
	}
	n, size := uint64(r.b[0]&0x3f), 1<<(r.b[0]>>6)
	for _, x := range r.b[1:size] {
		n = n<<8 | uint64(x)
	}
	r.b = r.b[size:]
	return n
}

// integer reads an integer with a prefix of bits in first (RFC 7541 section 5.1).
func (r *reader) integer(first byte, bits int) uint64 {
	most := byte(1<<bits - 1)
	n := uint64(first & most)
	if n < uint64(most) {
		return n
	}
	for shift := 0; ; shift += 7 {
		x := r.u8()
		if shift > 56 {
			r.bad = errLong
		}
		if !r.ok() {
			return 0
		}
		n += uint64(x&0x7f) << shift
		if x&0x80 == 0 {
			return n
		}
	}
}

// text reads a string literal whose length has a prefix of bits in first, and
// before that the bit that says whether it is Huffman coded.
func (r *reader) text(first byte, bits int) string {
	n := r.integer(first, bits)
	switch {
	case !r.ok():
		return ""
	case n > maxString:
		r.bad = errLong
		return ""
	case n > uint64(len(r.b)):
		r.short = true
		return ""
	}
	b := r.b[:n]
	r.b = r.b[n:]
	if first&(1<<bits) == 0 {
		return string(b)
	}
	s, err := hpack.HuffmanDecodeToString(b)
	if err != nil {
		r.bad = err
	}
	return s
}

// table is the dynamic table that one side's encoder keeps (RFC 9204 section 3.2).
type table struct {
	fields   []http.Field // the oldest first
	size     int
	capacity int
	most     int    // what the other side's SETTINGS allow
	inserted uint64 // how many fields were ever put in
	buf      []byte // of an instruction that is not all there
	broken   error
}

func size(f http.Field) int { return len(f.Name) + len(f.Value) + 32 }

func (t *table) insert(f http.Field) {
	t.inserted++
	t.fields = append(t.fields, f)
	t.size += size(f)
	t.shrink()
}

func (t *table) shrink() {
	n := 0
	for ; t.size > t.capacity && n < len(t.fields); n++ {
		t.size -= size(t.fields[n])
	}
	if n > 0 {
		t.fields = append(t.fields[:0:0], t.fields[n:]...)
	}
}

// absolute returns the field with an absolute index (RFC 9204 section 3.2.4).
func (t *table) absolute(i uint64) (http.Field, bool) {
	first := t.inserted - uint64(len(t.fields))
	if i < first || i >= t.inserted {
		return http.Field{}, false
	}
	return t.fields[i-first], true
}

// instructions takes bytes of the encoder stream (RFC 9204 section 4.3).
func (t *table) instructions(b []byte) error {
	if t.broken != nil {
		return t.broken
	}
	t.buf = append(t.buf, b...)
	r := &reader{b: t.buf}
	for len(r.b) > 0 {
		rest := r.b
		if t.instruction(r); r.bad != nil {
			t.broken, t.buf = r.bad, nil
			return r.bad
		}
		if r.short {
			r.b = rest
			break
		}
	}
	if len(r.b) > 2*maxString {
		t.broken, t.buf = errLong, nil
		return errLong
	}
	t.buf = append(t.buf[:0:0], r.b...)
	return nil
}

func (t *table) instruction(r *reader) {
	first := r.u8()
	var f http.Field
	ok := true
	switch {
	case first&0x80 != 0: // insert with name reference
		i := r.integer(first, 6)
		if f, ok = t.relative(i, first&0x40 != 0); r.ok() {
			f.Value = r.text(r.u8(), 7)
		}
	case first&0x40 != 0: // insert with literal name
		f.Name = r.text(first, 5)
		if r.ok() {
			f.Value = r.text(r.u8(), 7)
		}
	case first&0x20 != 0: // set the capacity
		n := r.integer(first, 5)
		switch {
		case n > maxTable:
			r.bad = errLong
		case r.ok():
			t.capacity = int(n)
			t.shrink()
		}
		return
	default: // duplicate
		f, ok = t.relative(r.integer(first, 5), false)
	}
	switch {
	case !r.ok():
	case !ok:
		r.bad = errIndex
	default:
		t.insert(f)
	}
}

// relative returns a field by an index of the encoder stream.
func (t *table) relative(i uint64, static bool) (http.Field, bool) {
	if static {
		return fromStatic(i)
	}
	if i >= t.inserted {
		return http.Field{}, false
	}
	return t.absolute(t.inserted - 1 - i)
}

func fromStatic(i uint64) (http.Field, bool) {
	if i >= uint64(len(static)) {
		return http.Field{}, false
	}
	return static[i], true
}

// block is a header block's prefix (RFC 9204 section 4.5.1).
type block struct {
	required uint64 // how many insertions it needs
	base     uint64
	rest     []byte
}

func (t *table) prefix(b []byte) (x block, err error) {
	r := &reader{b: b}
	encoded := r.integer(r.u8(), 8)
	if encoded != 0 {
		// The encoder counts modulo twice the entries that the largest table can have
		// (RFC 9204 section 4.5.1.1). That stands in SETTINGS; where those were not
		// seen, the capacity says as much.
		most := uint64(max(t.most, t.capacity, 32) / 32)
		full := 2 * most
		if encoded > full {
			return x, errPrefix
		}
		high := t.inserted + most
		x.required = high/full*full + encoded - 1
		if x.required > high {
			if x.required <= full {
				return x, errPrefix
			}
			x.required -= full
		}
	}
	sign := r.u8()
	delta := r.integer(sign, 7)
	if !r.ok() {
		return x, errPrefix
	}
	if x.base = x.required + delta; sign&0x80 != 0 {
		if delta+1 > x.required {
			return x, errPrefix
		}
		x.base = x.required - delta - 1
	}
	x.rest = r.b
	return x, nil
}

// read reads a header block (RFC 9204 section 4.5). Over says that fields were
// left out, since they are too many.
func (t *table) read(x block) (list http.Fields, over bool, err error) {
	r := &reader{b: x.rest}
	total := 0
	for len(r.b) > 0 {
		f, ok := t.line(r, x.base)
		switch {
		case r.bad != nil:
			return nil, false, r.bad
		case r.short:
			return nil, false, errors.New("a header block that ends in the middle of a field")
		case !ok:
			return nil, false, errIndex
		}
		if total += size(f); total > maxList || len(list) >= maxFields {
			return list, true, nil
		}
		list = append(list, f)
	}
	return list, false, nil
}

func (t *table) line(r *reader, base uint64) (f http.Field, ok bool) {
	ok = true
	first := r.u8()
	named := func(i uint64, static bool) (http.Field, bool) {
		switch {
		case static:
			return fromStatic(i)
		case i >= base:
			return http.Field{}, false
		}
		return t.absolute(base - 1 - i)
	}
	switch {
	case first&0x80 != 0: // indexed
		return named(r.integer(first, 6), first&0x40 != 0)
	case first&0x40 != 0: // literal with name reference
		f, ok = named(r.integer(first, 4), first&0x10 != 0)
		if r.ok() {
			f.Value = r.text(r.u8(), 7)
		}
	case first&0x20 != 0: // literal with literal name
		f.Name = r.text(first, 3)
		if r.ok() {
			f.Value = r.text(r.u8(), 7)
		}
	case first&0x10 != 0: // indexed, behind the base
		return t.absolute(base + r.integer(first, 4))
	default: // literal with name reference, behind the base
		f, ok = t.absolute(base + r.integer(first, 3))
		if r.ok() {
			f.Value = r.text(r.u8(), 7)
		}
	}
	return f, ok
}

func qpackDamage(err error) string { return fmt.Sprintf("header compression: %v", err) }
