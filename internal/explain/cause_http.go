package explain

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/timeline"
)

// httpCauses maps an answer's status to a cause (RFC 9110 section 15, RFC 6585).
var httpCauses = map[int]struct {
	cause string
	side  Side
	next  string
}{
	400: {"http-bad-request", Client, "compare the request with what the server's documentation asks for: `culprit follow CASE` shows it"},
	401: {"http-unauthorized", Client, "log in again or renew the token: the server did not accept the credentials that were sent"},
	403: {"http-forbidden", Server, "ask whoever runs the server for the right to do this: it knows who asks and says no"},
	404: {"http-not-found", Client, "check the path, and that it still exists on the server"},
	405: {"http-method-not-allowed", Client, "check that this is the right address for the operation: this one does not take the method"},
	407: {"http-proxy-auth", Client, "give the proxy's user and password (http_proxy=http://USER:PASSWORD@HOST)"},
	410: {"http-not-found", Client, "the server says that it is gone for good: look for its new address"},
	413: {"http-body-too-large", Server, "send less than the server's limit, or have the limit raised (nginx: client_max_body_size)"},
	415: {"http-bad-request", Client, "send the body in a media type that the server takes"},
	422: {"http-bad-request", Client, "the answer's body says which field the server refuses: `culprit follow CASE`"},
	429: {"http-rate-limited", Server, "wait as long as Retry-After says, and ask less often"},
	500: {"http-server-error", Server, "look into the server's log at that time: it failed by itself"},
	501: {"http-server-error", Server, "the server does not support the method"},
	502: {"http-gateway-error", Server, "look at the program behind the gateway: it could not be reached or answered nonsense"},
	503: {"http-server-error", Server, "wait and try again, or look into the server's log: it says that it is unavailable"},
	504: {"http-gateway-error", Server, "look at the program behind the gateway: it did not answer in time"},
}

func httpCause(status int) (cause string, side Side, next string) {
	k, ok := httpCauses[status]
	switch {
	case ok:
		return k.cause, k.side, k.next
	case status >= 500:
		k = httpCauses[500]
	default:
		k = httpCauses[400]
	}
	return k.cause, k.side, k.next
}

var httpStatus = Cause{
	Names: []string{"http-body-too-large", "http-unauthorized", "http-forbidden", "http-not-found", "http-method-not-allowed",
		"http-bad-request", "http-proxy-auth", "http-rate-limited", "http-server-error", "http-gateway-error"},
	Doc: "a server answered with an error status, and no later request for the same thing fared better",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, conn := range c.T.Conns {
			if conn.Accepted || conn.TLS != nil && conn.TLS.NotTLS != "" {
				continue // an answer to a ClientHello is no answer to a request
			}
			for _, x := range conn.HTTP {
				if x.Response == nil || x.Response.Status < 400 || c.answeredLater(conn, x) {
					continue
				}
				out = append(out, c.httpFinding(conn, x))
			}
		}
		return out
	},
}

func (c *Case) httpFinding(conn *timeline.Conn, x *timeline.Exchange) Finding {
	status, reason := x.Response.Status, x.Response.Reason
	if reason == "" {
		reason = http.StatusText(status)
	}
	cause, side, next := httpCause(status)
	f := Finding{
		Cause: cause, Side: side, Proc: conn.Proc, Conn: conn,
		Title: fmt.Sprintf("the server answered %d %s", status, reason),
		Facts: []Fact{{"status", status}, {"reason", reason}, {"host", hostOf(conn)}, {"port", conn.Remote.Port()}},
		Next:  []string{next},
	}
	if x.Request != nil {
		if x.Request.Announced > 0 {
			f.Facts = append(f.Facts, Fact{"announced_bytes", x.Request.Announced}, Fact{"sent_bytes", x.Request.Seen})
		}
		f.Facts = append(f.Facts, Fact{"method", x.Request.Method}, Fact{"path", x.Request.Target}, Fact{"url", x.URL})
		f.Title = fmt.Sprintf("%s refused %s %s: %d %s", peerName(conn), x.Request.Method, x.Request.Target, status, reason)
		if cause == "http-body-too-large" {
			f.Title = fmt.Sprintf("the server refused the upload: %d %s", status, reason)
		}
	}
	f.Why = c.httpWhy(conn, x, status, reason)
	if s := x.Response.Get("Server"); s != "" {
		f.Facts = append(f.Facts, Fact{"server", s})
	}
	unread := x.Unread
	if unread {
		f.Links = append(f.Links, c.linkConn(conn)...)
		if len(f.Links) > 0 {
			f.Links = append(f.Links, Link{"unread", "the answer lay unread when the connection broke", wUnread})
		}
	} else {
		f.Links = append(f.Links, c.linkStatus(conn, x, status, reason)...)
	}
	note := ""
	if unread {
		note = "   (unread by the client)"
	}
	server := ""
	if s := x.Response.Get("Server"); s != "" {
		server = ", server: " + s
	}
	f.Evidence = append(f.Evidence, Evidence{"wire", x.Response.Head.First,
		fmt.Sprintf("HTTP/%s %d %s%s%s", strings.TrimPrefix(x.Response.Version, "HTTP/"), status, reason, server, note)})
	if conn.Failed != nil && conn.Failed != conn.Connect {
		f.Evidence = append(f.Evidence, callEvidence(conn.Failed))
	}
	c.addException(&f, conn)
	return f
}

