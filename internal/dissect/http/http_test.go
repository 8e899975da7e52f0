package http

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"culprit/internal/dissect"
	"culprit/internal/event"
	"culprit/internal/testkit/captest"
)

// script builds inputs from lines: ">" to the server, "<" to the client, ">."
// and "<." ends, ">#N" and "<#N" a hole of N bytes. Input i has time and ref i+1.
func script(lines ...string) (ins []dissect.Input) {
	for i, l := range lines {
		in := dissect.Input{Time: event.Time(i + 1), Ref: int64(i + 1)}
		if l[0] == '<' {
			in.Dir = dissect.ToClient
		}
		switch l = l[1:]; {
		case l == ".":
			in.End = true
		case strings.HasPrefix(l, "#"):
			fmt.Sscan(l[1:], &in.Gap)
		default:
			in.Data = []byte(l)
		}
		ins = append(ins, in)
	}
	return ins
}

// lines prints outputs, adjacent Raw joined.
func lines(outs []Output, spans bool) (list []string) {
	var rawText [2]string
	flush := func(d dissect.Dir) {
		if rawText[d] != "" {
			list = append(list, fmt.Sprintf("%s raw %q", arrow(d), rawText[d]))
			rawText[d] = ""
		}
	}
	for _, o := range outs {
		switch o.Msg.(type) {
		case Raw:
			rawText[o.Dir] += string(o.Data)
			continue
		case Head:
			continue // TestHead
		}
		flush(o.Dir)
		s := arrow(o.Dir) + " "
		switch m := o.Msg.(type) {
		case *Message:
			s += describe(m)
		case *Damage:
			s += fmt.Sprintf("damage at %d: %s (missing %d, fatal %v)", m.Offset, m.What, m.Missing, m.Fatal)
		case *NotHTTP:
			s += fmt.Sprintf("not http: %q %q", m.Looks, m.Head)
		case *Upgrade:
			s += "upgrade " + m.Protocol
		}
		if spans {
			s += fmt.Sprintf(" [%d..%d]", o.FirstRef, o.LastRef)
		}
		list = append(list, s)
	}
	flush(0)
	flush(1)
	return list
}

func arrow(d dissect.Dir) string { return string("><"[d]) }

func describe(m *Message) string {
	var b strings.Builder
	if m.Answer {
		fmt.Fprintf(&b, "%d %s #%d", m.Status, m.Reason, m.Exchange)
		if m.Request != nil && m.Early {
			fmt.Fprintf(&b, " early after %d", m.RequestSeen)
		}
	} else {
		fmt.Fprintf(&b, "%s %s #%d", m.Method, m.Target, m.Exchange)
	}
	fmt.Fprintf(&b, " %s", m.Framing)
	if m.Announced >= 0 {
		fmt.Fprintf(&b, " announced %d", m.Announced)
	}
	fmt.Fprintf(&b, " seen %d", m.Seen)
	if m.Missing > 0 {
		fmt.Fprintf(&b, " missing %d", m.Missing)
	}
	if len(m.Body) > 0 {
		fmt.Fprintf(&b, " body %q", m.Body)
	}
	if m.Decoded != nil {
		fmt.Fprintf(&b, " decoded %q", m.Decoded)
	}
	if m.DecodeErr != "" {
		fmt.Fprintf(&b, " decode error %s", m.DecodeErr)
	}
	if len(m.Trailer) > 0 {
		fmt.Fprintf(&b, " trailer %v", m.Trailer)
	}
	if !m.Complete {
		fmt.Fprintf(&b, " incomplete: %s", m.Why)
	}
	if m.Issues != nil {
		fmt.Fprintf(&b, " issues %q", m.Issues)
	}
	return b.String()
}

