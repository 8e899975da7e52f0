package sysabi

// Traffic control (linux/pkt_cls.h, gen_stats.h).

var attrsTC = lazily(func() *attrSet {
	return &attrSet{unknown: "TCA_???", attrs: []attr{
		{0, "TCA_UNSPEC", nil},
		{1, "TCA_KIND", nlText},
		{2, "TCA_OPTIONS", nil},
		{3, "TCA_STATS", tcStats()},
		{4, "TCA_XSTATS", nil},
		{5, "TCA_RATE", tcEstimator()},
		{6, "TCA_FCNT", aU32},
		{7, "TCA_STATS2", attrsTCStats()},
		{8, "TCA_STAB", attrsTCStab()},
		{9, "TCA_PAD", nil},
		{10, "TCA_DUMP_INVISIBLE", nil},
		{11, "TCA_CHAIN", aU32},
		{12, "TCA_HW_OFFLOAD", aU8},
		{13, "TCA_INGRESS_BLOCK", aU32},
		{14, "TCA_EGRESS_BLOCK", aU32},
		{15, "TCA_DUMP_FLAGS", aU32},
		{16, "TCA_EXT_WARN_MSG", nlText},
	}}
})

var attrsTCStats = lazily(func() *attrSet {
	return &attrSet{unknown: "TCA_STATS_???", attrs: []attr{
		{0, "TCA_STATS_UNSPEC", nil},
		{1, "TCA_STATS_BASIC", gnetBasic()},
		{2, "TCA_STATS_RATE_EST", gnetRate()},
		{3, "TCA_STATS_QUEUE", gnetQueue()},
		{4, "TCA_STATS_APP", nil},
		{5, "TCA_STATS_RATE_EST64", gnetRate64()},
		{6, "TCA_STATS_PAD", nil},
		{7, "TCA_STATS_BASIC_HW", gnetBasic()},
		{8, "TCA_STATS_PKT64", aU64},
	}}
})

var attrsTCStab = lazily(func() *attrSet {
	return &attrSet{unknown: "TCA_STAB_???", attrs: []attr{
		{0, "TCA_STAB_UNSPEC", nil},
		{1, "TCA_STAB_BASE", tcSizeSpec()},
		{2, "TCA_STAB_DATA", listOf(u16(""))},
	}}
})

var attrsTCRoot = lazily(func() *attrSet {
	return &attrSet{unknown: "TCA_ROOT_???", attrs: []attr{
		{0, "TCA_ROOT_UNSPEC", nil},
		{1, "TCA_ROOT_TAB", &attrSet{every: attrsTCAction()}},
		{2, "TCA_ROOT_FLAGS", upTo8(fl("", 4, setTCRootFlags))},
		{3, "TCA_ROOT_COUNT", aU32},
		{4, "TCA_ROOT_TIME_DELTA", ticksOf(1000)},
		{5, "TCA_ROOT_EXT_WARN_MSG", nlText},
	}}
})

var attrsTCAction = lazily(func() *attrSet {
	return &attrSet{unknown: "TCA_ACT_???", attrs: []attr{
		{0, "TCA_ACT_UNSPEC", nil},
		{1, "TCA_ACT_KIND", nlText},
		{2, "TCA_ACT_OPTIONS", nil},
		{3, "TCA_ACT_INDEX", aU32},
		{4, "TCA_ACT_STATS", attrsTCStats()},
		{5, "TCA_ACT_PAD", nil},
		{6, "TCA_ACT_COOKIE", nil},
		{7, "TCA_ACT_FLAGS", upTo8(fl("", 4, setTCActFlags))},
		{8, "TCA_ACT_HW_STATS", upTo8(fl("", 4, setTCActHW))},
		{9, "TCA_ACT_USED_HW_STATS", upTo8(fl("", 4, setTCActHW))},
		{10, "TCA_ACT_IN_HW_COUNT", aU32},
	}}
})

var msgTC = lazily(func() *nlMessage {
	return message(attrsTC(),
		family("tcm_family"),
		pad(3),
		ifindex("tcm_ifindex"),
		u32("tcm_handle"),
		u32("tcm_parent"),
		u32("tcm_info"),
	)
})

var tcStats = lazily(func() *cstruct {
	return newRecord(
		u64("bytes"),
		u32("packets"),
		u32("drops"),
		u32("overlimits"),
		u32("bps"),
		u32("pps"),
		u32("qlen"),
		u32("backlog"),
	).packed()
})

var tcEstimator = lazily(func() *cstruct { return newRecord(s8("interval"), u8("ewma_log")) })

var (
	gnetBasic  = lazily(func() *cstruct { return newRecord(u64("bytes"), u32("packets")).packed() })
	gnetRate   = lazily(func() *cstruct { return newRecord(u32("bps"), u32("pps")) })
	gnetRate64 = lazily(func() *cstruct { return newRecord(u64("bps"), u64("pps")) })
	gnetQueue  = lazily(func() *cstruct {
		return newRecord(
			u32("qlen"),
			u32("backlog"),
			u32("drops"),
			u32("requeues"),
			u32("overlimits"),
		)
	})
)

var tcSizeSpec = lazily(func() *cstruct {
	return newRecord(
		u8("cell_log"),
		u8("size_log"),
		s16("cell_align"),
		s32("overhead"),
		u32("linklayer"),
		u32("mpu"),
		u32("mtu"),
		u32("tsize"),
	)
})

var msgTCAction = lazily(func() *nlMessage { return message(attrsTCRoot(), family("tca_family")) })
