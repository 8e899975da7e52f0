package explain

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"culprit/internal/dissect"
	"culprit/internal/event"
	"culprit/internal/timeline"
)

// Weights of what a capture shows by itself. Nothing ties it to a symptom, so
// none is certain but what ended a conversation for good.
const (
	wEnded    = 0.92 // a side refused and the conversation ended there
	wBroke    = 0.75 // a conversation broke off in the middle
	wAnswered = 0.7  // an error answer that nothing better followed
	wWentOn   = 0.3  // the client went on afterwards, and that went well: it may not have minded
	wGaveUp   = 0.7  // the same for an upload that was cut off: that one did fail
	wAmong    = 0.8  // factor, for each other kind of trouble of the same weight
)

// capture diagnoses a capture: what failed in its conversations. There is no
// program and no symptom, so that a trouble which the client got over is not
// accused, and of several the gravest, then the latest, is named.
func capture(t *timeline.Timeline) Result {
	c := &Case{T: t}
	var all []Finding
	for _, conn := range t.Conns {
		all = append(all, c.heard(conn)...)
	}
	all = append(all, c.unresolved()...)
	slices.SortStableFunc(all, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(y.weight, x.weight), cmp.Compare(depth(y.Cause), depth(x.Cause)), cmp.Compare(last(y), last(x)))
	})
	all = slices.CompactFunc(all, func(x, y Finding) bool { return x.Cause == y.Cause && x.Title == y.Title })
	if len(all) == 0 {
		return Result{Case: c, Verdict: c.quiet()}
	}
	if all[0].weight < threshold {
		return Result{Case: c, Verdict: c.undecided(), Findings: all}
	}
	best := &all[0]
	for _, f := range all[1:] {
		if f.Cause != best.Cause && f.weight >= best.weight {
			best.weight *= wAmong
		}
	}
	best.weight = max(best.weight, threshold)
	for i := range all {
		all[i].Confidence = gradeOf(all[i].weight)
	}
	return Result{Case: c, Verdict: all[0], Findings: all[1:]}
}

// heard lists the troubles of one conversation.
func (c *Case) heard(conn *timeline.Conn) (out []Finding) {
	add := func(f Finding, weight float64, at event.Time, proof string) {
		if c.recovered(conn, at) {
			if weight == wEnded && strings.HasPrefix(f.Cause, "http-") {
				weight = wGaveUp
			} else {
				weight = wWentOn
			}
		}
		f.Conn, f.weight = conn, weight
		f.Facts = append([]Fact{{"host", hostOf(conn)}, {"port", conn.Remote.Port()}}, f.Facts...)
		f.Evidence = append(f.Evidence, Evidence{"wire", at, fmt.Sprintf("[%d] %s", conn.ID, proof)})
		out = append(out, f)
	}
	if f, at, proof, ok := alerted(conn); ok {
		add(f, wEnded, at, proof)
	}
	for _, x := range conn.HTTP {
		if f, weight, at, proof, ok := c.refusal(conn, x); ok {
			add(f, weight, at, proof)
		}
	}
	for i := range conn.Replies {
		if r := &conn.Replies[i]; r.Refused && !c.repliedLater(conn, r) {
			f := serviceFinding(conn, r, "the client")
			proof := f.Evidence
			f.Evidence = nil
			add(f, wAnswered, r.Time, proof[0].Text)
		}
	}
	if len(out) > 0 {
		return out // what came on top of that is its consequence
	}
	if f, weight, at, proof, ok := broken(conn, c.T.EndAt); ok {
		add(f, weight, at, proof)
	}
	return out
}

// recovered reports whether the same client spoke with the same server
// afterwards and was answered well.
func (c *Case) recovered(conn *timeline.Conn, at event.Time) bool {
	return slices.ContainsFunc(c.T.Conns, func(o *timeline.Conn) bool {
		if o.Local.Addr() != conn.Local.Addr() || o.Remote != conn.Remote {
			return false
		}
		for _, x := range o.HTTP {
			if r := x.Response; r != nil && r.Head.First > at && r.Status < 400 && r.Complete {
				return true
			}
		}
		// Without HTTP inside: a later connection on which the server spoke and
		// that no alert ended.
		if o.Opened <= at || len(o.HTTP) > 0 || o.Received == 0 {
			return false
		}
		if o.TLS != nil {
			_, _, bad := o.TLS.Fatal()
			return !bad && o.TLS.Version != ""
		}
		return o.Packets == nil || !o.Packets.Reset
	})
}

