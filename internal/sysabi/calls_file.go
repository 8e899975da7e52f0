package sysabi

// Calls that find files by name.
var callsFile = []Call{
	def("open", File|Desc, pathname, flags("flags", setOpenFlags), mode("mode")).retFD().varies(openArgs),
	def("openat", File|Desc, dirfd, pathname, flags("flags", setOpenFlags), mode("mode")).retFD().varies(openatArgs),
	def("openat2", File|Desc, dirfd, pathname, extensible("how", in, openHow, 24, 3), size("size")).retFD(),
	def("creat", File|Desc, pathname, mode("mode")).retFD(),
	def("open_tree", File|Desc, dirfd, pathname, flags("flags", setOpenTree)).retFD(),
	def("open_tree_attr", File|Desc, dirfd, pathname, flags("flags", setOpenTree), extensible("attr", in, mountAttr, 32, 4), size("size")).retFD(),
	def("open_by_handle_at", Desc, dirfdArg("mount_fd"), ptr("handle"), flags("flags", setOpenFlags)).retFD(),
	def("name_to_handle_at", File|Desc, dirfd, pathname, ptr("handle"), structOut("mount_id", layoutInt), flags("flags", setNameToHandle)),
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
	def("swapon", File, pathname, flags("swapflags", setSwap)),
	def("swapoff", File, pathname),
	def("uselib", File, path("library")),

	def("mount", File, path("source"), path("target"), str("filesystemtype"), flags("mountflags", setMountFlags).wide(), str("data")).varies(mountArgs),
	def("umount", File, path("target")),
	def("umount2", File, path("target"), flags("flags", setUmountFlags)),
	def("fsopen", Desc, str("fsname"), flags("flags", setFsopen)).retFD(),
	def("fsconfig", Desc|File, fd, enum("cmd", setFsconfig), str("key"), ptr("value"), num("aux")),
	def("fsmount", Desc, fdArg("fsfd"), flags("flags", setFsmount), flags("attr_flags", setMountAttr)).retFD(),
	def("fspick", Desc|File, dirfd, pathname, flags("flags", setFspick)).retFD(),
	def("move_mount", Desc|File, dirfdArg("from_dirfd"), path("from_pathname"), dirfdArg("to_dirfd"), path("to_pathname"), flags("flags", setMoveMount)),
	def("mount_setattr", Desc|File, dirfd, pathname, flags("flags", setMountSetattr), extensible("attr", in, mountAttr, 32, 4), size("size")),
	def("statmount", Other, selfSized("req", statmountReq, 24), statmountBuf, size("bufsize"), flags("flags", setStatmountFlags)),
	def("listmount", Other, selfSized("req", listmountReq, 24), idsOut("mnt_ids", 2), size("nr_mnt_ids"), flags("flags", setListmountFlags)),
	def("listns", Other, selfSized("req", listnsReq, 32), idsOut("ns_ids", 2), size("nr_ns_ids"), unhex("flags")),
	def("quotactl", File, hex("cmd"), path("special"), idArg("id"), ptr("addr")),
	def("quotactl_fd", Desc, fd, hex("cmd"), idArg("id"), ptr("addr")),

	def("inotify_init", Desc).retFD(),
	def("inotify_init1", Desc, flags("flags", setInotifyInit)).retFD(),
	def("inotify_add_watch", Desc|File, fd, pathname, flags("mask", setInotify)),
	def("inotify_rm_watch", Desc, fd, num("wd")),
	def("fanotify_init", Desc, flags("flags", setFanInit), flags("event_f_flags", setOpenFlags)).retFD(),
	def("fanotify_mark", Desc|File, fdArg("fanotify_fd"), flags("flags", setFanMark), flags("mask", setFanMask).wide(), dirfd, pathname),
}

// fileMode is a mode with a file type.
var fileMode = Arg{Name: "mode", kind: KindMode, set: setFileTypes}

// argNUL says that a string's result counts the NUL byte at its end.
const argNUL = 0xff

var (
	argsOpen   = []Arg{pathname, flags("flags", setOpenFlags), mode("mode")}
	argsOpenat = []Arg{dirfd, pathname, flags("flags", setOpenFlags), mode("mode")}
	argsMknod  = []Arg{dirfd, pathname, fileMode, dev("dev")}
	argsMount  = []Arg{path("source"), path("target"), str("filesystemtype"), flags("mountflags", setMountFlags).wide(), ptr("data")}
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

var argsMknodPlain = argsMknod[1:]

func mknodArgs(r *[6]uint64) []Arg {
	if device(r[1]) {
		return argsMknodPlain
	}
	return argsMknodPlain[:2]
}

func mknodatArgs(r *[6]uint64) []Arg {
	if device(r[2]) {
		return argsMknod
	}
	return argsMknod[:3]
}

var argsMountData = []Arg{path("source"), path("target"), str("filesystemtype"), flags("mountflags", setMountFlags).wide(), str("data")}

// mgcVal is MS_MGC_VAL (linux/mount.h): in the upper half it means nothing,
// and hides the flags there.
const mgcVal = 0xc0ed0000

func (p *printer) mountFlags(v uint64) {
	if v&0xffff0000 != mgcVal {
		p.flags(setMountFlags, v)
		return
	}
	p.str("MS_MGC_VAL")
	p.b = setMountFlags.appendMore(p.b, v&^0xffff0000)
}

// mount's data is a string for a new mount only; a change of flags ignores it.
func mountArgs(r *[6]uint64) []Arg {
	const ignored = 0x1000 | 0x2000 | 0x20000 | 0x40000 | 0x80000 | 0x100000 // MS_BIND, MS_MOVE and propagation
	f := r[3]
	if f&0xffff0000 == mgcVal {
		f &= 0xffff
	}
	if f&ignored != 0 {
		return argsMount
	}
	return argsMountData
}
