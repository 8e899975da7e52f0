package dissect

import "testing"

func TestSniff(t *testing.T) {
	for _, c := range []struct {
		d    Dir
		b    string
		want string
		more bool
	}{
		{ToServer, "", "", true},
		{ToServer, "GET / HTTP/1.1\r\n", "http", false},
		{ToServer, "PROPFIND /dav HTTP/1.1\r\n", "http", false},
		{ToServer, "CONNECT a.test:443 HTTP/1.1\r\n", "http", false},
		{ToServer, "GE", "", true},
		{ToServer, "OPTIONS * HTTP/1.1\r\n", "http", false},
		{ToServer, "PRI * HTTP/2.0\r\n\r\nSM", "http2", false},
		{ToServer, "\x16\x03\x01\x02\x00\x01", "tls", false},
		{ToServer, "\x16\x03", "", true},
		{ToServer, "\x16\x04\x00\x01", "", false},
		{ToClient, "220 f", "smtp", true},
		{ToServer, "SSH-2.0-OpenSSH_9.2\r\n", "ssh", false},
		{ToServer, "EHLO me\r\n", "smtp", false},
		{ToServer, "\x00\x00\x00\x08\x04\xd2\x16\x2f", "postgres", false},
		{ToServer, "\x00\x00\x00\x54\x00\x03\x00\x00user\x00", "postgres", false},
		{ToServer, "*1\r\n$4\r\nPING\r\n", "redis", false},
		{ToServer, "\x10\x11\x00\x04MQTT\x04", "mqtt", false},
		{ToServer, "\x05\x01\x00\x05", "socks5", false},
		{ToServer, "\x80\x2e\x01\x03\x01\x00", "sslv2", false},
		{ToServer, "OPTIONS rtsp://a/ RTSP/1.0\r\n", "rtsp", false},
		{ToServer, "hello world, this is no protocol that anything here knows of, really", "", false},
		{ToClient, "HTTP/1.1 400 Bad Request\r\n", "http", false},
		{ToClient, "HTTP/", "", true},
		{ToClient, "\x00\x00\x12\x04\x00\x00\x00\x00\x00", "http2", false},
		{ToClient, "\x15\x03\x03\x00\x02\x02\x28", "tls", false},
		{ToClient, "SSH-2.0-x\r\n", "ssh", false},
		{ToClient, "220 mail.test ESMTP Postfix\r\n", "smtp", false},
		{ToClient, "220 (vsFTPd 3.0.3)\r\n", "ftp", false},
		{ToClient, "+OK ready\r\n", "pop3", false},
		{ToClient, "* OK IMAP4rev1\r\n", "imap", false},
		{ToClient, "\x4a\x00\x00\x00\x0a8.0.36\x00", "mysql", false},
		{ToClient, "-NOAUTH Authentication required.\r\n", "redis", false},
		{ToClient, "<!DOCTYPE HTML>\n", "html", false},
		{ToClient, "\xde\xad\xbe\xef", "", false},
	} {
		if got, more := Sniff(c.d, []byte(c.b)); got != c.want || more != c.more {
			t.Errorf("%s %q: got %q, more %v; want %q, %v", c.d, c.b, got, more, c.want, c.more)
		}
	}
}

// FuzzSniff: an answer given as final does not change when more bytes come.
func FuzzSniff(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n"), true)
	f.Add([]byte("220 ftp FTP\r\n"), false)
	f.Fuzz(func(t *testing.T, b []byte, toServer bool) {
		d := ToClient
		if toServer {
			d = ToServer
		}
		whole, more := Sniff(d, b)
		if more && len(b) >= SniffLen {
			t.Error("more wanted than SniffLen")
		}
		for n := range b {
			got, more := Sniff(d, b[:n])
			if !more && got != whole {
				t.Errorf("%q: %q after %d bytes, then %q", b, got, n, whole)
			}
		}
	})
}
