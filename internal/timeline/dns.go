package timeline

import (
	"net/netip"
	"strings"

	"culprit/internal/dissect/dns"
	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// dnsPort is where name servers listen (RFC 1035 section 4.2).
const dnsPort = 53

// dnsHeader is the length of a message without questions (RFC 1035 section 4.1.1).
const dnsHeader = 12

// datagram applies a call on a datagram socket: questions to name servers and
// their answers.
func (b *builder) datagram(c *Call, d *Desc, dec sysabi.Decoded) {
	server := netip.AddrPort{}
	if d.Conn != nil {
		server = d.Conn.Remote
	}
	if a, ok := dec.Sockaddr(); ok && a.AddrPort.IsValid() {
		server = a.AddrPort
	}
	if server.IsValid() && server.Port() != dnsPort {
		return
	}
	if e := c.Errno(); e != 0 {
		if e.Name() == "ECONNREFUSED" { // the ICMP error of an earlier datagram
			b.noServer(c, server)
		}
		return
	}
	// Each piece of captured memory that is a whole message is one: sendmmsg(2)
	// and recvmmsg(2) move several.
	for _, m := range c.Raw.Mem {
		if m.At != event.Leave || len(m.Data) < dnsHeader {
			continue
		}
		data := m.Data
		if receives(dec.Name) && dec.Name != "recvmmsg" && int64(len(data)) > c.Raw.Ret {
			data = data[:max(c.Raw.Ret, 0)]
		}
		msg, err := dns.Parse(data)
		if err != nil || len(msg.Questions) == 0 || msg.Response != receives(dec.Name) {
			continue
		}
		if msg.Response {
			b.answer(c, msg)
		} else if server.IsValid() {
			q := msg.Questions[0]
			b.t.Lookups = append(b.t.Lookups, &Lookup{Time: c.Enter, Proc: c.Proc, TID: c.TID, Server: server,
				Name: q.Name, Type: q.Type.String(), ID: msg.ID, Sent: c})
		}
	}
}

// noServer says of the open questions to a server that nobody listens there.
func (b *builder) noServer(c *Call, server netip.AddrPort) {
	for _, l := range b.t.Lookups {
		if l.Proc == c.Proc && !l.Answered && l.Error == nil && (l.Server == server || !server.IsValid()) {
			l.Error = c
		}
	}
}

func (b *builder) answer(c *Call, msg *dns.Message) {
	for i := len(b.t.Lookups) - 1; i >= 0; i-- {
		l := b.t.Lookups[i]
		q := msg.Questions[0]
		if l.Proc != c.Proc || l.Answered || l.ID != msg.ID || !strings.EqualFold(l.Name, q.Name) || l.Type != q.Type.String() {
			continue
		}
		l.answer(c.Leave(), msg)
		return
	}
}

// answer takes an answer to the question.
func (l *Lookup) answer(at event.Time, m *dns.Message) {
	l.Answered, l.AnsweredAt, l.Rcode, l.Error = true, at, m.Rcode.String(), nil
	for _, r := range m.Answers {
		if r.Addr.IsValid() {
			l.Addrs = append(l.Addrs, r.Addr)
		}
		if r.Type == dns.CNAME {
			l.Aliases = append(l.Aliases, r.Host)
		}
	}
}
