package sysabi

import "culprit/internal/event"

// Calls about what files are: attributes, owners, times, extended attributes.
var callsMeta = lazily(func() []Call {
	return []Call{
		def("stat", File, pathname, structOut("statbuf", layoutStat)),
		def("lstat", File, pathname, structOut("statbuf", layoutStat)),
		def("fstat", Desc, fd, structOut("statbuf", layoutStat)),
		def("newfstatat", File|Desc, dirfd, pathname, structOut("statbuf", layoutStat), flags("flags", setAtFlags)),
		def("statx", File|Desc, dirfd, pathname, number("flags", showStatxFlags), flags("mask", setStatxMask), structOut("statxbuf", layoutStatx)),
		def("statfs", File, path("path"), structOut("buf", layoutStatfs)),
		def("fstatfs", Desc, fd, structOut("buf", layoutStatfs)),
		def("ustat", Other, dev("dev"), ptr("ubuf")),
		def("sysfs", Other, num("option"), long("arg1"), long("arg2")),
		def("chmod", File, pathname, mode("mode")),
		def("fchmod", Desc, fd, mode("mode")),
		def("fchmodat", File|Desc, dirfd, pathname, mode("mode")),
		def("fchmodat2", File|Desc, dirfd, pathname, mode("mode"), flags("flags", setFchmodatFlags)),
		def("chown", File, pathname, idArg("owner"), idArg("group")),
		def("lchown", File, pathname, idArg("owner"), idArg("group")),
		def("fchown", Desc, fd, idArg("owner"), idArg("group")),
		def("fchownat", File|Desc, dirfd, pathname, idArg("owner"), idArg("group"), flags("flags", setAtFlags)),
		def("umask", Other, mode("mask")).retOctal(),
		def("utime", File, path("filename"), structIn("times", layoutUtimbuf)),
		def("utimes", File, path("filename"), structIn("times", layoutTimevals)),
		def("futimesat", File|Desc, dirfd, pathname, structIn("times", layoutTimevals)),
		def("utimensat", File|Desc, dirfd, pathname, structIn("times", layoutUtimens), flags("flags", setAtFlags)),
		def("setxattr", File, path("path"), str("name"), xattrIn(), size("size"), flags("flags", setXattrFlags)),
		def("lsetxattr", File, path("path"), str("name"), xattrIn(), size("size"), flags("flags", setXattrFlags)),
		def("fsetxattr", Desc, fd, str("name"), xattrIn(), size("size"), flags("flags", setXattrFlags)),
		def("setxattrat", File|Desc, dirfd, pathname, flags("at_flags", setXattratFlags), str("name"), setxattrArgs(), size("usize")),
		def("getxattr", File, path("path"), str("name"), xattrOut(), size("size")),
		def("lgetxattr", File, path("path"), str("name"), xattrOut(), size("size")),
		def("fgetxattr", Desc, fd, str("name"), xattrOut(), size("size")),
		def("getxattrat", File|Desc, dirfd, pathname, flags("at_flags", setXattratFlags), str("name"), getxattrArgs, size("usize")),
		def("listxattr", File, path("path"), xattrList(2), size("size")),
		def("llistxattr", File, path("path"), xattrList(2), size("size")),
		def("flistxattr", Desc, fd, xattrList(2), size("size")),
		def("listxattrat", File|Desc, dirfd, pathname, flags("at_flags", setXattratFlags), xattrList(4), size("size")),
		def("removexattr", File, path("path"), str("name")),
		def("lremovexattr", File, path("path"), str("name")),
		def("fremovexattr", Desc, fd, str("name")),
		def("removexattrat", File|Desc, dirfd, pathname, flags("at_flags", setXattratFlags), str("name")),
		def("file_getattr", File|Desc, dirfd, pathname, extensible("attr", out, fileGetattr(), 24, 3).below(3), size("size"), flags("flags", setFileAttrFlags)),
		def("file_setattr", File|Desc, dirfd, pathname, extensible("attr", in, fileSetattr(), 24, 3).below(3), size("size"), flags("flags", setFileAttrFlags)),
	}
})

