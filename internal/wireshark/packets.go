package wireshark

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"culprit/internal/casefile"
	"culprit/internal/dissect"
	"culprit/internal/event"
	"culprit/internal/pcapng"
	"culprit/internal/timeline"
)

// segmentSize is how many bytes of a call go into one made-up packet of a
// stream; a datagram is one packet, and can't be larger than datagramSize.
const (
	segmentSize  = 16 << 10
	datagramSize = 1<<16 - 1 - 40 - 8
)

// Protocol numbers (IANA) and TCP flags (RFC 9293 section 3.1).
const (
	protoTCP = 6
	protoUDP = 17
	flagFIN  = 1
	flagSYN  = 2
	flagRST  = 4
	flagPSH  = 8
	flagACK  = 16
)

// packets makes up the packets of a connection from what its calls moved.
// A hole in the recording is one in the sequence numbers, so that whoever
// reassembles sees bytes missing and not other bytes.
func packets(c *timeline.Conn) []casefile.Packet {
	if !c.Remote.IsValid() || len(c.Segments) == 0 {
		return nil
	}
	b := builder{c: c, stream: c.Stream()}
	client, server := c.Local, c.Remote
	if !client.IsValid() {
		client = madeUp(c)
	}
	if c.Accepted {
		client, server = server, client
	}
	b.ends = [2]netip.AddrPort{client, server}
	if b.stream {
		b.add(c.Opened, dissect.ToServer, flagSYN, nil, nil, "")
		b.add(c.Opened, dissect.ToClient, flagSYN|flagACK, nil, nil, "")
		b.add(c.Opened, dissect.ToServer, flagACK, nil, nil, "")
	}
	for i := range c.Segments {
		s := &c.Segments[i]
		comment := ""
		switch {
		case s.Unread:
			comment = "found in the receive queue: the program never read it"
		case s.Call != nil:
			comment = fmt.Sprintf("%s[%d] %s()", s.Call.Proc.Name(), s.Call.TID, s.Call.Name())
		}
		size := segmentSize
		if !b.stream {
			size = datagramSize
		}
		for data := s.Data; len(data) > 0; {
			n := min(len(data), size)
			b.add(s.Time, s.Dir, flagACK|flagPSH, data[:n], s.Call, comment)
			data = data[n:]
		}
		b.seq[s.Dir&1] += uint32(s.Gap)
	}
	if b.stream && c.EOF != 0 {
		b.add(c.EOF, dissect.ToClient^flip(c.Accepted), flagFIN|flagACK, nil, nil, "the program read the end of the stream")
	}
	if b.stream && c.Errno.Name() == "ECONNRESET" && c.Failed != nil {
		b.add(c.Failed.Leave(), dissect.ToClient^flip(c.Accepted), flagRST|flagACK, nil, c.Failed,
			fmt.Sprintf("%s() = -1 ECONNRESET", c.Failed.Name()))
	}
	return b.out
}

func flip(b bool) dissect.Dir {
	if b {
		return 1
	}
	return 0
}

// madeUp is a local address for a connection whose own is not known.
func madeUp(c *timeline.Conn) netip.AddrPort {
	if c.Remote.Addr().Unmap().Is4() {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(40000+c.ID%20000))
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(40000+c.ID%20000))
}

type builder struct {
	c      *timeline.Conn
	stream bool
	ends   [2]netip.AddrPort // client, server
	seq    [2]uint32
	out    []casefile.Packet
}

func (b *builder) add(at event.Time, dir dissect.Dir, flags byte, data []byte, call *timeline.Call, comment string) {
	src, dst := b.ends[dir&1], b.ends[dir.Reverse()&1]
	var seg []byte
	proto := byte(protoTCP)
	if b.stream {
		seg = b.tcp(src, dst, dir, flags, data)
	} else {
		proto = protoUDP
		seg = udp(src, dst, data)
	}
	p := casefile.Packet{Time: at, Data: ip(src.Addr().Unmap(), dst.Addr().Unmap(), proto, seg),
		PID: b.c.Proc.PID, TID: b.c.Proc.PID, Direction: pcapng.Outbound}
	if call != nil {
		p.TID = call.TID
	}
	if (dir == dissect.ToClient) != b.c.Accepted {
		p.Direction = pcapng.Inbound
	}
	if comment != "" {
		p.Comments = []string{comment}
	}
	b.out = append(b.out, p)
}

// tcp makes a segment (RFC 9293 section 3.1) with a valid checksum.
func (b *builder) tcp(src, dst netip.AddrPort, dir dissect.Dir, flags byte, data []byte) []byte {
	d, r := dir&1, dir.Reverse()&1
	s := make([]byte, 20, 20+len(data))
	binary.BigEndian.PutUint16(s, src.Port())
	binary.BigEndian.PutUint16(s[2:], dst.Port())
	binary.BigEndian.PutUint32(s[4:], b.seq[d])
	if flags&flagACK != 0 {
		binary.BigEndian.PutUint32(s[8:], b.seq[r])
	}
	s[12], s[13] = 5<<4, flags
	binary.BigEndian.PutUint16(s[14:], 0xffff)
	s = append(s, data...)
	binary.BigEndian.PutUint16(s[16:], checksum(pseudo(src, dst, protoTCP, len(s)), s))
	b.seq[d] += uint32(len(data))
	if flags&(flagSYN|flagFIN) != 0 {
		b.seq[d]++
	}
	return s
}

// udp makes a datagram (RFC 768).
func udp(src, dst netip.AddrPort, data []byte) []byte {
	s := make([]byte, 8, 8+len(data))
	binary.BigEndian.PutUint16(s, src.Port())
	binary.BigEndian.PutUint16(s[2:], dst.Port())
	binary.BigEndian.PutUint16(s[4:], uint16(8+len(data)))
	s = append(s, data...)
	sum := checksum(pseudo(src, dst, protoUDP, len(s)), s)
	if sum == 0 {
		sum = 0xffff // 0 would mean that there is none
	}
	binary.BigEndian.PutUint16(s[6:], sum)
	return s
}

// ip puts a header before a payload: RFC 791, or RFC 8200 when either address
// is of IPv6.
func ip(src, dst netip.Addr, proto byte, payload []byte) []byte {
	if src.Is4() && dst.Is4() {
		h := make([]byte, 20, 20+len(payload))
		h[0] = 0x45
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
		h[6] = 0x40 // don't fragment
		h[8], h[9] = 64, proto
		copy(h[12:], src.AsSlice())
		copy(h[16:], dst.AsSlice())
		binary.BigEndian.PutUint16(h[10:], checksum(0, h))
		return append(h, payload...)
	}
	h := make([]byte, 40, 40+len(payload))
	h[0] = 0x60
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	h[6], h[7] = proto, 64
	s, d := src.As16(), dst.As16()
	copy(h[8:], s[:])
	copy(h[24:], d[:])
	return append(h, payload...)
}

// pseudo sums the pseudo header of TCP's and UDP's checksums.
func pseudo(src, dst netip.AddrPort, proto byte, n int) uint32 {
	var sum uint32
	for _, a := range [2]netip.Addr{src.Addr().Unmap(), dst.Addr().Unmap()} {
		b := a.AsSlice()
		for i := 0; i+1 < len(b); i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
	}
	return sum + uint32(proto) + uint32(n)
}

// checksum is the Internet checksum (RFC 1071).
func checksum(sum uint32, b []byte) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
