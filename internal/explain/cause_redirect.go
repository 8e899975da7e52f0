package explain

import (
	"fmt"
	"slices"
	"strings"

	"culprit/internal/timeline"
)

// redirectsInCircle is how many redirections in a row, with an address that came
// before among them, make a loop. Programs give up after 5 to 50.
const redirectsInCircle = 4

var redirectLoop = Cause{
	Names: []string{"http-redirect-loop"},
	Doc:   "a server sent the client in a circle until the client gave up",
	Find: func(c *Case) []Finding {
		var out []Finding
		all := c.exchanges()
		for _, p := range c.T.Procs {
			var row []*timeline.Exchange
			for _, x := range all[p] {
				if x.Response.Status/100 == 3 && x.Response.Get("Location") != "" {
					row = append(row, x)
				} else {
					row = nil // it came to an end
				}
			}
			if f, ok := c.loop(row); ok {
				out = append(out, f)
			}
		}
		return out
	},
}

// exchanges lists the answered requests of each process in order of time.
func (c *Case) exchanges() map[*timeline.Process][]*timeline.Exchange {
	out := map[*timeline.Process][]*timeline.Exchange{}
	for _, conn := range c.T.Conns {
		if conn.Accepted {
			continue
		}
		for _, x := range conn.HTTP {
			if x.Request != nil && x.Response != nil {
				out[conn.Proc] = append(out[conn.Proc], x)
			}
		}
	}
	for _, row := range out {
		slices.SortStableFunc(row, func(x, y *timeline.Exchange) int { return int(x.Response.Head.Time - y.Response.Head.Time) })
	}
	return out
}

func (c *Case) loop(row []*timeline.Exchange) (Finding, bool) {
	if len(row) < redirectsInCircle {
		return Finding{}, false
	}
	last := row[len(row)-1]
	var around []string
	for i := len(row) - 1; i >= 0; i-- {
		x := row[i]
		if x.URL == last.URL && len(around) > 0 {
			break
		}
		if i == 0 && x.URL != last.URL {
			return Finding{}, false
		}
		around = append(around, x.URL)
	}
	slices.Reverse(around)
	conn := last.Conn
	f := Finding{
		Cause: "http-redirect-loop", Side: Server, Proc: conn.Proc, Conn: conn,
		Title: fmt.Sprintf("%s redirects in a circle: %s", peerName(conn), strings.Join(append(around, around[0]), " -> ")),
		Why:   fmt.Sprintf("%s followed %d redirections and gave up.", conn.Proc.Program(), len(row)),
		Facts: []Fact{{"redirects", len(row)}, {"url", row[0].URL}, {"status", last.Response.Status}, {"location", last.Response.Get("Location")}, {"host", hostOf(conn)}, {"port", conn.Remote.Port()}},
		Next:  []string{"mend the server's redirection (http/https, trailing slash, or a cookie that it waits for): `curl -sIL " + row[0].URL + "` shows the way"},
	}
	for _, x := range row[max(0, len(row)-3):] {
		f.Evidence = append(f.Evidence, Evidence{"wire", x.Response.Head.Time, fmt.Sprintf("%s -> %d, location: %s", x.URL, x.Response.Status, x.Response.Get("Location"))})
	}
	f.Links, _ = c.linkWords(conn.Proc, last.Response.Head.First, "redirect", "")
	if l, ok := c.raisedOn(conn); ok {
		f.Links = append(f.Links, l)
	}
	if c.lastConn(conn) {
		f.Links = append(f.Links, c.linkLast(conn.Proc, last.Response.Head.Time, wLast, wWire, "the last answer before the end")...)
	}
	c.addException(&f, conn)
	return f, true
}
