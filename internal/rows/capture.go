package rows

import (
	"errors"
	"io"
	"iter"

	"culprit/internal/dissect/http"
	"culprit/internal/dissect/http2"
	"culprit/internal/dissect/quic"
	"culprit/internal/dissect/tls"
	"culprit/internal/dissect/websocket"
	"culprit/internal/filter"
	"culprit/internal/timeline"
	"culprit/internal/wire"
)

// Streamable reports whether the rows of a capture can be given as the packets
// come by, for a filter and the fields of columns: nothing asks for what is
// known only at a message's end.
func Streamable(p *filter.Program[Row], columns []*Field) bool {
	g := p.Needs()
	for _, f := range columns {
		g |= f.Group
	}
	return g&Whole == 0
}

// Capture gives the rows of a walk that a filter lets through, in the order of
// the packets that completed them, each behind its packet: a request when its
// head is complete, or with whole when all of it is. It keeps only what is under
// way. A row is valid until the next one; its number is that of the packet. The
// walk's error comes last, io.EOF is none.
func Capture(w *wire.Pass, p *filter.Program[Row], whole bool, failed func(error)) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		c := timeline.NewCapture(w)
		c.Forget = true
		s := captured{run: &Run{}, whole: whole, heads: map[*http.Message]bool{}}
		packets := !p.Requires(Said)
		give := func(events []wire.Event) bool {
			for i := range events {
				e := &events[i]
				if r := s.row(e, c.Take(e)); r != nil && p.Match(r) && !yield(r) {
					return false
				}
			}
			return true
		}
		for {
			x, err := w.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					failed(err)
				}
				break
			}
			s.run.Start, s.run.Wall = w.First, int64(w.First)
			if packets {
				s.buf = Row{Kind: Packet, Time: x.Time, Number: x.Number, Packet: x, PID: int32(x.PID), TID: int32(x.TID), run: s.run}
				if p.Match(&s.buf) && !yield(&s.buf) {
					return
				}
			}
			if !give(x.Events) {
				return
			}
		}
		give(w.Rest())
	}
}

// captured makes rows of events.
type captured struct {
	run   *Run
	whole bool
	heads map[*http.Message]bool // messages under way whose head was a row
	buf   Row
}

// row makes the row of an event, nil when it is none.
func (s *captured) row(e *wire.Event, h timeline.Heard) *Row {
	r := &s.buf
	*r = Row{Time: e.Time, Number: int(e.LastRef), Conn: h.Conn, Exchange: h.Exchange, Lookup: h.Lookup, run: s.run}
	switch m := e.Msg.(type) {
	case http.Head:
		if s.whole {
			return nil
		}
		s.heads[m.Message] = true
		r.message(m.Message)
	case *http.Message:
		if s.heads[m] {
			delete(s.heads, m)
			return nil
		}
		r.message(m) // it was broken off before its head was complete
	case *tls.ClientHello:
		r.Kind, r.Hello = Handshake, m
	case *tls.ServerHello:
		r.Kind, r.ServHello = Handshake, m
	case *tls.Certificate:
		if t := secured(r); t != nil && len(t.Chain) > 0 && t.CertAt == e.Time {
			r.Kind, r.Chain = Handshake, t.Chain
			return r
		}
		return nil
	case tls.Alert:
		t := secured(r)
		if t == nil || len(t.Alerts) == 0 {
			return nil
		}
		r.Kind, r.Alert = Alert, &t.Alerts[len(t.Alerts)-1]
	case *quic.Packet:
		r.Kind, r.QUIC = QUICPacket, m
	case *quic.Close:
		r.Kind, r.Close = QUICClose, m
	case *http2.Reset:
		r.Kind, r.Control = Reset, &timeline.Control{Time: e.Time, Dir: e.Dir, Reset: m}
	case *http2.GoAway:
		r.Kind, r.Control = GoAway, &timeline.Control{Time: e.Time, Dir: e.Dir, GoAway: m}
	case *websocket.Frame:
		r.Kind, r.Frame = WebSocket, m
	case wire.DNS:
		if h.Lookup == nil {
			return nil
		}
		r.Kind = Query
		if m.Response {
			r.Kind = Answer
		}
	default:
		return nil
	}
	return r
}

func (r *Row) message(m *http.Message) {
	r.Kind, r.HTTP, r.Time = Request, m, m.Head.First
	if m.Answer {
		r.Kind = Response
	}
}
