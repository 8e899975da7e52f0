package wire

import (
	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/http2"
)

// http2Layer is an HTTP/2 connection.
type http2Layer struct{ conn *http2.Conn }

func newHTTP2(o Options) Layer {
	return &http2Layer{http2.New(messages(o))}
}

func (l *http2Layer) Feed(s *Session, in *dissect.Input) { l.take(s, l.conn.Feed(*in)) }

func (l *http2Layer) Close(s *Session, in *dissect.Input) { l.take(s, l.conn.Close(*in)) }

func (l *http2Layer) take(s *Session, outs []http2.Output) {
	for i := range outs {
		o := &outs[i]
		if m, ok := o.Msg.(http.Body); ok {
			s.body(o.Dir, o.Span, m, o.Data)
		} else {
			s.Emit(o.Dir, o.Span, o.Msg)
		}
	}
}
