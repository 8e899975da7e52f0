// Package wire is the wire lens on packets: one walk through a capture, from
// blocks to streams to what was said on them, decrypted where the keys are
// known. Protocols are found from what the first bytes say, never from a port.
//
//	p, err := wire.Open("capture.pcapng.gz", wire.Options{Keys: &keys})
//	for {
//		packet, err := p.Next() // io.EOF at the end
//		for _, e := range packet.Events {
//			switch m := e.Msg.(type) {
//			case *tls.ClientHello: ...
//			case http.Head: ...
//			}
//		}
//	}
//	rest := p.Rest() // what the end of the capture leaves unfinished
//
// The walk holds one window of the file and the state of the streams that are
// alive, however large the file is. It judges nothing and names no causes.
package wire

import (
	"culprit/internal/dissect"
	"culprit/internal/dissect/tls"
)

// Options of a walk or a Session. The zero value works.
type Options struct {
	Keys *tls.KeyLog // secrets; a capture's own are added to them
	Body int         // bytes of each HTTP body to keep, as http.Options.Body
	// Want, when set, says which streams to look into; the others are counted
	// only.
	Want func(*Stream) bool
	// Data, when set, gets all bytes as they are carried: those of the stream
	// itself (e.Depth 0) and what each layer found inside. e.Data is valid
	// during the call. Bodies want it too: http gives them without chunk framing.
	Data func(e *Event)
}

// Event is one thing that a layer found.
type Event struct {
	Stream *Stream // nil in a Session of one's own
	Dir    dissect.Dir
	dissect.Span
	Proto string // the layer: "tls", "http", "dns", ...; of Data what carried it: "tcp", "udp", "tls", ...
	Depth int    // how many layers carry this one; 0 is the stream itself
	// Msg is a message of the protocol's package (*tls.ClientHello, http.Head,
	// *dns.Message, ...), or one of this package's: Identified. It is nil for
	// Data.
	Msg any
	Len int // bytes of data that Msg carries, of tls.AppData and tls.EarlyData

	// For Options.Data only.
	Session *Session // which got the bytes; nil for what Msg carries: http.Body, *websocket.Frame with a Message
	Data    []byte
	Gap     int // bytes missing before Data, < 0: unknown how many
}

// Identified says which protocol a conversation speaks, as Event.Proto.
type Identified struct{}
