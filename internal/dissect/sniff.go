package dissect

import "bytes"

// sign is one protocol's mark at the start of one direction.
type sign struct {
	proto string
	match func(b []byte) verdict
}

type verdict uint8

const (
	no verdict = iota
	maybe
	yes
)

// prefix matches any of the given texts at the start.
func prefix(texts ...string) func([]byte) verdict {
	return func(b []byte) verdict {
		v := no
		for _, t := range texts {
			if len(b) >= len(t) {
				if string(b[:len(t)]) == t {
					return yes
				}
			} else if t[:len(b)] == string(b) {
				v = maybe
			}
		}
		return v
	}
}

// signs lists what clients (0) and servers (1) say first. The order counts:
// the first sure match wins.
var signs = [2][]sign{
	ToServer: {
		{"tls", tlsRecord},
		{"http2", prefix("PRI * HTTP/2.0\r\n")},
		{"ssh", prefix("SSH-")},
		{"rsync", prefix("@RSYNCD:")},
		{"rtsp", rtspRequest},
		{"sip", prefix("INVITE sip:", "REGISTER sip:", "OPTIONS sip:")},
		{"http", httpRequest},
		{"smtp", prefix("EHLO ", "HELO ", "LHLO ", "ehlo ", "helo ")},
		{"postgres", postgresStartup},
		{"redis", redisRequest},
		{"amqp", prefix("AMQP")},
		{"mqtt", mqttConnect},
		{"mongodb", mongoMessage},
		{"nats", prefix("CONNECT {")},
		{"memcached", prefix("get ", "gets ", "set ", "add ", "stats\r\n", "version\r\n")},
		{"socks5", socks5},
		{"socks4", socks4},
		{"sslv2", sslv2Hello},
		{"dns", dnsQuery},
	},
	ToClient: {
		{"tls", tlsRecord},
		{"http", prefix("HTTP/1.", "HTTP/0.9 ")},
		{"http2", http2Settings},
		{"ssh", prefix("SSH-")},
		{"rsync", prefix("@RSYNCD:")},
		{"rtsp", prefix("RTSP/1.")},
		{"sip", prefix("SIP/2.0 ")},
		{"ftp", ftpGreeting},
		{"smtp", greeting220},
		{"pop3", prefix("+OK ")},
		{"imap", prefix("* OK", "* PREAUTH", "* BYE")},
		{"mysql", mysqlGreeting},
		{"postgres", prefix("R\x00\x00\x00", "E\x00\x00\x00")},
		{"dns", dnsAnswer},
		{"redis", prefix("-ERR ", "+PONG\r", "+OK\r\n", "-NOAUTH", "$-1\r\n")},
		{"nats", prefix("INFO {")},
		{"amqp", prefix("AMQP")},
		{"mqtt", prefix("\x20\x02\x00", "\x20\x02\x01")},
		{"vnc", prefix("RFB 00")},
		{"socks5", prefix("\x05\x00", "\x05\x02", "\x05\xff")},
		{"html", prefix("<!DOCTYPE", "<!doctype", "<html", "<HTML")}, // an error page without a header
	},
}

// SniffLen is the number of bytes after which Sniff's answer no longer changes.
const SniffLen = 64

// Sniff names the protocol that the first bytes of one direction speak: "tls",
// "http", "http2", "ssh", "smtp", "ftp", "pop3", "imap", "postgres", "mysql",
// "redis", ... or "" when it knows none. More says that further bytes may change
// the answer (never with SniffLen bytes or more).
func Sniff(d Dir, head []byte) (proto string, more bool) {
	if len(head) > SniffLen {
		head = head[:SniffLen]
	}
	if len(head) == 0 {
		return "", true
	}
	for _, s := range signs[d&1] {
		switch s.match(head) {
		case yes:
			return s.proto, more && len(head) < SniffLen
		case maybe:
			more = true
		}
	}
	return "", more && len(head) < SniffLen
}

// tlsRecord: content type, legacy version 3.x, length (RFC 8446 section 5.1).
func tlsRecord(b []byte) verdict {
	if b[0] < 20 || b[0] > 24 {
		return no
	}
	if len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
		return no
	}
	if len(b) < 5 {
		return maybe
	}
	if n := int(b[3])<<8 | int(b[4]); n == 0 || n > 1<<14+2048 {
		return no
	}
	return yes
}

// sslv2Hello: the SSL 2.0 compatible ClientHello (RFC 5246 appendix E.2).
func sslv2Hello(b []byte) verdict {
	if b[0]&0x80 == 0 || len(b) > 2 && b[2] != 1 || len(b) > 3 && b[3] != 3 || len(b) > 4 && b[4] > 3 {
		return no
	}
	if len(b) < 5 {
		return maybe
	}
	return yes
}

func httpRequest(b []byte) verdict {
	i := 0
	for i < len(b) && (b[i] >= 'A' && b[i] <= 'Z' || b[i] == '-' || b[i] == '_') {
		i++
	}
	switch {
	case i > 24 || i == 0:
		return no
	case i == len(b):
		return maybe
	case b[i] != ' ' || i < 3:
		return no
	case i+1 == len(b):
		return maybe
	}
	switch c := b[i+1]; {
	case c == '/' || c == '*' && i+2 < len(b) && b[i+2] == ' ':
		return yes
	case c == '*' && i+2 == len(b):
		return maybe
	case string(b[:i]) == "CONNECT":
		if bytes.IndexByte(b[i+1:], ':') >= 0 && c != '{' {
			return yes
		}
		return maybe
	}
	return prefix("http://", "https://", "ws://", "wss://")(b[i+1:])
}

