package casefile

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"culprit/internal/pcapng"
)

// mergeSize is up to how many bytes of decompressed events Finish puts into one
// block: other tools show each as a row.
const mergeSize = 4 << 20

// newSuffix is added to the path of the file that is being laid out.
const newSuffix = SpoolSuffix + ".new"

// Finish lays the case at out from the events of the spool and from lay, and
// removes the spool. The case appears under its name at once and whole; it is
// on the disk when Finish returns. When Finish fails the spool stays, and an
// older case at out too. The spool may also be a finished case, which is how a
// case is laid out anew; then it may be the same path as out.
func Finish(spool, out string, lay Layout) (err error) {
	fail := func(err error) error { return fmt.Errorf("lay out case %s: %w", out, err) }
	if err := lay.check(); err != nil {
		return fail(err)
	}
	c, err := Open(spool)
	if err != nil {
		return fail(err)
	}
	defer c.Close()
	if st, err := os.Stat(out); err == nil && !st.Mode().IsRegular() {
		return fail(fmt.Errorf("it exists and is not a regular file (%v)", st.Mode().Type()))
	}
	temp := out + newSuffix
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fail(err)
	}
	if err := layOut(f, c, lay); err != nil {
		return fail(errors.Join(err, f.Close(), os.Remove(temp)))
	}
	if err := f.Close(); err != nil {
		return fail(errors.Join(err, os.Remove(temp)))
	}
	if err := os.Rename(temp, out); err != nil {
		return fail(errors.Join(err, os.Remove(temp)))
	}
	if c.Path() != out && c.Spool() {
		if err := os.Remove(c.Path()); err != nil {
			return fail(err)
		}
	}
	return nil
}

func layOut(f *os.File, c *Case, lay Layout) error {
	buf := bufio.NewWriterSize(f, 256<<10)
	w := pcapng.NewWriter(buf)
	if err := lay.write(w); err != nil {
		return err
	}
	if err := copyBatches(w, c); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// copyBatches joins neighbours into larger batches. zstd frames one behind the
// other are valid zstd, so that nothing is compressed anew. Damaged batches are
// left out, and the gap in the numbers tells of them.
func copyBatches(w *pcapng.Writer, c *Case) error {
	var cur batch
	var data []byte
	flush := func() error {
		if cur.Count == 0 {
			return nil
		}
		cur.Version = Version
		cur.CRC = crc32.Checksum(cur.Payload, castagnoli)
		data = append(cur.appendHeader(data[:0]), cur.Payload...)
		err := w.Write(&pcapng.Custom{PEN: pcapng.ExamplePEN, Data: data})
		cur = batch{Payload: cur.Payload[:0]}
		return err
	}
	for h, err := range c.rawBatches() {
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		joins := cur.Count > 0 && h.First == cur.First+uint64(cur.Count) && cur.RawSize+h.RawSize <= mergeSize
		if !joins {
			if err := flush(); err != nil {
				return err
			}
			cur.First = h.First
		}
		cur.Flags |= h.Flags
		cur.Count += h.Count
		cur.RawSize += h.RawSize
		cur.Payload = append(cur.Payload, h.Payload...)
	}
	if err := flush(); err != nil || c.torn == nil {
		return err
	}
	return copyTorn(w, c.torn)
}

// copyTorn writes what can be read of a batch that the spool ends in as a batch
// of its own. Without its end flag the case goes on saying that it was cut off.
func copyTorn(w *pcapng.Writer, t *torn) error {
	raw, n, err := t.events()
	if err != nil || n == 0 {
		return err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("make a zstd encoder: %w", err)
	}
	defer enc.Close()
	h := batch{Version: Version, First: t.First, Count: n, RawSize: uint32(len(raw)), Payload: enc.EncodeAll(raw, nil)}
	if n == t.Count {
		h.Flags = t.Flags
	}
	h.CRC = crc32.Checksum(h.Payload, castagnoli)
	return w.Write(&pcapng.Custom{PEN: pcapng.ExamplePEN, Data: append(h.appendHeader(nil), h.Payload...)})
}
