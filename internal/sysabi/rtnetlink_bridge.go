package sysabi

// Bridges and their ports (linux/if_bridge.h).

var attrsBridge = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_BR_???", attrs: []attr{
		{0, "IFLA_BR_UNSPEC", nil},
		{1, "IFLA_BR_FORWARD_DELAY", nlTicks()},
		{2, "IFLA_BR_HELLO_TIME", nlTicks()},
		{3, "IFLA_BR_MAX_AGE", nlTicks()},
		{4, "IFLA_BR_AGEING_TIME", nlTicks()},
		{5, "IFLA_BR_STP_STATE", aU32},
		{6, "IFLA_BR_PRIORITY", aU16},
		{7, "IFLA_BR_VLAN_FILTERING", aU8},
		{8, "IFLA_BR_VLAN_PROTOCOL", etherProtocol()},
		{9, "IFLA_BR_GROUP_FWD_MASK", aX16},
		{10, "IFLA_BR_ROOT_ID", bridgeID()},
		{11, "IFLA_BR_BRIDGE_ID", bridgeID()},
		{12, "IFLA_BR_ROOT_PORT", aU16},
		{13, "IFLA_BR_ROOT_PATH_COST", aU32},
		{14, "IFLA_BR_TOPOLOGY_CHANGE", aU8},
		{15, "IFLA_BR_TOPOLOGY_CHANGE_DETECTED", aU8},
		{16, "IFLA_BR_HELLO_TIMER", nlTicks()},
		{17, "IFLA_BR_TCN_TIMER", nlTicks()},
		{18, "IFLA_BR_TOPOLOGY_CHANGE_TIMER", nlTicks()},
		{19, "IFLA_BR_GC_TIMER", nlTicks()},
		{20, "IFLA_BR_GROUP_ADDR", nlMAC},
		{21, "IFLA_BR_FDB_FLUSH", nil},
		{22, "IFLA_BR_MCAST_ROUTER", aU8},
		{23, "IFLA_BR_MCAST_SNOOPING", aU8},
		{24, "IFLA_BR_MCAST_QUERY_USE_IFADDR", aU8},
		{25, "IFLA_BR_MCAST_QUERIER", aU8},
		{26, "IFLA_BR_MCAST_HASH_ELASTICITY", aU32},
		{27, "IFLA_BR_MCAST_HASH_MAX", aU32},
		{28, "IFLA_BR_MCAST_LAST_MEMBER_CNT", aU32},
		{29, "IFLA_BR_MCAST_STARTUP_QUERY_CNT", aU32},
		{30, "IFLA_BR_MCAST_LAST_MEMBER_INTVL", nlTicks()},
		{31, "IFLA_BR_MCAST_MEMBERSHIP_INTVL", nlTicks()},
		{32, "IFLA_BR_MCAST_QUERIER_INTVL", nlTicks()},
		{33, "IFLA_BR_MCAST_QUERY_INTVL", nlTicks()},
		{34, "IFLA_BR_MCAST_QUERY_RESPONSE_INTVL", nlTicks()},
		{35, "IFLA_BR_MCAST_STARTUP_QUERY_INTVL", nlTicks()},
		{36, "IFLA_BR_NF_CALL_IPTABLES", aU8},
		{37, "IFLA_BR_NF_CALL_IP6TABLES", aU8},
		{38, "IFLA_BR_NF_CALL_ARPTABLES", aU8},
		{39, "IFLA_BR_VLAN_DEFAULT_PVID", aU16},
		{40, "IFLA_BR_PAD", nil},
		{41, "IFLA_BR_VLAN_STATS_ENABLED", aU8},
		{42, "IFLA_BR_MCAST_STATS_ENABLED", aU8},
		{43, "IFLA_BR_MCAST_IGMP_VERSION", aU8},
		{44, "IFLA_BR_MCAST_MLD_VERSION", aU8},
		{45, "IFLA_BR_VLAN_STATS_PER_PORT", aU8},
		{46, "IFLA_BR_MULTI_BOOLOPT", boolOptions()},
		{47, "IFLA_BR_MCAST_QUERIER_STATE", attrsBridgeQuerier()},
		{48, "IFLA_BR_FDB_N_LEARNED", aU32},
		{49, "IFLA_BR_FDB_MAX_LEARNED", aU32},
		{50, "IFLA_BR_STP_MODE", upTo8(en("", 4, setSTPModes))},
	}}
})

