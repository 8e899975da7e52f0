package event

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDamaged is wrapped by every decoding error.
var ErrDamaged = errors.New("damaged record")

// Append adds the binary form of e to b:
//
//	uvarint length of what follows
//	uvarint kind, varint time (ns), uvarint pid, uvarint tid, body
//
// Integers are varints, strings and byte slices have a uvarint length before
// them, lists a uvarint count.
func Append(b []byte, e Event) []byte {
	const room = 4 // a length under 2^28 in four bytes, so that nothing moves
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.AppendUvarint(b, uint64(e.Body.Kind()))
	b = binary.AppendVarint(b, int64(e.Time))
	b = binary.AppendUvarint(b, uint64(uint32(e.PID)))
	b = binary.AppendUvarint(b, uint64(uint32(e.TID)))
	b = e.Body.append(b)
	n := uint32(len(b) - start - room)
	b[start] = byte(n) | 0x80
	b[start+1] = byte(n>>7) | 0x80
	b[start+2] = byte(n>>14) | 0x80
	b[start+3] = byte(n>>21) & 0x7f
	return b
}

// Decode takes the first event off b and returns the rest. The event's byte
// slices point into b. An event of a kind that is not in the table comes back
// with an *Unknown body.
func Decode(b []byte) (e Event, rest []byte, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return e, nil, fmt.Errorf("%w: length %d of %d bytes", ErrDamaged, size, len(b))
	}
	c := cursor{b: b[n : n+int(size)]}
	rest = b[n+int(size):]
	kind := c.uint()
	e.Time = Time(c.int())
	e.PID = int32(c.uint())
	e.TID = int32(c.uint())
	if kind == repeatKind || kind > 0xffff {
		return e, rest, fmt.Errorf("%w: kind %d", ErrDamaged, kind)
	}
	if e.Body = Kind(kind).New(); e.Body == nil {
		e.Body = &Unknown{Raw: Kind(kind)}
	}
	e.Body.decode(&c)
	if c.bad {
		return e, rest, fmt.Errorf("%w: %v body ends early", ErrDamaged, e.Body.Kind())
	}
	return e, rest, nil
}

// Unknown is a body written by a newer culprit.
type Unknown struct {
	Raw  Kind
	Data []byte
}

// Kind returns the number that the newer writer gave.
func (u *Unknown) Kind() Kind             { return u.Raw }
func (u *Unknown) append(b []byte) []byte { return append(b, u.Data...) }
func (u *Unknown) decode(c *cursor)       { u.Data, c.b = c.b, nil }

// cursor reads a body. At the end of the bytes every field reads as zero, which
// is how a body of an older writer gets its newer fields; a field cut in its
// middle sets bad, and it stays set.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) uint() uint64 {
	if len(c.b) == 0 {
		return 0
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) int() int64 {
	if len(c.b) == 0 {
		return 0
	}
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) bool() bool { return c.uint() != 0 }

func (c *cursor) bytes() []byte {
	n := c.uint()
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	if n == 0 {
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) string() string { return string(c.bytes()) }

// count reads the length of a list whose elements take at least one byte each.
func (c *cursor) count() int {
	n := c.uint()
	if n > uint64(len(c.b)) {
		c.fail()
		return 0
	}
	return int(n)
}

func (c *cursor) strings() []string {
	n := c.count()
	if n == 0 {
		return nil
	}
	v := make([]string, 0, min(n, 1024))
	for range n {
		if !c.more() {
			return nil
		}
		v = append(v, c.string())
	}
	return v
}

// more says that a list's next element can begin: the end of the bytes inside
// a list is damage, unlike the end between fields.
func (c *cursor) more() bool {
	if len(c.b) == 0 {
		c.fail()
	}
	return !c.bad
}

func (c *cursor) fail() { c.b, c.bad = nil, true }

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendString(b []byte, v string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendStrings(b []byte, v []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	for _, s := range v {
		b = appendString(b, s)
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
