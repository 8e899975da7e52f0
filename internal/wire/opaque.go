package wire

import (
	"bytes"

	"culprit/internal/dissect"
)

// opaque passes over a protocol that is not read, or not known, until it turns
// into one that is. STARTTLS is told from content: whatever the protocol's own
// words for it are (SMTP, IMAP, POP3, FTP, XMPP, LDAP, PostgreSQL, MySQL, ...),
// the client sends its ClientHello as a piece of its own.
type opaque struct{}

func (o *opaque) Feed(s *Session, in *dissect.Input) {
	if in.Dir != dissect.ToServer {
		return
	}
	switch at := clientHello(in.Data); {
	case at >= 0:
		rest := *in
		rest.Data, rest.Gap = in.Data[at:], 0
		s.become("tls", &rest)
		s.layer.Feed(s, &rest)
	case s.proto == "" && httpLine(in.Data):
		s.become("http", in) // the capture began in the middle of something
		s.layer.Feed(s, in)
	}
}

func (o *opaque) Close(*Session, *dissect.Input) {}

// mysqlSSLRequest is the length of the packet after which a MySQL client
// begins TLS without waiting for a word (MySQL manual, "Protocol::SSLRequest").
const mysqlSSLRequest = 4 + 32

// clientHello returns where in a piece a ClientHello begins, -1 when it doesn't.
func clientHello(b []byte) int {
	if isClientHello(b) {
		return 0
	}
	if len(b) > mysqlSSLRequest && b[0] == 32 && b[1] == 0 && b[2] == 0 && isClientHello(b[mysqlSSLRequest:]) {
		return mysqlSSLRequest
	}
	return -1
}

// isClientHello: a handshake record with a ClientHello of a version 3.x (RFC
// 8446 section 4.1.2).
func isClientHello(b []byte) bool {
	return len(b) >= 11 && b[0] == 22 && b[1] == 3 && b[2] <= 4 && b[5] == 1 && b[6] == 0 && b[9] == 3 && b[10] <= 4
}

// httpLine says whether a piece begins with a whole request line.
func httpLine(b []byte) bool {
	if p, _ := dissect.Sniff(dissect.ToServer, b); p != "http" {
		return false
	}
	line, _, ok := bytes.Cut(b, []byte{'\n'})
	return ok && bytes.Contains(line, []byte(" HTTP/1."))
}

// socks5 reads the greeting of a SOCKS 5 proxy (RFC 1928, RFC 1929) and hands on
// the tunnel.
type socks5 struct {
	buf   [2][]byte
	stage int // what the server says next: 0 method, 1 authentication, 2 reply, 3 nothing: the tunnel
	inner *Session
}

// Tunnel says that a proxy opened a way to somewhere else, or why it did not.
type Tunnel struct {
	To    string
	Reply int // of SOCKS: 0 is success (RFC 1928 section 6)
}

const maxSocks = 1 << 10

func (l *socks5) Feed(s *Session, in *dissect.Input) {
	if l.stage == 3 {
		l.inner.Feed(in)
		return
	}
	d := in.Dir & 1
	if in.Gap != 0 || len(l.buf[d])+len(in.Data) > maxSocks {
		l.stage = 3 // no longer to be followed
		return
	}
	l.buf[d] = append(l.buf[d], in.Data...)
	for l.step(s, in) {
	}
}

// step takes the next thing that the server says.
func (l *socks5) step(s *Session, in *dissect.Input) bool {
	b := &l.buf[dissect.ToClient]
	switch l.stage {
	case 0, 1:
		if len(*b) < 2 {
			return false
		}
		if l.stage == 0 && (*b)[1] == 2 {
			l.stage = 1
		} else {
			l.stage = 2
		}
		*b = (*b)[2:]
		return true
	case 2:
		n := socksAddress(*b)
		if n < 0 || len(*b) < n {
			return false
		}
		l.stage = 3
		s.Emit(in.Dir, dissect.At(in), Tunnel{Reply: int((*b)[1])})
		rest := append([]byte(nil), (*b)[n:]...)
		l.buf = [2][]byte{}
		if l.inner = s.Inner(""); len(rest) > 0 {
			l.inner.Feed(&dissect.Input{Time: in.Time, Dir: dissect.ToClient, Data: rest, Ref: in.Ref})
		}
	}
	return false
}

// socksAddress is the length of a reply: version, status, a zero, an address
// with its type, a port; -1 when that is not known yet.
func socksAddress(b []byte) int {
	if len(b) < 5 {
		return -1
	}
	switch b[3] {
	case 1:
		return 10
	case 4:
		return 22
	}
	return 7 + int(b[4])
}

func (l *socks5) Close(_ *Session, in *dissect.Input) { l.inner.Close(in) }
