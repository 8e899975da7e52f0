package sysabi

// Questions about sockets of IP (sock_diag(7), linux/inet_diag.h).

var attrsInetDiag = lazily(func() *attrSet {
	return &attrSet{unknown: "INET_DIAG_???", attrs: []attr{
		{0, "INET_DIAG_NONE", nil},
		{1, "INET_DIAG_MEMINFO", newRecord(u32("idiag_rmem"), u32("idiag_wmem"), u32("idiag_fmem"), u32("idiag_tmem"))},
		{2, "INET_DIAG_INFO", nil},
		{3, "INET_DIAG_VEGASINFO", vegasInfo()},
		{4, "INET_DIAG_CONG", nlText},
		{5, "INET_DIAG_TOS", aU8},
		{6, "INET_DIAG_TCLASS", aU8},
		{7, "INET_DIAG_SKMEMINFO", nlMeminfo()},
		{8, "INET_DIAG_SHUTDOWN", upTo8(fl("", 1, setShutdownFlags).remarked())},
		{9, "INET_DIAG_DCTCPINFO", dctcpInfo()},
		{10, "INET_DIAG_PROTOCOL", ipProto()},
		{11, "INET_DIAG_SKV6ONLY", aU8},
		{12, "INET_DIAG_LOCALS", listOf(sockaddrN("", 128))},
		{13, "INET_DIAG_PEERS", listOf(sockaddrN("", 128))},
		{14, "INET_DIAG_PAD", nil},
		{15, "INET_DIAG_MARK", aU32},
		{16, "INET_DIAG_BBRINFO", bbrInfo()},
		{17, "INET_DIAG_CLASS_ID", aU32},
		{18, "INET_DIAG_MD5SIG", listOf(md5sig)},
		{19, "INET_DIAG_ULP_INFO", attrsULP()},
		{20, "INET_DIAG_SK_BPF_STORAGES", attrsBPFStorages},
		{21, "INET_DIAG_CGROUP_ID", aU64},
		{22, "INET_DIAG_SOCKOPT", diagSockopt},
	}}
})

var attrsInetDiagReq = lazily(func() *attrSet {
	return &attrSet{unknown: "INET_DIAG_REQ_???", attrs: []attr{
		{0, "INET_DIAG_REQ_NONE", nil},
		{1, "INET_DIAG_REQ_BYTECODE", bytecode},
		{2, "INET_DIAG_REQ_SK_BPF_STORAGES", nil},
		{3, "INET_DIAG_REQ_PROTOCOL", ipProto()},
	}}
})

var attrsULP = lazily(func() *attrSet {
	return &attrSet{unknown: "INET_ULP_INFO_???", attrs: []attr{
		{0, "INET_ULP_INFO_UNSPEC", nil},
		{1, "INET_ULP_INFO_NAME", nlText},
		{2, "INET_ULP_INFO_TLS", attrsULPTLS()},
		{3, "INET_ULP_INFO_MPTCP", attrsULPMPTCP()},
	}}
})

var attrsULPTLS = lazily(func() *attrSet {
	return &attrSet{unknown: "TLS_INFO_???", attrs: []attr{
		{0, "TLS_INFO_UNSPEC", nil},
		{1, "TLS_INFO_VERSION", upTo8(en("", 2, setTLSVersions))},
		{2, "TLS_INFO_CIPHER", upTo8(en("", 2, setTLSCiphers))},
		{3, "TLS_INFO_TXCONF", upTo8(en("", 2, setTLSConfigs))},
		{4, "TLS_INFO_RXCONF", upTo8(en("", 2, setTLSConfigs))},
		{5, "TLS_INFO_ZC_RO_TX", nil},
		{6, "TLS_INFO_RX_NO_PAD", nil},
		{7, "TLS_INFO_TX_MAX_PAYLOAD_LEN", nil},
	}}
})

