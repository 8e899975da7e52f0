package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"culprit/internal/pcapng"
)

// source is the blocks of a capture, with a look at the secrets further on.
type source struct {
	pcapng.Source
	close func() error
}

// Open opens a capture: pcapng or pcap, plain or compressed by gzip or zstd. Its
// secrets count wherever they stand in the file: when one is missing, what lies
// ahead is looked through for it (a pipe can't be, there those count that come
// first). The error wraps pcapng.ErrFormat when it is no capture.
func Open(path string, o Options) (*Pass, error) {
	src, done, err := open(path)
	if err != nil {
		return nil, err
	}
	p := New(src, o)
	p.source.close = done
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && o.Keys != nil {
		o.Keys.More = func() { p.lookAhead(path) }
	}
	return p, nil
}

// Close closes the file.
func (p *Pass) Close() error {
	if p.source.close == nil {
		return nil
	}
	return p.source.close()
}

// lookAhead adds the secrets behind the present block. What can't be read is
// met again by the walk itself.
func (p *Pass) lookAhead(path string) {
	src, done, err := open(path)
	if err != nil {
		return
	}
	defer done()
	at := p.source.Offset()
	for {
		b, err := src.Next()
		if err != nil && !errors.Is(err, pcapng.ErrContent) {
			break
		}
		if s, ok := b.(*pcapng.Secrets); ok && src.Offset() > at {
			p.secrets(s)
		}
	}
	p.looked = true
}

func open(path string) (src pcapng.Source, done func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open the capture: %w", err)
	}
	src, err = unpack(f)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", path, err), f.Close())
	}
	return src, f.Close, nil
}

// maxWindow bounds the memory that a zstd file may ask for.
const maxWindow = 64 << 20

// unpack takes the compression off, if there is one.
func unpack(f *os.File) (pcapng.Source, error) {
	var head [4]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	r := io.Reader(f)
	if _, err := f.Seek(0, io.SeekStart); err != nil { // a pipe
		r = io.MultiReader(bytes.NewReader(head[:n]), f)
	}
	switch {
	case n >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		if r, err = gzip.NewReader(r); err != nil {
			return nil, fmt.Errorf("unpack gzip: %w", err)
		}
	case n == 4 && string(head[:]) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("unpack zstd: %w", err)
		}
		r = z
	}
	return pcapng.Open(r)
}
