package tcpdump

import "net/netip"

// IP protocol numbers (IANA).
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIGMP     = 2
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoESP      = 50
	protoAH       = 51
	protoICMPv6   = 58
	protoNone     = 59
	protoDestOpts = 60
	protoSCTP     = 132
	protoDCCP     = 33
)

var protoNames = names{0: "Options", 1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 8: "EGP", 9: "IGRP", 17: "UDP", 33: "DCCP", 41: "IPv6", 43: "Routing",
	44: "Fragment", 46: "RSVP", 47: "GRE", 50: "ESP", 51: "AH", 55: "Mobile IP", 58: "ICMPv6", 59: "none", 60: "Options", 88: "EIGRP", 89: "OSPF",
	97: "Ethernet", 103: "PIM", 108: "Compressed IP", 112: "VRRP", 113: "PGM", 132: "SCTP", 135: "Mobility"}

// ipHeader is what the layers above need of the IP header around them.
type ipHeader struct {
	version  int
	first    int // protocol by the header itself, before any extension headers
	src, dst string
	pseudo   func(proto, n int) uint32 // sum of the pseudo header
	key      [2]netip.Addr
}

// sum adds 16-bit words as the Internet checksum does (RFC 1071).
func sum(b octets, sum uint32) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return sum
}

// shouldBe is the checksum that a header with the sum s would need, which has c.
func shouldBe(c int, s uint32) int {
	n := uint32(c) + (^s & 0xffff)
	for n>>16 != 0 {
		n = n&0xffff + n>>16
	}
	return int(n)
}

var ecn = [4]string{"", ",ECT(1)", ",ECT(0)", ",CE"}

func (p *Printer) ipv4(b octets, length int) {
	p.proto = "ip"
	if !p.Link {
		p.s("IP ")
	}
	b.need(20)
	if length < 20 {
		p.f("truncated-ip %d", length)
		return
	}
	hlen, total := b.u8(0)&15*4, b.u16(2)
	if v := b.u8(0) >> 4; v != 4 {
		if v == 6 {
			p.s("wrong link-layer encapsulation ")
		}
		p.f("version error: %d != 4", v)
		return
	}
	if hlen < 20 {
		p.f("bad-hlen %d", hlen)
		return
	}
	n := total
	if length < n {
		p.f("truncated-ip - %d bytes missing! ", n-length)
	}
	if n < hlen {
		p.f("bad-len %d", n)
		return
	}
	b = b.upTo(n)
	n -= hlen
	off, proto := b.u16(6), b.u8(9)
	h := ipHeader{version: 4, first: proto, key: [2]netip.Addr{netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))}}
	h.src, h.dst = p.addr(b, 12, 4), p.addr(b, 16, 4)
	h.pseudo = func(proto, n int) uint32 { return sum(b[12:20], uint32(proto)+uint32(n)) }
	if p.Verbose > 0 && !p.ipv4Details(b, hlen, off, proto, total, h) {
		return
	}
	if off&0x1fff != 0 {
		p.f("%s > %s:", h.src, h.dst)
		if s := p.protoName(proto); s != "" {
			p.f(" %s", s)
		} else {
			p.f(" ip-proto-%d", proto)
		}
		return
	}
	if proto != protoTCP && proto != protoUDP && proto != protoSCTP && proto != protoDCCP {
		p.f("%s > %s: ", h.src, h.dst)
	}
	if len(b) < hlen {
		p.f(" [remaining caplen(%d) < header length(%d)]", len(b), hlen)
		panic(cut{})
	}
	p.above(b[hlen:], n, &h, off&0x2000 != 0, proto)
}

// protoName is the name of a protocol where names are wanted.
func (p *Printer) protoName(proto int) string {
	if p.Port == nil {
		return ""
	}
	return names{protoICMP: "icmp", protoIGMP: "igmp", protoTCP: "tcp", protoUDP: "udp", protoESP: "esp", protoAH: "ah", protoICMPv6: "ipv6-icmp"}[proto]
}

func (p *Printer) ipv4Details(b octets, hlen, off, proto, total int, h ipHeader) bool {
	tos := b.u8(1)
	p.f("(tos 0x%x%s", tos, ecn[tos&3])
	if ttl := b.u8(8); ttl >= 1 {
		p.f(", ttl %d", ttl)
	}
	flags := bits{{0x2000, "+"}, {0x4000, "DF"}, {0x8000, "rsvd"}}
	p.f(", id %d, offset %d, flags [%s], proto %s (%d), length %d", b.u16(4), off&0x1fff*8, flags.of(off, "none", ", "),
		protoNames.of(proto, "unknown"), proto, total)
	whole := true
	if hlen > 20 {
		p.s(", options (")
		if whole = p.ipv4Options(b[20:].upTo(hlen-20), hlen-20); !whole {
			p.s(" [truncated-option]")
		}
		p.s(")")
	}
	if !p.NoSums && len(b) >= hlen {
		if s := sum(b[:hlen], 0); s != 0xffff {
			p.f(", bad cksum %x (->%x)!", b.u16(10), shouldBe(b.u16(10), s))
		}
	}
	p.s(")\n    ")
	if !whole {
		p.f("%s > %s: ", h.src, h.dst)
		p.truncated()
	}
	return whole
}

