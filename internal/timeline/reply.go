package timeline

import (
	"cmp"
	"fmt"
	"strconv"

	"culprit/internal/dissect"
	"culprit/internal/dissect/grpc"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/http2"
	"culprit/internal/dissect/quic"
	"culprit/internal/dissect/service"
	"culprit/internal/dissect/websocket"
	"culprit/internal/event"
	"culprit/internal/wire"
)

// Reply is an answer of a service other than HTTP's status, or a refusal in a
// protocol's own words: the status of a gRPC call, a WebSocket's close code, ...
type Reply struct {
	service.Reply
	Service string // that answered: "smtp", "postgres", "websocket", ...
	Unread  bool   // it lay in the receive queue and the program never read it
}

// WebSocketFrame is a frame of a WebSocket.
type WebSocketFrame struct {
	*websocket.Frame
	Unread bool // as in Reply
}

func (l *listener) reply(of string, r service.Reply) {
	if !l.forget {
		l.c.Replies = newest(l.c.Replies, Reply{r, of, l.unread(r.LastRef)})
	}
}

func (l *listener) frame(f *websocket.Frame) {
	if l.forget {
		return
	}
	l.c.WebSocket = newest(l.c.WebSocket, WebSocketFrame{f, l.unread(f.LastRef)})
	if f.Opcode != websocket.Close || f.Dir != dissect.ToClient || f.Code == 0 {
		return
	}
	r := service.Reply{Span: f.Span, Request: l.upgraded(), Code: strconv.Itoa(int(f.Code)), Text: cmp.Or(f.Reason, f.Code.String()), Refused: f.Code.Failure()}
	r.Auth = f.Code == websocket.Unauthorized || f.Code == websocket.Forbidden
	l.reply("websocket", r)
}

// Control is a frame of HTTP/2 that ends something: Reset or GoAway is set.
type Control struct {
	Time   event.Time
	Dir    dissect.Dir
	Reset  *http2.Reset
	GoAway *http2.GoAway
}

func (l *listener) control(x Control) {
	if !l.forget {
		l.c.Controls = newest(l.c.Controls, x)
	}
}

// onStream is the request on a stream of HTTP/3, nil when it was not seen.
func (l *listener) onStream(id uint64) *http.Message {
	for i := len(l.c.HTTP) - 1; i >= 0; i-- {
		if q := l.c.HTTP[i].Request; q != nil && q.Version == "HTTP/3" && q.Stream == id {
			return q
		}
	}
	return nil
}

// closed takes CONNECTION_CLOSE: a TLS alert in QUIC's clothes, or a code of its
// own.
func (l *listener) closed(e *wire.Event, m *quic.Close) {
	if alert, ok := m.Alert(); ok {
		l.alert(Alert{Time: e.Time, Dir: e.Dir, Fatal: true, Name: alert.String()})
		return
	}
	if m.Failure() {
		l.c.damage(fmt.Sprintf("CONNECTION_CLOSE %v: %s %q", e.Dir, m.Name(), m.Reason))
	}
	if e.Dir == dissect.ToClient {
		l.reply("quic", service.Reply{Span: e.Span, Code: m.Name(), Text: cmp.Or(m.Reason, "it closed the connection"), Refused: m.Failure()})
	}
}

// status tells how a gRPC call ended.
func (l *listener) status(e *wire.Event, m *http.Message) {
	if m.Request == nil || !grpc.Is(m) {
		return
	}
	code, text, ok := grpc.Status(m)
	if !ok {
		return
	}
	l.reply("grpc", service.Reply{Span: e.Span, Request: asked(m.Request), Code: code.String(), Text: text,
		Refused: code != grpc.OK, Auth: code == grpc.Unauthenticated || code == grpc.PermissionDenied})
}

// asked is a request in short.
func asked(m *http.Message) string { return m.Method + " " + m.Target }

// upgraded is the request that turned the connection into a WebSocket, "" when it
// was not seen.
func (l *listener) upgraded() string {
	for i := len(l.c.HTTP) - 1; i >= 0; i-- {
		if x := l.c.HTTP[i]; x.Request != nil {
			return asked(x.Request)
		}
	}
	return ""
}
