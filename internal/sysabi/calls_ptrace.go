package sysabi

import (
	"strconv"

	"culprit/internal/event"
)

// ptrace(2): what addr and data are depends on the request. The layouts of
// registers are those of x86-64; other architectures' are addresses.

var ptraceOp = lazily(func() Arg { return enum("op", setPtrace).wide() })

func ptraceWith(addr, data Arg) []Arg { return []Arg{ptraceOp(), pidArg("pid", TGID), addr, data} }

var (
	ptraceHead   = ptraceWith(ptr("addr"), ptr("data"))
	ptraceOpt    = lazily(func() []Arg { return ptraceWith(ptr("addr"), flags("data", setPtraceOptions).wide()) })
	ptraceSig    = lazily(func() []Arg { return ptraceWith(ptr("addr"), sig("data").wide()) })
	ptraceInfo   = ptraceWith(ptr("addr"), structOut("data", layoutSiginfo))
	ptraceInfoS  = ptraceWith(ptr("addr"), structIn("data", layoutSiginfo))
	ptraceWord   = ptraceWith(ptr("addr"), structOut("data", layoutPtr))
	ptraceUser   = lazily(func() []Arg { return ptraceWith(userOffset(), structOut("data", layoutPtr)) })
	ptraceUserS  = lazily(func() []Arg { return ptraceWith(userOffset(), ptr("data")) })
	ptraceMsg    = ptraceWith(ptr("addr"), structOut("data", layoutUlong))
	ptraceMask   = lazily(func() []Arg { return ptraceWith(size("addr"), ptraceSigset(out)) })
	ptraceMaskS  = lazily(func() []Arg { return ptraceWith(size("addr"), ptraceSigset(in)) })
	ptracePeek   = lazily(func() []Arg { return ptraceWith(given("addr", peekSiginfo()), siginfos) })
	ptraceFilter = ptraceWith(size("addr"), shown("data", out, 8, func(p *printer, v *Value) { p.filter(v.Uint, uint64(p.s.Ret)&0xffff, seccompOperand) }))
	ptraceMeta   = lazily(func() []Arg { return ptraceWith(size("addr"), seccompMetadata()) })
	ptraceCall   = lazily(func() []Arg { return ptraceWith(size("addr"), syscallInfo(out)) })
	ptraceCallS  = lazily(func() []Arg { return ptraceWith(size("addr"), syscallInfo(in)) })
	ptraceRegs   = lazily(func() []Arg { return []Arg{ptraceOp(), pidArg("pid", TGID), registers(out, prstatus()).at(3)} })
	ptraceRegsS  = lazily(func() []Arg { return []Arg{ptraceOp(), pidArg("pid", TGID), registers(in, prstatus()).at(3)} })
	ptraceFP     = lazily(func() []Arg { return []Arg{ptraceOp(), pidArg("pid", TGID), registers(out, fpregset()).at(3)} })
	ptraceFPS    = lazily(func() []Arg { return []Arg{ptraceOp(), pidArg("pid", TGID), registers(in, fpregset()).at(3)} })
	ptraceRegset = lazily(func() []Arg { return ptraceWith(enum("addr", setNT), regsetGet()) })
	ptraceSetset = lazily(func() []Arg { return ptraceWith(enum("addr", setNT), regsetSet()) })

	layoutUlong = &layout{8, 4, func(p *printer, b []byte) { p.str("["); p.uint(p.long(b, 0)); p.str("]") }, false}
)

