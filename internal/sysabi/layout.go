package sysabi

import (
	"encoding/binary"
	"strconv"
)

// layout is a structure of the ABI.
type layout struct {
	size, size32 int                        // where pointers have 8 and 4 bytes
	print        func(p *printer, b []byte) // b has that size
	changes      bool                       // given and filled: print before and after
}

func (l *layout) bytes(word uint8) int {
	if word == 4 {
		return l.size32
	}
	return l.size
}

func le16(b []byte, at int) uint64 { return uint64(binary.LittleEndian.Uint16(b[at:])) }
func le32(b []byte, at int) uint64 { return uint64(binary.LittleEndian.Uint32(b[at:])) }
func le64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
func i32(b []byte, at int) int64   { return int64(int32(binary.LittleEndian.Uint32(b[at:]))) }

// long reads the i-th word of b, unsigned; slong signed.
func (p *printer) long(b []byte, i int) uint64 { return long64(b, i, uint64(p.c.ptr)) }
func (p *printer) slong(b []byte, i int) int64 {
	if p.c.ptr == 4 {
		return i32(b, 4*i)
	}
	return int64(le64(b, 8*i))
}

// abbreviated reports that structures are cut to what matters.
func (p *printer) abbreviated() bool { return !p.opt.Verbose }

// Simple ones.
var (
	layoutLen  = &layout{4, 4, printInt, true} // socklen_t
	layoutInt  = &layout{4, 4, printInt, false}
	layoutUint = &layout{4, 4, func(p *printer, b []byte) { p.str("["); p.uint(le32(b, 0)); p.str("]") }, false}
	layoutHex  = &layout{4, 4, func(p *printer, b []byte) { p.str("["); p.hex(le32(b, 0)); p.str("]") }, false}
	layoutPtr  = &layout{8, 4, func(p *printer, b []byte) { p.str("["); p.ptr(p.long(b, 0)); p.str("]") }, false}
	layoutLong = &layout{8, 4, func(p *printer, b []byte) { p.str("["); p.int(p.slong(b, 0)); p.str("]") }, false}
	layoutFrom = &layout{8, 8, func(p *printer, b []byte) { p.str("["); p.uint(le64(b, 0)); p.str("]") }, true} // of sendfile
	layoutOff  = &layout{8, 8, func(p *printer, b []byte) { p.str("["); p.int(int64(le64(b, 0))); p.str("]") }, false}
	layoutID   = &layout{4, 4, func(p *printer, b []byte) { p.str("["); p.uint(le32(b, 0)); p.str("]") }, false}
	layoutWait = &layout{4, 4, func(p *printer, b []byte) {
		p.str("[")
		p.str(WaitStatus(le32(b, 0)).String())
		p.str("]")
	}, false}
	layoutPair = &layout{8, 8, func(p *printer, b []byte) {
		p.str("[")
		p.fd(i32(b, 0))
		p.str(", ")
		p.fd(i32(b, 4))
		p.str("]")
	}, false}
)

func printInt(p *printer, b []byte) {
	p.str("[")
	p.int(i32(b, 0))
	p.str("]")
}

// Times.
var (
	layoutTimespec   = &layout{16, 8, printTimespec, false}
	layoutTimespec64 = &layout{16, 16, printTimespec64, false}
	layoutTimeval    = &layout{16, 8, printTimeval, false}
	layoutItimerspec = &layout{32, 16, func(p *printer, b []byte) { p.interval(b, printTimespec) }, false}
	layoutItimerval  = &layout{32, 16, func(p *printer, b []byte) { p.interval(b, printTimeval) }, false}
	layoutItimer64   = &layout{32, 32, func(p *printer, b []byte) { p.interval(b, printTimespec64) }, false}
	layoutUtimbuf    = &layout{16, 8, func(p *printer, b []byte) {
		p.str("{actime=")
		p.int(p.slong(b, 0))
		p.date(p.slong(b, 0), 0)
		p.str(", modtime=")
		p.int(p.slong(b, 1))
		p.date(p.slong(b, 1), 0)
		p.str("}")
	}, false}
	layoutTimezone = &layout{8, 8, func(p *printer, b []byte) {
		p.str("{tz_minuteswest=")
		p.int(i32(b, 0))
		p.str(", tz_dsttime=")
		p.int(i32(b, 4))
		p.str("}")
	}, false}
	layoutTms = &layout{32, 16, func(p *printer, b []byte) {
		p.str("{")
		for i, n := range [...]string{"tms_utime", "tms_stime", "tms_cutime", "tms_cstime"} {
			p.field(n)
			p.int(p.slong(b, i))
			if p.opt.Style != StyleRaw {
				p.b = ticks(p.b, p.slong(b, i))
			}
		}
		p.str("}")
	}, false}
	// utimensat's and futimesat's two times, with their special nanoseconds.
	layoutUtimens   = &layout{32, 16, func(p *printer, b []byte) { p.pair(b, printUtimens) }, false}
	layoutUtimens64 = &layout{32, 32, func(p *printer, b []byte) { p.pair(b, printUtimens64) }, false}
	layoutTimevals  = &layout{32, 16, func(p *printer, b []byte) { p.pair(b, printUtimeval) }, false}
)

func printTimespec(p *printer, b []byte) { p.time(p.slong(b, 0), p.slong(b, 1), "tv_nsec") }
func printTimeval(p *printer, b []byte)  { p.time(p.slong(b, 0), p.slong(b, 1), "tv_usec") }

func printTimespec64(p *printer, b []byte) {
	p.time(int64(le64(b, 0)), int64(le64(b, 8)), "tv_nsec")
}

