package sysabi

// Calls that begin, end, watch or change processes and threads.
var callsProcess = lazily(func() []Call {
	return []Call{
		def("execve", File|Process, pathname, strings("argv"), strings("envp")),
		def("execveat", File|Desc|Process, dirfd, pathname, strings("argv"), strings("envp"), flags("flags", setExecveat)),
		def("fork", Process).returnsPID(TGID),
		def("vfork", Process).returnsPID(TGID),
		def("clone", Process, argsClone[0], argsClone[1], argsClone[2], argsClone[4], argsClone[3]).varies(cloneArgs).returnsPID(TID),
		def("clone3", Process, cloneArgs3(), size("size")).returnsPID(TID),
		def("exit", Process, num("status")).retNone(),
		def("exit_group", Process, num("status")).retNone(),
		def("wait4", Process, tgidOrPgid("pid"), waitStatus(), flags("options", setWaitOptions), structOut("rusage", layoutRusage).ifAny()).returnsPID(TGID),
		def("waitid", Process, waitidPID...).varies(waitidArgs),
		def("getpid", Other).never().returnsPID(TGID),
		def("getppid", Other).never().returnsPID(TGID),
		def("gettid", Other).never().returnsPID(TID),
		def("getpgid", Other, pidArg("pid", TGID)).returnsPID(PGID),
		def("setpgid", Other, pidArg("pid", TGID), pidArg("pgid", PGID)),
		def("getpgrp", Other).never().returnsPID(PGID),
		def("getsid", Other, pidArg("pid", TGID)).returnsPID(SID),
		def("setsid", Other).returnsPID(SID),
		def("set_tid_address", Other, ptr("tidptr")).returnsPID(TID),
		def("set_robust_list", Other, ptr("head"), size("len")),
		def("get_robust_list", Other, pidArg("pid", TID), structOut("head_ptr", layoutPtr), structOut("len_ptr", layoutLong)),
		def("rseq", Other, rseqArg, unum("rseq_len"), flags("flags", setRseq), unhex("sig")),
		def("rseq_slice_yield", Other),
		def("unshare", Other, flags("flags", setUnshare).wide()),
		def("setns", Desc, fd, flags("nstype", setSetns)),
		def("pidfd_open", Desc, pidArg("pid", TGID), flags("flags", setPidfdOpen)).retFD(),
		def("pidfd_getfd", Desc, fdArg("pidfd"), targetFD, unhex("flags")).retFD(),
		def("pidfd_send_signal", Desc|Process|Signal, fdArg("pidfd"), sig("sig"), structIn("info", layoutSiginfo), flags("flags", setPidfdSignal)),
		def("process_mrelease", Desc, fdArg("pidfd"), unhex("flags")),
		def("process_madvise", Desc, fdArg("pidfd"), iovIn("iovec", 2).addresses(), size("vlen"), enum("advice", setMadvise), flags("flags", setNoFlags)),
		def("process_vm_readv", Other, pidArg("pid", TGID), localIOV("local_iov", out, 2), size("liovcnt"), remoteIOV("remote_iov", out, 4), size("riovcnt"), size("flags")),
		def("process_vm_writev", Other, pidArg("pid", TGID), localIOV("local_iov", in, 2), size("liovcnt"), remoteIOV("remote_iov", in, 4), size("riovcnt"), size("flags")),
		def("kcmp", Other, pidArg("pid1", TGID), pidArg("pid2", TGID), enum("type", setKcmp), hex("idx1"), hex("idx2")).varies(kcmpArgs),
		def("ptrace", Other, enum("op", setPtrace).wide(), pidArg("pid", TGID), hex("addr"), hex("data")).varies(ptraceArgs),
		def("seccomp", Other, enum("op", setSeccompOps), flags("flags", setSeccompFlags), ptr("args")).varies(seccompArgs),
		def("prctl", Creds, enum("op", setPrctl), hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")).varies(prctlArgs).returns(prctlResult).remark(prctlRemark),
		def("arch_prctl", Other, enum("op", setArchPrctl), hex("addr")).varies(archPrctlArgs).returns(archPrctlResult).remark(archPrctlRemark),
		def("personality", Other, number("persona", showPersonality)).returns(func(*[6]uint64) retKind { return retFlags }).remark(personalityRemark),
		def("getrlimit", Other, enum("resource", setResources), structOut("rlim", layoutRlimit)),
		def("setrlimit", Other, enum("resource", setResources), structIn("rlim", layoutRlimit)),
		def("prlimit64", Other, pidArg("pid", TGID), enum("resource", setResources), structIn("new_limit", layoutRlimit64), structOut("old_limit", layoutRlimit64)),
		def("getrusage", Other, enum("who", setRUsage), structOut("usage", layoutRusage)),
		def("times", Other, structOut("buf", layoutTms)),
		def("getpriority", Other, enum("which", setPriorities), pidBy("who", whoKind)),
		def("setpriority", Other, enum("which", setPriorities), pidBy("who", whoKind), num("prio")),
		def("ioprio_get", Other, enum("which", setIoprioWho), pidBy("who", ioprioKind)).remark(ioprioRemark),
		def("ioprio_set", Other, enum("which", setIoprioWho), pidBy("who", ioprioKind), number("ioprio", showIoprio)),
		def("sched_yield", Other),
		def("sched_setparam", Other, pidArg("pid", TGID), given("param", schedParam())),
		def("sched_getparam", Other, pidArg("pid", TGID), filled("param", schedParam())),
		def("sched_setscheduler", Other, pidArg("pid", TGID), schedPolicy(), given("param", schedParam())),
		def("sched_getscheduler", Other, pidArg("pid", TGID)).returns(func(*[6]uint64) retKind { return retFlags }).remark(schedRemark),
		def("sched_get_priority_max", Other, enum("policy", setSched)),
		def("sched_get_priority_min", Other, enum("policy", setSched)),
		def("sched_rr_get_interval", Other, pidArg("pid", TGID), structOut("tp", layoutTimespec)),
		def("sched_setaffinity", Other, pidArg("pid", TGID), size("cpusetsize"), Arg{Name: "mask", kind: KindStruct, dir: in, n: count{fromSizeArg, 1}, st: layoutCPUs}),
		def("sched_getaffinity", Other, pidArg("pid", TGID), size("cpusetsize"), Arg{Name: "mask", kind: KindStruct, dir: out, n: count{fromRet, 0}, st: layoutCPUs}),
		def("sched_setattr", Other, pidArg("pid", TGID), schedSet(), unhex("flags")),
		def("sched_getattr", Other, pidArg("pid", TGID), schedGet(), unum("size"), flags("flags", setSchedGetattr)),
		def("membarrier", Other, enum("cmd", setMembarrier), flags("flags", setMembarrierFlags), num("cpu_id")).varies(membarrierArgs).returns(membarrierResult).remark(membarrierRemark),
		def("getcpu", Other, structOut("cpu", layoutUint), structOut("node", layoutUint), ptr("tcache")),
		def("set_thread_area", Other, given("u_info", userDesc())).remark(threadAreaRemark),
		def("get_thread_area", Other, getThreadArea()),
		def("modify_ldt", Other, num("func"), ldtEntry(), size("bytecount")).returns(func(*[6]uint64) retKind { return retClipped }),
		def("ioperm", Other, hex("from"), hex("num"), num("turn_on")),
		def("iopl", Other, num("level")),
	}
})

var (
	waitStatus  = lazily(func() Arg { return structOut("wstatus", layoutWait).ifAny() })
	schedPolicy = lazily(func() Arg { return number("policy", showPolicy) })
)

// clone's arguments as they are printed: the stack first, then the flags that
// are in the first register; the rest only when a flag asks for it. x86-64 has
// the child's tid before the thread area, i386 and arm64 after it.
var (
	argsClone     = cloneList(4, 3)
	argsCloneBack = cloneList(3, 4)
	cloneLists    = lazily(func() [8][]Arg { return cloneSubsets(argsClone) })
	cloneBacks    = lazily(func() [8][]Arg { return cloneSubsets(argsCloneBack) })
)

// waitid's idtypes P_PID, P_PGID and P_PIDFD.
func waitidKind(r *[6]uint64) PIDKind {
	switch uint32(r[0]) {
	case 1:
		return TGID
	case 2:
		return PGID
	}
	return noPID
}

var (
	waitidPID = waitidList(pidBy("id", waitidKind))
	waitidFD  = waitidList(fdArg("id"))
)

func waitidList(id Arg) []Arg {
	return []Arg{
		enum("idtype", setWaitID), id, structOut("infop", layoutSiginfo), flags("options", setWaitOptions),
		structOut("rusage", layoutRusage),
	}
}

func waitidArgs(r *[6]uint64) []Arg {
	if uint32(r[0]) == 3 {
		return waitidFD
	}
	return waitidPID
}

// PRIO_PROCESS and PRIO_PGRP.
func whoKind(r *[6]uint64) PIDKind {
	switch uint32(r[0]) {
	case 0:
		return TGID
	case 1:
		return PGID
	}
	return noPID
}

// IOPRIO_WHO_PROCESS and IOPRIO_WHO_PGRP.
func ioprioKind(r *[6]uint64) PIDKind {
	if which := uint32(r[0]); which == 1 || which == 2 {
		return TGID + PIDKind(which-1)
	}
	return noPID
}

func cloneList(tls, child int8) []Arg {
	return []Arg{
		ptr("child_stack").at(1).prefixed(),
		Arg{Name: "flags", kind: KindFlags, set: setCloneFlags}.at(0).wide().prefixed(),
		structOut("parent_tid", layoutInt).at(2).prefixed(),
		hex("tls").at(tls).prefixed(),
		ptr("child_tidptr").at(child).prefixed(),
	}
}

// cloneSubsets makes the lists with any of the last three arguments: bit 0 for
// parent_tid, 1 for tls, 2 for child_tidptr.
func cloneSubsets(all []Arg) (lists [8][]Arg) {
	for i := range lists {
		lists[i] = append(lists[i], all[:2]...)
		for bit := range 3 {
			if i&(1<<bit) != 0 {
				lists[i] = append(lists[i], all[2+bit])
			}
		}
	}
	return lists
}

func cloneWants(flags uint64) (i int) {
	if flags&(0x100000|0x1000) != 0 { // CLONE_PARENT_SETTID, CLONE_PIDFD
		i |= 1
	}
	if flags&0x80000 != 0 { // CLONE_SETTLS
		i |= 2
	}
	if flags&(0x1000000|0x200000) != 0 { // CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID
		i |= 4
	}
	return i
}

func cloneArgs(r *[6]uint64) []Arg     { return cloneLists()[cloneWants(r[0])] }
func cloneArgsBack(r *[6]uint64) []Arg { return cloneBacks()[cloneWants(r[0])] }

// cloneFlags prints the flags with the signal in their lowest byte.
func (p *printer) cloneFlags(v uint64) {
	signal := v & 0xff
	if v &^= 0xff; v != 0 || signal == 0 {
		p.flags(setCloneFlags, v)
		if signal == 0 {
			return
		}
		p.str("|")
	}
	p.str(SignalName(int(signal)))
}

// setClone3All has clone's flags and those that only clone3 takes.
var setClone3All = lazily(func() *Set {
	return &Set{"CLONE_???", append(setCloneFlags.Names[:len(setCloneFlags.Names):len(setCloneFlags.Names)], setClone3Flags.Names...)}
})

var layoutRusage = &layout{144, 72, func(p *printer, b []byte) {
	half := 2 * p.word()
	p.str("{ru_utime=")
	printTimeval(p, b)
	p.str(", ru_stime=")
	printTimeval(p, b[half:])
	if p.abbreviated() {
		p.str(", ...}")
		return
	}
	for i, n := range [...]string{"maxrss", "ixrss", "idrss", "isrss", "minflt", "majflt", "nswap", "inblock", "oublock",
		"msgsnd", "msgrcv", "nsignals", "nvcsw", "nivcsw"} {
		p.field("ru_" + n)
		p.uint(p.long(b[2*half:], i))
	}
	p.str("}")
}, false}

// A cpu_set_t is read as bytes and printed as a list of numbers.
var layoutCPUs = &layout{1, 1, nil, false}

func (p *printer) cpus(b []byte) {
	p.str("[")
	first := true
	for i := range len(b) * 8 {
		if b[i/8]&(1<<(i%8)) != 0 {
			if !first {
				p.str(" ")
			}
			first = false
			p.int(int64(i))
		}
	}
	p.str("]")
}

var (
	argsKcmp     = []Arg{pidArg("pid1", TGID), pidArg("pid2", TGID), enum("type", setKcmp), hex("idx1"), hex("idx2")}
	argsKcmpFile = []Arg{pidArg("pid1", TGID), pidArg("pid2", TGID), enum("type", setKcmp), fdArg("idx1"), fdArg("idx2")}
	argsKcmpSlot = lazily(func() []Arg {
		return []Arg{pidArg("pid1", TGID), pidArg("pid2", TGID), enum("type", setKcmp), fdArg("idx1"), given("idx2", epollSlot())}
	})
	argsKcmpNone = []Arg{pidArg("pid1", TGID), pidArg("pid2", TGID), enum("type", setKcmp)}
)

// kcmpArgs: KCMP_FILE compares descriptors, KCMP_EPOLL_TFD has a structure, the
// other types take no numbers.
func kcmpArgs(r *[6]uint64) []Arg {
	switch t := uint32(r[2]); {
	case t == 0:
		return argsKcmpFile
	case t < 7:
		return argsKcmpNone
	case t == 7:
		return argsKcmpSlot()
	}
	return argsKcmp
}

var (
	seccompStrict = []Arg{enum("op", setSeccompOps), unhex("flags"), ptr("args")}
	seccompFilter = lazily(func() []Arg {
		return []Arg{enum("op", setSeccompOps), flags("flags", setSeccompFlags), seccompProgram("args")}
	})
	seccompAction = []Arg{enum("op", setSeccompOps), unhex("flags"), structIn("args", layoutAction)}
	seccompNotif  = lazily(func() []Arg {
		return []Arg{enum("op", setSeccompOps), unhex("flags"), structOut("args", newRecord(u16("seccomp_notif"), u16("seccomp_notif_resp"), u16("seccomp_data")).layout())}
	})
	layoutAction = &layout{4, 4, func(p *printer, b []byte) {
		p.str("[")
		p.enum(setSeccompRet, le32(b, 0))
		p.str("]")
	}, false}
)

func seccompArgs(r *[6]uint64) []Arg {
	switch uint32(r[0]) {
	case 1:
		return seccompFilter()
	case 2:
		return seccompAction
	case 3:
		return seccompNotif()
	}
	return seccompStrict
}

var ()

// personality(0xffffffff) asks.
func showPersonality(p *printer, v uint64) {
	if v = uint64(uint32(v)); v == 0xffffffff {
		p.hex(v)
	} else {
		p.personality(v)
	}
}

func personalityRemark(p *printer) {
	p.personality(uint64(uint32(p.s.Ret)))
}

func (p *printer) personality(v uint64) {
	p.enum(setPersonality, v&0xff)
	if v &^= 0xff; v != 0 {
		p.str("|")
		p.flags(setPersonalityFlags, v)
	}
}

var argsMembarrier = []Arg{enum("cmd", setMembarrier), flags("flags", setMembarrierFlags), num("cpu_id")}

func membarrierArgs(r *[6]uint64) []Arg {
	if r[1]&1 == 0 { // MEMBARRIER_CMD_FLAG_CPU
		return argsMembarrier[:2]
	}
	return argsMembarrier
}

// MEMBARRIER_CMD_QUERY returns the commands that there are.
func membarrierResult(r *[6]uint64) retKind {
	if uint32(r[0]) == 0 {
		return retFlags
	}
	return retInt
}

func membarrierRemark(p *printer) {
	if uint32(p.s.Args[0]) == 0 && p.s.Ret != 0 {
		p.flags(setMembarrier, uint64(p.s.Ret))
	}
}
