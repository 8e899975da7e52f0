package sysabi

// Calls that find files by name.
var callsFile = lazily(func() []Call {
	return []Call{
		def("open", File|Desc, pathname, flags("flags", setOpenFlags), mode("mode")).retFD().varies(openArgs),
		def("openat", File|Desc, dirfd, pathname, flags("flags", setOpenFlags), mode("mode")).retFD().varies(openatArgs),
		def("openat2", File|Desc, dirfd, pathname, extensible("how", in, openHow(), 24, 3), size("size")).retFD(),
		def("creat", File|Desc, pathname, mode("mode")).retFD(),
		def("open_tree", File|Desc, dirfd, pathname, flags("flags", setOpenTree)).retFD(),
		def("open_tree_attr", File|Desc, dirfd, pathname, flags("flags", setOpenTree), extensible("attr", in, mountAttr(), 32, 4), size("size")).retFD(),
		def("open_by_handle_at", Desc, fdArg("mount_fd"), givenHandle, flags("flags", setOpenFlags)).retFD(),
		def("name_to_handle_at", File|Desc, dirfd, pathname, handle(), structOut("mount_id", layoutInt), flags("flags", setNameToHandle)),
		def("access", File, pathname, flags("mode", setAccessModes)),
		def("faccessat", File|Desc, dirfd, pathname, flags("mode", setAccessModes)),
		def("faccessat2", File|Desc, dirfd, pathname, flags("mode", setAccessModes), flags("flags", setFaccessatFlags)),
		def("readlink", File, pathname, strOut("buf", 2), size("bufsiz")),
		def("readlinkat", File|Desc, dirfd, pathname, strOut("buf", 3), size("bufsiz")),
		def("rename", File, path("oldpath"), path("newpath")),
		def("renameat", File|Desc, dirfdArg("olddirfd"), path("oldpath"), dirfdArg("newdirfd"), path("newpath")),
		def("renameat2", File|Desc, dirfdArg("olddirfd"), path("oldpath"), dirfdArg("newdirfd"), path("newpath"), flags("flags", setRenameFlags)),
		def("link", File, path("oldpath"), path("newpath")),
		def("linkat", File|Desc, dirfdArg("olddirfd"), path("oldpath"), dirfdArg("newdirfd"), path("newpath"), flags("flags", setAtFlags)),
		def("symlink", File, path("target"), path("linkpath")),
		def("symlinkat", File|Desc, path("target"), dirfdArg("newdirfd"), path("linkpath")),
		def("unlink", File, pathname),
		def("unlinkat", File|Desc, dirfd, pathname, flags("flags", setAtFlags)),
		def("mkdir", File, pathname, mode("mode")),
		def("mkdirat", File|Desc, dirfd, pathname, mode("mode")),
		def("rmdir", File, pathname),
		def("mknod", File, pathname, fileMode, dev("dev")).varies(mknodArgs),
		def("mknodat", File|Desc, dirfd, pathname, fileMode, dev("dev")).varies(mknodatArgs),
		def("chdir", File, pathname),
		def("fchdir", Desc, fd),
		def("getcwd", File, strOut("buf", argNUL), size("size")),
		def("chroot", File, pathname),
		def("pivot_root", File, path("new_root"), path("put_old")),
		def("truncate", File, pathname, offset("length").halves()),
		def("acct", File, path("filename")),
		def("swapon", File, pathname, number("swapflags", showSwap)),
		def("swapoff", File, pathname),
		def("uselib", File, path("library")),

		def("mount", File, argsMountData()[0], argsMountData()[1], argsMountData()[2], argsMountData()[3], argsMountData()[4]).varies(mountArgs),
		def("umount", File, path("target")),
		def("umount2", File, path("target"), flags("flags", setUmountFlags)),
		def("fsopen", Desc, str("fsname"), flags("flags", setFsopen)).retFD(),
		def("fsconfig", File|Desc, fd, enum("cmd", setFsconfig), str("key"), ptr("value"), num("aux")).varies(fsconfigArgs),
		def("fsmount", Desc, fdArg("fsfd"), flags("flags", setFsmount), flags("attr_flags", &Set{setMountAttr.Unknown, setFsmountAttr()})).retFD(),
		def("fspick", File|Desc, dirfd, pathname, flags("flags", setFspick)).retFD(),
		def("move_mount", File|Desc, dirfdArg("from_dirfd"), path("from_pathname"), dirfdArg("to_dirfd"), path("to_pathname"), flags("flags", setMoveMount)),
		def("mount_setattr", File|Desc, dirfd, pathname, flags("flags", setMountSetattr), extensible("attr", in, mountAttr(), 32, 4), size("size")),
		def("statmount", Other, selfSized("req", statmountReq(), 24), statmountBuf, size("bufsize"), flags("flags", setStatmountFlags)),
		def("listmount", Other, selfSized("req", listmountReq(), 24), idsOut("mnt_ids", 2), size("nr_mnt_ids"), flags("flags", setListmountFlags)),
		def("listns", Other, selfSized("req", listnsReq(), 32), idsOut("ns_ids", 2), size("nr_ns_ids"), unhex("flags")),
		def("quotactl", File, quotaOthers()[0], quotaOthers()[1], quotaOthers()[2], quotaOthers()[3]).varies(quotactlArgs),
		def("quotactl_fd", Desc, quotaOtherFD()[0], quotaOtherFD()[1], quotaOtherFD()[2], quotaOtherFD()[3]).varies(quotactlFDArgs),

		def("inotify_init", Desc).retFD(),
		def("inotify_init1", Desc, flags("flags", setInotifyInit)).retFD(),
		def("inotify_add_watch", File|Desc, fd, pathname, flags("mask", setInotify)),
		def("inotify_rm_watch", Desc, fd, num("wd")),
		def("fanotify_init", Desc, number("flags", showFanInit), flags("event_f_flags", setOpenFlags)).retFD(),
		def("fanotify_mark", File|Desc, fdArg("fanotify_fd"), flags("flags", setFanMark), flags("mask", setFanMask).wide(), fanDir, pathname),
	}
})

