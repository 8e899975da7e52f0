package wire

import (
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/dns"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/http2"
	"culprit/internal/dissect/quic"
	"culprit/internal/dissect/service"
	"culprit/internal/dissect/tls"
)

// protocols says how the conversations are read whose first bytes
// dissect.Sniff names, beside those of package service. Of any other the name is
// told, and its bytes are passed over until they turn into TLS.
var protocols = map[string]func(Options) Layer{
	"tls":    newTLS,
	"sslv2":  newTLS, // as far as it goes on in a later version
	"http":   newHTTP,
	"http2":  newHTTP2,
	"dns":    newDNS,
	"socks5": func(Options) Layer { return &socks5{} },
}

// datagrams lists the protocols of datagrams, each with the test whether one is
// its.
var datagrams = []struct {
	name  string
	match func([]byte) bool
	layer func(Options) Layer
}{
	{"quic", quic.Plausible, newQUIC},
	{"dns", dns.Plausible, func(Options) Layer { return dnsDatagrams{} }},
}

func layerOf(proto string, o Options) Layer {
	if f := protocols[proto]; f != nil {
		return f(o)
	}
	if c := service.New(proto); c != nil {
		return &serviceLayer{conn: c}
	}
	return &opaque{}
}

// tlsLayer is a TLS connection, and the conversation inside it.
type tlsLayer struct {
	conn  *tls.Conn
	inner *Session
	alpn  string
	begun bool
	piece dissect.Input // what inner gets, here so that it isn't allocated
}

func newTLS(o Options) Layer { return &tlsLayer{conn: tls.New(o.Keys)} }

func (l *tlsLayer) Feed(s *Session, in *dissect.Input) {
	l.take(s, l.conn.Feed(*in))
	if in.End {
		l.inner.Feed(&dissect.Input{Time: in.Time, Dir: in.Dir, Ref: in.Ref, End: true})
	}
}

func (l *tlsLayer) Close(s *Session, in *dissect.Input) {
	l.take(s, l.conn.Close())
	l.inner.Close(in)
}

func (l *tlsLayer) take(s *Session, outs []tls.Output) {
	for i := range outs {
		o := &outs[i]
		piece := &l.piece
		*piece = dissect.Input{Time: o.Time, Dir: o.Dir, Ref: o.LastRef}
		switch m := o.Msg.(type) {
		case tls.AppData, tls.EarlyData:
			s.emit(o.Dir, o.Span, o.Msg, len(o.Data))
			piece.Data = o.Data
		case tls.Plain:
			piece.Data = o.Data
		case *tls.Damage:
			piece.Gap = m.Missing
			s.Emit(o.Dir, o.Span, m)
		case *tls.ServerHello:
			if m.ALPN != "" {
				l.alpn = m.ALPN
			}
			s.Emit(o.Dir, o.Span, m)
		case tls.EncryptedExtensions:
			l.alpn = m.ALPN
			s.Emit(o.Dir, o.Span, m)
		default:
			s.Emit(o.Dir, o.Span, o.Msg)
		}
		if len(piece.Data) == 0 && piece.Gap == 0 {
			continue
		}
		if !l.begun {
			l.begun = true
			l.inner = s.Inner(alpnProto[l.alpn])
		}
		l.inner.Feed(piece)
	}
}

// alpnProto maps the names that TLS negotiates (IANA "TLS ALPN Protocol IDs")
// to those of the layers.
var alpnProto = map[string]string{"http/1.1": "http", "http/1.0": "http", "h2": "http2", "dot": "dns"}

// httpLayer is an HTTP/1.x connection, and what it turns into.
type httpLayer struct {
	conn    *http.Conn
	options Options
	inner   *Session
	begun   bool
	piece   dissect.Input // what inner gets, here so that it isn't allocated
}

func newHTTP(o Options) Layer {
	return &httpLayer{conn: http.New(messages(o)), options: o}
}

// messages are the options of HTTP's readers.
func messages(o Options) http.Options { return http.Options{Body: o.Body, Pieces: o.Data != nil} }

func (l *httpLayer) Feed(s *Session, in *dissect.Input) {
	l.take(s, l.conn.Feed(*in))
	if in.End {
		l.inner.Feed(&dissect.Input{Time: in.Time, Dir: in.Dir, Ref: in.Ref, End: true})
	}
}

func (l *httpLayer) Close(s *Session, in *dissect.Input) {
	l.take(s, l.conn.Close(*in))
	l.inner.Close(in)
}

func (l *httpLayer) take(s *Session, outs []http.Output) {
	for i := range outs {
		o := &outs[i]
		piece := &l.piece
		*piece = dissect.Input{Time: o.Time, Dir: o.Dir, Ref: o.LastRef}
		switch m := o.Msg.(type) {
		case http.Raw:
			piece.Data = o.Data
		case http.Body:
			s.body(o.Dir, o.Span, m, o.Data)
			continue
		case *http.Upgrade:
			s.Emit(o.Dir, o.Span, m)
			if f := upgrades[strings.ToLower(m.Protocol)]; f.layer != nil {
				l.begun, l.inner = true, s.Carry(f.proto, f.layer(l.options, m.Answer), piece)
			}
			continue
		default:
			s.Emit(o.Dir, o.Span, o.Msg)
			continue
		}
		if !l.begun {
			l.begun = true
			l.inner = s.Inner("")
		}
		l.inner.Feed(piece)
	}
}

// upgrades has the layers of what HTTP's Upgrade field names, by the answer
// that agreed to it.
var upgrades = map[string]struct {
	proto string
	layer func(Options, *http.Message) Layer
}{
	"websocket": {"websocket", newWebSocket},
	"h2c": {"http2", func(o Options, answer *http.Message) Layer {
		return &http2Layer{http2.Upgraded(messages(o), answer.Request)}
	}},
}

// dnsLayer is DNS over a stream.
type dnsLayer struct{ stream dns.Stream }

func newDNS(Options) Layer { return &dnsLayer{} }

func (l *dnsLayer) Feed(s *Session, in *dissect.Input) {
	for _, o := range l.stream.Feed(*in) {
		s.Emit(o.Dir, o.Span, DNS{o.Message, o.Err})
	}
}

func (l *dnsLayer) Close(*Session, *dissect.Input) {}

// DNS is a message, or what is wrong with it; Message is nil when nothing of it
// could be read.
type DNS struct {
	*dns.Message
	Err error
}

type dnsDatagrams struct{}

func (dnsDatagrams) Feed(s *Session, in *dissect.Input) {
	m, err := dns.Parse(append([]byte(nil), in.Data...))
	s.Emit(in.Dir, dissect.At(in), DNS{m, err})
}

func (dnsDatagrams) Close(*Session, *dissect.Input) {}
