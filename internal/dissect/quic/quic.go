// Package quic reads QUIC connections (RFC 9000, RFC 9001, RFC 9369): the packets
// in the datagrams of one flow, without header protection and decrypted where the
// keys are known, the TLS handshake inside, and the streams put in order.
//
// Initial packets need no key log: their keys follow from the connection id. All
// others need the secrets of an NSS key log. Versions 1 and 2 and the drafts from
// 23 on are read; of others the long headers are told. Acknowledgements, flow
// control and migration to another address are passed over.
package quic

import (
	"fmt"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tls"
)

// Limits.
const (
	maxHeld    = 1 << 20 // bytes of a stream that wait for others before them; then those are taken as lost
	maxTotal   = 8 << 20 // the same, of a connection
	maxStreams = 4096    // that are kept
	maxReason  = 1 << 10 // bytes of CONNECTION_CLOSE's reason
	maxLate    = 64      // packets that wait for their keys
)

// Version is a version of QUIC.
type Version uint32

// Versions.
const (
	V1 Version = 1
	V2 Version = 0x6b3343cf
)

// String returns "v1", "v2", "draft-29", or the number.
func (v Version) String() string {
	switch {
	case v == V1:
		return "v1"
	case v == V2:
		return "v2"
	case v>>8 == 0xff0000:
		return fmt.Sprintf("draft-%d", uint8(v))
	}
	return fmt.Sprintf("0x%08x", uint32(v))
}

// Type is the kind of a packet.
type Type uint8

// Types, the first four as version 1 numbers them (RFC 9000 section 17.2).
const (
	Initial Type = iota
	ZeroRTT
	Handshake
	Retry
	OneRTT
	VersionNegotiation
)

// String returns the name as in the RFC.
func (t Type) String() string {
	return [...]string{"Initial", "0-RTT", "Handshake", "Retry", "1-RTT", "Version Negotiation"}[t%6]
}

// Packet is one packet.
type Packet struct {
	Type       Type
	Version    Version // 0 in a packet of type OneRTT
	DCID, SCID []byte
	Number     uint64
	Opened     bool     // it was decrypted, and Number and Frames are known
	Frames     []uint64 // their types, in order; PADDING once for a run
	Why        string   // when not Opened, and it should have been
	Supported  []Version
}

// Output is one event.
type Output struct {
	Dir dissect.Dir
	dissect.Span
	Data []byte // of Stream and Datagram; valid until the next call
	Msg  any    // *Packet, *Close, *Reset, Stream, Datagram, or a message of package tls
}

// Stream is the next bytes of a stream in one direction, in Output.Data.
type Stream struct {
	ID  uint64
	Gap int  // bytes lost before Data
	End bool // nothing comes after Data
}

// Datagram is an unreliable datagram (RFC 9221), in Output.Data.
type Datagram struct{}

// Reset is RESET_STREAM, or with Stop STOP_SENDING.
type Reset struct {
	Stream uint64
	Code   uint64
	Stop   bool
}

// Close is CONNECTION_CLOSE (RFC 9000 section 19.19).
type Close struct {
	App    bool // the code is the application's
	Code   uint64
	Frame  uint64 // type of the frame that caused it
	Reason string // at most 1 KiB
}

var codes = [...]string{
	"NO_ERROR", "INTERNAL_ERROR", "CONNECTION_REFUSED", "FLOW_CONTROL_ERROR", "STREAM_LIMIT_ERROR", "STREAM_STATE_ERROR", "FINAL_SIZE_ERROR",
	"FRAME_ENCODING_ERROR", "TRANSPORT_PARAMETER_ERROR", "CONNECTION_ID_LIMIT_ERROR", "PROTOCOL_VIOLATION", "INVALID_TOKEN",
	"APPLICATION_ERROR", "CRYPTO_BUFFER_EXCEEDED", "KEY_UPDATE_ERROR", "AEAD_LIMIT_REACHED", "NO_VIABLE_PATH",
}

// h3codes are the error codes of HTTP/3 (RFC 9114 section 8.1) from 0x100 on.
var h3codes = [...]string{
	"H3_NO_ERROR", "H3_GENERAL_PROTOCOL_ERROR", "H3_INTERNAL_ERROR", "H3_STREAM_CREATION_ERROR", "H3_CLOSED_CRITICAL_STREAM",
	"H3_FRAME_UNEXPECTED", "H3_FRAME_ERROR", "H3_EXCESSIVE_LOAD", "H3_ID_ERROR", "H3_SETTINGS_ERROR", "H3_MISSING_SETTINGS",
	"H3_REQUEST_REJECTED", "H3_REQUEST_CANCELLED", "H3_REQUEST_INCOMPLETE", "H3_MESSAGE_ERROR", "H3_CONNECT_ERROR", "H3_VERSION_FALLBACK",
}

// Name returns the name of the error code, or its number. Those of the
// application are taken as HTTP/3's.
func (c *Close) Name() string {
	switch {
	case c.App:
		return AppCode(c.Code)
	case c.Code < uint64(len(codes)):
		return codes[c.Code]
	}
	if a, ok := c.Alert(); ok {
		return "CRYPTO_ERROR " + a.String()
	}
	return fmt.Sprintf("0x%x", c.Code)
}

// Alert is the TLS alert that the code stands for (RFC 9001 section 4.8).
func (c *Close) Alert() (tls.AlertDescription, bool) {
	return tls.AlertDescription(c.Code), !c.App && c.Code>>8 == 1
}

// AppCode names an application's error code as HTTP/3 does.
func AppCode(n uint64) string {
	if i := n - 0x100; n >= 0x100 && i < uint64(len(h3codes)) {
		return h3codes[i]
	}
	return fmt.Sprintf("0x%x", n)
}

// Failure says whether the close tells of something that went wrong.
func (c *Close) Failure() bool { return c.Code != 0 && !(c.App && c.Code == 0x100) }
