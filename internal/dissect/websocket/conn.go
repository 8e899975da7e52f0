package websocket

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"culprit/internal/dissect"
)

const maxHeader = 2 + 8 + 4 // bytes of a frame's header (RFC 6455 section 5.2)

// Conn is one connection, from its first frame on.
type Conn struct {
	limit int // bytes of a message to keep
	half  [2]half
	out   []Output
}

type half struct {
	dir     dissect.Dir
	header  []byte
	span    dissect.Span
	frame   *Frame // whose payload is under way
	rest    int64  // bytes of it to come
	mask    [4]byte
	at      int64 // bytes of its payload so far
	message *Message
	packed  bool   // message is compressed
	buf     []byte // of message, as it was sent
	inflate *inflater
	dead    bool
	ended   bool
}

// New returns a reader of one connection.
func New(o Options) *Conn {
	c := &Conn{limit: min(o.Body, MaxMessage)}
	inflate := inflaters(o.Extensions)
	for d := range c.half {
		c.half[d] = half{dir: dissect.Dir(d), header: make([]byte, 0, maxHeader), inflate: inflate[d]}
	}
	return c
}

// Feed takes the next bytes of a direction; in.End ends it. The slice is valid
// until the next call, frames are the receiver's.
func (c *Conn) Feed(in dissect.Input) []Output {
	clear(c.out)
	c.out = c.out[:0]
	h := &c.half[in.Dir&1]
	if in.Gap != 0 {
		c.gap(h, in.Gap, &in)
	}
	for data := in.Data; len(data) > 0 && !h.dead; {
		if h.frame == nil {
			data = data[c.head(h, data, &in):]
			continue
		}
		n := int(min(h.rest, int64(len(data))))
		c.payload(h, data[:n], &in)
		data = data[n:]
	}
	if in.End {
		c.end(h, "the connection was closed")
	}
	return c.out
}

// Close says that the recording ended: frames under way come out incomplete.
func (c *Conn) Close() []Output {
	clear(c.out)
	c.out = c.out[:0]
	for d := range c.half {
		c.end(&c.half[d], "the recording ended")
	}
	return c.out
}

func (c *Conn) end(h *half, why string) {
	if h.ended {
		return
	}
	h.ended = true
	if f := h.frame; f != nil {
		h.frame, f.Why = nil, why
		f.Span = h.span
		c.out = append(c.out, Output{Frame: f})
	}
	h.dead = true
}

func (c *Conn) damage(h *half, in *dissect.Input, missing int, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	c.end(h, what)
	c.out = append(c.out, Output{Damage: &Damage{Span: dissect.At(in), Dir: h.dir, What: what, Missing: missing}})
}

// head takes bytes of a frame's header and returns how many.
func (c *Conn) head(h *half, data []byte, in *dissect.Input) int {
	if len(h.header) == 0 {
		h.span = dissect.At(in)
	}
	need, took := 2, 0
	for {
		if len(h.header) >= 2 {
			need = headerLen(h.header[1])
		}
		n := min(need-len(h.header), len(data)-took)
		h.header = append(h.header, data[took:took+n]...)
		took += n
		if len(h.header) < need {
			h.span = h.span.To(in)
			return took
		}
		if need > 2 || headerLen(h.header[1]) == 2 {
			break
		}
	}
	h.span = h.span.To(in)
	c.begin(h, in)
	return took
}

// headerLen is the length of a header by its second byte.
func headerLen(b byte) int {
	n := 2
	switch b & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b&0x80 != 0 {
		n += 4
	}
	return n
}

