package tls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha1"
	"errors"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

var errSuite = errors.New("cipher not implemented")

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
func expandLabel(h crypto.Hash, secret []byte, name string, n int) ([]byte, error) {
	info := make([]byte, 0, 32)
	info = append(info, byte(n>>8), byte(n), byte(6+len(name)))
	info = append(info, "tls13 "...)
	info = append(info, name...)
	info = append(info, 0)
	return hkdf.Expand(h.New, secret, string(info), n)
}

// pHash fills out with P_hash (RFC 5246 section 5), XORing it in.
func pHash(out []byte, h func() hash.Hash, secret, seed []byte) {
	m := hmac.New(h, secret)
	m.Write(seed)
	a := m.Sum(nil)
	for len(out) > 0 {
		m.Reset()
		m.Write(a)
		m.Write(seed)
		b := m.Sum(nil)
		n := min(len(b), len(out))
		for i := range n {
			out[i] ^= b[i]
		}
		out = out[n:]
		m.Reset()
		m.Write(a)
		a = m.Sum(a[:0])
	}
}

// keyBlock expands a master secret (RFC 5246 section 6.3, RFC 2246 section 5,
// RFC 6101 section 6.2.2).
func keyBlock(v Version, prf crypto.Hash, master []byte, client, server *Random, n int) []byte {
	out := make([]byte, n)
	seed := make([]byte, 0, 80)
	seed = append(seed, "key expansion"...)
	seed = append(seed, server[:]...)
	seed = append(seed, client[:]...)
	switch {
	case v >= TLS12:
		pHash(out, prf.New, master, seed)
	case v >= TLS10:
		half := (len(master) + 1) / 2
		pHash(out, md5.New, master[:half], seed)
		pHash(out, sha1.New, master[len(master)-half:], seed)
	default:
		b := out[:0]
		for i := 1; len(b) < n; i++ {
			s := sha1.New()
			for range i {
				s.Write([]byte{byte('A' + i - 1)})
			}
			s.Write(master)
			s.Write(seed[len("key expansion"):])
			m := md5.New()
			m.Write(master)
			m.Write(s.Sum(nil))
			b = m.Sum(b)
		}
		out = b[:n]
	}
	return out
}

// newAEAD makes the record cipher of an AEAD suite.
func newAEAD(p *params, key []byte) (cipher.AEAD, error) {
	if p.mode == modeChaCha {
		return chacha20poly1305.New(key)
	}
	b, err := newBlock(p, key)
	if err != nil {
		return nil, err
	}
	switch p.mode {
	case modeGCM:
		return cipher.NewGCM(b)
	case modeCCM:
		return &ccm{b, 16}, nil
	case modeCCM8:
		return &ccm{b, 8}, nil
	}
	return nil, errSuite
}

func newBlock(p *params, key []byte) (cipher.Block, error) {
	switch p.block {
	case blockAES:
		return aes.NewCipher(key)
	case block3DES:
		return des.NewTripleDESCipher(key)
	case blockCamellia:
		return newCamellia(key)
	}
	return nil, errSuite
}

// newOpener13 makes the opener of one TLS 1.3 traffic secret.
func newOpener13(p *params, secret []byte) (*opener, error) {
	if !p.aead() {
		return nil, errSuite
	}
	if len(secret) != p.prf.Size() {
		return nil, errors.New("the secret's length does not fit the suite's hash")
	}
	key, err := expandLabel(p.prf, secret, "key", p.keyLen)
	if err != nil {
		return nil, err
	}
	iv, err := expandLabel(p.prf, secret, "iv", 12)
	if err != nil {
		return nil, err
	}
	a, err := newAEAD(p, key)
	if err != nil {
		return nil, err
	}
	o := &opener{v: TLS13, p: *p, aead: a, secret: secret}
	copy(o.iv[:], iv)
	return o, nil
}

// nextOpener13 makes the opener after a KeyUpdate (RFC 8446 section 7.2).
func nextOpener13(o *opener) (*opener, error) {
	s, err := expandLabel(o.p.prf, o.secret, "traffic upd", o.p.prf.Size())
	if err != nil {
		return nil, err
	}
	return newOpener13(&o.p, s)
}

// newOpeners12 makes both directions' openers of TLS 1.2 and older.
func newOpeners12(v Version, p *params, etm bool, master []byte, client, server *Random) (o [2]*opener, err error) {
	mac, iv := 0, 0
	switch p.mode {
	case modeGCM, modeCCM, modeCCM8:
		iv = 4
	case modeChaCha:
		iv = 12
	default:
		mac = p.mac.Size()
		if p.mode == modeCBC {
			iv = p.blockLen() // a part of the block only before TLS 1.1; of no use later
		}
	}
	kb := keyBlock(v, p.prf, master, client, server, 2*(mac+p.keyLen+iv))
	cut := func(n int) []byte {
		b := kb[:n:n]
		kb = kb[n:]
		return b
	}
	macs := [2][]byte{cut(mac), cut(mac)}
	keys := [2][]byte{cut(p.keyLen), cut(p.keyLen)}
	ivs := [2][]byte{cut(iv), cut(iv)}
	for d := range o {
		x := &opener{v: v, p: *p, etm: etm && p.mode == modeCBC}
		switch p.mode {
		case modeCBC:
			if x.block, err = newBlock(p, keys[d]); err != nil {
				return o, err
			}
			copy(x.iv[:], ivs[d])
		case modeStream:
			if x.stream, err = rc4.NewCipher(keys[d]); err != nil {
				return o, err
			}
		case modeNull:
		default:
			if x.aead, err = newAEAD(p, keys[d]); err != nil {
				return o, err
			}
			copy(x.iv[:], ivs[d])
		}
		if !p.aead() {
			x.macKey = macs[d]
			if v > SSL30 {
				x.mac = hmac.New(p.mac.New, macs[d])
			}
		}
		o[d] = x
	}
	return o, nil
}
