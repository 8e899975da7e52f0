package tls

import (
	"crypto/x509"

	"culprit/internal/dissect"
)

// Output is one event of the TLS layer.
type Output struct {
	Dir dissect.Dir
	dissect.Span
	// Data is what AppData and Plain carry. It is valid until the next call of
	// Feed or Close; copy what must live longer. Everything in Msg is the
	// receiver's.
	Data []byte
	Msg  Msg
}

// Msg is what an Output says: one of the types of this file.
type Msg interface{ isMsg() }

// AppData is decrypted application data, in Output.Data.
type AppData struct{}

// EarlyData is decrypted 0-RTT data, in Output.Data. The server may have
// refused it: then the client sends it again.
type EarlyData struct{}

// Plain is what follows NotTLS in its direction, NotTLS's own bytes included,
// in Output.Data, unchanged.
type Plain struct{}

// ClientHello opens a handshake. In a renegotiation or after a
// HelloRetryRequest there is more than one.
type ClientHello struct {
	Version    Version // legacy_version
	Versions   []Version
	Random     Random
	SessionID  []byte
	Suites     []Suite
	Extensions []uint16 // in order
	ServerName string
	ALPN       []string
	KeyShares  []uint16 // named groups
	Groups     []uint16

	PointFormats        []uint8
	SignatureAlgorithms []uint16

	PSK       bool // offers a pre-shared key or a session ticket
	EarlyData bool
	ECH       bool // encrypted_client_hello present: ServerName may be the outer name
	HaveKey   bool // the key log knows this session
}

// ServerHello is the server's choice.
type ServerHello struct {
	Version    Version // negotiated, supported_versions considered
	Random     Random
	SessionID  []byte
	Suite      Suite
	ALPN       string // TLS 1.2 and older; later it is in EncryptedExtensions
	Group      uint16 // of the key share, TLS 1.3
	HelloRetry bool   // a HelloRetryRequest
	Resumed    bool   // a pre-shared key was accepted, or the session id echoed (TLS 1.2)
}

// EncryptedExtensions is the rest of the server's choice in TLS 1.3.
type EncryptedExtensions struct {
	ALPN      string
	EarlyData bool // 0-RTT accepted
}

// Cert is one certificate. X509 is nil when not even its names and times could
// be read; Err says what was wrong with it.
type Cert struct {
	Raw  []byte // DER
	X509 *x509.Certificate
	Err  error
}

// Certificate is a peer's chain, its own certificate first. It may be empty (a
// client that has none).
type Certificate struct {
	Chain []Cert
}

// CertificateRequest asks the client for a certificate.
type CertificateRequest struct {
	Authorities [][]byte // DER names
}

// Alert is a TLS alert; Output.Dir says who sent it.
type Alert struct {
	Level       uint8 // 1 warning, 2 fatal; 0 unknown
	Description AlertDescription
	Encrypted   bool // it was sent encrypted
	Opaque      bool // it could not be decrypted: Level is 0 and Description UnknownAlert
	Guess       bool // only its length (and place at the end) says that it is one
}

// Finished ends one side's handshake.
type Finished struct{}

// Handshake is any other handshake message, by type only.
type Handshake struct {
	Type HandshakeType
	Len  int
}

// NotTLS says that a direction does not speak TLS.
type NotTLS struct {
	Looks string // as dissect.Sniff, "" when it looks like nothing known
	Head  []byte // its first bytes: a line, at most 64
}

// Damage is a fault in the bytes.
type Damage struct {
	Offset  int64 // in the direction's stream, holes included
	What    string
	Missing int  // bytes of plaintext lost, as far as known
	Fatal   bool // nothing more can be read in this direction
}

// Reason says why bytes stayed encrypted.
type Reason string

// Reasons.
const (
	NoKey       Reason = "no-key"                 // the key log lacks the session's secrets
	NoHandshake Reason = "no-handshake"           // the hellos were not seen
	NoCipher    Reason = "cipher-not-implemented" // or TLS compression
	BadKey      Reason = "authentication-failed"  // a wrong key, or damaged records
	Hole        Reason = "hole"                   // bytes missing before
	BadRecord   Reason = "bad-record"             // framing lost
)

// Undecrypted sums up what stayed encrypted in a direction for one reason. It
// comes when the direction ends, or from Close.
type Undecrypted struct {
	Reason  Reason
	Records int
	Bytes   int64 // with record headers
}

func (AppData) isMsg()             {}
func (EarlyData) isMsg()           {}
func (Plain) isMsg()               {}
func (*ClientHello) isMsg()        {}
func (*ServerHello) isMsg()        {}
func (EncryptedExtensions) isMsg() {}
func (*Certificate) isMsg()        {}
func (*CertificateRequest) isMsg() {}
func (Alert) isMsg()               {}
func (Finished) isMsg()            {}
func (Handshake) isMsg()           {}
func (*NotTLS) isMsg()             {}
func (*Damage) isMsg()             {}
func (Undecrypted) isMsg()         {}
