package wire

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/tls"
	"culprit/internal/event"
)

// said is what one side wrote at once.
type said struct {
	dir  dissect.Dir
	data string
}

// wiretap notes what is written to a connection.
type wiretap struct {
	net.Conn
	mu  *sync.Mutex
	all *[]said
	dir dissect.Dir
}

func (w wiretap) Write(b []byte) (int, error) {
	w.mu.Lock()
	*w.all = append(*w.all, said{w.dir, string(b)})
	w.mu.Unlock()
	return w.Conn.Write(b)
}

// encrypted is a conversation of TLS 1.3 in which one HTTP request is answered,
// and its key log.
func encrypted(t *testing.T) (all []said, keys []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.test"}, NotAfter: time.Unix(2_000_000_000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	var mu sync.Mutex
	var log bytes.Buffer
	done := make(chan error, 1)
	go func() {
		s := stdtls.Server(wiretap{b, &mu, &all, dissect.ToClient}, &stdtls.Config{Certificates: []stdtls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
		r := bufio.NewReader(s)
		for {
			line, err := r.ReadString('\n')
			if err != nil || line == "\r\n" {
				_, e := io.WriteString(s, "HTTP/1.1 204 No Content\r\n\r\n")
				done <- cmpErr(err, e)
				return
			}
		}
	}()
	client := stdtls.Client(wiretap{a, &mu, &all, dissect.ToServer}, &stdtls.Config{InsecureSkipVerify: true, ServerName: "a.test", KeyLogWriter: &log})
	if _, err := io.WriteString(client, "GET /inside HTTP/1.1\r\nHost: a.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAtLeast(client, make([]byte, 100), 27); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return all, log.Bytes()
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// hear feeds a conversation to a Session and lists what it found: the protocols
// by depth, and HTTP messages.
func hear(keys []byte, all []said) (out []string) {
	var k tls.KeyLog
	k.Add(keys)
	s := NewSession(Options{Keys: &k}, func(e *Event) {
		switch m := e.Msg.(type) {
		case Identified:
			out = append(out, fmt.Sprintf("%d %s", e.Depth, e.Proto))
		case http.Head:
			out = append(out, fmt.Sprintf("%d %s%s", e.Depth, m.Method+m.Target, map[bool]string{true: fmt.Sprint(m.Status)}[m.Answer]))
		}
	})
	for i, x := range all {
		s.Feed(&dissect.Input{Time: event.Time(i), Dir: x.dir, Data: []byte(x.data), Ref: int64(i)})
	}
	s.Close(&dissect.Input{Time: event.Time(len(all))})
	return out
}

// TestInside: what comes before TLS is told by its content, and TLS is found
// behind it, whatever the protocol's words for it are.
func TestInside(t *testing.T) {
	inside, keys := encrypted(t)
	up := func(s string) said { return said{dissect.ToServer, s} }
	down := func(s string) said { return said{dissect.ToClient, s} }
	for _, c := range []struct {
		name    string
		before  []said
		outside []string // what is found before TLS
		depth   int      // of TLS
	}{
		{"nothing", nil, nil, 0},
		{"smtp", []said{down("220 mail.test ESMTP\r\n"), up("EHLO me\r\n"), down("250-mail.test\r\n250 STARTTLS\r\n"), up("STARTTLS\r\n"), down("220 go on\r\n")}, []string{"0 smtp"}, 0},
		{"imap", []said{down("* OK ready\r\n"), up("a STARTTLS\r\n"), down("a OK begin\r\n")}, []string{"0 imap"}, 0},
		{"pop3", []said{down("+OK ready\r\n"), up("STLS\r\n"), down("+OK\r\n")}, []string{"0 pop3"}, 0},
		{"ftp", []said{down("220 (vsFTPd 3.0.3)\r\n"), up("AUTH TLS\r\n"), down("234 Proceed\r\n")}, []string{"0 ftp"}, 0},
		{"postgres", []said{up("\x00\x00\x00\x08\x04\xd2\x16\x2f"), down("S")}, []string{"0 postgres"}, 0},
		{"xmpp", []said{up("<?xml version='1.0'?><stream:stream to='a.test' xmlns='jabber:client'>"), down("<stream:stream><stream:features><starttls/></stream:features>"),
			up("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), down("<proceed/>")}, []string{"0 "}, 0},
		{"ldap", []said{up("\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"), down("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")}, []string{"0 "}, 0},
		{"connect", []said{up("CONNECT a.test:443 HTTP/1.1\r\n\r\n"), down("HTTP/1.1 200 OK\r\n\r\n")}, []string{"0 http", "0 CONNECTa.test:443", "0 200"}, 1},
		{"socks5", []said{up("\x05\x01\x00"), down("\x05\x00"), up("\x05\x01\x00\x03\x06a.test\x01\xbb"), down("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")}, []string{"0 socks5"}, 1},
		{"socks5 with a password", []said{up("\x05\x02\x00\x02"), down("\x05\x02"), up("\x01\x02me\x02it"), down("\x01\x00"),
			up("\x05\x01\x00\x01\x7f\x00\x00\x01\x01\xbb"), down("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")}, []string{"0 socks5"}, 1},
	} {
		want := append(c.outside, fmt.Sprintf("%d tls", c.depth), fmt.Sprintf("%d http", c.depth+1),
			fmt.Sprintf("%d GET/inside", c.depth+1), fmt.Sprintf("%d 204", c.depth+1))
		got := hear(keys, append(c.before, inside...))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
	// A MySQL client does not wait for a word: its ClientHello may come with the
	// request for TLS.
	mysql := []said{down("\x4a\x00\x00\x00\x0a8.0.36\x00" + strings.Repeat("x", 66)), up("\x20\x00\x00\x01" + strings.Repeat("\x00", 32) + inside[0].data)}
	want := []string{"0 mysql", "0 tls", "1 http", "1 GET/inside", "1 204"}
	if d := cmp.Diff(want, hear(keys, append(mysql, inside[1:]...))); d != "" {
		t.Errorf("mysql (-want +got):\n%s", d)
	}
}

// TestPieces: cut anywhere, a conversation tells the same.
func TestPieces(t *testing.T) {
	inside, keys := encrypted(t)
	want := hear(keys, inside)
	var bytewise []said
	for _, x := range inside {
		for i := range len(x.data) {
			bytewise = append(bytewise, said{x.dir, x.data[i : i+1]})
		}
	}
	if d := cmp.Diff(want, hear(keys, bytewise)); d != "" {
		t.Errorf("byte by byte (-whole +cut):\n%s", d)
	}
}

// FuzzSession takes any bytes as a conversation: the first bit of each piece's
// length is its direction.
func FuzzSession(f *testing.F) {
	f.Add([]byte("\x20GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("\x06\x05\x01\x00\x85\x05\x00\x30CONNECT a:1 HTTP/1.1\r\n\r\n\xa0HTTP/1.1 200 OK\r\n\r\n"))
	f.Add([]byte("\x10\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var all []said
		for len(b) > 0 {
			n := min(int(b[0]&0x7f), len(b)-1)
			all = append(all, said{dissect.Dir(b[0] >> 7), string(b[1 : 1+n])})
			b = b[1+n:]
		}
		hear(nil, all)
	})
}
