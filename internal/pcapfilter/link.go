package pcapfilter

import (
	"culprit/internal/dissect/tcp"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Protocols at the link layer, by EtherType; those up to 1500 are LLC's SAPs.
const (
	etherIP    = 0x0800
	etherARP   = 0x0806
	etherRARP  = 0x8035
	etherIPv6  = 0x86dd
	etherMPLS  = 0x8847
	etherPPPoD = 0x8863
	etherPPPoE = 0x8864
	sapSTP     = 0x42
	sapISO     = 0xfe
	sapIPX     = 0xe0
	sapNetBEUI = 0xf0
)

// layout says where a link type has what.
type layout struct {
	link    int
	network uint32 // where the network header begins
	typ     uint32 // where its EtherType stands
	session bool   // behind PPPoE: typ holds a PPP protocol
}

func layoutOf(link int) (layout, bool) {
	l := layout{link: link}
	switch link {
	case tcp.LinkEthernet:
		l.typ, l.network = 12, 14
	case tcp.LinkRaw, 12, 14:
		l.link = tcp.LinkRaw
	case tcp.LinkIPv4, tcp.LinkIPv6:
	case tcp.LinkNull, tcp.LinkLoop:
		l.network = 4
	case tcp.LinkSLL:
		l.typ, l.network = 14, 16
	case tcp.LinkSLL2:
		l.network = 20
	case tcp.LinkPPP:
		l.typ, l.network, l.session = 2, 4, true
	default:
		return l, false
	}
	return l, true
}

var pppProtocols = map[uint32]uint32{etherIP: 0x21, etherIPv6: 0x57}

// carries tests for a protocol at the link layer.
func (l *layout) carries(proto uint32) *node {
	switch {
	case l.session:
		if p, ok := pppProtocols[proto]; ok {
			proto = p
		}
		return equal(half2, l.typ, proto, 0)
	case l.link == tcp.LinkRaw:
		switch proto {
		case etherIP:
			return equal(byte1, l.network, 0x40, 0xf0)
		case etherIPv6:
			return equal(byte1, l.network, 0x60, 0xf0)
		}
		return &node{kind: never}
	case l.link == tcp.LinkIPv4 || l.link == tcp.LinkIPv6:
		if (proto == etherIP) == (l.link == tcp.LinkIPv4) && (proto == etherIP || proto == etherIPv6) {
			return &node{kind: always}
		}
		return &node{kind: never}
	case l.link == tcp.LinkNull || l.link == tcp.LinkLoop:
		return family(proto)
	case proto > 1500:
		return equal(half2, l.typ, proto, 0)
	case l.link == tcp.LinkEthernet:
		length := &node{load: []bpf.RawInstruction{absolute(half2, l.typ)}, jump: unix.BPF_JGT, k: 1500}
		if proto == sapSTP {
			return and(not(length), equal(byte1, l.network, proto, 0))
		}
		return and(not(length), equal(half2, l.network, proto<<8|proto, 0))
	}
	return and(equal(half2, l.typ, 4, 0), equal(byte1, l.network, proto, 0))
}

// family tests BSD's address family, which is in the byte order of who captured.
func family(proto uint32) *node {
	var out *node
	for _, f := range map[uint32][]uint32{etherIP: {2}, etherIPv6: {24, 28, 30}}[proto] {
		out = or(out, equal(word4, 0, f, 0), equal(word4, 0, f<<24, 0))
	}
	if out == nil {
		return &node{kind: never}
	}
	return out
}
