package sysabi

// Calls on sockets.
var callsNet = lazily(func() []Call {
	return []Call{
		def("socket", Network|Desc, enum("domain", setFamilies), sockType, num("protocol")).retFD().varies(socketArgs),
		def("socketpair", Network|Desc, enum("domain", setFamilies), sockType, num("protocol"), structOut("sv", layoutPair)).varies(socketpairArgs),
		def("bind", Network|Desc, sockfd, addrIn("addr", 2), num("addrlen")),
		def("connect", Network|Desc, sockfd, addrIn("addr", 2), num("addrlen")),
		def("listen", Network|Desc, sockfd, num("backlog")),
		def("accept", Network|Desc, sockfd, addrOut("addr", 2), lenInOut("addrlen")).retFD(),
		def("accept4", Network|Desc, sockfd, addrOut("addr", 2), lenInOut("addrlen"), flags("flags", setSockFlags)).retFD(),
		def("getsockname", Network|Desc, sockfd, addrOut("addr", 2), lenInOut("addrlen")),
		def("getpeername", Network|Desc, sockfd, addrOut("addr", 2), lenInOut("addrlen")),
		def("sendto", Network|Desc, sockfd, bufIn("buf", 2).ofSocket(), size("len"), flags("flags", setMsgFlags), addrIn("dest_addr", 5), num("addrlen")).through(0),
		def("recvfrom", Network|Desc, sockfd, bufOut("buf", 2).ofSocket(), size("len"), flags("flags", setMsgFlags), addrOut("src_addr", 5), lenInOut("addrlen")).through(0),
		def("sendmsg", Network|Desc, sockfd, Arg{Name: "msg", kind: KindMessage, dir: in}, flags("flags", setMsgFlags)).through(0),
		def("recvmsg", Network|Desc, sockfd, Arg{Name: "msg", kind: KindMessage, dir: out}, flags("flags", setMsgFlags)).through(0),
		def("sendmmsg", Network|Desc, sockfd, Arg{Name: "msgvec", kind: KindMessages, dir: in, n: count{fromArg, 2}}, unum("vlen"), flags("flags", setMsgFlags)).through(0),
		def("recvmmsg", Network|Desc, sockfd, Arg{Name: "msgvec", kind: KindMessages, dir: out, n: count{fromArg, 2}}, unum("vlen"), flags("flags", setMsgFlags), Arg{Name: "timeout", kind: KindStruct, dir: in | out, n: count{fromConst, 1}, st: layoutTimespec}).through(0).remark(recvmmsgRemark),
		def("shutdown", Network|Desc, sockfd, enum("how", setShutdown)),
		def("setsockopt", Network|Desc, sockfd).varies(setsockoptArgs),
		def("getsockopt", Network|Desc, sockfd).varies(getsockoptArgs),
	}
})

var (
	sockfd   = fdArg("sockfd")
	sockType = Arg{Name: "type", kind: KindEnumFlags, lowM: 0xf, low: setSockTypes, set: setSockFlags, whole: true}

	socketPlain  = socketOf(unum("protocol"))
	socketPacket = socketOf(Arg{Name: "protocol", kind: KindEnum, set: setEtherProtocols, swap: true})
	pairPlain    = lazily(func() []Arg { return append(socketPlain[:3:3], structOut("sv", layoutPair)) })
)

func socketOf(protocol Arg) []Arg { return []Arg{enum("domain", setFamilies), sockType, protocol} }

// socketKinds is what the third argument of socket(2) is, by family.
var socketKinds = lazily(func() map[uint32][]Arg {
	return map[uint32][]Arg{
		AFInet:      socketOf(enum("protocol", setInetProtocols)),
		AFInet6:     socketOf(enum("protocol", setInetProtocols)),
		AFAX25:      socketOf(enum("protocol", setAX25Protocols)),
		AFNetlink:   socketOf(enum("protocol", setNetlinkProtocols)),
		AFPacket:    socketPacket,
		23:          socketOf(enum("protocol", setIrDAProtocols)),
		AFCAN:       socketOf(enum("protocol", setCANProtocols)),
		AFBluetooth: socketOf(enum("protocol", setBluetoothProtocols)),
		AFRXRPC:     socketOf(enum("protocol", setFamilies)),
		34:          socketOf(enum("protocol", setISDNProtocols)),
		35:          socketOf(enum("protocol", setPhonetProtocols)),
		37:          socketOf(enum("protocol", setCAIFProtocols)),
		AFNFC:       socketOf(enum("protocol", setNFCSockets)),
		41:          socketOf(enum("protocol", setKCMProtocols)),
		AFSMC:       socketOf(enum("protocol", setSMCProtocols)),
	}
})

func socketArgs(r *[6]uint64) []Arg {
	if a := socketKinds()[uint32(r[0])]; a != nil {
		return a
	}
	return socketPlain
}

func socketpairArgs(*[6]uint64) []Arg { return pairPlain() }

// recvmmsgRemark says what is left of the timeout.
func recvmmsgRemark(p *printer) {
	if p.s.Ret == 0 {
		p.str("Timeout")
		return
	}
	if !p.opt.Addresses {
		p.leftTime(p.s.Args[4], p.timeLayout(4))
	}
}
