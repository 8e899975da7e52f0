package tls

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

var errOpen = errors.New("authentication failed")

// ccm is AES-CCM with a 12-byte nonce (RFC 3610, L=3; RFC 6655 for TLS).
// It only opens.
type ccm struct {
	b   cipher.Block
	tag int // 16, or 8 for the _CCM_8 suites
}

func (c *ccm) NonceSize() int { return 12 }
func (c *ccm) Overhead() int  { return c.tag }

// Seal makes ccm a cipher.AEAD; culprit never seals.
func (c *ccm) Seal(_, _, _, _ []byte) []byte { panic("tls: ccm seals nothing") }

// Open appends the plaintext to dst.
func (c *ccm) Open(dst, nonce, ct, aad []byte) ([]byte, error) {
	n := len(ct) - c.tag
	if n < 0 || n >= 1<<24 || len(nonce) != 12 || len(aad) >= 0xff00 {
		return nil, errOpen
	}
	var ctr, s0, ks, mac [16]byte
	ctr[0] = 2 // L-1
	copy(ctr[1:], nonce)
	c.b.Encrypt(s0[:], ctr[:])
	at := len(dst)
	dst = append(dst, ct[:n]...)
	pt := dst[at:]
	for i := 0; i < n; i += 16 {
		for j := 15; j > 12; j-- {
			if ctr[j]++; ctr[j] != 0 {
				break
			}
		}
		c.b.Encrypt(ks[:], ctr[:])
		subtle.XORBytes(pt[i:], pt[i:], ks[:])
	}
	// B_0: flags, nonce, message length; then the AAD with its length, padded.
	mac[0] = byte((c.tag-2)/2<<3 | 2)
	if len(aad) > 0 {
		mac[0] |= 0x40
	}
	copy(mac[1:], nonce)
	mac[13], mac[14], mac[15] = byte(n>>16), byte(n>>8), byte(n)
	c.b.Encrypt(mac[:], mac[:])
	if len(aad) > 0 {
		var l [2]byte
		binary.BigEndian.PutUint16(l[:], uint16(len(aad)))
		mac[0] ^= l[0]
		mac[1] ^= l[1]
		p := 2
		for _, x := range aad {
			if p == 16 {
				c.b.Encrypt(mac[:], mac[:])
				p = 0
			}
			mac[p] ^= x
			p++
		}
		c.b.Encrypt(mac[:], mac[:])
	}
	for i := 0; i < n; i += 16 {
		subtle.XORBytes(mac[:], mac[:], pt[i:min(i+16, n)])
		c.b.Encrypt(mac[:], mac[:])
	}
	subtle.XORBytes(mac[:], mac[:], s0[:])
	if subtle.ConstantTimeCompare(mac[:c.tag], ct[n:]) != 1 {
		return nil, errOpen
	}
	return dst, nil
}
