package sysabi

import "time"

// Clocks and timers.
var callsClock = lazily(func() []Call {
	return []Call{
		def("clock_gettime", Clock, clockID, structOut("tp", layoutTimespec)),
		def("clock_settime", Clock, clockID, structIn("tp", layoutTimespec)),
		def("clock_getres", Clock, clockID, structOut("res", layoutTimespec)),
		def("clock_nanosleep", Other, clockID, flags("flags", setTimerFlags), structIn("request", layoutTimespec), remaining("remain", layoutTimespec)).varies(nanosleepArgs),
		def("clock_adjtime", Clock, clockID, structInOut("buf", layoutTimex)).remark(timexRemark),
		def("adjtimex", Clock, structInOut("buf", layoutTimex)).remark(timexRemark),
		def("nanosleep", Other, structIn("duration", layoutTimespec), remaining("rem", layoutTimespec)),
		def("gettimeofday", Clock, structOut("tv", layoutTimeval), structOut("tz", layoutTimezone)),
		def("settimeofday", Clock, structIn("tv", layoutTimeval), structIn("tz", layoutTimezone)),
		def("time", Clock, structOut("tloc", layoutTimeOf)).remark(timeRemark),
		def("alarm", Other, unum("seconds")),
		def("getitimer", Other, enum("which", setItimer), structOut("curr_value", layoutItimerval)),
		def("setitimer", Other, enum("which", setItimer), structIn("new_value", layoutItimerval), structOut("old_value", layoutItimerval)),
		def("timer_create", Other, clockID, structIn("sevp", layoutSigevent), structOut("timerid", layoutInt)),
		def("timer_settime", Other, num("timerid"), flags("flags", setTimerFlags), structIn("new_value", layoutItimerspec), structOut("old_value", layoutItimerspec)),
		def("timer_gettime", Other, num("timerid"), structOut("curr_value", layoutItimerspec)),
		def("timer_getoverrun", Other, num("timerid")),
		def("timer_delete", Other, num("timerid")),
		def("timerfd_create", Desc, clockID, flags("flags", setTimerfdCreate)).retFD(),
		def("timerfd_settime", Desc, fd, flags("flags", setTimerfd), structIn("new_value", layoutItimerspec), structOut("old_value", layoutItimerspec)),
		def("timerfd_gettime", Desc, fd, structOut("curr_value", layoutItimerspec)),
	}
})

var clockID = enum("clockid", setClocks)

// remaining is a time that the kernel fills only when the call is interrupted.
func remaining(name string, l *layout) Arg {
	a := structOut(name, l)
	a.onIntr = true
	return a
}

var setTimerfdCreate = &Set{"TFD_???", []Name{{0x80000, "TFD_CLOEXEC"}, {0x800, "TFD_NONBLOCK"}}}

// struct timex.
var layoutTimex = &layout{208, 128, func(p *printer, b []byte) {
	w := p.word()
	p.str("{modes=")
	p.flags(setAdjtimex, le32(b, 0))
	for i, n := range [...]string{"offset", "freq", "maxerror", "esterror"} {
		p.field(n)
		p.int(p.slong(b, 1+i))
	}
	p.field("status")
	p.flags(setAdjStatus, le32(b, 5*w))
	for i, n := range [...]string{"constant", "precision", "tolerance"} {
		p.field(n)
		p.int(p.slong(b, 6+i))
	}
	p.field("time")
	printTimeval(p, b[9*w:])
	p.field("tick")
	p.int(p.slong(b, 11))
	p.field("ppsfreq")
	p.int(p.slong(b, 12))
	p.field("jitter")
	p.int(p.slong(b, 13))
	p.field("shift")
	p.int(i32(b, 14*w))
	for i, n := range [...]string{"stabil", "jitcnt", "calcnt", "errcnt", "stbcnt"} {
		p.field(n)
		p.int(p.slong(b, 15+i))
	}
	p.field("tai")
	p.int(i32(b, 20*w))
	p.str("}")
}, true}

var layoutTimeOf = &layout{8, 4, func(p *printer, b []byte) {
	p.str("[")
	p.int(p.slong(b, 0))
	p.date(p.slong(b, 0), 0)
	p.str("]")
}, false}

func timeRemark(p *printer) {
	p.b = time.Unix(p.s.Ret, 0).UTC().AppendFormat(p.b, "2006-01-02T15:04:05+0000")
}

// timexRemark names the state of the clock.
func timexRemark(p *printer) {
	states := [...]string{"TIME_OK", "TIME_INS", "TIME_DEL", "TIME_OOP", "TIME_WAIT", "TIME_ERROR"}
	if v := p.s.Ret; v >= 0 && v < int64(len(states)) {
		p.str(states[v])
	}
}

// A sleep until a time leaves nothing.
var (
	nanosleepFor = lazily(func() []Arg {
		return []Arg{clockID, flags("flags", setTimerFlags), structIn("request", layoutTimespec), remaining("remain", layoutTimespec)}
	})
	nanosleepUntil = []Arg{clockID, flags("flags", setTimerFlags), structIn("request", layoutTimespec), ptr("remain")}
)

func nanosleepArgs(r *[6]uint64) []Arg {
	if r[1]&1 != 0 { // TIMER_ABSTIME
		return nanosleepUntil
	}
	return nanosleepFor()
}
