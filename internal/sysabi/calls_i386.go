package sysabi

import "culprit/internal/event"

// variantsI386 are the calls that i386 has besides, or in another form: 64 bit
// values in two registers, structures with 32 bit and with 64 bit times.
var variantsI386 = lazily(func() []Call {
	return []Call{
		ioctlOn(event.ArchI386),
		def("_llseek", Desc, fd, hex("offset_high"), hex("offset_low"), structOut("result", layoutOff), enum("whence", setWhence)),
		def("_newselect", Desc, num("nfds"), fdSet("readfds", 0), fdSet("writefds", 0), fdSet("exceptfds", 0), structInOut("timeout", layoutTimeval)).remark(selectRemark),
		def("select", Desc, ptr("args")),
		def("mmap", Desc|Memory, ptr("args")).retHex(),
		def("mmap2", Desc|Memory, ptr("addr"), size("length"), memProt(), mmapFlags(), num("fd"), hex("pgoffset")).retHex(),
		def("clone", Process, argsCloneBack[0], argsCloneBack[1], argsCloneBack[2], argsCloneBack[3], argsCloneBack[4]).varies(cloneArgsBack),
		def("waitpid", Process, tgidOrPgid("pid"), waitStatus(), flags("options", setWaitOptions)).returnsPID(TGID),
		def("nice", Other, num("inc")),
		def("stime", Other, structIn("t", layoutLong)),
		def("signal", Signal, sig("signum"), ptr("handler")),
		def("sgetmask", Signal),
		def("ssetmask", Signal, hex("newmask")),
		def("sigaction", Signal, sig("signum"), ptr("act"), ptr("oldact")),
		def("sigprocmask", Signal, enum("how", setSigHow), structIn("set", layoutHex), structOut("oldset", layoutHex)),
		def("sigpending", Signal, structOut("set", layoutHex)),
		def("sigsuspend", Signal, hex("unused1"), hex("unused2"), hex("mask")),
		def("sigreturn", Signal),
		def("socketcall", Network|Desc, num("call"), ptr("args")),
		def("ipc", IPC, num("call"), num("first"), num("second"), num("third"), ptr("ptr"), num("fifth")),
		def("oldstat", File, pathname, ptr("statbuf")),
		def("oldlstat", File, pathname, ptr("statbuf")),
		def("oldfstat", Desc, fd, ptr("statbuf")),
		def("oldolduname", Other, ptr("buf")),
		def("olduname", Other, ptr("buf")),
		def("stat64", File, pathname, structOut("statbuf", layoutStat64)),
		def("lstat64", File, pathname, structOut("statbuf", layoutStat64)),
		def("fstat64", Desc, fd, structOut("statbuf", layoutStat64)),
		def("fstatat64", File|Desc, dirfd, pathname, structOut("statbuf", layoutStat64), flags("flags", setAtFlags)),
		def("statfs64", File, path("path"), size("sz"), ptr("buf")),
		def("fstatfs64", Desc, fd, size("sz"), ptr("buf")),
		def("truncate64", File, pathname, offset("length").halves()),
		def("ftruncate64", Desc, fd, offset("length").halves()),
		def("truncate", File, pathname, long("length")),
		def("ftruncate", Desc, fd, long("length")),
		def("fcntl64", Desc, fd, enum("cmd", setFcntlCmds), hex("arg")).varies(fcntl64Args).returns(fcntlResult).remark(fcntlRemark),
		def("fallocate", Desc, fd, flags("mode", setFalloc), offset("offset").halves(), offset("len").halves().at(4)),
		def("fadvise64", Desc, fd, offset("offset").halves(), size("len").at(3), enum("advice", setAdvise).at(4)),
		def("fadvise64_64", Desc, fd, offset("offset").halves(), offset("len").halves().at(3), enum("advice", setAdvise).at(5)),
		def("readahead", Desc, fd, offset("offset").halves(), size("count").at(3)),
		def("sync_file_range", Desc, fd, offset("offset").halves(), offset("nbytes").halves().at(3), flags("flags", setSyncRange).at(5)),
		def("sendfile", Desc|Network, fdArg("out_fd"), fdArg("in_fd"), structInOut("offset", layoutLong), size("count")).through(0),
		def("sendfile64", Desc|Network, fdArg("out_fd"), fdArg("in_fd"), structInOut("offset", layoutFrom), size("count")).through(0),
		def("ugetrlimit", Other, enum("resource", setResources), structOut("rlim", layoutRlimit)),
		def("getuid32", Creds).unsigned(),
		def("geteuid32", Creds).unsigned(),
		def("getgid32", Creds).unsigned(),
		def("getegid32", Creds).unsigned(),
		def("setuid32", Creds, idArg("uid")),
		def("setgid32", Creds, idArg("gid")),
		def("setreuid32", Creds, idArg("ruid"), idArg("euid")),
		def("setregid32", Creds, idArg("rgid"), idArg("egid")),
		def("setresuid32", Creds, idArg("ruid"), idArg("euid"), idArg("suid")),
		def("setresgid32", Creds, idArg("rgid"), idArg("egid"), idArg("sgid")),
		def("getresuid32", Creds, structOut("ruid", layoutID), structOut("euid", layoutID), structOut("suid", layoutID)),
		def("getresgid32", Creds, structOut("rgid", layoutID), structOut("egid", layoutID), structOut("sgid", layoutID)),
		def("setfsuid32", Creds, idArg("fsuid")).never(),
		def("setfsgid32", Creds, idArg("fsgid")).never(),
		def("getgroups32", Creds, num("size"), gidsOut),
		def("setgroups32", Creds, num("size"), gidsIn),
		def("chown32", File, pathname, idArg("owner"), idArg("group")),
		def("lchown32", File, pathname, idArg("owner"), idArg("group")),
		def("fchown32", Desc, fd, idArg("owner"), idArg("group")),
		def("getgroups", Creds, num("size"), ptr("list")),
		def("setgroups", Creds, num("size"), ptr("list")),
		def("getresuid", Creds, ptr("ruid"), ptr("euid"), ptr("suid")),
		def("getresgid", Creds, ptr("rgid"), ptr("egid"), ptr("sgid")),
		def("vm86", Other, hex("fn"), ptr("v86")),
		def("vm86old", Other, ptr("info")),
		def("bdflush", Other, num("func"), hex("data")),
		def("readdir", Desc, fd, ptr("dirp"), unum("count")),

		// Numbers whose calls the kernel no longer has.
		def("break", Memory, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("stty", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("gtty", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("ftime", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("prof", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("lock", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("mpx", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("ulimit", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("profil", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("idle", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),

		def("clock_gettime64", Clock, clockID, structOut("tp", layoutTimespec64)),
		def("clock_settime64", Clock, clockID, structIn("tp", layoutTimespec64)),
		def("clock_getres_time64", Clock, clockID, structOut("res", layoutTimespec64)),
		def("clock_nanosleep_time64", Other, clockID, flags("flags", setTimerFlags), structIn("request", layoutTimespec64), remaining("remain", layoutTimespec64)),
		def("clock_adjtime64", Clock, clockID, ptr("buf")),
		def("timer_gettime64", Other, num("timerid"), structOut("curr_value", layoutItimer64)),
		def("timer_settime64", Other, num("timerid"), flags("flags", setTimerFlags), structIn("new_value", layoutItimer64), structOut("old_value", layoutItimer64)),
		def("timerfd_gettime64", Desc, fd, structOut("curr_value", layoutItimer64)),
		def("timerfd_settime64", Desc, fd, flags("flags", setTimerfd), structIn("new_value", layoutItimer64), structOut("old_value", layoutItimer64)),
		def("utimensat_time64", File|Desc, dirfd, pathname, structIn("times", layoutUtimens64), flags("flags", setAtFlags)),
		def("pselect6_time64", Desc, num("nfds"), fdSet("readfds", 0), fdSet("writefds", 0), fdSet("exceptfds", 0), structInOut("timeout", layoutTimespec64), structIn("sigmask", layoutSigmaskArg)).remark(selectRemark),
		def("ppoll_time64", Desc, arrayInOut("fds", layoutPollfd, 1), unum("nfds"), structInOut("tmo_p", layoutTimespec64), sigsetIn("sigmask", 4), size("sigsetsize")).remark(pollRemark),
		def("io_pgetevents_time64", Other, ptr("ctx_id"), long("min_nr"), long("nr"), arrayOut("events", layoutIoEvent()), structIn("timeout", layoutTimespec64), structIn("sig", layoutSigmaskArg)),
		def("recvmmsg_time64", Network, sockfd, Arg{Name: "msgvec", kind: KindMessages, dir: out, n: count{fromArg, 2}}, unum("vlen"), flags("flags", setMsgFlags), Arg{Name: "timeout", kind: KindStruct, dir: in | out, n: count{fromConst, 1}, st: layoutTimespec64}).through(0).remark(recvmmsgRemark),
		def("mq_timedsend_time64", Desc, fdArg("mqdes"), bufIn("msg_ptr", 2), size("msg_len"), unum("msg_prio"), structIn("abs_timeout", layoutTimespec64)),
		def("mq_timedreceive_time64", Desc, fdArg("mqdes"), bufOut("msg_ptr", 2), size("msg_len"), structOut("msg_prio", layoutUint), structIn("abs_timeout", layoutTimespec64)),
		def("semtimedop_time64", IPC, num("semid"), arrayIn("sops", layoutSembuf, 2), size("nsops"), structIn("timeout", layoutTimespec64)),
		def("rt_sigtimedwait_time64", Signal, sigsetIn("set", 3), structOut("info", layoutSiginfo), structIn("timeout", layoutTimespec64), size("sigsetsize")).remark(signalRemark),
		def("futex_time64", Other, ptr("uaddr"), futexOp, unum("val"), structIn("timeout", layoutTimespec64), ptr("uaddr2"), hex("val3")).varies(futex64Args),
		def("sched_rr_get_interval_time64", Other, pidArg("pid", TGID), structOut("tp", layoutTimespec64)),
	}
})

var (
	fcntl64Flock = fcntlWith(structIn("lock", layoutFlock64))
	fcntl64Getlk = fcntlWith(structOut("lock", layoutFlock64))
	futex64Wait  = lazily(func() []Arg { return futexWith(structIn("timeout", layoutTimespec64)) })
	futex64Bits  = lazily(func() []Arg {
		return futexWith(structIn("timeout", layoutTimespec64), Arg{Name: "val3", kind: KindEnum, set: setFutexBitset}.at(5))
	})
)

// fcntl64 has F_GETLK64 and its like besides (asm-generic/fcntl.h: 12 to 14).
func fcntl64Args(r *[6]uint64) []Arg {
	switch uint32(r[1]) {
	case 12, fOfdGetLk:
		return fcntl64Getlk
	case 13, 14, fOfdSetLk, fOfdSetLkW:
		return fcntl64Flock
	}
	return fcntlArgs(r)
}

func futex64Args(r *[6]uint64) []Arg {
	switch uint32(r[1]) & 0x7f {
	case 0:
		return futex64Wait()
	case 9:
		return futex64Bits()
	}
	if a := futexArgs(r); len(a) < 4 || a[3].kind != KindStruct {
		return a
	}
	return futexAll()
}

// variantsAArch64 are the calls whose form is another on arm64.
var variantsAArch64 = lazily(func() []Call {
	return []Call{
		ioctlOn(event.ArchAArch64),
		def("clone", Process, argsCloneBack[0], argsCloneBack[1], argsCloneBack[2], argsCloneBack[3], argsCloneBack[4]).varies(cloneArgsBack),
		def("fstat", Desc, fd, structOut("statbuf", layoutStatArm64)),
		def("newfstatat", File|Desc, dirfd, pathname, structOut("statbuf", layoutStatArm64), flags("flags", setAtFlags)),
		def("epoll_ctl", Desc, fdArg("epfd"), enum("op", setEpollOps), fdArg("fd"), structIn("event", layoutEpollArm64)),
		def("epoll_pwait", Desc, fdArg("epfd"), arrayOut("events", layoutEpollArm64), num("maxevents"), num("timeout"), sigsetIn("sigmask", 5), size("sigsetsize")),
		def("epoll_pwait2", Desc, fdArg("epfd"), arrayOut("events", layoutEpollArm64), num("maxevents"), structOut("timeout", layoutTimespec64), sigsetOut("sigmask", 5), size("sigsetsize")),
	}
})
