package sysabi

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Address families (socket(2)).
const (
	AFUnspec     = 0
	AFUnix       = 1
	AFInet       = 2
	AFAX25       = 3
	AFIPX        = 4
	AFBridge     = 7
	AFX25        = 9
	AFInet6      = 10
	AFNetlink    = 16
	AFPacket     = 17
	AFMPLS       = 28
	AFCAN        = 29
	AFTIPC       = 30
	AFBluetooth  = 31
	AFRXRPC      = 33
	AFIEEE802154 = 36
	AFALG        = 38
	AFNFC        = 39
	AFVsock      = 40
	AFQIPCRTR    = 42
	AFSMC        = 43
	AFXDP        = 44
	AFMCTP       = 45
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
			p, _, _ = bytes.Cut(p, []byte{0})
			a.Path = string(p)
		}
	}
	return a
}

// String prints as strace(1) does.
func (a Sockaddr) String() string {
	p := printer{opt: Options{StrLen: 108}, c: &Call{ptr: 8}}
	p.sockaddr(a)
	return string(p.b)
}

func (p *printer) sockaddr(a Sockaddr) {
	b := a.Raw
	if len(b) < 2 {
		p.str("{sa_family=???}")
		return
	}
	p.str("{sa_family=")
	p.enum(setFamilies, uint64(a.Family))
	if len(b) > 2 {
		if f, ok := sockaddrs()[a.Family]; ok && len(b) >= f.least {
			f.show(p, b)
		} else {
			p.saData(b)
		}
	}
	p.str("}")
}

// saData prints an address that nobody understands.
func (p *printer) saData(b []byte) {
	p.field("sa_data")
	p.quote(b[2:], len(b)-2, whole)
}

// sockaddrFamily is how a family's addresses are printed that have at least so
// many bytes. b has all of them, the family included.
type sockaddrFamily struct {
	least int
	show  func(p *printer, b []byte)
}

// plainSockaddr is an address that is a structure. Its first field is the family.
func plainSockaddr(fields ...field) sockaddrFamily {
	r := newRecord(append([]field{pad(2)}, fields...)...)
	return sockaddrFamily{r.size, func(p *printer, b []byte) { p.members(r, b) }}
}

var sockaddrs = lazily(func() map[uint16]sockaddrFamily {
	return map[uint16]sockaddrFamily{
		AFUnix:       {3, (*printer).sockaddrUnix},
		AFInet:       {16, (*printer).sockaddrInet},
		AFInet6:      {24, (*printer).sockaddrInet6},
		AFAX25:       {16, (*printer).sockaddrAX25},
		AFIPX:        plainSockaddr(port("sipx_port"), bx32("sipx_network"), z8("sipx_node").list(6), z8("sipx_type"), x8("sipx_zero").nonzero()),
		AFX25:        plainSockaddr(sub("sx25_addr", newRecord(chars("x25_addr", 16)))),
		AFNetlink:    plainSockaddr(x16("nl_pad").nonzero(), tgid32("nl_pid"), z32("nl_groups")),
		AFPacket:     {20, (*printer).sockaddrPacket},
		AFTIPC:       {16, (*printer).sockaddrTIPC},
		AFBluetooth:  {3, (*printer).sockaddrBluetooth},
		AFRXRPC:      {36, (*printer).sockaddrRXRPC},
		AFIEEE802154: {20, (*printer).sockaddrIEEE802154},
		AFALG:        {25, (*printer).sockaddrALG},
		AFNFC:        {16, (*printer).sockaddrNFC},
		AFVsock:      plainSockaddr(x16("svm_reserved1").nonzero(), vsockAddr, fl("svm_flags", 1, setVsockFlags), octets("svm_zero", 3).nonzero()),
		AFQIPCRTR:    plainSockaddr(en("sq_node", 4, setQIPCRTRNodes), en("sq_port", 4, setQIPCRTRPorts)),
		AFXDP:        {16, (*printer).sockaddrXDP},
		AFMCTP: plainSockaddr(x16("__smctp_pad0").nonzero(), en("smctp_network", 4, setMCTPNets),
			sub("smctp_addr", newRecord(en("s_addr", 1, setMCTPAddrs))), x8("smctp_type"), x8("smctp_tag"), x8("__smctp_pad1").nonzero()),
	}
})

func (p *printer) sockaddrUnix(b []byte) {
	path := b[2:min(len(b), 110)]
	p.field("sun_path")
	if path[0] == 0 {
		p.str("@")
		p.quote(path[1:], len(path)-1, whole)
		return
	}
	path, _, _ = bytes.Cut(path, []byte{0})
	p.quote(path, len(path), whole)
	p.named(path)
}

var recordInet = lazily(func() *cstruct { return newRecord(pad(2), port("sin_port"), inet4("sin_addr")) })

func (p *printer) sockaddrInet(b []byte) { p.members(recordInet(), b) }

var (
	recordInet6 = lazily(func() *cstruct {
		return newRecord(pad(2), port("sin6_port"), part("sin6_flowinfo", 4, func(p *printer, b, _ []byte) {
			p.raw(b, func() { be32("").show(p, b, b) })
		}), inet6("sin6_addr"))
	})
	recordScope   = lazily(func() *cstruct { return newRecord(u32("sin6_scope_id")) })
	recordScopeIf = lazily(func() *cstruct { return newRecord(ifindex("sin6_scope_id")) })
)

func (p *printer) sockaddrInet6(b []byte) {
	p.members(recordInet6(), b)
	if len(b) <= 24 {
		return
	}
	scope := recordScope()
	if a := netip.AddrFrom16([16]byte(b[8:24])); a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() {
		scope = recordScopeIf()
	}
	p.members(scope, append(b[24:min(len(b), 28):min(len(b), 28)], 0, 0, 0)[:4])
}

var recordPacket = lazily(func() *cstruct {
	return newRecord(
		pad(2),
		part("sll_protocol", 2, func(p *printer, b, _ []byte) {
			p.raw(b, func() { enumSwapped("", setEtherProtocols).show(p, b, b) })
		}),
		ifindex("sll_ifindex"),
		en("sll_hatype", 2, setArpHardware),
		en("sll_pkttype", 1, setPacketTypes),
		u8("sll_halen"),
	)
})

func (p *printer) sockaddrPacket(b []byte) {
	p.members(recordPacket(), b)
	if b[11] == 0 {
		return
	}
	p.field("sll_addr")
	p.str("[")
	for i := range int(b[11]) {
		p.sep(i)
		if 12+i >= len(b) {
			p.str("...")
			break
		}
		p.hexPad(uint64(b[12+i]), 2)
	}
	p.str("]")
}
