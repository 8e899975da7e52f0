package casefile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"

	"culprit/internal/event"
	"culprit/internal/pcapng"
)

// torn is a batch whose block the file ends in. A finished case has all its
// events in a few large blocks, so that what is there of one is worth reading:
// the payload is zstd frames of blocks of at most 128 KiB (RFC 8878), and each
// that is whole unpacks.
type torn struct {
	batch        // Payload is as much as there is, its checksum unknown unless whole
	offset int64 // of the block
	whole  bool  // only the end of the block behind the payload is missing
}

// lookTorn looks at the block that the file ends in. It returns nil when that
// is no batch, or when nothing of its payload is there.
func (c *Case) lookTorn(at int64, end int64, order binary.ByteOrder) (*torn, error) {
	const head = 12 // type, length, enterprise number
	room := min(end-at, pcapng.MaxBlock)
	if order == nil || room <= head+HeaderSize {
		return nil, nil
	}
	b := make([]byte, room)
	if n, err := c.f.ReadAt(b, at); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read case %s: %w", c.path, err)
	} else {
		b = b[:n]
	}
	if len(b) <= head+HeaderSize {
		return nil, nil
	}
	if kind := order.Uint32(b); kind != pcapng.TypeCustom && kind != pcapng.TypeCustomDontCopy {
		return nil, nil
	}
	h, size, ours, what := parseHeader(&pcapng.Custom{PEN: order.Uint32(b[8:]), Data: b[head:]})
	if !ours || what != "" {
		return nil, nil
	}
	t := &torn{batch: h, offset: at}
	if h.Version > Version {
		return t, nil
	}
	rest := b[head+HeaderSize:]
	t.whole = uint64(len(rest)) >= uint64(size)
	t.Payload = rest[:min(uint64(size), uint64(len(rest)))]
	if t.whole && crc32.Checksum(t.Payload, castagnoli) != h.CRC {
		return nil, nil
	}
	return t, nil
}

// events gives what can be read of a torn batch, as bytes of whole events and
// their number.
func (t *torn) events() (raw []byte, n uint32, err error) {
	dec, err := zstd.NewReader(bytes.NewReader(t.Payload), zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(MaxBatch), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, 0, fmt.Errorf("make a zstd decoder: %w", err)
	}
	defer dec.Close()
	var buf bytes.Buffer
	_, _ = buf.ReadFrom(io.LimitReader(dec, int64(t.RawSize))) // its error is where the file ends
	rest := buf.Bytes()
	var events event.Decoder
	for n < t.Count && len(rest) > 0 {
		_, next, err := events.Decode(rest)
		if err != nil {
			break
		}
		n, rest = n+1, next
	}
	return buf.Bytes()[:buf.Len()-len(rest)], n, nil
}
