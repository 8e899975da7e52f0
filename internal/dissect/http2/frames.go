package http2

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/http2/hpack"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
)

// Frame types that are read (RFC 9113 section 6).
const (
	frameData         = 0
	frameHeaders      = 1
	frameRstStream    = 3
	frameSettings     = 4
	framePushPromise  = 5
	frameGoAway       = 7
	frameContinuation = 9
)

// Flags.
const (
	flagEndStream  = 0x01
	flagEndHeaders = 0x04
	flagPadded     = 0x08
	flagPriority   = 0x20
)

const (
	preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frameLen = 9 // of a frame's header
)

// state is what a direction expects next.
type state uint8

const (
	atPreface state = iota
	atFrame
	inPayload // of a frame that is read when it is whole
	atPad     // the length of DATA's padding
	inData
	inSkip // of a frame that is passed over
	dead
)

type half struct {
	dir      dissect.Dir
	state    state
	settings bool   // the first frame, which is SETTINGS, was seen
	buf      []byte // a part of the preface, of a frame's header or of its payload

	// The current frame.
	at    int64 // offset of its first byte
	kind  byte
	flags byte
	id    uint32
	rest  int // bytes of the payload that are to come, with padding
	pad   int
	span  dissect.Span

	open  bool // a header block is under way
	block block
	hpack *hpack.Decoder
	list  http.Fields
	size  uint32 // of list
	over  bool   // list is not all

	off   int64
	drop  int64 // bytes that were passed over after damage
	ended bool
}

// block is a header block, in HEADERS or PUSH_PROMISE and the CONTINUATIONs that
// follow.
type block struct {
	id       uint32
	promised uint32 // of PUSH_PROMISE
	end      bool   // END_STREAM
	data     []byte
	span     dissect.Span
}

func (h *half) init(d dissect.Dir) {
	h.dir = d
	if d == dissect.ToClient {
		h.state = atFrame
	}
	h.hpack = hpack.NewDecoder(4096, h.field)
	// What the peer allows shows in its SETTINGS, which may not have been seen; a
	// sender that uses another size than the initial one says so.
	h.hpack.SetAllowedMaxDynamicTableSize(maxTable)
	h.hpack.SetMaxStringLength(maxString)
}

func (h *half) field(f hpack.HeaderField) {
	if h.size += f.Size(); h.size > maxList || len(h.list) >= maxFields {
		h.over = true
		h.hpack.SetEmitEnabled(false)
		return
	}
	h.list = append(h.list, http.Field{Name: f.Name, Value: f.Value})
}

func (c *Conn) bytes(h *half, data []byte, in *dissect.Input) {
	if h.ended {
		c.damage(h, in, h.off, false, "%d bytes after the end of the direction", len(data))
		return
	}
	for len(data) > 0 {
		n := c.some(h, data, in)
		h.off += int64(n)
		data = data[n:]
	}
}

// some takes some of the bytes and returns how many.
func (c *Conn) some(h *half, data []byte, in *dissect.Input) int {
	switch h.state {
	case atPreface:
		n := min(len(data), len(preface)-len(h.buf))
		if had := len(h.buf); string(data[:n]) != preface[had:had+n] {
			h.drop += int64(had)
			c.damage(h, in, 0, true, "no HTTP/2 connection preface")
			return 0
		}
		if h.buf = append(h.buf, data[:n]...); len(h.buf) == len(preface) {
			h.buf, h.state = h.buf[:0], atFrame
		}
		return n
	case atFrame:
		if len(h.buf) == 0 {
			h.at, h.span = h.off, dissect.At(in)
		}
		n := min(len(data), frameLen-len(h.buf))
		h.buf = append(h.buf, data[:n]...)
		h.span = h.span.To(in)
		if len(h.buf) == frameLen {
			c.frame(h, in)
		}
		return n
	case inPayload:
		n := min(len(data), h.rest)
		h.rest -= n
		h.span = h.span.To(in)
		if h.rest == 0 && len(h.buf) == 0 {
			c.payload(h, data[:n], in)
		} else if h.buf = append(h.buf, data[:n]...); h.rest == 0 {
			c.payload(h, h.buf, in)
		}
		return n
	case atPad:
		h.rest--
		if h.pad = int(data[0]); h.pad > h.rest {
			c.damage(h, in, h.at, true, "DATA with more padding than there is room")
			return 1
		}
		h.state = inData
		c.data(h, nil, in)
		return 1
	case inData:
		n := min(len(data), h.rest)
		body := data[:min(n, max(h.rest-h.pad, 0))]
		h.rest -= n
		c.data(h, body, in)
		return n
	case inSkip:
		n := min(len(data), h.rest)
		if h.rest -= n; h.rest == 0 {
			h.state = atFrame
		}
		return n
	}
	h.drop += int64(len(data))
	return len(data)
}

