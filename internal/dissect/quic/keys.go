package quic

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/chacha20"

	"culprit/internal/dissect/tls"
)

// salts make Initial secrets (RFC 9001 section 5.2, RFC 9369 section 3.3.1, and the
// drafts' of the same section from 23 on).
var (
	saltV1      = []byte("\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a")
	saltV2      = []byte("\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9")
	saltDraft23 = []byte("\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02")
	saltDraft29 = []byte("\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99")
)

func (v Version) salt() []byte {
	switch {
	case v == V1:
		return saltV1
	case v == V2:
		return saltV2
	case v >= 0xff000017 && v <= 0xff00001c:
		return saltDraft23
	case v >= 0xff00001d && v <= 0xff000020:
		return saltDraft29
	case v >= 0xff000021 && v <= 0xff000022:
		return saltV1
	}
	return nil
}

// keys open the packets of one direction at one level.
type keys struct {
	v      Version
	suite  tls.Suite
	secret []byte
	aead   cipher.AEAD
	iv     [12]byte
	hp     func(sample []byte) [5]byte // header protection (RFC 9001 section 5.4)
}

var errSuite = errors.New("no TLS 1.3 cipher suite")

func newKeys(v Version, suite tls.Suite, secret []byte) (*keys, error) {
	h, n, ok := suite.Hash()
	if !ok || len(secret) != h.Size() {
		return nil, errSuite
	}
	k := &keys{v: v, suite: suite, secret: secret}
	hp, err := tls.ExpandLabel(h, secret, k.label("hp"), n)
	if err != nil {
		return nil, err
	}
	if k.hp, err = protection(suite, hp); err != nil {
		return nil, err
	}
	return k, k.derive(h, n)
}

func (k *keys) label(name string) string {
	if k.v == V2 {
		return "quicv2 " + name
	}
	return "quic " + name
}

func (k *keys) derive(h crypto.Hash, n int) error {
	key, err := tls.ExpandLabel(h, k.secret, k.label("key"), n)
	if err != nil {
		return err
	}
	iv, err := tls.ExpandLabel(h, k.secret, k.label("iv"), len(k.iv))
	if err != nil {
		return err
	}
	copy(k.iv[:], iv)
	k.aead, err = k.suite.AEAD(key)
	return err
}

// next are the keys after a key update (RFC 9001 section 6.1); header protection
// stays.
func (k *keys) next() (*keys, error) {
	h, n, _ := k.suite.Hash()
	secret, err := tls.ExpandLabel(h, k.secret, k.label("ku"), h.Size())
	if err != nil {
		return nil, err
	}
	x := &keys{v: k.v, suite: k.suite, secret: secret, hp: k.hp}
	return x, x.derive(h, n)
}

// The suites whose header protection is not AES's.
const suiteChaCha = tls.Suite(0x1303)

func protection(suite tls.Suite, key []byte) (func([]byte) [5]byte, error) {
	if suite == suiteChaCha {
		return func(sample []byte) (mask [5]byte) {
			c, err := chacha20.NewUnauthenticatedCipher(key, sample[4:16])
			if err == nil {
				c.SetCounter(binary.LittleEndian.Uint32(sample))
				c.XORKeyStream(mask[:], mask[:])
			}
			return mask
		}, nil
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return func(sample []byte) (mask [5]byte) {
		var out [16]byte
		b.Encrypt(out[:], sample[:16])
		copy(mask[:], out[:])
		return mask
	}, nil
}

// initialKeys are both directions' keys of Initial packets.
func initialKeys(v Version, dcid []byte) (out [2]*keys) {
	const suite, h = tls.Suite(0x1301), crypto.SHA256
	secret, err := hkdf.Extract(h.New, dcid, v.salt())
	if err != nil {
		return out
	}
	for d, name := range [...]string{"client in", "server in"} {
		s, err := tls.ExpandLabel(h, secret, name, h.Size())
		if err == nil {
			out[d], _ = newKeys(v, suite, s)
		}
	}
	return out
}

// opened is a packet without its protection.
type opened struct {
	number  uint64
	first   byte
	payload []byte
}

// open takes the protection off a packet whose number stands at an offset; largest
// is the highest number seen before, -1 for none. b stays as it is.
func (k *keys) open(b []byte, at int, largest int64) (p opened, ok bool) {
	head, n, ok := k.unprotect(b, at)
	if !ok {
		return p, false
	}
	p.first = head[0]
	p.number = number(largest, head[at:at+n])
	return k.decrypt(p, head, b)
}

// unprotect returns the header with its first byte and packet number in the clear.
func (k *keys) unprotect(b []byte, at int) (head []byte, n int, ok bool) {
	if len(b) < at+4+16 {
		return nil, 0, false
	}
	mask := k.hp(b[at+4 : at+20])
	head = append([]byte(nil), b[:at+4]...)
	if head[0]&0x80 != 0 {
		head[0] ^= mask[0] & 0x0f
	} else {
		head[0] ^= mask[0] & 0x1f
	}
	n = int(head[0]&3) + 1
	for i := range n {
		head[at+i] ^= mask[1+i]
	}
	return head[:at+n], n, true
}

func (k *keys) decrypt(p opened, head, b []byte) (opened, bool) {
	nonce := k.iv
	for i := range 8 {
		nonce[4+i] ^= byte(p.number >> (56 - 8*i))
	}
	var err error
	p.payload, err = k.aead.Open(nil, nonce[:], b[len(head):], head)
	return p, err == nil
}

// number decodes a packet number (RFC 9000 appendix A.3).
func number(largest int64, b []byte) uint64 {
	var truncated int64
	for _, x := range b {
		truncated = truncated<<8 | int64(x)
	}
	expected := largest + 1
	window := int64(1) << (8 * len(b))
	n := expected&^(window-1) | truncated
	switch {
	case n <= expected-window/2 && n < 1<<62-window:
		return uint64(n + window)
	case n > expected+window/2 && n >= window:
		return uint64(n - window)
	}
	return uint64(n)
}
