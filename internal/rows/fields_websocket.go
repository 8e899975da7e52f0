package rows

import (
	"culprit/internal/dissect/websocket"
	"culprit/internal/filter"
)

var webSocketFields = []Field{
	protocol("websocket", Linked, "a WebSocket frame", func(r *Row) bool { return r.Frame != nil }),
	bit("websocket.fin", "the frame is the last of its message", func(f *websocket.Frame) bool { return f.Fin }),
	bit("websocket.mask", "the payload is masked, as a client's is", func(f *websocket.Frame) bool { return f.Masked }),
	frameNumber("websocket.opcode", "what the frame is: 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong", func(f *websocket.Frame) (uint64, bool) {
		return uint64(f.Opcode), true
	}),
	blob("websocket.payload", Linked|Whole, "the message that the frame ends, or a control frame's payload, unmasked and decompressed", framePayload),
	text("websocket.payload.close.reason", Linked, "why an end closes, in its words", func(r *Row) string {
		if r.Frame == nil {
			return ""
		}
		return r.Frame.Reason
	}),
	frameNumber("websocket.payload.close.status_code", "why an end closes (RFC 6455 section 7.4)", func(f *websocket.Frame) (uint64, bool) {
		return uint64(f.Code), f.Code != 0
	}),
	text("websocket.payload.text", Linked|Whole, "the text message that the frame ends", func(r *Row) string {
		if r.Frame == nil || r.Frame.Message == nil || r.Frame.Message.Opcode != websocket.Text {
			return ""
		}
		return string(r.Frame.Message.Data)
	}),
	frameNumber("websocket.payload_length", "bytes of the frame's payload; 126 and 127: the next two fields have it", func(f *websocket.Frame) (uint64, bool) {
		return uint64(f.ShortLength()), true
	}),
	frameNumber("websocket.payload_length_ext_16", "bytes of the frame's payload, from 126 on", func(f *websocket.Frame) (uint64, bool) {
		return uint64(f.Length), f.ShortLength() == 126
	}),
	frameNumber("websocket.payload_length_ext_64", "bytes of the frame's payload, from 65536 on", func(f *websocket.Frame) (uint64, bool) {
		return uint64(f.Length), f.ShortLength() == 127
	}),
	bit("websocket.rsv1", "the message that the frame begins is compressed", func(f *websocket.Frame) bool { return f.Compressed }),
}

func framePayload(r *Row) []byte {
	switch {
	case r.Frame == nil:
		return nil
	case r.Frame.Message != nil:
		return r.Frame.Message.Data
	}
	return r.Frame.Data
}

// bit is a boolean that every frame has.
func bit(name, doc string, get func(*websocket.Frame) bool) Field {
	return field(name, filter.Bool, Linked, doc, func(r *Row, to []filter.Value) []filter.Value {
		switch {
		case r.Frame == nil:
		case get(r.Frame):
			to = append(to, filter.U(1))
		default:
			to = append(to, filter.U(0))
		}
		return to
	})
}

func frameNumber(name, doc string, get func(*websocket.Frame) (uint64, bool)) Field {
	return number(name, Linked, doc, func(r *Row) (uint64, bool) {
		if r.Frame == nil {
			return 0, false
		}
		return get(r.Frame)
	})
}
