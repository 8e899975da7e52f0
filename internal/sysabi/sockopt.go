package sysabi

import (
	"bytes"

	"culprit/internal/event"
)

// Options of sockets: setsockopt(2) and getsockopt(2).

const (
	solSocket, solIP, solTCP, solUDP = 1, 0, 6, 17
	solIPv6, solRaw, solPacket       = 41, 255, 263
	solNetlink, solTIPC              = 270, 271
)

// sockLevels is the names of each level's options, for getsockopt and setsockopt.
var sockLevels = lazily(func() map[uint32][2]*Set {
	return map[uint32][2]*Set{
		solIP:      {setIPOptionsGet(), setIPOptionsSet()},
		solSocket:  {setSockOptionsGet(), setSockOptionsSet()},
		solTCP:     both(setTCPOptions),
		solUDP:     both(setUDPOptions),
		AFVsock:    both(setVsockOptions), // no level, but what AF_VSOCK takes for one
		solIPv6:    {setIPv6OptionsGet(), setIPv6OptionsSet()},
		101:        both(setCANOptions),
		132:        both(setSCTPOptions),
		solRaw:     both(setRawOptions),
		256:        both(setIPXOptions),
		257:        both(setAX25Options),
		solPacket:  both(setPacketOptions),
		266:        both(setIrDAOptions),
		268:        both(setLLCOptions),
		269:        both(setDCCPOptions),
		solNetlink: both(setNetlinkOptions),
		solTIPC:    both(setTIPCOptions),
		272:        both(setRXRPCOptions),
		273:        both(setL2TPOptions),
		274:        both(setBluetoothOptions),
		275:        both(setPhonetOptions),
		276:        both(setRDSOptions),
		277:        both(setIUCVOptions),
		278:        both(setCAIFOptions),
		279:        both(setALGOptions),
		280:        both(setNFCOptions),
		281:        both(setKCMOptions),
		282:        both(setTLSOptions),
		283:        both(setXDPOptions),
	}
})

func both(s *Set) [2]*Set { return [2]*Set{s, s} }

// option is the value of an option as it is given and as it is got. What is nil
// is an int when it has four bytes, else a string. One that is too short is
// shown as its address when it is given, in hex when it is got.
type option struct{ set, get payload }

type optionKey struct{ level, name uint32 }

var options = lazily(func() map[optionKey]option { return optionTable() })

func optionTable() map[optionKey]option {
	m := map[optionKey]option{
		{solSocket, 4}:  {nil, boxed(errnoField)},              // SO_ERROR
		{solSocket, 13}: {linger(), partly(linger())},          // SO_LINGER
		{solSocket, 17}: {nil, partly(ucred())},                // SO_PEERCRED
		{solSocket, 26}: {filterGiven, payloadFunc(filterGot)}, // SO_ATTACH_FILTER, SO_GET_FILTER
		{solSocket, 51}: {filterGiven, nil},                    // SO_ATTACH_REUSEPORT_CBPF
		{solSocket, 74}: {boxed(txrehash), boxed(txrehash)},    // SO_TXREHASH
		{solSocket, 77}: {nil, boxed(fd32(""))},                // SO_PEERPIDFD

		{solIP, 35}: {ipMreq(), nil},                                          // IP_ADD_MEMBERSHIP
		{solIP, 36}: {ipMreq(), nil},                                          // IP_DROP_MEMBERSHIP
		{solIP, 42}: {payloadFunc(groupReq), nil},                             // MCAST_JOIN_GROUP
		{solIP, 45}: {payloadFunc(groupReq), nil},                             // MCAST_LEAVE_GROUP
		{solIP, 51}: {exactlyOrHex(4, portRange), exactlyOrHex(4, portRange)}, // IP_LOCAL_PORT_RANGE
		{solIP, 52}: {nil, exactly(4, boxed(en("", 4, setInetProtocols)))},    // IP_PROTOCOL

		{solIPv6, 20}: {ipv6Mreq(), nil},            // IPV6_ADD_MEMBERSHIP
		{solIPv6, 21}: {ipv6Mreq(), nil},            // IPV6_DROP_MEMBERSHIP
		{solIPv6, 27}: {ipv6Mreq(), nil},            // IPV6_JOIN_ANYCAST
		{solIPv6, 28}: {ipv6Mreq(), nil},            // IPV6_LEAVE_ANYCAST
		{solIPv6, 42}: {payloadFunc(groupReq), nil}, // MCAST_JOIN_GROUP
		{solIPv6, 45}: {payloadFunc(groupReq), nil}, // MCAST_LEAVE_GROUP

		{solPacket, 1}:  {exactly(16, payloadFunc(packetMreq)), nil}, // PACKET_ADD_MEMBERSHIP
		{solPacket, 2}:  {exactly(16, payloadFunc(packetMreq)), nil}, // PACKET_DROP_MEMBERSHIP
		{solPacket, 5}:  {exactly(16, ring("tp")), nil},              // PACKET_RX_RING
		{solPacket, 6}:  {nil, partly(packetStats())},                // PACKET_STATISTICS
		{solPacket, 13}: {exactly(16, ring("tp")), nil},              // PACKET_TX_RING

		{solRaw, 1}:     {payloadFunc(icmpFilter), payloadFunc(icmpFilter)}, // ICMP_FILTER
		{solNetlink, 9}: {boxed(s32("")), payloadFunc(memberships)},         // NETLINK_LIST_MEMBERSHIPS
		{solTCP, 38}:    {payloadFunc(tcpAOAdd), nil},                       // TCP_AO_ADD_KEY
		{solTIPC, 127}:  {boxed(tipcImportance()), boxed(tipcImportance())}, // TIPC_IMPORTANCE
		{solTIPC, 135}:  {tipcGroup(), tipcGroup()},                         // TIPC_GROUP_JOIN
	}
	integer := option{boxed(s32("")), boxed(s32(""))}
	for _, name := range [...]uint32{ // SO_DEBUG and others that are numbers
		1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18, 19, 27, 29, 30, 32, 33, 34, 35, 36, 37, 40, 41, 42, 43, 44,
		45, 46, 49, 53, 56, 60, 63, 64, 65, 68, 69, 70, 73, 75, 76, 82, 83, 84,
	} {
		m[optionKey{solSocket, name}] = integer
	}
	for _, n := range setNetlinkOptions.Names {
		key := optionKey{solNetlink, uint32(n.V)}
		if _, own := m[key]; !own {
			m[key] = integer
		}
	}
	return m
}

