package wireshark

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/casefile"
	"culprit/internal/dissect"
	"culprit/internal/dissect/tcp"
	"culprit/internal/event"
	"culprit/internal/pcapng"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

const (
	stream   = 1 // SOCK_STREAM
	datagram = 2 // SOCK_DGRAM
)

var curl = &timeline.Process{PID: 70, Argv: []string{"/usr/bin/curl"}}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// sum is the one's complement sum of RFC 1071, written another way than the
// code's: over 16-bit words of everything that a checksum covers.
func sum(parts ...[]byte) uint16 {
	var s uint64
	for _, p := range parts {
		if len(p)%2 == 1 {
			p = append(p[:len(p):len(p)], 0)
		}
		for i := 0; i < len(p); i += 2 {
			s += uint64(binary.BigEndian.Uint16(p[i:]))
		}
	}
	return uint16((s-1)%0xffff + 1) // 0xffff for every multiple of it but 0
}

// verify checks the lengths and checksums of an IP packet and returns its frame.
func verify(t *testing.T, b []byte) tcp.Frame {
	t.Helper()
	f, err := tcp.Decode(tcp.LinkRaw, b)
	if err != nil {
		t.Fatalf("%v: % x", err, b)
	}
	var src, dst, seg []byte
	switch b[0] >> 4 {
	case 4:
		if n := int(binary.BigEndian.Uint16(b[2:])); n != len(b) {
			t.Errorf("total length %d of a packet of %d bytes", n, len(b))
		}
		if s := sum(b[:20]); s != 0xffff {
			t.Errorf("header checksum: sum is %#x", s)
		}
		src, dst, seg = b[12:16], b[16:20], b[20:]
	case 6:
		if n := int(binary.BigEndian.Uint16(b[4:])); n != len(b)-40 {
			t.Errorf("payload length %d of %d bytes", n, len(b)-40)
		}
		src, dst, seg = b[8:24], b[24:40], b[40:]
	default:
		t.Fatalf("version %d", b[0]>>4)
	}
	pseudo := binary.BigEndian.AppendUint32(nil, uint32(len(seg)))
	pseudo = append(pseudo, 0, 0, 0, f.Proto)
	if s := sum(src, dst, pseudo, seg); s != 0xffff {
		t.Errorf("checksum: sum is %#x", s)
	}
	if f.Proto == protoUDP && binary.BigEndian.Uint16(seg[6:]) == 0 {
		t.Error("a datagram without a checksum") // RFC 768: it is sent as all ones
	}
	return f
}

// line shows a packet: time, direction flag, ends, TCP flags, numbers, length.
func line(t *testing.T, p *casefile.Packet) string {
	f := verify(t, p.Data)
	way := map[pcapng.Direction]string{pcapng.Inbound: "in", pcapng.Outbound: "out"}[p.Direction]
	if f.Proto == protoUDP {
		return fmt.Sprintf("%d %s udp %v>%v %q", p.Time, way, f.Src, f.Dst, f.Payload)
	}
	flags := ""
	for i, name := range "FSRPA" {
		if f.Flags&(1<<i) != 0 {
			flags += string(name)
		}
	}
	data := string(f.Payload)
	if len(data) > 20 {
		data = fmt.Sprintf("%s...(%d)", data[:5], len(data))
	}
	return fmt.Sprintf("%d %s %v>%v %s seq=%d ack=%d %q", p.Time, way, f.Src, f.Dst, flags, f.Seq, f.Ack, data)
}

