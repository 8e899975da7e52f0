package wire

import (
	"culprit/internal/dissect"
	"culprit/internal/dissect/service"
)

// serviceLayer is a conversation with a mail server, a database, ...; its
// messages are service.Reply. It may turn into TLS like any other.
type serviceLayer struct {
	opaque
	conn *service.Conn
}

func (l *serviceLayer) Feed(s *Session, in *dissect.Input) {
	for _, r := range l.conn.Feed(*in) {
		s.Emit(in.Dir, r.Span, r)
	}
	l.opaque.Feed(s, in)
}
