// Constants of prctl(2) and arch_prctl(2).

package sysabi

var (
	setPrFpMode = &Set{"PR_FP_MODE_???", []Name{
		{1, "PR_FP_MODE_FR"}, {2, "PR_FP_MODE_FRE"},
	}}
	setPrSveVlFlags = &Set{"", []Name{
		{0x40000, "PR_SVE_SET_VL_ONEXEC"}, {0x20000, "PR_SVE_VL_INHERIT"},
	}}
	setPrSmeVlFlags = &Set{"", []Name{
		{0x40000, "PR_SME_SET_VL_ONEXEC"}, {0x20000, "PR_SME_VL_INHERIT"},
	}}
	setPrTaggedAddrEnable = &Set{"", []Name{
		{0, "!PR_TAGGED_ADDR_ENABLE"}, {1, "PR_TAGGED_ADDR_ENABLE"},
	}}
	setPrTaggedAddrMteTcf = &Set{"", []Name{
		{0, "PR_MTE_TCF_NONE"}, {2, "PR_MTE_TCF_SYNC"}, {4, "PR_MTE_TCF_ASYNC"}, {6, "PR_MTE_TCF_MASK"},
	}}
	setPrSpecGetStoreBypassFlags = &Set{"", []Name{
		{0, "PR_SPEC_NOT_AFFECTED"}, {1, "PR_SPEC_PRCTL"}, {2, "PR_SPEC_ENABLE"}, {4, "PR_SPEC_DISABLE"},
		{8, "PR_SPEC_FORCE_DISABLE"}, {0x10, "PR_SPEC_DISABLE_NOEXEC"},
	}}
	setPrSpecSetStoreBypassFlags = &Set{"PR_SPEC_???", []Name{
		{2, "PR_SPEC_ENABLE"}, {4, "PR_SPEC_DISABLE"}, {8, "PR_SPEC_FORCE_DISABLE"}, {0x10, "PR_SPEC_DISABLE_NOEXEC"},
	}}
	setPrSudCmds = &Set{"PR_SYS_DISPATCH_???", []Name{
		{0, "PR_SYS_DISPATCH_OFF"}, {1, "PR_SYS_DISPATCH_EXCLUSIVE_ON"}, {2, "PR_SYS_DISPATCH_INCLUSIVE_ON"},
	}}
	setPrSchedCoreCmds = &Set{"PR_SCHED_CORE_???", []Name{
		{0, "PR_SCHED_CORE_GET"}, {1, "PR_SCHED_CORE_CREATE"}, {2, "PR_SCHED_CORE_SHARE_TO"},
		{3, "PR_SCHED_CORE_SHARE_FROM"},
	}}
	setPrSchedCorePidtypes = &Set{"PIDTYPE_???", []Name{
		{0, "PIDTYPE_PID"}, {1, "PIDTYPE_TGID"}, {2, "PIDTYPE_PGID"}, {3, "PIDTYPE_SID"},
	}}
	setPrRiscvVStates = &Set{"", []Name{
		{0, "PR_RISCV_V_VSTATE_CTRL_DEFAULT"}, {1, "PR_RISCV_V_VSTATE_CTRL_OFF"}, {2, "PR_RISCV_V_VSTATE_CTRL_ON"},
	}}
	setPrRiscvVInherit = &Set{"", []Name{
		{0, "!PR_RISCV_V_VSTATE_CTRL_INHERIT"}, {0x10, "PR_RISCV_V_VSTATE_CTRL_INHERIT"},
	}}
	setPrRiscvIcacheFlushCtxes = &Set{"PR_RISCV_CTX_???", []Name{
		{0, "PR_RISCV_CTX_SW_FENCEI_ON"}, {1, "PR_RISCV_CTX_SW_FENCEI_OFF"},
	}}
	setPrRiscvIcacheFlushScopes = &Set{"PR_RISCV_SCOPE_???", []Name{
		{0, "PR_RISCV_SCOPE_PER_PROCESS"}, {1, "PR_RISCV_SCOPE_PER_THREAD"},
	}}
	setPrPpcDexcrAspects = &Set{"PR_PPC_DEXCR_???", []Name{
		{0, "PR_PPC_DEXCR_SBHE"}, {1, "PR_PPC_DEXCR_IBRTPD"}, {2, "PR_PPC_DEXCR_SRAPD"}, {3, "PR_PPC_DEXCR_NPHIE"},
	}}
	setPrPpcDexcrCtrlFlags = &Set{"PR_PPC_DEXCR_CTRL_???", []Name{
		{1, "PR_PPC_DEXCR_CTRL_EDITABLE"}, {2, "PR_PPC_DEXCR_CTRL_SET"}, {4, "PR_PPC_DEXCR_CTRL_CLEAR"},
		{8, "PR_PPC_DEXCR_CTRL_SET_ONEXEC"}, {0x10, "PR_PPC_DEXCR_CTRL_CLEAR_ONEXEC"},
	}}
	setX86Xfeatures = &Set{"XFEATURE_MASK_???", []Name{
		{3, "XFEATURE_MASK_FPSSE"}, {1, "XFEATURE_MASK_FP"}, {2, "XFEATURE_MASK_SSE"}, {4, "XFEATURE_MASK_YMM"},
		{8, "XFEATURE_MASK_BNDREGS"}, {0x10, "XFEATURE_MASK_BNDCSR"}, {0xe0, "XFEATURE_MASK_AVX512"},
		{0x20, "XFEATURE_MASK_OPMASK"}, {0x40, "XFEATURE_MASK_ZMM_Hi256"}, {0x80, "XFEATURE_MASK_Hi16_ZMM"},
		{0x100, "XFEATURE_MASK_PT"}, {0x200, "XFEATURE_MASK_PKRU"}, {0x400, "XFEATURE_MASK_PASID"},
		{0x8000, "XFEATURE_MASK_LBR"}, {0x60000, "XFEATURE_MASK_XTILE"}, {0x20000, "XFEATURE_MASK_XTILE_CFG"},
		{0x40000, "XFEATURE_MASK_XTILE_DATA"},
	}}
	setX86XfeatureBits = &Set{"XFEATURE_???", []Name{
		{0, "XFEATURE_FP"}, {1, "XFEATURE_SSE"}, {2, "XFEATURE_YMM"}, {3, "XFEATURE_BNDREGS"}, {4, "XFEATURE_BNDCSR"},
		{5, "XFEATURE_OPMASK"}, {6, "XFEATURE_ZMM_Hi256"}, {7, "XFEATURE_Hi16_ZMM"},
		{8, "XFEATURE_PT_UNIMPLEMENTED_SO_FAR"}, {9, "XFEATURE_PKRU"}, {0xa, "XFEATURE_PASID"}, {0xf, "XFEATURE_LBR"},
		{0x11, "XFEATURE_XTILE_CFG"}, {0x12, "XFEATURE_XTILE_DATA"},
	}}
)
