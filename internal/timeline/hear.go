package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/http2"
	"culprit/internal/dissect/quic"
	"culprit/internal/dissect/service"
	"culprit/internal/dissect/tls"
	"culprit/internal/dissect/websocket"
	"culprit/internal/wire"
)

// talk reads what was said on each byte stream.
func (b *builder) talk() {
	for _, w := range b.plain.early {
		for _, p := range w {
			b.untied(1, len(p.Data))
		}
	}
	for _, c := range b.t.Conns {
		if !c.Stream() || len(c.Segments) == 0 {
			continue
		}
		l := &listener{c: c}
		s := wire.NewSession(wire.Options{Keys: &b.secrets.keys, Body: b.options.Body, Data: l.data}, func(e *wire.Event) { l.event(e) })
		var last dissect.Input
		for i := range c.Segments {
			x := &c.Segments[i]
			last = dissect.Input{Time: x.Time, Dir: x.Dir, Ref: int64(i)}
			in := last
			in.Data = x.Data
			s.Feed(&in)
			if x.Gap > 0 {
				in.Data, in.Gap = nil, x.Gap
				s.Feed(&in)
			}
		}
		s.Close(&last)
		b.overhear(c)
		if c.TLS != nil && c.TLS.Hello != nil && c.TLS.KeysBy == "" {
			c.TLS.KeysBy = b.secrets.from[c.TLS.Hello.Random]
		}
	}
}

// listener gives a connection what its layers found.
type listener struct {
	c         *Conn
	exchanges map[exchangeKey]*Exchange
	layers    int // HTTP layers so far
	finished  [2]bool
	forget    bool // keep only the exchanges that are under way
}

// exchangeKey tells the exchanges of a connection apart: each of its HTTP
// layers (one in the tunnel of another) numbers its own.
type exchangeKey struct{ layer, number int }

// data keeps the plaintext of TLS.
func (l *listener) data(e *wire.Event) {
	if e.Proto != "tls" || l.c.TLS == nil || len(e.Data) == 0 {
		return
	}
	s := Segment{Time: e.Time, Dir: e.Dir, Data: slices.Clone(e.Data)}
	if x := l.segment(e.LastRef); x != nil {
		s.Call, s.Unread = x.Call, x.Unread
	}
	l.c.TLS.Data = append(l.c.TLS.Data, s)
}

// segment is the one with an index, nil when there is none.
func (l *listener) segment(i int64) *Segment {
	if i < 0 || i >= int64(len(l.c.Segments)) {
		return nil
	}
	return &l.c.Segments[i]
}

// event takes an event; of an HTTP message it returns the exchange.
func (l *listener) event(e *wire.Event) *Exchange {
	c := l.c
	switch m := e.Msg.(type) {
	case wire.Identified:
		if e.Depth == 0 && c.Plain == "" {
			c.Plain = e.Proto
		}
		switch e.Proto {
		case "http", "http2":
			l.layers++
		case "quic":
			l.layers++
			c.TLS = &TLS{}
		case "tls":
			if c.TLS == nil {
				c.TLS = &TLS{}
			}
		}
	case http.Head:
		return l.glance(m.Message)
	case *http.Message:
		return l.message(e, m)
	case service.Reply:
		l.reply(e.Proto, m)
	case *quic.Reset:
		if q := l.onStream(m.Stream); q != nil && !m.Stop && e.Dir == dissect.ToClient {
			l.reply("http3", service.Reply{Span: e.Span, Request: asked(q), Code: quic.AppCode(m.Code), Text: "the stream was reset", Refused: true})
		}
	case *quic.Close:
		l.closed(e, m)
	case *websocket.Frame:
		l.frame(m)
	case *websocket.Damage:
		c.damage(m.What)
	case *http.Damage:
		c.damage(m.What)
	case *http2.Reset:
		c.damage(fmt.Sprintf("stream %d was reset %v: %v", m.Stream, e.Dir, m.Code))
		l.control(Control{Time: e.Time, Dir: e.Dir, Reset: m})
		if e.Dir == dissect.ToClient && m.Request != nil {
			l.reply("http2", service.Reply{Span: e.Span, Request: asked(m.Request), Code: m.Code.String(),
				Text: "the stream was reset", Refused: m.Code != http2.NoError})
		}
	case *http2.GoAway:
		l.control(Control{Time: e.Time, Dir: e.Dir, GoAway: m})
		if m.Code == http2.NoError {
			break
		}
		c.damage(fmt.Sprintf("GOAWAY %v after stream %d: %v %q", e.Dir, m.Last, m.Code, m.Debug))
		if e.Dir == dissect.ToClient {
			l.reply("http2", service.Reply{Span: e.Span, Code: m.Code.String(), Text: cmp.Or(m.Debug, "it takes no more requests"), Refused: true})
		}
	default:
		if (e.Proto == "tls" || e.Proto == "quic") && c.TLS != nil {
			l.tls(e)
		}
	}
	return nil
}

