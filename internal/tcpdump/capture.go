package tcpdump

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"culprit/internal/dissect/tcp"
	"culprit/internal/lens/packet"
	"culprit/internal/pcapfilter"
	"culprit/internal/pcapng"
)

// LinkNames are the names of the link types that are known, as libpcap has them,
// and what they are.
var LinkNames = map[int]string{
	tcp.LinkEthernet: "EN10MB (Ethernet)", tcp.LinkRaw: "RAW (Raw IP)", 12: "RAW (Raw IP)", 14: "RAW (Raw IP)", tcp.LinkNull: "NULL (BSD loopback)",
	tcp.LinkLoop: "LOOP (OpenBSD loopback)", tcp.LinkPPP: "PPP (PPP)", tcp.LinkSLL: "LINUX_SLL (Linux cooked v1)", tcp.LinkSLL2: "LINUX_SLL2 (Linux cooked v2)",
	tcp.LinkIPv4: "IPV4 (Raw IPv4)", tcp.LinkIPv6: "IPV6 (Raw IPv6)",
}

// File reads the packets of a capture.
type File struct {
	Link    int // of the first interface
	Snaplen uint32

	src   pcapng.Source
	links []int
	first *pcapng.Packet
}

// OpenFile begins to read a capture, pcap or pcapng.
func OpenFile(r io.Reader) (*File, error) {
	src, err := pcapng.Open(r)
	if err != nil {
		return nil, fmt.Errorf("read the capture: %w", err)
	}
	f := &File{src: src, Link: -1}
	for f.Link < 0 {
		b, err := f.block()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		f.first = b
	}
	return f, nil
}

// block reads the next block and returns it when it is a packet.
func (f *File) block() (*pcapng.Packet, error) {
	b, err := f.src.Next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, fmt.Errorf("read the capture: %w", err)
	}
	switch b := b.(type) {
	case *pcapng.Section:
		f.links = f.links[:0]
	case *pcapng.Interface:
		f.links = append(f.links, int(b.LinkType))
		if f.Link < 0 {
			f.Link, f.Snaplen = int(b.LinkType), b.Snaplen
		}
	case *pcapng.Packet:
		return b, nil
	}
	return nil, nil
}

// Next returns the next packet, valid until the following call; io.EOF at the end.
func (f *File) Next() (Packet, error) {
	b := f.first
	f.first = nil
	for b == nil {
		var err error
		if b, err = f.block(); err != nil {
			return Packet{}, err
		}
	}
	link := -1
	if int(b.Interface) < len(f.links) {
		link = f.links[b.Interface]
	}
	return Packet{Link: link, Time: b.Nanos, Len: int(b.OrigLen), Data: b.Data}, nil
}

// LiveOptions say what to capture.
type LiveOptions struct {
	Interface   string // "any" is all
	Filter      string
	Snaplen     int
	Buffer      int
	Promiscuous bool
	Direction   string // "in", "out" or "inout"
	Process     int    // 0: of everybody
	Compile     pcapfilter.Options
}

// Live captures packets of this machine.
type Live struct {
	Link int

	sock   *packet.Socket
	o      LiveOptions
	filter *pcapfilter.Filter // what the kernel does not filter; nil: it does all
	owners *packet.Owners
	held   []heldPacket
	buf    []byte
}

type heldPacket struct {
	Packet
	network []byte // from the IP header on
	until   time.Duration
}

// OpenLive opens an interface.
func OpenLive(o LiveOptions) (*Live, error) {
	l := &Live{o: o, Link: linkOf(o.Interface)}
	o.Compile.Link, o.Compile.Snaplen = l.Link, uint32(o.Snaplen)
	filter, err := pcapfilter.Compile(o.Filter, o.Compile)
	if err != nil {
		return nil, err
	}
	so := packet.SocketOptions{Interface: o.Interface, Snaplen: o.Snaplen, Buffer: o.Buffer, Promiscuous: o.Promiscuous, Latency: 100 * time.Millisecond}
	switch {
	case l.Link == tcp.LinkSLL2: // the kernel sees no such header
		so.Interface, so.Cooked = strings.TrimPrefix(o.Interface, "any"), true
		l.filter = filter
	case filter.Tags: // nor tags
		l.filter = filter
	default:
		so.Filter = filter.Program
	}
	if o.Process != 0 {
		if l.owners, err = packet.OwnersOf(o.Process); err != nil {
			return nil, err
		}
	}
	if l.sock, err = packet.OpenSocket(so); err != nil {
		return nil, err
	}
	return l, nil
}

