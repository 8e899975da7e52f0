package tcpdump

func (p *Printer) udp(b octets, length int, h *ipHeader, fragment bool) {
	p.proto = "udp"
	if len(b) < 4 {
		if h.first == protoUDP {
			p.f("%s > %s: ", h.src, h.dst)
		}
		p.truncated()
		return
	}
	sport, dport := b.u16(0), b.u16(2)
	p.ports("udp", protoUDP, sport, dport, h)
	if length < 8 {
		p.f("truncated-udp %d", length)
		return
	}
	if len(b) < 6 {
		p.truncated()
		return
	}
	n := b.u16(4)
	if n == 0 && length > 65535 {
		n = length
	}
	if n < 8 {
		p.f("truncated-udplength %d", n)
		return
	}
	n -= 8
	length = min(length-8, n)
	if len(b) < 8 {
		p.truncated()
		return
	}
	data := b[8:]
	if p.Verbose > 0 && !p.NoSums && !fragment {
		p.udpSum(b, length, h)
	}
	on := func(ports ...int) bool {
		for _, x := range ports {
			if sport == x || dport == x {
				return true
			}
		}
		return false
	}
	switch {
	case p.Quiet:
	case on(53):
		p.domain(data, length, false, false)
		return
	case on(5353):
		p.domain(data, length, false, true)
		return
	case on(67, 68):
		p.bootp(data, length)
		return
	case on(123):
		if p.ntp(data, length) {
			return
		}
	case on(4789):
		p.vxlan(data, length)
		return
	}
	if n > length && !fragment {
		p.f("UDP, bad length %d > %d", n, length)
	} else {
		p.f("UDP, length %d", n)
	}
}

// udpSum checks the checksum: for IPv4 with -vv only, where it may be left out.
func (p *Printer) udpSum(b octets, length int, h *ipHeader) {
	have := b.u16(6)
	if h.version == 4 {
		if p.Verbose < 2 {
			return
		}
		if have == 0 {
			p.s("[no cksum] ")
			return
		}
	}
	if len(b) < 8+length {
		return
	}
	if s := sum(b[:8+length], h.pseudo(protoUDP, 8+length)); s != 0xffff {
		p.f("[bad udp cksum 0x%04x -> 0x%04x!] ", have, shouldBe(have, s))
	} else {
		p.s("[udp sum ok] ")
	}
}

// bootp prints of BOOTP and DHCP (RFC 951, RFC 2131) what is shown without -v.
func (p *Printer) bootp(b octets, n int) {
	p.proto = "bootp"
	p.s("BOOTP/DHCP, ")
	op := b.u8(0)
	p.s(names{1: "Request", 2: "Reply"}.of(op, "unknown (0x%02x)"))
	if hard, hlen := b.u8(1), b.u8(2); hard == 1 && hlen == 6 && op == 1 {
		p.f(" from %s", mac(b, 28))
	}
	p.f(", length %d", n)
}

var ntpModes = names{0: "unspecified", 1: "symmetric active", 2: "symmetric passive", 3: "Client", 4: "Server", 5: "Broadcast", 6: "Control Message", 7: "Reserved"}

// ntp prints of NTP (RFC 5905) what is shown without -v.
func (p *Printer) ntp(b octets, n int) bool {
	if p.Verbose > 0 && n >= 48 {
		return false
	}
	p.proto = "ntp"
	v := b.u8(0)
	p.f("NTPv%d, %s, length %d", v>>3&7, ntpModes.of(v&7, ""), n)
	return true
}

// vxlan prints RFC 7348's header and the frame behind it.
func (p *Printer) vxlan(b octets, n int) {
	p.proto = "vxlan"
	p.s("VXLAN")
	if n < 8 {
		p.wrong()
		return
	}
	flags := b.u8(0)
	p.f(", flags [%s] (0x%02x), ", map[bool]string{true: "I", false: "invalid"}[flags&8 != 0], flags)
	p.f("vni %d\n", b.u32(4)>>8)
	p.ether(b.from(8), n-8)
}
