package explain

import (
	"fmt"
	"strings"

	"culprit/internal/timeline"
)

var httpTruncated = Cause{
	Names: []string{"http-truncated-body"},
	Doc:   "a server announced a body and closed the connection before it was all there",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, conn := range c.T.Conns {
			for _, x := range conn.HTTP {
				r := x.Response
				if conn.Accepted || r == nil || r.Complete || r.Missing > 0 || r.Announced <= r.Seen || conn.EOF == 0 && conn.Errno == 0 || c.answeredInFull(x) {
					continue
				}
				f := Finding{
					Cause: "http-truncated-body", Side: Server, Proc: conn.Proc, Conn: conn,
					Title: fmt.Sprintf("%s sent %s of the %s bytes that it announced for %s", peerName(conn), count(r.Seen), count(r.Announced), x.URL),
					Why: fmt.Sprintf("The answer %d %s announced %s bytes; after %s of them the server closed the connection.",
						r.Status, r.Reason, count(r.Announced), count(r.Seen)),
					Facts: []Fact{{"announced_bytes", r.Announced}, {"received_bytes", r.Seen}, {"url", x.URL}, {"host", hostOf(conn)}, {"port", conn.Remote.Port()}},
					Next:  []string{"try again: `curl -C -` or `wget -c` go on where it broke off", "look into the server's log: it gave up in the middle of the answer"},
				}
				f.Links = append(c.linkConn(conn), c.linkFed(conn)...)
				at := conn.EOF
				if at == 0 {
					at = conn.Failed.Leave()
				}
				f.Evidence = []Evidence{
					{"wire", r.Head.Time, fmt.Sprintf("HTTP %d %s, content-length: %d", r.Status, r.Reason, r.Announced)},
					{"wire", at, fmt.Sprintf("the stream ends after %d bytes of the body", r.Seen)},
				}
				c.addException(&f, conn)
				out = append(out, f)
			}
		}
		return out
	},
}

// answeredInFull reports whether the same URL was fetched whole afterwards.
func (c *Case) answeredInFull(x *timeline.Exchange) bool {
	for _, conn := range c.T.Conns {
		for _, y := range conn.HTTP {
			if y != x && y.URL == x.URL && y.Response != nil && y.Response.Complete && y.Response.Head.First > x.Response.Head.First {
				return true
			}
		}
	}
	return false
}

// linkFed ties a connection whose process fed another one that failed: half a
// file in is half a file out.
func (c *Case) linkFed(conn *timeline.Conn) []Link {
	for _, p := range c.T.Procs {
		if p != conn.Proc && failed(p) && feeds(conn.Proc, p) {
			return []Link{{"fed", p.Name() + " read what it wrote, and failed", wLast}}
		}
	}
	return nil
}

var httpContent = Cause{
	Names: []string{"http-unexpected-content"},
	Doc:   "a request was answered well, but with something else than the program could read: a login page where it wanted JSON",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, e := range c.tied() {
			l := c.final[e]
			want, ok := parses(e)
			if !ok {
				continue
			}
			x := c.answerBefore(e)
			if x == nil {
				continue
			}
			got, _, _ := strings.Cut(x.Response.Get("Content-Type"), ";")
			got = strings.TrimSpace(got)
			if strings.Contains(strings.ToLower(got), strings.ToLower(want)) && x.Response.Status < 300 {
				continue // what it asked for, but damaged
			}
			conn := x.Conn
			f := Finding{
				Cause: "http-unexpected-content", Side: Server, Proc: conn.Proc, Conn: conn, Where: where(e),
				Title: fmt.Sprintf("%s answered with %s where %s was expected", x.URL, got, want),
				Why: fmt.Sprintf("The answer %d %s to %s %s was %s, not %s; %s could not read it.", x.Response.Status, x.Response.Reason,
					x.Request.Method, x.URL, got, want, conn.Proc.Program()),
				Facts: []Fact{{"status", x.Response.Status}, {"content_type", got}, {"expected", want}, {"url", x.URL}, {"host", hostOf(conn)}},
				Links: []Link{{"raised", e.String(), l.Weight * wRaised}},
				Next:  []string{"look at the answer: `culprit follow CASE " + fmt.Sprint(conn.ID) + "`", "a login page means that the session or token is no longer good"},
			}
			for _, from := range c.redirects(x) {
				f.Why = fmt.Sprintf("%s %s was redirected (%d) to %s. ", from.Request.Method, from.URL, from.Response.Status, from.Response.Get("Location")) + f.Why
				f.Facts = append(f.Facts, Fact{"redirect", from.URL + " -> " + from.Response.Get("Location")})
				f.Evidence = append(f.Evidence, Evidence{"wire", from.Response.Head.Time, fmt.Sprintf("%s -> %d, location: %s", from.URL, from.Response.Status, from.Response.Get("Location"))})
			}
			f.Evidence = append(f.Evidence,
				Evidence{"wire", x.Response.Head.Time, fmt.Sprintf("%s -> %d %s, content-type: %s", x.URL, x.Response.Status, x.Response.Reason, got)},
				exceptionEvidence(e))
			out = append(out, f)
		}
		return out
	},
}

