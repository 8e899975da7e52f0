package sysabi

import stdstrings "strings"

// Generic netlink (linux/genetlink.h): families that have names, and the one
// that tells of them, nlctrl.

var attrsCtrl = lazily(func() *attrSet {
	return &attrSet{unknown: "CTRL_ATTR_???", attrs: []attr{
		{0, "CTRL_ATTR_UNSPEC", nil},
		{1, "CTRL_ATTR_FAMILY_ID", aX16},
		{2, "CTRL_ATTR_FAMILY_NAME", ctrlFamilyName},
		{3, "CTRL_ATTR_VERSION", aU32},
		{4, "CTRL_ATTR_HDRSIZE", aU32},
		{5, "CTRL_ATTR_MAXATTR", aU32},
		{6, "CTRL_ATTR_OPS", ctrlOps()},
		{7, "CTRL_ATTR_MCAST_GROUPS", &attrSet{every: attrsCtrlMcast}},
		{8, "CTRL_ATTR_POLICY", ctrlPolicy()},
		{9, "CTRL_ATTR_OP_POLICY", &attrSet{every: attrsCtrlOpPolicy}},
		{10, "CTRL_ATTR_OP", aU32},
	}}
})

var attrsCtrlOp = lazily(func() *attrSet {
	return &attrSet{unknown: "CTRL_ATTR_OP_???", attrs: []attr{
		{0, "CTRL_ATTR_OP_UNSPEC", nil},
		{1, "CTRL_ATTR_OP_ID", ctrlOpID},
		{2, "CTRL_ATTR_OP_FLAGS", upTo8(fl("", 4, setCtrlOpFlags))},
	}}
})

var attrsCtrlMcast = &attrSet{unknown: "CTRL_ATTR_MCAST_GRP_???", attrs: []attr{
	{0, "CTRL_ATTR_MCAST_GRP_UNSPEC", nil},
	{1, "CTRL_ATTR_MCAST_GRP_NAME", nlText},
	{2, "CTRL_ATTR_MCAST_GRP_ID", aX32},
}}

var attrsCtrlOpPolicy = &attrSet{unknown: "CTRL_ATTR_POLICY_???", attrs: []attr{
	{0, "CTRL_ATTR_POLICY_UNSPEC", nil},
	{1, "CTRL_ATTR_POLICY_DO", aU32},
	{2, "CTRL_ATTR_POLICY_DUMP", aU32},
}}

var attrsCtrlPolicy = lazily(func() *attrSet {
	return &attrSet{unknown: "NL_POLICY_TYPE_ATTR_???", attrs: []attr{
		{0, "NL_POLICY_TYPE_ATTR_UNSPEC", nil},
		{1, "NL_POLICY_TYPE_ATTR_TYPE", upTo8(en("", 4, setNLAttrTypes))},
		{2, "NL_POLICY_TYPE_ATTR_MIN_VALUE_S", aS64},
		{3, "NL_POLICY_TYPE_ATTR_MAX_VALUE_S", aS64},
		{4, "NL_POLICY_TYPE_ATTR_MIN_VALUE_U", aU64},
		{5, "NL_POLICY_TYPE_ATTR_MAX_VALUE_U", aU64},
		{6, "NL_POLICY_TYPE_ATTR_MIN_LENGTH", aU32},
		{7, "NL_POLICY_TYPE_ATTR_MAX_LENGTH", aU32},
		{8, "NL_POLICY_TYPE_ATTR_POLICY_IDX", aX32},
		{9, "NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE", aX32},
		{10, "NL_POLICY_TYPE_ATTR_BITFIELD32_MASK", aX32},
		{11, "NL_POLICY_TYPE_ATTR_PAD", nil},
		{12, "NL_POLICY_TYPE_ATTR_MASK", aX64},
	}}
})

// nlctrlID is the type of messages to nlctrl, the one that is fixed.
const nlctrlID = 0x10

func genericType(p *printer, typ uint16) {
	name := ""
	if p.opt.Generic != nil {
		name = p.opt.Generic(typ)
	}
	if name == "" && typ == nlctrlID {
		name = "nlctrl"
	}
	set := &Set{Unknown: "GENERIC_FAMILY_???"}
	if name != "" {
		set.Names = []Name{{uint64(typ), name}}
	}
	p.enum(set, uint64(typ))
}

func genericBody(p *printer, h nlmsghdr, s span) bool {
	b := s.get(0, 4)
	switch {
	case h.typ == nlmsgDone || s.n < 4:
		return false
	case b == nil:
		p.ptr(s.addr)
		return true
	}
	cmd, attrs := x8("cmd"), attrsAny
	if h.typ == nlctrlID {
		cmd, attrs = en("cmd", 1, setCtrlCommands), attrsCtrl()
	}
	p.record(newRecord(cmd, u8("version"), x16("reserved").nonzero()), b)
	if rest := s.from(4); rest.n > 0 {
		p.str(", ")
		attrs.decode(p, rest)
	}
	return true
}

// ctrlFamilies is the commands that families have, in requests and in answers.
var ctrlFamilies = []struct {
	name     string
	commands [2]*Set
}{
	{"nlctrl", [2]*Set{setCtrlCommands, setCtrlCommands}},
	{"devlink", [2]*Set{setDevlinkCommands, setDevlinkCommands}},
	{"ethtool", [2]*Set{setEthtoolRequests, setEthtoolAnswers}},
	{"IOAM6", [2]*Set{setIOAM6Commands, setIOAM6Commands}},
	{"mptcp_pm", [2]*Set{setMPTCPCommands, setMPTCPCommands}},
	{"netdev", [2]*Set{setNetdevCommands, setNetdevCommands}},
	{"nl80211", [2]*Set{setNL80211Commands, setNL80211Commands}},
	{"SEG6", [2]*Set{setSEG6Commands, setSEG6Commands}},
	{"TASKSTATS", [2]*Set{setTaskstatsCommands, setTaskstatsCommands}},
	{"tcp_metrics", [2]*Set{setTCPMetricsCommands, setTCPMetricsCommands}},
	{"thermal", [2]*Set{setThermalCommands, setThermalCommands}},
}

// ctrlFamilyName is the name of the family that the other attributes are about.
var ctrlFamilyName payloadFunc = func(p *printer, s span) bool {
	if s.n <= 16 && len(s.b) == s.n {
		p.nl.kind, _, _ = stdstrings.Cut(string(s.b), "\x00")
	}
	return nlText(p, s)
}

// ctrlOpID is a command of that family.
var ctrlOpID payloadFunc = func(p *printer, s span) bool {
	answer := 0
	if stdstrings.HasPrefix(p.c.Name, "recv") {
		answer = 1
	}
	set := ctrlFamilies[0].commands[answer]
	for _, f := range ctrlFamilies {
		if f.name == p.nl.kind {
			set = f.commands[answer]
		}
	}
	return upTo8(en("", 4, set)).decode(p, s)
}

// Arrays, whose elements' types are their numbers.
var (
	ctrlOps    = lazily(func() *attrSet { return &attrSet{every: attrsCtrlOp()} })
	ctrlPolicy = lazily(func() *attrSet { return &attrSet{every: &attrSet{every: attrsCtrlPolicy()}} })
)
