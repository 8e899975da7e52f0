// Package stream reads what the Python agent writes: the header of its ring,
// its records, and their meaning. It does no I/O and takes every byte as
// hostile: a damaged record is counted and passed over by its length, nothing
// panics, and nothing is allocated by an unchecked number.
//
// # The ring
//
// One file a process, little endian, mapped by the process and by the reader.
// A header of 64 bytes:
//
//	 0  "CULPRING"
//	 8  u16 version (1), u16 flags (0)
//	12  u32 process id, as the process knows it
//	16  u64 size of the file; the data area is what follows the header
//	24  u64 head: bytes ever written, stored by the process after the bytes
//	32  u64 dropped: records that found no room
//	40  u64 CLOCK_MONOTONIC at the start, ns
//	48  u64 tail: bytes ever read, stored by the reader after it has copied them
//	56  8 spare
//
// Byte N of the stream stands at 64 + N mod (size-64). A record never wraps:
// where it does not fit before the end of the area, a filler (a u32 length up
// to the end and a zero u32) comes first. When head-tail leaves no room the
// record is dropped and counted; nothing unread is overwritten.
//
// # A record
//
// Aligned to 8 bytes:
//
//	 0  u32 length without the padding, 24 at least
//	 4  u8 type, u8 flags, u16 0
//	 8  u64 CLOCK_MONOTONIC, ns
//	16  u32 thread id, u32 0
//	24  a tuple in CPython's marshal format, version 2
//
// Strings, code objects and exceptions have numbers that count from 1 in each
// ring, which starts with its hello; a definition comes before its first use. 0
// means none. Types:
//
//	S (id, text)                     a string
//	C (id, file S, name, first line) a code object
//	I (version, executable, argv, (dev, optimize, isolated), mode, hooks, ppid)
//	                                 hello; mode is "monitoring", "hook", "trace" or "off"
//	R (exc, (class S, base S, ...), text, code, line, context, cause, attrs, stack)
//	                                 raised; attrs ((name, value), ...), stack ((code, line), ...)
//	                                 innermost first. Flag 1: recorded later than it was raised,
//	                                 because something refers to it
//	U (exc, code, line, locals, code, line)
//	                                 left a frame, with ((name, type, text), ...), for an outer
//	                                 frame (0 when that is not known)
//	H (exc, code, line)              handled (no agent writes it yet: an exception that is not
//	                                 final was handled in the frame that it reached last)
//	F (exc, how, detail)             final: "excepthook", "thread", "unraisable", "logging",
//	                                 "asyncio", "exit"
//	X (from, to, how)                wrapped: "cause", "context", "reason"
//	A (event, args)                  milestone, an audit event
//	K (path)                         keys of hand-made TLS contexts go to this log
//	T (name, thread id)              a thread
//	P (state, count, code, line)     "budget": of count exceptions of a place not all are recorded;
//	                                 "pause": none is looked at until "resume", count us later
//	D (parent)                       this process was forked from parent
//	E (where, text, line)            the agent made a mistake
//	Z (rc)                           end of the interpreter, with the status it is about to give
//
// Values of attrs are None, bool, int, str and bytes, lists of them, and for a
// group ((exc, class, text), ...). They come from these places only: the C
// fields of OSError (errno, strerror, filename, filename2), ImportError (name,
// path, name_from), NameError (name), AttributeError (name, and obj_type),
// KeyError (key), UnicodeDecodeError and UnicodeEncodeError (encoding, start,
// end, reason, object_length, bytes: the first 8 at start), SyntaxError
// (filename, lineno, offset, text, msg), SystemExit (code), __notes__ (notes),
// exception groups (group, group_length), suppress_context, and the first 12
// entries of the instance's own __dict__ whose values are of exactly one of
// those built-in types or an exception (library, verify_code, code, url, ...).
package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"culprit/internal/event"
)

// Sizes of the format, in bytes.
const (
	HeaderSize = 64
	recordHead = 24
	maxRecord  = 1 << 16
)

// ErrDamaged is wrapped by every error of this package.
var ErrDamaged = errors.New("damaged agent stream")

// Header is the head of a ring.
type Header struct {
	PID     int32
	Size    uint64
	Head    uint64
	Dropped uint64
	Start   event.Time
	Tail    uint64
}

// ParseHeader reads the header at the start of a ring of fileSize bytes.
func ParseHeader(b []byte, fileSize int64) (Header, error) {
	if len(b) < HeaderSize || string(b[:8]) != "CULPRING" {
		return Header{}, fmt.Errorf("%w: no ring header", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v != 1 {
		return Header{}, fmt.Errorf("%w: ring version %d", ErrDamaged, v)
	}
	h := Header{
		PID:     int32(binary.LittleEndian.Uint32(b[12:])),
		Size:    binary.LittleEndian.Uint64(b[16:]),
		Head:    binary.LittleEndian.Uint64(b[24:]),
		Dropped: binary.LittleEndian.Uint64(b[32:]),
		Start:   event.Time(binary.LittleEndian.Uint64(b[40:])),
		Tail:    binary.LittleEndian.Uint64(b[48:]),
	}
	if h.Size < 2*HeaderSize || h.Size%8 != 0 || int64(h.Size) != fileSize {
		return Header{}, fmt.Errorf("%w: ring size %d in a file of %d", ErrDamaged, h.Size, fileSize)
	}
	return h, nil
}

// Drain appends the whole records between tail and head of the data area (what
// follows the header) to dst, without fillers, and returns the new tail. Bytes
// that make no sense end the drain at head, counted in bad.
func Drain(dst, area []byte, tail, head uint64) (out []byte, next uint64, bad uint64) {
	size := uint64(len(area))
	if head-tail > size || (head|tail)%8 != 0 {
		return dst, head, min(head-tail, size)
	}
	for tail < head {
		off := tail % size
		n := uint64(binary.LittleEndian.Uint32(area[off:]))
		room := (n + 7) &^ 7
		if n < 8 || room > size-off || room > head-tail {
			return dst, head, head - tail
		}
		if area[off+4] != 0 {
			dst = append(dst, area[off:off+room]...)
		}
		tail += room
	}
	return dst, tail, 0
}

// Raw is one record, its tuple not yet read. Body points into the data.
type Raw struct {
	Type  byte
	Flags uint8
	Time  event.Time
	TID   int32
	Body  []byte
}

// Decode splits records. An error is given once for each damaged stretch, and
// the next record is read when the length before it still makes sense.
func Decode(data []byte) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		for len(data) > 0 {
			if len(data) < recordHead {
				yield(Raw{}, fmt.Errorf("%w: %d bytes left over", ErrDamaged, len(data)))
				return
			}
			n := binary.LittleEndian.Uint32(data)
			if n < 8 || n > maxRecord || int(n) > len(data) {
				yield(Raw{}, fmt.Errorf("%w: record of %d bytes, %d left", ErrDamaged, n, len(data)))
				return
			}
			rec := data[:n]
			data = data[min(int((n+7)&^7), len(data)):]
			if rec[4] == 0 {
				continue
			}
			if n < recordHead {
				if !yield(Raw{}, fmt.Errorf("%w: record of %d bytes", ErrDamaged, n)) {
					return
				}
				continue
			}
			r := Raw{
				Type:  rec[4],
				Flags: rec[5],
				Time:  event.Time(binary.LittleEndian.Uint64(rec[8:])),
				TID:   int32(binary.LittleEndian.Uint32(rec[16:])),
				Body:  rec[recordHead:],
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}
