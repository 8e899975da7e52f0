package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What a reading error wraps.
var (
	// ErrTorn says that the file ends inside a block; it wraps
	// io.ErrUnexpectedEOF.
	ErrTorn = fmt.Errorf("file ends inside a block: %w", io.ErrUnexpectedEOF)
	// ErrFraming says that a block's lengths make no sense, so that the place
	// of the next block isn't known and the reading is over.
	ErrFraming = errors.New("block lengths make no sense")
	// ErrContent says that one block's content makes no sense. The next call
	// of Next goes on behind it.
	ErrContent = errors.New("block content makes no sense")
	// ErrFormat says that this is not a capture file.
	ErrFormat = errors.New("not a capture file")
)

// Error is every reading error but those of the underlying reader and io.EOF.
type Error struct {
	Offset int64  // of the block in the file
	Type   uint32 // of the block, 0 when not known
	What   string
	Err    error // one of the errors above
}

func (e *Error) Error() string {
	return fmt.Sprintf("block of type %#x at offset %d: %v: %s", e.Type, e.Offset, e.Err, e.What)
}

// Unwrap gives the class of the error.
func (e *Error) Unwrap() error { return e.Err }

// Source gives blocks until io.EOF.
type Source interface {
	Next() (Block, error)
	// Offset is where the block that Next returned last begins.
	Offset() int64
}

// Reader reads pcapng. The zero value is of no use; see NewReader.
type Reader struct {
	r      *window
	at     int64 // of the block returned last
	next   int64
	order  binary.ByteOrder
	ifaces []Interface
	failed error
	opts   Options
	extra  []byte // what options found behind the last option, see Packet.surplus

	section    Section
	packet     Packet
	names      Names
	statistics Statistics
	secrets    Secrets
	journal    Journal
	custom     Custom
	raw        Raw
	iface      Interface
}

// NewReader returns a Reader of r, which has to begin with a section. It reads
// ahead.
func NewReader(r io.Reader) *Reader {
	return newReader(newWindow(r))
}

func newReader(w *window) *Reader { return &Reader{r: w} }

// Resume returns a Reader that goes on in the middle of a section: r stands at
// the given offset of the file, where a block begins. Packets can't be decoded,
// because the section's interfaces aren't known.
func Resume(r io.Reader, order binary.ByteOrder, offset int64) *Reader {
	n := NewReader(r)
	n.order, n.next = order, offset
	return n
}

// Offset is where the block that Next returned last begins.
func (r *Reader) Offset() int64 { return r.at }

// Order is the byte order of the present section.
func (r *Reader) Order() binary.ByteOrder { return r.order }

// Interface returns the description of interface i of the present section.
func (r *Reader) Interface(i uint32) (Interface, bool) {
	if uint64(i) >= uint64(len(r.ifaces)) {
		return Interface{}, false
	}
	return r.ifaces[i], true
}

// Next returns the next block, valid until the following call. The error is
// io.EOF at the end, an *Error, or one of the underlying reader; all but an
// *Error with ErrContent are final.
func (r *Reader) Next() (Block, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	kind, body, err := r.frame()
	if err != nil {
		r.failed = err
		return nil, err
	}
	block, what := r.decode(kind, body)
	if what != "" {
		return nil, &Error{Offset: r.at, Type: kind, What: what, Err: ErrContent}
	}
	return block, nil
}

