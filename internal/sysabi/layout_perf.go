package sysabi

import "culprit/internal/event"

// struct perf_event_attr (perf_event_open(2)): as much of it as the program
// knows.
const (
	perfSize, perfLeast, perfBrief = 144, 64, 48 // the whole, PERF_ATTR_SIZE_VER0, what is printed in short

	perfHardware, perfSoftware, perfTracepoint, perfCache, perfBreakpoint = 0, 1, 2, 3, 5
)

// perfBits are the flags of the sixth word; precise_ip has two bits.
var perfBits = [...]string{
	"disabled", "inherit", "pinned", "exclusive", "exclude_user", "exclude_kernel", "exclude_hv", "exclude_idle", "mmap", "comm", "freq",
	"inherit_stat", "enable_on_exec", "task", "watermark", "precise_ip", "", "mmap_data", "sample_id_all", "exclude_host", "exclude_guest",
	"exclude_callchain_kernel", "exclude_callchain_user", "mmap2", "comm_exec", "use_clockid", "context_switch", "write_backward",
	"namespaces", "ksymbol", "bpf_event", "aux_output", "cgroup", "text_poke", "build_id", "inherit_thread", "remove_on_exec", "sigtrap",
}

const (
	perfFreq, perfWatermark, perfPrecise, perfUseClockid = 10, 14, 15, 25

	sampleBranchStack, sampleStackUser = 1 << 11, 1 << 13 // PERF_SAMPLE_BRANCH_STACK, PERF_SAMPLE_STACK_USER
)

// The attr is the program's; only its size changes, when it was too big.
func perfAttr(name string, d dir) Arg { return shown(name, d, perfLeast, showPerfAttr) }

func showPerfAttr(p *printer, v *Value) {
	said := p.fetchAt(v.Uint+4, 4, event.Enter)
	size := min(le(said), perfSize)
	if size == 0 {
		size = perfLeast
	}
	small := size < perfLeast
	if p.abbreviated() {
		size = perfBrief
	}
	b := p.fetchAt(v.Uint, int(size), event.Enter)
	if said == nil || small || b == nil {
		p.ptr(v.Uint)
		return
	}
	p.perfAttr(zeroExtended(b, perfSize), size, v)
}

func (p *printer) perfAttr(b []byte, size uint64, v *Value) {
	bits := le64(b, 40)
	p.str("{")
	p.field("type")
	p.enum(setPerfType, le32(b, 0))
	p.field("size")
	p.enum(setPerfSizes, le32(b, 4))
	if p.s.Ret == -7 && v.arg.dir != in { // E2BIG
		p.str(" => ")
		if now := p.fetchAt(v.Uint+4, 4, event.Leave); now != nil {
			p.enum(setPerfSizes, le(now))
		} else {
			p.str("???")
		}
	}
	p.field("config")
	p.perfConfig(le32(b, 0), le64(b, 8))
	if bits>>perfFreq&1 != 0 {
		p.field("sample_freq")
	} else {
		p.field("sample_period")
	}
	p.uint(le64(b, 16))
	p.field("sample_type")
	p.flags(setPerfSample, le64(b, 24))
	p.field("read_format")
	p.flags(setPerfRead, le64(b, 32))
	for i, name := range perfBits {
		switch bit := bits >> i & 1; {
		case i == perfPrecise:
			p.field(name)
			p.uint(bits >> i & 3)
			p.str([...]string{" /* arbitrary skid */", " /* constant skid */", " /* requested to have 0 skid */", " /* must have 0 skid */"}[bits>>i&3])
		case name != "" && (bit != 0 || !p.abbreviated()):
			p.field(name)
			p.uint(bit)
		}
	}
	if rest := bits >> len(perfBits); rest != 0 {
		p.field("__reserved_1")
		p.hex(rest)
		p.str(" /* Bits 63..38 */")
	}
	if !p.abbreviated() {
		p.perfMore(b, size, bits)
	}
	if said := le32(b, 4); said > size || said == 0 && size < perfLeast {
		p.str(", ...")
	}
	p.str("}")
}

