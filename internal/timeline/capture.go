package timeline

import (
	"errors"
	"io"

	"culprit/internal/dissect"
	"culprit/internal/dissect/dns"
	"culprit/internal/dissect/http"
	"culprit/internal/event"
	"culprit/internal/wire"
)

// Limits of a capture's timeline. What is over them is counted in Skipped.
const (
	maxConns     = 1 << 16
	maxExchanges = 1 << 17 // that went well; of the others twice as many
	captureBody  = 4 << 10 // bytes kept of an answer's body
)

// CaptureOptions are what FromCapture wants its walk to be opened with.
func CaptureOptions() wire.Options { return wire.Options{Body: captureBody} }

// FromCapture makes the timeline of a capture: conversations and lookups without
// processes. Connections have the numbers of their streams. The error is the
// walk's.
func FromCapture(p *wire.Pass) (*Timeline, error) {
	b := NewCapture(p)
	for {
		x, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		b.stream(x.Stream)
		for i := range x.Events {
			b.Take(&x.Events[i])
		}
	}
	rest := p.Rest()
	for i := range rest {
		b.Take(&rest[i])
	}
	b.end(p)
	return b.t, nil
}

// Capture listens to a walk. With Forget it keeps only what is under way, for
// those who show events as they come.
type Capture struct {
	Forget bool

	builder
	lookups   map[lookupKey]*Lookup
	exchanges int
}

// NewCapture returns a listener for a walk.
func NewCapture(p *wire.Pass) *Capture {
	return &Capture{
		builder: builder{t: &Timeline{Files: map[string]*event.File{}, Owners: map[string]*event.Owner{}, Skipped: map[string]int{}, Capture: &p.Stats}},
		lookups: map[lookupKey]*Lookup{},
	}
}

type lookupKey struct {
	stream *wire.Stream
	id     uint16
	name   string
	typ    dns.Type
}

// Heard is what an event is about.
type Heard struct {
	Conn     *Conn     // of TCP, or of QUIC
	Exchange *Exchange // of an HTTP message; one that is kept nowhere when its head is told
	Lookup   *Lookup   // of DNS
}

// stream makes the connection of a stream that has none yet.
func (b *Capture) stream(s *wire.Stream) *listener {
	switch {
	case s == nil:
		return nil
	case s.TCP == nil:
		if !b.Forget && s.User == nil && len(b.t.Flows) < maxConns {
			s.User = b
			b.t.Flows = append(b.t.Flows, s)
		}
		return nil
	}
	l, _ := s.User.(*listener)
	switch {
	case l != nil:
	case !b.Forget && len(b.t.Conns) >= maxConns:
		b.t.Skipped["packets of connections over the limit"]++
	default:
		l = &listener{c: &Conn{ID: s.ID, Type: sockStream, Opened: s.TCP.Opened, Packets: s.TCP}, forget: b.Forget}
		s.User = l
		if !b.Forget {
			b.t.Conns = append(b.t.Conns, l.c)
		}
	}
	return l
}

// flow makes the connection of a flow of datagrams that speaks QUIC.
func (b *Capture) flow(s *wire.Stream) *listener {
	if l, ok := s.User.(*listener); ok {
		return l
	}
	if !b.Forget && len(b.t.Conns) >= maxConns {
		return nil
	}
	l := &listener{c: &Conn{ID: s.ID, Type: sockDgram, Opened: s.UDP.Opened, Flow: s.UDP}, forget: b.Forget}
	s.User = l
	if !b.Forget {
		b.t.Conns = append(b.t.Conns, l.c)
	}
	return l
}

// Take takes the next event. What it returns is valid until the next one.
func (b *Capture) Take(e *wire.Event) (h Heard) {
	if m, ok := e.Msg.(wire.DNS); ok && m.Message != nil {
		h.Lookup = b.dns(e, m.Message)
	}
	l := b.stream(e.Stream)
	if l == nil && e.Proto == "quic" {
		l = b.flow(e.Stream)
	}
	if l == nil {
		return h
	}
	// The ends are known for sure only once the handshake was seen.
	l.c.Local, l.c.Remote = e.Stream.Ends()
	h.Conn = l.c
	if m, ok := e.Msg.(*http.Message); ok && !b.room(m) {
		return h
	}
	h.Exchange = l.event(e)
	return h
}

// room says whether a message is kept: those that went well only up to a limit.
func (b *Capture) room(m *http.Message) bool {
	if b.Forget {
		return true
	}
	b.exchanges++
	well := m.Complete && m.Status < 400
	if well {
		m.Body, m.Decoded = nil, nil
	}
	if b.exchanges > 2*maxExchanges || well && b.exchanges > maxExchanges {
		b.t.Skipped["HTTP messages over the limit"]++
		return false
	}
	return true
}

func (b *Capture) dns(e *wire.Event, m *dns.Message) *Lookup {
	if e.Proto == "mdns" || len(m.Questions) == 0 || len(b.lookups) >= maxConns {
		return nil
	}
	q := m.Questions[0]
	k := lookupKey{e.Stream, m.ID, q.Name, q.Type}
	l := b.lookups[k]
	if l == nil {
		_, server := e.Stream.Ends()
		l = &Lookup{Time: e.First, Server: server, Name: q.Name, Type: q.Type.String(), ID: m.ID}
		b.lookups[k] = l
		if !b.Forget {
			b.t.Lookups = append(b.t.Lookups, l)
		}
	}
	if m.Response {
		if !l.Answered {
			l.answer(e.Time, m)
		}
		if b.Forget {
			delete(b.lookups, k)
		}
	}
	return l
}

func (b *Capture) end(p *wire.Pass) {
	t := b.t
	t.Start, t.EndAt = p.First, p.Last
	t.Header.Wall = int64(p.First)
	for _, c := range t.Conns {
		if c.Packets == nil {
			c.Sent, c.Received = c.Flow.Bytes[dissect.ToServer], c.Flow.Bytes[dissect.ToClient]
			continue
		}
		c.Local, c.Remote = c.Packets.Client, c.Packets.Server
		up, down := &c.Packets.Half[dissect.ToServer], &c.Packets.Half[dissect.ToClient]
		c.Sent, c.Received, c.Holes = up.Bytes, down.Bytes, up.Missing+down.Missing
		c.EOF = down.FIN
		c.Closed = max(up.FIN, c.Packets.ResetAt)
	}
	if keys := p.Keys(); keys != nil {
		t.KeyLog.Lines, t.KeyLog.Garbage, t.KeyLog.Dropped = keys.Lines, keys.Garbage, keys.Dropped
	}
	b.names()
}