func rtspRequest(b []byte) verdict {
	for _, m := range []string{"OPTIONS ", "DESCRIBE ", "SETUP ", "PLAY "} {
		if v := prefix(m + "rtsp://")(b); v != no {
			return v
		}
	}
	return no
}

// greeting220: SMTP and FTP servers greet alike (RFC 5321, RFC 959). FTP's says
// so in its text more often than not.
func greeting220(b []byte) verdict { return prefix("220 ", "220-", "554 ", "421 ")(b) }

func ftpGreeting(b []byte) verdict {
	v := prefix("220 ", "220-")(b)
	if v != yes {
		return v
	}
	line, _, whole := bytes.Cut(b, []byte("\n"))
	if bytes.Contains(line, []byte("FTP")) {
		return yes
	}
	if whole || len(b) >= SniffLen {
		return no
	}
	return maybe
}

// postgresStartup: length, then protocol 3.0, or the SSL, GSS or cancel codes
// (PostgreSQL manual, "Message Formats").
func postgresStartup(b []byte) verdict {
	if b[0] != 0 || len(b) > 1 && b[1] != 0 {
		return no
	}
	if len(b) < 8 {
		return maybe
	}
	switch code := be32(b[4:]); code {
	case 196608, 196610, 80877103, 80877104, 80877102:
		return yes
	}
	return no
}

// redisRequest: an array of bulk strings, "*N\r\n$".
func redisRequest(b []byte) verdict {
	if b[0] != '*' {
		return prefix("PING\r\n")(b)
	}
	i := 1
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i > 8 {
		return no
	}
	if i == len(b) {
		return maybe
	}
	if i == 1 {
		return no
	}
	return prefix("\r\n$")(b[i:])
}

func mqttConnect(b []byte) verdict {
	if b[0] != 0x10 {
		return no
	}
	i := 1
	for i < len(b) && b[i]&0x80 != 0 {
		i++
	}
	if i > 4 {
		return no
	}
	if i+1 >= len(b) {
		return maybe
	}
	return prefix("\x00\x04MQTT", "\x00\x06MQIsdp")(b[i+1:])
}

// mongoMessage: 16-byte header, the opcode little-endian at 12 is OP_MSG (2013)
// or OP_QUERY (2004).
func mongoMessage(b []byte) verdict {
	if len(b) < 16 {
		if len(b) > 3 && b[3] != 0 {
			return no
		}
		return maybe
	}
	op := uint32(b[12]) | uint32(b[13])<<8 | uint32(b[14])<<16 | uint32(b[15])<<24
	if op == 2013 || op == 2004 {
		return yes
	}
	return no
}

// mysqlGreeting: 3-byte length, sequence 0, protocol 10 (or an error packet).
func mysqlGreeting(b []byte) verdict {
	if len(b) > 2 && b[2] != 0 || len(b) > 3 && b[3] != 0 {
		return no
	}
	if len(b) < 6 {
		return maybe
	}
	if b[4] == 10 && b[5] >= '0' && b[5] <= '9' || b[4] == 0xff {
		return yes
	}
	return no
}

// http2Settings: a SETTINGS frame on stream 0 (RFC 9113 section 6.5).
func http2Settings(b []byte) verdict {
	if b[0] != 0 || len(b) > 3 && b[3] != 4 {
		return no
	}
	if len(b) < 9 {
		return maybe
	}
	if n := int(b[1])<<8 | int(b[2]); n%6 == 0 && b[4] == 0 && be32(b[5:]) == 0 {
		return yes
	}
	return no
}

// dnsQuery: a length, then a header with one question and no answer (RFC 1035
// sections 4.1.1 and 4.2.2), of a query, an update or a notification.
func dnsQuery(b []byte) verdict { return dnsMessage(b, 0) }

func dnsAnswer(b []byte) verdict { return dnsMessage(b, 0x80) }

func dnsMessage(b []byte, response byte) verdict {
	const header = 2 + 12
	if len(b) < 2 {
		return maybe
	}
	if n := int(b[0])<<8 | int(b[1]); n < 17 || n > 4096 && response == 0 || n > 32<<10 {
		return no
	}
	if len(b) > 4 && (b[4]&0x80 != response || b[4]>>3&15 > 6) || len(b) > 5 && b[5]&0x40 != 0 {
		return no
	}
	if len(b) < header+2 {
		return maybe
	}
	questions, answers := int(b[6])<<8|int(b[7]), int(b[8])<<8|int(b[9])
	label := b[header]
	if questions != 1 || response == 0 && answers != 0 && b[4]>>3&15 != 5 || label > 63 {
		return no
	}
	for _, c := range b[header+1 : min(len(b), header+1+int(label))] {
		if c <= ' ' || c >= 0x7f {
			return no
		}
	}
	return yes
}

func socks5(b []byte) verdict {
	if b[0] != 5 {
		return no
	}
	if len(b) < 3 {
		return maybe
	}
	if b[1] > 0 && b[1] < 8 && b[2] < 10 {
		return yes
	}
	return no
}

func socks4(b []byte) verdict {
	if b[0] != 4 || len(b) > 1 && b[1] != 1 && b[1] != 2 {
		return no
	}
	if len(b) < 9 {
		return maybe
	}
	return yes
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
