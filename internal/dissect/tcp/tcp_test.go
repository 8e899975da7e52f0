package tcp

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"culprit/internal/dissect"
	"culprit/internal/event"
)

var (
	client = netip.MustParseAddrPort("10.0.0.1:40000")
	server = netip.MustParseAddrPort("10.0.0.2:443")
)

// world builds the frames of one connection.
type world struct{ seq [2]uint32 }

func (w *world) frame(d dissect.Dir, off uint32, flags uint8, data string) Frame {
	f := Frame{Src: client, Dst: server, Proto: ProtoTCP, Flags: flags, Seq: w.seq[d] + off, Payload: []byte(data)}
	if d == dissect.ToClient {
		f.Src, f.Dst = server, client
	}
	return f
}

// take feeds frames and returns each direction's stream: bytes, "[N]" for
// holes, "." for the end.
func take(frames []Frame) (streams [2]string, c *Conn) {
	var a Assembler
	add := func(outs []Output) {
		for _, o := range outs {
			if o.Gap != 0 {
				streams[o.Dir] += "[" + string(rune('0'+o.Gap)) + "]"
			}
			streams[o.Dir] += string(o.Data)
			if o.End {
				streams[o.Dir] += "."
			}
		}
	}
	for i := range frames {
		x, outs := a.Feed(&frames[i], event.Time(i), int64(i))
		c = x
		add(outs)
	}
	add(a.Close())
	return streams, c
}

func TestAssemble(t *testing.T) {
	// The client's numbers wrap in the middle of the data.
	w := &world{seq: [2]uint32{0xfffffffd, 1000}}
	up := func(off uint32, flags uint8, data string) Frame { return w.frame(dissect.ToServer, off, flags, data) }
	down := func(off uint32, flags uint8, data string) Frame {
		return w.frame(dissect.ToClient, off, flags, data)
	}
	open := []Frame{up(0, SYN, ""), down(0, SYN|ACK, "")}
	for _, c := range []struct {
		name   string
		frames []Frame
		want   [2]string
	}{
		{"in order", []Frame{up(1, ACK, "abc"), up(4, ACK, "def"), up(7, FIN|ACK, ""), down(1, FIN|ACK, "x")}, [2]string{"abcdef.", "x."}},
		{"out of order, wrapping", []Frame{up(7, ACK|FIN, "ghi"), up(4, ACK, "def"), up(1, ACK, "abc")}, [2]string{"abcdefghi.", ""}},
		{"sent again", []Frame{up(1, ACK, "abc"), up(1, ACK, "abc"), up(1, ACK, "abcdef"), up(3, ACK, "cde")}, [2]string{"abcdef", ""}},
		{"overlap among held ones", []Frame{up(4, ACK, "def"), up(3, ACK, "cde"), up(5, ACK, "efg"), up(1, ACK, "ab")}, [2]string{"abcdefg", ""}},
		{"hole at the end", []Frame{up(1, ACK, "abc"), up(6, ACK, "fg"), up(8, FIN|ACK, "")}, [2]string{"abc[2]fg.", ""}},
		{"hole before FIN", []Frame{up(1, ACK, "abc"), up(6, FIN|ACK, "")}, [2]string{"abc[2].", ""}},
		{"keep-alive", []Frame{up(1, ACK, "abc"), up(3, ACK, "\x00"), up(4, ACK, "d")}, [2]string{"abcd", ""}},
		{"reset by the server", []Frame{up(1, ACK, "abc"), down(1, RST, "")}, [2]string{"abc.", "."}},
		{"reset that fits nothing", []Frame{up(1, ACK, "abc"), down(1<<30, RST, ""), up(4, ACK, "d")}, [2]string{"abcd", ""}},
		{"wild number", []Frame{up(1, ACK, "abc"), up(1<<30, ACK, "zzz"), up(4, ACK, "d")}, [2]string{"abcd", ""}},
	} {
		got, conn := take(append(slices.Clone(open), c.frames...))
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if conn.Client != client || conn.Server != server {
			t.Errorf("%s: client %v, server %v", c.name, conn.Client, conn.Server)
		}
	}
}

