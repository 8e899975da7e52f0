package sysabi

// Questions about sockets of other families (sock_diag(7), linux/unix_diag.h,
// netlink_diag.h, packet_diag.h, smc_diag.h).

var attrsUnixDiag = lazily(func() *attrSet {
	return &attrSet{unknown: "UNIX_DIAG_???", attrs: []attr{
		{0, "UNIX_DIAG_NAME", nlText},
		{1, "UNIX_DIAG_VFS", unixDiagVFS},
		{2, "UNIX_DIAG_PEER", aU32},
		{3, "UNIX_DIAG_ICONS", listOf(u32(""))},
		{4, "UNIX_DIAG_RQLEN", newRecord(u32("udiag_rqueue"), u32("udiag_wqueue"))},
		{5, "UNIX_DIAG_MEMINFO", nlMeminfo()},
		{6, "UNIX_DIAG_SHUTDOWN", aU8},
		{7, "UNIX_DIAG_UID", id32("")},
	}}
})

var attrsNetlinkDiag = lazily(func() *attrSet {
	return &attrSet{unknown: "NETLINK_DIAG_???", attrs: []attr{
		{0, "NETLINK_DIAG_MEMINFO", nlMeminfo()},
		{1, "NETLINK_DIAG_GROUPS", diagGroups},
		{2, "NETLINK_DIAG_RX_RING", ring("ndr")},
		{3, "NETLINK_DIAG_TX_RING", ring("ndr")},
		{4, "NETLINK_DIAG_FLAGS", fl("", 4, setNLSocketFlags)},
	}}
})

var attrsPacketDiag = lazily(func() *attrSet {
	return &attrSet{unknown: "PACKET_DIAG_???", attrs: []attr{
		{0, "PACKET_DIAG_INFO", packetInfo()},
		{1, "PACKET_DIAG_MCLIST", listOf(packetMclist)},
		{2, "PACKET_DIAG_RX_RING", packetRing()},
		{3, "PACKET_DIAG_TX_RING", packetRing()},
		{4, "PACKET_DIAG_FANOUT", aU32},
		{5, "PACKET_DIAG_UID", id32("")},
		{6, "PACKET_DIAG_MEMINFO", nlMeminfo()},
		{7, "PACKET_DIAG_FILTER", packetFilter},
	}}
})

var attrsSMCDiag = lazily(func() *attrSet {
	return &attrSet{unknown: "SMC_DIAG_???", attrs: []attr{
		{0, "SMC_DIAG_NONE", nil},
		{1, "SMC_DIAG_CONNINFO", smcConnInfo()},
		{2, "SMC_DIAG_LGRINFO", smcLinkGroup()},
		{3, "SMC_DIAG_SHUTDOWN", upTo8(fl("", 1, setShutdownFlags))},
		{4, "SMC_DIAG_DMBINFO", smcDMB},
		{5, "SMC_DIAG_FALLBACK", smcFallback()},
	}}
})

// sockDiag is what a family's requests and answers are.
var sockDiag = lazily(func() map[byte][2]*nlMessage {
	return map[byte][2]*nlMessage{
		AFUnix:    {msgUnixRequest(), msgUnixAnswer()},
		AFInet:    {msgInetRequest(), msgInetAnswer()},
		AFInet6:   {msgInetRequest(), msgInetAnswer()},
		AFNetlink: {msgNetlinkRequest(), msgNetlinkAnswer()},
		AFPacket:  {msgPacketRequest(), msgPacketAnswer()},
		AFSMC:     {msgSMCRequest(), msgSMCAnswer()},
	}
})

const tcpdiagGetsock, dccpdiagGetsock = 18, 19

func sockDiagBody(p *printer, h nlmsghdr, s span) bool {
	if h.typ == nlmsgDone {
		return false
	}
	var m *nlMessage
	if s.n > 1 && len(s.b) > 0 {
		m = sockDiag()[s.b[0]][1]
		if h.flags&nlmRequest != 0 {
			m = sockDiag()[s.b[0]][0]
		}
		if m == msgInetRequest() && (h.typ == tcpdiagGetsock || h.typ == dccpdiagGetsock) {
			m = msgInetRequestOld()
		}
	}
	if m == nil {
		p.familyOnly(s)
		return true
	}
	m.print(p, s)
	return true
}

