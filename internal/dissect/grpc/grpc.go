// Package grpc reads what HTTP messages of gRPC say beyond HTTP ("gRPC over
// HTTP2", PROTOCOL-HTTP2.md in the grpc repository): the status of a call, the
// messages in a body, and, without their schema, the fields of a protobuf
// message. It keeps no state.
package grpc

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"culprit/internal/dissect/http"
)

// Limits.
const (
	maxMessage  = 4 << 20 // bytes of a message after decompression
	maxMessages = 1 << 16 // of a body
)

// Code is the status of a call (statuscodes.md in the grpc repository).
type Code int

// Codes that say that who asks may not.
const (
	OK               Code = 0
	PermissionDenied Code = 7
	Unauthenticated  Code = 16
)

var codes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}

// String returns the name, or the number of a code that has none.
func (c Code) String() string {
	if c >= 0 && int(c) < len(codes) {
		return codes[c]
	}
	return strconv.Itoa(int(c))
}

// Is says whether a message belongs to a call.
func Is(m *http.Message) bool {
	t := m.Get("Content-Type")
	return t == "application/grpc" || strings.HasPrefix(t, "application/grpc+") || strings.HasPrefix(t, "application/grpc;")
}

// Status returns how a call ended, from an answer's trailer, or from its header
// when that is all there is; false when the answer does not say.
func Status(m *http.Message) (code Code, message string, ok bool) {
	from := m.Trailer
	if from.Get("grpc-status") == "" {
		from = m.Header
	}
	n, err := strconv.Atoi(from.Get("grpc-status"))
	if err != nil || n < 0 {
		return 0, "", false
	}
	message = from.Get("grpc-message")
	if s, err := url.PathUnescape(message); err == nil {
		message = s
	}
	return Code(n), message, true
}

// Message is one message of a body.
type Message struct {
	Compressed bool
	Length     int64  // as announced
	Data       []byte // decompressed, as far as it is there
	Err        string // why Data is not the message
}

// Messages takes the kept part of a body apart.
func Messages(m *http.Message) (out []Message) {
	for b := m.Body; len(b) >= 5 && len(out) < maxMessages; {
		x := Message{Compressed: b[0] == 1, Length: int64(binary.BigEndian.Uint32(b[1:]))}
		if b[0] > 1 {
			return append(out, Message{Err: fmt.Sprintf("no gRPC message: it begins with 0x%02x", b[0])})
		}
		b = b[5:]
		x.Data = b[:min(int64(len(b)), x.Length)]
		b = b[len(x.Data):]
		switch {
		case int64(len(x.Data)) < x.Length:
			x.Err = fmt.Sprintf("%d of %d bytes are there", len(x.Data), x.Length)
		case x.Compressed:
			x.decompress(m.Get("grpc-encoding"))
		}
		out = append(out, x)
	}
	return out
}

func (x *Message) decompress(coding string) {
	if coding != "gzip" {
		x.Err = "compression " + strconv.Quote(coding) + " is not known"
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(x.Data))
	if err != nil {
		x.Err = err.Error()
		return
	}
	data, err := io.ReadAll(io.LimitReader(z, maxMessage+1))
	if len(data) > maxMessage {
		data, err = data[:maxMessage], fmt.Errorf("it decompresses to more than %d bytes", maxMessage)
	}
	if x.Data = data; err != nil {
		x.Err = err.Error()
	}
}
