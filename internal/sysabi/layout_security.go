package sysabi

import "culprit/internal/event"

// Structures of Landlock (landlock_create_ruleset(2)) and of the calls about
// security modules (lsm_get_self_attr(2)).

var ruleset = lazily(func() *cstruct {
	return newRecord(
		f64("handled_access_fs", setLandlockFS), f64("handled_access_net", setLandlockNet), f64("scoped", setLandlockScope),
		f64("quiet_access_fs", setLandlockFS), f64("quiet_access_net", setLandlockNet), f64("quiet_scoped", setLandlockScope),
	)
})

// rulesetAttr is as long as the program says: the structure grew.
var rulesetAttr = lazily(func() Arg {
	return shown("attr", in, 1, func(p *printer, v *Value) {
		size := p.size(v, 1)
		b := p.fetch(v.Uint, int(min(size, uint64(ruleset().size))))
		if size < 8 || b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{")
		p.members(ruleset(), b)
		if size > uint64(ruleset().size) {
			p.str(", ...")
		}
		p.str("}")
	}).sized(1)
})

// rulesetResult: LANDLOCK_CREATE_RULESET_VERSION and ERRATA ask for a number.
func rulesetResult(r *[6]uint64) retKind {
	if r[2]&3 != 0 {
		return retInt
	}
	return retFD
}

var (
	landlockPath = lazily(func() []Arg {
		return landlockWith(given("rule_attr", newRecord(f64("allowed_access", setLandlockFS), fd32("parent_fd")).packed()))
	})
	landlockPort = lazily(func() []Arg {
		return landlockWith(given("rule_attr", newRecord(f64("allowed_access", setLandlockNet), u64("port"))))
	})
	landlockAny = landlockWith(ptr("rule_attr"))
)

func landlockWith(attr Arg) []Arg {
	return []Arg{fdArg("ruleset_fd"), enum("rule_type", setLandlockRule), attr, flags("flags", setLandlockAdd)}
}

func landlockArgs(r *[6]uint64) []Arg {
	switch uint32(r[1]) {
	case 1: // LANDLOCK_RULE_PATH_BENEATH
		return landlockPath()
	case 2: // LANDLOCK_RULE_NET_PORT
		return landlockPort()
	}
	return landlockAny
}

// struct lsm_ctx: a head, and behind it ctx_len bytes of context.
const lsmSingle = 1 // LSM_FLAG_SINGLE

var lsmCtx = lazily(func() *cstruct {
	return newRecord(en("id", 8, &Set{Names: setLSMIDs.Names}), x64("flags"), u64("len"), u64("ctx_len"))
})

func (p *printer) lsmContext(b []byte, addr, room uint64) {
	p.str("{")
	p.members(lsmCtx(), b)
	msg := min(uint64(uint32(le64(b, 16))), room)
	if n := min(uint64(uint32(le64(b, 24))), msg-min(msg, 32)); n > 0 {
		p.field("ctx")
		p.hexAt(addr+32, n)
	}
	p.str("}")
}

// lsmContexts prints contexts that follow on each other in room bytes.
func (p *printer) lsmContexts(addr, room uint64) {
	for i := 0; ; i++ {
		var b []byte
		if room >= 32 {
			b = p.fetch(addr, 32)
		}
		switch {
		case b == nil && i == 0:
			p.ptr(addr)
			return
		case b == nil:
			p.str("... /* ")
			p.hex(addr)
			p.str(" */]")
			return
		case i >= p.opt.strLen() && !p.opt.Verbose:
			p.str("...]")
			return
		case i == 0:
			p.str("[")
		}
		p.lsmContext(b, addr, room)
		n := le64(b, 16)
		if n < 32 || n >= room || addr+n <= addr {
			break
		}
		addr, room = addr+n, uint64(uint32(room-n))
		p.str(", ")
	}
	p.str("]")
}

var (
	// With LSM_FLAG_SINGLE the program says which module it asks for.
	lsmGet = lazily(func() Arg {
		return shown("ctx", in, lsmCtx().size, func(p *printer, v *Value) {
			_, ok := p.number(p.size(v, 2), 4)
			single := v.s.Args[3]&lsmSingle != 0
			b := p.fetch(v.Uint, 32)
			switch {
			case !ok || single && b == nil:
				p.ptr(v.Uint)
			case single:
				p.str("{id=")
				p.enum(lsmIDNames(), le64(b, 0))
				p.str("}")
			}
		}).twice(func(p *printer, v *Value) {
			single := v.s.Args[3]&lsmSingle != 0
			if p.fetchAt(p.size(v, 2), 4, event.Enter) == nil || single && p.fetchAt(v.Uint, 32, event.Enter) == nil {
				return
			}
			size := p.fetchAt(p.size(v, 2), 4, event.Leave)
			if size == nil {
				if !single {
					p.ptr(v.Uint)
				}
				return
			}
			if single {
				p.str(" => ")
			}
			p.lsmContexts(v.Uint, le(size))
		})
	})
	lsmIDNames = lazily(func() *Set { return &Set{Names: setLSMIDs.Names} })

	lsmSet = lazily(func() Arg {
		return shown("ctx", in, lsmCtx().size, func(p *printer, v *Value) {
			room := uint64(uint32(v.s.Args[2]))
			if b := p.fetch(v.Uint, 32); room >= 32 && b != nil {
				p.lsmContext(b, v.Uint, room)
			} else {
				p.ptr(v.Uint)
			}
		})
	})

	// lsmSize points to a number that the kernel changes.
	lsmSize = shown("size", in|out, 4, func(p *printer, v *Value) {
		was, now := p.fetchAt(v.Uint, 4, event.Enter), p.fetchAt(v.Uint, 4, event.Leave)
		if was == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("[")
		p.uint(le(was))
		if now != nil && le(now) != le(was) {
			p.str(" => ")
			p.uint(le(now))
		}
		p.str("]")
	})

	lsmIDs = shown("ids", out, 8, func(p *printer, v *Value) {
		if p.fetch(p.size(v, 1), 4) == nil { // how many there may be
			p.ptr(v.Uint)
			return
		}
		p.array(v.Uint, uint64(p.s.Ret), 8, func(b []byte) { p.enum(setLSMIDs, le(b)) })
	})
)

// Constants of these calls.
var (
	setLandlockAdd = &Set{"LANDLOCK_ADD_RULE_???", []Name{
		{1, "LANDLOCK_ADD_RULE_QUIET"},
	}}
	setLSMIDs = &Set{"LSM_ID_???", []Name{
		{0, "LSM_ID_UNDEF"}, {0x64, "LSM_ID_CAPABILITY"}, {0x65, "LSM_ID_SELINUX"}, {0x66, "LSM_ID_SMACK"},
		{0x67, "LSM_ID_TOMOYO"}, {0x68, "LSM_ID_APPARMOR"}, {0x69, "LSM_ID_YAMA"}, {0x6a, "LSM_ID_LOADPIN"},
		{0x6b, "LSM_ID_SAFESETID"}, {0x6c, "LSM_ID_LOCKDOWN"}, {0x6d, "LSM_ID_BPF"}, {0x6e, "LSM_ID_LANDLOCK"},
		{0x6f, "LSM_ID_IMA"}, {0x70, "LSM_ID_EVM"}, {0x71, "LSM_ID_IPE"},
	}}
)
