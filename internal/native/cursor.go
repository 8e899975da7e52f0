package native

import "encoding/binary"

// cursor reads little-endian data. After the first read past the end all reads
// give zero and bad is set.
type cursor struct {
	b    []byte
	at   int
	addr uint64 // of b[0]
	word int
	bad  bool
}

func (c *cursor) left() int { return len(c.b) - c.at }

func (c *cursor) take(n uint64) []byte {
	if c.bad || n > uint64(c.left()) {
		c.bad = true
		return nil
	}
	p := c.b[c.at : c.at+int(n)]
	c.at += int(n)
	return p
}

func (c *cursor) uint(size int) uint64 {
	p := c.take(uint64(size))
	if p == nil {
		return 0
	}
	switch size {
	case 1:
		return uint64(p[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(p))
	case 4:
		return uint64(binary.LittleEndian.Uint32(p))
	}
	return binary.LittleEndian.Uint64(p)
}

func (c *cursor) u8() byte { return byte(c.uint(1)) }

func (c *cursor) sint(size int) uint64 {
	shift := 64 - 8*size
	return uint64(int64(c.uint(size)<<shift) >> shift)
}

func (c *cursor) uleb() uint64 {
	v := uint64(0)
	for shift := uint(0); ; shift += 7 {
		b := c.u8()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			return v
		}
	}
}

func (c *cursor) sleb() int64 {
	v, shift := int64(0), uint(0)
	for {
		b := c.u8()
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		shift += 7
		if b&0x80 == 0 {
			if shift < 64 && b&0x40 != 0 {
				v |= -1 << shift
			}
			return v
		}
	}
}

func (c *cursor) cstring() string {
	from := c.at
	for c.u8() != 0 {
	}
	if c.bad {
		return ""
	}
	return string(c.b[from : c.at-1])
}

// Pointer encodings of .eh_frame (Linux Standard Base, DWARF extensions).
const (
	encOmit     = 0xff
	encPCRel    = 0x10
	encDataRel  = 0x30
	encIndirect = 0x80
)

// pointer reads an encoded address; data is what encDataRel counts from.
func (c *cursor) pointer(enc byte, data uint64) uint64 {
	if enc == encOmit {
		return 0
	}
	at := c.addr + uint64(c.at)
	var v uint64
	switch enc & 0xf {
	case 0:
		v = c.uint(c.word)
	case 1:
		v = c.uleb()
	case 2:
		v = c.uint(2)
	case 3:
		v = c.uint(4)
	case 4:
		v = c.uint(8)
	case 9:
		v = uint64(c.sleb())
	case 0xa:
		v = c.sint(2)
	case 0xb:
		v = c.sint(4)
	case 0xc:
		v = c.uint(8)
	default:
		c.bad = true
	}
	switch enc & 0x70 {
	case 0:
	case encPCRel:
		v += at
	case encDataRel:
		v += data
	default:
		c.bad = true
	}
	if enc&encIndirect != 0 { // points into the program's data: only personalities do
		c.bad = true
	}
	if c.word == 4 {
		v = uint64(uint32(v))
	}
	return v
}
