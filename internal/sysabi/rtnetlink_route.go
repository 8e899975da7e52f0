package sysabi

// Routes, rules and next hops (linux/rtnetlink.h, fib_rules.h, nexthop.h).

var attrsRoute = lazily(func() *attrSet {
	return &attrSet{unknown: "RTA_???", attrs: []attr{
		{0, "RTA_UNSPEC", nil},
		{1, "RTA_DST", nlInet},
		{2, "RTA_SRC", nlInet},
		{3, "RTA_IIF", ifindex("")},
		{4, "RTA_OIF", ifindex("")},
		{5, "RTA_GATEWAY", nlInet},
		{6, "RTA_PRIORITY", aU32},
		{7, "RTA_PREFSRC", nlInet},
		{8, "RTA_METRICS", attrsMetrics},
		{9, "RTA_MULTIPATH", multipath},
		{10, "RTA_PROTOINFO", aU32},
		{11, "RTA_FLOW", aU32},
		{12, "RTA_CACHEINFO", routeCacheInfo()},
		{13, "RTA_SESSION", nil},
		{14, "RTA_MP_ALGO", aU32},
		{15, "RTA_TABLE", en("", 4, setRouteTables)},
		{16, "RTA_MARK", aU32},
		{17, "RTA_MFC_STATS", mfcStats()},
		{18, "RTA_VIA", routeVia},
		{19, "RTA_NEWDST", nlInet},
		{20, "RTA_PREF", aU8},
		{21, "RTA_ENCAP_TYPE", en("", 2, setLWTunnels)},
		{22, "RTA_ENCAP", nil},
		{23, "RTA_EXPIRES", aU64},
		{24, "RTA_PAD", nil},
		{25, "RTA_UID", aU32},
		{26, "RTA_TTL_PROPAGATE", aU8},
		{27, "RTA_IP_PROTO", aU8},
		{28, "RTA_SPORT", aU16},
		{29, "RTA_DPORT", aU16},
		{30, "RTA_NH_ID", aU32},
		{31, "RTA_FLOWLABEL", aBE32()},
	}}
})

var attrsMetrics = &attrSet{unknown: "RTAX_???", attrs: []attr{
	{0, "RTAX_UNSPEC", nil},
	{1, "RTAX_LOCK", aU32},
	{2, "RTAX_MTU", aU32},
	{3, "RTAX_WINDOW", aU32},
	{4, "RTAX_RTT", aU32},
	{5, "RTAX_RTTVAR", aU32},
	{6, "RTAX_SSTHRESH", aU32},
	{7, "RTAX_CWND", aU32},
	{8, "RTAX_ADVMSS", aU32},
	{9, "RTAX_REORDERING", aU32},
	{10, "RTAX_HOPLIMIT", aU32},
	{11, "RTAX_INITCWND", aU32},
	{12, "RTAX_FEATURES", aU32},
	{13, "RTAX_RTO_MIN", aU32},
	{14, "RTAX_INITRWND", aU32},
	{15, "RTAX_QUICKACK", aU32},
	{16, "RTAX_CC_ALGO", nlText},
	{17, "RTAX_FASTOPEN_NO_COOKIE", nil},
}}

var attrsRule = lazily(func() *attrSet {
	return &attrSet{unknown: "FRA_???", attrs: []attr{
		{0, "FRA_UNSPEC", nil},
		{1, "FRA_DST", nlInet},
		{2, "FRA_SRC", nlInet},
		{3, "FRA_IIFNAME", nlText},
		{4, "FRA_GOTO", aU32},
		{5, "FRA_UNUSED2", nil},
		{6, "FRA_PRIORITY", aU32},
		{7, "FRA_UNUSED3", nil},
		{8, "FRA_UNUSED4", nil},
		{9, "FRA_UNUSED5", nil},
		{10, "FRA_FWMARK", aU32},
		{11, "FRA_FLOW", aU32},
		{12, "FRA_TUN_ID", aBE64()},
		{13, "FRA_SUPPRESS_IFGROUP", aU32},
		{14, "FRA_SUPPRESS_PREFIXLEN", aU32},
		{15, "FRA_TABLE", en("", 4, setRouteTables)},
		{16, "FRA_FWMASK", aU32},
		{17, "FRA_OIFNAME", nlText},
		{18, "FRA_PAD", nil},
		{19, "FRA_L3MDEV", aU8},
		{20, "FRA_UID_RANGE", newRecord(u32("start"), u32("end"))},
		{21, "FRA_PROTOCOL", en("", 1, setRouteProtocols)},
		{22, "FRA_IP_PROTO", ipProto()},
		{23, "FRA_SPORT_RANGE", newRecord(u16("start"), u16("end"))},
		{24, "FRA_DPORT_RANGE", newRecord(u16("start"), u16("end"))},
		{25, "FRA_DSCP", aU8},
		{26, "FRA_FLOWLABEL", aBE32()},
		{27, "FRA_FLOWLABEL_MASK", aBE32()},
		{28, "FRA_SPORT_MASK", aX16},
		{29, "FRA_DPORT_MASK", aX16},
		{30, "FRA_DSCP_MASK", aX8},
	}}
})

