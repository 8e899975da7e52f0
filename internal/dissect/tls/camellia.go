package tls

import (
	"crypto/aes"
	"encoding/binary"
	"math/bits"
)

// camellia is the block cipher of RFC 3713 with 16 or 32-byte keys. It is the
// plain textbook form: few captures have it, and none are large.
type camellia struct {
	kw [4]uint64
	k  []uint64 // 18 or 24 round keys
	ke []uint64 // 4 or 6 keys of the FL layers
}

// camelliaSBox is SBOX1; the other three are rotations of it.
var camelliaSBox = [256]byte{
	112, 130, 44, 236, 179, 39, 192, 229, 228, 133, 87, 53, 234, 12, 174, 65,
	35, 239, 107, 147, 69, 25, 165, 33, 237, 14, 79, 78, 29, 101, 146, 189,
	134, 184, 175, 143, 124, 235, 31, 206, 62, 48, 220, 95, 94, 197, 11, 26,
	166, 225, 57, 202, 213, 71, 93, 61, 217, 1, 90, 214, 81, 86, 108, 77,
	139, 13, 154, 102, 251, 204, 176, 45, 116, 18, 43, 32, 240, 177, 132, 153,
	223, 76, 203, 194, 52, 126, 118, 5, 109, 183, 169, 49, 209, 23, 4, 215,
	20, 88, 58, 97, 222, 27, 17, 28, 50, 15, 156, 22, 83, 24, 242, 34,
	254, 68, 207, 178, 195, 181, 122, 145, 36, 8, 232, 168, 96, 252, 105, 80,
	170, 208, 160, 125, 161, 137, 98, 151, 84, 91, 30, 149, 224, 255, 100, 210,
	16, 196, 0, 72, 163, 247, 117, 219, 138, 3, 230, 218, 9, 63, 221, 148,
	135, 92, 131, 2, 205, 74, 144, 51, 115, 103, 246, 243, 157, 127, 191, 226,
	82, 155, 216, 38, 200, 55, 198, 59, 129, 150, 111, 75, 19, 190, 99, 46,
	233, 121, 167, 140, 159, 110, 188, 142, 41, 245, 249, 182, 47, 253, 180, 89,
	120, 152, 6, 106, 231, 70, 113, 186, 212, 37, 171, 66, 136, 162, 141, 250,
	114, 7, 185, 85, 248, 238, 172, 10, 54, 73, 42, 104, 60, 56, 241, 164,
	64, 40, 211, 123, 187, 201, 67, 193, 21, 227, 173, 244, 119, 199, 128, 158,
}

var camelliaSigma = [6]uint64{
	0xA09E667F3BCC908B, 0xB67AE8584CAA73B2, 0xC6EF372FE94F82BE,
	0x54FF53A5F1D36F1C, 0x10E527FADE682D1D, 0xB05688C2B3E6C1FD,
}

type pair struct{ hi, lo uint64 }

func (p pair) rotl(n uint) pair {
	if n >= 64 {
		p.hi, p.lo = p.lo, p.hi
		n -= 64
	}
	if n == 0 {
		return p
	}
	return pair{p.hi<<n | p.lo>>(64-n), p.lo<<n | p.hi>>(64-n)}
}

func newCamellia(key []byte) (*camellia, error) {
	var kl, kr pair
	switch len(key) {
	case 32:
		kr = pair{binary.BigEndian.Uint64(key[16:]), binary.BigEndian.Uint64(key[24:])}
	case 16:
	default:
		return nil, aes.KeySizeError(len(key))
	}
	kl = pair{binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])}

	d := pair{kl.hi ^ kr.hi, kl.lo ^ kr.lo}
	d.lo ^= camelliaF(d.hi, camelliaSigma[0])
	d.hi ^= camelliaF(d.lo, camelliaSigma[1])
	d.hi ^= kl.hi
	d.lo ^= kl.lo
	d.lo ^= camelliaF(d.hi, camelliaSigma[2])
	d.hi ^= camelliaF(d.lo, camelliaSigma[3])
	ka := d
	d = pair{ka.hi ^ kr.hi, ka.lo ^ kr.lo}
	d.lo ^= camelliaF(d.hi, camelliaSigma[4])
	d.hi ^= camelliaF(d.lo, camelliaSigma[5])
	kb := d

	c := new(camellia)
	both := func(p pair, n uint) []uint64 { p = p.rotl(n); return []uint64{p.hi, p.lo} }
	copy(c.kw[:2], both(kl, 0))
	if len(key) == 16 {
		copy(c.kw[2:], both(ka, 111))
		for _, x := range [][]uint64{both(ka, 0), both(kl, 15), both(ka, 15), both(kl, 45),
			{ka.rotl(45).hi, kl.rotl(60).lo}, both(ka, 60), both(kl, 94), both(ka, 94), both(kl, 111)} {
			c.k = append(c.k, x...)
		}
		c.ke = append(both(ka, 30), both(kl, 77)...)
		return c, nil
	}
	copy(c.kw[2:], both(kb, 111))
	for _, x := range [][]uint64{both(kb, 0), both(kr, 15), both(ka, 15), both(kb, 30), both(kl, 45), both(ka, 45),
		both(kr, 60), both(kb, 60), both(kl, 77), both(kr, 94), both(ka, 94), both(kl, 111)} {
		c.k = append(c.k, x...)
	}
	c.ke = append(append(both(kr, 30), both(kl, 60)...), both(ka, 77)...)
	return c, nil
}