var ipOptions = names{0: "EOL", 1: "NOP", 68: "timestamp", 130: "security", 7: "RR", 137: "SSRR", 131: "LSRR", 148: "RA", 82: "traceroute"}

func (p *Printer) ipv4Options(b octets, left int) bool {
	for sep := ""; left > 0; sep = "," {
		p.s(sep)
		if len(b) == 0 {
			return false
		}
		code, n := b.u8(0), 1
		p.s(ipOptions.of(code, "unknown %d"))
		if code > 1 {
			if n = b.u8(1); n < 2 {
				p.f(" [bad length %d]", n)
				return true
			}
		}
		if n > left {
			p.f(" [bad length %d]", n)
			return true
		}
		if n > len(b) {
			return false
		}
		switch code {
		case 0:
			return true
		case 7, 131, 137:
			if n < 3 {
				p.f(" [bad length %d]", n)
				break
			}
			if (n+1)&3 != 0 {
				p.f(" [bad length %d]", n)
			}
			ptr := b.u8(2) - 1
			if ptr < 3 || (ptr+1)&3 != 0 || ptr > n+1 {
				p.f(" [bad ptr %d]", b.u8(2))
			}
			for at := 3; at+4 <= n; at += 4 {
				p.f(" %s", p.addr(b, at, 4))
				if ptr > at {
					p.s(",")
				}
			}
		case 148:
			if n < 4 {
				p.f(" [bad length %d]", n)
			} else if v := b.u16(2); v != 0 {
				p.f(" value %d", v)
			}
		}
		b, left = b[n:], left-n
	}
	return true
}

// above prints what an IP packet carries. n is its length by the headers.
func (p *Printer) above(b octets, n int, h *ipHeader, fragment bool, proto int) {
	switch proto {
	case protoTCP:
		p.tcp(b, n, h, fragment)
	case protoUDP:
		p.udp(b, n, h, fragment)
	case protoICMP:
		if h.version != 4 {
			p.s("[ICMP requires IPv4]")
			p.wrong()
			return
		}
		p.icmp(b, n, fragment)
	case protoICMPv6:
		if h.version != 6 {
			p.s("[ICMPv6 requires IPv6]")
			p.wrong()
			return
		}
		p.icmp6(b, n, h, fragment)
	case protoIGMP:
		p.igmp(b, n)
	case protoIPv4:
		p.ipv4(b, n)
	case protoIPv6:
		p.ipv6(b, n)
	case protoGRE:
		p.gre(b, n)
	case protoAH:
		p.proto = "ah"
		next, size := b.u8(0), (b.u8(1)+2)*4
		p.s("AH(")
		if p.Verbose > 0 {
			p.f("length=%d(%d-bytes),", b.u8(1), size)
			if v := b.u16(2); v != 0 {
				p.f("reserved[not MBZ],")
			}
		}
		p.f("spi=0x%08x,seq=0x%x,icv=0x", b.u32(4), b.u32(8))
		for _, c := range b.from(12).upTo(size - 12) {
			p.f("%02x", c)
		}
		p.s("): ")
		p.above(b.from(size), n-size, h, fragment, next)
	case protoESP:
		p.proto = "esp"
		p.f("ESP(spi=0x%08x,seq=0x%x), length %d", b.u32(0), b.u32(4), n)
	case protoNone:
		p.s("no next header")
	default:
		if s := p.protoName(proto); s != "" {
			p.f(" %s", s)
		} else {
			p.f(" ip-proto-%d", proto)
		}
		p.f(" %d", n)
	}
}

