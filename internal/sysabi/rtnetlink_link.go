package sysabi

import stdstrings "strings"

// Links: what RTM_NEWLINK and its like have (linux/if_link.h).

var attrsLink = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_???", attrs: []attr{
		{0, "IFLA_UNSPEC", nil},
		{1, "IFLA_ADDRESS", nlHardware},
		{2, "IFLA_BROADCAST", nlHardware},
		{3, "IFLA_IFNAME", nlText},
		{4, "IFLA_MTU", aU32},
		{5, "IFLA_LINK", aU32},
		{6, "IFLA_QDISC", nlText},
		{7, "IFLA_STATS", linkStats()},
		{8, "IFLA_COST", nil},
		{9, "IFLA_PRIORITY", nil},
		{10, "IFLA_MASTER", aU32},
		{11, "IFLA_WIRELESS", nil},
		{12, "IFLA_PROTINFO", byFamily{AFBridge: attrsBridgePort(), AFInet6: attrsInet6Link()}},
		{13, "IFLA_TXQLEN", aU32},
		{14, "IFLA_MAP", ifmap()},
		{15, "IFLA_WEIGHT", aU32},
		{16, "IFLA_OPERSTATE", aU8},
		{17, "IFLA_LINKMODE", aU8},
		{18, "IFLA_LINKINFO", linkInfo},
		{19, "IFLA_NET_NS_PID", aU32},
		{20, "IFLA_IFALIAS", nlText},
		{21, "IFLA_NUM_VF", aU32},
		{22, "IFLA_VFINFO_LIST", attrsVFInfoList()},
		{23, "IFLA_STATS64", linkStats64()},
		{24, "IFLA_VF_PORTS", attrsVFPorts()},
		{25, "IFLA_PORT_SELF", attrsPort()},
		{26, "IFLA_AF_SPEC", linkAFSpec},
		{27, "IFLA_GROUP", aU32},
		{28, "IFLA_NET_NS_FD", fd32("")},
		{29, "IFLA_EXT_MASK", upTo8(fl("", 4, setExtFilter))},
		{30, "IFLA_PROMISCUITY", aU32},
		{31, "IFLA_NUM_TX_QUEUES", aU32},
		{32, "IFLA_NUM_RX_QUEUES", aU32},
		{33, "IFLA_CARRIER", aU8},
		{34, "IFLA_PHYS_PORT_ID", nil},
		{35, "IFLA_CARRIER_CHANGES", aU32},
		{36, "IFLA_PHYS_SWITCH_ID", nil},
		{37, "IFLA_LINK_NETNSID", aS32},
		{38, "IFLA_PHYS_PORT_NAME", nlText},
		{39, "IFLA_PROTO_DOWN", aU8},
		{40, "IFLA_GSO_MAX_SEGS", aU32},
		{41, "IFLA_GSO_MAX_SIZE", aU32},
		{42, "IFLA_PAD", nil},
		{43, "IFLA_XDP", attrsXDP()},
		{44, "IFLA_EVENT", en("", 4, setLinkEvents)},
		{45, "IFLA_NEW_NETNSID", aS32},
		{46, "IFLA_IF_NETNSID", aS32},
		{47, "IFLA_CARRIER_UP_COUNT", aU32},
		{48, "IFLA_CARRIER_DOWN_COUNT", aU32},
		{49, "IFLA_NEW_IFINDEX", ifindex("")},
		{50, "IFLA_MIN_MTU", aU32},
		{51, "IFLA_MAX_MTU", aU32},
		{52, "IFLA_PROP_LIST", linkProperties},
		{53, "IFLA_ALT_IFNAME", nlText},
		{54, "IFLA_PERM_ADDRESS", nlHardware},
		{55, "IFLA_PROTO_DOWN_REASON", attrsProtoDown},
		{56, "IFLA_PARENT_DEV_NAME", nlText},
		{57, "IFLA_PARENT_DEV_BUS_NAME", nlText},
		{58, "IFLA_GRO_MAX_SIZE", aU32},
		{59, "IFLA_TSO_MAX_SIZE", aU32},
		{60, "IFLA_TSO_MAX_SEGS", aU32},
		{61, "IFLA_ALLMULTI", aU32},
		{62, "IFLA_DEVLINK_PORT", aU32},
		{63, "IFLA_GSO_IPV4_MAX_SIZE", aU32},
		{64, "IFLA_GRO_IPV4_MAX_SIZE", aU32},
		{65, "IFLA_DPLL_PIN", nil},
		{66, "IFLA_MAX_PACING_OFFLOAD_HORIZON", aU64},
		{67, "IFLA_NETNS_IMMUTABLE", aU8},
		{68, "IFLA_HEADROOM", aU16},
		{69, "IFLA_TAILROOM", aU16},
	}}
})