func TestAcknowledgedHole(t *testing.T) {
	w := &world{seq: [2]uint32{100, 200}}
	var a Assembler
	f := w.frame(dissect.ToServer, 0, SYN, "")
	a.Feed(&f, 0, 0)
	ack := w.frame(dissect.ToClient, 0, SYN|ACK, "")
	a.Feed(&ack, 0, 0)
	ack = w.frame(dissect.ToClient, 1, ACK, "")
	ack.Ack = 100 + 1 + 100
	a.Feed(&ack, 0, 0)
	gap := 0
	for i := range 20 {
		f := w.frame(dissect.ToServer, uint32(11+i), ACK, "x")
		_, outs := a.Feed(&f, event.Time(i), int64(i))
		for _, o := range outs {
			gap += o.Gap
		}
	}
	if gap != 10 {
		t.Errorf("the peer acknowledged what the capture lacks: gap %d, want 10", gap)
	}
}

func TestSamePortsAgain(t *testing.T) {
	w := &world{seq: [2]uint32{100, 200}}
	frames := []Frame{w.frame(0, 0, SYN, ""), w.frame(0, 1, ACK, "one"), w.frame(0, 4, FIN|ACK, "")}
	var a Assembler
	for i := range frames {
		a.Feed(&frames[i], 0, 0)
	}
	again := w.frame(0, 5000, SYN, "")
	c, _ := a.Feed(&again, 1, 1)
	if c.ID != 1 || c.Half[0].Bytes != 0 {
		t.Errorf("a new SYN: connection %d with %d bytes", c.ID, c.Half[0].Bytes)
	}
}

// TestShuffled sends a stream in random pieces, again and out of order: the
// bytes must come out whatever the order, as long as nothing is missing.
func TestShuffled(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	text := strings.Repeat("0123456789abcdef", 40)
	for range 200 {
		w := &world{seq: [2]uint32{r.Uint32(), 0}}
		frames := []Frame{}
		for at := 0; at < len(text); {
			n := min(1+r.IntN(40), len(text)-at)
			for range 1 + r.IntN(2) {
				from := max(0, at-r.IntN(20))
				frames = append(frames, w.frame(0, uint32(1+from), ACK, text[from:at+n]))
			}
			at += n
		}
		for i := range frames {
			if j := i + r.IntN(10); j < len(frames) {
				frames[i], frames[j] = frames[j], frames[i]
			}
		}
		got, _ := take(append([]Frame{w.frame(0, 0, SYN, "")}, frames...))
		if got[0] != text {
			t.Fatalf("got %q", got[0])
		}
	}
}

func TestBounds(t *testing.T) {
	w := &world{seq: [2]uint32{100, 200}}
	var a Assembler
	f := w.frame(0, 0, SYN, "")
	c, _ := a.Feed(&f, 0, 0)
	big := strings.Repeat("x", 60000)
	for i := range 1000 { // every second segment is missing
		f := w.frame(0, uint32(1+(2*i+1)*60000)%(32<<20), ACK, big)
		a.Feed(&f, 0, 0)
		if c.Half[0].heldSum > maxQueue+len(big) {
			t.Fatalf("%d bytes held", c.Half[0].heldSum)
		}
	}
	var many Assembler
	for i := range maxConns + 10 {
		f := Frame{Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, byte(i >> 16), byte(i >> 8), byte(i)}), 1), Dst: server, Flags: SYN, Proto: ProtoTCP}
		many.Feed(&f, 0, 0)
	}
	if len(many.conns) > maxConns || many.Evicted != 10 {
		t.Errorf("%d connections kept, %d evicted", len(many.conns), many.Evicted)
	}
}

// packet builds an Ethernet, IPv4 and TCP packet.
func packet(payload string, cut int) []byte {
	b := make([]byte, 14+20+20, 200)
	b[12], b[13] = 8, 0
	ip := b[14:]
	ip[0], ip[9] = 0x45, ProtoTCP
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(payload)))
	copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, 40000)
	binary.BigEndian.PutUint16(tcp[2:], 443)
	binary.BigEndian.PutUint32(tcp[4:], 7)
	tcp[12], tcp[13] = 5<<4, ACK
	b = append(b, payload...)
	return b[:len(b)-cut]
}

