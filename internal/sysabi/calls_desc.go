package sysabi

import "culprit/internal/event"

// Calls on descriptors.
var callsDesc = lazily(func() []Call {
	return []Call{
		def("read", Desc, fd, bufOut("buf", 2), size("count")).through(0),
		def("write", Desc, fd, bufIn("buf", 2), size("count")).through(0),
		def("pread64", Desc, fd, bufOut("buf", 2), size("count"), offset("offset").halves()).through(0),
		def("pwrite64", Desc, fd, bufIn("buf", 2), size("count"), offset("offset").halves()).through(0),
		def("readv", Desc, fd, iovOut("iov", 2), size("iovcnt")).through(0),
		def("writev", Desc, fd, iovIn("iov", 2), size("iovcnt")).through(0),
		def("preadv", Desc, fd, iovOut("iov", 2), size("iovcnt"), offset("offset").halves()).through(0),
		def("pwritev", Desc, fd, iovIn("iov", 2), size("iovcnt"), offset("offset").halves()).through(0),
		def("preadv2", Desc, fd, iovOut("iov", 2), size("iovcnt"), offset("offset").halves(), flags("flags", setRWF).at(5)).through(0),
		def("pwritev2", Desc, fd, iovIn("iov", 2), size("iovcnt"), offset("offset").halves(), flags("flags", setRWF).at(5)).through(0),
		def("sendfile", Desc|Network, fdArg("out_fd"), fdArg("in_fd"), structInOut("offset", layoutFrom), size("count")).through(0),
		def("copy_file_range", Desc, fdArg("fd_in"), structIn("off_in", layoutOff), fdArg("fd_out"), structIn("off_out", layoutOff), size("len"), hex("flags")).through(2),
		def("splice", Desc, fdArg("fd_in"), structIn("off_in", layoutOff), fdArg("fd_out"), structIn("off_out", layoutOff), size("len"), flags("flags", setSplice)).through(2),
		def("tee", Desc, fdArg("fd_in"), fdArg("fd_out"), size("len"), flags("flags", setSplice)).through(1),
		def("vmsplice", Desc, fd, iovIn("iov", 2), size("nr_segs"), flags("flags", setSplice)).through(0),
		def("lseek", Desc, fd, offset("offset"), enum("whence", setWhence)),
		def("close", Desc, fd),
		def("close_range", Other, unum("first"), unum("last"), flags("flags", setCloseRange)),
		def("dup", Desc, fdArg("oldfd")).retFD(),
		def("dup2", Desc, fdArg("oldfd"), fdArg("newfd")).retFD(),
		def("dup3", Desc, fdArg("oldfd"), fdArg("newfd"), flags("flags", setFileFlags())).retFD(),
		def("pipe", Desc, structOut("pipefd", layoutPair)),
		def("pipe2", Desc, structOut("pipefd", layoutPair), flags("flags", setOpenFlagBits)),
		def("fcntl", Desc, fd, enum("cmd", setFcntlCmds), hex("arg")).varies(fcntlArgs).returns(fcntlResult).remark(fcntlRemark),
		ioctlOn(event.ArchX8664),
		def("flock", Desc, fd, flags("op", setFlock)),
		def("fsync", Desc, fd),
		def("fdatasync", Desc, fd),
		def("sync", Other),
		def("syncfs", Desc, fd),
		def("sync_file_range", Desc, fd, offset("offset"), offset("nbytes"), flags("flags", setSyncRange)),
		def("ftruncate", Desc, fd, offset("length").halves()),
		def("fallocate", Desc, fd, flags("mode", setFalloc), offset("offset"), offset("len")),
		def("fadvise64", Desc, fd, offset("offset"), size("len"), enum("advice", setAdvise)),
		def("readahead", Desc, fd, offset("offset"), size("count")),
		def("getdents", Desc, fd, Arg{Name: "dirp", kind: KindBuffer, dir: out, n: count{fromRet, 2}, st: layoutDirents}, unum("count")),
		def("getdents64", Desc, fd, Arg{Name: "dirp", kind: KindBuffer, dir: out, n: count{fromRet, 2}, st: layoutDirents64}, unum("count")),
		def("memfd_create", Desc, str("name").upTo(250), number("flags", showMemfd)).retFD(),
		def("memfd_secret", Desc, flags("flags", setMemfdSecret)).retFD(),
		def("eventfd", Desc, unum("initval")).retFD(),
		def("eventfd2", Desc, unum("initval"), flags("flags", setEventfd)).retFD(),
		def("userfaultfd", Desc, flags("flags", setUffd)).retFD(),
		def("cachestat", Desc, fd, given("cstat_range", newRecord(x64("off"), u64("len"))), filled("cstat", cachestat()), unhex("flags")),
		def("vhangup", Other),
		def("lookup_dcookie", Other, size("cookie"), strOut("buf", 2), size("len")),
	}
})

// O_CLOEXEC, O_NONBLOCK, O_DIRECT without the access mode.
// setFileFlags are open flags without an access mode.
var setFileFlags = lazily(func() *Set { return &Set{"O_???", setOpenFlags.Names} })

var setOpenFlagBits = &Set{"O_???", []Name{
	{0x800, "O_NONBLOCK"}, {0x80, "O_EXCL"}, {0x4000, "O_DIRECT"}, {0x80000, "O_CLOEXEC"},
}}

