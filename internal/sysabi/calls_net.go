package sysabi

// Calls on sockets.
var callsNet = []Call{
	def("socket", Network|Desc, enum("domain", setFamilies), sockType, num("protocol")).retFD().varies(socketArgs),
	def("socketpair", Network|Desc, enum("domain", setFamilies), sockType, num("protocol"), structOut("sv", layoutPair)).varies(socketpairArgs),
	def("bind", Network|Desc, sockfd, addrIn("addr", 2), num("addrlen")),
	def("connect", Network|Desc, sockfd, addrIn("addr", 2), num("addrlen")),
	def("listen", Network|Desc, sockfd, num("backlog")),
	def("accept", Network|Desc, sockfd, addrOut("addr", 2), lenInOut("addrlen")).retFD(),
	def("accept4", Network|Desc, sockfd, addrOut("addr", 2), lenInOut("addrlen"), flags("flags", setSockFlags)).retFD(),
	def("getsockname", Network|Desc, sockfd, addrOut("addr", 2), lenInOut("addrlen")),
	def("getpeername", Network|Desc, sockfd, addrOut("addr", 2), lenInOut("addrlen")),
	def("sendto", Network|Desc, sockfd, bufIn("buf", 2), size("len"), flags("flags", setMsgFlags), addrIn("dest_addr", 5), num("addrlen")).through(0),
	def("recvfrom", Network|Desc, sockfd, bufOut("buf", 2), size("len"), flags("flags", setMsgFlags), addrOut("src_addr", 5), lenInOut("addrlen")).through(0),
	def("sendmsg", Network|Desc, sockfd, Arg{Name: "msg", kind: KindMessage, dir: in}, flags("flags", setMsgFlags)).through(0),
	def("recvmsg", Network|Desc, sockfd, Arg{Name: "msg", kind: KindMessage, dir: out}, flags("flags", setMsgFlags)).through(0),
	def("sendmmsg", Network|Desc, sockfd, Arg{Name: "msgvec", kind: KindMessages, dir: in, n: count{fromArg, 2}}, unum("vlen"), flags("flags", setMsgFlags)).through(0),
	def("recvmmsg", Network|Desc, sockfd, Arg{Name: "msgvec", kind: KindMessages, dir: out, n: count{fromArg, 2}}, unum("vlen"), flags("flags", setMsgFlags), structIn("timeout", layoutTimespec)).through(0),
	def("shutdown", Network|Desc, sockfd, enum("how", setShutdown)),
	def("setsockopt", Network|Desc, sockfd, sockLevel, num("optname"), bufIn("optval", 4), num("optlen")).varies(setsockoptArgs),
	def("getsockopt", Network|Desc, sockfd, sockLevel, num("optname"), ptr("optval"), lenInOut("optlen")).varies(getsockoptArgs),
}

var (
	sockfd    = fdArg("sockfd")
	sockLevel = enum("level", setSockLevels)
	sockType  = enumFlags("type", 0xf, setSockTypes, setSockFlags)

	socketPlain   = []Arg{enum("domain", setFamilies), sockType, num("protocol")}
	socketInet    = []Arg{enum("domain", setFamilies), sockType, enum("protocol", setInetProtocols)}
	socketNetlink = []Arg{enum("domain", setFamilies), sockType, enum("protocol", setNetlinkProtocols)}
	pairPlain     = []Arg{enum("domain", setFamilies), sockType, num("protocol"), structOut("sv", layoutPair)}
)

func socketArgs(r *[6]uint64) []Arg {
	switch uint32(r[0]) {
	case AFInet, AFInet6:
		return socketInet
	case AFNetlink:
		return socketNetlink
	}
	return socketPlain
}

func socketpairArgs(*[6]uint64) []Arg { return pairPlain }

// optLayout says what a socket option's value is.
type optLayout uint8

const (
	optInt optLayout = iota
	optBytes
	optTimeval
	optLinger
	optUcred
	optErrno
	optString
)