// alerted is a TLS handshake that a side broke off.
func alerted(conn *timeline.Conn) (f Finding, at event.Time, proof string, ok bool) {
	t := conn.TLS
	if t == nil {
		return f, 0, "", false
	}
	if t.NotTLS != "" {
		f = Finding{Cause: "tls-to-plaintext-port", Side: Client, Facts: []Fact{{"answer", quote(t.NotTLSHead, 80)}},
			Title: fmt.Sprintf("%s speaks plain %s, not TLS", conn.Peer(), strings.ToUpper(t.NotTLS)),
			Why:   fmt.Sprintf("The client began a TLS handshake; the server answered in plain %s.", t.NotTLS),
			Next:  []string{"use the protocol without TLS on this port (or STARTTLS), or the port that speaks TLS"}}
		return f, conn.Opened, "the ClientHello is answered with " + quote(t.NotTLSHead, 80), true
	}
	fatal, ours, ended := t.Fatal()
	if !ended || t.Used && !(ours && certAlert(fatal.Name)) && fatal.Name != "certificate_required" {
		return f, 0, "", false
	}
	from, side := "server", Server
	if ours {
		from, side = "client", Client
	}
	f = Finding{Cause: "tls-alert", Side: side, Facts: []Fact{{"alert", fatal.Name}},
		Title: fmt.Sprintf("the %s ended the TLS handshake with %s: %s", from, conn.Peer(), fatal.Name),
		Why:   fmt.Sprintf("The client offered %s; the %s ended the handshake with the alert %s.", cmp.Or(t.Offer, "TLS"), from, fatal.Name)}
	if k := alertCauses[fatal.Name]; k != "" && !ours {
		f.Cause = k
	}
	if ours && certAlert(fatal.Name) && len(t.Chain) > 0 {
		rejected(&f, conn, fatal.Name)
	}
	return f, fatal.Time, fmt.Sprintf("TLS alert from the %s: %s", from, fatal.Name), true
}

// rejected says what a client may have had against a certificate.
func rejected(f *Finding, conn *timeline.Conn, alert string) {
	leaf, t := conn.TLS.Chain[0], conn.TLS
	f.Facts = append(f.Facts, Fact{"subject", leaf.Subject}, Fact{"issuer", leaf.Issuer}, Fact{"not_after", leaf.NotAfter.Format(time.DateOnly)})
	f.Evidence = append(f.Evidence, Evidence{"wire", t.CertAt, fmt.Sprintf("certificate %s, issued by %s, for %s, valid to %s",
		leaf.Subject, leaf.Issuer, strings.Join(leaf.Names, " "), leaf.NotAfter.Format(time.DateOnly))})
	switch {
	case alert == "certificate_expired" || expired(conn, time.Unix(0, int64(conn.Opened))) >= 0:
		f.Cause, f.Side = "tls-cert-expired", Server
		f.Next = []string{"have the certificate of " + conn.Peer() + " renewed, or set the client's clock"}
	case alert == "unknown_ca":
		f.Cause = "tls-cert-untrusted"
		f.Next = []string{"if " + t.Chain[len(t.Chain)-1].Issuer + " is your own authority, make the client trust it"}
	case t.SNI != "" && !leaf.Matches(t.SNI):
		f.Cause, f.Side = "tls-hostname-mismatch", Server
		f.Next = []string{"use the name that the certificate is for: " + strings.Join(leaf.Names, ", ")}
	}
}