// perfConfig prints what is counted.
func (p *printer) perfConfig(typ, v uint64) {
	shifted := func(v uint64, by string) {
		if v != 0 {
			p.hex(v)
			p.str(by)
		}
	}
	switch typ {
	case perfHardware:
		shifted(v>>32, "<<32|")
		p.enum(setPerfHW, v&0xffffffff)
	case perfSoftware:
		p.enum(setPerfSW, v)
	case perfTracepoint:
		p.uint(v)
	case perfCache:
		shifted(v>>32, "<<32|")
		shifted(v>>24&0xff, "<<24|")
		p.enum(setPerfCacheResult, v>>16&0xff)
		p.str("<<16|")
		p.enum(setPerfCacheOp, v>>8&0xff)
		p.str("<<8|")
		p.enum(setPerfCache, v&0xff)
	default:
		p.hex(v)
	}
}

// perfMore prints what the short form leaves out.
func (p *printer) perfMore(b []byte, size, bits uint64) {
	breakpoint := le32(b, 0) == perfBreakpoint
	if bits>>perfWatermark&1 != 0 {
		p.field("wakeup_watermark")
	} else {
		p.field("wakeup_events")
	}
	p.uint(le32(b, 48))
	if breakpoint {
		p.field("bp_type")
		set := setBreakpoint
		if t := le32(b, 52); t <= 7 { // R and W go with X nowhere
			set = &Set{"HW_BREAKPOINT_INVALID", set.Names}
		}
		p.enum(set, le32(b, 52))
		p.field("bp_addr")
	} else {
		p.field("config1")
	}
	p.hex(le64(b, 56))
	has := func(at uint64) bool { return at < size }
	hexes := func(name string, at, n int) {
		if has(uint64(at)) {
			p.field(name)
			p.hex(le(b[at : at+n]))
		}
	}
	uints := func(name string, at, n int) {
		if has(uint64(at)) {
			p.field(name)
			p.uint(le(b[at : at+n]))
		}
	}
	if breakpoint {
		uints("bp_len", 64, 8)
	} else {
		hexes("config2", 64, 8)
	}
	if has(72) && le64(b, 24)&sampleBranchStack != 0 {
		p.field("branch_sample_type")
		p.flags(setPerfBranch, le64(b, 72))
	}
	hexes("sample_regs_user", 80, 8)
	if le64(b, 24)&sampleStackUser != 0 {
		hexes("sample_stack_user", 88, 4)
	}
	if has(92) && bits>>perfUseClockid&1 != 0 {
		p.field("clockid")
		p.enum(setClocks, le32(b, 92))
	}
	hexes("sample_regs_intr", 96, 8)
	uints("aux_watermark", 104, 4)
	uints("sample_max_stack", 108, 2)
	if v := le16(b, 110); v != 0 && has(110) {
		p.str(" /* bytes 110..111: ")
		p.hex(v)
		p.str(" */")
	}
	uints("aux_sample_size", 112, 4)
	if has(116) {
		action := le32(b, 116)
		for i, name := range [...]string{"aux_start_paused", "aux_pause", "aux_resume"} {
			p.field(name)
			p.uint(action >> i & 1)
		}
		if rest := action >> 3; rest != 0 {
			p.field("__reserved_3")
			p.hex(rest)
			p.str(" /* Bits 931..959 */")
		}
	}
	hexes("sig_data", 120, 8)
	hexes("config3", 128, 8)
	hexes("config4", 136, 8)
}

