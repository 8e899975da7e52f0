package tcpdump

import "net/netip"

// TCP flags (RFC 9293 section 3.1, RFC 3168).
const (
	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagACK = 16
	flagURG = 32
)

var (
	tcpFlags   = bits{{1, "F"}, {2, "S"}, {4, "R"}, {8, "P"}, {16, "."}, {32, "U"}, {64, "E"}, {128, "W"}}
	tcpOptions = names{0: "eol", 1: "nop", 2: "mss", 3: "wscale", 4: "sackOK", 5: "sack", 6: "echo", 7: "echoreply", 8: "TS", 11: "cc", 12: "ccnew",
		13: "", 19: "md5", 20: "scps", 28: "uto", 29: "tcp-ao", 30: "mptcp", 34: "tfo", 254: "exp"}
)

// streamKey is a connection, the end with the lower port first.
type streamKey struct {
	src, dst     netip.Addr
	sport, dport int
}

// stream is where a connection's sequence numbers begin, in both directions.
type stream struct{ seq, ack uint32 }

// maxStreams bounds how many are remembered; then all are forgotten.
const maxStreams = 1 << 20

func (p *Printer) ports(proto string, number, sport, dport int, h *ipHeader) {
	from, to := p.port(proto, sport), p.port(proto, dport)
	if h.first == number {
		from, to = h.src+"."+from, h.dst+"."+to
	}
	p.f("%s > %s: ", from, to)
}

func (p *Printer) tcp(b octets, length int, h *ipHeader, fragment bool) {
	p.proto = "tcp"
	if len(b) < 4 {
		p.f("%s > %s:", h.src, h.dst)
		panic(cut{})
	}
	sport, dport := b.u16(0), b.u16(2)
	p.ports("tcp", protoTCP, sport, dport, h)
	hlen := b.u8(12) >> 4 * 4
	if hlen < 20 {
		p.f(" tcp %d [bad hdr length %d - too short, < 20]", length-hlen, hlen)
		return
	}
	seq, ack, win, urgent := b.u32(4), b.u32(8), b.u16(14), b.u16(18)
	if p.Quiet {
		p.f("tcp %d", length-hlen)
		if hlen > length {
			p.f(" [bad hdr length %d - too long, > %d]", hlen, length)
		}
		return
	}
	flags := b.u8(13)
	p.f("Flags [%s]", tcpFlags.of(flags, "none", ""))
	var base stream
	rev := false
	if !p.Absolute && flags&flagACK != 0 {
		base, rev, seq, ack = p.relativeNumbers(h, sport, dport, flags, seq, ack)
	}
	if hlen > length {
		p.f(" [bad hdr length %d - too long, > %d]", hlen, length)
		return
	}
	if p.Verbose > 0 && !p.NoSums && !fragment && len(b) >= length {
		p.f(", cksum 0x%04x", b.u16(16))
		if s := sum(b[:length], h.pseudo(protoTCP, length)); s != 0xffff {
			p.f(" (incorrect -> 0x%04x)", shouldBe(b.u16(16), s))
		} else {
			p.s(" (correct)")
		}
	}
	length -= hlen
	if p.Verbose > 1 || length > 0 || flags&(flagSYN|flagFIN|flagRST) != 0 {
		p.f(", seq %d", seq)
		if length > 0 {
			p.f(":%d", seq+uint32(length))
		}
	}
	if flags&flagACK != 0 {
		p.f(", ack %d", ack)
	}
	p.f(", win %d", win)
	if flags&flagURG != 0 {
		p.f(", urg %d", urgent)
	}
	if hlen > 20 {
		p.s(", options [")
		from := base.ack
		if rev {
			from = base.seq
		}
		if !p.tcpOptions(b[20:], hlen-20, from) {
			return
		}
		p.s("]")
	}
	p.f(", length %d", length)
	if length == 0 {
		return
	}
	if len(b) < hlen {
		p.f(" [remaining caplen(%d) < header length(%d)]", len(b), hlen)
		panic(cut{})
	}
	if b = b[hlen:]; flags&flagRST != 0 {
		if p.Verbose > 0 {
			p.s(map[bool]string{true: " [RST", false: " [!RST"}[len(b) >= length])
			const shown = 30
			if length > shown {
				p.s("+")
			}
			p.s(" ")
			p.printable(b.upTo(min(length, shown)))
			p.s("]")
		} else if len(b) < length {
			panic(cut{})
		}
		return
	}
	p.tcpData(b, length, sport, dport)
}