// refusal is an HTTP request that was answered with an error, or not wholly.
func (c *Case) refusal(conn *timeline.Conn, x *timeline.Exchange) (f Finding, weight float64, at event.Time, proof string, ok bool) {
	r := x.Response
	if r == nil || conn.TLS != nil && conn.TLS.NotTLS != "" {
		return f, 0, 0, "", false
	}
	proof = r.Version + " " + r.Result()
	if r.Status < 400 {
		if r.Complete || r.Missing > 0 || r.Announced <= r.Seen || !ended(conn, dissect.ToClient) {
			return f, 0, 0, "", false
		}
		f = Finding{Cause: "http-truncated-body", Side: Server, Facts: []Fact{{"announced_bytes", r.Announced}, {"received_bytes", r.Seen}},
			Title: fmt.Sprintf("%s ended its answer after %s of %s bytes", conn.Peer(), count(r.Seen), count(r.Announced)),
			Next:  []string{"look at the server's log for why it ended the answer"}}
		return f, wBroke, r.Head.First, proof, true
	}
	if c.answeredLater(conn, x) {
		return f, 0, 0, "", false
	}
	cause, side, next := httpCause(r.Status)
	reason := cmp.Or(r.Reason, http.StatusText(r.Status))
	f = Finding{Cause: cause, Side: side, Next: []string{next}, Facts: []Fact{{"status", r.Status}, {"reason", reason}},
		Title: fmt.Sprintf("%s answered %d %s", conn.Peer(), r.Status, reason)}
	weight = wAnswered
	if q := x.Request; q != nil {
		f.Facts = append(f.Facts, Fact{"method", q.Method}, Fact{"path", q.Target}, Fact{"url", x.URL})
		f.Title = fmt.Sprintf("%s refused %s %s: %d %s", conn.Peer(), q.Method, q.Target, r.Status, reason)
		f.Why = fmt.Sprintf("%s %s was answered %d %s.", q.Method, x.URL, r.Status, reason)
		if r.Early && q.Announced > 0 {
			weight = wEnded
			f.Facts = append(f.Facts, Fact{"announced_bytes", q.Announced}, Fact{"sent_bytes", r.RequestSeen})
			f.Why = fmt.Sprintf("%s %s announced %s bytes. It was answered %d when %s of them were sent.",
				q.Method, x.URL, count(q.Announced), r.Status, count(r.RequestSeen))
		}
	}
	if s := r.Get("Server"); s != "" {
		f.Facts = append(f.Facts, Fact{"server", s})
		proof += ", server: " + s
	}
	return f, weight, r.Head.First, proof, true
}

// ended reports whether a direction came to its end before the capture did.
func ended(conn *timeline.Conn, d dissect.Dir) bool {
	return conn.Packets != nil && (conn.Packets.Half[d].FIN != 0 || conn.Packets.Reset)
}

// patience is how long a SYN may be without an answer (RFC 6298: the first
// retransmission comes after a second).
const patience = 1e9

// broken is a connection that did not come about, or was cut off.
func broken(conn *timeline.Conn, end event.Time) (f Finding, weight float64, at event.Time, proof string, ok bool) {
	p := conn.Packets
	if p == nil {
		return f, 0, 0, "", false
	}
	up, down := &p.Half[dissect.ToServer], &p.Half[dissect.ToClient]
	switch {
	case p.SawSYN && p.Established == 0 && p.Reset && p.ResetBy == dissect.ToClient && up.Bytes == 0:
		f = Finding{Cause: "connection-refused", Side: Server, Title: fmt.Sprintf("%s refused the connection", conn.Peer()),
			Why: "The SYN was answered with RST: nobody listens there, or a firewall rejects it.", Next: connectNext(conn)}
		return f, wEnded, p.ResetAt, "RST from the server in answer to SYN", true
	case p.SawSYN && p.Established == 0 && down.Packets == 0 && up.Packets > 0 && end-p.Opened > patience:
		f = Finding{Cause: "connect-timeout", Side: Network, Title: fmt.Sprintf("%s did not answer", conn.Peer()),
			Why: fmt.Sprintf("%d packets that open a connection had no answer in %.1f s.", up.Packets, float64(end-p.Opened)/1e9), Next: connectNext(conn)}
		return f, wBroke, p.Opened, "SYN without an answer", true
	case p.Reset && midway(conn):
		side, who := Client, "client"
		if p.ResetBy == dissect.ToClient {
			side, who = Server, "server"
		}
		when := "in the middle of an answer"
		if unanswered(conn) {
			when = "before a request was answered"
		}
		f = Finding{Cause: "connection-reset", Side: side, Title: fmt.Sprintf("the %s reset the connection with %s %s", who, conn.Peer(), when),
			Why: fmt.Sprintf("%s bytes had been sent and %s received when the RST came.", count(conn.Sent), count(conn.Received))}
		return f, wBroke, p.ResetAt, "RST from the " + who, true
	case !p.Reset && down.FIN != 0 && unanswered(conn) && conn.Holes == 0 && silent(conn):
		f = Finding{Cause: "connection-closed-early", Side: Server, Title: fmt.Sprintf("%s closed the connection without an answer", conn.Peer()),
			Why: fmt.Sprintf("A request of %s bytes was sent; the server ended the connection after %s bytes.", count(conn.Sent), count(conn.Received))}
		return f, wBroke, down.FIN, "FIN from the server, a request is not answered", true
	}
	return f, 0, 0, "", false
}