func TestPackets(t *testing.T) {
	call := &timeline.Call{Proc: curl, TID: 71, Enter: 30, Raw: raw(t, "recvfrom", -104)}
	tests := []struct {
		name string
		conn timeline.Conn
		want string
	}{
		{
			"client",
			timeline.Conn{
				Type: stream, Opened: 10, Local: addr("10.0.0.2:40000"), Remote: addr("10.0.0.1:80"), EOF: 25,
				Segments: []timeline.Segment{
					{Time: 12, Dir: dissect.ToServer, Data: []byte("GET")},
					{Time: 20, Dir: dissect.ToClient, Data: []byte("hello")},
				},
			},
			`10 out 10.0.0.2:40000>10.0.0.1:80 S seq=0 ack=0 ""
10 in 10.0.0.1:80>10.0.0.2:40000 SA seq=0 ack=1 ""
10 out 10.0.0.2:40000>10.0.0.1:80 A seq=1 ack=1 ""
12 out 10.0.0.2:40000>10.0.0.1:80 PA seq=1 ack=1 "GET"
20 in 10.0.0.1:80>10.0.0.2:40000 PA seq=1 ack=4 "hello"
25 in 10.0.0.1:80>10.0.0.2:40000 FA seq=6 ack=4 ""
`,
		},
		{
			// The program is the server: it receives what goes to the server.
			"accepted",
			timeline.Conn{
				Type: stream, Accepted: true, Opened: 10, Local: addr("10.0.0.1:80"), Remote: addr("10.0.0.9:5000"), EOF: 30,
				Segments: []timeline.Segment{
					{Time: 12, Dir: dissect.ToServer, Data: []byte("GET")},
					{Time: 20, Dir: dissect.ToClient, Data: []byte("hello")},
				},
			},
			`10 in 10.0.0.9:5000>10.0.0.1:80 S seq=0 ack=0 ""
10 out 10.0.0.1:80>10.0.0.9:5000 SA seq=0 ack=1 ""
10 in 10.0.0.9:5000>10.0.0.1:80 A seq=1 ack=1 ""
12 in 10.0.0.9:5000>10.0.0.1:80 PA seq=1 ack=1 "GET"
20 out 10.0.0.1:80>10.0.0.9:5000 PA seq=1 ack=4 "hello"
30 in 10.0.0.9:5000>10.0.0.1:80 FA seq=4 ack=6 ""
`,
		},
		{
			"hole",
			timeline.Conn{
				Type: stream, Opened: 1, Local: addr("10.0.0.2:40000"), Remote: addr("10.0.0.1:80"),
				Segments: []timeline.Segment{
					{Time: 2, Dir: dissect.ToServer, Data: []byte("ab"), Gap: 1000},
					{Time: 3, Dir: dissect.ToServer, Data: []byte("cd")},
					{Time: 4, Dir: dissect.ToClient, Gap: 5},
					{Time: 5, Dir: dissect.ToClient, Data: []byte("ok")},
				},
			},
			`1 out 10.0.0.2:40000>10.0.0.1:80 S seq=0 ack=0 ""
1 in 10.0.0.1:80>10.0.0.2:40000 SA seq=0 ack=1 ""
1 out 10.0.0.2:40000>10.0.0.1:80 A seq=1 ack=1 ""
2 out 10.0.0.2:40000>10.0.0.1:80 PA seq=1 ack=1 "ab"
3 out 10.0.0.2:40000>10.0.0.1:80 PA seq=1003 ack=1 "cd"
5 in 10.0.0.1:80>10.0.0.2:40000 PA seq=6 ack=1005 "ok"
`,
		},
		{
			"IPv6, odd length, reset",
			timeline.Conn{
				Type: stream, Opened: 1, Local: addr("[2001:db8::2]:40000"), Remote: addr("[2001:db8::1]:443"),
				Errno: 104, Failed: call,
				Segments: []timeline.Segment{{Time: 2, Dir: dissect.ToServer, Data: []byte("abc")}},
			},
			`1 out [2001:db8::2]:40000>[2001:db8::1]:443 S seq=0 ack=0 ""
1 in [2001:db8::1]:443>[2001:db8::2]:40000 SA seq=0 ack=1 ""
1 out [2001:db8::2]:40000>[2001:db8::1]:443 A seq=1 ack=1 ""
2 out [2001:db8::2]:40000>[2001:db8::1]:443 PA seq=1 ack=1 "abc"
37 in [2001:db8::1]:443>[2001:db8::2]:40000 RA seq=1 ack=4 ""
`,
		},
		{
			"IPv4 in IPv6 sockets",
			timeline.Conn{
				Type: datagram, Local: addr("[::ffff:10.0.0.2]:40000"), Remote: addr("[::ffff:10.0.0.1]:53"),
				Segments: []timeline.Segment{{Time: 2, Dir: dissect.ToServer, Data: []byte("q")}, {Time: 3, Dir: dissect.ToClient, Data: []byte("answer")}},
			},
			`2 out udp 10.0.0.2:40000>10.0.0.1:53 "q"
3 in udp 10.0.0.1:53>10.0.0.2:40000 "answer"
`,
		},
		{
			"own address unknown",
			timeline.Conn{
				ID: 7, Type: datagram, Remote: addr("[2001:db8::1]:53"),
				Segments: []timeline.Segment{{Time: 2, Dir: dissect.ToServer, Data: []byte("q")}},
			},
			`2 out udp [::]:40007>[2001:db8::1]:53 "q"
`,
		},
		{"nothing was said", timeline.Conn{Type: stream, Remote: addr("10.0.0.1:80")}, ""},
		{"a Unix socket", timeline.Conn{Type: stream, Path: "/run/x", Segments: []timeline.Segment{{Data: []byte("x")}}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.conn.Proc = curl
			var got strings.Builder
			for _, p := range packets(&tt.conn) {
				fmt.Fprintln(&got, line(t, &p))
			}
			if d := cmp.Diff(tt.want, got.String()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func raw(t *testing.T, name string, ret int64) *event.Syscall {
	t.Helper()
	nr, ok := sysabi.Number(event.ArchX8664, name)
	if !ok {
		t.Fatal(name)
	}
	return &event.Syscall{Arch: event.ArchX8664, NR: nr, Ret: ret, Dur: 7}
}

// Large transfers come out of a reassembly as they went in, of whatever sizes
// the calls were; each packet names the thread and the call.
func TestReassembly(t *testing.T) {
	call := &timeline.Call{Proc: curl, TID: 71, Raw: raw(t, "sendto", 1)}
	c := timeline.Conn{Proc: curl, Type: stream, Opened: 1, Local: addr("[fe80::2]:1"), Remote: addr("[fe80::1]:2")}
	var want [2]strings.Builder
	for i, n := range []int{1, segmentSize - 1, segmentSize, segmentSize + 1, 3*segmentSize + 17, 250_000} {
		d := dissect.Dir(i % 2)
		data := []byte(strings.Repeat(string(rune('a'+i)), n))
		want[d].Write(data)
		c.Segments = append(c.Segments, timeline.Segment{Time: event.Time(i + 2), Dir: d, Data: data, Call: call})
	}
	c.Segments = append(c.Segments, timeline.Segment{Time: 99, Dir: dissect.ToClient, Data: []byte("unread"), Unread: true})
	want[dissect.ToClient&1].WriteString("unread")

	var asm tcp.Assembler
	var got [2]strings.Builder
	take := func(outs []tcp.Output) {
		for _, o := range outs {
			if o.Gap > 0 {
				t.Errorf("%d bytes are missing", o.Gap)
			}
			got[o.Dir&1].Write(o.Data)
		}
	}
	all := packets(&c)
	for i := range all {
		p := &all[i]
		f := verify(t, p.Data)
		if len(p.Data) > 1<<16-1 {
			t.Errorf("a packet of %d bytes", len(p.Data))
		}
		_, outs := asm.Feed(&f, p.Time, int64(i))
		take(outs)
		switch {
		case p.PID != 70:
			t.Errorf("packet %d is of process %d", i, p.PID)
		case len(f.Payload) == 0:
		case p.Time == 99:
			if d := cmp.Diff([]string{"found in the receive queue: the program never read it"}, p.Comments); d != "" {
				t.Error(d)
			}
		default:
			if d := cmp.Diff([]string{"curl[71] sendto()"}, p.Comments); d != "" || p.TID != 71 {
				t.Errorf("TID %d\n%s", p.TID, d)
			}
		}
	}
	take(asm.Close())
	for d := range want {
		if want[d].String() != got[d].String() {
			t.Errorf("direction %d: %d bytes came out of %d, or others", d, got[d].Len(), want[d].Len())
		}
	}
}

// A datagram is one packet, however long, and always has a checksum.
func TestDatagrams(t *testing.T) {
	c := timeline.Conn{Proc: curl, Type: datagram, Local: addr("[2001:db8::2]:1"), Remote: addr("[2001:db8::1]:53")}
	for i := range 1 << 16 { // one of these has the sum 0xffff
		c.Segments = append(c.Segments, timeline.Segment{Time: event.Time(i), Data: []byte{byte(i >> 8), byte(i)}})
	}
	c.Segments = append(c.Segments, timeline.Segment{Data: make([]byte, 60_000)})
	all := packets(&c)
	if len(all) != len(c.Segments) {
		t.Fatalf("%d packets of %d datagrams", len(all), len(c.Segments))
	}
	for i := range all {
		if f := verify(t, all[i].Data); len(f.Payload) != len(c.Segments[i].Data) {
			t.Fatalf("datagram %d has %d bytes, want %d", i, len(f.Payload), len(c.Segments[i].Data))
		}
	}
}

func BenchmarkPackets(b *testing.B) {
	c := timeline.Conn{Proc: curl, Type: stream, Opened: 1, Local: addr("10.0.0.2:1"), Remote: addr("10.0.0.1:2")}
	for i := range 100 {
		c.Segments = append(c.Segments, timeline.Segment{Time: event.Time(i), Dir: dissect.ToServer, Data: make([]byte, 16406)})
	}
	b.SetBytes(100 * 16406)
	b.ReportAllocs()
	for b.Loop() {
		packets(&c)
	}
}
