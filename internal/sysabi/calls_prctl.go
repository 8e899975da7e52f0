package sysabi

// prctl(2): one line an operation; those not listed take four numbers.
var prctls = lazily(func() map[uint32][]Arg {
	return map[uint32][]Arg{
		1:          prctl(sig("sig").wide()),                                                                                                         // PR_SET_PDEATHSIG
		2:          prctl(structOut("sig", layoutSigno)),                                                                                             // PR_GET_PDEATHSIG
		3:          prctl(),                                                                                                                          // PR_GET_DUMPABLE
		4:          prctl(enum("dumpable", setDumpable).wide()),                                                                                      // PR_SET_DUMPABLE
		5:          prctl(structOut("flags", layoutUnalign())),                                                                                       // PR_GET_UNALIGN
		6:          prctl(flags("flags", setUnalign)),                                                                                                // PR_SET_UNALIGN
		7:          prctl(),                                                                                                                          // PR_GET_KEEPCAPS
		8:          prctl(size("state")),                                                                                                             // PR_SET_KEEPCAPS
		9:          prctl(structOut("fpemu", layoutUint)),                                                                                            // PR_GET_FPEMU
		10:         prctl(size("fpemu")),                                                                                                             // PR_SET_FPEMU
		11:         prctl(structOut("mode", layoutUint)),                                                                                             // PR_GET_FPEXC
		12:         prctl(size("mode")),                                                                                                              // PR_SET_FPEXC
		13:         prctl(),                                                                                                                          // PR_GET_TIMING
		14:         prctl(size("mode")),                                                                                                              // PR_SET_TIMING
		15:         prctl(str("name").upTo(15)),                                                                                                      // PR_SET_NAME
		16:         prctl(Arg{Name: "name", kind: KindString, dir: out, n: count{fromConst, 16}}),                                                    // PR_GET_NAME
		19:         prctl(structOut("endianness", layoutUint)),                                                                                       // PR_GET_ENDIAN
		20:         prctl(size("endianness")),                                                                                                        // PR_SET_ENDIAN
		21:         prctl(),                                                                                                                          // PR_GET_SECCOMP
		22:         prctl(enum("mode", setSeccompMode).wide(), hex("arg3"), hex("arg4"), hex("arg5")),                                                // PR_SET_SECCOMP
		23:         prctl(enum("cap", setCaps).wide()),                                                                                               // PR_CAPBSET_READ
		24:         prctl(enum("cap", setCaps).wide()),                                                                                               // PR_CAPBSET_DROP
		25:         prctl(structOut("flag", layoutTSC)),                                                                                              // PR_GET_TSC
		26:         prctl(enum("flag", setTSC)),                                                                                                      // PR_SET_TSC
		27:         prctl(),                                                                                                                          // PR_GET_SECUREBITS
		28:         prctl(flags("flags", setSecbits).wide()),                                                                                         // PR_SET_SECUREBITS
		29:         prctl(long("slack")),                                                                                                             // PR_SET_TIMERSLACK
		30:         prctl(),                                                                                                                          // PR_GET_TIMERSLACK
		31:         prctl(),                                                                                                                          // PR_TASK_PERF_EVENTS_DISABLE
		32:         prctl(),                                                                                                                          // PR_TASK_PERF_EVENTS_ENABLE
		33:         prctl(enum("operation", setMCEKill).wide(), hex("arg3"), hex("arg4"), hex("arg5")),                                               // PR_MCE_KILL
		34:         prctlOther(),                                                                                                                     // PR_MCE_KILL_GET
		35:         prctl(enum("operation", setSetMM), hex("arg3"), hex("arg4"), hex("arg5")),                                                        // PR_SET_MM
		36:         prctl(size("set")),                                                                                                               // PR_SET_CHILD_SUBREAPER
		37:         prctl(structOut("isset", layoutUint)),                                                                                            // PR_GET_CHILD_SUBREAPER
		38:         prctl(size("set"), hex("arg3"), hex("arg4"), hex("arg5")),                                                                        // PR_SET_NO_NEW_PRIVS
		40:         prctl(structOut("addr", layoutPtr)),                                                                                              // PR_GET_TID_ADDRESS
		41:         prctl(size("flag"), hex("arg3"), hex("arg4"), hex("arg5")),                                                                       // PR_SET_THP_DISABLE
		45:         prctl(flags("mode", setPrFpMode)),                                                                                                // PR_SET_FP_MODE
		46:         prctl(),                                                                                                                          // PR_GET_FP_MODE
		47:         prctl(enum("operation", setCapAmbient).wide(), hex("arg3"), hex("arg4"), hex("arg5")),                                            // PR_CAP_AMBIENT
		50:         prctl(number("value", vectorLength(setPrSveVlFlags))),                                                                            // PR_SVE_SET_VL
		51:         prctl(),                                                                                                                          // PR_SVE_GET_VL
		52:         prctl(enum("misfeature", setSpecCmds).wide()),                                                                                    // PR_GET_SPECULATION_CTRL
		53:         prctl(enum("misfeature", setSpecCmds).wide(), hex("value")),                                                                      // PR_SET_SPECULATION_CTRL
		54:         prctl(flags("keys", setPACKeys).wide(), hex("arg3"), hex("arg4"), hex("arg5")),                                                   // PR_PAC_RESET_KEYS
		55:         prctl(number("mode", taggedAddr), hex("arg3"), hex("arg4"), hex("arg5")),                                                         // PR_SET_TAGGED_ADDR_CTRL
		57:         prctl(size("state"), hex("arg3"), hex("arg4"), hex("arg5")),                                                                      // PR_SET_IO_FLUSHER
		59:         prctl(enum("operation", setPrSudCmds).wide(), hex("off"), hex("size"), ptr("switch")),                                            // PR_SET_SYSCALL_USER_DISPATCH
		60:         prctl(flags("bitmask_affected", setPACEnabled()).wide(), flags("bitmask_set", setPACEnabled()).wide(), hex("arg4"), hex("arg5")), // PR_PAC_SET_ENABLED_KEYS
		62:         prctl(enum("operation", setPrSchedCoreCmds), corePID, pidType(), hex("arg5")),                                                    // PR_SCHED_CORE
		63:         prctl(number("arg", vectorLength(setPrSmeVlFlags))),                                                                              // PR_SME_SET_VL
		64:         prctl(),                                                                                                                          // PR_SME_GET_VL
		65:         prctl(flags("mask", setMdwe), hex("arg3"), hex("arg4"), hex("arg5")),                                                             // PR_SET_MDWE
		69:         prctl(number("arg", riscvVector)),                                                                                                // PR_RISCV_V_SET_CONTROL
		70:         prctl(),                                                                                                                          // PR_RISCV_V_GET_CONTROL
		71:         prctl(enum("ctx", setPrRiscvIcacheFlushCtxes).wide(), enum("scope", setPrRiscvIcacheFlushScopes).wide()),                         // PR_RISCV_SET_ICACHE_FLUSH_CTX
		72:         prctl(enum("which", setPrPpcDexcrAspects).wide(), hex("arg3"), hex("arg4"), hex("arg5")),                                         // PR_PPC_GET_DEXCR
		73:         prctl(enum("which", setPrPpcDexcrAspects).wide(), flags("ctrl", setPrPpcDexcrCtrlFlags).wide(), hex("arg4"), hex("arg5")),        // PR_PPC_SET_DEXCR
		0x53564d41: prctl(enum("attr", setVMA).wide(), hex("arg3"), hex("arg4"), hex("arg5")),                                                        // PR_SET_VMA
		0x59616d61: prctl(number("pid", ptracer)),                                                                                                    // PR_SET_PTRACER
	}
})