var attrsBridgePort = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_BRPORT_???", attrs: []attr{
		{0, "IFLA_BRPORT_UNSPEC", nil},
		{1, "IFLA_BRPORT_STATE", aU8},
		{2, "IFLA_BRPORT_PRIORITY", aU16},
		{3, "IFLA_BRPORT_COST", aU32},
		{4, "IFLA_BRPORT_MODE", aU8},
		{5, "IFLA_BRPORT_GUARD", aU8},
		{6, "IFLA_BRPORT_PROTECT", aU8},
		{7, "IFLA_BRPORT_FAST_LEAVE", aU8},
		{8, "IFLA_BRPORT_LEARNING", aU8},
		{9, "IFLA_BRPORT_UNICAST_FLOOD", aU8},
		{10, "IFLA_BRPORT_PROXYARP", aU8},
		{11, "IFLA_BRPORT_LEARNING_SYNC", aU8},
		{12, "IFLA_BRPORT_PROXYARP_WIFI", aU8},
		{13, "IFLA_BRPORT_ROOT_ID", bridgeID()},
		{14, "IFLA_BRPORT_BRIDGE_ID", bridgeID()},
		{15, "IFLA_BRPORT_DESIGNATED_PORT", aU16},
		{16, "IFLA_BRPORT_DESIGNATED_COST", aU16},
		{17, "IFLA_BRPORT_ID", aU16},
		{18, "IFLA_BRPORT_NO", aU16},
		{19, "IFLA_BRPORT_TOPOLOGY_CHANGE_ACK", aU8},
		{20, "IFLA_BRPORT_CONFIG_PENDING", aU8},
		{21, "IFLA_BRPORT_MESSAGE_AGE_TIMER", nlTicks()},
		{22, "IFLA_BRPORT_FORWARD_DELAY_TIMER", nlTicks()},
		{23, "IFLA_BRPORT_HOLD_TIMER", nlTicks()},
		{24, "IFLA_BRPORT_FLUSH", nil},
		{25, "IFLA_BRPORT_MULTICAST_ROUTER", aU8},
		{26, "IFLA_BRPORT_PAD", nil},
		{27, "IFLA_BRPORT_MCAST_FLOOD", aU8},
		{28, "IFLA_BRPORT_MCAST_TO_UCAST", aU8},
		{29, "IFLA_BRPORT_VLAN_TUNNEL", aU8},
		{30, "IFLA_BRPORT_BCAST_FLOOD", aU8},
		{31, "IFLA_BRPORT_GROUP_FWD_MASK", aX16},
		{32, "IFLA_BRPORT_NEIGH_SUPPRESS", aU8},
		{33, "IFLA_BRPORT_ISOLATED", aU8},
		{34, "IFLA_BRPORT_BACKUP_PORT", ifindex("")},
		{35, "IFLA_BRPORT_MRP_RING_OPEN", aU8},
		{36, "IFLA_BRPORT_MRP_IN_OPEN", aU8},
		{37, "IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT", aU32},
		{38, "IFLA_BRPORT_MCAST_EHT_HOSTS_CNT", aU32},
		{39, "IFLA_BRPORT_LOCKED", aU8},
		{40, "IFLA_BRPORT_MAB", aU8},
		{41, "IFLA_BRPORT_MCAST_N_GROUPS", aU32},
		{42, "IFLA_BRPORT_MCAST_MAX_GROUPS", aU32},
		{43, "IFLA_BRPORT_NEIGH_VLAN_SUPPRESS", aU8},
		{44, "IFLA_BRPORT_BACKUP_NHID", aU32},
		{45, "IFLA_BRPORT_NEIGH_FORWARD_GRAT", aU8},
	}}
})

var attrsBridgeQuerier = lazily(func() *attrSet {
	return &attrSet{unknown: "BRIDGE_QUERIER_???", attrs: []attr{
		{0, "BRIDGE_QUERIER_UNSPEC", nil},
		{1, "BRIDGE_QUERIER_IP_ADDRESS", inet4("")},
		{2, "BRIDGE_QUERIER_IP_PORT", ifindex("")},
		{3, "BRIDGE_QUERIER_IP_OTHER_TIMER", nlTicks()},
		{4, "BRIDGE_QUERIER_PAD", nil},
		{5, "BRIDGE_QUERIER_IPV6_ADDRESS", inet6("")},
		{6, "BRIDGE_QUERIER_IPV6_PORT", ifindex("")},
		{7, "BRIDGE_QUERIER_IPV6_OTHER_TIMER", nlTicks()},
	}}
})

var attrsBridgeAF = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_BRIDGE_???", attrs: []attr{
		{0, "IFLA_BRIDGE_FLAGS", upTo8(fl("", 2, setBridgeFlags))},
		{1, "IFLA_BRIDGE_MODE", upTo8(en("", 2, setBridgeModes))},
		{2, "IFLA_BRIDGE_VLAN_INFO", withRest(bridgeVLANInfo())},
		{3, "IFLA_BRIDGE_VLAN_TUNNEL_INFO", attrsVLANTunnel()},
		{4, "IFLA_BRIDGE_MRP", nil},
		{5, "IFLA_BRIDGE_CFM", nil},
		{6, "IFLA_BRIDGE_MST", nil},
	}}
})

