package wire

import (
	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/tls"
)

// Limits of a Session.
const (
	maxDepth = 8       // layers inside each other: TLS in a tunnel in TLS in ...
	maxHeld  = 4 << 10 // bytes that wait for the protocol to show
)

// Session reads one conversation: the bytes of both directions in order of
// time. What its protocol carries (TLS, a tunnel, an upgraded connection) is a
// Session inside it.
type Session struct {
	shared  *shared
	carrier string // "tcp", "udp", or the layer that this one lies in
	depth   int

	layer Layer // nil until the protocol is known
	proto string
	hint  string  // protocol to assume when the bytes tell none
	heads [2]int  // bytes of held, by direction
	blank [2]bool // the direction's first bytes tell nothing
	held  []dissect.Input
}

// shared is what the Sessions of one stream have in common.
type shared struct {
	options *Options
	stream  *Stream
	emit    func(*Event)
	event   *Event // the newest, so that it isn't allocated
}

// NewSession returns a Session that is not a part of a walk; emit is called
// during Feed and Close.
func NewSession(o Options, emit func(*Event)) *Session {
	return &Session{shared: &shared{options: &o, emit: emit, event: new(Event)}, carrier: "tcp"}
}

// Layer is a protocol: a state machine over the bytes of a conversation, or
// over its datagrams. It lives in a Session, tells what it finds by Emit, and
// hands what it carries to the Session that Inner gives.
type Layer interface {
	// Feed takes the next piece of a direction, or the next datagram. It keeps no
	// reference to in.Data.
	Feed(s *Session, in *dissect.Input)
	// Close says that the recording ended at in.Time: what is unfinished is told
	// now.
	Close(s *Session, in *dissect.Input)
}

// Emit tells of a message.
func (s *Session) Emit(d dissect.Dir, span dissect.Span, msg any) {
	s.emit(d, span, msg, 0)
}

func (s *Session) emit(d dissect.Dir, span dissect.Span, msg any, n int) {
	*s.shared.event = Event{Stream: s.shared.stream, Dir: d, Span: span, Proto: s.proto, Depth: s.depth, Msg: msg, Len: n}
	s.shared.emit(s.shared.event)
}

// body gives out a piece of an HTTP body.
func (s *Session) body(d dissect.Dir, span dissect.Span, m http.Body, data []byte) {
	s.shared.options.Data(&Event{Stream: s.shared.stream, Dir: d, Span: span, Proto: "http", Depth: s.depth + 1, Msg: m, Data: data})
}

// content gives out what a message carries that came in pieces or packed.
func (s *Session) content(d dissect.Dir, span dissect.Span, msg any, data []byte) {
	s.shared.options.Data(&Event{Stream: s.shared.stream, Dir: d, Span: span, Proto: s.proto, Depth: s.depth + 1, Msg: msg, Data: data})
}

// Inner returns a new Session for what the layer carries, nil when they are too
// deep. Hint is the protocol that it speaks if its bytes don't tell, "" when
// nothing is known.
func (s *Session) Inner(hint string) *Session {
	if s.depth+1 >= maxDepth {
		return nil
	}
	return &Session{shared: s.shared, carrier: s.proto, depth: s.depth + 1, hint: hint}
}

// Carry returns a new Session for what the layer carries, whose protocol is
// agreed on: its bytes are not looked at for that. It is nil when they are too
// deep.
func (s *Session) Carry(proto string, l Layer, in *dissect.Input) *Session {
	inner := s.Inner("")
	if inner != nil {
		inner.start(proto, l, in)
	}
	return inner
}

// Keys are the TLS secrets.
func (s *Session) Keys() *tls.KeyLog { return s.shared.options.Keys }

// Feed takes the next bytes of a direction. It may be called on nil.
func (s *Session) Feed(in *dissect.Input) {
	if s == nil {
		return
	}
	if s.shared.options.Data != nil {
		s.data(in)
	}
	if s.layer != nil {
		s.layer.Feed(s, in)
		return
	}
	s.identify(in)
}

func (s *Session) data(in *dissect.Input) {
	s.shared.options.Data(&Event{Stream: s.shared.stream, Dir: in.Dir, Span: dissect.At(in), Proto: s.carrier, Depth: s.depth, Session: s, Data: in.Data, Gap: in.Gap})
}

// Close says that the recording ended. It may be called on nil, and only once.
func (s *Session) Close(in *dissect.Input) {
	if s == nil {
		return
	}
	if s.layer == nil {
		if len(s.held) == 0 {
			return
		}
		s.begin(s.hint, &s.held[0])
	}
	s.layer.Close(s, in)
}

// Known says whether the protocol has been found, or given up.
func (s *Session) Known() bool { return s.layer != nil }

// Proto is the protocol as far as it is known: "http", "tls", "smtp", "".
func (s *Session) Proto() string { return s.proto }

// identify looks for the protocol in the first bytes of each direction. Bytes
// that don't tell are kept until others do.
func (s *Session) identify(in *dissect.Input) {
	d := in.Dir & 1
	if len(in.Data) > 0 && !s.blank[d] {
		head := in.Data
		if s.heads[d] > 0 {
			head = s.head(d, in.Data)
		}
		name, more := dissect.Sniff(d, head)
		if name != "" {
			s.begin(name, in)
			s.layer.Feed(s, in)
			return
		}
		s.blank[d] = !more
	}
	s.hold(in)
	if s.heads[0]+s.heads[1] > maxHeld || s.blank[0] && s.blank[1] || s.blank[d] && s.hint != "" {
		s.begin(s.hint, in)
	}
}

// head is the beginning of a direction: what is held of it, then data.
func (s *Session) head(d dissect.Dir, data []byte) []byte {
	out := make([]byte, 0, dissect.SniffLen)
	add := func(b []byte) { out = append(out, b[:min(len(b), cap(out)-len(out))]...) }
	for i := range s.held {
		if s.held[i].Dir == d {
			add(s.held[i].Data)
		}
	}
	add(data)
	return out
}

func (s *Session) hold(in *dissect.Input) {
	c := *in
	c.Data = append([]byte(nil), in.Data...)
	s.held = append(s.held, c)
	s.heads[in.Dir&1] += len(in.Data)
}

// begin makes the layer of a protocol and gives it what was held.
func (s *Session) begin(proto string, in *dissect.Input) {
	held := s.held
	s.held = nil
	if len(held) > 0 {
		in = &held[0]
	}
	s.become(proto, in)
	for i := range held {
		s.layer.Feed(s, &held[i])
	}
}

// become says that the conversation goes on in another protocol from here.
func (s *Session) become(proto string, in *dissect.Input) {
	s.start(proto, layerOf(proto, *s.shared.options), in)
}

func (s *Session) start(proto string, l Layer, in *dissect.Input) {
	s.proto, s.layer = proto, l
	s.Emit(in.Dir, dissect.At(in), Identified{})
}
