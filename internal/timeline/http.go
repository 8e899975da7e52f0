package timeline

import (
	"net"
	"strconv"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/event"
)

// Exchange is one HTTP request with its final answer. Either may be nil: an
// answer that no request was seen for, a request that nothing answered.
type Exchange struct {
	Conn     *Conn
	Request  *http.Message
	Response *http.Message
	URL      string // absolute, as far as it is known
	Unread   bool   // the answer lay in the receive queue and the program never read it
}

// talk reads what was said on each byte stream.
func (b *builder) talk() {
	for _, c := range b.t.Conns {
		if !c.Stream() || len(c.Segments) == 0 {
			continue
		}
		c.Plain = sniff(c.Segments)
		c.read(b, c.Segments, maxTunnels)
	}
}

// maxTunnels is how many tunnels, one within the other, are read.
const maxTunnels = 4

// read feeds a conversation to the layers that it is made of. A proxy's tunnel
// (CONNECT) is a conversation of its own within it; what the HTTP layer can make
// nothing of comes out as one too, so that there is a limit.
func (c *Conn) read(b *builder, segments []Segment, tunnels int) {
	text := segments
	proto := sniff(segments)
	if proto == "tls" {
		c.TLS = decrypt(&b.keys, segments)
		text = c.TLS.Data
		proto = sniff(text)
		if c.TLS.NotTLS == "http" && proto == "" {
			proto = "http"
		}
	}
	if proto != "http" {
		return
	}
	if tunnel := c.http(text, b.options.Body); len(tunnel) > 0 && c.TLS == nil && tunnels > 0 {
		c.read(b, tunnel, tunnels-1)
	}
}

// sniff names the protocol of a conversation by whichever side's first bytes
// tell it.
func sniff(segments []Segment) string {
	var head [2][]byte
	for _, s := range segments {
		d := s.Dir & 1
		if n := dissect.SniffLen - len(head[d]); n > 0 {
			head[d] = append(head[d], s.Data[:min(n, len(s.Data))]...)
		}
	}
	for _, d := range [2]dissect.Dir{dissect.ToServer, dissect.ToClient} {
		if len(head[d]) == 0 {
			continue
		}
		if p, _ := dissect.Sniff(d, head[d]); p != "" {
			return p
		}
	}
	return ""
}

// http reads requests and answers, keeping so many bytes of each body, and
// returns what a tunnel carried.
func (c *Conn) http(segments []Segment, body int) (tunnel []Segment) {
	layer := http.New(http.Options{Body: body})
	byNumber := map[int]*Exchange{}
	exchange := func(n int) *Exchange {
		x := byNumber[n]
		if x == nil {
			x = &Exchange{Conn: c}
			if n >= 0 {
				byNumber[n] = x
			}
			c.HTTP = append(c.HTTP, x)
		}
		return x
	}
	take := func(outs []http.Output) {
		for i := range outs {
			o := &outs[i]
			switch m := o.Msg.(type) {
			case *http.Message:
				switch {
				case m.Informational():
				case m.Answer:
					x := exchange(m.Exchange)
					x.Response = m
					if k := int(m.Head.LastRef); k >= 0 && k < len(segments) {
						x.Unread = segments[k].Unread
					}
				default:
					x := exchange(m.Exchange)
					x.Request, x.URL = m, c.url(m)
				}
			case http.Raw:
				s := Segment{Time: o.Time, Dir: o.Dir, Data: o.Data}
				if k := int(o.LastRef); k >= 0 && k < len(segments) {
					s.Call, s.Unread = segments[k].Call, segments[k].Unread
				}
				tunnel = append(tunnel, s)
			case *http.Damage:
				c.Damage = append(c.Damage, m.What)
			}
		}
	}
	for i := range segments {
		s := &segments[i]
		take(layer.Feed(dissect.Input{Time: s.Time, Dir: s.Dir, Data: s.Data, Ref: int64(i)}))
		if s.Gap > 0 {
			take(layer.Feed(dissect.Input{Time: s.Time, Dir: s.Dir, Gap: s.Gap, Ref: int64(i)}))
		}
	}
	if n := len(segments); n > 0 {
		take(layer.Close(dissect.Input{Time: segments[n-1].Time, Ref: int64(n - 1)}))
	}
	return tunnel
}

// url makes an absolute URL of a request's target and its Host field.
func (c *Conn) url(m *http.Message) string {
	if strings.Contains(m.Target, "://") || m.Method == "CONNECT" {
		return m.Target
	}
	scheme, port := "http", "80"
	if c.TLS != nil && c.TLS.NotTLS == "" {
		scheme, port = "https", "443"
	}
	host := m.Get("Host")
	if host == "" && c.Remote.IsValid() {
		host = c.Remote.String()
	}
	if h, p, err := net.SplitHostPort(host); err == nil && p == port {
		host = h
	}
	return scheme + "://" + host + m.Target
}

// At is when the exchange began.
func (x *Exchange) At() event.Time {
	if x.Request != nil {
		return x.Request.Head.First
	}
	return x.Response.Head.First
}

// names gives each connection the name of its remote end, by the best source
// there is: what the program asked DNS, what TLS named, /etc/hosts, what HTTP
// named.
func (b *builder) names() {
	asked := map[string]string{}
	for _, l := range b.t.Lookups {
		for _, a := range l.Addrs {
			asked[a.String()] = l.Name
		}
	}
	hosts := map[string]string{}
	if f := b.t.Files["/etc/hosts"]; f != nil {
		for line := range strings.Lines(string(f.Data)) {
			line, _, _ = strings.Cut(line, "#")
			if w := strings.Fields(line); len(w) > 1 && hosts[w[0]] == "" {
				hosts[w[0]] = w[1]
			}
		}
	}
	for _, c := range b.t.Conns {
		if !c.Remote.IsValid() {
			continue
		}
		addr := c.Remote.Addr().Unmap().String()
		host := ""
		if len(c.HTTP) > 0 && c.HTTP[0].Request != nil && c.HTTP[0].Request.Method != "CONNECT" {
			host = c.HTTP[0].Request.Get("Host")
			if h, p, err := net.SplitHostPort(host); err == nil {
				if _, err := strconv.Atoi(p); err == nil {
					host = h
				}
			}
			if net.ParseIP(strings.Trim(host, "[]")) != nil {
				host = ""
			}
		}
		switch {
		case asked[addr] != "":
			c.Name, c.NameBy = strings.TrimSuffix(asked[addr], "."), "DNS"
		case c.TLS != nil && c.TLS.SNI != "":
			c.Name, c.NameBy = c.TLS.SNI, "SNI"
		case hosts[addr] != "":
			c.Name, c.NameBy = hosts[addr], "/etc/hosts"
		case host != "":
			c.Name, c.NameBy = host, "Host"
		}
	}
}
