package timeline

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tcp"
	"culprit/internal/event"
)

// Packet is one recorded packet of the run, from the IP header on. What was said
// is known from the calls (ADR 11); packets tell how it was carried.
type Packet struct {
	Time      event.Time
	Interface uint32 // index, as in Timeline.Interfaces
	Out       bool   // sent by the process
	Len       int    // on the wire
	Data      []byte
	Analysis  tcp.Analysis // of a TCP segment
	Conn      *Conn        // of which it is, or which an ICMP error is about; nil when no call tells of it
	Call      *Call        // that moved its bytes; nil when none did or that is not known
	Unread    bool         // its bytes lay in the receive queue, and the program never read them
}

// ICMP is an ICMP or ICMPv6 error about a connection.
type ICMP struct {
	Time event.Time
	From netip.Addr // who says so
	Text string     // "port unreachable"
}

// Protocol numbers (IANA).
const (
	protoICMP   = 1
	protoICMPv6 = 58
)

// icmpText says in words what an error means (RFC 792, RFC 1812, RFC 4443).
func icmpText(v6 bool, typ, code byte) string {
	unreachable := []string{"network", "host", "protocol", "port", "fragmentation needed", "source route failed", "unknown network", "unknown host", "",
		"network forbidden", "host forbidden", "network for this service", "host for this service", "forbidden by a filter"}
	kind := map[byte]string{3: "", 4: "source quench", 5: "redirect", 11: "time exceeded", 12: "parameter problem"}
	if v6 {
		unreachable = []string{"no route", "forbidden by a filter", "beyond the scope", "address", "port", "source address failed a filter", "route rejected"}
		kind = map[byte]string{1: "", 2: "packet too big", 3: "time exceeded", 4: "parameter problem"}
	}
	switch text, known := kind[typ]; {
	case known && text != "":
		return text
	case known && int(code) < len(unreachable) && unreachable[code] != "":
		return unreachable[code] + " unreachable"
	}
	return fmt.Sprintf("ICMP type %d code %d", typ, code)
}

// Carriage is what the packets of a recorded TCP connection tell of its
// troubles, seen from the recorded process.
type Carriage struct {
	SYNs       []event.Time // that were sent to open it, the first few
	Answered   event.Time   // the first packet from the peer, 0: none came
	Again      int          // segments that were sent again
	ZeroWindow event.Time   // since when the peer takes no more bytes, 0: it does
	Reset      event.Time   // of the first RST, 0: none
	ResetByUs  bool         // this machine sent it
}

// maxSYNs is how many times of SYNs are kept; Linux sends 7 (tcp_syn_retries).
const maxSYNs = 16

// carrier ties packets to connections.
type carrier struct {
	asm    tcp.Assembler
	frames []tcp.Frame // of the timeline's packets
	locals map[flow]bool
	tcp    map[carriedKey]*carried
	udp    map[flow]*Conn
	flows  map[flow]*Conn // the newest of a flow, by both its orientations
	known  map[flow][]*Conn
}

// flow is a conversation's ends: the process's own, and its peer's.
type flow struct{ local, remote netip.AddrPort }

func (f flow) reversed() flow { return flow{f.remote, f.local} }

// carriedKey is one side of a TCP connection of the packets.
type carriedKey struct {
	conn  *tcp.Conn
	local netip.AddrPort
}

type carried struct {
	conn  *Conn     // nil when no call tells of it
	first [2]uint32 // sequence number of the stream's first byte, by direction
	known [2]bool
}

