package rows

import (
	"net/netip"

	"culprit/internal/dissect/tcp"
	"culprit/internal/filter"
	"culprit/internal/timeline"
)

// Socket types (socket(2)).
const (
	sockStream = 1
	sockDgram  = 2
)

var netFields = []Field{
	protocol("ip", Linked, "the row belongs to an IPv4 conversation", func(r *Row) bool { return peer(r).Addr().Is4() }),
	addresses("ip.addr", filter.IPv4, "source and destination address", bothEnds),
	addresses("ip.dst", filter.IPv4, "destination address", func(r *Row) [2]netip.Addr { return [2]netip.Addr{end(r, false).Addr()} }),
	text("ip.host", Linked, "host name of the peer", func(r *Row) string {
		if r.Conn == nil {
			return ""
		}
		return r.Conn.Name
	}),
	addresses("ip.src", filter.IPv4, "source address", func(r *Row) [2]netip.Addr { return [2]netip.Addr{end(r, true).Addr()} }),
	protocol("ipv6", Linked, "the row belongs to an IPv6 conversation", func(r *Row) bool { return peer(r).Addr().Is6() }),
	addresses("ipv6.addr", filter.IPv6, "source and destination address", bothEnds),
	addresses("ipv6.dst", filter.IPv6, "destination address", func(r *Row) [2]netip.Addr { return [2]netip.Addr{end(r, false).Addr()} }),
	addresses("ipv6.src", filter.IPv6, "source address", func(r *Row) [2]netip.Addr { return [2]netip.Addr{end(r, true).Addr()} }),
	protocol("tcp", Linked, "the row belongs to a TCP connection", func(r *Row) bool { return transport(r, sockStream) }),
	port("tcp.dstport", "destination port", sockStream, false),
	ports("tcp.port", "source and destination port", sockStream),
	port("tcp.srcport", "source port", sockStream, true),
	number("tcp.stream", Linked, "number of the connection, from 0: in a case one less than `culprit follow` counts", func(r *Row) (uint64, bool) {
		switch {
		case !transport(r, sockStream):
			return 0, false
		case r.Packet != nil:
			return uint64(r.Packet.Stream.ID), true
		case r.Conn.Proc == nil: // of a capture
			return uint64(r.Conn.ID), true
		}
		return uint64(r.Conn.ID - 1), true
	}),
	protocol("udp", Linked, "the row belongs to a UDP conversation", func(r *Row) bool { return transport(r, sockDgram) }),
	port("udp.dstport", "destination port", sockDgram, false),
	ports("udp.port", "source and destination port", sockDgram),
	port("udp.srcport", "source port", sockDgram, true),
	protocol("unix", Linked, "the row belongs to a Unix socket", func(r *Row) bool { return r.Conn != nil && r.Conn.Path != "" }),
	text("unix.path", Linked, "its path, that of an abstract one with @ in front", func(r *Row) string {
		if r.Conn == nil {
			return ""
		}
		return r.Conn.Path
	}),
}

// peer is the remote end of a row's conversation, invalid when it has none.
func peer(r *Row) netip.AddrPort {
	switch {
	case r.Packet != nil:
		return r.Packet.Dst
	case r.Lookup != nil:
		return unmapped(r.Lookup.Server)
	case r.Conn != nil:
		return unmapped(r.Conn.Remote)
	}
	return netip.AddrPort{}
}

func local(r *Row) netip.AddrPort {
	if r.Conn == nil {
		return netip.AddrPort{}
	}
	return unmapped(r.Conn.Local)
}

// unmapped takes the IPv4 address out of one that a dual-stack socket shows.
func unmapped(a netip.AddrPort) netip.AddrPort {
	if !a.IsValid() {
		return a
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// end is the source or the destination of a row. A row that moves nothing is
// taken as outgoing.
func end(r *Row, source bool) netip.AddrPort {
	if r.Packet != nil {
		if source {
			return r.Packet.Src
		}
		return r.Packet.Dst
	}
	out, ok := r.outgoing()
	if (out || !ok) == source {
		return local(r)
	}
	return peer(r)
}

func bothEnds(r *Row) [2]netip.Addr {
	return [2]netip.Addr{end(r, true).Addr(), end(r, false).Addr()}
}

// transport reports whether a row belongs to a conversation over IP on sockets
// of a type.
func transport(r *Row, typ uint32) bool {
	if r.Packet != nil {
		return r.Packet.Stream != nil && (r.Packet.Proto == tcp.ProtoTCP) == (typ == sockStream)
	}
	if r.Lookup != nil {
		return typ == sockDgram
	}
	return r.Conn != nil && r.Conn.Type == typ && r.Conn.Remote.IsValid()
}

func port(name, doc string, typ uint32, source bool) Field {
	return number(name, Linked, doc, func(r *Row) (uint64, bool) {
		if !transport(r, typ) {
			return 0, false
		}
		a := end(r, source)
		return uint64(a.Port()), a.IsValid()
	})
}

func ports(name, doc string, typ uint32) Field {
	return field(name, filter.Uint, Linked, doc, func(r *Row, to []filter.Value) []filter.Value {
		if !transport(r, typ) {
			return to
		}
		for _, source := range [...]bool{true, false} {
			if a := end(r, source); a.IsValid() {
				to = append(to, filter.U(uint64(a.Port())))
			}
		}
		return to
	})
}

// secured is the TLS layer of a row's connection, nil when it has none.
func secured(r *Row) *timeline.TLS {
	if r.Conn == nil || r.Conn.TLS == nil || r.Conn.TLS.NotTLS != "" {
		return nil
	}
	return r.Conn.TLS
}
