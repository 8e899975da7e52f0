package sysabi

// Virtual functions and ports of links (linux/if_link.h).

var attrsVFInfoList = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_VF_INFO_???", attrs: []attr{
		{0, "IFLA_VF_INFO_UNSPEC", nil},
		{1, "IFLA_VF_INFO", attrsVFInfo()},
	}}
})

var attrsVFInfo = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_VF_???", attrs: []attr{
		{0, "IFLA_VF_UNSPEC", nil},
		{1, "IFLA_VF_MAC", newRecord(u32("vf"), mac("mac", 32))},
		{2, "IFLA_VF_VLAN", vf("vlan", "qos")},
		{3, "IFLA_VF_TX_RATE", vf("rate")},
		{4, "IFLA_VF_SPOOFCHK", vf("setting")},
		{5, "IFLA_VF_LINK_STATE", newRecord(u32("vf"), en("link_state", 4, setVFLinkStates))},
		{6, "IFLA_VF_RATE", vf("min_tx_rate", "max_tx_rate")},
		{7, "IFLA_VF_RSS_QUERY_EN", vf("setting")},
		{8, "IFLA_VF_STATS", attrsVFStats},
		{9, "IFLA_VF_TRUST", vf("setting")},
		{10, "IFLA_VF_IB_NODE_GUID", vfGUID},
		{11, "IFLA_VF_IB_PORT_GUID", vfGUID},
		{12, "IFLA_VF_VLAN_LIST", attrsVFVLANs()},
		{13, "IFLA_VF_BROADCAST", newRecord(mac("broadcast", 32))},
	}}
})

var attrsVFStats = &attrSet{unknown: "IFLA_VF_STATS_???", attrs: []attr{
	{0, "IFLA_VF_STATS_RX_PACKETS", aU64},
	{1, "IFLA_VF_STATS_TX_PACKETS", aU64},
	{2, "IFLA_VF_STATS_RX_BYTES", aU64},
	{3, "IFLA_VF_STATS_TX_BYTES", aU64},
	{4, "IFLA_VF_STATS_BROADCAST", aU64},
	{5, "IFLA_VF_STATS_MULTICAST", aU64},
	{6, "IFLA_VF_STATS_PAD", nil},
	{7, "IFLA_VF_STATS_RX_DROPPED", aU64},
	{8, "IFLA_VF_STATS_TX_DROPPED", aU64},
}}

var attrsVFVLANs = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_VF_VLAN_INFO_???", attrs: []attr{
		{0, "IFLA_VF_VLAN_INFO_UNSPEC", nil},
		{1, "IFLA_VF_VLAN_INFO", vfVLANInfo()},
	}}
})

var attrsVFPorts = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_VF_PORT_???", attrs: []attr{
		{0, "IFLA_VF_PORT_UNSPEC", nil},
		{1, "IFLA_VF_PORT", attrsPort()},
	}}
})

var attrsPort = lazily(func() *attrSet {
	return &attrSet{unknown: "IFLA_PORT_???", attrs: []attr{
		{0, "IFLA_PORT_UNSPEC", nil},
		{1, "IFLA_PORT_VF", aU32},
		{2, "IFLA_PORT_PROFILE", nlText},
		{3, "IFLA_PORT_VSI_TYPE", portVSI()},
		{4, "IFLA_PORT_INSTANCE_UUID", nil},
		{5, "IFLA_PORT_HOST_UUID", nil},
		{6, "IFLA_PORT_REQUEST", aU8},
		{7, "IFLA_PORT_RESPONSE", aU16},
	}}
})

// vf is a structure that begins with the number of the function.
func vf(names ...string) *cstruct {
	list := []field{u32("vf")}
	for _, n := range names {
		list = append(list, u32(n))
	}
	return newRecord(list...)
}

// vfGUID has its 64 bits aligned on some architectures only.
var vfGUID payloadFunc = func(p *printer, s span) bool {
	switch s.n {
	case 12:
		return newRecord(u32("vf"), x64("guid").aligned(4)).decode(p, s)
	case 16:
		return newRecord(u32("vf"), pad(4), x64("guid")).decode(p, s)
	}
	return false
}

var vfVLANInfo = lazily(func() *cstruct {
	return newRecord(
		u32("vf"),
		u32("vlan"),
		u32("qos"),
		enumSwapped("vlan_proto", setEtherProtocols),
		pad(2),
	)
})

var portVSI = lazily(func() *cstruct {
	return newRecord(
		u8("vsi_mgr_id"),
		octets("vsi_type_id", 3),
		u8("vsi_type_version"),
		octets("pad", 3).nonzero(),
	)
})
