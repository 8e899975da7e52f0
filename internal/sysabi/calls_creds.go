package sysabi

// User and group ids, capabilities.
var callsCreds = []Call{
	def("getuid", Creds).never(),
	def("geteuid", Creds).never(),
	def("getgid", Creds).never(),
	def("getegid", Creds).never(),
	def("setuid", Creds, idArg("uid")),
	def("setgid", Creds, idArg("gid")),
	def("setreuid", Creds, idArg("ruid"), idArg("euid")),
	def("setregid", Creds, idArg("rgid"), idArg("egid")),
	def("setresuid", Creds, idArg("ruid"), idArg("euid"), idArg("suid")),
	def("setresgid", Creds, idArg("rgid"), idArg("egid"), idArg("sgid")),
	def("getresuid", Creds, structOut("ruid", layoutID), structOut("euid", layoutID), structOut("suid", layoutID)),
	def("getresgid", Creds, structOut("rgid", layoutID), structOut("egid", layoutID), structOut("sgid", layoutID)),
	def("setfsuid", Creds, idArg("fsuid")).never(),
	def("setfsgid", Creds, idArg("fsgid")).never(),
	def("getgroups", Creds, num("size"), arrayOut("list", layoutU)),
	def("setgroups", Creds, size("size"), arrayIn("list", layoutU, 0)),
	def("capget", Creds, structIn("hdrp", layoutCapHeader), structOut("datap", layoutCapData)),
	def("capset", Creds, structIn("hdrp", layoutCapHeader), structIn("datap", layoutCapData)),
	def("landlock_create_ruleset", Desc, structIn("attr", layoutRuleset), size("size"), flags("flags", setLandlockCreate)).retFD().varies(rulesetArgs),
	def("landlock_add_rule", Desc, fdArg("ruleset_fd"), enum("rule_type", setLandlockRule), ptr("rule_attr"), hex("flags")),
	def("landlock_restrict_self", Desc, fdArg("ruleset_fd"), flags("flags", setNoFlags)),
	def("lsm_get_self_attr", Other, enum("attr", setLSMAttr), ptr("ctx"), ptr("size"), flags("flags", setLSMFlags)),
	def("lsm_set_self_attr", Other, enum("attr", setLSMAttr), ptr("ctx"), unum("size"), hex("flags")),
	def("lsm_list_modules", Other, ptr("ids"), ptr("size"), hex("flags")),
	def("add_key", Other, str("type"), str("description"), bufIn("payload", 3), size("plen"), enum("keyring", setKeySpec)),
	def("request_key", Other, str("type"), str("description"), str("callout_info"), enum("dest_keyring", setKeySpec)),
	def("keyctl", Other, enum("operation", setKeyctl), hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")),
}

var layoutCapHeader = &layout{8, 8, func(p *printer, b []byte) {
	p.str("{version=")
	p.enum(setCapVersion, le32(b, 0))
	p.str(", pid=")
	p.int(i32(b, 4))
	p.str("}")
}, false}

// Two struct __user_cap_data_struct, as version 3 has them.
var layoutCapData = &layout{24, 24, func(p *printer, b []byte) {
	p.str("{")
	for i, n := range [...]string{"effective", "permitted", "inheritable"} {
		p.field(n)
		p.caps(le32(b, 4*i) | le32(b, 12+4*i)<<32)
	}
	p.str("}")
}, false}

func (p *printer) caps(v uint64) {
	if v == 0 {
		p.str("0")
		return
	}
	first := true
	for i := range uint64(64) {
		if v&(1<<i) == 0 {
			continue
		}
		if !first {
			p.str("|")
		}
		first = false
		if n := setCaps.Name(i); n != "" {
			p.str("1<<")
			p.str(n)
		} else {
			p.hex(1 << i)
		}
	}
}

var layoutRuleset = &layout{8, 8, func(p *printer, b []byte) {
	p.str("{handled_access_fs=")
	p.flags(setLandlockFS, le64(b, 0))
	p.str("}")
}, false}

var (
	rulesetNone = []Arg{ptr("attr"), size("size"), flags("flags", setLandlockCreate)}
	rulesetFS   = []Arg{structIn("attr", layoutRuleset), size("size"), flags("flags", setLandlockCreate)}
	rulesetNet  = []Arg{structIn("attr", &layout{16, 16, printRuleset, false}), size("size"), flags("flags", setLandlockCreate)}
	rulesetAll  = []Arg{structIn("attr", &layout{24, 24, printRuleset, false}), size("size"), flags("flags", setLandlockCreate)}
)

// rulesetArgs chooses by the size that the program gives: the structure grew.
func rulesetArgs(r *[6]uint64) []Arg {
	switch {
	case r[1] >= 24:
		return rulesetAll
	case r[1] >= 16:
		return rulesetNet
	case r[1] >= 8:
		return rulesetFS
	}
	return rulesetNone
}

func printRuleset(p *printer, b []byte) {
	p.str("{handled_access_fs=")
	p.flags(setLandlockFS, le64(b, 0))
	p.field("handled_access_net")
	p.flags(setLandlockNet, le64(b, 8))
	if len(b) >= 24 {
		p.field("scoped")
		p.flags(setLandlockScope, le64(b, 16))
	}
	p.str("}")
}