// maxReplies is how many of a service's newest answers are kept at least, and of
// a WebSocket's newest frames.
const maxReplies = 4096

// newest appends to a list of which the newest are kept.
func newest[T any](list []T, x T) []T {
	if len(list) == 2*maxReplies {
		list = list[:copy(list, list[maxReplies:])]
	}
	return append(list, x)
}

// unread says whether the bytes of a segment lay in the receive queue to the end.
func (l *listener) unread(i int64) bool {
	s := l.segment(i)
	return s != nil && s.Unread
}

// maxDamage is how many faults of a connection are kept.
const maxDamage = 100

func (c *Conn) damage(what string) {
	if len(c.Damage) < maxDamage {
		c.Damage = append(c.Damage, what)
	}
}

// glance is the exchange of a message whose head alone is there: of an answer
// with the request as it is known.
func (l *listener) glance(m *http.Message) *Exchange {
	if !l.forget {
		return nil
	}
	x := &Exchange{Conn: l.c, Request: m}
	if m.Answer {
		x.Request, x.Response = m.Request, m
	}
	if x.Request != nil {
		x.URL = l.c.url(x.Request)
	}
	return x
}

func (l *listener) message(e *wire.Event, m *http.Message) *Exchange {
	if l.forget {
		return l.glance(m)
	}
	if m.Informational() {
		return nil
	}
	x := l.exchange(m.Exchange)
	if m.Answer {
		x.Response = m
		if x.Request == nil && m.Request != nil { // made before, in HTTP/1.1, or promised
			x.Request, x.URL = m.Request, l.c.url(m.Request)
		}
		l.status(e, m)
		x.Unread = x.Unread || l.unread(m.Head.LastRef)
		return x
	}
	x.Request, x.URL = m, l.c.url(m)
	return x
}

func (l *listener) exchange(n int) *Exchange {
	k := exchangeKey{l.layers, n}
	x := l.exchanges[k]
	if x == nil {
		x = &Exchange{Conn: l.c}
		if l.exchanges == nil {
			l.exchanges = map[exchangeKey]*Exchange{}
		}
		if n >= 0 {
			l.exchanges[k] = x
		}
		l.c.HTTP = append(l.c.HTTP, x)
	}
	return x
}

func (l *listener) alert(a Alert) {
	if t := l.c.TLS; t != nil && len(t.Alerts) < maxDamage {
		t.Alerts = append(t.Alerts, a)
	}
}

// tls takes an event of the TLS layer.
func (l *listener) tls(e *wire.Event) {
	t := l.c.TLS
	switch m := e.Msg.(type) {
	case tls.AppData, tls.EarlyData:
		t.Bytes[e.Dir&1] += int64(e.Len)
		t.Done = true
		t.Used = t.Used || e.Dir == dissect.ToServer
	case *tls.ClientHello:
		t.Hello, t.HelloAt = m, e.Time
		t.SNI = m.ServerName
		t.HaveKey = t.HaveKey || m.HaveKey
		var v []string
		for _, x := range m.Versions {
			v = append(v, x.String())
		}
		t.Offer = strings.Join(v, ", ")
	case *tls.ServerHello:
		if !m.HelloRetry {
			t.Server, t.ServerAt = m, e.Time
			t.Version, t.Suite, t.ALPN = m.Version.String(), m.Suite.String(), m.ALPN
		}
	case tls.EncryptedExtensions:
		t.ALPN = m.ALPN
	case *tls.Certificate:
		if e.Dir == dissect.ToClient && t.Chain == nil {
			t.Chain, t.CertAt = certificates(m), e.Time
		}
	case *tls.CertificateRequest:
		t.WantsCert = true
	case tls.Alert:
		a := Alert{Time: e.Time, Dir: e.Dir, Fatal: m.Level == 2}
		if !m.Opaque {
			a.Name = m.Description.String()
		}
		l.alert(a)
	case tls.Finished:
		l.finished[e.Dir&1] = true
		t.Done = t.Done || l.finished[0] && l.finished[1]
	case *tls.NotTLS:
		if e.Dir == dissect.ToClient || len(t.Data) == 0 {
			t.NotTLS, t.NotTLSHead = m.Looks, string(m.Head)
			if t.NotTLS == "" {
				t.NotTLS = "text"
			}
		}
	case *tls.Damage:
		if len(t.Damage) >= maxDamage {
			return
		}
		t.Damage = append(t.Damage, fmt.Sprintf("%v at byte %d: %s", e.Dir, m.Offset, m.What))
	case tls.Undecrypted:
		t.NoKeys = string(m.Reason)
	}
}