func (p *Printer) ipv6(b octets, length int) {
	p.proto = "ip6"
	b.need(40)
	if length < 40 {
		p.f("truncated-ip6 %d", length)
		return
	}
	if !p.Link {
		p.s("IP6 ")
	}
	if v := b.u8(0) >> 4; v != 6 {
		p.f("version error: %d != 6", v)
		return
	}
	payload, next := b.u16(4), b.u8(6)
	n := payload + 40
	if payload == 0 {
		n = length + 40
	} else if length < n {
		p.f("truncated-ip6 - %d bytes missing!", n-length)
	}
	if p.Verbose > 0 {
		p.s("(")
		flow := b.u32(0)
		if c := flow >> 20 & 0xff; c != 0 {
			p.f("class 0x%02x, ", c)
		}
		if l := flow & 0xfffff; l != 0 {
			p.f("flowlabel 0x%05x, ", l)
		}
		p.f("hlim %d, next-header %s (%d) payload length: %d) ", b.u8(7), protoNames.of(next, "unknown"), next, payload)
	}
	b = b.upTo(n)
	h := ipHeader{version: 6, first: next, src: p.addr(b, 8, 16), dst: p.addr(b, 24, 16), key: [2]netip.Addr{netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))}}
	h.pseudo = func(proto, n int) uint32 { return sum(b[8:40], uint32(proto)+uint32(n)&0xffff+uint32(n)>>16) }
	if next != protoTCP && next != protoUDP && next != protoDCCP && next != protoSCTP && len(b) > 0 {
		p.f("%s > %s: ", h.src, h.dst)
	}
	p.ipv6Payload(b, n, payload, next, &h)
}

// ipv6Payload goes over the extension headers (RFC 8200 section 4).
func (p *Printer) ipv6Payload(b octets, n, payload, next int, h *ipHeader) {
	at, fragment, extended := 40, false, false
	for at < len(b) || at == 40 {
		size := 0
		switch next {
		case protoHopByHop, protoDestOpts:
			name := map[int]string{protoHopByHop: "HBH", protoDestOpts: "DSTOPT"}[next]
			p.proto = map[int]string{protoHopByHop: "hbhopt", protoDestOpts: "dstopt"}[next]
			x := b.from(at)
			size = (x.u8(1) + 1) * 8
			x.need(size)
			p.s(name + " ")
			if p.Verbose > 0 && !p.ipv6Options(x[2:size]) {
				return
			}
		case protoRouting:
			x := b.from(at)
			if size = p.routing(x); size < 0 {
				return
			}
			if n := x.u8(1); (x.u8(2) == 0 || x.u8(2) == 2) && x.u8(3) > 0 && n >= 2 { // the last address is where it goes
				to, pseudo := x.from(n*8 - 8)[:16], b[8:24]
				h.pseudo = func(proto, n int) uint32 { return sum(to, sum(pseudo, uint32(proto)+uint32(n)&0xffff+uint32(n)>>16)) }
			}
		case protoFragment:
			x := b.from(at)
			p.proto = "frag6"
			off := x.u16(2)
			if p.Verbose > 0 {
				p.f("frag (0x%08x:%d|%d)", x.u32(4), off&0xfff8, 40+payload-at-8)
			} else {
				p.f("frag (%d|%d)", off&0xfff8, 40+payload-at-8)
			}
			if off&0xfff8 != 0 {
				return
			}
			p.s(" ")
			size, fragment = 8, true
			if len(b) <= at+size {
				return
			}
		default:
			if payload == 0 {
				if extended {
					p.proto = "ip6"
					p.truncated()
					return
				}
				b, n = b.upTo(40), 40
			}
			p.above(b.from(min(at, len(b))), n-at, h, fragment, next)
			return
		}
		extended = true
		next = b.u8(at)
		at += size
		p.proto = "ip6"
		if at > n {
			p.truncated()
			return
		}
	}
}

func (p *Printer) ipv6Options(b octets) bool {
	for at := 0; at < len(b); {
		kind := b.u8(at)
		size := 1
		if kind != 0 {
			if at+1 >= len(b) {
				p.s("[trunc] ")
				return false
			}
			size = b.u8(at+1) + 2
		}
		if at+size > len(b) {
			return false
		}
		switch kind {
		case 0:
			p.s("(pad1)")
		case 1:
			p.s("(padn)")
		case 5:
			if size != 4 {
				p.f("(rtalert: invalid len %d)", b.u8(at+1))
				return false
			}
			p.f("(rtalert: 0x%04x) ", b.u16(at+2))
		case 0xc9:
			p.f("(homeaddr: %s)", p.addr(b, at+2, 16))
		default:
			p.f("(opt_type 0x%02x: len=%d)", kind, b.u8(at+1))
		}
		at += size
	}
	p.s(" ")
	return true
}

