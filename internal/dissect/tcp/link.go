// Package tcp takes captured packets apart: link, IP and TCP or UDP headers,
// and the byte streams of TCP connections put back in order.
//
// An Assembler yields, for each direction of a connection, its bytes exactly
// once and in order, and a gap where the capture lacks some. It does not verify
// checksums (captures of sending hosts lack them). IP fragments are put together
// by a Decoder; Decode alone reports them as such.
package tcp

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Link types (the "LINKTYPE_" list of tcpdump.org).
const (
	LinkNull     = 0
	LinkEthernet = 1
	LinkPPP      = 9
	LinkRaw      = 101
	LinkLoop     = 108
	LinkSLL      = 113
	LinkIPv4     = 228
	LinkIPv6     = 229
	LinkNFLog    = 239
	LinkSLL2     = 276
)

// What Decode can say of a packet that it does not take apart.
var (
	ErrShort    = errors.New("packet is cut short")
	ErrLink     = errors.New("link type is not known")
	ErrNotIP    = errors.New("not an IP packet")
	ErrFragment = errors.New("IP fragment")
	ErrBad      = errors.New("damaged header")
)

// TCP flags.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// IP protocol numbers.
const (
	ProtoTCP = 6
	ProtoUDP = 17
)

// Frame is one packet without its headers. Src and Dst have port 0 when the
// protocol is neither TCP nor UDP. Payload is a part of the packet's bytes.
type Frame struct {
	Src, Dst netip.AddrPort
	Proto    uint8
	Payload  []byte
	Cut      int // bytes of the payload that the capture did not keep (snap length)

	Seq, Ack uint32 // TCP
	Window   uint16
	Flags    uint8
	Scale    int8 // of the window, from a SYN's options; -1 when there is none

	frag fragment // with ErrFragment; Payload is the fragment's
}

// Decode takes one packet apart. The error is or wraps one of this package's.
func Decode(link int, b []byte) (Frame, error) {
	var f Frame
	err := f.decode(link, b)
	return f, err
}

func (f *Frame) decode(link int, b []byte) error {
	typ, b, err := network(link, b)
	if err != nil {
		return err
	}
	for range 8 { // stacked VLAN tags and PPPoE
		switch typ {
		case 0x0800:
			return f.ipv4(b)
		case 0x86dd:
			return f.ipv6(b)
		case 0x8100, 0x88a8, 0x9100:
			if len(b) < 4 {
				return ErrShort
			}
			typ, b = int(b[2])<<8|int(b[3]), b[4:]
		case 0x8864:
			if len(b) < 8 {
				return ErrShort
			}
			if typ, err = ppp(int(b[6])<<8 | int(b[7])); err != nil {
				return err
			}
			b = b[8:]
		default:
			return ErrNotIP
		}
	}
	return ErrBad
}

func ppp(p int) (int, error) {
	switch p {
	case 0x21:
		return 0x0800, nil
	case 0x57:
		return 0x86dd, nil
	}
	return 0, ErrNotIP
}

// network strips the link header and returns the EtherType.
func network(link int, b []byte) (typ int, rest []byte, err error) {
	cut := func(n int) bool { return len(b) < n }
	be16 := func(at int) int { return int(b[at])<<8 | int(b[at+1]) }
	switch link {
	case LinkEthernet:
		if cut(14) {
			return 0, nil, ErrShort
		}
		return be16(12), b[14:], nil
	case LinkSLL:
		if cut(16) {
			return 0, nil, ErrShort
		}
		return be16(14), b[16:], nil
	case LinkSLL2:
		if cut(20) {
			return 0, nil, ErrShort
		}
		return be16(0), b[20:], nil
	case LinkNull, LinkLoop:
		if cut(4) {
			return 0, nil, ErrShort
		}
		b = b[4:] // the family's byte order is the capturing host's; the IP version says it too
	case LinkPPP:
		if cut(4) {
			return 0, nil, ErrShort
		}
		if b[0] == 0xff && b[1] == 3 {
			b = b[2:]
		}
		typ, err = ppp(be16(0))
		return typ, b[2:], err
	case LinkNFLog:
		return nflog(b)
	case LinkRaw, LinkIPv4, LinkIPv6, 12, 14: // 12 and 14: BSD's DLT_RAW, seen in files
	default:
		return 0, nil, ErrLink
	}
	if cut(1) {
		return 0, nil, ErrShort
	}
	switch b[0] >> 4 {
	case 4:
		return 0x0800, b, nil
	case 6:
		return 0x86dd, b, nil
	}
	return 0, nil, ErrNotIP
}

