package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"culprit/internal/dissect/tls"
	"culprit/internal/pcapng"
)

// BenchmarkWalk walks through the capture that $WIRE_BENCH names (made by
// `go run ./internal/wire/bench -generate FILE`), or a small one of testdata.
func BenchmarkWalk(b *testing.B) {
	path := os.Getenv("WIRE_BENCH")
	if path == "" {
		path = "testdata/tls13-keyupdate-both-dsb.pcapng"
	}
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var keys tls.KeyLog
	if log, err := os.ReadFile(path + ".keys"); err == nil {
		keys.Add(log)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		src, err := pcapng.Open(bytes.NewReader(data))
		if err != nil {
			b.Fatal(err)
		}
		p := New(src, Options{Keys: &keys, Body: -1})
		for {
			if _, err := p.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
