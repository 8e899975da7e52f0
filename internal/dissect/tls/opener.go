package tls

import (
	"crypto/cipher"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"hash"
)

// opener decrypts the records of one direction under one key.
type opener struct {
	v    Version
	p    params
	seq  uint64
	etm  bool // encrypt-then-MAC (RFC 7366)
	iv   [16]byte
	aead cipher.AEAD

	block  cipher.Block
	stream *rc4.Cipher
	mac    hash.Hash
	macKey []byte

	secret []byte // TLS 1.3: what the next key comes from

	// Scratch, here so that the calls through interfaces don't make it escape.
	nonce [12]byte
	aad   [13]byte
	sum   [64]byte
}

// open appends the plaintext of a record to dst. head is its 5-byte header. In
// TLS 1.3 the inner content type replaces typ. The sequence number goes on
// only when the record was good.
func (o *opener) open(dst, head, body []byte) (out []byte, typ byte, err error) {
	typ = head[0]
	switch {
	case o.v == TLS13:
		out, typ, err = o.open13(dst, head, body)
	case o.aead != nil:
		out, err = o.openAEAD12(dst, head, body)
	case o.block != nil:
		out, err = o.openCBC(dst, head, body)
	default:
		out, err = o.openStream(dst, head, body)
	}
	if err == nil {
		o.seq++
	}
	return out, typ, err
}

// open13: RFC 8446 section 5.2 and 5.3.
func (o *opener) open13(dst, head, body []byte) ([]byte, byte, error) {
	o.xorNonce()
	copy(o.aad[:5], head)
	out, err := o.aead.Open(dst, o.nonce[:], body, o.aad[:5])
	if err != nil {
		return nil, 0, errOpen
	}
	// The content type is the last byte that is not padding.
	for n := len(out) - 1; n >= len(dst); n-- {
		if out[n] != 0 {
			return out[:n], out[n], nil
		}
	}
	return nil, 0, errOpen
}

func (o *opener) xorNonce() {
	binary.BigEndian.PutUint32(o.nonce[:], 0)
	binary.BigEndian.PutUint64(o.nonce[4:], o.seq)
	subtle.XORBytes(o.nonce[:], o.nonce[:], o.iv[:12])
}

// openAEAD12: RFC 5288, RFC 6655 (explicit nonce), RFC 7905 (ChaCha20).
func (o *opener) openAEAD12(dst, head, body []byte) ([]byte, error) {
	if o.p.mode == modeChaCha {
		o.xorNonce()
	} else {
		if len(body) < 8 {
			return nil, errOpen
		}
		copy(o.nonce[:4], o.iv[:4])
		copy(o.nonce[4:], body)
		body = body[8:]
	}
	n := len(body) - o.aead.Overhead()
	if n < 0 {
		return nil, errOpen
	}
	o.setAAD(head, n)
	out, err := o.aead.Open(dst, o.nonce[:], body, o.aad[:13])
	if err != nil {
		return nil, errOpen
	}
	return out, nil
}

func (o *opener) setAAD(head []byte, n int) {
	binary.BigEndian.PutUint64(o.aad[:], o.seq)
	copy(o.aad[8:11], head[:3])
	binary.BigEndian.PutUint16(o.aad[11:], uint16(n))
}

// openCBC: RFC 5246 section 6.2.3.2 (explicit IV since TLS 1.1), RFC 7366.
func (o *opener) openCBC(dst, head, body []byte) ([]byte, error) {
	bl, ml := o.p.blockLen(), o.p.mac.Size()
	ct := body
	if o.etm {
		if len(ct) < ml {
			return nil, errOpen
		}
		ct = ct[:len(ct)-ml]
		if !o.goodMAC(head, ct, body[len(ct):]) {
			return nil, errOpen
		}
	}
	if len(ct)%bl != 0 || len(ct) == 0 {
		return nil, errOpen
	}
	iv := o.iv[:bl]
	if o.v >= TLS11 {
		iv, ct = ct[:bl], ct[bl:]
		if len(ct) == 0 {
			return nil, errOpen
		}
	}
	at := len(dst)
	dst = append(dst, ct...)
	pt := dst[at:]
	cipher.NewCBCDecrypter(o.block, iv).CryptBlocks(pt, pt)
	if o.v < TLS11 {
		copy(o.iv[:], ct[len(ct)-bl:])
	}
	pad := int(pt[len(pt)-1]) + 1
	if pad > len(pt) || o.v == SSL30 && pad > bl {
		return nil, errOpen
	}
	if o.v > SSL30 {
		for _, x := range pt[len(pt)-pad:] {
			if int(x) != pad-1 {
				return nil, errOpen
			}
		}
	}
	pt = pt[:len(pt)-pad]
	if !o.etm {
		if len(pt) < ml {
			return nil, errOpen
		}
		n := len(pt) - ml
		if !o.goodMAC(head, pt[:n], pt[n:]) {
			return nil, errOpen
		}
		pt = pt[:n]
	}
	return dst[:at+len(pt)], nil
}

// openStream: RC4 and the NULL cipher, MAC inside.
func (o *opener) openStream(dst, head, body []byte) ([]byte, error) {
	n := len(body) - o.p.mac.Size()
	if n < 0 {
		return nil, errOpen
	}
	at := len(dst)
	dst = append(dst, body...)
	pt := dst[at:]
	if o.stream != nil {
		o.stream.XORKeyStream(pt, pt)
	}
	if !o.goodMAC(head, pt[:n], pt[n:]) {
		return nil, errOpen
	}
	return dst[:at+n], nil
}

func (o *opener) goodMAC(head, data, mac []byte) bool {
	var sum []byte
	if o.v == SSL30 {
		sum = o.sslMAC(head, data)
	} else {
		o.setAAD(head, len(data))
		o.mac.Reset()
		o.mac.Write(o.aad[:13])
		o.mac.Write(data)
		sum = o.mac.Sum(o.sum[:0])
	}
	return subtle.ConstantTimeCompare(sum, mac) == 1
}

// sslMAC: RFC 6101 section 5.2.3.1.
func (o *opener) sslMAC(head, data []byte) []byte {
	pads := 40
	if o.p.mac.Size() == 16 {
		pads = 48
	}
	o.setAAD(head, len(data))
	pad := make([]byte, pads)
	for i := range pad {
		pad[i] = 0x36
	}
	h := o.p.mac.New()
	h.Write(o.macKey)
	h.Write(pad)
	h.Write(o.aad[:9])
	h.Write(o.aad[11:13])
	h.Write(data)
	inner := h.Sum(nil)
	for i := range pad {
		pad[i] = 0x5c
	}
	h.Reset()
	h.Write(o.macKey)
	h.Write(pad)
	h.Write(inner)
	return h.Sum(o.sum[:0])
}
