// Package rows is a case as a list: one row for each call, signal, exception
// and message, in the order of their times, with the fields by which the
// display filter knows them.
//
// Fields are declared in tables, one file a family (fields_*.go): a new field
// is a new line. The package prints no table and reads no flag.
package rows

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/http2"
	"culprit/internal/dissect/quic"
	"culprit/internal/dissect/tcp"
	"culprit/internal/dissect/tls"
	"culprit/internal/dissect/websocket"
	"culprit/internal/event"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
	"culprit/internal/wire"
)

// Kind says what happened.
type Kind uint8

// Kinds.
const (
	Syscall Kind = iota
	Exec
	Signal
	Exit
	Exception
	Handshake // a TLS hello or certificate
	Alert
	Request
	Response
	Query
	Answer
	WebSocket // a frame
	Reset     // of a stream of HTTP/2
	GoAway    // of HTTP/2
	QUICPacket
	QUICClose
	Packet // of a capture
	Native
)

var kinds = [...]struct{ name, lens string }{
	Syscall: {"syscall", "kernel"}, Exec: {"exec", "kernel"}, Signal: {"signal", "kernel"}, Exit: {"exit", "kernel"},
	Native:    {"native", "kernel"},
	Exception: {"exception", "code"},
	Handshake: {"tls-handshake", "wire"}, Alert: {"tls-alert", "wire"},
	Request: {"http-request", "wire"}, Response: {"http-response", "wire"},
	WebSocket: {"websocket", "wire"}, Reset: {"http2-reset", "wire"}, GoAway: {"http2-goaway", "wire"},
	QUICPacket: {"quic", "wire"}, QUICClose: {"quic-close", "wire"},
	Query: {"dns", "wire"}, Answer: {"dns-answer", "wire"}, Packet: {"packet", "wire"},
}

// String returns the kind's name, e.g. "http-request".
func (k Kind) String() string { return kinds[k].name }

// Lens returns which lens saw it: "kernel", "code" or "wire".
func (k Kind) Lens() string { return kinds[k].lens }

// Run is what rows need to know of their run.
type Run struct {
	Start event.Time
	Wall  int64 // ns since 1970 at Start

	stacks map[uint32][]timeline.Frame // that calls name, where rows are streamed
}

// Row is one row. Of the pointers those are set that its kind is about, and
// Conn whenever it belongs to a connection.
type Row struct {
	Kind     Kind
	Time     event.Time
	PID, TID int32
	Number   int               // from 1; 0 when rows are streamed
	Proc     *timeline.Process // nil when rows are streamed, and in a capture

	Call      *timeline.Call
	Exec      *timeline.Exec
	Signal    *timeline.Signal
	Native    *timeline.Native
	Status    uint32 // of Exit: a wait status
	Exception *timeline.Exception
	Conn      *timeline.Conn
	Exchange  *timeline.Exchange
	HTTP      *http.Message
	Hello     *tls.ClientHello
	ServHello *tls.ServerHello
	Chain     []timeline.Certificate
	Alert     *timeline.Alert
	Lookup    *timeline.Lookup
	Frame     *websocket.Frame
	Control   *timeline.Control // of Reset and GoAway
	QUIC      *quic.Packet
	Close     *quic.Close
	Packet    *wire.Packet

	run     *Run
	decoded sysabi.Decoded // of Call, when isDecoded
	isDec   bool
}

// Seconds is the row's time from the start of the run.
func (r *Row) Seconds() float64 { return float64(r.Time-r.run.Start) / 1e9 }

// Decoded is the row's call, decoded once.
func (r *Row) Decoded() *sysabi.Decoded {
	if !r.isDec {
		r.decoded, r.isDec = r.Call.Decode(), true
	}
	return &r.decoded
}

// Failed reports whether the row is about a failure: a call with an error, an
// exception, a signal, an error answer.
func (r *Row) Failed() bool {
	switch r.Kind {
	case Syscall:
		return r.Call.Errno() != 0
	case Signal, Native, Exception:
		return true
	case Exit:
		return r.Status != 0
	case Alert:
		return r.Alert.Name != "close_notify"
	case Response:
		return r.HTTP.Status >= 400
	case Query:
		return !r.Lookup.Answered
	case Answer:
		return r.Lookup.Rcode != "NOERROR"
	case Reset:
		return true
	case QUICClose:
		return r.Close.Failure()
	case GoAway:
		return r.Control.GoAway.Code != http2.NoError
	case WebSocket:
		return r.Frame.Code.Failure() || !r.Frame.Complete
	case Packet:
		return r.Packet.Proto == tcp.ProtoTCP && r.Packet.Flags&tcp.RST != 0
	}
	return false
}

// All gives the rows of a timeline in the order of their times. A row is valid
// until the next one.
func All(t *timeline.Timeline) iter.Seq[*Row] {
	run := &Run{Start: t.Start, Wall: t.Header.Wall}
	return func(yield func(*Row) bool) {
		others := others(t)
		n, calls := 0, t.Calls
		var row Row
		give := func(r *Row) bool {
			n++
			r.Number, r.run = n, run
			return yield(r)
		}
		for len(calls) > 0 || len(others) > 0 {
			if len(calls) > 0 && (len(others) == 0 || calls[0].Enter <= others[0].Time) {
				c := calls[0]
				calls = calls[1:]
				row = callRow(run, c)
				if !give(&row) {
					return
				}
				continue
			}
			r := others[0]
			others = others[1:]
			if !give(&r) {
				return
			}
		}
	}
}