// nlMeminfo is the memory of a socket.
var nlMeminfo = lazily(func() payload { return indexed(u32(""), setNLMeminfo) })

var msgUnixRequest = lazily(func() *nlMessage {
	return message(nil,
		family("sdiag_family"),
		u8("sdiag_protocol"),
		pad(2),
		fl("udiag_states", 4, setTCPStateFlags),
		u32("udiag_ino"),
		fl("udiag_show", 4, setUnixShow),
		cookie("udiag_cookie"),
	)
})

var msgUnixAnswer = lazily(func() *nlMessage {
	return message(attrsUnixDiag(),
		family("udiag_family"),
		en("udiag_type", 1, setSockTypes),
		en("udiag_state", 1, setTCPStates),
		pad(1),
		u32("udiag_ino"),
		cookie("udiag_cookie"),
	)
})

var msgNetlinkRequest = lazily(func() *nlMessage {
	return message(nil,
		family("sdiag_family"),
		en("sdiag_protocol", 1, setDiagNetlinks()),
		pad(2),
		u32("ndiag_ino"),
		fl("ndiag_show", 4, setNetlinkShow),
		cookie("ndiag_cookie"),
	)
})

// setDiagNetlinks has a value for all of them.
var setDiagNetlinks = lazily(func() *Set {
	return &Set{setNetlinkProtocols.Unknown, append(setNetlinkProtocols.Names[:len(setNetlinkProtocols.Names):len(setNetlinkProtocols.Names)], Name{0xff, "NDIAG_PROTO_ALL"})}
})

var msgNetlinkAnswer = lazily(func() *nlMessage {
	return message(attrsNetlinkDiag(),
		family("ndiag_family"),
		en("ndiag_type", 1, setSockTypes),
		en("ndiag_protocol", 1, setNetlinkProtocols),
		en("ndiag_state", 1, setNetlinkStates),
		u32("ndiag_portid"),
		u32("ndiag_dst_portid"),
		u32("ndiag_dst_group"),
		u32("ndiag_ino"),
		cookie("ndiag_cookie"),
	)
})

// diagGroups is the groups that a socket listens to, in words of the program's
// size.
var diagGroups payloadFunc = func(p *printer, s span) bool {
	if s.n < p.word() {
		return false
	}
	p.listSpan(padded("", p.word()), s, s.n/p.word(), nil)
	return true
}

// ring is a buffer shared with the kernel; the members' names begin with a
// prefix.
func ring(prefix string, more ...field) *cstruct {
	return newRecord(append([]field{
		u32(prefix + "_block_size"),
		u32(prefix + "_block_nr"),
		u32(prefix + "_frame_size"),
		u32(prefix + "_frame_nr"),
	}, more...)...)
}

var msgPacketRequest = lazily(func() *nlMessage {
	return message(nil,
		family("sdiag_family"),
		x8("sdiag_protocol"),
		pad(2),
		u32("pdiag_ino"),
		fl("pdiag_show", 4, setPacketShow),
		cookie("pdiag_cookie"),
	)
})

var msgPacketAnswer = lazily(func() *nlMessage {
	return message(attrsPacketDiag(),
		family("pdiag_family"),
		en("pdiag_type", 1, setSockTypes),
		en("pdiag_num", 2, setEtherProtocols),
		u32("pdiag_ino"),
		cookie("pdiag_cookie"),
	)
})

var packetInfo = lazily(func() *cstruct {
	return newRecord(
		ifindex("pdi_index"),
		en("pdi_version", 4, setPacketVersions),
		u32("pdi_reserve"),
		u32("pdi_copy_thresh"),
		u32("pdi_tstamp"),
		fl("pdi_flags", 4, setPacketInfo),
	)
})