func packed(s string, w func(*bytes.Buffer) interface {
	Write([]byte) (int, error)
	Close() error
}) string {
	var b bytes.Buffer
	z := w(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

type closer = interface {
	Write([]byte) (int, error)
	Close() error
}

func coded(name, s string) string {
	p := packed(s, func(b *bytes.Buffer) closer {
		switch name {
		case "gzip":
			return gzip.NewWriter(b)
		case "br":
			return brotli.NewWriter(b)
		}
		z, err := zstd.NewWriter(b)
		if err != nil {
			panic(err)
		}
		return z
	})
	return fmt.Sprintf("<HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", name, len(p), p)
}

var conversations = []struct {
	name string
	in   []dissect.Input
	want []string
}{
	{"413 while the body is being sent, then the pipe breaks",
		script(">POST /api/asciicasts HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n0123456789", ">0123456789",
			"<HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno", "<.", ">abc"),
		[]string{
			`< 413 Request Entity Too Large #0 early after 20 content-length announced 2 seen 2 body "no" [3..3]`,
			`> POST /api/asciicasts #0 content-length announced 100 seen 23 body "01234567890123456789abc" incomplete: the recording ended [1..5]`,
		}},
	{"pipelining, HEAD, 204, 304",
		script(">HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\nGET /d HTTP/1.0\r\n\r\n",
			"<HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\nHTTP/1.0 200 OK\r\n\r\nto the end", "<."),
		[]string{
			"> HEAD /a #0 none seen 0 [1..1]", "> GET /b #1 none seen 0 [1..1]", "> GET /c #2 none seen 0 [1..1]", "> GET /d #3 none seen 0 [1..1]",
			"< 200 OK #0 none announced 99 seen 0 [2..2]", "< 204 No Content #1 none seen 0 [2..2]",
			"< 304 Not Modified #2 none announced 7 seen 0 [2..2]", `< 200 OK #3 until-close seen 10 body "to the end" [2..2]`,
		}},
	{"100-continue, then refused", script(">PUT /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "<HTTP/1.1 100 Continue\r\n\r\n", ">hello", "<HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
		">PUT /g HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "<HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", ">.", "<."),
		[]string{
			"< 100 Continue #0 early after 0 none seen 0 [2..2]",
			`> PUT /f #0 content-length announced 5 seen 5 body "hello" [1..3]`,
			"< 201 Created #0 content-length announced 0 seen 0 [4..4]",
			"< 417 No #1 early after 0 content-length announced 0 seen 0 [6..6]",
			"> PUT /g #1 content-length announced 5 seen 0 incomplete: the connection was closed [5..5]",
		}},
	{"chunks with extensions and trailers", script(">GET / HTTP/1.1\r\n\r\n", "<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"),
		[]string{"> GET / #0 none seen 0 [1..1]", `< 200 OK #0 chunked seen 6 body "hello!" trailer [{X-Sum 1}] [2..2]`}},
	{"body cut by close", script(">GET / HTTP/1.1\r\n\r\n", "<HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "<."),
		[]string{"> GET / #0 none seen 0 [1..1]", `< 200 OK #0 content-length announced 10 seen 3 body "abc" incomplete: the connection was closed [2..2]`}},
	{"upgrade accepted", script(">GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", ">early", "<HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00", ">x"),
		[]string{"> GET /ws #0 none seen 0 [1..1]", "< 101 Switching Protocols #0 none seen 0 [3..3]", "< upgrade websocket [3..3]", `> raw "earlyx"`, `< raw "\x81\x00"`}},
	{"upgrade refused", script(">GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", ">GET /2 HTTP/1.1\r\n\r\n", "<HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
		[]string{"> GET /ws #0 none seen 0 [1..1]", "< 200 OK #0 content-length announced 0 seen 0 [3..3]", "> GET /2 #1 none seen 0 [2..2]"}},
	{"tunnel", script(">CONNECT a:443 HTTP/1.1\r\n\r\n", "<HTTP/1.1 200 Connection established\r\n\r\n", ">\x16\x03\x01"),
		[]string{"> CONNECT a:443 #0 none seen 0 [1..1]", "< 200 Connection established #0 none seen 0 [2..2]", "< upgrade tunnel [2..2]", `> raw "\x16\x03\x01"`}},
	{"tunnel refused", script(">CONNECT a:443 HTTP/1.1\r\n\r\n", "<HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", ">CONNECT a:443 HTTP/1.1\r\n\r\n"),
		[]string{"> CONNECT a:443 #0 none seen 0 [1..1]", "< 407 Proxy Authentication Required #0 content-length announced 0 seen 0 [2..2]", "> CONNECT a:443 #1 none seen 0 [3..3]"}},
	{"hole in a body", script(">GET / HTTP/1.1\r\n\r\n", "<HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "<#4", "<hijHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
		[]string{"> GET / #0 none seen 0 [1..1]", `< 200 OK #0 content-length announced 10 seen 6 missing 4 body "abchij" incomplete: bytes missing in the recording [2..4]`, "< 404 Not Found #-1 content-length announced 0 seen 0 [4..4]"}},
	{"hole in a header, found again", script(">GET / HTTP/1.1\r\nHo", ">#9", ">st\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", ">."),
		[]string{"> GET / #0 none seen 0 incomplete: 9 bytes missing [1..1]", "> damage at 18: 9 bytes missing (missing 9, fatal false) [2..2]",
			"> GET /2 #1 none seen 0 [3..3]", "> damage at 52: 4 bytes were not understood (missing 0, fatal false) [4..4]"}},
	{"half a status line", script(">GET / HTTP/1.1\r\n\r\n", "<HTTP/1.1 413 Request Ent", "<."),
		[]string{"> GET / #0 none seen 0 [1..1]", "< 413 Request Ent #0 none seen 0 incomplete: the connection was closed [2..2]"}},
	{"not HTTP, client first", script(">EHLO me\r\n", "<250 ok\r\n"),
		[]string{`> not http: "smtp" "EHLO me\r\n" [1..1]`, `> raw "EHLO me\r\n"`, `< raw "250 ok\r\n"`}},
	{"not HTTP, never a line", script(">\x00\x01\x02", ">."),
		[]string{`> not http: "" "\x00\x01\x02" [1..1]`, `> raw "\x00\x01\x02"`}},
	{"HTTP/2", script(">PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "<\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
		[]string{`> not http: "http2" "PRI * HTTP/2.0\r\n" [1..1]`, `> raw "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"`, `< raw "\x00\x00\x00\x04\x00\x00\x00\x00\x00"`}},
	{"smuggling", script(">POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\nContent-Length: 4\r\nA : b\r\n c\r\nd\r\n\r\n0\r\n\r\n"),
		[]string{`> POST / #0 chunked announced 3 seen 0 issues ["space before a header's colon" "folded header line" "header line without a colon" "Content-Length given twice, with different values" "both Transfer-Encoding and Content-Length"] [1..1]`}},
	{"chunk overflow", script(">POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nx", ">."),
		[]string{`> POST / #0 chunked seen 0 incomplete: damaged chunk size [1..1]`, `> damage at 66: chunk size is no number: "10000000000000000" (missing 0, fatal true) [1..1]`, "> damage at 67: 1 bytes were not understood (missing 0, fatal false) [2..2]"}},
	{"bare line feeds and blank lines first", script(">\r\n\nGET / HTTP/1.1\nHost: x\n\n"),
		[]string{"> GET / #0 none seen 0 [1..1]"}},
	{"HTTP/0.9", script(">GET /old\r\n", "<just bytes", "<."),
		[]string{"> GET /old #0 none seen 0 [1..1]", `< 0  #0 until-close seen 10 body "just bytes" [2..2]`}},
	{"gzip", script(">GET / HTTP/1.1\r\n\r\n", "<HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
		[]string{"> GET / #0 none seen 0 [1..1]", `< 200 OK #0 content-length announced 3 seen 3 body "abc" decode error gzip: unexpected EOF [2..2]`}},
}

func TestConversations(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, lines(run(Options{}, c.in), true)); diff != "" {
				t.Errorf("outputs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestChunking cuts every conversation at every place: byte by byte, and in
// random pieces.
func TestChunking(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range conversations {
		want := lines(run(Options{}, c.in), true)
		for i := range 50 {
			got := lines(run(Options{}, captest.Cut(c.in, func() int {
				if i == 0 {
					return 1
				}
				return r.IntN(1 + i)
			})), true)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s, cut %d (-whole +cut):\n%s", c.name, i, diff)
			}
		}
	}
}

func TestContentCodings(t *testing.T) {
	text := strings.Repeat("culprit ", 40000)
	for _, name := range []string{"gzip", "br", "zstd"} {
		outs := run(Options{Body: 1000}, script(">GET / HTTP/1.1\r\n\r\n", coded(name, text)))
		m := outs[len(outs)-1].Msg.(*Message)
		if m.DecodeErr != "" || string(m.Decoded) != text[:1000] {
			t.Errorf("%s: %d bytes decoded, error %q", name, len(m.Decoded), m.DecodeErr)
		}
	}
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	for name, in := range map[string][]dissect.Input{
		"endless line":   script(">GET / HTTP/1.1\r\nX: "+long, ">."),
		"endless start":  script(">GET /"+long, ">."),
		"endless header": script(">GET / HTTP/1.1\r\n"+strings.Repeat("X: y\r\n", 1<<16), ">."),
		"only newlines":  script(">"+strings.Repeat("\n", 1<<20), ">."),
	} {
		c := New(Options{})
		for _, x := range in {
			for _, o := range c.Feed(x) {
				if m, ok := o.Msg.(*Message); ok && m.Complete {
					t.Errorf("%s: a complete message", name)
				}
			}
		}
		if n := cap(c.half[0].line); n > 2*maxLine {
			t.Errorf("%s: %d bytes kept", name, n)
		}
	}
	c := New(Options{})
	c.Feed(script(">" + strings.Repeat("GET / HTTP/1.1\r\n\r\n", 3*maxQueue))[0])
	if n := len(c.Unanswered()); n != maxQueue {
		t.Errorf("%d requests wait for an answer, limit %d", n, maxQueue)
	}
}

func FuzzConn(f *testing.F) {
	for _, c := range conversations {
		var a, b []byte
		for _, in := range c.in {
			if in.Dir == dissect.ToServer {
				a = append(a, in.Data...)
			} else {
				b = append(b, in.Data...)
			}
		}
		f.Add(a, b, uint64(len(a)))
	}
	f.Fuzz(func(t *testing.T, a, b []byte, seed uint64) {
		ins := []dissect.Input{
			{Time: 1, Ref: 1, Data: a[:len(a)/2]},
			{Time: 2, Ref: 2, Data: b[:len(b)/2], Dir: dissect.ToClient},
			{Time: 3, Ref: 3, Data: a[len(a)/2:], Gap: int(seed % 3), End: seed%5 == 0},
			{Time: 4, Ref: 4, Data: b[len(b)/2:], Gap: int(seed/3%3) - 1, Dir: dissect.ToClient, End: seed%7 == 0},
		}
		r := rand.New(rand.NewPCG(seed, 1))
		want := lines(run(Options{Body: 100}, ins), true)
		got := lines(run(Options{Body: 100}, captest.Cut(ins, func() int { return r.IntN(9) })), true)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cut differently (-whole +cut):\n%s", diff)
		}
	})
}

func BenchmarkUpload(b *testing.B) {
	head := []byte("POST /u HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n")
	piece := make([]byte, 16384)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		c := New(Options{})
		c.Feed(dissect.Input{Data: head})
		for range 64 {
			c.Feed(dissect.Input{Data: piece})
		}
	}
}

func BenchmarkSmall(b *testing.B) {
	req := []byte("GET /cart.json HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n")
	ans := []byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\nContent-Length: 14\r\nConnection: keep-alive\r\n\r\n{\"items\":[1]}\n")
	c := New(Options{})
	b.SetBytes(int64(len(req) + len(ans)))
	b.ReportAllocs()
	for b.Loop() {
		c.Feed(dissect.Input{Data: req})
		c.Feed(dissect.Input{Data: ans, Dir: dissect.ToClient})
	}
}

// TestHead: a request is told of when its head is complete, and its body can be
// had piece by piece.
func TestHead(t *testing.T) {
	c := New(Options{Body: -1, Pieces: true})
	var got []string
	for _, in := range script(">POST / HTTP/1.1\r\nContent-Le", ">ngth: 6\r\n\r\nab", ">cdef", "<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n", "<0\r\n\r\n") {
		for _, o := range c.Feed(in) {
			switch m := o.Msg.(type) {
			case Head:
				got = append(got, fmt.Sprintf("%d head %s%d %s", in.Ref, m.Method, m.Status, m.Framing))
			case Body:
				got = append(got, fmt.Sprintf("%d body %q of %d", in.Ref, o.Data, m.Seen))
			case *Message:
				got = append(got, fmt.Sprintf("%d whole, kept %q", in.Ref, m.Body))
			}
		}
	}
	want := []string{
		"2 head POST0 content-length", `2 body "ab" of 2`, `3 body "cdef" of 6`, `3 whole, kept ""`,
		"4 head 200 chunked", `4 body "xy" of 2`, `5 whole, kept ""`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
