package explain

import (
	"fmt"
	"slices"
	"strings"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

// serviceNames are the services as people call them.
var serviceNames = map[string]string{
	"smtp": "the mail server", "ftp": "the FTP server", "pop3": "the mail server", "imap": "the mail server", "rsync": "the rsync server",
	"nats": "NATS", "redis": "Redis", "postgres": "PostgreSQL", "mysql": "MySQL", "ssh": "the SSH server",
	"websocket": "the WebSocket server", "grpc": "the gRPC server", "http2": "the HTTP/2 server", "http3": "the HTTP/3 server", "quic": "the QUIC server",
}

var serviceRefusal = Cause{
	Names: []string{"service-error", "service-auth-failed"},
	Doc:   "a service (database, mail, ...) answered no, in its own words, and no later request for the same fared better",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, conn := range c.T.Conns {
			if conn.Accepted || conn.TLS != nil && conn.TLS.NotTLS != "" {
				continue // an answer to a ClientHello is no answer to a request
			}
			for i := range conn.Replies {
				r := &conn.Replies[i]
				if r.Refused && !c.repliedLater(conn, r) {
					out = append(out, c.serviceFinding(conn, r, i == len(conn.Replies)-1))
				}
			}
		}
		return out
	},
}

// repliedLater reports whether the same request was answered well afterwards,
// on this connection or on another one to the same place.
func (c *Case) repliedLater(conn *timeline.Conn, r *timeline.Reply) bool {
	return slices.ContainsFunc(c.T.Conns, func(o *timeline.Conn) bool {
		return (o == conn || o.Remote == conn.Remote && o.Path == conn.Path) && slices.ContainsFunc(o.Replies, func(y timeline.Reply) bool {
			return !y.Refused && y.Time > r.Time && y.Request == r.Request && (o == conn || y.Request != "")
		})
	})
}

// serviceFinding says what a server refused to a client.
func serviceFinding(conn *timeline.Conn, r *timeline.Reply, client string) Finding {
	who := serviceNames[r.Service]
	words := strings.TrimSpace(r.Code + " " + r.Text)
	f := Finding{
		Cause: "service-error", Side: Server, Proc: conn.Proc, Conn: conn,
		Title: fmt.Sprintf("%s at %s said no: %s", who, conn.Peer(), quote(words, 160)),
		Facts: []Fact{{"service", r.Service}, {"code", r.Code}, {"message", r.Text}, {"request", r.Request}},
		Next:  []string{"look at what was asked and answered before: `culprit follow CASE " + fmt.Sprint(conn.ID) + "`, and into the server's log at that time"},
	}
	if r.Auth {
		f.Cause, f.Side = "service-auth-failed", Client
		f.Title = fmt.Sprintf("%s at %s did not accept who asked: %s", who, conn.Peer(), quote(words, 160))
		f.Next = []string{"check the user, the password or key, and whether the server lets this user in from here"}
	}
	f.Why = fmt.Sprintf("%s answered %s", who, quote(words, 200))
	if r.Request != "" {
		f.Why += fmt.Sprintf(" to %s's request %q", client, quote(r.Request, 120))
	}
	f.Why = upper(f.Why) + "."
	f.Evidence = []Evidence{{"wire", r.Time, fmt.Sprintf("%s: %s", r.Service, quote(words, 200))}}
	return f
}

func (c *Case) serviceFinding(conn *timeline.Conn, r *timeline.Reply, newest bool) Finding {
	f := serviceFinding(conn, r, conn.Proc.Program())
	f.Facts = append(f.Facts, peerFacts(conn)...)
	if r.Unread {
		f.Links = append(f.Links, c.linkConn(conn)...)
		if len(f.Links) > 0 {
			f.Links = append(f.Links, Link{"unread", "the answer lay unread when the connection broke", wUnread})
		}
	}
	links, e := c.linkWords(conn.Proc, r.Time, r.Text, r.Code)
	f.Links = append(f.Links, links...)
	if len(f.Links) == 0 {
		if l, ok := c.raisedOn(conn); ok {
			f.Links = append(f.Links, l)
		}
	}
	if newest && c.lastConn(conn) {
		f.Links = append(f.Links, c.linkLast(conn.Proc, r.Time, wLast, wWire, "the last answer before the end")...)
	}
	if c.addException(&f, conn); f.Where == "" && e != nil {
		f.Where = where(e)
		f.Evidence = append(f.Evidence, exceptionEvidence(e))
	}
	return f
}

