// Package resolve answers "what does this name resolve to here, and who says
// so?": the job of nslookup and of getaddrinfo(3)'s configuration at once. It
// asks a name server as nslookup does, or goes the way that programs of this
// machine go: the order of nsswitch.conf(5), hosts(5), and the servers, search
// domains and limits of resolv.conf(5). Every question and answer is told.
//
// It validates no signatures, caches nothing, and knows no sources but "files"
// and "dns"; others of nsswitch.conf are named as not asked.
package resolve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Config is where and how to ask. Files are read below Root.
type Config struct {
	Root    string   // "/" of this machine
	Servers []string // host:port; empty: those of resolv.conf
	Search  []string // domains to try
	Ndots   int
	Timeout time.Duration // of one try
	Tries   int           // a server
	TCP     bool          // ask over TCP from the start
	Now     func() time.Time
}

// System reads the configuration of this machine below root.
func System(root string, now func() time.Time) (Config, error) {
	c := Config{Root: root, Ndots: 1, Timeout: 5 * time.Second, Tries: 2, Now: now}
	f, err := dns.ClientConfigFromFile(root + "/etc/resolv.conf")
	if errors.Is(err, os.ErrNotExist) {
		c.Servers = []string{"127.0.0.1:53"} // resolv.conf(5)
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read resolv.conf: %w", err)
	}
	for _, s := range f.Servers {
		c.Servers = append(c.Servers, net.JoinHostPort(s, f.Port))
	}
	if len(c.Servers) == 0 {
		c.Servers = []string{"127.0.0.1:53"}
	}
	c.Search, c.Ndots = f.Search, f.Ndots
	if f.Timeout > 0 {
		c.Timeout = time.Duration(f.Timeout) * time.Second
	}
	if f.Attempts > 0 {
		c.Tries = f.Attempts
	}
	return c, nil
}

// Step is one source asked for one name.
type Step struct {
	Source string // "files", "dns", or one of nsswitch.conf that is not asked
	Name   string // as asked, with the search domain
	Type   string // "A", "AAAA", ... of a DNS question
	Server string // of a DNS question, or the file
	Rcode  string // "NOERROR", "NXDOMAIN", ...; "" when nobody answered
	Took   time.Duration
	Reply  *dns.Msg     // of a DNS answer
	Addrs  []netip.Addr // found
	Names  []string     // found, of an address
	Err    error        // why there is no answer
}

// Found reports whether the step brought something.
func (s *Step) Found() bool {
	return len(s.Addrs) > 0 || s.Reply != nil && s.Reply.Rcode == dns.RcodeSuccess && len(s.Reply.Answer) > 0
}

// Names lists the names that are tried for one, in order (resolv.conf(5), search
// and ndots).
func (c *Config) Names(name string) []string {
	if strings.HasSuffix(name, ".") || len(c.Search) == 0 {
		return []string{dns.Fqdn(name)}
	}
	var out []string
	for _, d := range c.Search {
		out = append(out, dns.Fqdn(name+"."+strings.TrimSuffix(d, ".")))
	}
	if strings.Count(name, ".") >= c.Ndots {
		return append([]string{dns.Fqdn(name)}, out...)
	}
	return append(out, dns.Fqdn(name))
}

// Query asks the servers, one after the other, for a name in full. A server
// that answers, whatever it says, is the last one, but for SERVFAIL, NOTIMP and
// REFUSED, after which the next one is asked as the C library does.
func (c *Config) Query(ctx context.Context, name string, qtype uint16) []Step {
	var steps []Step
	for range max(c.Tries, 1) {
		for _, server := range c.Servers {
			s := c.ask(ctx, server, name, qtype)
			steps = append(steps, s)
			switch {
			case ctx.Err() != nil:
				return steps
			case s.Err == nil && s.Rcode != "SERVFAIL" && s.Rcode != "NOTIMP" && s.Rcode != "REFUSED":
				return steps
			}
		}
	}
	return steps
}