var attrsNexthop = lazily(func() *attrSet {
	return &attrSet{unknown: "NHA_???", attrs: []attr{
		{0, "NHA_UNSPEC", nil},
		{1, "NHA_ID", aU32},
		{2, "NHA_GROUP", listOf(sub("", nexthopGroup()))},
		{3, "NHA_GROUP_TYPE", upTo8(en("", 2, setNexthopGroups))},
		{4, "NHA_BLACKHOLE", aU32},
		{5, "NHA_OIF", ifindex("")},
		{6, "NHA_GATEWAY", nlInet},
		{7, "NHA_ENCAP_TYPE", en("", 2, setLWTunnels)},
		{8, "NHA_ENCAP", nil},
		{9, "NHA_GROUPS", aU32},
		{10, "NHA_MASTER", ifindex("")},
		{11, "NHA_FDB", aU32},
		{12, "NHA_RES_GROUP", attrsResGroup()},
		{13, "NHA_RES_BUCKET", attrsResBucket()},
	}}
})

var attrsResGroup = lazily(func() *attrSet {
	return &attrSet{unknown: "NHA_RES_GROUP_???", attrs: []attr{
		{0, "NHA_RES_GROUP_PAD", nil},
		{1, "NHA_RES_GROUP_BUCKETS", aU16},
		{2, "NHA_RES_GROUP_IDLE_TIMER", nlTicks()},
		{3, "NHA_RES_GROUP_UNBALANCED_TIMER", nlTicks()},
		{4, "NHA_RES_GROUP_UNBALANCED_TIME", nlTicks()},
	}}
})

var attrsResBucket = lazily(func() *attrSet {
	return &attrSet{unknown: "NHA_RES_BUCKET_???", attrs: []attr{
		{0, "NHA_RES_BUCKET_PAD", nil},
		{1, "NHA_RES_BUCKET_INDEX", aU16},
		{2, "NHA_RES_BUCKET_IDLE_TIME", nlTicks()},
		{3, "NHA_RES_BUCKET_NH_ID", aU32},
	}}
})

var attrsReport4 = lazily(func() *attrSet {
	return &attrSet{unknown: "IPMRA_CREPORT_???", attrs: []attr{
		{0, "IPMRA_CREPORT_UNSPEC", nil},
		{1, "IPMRA_CREPORT_MSGTYPE", upTo8(en("", 1, setIGMPMessages))},
		{2, "IPMRA_CREPORT_VIF_ID", aU32},
		{3, "IPMRA_CREPORT_SRC_ADDR", inet4("")},
		{4, "IPMRA_CREPORT_DST_ADDR", inet4("")},
		{5, "IPMRA_CREPORT_PKT", nil},
		{6, "IPMRA_CREPORT_TABLE", aU32},
	}}
})

var attrsReport6 = lazily(func() *attrSet {
	return &attrSet{unknown: "IP6MRA_CREPORT_???", attrs: []attr{
		{0, "IP6MRA_CREPORT_UNSPEC", nil},
		{1, "IP6MRA_CREPORT_MSGTYPE", upTo8(en("", 1, setMRT6Messages))},
		{2, "IP6MRA_CREPORT_MIF_ID", aU32},
		{3, "IP6MRA_CREPORT_SRC_ADDR", inet6("")},
		{4, "IP6MRA_CREPORT_DST_ADDR", inet6("")},
		{5, "IP6MRA_CREPORT_PKT", nil},
	}}
})

