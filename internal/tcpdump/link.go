package tcpdump

import (
	"fmt"

	"culprit/internal/dissect/tcp"
)

// EtherTypes (IEEE 802 numbers, IANA).
const (
	etherIP    = 0x0800
	etherARP   = 0x0806
	etherRARP  = 0x8035
	etherVLAN  = 0x8100
	etherIPv6  = 0x86dd
	etherPPPoD = 0x8863
	etherPPPoE = 0x8864
	etherQinQ  = 0x88a8
)

var etherTypes = names{
	etherIP: "IPv4", etherARP: "ARP", etherRARP: "Reverse ARP", etherVLAN: "802.1Q", 0x9100: "802.1Q-9100", etherQinQ: "802.1Q-QinQ", 0x9200: "802.1Q-9200",
	etherIPv6: "IPv6", 0x8847: "MPLS unicast", 0x8848: "MPLS multicast", etherPPPoD: "PPPoE D", etherPPPoE: "PPPoE S", 0x880b: "PPP",
	0x888e: "EAPOL", 0x8809: "Slow Protocols", 0x9000: "Loopback", 0x88cc: "LLDP", 0x88ca: "TIPC", 0x88f7: "PTP", 0x88e5: "802.1AE MACsec",
	0x6003: "DECnet", 0x6002: "MOP RC", 0x6001: "MOP DL", 0x809b: "Appletalk", 0x80f3: "Appletalk ARP", 0x8137: "IPX", 0x8902: "CFM", 0x88a2: "AoE",
	0x894f: "NSH", 0x6558: "TEB", 0x893a: "IEEE1905.1",
}

func mac(b octets, at int) string {
	b.need(at + 6)
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[at], b[at+1], b[at+2], b[at+3], b[at+4], b[at+5])
}

// link prints a packet from its link header on. length is that on the wire.
func (p *Printer) link(link int, b octets, length int) {
	switch link {
	case tcp.LinkEthernet:
		p.proto = "ether"
		p.header = p.ether(b, length)
	case tcp.LinkRaw, 12, 14, tcp.LinkIPv4, tcp.LinkIPv6:
		p.proto = "raw"
		if p.Link {
			p.s("ip: ")
		}
		p.anyIP(b, length)
	case tcp.LinkNull, tcp.LinkLoop:
		p.null(b, length)
	case tcp.LinkSLL:
		p.proto = "sll"
		b.need(16)
		p.cooked(b, length, 16, int(b.u16(0)), b.u16(4), b.from(6), b.u16(14))
	case tcp.LinkSLL2:
		p.proto = "sll2"
		b.need(20)
		name := "?"
		if p.Interface != nil {
			if s := p.Interface(b.u32(4)); s != "" {
				name = s
			}
		}
		p.f("%-5s ", name)
		p.cooked(b, length, 20, b.u8(10), b.u8(11), b.from(12), b.u16(0))
	case tcp.LinkPPP:
		p.proto = "ppp"
		b.need(4)
		p.header = 4
		p.ppp(b, length)
	default:
		p.f("[link type %d is not known]", link)
	}
}

// ether prints an Ethernet frame and returns how long its header is.
func (p *Printer) ether(b octets, length int) int {
	whole, src, dst := length, "", ""
	if len(b) < 14 {
		panic(cut{})
	}
	src, dst = mac(b, 6), mac(b, 0)
	if p.Link {
		p.f("%s > %s, ", src, dst)
	}
	typ, header, printed := b.u16(12), 14, false
	for typ == etherVLAN || typ == 0x9100 || typ == 0x9200 || typ == etherQinQ {
		if len(b) < header+4 || length < header+4 {
			p.proto = "vlan"
			p.truncated()
			return len(b)
		}
		tag := b.u16(header)
		if p.Link {
			p.etherType(typ)
			if !printed {
				p.f(", length %d: ", whole)
				printed = true
			} else {
				p.s(", ")
			}
			p.f("vlan %d, p %d%s, ", tag&0xfff, tag>>13, map[bool]string{true: ", DEI"}[tag&0x1000 != 0])
		}
		typ, header = b.u16(header+2), header+4
	}
	b, length = b.from(header), length-header
	if typ <= 1500 {
		if typ < length {
			length = typ
		}
		b = b.upTo(length)
		if p.Link {
			p.s("802.3")
			if !printed {
				p.f(", length %d: ", length)
			}
		}
		p.llc(b, length, src, dst)
		return header + min(3, len(b))
	}
	if p.Link {
		p.etherType(typ)
		if printed {
			p.s(", ")
		} else {
			p.f(", length %d: ", whole)
		}
	}
	if !p.etherPayload(typ, b, length) {
		if !p.Link {
			p.f("%s > %s, ", src, dst)
			p.etherType(typ)
			p.f(", length %d: ", whole)
		}
		p.raw(b, length)
	}
	return header
}

