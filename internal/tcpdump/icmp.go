package tcpdump

import "fmt"

// icmpUnreachable has the texts of RFC 792's and RFC 1812's codes, %s for where
// the packet was to go.
var icmpUnreachable = names{0: "net %s unreachable", 1: "host %s unreachable", 5: "%s unreachable - source route failed", 6: "net %s unreachable - unknown",
	7: "host %s unreachable - unknown", 8: "%s unreachable - source host isolated", 9: "net %s unreachable - admin prohibited",
	10: "host %s unreachable - admin prohibited", 11: "net %s unreachable - tos prohibited", 12: "host %s unreachable - tos prohibited",
	13: "host %s unreachable - admin prohibited filter", 14: "host %s unreachable - host precedence violation", 15: "host %s unreachable - precedence cutoff"}

var icmpTypes = names{4: "source quench", 10: "router solicitation", 15: "information request", 16: "information reply", 17: "address mask request"}

func (p *Printer) icmp(b octets, n int, fragment bool) {
	p.proto = "icmp"
	kind, code := b.u8(0), b.u8(1)
	p.f("ICMP %s, length %d", p.icmpText(b, kind, code), n)
	if p.Verbose > 0 && !fragment && len(b) >= n {
		if s := sum(b[:n], 0); s != 0xffff {
			p.f(" (wrong icmp cksum %x (->%x)!)", b.u16(2), shouldBe(b.u16(2), s))
		}
	}
	switch kind {
	case 3, 4, 5, 11, 12:
		if p.Verbose > 0 {
			p.s("\n\t")
			quoted := b.from(8)
			size := quoted.u16(2)
			p.ipv4(quoted.upTo(size), size)
		}
	}
}

func (p *Printer) icmpText(b octets, kind, code int) string {
	about := func() string { return p.addr(b, 24, 4) }
	switch kind {
	case 0, 8:
		return fmt.Sprintf("echo %s, id %d, seq %d", map[int]string{8: "request", 0: "reply"}[kind], b.u16(4), b.u16(6))
	case 3:
		switch code {
		case 2:
			return fmt.Sprintf("%s protocol %d unreachable", about(), b.u8(17))
		case 3:
			port, proto := b.u16(8+b.u8(8)&15*4+2), b.u8(17)
			switch proto {
			case protoTCP:
				return fmt.Sprintf("%s tcp port %s unreachable", about(), p.port("tcp", port))
			case protoUDP:
				return fmt.Sprintf("%s udp port %s unreachable", about(), p.port("udp", port))
			}
			return fmt.Sprintf("%s protocol %d port %d unreachable", about(), proto, port)
		case 4:
			if mtu := b.u16(6); mtu != 0 {
				return fmt.Sprintf("%s unreachable - need to frag (mtu %d)", about(), mtu)
			}
			return about() + " unreachable - need to frag"
		}
		if text, ok := icmpUnreachable[code]; ok {
			return fmt.Sprintf(text, about())
		}
		return fmt.Sprintf("%s unreachable - #%d", about(), code)
	case 5:
		to := p.addr(b, 4, 4)
		if code > 3 {
			return fmt.Sprintf("redirect-#%d %s to %s", code, about(), to)
		}
		return fmt.Sprintf("redirect%s %s to %s %s", []string{"", "", "-tos", "-tos"}[code], about(), []string{"net", "host"}[code&1], to)
	case 9:
		return p.routerAdvertisement(b)
	case 11:
		b.need(28)
		return names{0: "time exceeded in-transit", 1: "ip reassembly time exceeded"}.of(code, fmt.Sprintf("time exceeded-#%d", code))
	case 12:
		if code != 0 {
			return fmt.Sprintf("parameter problem - code %d", code)
		}
		return fmt.Sprintf("parameter problem - octet %d", b.u8(4))
	case 13:
		return fmt.Sprintf("time stamp query id %d seq %d", b.u16(4), b.u16(6))
	case 14:
		b.need(20)
		clock := func(at int) string {
			ms := b.u32(at)
			return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3600000, ms/60000%60, ms/1000%60, ms%1000)
		}
		return fmt.Sprintf("time stamp reply id %d seq %d: org %s, recv %s, xmit %s", b.u16(4), b.u16(6), clock(8), clock(12), clock(16))
	case 18:
		return fmt.Sprintf("address mask is 0x%08x", b.u32(8))
	}
	return icmpTypes.of(kind, "type-#%d")
}

// routerAdvertisement is RFC 1256's.
func (p *Printer) routerAdvertisement(b octets) string {
	num, size, life := b.u8(4), b.u8(5), b.u16(6)
	s := "router advertisement lifetime "
	switch {
	case life < 60:
		s += fmt.Sprint(life)
	case life < 3600:
		s += fmt.Sprintf("%d:%02d", life/60, life%60)
	default:
		s += fmt.Sprintf("%d:%02d:%02d", life/3600, life%3600/60, life%60)
	}
	if s += fmt.Sprintf(" %d:", num); size != 2 {
		return s + fmt.Sprintf(" [size %d]", size)
	}
	for i := range num {
		s += fmt.Sprintf(" {%s %d}", p.addr(b, 8+8*i, 4), b.u32(12+8*i))
	}
	return s
}

