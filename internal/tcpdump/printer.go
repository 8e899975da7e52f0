// Package tcpdump prints packets as tcpdump 4.99 does: link layers, ARP, IP,
// IPv6, ICMP, TCP, UDP and DNS, and the first lines of text protocols. What it
// does not know of a datagram's content it shows as "UDP, length N", of a
// segment's not at all.
//
// It prints one packet after the other and remembers of the earlier ones only
// where TCP's streams began. It reads no file and no socket.
package tcpdump

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Options are tcpdump's, by their letters (tcpdump(1)). The zero value prints
// as tcpdump without options does, but with numbers for names (-n).
type Options struct {
	Time     int            // -t (1) to -ttttt (5)
	Verbose  int            // -v, -vv, -vvv
	Quiet    bool           // -q
	Link     bool           // -e
	Absolute bool           // -S: TCP's sequence numbers as sent
	NoSums   bool           // -K
	Numbers  bool           // -#
	Hex      int            // -x, -xx
	HexASCII int            // -X, -XX
	ASCII    int            // -A, -AA
	Nanos    bool           // --nano
	Zone     *time.Location // of times; nil is UTC

	// Host, Port and Interface give names; nil, or an empty name, leaves numbers.
	Host      func(netip.Addr) string
	Port      func(proto string, port uint16) string // "tcp" or "udp"
	Interface func(index uint32) string
}

// Packet is one packet of a capture.
type Packet struct {
	Link int   // LINKTYPE_*, as dissect/tcp has them
	Time int64 // ns since 1970
	Len  int   // on the wire
	Data []byte
}

// Printer prints the packets of one capture, in order.
type Printer struct {
	Options
	out       []byte
	proto     string // that is named where a packet is cut short
	header    int    // bytes of the link header
	number    int
	reference int64 // of the time, for -ttt and -ttttt
	streams   map[streamKey]stream
}

// New returns a printer.
func New(o Options) *Printer {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Printer{Options: o, streams: map[streamKey]stream{}}
}

// cut is what a read beyond the captured bytes panics with; Print recovers it.
type cut struct{}

// Print returns the packet's lines, valid until the next call.
func (p *Printer) Print(pkt Packet) []byte {
	p.out = p.out[:0]
	p.number++
	if p.Numbers {
		p.f("%5d  ", p.number)
	}
	if p.invalid(&pkt) {
		return p.out
	}
	p.time(pkt.Time)
	p.header, p.proto = 0, ""
	p.guarded(func() { p.link(pkt.Link, pkt.Data, pkt.Len) })
	p.dump(pkt.Data)
	p.out = append(p.out, '\n')
	return p.out
}

// maxSnaplen is tcpdump's MAXIMUM_SNAPLEN.
const maxSnaplen = 262144

// invalid says what makes no sense of a record's lengths.
func (p *Printer) invalid(pkt *Packet) bool {
	var what []string
	n, wire := len(pkt.Data), pkt.Len
	if n == 0 {
		what = append(what, "caplen==0")
	}
	switch {
	case wire == 0:
		what = append(what, "len==0")
	case wire < n:
		what = append(what, fmt.Sprintf("len(%d) < caplen(%d)", wire, n))
	}
	if n > maxSnaplen {
		what = append(what, fmt.Sprintf("caplen(%d) > %d", n, maxSnaplen))
	}
	if wire > maxSnaplen {
		what = append(what, fmt.Sprintf("len(%d) > %d", wire, maxSnaplen))
	}
	if what == nil {
		return false
	}
	p.f("[Invalid header: %s]\n", strings.Join(what, ", "))
	return true
}

// guarded runs f and says where it ran out of captured bytes.
func (p *Printer) guarded(f func()) {
	defer func() {
		switch r := recover(); r.(type) {
		case nil:
		case cut:
			p.truncated()
			p.header = 0
		default:
			panic(r)
		}
	}()
	f()
}

func (p *Printer) f(format string, args ...any) { p.out = fmt.Appendf(p.out, format, args...) }
func (p *Printer) s(text string)                { p.out = append(p.out, text...) }
func (p *Printer) truncated()                   { p.f(" [|%s]", p.proto) }
func (p *Printer) wrong()                       { p.s(" (invalid)") }

// octets are the captured bytes of a layer. Reads beyond them panic with cut.
type octets []byte

func (b octets) need(n int) {
	if n > len(b) || n < 0 {
		panic(cut{})
	}
}

func (b octets) u8(at int) int {
	b.need(at + 1)
	return int(b[at])
}

func (b octets) u16(at int) int {
	b.need(at + 2)
	return int(b[at])<<8 | int(b[at+1])
}

func (b octets) u32(at int) uint32 {
	b.need(at + 4)
	return uint32(b[at])<<24 | uint32(b[at+1])<<16 | uint32(b[at+2])<<8 | uint32(b[at+3])
}

func (b octets) from(at int) octets {
	b.need(at)
	return b[at:]
}

func (b octets) upTo(n int) octets { return b[:max(0, min(n, len(b)))] }

// addr is an IPv4 or IPv6 address of n bytes.
func (p *Printer) addr(b octets, at, n int) string {
	b.need(at + n)
	a, _ := netip.AddrFromSlice(b[at : at+n])
	if p.Host != nil {
		if name := p.Host(a); name != "" {
			return name
		}
	}
	return plain(a)
}

