package sysabi

// Statistics of links (RTM_GETSTATS).

var attrsStats = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_STATS_???", attrs: []attr{
		{0, "IFLA_STATS_UNSPEC", nil},
		{1, "IFLA_STATS_LINK_64", linkStats64()},
		{2, "IFLA_STATS_LINK_XSTATS", attrsXstats()},
		{3, "IFLA_STATS_LINK_XSTATS_SLAVE", attrsXstats()},
		{4, "IFLA_STATS_LINK_OFFLOAD_XSTATS", attrsOffload()},
		{5, "IFLA_STATS_AF_SPEC", &attrSet{names: setFamilies, every: byType{AFMPLS: attrsMPLS()}}},
	}}
})

var attrsXstats = lazily(func() *attrSet {
	return &attrSet{unknown: "LINK_XSTATS_TYPE_???", attrs: []attr{
		{0, "LINK_XSTATS_TYPE_UNSPEC", nil},
		{1, "LINK_XSTATS_TYPE_BRIDGE", attrsBridgeXstats()},
		{2, "LINK_XSTATS_TYPE_BOND", attrsBondXstats},
	}}
})

var attrsBridgeXstats = lazily(func() *attrSet {
	return &attrSet{unknown: "BRIDGE_XSTATS_???", attrs: []attr{
		{0, "BRIDGE_XSTATS_UNSPEC", nil},
		{1, "BRIDGE_XSTATS_VLAN", withRest(bridgeVLANStats())},
		{2, "BRIDGE_XSTATS_MCAST", withRest(bridgeMcastStats())},
		{3, "BRIDGE_XSTATS_PAD", nil},
		{4, "BRIDGE_XSTATS_STP", withRest(bridgeSTPStats())},
	}}
})

var attrsBondXstats = &attrSet{unknown: "BOND_XSTATS_???", attrs: []attr{
	{0, "BOND_XSTATS_UNSPEC", nil},
	{1, "BOND_XSTATS_3AD", attrsBond3AD},
}}

var attrsBond3AD = &attrSet{unknown: "BOND_3AD_STAT_???", attrs: []attr{
	{0, "BOND_3AD_STAT_LACPDU_RX", aU64},
	{1, "BOND_3AD_STAT_LACPDU_TX", aU64},
	{2, "BOND_3AD_STAT_LACPDU_UNKNOWN_RX", aU64},
	{3, "BOND_3AD_STAT_LACPDU_ILLEGAL_RX", aU64},
	{4, "BOND_3AD_STAT_MARKER_RX", aU64},
	{5, "BOND_3AD_STAT_MARKER_TX", aU64},
	{6, "BOND_3AD_STAT_MARKER_RESP_RX", aU64},
	{7, "BOND_3AD_STAT_MARKER_RESP_TX", aU64},
	{8, "BOND_3AD_STAT_MARKER_UNKNOWN_RX", aU64},
	{9, "BOND_3AD_STAT_PAD", nil},
}}

var attrsOffload = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_OFFLOAD_XSTATS_???", attrs: []attr{
		{0, "IFLA_OFFLOAD_XSTATS_UNSPEC", nil},
		{1, "IFLA_OFFLOAD_XSTATS_CPU_HIT", linkStats64()},
	}}
})

var attrsMPLS = lazily(func() *attrSet {
	return &attrSet{unknown: "MPLS_STATS_???", attrs: []attr{
		{0, "MPLS_STATS_UNSPEC", nil},
		{1, "MPLS_STATS_LINK", withRest(mplsStats())},
	}}
})

var msgStats = lazily(func() *nlMessage {
	return message(attrsStats(),
		family("family"),
		x8("pad1").nonzero(),
		x16("pad2").nonzero(),
		ifindex("ifindex"),
		fl("filter_mask", 4, setStatsFilter),
	)
})

var bridgeVLANStats = lazily(func() *cstruct {
	return newRecord(
		u64("rx_bytes"),
		u64("rx_packets"),
		u64("tx_bytes"),
		u64("tx_packets"),
		u16("vid"),
		fl("flags", 2, setBridgeVLAN),
		x32("pad2").nonzero(),
	)
})

// Counters for both directions.
func mcastBoth(name string) field {
	return field{name: name, size: 16, align: 8, show: func(p *printer, b, _ []byte) {
		p.listSpan(u64(""), span{1, 16, b}, 2, setMcastIndexes)
	}}
}

var bridgeMcastStats = lazily(func() *cstruct {
	return newRecord(
		mcastBoth("igmp_v1queries"),
		mcastBoth("igmp_v2queries"),
		mcastBoth("igmp_v3queries"),
		mcastBoth("igmp_leaves"),
		mcastBoth("igmp_v1reports"),
		mcastBoth("igmp_v2reports"),
		mcastBoth("igmp_v3reports"),
		u64("igmp_parse_errors"),
		mcastBoth("mld_v1queries"),
		mcastBoth("mld_v2queries"),
		mcastBoth("mld_leaves"),
		mcastBoth("mld_v1reports"),
		mcastBoth("mld_v2reports"),
		u64("mld_parse_errors"),
		mcastBoth("mcast_bytes"),
		mcastBoth("mcast_packets"),
	)
})

var bridgeSTPStats = lazily(func() *cstruct {
	return newRecord(
		u64("transition_blk"),
		u64("transition_fwd"),
		u64("rx_bpdu"),
		u64("tx_bpdu"),
		u64("rx_tcn"),
		u64("tx_tcn"),
	)
})

var mplsStats = lazily(func() *cstruct {
	return newRecord(
		u64("rx_packets"),
		u64("tx_packets"),
		u64("rx_bytes"),
		u64("tx_bytes"),
		u64("rx_errors"),
		u64("tx_errors"),
		u64("rx_dropped"),
		u64("tx_dropped"),
		u64("rx_noroute"),
	)
})
