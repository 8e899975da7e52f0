package explain

import (
	"fmt"
	"slices"
	"strings"

	"culprit/internal/timeline"
)

var dnsFailure = Cause{
	Names: []string{"dns-name-not-found", "dns-server-failure", "dns-timeout", "dns-no-server"},
	Doc:   "a name that the program asked for was not resolved by any query, search domain or server",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, q := range c.questions() {
			if f, ok := c.dnsFinding(q); ok {
				out = append(out, f)
			}
		}
		return out
	},
}

// question is everything that one process asked about one name.
type question struct {
	proc *timeline.Process
	name string // as asked first, without a search domain
	asks []*timeline.Lookup
}

// questions groups the lookups. Resolvers try a name with each search domain:
// of names asked one after the other that begin alike, the shortest is meant.
func (c *Case) questions() []*question {
	var out []*question
next:
	for _, l := range c.T.Lookups {
		name := strings.TrimSuffix(l.Name, ".")
		if l.Type == "SRV" {
			continue // services are looked for by it before the name itself
		}
		for _, q := range out {
			if q.proc == l.Proc && (q.name == name || strings.HasPrefix(name, q.name+".") || strings.HasPrefix(q.name, name+".")) {
				if len(name) < len(q.name) {
					q.name = name
				}
				q.asks = append(q.asks, l)
				continue next
			}
		}
		out = append(out, &question{l.Proc, name, []*timeline.Lookup{l}})
	}
	return out
}

func (c *Case) dnsFinding(q *question) (Finding, bool) {
	f := Finding{Proc: q.proc, Side: Network, Facts: []Fact{{"name", q.name}}}
	var servers []string
	var nx, fail, refused, silent *timeline.Lookup
	for _, l := range q.asks {
		if s := l.Server.String(); l.Server.IsValid() && !slices.Contains(servers, s) {
			servers = append(servers, s)
		}
		switch {
		case l.Error != nil:
			refused = l
		case !l.Answered:
			silent = l
		case l.Rcode == "NXDOMAIN":
			nx = l
		case l.Rcode == "NOERROR":
			if len(l.Addrs) > 0 {
				return f, false
			}
		default:
			fail = l
		}
	}
	list := strings.Join(servers, ", ")
	f.Facts = append(f.Facts, Fact{"servers", list})
	var at *timeline.Lookup // the question that tells
	switch {
	case nx != nil:
		at = nx
		f.Cause, f.Side = "dns-name-not-found", Client
		f.Title = fmt.Sprintf("the name %s does not exist (NXDOMAIN)", q.name)
		f.Why = fmt.Sprintf("%s asked %s for %s; the answer was NXDOMAIN: no such name.", q.proc.Program(), list, q.name)
		f.Facts = append(f.Facts, Fact{"rcode", "NXDOMAIN"})
		f.Next = []string{"check the spelling of " + q.name, "ask another server: `dig @9.9.9.9 " + q.name + "`"}
	case fail != nil:
		at = fail
		f.Cause = "dns-server-failure"
		f.Title = fmt.Sprintf("the name server could not look up %s: %s", q.name, fail.Rcode)
		f.Why = fmt.Sprintf("%s asked %s for %s and was answered %s.", q.proc.Program(), list, q.name, fail.Rcode)
		f.Facts = append(f.Facts, Fact{"rcode", fail.Rcode})
		f.Next = []string{"try another name server, or tell whoever runs " + list}
	case refused != nil:
		at = refused
		f.Cause, f.Side = "dns-no-server", Local
		f.Title = fmt.Sprintf("no name server answers at %s, which /etc/resolv.conf names", list)
		f.Why = fmt.Sprintf("%s asked %s for %s; the machine there answered that nobody listens (ECONNREFUSED).", q.proc.Program(), list, q.name)
		f.Next = []string{"put a working name server into /etc/resolv.conf"}
	case silent != nil:
		at = silent
		f.Cause = "dns-timeout"
		f.Title = fmt.Sprintf("the name server %s did not answer", list)
		f.Why = fmt.Sprintf("%s asked %s for %s %d times; nothing came back.", q.proc.Program(), list, q.name, len(q.asks))
		f.Next = []string{"check that the name server is reachable, or name another in /etc/resolv.conf"}
	default:
		return f, false // NOERROR without addresses for one type is normal
	}
	if line := c.said(q.name); line != nil && line.Time >= at.Time {
		f.Links = append(f.Links, Link{"said", line.Text, wSaid})
	}
	for _, e := range c.tied() {
		l := c.final[e]
		if e.Proc == q.proc && e.Time >= at.Time && e.Is("gaierror") && e.Time-at.Time < 10e9 {
			f.Links = append(f.Links, Link{"raised", e.String(), l.Weight * wRaised})
			f.Evidence = append(f.Evidence, exceptionEvidence(e))
			break
		}
	}
	if line := c.said("not resolve", "name resolution", "Name or service not known", "Could not resolve", "Unknown host", "ENOTFOUND", "EAI_AGAIN"); line != nil && len(f.Links) == 0 {
		f.Links = append(f.Links, Link{"error text", line.Text, wText})
	}
	if !c.connectedAfter(q.proc, at) {
		f.Links = append(f.Links, c.linkLast(q.proc, at.Time, wLast, wWire, "nothing was connected to after it")...)
	}
	for _, l := range q.asks[:min(len(q.asks), 4)] {
		f.Evidence = append(f.Evidence, lookupEvidence(l))
	}
	return f, true
}

func (c *Case) connectedAfter(p *timeline.Process, l *timeline.Lookup) bool {
	return slices.ContainsFunc(c.T.Conns, func(o *timeline.Conn) bool {
		return o.Proc == p && o.Opened > l.Time && o.Stream() && o.Remote.IsValid()
	})
}

func lookupEvidence(l *timeline.Lookup) Evidence {
	switch {
	case l.Error != nil:
		return callEvidence(l.Error)
	case !l.Answered:
		return Evidence{"wire", l.Time, fmt.Sprintf("DNS %s %s? to %s: no answer", l.Type, l.Name, l.Server)}
	}
	return Evidence{"wire", l.AnsweredAt, fmt.Sprintf("DNS %s %s? to %s: %s, %d addresses", l.Type, l.Name, l.Server, l.Rcode, len(l.Addrs))}
}