var (
	icmp6Types = names{1: "destination unreachable", 2: "packet too big", 3: "time exceeded in-transit", 4: "parameter problem", 128: "echo request",
		129: "echo reply", 130: "multicast listener query", 131: "multicast listener report", 132: "multicast listener done",
		133: "router solicitation", 134: "router advertisement", 135: "neighbor solicitation", 136: "neighbor advertisement", 137: "redirect",
		138: "router renumbering", 139: "node information query", 140: "node information reply", 141: "inverse neighbor solicitation",
		142: "inverse neighbor advertisement", 143: "multicast listener report v2", 144: "ha discovery request", 145: "ha discovery reply",
		146: "mobile router solicitation", 147: "mobile router advertisement", 155: "RPL"}
	icmp6Codes    = names{0: "unreachable route", 1: " unreachable prohibited", 2: "beyond scope", 3: "unreachable address", 4: "unreachable port"}
	icmp6Problems = names{0: "erroneous", 1: "next header", 2: "option", 3: "incomplete header chain"}
	icmp6Options  = names{1: "source link-address", 2: "destination link-address", 3: "prefix info", 4: "redirected header", 5: "mtu", 7: "advertisement interval",
		8: "homeagent information", 24: "route info", 25: "rdnss", 31: "dnssl"}
	routerFlags   = bits{{0x80, "managed"}, {0x40, "other stateful"}, {0x20, "home agent"}, {0x02, "ipv6 only"}}
	neighborFlags = bits{{0x80, "router"}, {0x40, "solicited"}, {0x20, "override"}}
	prefixFlags   = bits{{0x80, "onlink"}, {0x40, "auto"}, {0x20, "router"}}
	preferences   = [4]string{"medium", "high", "rsv", "low"}
)

func (p *Printer) icmp6(b octets, n int, h *ipHeader, fragment bool) {
	p.proto = "icmp6"
	if n == 0 {
		p.s("ICMP6, length 0")
		p.wrong()
		return
	}
	if p.Verbose > 0 && !fragment && len(b) >= n {
		if s := sum(b[:n], h.pseudo(protoICMPv6, n)); s != 0xffff {
			p.f("[bad icmp6 cksum 0x%04x -> 0x%04x!] ", b.u16(2), shouldBe(b.u16(2), s))
		} else {
			p.s("[icmp6 sum ok] ")
		}
	}
	kind := b.u8(0)
	p.f("ICMP6, %s", icmp6Types.of(kind, "unknown icmp6 type (%d)"))
	switch kind {
	case 133, 134, 135, 136, 137, 145, 147:
		if p.Verbose > 0 {
			p.f(", length %d", n)
		}
	}
	if p.icmp6Body(b, n, kind, b.u8(1)) && p.Verbose == 0 {
		p.f(", length %d", n)
	}
}

// icmp6Body prints what a type has of its own; false where that ends the line.
func (p *Printer) icmp6Body(b octets, n, kind, code int) bool {
	switch kind {
	case 1:
		return p.unreachable6(b, n, code)
	case 2:
		p.f(", mtu %d", b.u32(4))
	case 3:
		switch code {
		case 0:
			p.f(" for %s", p.addr(b, 32, 16))
		case 1:
			p.s(" (reassembly)")
		default:
			p.f(", unknown code (%d)", code)
		}
	case 4:
		b.need(48)
		if s, ok := icmp6Problems[code]; ok {
			p.f(", %s - octet %d", s, b.u32(4))
		} else {
			p.f(", code-#%d", code)
		}
	case 128, 129:
		p.f(", id %d, seq %d", b.u16(4), b.u16(6))
	case 130, 131, 132:
		if kind == 130 && n != 24 {
			p.s(" v2")
			p.listenerQuery(b, n)
			break
		}
		if len(b) >= 24 {
			p.f("max resp delay: %d addr: %s", b.u16(4), p.addr(b, 8, 16))
		}
	case 133:
		return p.options6(b, 8, n)
	case 134:
		if p.Verbose > 0 {
			f := b.u8(5)
			p.f("\n\thop limit %d, Flags [%s], pref %s, router lifetime %ds, reachable time %dms, retrans timer %dms", b.u8(4), routerFlags.of(f, "none", ", "),
				preferences[f>>3&3], b.u16(6), b.u32(8), b.u32(12))
		}
		return p.options6(b, 16, n)
	case 135:
		p.f(", who has %s", p.addr(b, 8, 16))
		return p.options6(b, 24, n)
	case 136:
		p.f(", tgt is %s", p.addr(b, 8, 16))
		if p.Verbose > 0 {
			p.f(", Flags [%s]", neighborFlags.of(b.u8(4), "none", ", "))
		}
		return p.options6(b, 24, n)
	case 137:
		p.f(", %s to %s", p.addr(b, 24, 16), p.addr(b, 8, 16))
		return p.options6(b, 40, n)
	case 143:
		p.listenerReport(b, n)
	case 138, 139, 140, 141, 142:
	case 144, 146:
		p.f(", id 0x%04x", b.u16(4))
	default:
		p.f(", length %d", n)
		if p.Verbose <= 1 {
			p.unknown(b, n, "\n\t")
		}
		return false
	}
	return true
}