var attrsLinkInfo = &attrSet{unknown: "IFLA_INFO_???", attrs: []attr{
	{0, "IFLA_INFO_UNSPEC", nil},
	{1, "IFLA_INFO_KIND", linkKind},
	{2, "IFLA_INFO_DATA", linkData},
	{3, "IFLA_INFO_XSTATS", linkXstats},
	{4, "IFLA_INFO_SLAVE_KIND", linkSlaveKind},
	{5, "IFLA_INFO_SLAVE_DATA", linkSlaveData},
}}

var attrsInetLink = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_INET_???", attrs: []attr{
		{0, "IFLA_INET_UNSPEC", nil},
		{1, "IFLA_INET_CONF", indexed(s32(""), setInetConf)},
	}}
})

var attrsInet6Link = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_INET6_???", attrs: []attr{
		{0, "IFLA_INET6_UNSPEC", nil},
		{1, "IFLA_INET6_FLAGS", upTo8(fl("", 4, setInet6Flags))},
		{2, "IFLA_INET6_CONF", indexed(s32(""), setInet6Conf)},
		{3, "IFLA_INET6_STATS", indexed(u64(""), setIPStats)},
		{4, "IFLA_INET6_MCAST", nil},
		{5, "IFLA_INET6_CACHEINFO", linkCacheInfo()},
		{6, "IFLA_INET6_ICMP6STATS", indexed(u64(""), setICMP6Stats)},
		{7, "IFLA_INET6_TOKEN", inet6("")},
		{8, "IFLA_INET6_ADDR_GEN_MODE", upTo8(en("", 1, setAddrGenModes))},
		{9, "IFLA_INET6_RA_MTU", aU32},
	}}
})

var attrsMCTPLink = &attrSet{unknown: "IFLA_MCTP_???", attrs: []attr{
	{0, "IFLA_MCTP_UNSPEC", nil},
	{1, "IFLA_MCTP_NET", aU32},
	{2, "IFLA_MCTP_PHYS_BINDING", aX8},
}}

var attrsTun = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_TUN_???", attrs: []attr{
		{0, "IFLA_TUN_UNSPEC", nil},
		{1, "IFLA_TUN_OWNER", id32("")},
		{2, "IFLA_TUN_GROUP", id32("")},
		{3, "IFLA_TUN_TYPE", upTo8(en("", 1, setTunTypes))},
		{4, "IFLA_TUN_PI", aU8},
		{5, "IFLA_TUN_VNET_HDR", aU8},
		{6, "IFLA_TUN_PERSIST", aU8},
		{7, "IFLA_TUN_MULTI_QUEUE", aU8},
		{8, "IFLA_TUN_NUM_QUEUES", aU32},
		{9, "IFLA_TUN_NUM_DISABLED_QUEUES", aU32},
	}}
})

var attrsXDP = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_XDP_???", attrs: []attr{
		{0, "IFLA_XDP_UNSPEC", nil},
		{1, "IFLA_XDP_FD", fd32("")},
		{2, "IFLA_XDP_ATTACHED", upTo8(en("", 1, setXDPAttached))},
		{3, "IFLA_XDP_FLAGS", fl("", 4, setXDPFlags)},
		{4, "IFLA_XDP_PROG_ID", aU32},
		{5, "IFLA_XDP_DRV_PROG_ID", aU32},
		{6, "IFLA_XDP_SKB_PROG_ID", aU32},
		{7, "IFLA_XDP_HW_PROG_ID", aU32},
		{8, "IFLA_XDP_EXPECTED_FD", fd32("")},
	}}
})

var attrsProtoDown = &attrSet{unknown: "IFLA_PROTO_DOWN_REASON_???", attrs: []attr{
	{0, "IFLA_PROTO_DOWN_REASON_UNSPEC", nil},
	{1, "IFLA_PROTO_DOWN_REASON_MASK", aX32},
	{2, "IFLA_PROTO_DOWN_REASON_VALUE", aX32},
}}