// The argument lists of both calls for each level; under anyLevel those for
// levels without names.
const anyLevel = ^uint32(0)

var (
	setsockopts = lazily(func() map[uint32][]Arg {
		return sockopts(1, Arg{Name: "optval", kind: KindBuffer, dir: in, n: count{fromArg, 4}, show: (*printer).optionGiven}, num("optlen"))
	})
	getsockopts = lazily(func() map[uint32][]Arg {
		return sockopts(0, Arg{Name: "optval", kind: KindBuffer, dir: out, n: count{fromPtr, 4}, show: (*printer).optionGot}, Arg{Name: "optlen", kind: KindStruct, dir: in | out, n: count{fromConst, 1}, st: layoutLen, show: (*printer).optionLength})
	})
)

func sockopts(which int, value, length Arg) map[uint32][]Arg {
	level := enum("level", setSockLevels)
	m := map[uint32][]Arg{anyLevel: {sockfd, level, unum("optname"), value, length}}
	for l, names := range sockLevels() {
		m[l] = []Arg{sockfd, level, enum("optname", names[which]), value, length}
	}
	return m
}

func setsockoptArgs(r *[6]uint64) []Arg { return ofLevel(setsockopts(), uint32(r[1])) }
func getsockoptArgs(r *[6]uint64) []Arg { return ofLevel(getsockopts(), uint32(r[1])) }

func ofLevel(m map[uint32][]Arg, level uint32) []Arg {
	if a := m[level]; a != nil {
		return a
	}
	return m[anyLevel]
}

// optionSpan is n bytes of a value, as far as they can be read.
func (p *printer) optionSpan(addr uint64, n int) span {
	s := span{addr: addr, n: n}
	if s.b = p.fetch(addr, n); s.b == nil {
		s.b, _ = p.m.read(addr, min(n, maxFetch), p.at)
	}
	return s
}

func (p *printer) optionGiven(v *Value) {
	n := int(int32(v.s.Args[4]))
	p.option(v, n, func(o option) payload { return o.set }, func(span) { p.ptr(v.Uint) })
}

func (p *printer) optionGot(v *Value) {
	room, ok := p.length(v.s.Args[4], event.Enter)
	n, ok2 := p.length(v.s.Args[4], event.Leave)
	if p.failed || p.unfinished || !ok || !ok2 || room <= 0 || n <= 0 {
		p.ptr(v.Uint)
		return
	}
	if uint32(v.s.Args[1]) == solNetlink {
		n = min(n, room)
	}
	short := p.hexSpan
	if uint32(v.s.Args[1]) == solTIPC {
		short = func(s span) { p.ptr(s.addr) }
	}
	p.option(v, n, func(o option) payload { return o.get }, short)
}