func (c *camellia) BlockSize() int { return 16 }

func (c *camellia) Encrypt(dst, src []byte) {
	a, b := binary.BigEndian.Uint64(src)^c.kw[0], binary.BigEndian.Uint64(src[8:])^c.kw[1]
	for i := 0; i < len(c.k); i += 2 {
		if i > 0 && i%6 == 0 {
			a, b = camelliaFL(a, c.ke[i/3-2]), camelliaFLInv(b, c.ke[i/3-1])
		}
		b ^= camelliaF(a, c.k[i])
		a ^= camelliaF(b, c.k[i+1])
	}
	binary.BigEndian.PutUint64(dst, b^c.kw[2])
	binary.BigEndian.PutUint64(dst[8:], a^c.kw[3])
}

func (c *camellia) Decrypt(dst, src []byte) {
	a, b := binary.BigEndian.Uint64(src)^c.kw[2], binary.BigEndian.Uint64(src[8:])^c.kw[3]
	for i := len(c.k) - 2; i >= 0; i -= 2 {
		b ^= camelliaF(a, c.k[i+1])
		a ^= camelliaF(b, c.k[i])
		if i > 0 && i%6 == 0 {
			a, b = camelliaFL(a, c.ke[i/3-1]), camelliaFLInv(b, c.ke[i/3-2])
		}
	}
	binary.BigEndian.PutUint64(dst, b^c.kw[0])
	binary.BigEndian.PutUint64(dst[8:], a^c.kw[1])
}

func camelliaF(x, k uint64) uint64 {
	x ^= k
	s := &camelliaSBox
	rot := func(b byte, n int) byte { return bits.RotateLeft8(b, n) }
	t1 := s[x>>56]
	t2 := rot(s[x>>48&0xff], 1)
	t3 := rot(s[x>>40&0xff], 7)
	t4 := s[rot(byte(x>>32), 1)]
	t5 := rot(s[x>>24&0xff], 1)
	t6 := rot(s[x>>16&0xff], 7)
	t7 := s[rot(byte(x>>8), 1)]
	t8 := s[x&0xff]
	y := [8]byte{
		t1 ^ t3 ^ t4 ^ t6 ^ t7 ^ t8,
		t1 ^ t2 ^ t4 ^ t5 ^ t7 ^ t8,
		t1 ^ t2 ^ t3 ^ t5 ^ t6 ^ t8,
		t2 ^ t3 ^ t4 ^ t5 ^ t6 ^ t7,
		t1 ^ t2 ^ t6 ^ t7 ^ t8,
		t2 ^ t3 ^ t5 ^ t7 ^ t8,
		t3 ^ t4 ^ t5 ^ t6 ^ t8,
		t1 ^ t4 ^ t5 ^ t6 ^ t7,
	}
	return binary.BigEndian.Uint64(y[:])
}

func camelliaFL(x, k uint64) uint64 {
	a, b := uint32(x>>32), uint32(x)
	b ^= bits.RotateLeft32(a&uint32(k>>32), 1)
	a ^= b | uint32(k)
	return uint64(a)<<32 | uint64(b)
}

func camelliaFLInv(x, k uint64) uint64 {
	a, b := uint32(x>>32), uint32(x)
	a ^= b | uint32(k)
	b ^= bits.RotateLeft32(a&uint32(k>>32), 1)
	return uint64(a)<<32 | uint64(b)
}
