package http

import (
	"bytes"
	"fmt"

	"culprit/internal/dissect"
)

// state is what a direction expects next.
type state uint8

const (
	atStart    state = iota // a start line
	inHeader                // a field line or the empty line
	inBody                  // Content-Length bytes
	atChunk                 // a chunk-size line
	inChunk                 // chunk data
	afterChunk              // the CRLF after chunk data
	inTrailer               // a trailer field or the empty line
	inRest                  // a body until close
	onHold                  // bytes after an upgrade request: its answer decides
	raw                     // another protocol
	searching               // a start line again, after damage
	dead                    // nothing more is read
)

type half struct {
	dir   dissect.Dir
	state state
	any   bool   // a start line was seen
	line  []byte // a line that is not all there
	long  bool   // the line is over the limit and being dropped
	head  int    // bytes of the current head
	msg   *Message
	span  dissect.Span // of msg
	lspan dissect.Span // of line's first byte
	off   int64
	ended bool
	drop  int64 // bytes that a dead or searching direction passed over

	hold     []byte
	holdSpan dissect.Span
}

// Conn is one connection.
type Conn struct {
	limit  int
	pieces bool
	half   [2]half
	queue  []*Message // requests whose final answer has not begun
	n      int        // requests so far
	out    []Output
}

// New returns a reader of one connection.
func New(o Options) *Conn {
	c := &Conn{limit: o.Body, pieces: o.Pieces}
	if c.limit == 0 {
		c.limit = DefaultBody
	}
	c.half[1].dir = dissect.ToClient
	return c
}

// Feed takes the next bytes of a direction; in.End ends it. The slice is valid
// until the next call.
func (c *Conn) Feed(in dissect.Input) []Output {
	clear(c.out)
	c.out = c.out[:0]
	h := &c.half[in.Dir&1]
	if in.Gap != 0 {
		c.gap(h, in.Gap, &in)
	}
	if len(in.Data) > 0 {
		c.bytes(h, in.Data, &in)
	}
	if in.End {
		c.end(h, &in, true)
	}
	return c.out
}

// Close says that the recording ended at time in.Time: messages under way come
// out incomplete. The Dir of in does not matter.
func (c *Conn) Close(in dissect.Input) []Output {
	clear(c.out)
	c.out = c.out[:0]
	for d := range c.half {
		c.end(&c.half[d], &in, false)
	}
	return c.out
}

// Unanswered returns the requests, complete or not, to which no final answer
// has begun, oldest first.
func (c *Conn) Unanswered() []*Message { return c.queue }

func (c *Conn) emit(h *half, span dissect.Span, data []byte, m Msg) {
	c.out = append(c.out, Output{Dir: h.dir, Span: span, Data: data, Msg: m})
}

func (c *Conn) damage(h *half, in *dissect.Input, fatal bool, format string, args ...any) {
	c.emit(h, dissect.At(in), nil, &Damage{Offset: h.off, What: fmt.Sprintf(format, args...), Fatal: fatal})
	if fatal {
		h.state = dead
	}
}

func (c *Conn) bytes(h *half, data []byte, in *dissect.Input) {
	if h.ended {
		c.damage(h, in, false, "%d bytes after the end of the direction", len(data))
		return
	}
	for len(data) > 0 {
		n := len(data)
		switch h.state {
		case raw:
			c.emit(h, dissect.At(in), data, Raw{})
		case dead:
			h.drop += int64(n)
		case onHold:
			n = c.onHold(h, data, in)
		case inBody, inChunk:
			if int64(n) > h.msg.chunked {
				n = int(h.msg.chunked)
			}
			h.msg.chunked -= int64(n)
			c.body(h, data[:n], in)
			if h.msg.chunked == 0 {
				if h.state == inBody {
					c.done(h, in)
				} else {
					h.state = afterChunk
				}
			}
		case inRest:
			c.body(h, data, in)
		default:
			n = c.readLine(h, data, in)
			data = data[n:]
			continue
		}
		h.off += int64(n)
		data = data[n:]
	}
}