// showStatxFlags prints two bits apart.
func showStatxFlags(p *printer, v uint64) {
	const sync = 0x6000 // AT_STATX_SYNC_TYPE
	v = uint64(uint32(v))
	p.flags(setStatxSync, v&sync)
	if v &^= sync; v != 0 {
		p.str("|")
		p.flags(setAtFlagsPlain(), v)
	}
}

var setAtFlagsPlain = lazily(func() *Set { return &Set{Names: setAtFlags.Names} })

// struct file_attr (file_getattr(2)).
var (
	fileGetattr = lazily(func() *cstruct {
		return newRecord(f64("fa_xflags", setFSXFlags), u32("fa_extsize"), u32("fa_nextents"), x32("fa_projid"), u32("fa_cowextsize"))
	})
	fileSetattr = lazily(func() *cstruct {
		return newRecord(f64("fa_xflags", setFSXFlags), u32("fa_extsize"), pad(4), x32("fa_projid"), u32("fa_cowextsize"))
	})
)

// below prints the address when register reg says more than a page.
func (a Arg) below(reg uint8) Arg {
	show := a.show
	a.show = func(p *printer, v *Value) {
		if p.size(v, reg) > pageSize {
			p.ptr(v.Uint)
		} else {
			show(p, v)
		}
	}
	return a
}

// Values of extended attributes: 64 KiB at most, a NUL at the end isn't printed.
const maxXattr = 65536 // XATTR_SIZE_MAX

func (p *printer) xattr(addr, n uint64) {
	if n > maxXattr {
		p.ptr(addr)
	} else {
		p.bytesTrimmed(addr, n)
	}
}

var (
	xattrIn = lazily(func() Arg {
		return shown("value", in, 1, func(p *printer, v *Value) { p.xattr(v.Uint, p.size(v, 3)) }).sized(3)
	})
	xattrOut = lazily(func() Arg {
		return shown("value", out, 1, func(p *printer, v *Value) {
			if p.size(v, 3) == 0 {
				p.ptr(v.Uint)
			} else {
				p.xattr(v.Uint, uint64(p.s.Ret))
			}
		}).filledBy(3)
	})

	xattrRecord = func(value func(p *printer, b, all []byte)) *cstruct {
		return newRecord(part("value", 8, value), u32("size"), f32("flags", setXattrFlags))
	}
	setxattr     = lazily(func() *cstruct { return xattrRecord(func(p *printer, b, all []byte) { p.xattr(le(b), le32(all, 8)) }) })
	setxattrArgs = lazily(func() Arg { return extensible("uargs", in, setxattr(), 16, 5) })
	getxattr     = lazily(func() *cstruct {
		return xattrRecord(func(p *printer, b, all []byte) {
			if p.at == event.Leave && !p.nothing() && le32(all, 8) > 0 {
				p.xattr(le(b), uint64(p.s.Ret))
			} else {
				p.ptr(le(b))
			}
		})
	})
	// getxattrat's memory is what the program gives; the value is the kernel's.
	getxattrArgs = shown("uargs", in|out, 16, func(p *printer, v *Value) {
		size := p.size(v, 5)
		b := p.fetchAt(v.Uint, 16, event.Enter)
		if size < 16 || b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{")
		p.at = event.Leave
		p.members(getxattr(), b)
		p.at = event.Enter
		p.rest(v.Uint, 16, size)
		p.str("}")
	})
)

// filledBy says that the kernel fills as many bytes as the result says, of
// those that a register has room for.
func (a Arg) filledBy(reg uint8) Arg {
	a.n, a.st = count{fromRet, reg}, layoutByte
	return a
}

// xattrList is a list of names; without room its length is asked for.
func xattrList(room uint8) Arg {
	return shown("list", out, 1, func(p *printer, v *Value) {
		if p.size(v, room) == 0 {
			p.ptr(v.Uint)
		} else {
			p.bytesAt(v.Uint, uint64(p.s.Ret))
		}
	}).filledBy(room)
}
