// Package dissect holds what all protocol layers share: the input that they
// are fed with, and the guess which protocol a stream's first bytes speak.
//
// A layer (tls, http, dns, tcp) is a state machine: bytes with their times go
// in, protocol events come out. It does no I/O, reads no clock, starts no
// goroutine. Cutting the same bytes differently gives the same events, damage
// is an event and never a panic, and memory is bounded whatever comes in.
package dissect

import "culprit/internal/event"

// Dir is the direction of bytes on a connection.
type Dir uint8

// The client is the side that opened the connection.
const (
	ToServer Dir = 0
	ToClient Dir = 1
)

// Reverse returns the other direction.
func (d Dir) Reverse() Dir { return d ^ 1 }

// String returns "to-server" or "to-client".
func (d Dir) String() string {
	if d == ToServer {
		return "to-server"
	}
	return "to-client"
}

// Input is the next piece of one direction of a connection.
type Input struct {
	Time event.Time
	Dir  Dir
	Data []byte // the layer keeps no reference to it after Feed returns
	Gap  int    // bytes known to be missing just before Data; < 0: missing, how many is not known
	Ref  int64  // opaque: where the bytes came from (index of a system call or packet)
	End  bool   // the direction ends after Data (FIN, shutdown, close)
}

// Span says which inputs an event was made of: the one with its first byte and
// the one with its last.
type Span struct {
	First, Time       event.Time
	FirstRef, LastRef int64
}

// At returns the span of an event that lies within one input.
func At(in *Input) Span {
	return Span{First: in.Time, Time: in.Time, FirstRef: in.Ref, LastRef: in.Ref}
}

// To returns s extended to the end of in.
func (s Span) To(in *Input) Span {
	s.Time, s.LastRef = in.Time, in.Ref
	return s
}
