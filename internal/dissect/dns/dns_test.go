package dns

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"culprit/internal/dissect"
	"culprit/internal/testkit/captest"
)

// answer is a response to api.shop.test: a CNAME, an A and an AAAA record with
// compressed names, and an OPT record with an extended error.
var answer = []byte("\x12\x34\x81\x80\x00\x01\x00\x03\x00\x00\x00\x01" +
	"\x03api\x04shop\x04test\x00\x00\x01\x00\x01" + // at 12; shop.test at 16
	"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x07\x04edge\xc0\x10" + // edge at 43
	"\xc0\x2b\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01" +
	"\xc0\x2b\x00\x1c\x00\x01\x00\x00\x00\x3c\x00\x10\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
	"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x08\x00\x0f\x00\x04\x00\x16no")

func TestParse(t *testing.T) {
	m, err := Parse(answer)
	if err != nil {
		t.Fatal(err)
	}
	want := &Message{
		ID: 0x1234, Response: true, RD: true, RA: true,
		Questions: []Question{{"api.shop.test", A, 1}},
		Answers: []Record{
			{Name: "api.shop.test", Type: CNAME, Class: 1, TTL: 60, Host: "edge.shop.test"},
			{Name: "edge.shop.test", Type: A, Class: 1, TTL: 60, Addr: netip.MustParseAddr("10.0.0.1")},
			{Name: "edge.shop.test", Type: AAAA, Class: 1, TTL: 60, Addr: netip.MustParseAddr("fd00::1")},
		},
		EDNS: &EDNS{Size: 1232, DO: true, ExtendedError: 22, ErrorText: "no"},
	}
	opts := []cmp.Option{cmpopts.IgnoreFields(Record{}, "Data"), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
	if diff := cmp.Diff(want, m, opts...); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	var n Names
	n.Add(m, 10)
	n.Put(netip.MustParseAddr("10.0.0.1"), "other.test", 20)
	got := []string{n.Name(netip.MustParseAddr("::ffff:10.0.0.1"), 15), n.Name(netip.MustParseAddr("10.0.0.1"), 5),
		n.Name(netip.MustParseAddr("10.0.0.1"), 25), n.Name(netip.MustParseAddr("fd00::1"), 15), n.Name(netip.MustParseAddr("10.0.0.2"), 15)}
	if diff := cmp.Diff([]string{"api.shop.test", "api.shop.test", "other.test", "api.shop.test", ""}, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestDamage(t *testing.T) {
	head := "\x00\x01\x80\x00\x00\x01\x00\x01\x00\x00\x00\x00"
	for name, c := range map[string]struct {
		b    string
		want error
	}{
		"header":          {head[:11], ErrShort},
		"pointer to self": {head + "\xc0\x0c\x00\x01\x00\x01", ErrName},
		"pointer ahead":   {head + "\xc0\x20\x00\x01\x00\x01", ErrName},
		"two that loop":   {head + "\x01a\xc0\x0c\x00\x01\x00\x01", ErrName},
		"long name":       {head + strings.Repeat("\x3f"+strings.Repeat("a", 63), 5) + "\x00\x00\x01\x00\x01", ErrName},
		"label type":      {head + "\x80\x00\x00\x01\x00\x01", ErrName},
		"no answer":       {head + "\x01a\x00\x00\x01\x00\x01", ErrShort},
		"short address":   {head + "\x01a\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x03abc", ErrData},
		"text past end":   {head + "\x01a\x00\x00\x01\x00\x01\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x00\x00\x03\x09bc", ErrData},
	} {
		if _, err := Parse([]byte(c.b)); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	for i := range answer {
		if m, err := Parse(answer[:i]); err == nil || m == nil && i >= 12 {
			t.Errorf("cut at %d: message %v, error %v", i, m, err)
		}
	}
}

func TestStream(t *testing.T) {
	one := append([]byte{0, byte(len(answer))}, answer...)
	two := append(append([]byte{}, one...), one...)
	for _, size := range []int{1, 3, 1000} {
		var s Stream
		n := 0
		for _, in := range captest.Cut([]dissect.Input{{Ref: 1, Data: two}, {Ref: 2, Data: one[:5], End: true}}, func() int { return size }) {
			for _, o := range s.Feed(in) {
				if o.Err == nil && o.Message.ID == 0x1234 {
					n++
				} else if n != 2 || !errors.Is(o.Err, ErrShort) {
					t.Errorf("by %d: after %d messages: %v", size, n, o.Err)
				} else {
					n += 10
				}
			}
		}
		if n != 12 {
			t.Errorf("by %d: %d", size, n)
		}
	}
}

// different lists packets where tshark's line is not the aim, and why.
var different = map[string]string{
	"tcpdump-dns-badlabel.pcap 1": "tshark prints a name of its own making and the announced count",
	"zeek-dns-edns-ecs.pcap 54":   "an IP fragment",
	"zeek-dns-edns-ecs.pcap 59":   "an IP fragment",
	"zeek-dns-edns-ecs.pcap 63":   "an IP fragment",
}

// TestSharedCaptures compares what tshark prints of each DNS datagram or TCP
// message with what is read here.
func TestSharedCaptures(t *testing.T) {
	files := captest.Shared("dns")
	if len(files) == 0 {
		t.Skip("the shared capture collection does not lie beside the repository")
	}
	good, total := 0, 0
	for _, path := range files {
		b, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".expected.json")
		if err != nil {
			t.Fatal(err)
		}
		var x struct {
			DNS struct {
				Lines int
				Head  []string
			} `json:"K-dns"`
		}
		if err := json.Unmarshal(b, &x); err != nil {
			t.Fatal(err)
		}
		c, err := captest.Read(path)
		if err != nil || len(c.Keys) > 0 {
			continue
		}
		got := map[int64][]string{}
		for _, d := range c.Datagrams {
			if m, err := Parse(d.Data); m != nil {
				got[d.Ref] = append(got[d.Ref], row(m))
				_ = err
			}
		}
		for _, conn := range c.Conns {
			var s Stream
			for _, in := range conn.Inputs {
				for _, o := range s.Feed(in) {
					if o.Message != nil {
						got[o.LastRef] = append(got[o.LastRef], row(o.Message))
					}
				}
			}
		}
		for _, l := range x.DNS.Head {
			f := append(strings.Split(l, "\t"), "", "", "", "", "", "", "", "")
			var n int64
			fmt.Sscan(f[0], &n)
			if strings.Contains(f[1], ",") {
				continue // several messages in a packet: their fields are mixed
			}
			total++
			rcode := f[3]
			want := fmt.Sprintf("%s %s %s answers %s a %s aaaa %s", f[1], rcode, f[4], f[6], f[7], f[8])
			found := false
			for _, g := range got[n] {
				found = found || g == want
			}
			if found {
				good++
				continue
			}
			if different[fmt.Sprintf("%s %d", filepath.Base(path), n)] != "" {
				continue
			}
			t.Errorf("%s packet %d:\n got  %q\n want %q", filepath.Base(path), n, got[n], want)
		}
	}
	t.Logf("%d of %d messages as tshark prints them", good, total)
}

func row(m *Message) string {
	var names, a, aaaa []string
	for _, q := range m.Questions {
		n := q.Name
		if n == "." {
			n = "<Root>"
		}
		names = append(names, n)
	}
	for _, s := range [][]Record{m.Answers, m.Authority, m.Additional} {
		for _, r := range s {
			switch {
			case r.Addr.Is4():
				a = append(a, r.Addr.String())
			case r.Addr.Is6():
				aaaa = append(aaaa, r.Addr.String())
			}
		}
	}
	rcode := ""
	if m.Response {
		rcode = fmt.Sprint(uint16(m.Rcode & 15))
	}
	answers := fmt.Sprint(len(m.Answers))
	if m.Opcode == 5 { // an update: tshark calls the section otherwise
		answers = ""
	}
	return fmt.Sprintf("0x%04x %s %s answers %s a %s aaaa %s", m.ID, rcode, strings.Join(names, ","), answers, strings.Join(a, ","), strings.Join(aaaa, ","))
}

func FuzzParse(f *testing.F) {
	f.Add(answer)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if m == nil && len(b) >= 12 {
			t.Error("no message")
		}
		if err == nil && m.Trailing < 0 {
			t.Errorf("trailing %d", m.Trailing)
		}
		if m != nil {
			var n Names
			n.Add(m, 1)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add(append([]byte{0, byte(len(answer))}, answer...), 3)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		feed := func(ins []dissect.Input) (list []string) {
			var s Stream
			for _, in := range ins {
				for _, o := range s.Feed(in) {
					b, err := json.Marshal(o.Message)
					if err != nil {
						t.Fatal(err)
					}
					list = append(list, fmt.Sprintf("%d %d %s %v", o.FirstRef, o.LastRef, b, o.Err))
				}
			}
			return list
		}
		ins := []dissect.Input{{Ref: 1, Data: b[:len(b)/2]}, {Ref: 2, Data: b[len(b)/2:], End: true}}
		whole := feed(ins)
		cut := feed(captest.Cut(ins, func() int { return size % 50 }))
		if diff := cmp.Diff(whole, cut); diff != "" {
			t.Error(diff)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(answer); err != nil {
			b.Fatal(err)
		}
	}
}
