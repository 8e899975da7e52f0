package http3

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
)

func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// said is the next bytes of a stream: to the server with an even, to the client
// with an odd direction.
type said struct {
	dir    dissect.Dir
	stream uint64
	text   string
	gap    int
	end    bool
}

func frame(typ byte, payload string) string {
	return string([]byte{typ, 0x40 | byte(len(payload)>>8), byte(len(payload))}) + payload
}

func run(all []said) (list []string) {
	c := New(http.Options{Body: 100})
	take := func(outs []Output) {
		for _, o := range outs {
			text := ""
			switch m := o.Msg.(type) {
			case *http.Message:
				text = fmt.Sprintf("#%d %s%s %d %v %q", m.Exchange, m.Method, m.Target, m.Status, m.Header, m.Body)
				if m.Trailer != nil {
					text += fmt.Sprintf(" trailer %v", m.Trailer)
				}
				if !m.Complete {
					text += " incomplete: " + m.Why
				}
			case *http.Damage:
				text = "damage: " + m.What
			case *GoAway:
				text = fmt.Sprintf("goaway %d", m.ID)
			default:
				continue
			}
			list = append(list, fmt.Sprintf("%c %s", "><"[o.Dir], text))
		}
	}
	for i, x := range all {
		take(c.Feed(Input{Input: dissect.Input{Dir: x.dir, Data: []byte(x.text), Gap: x.gap, End: x.end, Ref: int64(i)}, Stream: x.stream}))
	}
	take(c.Close("the recording ended"))
	return list
}

const up, down = dissect.ToServer, dissect.ToClient

// The examples of RFC 9204 appendix B: the encoder's stream, and a block that
// needs it.
var (
	encoder = "\x02" + unhex("3fbd01c00f7777772e6578616d706c652e636f6dc10c2f73616d706c652f70617468")
	needs   = frame(1, unhex("03811011"))
	index   = frame(1, unhex("0000510b2f696e6465782e68746d6c")) // B.1
	get     = frame(1, "\x00\x00\xd1\xd7\x50\x01a\xc1")         // GET https a /
	ok      = frame(1, "\x00\x00\xd9")                          // 200
)

// allows are the server's SETTINGS: a table of 220 bytes.
var allows = said{down, 3, "\x00" + frame(4, "\x01\x40\xdc"), 0, false}

var dialogues = []struct {
	name string
	all  []said
	want []string
}{
	{"a request", []said{{up, 0, get, 0, true}, {down, 0, ok + frame(0, "body") + frame(0x21, "grease") + frame(0, "!"), 0, true}},
		[]string{`> #0 GET/ 0 [{host a}] ""`, `< #0  200 [] "body!"`}},
	{"the static table", []said{{up, 0, index, 0, true}}, []string{`> #0 /index.html 0 [] ""`}},
	{"the dynamic table", []said{{up, 2, encoder, 0, false}, {up, 4, needs, 0, true}}, []string{`> #0 /sample/path 0 [{host www.example.com}] ""`}},
	{"a header before its fields", []said{allows, {up, 4, needs + frame(0, "x"), 0, false}, {up, 4, frame(0, "y"), 0, true}, {up, 2, encoder, 0, false}},
		[]string{`> #0 /sample/path 0 [{host www.example.com}] "xy"`}},
	{"a header whose fields never come", []said{allows, {up, 4, needs, 0, true}}, nil},
	{"trailers", []said{{up, 0, get, 0, true}, {down, 0, ok + frame(0, "b") + frame(1, "\x00\x00\x23a-b\x01c"), 0, true}},
		[]string{`> #0 GET/ 0 [{host a}] ""`, `< #0  200 [] "b" trailer [{a-b c}]`}},
	{"a hole in a body", []said{{up, 0, get, 0, true}, {down, 0, ok + frame(0, "abcd")[:5], 0, false}, {down, 0, "", 1, false}, {down, 0, "d", 0, true}},
		[]string{`> #0 GET/ 0 [{host a}] ""`, `< #0  200 [] "abd" incomplete: bytes missing in the recording`}},
	{"a hole in a header", []said{{up, 0, get[:4], 0, false}, {up, 0, "", 2, false}, {up, 0, get[6:], 0, true}}, []string{"> damage: bytes missing"}},
	{"goaway", []said{{down, 3, "\x00" + frame(4, "\x01\x40\x64") + frame(7, "\x04"), 0, false}}, []string{"< goaway 4"}},
	{"an index that is not there", []said{{up, 0, frame(1, "\x00\x00\x80"), 0, true}}, []string{"> damage: header compression: " + errIndex.Error()}},
	{"cut short", []said{{up, 0, get, 0, true}, {down, 0, ok + frame(0, "abc")[:5], 0, false}},
		[]string{`> #0 GET/ 0 [{host a}] ""`, `< #0  200 [] "ab" incomplete: the recording ended`}},
}

func TestDialogues(t *testing.T) {
	for _, d := range dialogues {
		if diff := cmp.Diff(d.want, run(d.all)); diff != "" {
			t.Errorf("%s: %s", d.name, diff)
		}
		if diff := cmp.Diff(d.want, run(bytewise(d.all))); diff != "" {
			t.Errorf("%s, byte by byte: %s", d.name, diff)
		}
	}
}

func bytewise(all []said) (out []said) {
	for _, x := range all {
		for len(x.text) > 1 {
			out = append(out, said{x.dir, x.stream, x.text[:1], x.gap, false})
			x.text, x.gap = x.text[1:], 0
		}
		out = append(out, x)
	}
	return out
}

// TestBomb: a large field that is named again and again stops at the limit.
func TestBomb(t *testing.T) {
	fill := "\x02\x3f\xe1\xff\x03" + "\x41a" + "\x7f\x81\x7e" + strings.Repeat("v", 16256) // capacity 65536, one field
	block := "\x02\x00" + strings.Repeat("\x80", 1000)
	got := run([]said{{up, 2, fill, 0, false}, {up, 0, frame(1, block), 0, true}})
	if all := strings.Join(got, "\n"); !strings.Contains(all, "over the limit") || len(all) > 2*maxList {
		t.Errorf("%d bytes: %.200s", len(all), all)
	}
}

func FuzzConn(f *testing.F) {
	for _, d := range dialogues {
		var b bytes.Buffer
		for _, x := range d.all {
			for text := x.text; len(text) > 0; {
				n := min(len(text), 255)
				b.WriteByte(byte(x.dir) | byte(x.stream)<<1)
				b.WriteByte(byte(n))
				b.WriteString(text[:n])
				text = text[n:]
			}
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var all []said
		for len(b) > 2 {
			n := min(int(b[1]), len(b)-2)
			all = append(all, said{dissect.Dir(b[0] & 1), uint64(b[0] >> 1 & 15), string(b[2 : 2+n]), 0, b[0]&0xc0 == 0xc0})
			b = b[2+n:]
		}
		run(all)
	})
}
