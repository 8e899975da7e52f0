package sysabi

// Calls about the address space.
var callsMemory = lazily(func() []Call {
	return []Call{
		def("brk", Memory, ptr("addr")).retHex().never(),
		def("mmap", Desc|Memory, ptr("addr"), size("length"), memProt(), mmapFlags(), num("fd"), hex("offset")).retHex(),
		def("munmap", Memory, ptr("addr"), size("length")),
		def("mprotect", Memory, ptr("addr"), size("len"), memProt()),
		def("pkey_mprotect", Memory, ptr("addr"), size("len"), memProt(), num("pkey")),
		def("pkey_alloc", Other, hex("flags"), flags("access_rights", setPkeyAccess).wide()),
		def("pkey_free", Other, num("pkey")),
		def("mremap", Memory, ptr("old_address"), size("old_size"), size("new_size"), flags("flags", setMremap).wide(), ptr("new_address")).retHex().varies(mremapArgs),
		def("remap_file_pages", Memory, ptr("addr"), size("size"), memProt(), size("pgoff"), mmapFlags()),
		def("madvise", Memory, ptr("addr"), size("length"), enum("advice", setMadvise)),
		def("mincore", Memory, ptr("addr"), size("length"), residency),
		def("msync", Memory, ptr("addr"), size("length"), flags("flags", setMsync)),
		def("mlock", Memory, ptr("addr"), size("len")),
		def("mlock2", Memory, ptr("addr"), size("len"), flags("flags", setMlock)),
		def("munlock", Memory, ptr("addr"), size("len")),
		def("mlockall", Memory, flags("flags", setMlockall)),
		def("munlockall", Memory),
		def("mseal", Memory, ptr("addr"), size("len"), hex("flags")),
		def("map_shadow_stack", Memory, ptr("addr"), size("size"), flags("flags", setShadowStack)).retHex(),
		def("mbind", Memory, ptr("addr"), size("len"), number("mode", showPolicyMode), nodemask("nodemask", in, 4), size("maxnode"), flags("flags", setMbind)),
		def("set_mempolicy", Memory, number("mode", func(p *printer, v uint64) { showPolicyMode(p, uint64(uint32(v))) }), nodemask("nodemask", in, 2), size("maxnode")),
		def("get_mempolicy", Memory, structOut("mode", bracketed(setMpolModes)), nodemask("nodemask", out, 2), size("maxnode"), ptr("addr"), flags("flags", setGetMempolicy).wide()),
		def("set_mempolicy_home_node", Memory, ptr("start"), size("len"), size("home_node"), hex("flags")),
		def("migrate_pages", Memory, pidArg("pid", TGID), size("maxnode"), nodemask("old_nodes", in, 1), nodemask("new_nodes", in, 1)),
		def("move_pages", Memory, pidArg("pid", TGID), size("count"), movedPages, movedTo, movedStatus, flags("flags", setMovePages)),
	}
})

var memProt = lazily(func() Arg { return flags("prot", setProt).wide() })

// mmap's flags: a type in the low four bits, flags above, and there the
// logarithm of the size of huge pages.
var mmapFlags = lazily(func() Arg {
	return number("flags", func(p *printer, v uint64) {
		p.styled(v, func() {
			p.enum(setMmapType, v&0xf)
			huge := v >> hugeShift & hugeMask
			p.b = setMmap.appendMore(p.b, v&^0xf&^uint64(hugeMask<<hugeShift))
			if huge != 0 {
				p.str("|")
				p.uint(huge)
				p.str("<<MAP_HUGE_SHIFT")
			}
		})
	})
})

const hugeShift, hugeMask = 26, 0x3f

var setMmapType = &Set{Unknown: "MAP_???", Names: []Name{
	{0, "MAP_FILE"}, {1, "MAP_SHARED"}, {2, "MAP_PRIVATE"}, {3, "MAP_SHARED_VALIDATE"}, {8, "MAP_DROPPABLE"},
}}

var argsMremap = lazily(func() []Arg {
	return []Arg{ptr("old_address"), size("old_size"), size("new_size"), flags("flags", setMremap).wide(), ptr("new_address")}
})

func mremapArgs(r *[6]uint64) []Arg {
	if r[3]&6 != 0 { // MREMAP_FIXED, MREMAP_DONTUNMAP
		return argsMremap()
	}
	return argsMremap()[:4]
}

// residency is mincore's vector: a byte a page, of which one bit counts.
var residency = shown("vec", out, 1, func(p *printer, v *Value) {
	p.array(v.Uint, (p.size(v, 1)+pageSize-1)/pageSize, 1, func(b []byte) { p.uint(uint64(b[0] & 1)) })
})

// showPolicyMode prints a memory policy's mode (set_mempolicy(2)): an enum with
// flags, only flags where the enum has no name.
func showPolicyMode(p *printer, v uint64) {
	f := v & setMpolFlags.all()
	switch mode := v &^ f; {
	case f == 0:
		p.enum(setMpolModes, v)
	case setMpolModes.Name(mode) == "":
		p.flags(setMpolFlags, v)
	default:
		p.styled(v, func() {
			p.enum(setMpolModes, mode)
			p.b = setMpolFlags.appendMore(p.b, f)
		})
	}
}

// nodemask is a bit mask of as many nodes as register max says, less one.
func nodemask(name string, d dir, max uint8) Arg {
	return shown(name, d, 8, func(p *printer, v *Value) {
		nodes, bits := p.size(v, max), uint64(8*p.word())
		n := (nodes + bits - 2) / bits
		if n < nodes/bits || nodes > 0 && n == 0 {
			p.ptr(v.Uint)
			return
		}
		p.array(v.Uint, n, p.word(), func(b []byte) { p.hexPad(le(b), 2*len(b)) })
	})
}

// What move_pages is given and tells, one each page.
var (
	movedPages  = shown("pages", in, 8, func(p *printer, v *Value) { p.array(v.Uint, p.size(v, 1), p.word(), func(b []byte) { p.ptr(le(b)) }) })
	movedTo     = shown("nodes", in, 4, func(p *printer, v *Value) { p.array(v.Uint, p.size(v, 1), 4, func(b []byte) { p.int(les(b)) }) })
	movedStatus = shown("status", out, 4, func(p *printer, v *Value) { p.array(v.Uint, p.size(v, 1), 4, func(b []byte) { p.errno(les(b), true) }) })
)

// errno prints an error number, with its sign changed where negated.
func (p *printer) errno(v int64, negated bool) {
	e, sign := v, ""
	if negated {
		e, sign = -v, "-"
	}
	if e <= 0 || e >= int64(len(errnos)) || errnos[e].name == "" {
		p.int(v)
		return
	}
	p.constant(sign+errnos[e].name, func() { p.int(v) })
}