func optionOf(level, name uint32) (optLayout, *Set) {
	switch level {
	case solSocket:
		switch name {
		case 13: // SO_LINGER
			return optLinger, setSockOptions
		case 17: // SO_PEERCRED
			return optUcred, setSockOptions
		case 20, 21, 66, 67: // SO_RCVTIMEO, SO_SNDTIMEO, old and new
			return optTimeval, setSockOptions
		case 4: // SO_ERROR
			return optErrno, setSockOptions
		case 25: // SO_BINDTODEVICE
			return optString, setSockOptions
		case 26, 27, 31, 51: // filters, SO_PEERSEC
			return optBytes, setSockOptions
		}
		return optInt, setSockOptions
	case solIP:
		if name >= 32 && name <= 48 { // memberships are structures
			return optBytes, setIPOptions
		}
		return optInt, setIPOptions
	case solIPv6:
		if name == 20 || name == 21 || name >= 42 && name <= 48 {
			return optBytes, setIPv6Options
		}
		return optInt, setIPv6Options
	case solTCP:
		switch name {
		case 11, 13, 14, 29, 31, 33, 35, 38, 39, 40, 41: // TCP_INFO, TCP_CONGESTION, keys, TCP_ULP
			if name == 13 || name == 31 {
				return optString, setTCPOptions
			}
			return optBytes, setTCPOptions
		}
		return optInt, setTCPOptions
	case solUDP:
		return optInt, setUDPOptions
	case solPacket:
		return optBytes, setPacketOptions
	case solNetlink:
		return optInt, setNetlinkOptions
	case solTLS:
		return optBytes, setTLSOptions
	case solVsock:
		return optBytes, setVsockOptions
	case solRaw:
		return optBytes, setRawOptions
	}
	return optBytes, nil
}

// sockoptLists holds the argument lists of getsockopt or setsockopt, made once
// for each set of names and layout.
type sockoptKey struct {
	set *Set
	l   optLayout
}

var sockoptLevels = []*Set{
	nil, setSockOptions, setIPOptions, setIPv6Options, setTCPOptions, setUDPOptions, setPacketOptions,
	setNetlinkOptions, setTLSOptions, setVsockOptions, setRawOptions,
}

var (
	setsockopts = sockopts(true)
	getsockopts = sockopts(false)
)

func sockopts(set bool) map[sockoptKey][]Arg {
	m := make(map[sockoptKey][]Arg)
	for _, names := range sockoptLevels {
		for l := optInt; l <= optString; l++ {
			name := enum("optname", names)
			if names == nil {
				name = hex("optname")
			}
			var val Arg
			switch {
			case set && l == optInt:
				val = structIn("optval", layoutInt)
			case set && l == optTimeval:
				val = structIn("optval", layoutTimeval)
			case set && l == optLinger:
				val = structIn("optval", layoutLinger)
			case set:
				val = bufIn("optval", 4)
			case l == optInt:
				val = structOut("optval", layoutInt)
			case l == optErrno:
				val = structOut("optval", layoutErrno)
			case l == optTimeval:
				val = structOut("optval", layoutTimeval)
			case l == optLinger:
				val = structOut("optval", layoutLinger)
			case l == optUcred:
				val = structOut("optval", layoutUcred)
			default:
				val = Arg{Name: "optval", kind: KindBuffer, dir: out, n: count{fromPtr, 4}}
			}
			last := lenInOut("optlen")
			if set {
				last = num("optlen")
			}
			m[sockoptKey{names, l}] = []Arg{sockfd, sockLevel, name, val, last}
		}
	}
	return m
}

func setsockoptArgs(r *[6]uint64) []Arg {
	l, names := optionOf(uint32(r[1]), uint32(r[2]))
	if n := uint32(r[4]); l == optInt && n < 4 || l == optLinger && n < 8 || l == optTimeval && n < 16 {
		l = optBytes
	}
	return setsockopts[sockoptKey{names, l}]
}

func getsockoptArgs(r *[6]uint64) []Arg {
	l, names := optionOf(uint32(r[1]), uint32(r[2]))
	return getsockopts[sockoptKey{names, l}]
}

var layoutLinger = &layout{8, 8, func(p *printer, b []byte) {
	p.str("{l_onoff=")
	p.int(i32(b, 0))
	p.str(", l_linger=")
	p.int(i32(b, 4))
	p.str("}")
}, false}

var layoutErrno = &layout{4, 4, func(p *printer, b []byte) {
	p.str("[")
	if e := le32(b, 0); e == 0 {
		p.str("0")
	} else {
		p.str(Errno(e).Name())
	}
	p.str("]")
}, false}
