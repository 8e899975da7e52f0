package sysabi

// Calls that begin, end, watch or change processes and threads.
var callsProcess = []Call{
	def("execve", File|Process, pathname, strings("argv"), strings("envp")),
	def("execveat", File|Desc|Process, dirfd, pathname, strings("argv"), strings("envp"), flags("flags", setExecveat)),
	def("fork", Process),
	def("vfork", Process),
	def("clone", Process, cloneFlags, ptr("stack"), structOut("parent_tid", layoutI0), structOut("child_tid", layoutI0), hex("tls")).varies(cloneArgs),
	def("clone3", Process, structIn("cl_args", layoutCloneArgs), size("size")),
	def("exit", Process, num("status")).retNone(),
	def("exit_group", Process, num("status")).retNone(),
	def("wait4", Process, num("pid"), waitStatus, flags("options", setWaitOptions), structOut("rusage", layoutRusage)),
	def("waitid", Process, enum("idtype", setWaitID), num("id"), structOut("infop", layoutSiginfo), flags("options", setWaitOptions), structOut("rusage", layoutRusage)),
	def("getpid", Process).retPID(),
	def("getppid", Process).retPID(),
	def("gettid", Process).retPID(),
	def("getpgid", Process, num("pid")),
	def("setpgid", Process, num("pid"), num("pgid")),
	def("getpgrp", Process).retPID(),
	def("getsid", Process, num("pid")),
	def("setsid", Process),
	def("set_tid_address", Process, ptr("tidptr")),
	def("set_robust_list", Process, ptr("head"), size("len")),
	def("get_robust_list", Process, num("pid"), structOut("head_ptr", layoutPtr), structOut("len_ptr", layoutLong)),
	def("rseq", Process, ptr("rseq"), hex("rseq_len"), flags("flags", setRseq), hex("sig")),
	def("rseq_slice_yield", Process),
	def("unshare", Process, flags("flags", setUnshare)),
	def("setns", Desc|Process, fd, flags("nstype", setSetns)),
	def("pidfd_open", Desc|Process, num("pid"), flags("flags", setPidfdOpen)).retFD(),
	def("pidfd_getfd", Desc, fdArg("pidfd"), num("targetfd"), hex("flags")).retFD(),
	def("pidfd_send_signal", Desc|Signal|Process, fdArg("pidfd"), sig("sig"), structIn("info", layoutSiginfo), flags("flags", setPidfdSignal)),
	def("process_mrelease", Desc|Memory, fdArg("pidfd"), hex("flags")),
	def("process_madvise", Desc|Memory, fdArg("pidfd"), ptr("iovec"), size("vlen"), enum("advice", setMadvise), hex("flags")),
	def("process_vm_readv", Process, num("pid"), ptr("local_iov"), size("liovcnt"), ptr("remote_iov"), size("riovcnt"), hex("flags")),
	def("process_vm_writev", Process, num("pid"), ptr("local_iov"), size("liovcnt"), ptr("remote_iov"), size("riovcnt"), hex("flags")),
	def("kcmp", Process, num("pid1"), num("pid2"), enum("type", setKcmp), hex("idx1"), hex("idx2")),
	def("ptrace", Process, enum("op", setPtrace), num("pid"), hex("addr"), hex("data")).varies(ptraceArgs),
	def("seccomp", Process, enum("op", setSeccompOps), flags("flags", setSeccompFlags), ptr("args")).varies(seccompArgs),
	def("prctl", Process, enum("op", setPrctl), hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")).varies(prctlArgs),
	def("arch_prctl", Process, enum("op", setArchPrctl), hex("addr")).varies(archPrctlArgs),
	def("personality", Process, enumFlags("persona", 0xff, setPersonality, setPersonalityFlags)).varies(personalityArgs).returns(func(*[6]uint64) retKind { return retFlags }).remark(personalityRemark),
	def("getrlimit", Process, enum("resource", setResources), structOut("rlim", layoutRlimit)),
	def("setrlimit", Process, enum("resource", setResources), structIn("rlim", layoutRlimit)),
	def("prlimit64", Process, num("pid"), enum("resource", setResources), structIn("new_limit", layoutRlimit64), structOut("old_limit", layoutRlimit64)),
	def("getrusage", Process, enum("who", setRUsage), structOut("usage", layoutRusage)),
	def("times", Process, structOut("buf", layoutTms)),
	def("getpriority", Process, enum("which", setPriorities), num("who")),
	def("setpriority", Process, enum("which", setPriorities), num("who"), num("prio")),
	def("ioprio_get", Process, enum("which", setIoprioWho), num("who")),
	def("ioprio_set", Process, enum("which", setIoprioWho), num("who"), hex("ioprio")),
	def("sched_yield", Process),
	def("sched_setparam", Process, num("pid"), structIn("param", layoutInt)),
	def("sched_getparam", Process, num("pid"), structOut("param", layoutInt)),
	def("sched_setscheduler", Process, num("pid"), schedPolicy, structIn("param", layoutInt)),
	def("sched_getscheduler", Process, num("pid")),
	def("sched_get_priority_max", Process, enum("policy", setSched)),
	def("sched_get_priority_min", Process, enum("policy", setSched)),
	def("sched_rr_get_interval", Process, num("pid"), structOut("tp", layoutTimespec)),
	def("sched_setaffinity", Process, num("pid"), size("cpusetsize"), Arg{Name: "mask", kind: KindStruct, dir: in, n: count{fromSizeArg, 1}, st: layoutCPUs}),
	def("sched_getaffinity", Process, num("pid"), size("cpusetsize"), Arg{Name: "mask", kind: KindStruct, dir: out, n: count{fromRet, 0}, st: layoutCPUs}),
	def("sched_setattr", Process, num("pid"), structIn("attr", layoutSchedAttr), hex("flags")),
	def("sched_getattr", Process, num("pid"), structOut("attr", layoutSchedAttr), unum("size"), hex("flags")),
	def("membarrier", Memory, enum("cmd", setMembarrier), flags("flags", setMembarrierFlags), num("cpu_id")),
	def("getcpu", Other, structOut("cpu", layoutUint), structOut("node", layoutUint), ptr("tcache")),
	def("set_thread_area", Process, ptr("u_info")),
	def("get_thread_area", Process, ptr("u_info")),
	def("modify_ldt", Process, num("func"), ptr("ptr"), size("bytecount")),
	def("ioperm", Process, size("from"), size("num"), num("turn_on")),
	def("iopl", Process, num("level")),
}

var (
	waitStatus  = structOut("wstatus", layoutWait)
	schedPolicy = enumFlags("policy", 0x3fffffff, setSched, &Set{Names: []Name{{0x40000000, "SCHED_RESET_ON_FORK"}}})
	layoutI0    = layoutInt
	cloneFlags  = Arg{Name: "flags", kind: KindFlags, set: setCloneFlags}
)

// clone's arguments, in the order of the registers: x86-64 has the child's
// tid before the thread area, i386 and arm64 after it.
var (
	argsClone     = []Arg{cloneFlags, ptr("stack"), structOut("parent_tid", layoutInt), ptr("child_tid"), hex("tls")}
	argsCloneBack = []Arg{cloneFlags, ptr("stack"), structOut("parent_tid", layoutInt), hex("tls"), ptr("child_tid")}
)

func cloneArgs(*[6]uint64) []Arg     { return argsClone }
func cloneArgsBack(*[6]uint64) []Arg { return argsCloneBack }

// struct clone_args in its first published size.
var layoutCloneArgs = &layout{64, 64, func(p *printer, b []byte) {
	p.str("{flags=")
	p.flags(setClone3Flags, le64(b, 0))
	for i, n := range [...]string{"pidfd", "child_tid", "parent_tid"} {
		if v := le64(b, 8+8*i); v != 0 {
			p.field(n)
			p.hex(v)
		}
	}
	p.field("exit_signal")
	if s := le64(b, 32); s == 0 {
		p.str("0")
	} else {
		p.str(SignalName(int(s & 0xff)))
	}
	p.field("stack")
	p.ptr(le64(b, 40))
	p.field("stack_size")
	p.hex(le64(b, 48))
	if v := le64(b, 56); v != 0 {
		p.field("tls")
		p.hex(v)
	}
	p.str("}")
}, false}

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

var layoutSchedAttr = &layout{48, 48, func(p *printer, b []byte) {
	p.str("{size=")
	p.uint(le32(b, 0))
	p.field("sched_policy")
	p.enum(setSched, le32(b, 4))
	p.field("sched_flags")
	p.flags(setSchedFlags, le64(b, 8))
	p.field("sched_nice")
	p.int(i32(b, 16))
	p.field("sched_priority")
	p.uint(le32(b, 20))
	for i, n := range [...]string{"sched_runtime", "sched_deadline", "sched_period"} {
		p.field(n)
		p.uint(le64(b, 24+8*i))
	}
	p.str("}")
}, false}

var (
	argsArchGet = []Arg{enum("op", setArchPrctl), structOut("addr", layoutPtr)}
	argsArchSet = []Arg{enum("op", setArchPrctl), hex("addr")}
)

func archPrctlArgs(r *[6]uint64) []Arg {
	if c := uint32(r[0]); c == 0x1003 || c == 0x1004 { // ARCH_GET_FS, ARCH_GET_GS
		return argsArchGet
	}
	return argsArchSet
}

var (
	ptraceHead = []Arg{enum("op", setPtrace), num("pid"), ptr("addr"), ptr("data")}
	ptraceOpt  = []Arg{enum("op", setPtrace), num("pid"), ptr("addr"), flags("data", setPtraceOptions)}
	ptraceSig  = []Arg{enum("op", setPtrace), num("pid"), ptr("addr"), sig("data")}
	ptraceInfo = []Arg{enum("op", setPtrace), num("pid"), ptr("addr"), structOut("data", layoutSiginfo)}
)

func ptraceArgs(r *[6]uint64) []Arg {
	switch uint32(r[0]) {
	case 0: // PTRACE_TRACEME
		return ptraceHead[:1]
	case 7, 9, 17, 24: // PTRACE_CONT, SINGLESTEP, DETACH, SYSCALL
		return ptraceSig
	case 8, 16, 0x4208: // PTRACE_KILL, ATTACH, LISTEN
		return ptraceHead[:2]
	case 0x4200, 0x4206: // PTRACE_SETOPTIONS, PTRACE_SEIZE
		return ptraceOpt
	case 0x4202: // PTRACE_GETSIGINFO
		return ptraceInfo
	}
	return ptraceHead
}

// struct sock_fprog: a length and a pointer.
var layoutFprog = &layout{16, 8, func(p *printer, b []byte) {
	p.str("{len=")
	p.uint(le16(b, 0))
	p.str(", filter=")
	p.ptr(p.long(b, 1))
	p.str("}")
}, false}

var (
	seccompStrict = []Arg{enum("op", setSeccompOps), hex("flags"), ptr("args")}
	seccompFilter = []Arg{enum("op", setSeccompOps), flags("flags", setSeccompFlags), structIn("args", layoutFprog)}
	seccompAction = []Arg{enum("op", setSeccompOps), hex("flags"), structIn("args", layoutAction)}
	layoutAction  = &layout{4, 4, func(p *printer, b []byte) {
		p.str("[")
		p.enum(setSeccompRet, le32(b, 0))
		p.str("]")
	}, false}
)

func seccompArgs(r *[6]uint64) []Arg {
	switch uint32(r[0]) {
	case 1:
		return seccompFilter
	case 2:
		return seccompAction
	}
	return seccompStrict
}

var (
	argsPersonality = []Arg{enumFlags("persona", 0xff, setPersonality, setPersonalityFlags)}
	argsPersonalGet = []Arg{hex("persona")}
)

// personality(0xffffffff) asks.
func personalityArgs(r *[6]uint64) []Arg {
	if uint32(r[0]) == 0xffffffff {
		return argsPersonalGet
	}
	return argsPersonality
}

func personalityRemark(p *printer) {
	v := uint64(uint32(p.s.Ret))
	p.enum(setPersonality, v&0xff)
	if v &^= 0xff; v != 0 {
		p.str("|")
		p.flags(&Set{Names: setPersonalityFlags.Names}, v)
	}
}
