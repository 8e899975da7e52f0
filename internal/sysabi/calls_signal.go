package sysabi

// Calls about signals.
var callsSignal = lazily(func() []Call {
	return []Call{
		def("kill", Process|Signal, tgidOrPgid("pid"), sig("sig")),
		def("tkill", Process|Signal, pidArg("tid", TID), sig("sig")),
		def("tgkill", Process|Signal, pidArg("tgid", TGID), pidArg("tid", TID), sig("sig")),
		def("rt_sigaction", Signal, sig("signum"), structIn("act", layoutSigaction), structOut("oldact", layoutSigaction), size("sigsetsize")),
		def("rt_sigprocmask", Signal, enum("how", setSigHow), sigsetIn("set", 3), sigsetOut("oldset", 3), size("sigsetsize")),
		def("rt_sigpending", Signal, sigsetOut("set", 1), size("sigsetsize")),
		def("rt_sigsuspend", Signal, sigsetIn("mask", 1), size("sigsetsize")),
		def("rt_sigtimedwait", Signal, sigsetIn("set", 3), structOut("info", layoutSiginfo), structIn("timeout", layoutTimespec), size("sigsetsize")).remark(signalRemark),
		def("rt_sigqueueinfo", Process|Signal, pidArg("tgid", TGID), sig("sig"), structIn("info", layoutSiginfo)),
		def("rt_tgsigqueueinfo", Process|Signal, pidArg("tgid", TGID), pidArg("tid", TID), sig("sig"), structIn("info", layoutSiginfo)),
		def("rt_sigreturn", Signal),
		def("sigaltstack", Signal, structIn("ss", layoutStack), structOut("old_ss", layoutStack)),
		def("signalfd", Desc|Signal, fd, sigsetIn("mask", 2), size("sizemask")).retFD(),
		def("signalfd4", Desc|Signal, fd, sigsetIn("mask", 2), size("sizemask"), flags("flags", setSignalfd)).retFD(),
		def("pause", Signal),
		def("restart_syscall", Other),
	}
})

func signalRemark(p *printer) {
	if p.s.Ret > 0 {
		p.str(SignalName(int(p.s.Ret)))
	}
}