var wrongPage = Cause{
	Names: []string{"http-unexpected-content"},
	Doc:   "the last answer before the end was an HTML page where none was asked for, and a program without the agent said that it could not read what it got",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, conn := range c.T.Conns {
			if conn.Accepted || len(conn.HTTP) == 0 || !failed(conn.Proc) || conn.Proc.Python != nil || !c.lastConn(conn) {
				continue
			}
			x := conn.HTTP[len(conn.HTTP)-1]
			if x.Request == nil || x.Response == nil || x.Response.Status/100 != 2 || strings.Contains(x.Request.Get("Accept"), "html") || strings.HasSuffix(x.Request.Target, ".html") ||
				!strings.HasPrefix(strings.ToLower(x.Response.Get("Content-Type")), "text/html") {
				continue
			}
			f := Finding{Cause: "http-unexpected-content", Side: Server, Proc: conn.Proc, Conn: conn,
				Title: fmt.Sprintf("%s answered with an HTML page, which %s could not read", x.URL, conn.Proc.Program()),
				Why: fmt.Sprintf("The answer %d %s to %s %s was text/html; after it %s said that it could not read what it had got.", x.Response.Status, x.Response.Reason,
					x.Request.Method, x.URL, conn.Proc.Program()),
				Facts:    []Fact{{"status", x.Response.Status}, {"content_type", x.Response.Get("Content-Type")}, {"url", x.URL}, {"host", hostOf(conn)}, {"port", conn.Remote.Port()}},
				Evidence: []Evidence{{"wire", x.Response.Head.Time, fmt.Sprintf("%s -> %d %s, content-type: %s", x.URL, x.Response.Status, x.Response.Reason, x.Response.Get("Content-Type"))}},
				Next:     []string{"look at the page: `culprit follow CASE " + fmt.Sprint(conn.ID) + "`; a login or maintenance page stands where the program's data was"}}
			for _, l := range c.lines[conn.Proc] {
				if l.Time >= x.Response.Head.Time && unreadable().MatchString(l.Text) {
					f.Links = append(f.Links, Link{"error text", l.Text, wText})
					f.Evidence = append(f.Evidence, lineEvidence(l))
					out = append(out, f)
					break
				}
			}
		}
		return out
	},
}

// unreadable are the words for data in a form that a program does not take.
var unreadable = pattern(`(?i)\bjson\b|\bxml\b|pars(e|er|ing)\b|unexpected|malformed|not valid|invalid|(bad|wrong|strange) (answer|response|reply|format|data)|decod`)

// parses tells the exceptions that say "this is not the format", and which
// format was expected.
func parses(e *timeline.Exception) (format string, ok bool) {
	switch {
	case e.Is("JSONDecodeError"):
		return "JSON", true
	case e.Name() == "ParseError" && strings.Contains(e.Type, "ElementTree"), e.Is("XMLSyntaxError"), e.Is("ExpatError"):
		return "XML", true
	case e.Is("YAMLError"):
		return "YAML", true
	}
	return "", false
}

// answerBefore is the newest whole answer that the exception's process had read.
func (c *Case) answerBefore(e *timeline.Exception) *timeline.Exchange {
	var best *timeline.Exchange
	for _, conn := range c.T.Conns {
		if conn.Proc != e.Proc || conn.Accepted {
			continue
		}
		for _, x := range conn.HTTP {
			if x.Request != nil && x.Response != nil && x.Response.Head.Time <= e.Time && e.Time-x.Response.Head.Time < 30e9 &&
				(best == nil || x.Response.Head.Time > best.Response.Head.Time) {
				best = x
			}
		}
	}
	return best
}

// redirects are the exchanges that led to x, oldest first.
func (c *Case) redirects(x *timeline.Exchange) []*timeline.Exchange {
	var out []*timeline.Exchange
	for _, conn := range c.T.Conns {
		for _, y := range conn.HTTP {
			if y.Request == nil || y.Response == nil || y.Response.Status/100 != 3 || conn.Proc != x.Conn.Proc || y.Response.Head.Time > x.Response.Head.Time {
				continue
			}
			if to := y.Response.Get("Location"); to != "" && strings.HasSuffix(x.URL, pathAndQuery(to)) {
				out = append(out, y)
			}
		}
	}
	return out
}

func pathAndQuery(u string) string {
	if _, rest, ok := strings.Cut(u, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
		return "/"
	}
	return u
}
