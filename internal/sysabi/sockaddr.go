package sysabi

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Address families (socket(2)).
const (
	AFUnspec  = 0
	AFUnix    = 1
	AFInet    = 2
	AFInet6   = 10
	AFNetlink = 16
	AFPacket  = 17
	AFVsock   = 40
)

// Sockaddr is a socket address.
type Sockaddr struct {
	Family   uint16
	AddrPort netip.AddrPort // AF_INET and AF_INET6; the zone is the scope id in decimal
	Path     string         // AF_UNIX: the path, or "@" and an abstract name; "" when unnamed
	Raw      []byte         // as captured, the family included
}

// DecodeSockaddr reads a struct sockaddr. Raw is b itself. What is cut short
// keeps Family and Raw only.
func DecodeSockaddr(b []byte) Sockaddr {
	a := Sockaddr{Raw: b}
	if len(b) < 2 {
		return a
	}
	a.Family = binary.LittleEndian.Uint16(b)
	switch a.Family {
	case AFInet:
		if len(b) >= 8 {
			a.AddrPort = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
		}
	case AFInet6:
		if len(b) >= 24 {
			ip := netip.AddrFrom16([16]byte(b[8:24]))
			if len(b) >= 28 {
				if scope := binary.LittleEndian.Uint32(b[24:]); scope != 0 && !ip.Is4In6() {
					ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
				}
			}
			a.AddrPort = netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[2:]))
		}
	case AFUnix:
		p := b[2:]
		switch {
		case len(p) == 0:
		case p[0] == 0:
			a.Path = "@" + string(p[1:])
		default:
			n := 0
			for n < len(p) && p[n] != 0 {
				n++
			}
			a.Path = string(p[:n])
		}
	}
	return a
}

// String prints as strace(1) does.
func (a Sockaddr) String() string {
	p := printer{opt: Options{StrLen: 108}}
	p.sockaddr(a)
	return string(p.b)
}

func (p *printer) sockaddr(a Sockaddr) {
	if len(a.Raw) < 2 {
		p.str("{sa_family=")
		p.str("???}")
		return
	}
	p.str("{sa_family=")
	p.b = setFamilies.appendEnum(p.b, uint64(a.Family))
	rest := a.Raw[2:]
	le := binary.LittleEndian
	switch {
	case a.Family == AFInet && a.AddrPort.IsValid():
		p.str(", sin_port=htons(")
		p.uint(uint64(a.AddrPort.Port()))
		p.str("), sin_addr=inet_addr(\"")
		p.str(a.AddrPort.Addr().String())
		p.str("\")")
	case a.Family == AFInet6 && a.AddrPort.IsValid():
		p.str(", sin6_port=htons(")
		p.uint(uint64(a.AddrPort.Port()))
		p.str("), sin6_flowinfo=htonl(")
		p.uint(uint64(binary.BigEndian.Uint32(a.Raw[4:])))
		p.str("), inet_pton(AF_INET6, \"")
		p.str(inet6(a.AddrPort.Addr().WithZone("")))
		p.str("\", &sin6_addr), sin6_scope_id=")
		if len(a.Raw) >= 28 {
			p.uint(uint64(le.Uint32(a.Raw[24:])))
		} else {
			p.str("0")
		}
	case a.Family == AFUnix:
		switch {
		case len(rest) == 0:
		case rest[0] == 0:
			p.str(", sun_path=@")
			p.quote(rest[1:min(len(rest), 108)], len(rest), 0)
		default:
			p.str(", sun_path=")
			p.quote([]byte(a.Path)[:min(len(a.Path), 108)], len(rest), 0)
			p.named([]byte(a.Path))
		}
	case a.Family == AFNetlink && len(a.Raw) >= 12:
		p.str(", nl_pid=")
		p.pid(int64(int32(le.Uint32(a.Raw[4:]))), TGID)
		p.str(", nl_groups=")
		p.hexPad(uint64(le.Uint32(a.Raw[8:])), 8)
	case a.Family == AFPacket && len(a.Raw) >= 20:
		p.str(", sll_protocol=htons(")
		p.b = setEtherProtocols.appendEnum(p.b, uint64(binary.BigEndian.Uint16(a.Raw[2:])))
		p.str("), sll_ifindex=")
		p.int(int64(int32(le.Uint32(a.Raw[4:]))))
		p.str(", sll_hatype=")
		p.b = setArpHardware.appendEnum(p.b, uint64(le.Uint16(a.Raw[8:])))
		p.str(", sll_pkttype=")
		p.b = setPacketTypes.appendEnum(p.b, uint64(a.Raw[10]))
		p.str(", sll_halen=")
		p.uint(uint64(a.Raw[11]))
		p.str(", sll_addr=[")
		for i, c := range a.Raw[12 : 12+min(int(a.Raw[11]), 8)] {
			p.sep(i)
			p.hex(uint64(c))
		}
		p.str("]")
	case a.Family == AFVsock && len(a.Raw) >= 16:
		p.str(", svm_cid=")
		p.vsock(le.Uint32(a.Raw[8:]), setVsockCIDs)
		p.str(", svm_port=")
		p.hex(uint64(le.Uint32(a.Raw[4:])))
		p.str(", svm_flags=0")
	default:
		p.str(", sa_data=")
		p.quote(rest, len(rest), 0)
	}
	p.str("}")
}

func (p *printer) vsock(v uint32, s *Set) {
	if n := s.Name(uint64(v)); n != "" {
		p.str(n)
		return
	}
	p.hex(uint64(v))
}

// inet6 prints a mapped address as inet_ntop(3) does, ::ffff:1.2.3.4.
func inet6(a netip.Addr) string { return a.String() }
