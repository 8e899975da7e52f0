package http2

import (
	"fmt"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
)

// Conn is one connection.
type Conn struct {
	half    [2]half
	streams http.Streams
	last    uint32 // the highest stream that the client opened
}

// New returns a reader of one connection.
func New(o http.Options) *Conn {
	c := &Conn{streams: http.NewStreams("HTTP/2", o)}
	c.half[0].init(dissect.ToServer)
	c.half[1].init(dissect.ToClient)
	return c
}

// Upgraded returns a reader of a connection that an HTTP/1.1 request turned into
// HTTP/2: stream 1 has its answer (RFC 7540 section 3.2).
func Upgraded(o http.Options, request *http.Message) *Conn {
	c := New(o)
	if request != nil {
		c.streams.Asked(1, request)
		c.last = 1
	}
	return c
}

// Feed takes the next bytes of a direction; in.End ends it. The slice is valid
// until the next call.
func (c *Conn) Feed(in dissect.Input) []Output {
	c.streams.Reset()
	h := &c.half[in.Dir&1]
	if in.Gap != 0 {
		c.gap(h, in.Gap, &in)
	}
	if len(in.Data) > 0 {
		c.bytes(h, in.Data, &in)
	}
	if in.End {
		c.end(h, &in, "the connection was closed")
	}
	return c.streams.Out
}

// Close says that the recording ended at time in.Time: messages under way come
// out incomplete. The Dir of in does not matter.
func (c *Conn) Close(in dissect.Input) []Output {
	c.streams.Reset()
	for d := range c.half {
		c.end(&c.half[d], &in, "the recording ended")
	}
	return c.streams.Out
}

func (c *Conn) emit(d dissect.Dir, span dissect.Span, m any) { c.streams.Emit(d, span, nil, m) }

// damage tells of a fault; a fatal one ends the direction.
func (c *Conn) damage(h *half, in *dissect.Input, at int64, fatal bool, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if fatal {
		h.state = dead
		c.streams.AbandonAll(h.dir, what)
	}
	c.emit(h.dir, dissect.At(in), &http.Damage{Offset: at, What: what, Fatal: fatal})
}

func (c *Conn) end(h *half, in *dissect.Input, why string) {
	if h.ended {
		return
	}
	h.ended = true
	c.streams.AbandonAll(h.dir, why)
	if h.drop > 0 {
		c.emit(h.dir, dissect.At(in), &http.Damage{Offset: h.off, What: fmt.Sprintf("%d bytes were not understood", h.drop)})
	}
}

// fields takes a header block that is whole.
func (c *Conn) fields(h *half, in *dissect.Input) {
	b := &h.block
	h.list, h.size, h.over = nil, 0, false
	h.hpack.SetEmitEnabled(true)
	_, err := h.hpack.Write(b.data)
	if err == nil {
		err = h.hpack.Close()
	}
	if err != nil {
		c.damage(h, in, h.at, true, "header compression: %v", err)
		return
	}
	if h.over {
		c.damage(h, in, h.at, false, "header of stream %d over the limit of %d bytes or %d fields: the rest is left out", b.id, maxList, maxFields)
	}
	if b.promised != 0 {
		c.promise(h, in)
		return
	}
	st := c.streams.Get(uint64(b.id))
	if st == nil {
		if st = c.open(h, in); st == nil {
			return
		}
	}
	c.streams.Header(st, h.dir, h.list, b.span, b.end)
}

// open makes the stream that a header begins, nil when it is an old one, or one
// too many.
func (c *Conn) open(h *half, in *dissect.Input) *http.Stream {
	id := h.block.id
	old := id <= c.last && id&1 == 1
	if old || id == 0 || h.dir == dissect.ToServer && id&1 == 0 {
		return nil
	}
	if h.dir == dissect.ToServer {
		c.last = id
	}
	if c.streams.Len() >= maxStreams {
		c.damage(h, in, h.at, false, "stream %d left out: more than %d are open", id, maxStreams)
		return nil
	}
	return c.streams.Open(uint64(id), h.dir, c.half[1].ended || c.half[1].state == dead)
}

// promise makes the stream of an answer that will be pushed.
func (c *Conn) promise(h *half, in *dissect.Input) {
	id := h.block.promised
	if h.dir == dissect.ToServer || id&1 == 1 || c.streams.Get(uint64(id)) != nil || c.streams.Len() >= maxStreams {
		c.damage(h, in, h.at, false, "PUSH_PROMISE of stream %d out of place", id)
		return
	}
	c.streams.Promised(uint64(id), h.list, h.block.span)
}

// reset takes RST_STREAM.
func (c *Conn) reset(h *half, code Code) {
	r := &Reset{Stream: h.id, Code: code, Exchange: -1}
	if st := c.streams.Get(uint64(h.id)); st != nil {
		r.Exchange, r.Request = st.Exchange, st.Request
		c.streams.ResetBy(st, dissect.ToServer, h.dir, code.String())
		c.streams.ResetBy(st, dissect.ToClient, h.dir, code.String())
	}
	c.emit(h.dir, h.span, r)
}