// nflog: 4 bytes, then TLVs in host order of the capturing host; 9 is the packet.
func nflog(b []byte) (int, []byte, error) {
	if len(b) < 4 {
		return 0, nil, ErrShort
	}
	b = b[4:]
	for len(b) >= 4 {
		n, t := int(binary.LittleEndian.Uint16(b)), binary.LittleEndian.Uint16(b[2:])
		if n < 4 || n > len(b) {
			return 0, nil, ErrBad
		}
		if t == 9 {
			return network(LinkRaw, b[4:n])
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return 0, nil, ErrNotIP
}

func (f *Frame) ipv4(b []byte) error {
	if len(b) < 20 {
		return ErrShort
	}
	hl, total := int(b[0]&15)*4, int(b[2])<<8|int(b[3])
	if b[0]>>4 != 4 || hl < 20 {
		return ErrBad
	}
	if total == 0 { // segmentation offload: the length did not fit or was not filled in
		total = len(b)
	}
	if hl > total {
		return ErrBad
	}
	if len(b) < hl {
		return ErrShort
	}
	f.Proto = b[9]
	src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	f.Src, f.Dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
	rest, cut := b[hl:max(hl, min(total, len(b)))], max(0, total-len(b))
	if frag := int(b[6])<<8 | int(b[7]); frag&0x3fff != 0 {
		f.frag = fragment{id: uint32(b[4])<<8 | uint32(b[5]), at: frag & 0x1fff * 8, more: frag&0x2000 != 0}
		f.Payload, f.Cut = rest, cut
		return ErrFragment
	}
	return f.transport(rest, cut)
}

func (f *Frame) ipv6(b []byte) error {
	if len(b) < 40 {
		return ErrShort
	}
	if b[0]>>4 != 6 {
		return ErrBad
	}
	n := int(b[4])<<8 | int(b[5])
	f.Proto = b[6]
	f.Src = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), 0)
	f.Dst = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:40])), 0)
	b = b[40:]
	if n == 0 { // jumbogram or segmentation offload
		n = len(b)
	}
	return f.extensions(b[:min(n, len(b))], max(0, n-len(b)))
}

// extensions passes over the extension headers of IPv6 (RFC 8200 section 4).
func (f *Frame) extensions(b []byte, cut int) error {
	for range 16 {
		switch f.Proto {
		case 0, 43, 60, 51: // hop-by-hop, routing, destination options, AH
			if len(b) < 8 {
				return ErrShort
			}
			l := int(b[1])*8 + 8
			if f.Proto == 51 {
				l = int(b[1])*4 + 8
			}
			if l > len(b) {
				return ErrShort
			}
			f.Proto, b = b[0], b[l:]
		case 44: // fragment (RFC 8200 section 4.5)
			if len(b) < 8 {
				return ErrShort
			}
			frag := int(b[2])<<8 | int(b[3])
			f.Proto, f.frag = b[0], fragment{id: binary.BigEndian.Uint32(b[4:]), at: frag &^ 7, more: frag&1 != 0}
			if b = b[8:]; frag&^6 != 0 {
				f.Payload, f.Cut = b, cut
				return ErrFragment
			}
		default:
			return f.transport(b, cut)
		}
	}
	return ErrBad
}

func (f *Frame) transport(b []byte, cut int) error {
	f.Payload, f.Cut = b, cut
	hl := 8
	switch f.Proto {
	case ProtoTCP:
		if len(b) < 20 {
			return ErrShort
		}
		hl = int(b[12]>>4) * 4
		if hl < 20 {
			return ErrBad
		}
		f.Seq, f.Ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
		f.Flags, f.Window = b[13], binary.BigEndian.Uint16(b[14:])
		if f.Flags&SYN != 0 {
			f.Scale = windowScale(b[20:min(hl, len(b))])
		}
		if hl > len(b) { // options cut off by the snap length
			f.Cut -= hl - len(b)
			hl = len(b)
			if f.Cut < 0 {
				return ErrBad
			}
		}
	case ProtoUDP:
		if len(b) < 8 {
			return ErrShort
		}
		if n := int(b[4])<<8 | int(b[5]); n >= 8 && n < len(b) {
			b = b[:n]
		}
	case 4: // IP in IP (RFC 2003)
		return f.ipv4(b)
	case 41: // IPv6 in IP (RFC 4213)
		return f.ipv6(b)
	case 47:
		return f.gre(b)
	default:
		return nil
	}
	f.Src = netip.AddrPortFrom(f.Src.Addr(), binary.BigEndian.Uint16(b))
	f.Dst = netip.AddrPortFrom(f.Dst.Addr(), binary.BigEndian.Uint16(b[2:]))
	f.Payload = b[hl:]
	return nil
}

// gre opens a GRE tunnel (RFC 2784, RFC 2890). What it carries besides IP is
// left alone.
func (f *Frame) gre(b []byte) error {
	if len(b) < 4 || b[1]&7 != 0 {
		return nil
	}
	n := 4
	for _, bit := range []byte{0x80, 0x20, 0x10} { // checksum, key, sequence number
		if b[0]&bit != 0 {
			n += 4
		}
	}
	if len(b) < n {
		return nil
	}
	switch typ := int(b[2])<<8 | int(b[3]); typ {
	case 0x0800:
		return f.ipv4(b[n:])
	case 0x86dd:
		return f.ipv6(b[n:])
	}
	return nil
}

// windowScale finds the option in a SYN (RFC 7323 section 2.2), scaleNone when
// it is not there.
func windowScale(options []byte) int8 {
	for len(options) > 0 {
		switch kind := options[0]; {
		case kind == 0:
			return scaleNone
		case kind == 1:
			options = options[1:]
			continue
		case len(options) < 2 || options[1] < 2 || int(options[1]) > len(options):
			return scaleNone
		case kind == 3 && options[1] == 3:
			return int8(min(options[2], 14))
		}
		options = options[options[1]:]
	}
	return scaleNone
}