// Constants of perf_event_open(2) (linux/perf_event.h).
var (
	setPerfSample = &Set{"PERF_SAMPLE_???", []Name{
		{1, "PERF_SAMPLE_IP"}, {2, "PERF_SAMPLE_TID"}, {4, "PERF_SAMPLE_TIME"}, {8, "PERF_SAMPLE_ADDR"},
		{0x10, "PERF_SAMPLE_READ"}, {0x20, "PERF_SAMPLE_CALLCHAIN"}, {0x40, "PERF_SAMPLE_ID"},
		{0x80, "PERF_SAMPLE_CPU"}, {0x100, "PERF_SAMPLE_PERIOD"}, {0x200, "PERF_SAMPLE_STREAM_ID"},
		{0x400, "PERF_SAMPLE_RAW"}, {0x800, "PERF_SAMPLE_BRANCH_STACK"}, {0x1000, "PERF_SAMPLE_REGS_USER"},
		{0x2000, "PERF_SAMPLE_STACK_USER"}, {0x4000, "PERF_SAMPLE_WEIGHT"}, {0x8000, "PERF_SAMPLE_DATA_SRC"},
		{0x10000, "PERF_SAMPLE_IDENTIFIER"}, {0x20000, "PERF_SAMPLE_TRANSACTION"}, {0x40000, "PERF_SAMPLE_REGS_INTR"},
		{0x80000, "PERF_SAMPLE_PHYS_ADDR"}, {0x100000, "PERF_SAMPLE_AUX"}, {0x200000, "PERF_SAMPLE_CGROUP"},
		{0x400000, "PERF_SAMPLE_DATA_PAGE_SIZE"}, {0x800000, "PERF_SAMPLE_CODE_PAGE_SIZE"},
		{0x1000000, "PERF_SAMPLE_WEIGHT_STRUCT"},
	}}
	setPerfRead = &Set{"PERF_FORMAT_???", []Name{
		{1, "PERF_FORMAT_TOTAL_TIME_ENABLED"}, {2, "PERF_FORMAT_TOTAL_TIME_RUNNING"}, {4, "PERF_FORMAT_ID"},
		{8, "PERF_FORMAT_GROUP"}, {0x10, "PERF_FORMAT_LOST"},
	}}
	setPerfBranch = &Set{"PERF_SAMPLE_BRANCH_???", []Name{
		{1, "PERF_SAMPLE_BRANCH_USER"}, {2, "PERF_SAMPLE_BRANCH_KERNEL"}, {4, "PERF_SAMPLE_BRANCH_HV"},
		{8, "PERF_SAMPLE_BRANCH_ANY"}, {0x10, "PERF_SAMPLE_BRANCH_ANY_CALL"}, {0x20, "PERF_SAMPLE_BRANCH_ANY_RETURN"},
		{0x40, "PERF_SAMPLE_BRANCH_IND_CALL"}, {0x80, "PERF_SAMPLE_BRANCH_ABORT_TX"},
		{0x100, "PERF_SAMPLE_BRANCH_IN_TX"}, {0x200, "PERF_SAMPLE_BRANCH_NO_TX"}, {0x400, "PERF_SAMPLE_BRANCH_COND"},
		{0x800, "PERF_SAMPLE_BRANCH_CALL_STACK"}, {0x1000, "PERF_SAMPLE_BRANCH_IND_JUMP"},
		{0x2000, "PERF_SAMPLE_BRANCH_CALL"}, {0x4000, "PERF_SAMPLE_BRANCH_NO_FLAGS"},
		{0x8000, "PERF_SAMPLE_BRANCH_NO_CYCLES"}, {0x10000, "PERF_SAMPLE_BRANCH_TYPE_SAVE"},
		{0x20000, "PERF_SAMPLE_BRANCH_HW_INDEX"}, {0x40000, "PERF_SAMPLE_BRANCH_PRIV_SAVE"},
		{0x80000, "PERF_SAMPLE_BRANCH_COUNTERS"},
	}}
	setPerfHW = &Set{"PERF_COUNT_HW_???", []Name{
		{0, "PERF_COUNT_HW_CPU_CYCLES"}, {1, "PERF_COUNT_HW_INSTRUCTIONS"}, {2, "PERF_COUNT_HW_CACHE_REFERENCES"},
		{3, "PERF_COUNT_HW_CACHE_MISSES"}, {4, "PERF_COUNT_HW_BRANCH_INSTRUCTIONS"}, {5, "PERF_COUNT_HW_BRANCH_MISSES"},
		{6, "PERF_COUNT_HW_BUS_CYCLES"}, {7, "PERF_COUNT_HW_STALLED_CYCLES_FRONTEND"},
		{8, "PERF_COUNT_HW_STALLED_CYCLES_BACKEND"}, {9, "PERF_COUNT_HW_REF_CPU_CYCLES"},
	}}
	setPerfSW = &Set{"PERF_COUNT_SW_???", []Name{
		{0, "PERF_COUNT_SW_CPU_CLOCK"}, {1, "PERF_COUNT_SW_TASK_CLOCK"}, {2, "PERF_COUNT_SW_PAGE_FAULTS"},
		{3, "PERF_COUNT_SW_CONTEXT_SWITCHES"}, {4, "PERF_COUNT_SW_CPU_MIGRATIONS"},
		{5, "PERF_COUNT_SW_PAGE_FAULTS_MIN"}, {6, "PERF_COUNT_SW_PAGE_FAULTS_MAJ"},
		{7, "PERF_COUNT_SW_ALIGNMENT_FAULTS"}, {8, "PERF_COUNT_SW_EMULATION_FAULTS"}, {9, "PERF_COUNT_SW_DUMMY"},
		{0xa, "PERF_COUNT_SW_BPF_OUTPUT"}, {0xb, "PERF_COUNT_SW_CGROUP_SWITCHES"},
	}}
	setPerfCache = &Set{"PERF_COUNT_HW_CACHE_???", []Name{
		{0, "PERF_COUNT_HW_CACHE_L1D"}, {1, "PERF_COUNT_HW_CACHE_L1I"}, {2, "PERF_COUNT_HW_CACHE_LL"},
		{3, "PERF_COUNT_HW_CACHE_DTLB"}, {4, "PERF_COUNT_HW_CACHE_ITLB"}, {5, "PERF_COUNT_HW_CACHE_BPU"},
		{6, "PERF_COUNT_HW_CACHE_NODE"},
	}}
	setPerfCacheOp = &Set{"PERF_COUNT_HW_CACHE_OP_???", []Name{
		{0, "PERF_COUNT_HW_CACHE_OP_READ"}, {1, "PERF_COUNT_HW_CACHE_OP_WRITE"}, {2, "PERF_COUNT_HW_CACHE_OP_PREFETCH"},
	}}
	setPerfCacheResult = &Set{"PERF_COUNT_HW_CACHE_RESULT_???", []Name{
		{0, "PERF_COUNT_HW_CACHE_RESULT_ACCESS"}, {1, "PERF_COUNT_HW_CACHE_RESULT_MISS"},
	}}
	setBreakpoint = &Set{"HW_BREAKPOINT_???", []Name{
		{0, "HW_BREAKPOINT_EMPTY"}, {1, "HW_BREAKPOINT_R"}, {2, "HW_BREAKPOINT_W"}, {3, "HW_BREAKPOINT_RW"},
		{4, "HW_BREAKPOINT_X"},
	}}
	setPerfSizes = &Set{"PERF_ATTR_SIZE_???", []Name{
		{0x40, "PERF_ATTR_SIZE_VER0"}, {0x48, "PERF_ATTR_SIZE_VER1"}, {0x50, "PERF_ATTR_SIZE_VER2"},
		{0x60, "PERF_ATTR_SIZE_VER3"}, {0x68, "PERF_ATTR_SIZE_VER4"}, {0x70, "PERF_ATTR_SIZE_VER5"},
		{0x78, "PERF_ATTR_SIZE_VER6"}, {0x80, "PERF_ATTR_SIZE_VER7"}, {0x88, "PERF_ATTR_SIZE_VER8"},
		{0x90, "PERF_ATTR_SIZE_VER9"},
	}}
)
