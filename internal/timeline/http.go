package timeline

import (
	"net"
	"strconv"
	"strings"

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
