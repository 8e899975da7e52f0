package stream

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
)

const maxDepth = 12

// unmarshal reads one value of CPython's marshal format, version 2 (CPython
// Python/marshal.c): nil, bool, int64 (a string of digits when it is larger),
// float64, string, []byte or []any.
func unmarshal(b []byte) (any, error) {
	m := reader{b: b}
	v := m.value(0)
	if m.err == nil && len(m.b) != 0 {
		m.fail("%d bytes after the value", len(m.b))
	}
	if m.err != nil {
		return nil, m.err
	}
	return v, nil
}

// reader has a sticky error: after it every read gives zero.
type reader struct {
	b   []byte
	err error
}

func (m *reader) fail(format string, a ...any) {
	if m.err == nil {
		m.err = fmt.Errorf("%w: marshal: "+format, append([]any{ErrDamaged}, a...)...)
	}
	m.b = nil
}

func (m *reader) take(n uint64) []byte {
	if n > uint64(len(m.b)) {
		m.fail("%d bytes wanted of %d", n, len(m.b))
		return nil
	}
	v := m.b[:n]
	m.b = m.b[n:]
	return v
}

func (m *reader) u32() uint32 {
	if v := m.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (m *reader) value(depth int) any {
	if depth > maxDepth {
		m.fail("nested deeper than %d", maxDepth)
		return nil
	}
	kind := m.take(1)
	if kind == nil {
		return nil
	}
	switch kind[0] {
	case 'N':
		return nil
	case 'T':
		return true
	case 'F':
		return false
	case 'i':
		return int64(int32(m.u32()))
	case 'l':
		return m.long()
	case 'g':
		if v := m.take(8); v != nil {
			return math.Float64frombits(binary.LittleEndian.Uint64(v))
		}
		return nil
	case 's':
		return append([]byte{}, m.take(uint64(m.u32()))...)
	case 'u':
		return text(m.take(uint64(m.u32())))
	case '(', '[':
		n := m.u32()
		if uint64(n) > uint64(len(m.b)) { // an element has one byte at least
			m.fail("%d elements in %d bytes", n, len(m.b))
			return nil
		}
		list := make([]any, 0, min(n, 64))
		for range n {
			list = append(list, m.value(depth+1))
			if m.err != nil {
				return nil
			}
		}
		return list
	}
	m.fail("type %q", kind[0])
	return nil
}

// long reads an int of 15-bit digits; the sign of the count is the sign.
func (m *reader) long() any {
	n := int32(m.u32())
	neg := n < 0
	if neg {
		n = -n
	}
	if n < 0 || n > 64 {
		m.fail("int of %d digits", n)
		return nil
	}
	digits := m.take(2 * uint64(n))
	v := new(big.Int)
	for i := len(digits) - 2; i >= 0; i -= 2 {
		d := binary.LittleEndian.Uint16(digits[i:])
		if d>>15 != 0 {
			m.fail("digit %#x", d)
			return nil
		}
		v.Lsh(v, 15).Or(v, big.NewInt(int64(d)))
	}
	if neg {
		v.Neg(v)
	}
	if v.IsInt64() {
		return v.Int64()
	}
	return v.String()
}

// text undoes surrogateescape (PEP 383), which Python uses for bytes of file
// names that are not UTF-8: U+DC80..U+DCFF, here as ED B2 80..ED B3 BF, stand
// for the bytes 80..FF.
func text(b []byte) string {
	for i := 0; i+2 < len(b); i++ {
		if b[i] == 0xED && b[i+1]&0xFE == 0xB2 {
			return string(unescape(b))
		}
	}
	return string(b)
}

func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == 0xED && i+2 < len(b) && b[i+1]&0xFE == 0xB2 && b[i+2]&0xC0 == 0x80 {
			c := (b[i+1]&1)<<6 | b[i+2]&0x3F | 0x80
			out = append(out, c)
			i += 2
			continue
		}
		out = append(out, b[i])
	}
	return out
}