// optionLength prints how much room there was and how much there is, also when
// the call failed.
func (p *printer) optionLength(v *Value) {
	room, ok := p.length(v.Uint, event.Enter)
	if !ok {
		p.ptr(v.Uint)
		return
	}
	p.str("[")
	p.int(int64(room))
	if n, ok := p.length(v.Uint, event.Leave); ok && n != room && !p.unfinished {
		p.str(" => ")
		p.int(int64(n))
	}
	p.str("]")
}

// length reads the int that a length argument points to.
func (p *printer) length(addr uint64, at event.Phase) (int, bool) {
	b := p.fetchAt(addr, 4, at)
	return int(int32(le(b))), b != nil
}

func (p *printer) option(v *Value, n int, which func(option) payload, short func(span)) {
	level, name := uint32(v.s.Args[1]), uint32(v.s.Args[2])
	if v.Uint == 0 {
		p.str("NULL")
		return
	}
	is := which(options()[optionKey{level, name}])
	if is != nil {
		if s := p.optionSpan(v.Uint, max(n, 0)); n < 0 || !is.decode(p, s) {
			short(s)
		}
		return
	}
	if n == 4 || level == solTIPC {
		p.indirect(v.Uint, 4, func(b []byte) { p.int(les(b)) })
		return
	}
	p.bytesAt(v.Uint, uint64(int64(n)))
}

// boxed is a value in brackets, as what a pointer points to.
func boxed(f field) field {
	show := f.show
	f.show = func(p *printer, b, all []byte) {
		p.str("[")
		show(p, b, all)
		p.str("]")
	}
	return f
}

// exactly says that a value of another size is none.
func exactly(n int, is payload) payload {
	return payloadFunc(func(p *printer, s span) bool { return s.n == n && is.decode(p, s) })
}

func exactlyOrHex(n int, is payload) payload {
	return payloadFunc(func(p *printer, s span) bool {
		if s.n != n || !is.decode(p, s) {
			p.hexSpan(s)
		}
		return true
	})
}

// partly is a structure of which the kernel gives as much as there is room for.
func partly(r *cstruct) payload {
	return payloadFunc(func(p *printer, s span) bool {
		n := min(s.n, r.size)
		b := s.get(0, n)
		if b == nil {
			p.ptr(s.addr)
			return true
		}
		p.str("{")
		for i := range r.fields {
			f := &r.fields[i]
			size := f.bytes(8)
			switch {
			case n <= f.at:
			case n < f.at+size:
				p.field(f.name)
				p.octets(b[f.at:])
			default:
				p.field(f.name)
				f.show(p, b[f.at:f.at+size], b)
			}
		}
		p.str("}")
		return true
	})
}

var (
	linger      = lazily(func() *cstruct { return newRecord(s32("l_onoff"), s32("l_linger")) })
	ucred       = lazily(func() *cstruct { return newRecord(tgid32("pid"), id32("uid"), id32("gid")) })
	packetStats = lazily(func() *cstruct { return newRecord(u32("tp_packets"), u32("tp_drops"), u32("tp_freeze_q_cnt")) })
	ipMreq      = lazily(func() *cstruct { return newRecord(inet4("imr_multiaddr"), inet4("imr_interface")) })
	ipv6Mreq    = lazily(func() *cstruct { return newRecord(inet6("ipv6mr_multiaddr"), ifindex("ipv6mr_interface")) })
	tipcGroup   = lazily(func() *cstruct {
		return newRecord(u32("type"), u32("instance"), en("scope", 4, setTIPCScopes), fl("flags", 4, setTIPCFlags))
	})
	tipcImportance = lazily(func() field { return en("", 4, setTIPCImportance) })
	txrehash       = part("", 4, func(p *printer, b, _ []byte) { p.signedEnum(setTxrehash, les(b)) })
	errnoField     = part("", 4, func(p *printer, b, _ []byte) { p.errno(les(b), false) })
)

// signedEnum is an enum of which numbers without a name are in decimal.
func (p *printer) signedEnum(s *Set, v int64) {
	name := s.Name(uint64(v))
	switch {
	case p.opt.Style == StyleAbbrev && name != "":
		p.str(name)
		return
	case name == "":
		name = s.Unknown
	}
	p.int(v)
	if p.opt.Style != StyleRaw {
		p.remark(name)
	}
}

