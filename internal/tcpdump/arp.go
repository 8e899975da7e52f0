package tcpdump

import "fmt"

var (
	arpOps   = names{1: "Request", 2: "Reply", 3: "Reverse Request", 4: "Reverse Reply", 8: "Inverse Request", 9: "Inverse Reply", 10: "NACK Reply"}
	arpHards = names{1: "Ethernet", 6: "TokenRing", 7: "ArcNet", 15: "FrameRelay", 23: "Strip", 24: "IEEE 1394", 19: "ATM", 32: "InfiniBand"}
)

// arp prints RFC 826's packets, and those of RFC 903 and RFC 2390.
func (p *Printer) arp(b octets, length int) {
	p.proto = "arp"
	b.need(8)
	hard, proto, hlen, plen, op := b.u16(0), b.u16(2), b.u8(4), b.u8(5), b.u16(6)
	spa, tha := 8+hlen, 8+hlen+plen
	tpa := tha + hlen
	b.need(tpa + plen)
	if !p.Link {
		p.s("ARP, ")
	}
	known := proto == etherIP || proto == 0x1000
	if !known || plen != 4 || hlen == 0 || p.Verbose > 0 {
		p.f("%s (len %d), %s (len %d)", arpHards.of(hard, "Unknown Hardware (%d)"), hlen, etherTypes.of(proto, "Unknown Protocol (0x%04x)"), plen)
		if p.Verbose == 0 {
			p.f(", length %d", length)
			return
		}
		p.s(", ")
	}
	ip := func(at int) string {
		switch {
		case !known:
			return "<wrong proto type>"
		case plen != 4:
			return "<wrong len>"
		}
		return p.addr(b, at, 4)
	}
	hardware := func(at int) string {
		if hlen == 6 {
			return mac(b, at)
		}
		s := ""
		for i := range hlen {
			s += fmt.Sprintf(":%02x", b.u8(at+i))
		}
		return s[min(1, len(s)):]
	}
	p.f("%s ", arpOps.of(op, "Unknown (%d)"))
	switch op {
	case 1:
		p.f("who-has %s", ip(tpa))
		for _, c := range b[tha : tha+hlen] {
			if c != 0 {
				p.f(" (%s)", hardware(tha))
				break
			}
		}
		p.f(" tell %s", ip(spa))
	case 2:
		p.f("%s is-at %s", ip(spa), hardware(8))
	case 3, 8:
		p.f("who-is %s tell %s", hardware(tha), hardware(8))
	case 4:
		p.f("%s at %s", hardware(tha), ip(tpa))
	case 9:
		p.f("%s at %s", hardware(8), ip(spa))
	default:
		p.raw(b, length)
		return
	}
	p.f(", length %d", length)
}
