package tls

import (
	"crypto"
	"crypto/cipher"
	"encoding/binary"
	"testing"

	"culprit/internal/dissect"
)

// sealed is a TLS 1.3 stream of n full records under a secret, as a server
// with AES-128-GCM or ChaCha20 would send it.
func sealed(tb testing.TB, s Suite, secret []byte, n int) []byte {
	p, ok := s.params()
	if !ok {
		tb.Fatal(s)
	}
	o, err := newOpener13(&p, secret)
	if err != nil {
		tb.Fatal(err)
	}
	var out []byte
	text := make([]byte, 1<<14+1)
	text[1<<14] = recData
	for i := range n {
		var nonce [12]byte
		binary.BigEndian.PutUint64(nonce[4:], uint64(i))
		for j := range nonce {
			nonce[j] ^= o.iv[j]
		}
		head := []byte{recData, 3, 3, 0, 0}
		binary.BigEndian.PutUint16(head[3:], uint16(len(text)+o.aead.Overhead()))
		out = append(out, head...)
		out = cipher.AEAD(o.aead).Seal(out, nonce[:], text, head)
	}
	return out
}

func BenchmarkDecrypt(b *testing.B) {
	for _, s := range []Suite{0x1301, 0x1302, 0x1303} {
		for _, piece := range []int{1 << 14, 1448} {
			name := s.String() + "/record-sized"
			if piece < 2000 {
				name = s.String() + "/segment-sized"
			}
			b.Run(name, func(b *testing.B) {
				p, _ := s.params()
				secret := make([]byte, p.prf.Size())
				stream := sealed(b, s, secret, 64)
				var k KeyLog
				k.put(Random{}, serverApp, secret)
				k.put(Random{}, serverHandshake, make([]byte, p.prf.Size()))
				if p.prf != crypto.SHA256 && p.prf != crypto.SHA384 {
					b.Fatal("hash")
				}
				b.SetBytes(int64(len(stream)))
				b.ReportAllocs()
				c := New(&k)
				for b.Loop() {
					c.client = &ClientHello{}
					c.half[1] = half{dir: dissect.ToClient, begun: true, stage: stageApp}
					m := new(hello)
					m.Version, m.Suite = TLS13, s
					c.chosen(m)
					got := 0
					for rest := stream; len(rest) > 0; {
						n := min(piece, len(rest))
						for _, o := range c.Feed(dissect.Input{Dir: dissect.ToClient, Data: rest[:n]}) {
							got += len(o.Data)
						}
						rest = rest[n:]
					}
					if got != 64<<14 {
						b.Fatalf("%d bytes decrypted", got)
					}
				}
			})
		}
	}
}
