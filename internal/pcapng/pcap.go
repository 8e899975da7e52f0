package pcapng

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Format is what a file looks like by its first bytes.
type Format uint8

// Formats. Gzip is told apart because captures often come compressed.
const (
	FormatUnknown Format = iota
	FormatPcapng
	FormatPcap
	FormatGzip
)

// HeadSize is how many bytes Sniff wants to see.
const HeadSize = 12

const (
	pcapHeader  = 24
	pcapRecord  = 16
	magicMicros = 0xa1b2c3d4
	magicNanos  = 0xa1b23c4d
)

// Sniff tells a file's format by its first bytes.
func Sniff(head []byte) Format {
	if len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b {
		return FormatGzip
	}
	if len(head) >= 4 {
		if binary.LittleEndian.Uint32(head) == TypeSection {
			return FormatPcapng
		}
		if order, _ := pcapMagic(head); order != nil {
			return FormatPcap
		}
	}
	return FormatUnknown
}

func pcapMagic(head []byte) (order binary.ByteOrder, perSec uint64) {
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch o.Uint32(head) {
		case magicMicros:
			return o, defaultTicksPerSec
		case magicNanos:
			return o, nanosecondsPerSec
		}
	}
	return nil, 0
}

// Open returns a source for either format. The error wraps ErrFormat, or is one
// of r.
func Open(r io.Reader) (Source, error) {
	w := newWindow(r)
	head, err := w.peek(HeadSize)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the first bytes: %w", err)
	}
	switch Sniff(head) {
	case FormatPcapng:
		return newReader(w), nil
	case FormatPcap:
		return newPcapReader(w)
	default:
		return nil, &Error{What: fmt.Sprintf("begins with %x", head), Err: ErrFormat}
	}
}

// PcapReader reads a classic pcap file (draft-ietf-opsawg-pcap) as if it were
// pcapng: an Interface first, then Packets.
type PcapReader struct {
	r       *window
	order   binary.ByteOrder
	iface   Interface
	started bool
	at      int64
	next    int64
	packet  Packet
	failed  error
}

// NewPcapReader reads the file header. The error is an *Error or one of r.
func NewPcapReader(r io.Reader) (*PcapReader, error) { return newPcapReader(newWindow(r)) }

func newPcapReader(w *window) (*PcapReader, error) {
	p := &PcapReader{r: w, next: pcapHeader}
	head, err := w.peek(pcapHeader)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the pcap header: %w", err)
	}
	n := len(head)
	if n >= 4 {
		p.order, p.iface.PerSec = pcapMagic(head)
	}
	if p.order == nil {
		return nil, &Error{What: fmt.Sprintf("begins with %x", head[:min(n, 4)]), Err: ErrFormat}
	}
	if n < pcapHeader {
		return nil, &Error{What: fmt.Sprintf("%d bytes of the header", n), Err: ErrTorn}
	}
	if major := p.order.Uint16(head[4:]); major != 2 {
		return nil, &Error{What: fmt.Sprintf("pcap version %d", major), Err: ErrFormat}
	}
	p.iface.Snaplen = p.order.Uint32(head[16:])
	p.iface.LinkType = uint16(p.order.Uint32(head[20:])) // the upper bits tell of a frame check sequence
	p.iface.resolved = true
	w.skip(pcapHeader)
	return p, nil
}

// Offset is where the record that Next returned last begins.
func (p *PcapReader) Offset() int64 { return p.at }

// Next returns the interface at first, then one packet a call, valid until the
// following call. All errors are final.
func (p *PcapReader) Next() (Block, error) {
	if !p.started {
		p.started = true
		return &p.iface, nil
	}
	if p.failed != nil {
		return nil, p.failed
	}
	if err := p.record(); err != nil {
		p.failed = err
		return nil, err
	}
	return &p.packet, nil
}

func (p *PcapReader) record() error {
	p.at = p.next
	head, err := p.r.peek(pcapRecord)
	switch {
	case len(head) == 0 && err == io.EOF:
		return io.EOF
	case err == io.EOF:
		return &Error{Offset: p.at, What: fmt.Sprintf("%d bytes of a record's header", len(head)), Err: ErrTorn}
	case err != nil:
		return err
	}
	size := p.order.Uint32(head[8:])
	if size > MaxBlock {
		return &Error{Offset: p.at, What: fmt.Sprintf("packet of %d bytes", size), Err: ErrFraming}
	}
	n := pcapRecord + int(size)
	if head, err = p.r.peek(n); err == io.EOF {
		return &Error{Offset: p.at, What: fmt.Sprintf("%d of %d bytes", len(head)-pcapRecord, size), Err: ErrTorn}
	} else if err != nil {
		return err
	}
	p.r.skip(n)
	p.next += int64(n)
	sec, frac := uint64(p.order.Uint32(head)), uint64(p.order.Uint32(head[4:]))
	p.packet = Packet{
		Form:    Classic,
		Ticks:   sec*p.iface.PerSec + frac,
		OrigLen: p.order.Uint32(head[12:]),
		Data:    head[pcapRecord:n:n],
	}
	p.packet.Nanos, p.packet.TimeKnown = p.iface.nanos(p.packet.Ticks)
	return nil
}
