package timeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
)

// tlsRecord is a TLS record of application data that nobody can decrypt.
func tlsRecord(n int) string {
	return "\x17\x03\x03" + string([]byte{byte(n >> 8), byte(n)}) + strings.Repeat("\xa5", n)
}

func TestPlain(t *testing.T) {
	const request, answer = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
	say := func(s *synth, object uint64, write bool, text string) {
		s.add(10, &event.Plain{Source: "uprobe:openssl", Object: object, Write: write, Dur: 1500, Total: int64(len(text)), Data: []byte(text)})
	}
	tests := []struct {
		name string
		do   func(s *synth)
		want []string // what was said, by connection
		lost uint64
	}{
		{"the library has the socket", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:443")
			s.write(10, 3, tlsRecord(50))
			say(s, 7, true, request)
			s.recv(10, 3, tlsRecord(60))
			say(s, 7, false, answer[:20])
			s.call(10, 0, "getpid")
			s.call(10, 0, "getpid")
			say(s, 7, false, answer[20:]) // that it had received before
		}, []string{request + answer}, 0},
		{"the program has the socket", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:443")
			say(s, 7, true, request)
			s.call(10, 0, "getpid")
			s.write(10, 3, tlsRecord(50))
			s.recv(10, 3, tlsRecord(60))
			s.call(10, 0, "getpid")
			s.call(10, 0, "getpid")
			say(s, 7, false, answer)
		}, []string{request + answer}, 0},
		{"two connections of one thread", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:443")
			s.call(10, 4, "socket", 2, 1, 0)
			s.call(10, 0, "connect", 4, 0x7000, 16, in(0x7000, sockaddr("10.0.0.2:443")))
			s.write(10, 3, tlsRecord(50))
			say(s, 7, true, request)
			s.write(10, 4, tlsRecord(50))
			say(s, 8, true, "GET /b HTTP/1.1\r\n\r\n")
			s.recv(10, 3, tlsRecord(60))
			say(s, 7, false, answer)
		}, []string{request + answer, "GET /b HTTP/1.1\r\n\r\n"}, 0},
		{"cut short", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:443")
			s.write(10, 3, tlsRecord(50))
			s.add(10, &event.Plain{Object: 7, Write: true, Dur: 1500, Total: 100, Data: []byte(request)})
		}, []string{request}, 0},
		{"on no connection", func(s *synth) { say(s, 7, true, request) }, nil, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSynth(t)
			tt.do(s)
			tl := s.build()
			var got []string
			for _, c := range tl.Conns {
				var b strings.Builder
				for _, p := range c.Plaintext() {
					b.Write(p.Data)
				}
				got = append(got, b.String())
				if c.TLS == nil || c.TLS.NoKeys != "" || len(c.HTTP) != 1 {
					t.Errorf("connection %d: %+v, %d exchanges", c.ID, c.TLS, len(c.HTTP))
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("said (-want +got):\n%s", d)
			}
			var lost uint64
			for _, l := range tl.Loss {
				lost += l.Count
			}
			if lost != tt.lost {
				t.Errorf("%d pieces lost, want %d", lost, tt.lost)
			}
		})
	}
}

// TestSecrets merges what a key log and probes tell.
func TestSecrets(t *testing.T) {
	r1, r2 := strings.Repeat("01", 32), strings.Repeat("02", 32)
	key := strings.Repeat("ab", 32)
	a, b := "CLIENT_TRAFFIC_SECRET_0 "+r1+" "+key+"\n", "SERVER_TRAFFIC_SECRET_0 "+r2+" "+key+"\n"
	s := newSynth(t)
	s.add(0, &event.Secrets{Source: "SSLKEYLOGFILE", Lines: []byte(a + "garbage\n")})
	s.add(10, &event.Secrets{Source: "uprobe:openssl", Lines: []byte(a)})
	s.add(10, &event.Secrets{Source: "uprobe:openssl", Lines: []byte(b)})
	tl := s.build()
	if d := cmp.Diff(a+"garbage\n"+b, string(tl.Secrets)); d != "" {
		t.Errorf("secrets (-want +got):\n%s", d)
	}
	if tl.KeyLog.Lines != 2 || tl.KeyLog.Garbage != 1 {
		t.Errorf("%+v", tl.KeyLog)
	}
}