func ptraceArgs(r *[6]uint64) []Arg {
	if r[0] > 1<<32 {
		return ptraceHead
	}
	switch uint32(r[0]) {
	case 0: // PTRACE_TRACEME
		return ptraceHead[:1]
	case 1, 2: // PTRACE_PEEKTEXT, PEEKDATA
		return ptraceWord
	case 3: // PTRACE_PEEKUSER
		return ptraceUser()
	case 6: // PTRACE_POKEUSER
		return ptraceUserS()
	case 7, 9, 17, 24, 31, 32, 33: // PTRACE_CONT, SINGLESTEP, DETACH, SYSCALL, SYSEMU, SYSEMU_SINGLESTEP, SINGLEBLOCK
		return ptraceSig()
	case 8, 16, 0x4207, 0x4208: // PTRACE_KILL, ATTACH, INTERRUPT, LISTEN
		return ptraceHead[:2]
	case 12: // PTRACE_GETREGS
		return ptraceRegs()
	case 13: // PTRACE_SETREGS
		return ptraceRegsS()
	case 14: // PTRACE_GETFPREGS
		return ptraceFP()
	case 15: // PTRACE_SETFPREGS
		return ptraceFPS()
	case 21, 0x4200, 0x4206: // PTRACE_OLDSETOPTIONS, SETOPTIONS, SEIZE
		return ptraceOpt()
	case 0x4201: // PTRACE_GETEVENTMSG
		return ptraceMsg
	case 0x4202: // PTRACE_GETSIGINFO
		return ptraceInfo
	case 0x4203: // PTRACE_SETSIGINFO
		return ptraceInfoS
	case 0x4204: // PTRACE_GETREGSET
		return ptraceRegset()
	case 0x4205: // PTRACE_SETREGSET
		return ptraceSetset()
	case 0x4209: // PTRACE_PEEKSIGINFO
		return ptracePeek()
	case 0x420a: // PTRACE_GETSIGMASK
		return ptraceMask()
	case 0x420b: // PTRACE_SETSIGMASK
		return ptraceMaskS()
	case 0x420c: // PTRACE_SECCOMP_GET_FILTER
		return ptraceFilter
	case 0x420d: // PTRACE_SECCOMP_GET_METADATA
		return ptraceMeta()
	case 0x420e: // PTRACE_GET_SYSCALL_INFO
		return ptraceCall()
	case ptraceSetInfo:
		return ptraceCallS()
	}
	return ptraceHead
}

func ptraceSigset(d dir) Arg {
	return shown("data", d, 8, func(p *printer, v *Value) {
		n := p.size(v, 2)
		b := p.fetch(v.Uint, int(min(n, 9)))
		if n < uint64(p.word()) || n > 8 || b == nil {
			p.ptr(v.Uint)
			return
		}
		p.sigset(b)
	})
}

var (
	peekSiginfo = lazily(func() *cstruct { return newRecord(u64("off"), f32("flags", setPeekSiginfo), u32("nr")) })
	siginfos    = shown("data", out, 128, func(p *printer, v *Value) {
		p.array(v.Uint, uint64(p.s.Ret), 128, func(b []byte) { layoutSiginfo.print(p, b) })
	})
	setPeekSiginfo = &Set{"PTRACE_PEEKSIGINFO_???", []Name{{1, "PTRACE_PEEKSIGINFO_SHARED"}}}
)

// seccompMetadata is filled as far as its size, in the third register, goes;
// the result is what the kernel knows of it.
var seccompMetadata = lazily(func() Arg {
	return shown("data", in, 16, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, 8)
		if p.size(v, 2) < 8 || b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{filter_off=")
		p.uint(le(b))
	}).twice(func(p *printer, v *Value) {
		if p.size(v, 2) < 8 || p.fetchAt(v.Uint, 8, event.Enter) == nil {
			return
		}
		if n := p.s.Ret; !p.failed && n > 8 {
			p.str(", ")
			if b := p.fetch(v.Uint+8, 8); n < 16 || b == nil {
				p.str("???")
			} else {
				p.str("flags=")
				p.flags(setSeccompFlags, le(b))
				if n > 16 {
					p.str(", ...")
				}
			}
		}
		p.str("}")
	})
})

// struct ptrace_syscall_info: a head, and a part that depends on op.
const infoEntry, infoExit, infoSeccomp = 1, 2, 3

const ptraceSetInfo = 0x4212 // PTRACE_SET_SYSCALL_INFO

var (
	syscallInfoHead = lazily(func() *cstruct {
		return newRecord(en("op", 1, setSyscallInfo), x8("reserved").nonzero(), x16("flags").nonzero(), e32("arch", setAuditArch),
			a64("instruction_pointer"), a64("stack_pointer"))
	})
	setSyscallInfo = &Set{"PTRACE_SYSCALL_INFO_???", []Name{
		{0, "PTRACE_SYSCALL_INFO_NONE"}, {infoEntry, "PTRACE_SYSCALL_INFO_ENTRY"}, {infoExit, "PTRACE_SYSCALL_INFO_EXIT"},
		{infoSeccomp, "PTRACE_SYSCALL_INFO_SECCOMP"},
	}}
)

const syscallInfoSize = 88

