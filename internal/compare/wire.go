package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

// said is one thing that happened on the wire: what was asked of whom, what
// came of it.
type said struct {
	thing, outcome string
	at             event.Time
	process, text  string
	bad            bool
}

// wire compares conversations, questions and answers of the whole runs: the nth
// of its kind with the nth.
func (d *Diff) wire(a, b *side) []Divergence {
	here, good := a.said(), b.said()
	byThing := map[string][]said{}
	for _, y := range good {
		byThing[y.thing] = append(byThing[y.thing], y)
	}
	known := map[string]bool{}
	count := map[string]int{}
	var out []Divergence
	for _, x := range here {
		known[x.thing] = true
		n := count[x.thing]
		count[x.thing]++
		others := byThing[x.thing]
		if slices.ContainsFunc(others, func(y said) bool { return y.outcome == x.outcome }) {
			if x.bad {
				d.shared[moment{"wire", x.at}] = true
			}
			continue
		}
		v := Divergence{Lens: "wire", Process: x.process, Here: Seen{x.at, x.text}, Trouble: x.bad}
		if len(others) > 0 {
			y := others[min(n, len(others)-1)]
			v.Good, v.Trouble = Seen{y.at, y.text}, true
		}
		out = append(out, v)
	}
	if len(out) > 0 {
		return out
	}
	for _, y := range good {
		if !known[y.thing] {
			v := Divergence{Lens: "wire", Process: y.process, Good: Seen{y.at, y.text}}
			return append(out, v)
		}
	}
	return out
}

func (s *side) said() []said {
	var out []said
	for _, l := range s.t.Lookups {
		x := said{thing: "dns " + l.Type + " " + s.name(l.Name), at: max(l.Time, l.AnsweredAt), process: name(l.Proc)}
		switch {
		case l.Error != nil:
			x.outcome, x.at = "no server", l.Error.Leave()
		case !l.Answered:
			x.outcome = "no answer"
		default:
			x.outcome = l.Rcode
		}
		x.bad = x.outcome != "NOERROR"
		var addrs []string
		for _, a := range l.Addrs {
			addrs = append(addrs, a.String())
		}
		slices.Sort(addrs)
		x.text = strings.TrimSpace(fmt.Sprintf("%s asked %s for %s of %s: %s %s", name(l.Proc), l.Server, l.Type, l.Name, x.outcome, strings.Join(addrs, ", ")))
		x.outcome += " " + strings.Join(addrs, " ")
		out = append(out, x)
	}
	for _, c := range s.t.Conns {
		if c.Accepted || !c.Remote.IsValid() && c.Path == "" || !c.Stream() {
			continue
		}
		out = append(out, s.conversation(c)...)
	}
	slices.SortStableFunc(out, func(x, y said) int { return cmp.Compare(x.at, y.at) })
	return out
}

// conversation is what happened on one connection: whether it came about, what
// TLS agreed on, what was answered.
func (s *side) conversation(c *timeline.Conn) []said {
	peer := s.peer(c)
	by := name(c.Proc)
	x := said{thing: "connection " + peer, at: c.Opened, process: by, text: by + " connected to " + c.Peer()}
	if c.Errno != 0 {
		x.outcome, x.bad = c.Errno.Name(), true
		x.text = fmt.Sprintf("%s: connection to %s: %s (%s)", by, c.Peer(), c.Errno.Name(), c.Errno.Text())
		if c.Failed != nil {
			x.at = c.Failed.Leave()
		}
	}
	out := []said{x}
	if t := c.TLS; t != nil {
		out = append(out, s.handshake(c, t, peer))
	}
	for _, e := range c.HTTP {
		out = append(out, s.exchange(e, by))
	}
	for _, r := range c.Replies {
		if r.Refused {
			out = append(out, said{thing: r.Service + " " + peer + " " + r.Request, outcome: cmp.Or(r.Code, r.Text), at: r.First, process: by, bad: true,
				text: fmt.Sprintf("%s said: %s %s", c.Peer(), r.Code, r.Text)})
		}
	}
	return out
}

func (s *side) handshake(c *timeline.Conn, t *timeline.TLS, peer string) said {
	x := said{thing: "tls " + peer, at: max(t.HelloAt, t.ServerAt, t.CertAt), process: name(c.Proc)}
	parts := []string{cmp.Or(t.Version, "no agreement")}
	if t.ALPN != "" {
		parts = append(parts, t.ALPN)
	}
	if t.NotTLS != "" {
		parts, x.bad = []string{"the peer spoke " + t.NotTLS}, true
	}
	if len(t.Chain) > 0 {
		leaf := t.Chain[0]
		parts = append(parts, fmt.Sprintf("certificate of %s by %s, valid from %s to %s", leaf.Subject, leaf.Issuer, leaf.NotBefore.Format("2006-01-02"), leaf.NotAfter.Format("2006-01-02")))
	}
	if a, ours, ok := t.Fatal(); ok {
		who := "the peer"
		if ours {
			who = "the program"
		}
		parts, x.bad, x.at = append(parts, fmt.Sprintf("%s sent alert %s", who, cmp.Or(a.Name, "(encrypted)"))), true, a.Time
	}
	x.outcome = strings.Join(parts, ", ")
	x.text = "TLS with " + c.Peer() + ": " + x.outcome
	return x
}

func (s *side) exchange(e *timeline.Exchange, by string) said {
	x := said{at: e.At(), process: by}
	what := "an answer"
	if e.Request != nil {
		x.thing = "http " + e.Request.Method + " " + s.url(e.URL)
		what = e.Request.Method + " " + e.URL
	}
	switch {
	case e.Response == nil:
		x.outcome, x.bad = "no answer", true
	default:
		x.outcome, x.bad, x.at = fmt.Sprint(e.Response.Status), e.Response.Status >= 400, e.Response.Head.First
		if kind := e.Response.Get("Content-Type"); kind != "" {
			x.outcome += " " + kind
		}
		if !e.Response.Complete {
			x.outcome += ", cut off"
			x.bad = true
		}
	}
	x.text = what + ": " + x.outcome
	return x
}
