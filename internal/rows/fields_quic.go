package rows

import (
	"culprit/internal/dissect/quic"
	"culprit/internal/filter"
)

var quicFields = []Field{
	protocol("http3", Linked, "a message of HTTP/3", isHTTP3),
	protocol("quic", Linked, "a packet of QUIC, what it closes, or a message in it", func(r *Row) bool {
		return r.QUIC != nil || r.Close != nil || isHTTP3(r)
	}),
	closing("quic.cc.error_code", "why an end closed the connection, in QUIC's numbers", func(c *quic.Close) bool { return !c.App }),
	closing("quic.cc.error_code.app", "why an application closed the connection, in its numbers", func(c *quic.Close) bool { return c.App }),
	text("quic.cc.reason_phrase", Linked, "why an end closed the connection, in its words", func(r *Row) string {
		if r.Close == nil {
			return ""
		}
		return r.Close.Reason
	}),
	blob("quic.dcid", Linked, "connection id of the packet's receiver", func(r *Row) []byte {
		if r.QUIC == nil {
			return nil
		}
		return r.QUIC.DCID
	}),
	field("quic.frame_type", filter.Uint, Linked, "types of the packet's frames", func(r *Row, to []filter.Value) []filter.Value {
		if r.QUIC != nil {
			for _, n := range r.QUIC.Frames {
				to = append(to, filter.U(n))
			}
		}
		return to
	}),
	number("quic.header_form", Linked, "1 for a long header, 0 for a short one", func(r *Row) (uint64, bool) {
		if r.QUIC == nil {
			return 0, false
		}
		if r.QUIC.Type == quic.OneRTT {
			return 0, true
		}
		return 1, true
	}),
	number("quic.long.packet_type", Linked, "kind of a packet: 0 Initial, 1 0-RTT, 2 Handshake, 3 Retry", func(r *Row) (uint64, bool) {
		if r.QUIC == nil || r.QUIC.Type > quic.Retry {
			return 0, false
		}
		return uint64(r.QUIC.Type), true
	}),
	number("quic.packet_number", Linked, "number of the packet, as far as it could be decrypted", func(r *Row) (uint64, bool) {
		if r.QUIC == nil || !r.QUIC.Opened || r.QUIC.Type == quic.Retry || r.QUIC.Type == quic.VersionNegotiation {
			return 0, false
		}
		return r.QUIC.Number, true
	}),
	blob("quic.scid", Linked, "connection id of the packet's sender", func(r *Row) []byte {
		if r.QUIC == nil {
			return nil
		}
		return r.QUIC.SCID
	}),
	number("quic.stream.stream_id", Linked, "number of the stream that a message of HTTP/3 lies on", func(r *Row) (uint64, bool) {
		if !isHTTP3(r) {
			return 0, false
		}
		return r.HTTP.Stream, true
	}),
	number("quic.version", Linked, "version, of a long header", func(r *Row) (uint64, bool) {
		if r.QUIC == nil || r.QUIC.Type == quic.OneRTT {
			return 0, false
		}
		return uint64(r.QUIC.Version), true
	}),
}

func isHTTP3(r *Row) bool { return r.HTTP != nil && r.HTTP.Version == "HTTP/3" }

func closing(name, doc string, is func(*quic.Close) bool) Field {
	return number(name, Linked, doc, func(r *Row) (uint64, bool) {
		if r.Close == nil || !is(r.Close) {
			return 0, false
		}
		return r.Close.Code, true
	})
}
