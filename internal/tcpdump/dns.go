package tcpdump

import (
	"fmt"
	"net/netip"
	"strings"
)

var (
	dnsOps    = strings.Split(", inv_q, stat, op3, notify, update, op6, op7, op8, updateA, updateD, updateDA, updateM, updateMA, zoneInit, zoneRef", ",")
	dnsCodes  = strings.Split(", FormErr, ServFail, NXDomain, NotImp, Refused, YXDomain, YXRRSet, NXRRSet, NotAuth, NotZone, Resp11, Resp12, Resp13, Resp14, NoChange, BadVers,Resp17, Resp18, Resp19, Resp20,Resp21, Resp22, BadCookie", ",")
	dnsClass  = names{1: "IN", 3: "CHAOS", 4: "HS", 255: "ANY"}
	dnsTypes  = dnsTypeNames()
	ednsNames = names{1: "LLQ", 2: "UL", 3: "NSID", 5: "DAU", 6: "DHU", 7: "N3U", 8: "ECS", 9: "EXPIRE", 10: "COOKIE", 11: "KEEPALIVE", 12: "PADDING", 13: "CHAIN",
		14: "KEY-TAG", 16: "CLIENT-TAG", 17: "SERVER-TAG"}
)

// dnsTypeNames are the types that tcpdump 4.99.3 has names for (IANA, dns-parameters).
func dnsTypeNames() names {
	n := names{}
	for i, s := range strings.Fields(`A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP NSAP_PTR SIG KEY PX GPOS AAAA
		LOC NXT EID NIMLOC SRV ATMA NAPTR KX CERT A6 DNAME SINK OPT APL DS SSHFP IPSECKEY RRSIG NSEC DNSKEY`) {
		n[i+1] = s
	}
	for i, s := range strings.Fields("SPF UINFO UID GID UNSPEC UNSPECA") {
		n[99+i] = s
	}
	for i, s := range strings.Fields("TKEY TSIG IXFR AXFR MAILB MAILA ANY URI") {
		n[249+i] = s
	}
	return n
}

// message is a DNS message as it is being read.
type message struct {
	*Printer
	b    octets
	mdns bool
}

// none is the place behind something that can't be read.
const none = -1

// domain prints a DNS message (RFC 1035), behind its length over TCP.
func (p *Printer) domain(b octets, n int, stream, mdns bool) {
	p.proto = "domain"
	if stream {
		if n < 2 {
			p.f(" [DNS over TCP: length %d < 2]", n)
			p.wrong()
			return
		}
		n -= 2
		if size := b.u16(0); size != n {
			p.f(" [prefix length(%d) != length(%d)]", size, n)
			p.wrong()
			return
		}
		b = b[2:]
		p.s(" ")
	}
	if n < 12 {
		p.f("domain [length %d < 12]", n)
		p.wrong()
		return
	}
	m := message{p, b, mdns}
	if len(b) < 12 || !m.message() {
		p.truncated()
		return
	}
	p.f(" (%d)", n)
}

func (m *message) message() bool {
	b := m.b
	id, flags := b.u16(0), b.u16(2)
	counts := [4]int{b.u16(4), b.u16(6), b.u16(8), b.u16(10)}
	op := flags >> 11 & 15
	mark := func(bit int, s string) string {
		if flags&bit != 0 {
			return s
		}
		return ""
	}
	at := 12
	if flags&0x8000 != 0 {
		ra := "-"
		if flags&0x80 != 0 {
			ra = ""
		}
		m.f("%d%s%s%s%s%s%s", id, dnsOps[op], dnsCode(flags&15|m.extended(counts)), mark(0x400, "*"), ra, mark(0x200, "|"), mark(0x20, "$"))
		if counts[0] != 1 {
			m.f(" [%dq]", counts[0])
		}
		for i := range counts[0] {
			if i > 0 {
				m.s(",")
			}
			if m.Verbose > 1 {
				m.s(" q:")
				at = m.question(at)
			} else if at = m.skip(at); at != none {
				at += 4
			}
			if at == none {
				return false
			}
		}
		m.f(" %d/%d/%d", counts[1], counts[2], counts[3])
		if at = m.records(at, counts[1], ""); at == none {
			return false
		}
		if m.Verbose > 1 {
			for i, name := range []string{" ns:", " ar:"} {
				if at = m.records(at, counts[2+i], name); at == none {
					return false
				}
			}
		}
		return true
	}
	m.f("%d%s%s%s", id, dnsOps[op], mark(0x100, "+"), mark(0x10, "%"))
	if flags&0x6cf != 0 {
		m.f(" [b2&3=0x%x]", flags)
	}
	switch {
	case op == 1:
		if counts[0] != 0 {
			m.f(" [%dq]", counts[0])
		}
		if counts[1] != 1 {
			m.f(" [%da]", counts[1])
		}
	default:
		if counts[1] != 0 {
			m.f(" [%da]", counts[1])
		}
		if counts[0] != 1 {
			m.f(" [%dq]", counts[0])
		}
	}
	if counts[2] != 0 {
		m.f(" [%dn]", counts[2])
	}
	if counts[3] != 0 {
		m.f(" [%dau]", counts[3])
	}
	for i := range counts[0] {
		if i > 0 && at >= len(b) {
			return false
		}
		if at = m.question(at); at == none {
			return false
		}
	}
	if m.Verbose > 1 {
		for i, name := range []string{"", " ns:", " ar:"} {
			if at = m.records(at, counts[1+i], name); at == none {
				return false
			}
		}
	}
	return true
}

