package sysabi

// The machine as a whole.
var callsSystem = lazily(func() []Call {
	return []Call{
		def("uname", Other, structOut("buf", layoutUtsname)),
		def("sethostname", Other, hostname, num("len")),
		def("setdomainname", Other, hostname, num("len")),
		def("sysinfo", Other, structOut("info", layoutSysinfo)),
		def("syslog", Other, syslogType, ptr("bufp"), num("len")).varies(syslogArgs),
		def("getrandom", Other, Arg{Name: "buf", kind: KindBuffer, dir: out, n: count{fromRet, 1}, hexed: true}, size("buflen"), flags("flags", setGetrandom)),
		def("reboot", Other, rebootArgs[0], rebootArgs[1], rebootArgs[2], rebootArgs[3]).varies(rebootWith),
		def("bpf", Desc, enum("cmd", setBpfCmds), bpfAttr(), unum("size")).returns(bpfResult),
		def("perf_event_open", Desc, perfAttr("attr", in|out), num("pid"), num("cpu"), fdArg("group_fd"), flags("flags", setPerfOpen).wide()).retFD(),
		def("init_module", Other, ptr("module_image"), size("len"), str("param_values")),
		def("finit_module", Desc, fd, str("param_values"), flags("flags", setModuleInit)),
		def("delete_module", Other, str("name"), flags("flags", setModuleDelete)),
		def("create_module", Other, str("name"), size("size")),
		def("query_module", Other, str("name"), num("which"), ptr("buf"), size("bufsize"), ptr("ret")),
		def("get_kernel_syms", Other, ptr("table")),
		def("kexec_load", Other, ptr("entry"), size("nr_segments"), kexecSegments(), number("flags", showKexec)),
		def("kexec_file_load", Desc, fdArg("kernel_fd"), fdArg("initrd_fd"), size("cmdline_len"), bytesIn("cmdline", 2), flags("flags", setKexecFile).wide()),
		def("nfsservctl", Other, num("cmd"), ptr("argp"), ptr("resp")),
		def("_sysctl", Other, given("args", newRecord(al("name"), s32("nlen"), al("oldval"), al("oldlenp"), al("newval"), ul("newlen"), pad(0)))),
		def("uprobe", Other),
		def("uretprobe", Other),
	}
})

var layoutUtsname = &layout{390, 390, func(p *printer, b []byte) {
	p.str("{")
	for i, n := range [...]string{"sysname", "nodename", "release", "version", "machine", "domainname"} {
		if i > 1 && p.abbreviated() {
			p.str(", ...")
			break
		}
		p.field(n)
		p.cstr(b[65*i : 65*i+65])
	}
	p.str("}")
}, false}

// cstr prints bytes up to the first NUL.
func (p *printer) cstr(b []byte) {
	n := 0
	for n < len(b) && b[n] != 0 {
		n++
	}
	p.quote(b[:n], n, whole)
}

var layoutSysinfo = &layout{112, 64, func(p *printer, b []byte) {
	p.str("{uptime=")
	p.int(p.slong(b, 0))
	p.field("loads")
	p.str("[")
	for i := range 3 {
		p.sep(i)
		p.uint(p.long(b, 1+i))
	}
	p.str("]")
	for i, n := range [...]string{"totalram", "freeram", "sharedram", "bufferram", "totalswap", "freeswap"} {
		p.field(n)
		p.uint(p.long(b, 4+i))
	}
	w := p.word()
	p.field("procs")
	p.uint(le16(b, 10*w))
	rest := b[11*w:]
	p.field("totalhigh")
	p.uint(p.long(rest, 0))
	p.field("freehigh")
	p.uint(p.long(rest, 1))
	p.field("mem_unit")
	p.uint(le32(rest, 2*w))
	p.str("}")
}, false}

var (
	syslogType  = number("type", func(p *printer, v uint64) { p.signed(setSyslog, v) })
	syslogOnly  = lazily(func() []Arg { return []Arg{syslogType} })
	syslogLen   = lazily(func() []Arg { return []Arg{syslogType, ptr("bufp"), num("len")} })
	syslogLevel = lazily(func() []Arg {
		return []Arg{syslogType, ptr("bufp"), number("len", func(p *printer, v uint64) { p.signed(setLogLevels, v) })}
	})
	syslogRead = lazily(func() []Arg { return []Arg{syslogType, bufOut("bufp", 2), num("len")} })
)

// setLogLevels are those of the kernel's messages (linux/kern_levels.h).
var setLogLevels = &Set{"LOGLEVEL_???", []Name{
	{0, "LOGLEVEL_EMERG"}, {1, "LOGLEVEL_ALERT"}, {2, "LOGLEVEL_CRIT"}, {3, "LOGLEVEL_ERR"}, {4, "LOGLEVEL_WARNING"},
	{5, "LOGLEVEL_NOTICE"}, {6, "LOGLEVEL_INFO"}, {7, "LOGLEVEL_DEBUG"}, {8, "LOGLEVEL_DEBUG+1"},
}}

// signed prints a number and its name as a remark.
func (p *printer) signed(s *Set, v uint64) {
	n := int64(int32(v))
	p.int(n)
	if p.opt.Style == StyleRaw {
		return
	}
	name := s.Name(uint64(n))
	if name == "" {
		name = s.Unknown
	}
	p.remark(name)
}

// syslogArgs: the actions that read have a buffer, SYSLOG_ACTION_CONSOLE_LEVEL
// a level, the others nothing.
func syslogArgs(r *[6]uint64) []Arg {
	switch uint32(r[0]) {
	case 2, 3, 4:
		return syslogRead()
	case 8:
		return syslogLevel()
	case 0, 1, 5, 6, 7, 9, 10:
		return syslogOnly()
	}
	return syslogLen()
}

// LINUX_REBOOT_CMD_RESTART2 has a command, at most 255 bytes of it.
var rebootArgs = []Arg{
	enum("magic", setReboot1), enum("magic2", setReboot2), enum("op", setReboot3),
	shown("arg", in, 255, func(p *printer, v *Value) { p.cstrAt(v.Uint, 255) }),
}

func rebootWith(r *[6]uint64) []Arg {
	if uint32(r[2]) == 0xa1b2c3d4 {
		return rebootArgs
	}
	return rebootArgs[:3]
}

// kexecSegments are at most 16.
var (
	kexecSegment  = lazily(func() *cstruct { return newRecord(al("buf"), ul("bufsz"), al("mem"), ul("memsz")) })
	kexecSegments = lazily(func() Arg {
		return shown("segments", in, kexecSegment().size, func(p *printer, v *Value) {
			if n := p.size(v, 1); n <= 16 {
				p.array(v.Uint, n, p.bytesOf(kexecSegment()), func(b []byte) { p.record(kexecSegment(), b) })
			} else {
				p.ptr(v.Uint)
			}
		})
	})
)

func showKexec(p *printer, v uint64) {
	p.enum(setKexecArch, v&0xffff0000)
	if v &^= 0xffff0000; v != 0 {
		p.str("|")
		p.flags(setKexec, v)
	}
}

// hostname is a name of at most 64 bytes.
var hostname = shown("name", in, 64, func(p *printer, v *Value) {
	if n := uint32(p.size(v, 1)); n > 64 {
		p.ptr(v.Uint)
	} else {
		p.bytesAt(v.Uint, uint64(n))
	}
})

// bytesIn is as many bytes as register n says, which are not a transfer.
func bytesIn(name string, n uint8) Arg {
	return shown(name, in, 1, func(p *printer, v *Value) { p.bytesAt(v.Uint, p.size(v, n)) }).sized(n)
}
