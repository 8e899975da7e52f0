package casefile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"culprit/internal/event"
	"culprit/internal/pcapng"
)

// Layout is what a finished case shows to other programs, beside the events
// themselves. Everything in it is worked out from the events and can be worked
// out again; Open's callers need none of it.
type Layout struct {
	Culprit string // version to name in the file
	// Wall is CLOCK_REALTIME minus CLOCK_MONOTONIC in ns: it turns an event's
	// time into one of the day.
	Wall       int64
	Interfaces []Interface
	Names      map[netip.Addr][]string
	Secrets    [][]byte // NSS key log lines
	Packets    []Packet
	Rows       []Row
}

// Interface is where packets came from.
type Interface struct {
	Name        string
	Description string
	LinkType    uint16 // pcapng.LinkTypeEthernet, ...
	Snaplen     uint32 // 0 means no limit
}

// Packet is one packet. A PID of 0 means that the process isn't known.
type Packet struct {
	Time      event.Time
	Interface int // index in Layout.Interfaces
	PID, TID  int32
	Direction pcapng.Direction
	OrigLen   int // on the wire; 0 means len(Data)
	Data      []byte
	Comments  []string
}

// Row is a moment that other tools show as a line of its own: an entry in
// systemd's Journal Export Format. The two timestamps are made from Time.
type Row struct {
	Time   event.Time
	Fields []Field
}

// Field is one field of a row, such as MESSAGE, PRIORITY, _PID or ERRNO. The
// name is of A to Z, 0 to 9 and _ and doesn't begin with a digit.
type Field struct {
	Name  string
	Value string
}

// check finds what could not be laid out, before anything is written.
func (l *Layout) check() error {
	for i, p := range l.Packets {
		if p.Interface < 0 || p.Interface >= len(l.Interfaces) {
			return fmt.Errorf("packet %d is of interface %d of %d", i, p.Interface, len(l.Interfaces))
		}
		if len(p.Data) > pcapng.MaxBlock/2 {
			return fmt.Errorf("packet %d has %d bytes", i, len(p.Data))
		}
	}
	for i, r := range l.Rows {
		size := 0
		for _, f := range r.Fields {
			if !fieldName(f.Name) {
				return fmt.Errorf("row %d has a field with the name %q", i, f.Name)
			}
			size += len(f.Name) + len(f.Value) + 16
		}
		if size > pcapng.MaxBlock/2 {
			return fmt.Errorf("row %d has %d bytes", i, size)
		}
	}
	for i, s := range l.Secrets {
		if len(s) > pcapng.MaxBlock/2 {
			return fmt.Errorf("secrets %d have %d bytes", i, len(s))
		}
	}
	return nil
}

func fieldName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// write writes all blocks before the events, in the order that Wireshark needs:
// it takes secrets for what comes after them only.
func (l *Layout) write(w *pcapng.Writer) error {
	if err := w.Write(sectionBlock(l.Culprit)); err != nil {
		return err
	}
	for _, i := range l.Interfaces {
		b := &pcapng.Interface{LinkType: i.LinkType, Snaplen: i.Snaplen}
		if i.Name != "" {
			b.Options = append(b.Options, pcapng.Text(pcapng.OptInterfaceName, i.Name))
		}
		if i.Description != "" {
			b.Options = append(b.Options, pcapng.Text(pcapng.OptInterfaceDescription, i.Description))
		}
		b.Options = append(b.Options, pcapng.Option{Code: pcapng.OptInterfaceResolution, Value: []byte{9}})
		if err := w.Write(b); err != nil {
			return err
		}
	}
	if err := l.writeNames(w); err != nil {
		return err
	}
	for _, s := range l.Secrets {
		if len(bytes.TrimSpace(s)) == 0 {
			continue
		}
		if err := w.Write(&pcapng.Secrets{Format: pcapng.SecretsTLSKeyLog, Data: s}); err != nil {
			return err
		}
	}
	return l.writeTimed(w)
}

func (l *Layout) writeNames(w *pcapng.Writer) error {
	addrs := make([]netip.Addr, 0, len(l.Names))
	for a, names := range l.Names {
		if a.IsValid() && len(names) > 0 {
			addrs = append(addrs, a)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	const perBlock = 256 // records are at most 64 KiB each
	for some := range slices.Chunk(addrs, perBlock) {
		var n pcapng.Names
		for _, a := range some {
			n.Records = append(n.Records, pcapng.NameRecord(a, l.Names[a]))
		}
		if err := w.Write(&n); err != nil {
			return err
		}
	}
	return nil
}

// writeTimed merges packets and rows by time; at the same time packets come
// first, and both keep the order they have.
func (l *Layout) writeTimed(w *pcapng.Writer) error {
	packets := order(l.Packets, func(p *Packet) event.Time { return p.Time })
	rows := order(l.Rows, func(r *Row) event.Time { return r.Time })
	var entry []byte
	for len(packets)+len(rows) > 0 {
		if len(rows) == 0 || len(packets) > 0 && packets[0].Time <= rows[0].Time {
			if err := w.Write(l.packet(packets[0])); err != nil {
				return err
			}
			packets = packets[1:]
			continue
		}
		entry = l.row(entry[:0], rows[0])
		if err := w.Write(&pcapng.Journal{Entry: entry}); err != nil {
			return err
		}
		rows = rows[1:]
	}
	return nil
}

func order[T any](in []T, time func(*T) event.Time) []*T {
	out := make([]*T, len(in))
	for i := range in {
		out[i] = &in[i]
	}
	slices.SortStableFunc(out, func(a, b *T) int { return cmp.Compare(time(a), time(b)) })
	return out
}

// wall is t as ns since 1970.
func (l *Layout) wall(t event.Time) uint64 { return uint64(max(0, int64(t)+l.Wall)) }

func (l *Layout) packet(p *Packet) *pcapng.Packet {
	b := &pcapng.Packet{
		Interface: uint32(p.Interface),
		Ticks:     l.wall(p.Time),
		OrigLen:   uint32(max(p.OrigLen, len(p.Data))),
		Data:      p.Data,
	}
	for _, c := range p.Comments {
		b.Options = append(b.Options, pcapng.Text(pcapng.OptComment, c))
	}
	if p.Direction != pcapng.DirectionUnknown {
		b.Options = append(b.Options, pcapng.FlagsOption(p.Direction, nil))
	}
	if p.PID != 0 {
		b.Options = append(b.Options, pcapng.ProcessOption(uint32(p.PID), uint32(p.TID), nil))
	}
	return b
}

// row makes an entry in the Journal Export Format (systemd.io,
// JOURNAL_EXPORT_FORMATS): NAME=VALUE lines, and for a value that doesn't fit a
// line its length in 8 bytes and then its bytes.
func (l *Layout) row(b []byte, r *Row) []byte {
	b = appendNumber(b, "__REALTIME_TIMESTAMP=", l.wall(r.Time)/1000)
	b = appendNumber(b, "__MONOTONIC_TIMESTAMP=", uint64(max(0, r.Time))/1000)
	for _, f := range r.Fields {
		b = append(b, f.Name...)
		if oneLine(f.Value) {
			b = append(b, '=')
		} else {
			b = append(b, '\n')
			b = binary.LittleEndian.AppendUint64(b, uint64(len(f.Value)))
		}
		b = append(append(b, f.Value...), '\n')
	}
	return b
}

func appendNumber(b []byte, name string, n uint64) []byte {
	return append(strconv.AppendUint(append(b, name...), n, 10), '\n')
}

func oneLine(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' {
			return false
		}
	}
	return true
}
