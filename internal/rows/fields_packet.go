package rows

import (
	"fmt"
	"slices"
	"strings"

	"culprit/internal/dissect/tcp"
	"culprit/internal/filter"
	"culprit/internal/wire"
)

// packetFields are those of a capture's packets.
var packetFields = sorted(append([]Field{
	number("frame.cap_len", Linked, "bytes of the packet that were captured", func(r *Row) (uint64, bool) {
		if r.Packet == nil {
			return 0, false
		}
		return uint64(len(r.Packet.Data)), true
	}),
	number("frame.interface_id", Linked, "number of the interface that the packet was captured on", func(r *Row) (uint64, bool) {
		if r.Packet == nil {
			return 0, false
		}
		return uint64(r.Packet.Interface), true
	}),
	number("frame.len", Linked, "bytes of the packet on the wire", func(r *Row) (uint64, bool) {
		if r.Packet == nil {
			return 0, false
		}
		return uint64(r.Packet.Len), true
	}),
	segment("tcp.ack_raw", "acknowledgement number as sent", func(p *wire.Packet) uint64 { return uint64(p.Ack) }),
	protocol("tcp.analysis.flags", Linked, "the segment tells of a trouble: one of tcp.analysis.*", func(r *Row) bool { return r.Packet != nil && r.Packet.Analysis != 0 }),
	segment("tcp.flags", "flags of the header", func(p *wire.Packet) uint64 { return uint64(p.Flags) }),
	flag("tcp.flags.ack", tcp.ACK), flag("tcp.flags.fin", tcp.FIN), flag("tcp.flags.push", tcp.PSH), flag("tcp.flags.reset", tcp.RST), flag("tcp.flags.syn", tcp.SYN),
	segment("tcp.len", "bytes of the stream in the segment", func(p *wire.Packet) uint64 { return uint64(len(p.Payload) + p.Cut) }),
	segment("tcp.seq_raw", "sequence number as sent", func(p *wire.Packet) uint64 { return uint64(p.Seq) }),
	segment("tcp.window_size_value", "window as sent, not scaled", func(p *wire.Packet) uint64 { return uint64(p.Window) }),
	number("udp.stream", Linked, "number of the UDP flow, from 0", func(r *Row) (uint64, bool) {
		switch {
		case !transport(r, sockDgram):
			return 0, false
		case r.Packet != nil:
			return uint64(r.Packet.Stream.ID), true
		}
		if r.Conn == nil || r.Conn.Flow == nil {
			return 0, false
		}
		return uint64(r.Conn.ID), true
	}),
}, analysisFields()...))

func sorted(list []Field) []Field {
	slices.SortFunc(list, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// segment is a number in the header of a TCP segment.
func segment(name, doc string, get func(*wire.Packet) uint64) Field {
	return number(name, Linked, doc, func(r *Row) (uint64, bool) {
		if r.Packet == nil || r.Packet.Err != nil || r.Packet.Proto != tcp.ProtoTCP {
			return 0, false
		}
		return get(r.Packet), true
	})
}

// flag is a bit of the TCP header, there in every segment.
func flag(name string, bit uint8) Field {
	return field(name, filter.Bool, Linked, "flag of the header", func(r *Row, to []filter.Value) []filter.Value {
		if r.Packet == nil || r.Packet.Err != nil || r.Packet.Proto != tcp.ProtoTCP {
			return to
		}
		set := uint64(0)
		if r.Packet.Flags&bit != 0 {
			set = 1
		}
		return append(to, filter.U(set))
	})
}

func analysisFields() (list []Field) {
	for name, a := range tcp.Analyses {
		list = append(list, protocol("tcp.analysis."+name, Linked, "finding of the TCP analysis, as in Wireshark", func(r *Row) bool {
			return r.Packet != nil && r.Packet.Analysis&a != 0
		}))
	}
	return list
}

// appendPacket writes a packet's line.
func appendPacket(b []byte, p *wire.Packet) []byte {
	if p.Err != nil {
		return fmt.Appendf(b, "%d bytes: %v", p.Len, p.Err)
	}
	switch p.Proto {
	case tcp.ProtoUDP:
		return fmt.Appendf(b, "%v > %v UDP len %d", p.Src, p.Dst, len(p.Payload))
	case tcp.ProtoTCP:
	default:
		return fmt.Appendf(b, "%v > %v protocol %d len %d", p.Src.Addr(), p.Dst.Addr(), p.Proto, len(p.Payload))
	}
	var flags []string
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK"} {
		if p.Flags>>i&1 != 0 {
			flags = append(flags, name)
		}
	}
	b = fmt.Appendf(b, "%v > %v TCP [%s] seq %d ack %d win %d len %d", p.Src, p.Dst, strings.Join(flags, " "), p.Seq, p.Ack, p.Window, len(p.Payload)+p.Cut)
	if names := p.Analysis.Names(); names != nil {
		b = fmt.Appendf(b, " (%s)", strings.ReplaceAll(strings.Join(names, ", "), "_", " "))
	}
	return b
}
