// Package service reads conversations with services that are neither HTTP nor
// DNS: what was asked and what the server answered, so far as it matters for
// one question: did the server say no, and in which words?
//
// SMTP, FTP, POP3, IMAP, rsync, NATS, Redis, PostgreSQL, MySQL and the clear
// beginning of SSH are known; [Protocols] lists them by the names that
// dissect.Sniff gives. Data (mails, rows, files) is passed over, and
// credentials in requests are left out. A layer as package dissect describes:
// no I/O, bounded memory, damage ends the reading and never panics.
package service

import (
	"bytes"
	"strings"

	"culprit/internal/dissect"
)

// Reply is one answer of a server.
type Reply struct {
	dissect.Span
	Request string // the command that it answers, without credentials; "" for a greeting
	Code    string // "550", an SQLSTATE, "NOAUTH"; "" where the protocol has none
	Text    string // the server's words, at most maxText bytes
	Refused bool
	Auth    bool // refused for who asks, not for what is asked
}

const (
	maxText  = 512     // kept of a text
	maxLine  = 8 << 10 // a longer line is no line of these protocols; of a longer message the head is read
	maxQueue = 64      // requests that wait for their answers
)

// protocol is one protocol's reader. It takes from the front of b what is whole,
// and says how many bytes that was; 0 asks for more, which it does of less than
// 2*maxLine bytes. Less than 0: it is not this protocol, or not in the clear from
// here on.
type protocol interface {
	read(c *Conn, d dissect.Dir, b []byte) int
}

// Protocols has a reader's maker for each protocol.
var Protocols = map[string]func() protocol{
	"smtp":     func() protocol { return &coded{auth: smtpAuth} },
	"ftp":      func() protocol { return &coded{auth: ftpAuth} },
	"pop3":     func() protocol { return &signed{no: "-ERR"} },
	"nats":     func() protocol { return &signed{no: "-ERR"} },
	"imap":     func() protocol { return &tagged{} },
	"rsync":    func() protocol { return &signed{no: "@ERROR"} },
	"redis":    func() protocol { return &redis{} },
	"postgres": func() protocol { return &postgres{} },
	"mysql":    func() protocol { return &mysql{} },
	"ssh":      func() protocol { return &ssh{} },
}

// Conn reads one connection.
type Conn struct {
	Damaged bool // it could not be read to its end

	p       protocol
	buf     [2][]byte
	skip    [2]int // bytes of data still to pass over
	span    [2]dissect.Span
	waiting []string // requests without an answer, oldest first
	out     []Reply
}

// New makes a reader for a protocol by its name, nil when it is not known.
func New(name string) *Conn {
	mk := Protocols[name]
	if mk == nil {
		return nil
	}
	return &Conn{p: mk()}
}

// Feed takes the next bytes of a direction and returns the answers that they
// complete.
func (c *Conn) Feed(in dissect.Input) []Reply {
	if c.p == nil {
		return nil
	}
	if in.Gap != 0 {
		c.give(true)
		return nil
	}
	c.out = nil
	d := in.Dir & 1
	b := in.Data
	if old := c.buf[d]; len(old) > 0 {
		b = append(old, b...)
	} else {
		c.span[d] = dissect.At(&in)
	}
	for len(b) > 0 && c.p != nil {
		if k := min(c.skip[d], len(b)); k > 0 {
			c.skip[d] -= k
			b = b[k:]
			c.span[d] = dissect.At(&in)
			continue
		}
		c.span[d] = c.span[d].To(&in)
		n := c.p.read(c, d, b)
		if n < 0 {
			c.give(false)
			return c.out
		}
		if n == 0 {
			break
		}
		b = b[n:]
		c.span[d] = dissect.At(&in)
	}
	if c.p != nil {
		c.buf[d] = append([]byte(nil), b...)
	}
	return c.out
}

// give ends the reading.
func (c *Conn) give(damaged bool) {
	c.p, c.buf, c.waiting = nil, [2][]byte{}, nil
	c.Damaged = c.Damaged || damaged
}

// ask notes a request.
func (c *Conn) ask(text string) {
	if len(c.waiting) < maxQueue {
		c.waiting = append(c.waiting, clean(text))
	}
}

// next takes the request that the next answer belongs to.
func (c *Conn) next() string {
	if len(c.waiting) == 0 {
		return ""
	}
	r := c.waiting[0]
	c.waiting = c.waiting[1:]
	return r
}

// reply emits an answer to what was last taken by next.
func (c *Conn) reply(r Reply) {
	r.Span = c.span[dissect.ToClient]
	r.Text = clean(r.Text)
	c.out = append(c.out, r)
}

// clean makes a bounded printable text of a server's bytes.
func clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}

// line cuts a line off, without its end. n is the bytes taken, 0 when it is not
// whole yet, -1 when it is too long.
func line(b []byte) (text string, n int) {
	i := bytes.IndexByte(b, '\n')
	switch {
	case i > maxLine || i < 0 && len(b) > maxLine:
		return "", -1
	case i < 0:
		return "", 0
	}
	return strings.TrimSuffix(string(b[:i]), "\r"), i + 1
}

// be32 is a big-endian number at the front of b, which holds it.
func be32(b []byte) int {
	return int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
}
