package wire

import (
	"culprit/internal/dissect"
	"culprit/internal/dissect/http2"
)

// http2Layer is an HTTP/2 connection.
type http2Layer struct{ conn *http2.Conn }

func newHTTP2(o Options) Layer {
	return &http2Layer{http2.New(messages(o))}
}

func (l *http2Layer) Feed(s *Session, in *dissect.Input) { s.messages(l.conn.Feed(*in)) }

func (l *http2Layer) Close(s *Session, in *dissect.Input) { s.messages(l.conn.Close(*in)) }