// begin takes a header that is whole.
func (c *Conn) begin(h *half, in *dissect.Input) {
	b := h.header
	h.header = h.header[:0]
	f := &Frame{Dir: h.dir, Opcode: Opcode(b[0] & 15), Fin: b[0]&0x80 != 0, Compressed: b[0]&0x40 != 0, Masked: b[1]&0x80 != 0, Length: int64(b[1] & 0x7f)}
	rest := b[2:]
	switch f.Length {
	case 126:
		f.Length, rest = int64(binary.BigEndian.Uint16(rest)), rest[2:]
	case 127:
		f.Length, rest = int64(binary.BigEndian.Uint64(rest)&(1<<63-1)), rest[8:]
	}
	h.mask = [4]byte{}
	copy(h.mask[:], rest)
	switch known := f.Opcode <= Binary || f.Opcode >= Close && f.Opcode <= Pong; {
	case !known || b[0]&0x30 != 0:
		c.damage(h, in, 0, "no WebSocket frame where one should begin: it starts with 0x%02x 0x%02x", b[0], b[1])
		return
	case f.Opcode.control() && (f.Length > 125 || !f.Fin):
		c.damage(h, in, 0, "a %v frame of %d bytes, or in pieces", f.Opcode, f.Length)
		return
	case f.Opcode.control():
	case f.Opcode == Continuation && h.message == nil:
		h.message = &Message{Opcode: Binary, Err: "its beginning was not seen"}
		h.packed, h.buf = false, nil
	case f.Opcode != Continuation:
		h.message, h.packed, h.buf = &Message{Opcode: f.Opcode}, f.Compressed, nil
	}
	h.frame, h.rest, h.at = f, f.Length, 0
	if h.rest == 0 {
		c.payload(h, nil, in)
	}
}

// payload takes bytes of the frame's payload; the frame ends with the last.
func (c *Conn) payload(h *half, b []byte, in *dissect.Input) {
	f := h.frame
	h.span = h.span.To(in)
	h.rest -= int64(len(b))
	switch {
	case f.Opcode.control():
		f.Data = c.unmask(h, f.Data, b, 125)
	default:
		h.message.Length += int64(len(b))
		keep := c.limit
		if h.packed && keep > 0 {
			keep = MaxMessage
		}
		h.buf = c.unmask(h, h.buf, b, keep)
	}
	h.at += int64(len(b))
	if h.rest > 0 {
		return
	}
	h.frame = nil
	f.Span, f.Complete = h.span, f.Missing == 0
	if !f.Complete {
		f.Why = "bytes missing in the recording"
	}
	switch {
	case f.Opcode == Close:
		if len(f.Data) >= 2 {
			f.Code, f.Reason = Code(binary.BigEndian.Uint16(f.Data)), strings.ToValidUTF8(string(f.Data[2:]), string(utf8.RuneError))
		}
	case !f.Opcode.control():
		h.message.Frames++
		if f.Fin {
			f.Message = c.whole(h)
		}
	}
	c.out = append(c.out, Output{Frame: f})
}

// unmask appends the part of b for which there is room, unmasked.
func (c *Conn) unmask(h *half, to, b []byte, limit int) []byte {
	n := min(max(limit-len(to), 0), len(b))
	at := len(to)
	to = append(to, b[:n]...)
	if h.mask != [4]byte{} {
		for i := range to[at:] {
			to[at+i] ^= h.mask[(h.at+int64(i))&3]
		}
	}
	return to
}

// whole makes the message that the last frame ended.
func (c *Conn) whole(h *half) *Message {
	m := h.message
	h.message = nil
	m.Data, m.Size = h.buf, m.Length
	h.buf = nil
	if c.limit <= 0 {
		m.Data = nil
		return m
	}
	if !h.packed {
		if m.Err == "" && int64(len(m.Data)) < m.Length {
			m.Err = fmt.Sprintf("%d of %d bytes were kept", len(m.Data), m.Length)
		}
		return m
	}
	packed := m.Data
	m.Data, m.Size = nil, 0
	switch {
	case h.inflate == nil:
		m.Err = "it is compressed, and no compression was agreed on"
	case int64(len(packed)) < m.Length:
		h.inflate.lost = true
		m.Err = fmt.Sprintf("not decompressed: %d bytes are over the limit of %d, or fell into a hole", m.Length, MaxMessage)
	default:
		m.Data, m.Size, m.Err = h.inflate.message(packed, c.limit)
	}
	return m
}

// gap deals with a hole: inside a payload it costs that message only.
func (c *Conn) gap(h *half, n int, in *dissect.Input) {
	switch {
	case h.dead:
	case h.frame == nil || n < 0 || int64(n) > h.rest:
		c.damage(h, in, max(n, 0), "bytes missing between frames")
	default:
		h.frame.Missing += int64(n)
		if h.message != nil && !h.frame.Opcode.control() {
			h.message.Length += int64(n)
			h.message.Err = "bytes missing in the recording"
		}
		h.rest -= int64(n)
		h.at += int64(n)
		c.payload(h, nil, in)
	}
}
