package timeline

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
)

const (
	fin, syn, rst, ack = 1, 2, 4, 16
)

// segment makes an IPv4 packet with a TCP segment (RFC 791, RFC 9293).
func segment(from, to string, seq, ackd uint32, flags byte, window uint16, data string) []byte {
	src, dst := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	b := ipv4(src.Addr(), dst.Addr(), 6, 20+len(data))
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ackd)
	b = append(b, 5<<4, flags)
	b = binary.BigEndian.AppendUint16(b, window)
	return append(append(b, 0, 0, 0, 0), data...)
}

func datagram(from, to, data string) []byte {
	src, dst := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	b := ipv4(src.Addr(), dst.Addr(), 17, 8+len(data))
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(data)))
	return append(append(b, 0, 0), data...)
}

func ipv4(src, dst netip.Addr, proto byte, n int) []byte {
	b := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, proto, 0, 0}
	binary.BigEndian.PutUint16(b[2:], uint16(20+n))
	return append(append(b, src.AsSlice()...), dst.AsSlice()...)
}

// icmp quotes a packet: its IP header and eight bytes (RFC 792).
func icmp(from, to string, typ, code byte, about []byte) []byte {
	b := ipv4(netip.MustParseAddr(from), netip.MustParseAddr(to), 1, 8+28)
	return append(append(b, typ, code, 0, 0, 0, 0, 0, 0), about[:28]...)
}

func (s *synth) sent(b []byte) {
	s.add(0, &event.Packet{Interface: 2, Out: true, Len: uint32(len(b)), Data: b})
}
func (s *synth) got(b []byte) { s.add(0, &event.Packet{Interface: 2, Len: uint32(len(b)), Data: b}) }

// whose shows of each packet to which connection and call it belongs.
func whose(t *Timeline) []string {
	var out []string
	for _, p := range t.Packets {
		s := "in "
		if p.Out {
			s = "out"
		}
		if p.Conn != nil {
			s += fmt.Sprintf(" %d", p.Conn.ID)
		}
		if p.Call != nil {
			s += " " + p.Call.Name()
		}
		if p.Unread {
			s += " unread"
		}
		out = append(out, s)
	}
	return out
}

const (
	ours   = "10.0.0.2:40000"
	theirs = "10.0.0.1:9000"
)

// A conversation's packets are tied to the calls that moved their bytes, by
// their place in the stream, and its bytes are counted once.
func TestPacketsOfAConversation(t *testing.T) {
	s := newSynth(t)
	s.sent(segment(ours, theirs, 99, 0, syn, 1000, ""))
	s.got(segment(theirs, ours, 499, 100, syn|ack, 1000, ""))
	s.dial(10, 3, theirs)
	s.sent(segment(ours, theirs, 100, 500, ack, 1000, "ping"))
	s.write(10, 3, "ping")
	s.sent(segment(ours, theirs, 100, 500, ack, 1000, "ping")) // again
	s.got(segment(theirs, ours, 500, 104, ack, 0, "po"))       // and takes no more
	s.recv(10, 3, "pong")
	s.got(segment(theirs, ours, 502, 104, ack, 0, "ng"))
	s.got(segment("10.0.0.9:1", "10.0.0.2:2", 1, 1, ack, 1, "of no call"))
	tl := s.build()
	c := tl.Conns[0]
	if d := cmp.Diff([]string{"out 1", "in  1", "out 1 write", "out 1 write", "in  1 recvfrom", "in  1 recvfrom", "in "}, whose(tl)); d != "" {
		t.Errorf("packets (-want +got):\n%s", d)
	}
	if c.Sent != 4 || c.Received != 4 || len(c.Segments) != 2 {
		t.Errorf("%d sent, %d received, %d segments: packets were counted as well", c.Sent, c.Received, len(c.Segments))
	}
	if len(c.SYNs) != 1 || c.Answered == 0 || c.Again != 1 || c.ZeroWindow == 0 || c.Reset != 0 || c.Packets == nil || c.Packets.Established == 0 {
		t.Errorf("carriage %+v", c.Carriage)
	}
}

