package sysabi

// Calls about the address space.
var callsMemory = []Call{
	def("brk", Memory, ptr("addr")).retHex().never(),
	def("mmap", Memory|Desc, ptr("addr"), size("length"), memProt, mmapFlags, num("fd"), hex("offset")).retHex(),
	def("munmap", Memory, ptr("addr"), size("length")),
	def("mprotect", Memory, ptr("addr"), size("len"), memProt),
	def("pkey_mprotect", Memory, ptr("addr"), size("len"), memProt, num("pkey")),
	def("pkey_alloc", Memory, hex("flags"), flags("access_rights", setPkeyAccess)),
	def("pkey_free", Memory, num("pkey")),
	def("mremap", Memory, ptr("old_address"), size("old_size"), size("new_size"), flags("flags", setMremap).wide(), ptr("new_address")).retHex().varies(mremapArgs),
	def("remap_file_pages", Memory, ptr("addr"), size("size"), memProt, size("pgoff"), mmapFlags),
	def("madvise", Memory, ptr("addr"), size("length"), enum("advice", setMadvise)),
	def("mincore", Memory, ptr("addr"), size("length"), ptr("vec")),
	def("msync", Memory, ptr("addr"), size("length"), flags("flags", setMsync)),
	def("mlock", Memory, ptr("addr"), size("len")),
	def("mlock2", Memory, ptr("addr"), size("len"), flags("flags", setMlock)),
	def("munlock", Memory, ptr("addr"), size("len")),
	def("mlockall", Memory, flags("flags", setMlockall)),
	def("munlockall", Memory),
	def("mseal", Memory, ptr("addr"), size("len"), hex("flags")),
	def("map_shadow_stack", Memory, ptr("addr"), size("size"), flags("flags", setShadowStack)).retHex(),
	def("mbind", Memory, ptr("addr"), size("len"), enumFlags("mode", 0xfff, setMpolModes, setMpolFlags), ptr("nodemask"), size("maxnode"), flags("flags", setMbind)),
	def("set_mempolicy", Memory, enumFlags("mode", 0xfff, setMpolModes, setMpolFlags), ptr("nodemask"), size("maxnode")),
	def("get_mempolicy", Memory, structOut("mode", layoutInt), ptr("nodemask"), size("maxnode"), ptr("addr"), flags("flags", setGetMempolicy)),
	def("set_mempolicy_home_node", Memory, ptr("start"), size("len"), size("home_node"), hex("flags")),
	def("migrate_pages", Memory, pidArg("pid", TGID), size("maxnode"), ptr("old_nodes"), ptr("new_nodes")),
	def("move_pages", Memory, pidArg("pid", TGID), size("count"), ptr("pages"), ptr("nodes"), ptr("status"), flags("flags", setMovePages)),
}

var memProt = flags("prot", setProt).wide()

// mmap's flags: a type in the low four bits, flags above.
var mmapFlags = enumFlags("flags", 0xf, setMmapType, setMmap).wide()

var setMmapType = &Set{Unknown: "MAP_???", Names: []Name{
	{0, "MAP_FILE"}, {1, "MAP_SHARED"}, {2, "MAP_PRIVATE"}, {3, "MAP_SHARED_VALIDATE"}, {8, "MAP_DROPPABLE"},
}}

var argsMremap = []Arg{ptr("old_address"), size("old_size"), size("new_size"), flags("flags", setMremap).wide(), ptr("new_address")}

func mremapArgs(r *[6]uint64) []Arg {
	if r[3]&6 != 0 { // MREMAP_FIXED, MREMAP_DONTUNMAP
		return argsMremap
	}
	return argsMremap[:4]
}
