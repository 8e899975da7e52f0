package sysabi

// Numbers that x86-64 has reserved or whose calls are gone.
var callsOther = lazily(func() []Call {
	return []Call{
		def("getpmsg", Network, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("putpmsg", Network, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("afs_syscall", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
		def("tuxcall", Other, hex("arg0"), hex("arg1"), hex("arg2")),
		def("security", Other, hex("arg0"), hex("arg1"), hex("arg2")),
		def("vserver", Other, hex("arg0"), hex("arg1"), hex("arg2"), hex("arg3"), hex("arg4")),
	}
})
