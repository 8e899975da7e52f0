package tls

import (
	"crypto"
	"crypto/cipher"

	"culprit/internal/dissect"
)

// Secret numbers the traffic secrets that a key log has of a TLS 1.3 session.
type Secret uint8

// Secrets, by who sends under them.
const (
	ClientEarly     = Secret(clientEarly)
	ClientHandshake = Secret(clientHandshake)
	ServerHandshake = Secret(serverHandshake)
	ClientTraffic   = Secret(clientApp)
	ServerTraffic   = Secret(serverApp)
)

// Secret returns a session's secret, nil when it is not known.
func (k *KeyLog) Secret(r Random, s Secret) []byte { return k.get(r, label(s)) }

// Hash is the hash of a TLS 1.3 suite, and the length of its key; false for a
// suite of another version.
func (s Suite) Hash() (h crypto.Hash, keyLen int, ok bool) {
	p, ok := s.params()
	return p.prf, p.keyLen, ok && p.aead()
}

// AEAD makes the cipher of a TLS 1.3 suite.
func (s Suite) AEAD(key []byte) (cipher.AEAD, error) {
	p, ok := s.params()
	if !ok {
		return nil, errSuite
	}
	return newAEAD(&p, key)
}

// ExpandLabel is HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
func ExpandLabel(h crypto.Hash, secret []byte, name string, n int) ([]byte, error) {
	return expandLabel(h, secret, name, n)
}

// Crypto takes the next bytes of the handshake as QUIC carries them: without
// records (RFC 9001 section 4.1.3). The slice is valid until the next call.
func (c *Conn) Crypto(d dissect.Dir, b []byte, span dissect.Span) []Output {
	clear(c.out)
	c.out = c.out[:0]
	c.handshake(&c.half[d&1], b, span)
	return c.out
}
