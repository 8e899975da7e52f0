package sysabi

import "culprit/internal/event"

// Structures of calls that make, schedule and compare processes.

// struct clone_args (clone3(2)): fields that a flag asks for.
const (
	clonePidfd, cloneSettls, cloneParentSettid = 0x1000, 0x80000, 0x100000
	cloneChildTid                              = 0x1000000 | 0x200000 // CLONE_CHILD_SETTID, CLEARTID
	cloneIntoCgroup                            = 0x200000000
)

func cloneWith(flag uint64) func(*printer, []byte, []byte) bool {
	return func(_ *printer, _, all []byte) bool { return le64(all, 0)&flag != 0 }
}

// setsTids reports that clone3 is given thread ids, or a number of them.
func setsTids(_ *printer, _, all []byte) bool { return len(all) >= 80 && !zero(all[64:80]) }

var clone3 = lazily(func() *cstruct {
	return newRecord(
		f64("flags", setClone3All()),
		a64("pidfd").only(cloneWith(clonePidfd)), a64("child_tid").only(cloneWith(cloneChildTid)), a64("parent_tid").only(cloneWith(cloneParentSettid)),
		part("exit_signal", 8, func(p *printer, b, _ []byte) {
			if v := le(b); v < 1<<31-1 {
				p.signal(int64(v))
			} else {
				p.uint(v)
			}
		}),
		a64("stack"), x64("stack_size"),
		part("tls", 8, func(p *printer, b, _ []byte) { p.tls(le(b)) }).only(cloneWith(cloneSettls)),
		part("set_tid", 8, func(p *printer, b, all []byte) {
			n := le64(all, 72)
			if le(b) == 0 || n == 0 || n > 32 {
				p.ptr(le(b))
				return
			}
			p.array(le(b), n, 4, func(b []byte) { p.int(les(b)) })
		}).only(setsTids),
		u64("set_tid_size").only(setsTids),
		u64("cgroup").only(func(_ *printer, b, all []byte) bool { return !zero(b) || le64(all, 0)&cloneIntoCgroup != 0 }),
	)
})

const cloneLeast = 64 // CLONE_ARGS_SIZE_VER0

var cloneArgs3 = lazily(func() Arg {
	return extensible("cl_args", in, clone3(), cloneLeast, 1).twice(func(p *printer, v *Value) {
		size := p.size(v, 1)
		n := min(size, uint64(clone3().size))
		if p.failed || n < cloneLeast || p.fetchAt(v.Uint, int(n), event.Enter) == nil {
			return
		}
		b := p.fetch(v.Uint, int(n))
		if b == nil {
			p.str(" => ")
			p.ptr(v.Uint)
			return
		}
		mark := len(p.b)
		p.str(" => {")
		if le64(b, 0)&clonePidfd != 0 {
			p.field("pidfd")
			p.indirect(le64(b, 8), 4, func(b []byte) { p.fd(les(b)) })
		}
		if le64(b, 0)&cloneParentSettid != 0 {
			p.field("parent_tid")
			if at := le64(b, 24); !p.opt.Followed && p.m.live == nil && at != 0 && p.fetch(at, 4) == nil && p.s.Ret > 0 { // not followed: what the kernel put there
				p.str("[")
				p.pid(p.s.Ret, TID)
				p.str("]")
			} else {
				p.indirect(le64(b, 24), 4, func(b []byte) { p.pid(les(b), TID) })
			}
		}
		p.rest(v.Uint, n, size)
		if len(p.b) == mark+len(" => {") {
			p.b = p.b[:mark]
			return
		}
		p.str("}")
	})
})

// tls is a thread's area: a segment on i386, an address elsewhere.
func (p *printer) tls(v uint64) {
	if p.c.Arch == event.ArchI386 {
		p.recordAt(userDesc(), v)
		return
	}
	p.ptr(v)
}

// struct user_desc: bit fields behind three numbers (asm/ldt.h).
var userDesc = lazily(func() *cstruct {
	return newRecord(
		part("entry_number", 4, func(p *printer, b, _ []byte) { p.id(le(b)) }),
		part("base_addr", 4, func(p *printer, b, _ []byte) { p.hexPad(le(b), 8) }),
		part("limit", 4, func(p *printer, b, _ []byte) { p.hexPad(le(b), 8) }),
		part("seg_32bit", 4, func(p *printer, b, _ []byte) {
			v := le(b)
			p.uint(v & 1)
			for _, f := range descBits {
				if f.name == "lm" && p.c.Arch == event.ArchI386 {
					break
				}
				p.field(f.name)
				p.uint(v >> f.shift & f.mask)
			}
		}),
	)
})

var descBits = [...]struct {
	name        string
	shift, mask uint64
}{
	{"contents", 1, 3}, {"read_exec_only", 3, 1}, {"limit_in_pages", 4, 1}, {"seg_not_present", 5, 1}, {"useable", 6, 1}, {"lm", 7, 1},
}

