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
	sockType  = Arg{Name: "type", kind: KindEnumFlags, lowM: 0xf, low: setSockTypes, set: setSockFlags, whole: true}

	socketPlain   = []Arg{enum("domain", setFamilies), sockType, num("protocol")}
	socketInet    = []Arg{enum("domain", setFamilies), sockType, enum("protocol", setInetProtocols)}
	socketNetlink = []Arg{enum("domain", setFamilies), sockType, enum("protocol", setNetlinkProtocols)}
	socketPacket  = []Arg{enum("domain", setFamilies), sockType, Arg{Name: "protocol", kind: KindEnum, set: setEtherProtocols, swap: true}}
	pairPlain     = []Arg{enum("domain", setFamilies), sockType, num("protocol"), structOut("sv", layoutPair)}
)

func socketArgs(r *[6]uint64) []Arg {
	switch uint32(r[0]) {
	case AFInet, AFInet6:
		return socketInet
	case AFNetlink:
		return socketNetlink
	case AFPacket:
		return socketPacket
	}
	return socketPlain
}

func socketpairArgs(*[6]uint64) []Arg { return pairPlain }

// optLayout says what a socket option's value is.
type optLayout uint8

const (
	optAny optLayout = iota // four bytes are an int, others a string
	optInt
	optLinger
	optUcred
	optErrno
	optNone // too short
)

// optionOf returns the names of a level's options and the layout of one.
func optionOf(level, name uint32) (optLayout, *Set) {
	switch level {
	case solSocket:
		switch name {
		case 4: // SO_ERROR
			return optErrno, setSockOptions
		case 13: // SO_LINGER
			return optLinger, setSockOptions
		case 17: // SO_PEERCRED
			return optUcred, setSockOptions
		case 20, 21, 66, 67, 25, 26, 27, 28, 31, 50, 51, 52, 59:
			// timeouts, SO_BINDTODEVICE, filters, SO_PEERNAME, SO_PEERSEC, SO_PEERGROUPS
			return optAny, setSockOptions
		}
		if setSockOptions.Name(uint64(name)) != "" {
			return optInt, setSockOptions
		}
		return optAny, setSockOptions
	case solIP:
		return optAny, setIPOptions
	case solIPv6, solICMPv6:
		return optAny, setIPv6Options
	case solTCP:
		return optAny, setTCPOptions
	case solUDP:
		return optAny, setUDPOptions
	case solPacket:
		return optAny, setPacketOptions
	case solNetlink:
		return optInt, setNetlinkOptions
	case solTLS:
		return optAny, setTLSOptions
	case solVsock, AFVsock:
		return optAny, setVsockOptions
	case solRaw:
		return optAny, setRawOptions
	}
	return optAny, nil
}

type sockoptKey struct {
	set *Set
	l   optLayout
}

var sockoptLevels = []*Set{
	nil, setSockOptions, setIPOptions, setIPv6Options, setTCPOptions, setUDPOptions, setPacketOptions,
	setNetlinkOptions, setTLSOptions, setVsockOptions, setRawOptions,
}

// The argument lists of setsockopt and getsockopt, one for each set of names
// and layout.
var (
	setsockopts = sockopts(setValue, num("optlen"))
	getsockopts = sockopts(getValue, lenInOut("optlen"))
)

func setValue(l optLayout) Arg {
	switch l {
	case optInt:
		return structIn("optval", layoutInt)
	case optLinger:
		return structIn("optval", layoutLinger)
	case optNone:
		return ptr("optval")
	}
	a := bufIn("optval", 4)
	a.asInt = true
	return a
}

func getValue(l optLayout) Arg {
	switch l {
	case optInt:
		return structOut("optval", layoutInt)
	case optErrno:
		return structOut("optval", layoutErrno)
	case optLinger:
		return structOut("optval", layoutLinger)
	case optUcred:
		return structOut("optval", layoutUcred)
	}
	return Arg{Name: "optval", kind: KindBuffer, dir: out, n: count{fromPtr, 4}, asInt: true}
}

func sockopts(value func(optLayout) Arg, length Arg) map[sockoptKey][]Arg {
	m := make(map[sockoptKey][]Arg)
	for _, names := range sockoptLevels {
		name := enum("optname", names)
		if names == nil {
			name = unum("optname")
		}
		for l := optAny; l <= optNone; l++ {
			m[sockoptKey{names, l}] = []Arg{sockfd, sockLevel, name, value(l), length}
		}
	}
	return m
}

func setsockoptArgs(r *[6]uint64) []Arg {
	l, names := optionOf(uint32(r[1]), uint32(r[2]))
	if n := int32(r[4]); l == optInt && n < 4 || l == optLinger && n < 8 || n < 0 {
		l = optNone
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
