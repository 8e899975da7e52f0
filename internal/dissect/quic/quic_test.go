package quic

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tls"
	"culprit/internal/testkit/captest"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// TestVectors has the figures of RFC 9001 appendix A and RFC 9369 appendix A.
func TestVectors(t *testing.T) {
	dcid := unhex("8394c8f03e515708")
	for v, want := range map[Version][2]string{
		V1: {"d1b1c98dd7689fb8ec11d242b123dc9b", "437b9aec36"},
		V2: {"ffe67b6abcdb4298b485dd04de806071", "94a0c95e80"},
	} {
		mask := initialKeys(v, dcid)[dissect.ToServer].hp(unhex(want[0]))
		if got := hex.EncodeToString(mask[:]); got != want[1] {
			t.Errorf("%v: mask %s, want %s", v, got, want[1])
		}
	}
	// A.5, ChaCha20-Poly1305: a packet with a short header that holds a PING.
	k, err := newKeys(V1, suiteChaCha, unhex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b"))
	if err != nil {
		t.Fatal(err)
	}
	x, ok := k.open(unhex("4cfe4189655e5cd55c41f69080575d7999c25a5bfb"), 1, 654360563)
	if !ok || x.number != 654360564 || hex.EncodeToString(x.payload) != "01" {
		t.Errorf("packet %d holds %x, %v", x.number, x.payload, ok)
	}
}

// TestNumber has the example of RFC 9000 appendix A.3, and the edges.
func TestNumber(t *testing.T) {
	for _, x := range []struct {
		largest int64
		sent    string
		want    uint64
	}{{0xa82f30ea, "9b32", 0xa82f9b32}, {-1, "00", 0}, {0xfe, "01", 0x101}, {0x101, "ff", 0xff}, {0xabe8b3, "ac5c02", 0xac5c02}} {
		if got := number(x.largest, unhex(x.sent)); got != x.want {
			t.Errorf("%x after %x is %x, want %x", x.sent, x.largest, got, x.want)
		}
	}
}

func TestAssembler(t *testing.T) {
	type part struct {
		at   uint64
		text string
		fin  bool
	}
	big := strings.Repeat("x", maxHeld)
	for name, x := range map[string]struct {
		parts []part
		want  string
	}{
		"in order":  {[]part{{0, "ab", false}, {2, "cd", true}}, "ab cd."},
		"reordered": {[]part{{4, "ef", true}, {2, "cd", false}, {0, "ab", false}}, "ab cd ef."},
		"again":     {[]part{{0, "abc", false}, {1, "bcd", false}, {0, "abcd", true}}, "abc d ."},
		"overlap":   {[]part{{2, "cdef", false}, {3, "def", false}, {0, "abcd", false}, {6, "", true}}, "abcd ef ."},
		"late end":  {[]part{{0, "", true}, {0, "more", false}}, "."},
		"a hole":    {[]part{{9, big, false}, {9 + maxHeld, "z", false}}, "#9 " + big + " z"},
	} {
		var got []string
		var a assembler
		for _, p := range x.parts {
			a.add(p.at, []byte(p.text), p.fin, func(gap int, b []byte, end bool) {
				s := string(b)
				if gap > 0 {
					s = fmt.Sprintf("#%d", gap)
				}
				if end {
					s += "."
				}
				got = append(got, s)
			})
		}
		if s := strings.Join(got, " "); s != x.want {
			t.Errorf("%s: %.80q, want %.80q", name, s, x.want)
		}
		if a.size != 0 {
			t.Errorf("%s: %d bytes held", name, a.size)
		}
	}
}

func inputs(t testing.TB, name string) ([]dissect.Input, *tls.KeyLog) {
	t.Helper()
	path := "../../wire/testdata/" + name
	c, err := captest.Read(path + ".pcap")
	if err != nil {
		t.Fatal(err)
	}
	keys := new(tls.KeyLog)
	b, err := os.ReadFile(path + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	keys.Add(b)
	var ins []dissect.Input
	for _, d := range c.Datagrams {
		in := dissect.Input{Time: d.Time, Ref: d.Ref, Data: d.Data}
		if d.Src != c.Datagrams[0].Src {
			in.Dir = dissect.ToClient
		}
		ins = append(ins, in)
	}
	return ins, keys
}

func run(keys *tls.KeyLog, ins []dissect.Input) (list []string) {
	c := New(keys)
	take := func(outs []Output) {
		for _, o := range outs {
			text := ""
			switch m := o.Msg.(type) {
			case *Packet:
				text = fmt.Sprintf("%v %v %d %v %s", m.Version, m.Type, m.Number, m.Frames, m.Why)
			case Stream:
				text = fmt.Sprintf("stream %d %q gap %d end %v", m.ID, o.Data, m.Gap, m.End)
			case Datagram:
				text = fmt.Sprintf("datagram %q", o.Data)
			case *Close:
				text = fmt.Sprintf("close %s %q", m.Name(), m.Reason)
			default:
				text = fmt.Sprintf("%T", m)
			}
			list = append(list, fmt.Sprintf("%c %s", "><"[o.Dir], text))
		}
	}
	for _, in := range ins {
		take(c.Feed(in))
	}
	take(c.Close(dissect.Input{}))
	return list
}

// TestConnection: a handshake, one question with its answer, and the end; without
// keys what its Initial packets say.
func TestConnection(t *testing.T) {
	ins, keys := inputs(t, "illustrated-quic")
	want := []string{
		"> v1 Initial 0 [6] ", "> *tls.ClientHello",
		"< v1 Initial 0 [2 6] ", "< *tls.ServerHello", "< v1 Handshake 0 [6] ", "< tls.EncryptedExtensions", "< *tls.Certificate", "< v1 Handshake 1 [6] ", "< tls.Handshake", "< tls.Finished",
		"> v1 Initial 1 [2] ", "> v1 Handshake 0 [2] ",
		"> v1 Handshake 1 [2 6] ", "> tls.Finished", `> 0x00000000 1-RTT 0 [15] `, `> stream 0 "ping" gap 0 end true`,
		"< v1 Handshake 2 [2] ", "< 0x00000000 1-RTT 0 [2 30 15] ", `< stream 0 "pong" gap 0 end true`,
		"> 0x00000000 1-RTT 1 [2] ", "< 0x00000000 1-RTT 1 [28] ", `< close NO_ERROR "graceful shutdown"`,
	}
	if d := cmp.Diff(want, run(keys, ins)); d != "" {
		t.Error(d)
	}
	blind := strings.Join(run(nil, ins), "\n")
	for _, s := range []string{"> *tls.ClientHello", "< *tls.ServerHello", "v1 Handshake 0 [] its keys are not known", "tls.Undecrypted"} {
		if !strings.Contains(blind, s) {
			t.Errorf("without keys there is no %q in\n%s", s, blind)
		}
	}
	for i := range ins { // as the network might
		swapped := append([]dissect.Input(nil), ins...)
		if i > 2 {
			swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
		}
		if got := strings.Join(run(keys, swapped), "\n"); !strings.Contains(got, `"ping"`) || !strings.Contains(got, `"pong"`) {
			t.Errorf("with packet %d before %d:\n%s", i, i-1, got)
		}
	}
}

func FuzzConn(f *testing.F) {
	for _, name := range []string{"illustrated-quic", "quic-raw-alpn-datagram-go"} {
		ins, _ := inputs(f, name)
		for i := range ins {
			f.Add(ins[i].Data, ins[min(i+1, len(ins)-1)].Data)
		}
	}
	_, keys := inputs(f, "illustrated-quic")
	f.Fuzz(func(t *testing.T, a, b []byte) {
		Plausible(a)
		run(keys, []dissect.Input{{Data: a}, {Dir: dissect.ToClient, Data: b}, {Data: b}, {Dir: dissect.ToClient, Data: a}})
	})
}

// FuzzFrames takes any bytes as the payload of a packet.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x06\x00\x03abc\x0f\x04\x02\x01x\x1c\x01\x06\x02no\x31\x01d\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New(nil)
		p := &Packet{Type: OneRTT}
		for _, d := range []dissect.Dir{dissect.ToServer, dissect.ToClient} {
			c.frames(p, &c.half[d], spaceApp, b, &dissect.Input{Dir: d})
		}
		if c.held > maxTotal || len(p.Frames) > maxFrames {
			t.Fatalf("%d bytes held, %d frames", c.held, len(p.Frames))
		}
		c.Close(dissect.Input{})
	})
}
