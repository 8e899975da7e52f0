package tcpdump

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"culprit/internal/pcapng"
)

// SaveOptions say how -w writes.
type SaveOptions struct {
	Path    string // "-" is Output
	Output  io.Writer
	Link    int
	Snaplen int
	Nanos   bool
	Flush   bool           // -U: each packet at once
	Size    int64          // -C: bytes after which a new file is begun, 0: never
	Every   time.Duration  // -G: time after which a new file is begun, 0: never
	Files   int            // -W: how many files; 0: any number
	Zone    *time.Location // of times in names
}

// Saver writes packets to a pcap file, or to one after the other.
type Saver struct {
	o     SaveOptions
	file  *os.File // nil for Output
	buf   *bufio.Writer
	size  int64
	began int64 // ns, of the file's period
	part  int   // by size
	turns int   // by time
	line  []byte
}

// ErrEnough says that -G and -W together have made all their files.
var ErrEnough = errors.New("all files are written")

// NewSaver begins to write.
func NewSaver(o SaveOptions) (*Saver, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	s := &Saver{o: o}
	if o.Every > 0 {
		return s, nil // the name is known with the first packet
	}
	return s, s.open(0)
}

// open begins a file; at is the time that its name may hold.
func (s *Saver) open(at int64) error {
	w := s.o.Output
	if s.o.Path != "-" {
		f, err := os.OpenFile(s.name(at), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("write packets: %w", err)
		}
		s.file, w = f, f
	}
	s.buf = bufio.NewWriterSize(w, 256<<10)
	s.line = pcapng.AppendPcap(s.line[:0], uint32(s.o.Link), uint32(s.o.Snaplen), s.o.Nanos)
	s.size = int64(len(s.line))
	_, err := s.buf.Write(s.line)
	return err
}

// name is a file's name: with -G as strftime(3) fills it in, with -C numbered
// from the second on, with -C and -W all of them, with zeros in front.
func (s *Saver) name(at int64) string {
	name := s.o.Path
	if s.o.Every > 0 {
		name = strftime(name, time.Unix(0, at).In(s.o.Zone))
	}
	switch {
	case s.o.Size <= 0:
		return name
	case s.o.Files > 0 && s.o.Every == 0:
		return fmt.Sprintf("%s%0*d", name, len(strconv.Itoa(s.o.Files-1)), s.part)
	case s.part > 0:
		return name + strconv.Itoa(s.part)
	}
	return name
}

// Put writes a packet. ErrEnough means that it was not written, and none will be.
func (s *Saver) Put(p Packet) error {
	if s.o.Every > 0 && (s.buf == nil || p.Time-s.began >= int64(s.o.Every)) {
		if s.o.Files > 0 && s.turns == s.o.Files {
			return ErrEnough
		}
		if err := s.turn(p.Time); err != nil {
			return err
		}
	}
	s.line = pcapng.AppendPcapPacket(s.line[:0], p.Time, p.Len, p.Data, s.o.Nanos)
	if s.o.Size > 0 && s.size > s.o.Size {
		if s.part++; s.o.Files > 0 && s.o.Every == 0 {
			s.part %= s.o.Files
		}
		if err := errors.Join(s.close(), s.open(s.began)); err != nil {
			return err
		}
		s.line = pcapng.AppendPcapPacket(s.line[:0], p.Time, p.Len, p.Data, s.o.Nanos)
	}
	s.size += int64(len(s.line))
	if _, err := s.buf.Write(s.line); err != nil {
		return fmt.Errorf("write packets: %w", err)
	}
	if s.o.Flush {
		return s.Flush()
	}
	return nil
}

// turn begins the file of the next period.
func (s *Saver) turn(at int64) error {
	if err := s.close(); err != nil {
		return err
	}
	s.began, s.part = at, 0
	s.turns++
	return s.open(at)
}

// Flush writes what is buffered.
func (s *Saver) Flush() error {
	if s.buf == nil {
		return nil
	}
	if err := s.buf.Flush(); err != nil {
		return fmt.Errorf("write packets: %w", err)
	}
	return nil
}

func (s *Saver) close() error {
	err := s.Flush()
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
		s.file = nil
	}
	return err
}

// Close writes what is buffered and closes the file.
func (s *Saver) Close() error { return s.close() }

// strftime fills in the usual conversions of strftime(3).
func strftime(format string, t time.Time) string {
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out.WriteByte(format[i])
			continue
		}
		i++
		layout, ok := map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'I': "03", 'p': "PM",
			'F': time.DateOnly, 'T': time.TimeOnly, 'j': "002", 'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'Z': "MST", 'z': "-0700"}[format[i]]
		switch {
		case ok:
			out.WriteString(t.Format(layout))
		case format[i] == 's':
			out.WriteString(strconv.FormatInt(t.Unix(), 10))
		case format[i] == '%':
			out.WriteByte('%')
		default:
			out.WriteString(format[i-1 : i+1])
		}
	}
	return out.String()
}
