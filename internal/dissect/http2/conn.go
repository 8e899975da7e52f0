package http2

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
)

// Conn is one connection.
type Conn struct {
	limit   int
	pieces  bool
	half    [2]half
	streams map[uint32]*stream // that are open
	last    uint32             // the highest stream that the client opened
	n       int                // requests so far
	out     []Output
}

// stream is a request and its answers.
type stream struct {
	id       uint32
	exchange int
	request  *http.Message
	side     [2]side
}

// side is one direction of a stream.
type side struct {
	msg  *http.Message // under way
	span dissect.Span  // of msg
	done bool          // nothing more is expected
}

// New returns a reader of one connection.
func New(o http.Options) *Conn {
	c := &Conn{limit: o.Body, pieces: o.Pieces, streams: map[uint32]*stream{}}
	if c.limit == 0 {
		c.limit = http.DefaultBody
	}
	c.half[0].init(dissect.ToServer)
	c.half[1].init(dissect.ToClient)
	return c
}

// Upgraded returns a reader of a connection that an HTTP/1.1 request turned into
// HTTP/2: stream 1 has its answer (RFC 7540 section 3.2).
func Upgraded(o http.Options, request *http.Message) *Conn {
	c := New(o)
	if request != nil {
		st := &stream{id: 1, exchange: 0, request: request}
		st.side[0].done = true
		c.streams[1], c.last, c.n = st, 1, 1
	}
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
		c.end(h, &in, "the connection was closed")
	}
	return c.out
}

// Close says that the recording ended at time in.Time: messages under way come
// out incomplete. The Dir of in does not matter.
func (c *Conn) Close(in dissect.Input) []Output {
	clear(c.out)
	c.out = c.out[:0]
	for d := range c.half {
		c.end(&c.half[d], &in, "the recording ended")
	}
	return c.out
}

func (c *Conn) emit(d dissect.Dir, span dissect.Span, data []byte, m any) {
	c.out = append(c.out, Output{Dir: d, Span: span, Data: data, Msg: m})
}

// damage tells of a fault; a fatal one ends the direction.
func (c *Conn) damage(h *half, in *dissect.Input, at int64, fatal bool, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if fatal {
		h.state = dead
		c.abandonAll(h.dir, what)
	}
	c.emit(h.dir, dissect.At(in), nil, &http.Damage{Offset: at, What: what, Fatal: fatal})
}