func (p *Printer) routing(b octets) int {
	p.proto = "rt6"
	n, kind := b.u8(1), b.u8(2)
	p.f("RT6 (len=%d, type=%d", n, kind)
	if kind == 0 {
		p.s(" [Deprecated]")
	}
	p.f(", segleft=%d", b.u8(3))
	switch kind {
	case 0, 2:
		if v := b.u32(4); v != 0 || p.Verbose > 0 {
			p.f(", rsv=0x%0x", v)
		}
	case 4:
		p.f(", last-entry=%d", b.u8(4))
		if v := b.u8(5); v != 0 || p.Verbose > 0 {
			p.f(", flags=0x%0x", v)
		}
		p.f(", tag=%x", b.u16(6))
	default:
		p.s(" (unknown type)")
		p.wrong()
		return -1
	}
	if n%2 == 1 {
		p.f(" (invalid length %d)", n)
		p.wrong()
		return -1
	}
	for i := range n / 2 {
		p.f(", [%d]%s", i, p.addr(b, 8+16*i, 16))
	}
	p.s(") ")
	return (n + 1) * 8
}

// gre prints a GRE tunnel (RFC 2784, RFC 2890).
func (p *Printer) gre(b octets, n int) {
	p.proto = "gre"
	flags := b.u16(0)
	p.f("GREv%d", flags&7)
	if flags&7 != 0 {
		p.f(", length %d", n)
		return
	}
	if p.Verbose > 0 {
		p.f(", Flags [%s]", bits{{0x8000, "checksum present"}, {0x4000, "routing present"}, {0x2000, "key present"}, {0x1000, "sequence# present"},
			{0x0800, "source routing present"}}.of(flags, "none", ", "))
	}
	typ, at := b.u16(2), 4
	if flags&0x8000 != 0 {
		if p.Verbose > 0 {
			p.f(", sum 0x%x", b.u16(at))
			p.f(", off 0x%x", b.u16(at+2))
		}
		at += 4
	}
	if flags&0x2000 != 0 {
		p.f(", key=0x%x", b.u32(at))
		at += 4
	}
	if flags&0x1000 != 0 {
		p.f(", seq %d", b.u32(at))
		at += 4
	}
	if p.Link {
		p.f(", proto %s (0x%04x)", etherTypes.of(typ, "unknown"), typ)
	}
	p.f(", length %d", n)
	if p.Verbose < 1 {
		p.s(": ")
	} else {
		p.s("\n\t")
	}
	switch rest := b.from(at); typ {
	case etherIP:
		p.ipv4(rest, n-at)
	case etherIPv6:
		p.ipv6(rest, n-at)
	case 0x6558:
		p.ether(rest, n-at)
	default:
		p.f("gre-proto-0x%x", typ)
	}
}

var igmpRecords = names{1: "is_in", 2: "is_ex", 3: "to_in", 4: "to_ex", 5: "allow", 6: "block"}

// igmp prints RFC 3376's messages.
func (p *Printer) igmp(b octets, n int) {
	p.proto = "igmp"
	if p.Quiet {
		p.s("igmp")
		return
	}
	switch kind := b.u8(0); kind {
	case 0x11:
		p.s("igmp query")
		switch {
		case n >= 12:
			p.s(" v3")
			if g := b.u32(4); g != 0 {
				p.f(" [gaddr %s", p.addr(b, 4, 4))
				if k := b.u16(10); k > 0 {
					p.f(", %d source(s)", k)
				}
				p.s("]")
			}
		case b.u8(1) != 0:
			p.s(" v2")
			if b.u8(1) != 100 {
				p.f(" [max resp time %d]", b.u8(1))
			}
		default:
			p.s(" v1")
		}
		if n < 12 && b.u32(4) != 0 {
			p.f(" [gaddr %s]", p.addr(b, 4, 4))
		}
	case 0x12:
		p.f("igmp v1 report %s", p.addr(b, 4, 4))
	case 0x16:
		p.f("igmp v2 report %s", p.addr(b, 4, 4))
	case 0x17:
		p.f("igmp leave %s", p.addr(b, 4, 4))
	case 0x22:
		p.s("igmp v3 report")
		groups := b.u16(6)
		p.f(", %d group record(s)", groups)
		for i, at := 0, 8; p.Verbose > 0 && i < groups; i++ {
			p.f(" [gaddr %s", p.addr(b, at+4, 4))
			p.f(" %s", igmpRecords.of(b.u8(at), " [v3-report-#%d]"))
			sources := b.u16(at + 2)
			if p.Verbose == 1 {
				p.f(", %d source(s)", sources)
			} else {
				p.s(" {")
				for j := range sources {
					p.f(" %s", p.addr(b, at+8+4*j, 4))
				}
				p.s(" }")
			}
			p.s("]")
			at += 8 + 4*sources
		}
	default:
		p.f("igmp-%d", kind)
	}
	if p.Verbose > 0 && len(b) >= n {
		if s := sum(b[:n], 0); s != 0xffff {
			p.f(" bad igmp cksum %x!", b.u16(2))
		}
	}
}