func (p *Printer) unreachable6(b octets, n, code int) bool {
	p.f(", %s", icmp6Codes.of(code, "unknown unreach code (%d)"))
	switch code {
	case 0, 1, 3:
		p.f(" %s", p.addr(b, 32, 16))
	case 2:
		p.f(" %s, source address %s", p.addr(b, 32, 16), p.addr(b, 16, 16))
	case 4:
		proto := b.u8(14)
		if proto != protoTCP && proto != protoUDP || len(b) < 52 {
			p.truncated()
			return false
		}
		name := map[int]string{protoTCP: "tcp", protoUDP: "udp"}[proto]
		p.f(", %s %s port %s", p.addr(b, 32, 16), name, p.port(name, b.u16(50)))
	default:
		if p.Verbose <= 1 {
			p.unknown(b, n, "\n\t")
			return false
		}
	}
	return true
}

func (p *Printer) listenerQuery(b octets, n int) {
	p.f(" [max resp delay=%d]", b.u16(4))
	p.f(" [gaddr %s", p.addr(b, 8, 16))
	if sources := b.u16(26); sources > 0 {
		p.f(", %d source(s)", sources)
	}
	p.s("]")
}

func (p *Printer) listenerReport(b octets, n int) {
	if n < 8 {
		p.f(" [invalid len %d]", n)
		return
	}
	groups := b.u16(6)
	p.f(", %d group record(s)", groups)
	if p.Verbose == 0 {
		return
	}
	for i, at := 0, 8; i < groups; i++ {
		if n < at+20 {
			p.s(" [invalid number of groups]")
			return
		}
		p.f(" [gaddr %s", p.addr(b, at+4, 16))
		p.f(" %s", igmpRecords.of(b.u8(at), " [v2-report-#%d]"))
		sources := b.u16(at + 2)
		if n < at+20+16*sources {
			p.f(" [invalid number of sources %d]", sources)
			return
		}
		if p.Verbose == 1 {
			p.f(", %d source(s)", sources)
		} else {
			p.s(" {")
			for j := range sources {
				p.f(" %s", p.addr(b, at+20+16*j, 16))
			}
			p.s(" }")
		}
		p.s("]")
		at += 20 + 16*sources
	}
}

// options6 prints the options of neighbor discovery (RFC 4861 section 4.6).
func (p *Printer) options6(b octets, at, n int) bool {
	if p.Verbose == 0 {
		return true
	}
	for at < len(b) && at < n {
		if at+2 > len(b) || b.u8(at+1) == 0 || at+b.u8(at+1)*8 > len(b) {
			p.truncated()
			return false
		}
		kind, words := b.u8(at), b.u8(at+1)
		x := b[at : at+words*8]
		p.f("\n\t  %s option (%d), length %d (%d): ", icmp6Options.of(kind, "unknown"), kind, words*8, words)
		switch kind {
		case 1, 2:
			for i, c := range x[2:] {
				if i > 0 {
					p.s(":")
				}
				p.f("%02x", c)
			}
		case 3:
			p.f("%s/%d%s, Flags [%s], valid time %s, pref. time %s", p.addr(x, 16, 16), x.u8(2), map[bool]string{true: "badlen"}[words != 4],
				prefixFlags.of(x.u8(3), "none", ", "), lifetime(x.u32(4)), lifetime(x.u32(8)))
		case 4:
			p.unknown(b, words*8, "\n\t    ")
		case 5:
			p.f(" %d%s", x.u32(4), map[bool]string{true: "bad option length"}[words != 1])
		case 7:
			p.f(" %dms", x.u32(4))
		case 8:
			p.f(" preference %d, lifetime %d", x.u16(4), x.u16(6))
		case 24:
			var full [16]byte
			copy(full[:], x[8:])
			p.f(" %s/%d, pref=%s, lifetime=%s", p.addr(full[:], 0, 16), x.u8(2), preferences[x.u8(3)>>3&3], lifetime(x.u32(4)))
		case 25:
			p.f(" lifetime %ds,", x.u32(4))
			for i := range (words - 1) / 2 {
				p.f(" addr: %s", p.addr(x, 8+16*i, 16))
			}
		case 31:
			p.f(" lifetime %ds, domain(s):", x.u32(4))
			m := message{Printer: p, b: x}
			for from := 8; from < len(x) && x[from] != 0; {
				p.s(" ")
				if from = m.name(from); from == none {
					p.truncated()
					return false
				}
			}
		default:
			if p.Verbose <= 1 {
				p.unknown(x[2:], words*8-2, "\n\t  ")
				return true
			}
		}
		if p.Verbose > 1 {
			p.unknown(x[2:], words*8-2, "\n\t    ")
		}
		at += words * 8
	}
	return true
}

func lifetime(v uint32) string {
	if v == ^uint32(0) {
		return "infinity"
	}
	return fmt.Sprintf("%ds", v)
}
