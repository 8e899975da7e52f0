package sysabi

import "bytes"

// What attributes hold besides values of fixed size: the words of the tables.

// nlText is a string with its NUL.
var nlText payloadFunc = func(p *printer, s span) bool {
	if !p.readable(s) {
		p.ptr(s.addr)
		return true
	}
	b := s.b[:min(s.n, p.opt.strLen())]
	if len(b) > 0 && b[len(b)-1] == 0 {
		p.quote(b[:len(b)-1], len(b)-1, whole)
		return true
	}
	p.quote(b, len(b), whole)
	if s.n > 0 {
		p.str("...")
	}
	return true
}

// nlString is a string up to its NUL.
func (p *printer) nlString(s span) {
	i := bytes.IndexByte(s.b, 0)
	limit := p.opt.strLen()
	switch {
	case i >= 0 && i <= limit:
		p.quote(s.b[:i], i, whole)
	case !p.readable(s):
		p.ptr(s.addr)
	default:
		b := s.b[:min(s.n, limit)]
		p.quote(b, len(b), whole)
		p.str("...")
	}
}

// listOf is as many values as there is room for.
func listOf(f field) payload { return indexed(f, nil) }

// indexed is that with the names of the indexes.
func indexed(f field, names *Set) payload {
	return payloadFunc(func(p *printer, s span) bool {
		n := s.n / f.bytes(p.word())
		if n == 0 && f.size > 1 {
			return false
		}
		p.listSpan(f, s, n, names)
		return true
	})
}

// anyEnum is an enum of up to 8 bytes, as wide as the attribute is.
func anyEnum(names *Set) payload {
	return payloadFunc(func(p *printer, s span) bool {
		if s.n > 8 {
			return false
		}
		if b := s.get(0, s.n); b != nil {
			p.enum(names, le(b))
		} else {
			p.ptr(s.addr)
		}
		return true
	})
}

// ticksOf is a time of up to 8 bytes in ticks.
func ticksOf(perSecond uint64) payload {
	return payloadFunc(func(p *printer, s span) bool {
		if s.n > 8 {
			return false
		}
		if b := s.get(0, s.n); b != nil {
			p.ticks(le(b), perSecond)
		} else {
			p.ptr(s.addr)
		}
		return true
	})
}

// nlTicks is a time in clock ticks.
var nlTicks = lazily(func() payload { return ticksOf(100) })

// nlHex is a number of 1, 2, 4 or 8 bytes in hex.
var nlHex payloadFunc = func(p *printer, s span) bool {
	switch s.n {
	case 1, 2, 4, 8:
		return field{size: s.n, show: showX}.decode(p, s)
	}
	return false
}

// etherProtocol is a protocol number of Ethernet.
var etherProtocol = lazily(func() payload { return upTo8(enumSwapped("", &Set{"ETHER_P_???", setEtherProtocols.Names})) })

// ipProto is a protocol number of IP.
var ipProto = lazily(func() payload { return anyEnum(setInetProtocols) })

// nlInet is an address of the family in the message's header.
var nlInet payloadFunc = func(p *printer, s span) bool {
	p.inetSpan(p.nl.af, s, "")
	return true
}

// inetSpan prints an address of a family, as the member called name.
func (p *printer) inetSpan(family uint16, s span, name string) {
	size := 0
	switch family {
	case AFInet:
		size = 4
	case AFInet6:
		size = 16
	}
	b := s.get(0, size)
	if size != 0 && s.n >= size && b != nil {
		p.inet(family, b, name)
		return
	}
	if name != "" {
		p.field(name)
	}
	if size != 0 && s.n >= size {
		p.ptr(s.addr)
		return
	}
	p.hexSpan(s)
}

const maxHardware = 32 // MAX_ADDR_LEN

// nlMAC is a link-layer address of any length.
var nlMAC payloadFunc = func(p *printer, s span) bool { return p.hardwareSpan(s, maxHardware) }

// nlHardware is one of the device type that stands in the header's first
// member.
var nlHardware payloadFunc = func(p *printer, s span) bool {
	n, ok := hardwareSizes()[p.nl.af]
	if !ok {
		n = maxHardware
	}
	return p.hardwareSpan(s, n)
}

func (p *printer) hardwareSpan(s span, n int) bool {
	if s.n > maxHardware {
		return false
	}
	if b := s.get(0, s.n); b != nil {
		p.hardware(b, n)
	} else {
		p.ptr(s.addr)
	}
	return true
}

