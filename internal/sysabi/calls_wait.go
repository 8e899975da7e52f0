package sysabi

import "culprit/internal/event"

// Calls that wait for descriptors, memory words or completions.
var callsWait = lazily(func() []Call {
	return []Call{
		def("poll", Desc, arrayInOut("fds", layoutPollfd, 1), unum("nfds"), num("timeout")).remark(pollRemark),
		def("ppoll", Desc, arrayInOut("fds", layoutPollfd, 1), unum("nfds"), structInOut("tmo_p", layoutTimespec), sigsetIn("sigmask", 4), size("sigsetsize")).remark(pollRemark),
		def("select", Desc, num("nfds"), fdSet("readfds", 0), fdSet("writefds", 0), fdSet("exceptfds", 0), structInOut("timeout", layoutTimeval)).remark(selectRemark),
		def("pselect6", Desc, num("nfds"), fdSet("readfds", 0), fdSet("writefds", 0), fdSet("exceptfds", 0), structInOut("timeout", layoutTimespec), structIn("sigmask", layoutSigmaskArg)).remark(selectRemark),
		def("epoll_create", Desc, num("size")).retFD(),
		def("epoll_create1", Desc, flags("flags", setEpollFlags)).retFD(),
		def("epoll_ctl", Desc, fdArg("epfd"), enum("op", setEpollOps), fdArg("fd"), structIn("event", layoutEpoll)).varies(epollCtlArgs),
		def("epoll_ctl_old", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3")),
		def("epoll_wait", Desc, fdArg("epfd"), arrayOut("events", layoutEpoll), num("maxevents"), num("timeout")),
		def("epoll_wait_old", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3")),
		def("epoll_pwait", Desc, fdArg("epfd"), arrayOut("events", layoutEpoll), num("maxevents"), num("timeout"), sigsetIn("sigmask", 5), size("sigsetsize")),
		def("epoll_pwait2", Desc, fdArg("epfd"), arrayOut("events", layoutEpoll), num("maxevents"), structOut("timeout", layoutTimespec64), sigsetOut("sigmask", 5), size("sigsetsize")),
		def("futex", Other, ptr("uaddr"), futexOp, unum("val"), structIn("timeout", layoutTimespec), ptr("uaddr2"), unhex("val3")).varies(futexArgs),
		def("futex_wait", Other, ptr("uaddr"), size("val"), enum("mask", setFutexBitset).wide(), futex2Flags(), structIn("timeout", layoutTimespec64), enum("clockid", setClocks)),
		def("futex_wake", Other, ptr("uaddr"), enum("mask", setFutexBitset).wide(), num("nr"), futex2Flags()),
		def("futex_requeue", Other, futexWaiters(func(*Value) uint64 { return 2 }), unhex("flags"), num("nr_wake"), num("nr_requeue")),
		def("futex_waitv", Other, futexWaiters(func(v *Value) uint64 { return uint64(uint32(v.s.Args[1])) }), unum("nr_futexes"), unhex("flags"), structIn("timeout", layoutTimespec64), enum("clockid", setClocks)),

		def("io_uring_setup", Desc, unum("entries"), structInOut("params", layoutUringParams)).retFD(),
		def("io_uring_enter", Desc|Signal, fd, unum("to_submit"), unum("min_complete"), flags("flags", setUringEnter), sigsetIn("sig", 5), size("sigsz")).varies(uringEnterArgs),
		def("io_uring_register", Desc|Memory, fd, enum("opcode", setUringRegister), ptr("arg"), unum("nr_args")),
		def("io_setup", Memory, unum("nr_events"), structInOut("ctx_idp", layoutAioCtx())),
		def("io_destroy", Memory, ptr("ctx_id")),
		def("io_submit", Other, ptr("ctx_id"), long("nr"), iocbs),
		def("io_cancel", Other, ptr("ctx_id"), given("iocb", iocbHead()), filled("result", ioEvent())),
		def("io_getevents", Other, ptr("ctx_id"), long("min_nr"), long("nr"), arrayOut("events", layoutIoEvent()), structIn("timeout", layoutTimespec)),
		def("io_pgetevents", Other, ptr("ctx_id"), long("min_nr"), long("nr"), arrayOut("events", layoutIoEvent()), structIn("timeout", layoutTimespec), structIn("sig", layoutSigmaskArg)),
	}
})

var layoutAioCtx = lazily(func() *layout { return &layout{8, 4, layoutPtr.print, true} })

var (
	ioEvent       = lazily(func() *cstruct { return newRecord(x64("data"), x64("obj"), s64("res"), s64("res2")) })
	layoutIoEvent = lazily(func() *layout { return ioEvent().layout() })
)

// pselect6's last argument: a pointer to a signal set and its size.
var layoutSigmaskArg = &layout{16, 8, func(p *printer, b []byte) {
	p.str("{sigmask=")
	n := int(min(p.long(b, 1), 128))
	if set := p.m.exactly(p.long(b, 0), n, event.Enter); n > 0 && set != nil {
		p.sigset(set)
	} else {
		p.ptr(p.long(b, 0))
	}
	p.str(", sigsetsize=")
	p.uint(p.long(b, 1))
	p.str("}")
}, false}

var layoutUringParams = &layout{120, 120, func(p *printer, b []byte) {
	p.str("{flags=")
	p.flags(setUringSetup, le32(b, 8))
	p.field("sq_thread_cpu")
	p.hex(le32(b, 12))
	p.field("sq_thread_idle")
	p.uint(le32(b, 16))
	if le32(b, 8)&uringAttachWQ != 0 {
		p.field("wq_fd")
		p.fd(i32(b, 24))
	}
	if p.at == event.Enter && le32(b, 28)|le32(b, 32)|le32(b, 36) != 0 {
		p.field("resv")
		p.str("[")
		for i := range 3 {
			p.sep(i)
			p.hex(le32(b, 28+4*i))
		}
		p.str("]")
	}
	if p.at == event.Leave {
		p.field("sq_entries")
		p.uint(le32(b, 0))
		p.field("cq_entries")
		p.uint(le32(b, 4))
		p.field("features")
		p.flags(setUringFeatures, le32(b, 20))
		p.field("sq_off")
		p.record(uringSQ(), b[40:80])
		p.field("cq_off")
		p.record(uringCQ(), b[80:120])
	}
	p.str("}")
}, true}

const uringExtArg, uringExtArgReg = 0x8, 0x40 // IORING_ENTER_EXT_ARG, IORING_ENTER_EXT_ARG_REG

var (
	uringEnter    = []Arg{fd, unum("to_submit"), unum("min_complete"), flags("flags", setUringEnter), sigsetIn("sig", 5), size("sigsz")}
	uringEnterReg = []Arg{fd, unum("to_submit"), unum("min_complete"), flags("flags", setUringEnter), size("arg"), size("argsz")}
	uringEnterExt = lazily(func() []Arg {
		return []Arg{fd, unum("to_submit"), unum("min_complete"), flags("flags", setUringEnter), given("arg", uringGetevents()), size("argsz")}
	})
	uringGetevents = lazily(func() *cstruct {
		return newRecord(
			part("sigmask", 8, func(p *printer, b, all []byte) {
				if q := p.fetch(le(b), 8); q != nil && le32(all, 8) == 8 {
					p.sigset(q)
				} else {
					p.ptr(le(b))
				}
			}),
			u32("sigmask_sz"), u32("min_wait_usec"),
			part("ts", 8, func(p *printer, b, _ []byte) {
				if q := p.fetch(le(b), 16); q != nil {
					printTimespec64(p, q)
				} else {
					p.ptr(le(b))
				}
			}))
	})
)

// uringEnterArgs: what the last arguments are, flags say.
func uringEnterArgs(r *[6]uint64) []Arg {
	switch r[3] & (uringExtArg | uringExtArgReg) {
	case uringExtArg:
		return uringEnterExt()
	case uringExtArgReg:
		return uringEnterReg
	}
	return uringEnter
}

const uringAttachWQ = 0x20 // IORING_SETUP_ATTACH_WQ

var (
	uringSQ = lazily(func() *cstruct {
		return newRecord(u32("head"), u32("tail"), u32("ring_mask"), u32("ring_entries"), u32("flags"), u32("dropped"), u32("array"),
			x32("resv1").nonzero(), x64("user_addr"))
	})
	uringCQ = lazily(func() *cstruct {
		return newRecord(u32("head"), u32("tail"), u32("ring_mask"), u32("ring_entries"), u32("overflow"), u32("cqes"), u32("flags"),
			x32("resv1").nonzero(), x64("user_addr"))
	})
)

var (
	argsEpollCtl = []Arg{fdArg("epfd"), enum("op", setEpollOps), fdArg("fd"), structIn("event", layoutEpoll)}
	argsEpollDel = []Arg{fdArg("epfd"), enum("op", setEpollOps), fdArg("fd"), ptr("event")}
)

func epollCtlArgs(r *[6]uint64) []Arg {
	if uint32(r[1]) == 2 { // EPOLL_CTL_DEL ignores the event
		return argsEpollDel
	}
	return argsEpollCtl
}

var futexOp = enum("futex_op", setFutexOps)

var (
	futexHead   = []Arg{ptr("uaddr"), futexOp, unum("val")}
	futexWait   = lazily(func() []Arg { return futexWith(structIn("timeout", layoutTimespec)) })
	futexBitset = lazily(func() []Arg {
		return futexWith(structIn("timeout", layoutTimespec), Arg{Name: "val3", kind: KindEnum, set: setFutexBitset}.at(5))
	})
	futexWakeBits = lazily(func() []Arg { return futexWith(Arg{Name: "val3", kind: KindEnum, set: setFutexBitset}.at(5)) })
	futexRequeue  = lazily(func() []Arg { return futexWith(unum("val2"), ptr("uaddr2")) })
	futexCmp      = lazily(func() []Arg { return futexWith(unum("val2"), ptr("uaddr2"), unum("val3")) })
	futexLock     = lazily(func() []Arg { return []Arg{ptr("uaddr"), futexOp, structIn("timeout", layoutTimespec).at(3)} })
	futexUnlock   = []Arg{ptr("uaddr"), futexOp}
	futexAll      = lazily(func() []Arg { return futexWith(ptr("timeout"), ptr("uaddr2"), unhex("val3")) })
	futexWaitPI   = lazily(func() []Arg { return futexWith(structIn("timeout", layoutTimespec), ptr("uaddr2")) })
)

func futexWith(a ...Arg) []Arg { return append([]Arg{ptr("uaddr"), futexOp, unum("val")}, a...) }

func futexArgs(r *[6]uint64) []Arg {
	switch uint32(r[1]) & 0x7f {
	case 0:
		return futexWait()
	case 1, 2:
		return futexHead
	case 3:
		return futexRequeue()
	case 4, 12:
		return futexCmp()
	case 5:
		return futexCmpOp()
	case 6, 13:
		return futexLock()
	case 7, 8:
		return futexUnlock
	case 9:
		return futexBitset()
	case 10:
		return futexWakeBits()
	case 11:
		return futexWaitPI()
	}
	return futexAll()
}

var futexCmpOp = lazily(func() []Arg {
	return futexWith(unum("val2"), ptr("uaddr2"), Arg{Name: "val3", kind: KindFlags, set: setFutexWakeOps})
})

// wakeOp prints FUTEX_WAKE_OP's last argument, made by FUTEX_OP (futex(2)).
func (p *printer) wakeOp(v uint64) {
	if v>>31&1 != 0 {
		p.str("FUTEX_OP_OPARG_SHIFT<<28|")
	}
	p.shifted(setFutexWakeOps, v>>28&7, "<<28")
	p.str("|")
	p.hex(v >> 12 & 0xfff)
	p.str("<<12|")
	p.shifted(setFutexWakeCmps, v>>24&0xf, "<<24")
	p.str("|")
	p.hex(v & 0xfff)
}

// shifted prints an enum that is shifted; the remark on an unknown one comes last.
func (p *printer) shifted(s *Set, v uint64, by string) {
	if n := s.Name(v); n != "" {
		p.str(n + by)
		return
	}
	p.hex(v)
	p.str(by)
	p.b = s.comment(p.b)
}
