// Package captest reads capture files for the dissectors' tests: packets to
// connections, with the key log that lies beside the file or inside it. Only
// tests import it.
package captest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tcp"
	"culprit/internal/event"
	"culprit/internal/pcapng"
)

// Capture is a file's content.
type Capture struct {
	Conns     []*Conn
	Datagrams []Datagram
	Keys      []byte // key log lines
	Packets   int
	Undecoded int // packets that are no IP, or damaged
}

// Conn is one TCP connection with all that its streams carried, in time order.
type Conn struct {
	*tcp.Conn
	Inputs []dissect.Input
}

// Datagram is one UDP datagram.
type Datagram struct {
	Src, Dst netip.AddrPort
	Time     event.Time
	Ref      int64
	Data     []byte
}

// Read reads a capture (pcap or pcapng, gzip or not) and its key log
// (NAME.keys). A file cut short gives what is whole.
func Read(path string) (*Capture, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r io.Reader = bytes.NewReader(b)
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", path, err)
		}
	}
	src, err := pcapng.Open(r)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	c := new(Capture)
	base := strings.TrimSuffix(path, ".gz")
	if k, err := os.ReadFile(strings.TrimSuffix(base, filepath.Ext(base)) + ".keys"); err == nil {
		c.Keys = k
	}
	return c, c.read(src)
}

func (c *Capture) read(src pcapng.Source) error {
	var links []int
	var asm tcp.Assembler
	conns := map[*tcp.Conn]*Conn{}
	add := func(outs []tcp.Output) {
		for _, o := range outs {
			x := conns[o.Conn]
			if x == nil {
				x = &Conn{Conn: o.Conn}
				conns[o.Conn] = x
			}
			o.Data = bytes.Clone(o.Data)
			x.Inputs = append(x.Inputs, o.Input)
		}
	}
	for {
		b, err := src.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read a block: %w", err)
		}
		switch b := b.(type) {
		case *pcapng.Section:
			links = nil
		case *pcapng.Interface:
			links = append(links, int(b.LinkType))
		case *pcapng.Secrets:
			c.Keys = append(append(c.Keys, b.Data...), '\n')
		case *pcapng.Packet:
			c.Packets++
			if int(b.Interface) >= len(links) {
				c.Undecoded++
				continue
			}
			f, err := tcp.Decode(links[b.Interface], b.Data)
			if err != nil {
				c.Undecoded++
				continue
			}
			switch f.Proto {
			case tcp.ProtoTCP:
				t, outs := asm.Feed(&f, event.Time(b.Nanos), int64(c.Packets))
				if conns[t] == nil {
					x := &Conn{Conn: t}
					conns[t] = x
					c.Conns = append(c.Conns, x)
				}
				add(outs)
			case tcp.ProtoUDP:
				c.Datagrams = append(c.Datagrams, Datagram{f.Src, f.Dst, event.Time(b.Nanos), int64(c.Packets), bytes.Clone(f.Payload)})
			}
		}
	}
	add(asm.Close())
	return nil
}

// Shared returns the capture files of a folder of the shared collection, which
// lies beside the repository; none when it is absent.
func Shared(folder string) []string {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	var out []string
	for _, pat := range []string{"*.pcap", "*.pcapng", "*.pcap.gz", "*.pcapng.gz"} {
		m, _ := filepath.Glob(filepath.Join(dir, "..", "shared", "captures", folder, pat))
		out = append(out, m...)
	}
	return out
}

// All returns the files of all folders of the shared collection.
func All() []string { return Shared("*") }

// Cut cuts inputs into pieces of the sizes that next gives (at least 1), for
// tests of chunking. Times and refs stay those of the whole piece.
func Cut(ins []dissect.Input, next func() int) []dissect.Input {
	var out []dissect.Input
	for _, in := range ins {
		empty := len(in.Data) == 0
		for len(in.Data) > 0 {
			n := min(max(next(), 1), len(in.Data))
			p := in
			p.Data, p.End = in.Data[:n], in.End && n == len(in.Data)
			out = append(out, p)
			in.Data, in.Gap = in.Data[n:], 0
		}
		if empty {
			out = append(out, in)
		}
	}
	return out
}