// linkOf is the link type of an interface by its hardware type (linux/if_arp.h):
// what is neither Ethernet nor plain IP comes with a cooked header.
func linkOf(name string) int {
	b, err := os.ReadFile("/sys/class/net/" + name + "/type")
	if err != nil {
		return tcp.LinkSLL2
	}
	switch n, _ := strconv.Atoi(strings.TrimSpace(string(b))); n {
	case 1, 772:
		return tcp.LinkEthernet
	case 0xfffe, 519, 768, 769, 776, 778:
		return tcp.LinkRaw
	}
	return tcp.LinkSLL2
}

// Close closes the interface.
func (l *Live) Close() error { return l.sock.Close() }

// Stats tells how many packets passed the kernel's filter, and how many of them
// it had no room for.
func (l *Live) Stats() (received, dropped uint64, err error) { return l.sock.Stats() }

// loopback is ARPHRD_LOOPBACK (linux/if_arp.h).
const loopback = 772

// patience is how long a packet is held back whose process is not known yet.
const patience = 300 * time.Millisecond

// Next returns the next packet, valid until the following call; false when
// there is none for the moment. now is a clock that never stands still.
func (l *Live) Next(now time.Duration) (Packet, bool, error) {
	if l.owners != nil {
		if p, ok := l.decide(now); ok {
			return p, true, nil
		}
	}
	var f packet.Frame
	for l.sock.Next(&f) {
		out := f.Type == 4
		if out && f.Hardware == loopback {
			continue // it comes in again
		}
		if l.o.Direction == "in" && out || l.o.Direction == "out" && !out {
			continue
		}
		p := Packet{Link: l.Link, Time: f.Wall, Len: f.Len, Data: f.Data}
		network := f.Data
		switch l.Link {
		case tcp.LinkSLL2:
			l.buf = cook(l.buf[:0], &f)
			p.Data, p.Len = l.buf, f.Len+len(l.buf)-len(f.Data)
		case tcp.LinkEthernet:
			network = behindEthernet(f.Data)
		}
		if l.filter != nil && !l.filter.Match(p.Data, p.Len) {
			continue
		}
		if l.owners == nil {
			return p, true, nil
		}
		p.Data = slices.Clone(p.Data)
		l.held = append(l.held, heldPacket{p, slices.Clone(network), now + patience})
		if p, ok := l.decide(now); ok {
			return p, true, nil
		}
	}
	return Packet{}, false, l.sock.Wait(50 * time.Millisecond)
}

// decide takes the first packet that is held back, once it is known whose it is;
// those of nobody known are dropped when their time is over.
func (l *Live) decide(now time.Duration) (Packet, bool) {
	for len(l.held) > 0 {
		h := l.held[0]
		ours := l.owners.Own(h.network, now)
		if !ours && now < h.until {
			return Packet{}, false
		}
		l.held = l.held[1:]
		if ours {
			return h.Packet, true
		}
	}
	return Packet{}, false
}

// cook puts Linux's cooked header, version 2, before a packet.
func cook(b []byte, f *packet.Frame) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(b, f.Protocol)
	b = be.AppendUint16(b, 0)
	b = be.AppendUint32(b, f.Interface)
	b = be.AppendUint16(b, f.Hardware)
	b = append(b, f.Type, byte(len(f.Sender)))
	var sender [8]byte
	copy(sender[:], f.Sender)
	return append(append(b, sender[:]...), f.Data...)
}

func behindEthernet(b []byte) []byte {
	at := 12
	for len(b) >= at+2 {
		switch binary.BigEndian.Uint16(b[at:]) {
		case etherVLAN, etherQinQ, 0x9100:
			at += 4
		case etherIP, etherIPv6:
			return b[at+2:]
		default:
			return nil
		}
	}
	return nil
}
