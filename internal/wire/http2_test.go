package wire

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
)

// TestHTTP2: a connection is told by its preface, or is what an HTTP/1.1 one
// turned into; its bodies come out in pieces too.
func TestHTTP2(t *testing.T) {
	const (
		preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
		settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		get      = "\x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x84\x86" // GET / over http, by the static table
		answer   = "\x00\x00\x01\x01\x04\x00\x00\x00\x01\x8d" + "\x00\x00\x02\x00\x01\x00\x00\x00\x01no"
	)
	for name, x := range map[string]struct {
		text [4]string // in turns, the client's first
		want []string
	}{
		"prior knowledge": {[4]string{preface + settings + get, settings + answer}, []string{"http2 GET /", `"no"`, "http2 404 to /"}},
		"upgrade": {[4]string{"GET /x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + settings, preface + settings, answer},
			[]string{"http GET /x", "http 101 to /x", `"no"`, "http2 404 to /x"}},
	} {
		var got []string
		o := Options{Data: func(e *Event) {
			if _, ok := e.Msg.(http.Body); ok {
				got = append(got, fmt.Sprintf("%q", e.Data))
			}
		}}
		s := NewSession(o, func(e *Event) {
			switch m, ok := e.Msg.(*http.Message); {
			case ok && m.Answer:
				got = append(got, fmt.Sprintf("%s %d to %s", e.Proto, m.Status, m.Request.Target))
			case ok:
				got = append(got, fmt.Sprintf("%s %s %s", e.Proto, m.Method, m.Target))
			}
		})
		for i, text := range x.text {
			s.Feed(&dissect.Input{Dir: dissect.Dir(i & 1), Data: []byte(text)})
		}
		s.Close(&dissect.Input{})
		if d := cmp.Diff(x.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