func TestDecode(t *testing.T) {
	p := packet("hello", 0)
	vlan := append(append(slices.Clone(p[:12]), 0x81, 0, 0, 7), p[12:]...)
	sll := append(append(make([]byte, 14), 8, 0), p[14:]...)
	sll2 := append(append([]byte{8, 0}, make([]byte, 18)...), p[14:]...)
	for name, c := range map[string]struct {
		link int
		b    []byte
		want string
		cut  int
		err  error
	}{
		"ethernet":     {LinkEthernet, p, "hello", 0, nil},
		"padding":      {LinkEthernet, append(slices.Clone(p), 0, 0, 0), "hello", 0, nil},
		"snap length":  {LinkEthernet, packet("hello", 2), "hel", 2, nil},
		"vlan":         {LinkEthernet, vlan, "hello", 0, nil},
		"raw":          {LinkRaw, p[14:], "hello", 0, nil},
		"loopback":     {LinkNull, append([]byte{2, 0, 0, 0}, p[14:]...), "hello", 0, nil},
		"sll":          {LinkSLL, sll, "hello", 0, nil},
		"sll2":         {LinkSLL2, sll2, "hello", 0, nil},
		"unknown link": {147, p, "", 0, ErrLink},
		"arp":          {LinkEthernet, append(append(make([]byte, 12), 8, 6), make([]byte, 28)...), "", 0, ErrNotIP},
		"short":        {LinkEthernet, p[:20], "", 0, ErrShort},
	} {
		f, err := Decode(c.link, c.b)
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: error %v, want %v", name, err, c.err)
			continue
		}
		if err == nil && (string(f.Payload) != c.want || f.Cut != c.cut || f.Src != client || f.Dst != server || f.Seq != 7) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(LinkEthernet, packet("hello", 0))
	f.Add(LinkSLL, packet("hello", 3))
	f.Add(LinkNFLog, append([]byte{2, 0, 0, 0, 60, 0, 9, 0}, packet("hello", 3)[14:]...))
	f.Add(LinkRaw, append([]byte{0x60, 0, 0, 0, 0, 8, 0, 64}, make([]byte, 60)...))
	f.Fuzz(func(t *testing.T, link int, b []byte) {
		x, err := Decode(link%300, b)
		if err == nil && (len(x.Payload) > len(b) || x.Cut < 0) {
			t.Errorf("%+v", x)
		}
	})
}

func FuzzAssemble(f *testing.F) {
	f.Add([]byte("\x00\x02\x00\x00\x00abc\x10\x10\x01\x00\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &world{seq: [2]uint32{0xfffffff0, 5}}
		var a Assembler
		var total, delivered int
		for len(b) >= 4 {
			n := min(int(b[3]&15), len(b)-4)
			x := w.frame(dissect.Dir(b[0]&1), uint32(int8(b[1]))<<(b[0]>>4), b[2], string(b[4:4+n]))
			x.Cut = int(b[0]>>1) & 3
			b = b[4+n:]
			total += n
			_, outs := a.Feed(&x, 0, 0)
			for _, o := range outs {
				delivered += len(o.Data)
				if o.Gap < 0 {
					t.Fatalf("gap %d", o.Gap)
				}
			}
		}
		for _, o := range a.Close() {
			delivered += len(o.Data)
			if o.Gap < 0 {
				t.Fatalf("gap %d", o.Gap)
			}
		}
		if delivered > total {
			t.Errorf("%d bytes delivered of %d", delivered, total)
		}
	})
}

func BenchmarkAssemble(b *testing.B) {
	w := &world{}
	data := strings.Repeat("x", 1448)
	var a Assembler
	f := w.frame(0, 0, ACK, data)
	b.SetBytes(1448)
	b.ReportAllocs()
	for b.Loop() {
		a.Feed(&f, 0, 0)
		f.Seq += 1448
	}
}

// TestFragments puts a datagram of three fragments together, whatever their
// order; one that is not complete counts as lost.
func TestFragments(t *testing.T) {
	whole := packet("hello, fragments, here", 0)[14:]
	fragment := func(from, to int, more bool) []byte {
		b := append(slices.Clone(whole[:20]), whole[20+from:20+to]...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		at := uint16(from / 8)
		if more {
			at |= 0x2000
		}
		binary.BigEndian.PutUint16(b[6:], at)
		return b
	}
	n := len(whole) - 20
	parts := [][]byte{fragment(0, 16, true), fragment(16, 32, true), fragment(24, n, false)} // the last two overlap
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}} {
		var d Decoder
		for i, k := range order {
			var f Frame
			err := d.Decode(&f, LinkRaw, parts[k], 0)
			if last := i == 2; last != (err == nil) || last && string(f.Payload) != "hello, fragments, here" {
				t.Errorf("order %v, piece %d: %v, %q", order, i, err, f.Payload)
			}
		}
		if d.Lost() != 0 {
			t.Errorf("%d lost", d.Lost())
		}
	}
	var d Decoder
	var f Frame
	if err := d.Decode(&f, LinkRaw, parts[0], 0); err != ErrFragment || d.Lost() != 1 {
		t.Errorf("%v, %d lost", err, d.Lost())
	}
}
