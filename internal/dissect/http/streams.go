package http

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/dissect"
)

// StreamOutput is one event of a connection with streams.
type StreamOutput struct {
	Dir dissect.Dir
	dissect.Span
	Data []byte // of Body only; a part of the input, valid until Feed's caller reuses that
	Msg  any    // Head, *Message, Body, *Damage, or one of the protocol's package
}

// Streams are the messages of a connection on which each request and its answers
// have a stream of their own: HTTP/2 and HTTP/3 (RFC 9110 section 3.9). The
// protocol's package reads the frames and tells of them here.
type Streams struct {
	Out []StreamOutput // what came out

	version string
	limit   int
	pieces  bool
	open    map[uint64]*Stream
	n       int // requests so far
}

// Stream is a request and its answers.
type Stream struct {
	ID       uint64
	Exchange int
	Request  *Message
	side     [2]side
}

// side is one direction of a stream.
type side struct {
	msg  *Message     // under way
	span dissect.Span // of msg
	done bool         // nothing more is expected
}

// NewStreams returns the messages of a connection that speaks a version, "HTTP/2".
func NewStreams(version string, o Options) Streams {
	s := Streams{version: version, limit: o.Body, pieces: o.Pieces, open: map[uint64]*Stream{}}
	if s.limit == 0 {
		s.limit = DefaultBody
	}
	return s
}

// Reset begins a new list of what comes out.
func (s *Streams) Reset() {
	clear(s.Out)
	s.Out = s.Out[:0]
}

// Emit tells of something.
func (s *Streams) Emit(d dissect.Dir, span dissect.Span, data []byte, m any) {
	s.Out = append(s.Out, StreamOutput{Dir: d, Span: span, Data: data, Msg: m})
}

// Get returns an open stream, nil when there is none.
func (s *Streams) Get(id uint64) *Stream { return s.open[id] }

// Len is how many streams are open.
func (s *Streams) Len() int { return len(s.open) }

// Open makes a stream that d begins. Its request is not to be seen when the
// server does; answered says that no answer can come any more.
func (s *Streams) Open(id uint64, d dissect.Dir, answered bool) *Stream {
	st := &Stream{ID: id, Exchange: -1}
	if d == dissect.ToServer {
		st.Exchange = s.n
		s.n++
	}
	st.side[0].done, st.side[1].done = d == dissect.ToClient, answered
	s.open[id] = st
	return st
}

// Asked makes a stream whose request was made elsewhere.
func (s *Streams) Asked(id uint64, request *Message) *Stream {
	st := s.Open(id, dissect.ToServer, false)
	st.Request, st.side[0].done = request, true
	return st
}

// Promised makes the stream of an answer that will be pushed, to a request that
// nobody made.
func (s *Streams) Promised(id uint64, list Fields, span dissect.Span) {
	st := s.Open(id, dissect.ToClient, false)
	st.Request = s.message(st, dissect.ToServer, list)
	st.Request.Complete, st.Request.Head = true, span
}

// Header takes a header: of a message, or when one is under way, its trailer. End
// says that the stream's direction ends with it.
func (s *Streams) Header(st *Stream, d dissect.Dir, list Fields, span dissect.Span, end bool) {
	x := &st.side[d]
	switch {
	case x.done:
		return
	case x.msg != nil:
		x.msg.Trailer = list
		x.span.Time, x.span.LastRef = span.Time, span.LastRef
	default:
		s.begin(st, d, list, span, end)
	}
	if end || x.msg.Informational() {
		s.Done(st, d, span)
	}
}

// begin makes the message of a header.
func (s *Streams) begin(st *Stream, d dissect.Dir, list Fields, span dissect.Span, end bool) {
	m, x := s.message(st, d, list), &st.side[d]
	m.Head = span
	if !end && !m.Informational() {
		m.Framing = EndStream
	}
	if m.Answer {
		if m.Request = st.Request; m.Request != nil {
			m.RequestSeen, m.Early = m.Request.Seen, !st.side[0].done
		}
	} else {
		st.Request = m
	}
	x.msg, x.span = m, span
	s.Emit(d, span, nil, Head{Message: m})
}

// message reads a header (RFC 9113 section 8.3, RFC 9114 section 4.3).
func (s *Streams) message(st *Stream, d dissect.Dir, list Fields) *Message {
	m := &Message{Exchange: st.Exchange, Answer: d == dissect.ToClient, Version: s.version, Stream: st.ID, Announced: -1}
	m.Header = make(Fields, 0, len(list))
	var cookies []string
	for _, f := range list {
		switch f.Name {
		case ":method":
			m.Method = f.Value
		case ":path":
			m.Target = f.Value
		case ":authority":
			m.Header = slices.Insert(m.Header, 0, Field{Name: "host", Value: f.Value})
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
		m.Header = append(m.Header, Field{Name: "cookie", Value: strings.Join(cookies, "; ")})
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

// Body takes a piece of a message's body.
func (s *Streams) Body(st *Stream, d dissect.Dir, b []byte, span dissect.Span) {
	x := &st.side[d]
	m := x.msg
	if m == nil {
		return
	}
	m.Seen += int64(len(b))
	x.span.Time, x.span.LastRef = span.Time, span.LastRef
	if room := s.limit - len(m.Body); room > 0 {
		m.Body = append(m.Body, b[:min(room, len(b))]...)
	}
	if s.pieces {
		s.Emit(d, span, b, Body{Message: m})
	}
}

// Missing says that bytes of a body fell into a hole.
func (s *Streams) Missing(st *Stream, d dissect.Dir, n int) {
	if m := st.side[d].msg; m != nil {
		m.Missing += int64(n)
	}
}

// Done ends a message, and with a final one its side of the stream.
func (s *Streams) Done(st *Stream, d dissect.Dir, span dissect.Span) {
	x := &st.side[d]
	m := x.msg
	if m == nil {
		return
	}
	x.span.Time, x.span.LastRef = span.Time, span.LastRef
	switch {
	case m.Missing > 0:
		m.Why = "bytes missing in the recording"
	case m.Framing != NoBody && m.Seen < m.Announced:
		m.Why = fmt.Sprintf("the stream ended after %d of %d bytes", m.Seen, m.Announced)
	default:
		m.Complete = true
	}
	s.finish(st, d, !m.Informational())
}

// finish gives out the message under way, if there is one.
func (s *Streams) finish(st *Stream, d dissect.Dir, last bool) {
	x := &st.side[d]
	x.done = x.done || last
	if m := x.msg; m != nil {
		x.msg = nil
		m.Decode(s.limit)
		s.Emit(d, x.span, nil, m)
	}
	if st.side[0].done && st.side[1].done {
		delete(s.open, st.ID)
	}
}

// Abandon ends one side of a stream before its time.
func (s *Streams) Abandon(st *Stream, d dissect.Dir, why string) {
	if m := st.side[d].msg; m != nil {
		m.Why = why
	}
	s.finish(st, d, true)
}

// AbandonAll ends all messages of a direction.
func (s *Streams) AbandonAll(d dissect.Dir, why string) {
	for _, id := range slices.Sorted(maps.Keys(s.open)) {
		s.Abandon(s.open[id], d, why)
	}
}

// ResetBy ends one side of a stream, since an end reset it for a reason.
func (s *Streams) ResetBy(st *Stream, d, by dissect.Dir, code string) {
	why := "the client reset the stream: " + code
	if by == dissect.ToClient {
		why = "the server reset the stream: " + code
	}
	s.Abandon(st, d, why)
}
