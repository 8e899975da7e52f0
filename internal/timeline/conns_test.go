package timeline

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
)

const inode = "socket:[55]"

// dial opens a stream connection on fd, as the recorder tells of it.
func (s *synth) dial(pid int32, fd int, to string) {
	s.call(pid, int64(fd), "socket", 2, 1|cloexec, 0)
	s.call(pid, 0, "connect", fd, 0x7000, 16, in(0x7000, sockaddr(to)))
	s.add(pid, &event.FD{FD: int32(fd), Link: inode, Type: 1, Local: []byte(sockaddr("10.0.0.2:40000")), Remote: []byte(sockaddr(to))})
}

func (s *synth) recv(pid int32, fd int, text string) {
	s.call(pid, int64(len(text)), "recvfrom", fd, 0x9000, 4096, 0, out(0x9000, text))
}

// segments shows what went over a connection.
func segments(c *Conn) []string {
	var got []string
	for _, s := range c.Segments {
		how := ""
		if s.Unread {
			how = " unread"
		}
		if s.Gap > 0 {
			how += fmt.Sprintf(" -%d", s.Gap)
		}
		got = append(got, fmt.Sprintf("%v %q%s", s.Dir, s.Data, how))
	}
	return got
}

func TestConns(t *testing.T) {
	peek := func(s *synth, when, text string) {
		s.add(10, &event.Peek{FD: 3, Link: inode, When: when, Queued: uint32(len(text)), Data: []byte(text)})
	}
	tests := []struct {
		name  string
		do    func(s *synth)
		want  []string // segments of the first connection
		errno string
	}{
		{"sent and received", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:9000")
			s.write(10, 3, "ping")
			s.call(10, 2, "write", 3, 0x9000, 9, out(0x9000, "partly!!!"))
			s.recv(10, 3, "pong")
			s.call(10, 100, "sendto", 3, 0x9000, 100, 0, 0, 0, out(0x9000, "begin"))
		}, []string{`to-server "ping"`, `to-server "pa"`, `to-client "pong"`, `to-server "begin" -95`}, ""},
		{"in another process and by another number", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:9000")
			s.add(10, &event.Fork{Child: 11})
			s.call(11, 1, "dup2", 3, 1)
			s.write(11, 1, "kid\n")
			s.write(10, 3, "parent")
		}, []string{`to-server "kid\n"`, `to-server "parent"`}, ""},
		{"accepted", func(s *synth) {
			s.call(10, 5, "socket", 2, 1, 0)
			s.call(10, 3, "accept4", 5, 0x7000, 0x7100, cloexec, in(0x7100, u32s(16)), out(0x7000, sockaddr("10.0.0.9:5000")), out(0x7100, u32s(16)))
			s.recv(10, 3, "question")
			s.write(10, 3, "answer")
		}, []string{`to-server "question"`, `to-client "answer"`}, ""},
		{"looked at before they were read", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:9000")
			s.call(10, 4, "recvfrom", 3, 0x9000, 4096, 2, out(0x9000, "pong")) // MSG_PEEK by the program
			s.recv(10, 3, "pong")
		}, []string{`to-client "pong"`}, ""},
		{"an answer that was never read", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:9000")
			s.write(10, 3, "body")
			s.call(10, -32, "write", 3, 0x9000, 4, out(0x9000, "more"))
			peek(s, "write-failed", "no")
			peek(s, "close", "no!")
			s.call(10, 0, "close", 3)
		}, []string{`to-server "body"`, `to-client "no!" unread`}, "EPIPE"},
		{"an answer that was read after all", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:9000")
			s.call(10, -104, "write", 3, 0x9000, 4, out(0x9000, "more"))
			peek(s, "write-failed", "no!")
			s.recv(10, 3, "no!")
		}, []string{`to-client "no!"`}, "ECONNRESET"},
		{"partly read, then closed", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:9000")
			peek(s, "write-failed", "no!")
			s.recv(10, 3, "n")
			peek(s, "close", "o!")
		}, []string{`to-client "n"`, `to-client "o!" unread`}, ""},
		{"the first error counts", func(s *synth) {
			s.dial(10, 3, "10.0.0.1:9000")
			s.call(10, -11, "recvfrom", 3, 0x9000, 4096, 0) // EAGAIN says "not yet"
			s.call(10, -104, "recvfrom", 3, 0x9000, 4096, 0)
			s.call(10, -32, "write", 3, 0x9000, 4, out(0x9000, "more"))
		}, nil, "ECONNRESET"},
		{"refused after a wait", func(s *synth) {
			s.call(10, 3, "socket", 2, 1, 0)
			s.call(10, -115, "connect", 3, 0x7000, 16, in(0x7000, sockaddr("10.0.0.1:9000")))
			s.call(10, 0, "getsockopt", 3, 1, 4, 0x7000, 0x7100, out(0x7000, u32s(111)), out(0x7100, u32s(4)))
		}, nil, "ECONNREFUSED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSynth(t)
			tt.do(s)
			tl := s.build()
			if len(tl.Conns) != 1 {
				t.Fatalf("%d connections, want 1", len(tl.Conns))
			}
			c := tl.Conns[0]
			if d := cmp.Diff(tt.want, segments(c)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			errno := ""
			if c.Errno != 0 {
				errno = c.Errno.Name()
			}
			if errno != tt.errno {
				t.Errorf("errno %q, want %q", errno, tt.errno)
			}
			if (c.Errno != 0) != (c.Failed != nil) {
				t.Error("an error without its call")
			}
		})
	}
}

