package tls

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect"
	"culprit/internal/testkit/captest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// lines prints outputs. The data of each direction is summed up, since where a
// piece of it is cut is of no interest.
func lines(outs []Output) (list []string) {
	var sum [3][2]int
	var text [3][2][]byte
	for _, o := range outs {
		kind := -1
		switch o.Msg.(type) {
		case AppData:
			kind = 0
		case EarlyData:
			kind = 1
		case Plain:
			kind = 2
		}
		if kind >= 0 {
			sum[kind][o.Dir]++
			text[kind][o.Dir] = append(text[kind][o.Dir], o.Data...)
			continue
		}
		list = append(list, fmt.Sprintf("%s [%d..%d] %s", o.Dir, o.FirstRef, o.LastRef, describe(o.Msg)))
	}
	for kind, name := range []string{"data", "early data", "plain"} {
		for d := range 2 {
			if b := text[kind][d]; len(b) > 0 {
				list = append(list, fmt.Sprintf("%s %s %d bytes sha256 %x", dissect.Dir(d), name, len(b), sha256.Sum256(b)))
			}
		}
	}
	return list
}

func describe(m Msg) string {
	switch m := m.(type) {
	case *ClientHello:
		return fmt.Sprintf("client hello %v %v sni %q alpn %q suites %d shares %v psk %v early %v key %v",
			m.Version, m.Versions, m.ServerName, m.ALPN, len(m.Suites), m.KeyShares, m.PSK, m.EarlyData, m.HaveKey)
	case *ServerHello:
		return fmt.Sprintf("server hello %v %v alpn %q retry %v resumed %v group %d", m.Version, m.Suite, m.ALPN, m.HelloRetry, m.Resumed, m.Group)
	case *Certificate:
		s := "certificate"
		for _, c := range m.Chain {
			if c.X509 == nil {
				s += fmt.Sprintf(" (%v)", c.Err)
				continue
			}
			s += fmt.Sprintf(" (%s, by %s, %s to %s)", c.X509.Subject, c.X509.Issuer,
				c.X509.NotBefore.Format("2006-01-02"), c.X509.NotAfter.Format("2006-01-02"))
		}
		return s
	case Alert:
		return fmt.Sprintf("alert level %d %v encrypted %v opaque %v guess %v", m.Level, m.Description, m.Encrypted, m.Opaque, m.Guess)
	case Handshake:
		return fmt.Sprintf("handshake %v (%d)", m.Type, m.Len)
	case Finished:
		return "finished"
	case *Damage:
		return fmt.Sprintf("damage at %d: %s (missing %d, fatal %v)", m.Offset, m.What, m.Missing, m.Fatal)
	}
	return fmt.Sprintf("%T %+v", m, m)
}

func captures(t testing.TB) map[string][]*captest.Conn {
	files, err := filepath.Glob("testdata/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatal("no captures in testdata: ", err)
	}
	list := map[string][]*captest.Conn{}
	for _, f := range files {
		c, err := captest.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		list[strings.TrimSuffix(filepath.Base(f), ".pcap")] = c.Conns
	}
	return list
}