func TestPacketsOfTrouble(t *testing.T) {
	open := segment(ours, theirs, 99, 0, syn, 1000, "")
	tests := []struct {
		name string
		do   func(s *synth)
		want func(c *Conn) bool
	}{
		{"no answer", func(s *synth) {
			s.sent(open)
			s.sent(open)
			s.call(10, -110, "connect", 3, 0x7000, 16, in(0x7000, sockaddr(theirs)))
		}, func(c *Conn) bool { return len(c.SYNs) == 2 && c.Answered == 0 }},
		{"refused", func(s *synth) {
			s.sent(open)
			s.got(segment(theirs, ours, 0, 100, rst|ack, 0, ""))
			s.call(10, -111, "connect", 3, 0x7000, 16, in(0x7000, sockaddr(theirs)))
		}, func(c *Conn) bool {
			return c.Reset != 0 && !c.ResetByUs && c.ZeroWindow == 0 && c.Local.String() == ours
		}},
		{"rejected by a router", func(s *synth) {
			s.sent(open)
			s.got(icmp("10.0.0.254", "10.0.0.2", 3, 1, open))
			s.call(10, -113, "connect", 3, 0x7000, 16, in(0x7000, sockaddr(theirs)))
		}, func(c *Conn) bool {
			return len(c.ICMP) == 1 && c.ICMP[0].Text == "host unreachable" && c.ICMP[0].From.String() == "10.0.0.254"
		}},
		{"reset by us", func(s *synth) {
			s.sent(open)
			s.got(segment(theirs, ours, 499, 100, syn|ack, 1000, ""))
			s.call(10, 0, "connect", 3, 0x7000, 16, in(0x7000, sockaddr(theirs)))
			s.sent(segment(ours, theirs, 100, 500, rst|ack, 0, ""))
		}, func(c *Conn) bool { return c.Reset != 0 && c.ResetByUs }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSynth(t)
			s.call(10, 3, "socket", 2, 1|cloexec, 0)
			tt.do(s)
			tl := s.build()
			if len(tl.Conns) != 1 || !tt.want(tl.Conns[0]) {
				t.Errorf("%+v", tl.Conns[0])
			}
			for i, p := range tl.Packets {
				if p.Conn != tl.Conns[0] {
					t.Errorf("packet %d is of no connection", i)
				}
			}
		})
	}
}

// What one process of the run sends another is seen twice, and kept once.
func TestPacketsWithinARun(t *testing.T) {
	s := newSynth(t)
	s.call(10, 4, "socket", 2, 1|cloexec, 0)
	s.call(10, 4, "accept4", 5, 0x7000, 0x7100, 0, out(0x7000, sockaddr(ours)))
	s.add(10, &event.FD{FD: 4, Link: "socket:[77]", Type: 1, Local: []byte(sockaddr(theirs)), Remote: []byte(sockaddr(ours))})
	both := func(b []byte) {
		s.sent(b)
		s.got(b)
	}
	both(segment(ours, theirs, 99, 0, syn, 1000, ""))
	both(segment(theirs, ours, 499, 100, syn|ack, 1000, ""))
	s.dial(10, 3, theirs)
	both(segment(ours, theirs, 100, 500, ack, 1000, "ping"))
	s.write(10, 3, "ping")
	both(segment(theirs, ours, 500, 104, ack, 1000, "pong"))
	s.write(10, 4, "pong")
	tl := s.build()
	got := whose(tl)
	accepted, opened := tl.Conns[0], tl.Conns[1]
	if accepted.Packets == nil || accepted.Packets != opened.Packets || opened.Again+accepted.Again != 0 {
		t.Errorf("not one connection of packets: %p %p, %d and %d sent again", accepted.Packets, opened.Packets, opened.Again, accepted.Again)
	}
	if d := cmp.Diff([]string{"out 2", "out 1", "out 2 write", "out 1 write"}, got); d != "" {
		t.Errorf("packets (-want +got):\n%s", d)
	}
}

func TestDatagrams(t *testing.T) {
	s := newSynth(t)
	s.call(10, 3, "socket", 2, 2, 0)
	s.call(10, 0, "connect", 3, 0x7000, 16, in(0x7000, sockaddr(theirs)))
	s.add(10, &event.FD{FD: 3, Link: inode, Type: 2, Local: []byte(sockaddr(ours)), Remote: []byte(sockaddr(theirs))})
	ask := datagram(ours, theirs, "ask")
	s.sent(ask)
	s.write(10, 3, "ask")
	s.got(datagram(theirs, ours, "told"))
	s.recv(10, 3, "told")
	s.got(icmp("10.0.0.1", "10.0.0.2", 3, 3, ask))
	tl := s.build()
	if d := cmp.Diff([]string{"out 1 write", "in  1 recvfrom", "in  1"}, whose(tl)); d != "" {
		t.Errorf("packets (-want +got):\n%s", d)
	}
	if c := tl.Conns[0]; !c.Carried || len(c.ICMP) != 1 || c.ICMP[0].Text != "port unreachable" {
		t.Errorf("%+v", c)
	}
}

// Packets may be anything: nothing of them is trusted.
func FuzzPackets(f *testing.F) {
	about := segment(ours, theirs, 1, 2, ack, 3, "data")
	f.Add(about, icmp("10.0.0.3", "10.0.0.2", 3, 1, about))
	f.Add(datagram(ours, theirs, "x"), icmp("10.0.0.3", "10.0.0.2", 11, 0, datagram(ours, theirs, "x")))
	f.Add([]byte{0x60}, slices.Repeat([]byte{0x45}, 60))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s := newSynth(t)
		s.dial(10, 3, theirs)
		s.write(10, 3, "data")
		for _, p := range [][]byte{a, b, a} {
			s.sent(p)
			s.got(p)
		}
		if n := len(s.build().Packets); n > 6 {
			t.Errorf("%d packets of 6", n)
		}
	})
}
