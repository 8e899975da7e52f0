package timeline

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
)

// message is a DNS message with one question and, when it is an answer, the
// addresses (RFC 1035 section 4).
func message(id uint16, name string, typ uint16, rcode int, addrs ...[4]byte) string {
	b := binary.BigEndian.AppendUint16(nil, id)
	flags := uint16(0x0100) // RD
	if rcode >= 0 {
		flags = 0x8180 | uint16(rcode) // QR, RD, RA
	}
	for _, v := range []uint16{flags, 1, uint16(len(addrs)), 0, 0} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	b = binary.BigEndian.AppendUint16(append(b, 0), typ)
	b = binary.BigEndian.AppendUint16(b, 1)
	for _, a := range addrs {
		b = append(b, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		b = append(b, a[:]...)
	}
	return string(b)
}

const (
	typeA    = 1
	typeAAAA = 28
)

// server makes descriptor fd a datagram socket connected to a name server.
func (s *synth) server(pid int32, fd int, at string) {
	s.call(pid, int64(fd), "socket", 2, 2, 0)
	s.call(pid, 0, "connect", fd, 0x7000, 16, in(0x7000, sockaddr(at)))
}

// messages calls sendmmsg or recvmmsg with one buffer a message.
func (s *synth) messages(pid int32, name string, fd int, texts ...string) {
	at := event.Enter
	if name == "recvmmsg" {
		at = event.Leave
	}
	var args []any
	args = append(args, fd, 0x7000, len(texts), 0)
	var headers []byte
	for i, text := range texts {
		iov, buf := uint64(0x8000+16*i), uint64(0x9000+0x1000*i)
		h := make([]byte, 64) // struct mmsghdr: msg_iov at 16, msg_iovlen at 24, msg_len at 56
		binary.LittleEndian.PutUint64(h[16:], iov)
		h[24] = 1
		binary.LittleEndian.PutUint32(h[56:], uint32(len(text)))
		headers = append(headers, h...)
		v := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, buf), uint64(len(text)))
		args = append(args, event.Mem{At: at, Addr: iov, Data: v}, out(buf, text))
	}
	args = append(args, event.Mem{At: event.Enter, Addr: 0x7000, Data: headers}, out(0x7000, string(headers)))
	s.call(pid, int64(len(texts)), name, args...)
}

func TestLookups(t *testing.T) {
	addr1, addr2 := [4]byte{192, 0, 2, 1}, [4]byte{192, 0, 2, 2}
	tests := []struct {
		name string
		do   func(s *synth)
		want []string
	}{
		{"two questions in one sendmmsg, as glibc asks", func(s *synth) {
			s.server(10, 3, "10.0.0.53:53")
			s.messages(10, "sendmmsg", 3, message(1, "a.example", typeA, -1), message(2, "a.example", typeAAAA, -1))
			s.call(10, 100, "recvfrom", 3, 0x9000, 2048, 0, out(0x9000, message(2, "a.example", typeAAAA, 0)))
			s.call(10, 100, "recvfrom", 3, 0x9000, 2048, 0, out(0x9000, message(1, "A.Example", typeA, 0, addr1, addr2)))
		}, []string{"10.0.0.53:53 A a.example NOERROR [192.0.2.1 192.0.2.2]", "10.0.0.53:53 AAAA a.example NOERROR []"}},
		{"answers by recvmmsg", func(s *synth) {
			s.server(10, 3, "10.0.0.53:53")
			s.messages(10, "sendmmsg", 3, message(1, "a.example", typeA, -1), message(2, "b.example", typeA, -1))
			s.messages(10, "recvmmsg", 3, message(1, "a.example", typeA, 0, addr1), message(2, "b.example", typeA, 3))
		}, []string{"10.0.0.53:53 A a.example NOERROR [192.0.2.1]", "10.0.0.53:53 A b.example NXDOMAIN []"}},
		{"sendto an unconnected server, no answer", func(s *synth) {
			s.call(10, 3, "socket", 2, 2, 0)
			q := message(9, "c.example", typeA, -1)
			s.call(10, int64(len(q)), "sendto", 3, 0x9000, len(q), 0, 0x7000, 16, in(0x7000, sockaddr("10.0.0.54:53")), out(0x9000, q))
		}, []string{"10.0.0.54:53 A c.example - []"}},
		{"another's answer is none", func(s *synth) {
			s.server(10, 3, "10.0.0.53:53")
			q := message(1, "a.example", typeA, -1)
			s.call(10, int64(len(q)), "sendto", 3, 0x9000, len(q), 0, 0, 0, out(0x9000, q))
			s.call(10, 50, "recvfrom", 3, 0x9000, 2048, 0, out(0x9000, message(7, "a.example", typeA, 3)))    // id
			s.call(10, 50, "recvfrom", 3, 0x9000, 2048, 0, out(0x9000, message(1, "b.example", typeA, 3)))    // name
			s.call(10, 50, "recvfrom", 3, 0x9000, 2048, 0, out(0x9000, message(1, "a.example", typeAAAA, 3))) // type
		}, []string{"10.0.0.53:53 A a.example - []"}},
		{"the question was asked twice", func(s *synth) {
			s.server(10, 3, "10.0.0.53:53")
			q := message(1, "a.example", typeA, -1)
			for range 2 {
				s.call(10, int64(len(q)), "sendto", 3, 0x9000, len(q), 0, 0, 0, out(0x9000, q))
			}
			a := message(1, "a.example", typeA, 2)
			s.call(10, int64(len(a)), "recvfrom", 3, 0x9000, 2048, 0, out(0x9000, a))
		}, []string{"10.0.0.53:53 A a.example - []", "10.0.0.53:53 A a.example SERVFAIL []"}},
		{"nobody listens there", func(s *synth) {
			s.server(10, 3, "10.0.0.53:53")
			q := message(1, "a.example", typeA, -1)
			s.call(10, int64(len(q)), "sendto", 3, 0x9000, len(q), 0, 0, 0, out(0x9000, q))
			s.call(10, -111, "recvfrom", 3, 0x9000, 2048, 0)
		}, []string{"10.0.0.53:53 A a.example refused []"}},
		{"what is no DNS", func(s *synth) {
			s.server(10, 3, "10.0.0.53:123")
			q := message(1, "a.example", typeA, -1)
			s.call(10, int64(len(q)), "sendto", 3, 0x9000, len(q), 0, 0, 0, out(0x9000, q))
			s.server(10, 4, "10.0.0.53:53")
			s.call(10, 40, "sendto", 4, 0x9000, 40, 0, 0, 0, out(0x9000, strings.Repeat("\xff", 40)))
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSynth(t)
			tt.do(s)
			var got []string
			for _, l := range s.build().Lookups {
				how := l.Rcode
				switch {
				case l.Error != nil:
					how = "refused"
				case !l.Answered:
					how = "-"
				}
				got = append(got, fmt.Sprintf("%v %s %s %s %v", l.Server, l.Type, l.Name, how, l.Addrs))
				if l.Sent == nil || l.Answered && l.AnsweredAt <= l.Time {
					t.Errorf("%s: sent %v, answered at %d", l.Name, l.Sent, l.AnsweredAt)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