func syscallInfo(d dir) Arg {
	return shown("data", d, syscallInfoSize, func(p *printer, v *Value) {
		n := p.size(v, 2)
		if d == out {
			n = min(n, uint64(max(p.s.Ret, 0)))
		}
		n = min(n, syscallInfoSize)
		b := p.fetch(v.Uint, int(n))
		if n == 0 || b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{")
		p.syscallInfo(b)
		p.str("}")
	})
}

func (p *printer) syscallInfo(b []byte) {
	head := len(b) // fields are printed whole, all but the flags
	switch {
	case head < 8:
		head = min(head, 4)
	case head < 24:
		head &^= 7
	}
	p.members(syscallInfoHead(), b[:head])
	if len(b) < 32 {
		return
	}
	arch := uint32(le32(b, 4))
	args := func(from, n int) {
		if n = min((len(b)-from)/8, n); n <= 0 {
			return
		}
		p.field("args")
		p.str("[")
		for i := range n {
			p.sep(i)
			p.hex(le64(b, from+8*i))
		}
		p.str("]")
	}
	switch b[0] {
	case infoEntry, infoSeccomp:
		name := "entry"
		if b[0] == infoSeccomp {
			name = "seccomp"
		}
		p.field(name)
		p.str("{nr=")
		p.syscallName(le64(b, 24), arch)
		args(32, 6)
		if b[0] == infoSeccomp && len(b) >= 84 {
			p.field("ret_data")
			if uint32(p.s.Args[0]) == ptraceSetInfo {
				p.uint(le32(b, 80))
			} else {
				p.hex(le32(b, 80))
			}
		}
		p.str("}")
	case infoExit:
		p.field("exit")
		p.str("{rval=")
		whole := len(b) >= 33
		if v := int64(le64(b, 24)); whole && b[32] != 0 {
			p.errno(v, true)
		} else {
			p.int(v)
		}
		if whole {
			p.field("is_error")
			p.uint(uint64(b[32]))
		}
		p.str("}")
	}
}

// The registers of x86-64 as NT_PRSTATUS and NT_FPREGSET have them.
var (
	prstatus = lazily(func() *cstruct {
		return newRecord(x64("r15"), x64("r14"), x64("r13"), x64("r12"), x64("rbp"), x64("rbx"), x64("r11"), x64("r10"), x64("r9"), x64("r8"),
			x64("rax"), x64("rcx"), x64("rdx"), x64("rsi"), x64("rdi"), x64("orig_rax"), x64("rip"), x64("cs"), x64("eflags"), x64("rsp"), x64("ss"),
			x64("fs_base"), x64("gs_base"), x64("ds"), x64("es"), x64("fs"), x64("gs"))
	})
	fpregset = lazily(func() *cstruct {
		return newRecord(x16("cwd"), x16("swd"), x16("ftw"), x16("fop"), x64("rip"), x64("rdp"), x32("mxcsr"), x32("mxcr_mask"),
			words32("st_space", 32, 32), words32("xmm_space", 160, 64), words32("padding", 416, 24))
	})
)

// words32 is an array of which as much is printed as there is.
func words32(name string, at, n int) field {
	f := field{name: name, size: 4, n: n}
	f.show = func(p *printer, b, all []byte) {
		b = b[:min(len(b), max(len(all)-at, 0)/4*4)]
		p.str("[")
		for i := 0; i < len(b); i += 4 {
			p.sep(i)
			if i/4 >= p.opt.strLen() && !p.opt.Verbose {
				p.str("...")
				break
			}
			p.hex(le32(b, i))
		}
		p.str("]")
	}
	return f
}

func registers(d dir, r *cstruct) Arg {
	return shown("data", d, r.size, func(p *printer, v *Value) { p.registers(r, v.Uint, uint64(r.size)) })
}

func (p *printer) registers(r *cstruct, addr, n uint64) {
	b := p.fetch(addr, int(min(n, uint64(r.size))))
	if p.c.Arch != event.ArchX8664 || n == 0 || n%8 != 0 || b == nil {
		p.ptr(addr)
		return
	}
	p.str("{")
	p.members(r, b)
	if n > uint64(r.size) {
		p.str(", ...")
	}
	p.str("}")
}

func (p *printer) regset(iov []byte, note uint64) {
	p.str("{iov_base=")
	base, n := p.long(iov, 0), p.long(iov, 1)
	switch uint32(note) {
	case 1:
		p.registers(prstatus(), base, n)
	case 2:
		p.registers(fpregset(), base, n)
	default:
		p.ptr(base)
	}
	p.str(", iov_len=")
}

var (
	regsetGet = lazily(func() Arg {
		return shown("data", out, 16, func(p *printer, v *Value) {
			was, now := p.fetchAt(v.Uint, 2*p.word(), event.Enter), p.fetchAt(v.Uint, 2*p.word(), event.Leave)
			if was == nil || now == nil {
				p.ptr(v.Uint)
				return
			}
			p.regset(now, v.s.Args[2])
			p.changed(p.long(was, 1), p.long(now, 1))
			p.str("}")
		}).both()
	})
	regsetSet = lazily(func() Arg {
		return shown("data", in, 16, func(p *printer, v *Value) {
			iov := p.fetch(v.Uint, 2*p.word())
			if iov == nil {
				p.ptr(v.Uint)
				return
			}
			p.regset(iov, v.s.Args[2])
			p.uint(p.long(iov, 1))
		}).twice(func(p *printer, v *Value) {
			was := p.fetchAt(v.Uint, 2*p.word(), event.Enter)
			if was == nil {
				return
			}
			if now := p.fetchAt(v.Uint, 2*p.word(), event.Leave); now != nil && p.long(now, 1) != p.long(was, 1) {
				p.str(" => ")
				p.uint(p.long(now, 1))
			}
			p.str("}")
		})
	})
)

// changed prints a number, and what became of it.
func (p *printer) changed(was, now uint64) {
	p.uint(was)
	if was != now {
		p.str(" => ")
		p.uint(now)
	}
}

// both says that memory counts at the entry too, although all is printed at
// the exit.
func (a Arg) both() Arg {
	show := a.show
	a.dir = in | out
	a.show = func(p *printer, v *Value) {
		p.at = event.Leave
		show(p, v)
	}
	return a
}

var setNT = &Set{"NT_???", []Name{
	{1, "NT_PRSTATUS"}, {2, "NT_FPREGSET"}, {3, "NT_PRPSINFO"}, {4, "NT_PRXREG"}, {5, "NT_PLATFORM"},
	{6, "NT_AUXV"}, {7, "NT_GWINDOWS"}, {8, "NT_ASRS"}, {0xa, "NT_PSTATUS"}, {0xd, "NT_PSINFO"}, {0xe, "NT_PRCRED"},
	{0xf, "NT_UTSNAME"}, {0x10, "NT_LWPSTATUS"}, {0x11, "NT_LWPSINFO"}, {0x14, "NT_PRFPXREG"},
	{0x100, "NT_PPC_VMX"}, {0x101, "NT_PPC_SPE"}, {0x102, "NT_PPC_VSX"}, {0x103, "NT_PPC_TAR"},
	{0x104, "NT_PPC_PPR"}, {0x105, "NT_PPC_DSCR"}, {0x106, "NT_PPC_EBB"}, {0x107, "NT_PPC_PMU"},
	{0x108, "NT_PPC_TM_CGPR"}, {0x109, "NT_PPC_TM_CFPR"}, {0x10a, "NT_PPC_TM_CVMX"}, {0x10b, "NT_PPC_TM_CVSX"},
	{0x10c, "NT_PPC_TM_SPR"}, {0x10d, "NT_PPC_TM_CTAR"}, {0x10e, "NT_PPC_TM_CPPR"}, {0x10f, "NT_PPC_TM_CDSCR"},
	{0x110, "NT_PPC_PKEY"}, {0x111, "NT_PPC_DEXCR"}, {0x112, "NT_PPC_HASHKEYR"}, {0x200, "NT_386_TLS"},
	{0x201, "NT_386_IOPERM"}, {0x202, "NT_X86_XSTATE"}, {0x204, "NT_X86_SHSTK"}, {0x205, "NT_X86_XSAVE_LAYOUT"},
	{0x300, "NT_S390_HIGH_GPRS"}, {0x301, "NT_S390_TIMER"}, {0x302, "NT_S390_TODCMP"}, {0x303, "NT_S390_TODPREG"},
	{0x304, "NT_S390_CTRS"}, {0x305, "NT_S390_PREFIX"}, {0x306, "NT_S390_LAST_BREAK"},
	{0x307, "NT_S390_SYSTEM_CALL"}, {0x308, "NT_S390_TDB"}, {0x309, "NT_S390_VXRS_LOW"},
	{0x30a, "NT_S390_VXRS_HIGH"}, {0x30b, "NT_S390_GS_CB"}, {0x30c, "NT_S390_GS_BC"}, {0x30d, "NT_S390_RI_CB"},
	{0x30e, "NT_S390_PV_CPU_DATA"}, {0x400, "NT_ARM_VFP"}, {0x401, "NT_ARM_TLS"}, {0x402, "NT_ARM_HW_BREAK"},
	{0x403, "NT_ARM_HW_WATCH"}, {0x404, "NT_ARM_SYSTEM_CALL"}, {0x405, "NT_ARM_SVE"}, {0x406, "NT_ARM_PAC_MASK"},
	{0x407, "NT_ARM_PACA_KEYS"}, {0x408, "NT_ARM_PACG_KEYS"}, {0x409, "NT_ARM_TAGGED_ADDR_CTRL"},
	{0x40a, "NT_ARM_PAC_ENABLED_KEYS"}, {0x40b, "NT_ARM_SSVE"}, {0x40c, "NT_ARM_ZA"}, {0x40d, "NT_ARM_ZT"},
	{0x40e, "NT_ARM_FPMR"}, {0x40f, "NT_ARM_POE"}, {0x410, "NT_ARM_GCS"}, {0x500, "NT_METAG_CBUF"},
	{0x501, "NT_METAG_RPIPE"}, {0x502, "NT_METAG_TLS"}, {0x600, "NT_ARC_V2"}, {0x700, "NT_VMCOREDD"},
	{0x800, "NT_MIPS_DSP"}, {0x801, "NT_MIPS_FP_MODE"}, {0x802, "NT_MIPS_MSA"}, {0x900, "NT_RISCV_CSR"},
	{0x901, "NT_RISCV_VECTOR"}, {0x902, "NT_RISCV_TAGGED_ADDR_CTRL"}, {0x903, "NT_RISCV_USER_CFI"},
	{0xa00, "NT_LOONGARCH_CPUCFG"}, {0xa01, "NT_LOONGARCH_CSR"}, {0xa02, "NT_LOONGARCH_LSX"},
	{0xa03, "NT_LOONGARCH_LASX"}, {0xa04, "NT_LOONGARCH_LBT"}, {0x46494c45, "NT_FILE"}, {0x46e62b7f, "NT_PRXFPREG"},
	{0x53494749, "NT_SIGINFO"},
}}

// userOffset is a place in struct user (sys/user.h): registers first.
var userOffset = lazily(func() Arg {
	return number("addr", func(p *printer, v uint64) {
		name, base := "", uint64(0)
		for i := range userNames {
			if n := &userNames[i]; n.V <= v {
				name, base = n.S, n.V
			}
		}
		switch {
		case p.c.Arch != event.ArchX8664 || v >= userSize:
			p.ptr(v)
		case v == base:
			p.constant(name, func() { p.ptr(v) })
		default:
			p.constant(name+"+"+string(strconv.AppendUint(nil, v-base, 10)), func() { p.ptr(v) })
		}
	})
})

const userSize = 912 // sizeof(struct user)

var userNames = [...]Name{
	{0, "8*R15"}, {8, "8*R14"}, {16, "8*R13"}, {24, "8*R12"}, {32, "8*RBP"}, {40, "8*RBX"}, {48, "8*R11"}, {56, "8*R10"}, {64, "8*R9"}, {72, "8*R8"},
	{80, "8*RAX"}, {88, "8*RCX"}, {96, "8*RDX"}, {104, "8*RSI"}, {112, "8*RDI"}, {120, "8*ORIG_RAX"}, {128, "8*RIP"}, {136, "8*CS"}, {144, "8*EFL"},
	{152, "8*RSP"}, {160, "8*SS"}, {216, "offsetof(struct user, u_fpvalid)"}, {224, "offsetof(struct user, i387)"},
	{736, "offsetof(struct user, u_tsize)"}, {744, "offsetof(struct user, u_dsize)"}, {752, "offsetof(struct user, u_ssize)"},
	{760, "offsetof(struct user, start_code)"}, {768, "offsetof(struct user, start_stack)"}, {776, "offsetof(struct user, signal)"},
	{784, "offsetof(struct user, reserved)"}, {792, "offsetof(struct user, u_ar0)"}, {800, "offsetof(struct user, u_fpstate)"},
	{808, "offsetof(struct user, magic)"}, {816, "offsetof(struct user, u_comm)"}, {848, "offsetof(struct user, u_debugreg)"},
}