// A name that DNS gave for the address goes before what the connection says.
func TestConnNames(t *testing.T) {
	s := newSynth(t)
	s.add(0, &event.File{Path: "/etc/hosts", Data: []byte("127.0.0.1 localhost\n10.0.0.9\tbox.lan box # mine\n#10.0.0.8 gone\n")})
	s.server(10, 3, "10.0.0.53:53")
	q := message(1, "a.example", typeA, -1)
	s.call(10, int64(len(q)), "sendto", 3, 0x9000, len(q), 0, 0, 0, out(0x9000, q))
	a := message(1, "a.example", typeA, 0, [4]byte{10, 0, 0, 1})
	s.call(10, int64(len(a)), "recvfrom", 3, 0x9000, 2048, 0, out(0x9000, a))
	for i, to := range []string{"10.0.0.1:80", "10.0.0.9:80", "10.0.0.8:80"} {
		s.call(10, int64(4+i), "socket", 2, 1, 0)
		s.call(10, 0, "connect", 4+i, 0x7000, 16, in(0x7000, sockaddr(to)))
		s.write(10, 4+i, "GET / HTTP/1.1\r\nHost: claimed.example\r\n\r\n")
	}
	var got []string
	for _, c := range s.build().Conns {
		if c.Type == sockStream {
			got = append(got, fmt.Sprintf("%s by %s: %s", c.Peer(), c.NameBy, c.HTTP[0].URL))
		}
	}
	want := []string{
		"a.example:80 by DNS: http://claimed.example/",
		"box.lan:80 by /etc/hosts: http://claimed.example/",
		"claimed.example:80 by Host: http://claimed.example/",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestHTTP2: streams are exchanges, and what gave them up is told.
func TestHTTP2(t *testing.T) {
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	get := func(id string) string { // GET / of host a, over http
		return "\x00\x00\x06\x01\x05\x00\x00\x00" + id + "\x82\x84\x86\x41\x01a"
	}
	s := newSynth(t)
	s.dial(10, 4, "10.0.0.1:80")
	s.write(10, 4, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+settings+get("\x01")+get("\x03"))
	answer := settings + "\x00\x00\x01\x01\x05\x00\x00\x00\x01\x8d" + // 404
		"\x00\x00\x04\x03\x00\x00\x00\x00\x03\x00\x00\x00\x07" + "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0b"
	s.call(10, int64(len(answer)), "read", 4, 0x9000, 4096, out(0x9000, answer))
	c := s.build().Conns[0]
	var got []string
	for _, x := range c.HTTP {
		status := ""
		if x.Response != nil {
			status = x.Response.Result()
		}
		got = append(got, x.URL+" "+status)
	}
	got = append(got, c.Damage...)
	want := []string{"http://a/ 404", "http://a/ ", "stream 3 was reset to-client: REFUSED_STREAM", `GOAWAY to-client after stream 1: ENHANCE_YOUR_CALM ""`}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
