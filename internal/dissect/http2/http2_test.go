package http2

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/event"
	"culprit/internal/testkit/captest"
)

// peer writes the frames of one direction.
type peer struct {
	buf bytes.Buffer
	enc *hpack.Encoder
}

func newPeer() *peer {
	p := new(peer)
	p.enc = hpack.NewEncoder(&p.buf)
	return p
}

func frame(kind, flags byte, id uint32, payload string) string {
	b := binary.BigEndian.AppendUint32([]byte{0, 0, 0, kind, flags}, id)
	b[0], b[1], b[2] = byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload))
	return string(b) + payload
}

// block encodes "name value" fields.
func (p *peer) block(fields ...string) string {
	p.buf.Reset()
	for _, f := range fields {
		name, value, _ := strings.Cut(f, " ")
		p.enc.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	return p.buf.String()
}

func (p *peer) headers(flags byte, id uint32, fields ...string) string {
	return frame(frameHeaders, flags|flagEndHeaders, id, p.block(fields...))
}

func (p *peer) get(id uint32, path string) string {
	return p.headers(flagEndStream, id, ":method GET", ":scheme https", ":authority shop.test", ":path "+path)
}

var settings = frame(frameSettings, 0, 0, "")

func u32(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

// talk is a dialogue: ">" to the server, "<" to the client, "#N" a hole, "." an
// end; the settings of both come first.
func talk(lines ...string) (ins []dissect.Input) {
	for i, l := range append([]string{">" + preface + settings, "<" + settings}, lines...) {
		in := dissect.Input{Time: event.Time(i), Ref: int64(i)}
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

// run prints what a dialogue gives, but for heads and pieces of bodies.
func run(ins []dissect.Input) (list []string) {
	c := New(http.Options{Body: 100, Pieces: true})
	pieces := map[*http.Message]int64{}
	take := func(outs []Output) {
		for _, o := range outs {
			text := ""
			switch m := o.Msg.(type) {
			case http.Head:
				continue
			case http.Body:
				pieces[m.Message] += int64(len(o.Data))
				continue
			case *http.Message:
				if text = describe(m); pieces[m] != m.Seen {
					text += fmt.Sprintf(" BUT %d in pieces", pieces[m])
				}
			case *Reset:
				text = fmt.Sprintf("reset %d %v #%d", m.Stream, m.Code, m.Exchange)
			case *GoAway:
				text = fmt.Sprintf("goaway %d %v %q", m.Last, m.Code, m.Debug)
			case *http.Damage:
				text = fmt.Sprintf("damage at %d: %s (missing %d, fatal %v)", m.Offset, m.What, m.Missing, m.Fatal)
			}
			list = append(list, fmt.Sprintf("%c %s [%d..%d]", "><"[o.Dir], text, o.FirstRef, o.LastRef))
		}
	}
	for _, in := range ins {
		take(c.Feed(in))
	}
	take(c.Close(dissect.Input{Time: 99, Ref: 99}))
	return list
}

func describe(m *http.Message) string {
	s := fmt.Sprintf("#%d %s %s%s", m.Exchange, m.Version, m.Method, m.Target)
	if m.Answer {
		s = fmt.Sprintf("#%d %s %d", m.Exchange, m.Version, m.Status)
		if m.Request != nil {
			s += " to " + m.Request.Target
		}
		if m.Early {
			s += fmt.Sprintf(" early after %d", m.RequestSeen)
		}
	}
	body := m.Body
	if m.Decoded != nil {
		body = m.Decoded
	}
	s += fmt.Sprintf(" %v %s %q", m.Header, m.Framing, body)
	if m.Trailer != nil {
		s += fmt.Sprintf(" trailer %v", m.Trailer)
	}
	if m.Missing > 0 {
		s += fmt.Sprintf(" missing %d", m.Missing)
	}
	if !m.Complete {
		s += " incomplete: " + m.Why
	}
	for _, i := range m.Issues {
		s += " issue: " + i
	}
	return s
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

// dialogue is a test: c and s write the client's and the server's headers.
type dialogue struct {
	name  string
	lines func(c, s *peer) []string
	want  []string
}

var dialogues = []dialogue{
	{"two streams, interleaved", func(c, s *peer) []string {
		return []string{">" + c.get(1, "/a") + c.get(3, "/b"), "<" + s.headers(0, 3, ":status 200", "content-length 2"), "<" + s.headers(0, 1, ":status 404"),
			"<" + frame(frameData, flagEndStream, 3, "bb"), "<" + frame(frameData, 0, 1, "no") + frame(frameData, flagEndStream, 1, "")}
	}, []string{`> #0 HTTP/2 GET/a [{host shop.test}] none "" [2..2]`, `> #1 HTTP/2 GET/b [{host shop.test}] none "" [2..2]`,
		`< #1 HTTP/2 200 to /b [{content-length 2}] end-stream "bb" [3..5]`, `< #0 HTTP/2 404 to /a [] end-stream "no" [4..6]`}},
	{"an upload refused, padded and with a priority", func(c, s *peer) []string {
		h := c.block(":method POST", ":authority shop.test", ":path /up", "content-length 9", "cookie a=1", "cookie b=2")
		return []string{">" + frame(frameHeaders, flagEndHeaders|flagPadded|flagPriority, 1, "\x03\x00\x00\x00\x00\x10"+h+"\x00\x00\x00"),
			">" + frame(frameData, flagPadded, 1, "\x02abc\x00\x00"), "<" + s.headers(flagEndStream, 1, ":status 413"), "<" + frame(frameRstStream, 0, 1, u32(0))}
	}, []string{`< #0 HTTP/2 413 to /up early after 3 [] none "" [4..4]`,
		`> #0 HTTP/2 POST/up [{host shop.test} {content-length 9} {cookie a=1; b=2}] end-stream "abc" incomplete: the server reset the stream: NO_ERROR [2..3]`,
		`< reset 1 NO_ERROR #0 [5..5]`}},
	{"CONTINUATION, 103, trailer, gzip", func(c, s *peer) []string {
		h := c.block(":method GET", ":path /x", "host other.test")
		return []string{">" + frame(frameHeaders, flagEndStream, 1, h[:3]), ">" + frame(frameContinuation, 0, 1, "") + frame(frameContinuation, flagEndHeaders, 1, h[3:]),
			"<" + s.headers(0, 1, ":status 103", "link </a.css>"), "<" + s.headers(0, 1, ":status 200", "content-encoding gzip"),
			"<" + frame(frameData, 0, 1, zipped("hello")), "<" + s.headers(flagEndStream, 1, "grpc-status 5")}
	}, []string{`> #0 HTTP/2 GET/x [{host other.test}] none "" [2..3]`, `< #0 HTTP/2 103 to /x [{link </a.css>}] none "" [4..4]`,
		`< #0 HTTP/2 200 to /x [{content-encoding gzip}] end-stream "hello" trailer [{grpc-status 5}] [5..7]`}},
	{"refused stream and GOAWAY", func(c, _ *peer) []string {
		return []string{">" + c.get(1, "/"), "<" + frame(frameRstStream, 0, 1, u32(7)), "<" + frame(frameGoAway, 0, 0, u32(1)+u32(11)+"slow down"), "<.", ">."}
	}, []string{`> #0 HTTP/2 GET/ [{host shop.test}] none "" [2..2]`, `< reset 1 REFUSED_STREAM #0 [3..3]`, `< goaway 1 ENHANCE_YOUR_CALM "slow down" [4..4]`}},
	{"push: the promise keeps the compression in step", func(c, s *peer) []string {
		return []string{">" + c.get(1, "/"), "<" + frame(framePushPromise, flagEndHeaders, 1, u32(2)+s.block(":method GET", ":path /p.css", "x-a b")),
			"<" + s.headers(flagEndStream, 2, ":status 200", "x-a b"), "<" + s.headers(flagEndStream, 1, ":status 204", "x-a b")}
	}, []string{`> #0 HTTP/2 GET/ [{host shop.test}] none "" [2..2]`, `< #-1 HTTP/2 200 to /p.css [{x-a b}] none "" [4..4]`, `< #0 HTTP/2 204 to / [{x-a b}] none "" [5..5]`}},
	{"a hole in a body", func(c, s *peer) []string {
		f := frame(frameData, flagEndStream, 1, "abcdef")
		return []string{">" + c.get(1, "/"), "<" + s.headers(0, 1, ":status 200"), "<" + f[:11], "<#2", "<" + f[13:]}
	}, []string{`> #0 HTTP/2 GET/ [{host shop.test}] none "" [2..2]`,
		`< #0 HTTP/2 200 to / [] end-stream "abef" missing 2 incomplete: bytes missing in the recording [3..6]`}},
	{"a hole between frames", func(c, s *peer) []string {
		return []string{">" + c.get(1, "/"), "<" + s.headers(0, 1, ":status 200"), "<#20", "<" + s.headers(flagEndStream, 1, "a b"), ">" + c.get(3, "/2")}
	}, []string{`> #0 HTTP/2 GET/ [{host shop.test}] none "" [2..2]`, `< #0 HTTP/2 200 to / [] end-stream "" incomplete: 20 bytes missing [3..3]`,
		`< damage at 19: 20 bytes missing, and with them the state of the header compression (missing 20, fatal true) [4..4]`,
		`> #1 HTTP/2 GET/2 [{host shop.test}] none "" [6..6]`, `< damage at 53: 14 bytes were not understood (missing 0, fatal false) [99..99]`}},
	{"cut short", func(c, s *peer) []string {
		return []string{">" + c.get(1, "/"), "<" + s.headers(0, 1, ":status 200", "content-length 5") + frame(frameData, 0, 1, "abc"), "<."}
	}, []string{`> #0 HTTP/2 GET/ [{host shop.test}] none "" [2..2]`,
		`< #0 HTTP/2 200 to / [{content-length 5}] end-stream "abc" incomplete: the connection was closed [3..3]`}},
	{"fewer bytes than announced", func(c, s *peer) []string {
		return []string{">" + c.get(1, "/"), "<" + s.headers(0, 1, ":status 200", "content-length 5") + frame(frameData, flagEndStream, 1, "abc")}
	}, []string{`> #0 HTTP/2 GET/ [{host shop.test}] none "" [2..2]`,
		`< #0 HTTP/2 200 to / [{content-length 5}] end-stream "abc" incomplete: the stream ended after 3 of 5 bytes [3..3]`}},
	{"CONNECT", func(c, _ *peer) []string {
		return []string{">" + c.headers(0, 1, ":method CONNECT", ":authority db.test:5432")}
	}, []string{`> #0 HTTP/2 CONNECTdb.test:5432 [{host db.test:5432}] end-stream "" incomplete: the recording ended [2..2]`}},
	{"an answer without its request", func(_, s *peer) []string { return []string{"<" + s.headers(flagEndStream, 1, ":status 206")} },
		[]string{`< #-1 HTTP/2 206 [] none "" [2..2]`}},
	{"damaged compression", func(*peer, *peer) []string {
		return []string{">" + frame(frameHeaders, flagEndHeaders, 1, "\xff\xff\xff\x01"), ">abc"}
	}, []string{"> damage at 33: header compression: decoding error: invalid indexed representation index 32894 (missing 0, fatal true) [2..2]", "> damage at 49: 3 bytes were not understood (missing 0, fatal false) [99..99]"}},
	{"a header block broken into", func(c, _ *peer) []string {
		return []string{">" + frame(frameHeaders, 0, 1, "") + frame(frameData, 0, 1, "")}
	}, []string{"> damage at 42: CONTINUATION out of place: header block open true, frame of type 0 (missing 0, fatal true) [2..2]"}},
	{"padding longer than the frame", func(c, _ *peer) []string {
		return []string{">" + c.headers(0, 1, ":method PUT", ":path /") + frame(frameData, flagPadded, 1, "\x09ab")}
	}, []string{`> #0 HTTP/2 PUT/ [] end-stream "" incomplete: DATA with more padding than there is room [2..2]`,
		"> damage at 48: DATA with more padding than there is room (missing 0, fatal true) [2..2]", "> damage at 60: 2 bytes were not understood (missing 0, fatal false) [99..99]"}},
}

func (d *dialogue) inputs() []dissect.Input { return talk(d.lines(newPeer(), newPeer())...) }

func TestDialogues(t *testing.T) {
	for _, d := range dialogues {
		t.Run(d.name, func(t *testing.T) {
			ins := d.inputs()
			if diff := cmp.Diff(d.want, run(ins)); diff != "" {
				t.Error(diff)
			}
			for n := 1; n < 40; n++ {
				if diff := cmp.Diff(d.want, run(captest.Cut(ins, func() int { return n }))); diff != "" {
					t.Fatalf("in pieces of %d:\n%s", n, diff)
				}
			}
		})
	}
}

// TestNotHTTP2: what begins otherwise is damage, not frames.
func TestNotHTTP2(t *testing.T) {
	ins := []dissect.Input{{Data: []byte("PRI * HTTP/1.1\r\n")}, {Dir: dissect.ToClient, Data: []byte("HTTP/1.1 400 Bad Request\r\n\r\n")}}
	want := []string{"> damage at 0: no HTTP/2 connection preface (missing 0, fatal true) [0..0]",
		`< damage at 0: HTTP/2 does not begin with SETTINGS: "HTTP/1.1 " (missing 0, fatal true) [0..0]`,
		"> damage at 16: 16 bytes were not understood (missing 0, fatal false) [99..99]", "< damage at 28: 19 bytes were not understood (missing 0, fatal false) [99..99]"}
	if diff := cmp.Diff(want, run(ins)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, run(captest.Cut(ins, func() int { return 1 }))); diff != "" {
		t.Error(diff)
	}
}

// TestLimits: floods end in damage, with bounded memory.
func TestLimits(t *testing.T) {
	c := newPeer()
	var fields []string
	for i := range maxFields + 1 {
		fields = append(fields, fmt.Sprintf("x-%d y", i))
	}
	many := []string{">" + c.headers(flagEndStream, 1, fields...), ">" + c.get(3, "/after")}
	c = newPeer()
	var streams []string
	for i := range uint32(maxStreams + 1) {
		streams = append(streams, ">"+c.get(2*i+1, "/"))
	}
	flood := []string{">" + frame(frameHeaders, 0, 1, "")}
	for range 17 {
		flood = append(flood, ">"+frame(frameContinuation, 0, 1, strings.Repeat("\x00", 16<<10)))
	}
	for name, x := range map[string]struct {
		lines []string
		want  string
		last  string
	}{
		"fields":       {many, "header of stream 1 over the limit", "GET/after"},
		"streams":      {streams, "stream 2049 left out", "stream 2049 left out"},
		"continuation": {flood, "header block of more than 262144 bytes", "header block of more than 262144 bytes"},
		"frame":        {[]string{">" + frame(frameHeaders, flagEndHeaders, 1, strings.Repeat("a", maxBlock+1))}, "frame of type 1 with 262145 bytes", "not understood"},
		"string":       {[]string{">" + newPeer().headers(0, 1, "a "+strings.Repeat("\xff", maxString+1))}, "string too long", "string too long"},
	} {
		got := run(talk(x.lines...))
		if all := strings.Join(got, "\n"); !strings.Contains(all, x.want) {
			t.Errorf("%s: %.300s", name, all)
		}
		if last := got[len(got)-1]; !strings.Contains(last, x.last) {
			t.Errorf("%s: ends with %.300s", name, last)
		}
	}
}

func FuzzConn(f *testing.F) {
	for _, d := range dialogues {
		var text [2][]byte
		for _, in := range d.inputs() {
			text[in.Dir] = append(text[in.Dir], in.Data...)
		}
		f.Add(text[0], text[1], uint64(0))
		f.Add(text[0], text[1], uint64(8))
	}
	f.Fuzz(func(t *testing.T, a, b []byte, seed uint64) {
		ins := []dissect.Input{
			{Time: 1, Ref: 1, Data: a[:len(a)/2]},
			{Time: 2, Ref: 2, Data: b[:len(b)/2], Dir: dissect.ToClient},
			{Time: 3, Ref: 3, Data: a[len(a)/2:], Gap: int(seed % 3), End: seed%5 == 0},
			{Time: 4, Ref: 4, Data: b[len(b)/2:], Gap: int(seed/3%3) - 1, Dir: dissect.ToClient, End: seed%7 == 0},
		}
		if seed%2 == 0 {
			ins[2].Gap, ins[3].Gap = 0, 0
		}
		r := rand.New(rand.NewPCG(seed, 1))
		if diff := cmp.Diff(run(ins), run(captest.Cut(ins, func() int { return r.IntN(9) }))); diff != "" {
			t.Errorf("cut differently (-whole +cut):\n%s", diff)
		}
	})
}
