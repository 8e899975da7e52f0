package rows

import (
	"culprit/internal/dissect/grpc"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/http2"
	"culprit/internal/filter"
)

// Types of HTTP/2's frames (RFC 9113 section 6), as far as rows are made of them.
const (
	frameHeaders   = 1
	frameRstStream = 3
	frameGoAway    = 7
)

var http2Fields = []Field{
	protocol("http2", Linked, "an HTTP/2 message, reset or GOAWAY", func(r *Row) bool { return isHTTP2(r) || r.Control != nil }),
	field("http2.goaway.addata", filter.String, Linked, "what the end that takes no more streams says of it", func(r *Row, to []filter.Value) []filter.Value {
		if r.Kind == GoAway && r.Control.GoAway.Debug != "" {
			to = append(to, filter.S(r.Control.GoAway.Debug))
		}
		return to
	}),
	http2Code("http2.goaway.error", "why an end takes no more streams", func(r *Row) (http2.Code, bool) {
		if r.Kind != GoAway {
			return 0, false
		}
		return r.Control.GoAway.Code, true
	}),
	number("http2.goaway.last_stream_id", Linked, "the highest stream that the end may have worked on", func(r *Row) (uint64, bool) {
		if r.Kind != GoAway {
			return 0, false
		}
		return uint64(r.Control.GoAway.Last), true
	}),
	http2Header("http2.header.name", "names of its header fields, :method and the like left out", func(f http.Field) string { return f.Name }),
	http2Header("http2.header.value", "values of its header fields", func(f http.Field) string { return f.Value }),
	text("http2.headers.authority", Linked, "host of a request", http2Request(func(m *http.Message) string { return m.Get("Host") })),
	text("http2.headers.content_type", Linked, "header field content-type", func(r *Row) string {
		if !isHTTP2(r) {
			return ""
		}
		return r.HTTP.Get("Content-Type")
	}),
	text("http2.headers.method", Linked, "method of a request", http2Request(func(m *http.Message) string { return m.Method })),
	text("http2.headers.path", Linked, "path of a request", http2Request(func(m *http.Message) string { return m.Target })),
	number("http2.headers.status", Linked, "status of an answer", func(r *Row) (uint64, bool) {
		if !isHTTP2(r) || r.Kind != Response {
			return 0, false
		}
		return uint64(r.HTTP.Status), true
	}),
	http2Code("http2.rst_stream.error", "why a stream was reset", func(r *Row) (http2.Code, bool) {
		if r.Kind != Reset {
			return 0, false
		}
		return r.Control.Reset.Code, true
	}),
	number("http2.streamid", Linked, "number of the stream", func(r *Row) (uint64, bool) {
		switch {
		case isHTTP2(r):
			return r.HTTP.Stream, true
		case r.Kind == Reset:
			return uint64(r.Control.Reset.Stream), true
		}
		return 0, r.Kind == GoAway
	}),
	number("http2.type", Linked, "type of the frame that begins it: 1 HEADERS, 3 RST_STREAM, 7 GOAWAY", func(r *Row) (uint64, bool) {
		switch {
		case isHTTP2(r):
			return frameHeaders, true
		case r.Kind == Reset:
			return frameRstStream, true
		}
		return frameGoAway, r.Kind == GoAway
	}),
}

func isHTTP2(r *Row) bool { return r.HTTP != nil && r.HTTP.Version == "HTTP/2" }

func http2Request(get func(*http.Message) string) func(*Row) string {
	return func(r *Row) string {
		if !isHTTP2(r) {
			return ""
		}
		return request(get)(r)
	}
}

func http2Header(name, doc string, get func(http.Field) string) Field {
	return field(name, filter.String, Linked, doc, func(r *Row, to []filter.Value) []filter.Value {
		if isHTTP2(r) {
			for _, f := range r.HTTP.Header {
				to = append(to, filter.S(get(f)))
			}
		}
		return to
	})
}

func http2Code(name, doc string, get func(*Row) (http2.Code, bool)) Field {
	return symbols(number(name, Linked, doc, func(r *Row) (uint64, bool) {
		code, ok := get(r)
		return uint64(code), ok
	}), func(word string) (uint64, bool) {
		code, ok := http2.CodeOf(word)
		return uint64(code), ok
	}, func(n uint64) string { return http2.Code(n).String() })
}

var grpcFields = []Field{
	protocol("grpc", Linked, "a request or answer of gRPC", isGRPC),
	grpcMessages("grpc.compressed_flag", filter.Uint, "whether each message is compressed: 0 or 1", func(m *grpc.Message) filter.Value {
		if m.Compressed {
			return filter.U(1)
		}
		return filter.U(0)
	}),
	grpcMessages("grpc.message_data", filter.Bytes, "the messages, decompressed", func(m *grpc.Message) filter.Value { return filter.B(m.Data) }),
	grpcMessages("grpc.message_length", filter.Uint, "bytes of each message, as sent", func(m *grpc.Message) filter.Value { return filter.U(uint64(m.Length)) }),
	symbols(number("grpc.status_code", Linked|Whole, "status of the call, of an answer", func(r *Row) (uint64, bool) {
		code, _, ok := status(r)
		return uint64(code), ok
	}), grpcCode, func(n uint64) string { return grpc.Code(n).String() }),
	text("grpc.status_message", Linked|Whole, "what the server says of the status", func(r *Row) string {
		_, text, _ := status(r)
		return text
	}),
}

func isGRPC(r *Row) bool { return r.HTTP != nil && grpc.Is(r.HTTP) }

func status(r *Row) (code grpc.Code, text string, ok bool) {
	if r.Kind != Response || !isGRPC(r) {
		return 0, "", false
	}
	return grpc.Status(r.HTTP)
}

var grpcCode = reverse(17, func(n uint64) string { return grpc.Code(n).String() })

func grpcMessages(name string, t filter.Type, doc string, get func(*grpc.Message) filter.Value) Field {
	return field(name, t, Linked|Whole, doc, func(r *Row, to []filter.Value) []filter.Value {
		if isGRPC(r) {
			for _, m := range grpc.Messages(r.HTTP) {
				to = append(to, get(&m))
			}
		}
		return to
	})
}