// raw is what is shown of what is not known, unless the bytes are shown anyway.
func (p *Printer) raw(b octets, length int) {
	if p.Hex+p.HexASCII+p.ASCII == 0 {
		p.hexASCII(b, "\n\t")
	}
}

func (p *Printer) etherType(typ int) {
	if p.Quiet {
		p.s(etherTypes.of(typ, "Unknown Ethertype (0x%04x)"))
		return
	}
	p.f("ethertype %s (0x%04x)", etherTypes.of(typ, "Unknown"), typ)
}

func (p *Printer) etherPayload(typ int, b octets, length int) bool {
	switch typ {
	case etherIP:
		p.ipv4(b, length)
	case etherIPv6:
		p.ipv6(b, length)
	case etherARP, etherRARP:
		p.arp(b, length)
	case etherPPPoE, etherPPPoD:
		p.pppoe(typ, b, length)
	case 0x880b:
		p.ppp(b, length)
	case 0x9000:
		p.loopback(b, length)
	default:
		return false
	}
	return true
}

// anyIP prints a packet that begins with an IP header.
func (p *Printer) anyIP(b octets, length int) {
	if length < 1 {
		p.f("truncated-ip %d", length)
		return
	}
	switch v := b.u8(0) >> 4; v {
	case 4:
		p.ipv4(b, length)
	case 6:
		p.ipv6(b, length)
	default:
		p.f("unknown ip %d", v)
	}
}

// null prints BSD's loopback header: the address family in either byte order.
func (p *Printer) null(b octets, length int) {
	p.proto, p.header = "null", 4
	b.need(4)
	family := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	if family&0xffff0000 != 0 {
		family = b.u32(0)
	}
	head := func() {
		name := names{2: "IPv4", 24: "IPv6", 28: "IPv6", 30: "IPv6"}.of(int(family), "")
		switch {
		case p.Quiet && name == "":
			p.f("Unknown AF %d", family)
		case p.Quiet:
			p.s(name)
		case name == "":
			p.f("AF Unknown (%d)", family)
		default:
			p.f("AF %s (%d)", name, family)
		}
		p.f(", length %d: ", length)
	}
	if p.Link {
		head()
	}
	switch family {
	case 2:
		p.ipv4(b[4:], length-4)
	case 24, 28, 30:
		p.ipv6(b[4:], length-4)
	default:
		if !p.Link {
			head()
		}
		p.raw(b[4:], length-4)
	}
}

var packetTypes = names{0: "In", 1: "B", 2: "M", 3: "P", 4: "Out"}

// cooked prints Linux's cooked headers, of both versions.
func (p *Printer) cooked(b octets, length, header, kind, halen int, address octets, typ int) {
	second := header == 20
	if second {
		p.f("%-3s ", packetTypes.of(kind, "?"))
	}
	head := func(length int) {
		if second {
			p.f("ifindex %d ", b.u32(4))
		} else {
			p.f("%3s ", packetTypes.of(kind, "?"))
		}
		if halen == 6 {
			p.f("%s ", mac(address, 0))
		}
		if p.Quiet {
			return
		}
		switch {
		case typ == 1:
			p.s("802.3")
		case typ == 4:
			p.s("802.2")
		case typ <= 1500:
			p.f("ethertype Unknown (0x%04x)", typ)
		default:
			p.f("ethertype %s (0x%04x)", etherTypes.of(typ, "Unknown"), typ)
		}
		p.f(", length %d: ", length)
	}
	if p.Link {
		head(length)
	}
	rest, left := b.from(header), length-header
	p.header = header
	for typ == etherVLAN {
		if len(rest) < 4 {
			p.proto = "vlan"
			p.truncated()
			return
		}
		tag := rest.u16(0)
		if p.Link {
			p.f("vlan %d, p %d%s, ", tag&0xfff, tag>>13, map[bool]string{true: ", DEI"}[tag&0x1000 != 0])
		}
		if typ = rest.u16(2); typ <= 1500 {
			typ = 4
		}
		if !p.Quiet {
			p.f("ethertype %s, ", etherTypes.of(typ, "Unknown"))
		}
		rest, left = rest[4:], left-4
		p.header += 4
	}
	switch {
	case typ == 4:
		p.llc(rest, left, "", "")
	case typ <= 1500:
		p.raw(rest, left)
	case !p.etherPayload(typ, rest, left):
		if !p.Link {
			head(left + header)
		}
		p.raw(rest, left)
	}
}

