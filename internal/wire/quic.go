package wire

import (
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/http3"
	"culprit/internal/dissect/quic"
	"culprit/internal/dissect/tls"
)

// quicLayer is the QUIC connection on a flow, and HTTP/3 on it. Its messages are
// those of package quic and of its TLS handshake, then those of HTTP; what
// other applications say is given out as data only.
type quicLayer struct {
	conn *quic.Conn
	http *http3.Conn // nil while nothing says that it is HTTP/3
	o    Options
}

func newQUIC(o Options) Layer { return &quicLayer{conn: quic.New(o.Keys), o: o} }

func (l *quicLayer) Feed(s *Session, in *dissect.Input) { l.take(s, l.conn.Feed(*in)) }

func (l *quicLayer) Close(s *Session, in *dissect.Input) {
	l.take(s, l.conn.Close(*in))
	if l.http != nil {
		s.messages(l.http.Close("the recording ended"))
	}
}

func (l *quicLayer) take(s *Session, outs []quic.Output) {
	for i := range outs {
		o := &outs[i]
		switch m := o.Msg.(type) {
		case quic.Stream:
			l.data(s, o)
			if l.http != nil {
				in := dissect.Input{Time: o.Time, Dir: o.Dir, Ref: o.LastRef, Data: o.Data, Gap: m.Gap, End: m.End}
				s.messages(l.http.Feed(http3.Input{Input: in, Stream: m.ID}))
			}
			continue
		case quic.Datagram:
			l.data(s, o)
		case *quic.Reset:
			if l.http != nil && !m.Stop {
				s.messages(l.http.Reset(m.Stream, o.Dir, quic.AppCode(m.Code)))
			}
		case *quic.Close:
			if l.http != nil {
				s.messages(l.http.Close("the connection was closed: " + m.Name()))
			}
		case *tls.ClientHello:
			l.http = nil
			if len(m.ALPN) > 0 { // until the server's choice is known
				l.speaks(m.ALPN[0])
			}
		case tls.EncryptedExtensions:
			if l.speaks(m.ALPN); m.ALPN != "" && !isHTTP3(m.ALPN) {
				l.http = nil
			}
		}
		s.Emit(o.Dir, o.Span, o.Msg)
	}
}

func isHTTP3(alpn string) bool { return alpn == "h3" || strings.HasPrefix(alpn, "h3-") }

func (l *quicLayer) speaks(alpn string) {
	if isHTTP3(alpn) && l.http == nil {
		l.http = http3.New(messages(l.o))
	}
}

// data gives out what a stream or a datagram carries.
func (l *quicLayer) data(s *Session, o *quic.Output) {
	if l.o.Data != nil && len(o.Data) > 0 {
		s.content(o.Dir, o.Span, o.Msg, o.Data)
	}
}

// messages tells of what streams of HTTP brought.
func (s *Session) messages(outs []http.StreamOutput) {
	for i := range outs {
		o := &outs[i]
		if m, ok := o.Msg.(http.Body); ok {
			s.body(o.Dir, o.Span, m, o.Data)
		} else {
			s.Emit(o.Dir, o.Span, o.Msg)
		}
	}
}
