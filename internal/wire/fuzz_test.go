package wire

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"culprit/internal/dissect/tls"
	"culprit/internal/pcapng"
	"culprit/internal/testkit/captest"
)

// through walks through any bytes as a capture and a key log.
func through(t *testing.T, capture, keylog []byte) {
	src, err := pcapng.Open(bytes.NewReader(capture))
	if err != nil {
		return
	}
	var keys tls.KeyLog
	keys.Add(keylog)
	p := New(src, Options{Keys: &keys, Data: func(*Event) {}})
	for {
		x, err := p.Next()
		if err != nil {
			break
		}
		if len(x.Payload) > len(capture) {
			t.Fatalf("a payload of %d bytes in a file of %d", len(x.Payload), len(capture))
		}
	}
	p.Rest()
}

func FuzzWalk(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.pcap*")
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte{})
	}
	f.Fuzz(func(t *testing.T, capture, keylog []byte) { through(t, capture, keylog) })
}

// TestDamaged cuts every small capture of the collection at many places, and
// flips bits all over it.
func TestDamaged(t *testing.T) {
	files := captest.All()
	if len(files) == 0 {
		t.Skip("the shared capture collection does not lie beside the repository")
	}
	for i, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		keys, _ := os.ReadFile(path[:len(path)-len(filepath.Ext(path))] + ".keys")
		if len(b) > 16<<10 || len(keys) > 16<<10 {
			continue
		}
		step := 1 + len(b)/8 // all places of all files take minutes; see TestCutAnywhere
		for n := i % step; n < len(b); n += step {
			through(t, b[:n], keys)
			flipped := bytes.Clone(b)
			flipped[n] ^= 1 << (n % 8)
			through(t, flipped, keys)
		}
	}
}

// TestCutAnywhere cuts the captures in testdata at every byte and flips every
// byte.
func TestCutAnywhere(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.pcap*")
	if len(files) == 0 {
		t.Fatal("no seeds")
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			through(t, b[:n], nil)
			b[n] ^= 0x55
			through(t, b, nil)
			b[n] ^= 0x55
		}
	}
}
