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
	maxConns     = 1 << 17
	maxExchanges = 1 << 17 // that went well; of the others twice as many
	captureBody  = 4 << 10 // bytes kept of an answer's body
)

// CaptureOptions are what FromCapture wants its walk to be opened with.
func CaptureOptions() wire.Options { return wire.Options{Body: captureBody} }

// FromCapture makes the timeline of a capture: conversations and lookups without
// processes. Connections have the numbers of their streams. The error is the
// walk's.
func FromCapture(p *wire.Pass) (*Timeline, error) {
	b := &captured{
		builder: builder{t: &Timeline{Files: map[string]*event.File{}, Owners: map[string]*event.Owner{}, Skipped: map[string]int{}, Capture: &p.Stats}},
		conns:   map[*wire.Stream]*listener{},
		lookups: map[lookupKey]*Lookup{},
	}
	for {
		x, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch {
		case x.Stream == nil:
		case x.Stream.TCP != nil:
			b.listener(x.Stream)
		case x.Stream.UDP.Packets[0]+x.Stream.UDP.Packets[1] == 1 && len(b.t.Flows) < maxConns:
			b.t.Flows = append(b.t.Flows, x.Stream)
		}
		b.events(x.Events)
	}
	b.events(p.Rest())
	b.end(p)
	return b.t, nil
}

// captured builds the timeline of a capture.
type captured struct {
	builder
	conns     map[*wire.Stream]*listener
	lookups   map[lookupKey]*Lookup
	exchanges int
}

type lookupKey struct {
	stream *wire.Stream
	id     uint16
	name   string
	typ    dns.Type
}

func (b *captured) listener(s *wire.Stream) *listener {
	l := b.conns[s]
	if l == nil && len(b.conns) < maxConns {
		l = &listener{c: &Conn{ID: s.ID, Type: sockStream, Opened: s.TCP.Opened, Packets: s.TCP}}
		b.conns[s] = l
		b.t.Conns = append(b.t.Conns, l.c)
	} else if l == nil {
		b.t.Skipped["packets of connections over the limit"]++
	}
	return l
}

func (b *captured) events(list []wire.Event) {
	for i := range list {
		e := &list[i]
		if m, ok := e.Msg.(wire.DNS); ok && m.Message != nil {
			b.dns(e, m.Message)
		}
		if e.Stream.TCP == nil {
			continue
		}
		l := b.listener(e.Stream)
		if l == nil {
			continue
		}
		// The ends are known for sure only once the handshake was seen.
		l.c.Local, l.c.Remote = e.Stream.Ends()
		if m, ok := e.Msg.(*http.Message); ok && !b.room(m) {
			continue
		}
		l.event(e)
	}
}

// room says whether a message is kept: those that went well only up to a limit.
func (b *captured) room(m *http.Message) bool {
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

func (b *captured) dns(e *wire.Event, m *dns.Message) {
	if e.Proto == "mdns" || len(m.Questions) == 0 || len(b.t.Lookups) >= maxConns {
		return
	}
	q := m.Questions[0]
	k := lookupKey{e.Stream, m.ID, q.Name, q.Type}
	l := b.lookups[k]
	if l == nil {
		_, server := e.Stream.Ends()
		l = &Lookup{Time: e.First, Server: server, Name: q.Name, Type: q.Type.String(), ID: m.ID}
		b.lookups[k] = l
		b.t.Lookups = append(b.t.Lookups, l)
	}
	if m.Response && !l.Answered {
		l.answer(e.Time, m)
	}
}

func (b *captured) end(p *wire.Pass) {
	t := b.t
	t.Start, t.EndAt = p.First, p.Last
	t.Header.Wall = int64(p.First)
	for _, c := range t.Conns {
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