// readLine takes one line, or a part of one, and returns how many bytes it took.
func (c *Conn) readLine(h *half, data []byte, in *dissect.Input) int {
	if len(h.line) == 0 && !h.long {
		h.lspan = dissect.At(in)
	}
	i := bytes.IndexByte(data, '\n')
	n := i + 1
	if i < 0 {
		n = len(data)
	}
	// Something that never sends a newline is told from HTTP by its first bytes.
	if h.state == atStart && !h.any && c.notHTTP(h, data[:n], in) {
		return 0
	}
	line := data[:n]
	if len(h.line) > 0 || i < 0 {
		room := max(0, maxLine-len(h.line))
		if len(line) > room {
			line, h.long = line[:room], true
		}
		h.line = append(h.line, line...)
		line = h.line
	} else if n > maxLine {
		line, h.long = line[:maxLine], true
	}
	h.off += int64(n)
	h.lspan = h.lspan.To(in)
	if h.msg != nil {
		h.span = h.span.To(in)
	}
	if i < 0 {
		return n
	}
	long := h.long
	h.long = false
	h.line = h.line[:0]
	c.gotLine(h, line, in, long)
	return n
}

func trimEOL(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte{'\n'})
	return bytes.TrimSuffix(b, []byte{'\r'})
}

// gotLine takes a whole line with its end.
func (c *Conn) gotLine(h *half, line []byte, in *dissect.Input, long bool) {
	text, n := trimEOL(line), len(line)
	switch h.state {
	case atStart, searching:
		h.head = n
		c.startLine(h, text, line, long, in)
	case inHeader, inTrailer:
		h.head += n
		if h.head > maxHead || long {
			c.abandon(h, in, "header over the limit")
			c.damage(h, in, true, "header of more than %d bytes", maxHead)
			return
		}
		if len(text) > 0 {
			c.field(h, text, in)
			return
		}
		if h.state == inTrailer {
			c.done(h, in)
			return
		}
		h.msg.Head = h.span
		c.headDone(h, in)
	case atChunk:
		c.chunkSize(h, text, in)
	case afterChunk:
		if len(text) > 0 {
			c.abandon(h, in, "damaged chunk")
			c.damage(h, in, true, "chunk data longer than its size says")
			return
		}
		h.state = atChunk
	}
}

// notHTTP looks at the first bytes of a direction, and turns it to raw when
// they can't be HTTP. Bytes in h.line come first. It consumes nothing of data.
func (c *Conn) notHTTP(h *half, data []byte, in *dissect.Input) bool {
	had := len(h.line)
	if had >= dissect.SniffLen {
		return false
	}
	head := append(h.line[:had:had], data[:min(len(data), dissect.SniffLen-had)]...)
	eol := bytes.IndexByte(head, '\n')
	if eol >= 0 {
		head = head[:eol+1]
	} else if len(head) < dissect.SniffLen {
		return false
	}
	if plausible(h.dir, head) || len(trimEOL(head)) == 0 || c.old(h) {
		return false
	}
	h.lspan = h.lspan.To(in)
	c.turnRaw(h, head)
	return true
}

// plausible says whether a line's beginning may be a start line.
func plausible(d dissect.Dir, b []byte) bool {
	if d == dissect.ToClient {
		return bytes.HasPrefix(b, []byte("HTTP/"))
	}
	i := bytes.IndexByte(b, ' ')
	if i <= 0 || i > 32 || bytes.HasPrefix(b, []byte("PRI * HTTP/2")) {
		return false
	}
	for _, x := range b[:i] {
		if !tokenByte(x) {
			return false
		}
	}
	text := trimEOL(b)
	whole := len(text) < len(b)
	return !whole || httpVersion(text[bytes.LastIndexByte(text, ' ')+1:]) || simple(text)
}

// turnRaw says that a direction is not HTTP, and gives out what was buffered.
func (c *Conn) turnRaw(h *half, head []byte) {
	looks, _ := dissect.Sniff(h.dir, head)
	c.emit(h, h.lspan, nil, &NotHTTP{Looks: looks, Head: bytes.Clone(head)})
	c.goRaw(h, h.lspan)
	// The other side speaks the same language, whatever its first bytes are.
	if o := &c.half[h.dir.Reverse()]; o.state == atStart && !o.any && !o.ended {
		c.goRaw(o, o.lspan)
	}
}

func (c *Conn) goRaw(h *half, span dissect.Span) {
	h.state = raw
	if len(h.line) > 0 {
		c.emit(h, span, bytes.Clone(h.line), Raw{})
		h.line = nil
	}
	if len(h.hold) > 0 {
		c.emit(h, h.holdSpan, h.hold, Raw{})
		h.hold = nil
	}
}

