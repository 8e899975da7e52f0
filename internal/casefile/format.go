// Package casefile is the only code that knows how events lie in pcapng.
//
// A recording goes to a spool first (Create, PATH.partial), to which whole
// blocks are appended: what a killed writer leaves behind is read up to its
// last whole block. Finish lays the case out once: secrets and names, packets
// and journal rows in the order of time, events last. Open reads both. The text
// twin (WriteText, ReadText) is for tests and review.
//
// The package interprets no event, knows no clock, and masks nothing yet.
// docs/format/casefile.md has the format.
package casefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"culprit/internal/pcapng"
)

// Constants of the format; docs/format/casefile.md repeats them and a test
// compares the two.
const (
	// Version is the format version that is written, and the newest that is
	// read. It grows only when an older reader would misread the file.
	Version = 2
	// Magic opens the data of each custom block, behind the enterprise number:
	// 32473 is free for everybody's examples.
	Magic = "culprit\n"
	// HeaderSize is the size of a batch's header, Magic included.
	HeaderSize = 40
	// MaxBatch is the largest allowed size of a batch's decompressed events.
	MaxBatch = 32 << 20
	// MaxEvent is the largest event that is kept, encoded.
	MaxEvent = 16 << 20
	// FlagEnd marks the batch with the End event.
	FlagEnd = 1
	// SpoolSuffix is added to a case's path while it is being recorded.
	SpoolSuffix = ".partial"
)

const appPrefix = "culprit " // of shb_userappl, before culprit's version

// Sentinels; the errors themselves are *FormatError, *NewerError and
// *DamageError.
var (
	ErrNotACase = errors.New("not a case")
	ErrNewer    = errors.New("case of a newer culprit")
	ErrDamaged  = errors.New("damaged case")
)

// FormatError says what a file is instead of a case.
type FormatError struct {
	Path  string
	Looks string // "a pcapng capture without culprit's records", "text", ...
	Err   error  // what the reader said, may be nil
}

func (e *FormatError) Error() string {
	s := fmt.Sprintf("%s is not a case: it looks like %s", e.Path, e.Looks)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes errors.Is(err, ErrNotACase) true.
func (e *FormatError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrNotACase}
	}
	return []error{ErrNotACase, e.Err}
}

// NewerError says that a case has a format version that this code can't read.
type NewerError struct {
	Path    string
	Has     int // of the case
	Knows   int // newest that this code reads
	Written string
}

func (e *NewerError) Error() string {
	s := fmt.Sprintf("%s has case format %d, this culprit reads up to %d", e.Path, e.Has, e.Knows)
	if e.Written != "" {
		s += " (written by " + e.Written + ")"
	}
	return s
}

// Unwrap makes errors.Is(err, ErrNewer) true.
func (e *NewerError) Unwrap() error { return ErrNewer }

// DamageError is a part of a case that could not be read. What stands behind it
// may still be readable.
type DamageError struct {
	Offset int64 // of the block
	What   string
	Err    error // may be nil
}

func (e *DamageError) Error() string {
	s := fmt.Sprintf("offset %d: %s", e.Offset, e.What)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrDamaged}
	}
	return []error{ErrDamaged, e.Err}
}

// batch is the header of one custom block and its payload: zstd frames that
// decompress to RawSize bytes of events, one behind the other.
type batch struct {
	Version uint16
	Flags   uint16
	First   uint64 // number of the first event in the recording
	Count   uint32
	RawSize uint32
	CRC     uint32 // CRC-32C of the payload
	Payload []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendHeader adds the header for the payload. All numbers are little endian
// whatever the section's order: a tool that swaps a file can't swap them.
func (h *batch) appendHeader(b []byte) []byte {
	b = append(b, Magic...)
	b = binary.LittleEndian.AppendUint16(b, h.Version)
	b = binary.LittleEndian.AppendUint16(b, h.Flags)
	b = binary.LittleEndian.AppendUint64(b, h.First)
	b = binary.LittleEndian.AppendUint32(b, h.Count)
	b = binary.LittleEndian.AppendUint32(b, h.RawSize)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(h.Payload)))
	b = binary.LittleEndian.AppendUint32(b, h.CRC)
	return binary.LittleEndian.AppendUint32(b, 0) // reserved
}

// parseBatch reads the header; ours is false when the block isn't culprit's.
// A batch of a newer version comes back with nothing but Version set. The
// payload points into the block.
func parseBatch(c *pcapng.Custom) (h batch, ours bool, what string) {
	h, size, ours, what := parseHeader(c)
	if !ours || what != "" || h.Version > Version {
		return h, ours, what
	}
	rest := c.Data[HeaderSize:]
	if uint64(size) > uint64(len(rest)) {
		return h, true, fmt.Sprintf("batch of %d bytes in %d", size, len(rest))
	}
	h.Payload = rest[:size:size]
	if crc := crc32.Checksum(h.Payload, castagnoli); crc != h.CRC {
		return h, true, fmt.Sprintf("batch checksum is %08x, should be %08x", crc, h.CRC)
	}
	return h, true, ""
}

// parseHeader is parseBatch without the payload, of which it returns the size
// that the header promises.
func parseHeader(c *pcapng.Custom) (h batch, size uint32, ours bool, what string) {
	d := c.Data
	if c.PEN != pcapng.ExamplePEN || !bytes.HasPrefix(d, []byte(Magic)) {
		return h, 0, false, ""
	}
	if len(d) < HeaderSize {
		return h, 0, true, "batch header cut off"
	}
	h.Version = binary.LittleEndian.Uint16(d[8:])
	if h.Version > Version {
		return h, 0, true, ""
	}
	h.Flags = binary.LittleEndian.Uint16(d[10:])
	h.First = binary.LittleEndian.Uint64(d[12:])
	h.Count = binary.LittleEndian.Uint32(d[20:])
	h.RawSize = binary.LittleEndian.Uint32(d[24:])
	size = binary.LittleEndian.Uint32(d[28:])
	h.CRC = binary.LittleEndian.Uint32(d[32:])
	switch {
	case h.Version == 0:
		what = "batch of format version 0"
	case h.RawSize > MaxBatch:
		what = fmt.Sprintf("batch that unpacks to %d bytes", h.RawSize)
	case h.Count > h.RawSize:
		what = fmt.Sprintf("batch of %d events in %d bytes", h.Count, h.RawSize)
	}
	return h, size, true, what
}
