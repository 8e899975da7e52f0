package wire

import (
	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/websocket"
)

// webSocketLayer is a WebSocket connection behind its handshake; its messages
// are *websocket.Frame and *websocket.Damage.
type webSocketLayer struct{ conn *websocket.Conn }

func newWebSocket(o Options, answer *http.Message) Layer {
	body := o.Body
	switch {
	case o.Data != nil:
		body = websocket.MaxMessage
	case body == 0:
		body = http.DefaultBody
	}
	return &webSocketLayer{websocket.New(websocket.Options{Extensions: answer.Get("Sec-WebSocket-Extensions"), Body: body})}
}

func (l *webSocketLayer) Feed(s *Session, in *dissect.Input) { l.take(s, l.conn.Feed(*in)) }

func (l *webSocketLayer) Close(s *Session, _ *dissect.Input) { l.take(s, l.conn.Close()) }

func (l *webSocketLayer) take(s *Session, outs []websocket.Output) {
	for _, o := range outs {
		if d := o.Damage; d != nil {
			s.Emit(d.Dir, d.Span, d)
			continue
		}
		f := o.Frame
		s.Emit(f.Dir, f.Span, f)
		if f.Message != nil && s.shared.options.Data != nil {
			s.content(f.Dir, f.Span, f, f.Message.Data)
		}
	}
}