// relativeNumbers are the numbers counted from where the connection began. In
// whose packet it is met first, and in that of a SYN, they stay as they are.
func (p *Printer) relativeNumbers(h *ipHeader, sport, dport, flags int, seq, ack uint32) (base stream, rev bool, s, a uint32) {
	rev = sport > dport || sport == dport && h.key[0].Compare(h.key[1]) > 0
	k := streamKey{h.key[0], h.key[1], sport, dport}
	if rev {
		k = streamKey{h.key[1], h.key[0], dport, sport}
	}
	base, known := p.streams[k]
	if !known || flags&flagSYN != 0 {
		if base = (stream{seq, ack - 1}); rev {
			base = stream{ack - 1, seq}
		}
		if len(p.streams) >= maxStreams {
			clear(p.streams)
		}
		p.streams[k] = base
		return base, rev, seq, ack
	}
	if rev {
		return base, rev, seq - base.ack, ack - base.seq
	}
	return base, rev, seq - base.seq, ack - base.ack
}

// tcpOptions prints the options; base is where the sequence numbers of SACK
// blocks are counted from. It is false where the line ends with them.
func (p *Printer) tcpOptions(b octets, left int, base uint32) (whole bool) {
	sep, inside := "", false // an option's own bytes
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if _, short := r.(cut); !short || !inside {
			panic(r)
		}
		p.truncated()
		if sep != "" {
			p.s(">")
		}
	}()
	for ; left > 0; sep = "," {
		p.s(sep)
		kind, n := b.u8(0), 1
		if kind > 1 {
			n = b.u8(1)
			if n < 2 || n > left {
				return p.badOption(sep)
			}
		}
		p.s(tcpOptions.of(kind, "unknown-%d"))
		head := min(n, 2)
		inside = true
		data := b.from(head)
		size := n - head
		used := size
		fixed := func(want int) bool { // of the option's data
			used = want
			return want <= left-head
		}
		ok := true
		switch kind {
		case 0, 1:
			used = 0
		case 4:
			used = 0
		case 2:
			if ok = fixed(2); ok {
				p.f(" %d", data.u16(0))
			}
		case 3:
			if ok = fixed(1); ok {
				p.f(" %d", data.u8(0))
			}
		case 5:
			if size%8 != 0 {
				p.s("malformed sack")
				break
			}
			p.f(" %d ", size/8)
			for i := 0; i < size; i += 8 {
				p.f("{%d:%d}", data.u32(i)-base, data.u32(i+4)-base)
			}
		case 6, 7, 11, 12, 13:
			if ok = fixed(4); ok {
				p.f(" %d", data.u32(0))
			}
		case 8:
			if ok = fixed(8); ok {
				p.f(" val %d ecr %d", data.u32(0), data.u32(4))
			}
		case 19:
			if ok = fixed(16); ok {
				p.s(" can't check - ")
				data.need(16)
				for _, c := range data[:16] {
					p.f("%02x", c)
				}
			}
		case 28:
			if ok = fixed(2); ok {
				v := data.u16(0)
				p.f(" 0x%x", v)
				if v&1 != 0 {
					v = v >> 1 * 60
				} else {
					v >>= 1
				}
				p.f(" %d", v)
			}
		case 34:
			p.s(" ")
			p.fastOpen(data, size)
		case 254:
			if ok = size >= 2; ok {
				p.s("-")
				if magic := data.u16(0); magic == 0xf989 {
					p.s("tfo")
					p.fastOpen(data.from(2), size-2)
				} else {
					p.f("%04x", magic)
				}
			}
		default:
			if size > 0 {
				p.s(" 0x")
			}
			data.need(size)
			for _, c := range data[:size] {
				p.f("%02x", c)
			}
		}
		if !ok {
			return p.badOption(sep)
		}
		inside = false
		if used+head != n {
			p.f("[len %d]", n)
		}
		b, left = b.from(head+used), left-head-used
		if kind == 0 {
			return true
		}
	}
	return true
}

func (p *Printer) badOption(sep string) bool {
	p.s("[bad opt]")
	if sep != "" {
		p.s("]")
	}
	return false
}

// fastOpen prints a cookie of TCP Fast Open (RFC 7413).
func (p *Printer) fastOpen(b octets, n int) {
	switch {
	case n == 0:
		p.s(" cookiereq")
	case n%2 != 0 || n < 4 || n > 16:
		p.s("invalid")
	default:
		p.s(" cookie ")
		b.need(n)
		for _, c := range b[:n] {
			p.f("%02x", c)
		}
	}
}

// tcpData prints what is known by port of a segment's data.
func (p *Printer) tcpData(b octets, n, sport, dport int) {
	on := func(ports ...int) bool {
		for _, x := range ports {
			if sport == x || dport == x {
				return true
			}
		}
		return false
	}
	switch {
	case on(21):
		p.s(": ")
		p.text("ftp", b, n, nil, false)
	case on(22):
		p.ssh(b, n)
	case on(25):
		p.s(": ")
		p.text("smtp", b, n, nil, false)
	case on(43):
		p.s(": ")
		p.text("whois", b, n, nil, false)
	case on(53):
		p.domain(b, n, true, false)
	case on(80, 8080):
		p.s(": ")
		p.text("http", b, n, httpMethods, true)
	case on(554, 8554):
		p.s(": ")
		p.text("rtsp", b, n, rtspMethods, true)
	}
}
