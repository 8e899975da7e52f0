// Package http2 reads HTTP/2 connections (RFC 9113): the frames of both
// directions, the header compression (RFC 7541), and of each stream the request
// and its answers as messages of package http.
//
// :authority is told as the Host field, cookies that were sent apart are put
// together. A request that the server promises (PUSH_PROMISE) is no message of
// its own: it is the Request of the answer that is pushed. Header compression
// has a state, so that a hole in a header, unlike one in a body, ends what can
// be read of a direction. Priorities, windows and settings are passed over.
package http2

import (
	"fmt"
	"slices"

	"culprit/internal/dissect/http"
)

// Limits that are not options.
const (
	maxBlock   = 256 << 10 // bytes of one header block, in however many frames
	maxString  = 64 << 10  // bytes of a field's name or value
	maxList    = 256 << 10 // bytes of a header, in the measure of RFC 7541 section 4.1
	maxFields  = 1000
	maxTable   = 1 << 20 // bytes of the compression's dynamic table
	maxStreams = 1024    // that are open at a time
	maxDebug   = 256     // bytes of GOAWAY's debug data that are told
)

// Output is one event: http.Head, *http.Message, http.Body, *http.Damage, *Reset or
// *GoAway.
type Output = http.StreamOutput

// Reset is a stream that one side gave up (RFC 9113 section 6.4). Its messages
// that were under way have come out before, incomplete.
type Reset struct {
	Stream   uint32
	Code     Code
	Exchange int           // as in http.Message; -1 when the stream was not open
	Request  *http.Message // nil when none was seen
}

// GoAway says that its sender takes no new streams (RFC 9113 section 6.8).
type GoAway struct {
	Last  uint32 // the highest stream that it may have worked on
	Code  Code
	Debug string // at most 256 bytes
}

// Code is an error code (RFC 9113 section 7).
type Code uint32

// NoError ends a stream or a connection without a fault.
const NoError Code = 0

// CodeOf returns the code with a name.
func CodeOf(name string) (Code, bool) {
	i := slices.Index(codes[:], name)
	return Code(i), i >= 0
}

// String returns the name as in the RFC, or the number.
func (c Code) String() string {
	if int(c) < len(codes) {
		return codes[c]
	}
	return fmt.Sprintf("0x%x", uint32(c))
}

var codes = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}