func (c *Config) ask(ctx context.Context, server, name string, qtype uint16) Step {
	s := Step{Source: "dns", Name: name, Type: dns.TypeToString[qtype], Server: server}
	q := new(dns.Msg)
	q.SetQuestion(name, qtype)
	q.SetEdns0(1232, false)
	cl := &dns.Client{Timeout: c.Timeout}
	if c.TCP {
		cl.Net = "tcp"
	}
	start := c.Now()
	r, _, err := cl.ExchangeContext(ctx, q, server)
	if err == nil && r.Truncated && cl.Net == "" {
		cl.Net = "tcp"
		r, _, err = cl.ExchangeContext(ctx, q, server)
	}
	s.Took = c.Now().Sub(start)
	if err != nil {
		s.Err = err
		return s
	}
	s.Reply, s.Rcode = r, dns.RcodeToString[r.Rcode]
	for _, rr := range r.Answer {
		var ip net.IP
		switch x := rr.(type) {
		case *dns.PTR:
			s.Names = append(s.Names, x.Ptr)
		case *dns.A:
			ip = x.A
		case *dns.AAAA:
			ip = x.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			s.Addrs = append(s.Addrs, a.Unmap())
		}
	}
	return s
}

// Lookup goes the way that a program of this machine goes to a name's
// addresses, up to the first source that has some.
func (c *Config) Lookup(ctx context.Context, name string) []Step {
	var steps []Step
	for _, source := range c.order() {
		switch source {
		case "files":
			s := c.hosts(name)
			steps = append(steps, s)
			if s.Found() {
				return steps
			}
		case "dns":
			for _, full := range c.Names(name) {
				found := false
				for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
					got := c.Query(ctx, full, t)
					steps = append(steps, got...)
					found = found || len(got[len(got)-1].Addrs) > 0
				}
				if found || ctx.Err() != nil {
					return steps
				}
			}
		default:
			steps = append(steps, Step{Source: source, Name: name})
		}
	}
	return steps
}

// Reverse goes the way that a program of this machine goes to an address's
// names (getnameinfo(3)), up to the first source that has some.
func (c *Config) Reverse(ctx context.Context, addr netip.Addr) []Step {
	var steps []Step
	for _, source := range c.order() {
		var found []Step
		switch source {
		case "files":
			found = []Step{c.hostsOf(addr)}
		case "dns":
			name, err := dns.ReverseAddr(addr.WithZone("").String())
			if err != nil { // an address always has one
				continue
			}
			found = c.Query(ctx, name, dns.TypePTR)
		default:
			found = []Step{{Source: source, Name: addr.String()}}
		}
		steps = append(steps, found...)
		if n := len(found); n > 0 && len(found[n-1].Names) > 0 || ctx.Err() != nil {
			return steps
		}
	}
	return steps
}

// order is the sources of nsswitch.conf for hosts, "files dns" when it has none.
func (c *Config) order() []string {
	f, err := os.Open(c.Root + "/etc/nsswitch.conf")
	if err != nil {
		return []string{"files", "dns"}
	}
	defer f.Close()
	for in := bufio.NewScanner(io.LimitReader(f, 1<<16)); in.Scan(); {
		line, _, _ := strings.Cut(in.Text(), "#")
		if list, ok := strings.CutPrefix(strings.TrimSpace(line), "hosts:"); ok {
			var out []string
			for _, w := range strings.Fields(list) {
				if !strings.HasPrefix(w, "[") && !strings.HasSuffix(w, "]") {
					out = append(out, w)
				}
			}
			return out
		}
	}
	return []string{"files", "dns"}
}

// hosts looks a name up in hosts(5).
func (c *Config) hosts(name string) Step {
	s := Step{Source: "files", Name: name}
	s.Server, s.Err = c.eachHost(func(addr string, names []string) {
		for _, n := range names {
			if strings.EqualFold(n, strings.TrimSuffix(name, ".")) {
				if a, err := netip.ParseAddr(addr); err == nil {
					s.Addrs = append(s.Addrs, a)
				}
			}
		}
	})
	return s
}

// hostsOf looks an address up there: the first line that has it.
func (c *Config) hostsOf(addr netip.Addr) Step {
	s := Step{Source: "files", Name: addr.String()}
	s.Server, s.Err = c.eachHost(func(at string, names []string) {
		if a, err := netip.ParseAddr(at); err == nil && a == addr && s.Names == nil {
			s.Names = names
		}
	})
	return s
}

// eachHost gives the lines of hosts(5).
func (c *Config) eachHost(f func(addr string, names []string)) (file string, err error) {
	file = c.Root + "/etc/hosts"
	r, err := os.Open(file)
	if err != nil {
		return file, err
	}
	defer r.Close()
	for in := bufio.NewScanner(io.LimitReader(r, 16<<20)); in.Scan(); {
		line, _, _ := strings.Cut(in.Text(), "#")
		if w := strings.Fields(line); len(w) >= 2 {
			f(w[0], w[1:])
		}
	}
	return file, nil
}