// set_thread_area tells the number that it chose.
func threadAreaRemark(p *printer) {
	p.at = event.Leave
	if v, ok := p.number(p.s.Args[0], 4); ok && p.fetch(p.s.Args[0], userDesc().size) != nil {
		p.str("entry_number=")
		p.uint(v)
	}
}

var getThreadArea = lazily(func() Arg {
	return shown("u_info", in, userDesc().size, func(p *printer, v *Value) {
		n, ok := p.number(v.Uint, 4)
		if !ok {
			p.ptr(v.Uint)
			return
		}
		p.str("{entry_number=")
		p.id(n)
	}).twice(func(p *printer, v *Value) {
		was := p.fetchAt(v.Uint, 4, event.Enter)
		if was == nil {
			return
		}
		b := p.fetch(v.Uint, userDesc().size)
		if b == nil {
			p.str(", ...}")
			return
		}
		if le(was) != le32(b, 0) {
			p.str(" => ")
			p.id(le32(b, 0))
		}
		rest := *userDesc()
		rest.fields = rest.fields[1:]
		p.members(&rest, b)
		p.str("}")
	})
})

// modify_ldt's entry, when it has the size of one.
var ldtEntry = lazily(func() Arg {
	return shown("ptr", in, userDesc().size, func(p *printer, v *Value) {
		if p.size(v, 2) == uint64(userDesc().size) {
			p.recordAt(userDesc(), v.Uint)
		} else {
			p.ptr(v.Uint)
		}
	})
})

// targetFD is a descriptor of the process that the first argument stands for.
var targetFD = number("targetfd", func(p *printer, v uint64) {
	p.int(int64(int32(v)))
	if p.opt.TheirFD != nil {
		p.b = p.opt.TheirFD(p.b, int64(int32(p.s.Args[0])), int64(int32(v)))
	}
})

var schedParam = lazily(func() *cstruct { return newRecord(s32("sched_priority")) })

// struct sched_attr. What sched_setattr leaves as it is isn't printed.
const (
	keepPolicy, keepParams = 0x8, 0x10 // SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS
	schedLeast             = 48        // SCHED_ATTR_SIZE_VER0
)

func setsParams(p *printer, _, all []byte) bool {
	return p.c.Name == "sched_getattr" || le64(all, 8)&keepParams == 0
}

var schedAttr = lazily(func() *cstruct {
	return newRecord(
		u32("size"),
		e32("sched_policy", setSched).only(func(p *printer, b, all []byte) bool {
			return p.c.Name == "sched_getattr" || les(b) < 0 || le64(all, 8)&(keepPolicy|keepParams) == 0
		}),
		f64("sched_flags", setSchedFlags), s32("sched_nice").only(setsParams), u32("sched_priority").only(setsParams),
		u64("sched_runtime").only(setsParams), u64("sched_deadline").only(setsParams), u64("sched_period").only(setsParams),
		u32("sched_util_min"), u32("sched_util_max"),
	)
})

// schedAttrAt prints as much of the structure as size says, which has room for
// usize bytes.
func (p *printer) schedAttrAt(b []byte, size, usize uint64) {
	p.str("{")
	switch {
	case size < schedLeast:
		b = b[:4]
	case size < uint64(schedAttr().size):
		b = b[:schedLeast]
	}
	p.members(schedAttr(), b)
	if usize > min(size, uint64(schedAttr().size)) {
		p.str(", ...")
	}
	p.str("}")
}

func zeroExtended(b []byte, n int) []byte {
	if len(b) >= n {
		return b
	}
	return append(make([]byte, 0, n), b...)[:n]
}

var schedSet = lazily(func() Arg {
	return shown("attr", in, schedAttr().size, func(p *printer, v *Value) {
		size, ok := p.number(v.Uint, 4)
		if !ok {
			p.ptr(v.Uint)
			return
		}
		usize := size
		if usize == 0 {
			usize = schedLeast
		}
		n := min(usize, uint64(schedAttr().size))
		b := p.fetch(v.Uint, int(n))
		if n < schedLeast {
			b = p.fetch(v.Uint, 4)
		}
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		p.schedAttrAt(zeroExtended(b, schedAttr().size), n, usize)
	}).twice(func(p *printer, v *Value) {
		if b := p.fetchAt(v.Uint, 4, event.Leave); p.s.Ret == -7 && b != nil { // E2BIG
			p.str(" => {size=")
			p.uint(le(b))
			p.str("}")
		}
	})
})

var schedGet = lazily(func() Arg {
	return shown("attr", out, schedAttr().size, func(p *printer, v *Value) {
		room := uint64(uint32(p.size(v, 2)))
		n := min(room, uint64(schedAttr().size))
		b := p.fetch(v.Uint, int(n))
		if room == 0 || b == nil {
			p.ptr(v.Uint)
			return
		}
		b = zeroExtended(b, schedAttr().size)
		p.schedAttrAt(b, le32(b, 0), le32(b, 0))
	})
})

// A scheduling policy, perhaps with SCHED_RESET_ON_FORK.
func showPolicy(p *printer, v uint64) {
	v = uint64(uint32(v))
	if int32(v) < 0 || v&^resetOnFork == v && setSched.Name(v) == "" {
		p.enum(setSched, v)
		return
	}
	p.styled(v, func() { p.policy(v) })
}