func (p *printer) time(sec, part int64, name string) {
	p.str("{tv_sec=")
	p.int(sec)
	p.field(name)
	p.ulong(part)
	p.str("}")
}

// ulong prints a word without its sign.
func (p *printer) ulong(v int64) {
	if p.c.ptr == 4 {
		v = int64(uint32(v))
	}
	p.uint(uint64(v))
}

func printUtimens(p *printer, b []byte) { p.utimens(p.slong(b, 0), p.slong(b, 1)) }
func printUtimens64(p *printer, b []byte) {
	p.utimens(int64(le64(b, 0)), int64(le64(b, 8)))
}

func (p *printer) utimens(sec, nsec int64) {
	switch nsec {
	case 0x3fffffff:
		p.constant("UTIME_NOW", func() { p.time(sec, nsec, "tv_nsec") })
	case 0x3ffffffe:
		p.constant("UTIME_OMIT", func() { p.time(sec, nsec, "tv_nsec") })
	default:
		p.time(sec, nsec, "tv_nsec")
		p.date(sec, nsec)
	}
}

func printUtimeval(p *printer, b []byte) {
	printTimeval(p, b)
	p.date6(p.slong(b, 0), p.slong(b, 1))
}

func (p *printer) pair(b []byte, each func(*printer, []byte)) {
	p.str("[")
	each(p, b)
	p.str(", ")
	each(p, b[len(b)/2:])
	p.str("]")
}

func (p *printer) interval(b []byte, each func(*printer, []byte)) {
	p.str("{it_interval=")
	each(p, b)
	p.str(", it_value=")
	each(p, b[len(b)/2:])
	p.str("}")
}

var layoutPollfd = &layout{8, 8, func(p *printer, b []byte) {
	p.str("{fd=")
	p.int(i32(b, 0))
	if i32(b, 0) >= 0 {
		p.field("events")
		p.flags(setPollEvents, le16(b, 4))
	}
	p.str("}")
}, false}

// struct epoll_event is packed on x86 and has padding on arm64.
var (
	layoutEpoll      = &layout{12, 12, func(p *printer, b []byte) { p.epoll(b, b[4:]) }, false}
	layoutEpollArm64 = &layout{16, 16, func(p *printer, b []byte) { p.epoll(b, b[8:]) }, false}
)

func (p *printer) epoll(events, data []byte) {
	p.str("{events=")
	p.flags(setEpollEvents, le32(events, 0))
	p.str(", data=")
	p.hex(le64(data, 0))
	p.str("}")
}

var layoutRlimit = &layout{16, 8, func(p *printer, b []byte) {
	p.rlimits(p.long(b, 0), p.long(b, 1), 1<<(8*p.word()-1)<<1-1)
}, false}

var layoutRlimit64 = &layout{16, 16, func(p *printer, b []byte) {
	p.rlimits(le64(b, 0), le64(b, 8), ^uint64(0))
}, false}

func (p *printer) rlimits(cur, max, infinity uint64) {
	p.str("{rlim_cur=")
	p.rlimit(cur, infinity)
	p.str(", rlim_max=")
	p.rlimit(max, infinity)
	p.str("}")
}

func (p *printer) rlimit(v, infinity uint64) {
	switch {
	case v == ^uint64(0):
		p.constant("RLIM64_INFINITY", func() { p.uint(v) })
	case v == infinity:
		p.constant("RLIM_INFINITY", func() { p.uint(v) })
	case v > 1024 && v%1024 == 0:
		p.constant(strconv.FormatUint(v/1024, 10)+"*1024", func() { p.uint(v) })
	default:
		p.uint(v)
	}
}

// struct sigaction as rt_sigaction takes it.
var layoutSigaction = &layout{32, 20, func(p *printer, b []byte) {
	p.str("{sa_handler=")
	switch h := p.long(b, 0); h {
	case 0:
		p.str("SIG_DFL")
	case 1:
		p.str("SIG_IGN")
	default:
		p.hex(h)
	}
	flags := p.long(b, 1)
	p.str(", sa_mask=")
	p.sigset(b[3*p.word():])
	p.str(", sa_flags=")
	p.flags(setSAFlags, flags)
	if flags&0x4000000 != 0 {
		p.str(", sa_restorer=")
		p.ptr(p.long(b, 2))
	}
	p.str("}")
}, false}

var layoutStack = &layout{24, 12, func(p *printer, b []byte) {
	p.str("{ss_sp=")
	p.ptr(p.long(b, 0))
	p.str(", ss_flags=")
	p.flags(setSSFlags, le32(b, p.word()))
	p.str(", ss_size=")
	p.uint(p.long(b, 2))
	p.str("}")
}, false}

var layoutSiginfo = &layout{128, 128, func(p *printer, b []byte) {
	if p.c.ptr == 4 {
		b = widenSiginfo(b)
	}
	if le32(b, 0) == 0 {
		p.str("{}")
		return
	}
	p.b = DecodeSiginfo(b).Append(p.b, p.opt)
}, false}

// widenSiginfo moves the union of a 32 bit siginfo_t, which begins 4 bytes
// earlier, to where the 64 bit one has it.
func widenSiginfo(b []byte) []byte {
	w := make([]byte, 128)
	copy(w, b[:12])
	if le32(b, 0) == sigCHLD && int32(le32(b, 8)) > 0 { // its times are longs
		copy(w[16:], b[12:24])
		copy(w[32:36], b[24:28])
		copy(w[40:44], b[28:32])
		return w
	}
	copy(w[16:], b[12:124])
	return w
}
