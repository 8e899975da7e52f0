package sysabi

import "culprit/internal/event"

// Trusted execution environments: linux/tee.h. Most requests point to a buffer
// with a structure and parameters behind it.

var (
	teeVersion = lazily(func() *cstruct {
		return structure(
			e32("impl_id", setTEEImplIds), field{name: "impl_caps", size: 4}.shows(func(p *printer) {
				if v := p.get("impl_caps"); p.get("impl_id") == 1 {
					p.flags(setTEEOpteeCaps, v)
				} else {
					p.hex(v)
				}
			}), f32("gen_caps", setTEEGenCaps)).pick("impl_id gen_caps impl_caps")
	})
	teeBuffer  = lazily(func() *cstruct { return structure(a64("buf_ptr"), u64("buf_len")).pick("buf_len buf_ptr") })
	teeCancel  = lazily(func() *cstruct { return structure(u32("cancel_id"), x32("session")) })
	teeClose   = lazily(func() *cstruct { return structure(x32("session")) })
	teeAlloc   = lazily(func() *cstruct { return structure(x64("size"), f32("flags", setTEEShmFlags), s32("id")) })
	teeShareFD = lazily(func() *cstruct { return structure(fd64("fd"), x64("size"), f32("flags", setTEEShmFlags), s32("id")) })
	teeShare   = lazily(func() *cstruct { return structure(a64("addr"), x64("length"), f32("flags", setTEEShmFlags), s32("id")) })

	teeOpen = lazily(func() *cstruct {
		return structure(
			uuid("uuid"), field{name: "clnt_uuid", size: 1, n: 16}.shows(func(p *printer) {
				b := p.memberBytes("clnt_uuid")
				if login := p.get("clnt_login"); login == 2 || login == 6 { // a group's number lies in it
					p.id(le32(b, 0))
				} else {
					x8("").list(16).show(p, b, b)
				}
			}).only(isNot("clnt_login", 0, 1, 4, 5)), e32("clnt_login", setTEELoginTypes), u32("cancel_id"), x32("session"), u32("ret"),
			e32("ret_origin", setTEEOrigins), u32("num_params"), teeParams())
	})
	teeInvoke = lazily(func() *cstruct {
		return structure(
			u32("func"), x32("session"), u32("cancel_id"), u32("ret"), e32("ret_origin", setTEEOrigins), u32("num_params"), teeParams())
	})
	teeRecv = lazily(func() *cstruct { return structure(u32("func"), u32("num_params"), teeParams()) })
	teeSend = lazily(func() *cstruct { return structure(u32("ret"), u32("num_params"), teeParams()) })
)

var teeParams = lazily(func() field {
	return tail("params", func(p *printer) {
		n := p.get("num_params")
		if n == 0 {
			p.str("NULL")
			return
		}
		p.records(teeParam(), p.here(), n, 0)
	})
})

const teeMeta = 0x100 // TEE_IOCTL_PARAM_ATTR_META

// teeParam's numbers mean what the attribute says.
var teeParam = lazily(func() *cstruct {
	return structure(
		field{name: "attr", size: 8}.shows(func(p *printer) {
			v := p.get("attr")
			if p.enum(setTEEParamAttrTypes, v&0xffffffff&^teeMeta); v&teeMeta != 0 {
				p.str("|TEE_IOCTL_PARAM_ATTR_META")
			}
		}),
		x64("a").only(isNot("attr", teeNone...)), x64("shm_offs").overlaid().only(is("attr", 5, 6, 7)),
		x64("buf").overlaid().only(is("attr", 8, 9, 10)), x64("obj_id").overlaid().only(is("attr", 11, 12, 13)),
		x64("b").only(isNot("attr", teeNone...)), x64("size").overlaid().only(is("attr", 5, 6, 7, 8, 9, 10)),
		x64("flags").overlaid().only(is("attr", 11, 12, 13)),
		x64("c").only(isNot("attr", teeNone...)), u64("shm_id").overlaid().only(is("attr", 5, 6, 7)))
})

// teeNone are the attributes whose numbers have names of their own, or none.
var teeNone = []uint64{0, 5, 6, 7, 8, 9, 10, 11, 12, 13}

// teeArgs is a buffer with a structure r, of which one part is given and one
// filled: "{buf_len=..., buf_ptr={given} => {filled}}". When the lengths don't
// fit only the buffer's address is printed.
func teeArgs(r *cstruct, given, filled string) []Arg {
	const most = 1024
	// inside returns the structure, nil when it is not there or not of that size.
	inside := func(p *printer, v *Value, at event.Phase) (b []byte, addr, size uint64) {
		q := p.fetchAt(v.Uint, 16, at)
		if q == nil {
			return nil, 0, 0
		}
		addr, size = le64(q, 0), le64(q, 8)
		if size > most || size < uint64(r.size) {
			return nil, addr, size
		}
		b = p.fetchAt(addr, r.size, at)
		if n := uint64(0); b != nil && at == event.Enter {
			n = le32(b, r.member("num_params").at)
			if uint64(r.size)+32*n != size {
				return nil, addr, size
			}
		}
		return b, addr, size
	}
	first, second := r.pick(given), r.pick(filled)
	return ioctlWith(recordArg(teeBuffer(), in, func(p *printer, v *Value) {
		b, addr, size := inside(p, v, event.Enter)
		if b == nil {
			p.recordAt(teeBuffer(), v.Uint)
			return
		}
		p.str("{buf_len=")
		p.uint(size)
		p.str(", buf_ptr={")
		p.membersAt(first, b, addr)
		p.str("}")
	}).twice(func(p *printer, v *Value) {
		if b, _, _ := inside(p, v, event.Enter); b == nil {
			return
		}
		if p.nothing() {
			p.str("}")
			return
		}
		p.str(" => ")
		b, addr, _ := inside(p, v, event.Leave)
		if b == nil {
			p.recordAt(teeBuffer(), v.Uint)
			return
		}
		p.str("{")
		p.membersAt(second, b, addr)
		p.str("}}")
	}))
}

var ioctlsTEE = lazily(func() []request {
	return []request{
		{names: "TEE_IOC_VERSION", args: fills(teeVersion())},
		{names: "TEE_IOC_OPEN_SESSION", args: teeArgs(teeOpen(), "uuid clnt_login clnt_uuid cancel_id num_params params", "session ret ret_origin params")},
		{names: "TEE_IOC_INVOKE", args: teeArgs(teeInvoke(), "func session cancel_id num_params params", "ret ret_origin params")},
		{names: "TEE_IOC_CANCEL", args: gives(teeCancel())},
		{names: "TEE_IOC_CLOSE_SESSION", args: gives(teeClose())},
		{names: "TEE_IOC_SUPPL_RECV", args: teeArgs(teeRecv(), "func num_params params", "num_params params")},
		{names: "TEE_IOC_SUPPL_SEND", args: teeArgs(teeSend(), "num_params params", "ret params")},
		{names: "TEE_IOC_SHM_ALLOC", args: becomes(teeAlloc(), "size flags", "size flags id")},
		{names: "TEE_IOC_SHM_REGISTER_FD", args: becomes(teeShareFD(), "fd flags", "size id")},
		{names: "TEE_IOC_SHM_REGISTER", args: becomes(teeShare(), "addr length flags", "length flags id")},
	}
})