// llc prints a frame of IEEE 802.2: spanning trees by name, SNAP's content, and
// of others that they are there.
func (p *Printer) llc(b octets, length int, src, dst string) {
	p.proto = "llc"
	if len(b) < 3 {
		panic(cut{})
	}
	dsap, ssap, control := b.u8(0), b.u8(1), b.u8(2)
	if dsap == 0xaa && ssap == 0xaa && control == 3 && len(b) >= 8 && b[3]|b[4]|b[5] == 0 {
		if p.etherPayload(b.u16(6), b[8:], length-8) {
			return
		}
	}
	if !p.Link && src != "" {
		p.f("%s > %s, ", src, dst)
		p.f("802.3, length %d: ", length)
	}
	p.f("LLC, dsap Unknown (0x%02x), ssap Unknown (0x%02x), ctrl 0x%02x: ", dsap, ssap, control)
	p.raw(b, length)
}

// pppoe prints RFC 2516's session header and what it carries.
func (p *Printer) pppoe(typ int, b octets, length int) {
	p.proto = "pppoe"
	b.need(6)
	code, session, n := b.u8(1), b.u16(2), b.u16(4)
	p.s("PPPoE ")
	if v := b.u8(0); v != 0x11 {
		p.f(" [ver %d]", v>>4)
		p.f(" [type %d]", v&15)
	}
	p.f("%s", names{0: "", 0x09: "PADI", 0x07: "PADO", 0x19: "PADR", 0x65: "PADS", 0xa7: "PADT"}.of(code, "PAD-%X"))
	if code != 0 {
		p.f(" code 0x%02x", code)
	}
	if session != 0 {
		p.f(" [ses 0x%x]", session)
	}
	p.s(" ")
	rest := b.from(6).upTo(n)
	if code == 0 {
		p.proto = "ppp"
		p.ppp(rest, min(n, length-6))
	}
}

var pppTypes = names{0x21: "IP", 0x57: "IP6", 0xc021: "LCP", 0xc023: "PAP", 0xc223: "CHAP", 0x8021: "IPCP", 0x8057: "IP6CP", 0x80fd: "CCP", 0x80fb: "CCP", 0xfd: "Compressed"}

// ppp prints a PPP frame (RFC 1661), with or without its address and control.
func (p *Printer) ppp(b octets, length int) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b, length = b[2:], length-2
	}
	typ, n := b.u8(0), 1
	if typ&1 == 0 {
		typ, n = b.u16(0), 2
	}
	head := func() { p.f("%s (0x%04x), length %d: ", pppTypes.of(typ, "unknown"), typ, length) }
	b, length = b.from(n), length-n
	if p.Link {
		length += n
		head()
		length -= n
	}
	switch typ {
	case 0x21:
		p.ipv4(b, length)
	case 0x57:
		p.ipv6(b, length)
	default:
		p.f("%s ", pppTypes.of(typ, "unknown PPP protocol (0x%04x)"))
		p.raw(b, length)
	}
}

// loopback prints Ethernet's configuration test protocol.
func (p *Printer) loopback(b octets, length int) {
	p.proto = "loopback"
	p.s("Loopback")
	skip := int(b.u8(0)) | int(b.u8(1))<<8
	p.f(", skipCount %d", skip)
	at := 2 + skip
	if at+2 > length {
		p.wrong()
		return
	}
	switch f := b.u8(at) | b.u8(at+1)<<8; f {
	case 1:
		p.f(", Reply, receipt number %d", b.u8(at+2)|b.u8(at+3)<<8)
		p.f(", data (%d octets)", length-at-4)
	case 2:
		p.f(", Forward Data, forwarding address %s", mac(b, at+2))
		p.f(", data (%d octets)", length-at-8)
	default:
		p.f(", unknown (%d), data (%d octets)", f, length-at-2)
	}
}
