package service

import (
	"slices"
	"strings"

	"culprit/internal/dissect"
)

// Protocols of text lines.

// coded reads replies that begin with three digits, a blank or a hyphen, and may
// have several lines (RFC 5321 section 4.2, RFC 959 section 4.2).
type coded struct {
	auth  []string // the codes that refuse who asks
	text  []string // of a reply of several lines
	data  bool     // the client sends a mail
	login bool     // the client's next line is a credential
}

var (
	smtpAuth = []string{"454", "530", "534", "535", "538"} // RFC 4954 section 6
	ftpAuth  = []string{"530", "532"}                      // RFC 959 section 4.2.1
)

func (p *coded) read(c *Conn, d dissect.Dir, b []byte) int {
	text, n := line(b)
	if n <= 0 {
		return n
	}
	if d == dissect.ToServer {
		p.command(c, text)
		return n
	}
	if len(text) < 3 || !digits(text[:3]) {
		if len(p.text) > 0 && len(p.text) < 16 {
			p.text = append(p.text, text) // FTP leaves the code out in the middle
			return n
		}
		return -1
	}
	code, rest := text[:3], ""
	if len(text) > 4 {
		rest = text[4:]
	}
	if len(p.text) < 16 {
		p.text = append(p.text, rest)
	}
	if len(text) > 3 && text[3] == '-' {
		return n
	}
	whole := strings.Join(p.text, " ")
	p.text = nil
	if code[0] == '1' {
		return n // preliminary: the same request is answered again
	}
	request := c.next()
	p.data, p.login = code == "354", code == "334"
	c.reply(Reply{Request: request, Code: code, Text: whole, Refused: code[0] >= '4', Auth: slices.Contains(p.auth, code)})
	if code[0] == '2' && (request == "STARTTLS" || strings.HasPrefix(request, "AUTH TLS")) {
		return -1
	}
	return n
}

func (p *coded) command(c *Conn, text string) {
	switch {
	case p.data:
		if text == "." {
			p.data = false
			c.ask("(the mail)")
		}
	case p.login:
		p.login = false
		c.ask("AUTH")
	default:
		c.ask(command(text))
	}
}

// command is a request line without what is secret in it.
func command(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	words[0] = strings.ToUpper(words[0])
	switch words[0] {
	case "PASS", "APOP", "ACCT":
		return words[0]
	case "AUTH":
		return strings.Join(words[:min(2, len(words))], " ")
	}
	return strings.Join(words, " ")
}

func digits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// signed reads lines that begin with a word for no: POP3 (RFC 1939), NATS, the
// rsync daemon.
type signed struct {
	no string
}

func (p *signed) read(c *Conn, d dissect.Dir, b []byte) int {
	text, n := line(b)
	if n <= 0 {
		return n
	}
	if d == dissect.ToServer {
		if p.no == "@ERROR" && strings.HasPrefix(text, "@RSYNCD:") {
			return n // the version
		}
		c.ask(command(text))
		return n
	}
	rest, refused := strings.CutPrefix(text, p.no)
	switch {
	case refused:
		request := c.next()
		rest = strings.TrimLeft(rest, ": ")
		low := strings.ToLower(rest)
		auth := strings.HasPrefix(request, "USER") || request == "PASS" || request == "APOP" || strings.HasPrefix(request, "AUTH") ||
			strings.Contains(low, "auth") || strings.Contains(low, "password")
		c.reply(Reply{Request: request, Text: rest, Refused: true, Auth: auth})
	case strings.HasPrefix(text, "+OK"):
		request := c.next()
		c.reply(Reply{Request: request, Text: strings.TrimSpace(text[3:])})
		if request == "STLS" {
			return -1
		}
	case strings.HasPrefix(text, "@RSYNCD: OK"):
		return -1 // from here on it is binary
	}
	return n
}

// tagged reads IMAP (RFC 9051): an answer begins with the request's tag.
type tagged struct{}

func (p *tagged) read(c *Conn, d dissect.Dir, b []byte) int {
	text, n := line(b)
	if n <= 0 {
		return n
	}
	tag, rest, ok := strings.Cut(text, " ")
	if d == dissect.ToServer {
		if verb, args, _ := strings.Cut(rest, " "); ok {
			verb = strings.ToUpper(verb)
			if verb == "LOGIN" || verb == "AUTHENTICATE" {
				args, _, _ = strings.Cut(args, " ")
			}
			c.ask(strings.TrimSpace(verb + " " + args))
		}
		return n
	}
	status, words, _ := strings.Cut(rest, " ")
	switch {
	case tag == "*" && status == "BYE":
		c.reply(Reply{Code: status, Text: words, Refused: len(c.waiting) > 0 && c.waiting[0] != "LOGOUT"})
	case tag != "*" && tag != "+" && (status == "OK" || status == "NO" || status == "BAD"):
		request := c.next()
		verb, _, _ := strings.Cut(request, " ")
		refused := status != "OK"
		c.reply(Reply{Request: request, Code: status, Text: words, Refused: refused, Auth: refused && (verb == "LOGIN" || verb == "AUTHENTICATE")})
		if request == "STARTTLS" && !refused {
			return -1
		}
	case strings.HasSuffix(text, "}"):
		// A literal: so many bytes of data follow the line (RFC 9051 section 4.3).
		i := strings.LastIndexByte(text, '{')
		if size := strings.TrimSuffix(text[i+1:len(text)-1], "+"); i >= 0 && size != "" && len(size) < 10 && digits(size) {
			for _, k := range size {
				c.skip[d] = c.skip[d]*10 + int(k-'0')
			}
		}
	}
	return n
}