// records prints a section; none when it is cut short.
func (m *message) records(at, n int, name string) int {
	for i := range n {
		if i > 0 || name != "" {
			if at >= len(m.b) {
				return none
			}
		}
		switch {
		case i > 0:
			m.s(",")
		default:
			m.s(name)
		}
		if at = m.record(at); at == none {
			return none
		}
	}
	return at
}

func dnsCode(n int) string {
	if n < len(dnsCodes) {
		return dnsCodes[n]
	}
	return fmt.Sprintf(" Resp%d", n&0xfff)
}

// extended is the upper part of the result, which stands in an OPT record (RFC
// 6891 section 6.1.3).
func (m *message) extended(counts [4]int) int {
	at := 12
	for range counts[0] {
		if at = m.skip(at); at == none {
			return 0
		}
		if at += 4; at >= len(m.b) {
			return 0
		}
	}
	for i := range counts[1] + counts[2] + counts[3] {
		if at = m.skip(at); at == none || at+5 > len(m.b) {
			return 0
		}
		if i >= counts[1]+counts[2] && m.b.u16(at) == 41 {
			return m.b.u8(at+4) << 4
		}
		if at += 8; at+2 > len(m.b) {
			return 0
		}
		if at += 2 + m.b.u16(at); at >= len(m.b) {
			return 0
		}
	}
	return 0
}

// skip passes over a name.
func (m *message) skip(at int) int {
	for at < len(m.b) {
		c := int(m.b[at])
		at++
		switch c & 0xc0 {
		case 0xc0:
			return at + 1
		case 0:
			if c == 0 {
				return at
			}
			at += c
		case 0x40:
			if c&0x3f != 1 || at >= len(m.b) {
				return none
			}
			n := int(m.b[at])
			if n == 0 {
				n = 256
			}
			at += 1 + (n+7)/8
		default:
			return none
		}
	}
	return none
}

// maxName is tcpdump's MAXCDNAME.
const maxName = 255

// name prints a name and returns where it ends, none where that can't be told.
func (m *message) name(at int) int {
	b, end, limit, chars := m.b, none, at, 0
	label := func() bool { // says of a label that it can't be read
		if at >= len(b) {
			return false
		}
		switch b[at] & 0xc0 {
		case 0x40:
			m.f("<ELT %d>", b[at]&0x3f)
			return false
		case 0x80:
			m.s("<BAD LABEL TYPE>")
			return false
		}
		return true
	}
	if !label() {
		return none
	}
	if b[at] == 0 {
		m.s(".")
		return at + 1
	}
	for at < len(b) && b[at] != 0 {
		c := int(b[at])
		at++
		if c&0xc0 == 0xc0 {
			if end == none {
				end = at + 1
			}
			if at >= len(b) {
				return none
			}
			to := c<<8&0x3f00 | int(b[at])
			if to >= limit {
				m.s("<BAD PTR>")
				return none
			}
			if limit, at = to, to; !label() {
				return none
			}
			continue
		}
		if n := min(c, max(0, maxName-chars)); n > 0 {
			m.printable(b[at:min(at+n, len(b))])
			if at+n > len(b) {
				return none
			}
		}
		chars += c
		at += c
		if chars <= maxName {
			m.s(".")
		}
		if chars++; !label() {
			return none
		}
	}
	if chars > maxName {
		m.s("<DOMAIN NAME TOO LONG>")
	}
	if end == none {
		end = at + 1
	}
	return end
}

func (m *message) question(at int) int {
	from := at
	if at = m.skip(at); at == none || at+4 > len(m.b) {
		return none
	}
	m.f(" %s", dnsTypes.of(m.b.u16(at), "Type%d"))
	class := m.b.u16(at + 2)
	unicast := class&0x8000 != 0
	if m.mdns {
		class &^= 0x8000
	}
	if class != 1 {
		m.f(" %s", dnsClass.of(class, "(Class %d)"))
	}
	switch {
	case m.mdns && unicast:
		m.s(" (QU)")
	case m.mdns:
		m.s(" (QM)")
	}
	m.s("? ")
	if at = m.name(from); at == none {
		return none
	}
	return at + 4
}