var attrsULPMPTCP = lazily(func() *attrSet {
	return &attrSet{unknown: "MPTCP_SUBFLOW_ATTR_???", attrs: []attr{
		{0, "MPTCP_SUBFLOW_ATTR_UNSPEC", nil},
		{1, "MPTCP_SUBFLOW_ATTR_TOKEN_REM", aX32},
		{2, "MPTCP_SUBFLOW_ATTR_TOKEN_LOC", aX32},
		{3, "MPTCP_SUBFLOW_ATTR_RELWRITE_SEQ", aU32},
		{4, "MPTCP_SUBFLOW_ATTR_MAP_SEQ", aU64},
		{5, "MPTCP_SUBFLOW_ATTR_MAP_SFSEQ", aU32},
		{6, "MPTCP_SUBFLOW_ATTR_SSN_OFFSET", aU32},
		{7, "MPTCP_SUBFLOW_ATTR_MAP_DATALEN", aU16},
		{8, "MPTCP_SUBFLOW_ATTR_FLAGS", upTo8(fl("", 4, setSubflowFlags))},
		{9, "MPTCP_SUBFLOW_ATTR_ID_REM", aU8},
		{10, "MPTCP_SUBFLOW_ATTR_ID_LOC", aU8},
		{11, "MPTCP_SUBFLOW_ATTR_PAD", nil},
	}}
})

var attrsBPFStorages = &attrSet{unknown: "SK_DIAG_BPF_STORAGE_???", attrs: []attr{
	{0, "SK_DIAG_BPF_STORAGE_REP_NONE", nil},
	{1, "SK_DIAG_BPF_STORAGE", attrsBPFStorage},
}}

var attrsBPFStorage = &attrSet{unknown: "SK_DIAG_BPF_STORAGE_???", attrs: []attr{
	{0, "SK_DIAG_BPF_STORAGE_NONE", nil},
	{1, "SK_DIAG_BPF_STORAGE_PAD", nil},
	{2, "SK_DIAG_BPF_STORAGE_MAP_ID", aU32},
	{3, "SK_DIAG_BPF_STORAGE_MAP_VALUE", nlHex},
}}

// sockID is struct inet_diag_sockid. Its addresses are of the family in the
// message's header.
var sockID = lazily(func() *cstruct {
	return newRecord(
		port("idiag_sport"),
		port("idiag_dport"),
		inetAny("idiag_src"),
		inetAny("idiag_dst"),
		ifindex("idiag_if"),
		cookie("idiag_cookie"),
	)
})

var msgInetRequest = lazily(func() *nlMessage {
	return message(attrsInetDiagReq(),
		family("sdiag_family"),
		en("sdiag_protocol", 1, setInetProtocols),
		fl("idiag_ext", 1, setInetDiagExt),
		pad(1),
		fl("idiag_states", 4, setTCPStateFlags),
		sub("id", sockID()),
	)
})

// msgInetRequestOld is what came before: TCPDIAG_GETSOCK.
var msgInetRequestOld = lazily(func() *nlMessage {
	return message(attrsInetDiagReq(),
		family("idiag_family"),
		u8("idiag_src_len"),
		u8("idiag_dst_len"),
		fl("idiag_ext", 1, setInetDiagExt),
		sub("id", sockID()),
		fl("idiag_states", 4, setTCPStateFlags),
		u32("idiag_dbs"),
	)
})

var msgInetAnswer = lazily(func() *nlMessage {
	return message(attrsInetDiag(),
		family("idiag_family"),
		en("idiag_state", 1, setTCPStates),
		u8("idiag_timer"),
		u8("idiag_retrans"),
		sub("id", sockID()),
		u32("idiag_expires"),
		u32("idiag_rqueue"),
		u32("idiag_wqueue"),
		u32("idiag_uid"),
		u32("idiag_inode"),
	)
})

var bytecodeOp = lazily(func() *cstruct {
	return newRecord(
		en("code", 1, setBytecodes),
		u8("yes"),
		u16("no"),
	)
})

