package sysabi

// Addresses and neighbours (linux/if_addr.h, linux/neighbour.h), and what the
// kernel tells of its settings for them.

var attrsAddr = lazily(func() *attrSet {
	return &attrSet{unknown: "IFA_???", attrs: []attr{
		{0, "IFA_UNSPEC", nil},
		{1, "IFA_ADDRESS", nlInet},
		{2, "IFA_LOCAL", nlInet},
		{3, "IFA_LABEL", nlText},
		{4, "IFA_BROADCAST", nlInet},
		{5, "IFA_ANYCAST", nlInet},
		{6, "IFA_CACHEINFO", addrCacheInfo()},
		{7, "IFA_MULTICAST", nlInet},
		{8, "IFA_FLAGS", fl("", 4, setIfaFlags)},
		{9, "IFA_RT_PRIORITY", aU32},
		{10, "IFA_TARGET_NETNSID", aS32},
		{11, "IFA_PROTO", nil},
	}}
})

var attrsAddrLabel = &attrSet{unknown: "IFAL_???", attrs: []attr{
	{1, "IFAL_ADDRESS", nlInet},
	{2, "IFAL_LABEL", aU32},
}}

var attrsNeigh = lazily(func() *attrSet {
	return &attrSet{unknown: "NDA_???", attrs: []attr{
		{0, "NDA_UNSPEC", nil},
		{1, "NDA_DST", nlInet},
		{2, "NDA_LLADDR", nlMAC},
		{3, "NDA_CACHEINFO", neighCacheInfo()},
		{4, "NDA_PROBES", aU32},
		{5, "NDA_VLAN", aU16},
		{6, "NDA_PORT", aBE16()},
		{7, "NDA_VNI", aU32},
		{8, "NDA_IFINDEX", ifindex("")},
		{9, "NDA_MASTER", ifindex("")},
		{10, "NDA_LINK_NETNSID", aU32},
		{11, "NDA_SRC_VNI", aU32},
		{12, "NDA_PROTOCOL", ipProto()},
		{13, "NDA_NH_ID", aU32},
		{14, "NDA_FDB_EXT_ATTRS", attrsFDB()},
		{15, "NDA_FLAGS_EXT", upTo8(fl("", 4, setNeighExt))},
		{16, "NDA_NDM_STATE_MASK", upTo8(fl("", 2, setNeighStates))},
		{17, "NDA_NDM_FLAGS_MASK", upTo8(fl("", 1, setNeighFlags))},
	}}
})

var attrsFDB = lazily(func() *attrSet {
	return &attrSet{unknown: "NFEA_???", attrs: []attr{
		{0, "NFEA_UNSPEC", nil},
		{1, "NFEA_ACTIVITY_NOTIFY", upTo8(fl("", 1, setFDBNotify))},
		{2, "NFEA_DONT_REFRESH", nil},
	}}
})

var attrsNeighTable = lazily(func() *attrSet {
	return &attrSet{unknown: "NDTA_???", attrs: []attr{
		{0, "NDTA_UNSPEC", nil},
		{1, "NDTA_NAME", nlText},
		{2, "NDTA_THRESH1", aU32},
		{3, "NDTA_THRESH2", aU32},
		{4, "NDTA_THRESH3", aU32},
		{5, "NDTA_CONFIG", neighTableConfig()},
		{6, "NDTA_PARMS", attrsNeighParms()},
		{7, "NDTA_STATS", neighTableStats()},
		{8, "NDTA_GC_INTERVAL", aU64},
		{9, "NDTA_PAD", nil},
	}}
})

var attrsNeighParms = lazily(func() *attrSet {
	return &attrSet{unknown: "NDTPA_???", attrs: []attr{
		{0, "NDTPA_UNSPEC", nil},
		{1, "NDTPA_IFINDEX", ifindex("")},
		{2, "NDTPA_REFCNT", aU32},
		{3, "NDTPA_REACHABLE_TIME", aU64},
		{4, "NDTPA_BASE_REACHABLE_TIME", aU64},
		{5, "NDTPA_RETRANS_TIME", aU64},
		{6, "NDTPA_GC_STALETIME", aU64},
		{7, "NDTPA_DELAY_PROBE_TIME", aU64},
		{8, "NDTPA_QUEUE_LEN", aU32},
		{9, "NDTPA_APP_PROBES", aU32},
		{10, "NDTPA_UCAST_PROBES", aU32},
		{11, "NDTPA_MCAST_PROBES", aU32},
		{12, "NDTPA_ANYCAST_DELAY", aU64},
		{13, "NDTPA_PROXY_DELAY", aU64},
		{14, "NDTPA_PROXY_QLEN", aU32},
		{15, "NDTPA_LOCKTIME", aU64},
		{16, "NDTPA_QUEUE_LENBYTES", aU32},
		{17, "NDTPA_MCAST_REPROBES", aU32},
		{18, "NDTPA_PAD", nil},
		{19, "NDTPA_INTERVAL_PROBE_TIME_MS", aU64},
	}}
})

