package sysabi

// The machine as a whole.
var callsSystem = []Call{
	def("uname", Other, structOut("buf", layoutUtsname)),
	def("sethostname", Other, bufIn("name", 1).length32(), unum("len")),
	def("setdomainname", Other, bufIn("name", 1).length32(), unum("len")),
	def("sysinfo", Other, structOut("info", layoutSysinfo)),
	def("syslog", Other, enum("type", setSyslog).asNumber(), ptr("bufp"), num("len")).varies(syslogArgs),
	def("getrandom", Other, Arg{Name: "buf", kind: KindBuffer, dir: out, n: count{fromRet, 1}, hexed: true}, size("buflen"), flags("flags", setGetrandom)),
	def("reboot", Other, enum("magic", setReboot1), enum("magic2", setReboot2), enum("op", setReboot3), ptr("arg")),
	def("bpf", Desc, enum("cmd", setBpfCmds), ptr("attr"), unum("size")),
	def("perf_event_open", Desc, structIn("attr", layoutPerfAttr), num("pid"), num("cpu"), num("group_fd"), flags("flags", setPerfOpen)).retFD(),
	def("init_module", Other, ptr("module_image"), size("len"), str("param_values")),
	def("finit_module", Desc, fd, str("param_values"), flags("flags", setModuleInit)),
	def("delete_module", Other, str("name"), flags("flags", setModuleDelete)),
	def("create_module", Other, str("name"), size("size")),
	def("query_module", Other, str("name"), num("which"), ptr("buf"), size("bufsize"), ptr("ret")),
	def("get_kernel_syms", Other, ptr("table")),
	def("kexec_load", Other, ptr("entry"), size("nr_segments"), ptr("segments"), enumFlags("flags", 0xffff0000, setKexecArch, setKexec)),
	def("kexec_file_load", Desc, fdArg("kernel_fd"), fdArg("initrd_fd"), size("cmdline_len"), str("cmdline"), flags("flags", setKexecFile)),
	def("nfsservctl", Other, num("cmd"), ptr("argp"), ptr("resp")),
	def("_sysctl", Other, ptr("args")),
	def("uprobe", Other),
	def("uretprobe", Other),
}

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
	p.quote(b[:n], n, 0)
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

// The head of struct perf_event_attr.
var layoutPerfAttr = &layout{64, 64, func(p *printer, b []byte) {
	p.str("{type=")
	p.enum(setPerfType, le32(b, 0))
	p.field("size")
	p.hex(le32(b, 4))
	p.field("config")
	p.hex(le64(b, 8))
	p.str(", ...}")
}, false}

var (
	syslogType = enum("type", setSyslog).asNumber()
	syslogOnly = []Arg{syslogType}
	syslogLen  = []Arg{syslogType, ptr("bufp"), num("len")}
	syslogRead = []Arg{syslogType, strOut("bufp", 2), num("len")}
)

// syslogArgs: the actions that read have a buffer, SYSLOG_ACTION_CONSOLE_LEVEL
// a level, the others nothing.
func syslogArgs(r *[6]uint64) []Arg {
	switch uint32(r[0]) {
	case 2, 3, 4:
		return syslogRead
	case 8:
		return syslogLen
	case 0, 1, 5, 6, 7, 9, 10:
		return syslogOnly
	}
	return syslogLen
}