// fileMode is a mode with a file type.
var fileMode = Arg{Name: "mode", kind: KindMode, set: setFileTypes}

// argNUL says that a string's result counts the NUL byte at its end.
const argNUL = 0xff

var (
	argsOpen   = []Arg{pathname, flags("flags", setOpenFlags), mode("mode")}
	argsOpenat = []Arg{dirfd, pathname, flags("flags", setOpenFlags), mode("mode")}
	argsMknod  = []Arg{dirfd, pathname, fileMode, dev("dev")}
	argsMount  = lazily(func() []Arg {
		return []Arg{path("source"), path("target"), ptr("filesystemtype"), flags("mountflags", setMountFlags).wide(), ptr("data")}
	})
	argsRemount = lazily(func() []Arg {
		return []Arg{path("source"), path("target"), ptr("filesystemtype"), flags("mountflags", setMountFlags).wide(), str("data")}
	})
)

// creates reports that open's flags make the mode count: O_CREAT, or
// __O_TMPFILE, the one bit of O_TMPFILE that is not O_DIRECTORY.
func creates(flags uint64) bool { return flags&0x400040 != 0 }

func openArgs(r *[6]uint64) []Arg {
	if creates(r[1]) {
		return argsOpen
	}
	return argsOpen[:2]
}

func openatArgs(r *[6]uint64) []Arg {
	if creates(r[2]) {
		return argsOpenat
	}
	return argsOpenat[:3]
}

// device reports that a mode makes a device node.
func device(mode uint64) bool { return mode&0o170000 == 0o020000 || mode&0o170000 == 0o060000 }

var argsMknodPlain = lazily(func() []Arg { return argsMknod[1:] })

func mknodArgs(r *[6]uint64) []Arg {
	if device(r[1]) {
		return argsMknodPlain()
	}
	return argsMknodPlain()[:2]
}

func mknodatArgs(r *[6]uint64) []Arg {
	if device(r[2]) {
		return argsMknod
	}
	return argsMknod[:3]
}

var argsMountData = lazily(func() []Arg {
	return []Arg{path("source"), path("target"), str("filesystemtype"), flags("mountflags", setMountFlags).wide(), str("data")}
})

// mgcVal is MS_MGC_VAL (linux/mount.h): in the upper half it means nothing,
// and hides the flags there.
const mgcVal = 0xc0ed0000

