package sysabi

// prctl(2): one line an operation; those not listed take four numbers.
var prctls = map[uint32][]Arg{
	1:          prctl(sig("sig").wide()),                                                                                     // PR_SET_PDEATHSIG
	2:          prctl(structOut("sig", layoutSigno)),                                                                         // PR_GET_PDEATHSIG
	3:          prctl(),                                                                                                      // PR_GET_DUMPABLE
	4:          prctl(enum("dumpable", setDumpable).wide()),                                                                  // PR_SET_DUMPABLE
	7:          prctl(),                                                                                                      // PR_GET_KEEPCAPS
	8:          prctl(size("state")),                                                                                         // PR_SET_KEEPCAPS
	13:         prctl(),                                                                                                      // PR_GET_TIMING
	15:         prctl(str("name").upTo(15)),                                                                                  // PR_SET_NAME
	16:         prctl(Arg{Name: "name", kind: KindString, dir: out, n: count{fromConst, 16}}),                                // PR_GET_NAME
	21:         prctl(),                                                                                                      // PR_GET_SECCOMP
	22:         prctl(enum("mode", setSeccompMode).wide(), hex("arg3"), hex("arg4"), hex("arg5")),                            // PR_SET_SECCOMP
	23:         prctl(enum("cap", setCaps)),                                                                                  // PR_CAPBSET_READ
	24:         prctl(enum("cap", setCaps)),                                                                                  // PR_CAPBSET_DROP
	25:         prctl(structOut("flag", layoutTSC)),                                                                          // PR_GET_TSC
	26:         prctl(enum("flag", setTSC)),                                                                                  // PR_SET_TSC
	27:         prctl(),                                                                                                      // PR_GET_SECUREBITS
	28:         prctl(flags("flags", setSecbits)),                                                                            // PR_SET_SECUREBITS
	29:         prctl(size("timerslack")),                                                                                    // PR_SET_TIMERSLACK
	30:         prctl(),                                                                                                      // PR_GET_TIMERSLACK
	31:         prctl(),                                                                                                      // PR_TASK_PERF_EVENTS_DISABLE
	32:         prctl(),                                                                                                      // PR_TASK_PERF_EVENTS_ENABLE
	33:         prctlMCEGet,                                                                                                  // PR_MCE_KILL
	35:         prctl(enum("op", setSetMM), hex("addr"), hex("arg4"), hex("arg5")),                                           // PR_SET_MM
	36:         prctl(size("set")),                                                                                           // PR_SET_CHILD_SUBREAPER
	37:         prctl(structOut("isset", layoutInt)),                                                                         // PR_GET_CHILD_SUBREAPER
	38:         prctl(size("attr"), hex("arg3"), hex("arg4"), hex("arg5")),                                                   // PR_SET_NO_NEW_PRIVS
	39:         prctl(hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")),                                                    // PR_GET_NO_NEW_PRIVS
	40:         prctl(structOut("addrp", layoutPtr)),                                                                         // PR_GET_TID_ADDRESS
	41:         prctl(size("disable"), hex("arg3"), hex("arg4"), hex("arg5")),                                                // PR_SET_THP_DISABLE
	47:         prctl(enum("op", setCapAmbient), enum("cap", setCaps), hex("arg4"), hex("arg5")),                             // PR_CAP_AMBIENT
	52:         prctl(enum("misfeature", setSpecCmds)),                                                                       // PR_GET_SPECULATION_CTRL
	65:         prctl(flags("flags", setMdwe), hex("arg3"), hex("arg4"), hex("arg5")),                                        // PR_SET_MDWE
	0x53564d41: prctl(enum("attr", setVMA).wide(), ptr("addr"), hex("size"), ptr("val")),                                     // PR_SET_VMA
	5:          prctl(structOut("bits", layoutUnalign)),                                                                      // PR_GET_UNALIGN
	6:          prctl(flags("bits", setUnalign).wide()),                                                                      // PR_SET_UNALIGN
	9:          prctl(structOut("bits", layoutFPEmu)),                                                                        // PR_GET_FPEMU
	10:         prctl(enum("mode", setFPEmu).wide()),                                                                         // PR_SET_FPEMU
	11:         prctl(structOut("mode", layoutFPExc)),                                                                        // PR_GET_FPEXC
	12:         prctl(flags("mode", setFPExc).wide()),                                                                        // PR_SET_FPEXC
	19:         prctl(structOut("endian", layoutEndian)),                                                                     // PR_GET_ENDIAN
	20:         prctl(enum("endian", setEndian).wide()),                                                                      // PR_SET_ENDIAN
	34:         prctl(hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")),                                                    // PR_MCE_KILL_GET
	50:         prctl(hex("len")),                                                                                            // PR_SVE_SET_VL
	51:         prctl(),                                                                                                      // PR_SVE_GET_VL
	63:         prctl(hex("len")),                                                                                            // PR_SME_SET_VL
	64:         prctl(),                                                                                                      // PR_SME_GET_VL
	54:         prctl(flags("keys", setPACKeys).wide(), hex("arg3"), hex("arg4"), hex("arg5")),                               // PR_PAC_RESET_KEYS
	60:         prctl(flags("keys", setPACEnabled).wide(), flags("enabled", setPACEnabled).wide(), hex("arg4"), hex("arg5")), // PR_PAC_SET_ENABLED_KEYS
	0x59616d61: prctl(pidArg("pid", TGID)),                                                                                   // PR_SET_PTRACER
}

var prctlOther = prctl(hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5"))

func prctl(args ...Arg) []Arg { return append([]Arg{enum("op", setPrctl)}, args...) }

var (
	prctlStrict = prctl(enum("mode", setSeccompMode).wide())
	prctlClear  = prctl(enum("op", setCapAmbient), hex("cap"), hex("arg4"), hex("arg5"))
	prctlName   = prctl(enum("attr", setVMA).wide(), ptr("addr"), size("size"), str("val").upTo(79))
	prctlFilter = prctl(enum("mode", setSeccompMode), structIn("filter", layoutFprog))
	prctlMCEGet = prctl(enum("op", setMCEKill), hex("arg3"), hex("arg4"), hex("arg5"))
	prctlMCESet = prctl(enum("op", setMCEKill), enum("policy", setMCEPolicy), hex("arg4"), hex("arg5"))
	setVMA      = &Set{"PR_SET_VMA_???", []Name{{0, "PR_SET_VMA_ANON_NAME"}}}
)

func prctlArgs(r *[6]uint64) []Arg {
	switch {
	case uint32(r[0]) == 22 && r[1] == 2: // SECCOMP_MODE_FILTER
		return prctlFilter
	case uint32(r[0]) == 33 && r[1] == 1: // PR_MCE_KILL_SET
		return prctlMCESet
	}
	switch {
	case uint32(r[0]) == 22 && r[1] == 1: // SECCOMP_MODE_STRICT
		return prctlStrict
	case uint32(r[0]) == 47 && (uint32(r[1]) > 3 || r[1] == 0): // PR_CAP_AMBIENT_CLEAR_ALL
		return prctlClear
	case uint32(r[0]) == 0x53564d41 && r[1] == 0: // PR_SET_VMA_ANON_NAME
		return prctlName
	}
	if a, ok := prctls[uint32(r[0])]; ok {
		return a
	}
	return prctlOther
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

// prctlRemark names what the getters return.
func prctlRemark(p *printer) {
	v := uint64(p.s.Ret)
	switch uint32(p.s.Args[0]) {
	case 3: // PR_GET_DUMPABLE
		p.str(setDumpable.Name(v))
	case 34: // PR_MCE_KILL_GET
		p.str(setMCEPolicy.Name(v))
	case 21: // PR_GET_SECCOMP
		if v != 0 {
			p.str(setSeccompMode.Name(v))
		}
	case 27: // PR_GET_SECUREBITS
		if v != 0 {
			p.flags(setSecbits, v)
		}
	}
}

func prctlResult(r *[6]uint64) retKind {
	if uint32(r[0]) == 27 {
		return retFlags
	}
	return retInt
}

// Sets and layouts of operations that few machines have (linux/prctl.h).
var (
	setUnalign = &Set{"PR_UNALIGN_???", []Name{{1, "PR_UNALIGN_NOPRINT"}, {2, "PR_UNALIGN_SIGBUS"}}}
	setFPEmu   = &Set{"PR_FPEMU_???", []Name{{1, "PR_FPEMU_NOPRINT"}, {2, "PR_FPEMU_SIGFPE"}}}
	setFPExc   = &Set{"PR_FP_EXC_???", []Name{
		{0, "PR_FP_EXC_DISABLED"}, {0x80, "PR_FP_EXC_SW_ENABLE"}, {0x10000, "PR_FP_EXC_DIV"}, {0x20000, "PR_FP_EXC_OVF"},
		{0x40000, "PR_FP_EXC_UND"}, {0x80000, "PR_FP_EXC_RES"}, {0x100000, "PR_FP_EXC_INV"},
		{3, "PR_FP_EXC_PRECISE"}, {1, "PR_FP_EXC_NONRECOV"}, {2, "PR_FP_EXC_ASYNC"},
	}}
	layoutFPExc = bracketed(setFPExc)
	setEndian   = &Set{"PR_ENDIAN_???", []Name{{0, "PR_ENDIAN_BIG"}, {1, "PR_ENDIAN_LITTLE"}, {2, "PR_ENDIAN_PPC_LITTLE"}}}
	setPACKeys  = &Set{"PR_PAC_???", []Name{
		{1, "PR_PAC_APIAKEY"}, {2, "PR_PAC_APIBKEY"}, {4, "PR_PAC_APDAKEY"}, {8, "PR_PAC_APDBKEY"}, {16, "PR_PAC_APGAKEY"},
	}}
	setPACEnabled = &Set{"PR_PAC_???", setPACKeys.Names[:4]}
	layoutUnalign = bracketed(setUnalign)
	layoutFPEmu   = bracketed(setFPEmu)
	layoutEndian  = bracketed(setEndian)
)

// bracketed is an int of flags or an enum that a pointer leads to.
func bracketed(s *Set) *layout {
	return &layout{4, 4, func(p *printer, b []byte) {
		p.str("[")
		p.flags(s, le32(b, 0))
		p.str("]")
	}, false}
}