// linkStatus ties an answer that the program did read.
func (c *Case) linkStatus(conn *timeline.Conn, x *timeline.Exchange, status int, reason string) []Link {
	var links []Link
	code := strconv.Itoa(status)
	for _, e := range c.tied() {
		l := c.final[e]
		if e.Proc == conn.Proc && e.Time >= x.Response.Head.First && (e.Attrs["code"] == code || e.Attrs["status_code"] == code || e.Attrs["status"] == code) {
			links = append(links, Link{"raised", e.String(), l.Weight * wRaised})
			break
		}
	}
	switch l := c.saidWord(code); {
	case l != nil && l.Time >= x.Response.Head.First:
		links = append(links, Link{"said", l.Text, wSaid})
	default:
		if l := c.said(reason, x.URL); l != nil && l.Time >= x.Response.Head.First {
			links = append(links, Link{"said", l.Text, wText})
		}
	}
	if len(links) == 0 {
		if l, ok := c.raisedOn(conn); ok {
			links = append(links, l)
		}
	}
	if c.lastConn(conn) && x == conn.HTTP[len(conn.HTTP)-1] {
		links = append(links, c.linkLast(conn.Proc, x.Response.Head.Time, wLast, wWire, "the last answer before the end")...)
	}
	return links
}

// answeredLater reports whether the same request was answered well afterwards.
func (c *Case) answeredLater(conn *timeline.Conn, x *timeline.Exchange) bool {
	if x.Request == nil {
		return false
	}
	return slices.ContainsFunc(c.T.Conns, func(o *timeline.Conn) bool {
		return slices.ContainsFunc(o.HTTP, func(y *timeline.Exchange) bool {
			return y.Request != nil && y.Response != nil && y.Response.Status < 400 && y.Response.Head.First > x.Response.Head.First &&
				y.Request.Method == x.Request.Method && y.URL == x.URL
		})
	})
}

func (c *Case) httpWhy(conn *timeline.Conn, x *timeline.Exchange, status int, reason string) string {
	if x.Request == nil {
		return fmt.Sprintf("%s answered %d %s before a request was seen.", peerName(conn), status, reason)
	}
	who := conn.Proc.Program()
	server := serverName(conn, x)
	var s strings.Builder
	switch r := x.Request; {
	case r.Announced > 0 && !r.Complete:
		fmt.Fprintf(&s, "%s %s announced %s bytes. %s answered %d", r.Method, x.URL, count(r.Announced), server, status)
		if conn.Failed == nil || conn.Failed == conn.Connect {
			fmt.Fprintf(&s, " when %s of them were sent.", count(r.Seen))
			break
		}
		fmt.Fprintf(&s, " and closed when %s of them were sent. %s was still writing and got %s", count(r.Seen), who, conn.Errno.Name())
		if x.Unread {
			s.WriteString("; it never read the answer")
		}
		s.WriteString(".")
		if e, ok := c.exceptionFrom(conn.Failed); ok && e.Is("SSLError") && e.Attrs["errno"] != fmt.Sprint(uint32(conn.Errno)) {
			fmt.Fprintf(&s, " Python tells that error as %q.", e.Text)
		}
	default:
		fmt.Fprintf(&s, "%s %s was answered %d %s by %s.", r.Method, x.URL, status, reason, server)
	}
	return s.String()
}

func serverName(conn *timeline.Conn, x *timeline.Exchange) string {
	if s := x.Response.Get("Server"); s != "" {
		return s
	}
	return peerName(conn)
}

func peerName(conn *timeline.Conn) string {
	if conn.Name != "" {
		return conn.Name
	}
	return conn.Remote.String()
}
