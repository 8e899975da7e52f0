package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrTooLong is wrapped when a block to write would exceed MaxBlock.
var ErrTooLong = errors.New("block too long")

// Append adds a whole block in the given byte order, little endian when o is
// nil. It is the way to write without a Writer.
func Append(b []byte, block Block, o binary.ByteOrder) []byte {
	order := appender(o)
	start := len(b)
	b = order.AppendUint32(b, block.Type())
	b = order.AppendUint32(b, 0)
	b = block.appendBody(b, order)
	n := uint32(len(b) - start + 4)
	b = order.AppendUint32(b, n)
	copy(b[start+4:start+8], b[len(b)-4:])
	return b
}

func appender(o binary.ByteOrder) binary.AppendByteOrder {
	if o == binary.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// Writer writes blocks, each with one call of the underlying Write, in the byte
// order of the section written last. It is not safe for concurrent use.
type Writer struct {
	w     io.Writer
	order binary.ByteOrder
	buf   []byte
}

// NewWriter returns a Writer that has written nothing: the first block should
// be a Section.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, order: binary.LittleEndian} }

// Write writes one block. It fails with ErrTooLong or the error of the
// underlying writer.
func (w *Writer) Write(block Block) error {
	if s, ok := block.(*Section); ok {
		w.order = binary.LittleEndian
		if s.Order != nil {
			w.order = s.Order
		}
	}
	w.buf = Append(w.buf[:0], block, w.order)
	if len(w.buf) > MaxBlock {
		return fmt.Errorf("write block of type %#x: %w: %d bytes", block.Type(), ErrTooLong, len(w.buf))
	}
	if _, err := w.w.Write(w.buf); err != nil {
		return fmt.Errorf("write block of type %#x: %w", block.Type(), err)
	}
	return nil
}

func pad(b []byte, n int) []byte {
	for ; n%4 != 0; n++ {
		b = append(b, 0)
	}
	return b
}

func appendPadded(b, data []byte) []byte { return pad(append(b, data...), len(data)) }

func (opts Options) append(b []byte, o binary.AppendByteOrder) []byte {
	if len(opts) == 0 {
		return b
	}
	for _, opt := range opts {
		b = appendOption(b, o, opt.Code, opt.Value)
	}
	return append(b, 0, 0, 0, 0)
}

func appendOption(b []byte, o binary.AppendByteOrder, code uint16, value []byte) []byte {
	value = value[:min(len(value), maxOptionLen)]
	b = o.AppendUint16(b, code)
	b = o.AppendUint16(b, uint16(len(value)))
	return appendPadded(b, value)
}

func (s *Section) appendBody(b []byte, o binary.AppendByteOrder) []byte {
	b = o.AppendUint32(b, byteOrderMagic)
	b = o.AppendUint16(b, s.Major)
	b = o.AppendUint16(b, s.Minor)
	b = o.AppendUint64(b, uint64(s.Length))
	return s.Options.append(b, o)
}

func (i *Interface) appendBody(b []byte, o binary.AppendByteOrder) []byte {
	b = o.AppendUint16(b, i.LinkType)
	b = o.AppendUint16(b, 0)
	b = o.AppendUint32(b, i.Snaplen)
	return i.Options.append(b, o)
}

func (p *Packet) appendBody(b []byte, o binary.AppendByteOrder) []byte {
	switch p.Form {
	case Simple:
		b = o.AppendUint32(b, p.OrigLen)
		b = append(append(b, p.Data...), p.surplus...)
		return pad(b, len(p.Data)+len(p.surplus))
	case Obsolete:
		b = o.AppendUint16(b, uint16(p.Interface))
		b = o.AppendUint16(b, p.Drops)
	default:
		b = o.AppendUint32(b, p.Interface)
	}
	b = o.AppendUint32(b, uint32(p.Ticks>>32))
	b = o.AppendUint32(b, uint32(p.Ticks))
	b = o.AppendUint32(b, uint32(len(p.Data)))
	b = o.AppendUint32(b, p.OrigLen)
	b = appendPadded(b, p.Data)
	b = p.Options.append(b, o)
	if len(p.surplus) > 0 {
		if len(p.Options) > 0 {
			b = b[:len(b)-4] // surplus has its own end marker
		}
		b = appendPadded(b, p.surplus)
	}
	return b
}

// ProcessOption is epb_processid_threadid for a section of the given order.
func ProcessOption(pid, tid uint32, o binary.ByteOrder) Option {
	order := appender(o)
	return Option{Code: OptPacketProcess, Value: order.AppendUint32(order.AppendUint32(nil, pid), tid)}
}

// FlagsOption is epb_flags with a direction, for a section of the given order.
func FlagsOption(d Direction, o binary.ByteOrder) Option {
	return Option{Code: OptPacketFlags, Value: appender(o).AppendUint32(nil, uint32(d))}
}

func (n *Names) appendBody(b []byte, o binary.AppendByteOrder) []byte {
	for _, r := range n.Records {
		b = appendOption(b, o, r.Type, r.Value)
	}
	b = append(b, 0, 0, 0, 0)
	return n.Options.append(b, o)
}

func (s *Statistics) appendBody(b []byte, o binary.AppendByteOrder) []byte {
	b = o.AppendUint32(b, s.Interface)
	b = o.AppendUint32(b, uint32(s.Ticks>>32))
	b = o.AppendUint32(b, uint32(s.Ticks))
	return s.Options.append(b, o)
}

func (s *Secrets) appendBody(b []byte, o binary.AppendByteOrder) []byte {
	b = o.AppendUint32(b, s.Format)
	b = o.AppendUint32(b, uint32(len(s.Data)))
	b = appendPadded(b, s.Data)
	return s.Options.append(b, o)
}

func (j *Journal) appendBody(b []byte, _ binary.AppendByteOrder) []byte {
	return appendPadded(b, j.Entry)
}

func (c *Custom) appendBody(b []byte, o binary.AppendByteOrder) []byte {
	return appendPadded(o.AppendUint32(b, c.PEN), c.Data)
}

func (r *Raw) appendBody(b []byte, _ binary.AppendByteOrder) []byte {
	return appendPadded(b, r.Body)
}
