package websocket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect"
	"culprit/internal/event"
	"culprit/internal/testkit/captest"
)

// frame makes a frame, masked when a client sends it.
func frame(d dissect.Dir, first byte, payload string) string {
	b := []byte{first, 0}
	switch n := len(payload); {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if d == dissect.ToClient {
		return string(b) + payload
	}
	b[1] |= 0x80
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}

// deflater compresses one direction's messages.
type deflater struct {
	buf bytes.Buffer
	w   *flate.Writer
}

func (z *deflater) pack(text string) string {
	if z.w == nil {
		z.w, _ = flate.NewWriter(&z.buf, 9)
	}
	z.buf.Reset()
	z.w.Write([]byte(text))
	z.w.Flush()
	return strings.TrimSuffix(z.buf.String(), "\x00\x00\xff\xff")
}

type dialogue struct {
	name       string
	extensions string
	lines      func() []string // ">" to the server, "<" to the client, "#N" a hole, "." an end
	want       []string
}

const client, server = dissect.ToServer, dissect.ToClient

var dialogues = []dialogue{
	{"text and close", "", func() []string {
		return []string{">" + frame(client, 0x81, "Hello"), "<" + frame(server, 0x81, "wörld"), "<" + frame(server, 0x88, "\x03\xf3out of cheese"), ">" + frame(client, 0x88, "\x03\xf3")}
	}, []string{`> text fin mask 5 = "Hello" [0..0]`, `< text fin 6 = "wörld" [1..1]`, `< close fin 15 1011 "out of cheese" [2..2]`, `> close fin mask 2 1011 "" [3..3]`}},
	{"fragments with a ping between", "", func() []string {
		return []string{"<" + frame(server, 0x01, "ab"), "<" + frame(server, 0x89, "p") + frame(server, 0x00, "cd"), ">" + frame(client, 0x8a, "p"), "<" + frame(server, 0x80, "ef")}
	}, []string{`< text 2 [0..0]`, `< ping fin 1 [1..1]`, `< continuation 2 [1..1]`, `> pong fin mask 1 [2..2]`, `< continuation fin 2 = "abcdef" in 3 [3..3]`}},
	{"long", "", func() []string { return []string{"<" + frame(server, 0x82, strings.Repeat("x", 70_000))} },
		[]string{`< binary fin 70000 = "` + strings.Repeat("x", 200) + `" 70000 long (200 of 70000 bytes were kept) [0..0]`}},
	{"compressed, with the window kept", "permessage-deflate; server_max_window_bits=15", func() []string {
		var z deflater
		a, b := z.pack("tick tock tick tock"), z.pack("tick tock tick tock!")
		return []string{"<" + frame(server, 0xc1, a), "<" + frame(server, 0x41, b[:3]), "<" + frame(server, 0x80, b[3:])}
	}, []string{`< text fin rsv1 12 = "tick tock tick tock" 19 long [0..0]`, `< text rsv1 3 [1..1]`, `< continuation fin 2 = "tick tock tick tock!" in 2 20 long [2..2]`}},
	{"compressed, each by itself", "x-other, permessage-deflate;client_no_context_takeover", func() []string {
		var a, b deflater
		return []string{">" + frame(client, 0xc1, a.pack("one")), "#x", ">" + frame(client, 0xc1, b.pack("two"))}
	}, []string{`> text fin rsv1 mask 5 = "one" 3 long [0..0]`, `> text fin rsv1 mask 5 = "two" 3 long [2..2]`}},
	{"compressed without agreement", "", func() []string { return []string{"<" + frame(server, 0xc1, "abc")} },
		[]string{`< text fin rsv1 3 = "" 0 long (it is compressed, and no compression was agreed on) [0..0]`}},
	{"garbage for compressed", "permessage-deflate", func() []string {
		var z deflater
		return []string{"<" + frame(server, 0xc1, "\xff\xff\xff\xff"), "<" + frame(server, 0xc1, z.pack("ok"))}
	}, []string{`< text fin rsv1 4 = "" 0 long (decompression: flate: corrupt input before offset 1) [0..0]`,
		`< text fin rsv1 4 = "" 0 long (not decompressed: it refers to a message before it that was not) [1..1]`}},
	{"a hole in a message", "", func() []string {
		f := frame(server, 0x81, "abcdef")
		return []string{"<" + f[:4], "<#2", "<" + f[6:], "<" + frame(server, 0x81, "ok")}
	}, []string{`< text fin 6 = "abef" 6 long (bytes missing in the recording) incomplete: bytes missing in the recording [0..2]`, `< text fin 2 = "ok" [3..3]`}},
	{"a hole between", "", func() []string { return []string{"<#7", "<" + frame(server, 0x81, "ok")} },
		[]string{`< damage: bytes missing between frames [0..0]`}},
	{"cut short", "", func() []string { return []string{"<" + frame(server, 0x81, "abcdef")[:5], "<."} },
		[]string{`< text fin 6 incomplete: the connection was closed [0..0]`}},
	{"no frame", "", func() []string { return []string{"<SSH-2.0"} },
		[]string{`< damage: no WebSocket frame where one should begin: it starts with 0x53 0x53 [0..0]`}},
	{"a close that is too long", "", func() []string { return []string{"<" + frame(server, 0x88, strings.Repeat("a", 126))} },
		[]string{`< damage: a close frame of 126 bytes, or in pieces [0..0]`}},
	{"a continuation of nothing", "", func() []string { return []string{"<" + frame(server, 0x80, "end")} },
		[]string{`< continuation fin 3 = "end" (its beginning was not seen) [0..0]`}},
}

func (d *dialogue) inputs() (ins []dissect.Input) {
	for i, l := range d.lines() {
		in := dissect.Input{Time: event.Time(i), Ref: int64(i)}
		if l[0] == '<' {
			in.Dir = server
		}
		switch l = l[1:]; {
		case l == "x":
			continue
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

func run(extensions string, ins []dissect.Input) (list []string) {
	c := New(Options{Extensions: extensions, Body: 200})
	take := func(outs []Output) {
		for _, o := range outs {
			if d := o.Damage; d != nil {
				list = append(list, fmt.Sprintf("%c damage: %s [%d..%d]", "><"[d.Dir], d.What, d.FirstRef, d.LastRef))
				continue
			}
			list = append(list, describe(o.Frame))
		}
	}
	for _, in := range ins {
		take(c.Feed(in))
	}
	take(c.Close())
	return list
}

func describe(f *Frame) string {
	s := fmt.Sprintf("%c %v", "><"[f.Dir], f.Opcode)
	for _, x := range []struct {
		is   bool
		name string
	}{{f.Fin, "fin"}, {f.Compressed, "rsv1"}, {f.Masked, "mask"}} {
		if x.is {
			s += " " + x.name
		}
	}
	s += fmt.Sprintf(" %d", f.Length)
	if f.Opcode == Close {
		s += fmt.Sprintf(" %d %q", f.Code, f.Reason)
	}
	if m := f.Message; m != nil {
		s += fmt.Sprintf(" = %q", m.Data)
		if m.Frames > 1 {
			s += fmt.Sprintf(" in %d", m.Frames)
		}
		if m.Size != int64(len(m.Data)) || f.Compressed || m.Size != m.Length {
			s += fmt.Sprintf(" %d long", m.Size)
		}
		if m.Err != "" {
			s += " (" + m.Err + ")"
		}
	}
	if !f.Complete {
		s += " incomplete: " + f.Why
	}
	return s + fmt.Sprintf(" [%d..%d]", f.FirstRef, f.LastRef)
}

func TestDialogues(t *testing.T) {
	for _, d := range dialogues {
		t.Run(d.name, func(t *testing.T) {
			ins := d.inputs()
			if diff := cmp.Diff(d.want, run(d.extensions, ins)); diff != "" {
				t.Error(diff)
			}
			for n := 1; n < 20; n++ {
				if diff := cmp.Diff(d.want, run(d.extensions, captest.Cut(ins, func() int { return n }))); diff != "" {
					t.Fatalf("in pieces of %d:\n%s", n, diff)
				}
			}
		})
	}
}

// TestBomb: a message that decompresses to much more than it is stops at the
// limit and says so, and a large one is not kept whole.
func TestBomb(t *testing.T) {
	var z deflater
	bomb := z.pack(strings.Repeat("\x00", 64<<20))
	got := run("permessage-deflate", []dissect.Input{{Dir: server, Data: []byte(frame(server, 0xc2, bomb))}, {Dir: server, Data: []byte(frame(server, 0xc1, z.pack("after")))}})
	if len(got) != 2 || !strings.Contains(got[0], "it decompresses to more than 4194304 bytes") || !strings.Contains(got[1], "refers to a message before it") {
		t.Errorf("%.300q", got)
	}
	got = run("permessage-deflate", []dissect.Input{{Dir: server, Data: []byte(frame(server, 0xc2, strings.Repeat("x", MaxMessage+1)))}})
	if len(got) != 1 || !strings.Contains(got[0], "over the limit") {
		t.Errorf("%.300q", got)
	}
}

func FuzzConn(f *testing.F) {
	for _, d := range dialogues {
		var text [2][]byte
		for _, in := range d.inputs() {
			text[in.Dir] = append(text[in.Dir], in.Data...)
		}
		if len(text[1]) < 1000 {
			f.Add(d.extensions, text[0], text[1], uint64(1))
		}
	}
	f.Fuzz(func(t *testing.T, extensions string, a, b []byte, seed uint64) {
		ins := []dissect.Input{
			{Time: 1, Ref: 1, Data: a[:len(a)/2]},
			{Time: 2, Ref: 2, Data: b[:len(b)/2], Dir: server},
			{Time: 3, Ref: 3, Data: a[len(a)/2:], Gap: int(seed % 3), End: seed%5 == 0},
			{Time: 4, Ref: 4, Data: b[len(b)/2:], Gap: int(seed/3%3) - 1, Dir: server, End: seed%7 == 0},
		}
		r := rand.New(rand.NewPCG(seed, 1))
		if diff := cmp.Diff(run(extensions, ins), run(extensions, captest.Cut(ins, func() int { return r.IntN(9) }))); diff != "" {
			t.Errorf("cut differently (-whole +cut):\n%s", diff)
		}
	})
}
