package service

import (
	"bytes"
	"strings"

	"culprit/internal/dissect"
)

// postgres reads the frontend/backend protocol 3 (PostgreSQL manual, "Message
// Formats").
type postgres struct {
	started bool // the startup message was seen
	tls     bool // TLS or GSS was asked for: the server answers with one letter
	query   string
}

// Requests that come instead of a startup message.
const (
	pgTLS = 80877103
	pgGSS = 80877104
)

func (p *postgres) read(c *Conn, d dissect.Dir, b []byte) int {
	if d == dissect.ToServer && !p.started {
		return p.startup(c, b)
	}
	if d == dissect.ToClient && p.tls {
		p.tls = false
		if b[0] == 'N' {
			return 1
		}
		if b[0] != 'E' {
			return -1
		}
	}
	if len(b) < 5 {
		return 0
	}
	size := be32(b[1:])
	if size < 4 || size > 1<<30 {
		return -1
	}
	keep := min(size-4, maxLine)
	if len(b) < 5+keep {
		return 0
	}
	c.skip[d] += size - 4 - keep
	body := b[5 : 5+keep]
	if d == dissect.ToServer {
		switch b[0] {
		case 'Q': // Query
			p.query = text0(body)
		case 'P': // Parse: the statement's name, then its text
			_, sql, _ := bytes.Cut(body, []byte{0})
			p.query = text0(sql)
		}
		return 5 + keep
	}
	switch b[0] {
	case 'E':
		f := pgFields(body)
		// Class 28 is "invalid authorization specification" (manual, "Error Codes").
		c.reply(Reply{Request: clean(p.query), Code: f['C'], Text: f['M'], Refused: true, Auth: strings.HasPrefix(f['C'], "28")})
	case 'C':
		c.reply(Reply{Request: clean(p.query), Text: text0(body)})
	}
	return 5 + keep
}

func (p *postgres) startup(c *Conn, b []byte) int {
	if len(b) < 8 {
		return 0
	}
	size := be32(b)
	if size < 8 || size > maxLine {
		return -1
	}
	if len(b) < size {
		return 0
	}
	if code := be32(b[4:]); code == pgTLS || code == pgGSS {
		p.tls = true
		return size
	}
	p.started = true
	var words []string
	for pair := b[8:size]; len(pair) > 1; {
		var k, v []byte
		k, pair, _ = bytes.Cut(pair, []byte{0})
		v, pair, _ = bytes.Cut(pair, []byte{0})
		if key := string(k); key == "user" || key == "database" {
			words = append(words, key+"="+string(v))
		}
	}
	p.query = strings.Join(words, " ")
	return size
}

// pgFields reads an ErrorResponse: a letter and a text for each field.
func pgFields(b []byte) map[byte]string {
	f := map[byte]string{}
	for len(b) > 1 && b[0] != 0 {
		v, rest, _ := bytes.Cut(b[1:], []byte{0})
		f[b[0]] = string(v)
		b = rest
	}
	return f
}

func text0(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}