func prctl(args ...Arg) []Arg { return append([]Arg{enum("op", setPrctl)}, args...) }

var (
	prctlOther   = lazily(func() []Arg { return prctl(hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")) })
	prctlStrict  = lazily(func() []Arg { return prctl(enum("mode", setSeccompMode).wide()) })
	prctlAmbient = lazily(func() []Arg {
		return prctl(enum("operation", setCapAmbient).wide(), enum("caps", setCaps).wide(), hex("arg4"), hex("arg5"))
	})
	prctlName   = lazily(func() []Arg { return prctl(enum("attr", setVMA).wide(), ptr("addr"), size("size"), str("name")) })
	prctlFilter = lazily(func() []Arg { return prctl(enum("mode", setSeccompMode).wide(), seccompProgram("filter")) })
	prctlMCESet = lazily(func() []Arg {
		return prctl(enum("operation", setMCEKill).wide(), enum("policy", setMCEPolicy).wide(), hex("arg4"), hex("arg5"))
	})
	prctlSpec = lazily(func() []Arg {
		return prctl(enum("misfeature", setSpecCmds).wide(), enum("value", setPrSpecSetStoreBypassFlags).wide())
	})
	prctlCoreGet = lazily(func() []Arg {
		return prctl(enum("operation", setPrSchedCoreCmds), corePID, pidType(), structOut("cookie", layoutHex64))
	})
	setVMA        = &Set{"PR_SET_VMA_???", []Name{{0, "PR_SET_VMA_ANON_NAME"}}}
	layoutUnalign = lazily(func() *layout { return bracketed(setUnalign) })
	layoutHex64   = &layout{8, 8, func(p *printer, b []byte) { p.str("["); p.hex(le64(b, 0)); p.str("]") }, false}
)

func prctlArgs(r *[6]uint64) []Arg {
	switch op := uint32(r[0]); {
	case op == 22 && r[1] == 2: // SECCOMP_MODE_FILTER
		return prctlFilter()
	case op == 22 && r[1] == 1: // SECCOMP_MODE_STRICT
		return prctlStrict()
	case op == 33 && r[1] == 1: // PR_MCE_KILL_SET
		return prctlMCESet()
	case op == 47 && r[1] >= 1 && r[1] <= 3: // PR_CAP_AMBIENT_IS_SET, RAISE, LOWER
		return prctlAmbient()
	case op == 53 && r[1] <= 2:
		return prctlSpec()
	case op == 62 && uint32(r[1]) == 0: // PR_SCHED_CORE_GET
		return prctlCoreGet()
	case op == 0x53564d41 && r[1] == 0: // PR_SET_VMA_ANON_NAME
		return prctlName()
	}
	if a, ok := prctls()[uint32(r[0])]; ok {
		return a
	}
	return prctlOther()
}

// number is a value that show prints in a way of its own.
func number(name string, show func(p *printer, v uint64)) Arg {
	return Arg{Name: name, kind: KindHex, show: func(p *printer, v *Value) { show(p, v.Uint) }}
}

// vectorLength prints the length of a vector register and flags above it.
func vectorLength(s *Set) func(p *printer, v uint64) {
	return func(p *printer, v uint64) { p.styled(v, func() { p.vectorLength(s, v) }) }
}

func (p *printer) vectorLength(s *Set, v uint64) {
	if f := v &^ 0xffff; f != 0 {
		p.b = s.appendFlags(p.b, f)
		p.str("|")
	}
	p.hex(v & 0xffff)
}

// taggedAddr prints the modes of tagged addresses (arm64).
func taggedAddr(p *printer, v uint64) {
	p.styled(v, func() {
		p.b = setPrTaggedAddrEnable.appendFlags(p.b, v&1)
		p.str("|")
		p.enum(setPrTaggedAddrMteTcf, v&6)
		if tag := v >> 3 & 0xffff; tag != 0 {
			p.str("|")
			p.hex(tag)
			p.str("<<PR_MTE_TAG_SHIFT")
		}
		if rest := v &^ 0x7ffff; rest != 0 {
			p.str("|")
			p.hex(rest)
		}
	})
}

// riscvVector prints the present and next state of the vector unit (RISC-V).
func riscvVector(p *printer, v uint64) {
	p.styled(v, func() {
		p.enum(setPrRiscvVStates, v&3)
		p.str("|")
		p.enum(setPrRiscvVStates, v>>2&3)
		p.str("<<2|")
		p.b = setPrRiscvVInherit.appendFlags(p.b, v&16)
		if rest := v &^ 31; rest != 0 {
			p.str("|")
			p.hex(rest)
		}
	})
}

func ptracer(p *printer, v uint64) {
	pid := int64(int32(v))
	switch {
	case pid != -1:
		p.pid(pid, TGID)
	case p.opt.Style == StyleRaw:
		p.int(pid)
	case p.opt.Style == StyleVerbose:
		p.str("-1 /* PR_SET_PTRACER_ANY */")
	default:
		p.str("PR_SET_PTRACER_ANY")
	}
}

// pidType has its name as a remark.
var pidType = lazily(func() Arg {
	return number("pid_type", func(p *printer, v uint64) { p.remarked(setPrSchedCorePidtypes, uint64(uint32(v))) })
})

// remarked prints a number in hex with its name as a remark.
func (p *printer) remarked(s *Set, v uint64) {
	p.hex(v)
	if p.opt.Style == StyleRaw {
		return
	}
	n := s.Name(v)
	if n == "" {
		n = s.Unknown
	}
	if n != "" {
		p.str(" /* " + n + " */")
	}
}

// aux prints flags as a remark behind a result, where names are wanted.
func (p *printer) aux(s *Set, v uint64) {
	if p.opt.Style == StyleRaw || v == 0 && s.Name(0) == "" {
		return
	}
	mark := len(p.b)
	b, rest := s.appendNames(p.b, v)
	switch p.b = b; {
	case v == 0:
		p.str(s.Name(0))
	case len(b) > mark && rest != 0:
		p.str("|")
		p.hex(rest)
	}
}

var layoutSigno = &layout{4, 4, func(p *printer, b []byte) {
	p.str("[")
	p.str(SignalName(int(i32(b, 0))))
	p.str("]")
}, false}

var layoutTSC = &layout{4, 4, func(p *printer, b []byte) {
	p.str("[")
	p.enum(setTSC, le32(b, 0))
	p.str("]")
}, false}

// prctlFlags are the operations whose result is flags.
var prctlFlags = lazily(func() map[uint32]func(p *printer, v uint64) {
	return map[uint32]func(p *printer, v uint64){
		27: nonzeroAux(setSecbits),                                     // PR_GET_SECUREBITS
		46: nonzeroAux(setPrFpMode),                                    // PR_GET_FP_MODE
		50: vectorAux(setPrSveVlFlags), 51: vectorAux(setPrSveVlFlags), // PR_SVE_SET_VL, GET
		56: auxOf(taggedAddr),                                          // PR_GET_TAGGED_ADDR_CTRL
		61: setAux(setPACEnabled()),                                    // PR_PAC_GET_ENABLED_KEYS
		63: vectorAux(setPrSmeVlFlags), 64: vectorAux(setPrSmeVlFlags), // PR_SME_SET_VL, GET
		66: setAux(setMdwe),                    // PR_GET_MDWE
		70: auxOf(riscvVector),                 // PR_RISCV_V_GET_CONTROL
		72: nonzeroAux(setPrPpcDexcrCtrlFlags), // PR_PPC_GET_DEXCR
	}
})

func setAux(s *Set) func(p *printer, v uint64) { return func(p *printer, v uint64) { p.aux(s, v) } }

func nonzeroAux(s *Set) func(p *printer, v uint64) {
	return func(p *printer, v uint64) {
		if v != 0 {
			p.aux(s, v)
		}
	}
}

// auxOf is what show prints of a number, without the number.
func auxOf(show func(p *printer, v uint64)) func(p *printer, v uint64) {
	return func(p *printer, v uint64) {
		if p.opt.Style != StyleRaw {
			p.inner(func() { show(p, v) })
		}
	}
}

func vectorAux(s *Set) func(p *printer, v uint64) {
	return func(p *printer, v uint64) {
		if v&^0xffff != 0 && p.opt.Style != StyleRaw {
			p.inner(func() { p.vectorLength(s, v) })
		}
	}
}

// prctlRemark names what the getters return.
func prctlRemark(p *printer) {
	v, op := uint64(p.s.Ret), uint32(p.s.Args[0])
	switch show := prctlFlags()[op]; {
	case show != nil:
		show(p, v)
	case op == 3: // PR_GET_DUMPABLE
		p.str(setDumpable.Name(v))
	case op == 34: // PR_MCE_KILL_GET
		p.str(setMCEPolicy.Name(v))
	case op == 52 && p.s.Args[1] <= 2: // PR_GET_SPECULATION_CTRL
		p.aux(setPrSpecGetStoreBypassFlags, v)
	}
}

func prctlResult(r *[6]uint64) retKind {
	if op := uint32(r[0]); prctlFlags()[op] != nil || op == 52 && r[1] <= 2 {
		return retFlags
	}
	return retInt
}

// Sets and layouts of operations that few machines have (linux/prctl.h).
var (
	setUnalign = &Set{"PR_UNALIGN_???", []Name{{1, "PR_UNALIGN_NOPRINT"}, {2, "PR_UNALIGN_SIGBUS"}}}
	setPACKeys = &Set{"PR_PAC_???", []Name{
		{1, "PR_PAC_APIAKEY"}, {2, "PR_PAC_APIBKEY"}, {4, "PR_PAC_APDAKEY"}, {8, "PR_PAC_APDBKEY"}, {16, "PR_PAC_APGAKEY"},
	}}
	setPACEnabled = lazily(func() *Set { return &Set{"PR_PAC_???", setPACKeys.Names[:4]} })
)

// bracketed is an int of flags or an enum that a pointer leads to.
func bracketed(s *Set) *layout {
	return &layout{4, 4, func(p *printer, b []byte) {
		p.str("[")
		p.flags(s, le32(b, 0))
		p.str("]")
	}, false}
}

// arch_prctl(2) of x86.
var (
	archHead  = []Arg{enum("op", setArchPrctl)}
	archGet   = []Arg{enum("op", setArchPrctl), structOut("addr", layoutPtr)}
	archSet   = []Arg{enum("op", setArchPrctl), hex("addr")}
	archMasks = []Arg{enum("op", setArchPrctl), structOut("addr", &layout{8, 8, func(p *printer, b []byte) {
		p.str("[")
		p.featureMask(le64(b, 0))
		p.str("]")
	}, false})}
	archBit = lazily(func() []Arg {
		return []Arg{enum("op", setArchPrctl), number("addr", func(p *printer, v uint64) { p.remarked(setX86XfeatureBits, v) })}
	})
)

func archPrctlArgs(r *[6]uint64) []Arg {
	switch uint32(r[0]) {
	case 0x1003, 0x1004: // ARCH_GET_FS, ARCH_GET_GS
		return archGet
	case 0x1011: // ARCH_GET_CPUID
		return archHead
	case 0x1021, 0x1022, 0x1024: // ARCH_GET_XCOMP_SUPP, PERM, GUEST_PERM
		return archMasks
	case 0x1023, 0x1025: // ARCH_REQ_XCOMP_PERM, GUEST_PERM
		return archBit()
	}
	return archSet
}

func archRequests(r *[6]uint64) bool { return uint32(r[0]) == 0x1023 || uint32(r[0]) == 0x1025 }

func archPrctlResult(r *[6]uint64) retKind {
	if archRequests(r) {
		return retFlags
	}
	return retInt
}

func archPrctlRemark(p *printer) {
	if archRequests(&p.s.Args) && p.s.Ret > 0 {
		p.aux(setX86Xfeatures, uint64(p.s.Ret))
	}
}

// featureMask prints a number in hex with its flags as a remark.
func (p *printer) featureMask(v uint64) {
	p.hex(v)
	if p.opt.Style == StyleRaw || v == 0 {
		return
	}
	p.str(" /* ")
	if v&setX86Xfeatures.all() == 0 {
		p.str(setX86Xfeatures.Unknown)
	} else {
		p.b = setX86Xfeatures.appendFlags(p.b, v)
	}
	p.str(" */")
}

// corePID is PR_SCHED_CORE's process: the fourth argument says of what kind.
var corePID = pidBy("pid", func(r *[6]uint64) PIDKind {
	if t := uint32(r[3]); t <= 3 {
		return TID + PIDKind(t)
	}
	return noPID
})