// plain is inet_ntop(3)'s form, in which an IPv4 address inside IPv6 is dotted.
func plain(a netip.Addr) string {
	if a.Is4In6() {
		return "::ffff:" + a.Unmap().String()
	}
	if b := a.As16(); a.Is6() && [12]byte(b[:12]) == [12]byte{} && (b[12] != 0 || b[13] != 0) {
		return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
	}
	return a.String()
}

func (p *Printer) port(proto string, n int) string {
	if p.Port != nil {
		if name := p.Port(proto, uint16(n)); name != "" {
			return name
		}
	}
	return strconv.Itoa(n)
}

// time prints the time of a packet as -t asks for.
func (p *Printer) time(ns int64) {
	digits, frac := 6, ns%1e9/1000
	if p.Nanos {
		digits, frac = 9, ns%1e9
	}
	stamp := func(t time.Time, layout string, frac int64) { p.f("%s.%0*d ", t.Format(layout), digits, frac) }
	at := time.Unix(0, ns).In(p.Zone)
	switch p.Time {
	case 0:
		stamp(at, time.TimeOnly, frac)
	case 1:
	case 2:
		p.f("%d.%0*d ", ns/1e9, digits, frac)
	case 3, 5:
		if p.reference == 0 {
			p.reference = ns
		}
		unit := int64(1000)
		if p.Nanos {
			unit = 1
		}
		d, sign := ns/unit-p.reference/unit, " "
		if d < 0 {
			d, sign = -d, "-"
		}
		p.s(sign)
		stamp(time.Unix(0, d*unit).UTC(), time.TimeOnly, d%(1e9/unit))
		if p.Time == 3 {
			p.reference = ns
		}
	default:
		stamp(at, time.DateTime, frac)
	}
}

// dump prints the bytes as -x, -X or -A ask for.
func (p *Printer) dump(data []byte) {
	rest := data[min(p.header, len(data)):]
	switch {
	case p.HexASCII > 1:
		p.hexASCII(data, "\n\t")
	case p.HexASCII > 0:
		p.hexASCII(rest, "\n\t")
	case p.Hex > 1:
		p.hex(data, "\n\t")
	case p.Hex > 0:
		p.hex(rest, "\n\t")
	case p.ASCII > 1:
		p.ascii(data)
	case p.ASCII > 0 && len(rest) > 0:
		p.ascii(rest)
	}
}

func graphic(c byte) byte {
	if c > ' ' && c < 0x7f {
		return c
	}
	return '.'
}

func (p *Printer) hexASCII(b []byte, indent string) {
	for at := 0; at < len(b); at += 16 {
		row := b[at:min(at+16, len(b))]
		var hex, text []byte
		for i, c := range row {
			if i%2 == 0 {
				hex = append(hex, ' ')
			}
			hex, text = fmt.Appendf(hex, "%02x", c), append(text, graphic(c))
		}
		p.f("%s0x%04x: %-40s  %s", indent, at, hex, text)
	}
}

func (p *Printer) hex(b []byte, indent string) {
	for i, c := range b {
		if i%16 == 0 {
			p.f("%s0x%04x: ", indent, i)
		}
		if i%2 == 0 {
			p.s(" ")
		}
		p.f("%02x", c)
	}
}

func (p *Printer) ascii(b []byte) {
	p.s("\n")
	for i, c := range b {
		switch {
		case c == '\r':
			// At the end of a line it is not shown, elsewhere as a dot.
			if left := len(b) - i - 1; left > 1 && b[i+1] != '\n' {
				p.s(".")
			}
		case c == '\t' || c == ' ' || c == '\n':
			p.out = append(p.out, c)
		default:
			p.out = append(p.out, graphic(c))
		}
	}
}

// unknown shows bytes of what is not known.
func (p *Printer) unknown(b octets, n int, indent string) {
	p.hex(b.upTo(n), indent)
	if n > len(b) {
		panic(cut{})
	}
}

// names are the names of numbers.
type names map[int]string

func (n names) of(v int, unknown string) string {
	if s, ok := n[v]; ok {
		return s
	}
	if strings.Contains(unknown, "%") {
		return fmt.Sprintf(unknown, v)
	}
	return unknown
}

// bits are the names of bits, in the order in which they are shown.
type bits []struct {
	bit  int
	name string
}

func (n bits) of(v int, none, sep string) string {
	var out []string
	for _, b := range n {
		if v&b.bit != 0 {
			out = append(out, b.name)
		}
	}
	if out == nil {
		return none
	}
	return strings.Join(out, sep)
}

// printable shows a byte as tcpdump does in names: M-c, ^c.
func (p *Printer) printable(b octets) {
	for _, c := range b {
		if c >= 0x80 {
			p.s("M-")
			c &= 0x7f
		}
		if c < ' ' || c == 0x7f {
			p.s("^")
			c ^= 0x40
		}
		p.out = append(p.out, c)
	}
}

// relative is a number of seconds in the form 1h2m3s.
func (p *Printer) relative(secs uint32) {
	if secs == 0 {
		p.s("0s")
	}
	for _, u := range []struct {
		n    uint32
		name string
	}{{31536000, "y"}, {604800, "w"}, {86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}} {
		if secs >= u.n {
			p.f("%d%s", secs/u.n, u.name)
			secs %= u.n
		}
	}
}