// frame reads one block and checks its lengths.
func (r *Reader) frame() (kind uint32, body []byte, err error) {
	r.at = r.next
	fail := func(class error, format string, args ...any) (uint32, []byte, error) {
		return 0, nil, &Error{Offset: r.at, Type: kind, What: fmt.Sprintf(format, args...), Err: class}
	}
	head, err := r.r.peek(8)
	switch {
	case len(head) == 0 && err == io.EOF:
		return 0, nil, io.EOF
	case err == io.EOF:
		return fail(ErrTorn, "%d bytes", len(head))
	case err != nil:
		return 0, nil, err
	}
	if binary.LittleEndian.Uint32(head) == TypeSection {
		head, err = r.r.peek(12)
		if err == io.EOF {
			return fail(ErrTorn, "%d bytes", len(head))
		} else if err != nil {
			return 0, nil, err
		}
		switch byteOrderMagic {
		case binary.LittleEndian.Uint32(head[8:]):
			r.order = binary.LittleEndian
		case binary.BigEndian.Uint32(head[8:]):
			r.order = binary.BigEndian
		default:
			return fail(ErrFraming, "byte-order magic %x", head[8:12])
		}
	}
	if r.order == nil {
		return fail(ErrFormat, "begins with %x", head[:8])
	}
	kind = r.order.Uint32(head)
	size := r.order.Uint32(head[4:])
	if size < minBlock || size%4 != 0 || size > MaxBlock {
		return fail(ErrFraming, "length %d", size)
	}
	block, err := r.r.peek(int(size))
	switch {
	case err == io.EOF:
		return fail(ErrTorn, "%d of %d bytes", len(block), size)
	case err != nil:
		return 0, nil, err
	}
	if again := r.order.Uint32(block[size-4:]); again != size {
		return fail(ErrFraming, "length %d at its begin, %d at its end", size, again)
	}
	r.r.skip(int(size))
	r.next += int64(size)
	return kind, block[8 : size-4 : size-4], nil
}

// decode returns the block, or what is wrong with it.
func (r *Reader) decode(kind uint32, body []byte) (Block, string) {
	switch kind {
	case TypeSection:
		return r.decodeSection(body)
	case TypeInterface:
		return r.decodeInterface(body)
	case TypeEnhancedPacket:
		return r.decodeEnhanced(body)
	case TypeSimplePacket:
		return r.decodeSimple(body)
	case TypePacket:
		return r.decodeObsolete(body)
	case TypeNames:
		return r.decodeNames(body)
	case TypeStatistics:
		if len(body) < statisticsFixed {
			return nil, "too short"
		}
		r.statistics = Statistics{
			Interface: r.order.Uint32(body),
			Ticks:     r.ticks(body[4:]),
		}
		var what string
		r.statistics.Options, what = r.options(body[statisticsFixed:])
		return &r.statistics, what
	case TypeSecrets:
		return r.decodeSecrets(body)
	case TypeJournal:
		n := len(body)
		for n > 0 && n > len(body)-4 && body[n-1] == 0 {
			n--
		}
		r.journal = Journal{Entry: body[:n]}
		return &r.journal, ""
	case TypeCustom, TypeCustomDontCopy:
		if len(body) < 4 {
			return nil, "too short"
		}
		r.custom = Custom{DontCopy: kind == TypeCustomDontCopy, PEN: r.order.Uint32(body), Data: body[4:]}
		return &r.custom, ""
	default:
		r.raw = Raw{Code: kind, Body: body}
		return &r.raw, ""
	}
}

func (r *Reader) ticks(b []byte) uint64 {
	return uint64(r.order.Uint32(b))<<32 | uint64(r.order.Uint32(b[4:]))
}

// options reads the options at the end of a block into a slice that the next
// call reuses.
func (r *Reader) options(b []byte) (Options, string) {
	r.opts, r.extra = r.opts[:0], nil
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, "option cut off"
		}
		code, n := r.order.Uint16(b), int(r.order.Uint16(b[2:]))
		if code == OptEnd {
			if n != 0 || len(b) > 4 {
				r.extra = b
			}
			break
		}
		b = b[4:]
		padded := (n + 3) &^ 3
		if padded > len(b) {
			return nil, fmt.Sprintf("option %d is longer than its block", code)
		}
		r.opts = append(r.opts, Option{Code: code, Value: b[:n:n]})
		b = b[padded:]
	}
	if len(r.opts) == 0 {
		return nil, ""
	}
	return r.opts, ""
}
