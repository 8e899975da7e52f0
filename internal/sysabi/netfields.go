package sysabi

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Fields that structures of the network have, in the words of cstruct.go.

// aligned says how a field is aligned, when not to its size.
func (f field) aligned(n int) field { f.align = n; return f }

// remarked prints the number with its names as a remark: constants that no
// header of the kernel's has.
func (f field) remarked() field {
	show := f.show
	f.show = func(p *printer, b, all []byte) {
		style := p.opt.Style
		if style != StyleRaw {
			p.opt.Style = StyleVerbose
		}
		show(p, b, all)
		p.opt.Style = style
	}
	return f
}

// Numbers in network byte order, and with all their digits in hex.
func be16(name string) field { return swapped(name, 2, "htons", (*printer).uint) }
func be32(name string) field { return swapped(name, 4, "htonl", (*printer).uint) }
func be64(name string) field { return swapped(name, 8, "htobe64", (*printer).uint) }
func bx32(name string) field { return swapped(name, 4, "htonl", (*printer).hex) }
func z8(name string) field   { return padded(name, 1) }
func z32(name string) field  { return padded(name, 4) }
func s8(name string) field   { return field{name: name, size: 1, show: showD} }
func s16(name string) field  { return field{name: name, size: 2, show: showD} }

func swapped(name string, n int, by string, number func(*printer, uint64)) field {
	return part(name, n, func(p *printer, b, _ []byte) {
		p.str(by)
		p.str("(")
		number(p, bigEndian(b))
		p.str(")")
	})
}

func padded(name string, n int) field {
	return part(name, n, func(p *printer, b, _ []byte) { p.hexPad(le(b), 2*n) })
}