func keysOf(t testing.TB, name string) *KeyLog {
	b, err := os.ReadFile("testdata/" + name + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	k := new(KeyLog)
	k.Add(b)
	return k
}

func TestGolden(t *testing.T) {
	for name, conns := range captures(t) {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for i, c := range conns {
				_, outs := plaintext(keysOf(t, name), c.Inputs)
				fmt.Fprintf(&b, "connection %d\n", i)
				for _, l := range lines(outs) {
					b.WriteString(l + "\n")
				}
				_, outs = plaintext(nil, c.Inputs)
				fmt.Fprintf(&b, "connection %d without keys\n", i)
				for _, l := range lines(outs) {
					b.WriteString(l + "\n")
				}
			}
			file := "testdata/" + name + ".txt"
			if *update {
				if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("outputs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestChunking cuts the captures' streams anew: byte by byte, in small and in
// large pieces. What comes out must not change.
func TestChunking(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, conns := range captures(t) {
		keys := keysOf(t, name)
		for _, c := range conns {
			_, whole := plaintext(keys, c.Inputs)
			want := lines(whole)
			for _, size := range []int{1, 2, 7, 1000} {
				_, outs := plaintext(keys, captest.Cut(c.Inputs, func() int { return 1 + r.IntN(size) }))
				if diff := cmp.Diff(want, lines(outs)); diff != "" {
					t.Errorf("%s cut in pieces of up to %d (-whole +cut):\n%s", name, size, diff)
				}
			}
		}
	}
}

func TestHoles(t *testing.T) {
	conns := captures(t)["tls13-chacha20-openssl"]
	keys := keysOf(t, "tls13-chacha20-openssl")
	ins := conns[0].Inputs
	full, _ := plaintext(keys, ins)
	// Take out a whole segment from the middle of a record: that record is
	// lost, the rest must still decrypt.
	at, big := -1, 0
	for i := range ins {
		if len(ins[i].Data) > 1000 && ins[i].Dir == dissect.ToClient {
			if big++; big == 6 {
				at = i
			}
		}
	}
	if at < 0 || ins[at+1].Dir != dissect.ToClient {
		t.Fatal("the capture is not what the test is made for")
	}
	after := ins[at+1]
	after.Gap = len(ins[at].Data)
	cut := append(append(append([]dissect.Input{}, ins[:at]...), after), ins[at+2:]...)
	text, outs := plaintext(keys, cut)
	var missing int
	for _, o := range outs {
		if d, ok := o.Msg.(*Damage); ok {
			if d.Fatal {
				t.Errorf("fatal: %s", d.What)
			}
			missing += d.Missing
		}
	}
	got, want := len(text[1]), len(full[1])
	// The inner content type is a byte of the plaintext that is no data.
	if missing == 0 || got+missing-1 != want || string(text[0]) != string(full[0]) {
		t.Errorf("%d bytes decrypted, %d missing, %d without the hole", got, missing, want)
	}
	// A hole of unknown size ends the direction.
	cut[at].Gap = -1
	text, outs = plaintext(keys, cut)
	fatal := false
	for _, o := range outs {
		if d, ok := o.Msg.(*Damage); ok && d.Fatal && o.Dir == dissect.ToClient {
			fatal = true
		}
	}
	if !fatal || len(text[1]) >= want {
		t.Errorf("a hole of unknown size: fatal %v, %d bytes", fatal, len(text[1]))
	}
}

func TestNotTLS(t *testing.T) {
	for _, c := range []struct {
		name, server string
		want         []string
	}{
		{"http", "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", []string{
			`http "HTTP/1.1 400 Bad Request\r\n"`, `damage at 0: record cut short: 3 bytes of its header (missing 0, fatal true)`}},
		{"smtp", "220 mail ESMTP\r\n", []string{
			`smtp "220 mail ESMTP\r\n"`, `damage at 0: record cut short: 3 bytes of its header (missing 0, fatal true)`}},
		{"short", "\x00", []string{` "\x00"`, `damage at 0: record cut short: 3 bytes of its header (missing 0, fatal true)`}},
	} {
		for _, size := range []int{1, 100} {
			ins := captest.Cut([]dissect.Input{
				{Dir: dissect.ToServer, Data: []byte{22, 3, 1}},
				{Dir: dissect.ToClient, Data: []byte(c.server), End: true},
			}, func() int { return size })
			conn := New(nil)
			var got []string
			var plain string
			take := func(outs []Output) {
				for _, o := range outs {
					switch m := o.Msg.(type) {
					case *NotTLS:
						got = append(got, fmt.Sprintf("%s %q", m.Looks, m.Head))
					case Plain:
						plain += string(o.Data)
					default:
						got = append(got, strings.Replace(describe(m), "damage at 3", "damage at 0", 1))
					}
				}
			}
			for _, in := range ins {
				take(conn.Feed(in))
			}
			take(conn.Close())
			if diff := cmp.Diff(c.want, got); diff != "" || plain != c.server {
				t.Errorf("%s by %d: plain %q (-want +got):\n%s", c.name, size, plain, diff)
			}
		}
	}
}

func TestKeyLog(t *testing.T) {
	r1, r2 := strings.Repeat("0a", 32), strings.Repeat("0B", 32)
	s48, s32 := strings.Repeat("01", 48), strings.Repeat("02", 32)
	var k KeyLog
	k.Add([]byte("# c\r\n\r\nCLIENT_RANDOM " + r1 + " " + s48 + "\r\n" +
		"CLIENT_RANDOM " + r1 + " " + s48 + "\n" + // again
		"CLIENT_RANDOM " + r1 + " " + strings.Repeat("03", 48) + "\n" + // another
		"CLIENT_RANDOM " + r1 + " " + s32 + "\n" + // no master secret
		"EXPORTER_SECRET " + r1 + " " + s32 + "\n" +
		"CLIENT_TRAFFIC_SECRET_1 " + r1 + " " + s32 + "\n" +
		"SERVER_TRAFFIC_SECRET_0 " + r2 + " " + s32 + "\n" +
		"garbage\nFOO bar baz\nCLIENT_RANDOM zz 00\nCLIENT_RANDOM " + r1))
	k.Add([]byte("CLIENT_TRAFFIC_SECRET_0 " + strings.ToLower(r2) + " " + s32)) // a second source, no newline
	type counts struct{ sessions, lines, unused, garbage, conflicts int }
	got := counts{k.Sessions(), k.Lines, k.Unused, k.Garbage, k.Conflicts}
	if want := (counts{2, 4, 2, 5, 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if b := k.get(Random([]byte(strings.Repeat("\x0a", 32))), master); len(b) != 48 || b[0] != 1 {
		t.Errorf("master secret %x", b)
	}
}

// TestSuiteNames holds the table to its promise: every name can be read.
func TestSuiteNames(t *testing.T) {
	for s, name := range suiteNames {
		_, ok := s.params()
		known := !strings.Contains(name, "SCSV")
		for _, x := range []string{"ARIA", "SEED", "IDEA", "DES40", "WITH_DES_", "RC4_40", "NULL_WITH_NULL"} {
			known = known && !strings.Contains(name, x)
		}
		if ok != known {
			t.Errorf("%04x %s: understood %v, want %v", uint16(s), name, ok, known)
		}
	}
}

func FuzzConn(f *testing.F) {
	keys := new(KeyLog)
	for name, conns := range captures(f) {
		b, err := os.ReadFile("testdata/" + name + ".keys")
		if err != nil {
			f.Fatal(err)
		}
		keys.Add(b)
		for _, c := range conns {
			var s [2][]byte
			for _, in := range c.Inputs {
				s[in.Dir] = append(s[in.Dir], in.Data...)
			}
			f.Add(s[0][:min(len(s[0]), 4096)], s[1][:min(len(s[1]), 4096)], uint64(len(s[0])))
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		x, y := 0, 0
		if len(a) > 0 {
			x = r.IntN(len(a))
		}
		if len(b) > 0 {
			y = r.IntN(len(b))
		}
		ins := []dissect.Input{
			{Ref: 1, Data: a[:x]},
			{Ref: 2, Data: b[:y], Dir: dissect.ToClient},
			{Ref: 3, Data: a[x:], Gap: int(seed % 4), End: seed%5 == 0},
			{Ref: 4, Data: b[y:], Gap: int(seed/4%4) - 1, Dir: dissect.ToClient, End: seed%7 == 0},
		}
		_, whole := plaintext(keys, ins)
		_, cut := plaintext(keys, captest.Cut(ins, func() int { return 1 + r.IntN(600) }))
		if diff := cmp.Diff(lines(whole), lines(cut)); diff != "" {
			t.Errorf("cut differently (-whole +cut):\n%s", diff)
		}
	})
}

func FuzzKeyLog(f *testing.F) {
	f.Add([]byte("CLIENT_RANDOM " + strings.Repeat("0a", 32) + " " + strings.Repeat("01", 48) + "\n# x\r\nFOO\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var k KeyLog
		k.Add(b)
		n := k.Lines + k.Unused + k.Garbage + k.Conflicts + k.Dropped
		want := 0
		for l := range strings.SplitSeq(string(b), "\n") {
			if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
				want++
			}
		}
		if n != want {
			t.Errorf("%d lines counted of %d", n, want)
		}
	})
}
