package procfs

import (
	"encoding/binary"
	"testing"
)

func auxv(word int, pairs ...uint64) []byte {
	var b []byte
	for _, v := range pairs {
		if word == 8 {
			b = binary.NativeEndian.AppendUint64(b, v)
		} else {
			b = binary.NativeEndian.AppendUint32(b, uint32(v))
		}
	}
	return b
}

func TestSecure(t *testing.T) {
	for _, c := range []struct {
		name string
		auxv []byte
		want bool
	}{
		{"64-bit, on", auxv(8, 33, 0x7ffd00000000, 23, 1, 0, 0), true},
		{"64-bit, off", auxv(8, 33, 0x7ffd00000000, 23, 0, 0, 0), false},
		{"32-bit, on", auxv(4, 32, 0xf7f00000, 23, 1, 0, 0), true},
		{"32-bit, off", auxv(4, 32, 0xf7f00000, 23, 0, 0, 0), false},
		{"absent", auxv(8, 33, 0x7ffd00000000, 0, 0), false},
		{"cut", auxv(8, 33, 0x7ffd00000000, 23), false},
		{"empty", nil, false},
	} {
		if got := secure(c.auxv); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func FuzzProc(f *testing.F) {
	f.Add(auxv(8, 33, 0x7ffd00000000, 23, 1, 0, 0))
	f.Add(auxv(4, 32, 0xf7f00000, 23, 1, 0, 0))
	f.Add([]byte("Name:\tx\nUid:\t1\t2\t3\t4\nState:\tS (sleeping)\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		secure(b)
		if v := field(b, "Uid:"); len(v) > len(b) {
			t.Fatalf("a field of %d bytes in %d", len(v), len(b))
		}
	})
}