var attrsNetconf = lazily(func() *attrSet {
	return &attrSet{unknown: "NETCONFA_???", attrs: []attr{
		{0, "NETCONFA_UNSPEC", nil},
		{1, "NETCONFA_IFINDEX", ifindex("")},
		{2, "NETCONFA_FORWARDING", aS32},
		{3, "NETCONFA_RP_FILTER", aS32},
		{4, "NETCONFA_MC_FORWARDING", aS32},
		{5, "NETCONFA_PROXY_NEIGH", aS32},
		{6, "NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN", aS32},
		{7, "NETCONFA_INPUT", aS32},
		{8, "NETCONFA_BC_FORWARDING", aS32},
		{9, "NETCONFA_FORCE_FORWARDING", aS32},
	}}
})

var attrsNSID = &attrSet{unknown: "NETNSA_???", attrs: []attr{
	{0, "NETNSA_NONE", nil},
	{1, "NETNSA_NSID", aS32},
	{2, "NETNSA_PID", aU32},
	{3, "NETNSA_FD", fd32("")},
	{4, "NETNSA_TARGET_NSID", aS32},
	{5, "NETNSA_CURRENT_NSID", aS32},
}}

var attrsDCB = &attrSet{unknown: "DCB_ATTR_???", attrs: []attr{
	{0, "DCB_ATTR_UNDEFINED", nil},
	{1, "DCB_ATTR_IFNAME", nil},
	{2, "DCB_ATTR_STATE", nil},
	{3, "DCB_ATTR_PFC_STATE", nil},
	{4, "DCB_ATTR_PFC_CFG", nil},
	{5, "DCB_ATTR_NUM_TC", nil},
	{6, "DCB_ATTR_PG_CFG", nil},
	{7, "DCB_ATTR_SET_ALL", nil},
	{8, "DCB_ATTR_PERM_HWADDR", nil},
	{9, "DCB_ATTR_CAP", nil},
	{10, "DCB_ATTR_NUMTCS", nil},
	{11, "DCB_ATTR_BCN", nil},
	{12, "DCB_ATTR_APP", nil},
	{13, "DCB_ATTR_IEEE", nil},
	{14, "DCB_ATTR_DCBX", nil},
	{15, "DCB_ATTR_FEATCFG", nil},
	{16, "DCB_ATTR_CEE", nil},
}}

var msgAddr = lazily(func() *nlMessage {
	return message(attrsAddr(),
		family("ifa_family"),
		u8("ifa_prefixlen"),
		fl("ifa_flags", 1, setIfaFlags),
		en("ifa_scope", 1, setRouteScopes),
		ifindex("ifa_index"),
	)
})

var addrCacheInfo = lazily(func() *cstruct {
	return newRecord(
		u32("ifa_prefered"),
		u32("ifa_valid"),
		u32("cstamp"),
		u32("tstamp"),
	)
})

var msgAddrLabel = lazily(func() *nlMessage {
	return message(attrsAddrLabel,
		family("ifal_family"),
		pad(1),
		u8("ifal_prefixlen"),
		u8("ifal_flags"),
		ifindex("ifal_index"),
		u32("ifal_seq"),
	)
})

var msgNeigh = lazily(func() *nlMessage {
	return message(attrsNeigh(),
		family("ndm_family"),
		pad(3),
		ifindex("ndm_ifindex"),
		fl("ndm_state", 2, setNeighStates),
		fl("ndm_flags", 1, setNeighFlags),
		en("ndm_type", 1, setRouteKinds),
	)
})

var neighCacheInfo = lazily(func() *cstruct {
	return newRecord(
		u32("ndm_confirmed"),
		u32("ndm_used"),
		u32("ndm_updated"),
		u32("ndm_refcnt"),
	)
})

var msgNeighTable = lazily(func() *nlMessage { return message(attrsNeighTable(), family("ndtm_family")) })

var neighTableConfig = lazily(func() *cstruct {
	return newRecord(
		u16("ndtc_key_len"),
		u16("ndtc_entry_size"),
		u32("ndtc_entries"),
		u32("ndtc_last_flush"),
		u32("ndtc_last_rand"),
		u32("ndtc_hash_rnd"),
		z32("ndtc_hash_mask"),
		u32("ndtc_hash_chain_gc"),
		u32("ndtc_proxy_qlen"),
	)
})

var neighTableStats = lazily(func() payload {
	return firstOf([]field{
		u64("ndts_allocs"),
		u64("ndts_destroys"),
		u64("ndts_hash_grows"),
		u64("ndts_res_failed"),
		u64("ndts_lookups"),
		u64("ndts_hits"),
		u64("ndts_rcv_probes_mcast"),
		u64("ndts_rcv_probes_ucast"),
		u64("ndts_periodic_gc_runs"),
		u64("ndts_forced_gc_runs"),
		u64("ndts_table_fulls"),
	}, 11*8, 10*8)
})

var (
	msgNetconf = lazily(func() *nlMessage { return message(attrsNetconf(), family("ncm_family")) })
	msgNSID    = lazily(func() *nlMessage { return message(attrsNSID, family("rtgen_family")) })
	msgDCB     = lazily(func() *nlMessage {
		return message(attrsDCB, family("dcb_family"), en("cmd", 1, setDCBCommands), pad(2))
	})
)
