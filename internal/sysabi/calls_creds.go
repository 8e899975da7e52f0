package sysabi

import "culprit/internal/event"

// User and group ids, capabilities.
var callsCreds = lazily(func() []Call {
	return []Call{
		def("getuid", Creds).unsigned(),
		def("geteuid", Creds).unsigned(),
		def("getgid", Creds).unsigned(),
		def("getegid", Creds).unsigned(),
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
		def("getgroups", Creds, num("size"), gidsOut),
		def("setgroups", Creds, num("size"), gidsIn),
		def("capget", Creds, structIn("hdrp", layoutCapHeader), capData(out)),
		def("capset", Creds, structIn("hdrp", layoutCapHeader), capData(in)),
		def("landlock_create_ruleset", Desc, rulesetAttr(), size("size"), flags("flags", setLandlockCreate)).returns(rulesetResult),
		def("landlock_add_rule", Desc, fdArg("ruleset_fd"), enum("rule_type", setLandlockRule), ptr("rule_attr"), flags("flags", setLandlockAdd)).varies(landlockArgs),
		def("landlock_restrict_self", Desc, fdArg("ruleset_fd"), unhex("flags")),
		def("lsm_get_self_attr", Other, enum("attr", setLSMAttr), lsmGet(), lsmSize, flags("flags", setLSMFlags)),
		def("lsm_set_self_attr", Other, enum("attr", setLSMAttr), lsmSet(), unum("size"), unhex("flags")),
		def("lsm_list_modules", Other, lsmIDs, lsmSize, unhex("flags")),
	}
})

var layoutCapHeader = &layout{8, 8, func(p *printer, b []byte) {
	p.str("{version=")
	p.enum(setCapVersion, le32(b, 0))
	p.str(", pid=")
	p.int(i32(b, 4))
	p.str("}")
}, false}

// capData is one struct __user_cap_data_struct, or two where the header says
// version 2 or 3.
func capData(d dir) Arg {
	return shown("datap", d, 12, func(p *printer, v *Value) {
		head := p.fetchAt(p.size(v, 0), layoutCapHeader.size, event.Enter)
		if head == nil {
			p.ptr(v.Uint)
			return
		}
		n := 1
		if v := le32(head, 0); v == 0x20071026 || v == 0x20080522 {
			n = 2
		}
		b := p.fetch(v.Uint, 12*n)
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		b = zeroExtended(b, 24)
		p.str("{")
		for i, n := range [...]string{"effective", "permitted", "inheritable"} {
			p.field(n)
			p.caps(le32(b, 4*i) | le32(b, 12+4*i)<<32)
		}
		p.str("}")
	})
}

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

// Lists of groups, of NGROUPS_MAX at most.
const maxGroups = 65536

func (p *printer) gids(addr, n uint64) {
	if n = uint64(uint32(n)); n > maxGroups {
		p.ptr(addr)
	} else {
		p.array(addr, n, 4, func(b []byte) { p.id(le(b)) })
	}
}

var (
	gidsIn  = shown("list", in, 4, func(p *printer, v *Value) { p.gids(v.Uint, p.size(v, 0)) })
	gidsOut = shown("list", out, 4, func(p *printer, v *Value) { p.gids(v.Uint, uint64(p.s.Ret)) })
)
