// Package http reads HTTP/1.x connections: requests, answers and which belongs
// to which, from the bytes of both directions in the order of their times.
//
// A message's head comes out as soon as it is complete, the message when it ends
// or its connection does: one that was cut short says how much was announced and
// how much was seen. An answer that
// comes while its request's body is still being sent says how far the request
// was. HTTP/2 is package http2's business; here it is NotHTTP.
package http

import (
	"iter"
	"strconv"
	"strings"

	"culprit/internal/dissect"
)

// Options bound what a Conn keeps. The zero value works.
type Options struct {
	Body   int  // bytes of each body to keep, and of its decoded form; 0 means DefaultBody, < 0 none
	Pieces bool // give out bodies piece by piece too
}

// DefaultBody is how much of a body is kept when Options don't say.
const DefaultBody = 64 << 10

// Limits that are not options.
const (
	maxLine   = 64 << 10
	maxHead   = 256 << 10
	maxFields = 1000
	maxQueue  = 1024     // requests without an answer
	maxHold   = 64 << 10 // bytes that wait for the answer to an upgrade
	maxIssues = 16
)

// Field is one header or trailer field, its name's case as sent.
type Field struct{ Name, Value string }

// Fields are a message's fields in order.
type Fields []Field

// Get returns the first value of a field, "" when absent. Case does not matter.
func (f Fields) Get(name string) string {
	for i := range f {
		if strings.EqualFold(f[i].Name, name) {
			return f[i].Value
		}
	}
	return ""
}

// All returns the values of all fields called name, in order.
func (f Fields) All(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range f {
			if strings.EqualFold(f[i].Name, name) && !yield(f[i].Value) {
				return
			}
		}
	}
}

// Has says whether a comma-separated list field contains token, in any case.
func (f Fields) Has(name, token string) bool {
	for i := range f {
		if !strings.EqualFold(f[i].Name, name) {
			continue
		}
		for v := range strings.SplitSeq(f[i].Value, ",") {
			if strings.EqualFold(strings.TrimSpace(v), token) {
				return true
			}
		}
	}
	return false
}

// Framing says how a body's end is found (RFC 9112 section 6.3).
type Framing uint8

// Framings.
const (
	NoBody     Framing = iota
	Length             // Content-Length
	Chunked            // Transfer-Encoding: chunked
	UntilClose         // to the end of the connection
	EndStream          // to the end of the stream, in HTTP/2 (RFC 9113 section 8.1)
)

// String returns "none", "content-length", "chunked", "until-close" or
// "end-stream".
func (f Framing) String() string {
	return [...]string{"none", "content-length", "chunked", "until-close", "end-stream"}[f%5]
}

// Message is one request or answer.
type Message struct {
	Exchange int  // the same for a request and its answers; from 0, -1 for an answer without a request
	Answer   bool // else a request
	Version  string
	Stream   uint64 // that carries it, of HTTP/2

	Method, Target string // of a request
	Status         int    // of an answer
	Reason         string

	Header, Trailer Fields
	Head            dissect.Span // from the first byte to the end of the header

	Framing   Framing
	Announced int64  // Content-Length as sent, also where there is no body to come (HEAD); -1 when absent
	Seen      int64  // bytes of the body that were there, chunk framing not counted
	Missing   int64  // bytes of the body that fell into holes; what is after them may be misplaced
	Body      []byte // its first bytes
	Decoded   []byte // Body with Content-Encoding undone, nil when there was nothing to undo
	DecodeErr string // why Decoded is absent or shorter than it should be

	Complete bool
	Why      string   // when not complete: what ended it
	Issues   []string // departures from RFC 9112 that were understood all the same

	// Of a final answer: its request, and how many bytes of the request's body
	// had gone by when the answer's first byte came. Early means that the
	// request was not all sent by then. Request grows until it comes out itself.
	Request     *Message
	RequestSeen int64
	Early       bool

	chunked int64 // rest of the current chunk or Content-Length
	begun   bool  // an answer to it has begun
}

// Get returns a header field's first value.
func (m *Message) Get(name string) string { return m.Header.Get(name) }

// Result is the status with its reason phrase, which HTTP/2 doesn't have.
func (m *Message) Result() string {
	return strings.TrimSuffix(strconv.Itoa(m.Status)+" "+m.Reason, " ")
}

// Informational says whether m is a 1xx answer that another one follows.
func (m *Message) Informational() bool {
	return m.Answer && m.Status >= 100 && m.Status < 200 && m.Status != 101
}

// Output is one event.
type Output struct {
	Dir dissect.Dir
	dissect.Span
	Data []byte // of Raw and Body only; a part of the input, valid until Feed's caller reuses that
	Msg  Msg
}

// Msg is Head, *Message, Body, *Upgrade, Raw, *NotHTTP or *Damage.
type Msg interface{ isMsg() }

// Head says that a message's header is complete. The Message itself comes when
// it ends, and grows until then.
type Head struct{ *Message }

// Body is a piece of the current message's body, in Output.Data, chunk framing
// taken off; only with Options.Pieces.
type Body struct{ *Message }

// Upgrade says that the connection speaks another protocol from here on: after
// 101 (Switching Protocols), or through a CONNECT tunnel. Raw follows.
type Upgrade struct {
	Protocol string   // the answer's Upgrade field, or "tunnel"
	Answer   *Message // that agreed to it
}

// Raw is bytes that are not HTTP, in Output.Data: after Upgrade or NotHTTP.
type Raw struct{}

// NotHTTP says that a direction does not speak HTTP/1.x from its beginning.
// Its bytes follow as Raw.
type NotHTTP struct {
	Looks string // as dissect.Sniff
	Head  []byte // its first bytes: a line, at most 64
}

// Damage is a fault in the stream.
type Damage struct {
	Offset  int64
	What    string
	Missing int
	Fatal   bool // the rest of the direction is not read
}

func (Head) isMsg()     {}
func (*Message) isMsg() {}
func (Body) isMsg()     {}
func (*Upgrade) isMsg() {}
func (Raw) isMsg()      {}
func (*NotHTTP) isMsg() {}
func (*Damage) isMsg()  {}