func (m *message) record(at int) int {
	b := m.b
	if m.Verbose > 0 {
		m.s(" ")
		if at = m.name(at); at == none {
			return none
		}
	} else if at = m.skip(at); at == none {
		return len(b)
	}
	if at+10 > len(b) {
		return len(b)
	}
	typ, class := b.u16(at), b.u16(at+2)
	flush := class&0x8000 != 0
	if m.mdns {
		class &^= 0x8000
	}
	const opt = 41
	if class != 1 && typ != opt {
		m.f(" %s", dnsClass.of(class, "(Class %d)"))
	}
	if m.mdns && flush {
		m.s(" (Cache flush)")
	}
	flags := b.u16(at + 6)
	if typ != opt && m.Verbose > 2 {
		m.s(" [")
		m.relative(b.u32(at + 4))
		m.s("]")
	}
	n := b.u16(at + 8)
	at += 10
	m.f(" %s", dnsTypes.of(typ, "Type%d"))
	if at+n > len(b) {
		return none
	}
	if !m.data(typ, class, flags, at, n) {
		return none
	}
	return at + n
}

// data prints the content of a record; false when it is cut short.
func (m *message) data(typ, class, flags, at, n int) bool {
	b := m.b
	has := func(k int) bool { return at+k <= len(b) }
	switch typ {
	case 1:
		if !has(4) {
			return false
		}
		m.f(" %s", netip.AddrFrom4([4]byte(b[at:at+4])))
	case 28:
		if !has(16) {
			return false
		}
		m.f(" %s", plain(netip.AddrFrom16([16]byte(b[at:at+16]))))
	case 2, 5, 12, 39:
		m.s(" ")
		return m.name(at) != none
	case 6:
		if m.Verbose == 0 {
			return true
		}
		for range 2 {
			m.s(" ")
			if at = m.name(at); at == none {
				return false
			}
		}
		if !has(20) {
			return false
		}
		for i := range 5 {
			m.f(" %d", b.u32(at+4*i))
		}
	case 15:
		if m.s(" "); !has(2) || m.name(at+2) == none {
			return false
		}
		m.f(" %d", b.u16(at))
	case 16:
		for end := at + n; at < end; {
			size := b.u8(at)
			m.s(` "`)
			m.printable(b[at+1 : min(at+1+size, len(b))])
			if at+1+size > len(b) {
				return false
			}
			m.s(`"`)
			at += 1 + size
		}
	case 33:
		if m.s(" "); !has(6) || m.name(at+6) == none {
			return false
		}
		m.f(":%d %d %d", b.u16(at+4), b.u16(at), b.u16(at+2))
	case 41:
		m.f(" UDPsize=%d", class)
		if flags&0x8000 != 0 {
			m.s(" DO")
		}
		return m.edns(at, at+n)
	case 250:
		return m.tsig(at)
	}
	return true
}

func (m *message) tsig(at int) bool {
	if m.Verbose == 0 {
		return true
	}
	m.s(" ")
	if at = m.name(at); at == none {
		return false
	}
	at += 6
	for _, f := range []string{"fudge", "maclen", "origid", "error", "otherlen"} {
		if at+2 > len(m.b) {
			return false
		}
		v := m.b.u16(at)
		m.f(" %s=%d", f, v)
		at += 2
		if f == "maclen" {
			at += v
		}
	}
	return true
}

// edns prints options (RFC 6891 section 6.1.2).
func (m *message) edns(at, end int) bool {
	if at >= end {
		return true
	}
	m.s(" [")
	for at < end {
		if at+4 > len(m.b) {
			return false
		}
		code, n := m.b.u16(at), m.b.u16(at+2)
		m.s(ednsNames.of(code, "Opt%d"))
		if at += 4; at+n > len(m.b) {
			return false
		}
		if n > 0 {
			m.s(" ")
			m.option(code, m.b[at:at+n])
		}
		if at += n; at < end {
			m.s(",")
		}
	}
	m.s("]")
	return true
}

func (m *message) option(code int, b octets) {
	switch code {
	case 8:
		m.subnet(b)
	case 10:
		if len(b) < 8 || len(b) > 8 && len(b) < 16 || len(b) > 40 {
			m.wrong()
			return
		}
		m.f("%x", []byte(b[:8]))
		if len(b) > 8 {
			m.f(" %x", []byte(b[8:]))
		}
	case 11:
		if len(b) != 2 {
			m.wrong()
			return
		}
		m.f("%.1f sec", float64(b.u16(0))/10)
	case 9:
		if len(b) != 4 {
			m.wrong()
			return
		}
		m.f("%d sec", b.u32(0))
	case 12:
		m.f("(%d)", len(b))
	case 14:
		for i := 0; i+1 < len(b); i += 2 {
			if i > 0 {
				m.s(" ")
			}
			m.f("%d", b.u16(i))
		}
	default:
		m.f("%x", []byte(b))
	}
}

// subnet prints a client subnet (RFC 7871).
func (m *message) subnet(b octets) {
	if len(b) < 4 {
		m.wrong()
		return
	}
	family, source, scope, size := b.u16(0), b.u8(2), b.u8(3), map[int]int{1: 4, 2: 16}[b.u16(0)]
	if size == 0 || len(b)-4 > size || source > size*8 || scope > size*8 || (source+7)/8 != len(b)-4 {
		m.wrong()
		return
	}
	full := make([]byte, size)
	copy(full, b[4:])
	a, _ := netip.AddrFromSlice(full)
	if family == 2 {
		m.f("%s/%d/%d", plain(a), source, scope)
		return
	}
	m.f("%s/%d/%d", a, source, scope)
}