// carry reads the packets. In a conversation of two processes of the run each
// packet was seen twice, when it was sent and when it came: the first stays.
func (b *builder) carry() {
	if len(b.t.Packets) == 0 {
		return
	}
	c := &carrier{locals: map[flow]bool{}, tcp: map[carriedKey]*carried{}, udp: map[flow]*Conn{}, flows: map[flow]*Conn{}, known: map[flow][]*Conn{}}
	for _, x := range b.t.Conns {
		f := flow{plain(x.Local), plain(x.Remote)}
		if !x.Local.IsValid() || x.Local.Addr().IsUnspecified() {
			f.local = netip.AddrPort{} // of one that failed at once it may not be known
		}
		c.known[f] = append(c.known[f], x)
	}
	slices.SortStableFunc(b.t.Packets, func(x, y *Packet) int { return cmp.Compare(x.Time, y.Time) })
	var dec tcp.Decoder
	for _, p := range b.t.Packets {
		var f tcp.Frame
		if dec.Decode(&f, tcp.LinkRaw, p.Data, p.Time) != nil {
			f = tcp.Frame{}
		}
		c.frames = append(c.frames, f)
		if ported(&f) {
			c.locals[flowOf(p, &f)] = true
		}
	}
	kept := b.t.Packets[:0]
	for i, p := range b.t.Packets {
		f := &c.frames[i]
		if !p.Out && ported(f) && c.locals[flowOf(p, f).reversed()] {
			continue
		}
		c.packet(p, f)
		kept = append(kept, p)
	}
	clear(b.t.Packets[len(kept):])
	b.t.Packets = kept
}

func ported(f *tcp.Frame) bool { return f.Proto == tcp.ProtoTCP || f.Proto == tcp.ProtoUDP }

func flowOf(p *Packet, f *tcp.Frame) flow {
	if p.Out {
		return flow{plain(f.Src), plain(f.Dst)}
	}
	return flow{plain(f.Dst), plain(f.Src)}
}

// plain is an address without the form that IPv4 has inside IPv6.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (c *carrier) packet(p *Packet, f *tcp.Frame) {
	way := flowOf(p, f)
	switch f.Proto {
	case tcp.ProtoTCP:
		conn, _ := c.asm.Feed(f, p.Time, 0)
		p.Analysis = conn.Analysis
		k := c.tcp[carriedKey{conn, way.local}]
		if k == nil {
			k = &carried{conn: c.find(sockStream, way, p.Time)}
			c.tcp[carriedKey{conn, way.local}] = k
		}
		if k.conn == nil {
			return
		}
		p.Conn, k.conn.Packets = k.conn, conn
		k.conn.carriage(p, f)
		k.call(p, f)
	case tcp.ProtoUDP:
		if c.udp[way] == nil {
			c.udp[way] = c.find(sockDgram, way, p.Time)
		}
		if p.Conn = c.udp[way]; p.Conn == nil {
			return
		}
		p.Conn.Carried = true
		datagramCall(p, f)
	case protoICMP, protoICMPv6:
		c.icmp(p, f)
		return
	default:
		return
	}
	c.flows[way], c.flows[way.reversed()] = p.Conn, p.Conn
}

// find is the connection of a flow's first packet: of those between the same
// ends the one whose beginning is nearest.
func (c *carrier) find(typ uint32, way flow, at event.Time) (best *Conn) {
	far := func(x *Conn) event.Time { return max(x.Opened-at, at-x.Opened) }
	for _, f := range []flow{way, {remote: way.remote}} {
		for _, x := range c.known[f] {
			if x.Type == typ && x.Packets == nil && (best == nil || far(x) < far(best)) {
				best = x
			}
		}
		if best != nil {
			if !best.Local.IsValid() {
				best.Local = way.local
			}
			return best
		}
	}
	return nil
}

// carriage takes down what a segment tells of the connection's troubles.
func (c *Conn) carriage(p *Packet, f *tcp.Frame) {
	w := &c.Carriage
	switch {
	case f.Flags&tcp.RST != 0 && w.Reset == 0:
		w.Reset, w.ResetByUs = p.Time, p.Out
	case p.Out && f.Flags&(tcp.SYN|tcp.ACK) == tcp.SYN && len(w.SYNs) < maxSYNs:
		w.SYNs = append(w.SYNs, p.Time)
	case p.Out && p.Analysis&tcp.Retransmission != 0:
		w.Again++
	}
	if p.Out {
		return
	}
	if w.Answered == 0 {
		w.Answered = p.Time
	}
	switch {
	case f.Flags&(tcp.SYN|tcp.RST) != 0:
	case f.Window != 0:
		w.ZeroWindow = 0
	case w.ZeroWindow == 0:
		w.ZeroWindow = p.Time
	}
}