// hardwareSizes is how many bytes an address has on a type of device (ARPHRD_).
var hardwareSizes = lazily(func() map[uint16]int {
	return map[uint16]int{
		0: 7, 1: 6, 3: 7, 6: 6, 7: 1, 0xf: 2, 0x18: 16, 0x1b: 8, 0x20: 20, 0x100: 0, 0x10e: 5, 0x10f: 0, 0x118: 0,
		0x122: 1, 0x200: 0, 0x206: 0, 0x207: 0, 0x300: 4, 0x301: 16, 0x304: 6, 0x305: 1, 0x306: 6, 0x308: 4, 0x309: 0,
		0x30a: 4, 0x30b: 0, 0x30c: 6, 0x30f: 4, 0x321: 6, 0x322: 6, 0x323: 6, 0x324: 8, 0x325: 8, 0x334: 1, 0x335: 1,
		0x336: 0, 0x337: 16, 0x338: 0, 0x339: 8, 0x33a: 0,
	}
})

// byFamily is attributes that depend on the family in the message's header.
type byFamily map[uint16]*attrSet

func (m byFamily) decode(p *printer, s span) bool {
	if set := m[p.nl.af]; set != nil {
		return set.decode(p, s)
	}
	p.hexSpan(s)
	return true
}

// byType is attributes that depend on the type of the one that they are in.
type byType map[uint16]*attrSet

func (m byType) decode(p *printer, s span) bool {
	if set := m[p.nl.typ&0xff]; set != nil {
		return set.decode(p, s)
	}
	p.hexSpan(s)
	return true
}

// firstOf is a structure of which older kernels have fewer members: sizes are
// those that there are, the greatest first. An attribute has one of them, or is
// larger than the first.
func firstOf(list []field, sizes ...int) payload {
	r := newRecord(list...)
	return payloadFunc(func(p *printer, s span) bool {
		for i, size := range sizes {
			if s.n == size || i == 0 && s.n > size {
				if b := s.get(0, size); b != nil {
					p.record(r, b)
				} else {
					p.ptr(s.addr)
				}
				return true
			}
		}
		return false
	})
}

// withRest is a structure with bytes behind it that nobody knows.
func withRest(r *cstruct) payload {
	return withAttrs(sub("", r), r.size, payloadFunc(func(p *printer, s span) bool { p.hexSpan(s); return true }))
}

// withAttrs is a value with attributes behind it, from offset at.
func withAttrs(f field, at int, rest payload) payload {
	return payloadFunc(func(p *printer, s span) bool {
		if !f.decode(p, s) {
			return false
		}
		if s.n > at {
			p.str(", ")
			rest.decode(p, s.from(at))
		}
		return true
	})
}

// nlMessage is the payload of a message that begins with an address family.
type nlMessage struct {
	*cstruct
	attrs payload
	af    uint16 // the family that addresses have instead, AF_SMC's
}

// message is a header and attributes. The first field is the family.
func message(attrs payload, fields ...field) *nlMessage {
	return &nlMessage{cstruct: newRecord(fields...), attrs: attrs}
}

func (m *nlMessage) as(family uint16) *nlMessage { m.af = family; return m }

// family is an address family of one byte.
func family(name string) field { return en(name, 1, setFamilies) }

func (m *nlMessage) print(p *printer, s span) {
	first := s.get(0, 1)
	if first == nil {
		p.ptr(s.addr)
		return
	}
	if p.nl.af = uint16(first[0]); m.af != 0 {
		p.nl.af = m.af
	}
	b := s.get(0, m.size)
	p.str("{")
	switch {
	case b != nil && s.n >= m.size:
		p.members(m.cstruct, b)
	case s.n < m.size:
		p.members(m.cstruct, first)
		p.str(", ...")
	default:
		p.members(m.cstruct, first)
		p.str(", ")
		p.ptr(s.addr + 1)
	}
	p.str("}")
	if rest := s.from(align4(m.size)); b != nil && m.attrs != nil && rest.n > 0 {
		p.str(", ")
		if !m.attrs.decode(p, rest) {
			p.hexSpan(rest)
		}
	}
}

// familyOnly prints a message of which only the family is known.
func (p *printer) familyOnly(s span) {
	b := s.get(0, 1)
	if b == nil {
		p.ptr(s.addr)
		return
	}
	p.str("{family=")
	p.enum(setFamilies, uint64(b[0]))
	if s.n > 1 {
		p.str(", data=")
		p.hexSpan(s.from(1))
	}
	p.str("}")
}

// upTo8 says that more than 8 bytes can't be such a number.
func upTo8(f field) payload {
	return payloadFunc(func(p *printer, s span) bool { return s.n <= 8 && f.decode(p, s) })
}

// Numbers: unsigned, signed, in hex, in network byte order.
var (
	aU8, aU16, aU32, aU64 = u8(""), u16(""), u32(""), u64("")
	aS32, aS64            = s32(""), s64("")
	aX8, aX16, aX32, aX64 = x8(""), x16(""), x32(""), x64("")
	aBE16, aBE32, aBE64   = lazily(func() field { return be16("") }), lazily(func() field { return be32("") }), lazily(func() field { return be64("") })
)