// fcntl's commands whose third argument means something (fcntl(2)).
var (
	fcntlHead   = []Arg{fd, enum("cmd", setFcntlCmds)}
	fcntlHex    = fcntlWith(hex("arg"))
	fcntlFD     = fcntlWith(num("arg"))
	fcntlPID    = fcntlWith(tgidOrPgid("arg"))
	fcntlFDFlag = fcntlWith(flags("arg", setFDFlags))
	fcntlStatus = fcntlWith(flags("arg", setOpenFlags))
	fcntlFlock  = fcntlWith(structIn("lock", layoutFlock))
	fcntlGetlk  = fcntlWith(structOut("lock", layoutFlock))
	fcntlSig    = fcntlWith(sig("arg"))
	fcntlLease  = fcntlWith(enum("arg", setLockCmds))
	fcntlNotify = fcntlWith(flags("arg", setNotify))
	fcntlSeals  = fcntlWith(flags("arg", setSeals))
	fcntlOwner  = fcntlWith(structIn("owner", layoutOwner))
	fcntlOwnerG = fcntlWith(structOut("owner", layoutOwner))
	fcntlDeleg  = lazily(func() []Arg { return fcntlWith(given("arg", delegation())) })
	fcntlDelegG = lazily(func() []Arg { return fcntlWith(filled("arg", delegation())) })
	fcntlHint   = fcntlWith(structIn("hint", layoutHint))
	fcntlHintG  = fcntlWith(structOut("hint", layoutHint))
)

func fcntlWith(a Arg) []Arg { return []Arg{fd, enum("cmd", setFcntlCmds), a} }

var layoutOwner = &layout{8, 8, func(p *printer, b []byte) {
	p.str("{type=")
	p.enum(setOwnerTypes, le32(b, 0))
	p.str(", pid=")
	kind := noPID
	if t := le32(b, 0); t <= 2 { // F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP
		kind = PIDKind(t)
	}
	p.pid(i32(b, 4), kind)
	p.str("}")
}, false}

var layoutHint = &layout{8, 8, func(p *printer, b []byte) {
	p.str("[")
	p.enum(setWriteHints, le64(b, 0))
	p.str("]")
}, false}

var delegation = lazily(func() *cstruct { return newRecord(x32("d_flags"), en("d_type", 2, setLockCmds), x16("__pad")) })

var cachestat = lazily(func() *cstruct {
	return newRecord(u64("nr_cache"), u64("nr_dirty"), u64("nr_writeback"), u64("nr_evicted"), u64("nr_recently_evicted"))
})

// showMemfd prints memfd_create's flags with the logarithm of the size of huge
// pages above them.
func showMemfd(p *printer, v uint64) {
	v = uint64(uint32(v))
	p.styled(v, func() {
		huge, f := v>>hugeShift, v&(1<<hugeShift-1)
		if f != 0 || huge == 0 {
			p.b = setMemfd.appendFlags(p.b, f)
		}
		if huge != 0 {
			if f != 0 {
				p.str("|")
			}
			p.uint(huge)
			p.str("<<MFD_HUGE_SHIFT")
		}
	})
}

const (
	fDupFD, fGetFD, fSetFD, fGetFL, fSetFL, fGetLk, fSetLk, fSetLkW = 0, 1, 2, 3, 4, 5, 6, 7
	fSetOwn, fGetOwn, fSetSig, fGetSig, fSetOwnEx, fGetOwnEx        = 8, 9, 10, 11, 15, 16
	fOfdGetLk, fOfdSetLk, fOfdSetLkW                                = 36, 37, 38
	fSetLease, fGetLease, fNotify, fDupFDQuery, fDupFDCloexec       = 1024, 1025, 1026, 1027, 1030
	fSetPipe, fGetPipe, fAddSeals, fGetSeals                        = 1031, 1032, 1033, 1034
)

func fcntlArgs(r *[6]uint64) []Arg {
	switch uint32(r[1]) {
	case fGetFD, fGetFL, fGetOwn, fGetSig, fGetLease, fGetPipe, fGetSeals:
		return fcntlHead
	case fDupFD, fDupFDCloexec, fDupFDQuery, fSetPipe:
		return fcntlFD
	case fSetOwn:
		return fcntlPID
	case fSetFD:
		return fcntlFDFlag
	case fSetFL:
		return fcntlStatus
	case fSetLk, fSetLkW, fOfdSetLk, fOfdSetLkW:
		return fcntlFlock
	case fGetLk, fOfdGetLk:
		return fcntlGetlk
	case fSetSig:
		return fcntlSig
	case fSetLease:
		return fcntlLease
	case fNotify:
		return fcntlNotify
	case fAddSeals:
		return fcntlSeals
	case fSetOwnEx:
		return fcntlOwner
	case fGetOwnEx:
		return fcntlOwnerG
	case 1035, 1037: // F_GET_RW_HINT, F_GET_FILE_RW_HINT
		return fcntlHintG
	case 1036, 1038:
		return fcntlHint
	case 1039: // F_GETDELEG
		return fcntlDelegG()
	case 1040:
		return fcntlDeleg()
	}
	return fcntlHex
}

func fcntlRemark(p *printer) {
	v := uint64(p.s.Ret)
	switch uint32(p.s.Args[1]) {
	case fGetFD:
		if v != 0 {
			p.str("flags ")
			p.flags(setFDFlags, v)
		}
	case fGetFL:
		p.str("flags ")
		p.openFlags(v)
	case fGetSeals:
		if v != 0 {
			p.str("seals ")
			p.flags(setSeals, v)
		}
	case fGetLease:
		p.enum(setLockCmds, v)
	case fGetSig:
		if v != 0 {
			p.str(SignalName(int(v)))
		}
	}
}

// fcntlResult tells descriptors and sets of flags from numbers.
func fcntlResult(r *[6]uint64) retKind {
	switch uint32(r[1]) {
	case fDupFD, fDupFDCloexec:
		return retFD
	case fGetFD, fGetFL, fGetSeals, fGetLease:
		return retFlags
	case fGetOwn:
		return retTGID
	}
	return retInt
}