// midway reports whether something was under way on a connection: a request
// without its answer, an answer without its end. What is inside TLS that could
// not be read, and what is no HTTP, is not known.
func midway(conn *timeline.Conn) bool {
	if unanswered(conn) {
		return true
	}
	return slices.ContainsFunc(conn.HTTP, func(x *timeline.Exchange) bool { return x.Response != nil && !x.Response.Complete })
}

func unanswered(conn *timeline.Conn) bool {
	return slices.ContainsFunc(conn.HTTP, func(x *timeline.Exchange) bool { return x.Request != nil && x.Response == nil })
}

// silent reports whether the server said nothing at all.
func silent(conn *timeline.Conn) bool {
	if conn.TLS != nil {
		return conn.TLS.Bytes[dissect.ToClient] == 0
	}
	return conn.Received == 0
}

// unresolved lists the names for which no question was answered well.
func (c *Case) unresolved() (out []Finding) {
	found, answers := map[string]bool{}, map[netip.AddrPort]bool{}
	worst := map[string]*timeline.Lookup{}
	var names []string
	for _, l := range c.T.Lookups {
		key := strings.ToLower(l.Name)
		answers[l.Server] = answers[l.Server] || l.Answered
		if l.Answered && l.Rcode == "NOERROR" {
			found[key] = true
		} else if worst[key] == nil {
			worst[key] = l
			names = append(names, key)
		} else if l.Answered {
			worst[key] = l
		}
	}
	for _, name := range names {
		l := worst[name]
		if found[name] || !l.Answered && c.T.EndAt-l.Time < 5*patience || l.Type == "PTR" {
			continue
		}
		f := Finding{Cause: "dns-server-failure", Side: Server, Facts: []Fact{{"name", l.Name}, {"rcode", l.Rcode}, {"servers", l.Server.String()}},
			Title:    fmt.Sprintf("the name server could not look up %s: %s", l.Name, l.Rcode),
			Why:      fmt.Sprintf("%s was asked for %s and answered %s.", l.Server, l.Name, l.Rcode),
			Evidence: []Evidence{lookupEvidence(l)}, weight: wAnswered}
		switch {
		case !l.Answered:
			if answers[l.Server] {
				f.weight = wWentOn
			}
			f.Cause = "dns-timeout"
			f.Title = fmt.Sprintf("the name server %s did not answer", l.Server)
			f.Why = fmt.Sprintf("It was asked for %s; nothing came back.", l.Name)
		case l.Rcode == "NXDOMAIN":
			f.Cause, f.Side = "dns-name-not-found", Client
			f.Title = fmt.Sprintf("the name %s does not exist (NXDOMAIN)", l.Name)
		}
		out = append(out, f)
	}
	return out
}

// quiet is the verdict where nothing failed: ok as far as one could look.
func (c *Case) quiet() Finding {
	f := Finding{Cause: "ok", Confidence: Certain, Side: Local, Title: "nothing failed in the conversations"}
	blind, open := 0, 0
	for _, conn := range c.T.Conns {
		if conn.TLS != nil && conn.TLS.NoKeys != "" {
			blind++
		}
		if midway(conn) {
			open++
		}
	}
	f.Why = c.summary()
	switch {
	case len(c.T.Conns)+len(c.T.Lookups) == 0:
		f.Cause, f.Confidence, f.Title = "unknown", Possible, "the capture has no TCP connection and no DNS question"
	case blind > 0:
		f.Cause, f.Confidence, f.Title = "unknown", Possible, "nothing failed that can be seen without the keys"
		f.Next = []string{"give the TLS keys: `--keylog FILE` (the program writes it when SSLKEYLOGFILE names it)"}
	case open > 0:
		f.Cause, f.Confidence = "unknown", Possible
		f.Title = fmt.Sprintf("nothing failed, but %d conversations were not at their end", open)
	case c.T.Capture.Torn != "":
		f.Confidence = Likely
	}
	return f
}

// undecided is the verdict where there was trouble that the client got over.
func (c *Case) undecided() Finding {
	return Finding{Cause: "unknown", Confidence: Possible, Side: Local, Title: "what went wrong was made good afterwards",
		Why: c.summary(), Next: []string{"the candidates below were seen, but the client went on; `culprit run` ties them to what a program did"}}
}

func (c *Case) summary() string {
	requests := 0
	for _, conn := range c.T.Conns {
		requests += len(conn.HTTP)
	}
	return fmt.Sprintf("%s packets, %d connections, %d HTTP requests, %d DNS questions.",
		count(int64(c.T.Capture.Packets)), len(c.T.Conns), requests, len(c.T.Lookups))
}