// Call makes the row of a call that belongs to a timeline.
func Call(t *timeline.Timeline, c *timeline.Call) Row {
	return callRow(&Run{Start: t.Start, Wall: t.Header.Wall}, c)
}

func callRow(run *Run, c *timeline.Call) Row {
	r := Row{Kind: Syscall, Time: c.Enter, PID: c.Proc.PID, TID: c.TID, Proc: c.Proc, Call: c, run: run}
	if c.Desc != nil {
		r.Conn = c.Desc.Conn
	}
	return r
}

// others are the rows that are no calls, in the order of their times.
func others(t *timeline.Timeline) []Row {
	var out []Row
	for _, p := range t.Procs {
		add := func(at event.Time, tid int32, r Row) {
			r.Time, r.Proc, r.PID, r.TID = at, p, p.PID, tid
			out = append(out, r)
		}
		for _, x := range p.Execs {
			add(x.Time, p.PID, Row{Kind: Exec, Exec: x})
		}
		for _, s := range p.Signals {
			add(s.Time, s.TID, Row{Kind: Signal, Signal: s})
		}
		for _, n := range p.Natives {
			add(n.Time, n.TID, Row{Kind: Native, Native: n})
		}
		for _, e := range p.Raised {
			add(e.Time, e.TID, Row{Kind: Exception, Exception: e})
		}
		if p.Ended {
			add(p.EndTime, p.PID, Row{Kind: Exit, Status: p.Status})
		}
	}
	for _, c := range t.Conns {
		add := func(at event.Time, r Row) {
			r.Time, r.Conn = at, c
			r.of(c.Proc)
			out = append(out, r)
		}
		if s := c.TLS; s != nil {
			if s.Hello != nil {
				add(s.HelloAt, Row{Kind: Handshake, Hello: s.Hello})
			}
			if s.Server != nil {
				add(s.ServerAt, Row{Kind: Handshake, ServHello: s.Server})
			}
			if len(s.Chain) > 0 {
				add(s.CertAt, Row{Kind: Handshake, Chain: s.Chain})
			}
			for i := range s.Alerts {
				add(s.Alerts[i].Time, Row{Kind: Alert, Alert: &s.Alerts[i]})
			}
		}
		for _, x := range c.HTTP {
			if r := x.Request; r != nil {
				add(r.Head.First, Row{Kind: Request, Exchange: x, HTTP: r})
			}
			if r := x.Response; r != nil {
				add(r.Head.First, Row{Kind: Response, Exchange: x, HTTP: r})
			}
		}
		for i := range c.Controls {
			x := &c.Controls[i]
			k := Reset
			if x.GoAway != nil {
				k = GoAway
			}
			add(x.Time, Row{Kind: k, Control: x})
		}
		for i := range c.WebSocket {
			add(c.WebSocket[i].First, Row{Kind: WebSocket, Frame: c.WebSocket[i].Frame})
		}
	}
	for _, l := range t.Lookups {
		r := Row{Kind: Query, Time: l.Time, Lookup: l}
		r.of(l.Proc)
		if l.Sent != nil && l.Sent.Desc != nil {
			r.Conn = l.Sent.Desc.Conn
		}
		out = append(out, r)
		if l.Answered {
			r.Kind, r.Time = Answer, l.AnsweredAt
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(x, y Row) int { return cmp.Compare(x.Time, y.Time) })
	return out
}

// of says whose row it is: nobody's when it is from a capture.
func (r *Row) of(p *timeline.Process) {
	if p != nil {
		r.Proc, r.PID, r.TID = p, p.PID, p.PID
	}
}

// Start is the time at which the run began, or the capture.
func (r *Row) Start() event.Time { return r.run.Start }

// Outgoing reports whether the row's bytes go from the program to its peer; of a
// packet, to the server.
func (r *Row) Outgoing() bool {
	if r.Packet != nil {
		return r.Packet.Dir == dissect.ToServer
	}
	out, _ := r.outgoing()
	return out
}

// outgoing reports whether the row's bytes go from the program to its peer, and
// whether it has a direction at all.
func (r *Row) outgoing() (out, ok bool) {
	ours := dissect.ToServer
	if r.Conn != nil && r.Conn.Accepted {
		ours = dissect.ToClient
	}
	switch r.Kind {
	case Syscall:
		c := callOf(r)
		if c == nil {
			return false, false
		}
		for _, receives := range [...]string{"read", "pread", "recv", "accept"} {
			if strings.HasPrefix(c.Name, receives) && c.Name != "readahead" {
				return false, true
			}
		}
		return true, c.Data() || c.Name == "connect"
	case Request:
		return ours == dissect.ToServer, true
	case Response:
		return ours == dissect.ToClient, true
	case Handshake:
		return (ours == dissect.ToServer) == (r.Hello != nil), true
	case Alert:
		return ours == r.Alert.Dir, true
	case Reset, GoAway:
		return ours == r.Control.Dir, true
	case WebSocket:
		return ours == r.Frame.Dir, true
	case Query:
		return true, true
	case Answer:
		return false, true
	}
	return false, false
}