func (p *printer) mountFlags(v uint64) {
	if v&0xffff0000 != mgcVal {
		p.flags(setMountFlags, v)
		return
	}
	p.constant("MS_MGC_VAL", func() { p.hex(mgcVal) })
	if v &^= 0xffff0000; v != 0 {
		p.str("|")
		p.flags(setMountFlags, v)
	}
}

// mount's type is ignored when something that is mounted changes, and its data
// when that is moved or bound.
func mountArgs(r *[6]uint64) []Arg {
	const remount = 0x20
	const ignored = 0x1000 | 0x2000 | 0x20000 | 0x40000 | 0x80000 | 0x100000 // MS_BIND, MS_MOVE and propagation
	f := r[3]
	if f&0xffff0000 == mgcVal {
		f &^= 0xffff0000
	}
	switch {
	case f&remount != 0:
		return argsRemount()
	case f&ignored != 0:
		return argsMount()
	}
	return argsMountData()
}

// fsconfig's key and value depend on the command.
var fsconfigLists = lazily(func() [][]Arg {
	return [][]Arg{
		0: fsconfigWith(fsKey, ptr("value"), num("aux")),       // FSCONFIG_SET_FLAG
		1: fsconfigWith(fsKey, fsValue, num("aux")),            // FSCONFIG_SET_STRING
		2: fsconfigWith(fsKey, fsBinary, num("aux")),           // FSCONFIG_SET_BINARY
		3: fsconfigWith(fsKey, path("value"), dirfdArg("aux")), // FSCONFIG_SET_PATH
		4: fsconfigWith(fsKey, path("value"), dirfdArg("aux")), // FSCONFIG_SET_PATH_EMPTY
		5: fsconfigWith(fsKey, ptr("value"), fdArg("aux")),     // FSCONFIG_SET_FD
		6: fsconfigWith(ptr("key"), ptr("value"), num("aux")),  // FSCONFIG_CMD_CREATE and what is unknown
	}
})

var (
	fsKey    = shown("key", in, 256, func(p *printer, v *Value) { p.cstrAt(v.Uint, 256) })
	fsValue  = shown("value", in, 256, func(p *printer, v *Value) { p.cstrAt(v.Uint, 256) })
	fsBinary = shown("value", in, 256, func(p *printer, v *Value) {
		if n := int32(p.size(v, 4)); n >= 0 && n <= 1<<20 {
			p.hexAt(v.Uint, uint64(n))
		} else {
			p.ptr(v.Uint)
		}
	})
)

func fsconfigWith(a ...Arg) []Arg { return append([]Arg{fd, enum("cmd", setFsconfig)}, a...) }

func fsconfigArgs(r *[6]uint64) []Arg {
	return fsconfigLists()[min(uint32(r[1]), 6)]
}

// showFanInit prints a class and flags above it.
func showFanInit(p *printer, v uint64) {
	v = uint64(uint32(v))
	p.enum(setFanClass, v&12)
	if v &^= 12; v != 0 {
		p.str("|")
		p.flags(setFanInit, v)
	}
}

var setFanClass = &Set{"FAN_CLASS_???", []Name{{0, "FAN_CLASS_NOTIF"}, {4, "FAN_CLASS_CONTENT"}, {8, "FAN_CLASS_PRE_CONTENT"}}}

// fanDir may be FAN_NOFD.
var fanDir = Arg{Name: "dirfd", kind: KindDirFD, show: func(p *printer, v *Value) {
	if v.Int == -1 {
		p.constant("FAN_NOFD", func() { p.str("-1") })
	} else {
		p.dirfd(v.Int)
	}
}}

// showSwap prints a priority in the low bits.
func showSwap(p *printer, v uint64) {
	v = uint64(uint32(v))
	if f := v &^ 0x7fff; f != 0 {
		p.flags(setSwap, f)
		p.str("|")
	}
	p.uint(v & 0x7fff)
}

// setFsmountAttr are the attributes that fsmount takes.
var setFsmountAttr = lazily(func() []Name { return fsmountAttrs() })

func fsmountAttrs() (names []Name) {
	for _, n := range setMountAttr.Names {
		if n.S != "MOUNT_ATTR_IDMAP" {
			names = append(names, n)
		}
	}
	return names
}