var msgRoute = lazily(func() *nlMessage {
	return message(attrsRoute(),
		family("rtm_family"),
		u8("rtm_dst_len"),
		u8("rtm_src_len"),
		fl("rtm_tos", 1, setTOS),
		en("rtm_table", 1, setRouteTables),
		en("rtm_protocol", 1, setRouteProtocols),
		en("rtm_scope", 1, setRouteScopes),
		en("rtm_type", 1, setRouteKinds),
		fl("rtm_flags", 4, setRouteFlags),
	)
})

var routeCacheInfo = lazily(func() *cstruct {
	return newRecord(
		u32("rta_clntref"),
		u32("rta_lastuse"),
		u32("rta_expires"),
		u32("rta_error"),
		u32("rta_used"),
		x32("rta_id"),
		u32("rta_ts"),
		u32("rta_tsage"),
	)
})

var mfcStats = lazily(func() *cstruct {
	return newRecord(
		u64("mfcs_packets"),
		u64("mfcs_bytes"),
		u64("mfcs_wrong_if"),
	)
})

// routeVia is struct rtvia: a family and an address of it.
var routeVia payloadFunc = func(p *printer, s span) bool {
	b := s.get(0, 2)
	switch {
	case s.n < 2:
		return false
	case b == nil:
		p.ptr(s.addr)
		return true
	}
	p.str("{rtvia_family=")
	p.enum(setFamilies, le16(b, 0))
	if s.n > 2 {
		p.inetSpan(uint16(le16(b, 0)), s.from(2), "rtvia_addr")
	}
	p.str("}")
	return true
}

var nexthop = lazily(func() *cstruct {
	return newRecord(
		u16("rtnh_len"),
		fl("rtnh_flags", 1, setNexthopFlags),
		u8("rtnh_hops"),
		ifindex("rtnh_ifindex"),
	)
})

// multipath is a list of struct rtnexthop, each with attributes of a route.
var multipath payloadFunc = func(p *printer, s span) bool {
	if s.n < nexthop().size {
		return false
	}
	if p.nlDepth++; p.nlDepth > 8 { // a multipath in a multipath in ...
		p.nlDepth--
		return false
	}
	defer func() { p.nlDepth-- }()
	set, many := p.nl.set, false
	for first := true; ; first = false {
		b := s.get(0, nexthop().size)
		if !first {
			p.str(", ")
		}
		if b == nil {
			p.ptr(s.addr)
			break
		}
		length := int(le16(b, 0))
		if first && length < s.n {
			many = true
			p.str("[")
		}
		length = min(length, s.n)
		attrs := s.upTo(length).from(nexthop().size)
		if attrs.n > 0 {
			p.str("[")
		}
		p.record(nexthop(), b)
		if attrs.n > 0 {
			p.str(", ")
			set.decode(p, attrs)
			p.str("]")
		}
		if length < nlaHeader || align4(length) >= s.n {
			break
		}
		s = s.from(align4(length))
	}
	if many {
		p.str("]")
	}
	return true
}

var msgRule = lazily(func() *nlMessage {
	return message(attrsRule(),
		family("family"),
		u8("dst_len"),
		u8("src_len"),
		fl("tos", 1, setTOS),
		en("table", 1, &Set{"RT_TABLE_???", setRouteTables.Names}),
		pad(2),
		en("action", 1, setRuleActions),
		fl("flags", 4, setRuleFlags),
	)
})

var msgNexthop = lazily(func() *nlMessage {
	return message(attrsNexthop(),
		family("nh_family"),
		en("nh_scope", 1, setRouteScopes),
		en("nh_protocol", 1, setRouteProtocols),
		x8("resvd").nonzero(),
		fl("nh_flags", 4, setNexthopFlags),
	)
})

var nexthopGroup = lazily(func() *cstruct {
	return newRecord(
		u32("id"),
		u8("weight"),
		u8("weight_high"),
		x16("resvd2").nonzero(),
	)
})

// What mrouted gets in place of packets (RTM_NEWCACHEREPORT).
var msgCacheReport = lazily(func() *nlMessage {
	return message(byFamily{128: attrsReport4(), 129: attrsReport6()}, en("rtgen_family", 1, setMrouteFamilies))
})
