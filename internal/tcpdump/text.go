package tcpdump

import "strings"

var (
	httpMethods = strings.Fields(`GET PUT COPY HEAD LOCK MOVE POLL POST BCOPY BMOVE MKCOL TRACE LABEL MERGE DELETE SEARCH UNLOCK REPORT UPDATE NOTIFY
		BDELETE CONNECT OPTIONS CHECKIN PROPFIND CHECKOUT CCM_POST SUBSCRIBE PROPPATCH BPROPFIND BPROPPATCH UNCHECKOUT MKACTIVITY MKWORKSPACE
		UNSUBSCRIBE RPC_CONNECT VERSION-CONTROL BASELINE-CONTROL`)
	rtspMethods = strings.Fields("OPTIONS DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER REDIRECT RECORD")
)

const maxToken = 128

// text prints a protocol of lines: the first, with -v all. Where commands are
// given it must begin with one of them, or have a status of three digits in its
// first or second word.
func (p *Printer) text(proto string, b octets, n int, commands []string, second bool) {
	p.proto = proto
	show := commands == nil
	if !show {
		word, at := token(b, 0, n)
		for _, c := range commands {
			show = show || strings.EqualFold(word, c)
		}
		if second && at > 0 {
			word, at = token(b, at, n)
		}
		if at > 0 && len(word) == 3 && strings.Trim(word, "0123456789") == "" {
			show = true
		}
	}
	p.s(strings.ToUpper(proto))
	switch {
	case !show:
	case p.Verbose > 0:
		p.f(", length: %d", n)
		for at := 0; at < n; {
			if at = p.line("\n\t", b, at, n); at == 0 {
				return
			}
		}
	default:
		p.line(": ", b, 0, n)
	}
}

// token is the next word and where what follows it begins; 0 when there is none.
func token(b octets, at, n int) (string, int) {
	for ; ; at++ {
		if at >= len(b) || at >= n {
			return "", 0
		}
		if c := b[at]; c > 0x7f || c < 0x20 && c != '\t' && c != '\r' && c != '\n' || c == 0x7f {
			return "", 0
		} else if c > ' ' {
			break
		}
	}
	from := at
	for ; at < len(b) && at < n; at++ {
		c := b[at]
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			break
		}
		if c < ' ' || c > '~' || at-from+2 > maxToken {
			return "", 0
		}
	}
	if at >= len(b) && at < n {
		return "", 0
	}
	word := string(b[from:at])
	for at < n && at < len(b) && (b[at] == ' ' || b[at] == '\t' || b[at] == '\r' || b[at] == '\n') {
		c := b[at]
		at++
		if c == '\n' || c == '\r' {
			if c == '\r' && at < n && at < len(b) && b[at] == '\n' {
				at++
			}
			break
		}
	}
	return word, at
}

// line prints a line of text behind a prefix and returns where the next begins,
// 0 when there is none.
func (p *Printer) line(prefix string, b octets, at, n int) int {
	from := at
	for ; at < n; at++ {
		switch c := b.u8(at); {
		case c == '\n':
			p.f("%s%s", prefix, cString(b[from:at]))
			return at + 1
		case c == '\r':
			if at+1 >= n || b.u8(at+1) != '\n' {
				return 0
			}
			p.f("%s%s", prefix, cString(b[from:at]))
			return at + 2
		case c != '\t' && (c < ' ' || c > '~'):
			return 0
		}
	}
	p.f("%s%s", prefix, cString(b[from:at]))
	p.truncated()
	return 0
}

func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// ssh prints the version line (RFC 4253 section 4.2).
func (p *Printer) ssh(b octets, n int) {
	p.proto = "ssh"
	for i, c := range []byte("SSH-") {
		if b.u8(i) != int(c) {
			return
		}
	}
	for at := 4; at < n; at++ {
		switch c := b.u8(at); {
		case c == '\n' || c == '\r' && at+1 < n && b.u8(at+1) == '\n':
			p.f(": SSH: %s", b[:at])
			return
		case c < ' ' || c > '~':
			return
		}
	}
}