const resetOnFork = 0x40000000

// policy prints the names; a policy without one and without the flag has none.
func (p *printer) policy(v uint64) {
	if v&resetOnFork != 0 {
		p.str("SCHED_RESET_ON_FORK|")
		v &^= resetOnFork
	}
	if n := setSched.Name(v); n != "" {
		p.str(n)
	} else {
		p.hex(v)
	}
}

func schedRemark(p *printer) {
	if v := uint64(p.s.Ret); p.s.Ret >= 0 && (v&resetOnFork != 0 || setSched.Name(v) != "") {
		p.policy(v)
	}
}

// kcmp's KCMP_EPOLL_TFD.
var epollSlot = lazily(func() *cstruct { return newRecord(s32("efd"), s32("tfd"), u32("toff")) })

// I/O priorities: a class above 13 bits of data.
func (p *printer) ioprio(v uint64) {
	p.str("IOPRIO_PRIO_VALUE(")
	p.enum(setIoprioClass, v>>13)
	p.str(", ")
	p.uint(v & 0x1fff)
	p.str(")")
}

// ioprioBy prints the number as number does, and what it means.
func (p *printer) ioprioBy(v uint64, number func()) {
	if p.opt.Style != StyleAbbrev {
		number()
	}
	switch p.opt.Style {
	case StyleVerbose:
		p.str(" /* ")
		p.ioprio(v)
		p.str(" */")
	case StyleAbbrev:
		p.ioprio(v)
	}
}

func showIoprio(p *printer, v uint64) {
	p.ioprioBy(uint64(uint32(v)), func() { p.int(int64(int32(v))) })
}

func ioprioRemark(p *printer) {
	if p.opt.Style != StyleRaw {
		p.ioprio(uint64(uint32(p.s.Ret)))
	}
}

// struct rseq, of which all kernels know 32 bytes (rseq(2)).
var (
	rseqSlice = lazily(func() *cstruct { return newRecord(u8("request"), u8("granted"), x16("__reserved")) })
	rseqArea  = lazily(func() *cstruct {
		return newRecord(
			part("cpu_id_start", 4, rseqCPU), part("cpu_id", 4, rseqCPU),
			part("rseq_cs", 8, func(p *printer, b, _ []byte) {
				if c := p.fetch(le(b), rseqCS().size); c != nil {
					p.record(rseqCS(), c)
					p.str(" /* ")
					p.hex(le(b))
					p.str(" */")
				} else {
					p.ptr(le(b))
				}
			}),
			f32("flags", setRseqCS), u32("node_id"), u32("mm_cid"), sub("slice_ctrl", rseqSlice()), x8("__reserved"),
		)
	})
	rseqCS = lazily(func() *cstruct {
		return newRecord(u32("version"), f32("flags", setRseqCS), x64("start_ip"), x64("post_commit_offset"), x64("abort_ip"))
	})
)

func rseqCPU(p *printer, b, _ []byte) {
	name := ""
	switch les(b) {
	case -1:
		name = "RSEQ_CPU_ID_UNINITIALIZED"
	case -2:
		name = "RSEQ_CPU_ID_REGISTRATION_FAILED"
	default:
		p.uint(le(b))
		return
	}
	p.constant(name, func() { p.int(les(b)) })
}

// constant prints a constant whose number is printed by number.
func (p *printer) constant(name string, number func()) {
	switch p.opt.Style {
	case StyleAbbrev:
		p.str(name)
	case StyleRaw:
		number()
	default:
		number()
		p.str(" /* " + name + " */")
	}
}

var rseqArg = shown("rseq", in, 32, func(p *printer, v *Value) {
	n := uint64(uint32(p.size(v, 1)))
	if n < 32 || v.Uint%32 != 0 {
		p.ptr(v.Uint)
		return
	}
	b := p.fetch(v.Uint, int(min(n, 33)))
	if b == nil {
		p.ptr(v.Uint)
		return
	}
	p.str("{")
	p.members(rseqArea(), zeroExtended(b, 33))
	p.str("}")
})

// iovs is a vector of n elements, in a register, of whose buffers left bytes
// are printed, or only the addresses.
func (p *printer) iovs(addr, n, left uint64, addresses bool) {
	if p.budget = p.m.total(); p.m.live != nil {
		p.budget = maxFetch
	}
	p.remote = addresses
	p.iovec(addr, n, left, p.at)
	p.remote = false
}

// The vectors of process_vm_readv and process_vm_writev: local memory is
// printed, that of the other process is not.
func remoteIOV(name string, d dir, n uint8) Arg {
	return shown(name, d, 16, func(p *printer, v *Value) { p.iovs(v.Uint, p.size(v, n), 0, true) })
}

func localIOV(name string, d dir, n uint8) Arg {
	return shown(name, d, 16, func(p *printer, v *Value) {
		left := uint64(1) << 40
		if d == out {
			left = uint64(max(p.s.Ret, 0))
		}
		p.iovs(v.Uint, p.size(v, n), left, p.nothing())
	})
}