// linkWords ties what somebody else said to the end: an exception, which is
// returned too, or the last words repeat it.
func (c *Case) linkWords(p *timeline.Process, at event.Time, text, code string) (links []Link, from *timeline.Exception) {
	text = strings.TrimSpace(text)
	for _, e := range c.tied() {
		if e.Proc != p || e.Time < at {
			continue
		}
		if len(text) >= 6 && strings.Contains(e.Text, text) || len(code) >= 3 && hasWord(e.Text, code) {
			links, from = append(links, Link{"raised", e.String(), c.final[e].Weight * wRaised}), e
			break
		}
	}
	if l := c.said(text); len(text) >= 6 && l != nil && l.Time >= at {
		links = append(links, Link{"said", l.Text, wSaid})
	} else if l := c.saidWord(code); len(code) >= 3 && l != nil && l.Time >= at {
		links = append(links, Link{"said", l.Text, wSaid})
	}
	return links, from
}

func peerFacts(conn *timeline.Conn) []Fact {
	if conn.Path != "" {
		return []Fact{{"path", conn.Path}}
	}
	return []Fact{{"host", hostOf(conn)}, {"port", conn.Remote.Port()}}
}

// sshWords are what ssh(1) says of a server's refusal, in OpenSSH's own words,
// which it does not translate.
var sshWords = []struct {
	words, cause, next string
}{
	{"Permission denied (", "service-auth-failed", "the server takes none of the keys that were offered: add the public key to its authorized_keys, or name the right one (`ssh -i`)"},
	{"Too many authentication failures", "service-auth-failed", "offer one key only: `ssh -o IdentitiesOnly=yes -i KEY`"},
	{"Host key verification failed", "service-auth-failed", "the server's key is not the known one: check with whoever runs it, then `ssh-keygen -R HOST`"},
	{"subsystem request failed", "service-error", "the server has no such subsystem: enable sftp in its sshd_config (Subsystem sftp ...), or use `scp -O`"},
	{"Unable to negotiate", "service-error", "client and server have no algorithm in common: one of them is too old"},
	{"administratively prohibited", "service-error", "the server's configuration forbids it (AllowTcpForwarding, PermitOpen)"},
	{"remote error", "service-error", "read what the server says: it refuses this repository or command"},
	{"ERROR: ", "service-error", "read what the server says: it refuses this repository or command"},
}

var sshRefusal = Cause{
	Names: []string{"service-error", "service-auth-failed"},
	Doc:   "an SSH client that talked to its server told that it was refused: the conversation itself is encrypted",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, conn := range c.T.Conns {
			if conn.Accepted || conn.Plain != "ssh" || conn.Received == 0 {
				continue
			}
			l, w := c.sshSaid(conn)
			if l == nil {
				continue
			}
			f := Finding{
				Cause: sshWords[w].cause, Side: Server, Proc: conn.Proc, Conn: conn,
				Title: fmt.Sprintf("the SSH server at %s refused: %s", conn.Peer(), quote(l.Text, 160)),
				Why: fmt.Sprintf("%s reached the server and spoke with it (%s bytes sent, %s received), and then said: %s.",
					conn.Proc.Name(), count(conn.Sent), count(conn.Received), quote(l.Text, 200)),
				Facts:    append([]Fact{{"service", "ssh"}, {"message", l.Text}}, peerFacts(conn)...),
				Evidence: []Evidence{lineEvidence(l)},
				Links:    []Link{{"said", l.Text, wSaid}},
				Next:     []string{sshWords[w].next},
			}
			if f.Cause == "service-auth-failed" {
				f.Side = Client
			}
			if !l.Visible {
				f.Why += " The run did not show it."
			}
			out = append(out, f)
		}
		return out
	},
}

// sshSaid finds the first of an SSH client's lines after the connection was made
// that tells a refusal: what follows it are consequences.
func (c *Case) sshSaid(conn *timeline.Conn) (*timeline.Line, int) {
	for _, l := range c.lines[conn.Proc] {
		if l.Time < conn.Opened || l.FD != 2 {
			continue
		}
		for i, w := range sshWords {
			if strings.Contains(l.Text, w.words) {
				return l, i
			}
		}
	}
	return nil, 0
}
