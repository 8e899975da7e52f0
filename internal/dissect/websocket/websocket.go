// Package websocket reads WebSocket connections (RFC 6455) from behind their
// HTTP handshake: frames, the messages that they make, with permessage-deflate
// (RFC 7692) undone, and why an end closed.
//
// A frame comes out when its payload has gone by; one that was cut short says so.
// A message larger than [MaxMessage], before or after decompression, is not kept
// whole, and says so. The package does not look into messages.
package websocket

import (
	"fmt"

	"culprit/internal/dissect"
)

// Opcode is what a frame is (RFC 6455 section 11.8).
type Opcode uint8

// Opcodes.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// String returns the name, or the number.
func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return fmt.Sprintf("opcode %d", uint8(o))
}

func (o Opcode) control() bool { return o&8 != 0 }

// Code says why an end closed the connection (RFC 6455 section 7.4).
type Code uint16

// Codes that say that who asks may not.
const (
	Unauthorized Code = 3000
	Forbidden    Code = 3003
)

// codes are the names of the IANA registry "WebSocket Close Code Number".
var codes = map[Code]string{
	1000: "normal closure", 1001: "going away", 1002: "protocol error", 1003: "unsupported data", 1005: "no status received",
	1006: "abnormal closure", 1007: "invalid frame payload data", 1008: "policy violation", 1009: "message too big",
	1010: "mandatory extension", 1011: "internal error", 1012: "service restart", 1013: "try again later", 1014: "bad gateway",
	1015: "TLS handshake", 3000: "unauthorized", 3003: "forbidden", 3008: "timeout",
}

// String returns the registered name, or "" for a code that has none.
func (c Code) String() string { return codes[c] }

// Failure says whether a close code tells of something that went wrong.
func (c Code) Failure() bool { return c >= 1002 }

// MaxMessage is how many bytes of a message are kept at most, before
// decompression and after it: what a bomb can cost.
const MaxMessage = 4 << 20

// Options of a Conn.
type Options struct {
	// Extensions is the Sec-WebSocket-Extensions field of the handshake's answer.
	Extensions string
	Body       int // bytes of each message to keep, at most MaxMessage; <= 0 for none
}

// Frame is one frame.
type Frame struct {
	dissect.Span
	Dir        dissect.Dir
	Opcode     Opcode
	Fin        bool // the last of its message
	Compressed bool // RSV1: the message that it begins is compressed
	Masked     bool
	Length     int64    // of the payload
	Missing    int64    // bytes of the payload that the recording lacks
	Data       []byte   // payload of a control frame, unmasked
	Code       Code     // of Close; 0 when it has none
	Reason     string   // of Close
	Message    *Message // that it is the end of; nil otherwise
	Complete   bool
	Why        string // when not complete
}

// ShortLength is the length as it stands in the header's seven bits: 126 and 127
// say that it follows in two bytes, or in eight.
func (f *Frame) ShortLength() int64 {
	switch {
	case f.Length < 126:
		return f.Length
	case f.Length < 1<<16:
		return 126
	}
	return 127
}

// Message is one message, made of one frame or of several.
type Message struct {
	Opcode Opcode // Text or Binary
	Frames int
	Length int64  // bytes of the payloads
	Data   []byte // unmasked and decompressed, as far as it was to be kept
	Size   int64  // bytes after decompression, as far as was decompressed
	Err    string // why Data is absent or shorter than the message
}

// Damage is a fault that ends the reading of a direction.
type Damage struct {
	dissect.Span
	Dir     dissect.Dir
	What    string
	Missing int
}

// Output is one event: Frame or Damage is set.
type Output struct {
	*Frame
	Damage *Damage
}