// dir is the direction of the packet in its connection.
func (p *Packet) dir() dissect.Dir { return p.Conn.dir(!p.Out) }

// call finds who moved the bytes of a segment, by their place in the stream.
func (k *carried) call(p *Packet, f *tcp.Frame) {
	if f.Flags&tcp.RST != 0 {
		return
	}
	d, seq := p.dir()&1, f.Seq
	if f.Flags&tcp.SYN != 0 {
		seq++
	}
	if !k.known[d] || f.Flags&tcp.SYN != 0 {
		k.first[d], k.known[d] = seq, true
	}
	if len(f.Payload)+f.Cut == 0 {
		return
	}
	if s := p.Conn.segmentAt(d, int64(seq-k.first[d])); s != nil {
		p.Call, p.Unread = s.Call, s.Unread
	}
}

// segmentAt is the segment that holds a byte of one direction's stream, by its
// offset modulo 2^32; nil when there is none.
func (c *Conn) segmentAt(d dissect.Dir, off int64) *Segment {
	at := &c.offsets[d]
	if *at == nil {
		sum := int64(0)
		for i := range c.Segments {
			if s := &c.Segments[i]; s.Dir&1 == d {
				*at = append(*at, offset{sum, s})
				sum += int64(len(s.Data)) + int64(s.Gap)
			}
		}
	}
	i := sort.Search(len(*at), func(i int) bool { return (*at)[i].at > off }) - 1
	if i < 0 {
		return nil
	}
	if s := (*at)[i]; off < s.at+int64(len(s.segment.Data))+int64(s.segment.Gap) {
		return s.segment
	}
	return nil
}

type offset struct {
	at      int64
	segment *Segment
}

// maxAhead is among how many calls that of a datagram is looked for.
const maxAhead = 64

// datagramCall finds the call that sent or got a datagram: the first that
// returned after the packet was seen, and had the same bytes.
func datagramCall(p *Packet, f *tcp.Frame) {
	all := p.Conn.Segments
	from := sort.Search(len(all), func(i int) bool { return all[i].Time >= p.Time })
	for i := from; i < min(from+maxAhead, len(all)); i++ {
		s := &all[i]
		n := min(len(s.Data), len(f.Payload))
		if s.Dir&1 == p.dir()&1 && s.Call != nil && len(s.Data)+s.Gap == len(f.Payload)+f.Cut && string(s.Data[:n]) == string(f.Payload[:n]) {
			p.Call = s.Call
			return
		}
	}
}

// icmp hangs an error on the connection that it is about.
func (c *carrier) icmp(p *Packet, f *tcp.Frame) {
	b, v6 := f.Payload, f.Proto == protoICMPv6
	if len(b) < 8 || !v6 && b[0] < 3 || v6 && b[0] >= 128 {
		return
	}
	var quoted tcp.Frame
	quoted, _ = tcp.Decode(tcp.LinkRaw, completed(b[8:]))
	p.Conn = c.flows[flow{plain(quoted.Src), plain(quoted.Dst)}]
	if p.Conn != nil && !p.Out && len(p.Conn.ICMP) < maxDamage {
		p.Conn.ICMP = append(p.Conn.ICMP, ICMP{p.Time, f.Src.Addr().Unmap(), icmpText(v6, b[0], b[1])})
	}
}

// completed gives a quoted packet a whole TCP header: eight bytes of it are all
// that must be quoted (RFC 792), the ports among them.
func completed(b []byte) []byte {
	out := append(slices.Clone(b), make([]byte, 20)...)
	at := 40 // of the header's length in words
	switch {
	case out[0]>>4 == 4 && out[9] == tcp.ProtoTCP:
		at = int(out[0]&15) * 4
	case len(out) < 54 || out[0]>>4 != 6 || out[6] != tcp.ProtoTCP:
		return out
	}
	if at+12 < len(out) {
		out[at+12] = 5 << 4
	}
	return out
}