var packetRing = lazily(func() *cstruct {
	return ring("pdr", u32("pdr_retire_tmo"), u32("pdr_sizeof_priv"), u32("pdr_features"))
})

// packetMclist is struct packet_diag_mclist.
var packetMclist = part("", 44, func(p *printer, b, _ []byte) {
	p.str("{")
	p.members(packetMclistHead(), b)
	p.field("pdmc_addr")
	p.octets(b[12 : 12+min(le16(b, 10), 32)])
	p.str("}")
})

var packetMclistHead = lazily(func() *cstruct {
	return newRecord(ifindex("pdmc_index"), u32("pdmc_count"), u16("pdmc_type"), u16("pdmc_alen"))
})

// packetFilter is a filter in classic BPF.
var packetFilter payloadFunc = func(p *printer, s span) bool {
	n := s.n / 8
	if n == 0 || n > 0xffff {
		return false
	}
	p.filter(s.addr, uint64(n), packetOperand)
	return true
}

var msgSMCRequest = lazily(func() *nlMessage {
	return message(nil,
		family("diag_family"),
		pad(2),
		fl("diag_ext", 1, setSMCExt),
		sub("id", sockID()),
	).as(AFInet)
})

var msgSMCAnswer = lazily(func() *nlMessage {
	return message(attrsSMCDiag(),
		family("diag_family"),
		en("diag_state", 1, setSMCStates),
		en("diag_fallback", 1, setSMCModes),
		u8("diag_shutdown"),
		sub("id", sockID()),
		u32("diag_uid"),
		u64("diag_inode"),
	).as(AFInet)
})

var smcCursor = lazily(func() *cstruct { return newRecord(u16("reserved"), u16("wrap"), u32("count")) })

var smcConnInfo = lazily(func() *cstruct {
	return newRecord(
		u32("token"),
		u32("sndbuf_size"),
		u32("rmbe_size"),
		u32("peer_rmbe_size"),
		sub("rx_prod", smcCursor()),
		sub("rx_cons", smcCursor()),
		sub("tx_prod", smcCursor()),
		sub("tx_cons", smcCursor()),
		z8("rx_prod_flags"),
		z8("rx_conn_state_flags"),
		z8("tx_prod_flags"),
		z8("tx_conn_state_flags"),
		sub("tx_prep", smcCursor()),
		sub("tx_sent", smcCursor()),
		sub("tx_fin", smcCursor()),
	)
})

var smcLinkGroup = lazily(func() *cstruct {
	return newRecord(
		sub("lnk", newRecord(
			u8("link_id"),
			chars("ibname", 64),
			u8("ibport"),
			chars("gid", 40),
			chars("peer_gid", 40),
		)).list(1),
		en("role", 1, setSMCRoles),
	)
})

var smcDMBRecord = lazily(func() *cstruct {
	return newRecord(
		u32("linkid"),
		pad(4),
		x64("peer_gid"),
		x64("my_gid"),
		x64("token"),
		x64("peer_token"),
		x64("peer_gid_ext"),
		x64("my_gid_ext"),
	)
})

// smcDMB is struct smcd_diag_dmbinfo; what is missing of its last members is
// zero.
var smcDMB payloadFunc = func(p *printer, s span) bool {
	const old, size = 40, 56
	n := min(s.n, size)
	b := s.get(0, n)
	switch {
	case n < old:
		return false
	case b == nil:
		p.ptr(s.addr)
		return true
	case n > old:
		b = append(b, make([]byte, size-n)...)
	}
	p.record(smcDMBRecord(), b)
	return true
}

var smcFallback = lazily(func() *cstruct {
	return newRecord(
		en("reason", 4, setSMCDeclines).remarked(),
		en("peer_diagnosis", 4, setSMCDeclines).remarked(),
	)
})

// unixDiagVFS is struct unix_diag_vfs, printed from its end.
var unixDiagVFS = part("", 8, func(p *printer, b, _ []byte) {
	p.str("{udiag_vfs_dev=")
	p.dev(le32(b, 4))
	p.str(", udiag_vfs_ino=")
	p.uint(le32(b, 0))
	p.str("}")
})