// memberships is the groups of a netlink socket.
func memberships(p *printer, s span) bool {
	p.listSpan(u32(""), s, s.n/4, nil)
	return true
}

// portRange is two ports, 0 for none: [0x2710 /* 16..10000 */].
var portRange = part("", 4, func(p *printer, b, _ []byte) {
	p.str("[")
	p.hex(le32(b, 0))
	low, high := le16(b, 0), le16(b, 2)
	if p.opt.Style != StyleRaw && low|high != 0 && (low == 0 || high == 0 || low <= high) {
		p.str(" /* ")
		if low != 0 {
			p.uint(low)
		}
		p.str("..")
		if high != 0 {
			p.uint(high)
		}
		p.str(" */")
	}
	p.str("]")
})

// groupReq is struct group_req: its address is aligned as a long is.
func groupReq(p *printer, s span) bool {
	at := p.word()
	b := s.get(0, at+128)
	switch {
	case s.n < at+128:
		return false
	case b == nil:
		p.ptr(s.addr)
		return true
	}
	p.str("{gr_interface=")
	p.ifindex(uint32(le32(b, 0)))
	p.str(", gr_group=")
	p.sockaddr(DecodeSockaddr(b[at:]))
	p.str("}")
	return true
}

var packetMreqHead = lazily(func() *cstruct {
	return newRecord(ifindex("mr_ifindex"), en("mr_type", 2, setPacketMreq), u16("mr_alen"))
})

func packetMreq(p *printer, s span) bool {
	b := s.get(0, 16)
	if b == nil {
		p.ptr(s.addr)
		return true
	}
	p.str("{")
	p.members(packetMreqHead(), b)
	p.field("mr_address")
	n := min(int(le16(b, 6)), 8)
	p.hardware(b[8:8+n], n)
	p.str("}")
	return true
}

// icmpFilter is a set of types, of which those that are not in it are shown when
// they are fewer. Bytes that are missing are set.
func icmpFilter(p *printer, s span) bool {
	n := min(s.n, 4)
	b := s.get(0, n)
	if n <= 0 || b == nil {
		p.ptr(s.addr)
		return true
	}
	v := le(append(bytes.Clone(b), 0xff, 0xff, 0xff, 0xff)[:4])
	count := 0
	for i := range 32 {
		count += int(v >> i & 1)
	}
	if count > 16 {
		v = ^v & (1<<32 - 1)
		p.str("~")
	}
	p.str("[")
	first := true
	for i := range 32 {
		if v>>i&1 == 0 {
			continue
		}
		if !first {
			p.str(" ")
		}
		first = false
		p.enum(setICMPFilter, uint64(i))
	}
	p.str("]")
	return true
}

// tcpAOAdd is struct tcp_ao_add, of which bytes may be missing.
func tcpAOAdd(p *printer, s span) bool {
	const size, key = 288, 208
	n := min(s.n, size)
	b := s.get(0, n)
	if n <= 0 || b == nil {
		p.ptr(s.addr)
		return true
	}
	b = append(bytes.Clone(b), make([]byte, size-n)...)
	bits := le32(b, 196)
	p.str("{addr=")
	p.sockaddr(DecodeSockaddr(b[:128]))
	p.str(", prefix=")
	p.uint(uint64(b[202]))
	p.str(", alg_name=")
	p.charArray(b[128:192])
	p.str(", ifindex=")
	p.ifindex(uint32(le32(b, 192)))
	p.str(", set_current=")
	p.uint(bits & 1)
	p.str(", set_rnext=")
	p.uint(bits >> 1 & 1)
	p.str(", sndid=")
	p.uint(uint64(b[203]))
	p.str(", rcvid=")
	p.uint(uint64(b[204]))
	p.str(", maclen=")
	p.uint(uint64(b[205]))
	p.str(", keyflags=")
	p.flags(setTCPAOFlags, uint64(b[206]))
	p.str(", key=")
	p.octets(b[key : key+min(int(b[207]), 80)])
	p.str(", keylen=")
	p.uint(uint64(b[207]))
	p.str("}")
	return true
}

// filterGiven is a program in classic BPF.
var filterGiven payloadFunc = func(p *printer, s span) bool {
	if s.n != p.bytesOf(recordSocketFilter()) {
		return false
	}
	p.recordAt(recordSocketFilter(), s.addr)
	return true
}

// filterGot is a program of as many instructions as the length says.
func filterGot(p *printer, s span) bool {
	if s.n > 0xffff {
		p.ptr(s.addr)
		return true
	}
	p.filter(s.addr, uint64(s.n), packetOperand)
	return true
}