// onHold keeps bytes that came after a request for an upgrade.
func (c *Conn) onHold(h *half, data []byte, in *dissect.Input) int {
	if len(h.hold) == 0 {
		h.holdSpan = dissect.At(in)
	}
	h.holdSpan = h.holdSpan.To(in)
	n := min(len(data), maxHold-len(h.hold))
	h.hold = append(h.hold, data[:n]...)
	if len(h.hold) == maxHold {
		c.damage(h, in, false, "no answer to an upgrade after %d bytes: taken as another protocol", maxHold)
		c.goRaw(h, h.holdSpan)
	}
	return n
}

func (c *Conn) gap(h *half, n int, in *dissect.Input) {
	defer func() { h.off += int64(max(n, 0)) }()
	switch h.state {
	case dead:
		return
	case raw, onHold:
		c.goRaw(h, h.holdSpan)
		c.emit(h, dissect.At(in), nil, &Damage{Offset: h.off, What: missing(n), Missing: max(n, 0)})
		return
	case inRest:
		h.msg.Missing += int64(max(n, 1))
		return
	case inBody, inChunk:
		if n > 0 && int64(n) <= h.msg.chunked {
			h.msg.Missing += int64(n)
			h.msg.chunked -= int64(n)
			if h.msg.chunked == 0 {
				if h.state == inBody {
					c.done(h, in)
				} else {
					h.state = afterChunk
				}
			}
			return
		}
	}
	if h.state == atStart || h.state == searching {
		c.halfLine(h)
	}
	h.line, h.long = nil, false
	c.abandon(h, in, missing(n))
	c.emit(h, dissect.At(in), nil, &Damage{Offset: h.off, What: missing(n), Missing: max(n, 0)})
	h.state = searching
}

func missing(n int) string {
	if n < 0 {
		return "bytes missing"
	}
	return fmt.Sprintf("%d bytes missing", n)
}

// abandon gives out the message under way as incomplete.
func (c *Conn) abandon(h *half, in *dissect.Input, why string) {
	if h.msg == nil {
		return
	}
	h.msg.Why = why
	if h.msg.Head == (dissect.Span{}) {
		h.msg.Head = h.span
	}
	c.finish(h)
	h.state = searching
}

// end closes a direction: closed says that the connection did, not just the
// recording.
func (c *Conn) end(h *half, in *dissect.Input, closed bool) {
	if h.ended {
		return
	}
	h.ended = true
	why := "the recording ended"
	if closed {
		why = "the connection was closed"
	}
	if h.state == onHold {
		c.goRaw(h, h.holdSpan)
	}
	if h.state == atStart && len(h.line) > 0 {
		c.partialStart(h, why)
	}
	switch {
	case h.msg == nil:
	case h.state == inRest && closed:
		c.done(h, in)
	default:
		c.abandon(h, in, why)
	}
	if h.drop > 0 {
		c.emit(h, dissect.At(in), nil, &Damage{Offset: h.off, What: fmt.Sprintf("%d bytes were not understood", h.drop)})
	}
}

// partialStart deals with a first line that never ended.
func (c *Conn) partialStart(h *half, why string) {
	line := h.line
	if c.old(h) {
		h.line = nil
		c.startLine(h, line, line, false, &dissect.Input{Time: h.lspan.Time, Ref: h.lspan.LastRef, Dir: h.dir})
		return
	}
	if c.halfLine(h) {
		h.line = nil
		return
	}
	if looks, _ := dissect.Sniff(h.dir, line); !h.any && looks != "http" {
		c.turnRaw(h, line[:min(len(line), dissect.SniffLen)])
		return
	}
	c.emit(h, h.lspan, nil, &Damage{Offset: h.off, What: fmt.Sprintf("start line cut short after %d bytes: %s", len(line), why)})
}

// halfLine begins an answer from a status line whose end is missing, if the
// status is there: that is the part that counts.
func (c *Conn) halfLine(h *half) bool {
	m := &Message{Exchange: -1, Announced: -1}
	if h.dir == dissect.ToServer || !m.statusLine(trimEOL(h.line)) {
		return false
	}
	c.begin(h, m)
	c.answers(h, m)
	return true
}