func bigEndian(b []byte) uint64 {
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

func be16At(b []byte, at int) uint64 { return uint64(binary.BigEndian.Uint16(b[at:])) }

// enumSwapped is an enum of 16 bits in network byte order.
func enumSwapped(name string, s *Set) field {
	return part(name, 2, func(p *printer, b, _ []byte) {
		p.str("htons(")
		p.enum(s, bigEndian(b))
		p.str(")")
	})
}

// octets is n bytes in hex, all of them.
func octets(name string, n int) field {
	return field{name: name, size: 1, n: n, show: func(p *printer, b, _ []byte) { p.octets(b) }}
}

func (p *printer) octets(b []byte) {
	p.str("\"")
	for _, c := range b {
		p.b = append(p.b, '\\', 'x', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
	}
	p.str("\"")
}

// element prints one value of an array, with its index's name before it.
func (p *printer) element(f field, b []byte, i int, names *Set) {
	if names == nil {
		f.show(p, b, b)
		return
	}
	p.str("[")
	p.index(names, i)
	p.str("]=")
	f.show(p, b, b)
}

// index prints an array's index: in decimal where it has no name.
func (p *printer) index(names *Set, i int) {
	name := names.Name(uint64(i))
	if name != "" && p.opt.Style == StyleAbbrev {
		p.str(name)
		return
	}
	p.int(int64(i))
	if name == "" {
		name = names.Unknown
	}
	if p.opt.Style != StyleRaw {
		p.remark(name)
	}
}

func (p *printer) remark(s string) {
	if s == "" {
		return
	}
	p.str(" /* ")
	p.str(s)
	p.str(" */")
}

// cookie is two words.
func cookie(name string) field { return u32(name).list(2) }

// ifindex is the number of a network interface.
func ifindex(name string) field {
	return part(name, 4, func(p *printer, b, _ []byte) { p.ifindex(uint32(le(b))) })
}

func (p *printer) ifindex(v uint32) {
	name := ""
	if p.opt.Interface != nil && v != 0 {
		name = p.opt.Interface(v)
	}
	if name == "" || p.opt.Style == StyleRaw {
		p.uint(uint64(v))
		return
	}
	if p.opt.Style == StyleVerbose {
		p.uint(uint64(v))
		p.str(" /* ")
	}
	p.str("if_nametoindex(")
	p.quote([]byte(name), len(name), whole)
	p.str(")")
	if p.opt.Style == StyleVerbose {
		p.str(" */")
	}
}

// mac is a link-layer address of n bytes.
func mac(name string, n int) field {
	return field{name: name, size: 1, n: n, show: func(p *printer, b, _ []byte) { p.hardware(b, n) }}
}

// hardware prints an address of which n bytes count.
func (p *printer) hardware(b []byte, n int) {
	p.raw(b, func() {
		for i, c := range b[:min(n, len(b))] {
			if i > 0 {
				p.str(":")
			}
			p.b = append(p.b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	})
}

// raw prints what has no number: as text makes it, its bytes, or both.
func (p *printer) raw(b []byte, text func()) {
	switch p.opt.Style {
	case StyleRaw:
		p.octets(b)
	case StyleVerbose:
		p.octets(b)
		p.str(" /* ")
		p.inner(text)
		p.str(" */")
	default:
		text()
	}
}

// id32 is a user or group id.
func id32(name string) field {
	return part(name, 4, func(p *printer, b, _ []byte) { p.id(le(b)) })
}

// chars is a string in an array of n bytes.
func chars(name string, n int) field {
	return field{name: name, size: 1, n: n, show: func(p *printer, b, _ []byte) { p.charArray(b) }}
}

// port is a port in network byte order.
func port(name string) field {
	return part(name, 2, func(p *printer, b, _ []byte) {
		p.raw(b, func() {
			p.str("htons(")
			p.uint(bigEndian(b))
			p.str(")")
		})
	})
}

// Addresses of IPv4 and IPv6, and of the family that the message has.
func inet4(name string) field { return inetOf(name, 4, AFInet) }
func inet6(name string) field { return inetOf(name, 16, AFInet6) }

func inetOf(name string, n int, family uint16) field {
	return field{name: name, size: n, align: 4, own: true, show: func(p *printer, b, _ []byte) { p.inet(family, b, name) }}
}

func inetAny(name string) field {
	return field{name: name, size: 16, align: 4, own: true, show: func(p *printer, b, _ []byte) { p.inet(p.nl.af, b, name) }}
}

// inet prints an address of a family, as the member called name when that isn't
// "". In the form without numbers an IPv6 address names its member itself.
func (p *printer) inet(family uint16, b []byte, name string) {
	known := family == AFInet && len(b) >= 4 || family == AFInet6 && len(b) >= 16
	inside := ""
	if known && family == AFInet6 && p.opt.Style == StyleAbbrev && name != "" {
		inside, name = ", &"+name, ""
		if n := len(p.b); n > 0 && p.b[n-1] != '{' {
			p.str(", ")
		}
	}
	if name != "" {
		p.field(name)
	}
	if !known {
		p.octets(b)
		return
	}
	p.raw(b, func() {
		if family == AFInet {
			p.str("inet_addr(\"")
			p.str(netip.AddrFrom4([4]byte(b)).String())
			p.str("\")")
			return
		}
		p.str("inet_pton(AF_INET6, \"")
		p.str(inet6Text([16]byte(b)))
		p.str("\"")
		p.str(inside)
		p.str(")")
	})
}

// inet6Text is inet_ntop(3): an address of which only the last 32 bits are set
// shows them as IPv4, unless they are few.
func inet6Text(b [16]byte) string {
	if zero(b[:12]) && (b[12] != 0 || b[13] != 0) {
		return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
	}
	return netip.AddrFrom16(b).String()
}

// ticks prints a time, in seconds as a remark.
func (p *printer) ticks(v, perSecond uint64) {
	p.uint(v)
	if v == 0 || p.opt.Style == StyleRaw {
		return
	}
	digits := len(strconv.FormatUint(perSecond, 10)) - 1
	rest := strconv.FormatUint(v%perSecond, 10)
	p.str(" /* ")
	p.uint(v / perSecond)
	p.str(".")
	for n := len(rest); n < digits; n++ {
		p.str("0")
	}
	p.str(rest)
	p.str(" s */")
}

// sockaddrN is a socket address in n bytes.
func sockaddrN(name string, n int) field {
	return field{name: name, size: n, align: 4, show: func(p *printer, b, _ []byte) { p.sockaddr(DecodeSockaddr(b)) }}
}

// tgid32 is the number of a process.
func tgid32(name string) field {
	return part(name, 4, func(p *printer, b, _ []byte) { p.pid(les(b), TGID) })
}