var attrsVLANTunnel = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_BRIDGE_VLAN_TUNNEL_???", attrs: []attr{
		{0, "IFLA_BRIDGE_VLAN_TUNNEL_UNSPEC", nil},
		{1, "IFLA_BRIDGE_VLAN_TUNNEL_ID", aU32},
		{2, "IFLA_BRIDGE_VLAN_TUNNEL_VID", aU16},
		{3, "IFLA_BRIDGE_VLAN_TUNNEL_FLAGS", upTo8(fl("", 2, setBridgeVLAN))},
	}}
})

var attrsBridgeMDB = lazily(func() *attrSet {
	return &attrSet{unknown: "MDBA_???", attrs: []attr{
		{0, "MDBA_UNSPEC", nil},
		{1, "MDBA_MDB", attrsMDB()},
		{2, "MDBA_ROUTER", attrsMDBRouter()},
	}}
})

var attrsMDB = lazily(func() *attrSet {
	return &attrSet{unknown: "MDBA_MDB_???", attrs: []attr{
		{0, "MDBA_MDB_UNSPEC", nil},
		{1, "MDBA_MDB_ENTRY", attrsMDBEntry()},
	}}
})

var attrsMDBEntry = lazily(func() *attrSet {
	return &attrSet{unknown: "MDBA_MDB_ENTRY_???", attrs: []attr{
		{0, "MDBA_MDB_ENTRY_UNSPEC", nil},
		{1, "MDBA_MDB_ENTRY_INFO", mdbEntry()},
	}}
})

var attrsMDBEntryMore = lazily(func() *attrSet {
	return &attrSet{unknown: "MDBA_MDB_EATTR_???", attrs: []attr{
		{0, "MDBA_MDB_EATTR_UNSPEC", nil},
		{1, "MDBA_MDB_EATTR_TIMER", nlTicks()},
		{2, "MDBA_MDB_EATTR_SRC_LIST", nil},
		{3, "MDBA_MDB_EATTR_GROUP_MODE", nil},
		{4, "MDBA_MDB_EATTR_SOURCE", nil},
		{5, "MDBA_MDB_EATTR_RTPROT", nil},
		{6, "MDBA_MDB_EATTR_DST", nil},
		{7, "MDBA_MDB_EATTR_DST_PORT", nil},
		{8, "MDBA_MDB_EATTR_VNI", nil},
		{9, "MDBA_MDB_EATTR_IFINDEX", nil},
		{10, "MDBA_MDB_EATTR_SRC_VNI", nil},
	}}
})

var attrsMDBRouter = lazily(func() *attrSet {
	return &attrSet{unknown: "MDBA_ROUTER_???", attrs: []attr{
		{0, "MDBA_ROUTER_UNSPEC", nil},
		{1, "MDBA_ROUTER_PORT", routerPort()},
	}}
})

var attrsRouterPort = lazily(func() *attrSet {
	return &attrSet{unknown: "MDBA_ROUTER_PATTR_???", attrs: []attr{
		{0, "MDBA_ROUTER_PATTR_UNSPEC", nil},
		{1, "MDBA_ROUTER_PATTR_TIMER", nlTicks()},
		{2, "MDBA_ROUTER_PATTR_TYPE", en("", 1, setRouterTypes)},
		{3, "MDBA_ROUTER_PATTR_INET_TIMER", nlTicks()},
		{4, "MDBA_ROUTER_PATTR_INET6_TIMER", nlTicks()},
	}}
})

var bridgeID = lazily(func() *cstruct { return newRecord(u8("prio").list(2), mac("addr", 6)) })

var boolOptions = lazily(func() *cstruct {
	return newRecord(
		fl("optval", 4, setBoolOptions),
		fl("optmask", 4, setBoolOptions),
	)
})

var bridgeVLANInfo = lazily(func() *cstruct { return newRecord(fl("flags", 2, setBridgeVLAN), u16("vid")) })

// Multicast groups of bridges (RTM_GETMDB).
var msgBridgePort = lazily(func() *nlMessage { return message(attrsBridgeMDB(), family("family"), pad(3), ifindex("ifindex")) })

var mdbEntry = lazily(func() payload {
	return withAttrs(sub("", newRecord(
		ifindex("ifindex"),
		en("state", 1, setMDBStates),
		fl("flags", 1, setMDBFlags),
		u16("vid"),
		mdbAddr,
	)), 28, attrsMDBEntryMore())
})

// mdbAddr is an address whose family stands behind it.
var mdbAddr = field{name: "addr", size: 20, align: 4, show: func(p *printer, b, _ []byte) {
	family := uint16(be16At(b, 16))
	p.str("{")
	p.inet(family, b[:16], "u")
	p.field("proto")
	p.str("htons(")
	p.enum(setFamilies, uint64(family))
	p.str(")}")
}}

var routerPort = lazily(func() payload { return withAttrs(ifindex(""), 4, attrsRouterPort()) })
