package explain

import (
	"fmt"

	"culprit/internal/dissect"
	"culprit/internal/event"
	"culprit/internal/timeline"
)

var plainToTLS = Cause{
	Names: []string{"plaintext-to-tls-port"},
	Doc:   "a client spoke in the clear to a port where TLS is expected: the server answered with a TLS alert, or said so",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, conn := range c.T.Conns {
			if conn.Accepted || !conn.Stream() || conn.TLS != nil && conn.TLS.NotTLS == "" {
				continue
			}
			at, told, ok := wantsTLS(conn)
			if !ok {
				continue
			}
			f := Finding{
				Cause: "plaintext-to-tls-port", Side: Client, Proc: conn.Proc, Conn: conn,
				Title: fmt.Sprintf("%s speaks TLS, and %s spoke to it in the clear", conn.Peer(), conn.Proc.Program()),
				Why:   fmt.Sprintf("%s sent %s bytes that are no TLS; the server answered with %s.", conn.Proc.Program(), count(conn.Sent), told),
				Facts: append([]Fact{{"answer", told}}, peerFacts(conn)...),
				Links: c.linkConn(conn),
				Evidence: []Evidence{
					{"wire", at, fmt.Sprintf("%s answered with %s", conn.Peer(), told)},
				},
				Next: []string{"use TLS with it: https:// instead of http://, or the client's option for TLS"},
			}
			if len(conn.HTTP) > 0 && conn.HTTP[0].Response != nil {
				f.Links = append(f.Links, c.linkStatus(conn, conn.HTTP[0], conn.HTTP[0].Response.Status, conn.HTTP[0].Response.Reason)...)
			}
			c.addException(&f, conn)
			out = append(out, f)
		}
		return out
	},
}

// httpsWords are what servers write to one who speaks HTTP where they want TLS
// (nginx, Apache, Go, Tomcat, HAProxy have words of their own).
var httpsWords = pattern(`(?i)plain HTTP[^.]{0,40}(HTTPS|SSL|TLS)|HTTP request to an? HTTPS|(requires|combination of host and port requires) (TLS|SSL|HTTPS)`)

// wantsTLS tells what shows that the server expected TLS, and when that came.
func wantsTLS(conn *timeline.Conn) (at event.Time, told string, ok bool) {
	for _, s := range conn.Segments {
		if s.Dir != dissect.ToClient || len(s.Data) == 0 {
			continue
		}
		// A record of type alert, version 3.x, two bytes long (RFC 8446 section 5.1).
		if d := s.Data; len(d) >= 7 && d[0] == 21 && d[1] == 3 && d[2] <= 4 && d[3] == 0 && d[4] == 2 {
			return s.Time, fmt.Sprintf("a TLS alert (%d)", d[6]), true
		}
		break
	}
	for _, x := range conn.HTTP {
		if r := x.Response; r != nil && r.Status >= 400 && x.Conn.TLS == nil {
			body := r.Body
			if r.Decoded != nil {
				body = r.Decoded
			}
			if m := httpsWords().Find(append([]byte(r.Reason+" "), body...)); m != nil {
				return r.Head.First, fmt.Sprintf("%d: %q", r.Status, m), true
			}
		}
	}
	return 0, "", false
}