// bytecode is an operation of a filter, and what it compares with.
var bytecode payloadFunc = func(p *printer, s span) bool {
	b := s.get(0, bytecodeOp().size)
	switch {
	case s.n < bytecodeOp().size:
		return false
	case b == nil:
		p.ptr(s.addr)
		return true
	}
	p.record(bytecodeOp(), b)
	rest := s.from(bytecodeOp().size)
	if rest.n == 0 {
		return true
	}
	p.str(", ")
	if is := bytecodeData()[b[0]]; is == nil || !is.decode(p, rest) {
		p.hexSpan(rest)
	}
	return true
}

var bytecodeData = lazily(func() map[byte]payload {
	return map[byte]payload{
		2: bytecodeOp(), 3: bytecodeOp(), 4: bytecodeOp(), 5: bytecodeOp(), // ports
		7: hostCond, 8: hostCond, // addresses
		9:  ifindex(""),
		10: newRecord(u32("mark"), u32("mask")),
	}
})

var hostCondHead = lazily(func() *cstruct { return newRecord(family("family"), u8("prefix_len"), u32("port")) })

// hostCond is struct inet_diag_hostcond.
var hostCond payloadFunc = func(p *printer, s span) bool {
	b := s.get(0, 8)
	switch {
	case s.n < 8:
		return false
	case b == nil:
		p.ptr(s.addr)
		return true
	}
	p.str("{")
	p.members(hostCondHead(), b)
	if s.n > 8 {
		p.inetSpan(uint16(b[0]), s.from(8), "addr")
	}
	p.str("}")
	return true
}

var vegasInfo = lazily(func() *cstruct {
	return newRecord(
		u32("tcpv_enabled"),
		u32("tcpv_rttcnt"),
		u32("tcpv_rtt"),
		u32("tcpv_minrtt"),
	)
})

var dctcpInfo = lazily(func() *cstruct {
	return newRecord(
		u16("dctcp_enabled"),
		u16("dctcp_ce_state"),
		u32("dctcp_alpha"),
		u32("dctcp_ab_ecn"),
		u32("dctcp_ab_tot"),
	)
})

var bbrInfo = lazily(func() *cstruct {
	return newRecord(
		x32("bbr_bw_lo"),
		x32("bbr_bw_hi"),
		u32("bbr_min_rtt"),
		u32("bbr_pacing_gain"),
		u32("bbr_cwnd_gain"),
	)
})

// md5sig is struct tcp_diag_md5sig.
var md5sig = part("", 100, func(p *printer, b, _ []byte) {
	p.str("{")
	p.members(md5sigHead(), b)
	p.inet(uint16(b[0]), b[4:20], "tcpm_addr")
	p.field("tcpm_key")
	p.octets(b[20 : 20+min(le16(b, 2), 80)])
	p.str("}")
})

var md5sigHead = lazily(func() *cstruct { return newRecord(family("tcpm_family"), u8("tcpm_prefixlen"), u16("tcpm_keylen")) })

// diagSockopt is bits; those that are zero are left out of the short form.
var diagSockopt payloadFunc = func(p *printer, s span) bool {
	b := s.get(0, 2)
	switch {
	case s.n < 2:
		return false
	case b == nil:
		p.ptr(s.addr)
		return true
	}
	bits := le16(b, 0)
	p.str("{")
	for i, name := range [...]string{
		"recverr", "is_icsk", "freebind", "hdrincl", "mc_loop", "transparent", "mc_all", "nodefrag",
		"bind_address_no_port", "recverr_rfc4884", "defer_connect",
	} {
		if bit := bits >> i & 1; bit != 0 || !p.abbreviated() {
			p.field(name)
			p.uint(bit)
		}
	}
	if rest := bits >> 11; rest != 0 || !p.abbreviated() {
		p.field("unused")
		p.hex(rest)
		p.remark("bits 3..8")
	}
	p.str("}")
	if rest := s.from(2); len(rest.b) < rest.n {
		p.str(", ???")
	} else if !zero(rest.b) {
		p.str(", /* bytes 2..")
		p.int(int64(s.n - 1))
		p.str(" */ ")
		p.hexString(rest.b, rest.n)
	}
	return true
}
