package rows

import (
	"culprit/internal/dissect/http"
	"culprit/internal/filter"
)

var httpFields = []Field{
	protocol("http", Linked, "an HTTP request or response", func(r *Row) bool { return r.HTTP != nil }),
	header("http.accept", "Accept"),
	header("http.authorization", "Authorization"),
	header("http.cache_control", "Cache-Control"),
	header("http.connection", "Connection"),
	header("http.content_encoding", "Content-Encoding"),
	number("http.content_length", Linked, "Content-Length as a number", func(r *Row) (uint64, bool) {
		if r.HTTP == nil || r.HTTP.Announced < 0 {
			return 0, false
		}
		return uint64(r.HTTP.Announced), true
	}),
	header("http.content_length_header", "Content-Length"),
	header("http.content_type", "Content-Type"),
	header("http.cookie", "Cookie"),
	header("http.date", "Date"),
	blob("http.file_data", Linked|Whole, "the body, decoded, as far as it was kept", func(r *Row) []byte { return Body(r.HTTP) }),
	header("http.host", "Host"),
	mark("http.incomplete", Linked|Whole, "the message was cut short", func(r *Row) bool { return r.HTTP != nil && !r.HTTP.Complete }),
	header("http.last_modified", "Last-Modified"),
	header("http.location", "Location"),
	header("http.proxy_authorization", "Proxy-Authorization"),
	header("http.referer", "Referer"),
	mark("http.request", Linked, "it is a request", func(r *Row) bool { return r.Kind == Request }),
	text("http.request.full_uri", Linked, "the absolute URI that was requested", func(r *Row) string {
		if r.Kind != Request {
			return ""
		}
		return r.Exchange.URL
	}),
	lines("http.request.line", Request),
	text("http.request.method", Linked, "method of a request", request(func(m *http.Message) string { return m.Method })),
	text("http.request.uri", Linked, "target of a request", request(func(m *http.Message) string { return m.Target })),
	text("http.request.version", Linked, "version of a request", request(func(m *http.Message) string { return m.Version })),
	mark("http.response", Linked, "it is a response", func(r *Row) bool { return r.Kind == Response }),
	number("http.response.code", Linked, "status code", func(r *Row) (uint64, bool) {
		if r.Kind != Response {
			return 0, false
		}
		return uint64(r.HTTP.Status), true
	}),
	lines("http.response.line", Response),
	text("http.response.phrase", Linked, "reason phrase", response(func(m *http.Message) string { return m.Reason })),
	text("http.response.version", Linked, "version of a response", response(func(m *http.Message) string { return m.Version })),
	text("http.response_for.uri", Linked, "the absolute URI that the response is for", func(r *Row) string {
		if r.Kind != Response {
			return ""
		}
		return r.Exchange.URL
	}),
	header("http.server", "Server"),
	header("http.set_cookie", "Set-Cookie"),
	signed("http.time", filter.Duration, Linked, "time since the request", func(r *Row) (int64, bool) {
		if r.Kind != Response || r.Exchange.Request == nil {
			return 0, false
		}
		return int64(r.Time - r.Exchange.Request.Head.First), true
	}),
	header("http.transfer_encoding", "Transfer-Encoding"),
	mark("http.unread", Linked, "the program never read this response", func(r *Row) bool { return r.Kind == Response && r.Exchange.Unread }),
	header("http.user_agent", "User-Agent"),
	header("http.www_authenticate", "WWW-Authenticate"),
	header("http.x_forwarded_for", "X-Forwarded-For"),
}

// header is a header field's values.
func header(name, header string) Field {
	return field(name, filter.String, Linked, "header field "+header, func(r *Row, to []filter.Value) []filter.Value {
		if r.HTTP != nil {
			for h := range r.HTTP.Header.All(header) {
				to = append(to, filter.S(h))
			}
		}
		return to
	})
}

// lines are all header fields of requests or responses.
func lines(name string, k Kind) Field {
	return field(name, filter.String, Linked, "its header fields, each as Name: value", func(r *Row, to []filter.Value) []filter.Value {
		if r.Kind == k {
			for _, h := range r.HTTP.Header {
				to = append(to, filter.S(h.Name+": "+h.Value))
			}
		}
		return to
	})
}

func request(get func(*http.Message) string) func(*Row) string {
	return func(r *Row) string {
		if r.Kind != Request {
			return ""
		}
		return get(r.HTTP)
	}
}

func response(get func(*http.Message) string) func(*Row) string {
	return func(r *Row) string {
		if r.Kind != Response {
			return ""
		}
		return get(r.HTTP)
	}
}

// Body is what was kept of a message's body, its content coding undone where
// that could be; nil for no message.
func Body(m *http.Message) []byte {
	switch {
	case m == nil:
		return nil
	case m.Decoded != nil:
		return m.Decoded
	}
	return m.Body
}