var msgLink = lazily(func() *nlMessage {
	return message(attrsLink(),
		family("ifi_family"),
		pad(1),
		en("ifi_type", 2, setArpHardware),
		ifindex("ifi_index"),
		fl("ifi_flags", 4, setIffFlags),
		x32("ifi_change"),
	)
})

// The members of struct rtnl_link_stats and rtnl_link_stats64.
func linkStatsOf(of func(string) field) []field {
	var list []field
	for _, name := range [...]string{
		"rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped",
		"multicast", "collisions", "rx_length_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors",
		"rx_fifo_errors", "rx_missed_errors", "tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors",
		"tx_heartbeat_errors", "tx_window_errors", "rx_compressed", "tx_compressed", "rx_nohandler",
		"rx_otherhost_dropped",
	} {
		list = append(list, of(name))
	}
	return list
}

var (
	linkStats   = lazily(func() payload { return firstOf(linkStatsOf(u32)[:24], 24*4, 23*4) })
	linkStats64 = lazily(func() payload { return firstOf(linkStatsOf(u64), 25*8, 24*8, 23*8) })
)

var ifmap = lazily(func() *cstruct {
	return newRecord(
		x64("mem_start"),
		x64("mem_end"),
		x64("base_addr"),
		u16("irq"),
		u8("dma"),
		u8("port"),
	).packed()
})

var linkCacheInfo = lazily(func() *cstruct {
	return newRecord(
		u32("max_reasm_len"),
		u32("tstamp"),
		u32("reachable_time"),
		u32("retrans_time"),
	)
})

// linkAFSpec is IFLA_AF_SPEC: attributes for each family, but of a bridge its
// own.
var linkAFSpec payloadFunc = func(p *printer, s span) bool {
	if p.nl.af == AFBridge {
		return attrsBridgeAF().decode(p, s)
	}
	return attrsAFSpec().decode(p, s)
}

var attrsAFSpec = lazily(func() *attrSet {
	return &attrSet{names: setFamilies, every: byType{
		AFInet: attrsInetLink(), AFInet6: attrsInet6Link(), AFMCTP: attrsMCTPLink,
	}}
})

// linkProperties is IFLA_PROP_LIST: attributes of links, of which only names
// can stand in it.
var linkProperties payloadFunc = func(p *printer, s span) bool {
	names := &Set{Unknown: p.nl.set.unknown}
	for _, a := range p.nl.set.attrs {
		names.Names = append(names.Names, Name{uint64(a.v), a.name})
	}
	return (&attrSet{names: names, attrs: []attr{{iflaAltName, "IFLA_ALT_IFNAME", nlText}}}).decode(p, s)
}

const iflaAltName = 53

// linkInfo is IFLA_LINKINFO. What the kind's data are depends on the attribute
// with the kind that stands before them.
var linkInfo payloadFunc = func(p *printer, s span) bool {
	p.nl.kind, p.nl.slave = "", ""
	return attrsLinkInfo.decode(p, s)
}

const maxLinkKind = 64

// nlKeep prints a string and keeps it, unless it is too long or doesn't end.
func (p *printer) nlKeep(s span, to *string) bool {
	*to = ""
	if s.n < maxLinkKind && len(s.b) == s.n {
		*to, _, _ = stdstrings.Cut(string(s.b), "\x00")
	}
	p.nlString(s)
	return true
}

var (
	linkKind      payloadFunc = func(p *printer, s span) bool { return p.nlKeep(s, &p.nl.kind) }
	linkSlaveKind payloadFunc = func(p *printer, s span) bool { return p.nlKeep(s, &p.nl.slave) }
)

var linkData payloadFunc = func(p *printer, s span) bool {
	switch p.nl.kind {
	case "bridge":
		return attrsBridge().decode(p, s)
	case "tun":
		return attrsTun().decode(p, s)
	}
	return false
}

var linkXstats payloadFunc = func(p *printer, s span) bool { return p.nl.kind == "can" && canStats().decode(p, s) }

var canStats = lazily(func() *cstruct {
	return newRecord(
		u32("bus_error"),
		u32("error_warning"),
		u32("error_passive"),
		u32("bus_off"),
		u32("arbitration_lost"),
		u32("restarts"),
	)
})

var linkSlaveData payloadFunc = func(p *printer, s span) bool {
	return p.nl.slave == "bridge" && attrsBridgePort().decode(p, s)
}