func (c *Conn) end(h *half, in *dissect.Input, why string) {
	if h.ended {
		return
	}
	h.ended = true
	c.abandonAll(h.dir, why)
	if h.drop > 0 {
		c.emit(h.dir, dissect.At(in), nil, &http.Damage{Offset: h.off, What: fmt.Sprintf("%d bytes were not understood", h.drop)})
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
	st := c.streams[b.id]
	if st == nil {
		if st = c.open(h, in); st == nil {
			return
		}
	}
	x := &st.side[h.dir]
	switch {
	case x.done:
		return
	case x.msg != nil:
		x.msg.Trailer = h.list
		x.span = x.span.To(in)
	default:
		c.begin(h, st)
	}
	if b.end || x.msg.Informational() {
		c.done(st, h.dir, in)
	}
}

// open makes the stream that a header begins, nil when it is an old one, or one
// too many.
func (c *Conn) open(h *half, in *dissect.Input) *stream {
	id := h.block.id
	old := id <= c.last && id&1 == 1
	if old || id == 0 || h.dir == dissect.ToServer && id&1 == 0 {
		return nil
	}
	if h.dir == dissect.ToServer {
		c.last = id
	}
	if len(c.streams) >= maxStreams {
		c.damage(h, in, h.at, false, "stream %d left out: more than %d are open", id, maxStreams)
		return nil
	}
	st := &stream{id: id, exchange: -1}
	if h.dir == dissect.ToServer {
		st.exchange = c.n
		c.n++
	}
	st.side[0].done = h.dir == dissect.ToClient // its request was not seen
	st.side[1].done = c.half[1].ended || c.half[1].state == dead
	c.streams[id] = st
	return st
}

// promise makes the stream of an answer that will be pushed.
func (c *Conn) promise(h *half, in *dissect.Input) {
	id := h.block.promised
	if h.dir == dissect.ToServer || id&1 == 1 || c.streams[id] != nil || len(c.streams) >= maxStreams {
		c.damage(h, in, h.at, false, "PUSH_PROMISE of stream %d out of place", id)
		return
	}
	st := &stream{id: id, exchange: -1, request: message(id, -1, dissect.ToServer, h.list)}
	st.request.Complete, st.request.Head = true, h.block.span
	st.side[0].done = true
	c.streams[id] = st
}

// begin makes the message of a header.
func (c *Conn) begin(h *half, st *stream) {
	m, x := message(st.id, st.exchange, h.dir, h.list), &st.side[h.dir]
	m.Head = h.block.span
	if !h.block.end && !m.Informational() {
		m.Framing = http.EndStream
	}
	if m.Answer {
		if m.Request = st.request; m.Request != nil {
			m.RequestSeen, m.Early = m.Request.Seen, !st.side[0].done
		}
	} else {
		st.request = m
	}
	x.msg, x.span = m, h.block.span
	c.emit(h.dir, x.span, nil, http.Head{Message: m})
}

// message reads a header (RFC 9113 section 8.3).
func message(id uint32, exchange int, d dissect.Dir, list http.Fields) *http.Message {
	m := &http.Message{Exchange: exchange, Answer: d == dissect.ToClient, Version: "HTTP/2", Stream: uint64(id), Announced: -1}
	m.Header = make(http.Fields, 0, len(list))
	var cookies []string
	for _, f := range list {
		switch f.Name {
		case ":method":
			m.Method = f.Value
		case ":path":
			m.Target = f.Value
		case ":authority":
			m.Header = slices.Insert(m.Header, 0, http.Field{Name: "host", Value: f.Value})
		case ":status":
			if n, err := strconv.Atoi(f.Value); err == nil && len(f.Value) == 3 && n >= 100 {
				m.Status = n
			}
		case "host":
			if m.Get("host") == "" {
				m.Header = append(m.Header, f)
			}
		case "cookie": // sent apart for the compression's sake (RFC 9113 section 8.2.3)
			cookies = append(cookies, f.Value)
		default:
			if !strings.HasPrefix(f.Name, ":") {
				m.Header = append(m.Header, f)
			}
		}
	}
	if cookies != nil {
		m.Header = append(m.Header, http.Field{Name: "cookie", Value: strings.Join(cookies, "; ")})
	}
	if m.Method == "CONNECT" && m.Target == "" {
		m.Target = m.Get("host")
	}
	switch {
	case m.Answer && m.Status == 0:
		m.Issues = append(m.Issues, "answer without a :status")
	case !m.Answer && (m.Method == "" || m.Target == ""):
		m.Issues = append(m.Issues, "request without :method or :path")
	}
	m.ReadLength()
	return m
}

// body takes a piece of a message's body.
func (c *Conn) body(st *stream, d dissect.Dir, b []byte, in *dissect.Input) {
	x := &st.side[d]
	m := x.msg
	if m == nil {
		return
	}
	m.Seen += int64(len(b))
	x.span = x.span.To(in)
	if room := c.limit - len(m.Body); room > 0 {
		m.Body = append(m.Body, b[:min(room, len(b))]...)
	}
	if c.pieces {
		c.emit(d, dissect.At(in), b, http.Body{Message: m})
	}
}

// done ends a message, and with a final one its side of the stream.
func (c *Conn) done(st *stream, d dissect.Dir, in *dissect.Input) {
	x := &st.side[d]
	m := x.msg
	if m == nil {
		return
	}
	x.span = x.span.To(in)
	switch {
	case m.Missing > 0:
		m.Why = "bytes missing in the recording"
	case m.Framing != http.NoBody && m.Seen < m.Announced:
		m.Why = fmt.Sprintf("the stream ended after %d of %d bytes", m.Seen, m.Announced)
	default:
		m.Complete = true
	}
	c.finish(st, d, !m.Informational())
}

// finish gives out the message under way, if there is one.
func (c *Conn) finish(st *stream, d dissect.Dir, last bool) {
	x := &st.side[d]
	x.done = x.done || last
	if m := x.msg; m != nil {
		x.msg = nil
		m.Decode(c.limit)
		c.emit(d, x.span, nil, m)
	}
	if st.side[0].done && st.side[1].done {
		delete(c.streams, st.id)
	}
}

func (c *Conn) abandon(st *stream, d dissect.Dir, why string) {
	if m := st.side[d].msg; m != nil {
		m.Why = why
	}
	c.finish(st, d, true)
}

// abandonAll ends all messages of a direction.
func (c *Conn) abandonAll(d dissect.Dir, why string) {
	for _, id := range slices.Sorted(maps.Keys(c.streams)) {
		c.abandon(c.streams[id], d, why)
	}
}

// reset takes RST_STREAM.
func (c *Conn) reset(h *half, code Code) {
	r := &Reset{Stream: h.id, Code: code, Exchange: -1}
	if st := c.streams[h.id]; st != nil {
		r.Exchange, r.Request = st.exchange, st.request
		why := "the client reset the stream: " + code.String()
		if h.dir == dissect.ToClient {
			why = "the server reset the stream: " + code.String()
		}
		c.abandon(st, dissect.ToServer, why)
		c.abandon(st, dissect.ToClient, why)
	}
	c.emit(h.dir, h.span, nil, r)
}
