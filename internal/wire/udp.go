package wire

import (
	"cmp"
	"container/list"
	"net/netip"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tcp"
	"culprit/internal/event"
)

// maxFlows is how many UDP flows are kept; the one that was quiet for longest
// goes first.
const maxFlows = 1 << 16

// Flow is the datagrams between two ports.
type Flow struct {
	From, To netip.AddrPort // From sent the first one
	Opened   event.Time
	Packets  [2]int // by direction: to To, to From
	Bytes    [2]int64

	key   flowKey
	place *list.Element // in flows.recent
}

// mdnsPort and a multicast address tell Multicast DNS from DNS, whose messages
// it uses (RFC 6762).
const mdnsPort = 5353

// flows is the table of UDP flows.
type flows struct {
	known  map[flowKey]*Stream
	recent list.List // of *Stream, the one that was quiet for longest first
	n      int
}

// flowKey is both ends, the lower first.
type flowKey struct{ a, b netip.AddrPort }

func (p *Pass) datagram(x *Packet) {
	k := flowKey{x.Src, x.Dst}
	if x.Dst.Compare(x.Src) < 0 {
		k = flowKey{x.Dst, x.Src}
	}
	s := p.udp.known[k]
	if s == nil {
		s = p.open(k, x)
	}
	p.udp.recent.MoveToBack(s.UDP.place)
	if x.Src != s.UDP.From {
		x.Dir = dissect.ToClient
	}
	x.Stream = s
	s.UDP.Packets[x.Dir]++
	s.UDP.Bytes[x.Dir] += int64(len(x.Payload))
	if s.skip {
		return
	}
	s.session.datagram(&dissect.Input{Time: x.Time, Dir: x.Dir, Data: x.Payload, Ref: int64(x.Number)})
}

// datagram takes the next datagram. The first one that is of a protocol's kind
// decides which the flow speaks.
func (s *Session) datagram(in *dissect.Input) {
	if s.proto == "" && s.shared.stream.UDP.To.Addr().IsMulticast() && s.shared.stream.UDP.To.Port() == mdnsPort {
		s.proto = "mdns"
	}
	for i := 0; s.layer == nil && i < len(datagrams); i++ {
		if d := &datagrams[i]; d.match(in.Data) {
			s.start(cmp.Or(s.proto, d.name), d.layer(*s.shared.options), in)
		}
	}
	if s.layer != nil {
		s.Feed(in)
	} else if s.shared.options.Data != nil {
		s.data(in)
	}
}

func (p *Pass) open(k flowKey, x *Packet) *Stream {
	if len(p.udp.known) >= maxFlows {
		old := p.udp.recent.Remove(p.udp.recent.Front()).(*Stream)
		delete(p.udp.known, old.UDP.key)
		old.session.Close(&dissect.Input{Time: x.Time})
	}
	if p.udp.known == nil {
		p.udp.known = map[flowKey]*Stream{}
	}
	s := &Stream{ID: p.udp.n, Proto: x.Proto, UDP: &Flow{From: x.Src, To: x.Dst, Opened: x.Time, key: k}}
	s.session = p.session(s, "udp")
	s.skip = p.options.Want != nil && !p.options.Want(s)
	p.udp.n++
	p.udp.known[k] = s
	s.UDP.place = p.udp.recent.PushBack(s)
	return s
}

func (f *flows) close(at event.Time) {
	for e := f.recent.Front(); e != nil; e = e.Next() {
		e.Value.(*Stream).session.Close(&dissect.Input{Time: at})
	}
}

// maxTunnels is how many VXLAN tunnels are opened, one in the other.
const maxTunnels = 4

// vxlan opens a datagram that carries an Ethernet frame (RFC 7348 section 5):
// the flags say that there is a network number and all else is zero.
func vxlan(b []byte) (tcp.Frame, bool) {
	const header = 8
	if len(b) < header+14+20 || b[0] != 8 || b[1]|b[2]|b[3]|b[7] != 0 {
		return tcp.Frame{}, false
	}
	f, err := tcp.Decode(tcp.LinkEthernet, b[header:])
	return f, err == nil
}