// frame takes the header of a frame (RFC 9113 section 4.1).
func (c *Conn) frame(h *half, in *dissect.Input) {
	b := h.buf
	h.buf = h.buf[:0]
	h.rest, h.pad = int(b[0])<<16|int(b[1])<<8|int(b[2]), 0
	h.kind, h.flags, h.id = b[3], b[4], binary.BigEndian.Uint32(b[5:])&(1<<31-1)
	if !h.settings && h.kind != frameSettings {
		c.damage(h, in, h.at, true, "HTTP/2 does not begin with SETTINGS: %q", b)
		return
	}
	h.settings = true
	if h.open != (h.kind == frameContinuation) || h.open && h.id != h.block.id {
		c.damage(h, in, h.at, true, "CONTINUATION out of place: header block open %v, frame of type %d", h.open, h.kind)
		return
	}
	h.state = inSkip
	switch h.kind {
	case frameData:
		if h.state = inData; h.flags&flagPadded != 0 {
			if h.state = atPad; h.rest == 0 {
				c.damage(h, in, h.at, true, "DATA with more padding than there is room")
				return
			}
		} else if h.rest == 0 {
			c.data(h, nil, in)
			return
		}
	case frameHeaders, framePushPromise, frameContinuation, frameRstStream, frameGoAway:
		if h.rest > maxBlock {
			c.damage(h, in, h.at, true, "frame of type %d with %d bytes", h.kind, h.rest)
			return
		}
		if h.state = inPayload; h.rest == 0 {
			c.payload(h, nil, in)
			return
		}
	}
	if h.rest == 0 {
		h.state = atFrame
	}
}

// data takes a piece of DATA, without padding; the frame ends when nothing
// remains.
func (c *Conn) data(h *half, b []byte, in *dissect.Input) {
	st := c.streams.Get(uint64(h.id))
	if st != nil && len(b) > 0 {
		c.streams.Body(st, h.dir, b, dissect.At(in))
	}
	if h.rest > 0 {
		return
	}
	h.state = atFrame
	if st != nil && h.flags&flagEndStream != 0 {
		c.streams.Done(st, h.dir, dissect.At(in))
	}
}

// payload takes a frame that is whole.
func (c *Conn) payload(h *half, b []byte, in *dissect.Input) {
	h.buf, h.state = h.buf[:0], atFrame
	switch h.kind {
	case frameRstStream:
		if len(b) != 4 {
			c.damage(h, in, h.at, false, "RST_STREAM of %d bytes", len(b))
			return
		}
		c.reset(h, Code(binary.BigEndian.Uint32(b)))
		return
	case frameGoAway:
		if len(b) < 8 {
			c.damage(h, in, h.at, false, "GOAWAY of %d bytes", len(b))
			return
		}
		c.emit(h.dir, h.span, &GoAway{Last: binary.BigEndian.Uint32(b) & (1<<31 - 1), Code: Code(binary.BigEndian.Uint32(b[4:])), Debug: string(b[8:min(len(b), 8+maxDebug)])})
		return
	case frameContinuation:
		if len(h.block.data)+len(b) > maxBlock {
			c.damage(h, in, h.at, true, "header block of more than %d bytes", maxBlock)
			return
		}
	default:
		if b = h.unwrap(b); b == nil {
			c.damage(h, in, h.at, true, "frame of type %d too short for what it says to hold", h.kind)
			return
		}
	}
	h.block.data = append(h.block.data, b...)
	h.block.span = h.block.span.To(in)
	if h.open = h.flags&flagEndHeaders == 0; !h.open {
		c.fields(h, in)
	}
}

// unwrap begins a header block and returns the fragment in HEADERS or
// PUSH_PROMISE, nil when they are damaged.
func (h *half) unwrap(b []byte) []byte {
	h.block = block{id: h.id, span: h.span, data: h.block.data[:0], end: h.kind == frameHeaders && h.flags&flagEndStream != 0}
	front, pad := 0, 0
	if h.flags&flagPadded != 0 {
		if len(b) == 0 {
			return nil
		}
		front, pad = 1, int(b[0])
	}
	switch {
	case h.kind == framePushPromise:
		front += 4
	case h.flags&flagPriority != 0:
		front += 5
	}
	if front+pad > len(b) {
		return nil
	}
	if h.kind == framePushPromise {
		h.block.promised = binary.BigEndian.Uint32(b[front-4:]) & (1<<31 - 1)
	}
	if b = b[front : len(b)-pad]; b == nil {
		b = []byte{}
	}
	return b
}

// gap deals with a hole. One in a body, or in a frame that is passed over,
// leaves the rest readable.
func (c *Conn) gap(h *half, n int, in *dissect.Input) {
	inside := n > 0 && n <= h.rest
	switch {
	case h.state == dead || h.ended:
	case inside && h.state == inData:
		if st := c.streams.Get(uint64(h.id)); st != nil {
			c.streams.Missing(st, h.dir, min(n, max(h.rest-h.pad, 0)))
		}
		h.rest -= n
		c.data(h, nil, in)
	case inside && h.state == inSkip:
		if h.rest -= n; h.rest == 0 {
			h.state = atFrame
		}
	default:
		what := "bytes missing"
		if n > 0 {
			what = fmt.Sprintf("%d bytes missing", n)
		}
		c.streams.AbandonAll(h.dir, what)
		c.emit(h.dir, dissect.At(in), &http.Damage{Offset: h.off, What: what + ", and with them the state of the header compression", Missing: max(n, 0), Fatal: true})
		h.state = dead
	}
	h.off += int64(max(n, 0))
}
