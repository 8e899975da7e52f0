package sysabi

// ioctl requests (ioctl_list(2)): the name, and what the argument is.
type request struct {
	name string
	args []Arg
}

func ioctlWith(a ...Arg) []Arg {
	return append([]Arg{fd, {Name: "request", kind: KindIoctl}}, a...)
}

var (
	ioctlNone  = ioctlWith()
	ioctlHex   = ioctlWith(hex("argp"))
	ioctlPtr   = ioctlWith(ptr("argp"))
	ioctlIntI  = ioctlWith(structIn("argp", layoutInt))
	ioctlIntO  = ioctlWith(structOut("argp", layoutInt))
	ioctlNum   = ioctlWith(num("arg"))
	ioctlSizeG = ioctlWith(structOut("argp", layoutWinsize))
	ioctlSizeS = ioctlWith(structIn("argp", layoutWinsize))
	ioctlTermG = ioctlWith(structOut("argp", layoutTermios))
	ioctlTermS = ioctlWith(structIn("argp", layoutTermios))
	ioctlFD    = ioctlWith(fdArg("fd2"))
	ioctlU64O  = ioctlWith(structOut("argp", layoutU64))
	ioctlLongO = ioctlWith(structOut("argp", layoutLong))
)

var layoutU64 = &layout{8, 8, func(p *printer, b []byte) { p.str("["); p.uint(le64(b, 0)); p.str("]") }, false}

var layoutWinsize = &layout{8, 8, func(p *printer, b []byte) {
	p.str("{")
	for i, n := range [...]string{"ws_row", "ws_col", "ws_xpixel", "ws_ypixel"} {
		p.field(n)
		p.uint(le16(b, 2*i))
	}
	p.str("}")
}, false}

// struct termios of the kernel: four words of flags, the line discipline, 19
// control characters.
var layoutTermios = &layout{36, 36, func(p *printer, b []byte) {
	p.str("{c_iflag=")
	p.flags(setTermI, le32(b, 0))
	p.field("c_oflag")
	p.flags(setTermO, le32(b, 4))
	p.field("c_cflag")
	p.hex(le32(b, 8))
	p.field("c_lflag")
	p.flags(setTermL, le32(b, 12))
	p.str(", ...}")
}, false}

// requests are those that programs meet every day.
var requests = map[uint32]request{
	0x5401: {"TCGETS", ioctlTermG}, 0x5402: {"TCSETS", ioctlTermS}, 0x5403: {"TCSETSW", ioctlTermS}, 0x5404: {"TCSETSF", ioctlTermS},
	0x5405: {"TCGETA", ioctlPtr}, 0x5406: {"TCSETA", ioctlPtr}, 0x5407: {"TCSETAW", ioctlPtr}, 0x5408: {"TCSETAF", ioctlPtr},
	0x5409: {"TCSBRK", ioctlNum}, 0x540a: {"TCXONC", ioctlNum}, 0x540b: {"TCFLSH", ioctlNum}, 0x540c: {"TIOCEXCL", ioctlNone},
	0x540d: {"TIOCNXCL", ioctlNone}, 0x540e: {"TIOCSCTTY", ioctlNum}, 0x540f: {"TIOCGPGRP", ioctlIntO}, 0x5410: {"TIOCSPGRP", ioctlIntI},
	0x5411: {"TIOCOUTQ", ioctlIntO}, 0x5412: {"TIOCSTI", ioctlPtr}, 0x5413: {"TIOCGWINSZ", ioctlSizeG}, 0x5414: {"TIOCSWINSZ", ioctlSizeS},
	0x5415: {"TIOCMGET", ioctlIntO}, 0x5416: {"TIOCMBIS", ioctlIntI}, 0x5417: {"TIOCMBIC", ioctlIntI}, 0x5418: {"TIOCMSET", ioctlIntI},
	0x5419: {"TIOCGSOFTCAR", ioctlIntO}, 0x541a: {"TIOCSSOFTCAR", ioctlIntI}, 0x541b: {"FIONREAD", ioctlIntO}, 0x541d: {"TIOCCONS", ioctlNone},
	0x5420: {"TIOCPKT", ioctlIntI}, 0x5421: {"FIONBIO", ioctlIntI}, 0x5422: {"TIOCNOTTY", ioctlNone}, 0x5423: {"TIOCSETD", ioctlIntI},
	0x5424: {"TIOCGETD", ioctlIntO}, 0x5425: {"TCSBRKP", ioctlNum}, 0x5427: {"TIOCSBRK", ioctlNone}, 0x5428: {"TIOCCBRK", ioctlNone},
	0x5429: {"TIOCGSID", ioctlIntO}, 0x802c542a: {"TCGETS2", ioctlPtr}, 0x402c542b: {"TCSETS2", ioctlPtr}, 0x402c542c: {"TCSETSW2", ioctlPtr},
	0x402c542d: {"TCSETSF2", ioctlPtr}, 0x80045430: {"TIOCGPTN", ioctlIntO}, 0x40045431: {"TIOCSPTLCK", ioctlIntI},
	0x5441: {"TIOCGPTPEER", ioctlHex}, 0x5450: {"FIONCLEX", ioctlNone}, 0x5451: {"FIOCLEX", ioctlNone}, 0x5452: {"FIOASYNC", ioctlIntI},
	0x5460: {"FIOQSIZE", ioctlU64O},

	0x8901: {"FIOSETOWN", ioctlIntI}, 0x8902: {"SIOCSPGRP", ioctlIntI}, 0x8903: {"FIOGETOWN", ioctlIntO}, 0x8904: {"SIOCGPGRP", ioctlIntO},
	0x8905: {"SIOCATMARK", ioctlIntO}, 0x8906: {"SIOCGSTAMP", ioctlPtr}, 0x890b: {"SIOCADDRT", ioctlPtr}, 0x890c: {"SIOCDELRT", ioctlPtr},
	0x8910: {"SIOCGIFNAME", ioctlPtr}, 0x8912: {"SIOCGIFCONF", ioctlPtr}, 0x8913: {"SIOCGIFFLAGS", ioctlPtr}, 0x8914: {"SIOCSIFFLAGS", ioctlPtr},
	0x8915: {"SIOCGIFADDR", ioctlPtr}, 0x8916: {"SIOCSIFADDR", ioctlPtr}, 0x8917: {"SIOCGIFDSTADDR", ioctlPtr}, 0x8919: {"SIOCGIFBRDADDR", ioctlPtr},
	0x891b: {"SIOCGIFNETMASK", ioctlPtr}, 0x891d: {"SIOCGIFMETRIC", ioctlPtr}, 0x8921: {"SIOCGIFMTU", ioctlPtr}, 0x8922: {"SIOCSIFMTU", ioctlPtr},
	0x8927: {"SIOCGIFHWADDR", ioctlPtr}, 0x8933: {"SIOCGIFINDEX", ioctlPtr}, 0x8942: {"SIOCGIFTXQLEN", ioctlPtr}, 0x8946: {"SIOCETHTOOL", ioctlPtr},

	0x80086601: {"FS_IOC_GETFLAGS", ioctlLongO}, 0x40086602: {"FS_IOC_SETFLAGS", ioctlPtr}, 0xc020660b: {"FS_IOC_FIEMAP", ioctlPtr},
	0x801c581f: {"FS_IOC_FSGETXATTR", ioctlPtr}, 0x401c5820: {"FS_IOC_FSSETXATTR", ioctlPtr},
	0x1: {"FIBMAP", ioctlPtr}, 0x2: {"FIGETBSZ", ioctlIntO}, 0xc0045877: {"FIFREEZE", ioctlPtr}, 0xc0045878: {"FITHAW", ioctlPtr},
	0xc0185879: {"FITRIM", ioctlPtr}, 0x40049409: {"FICLONE", ioctlFD}, 0x4020940d: {"FICLONERANGE", ioctlPtr}, 0xc0189436: {"FIDEDUPERANGE", ioctlPtr},
	0x125d: {"BLKROGET", ioctlIntO}, 0x125e: {"BLKROSET", ioctlIntI}, 0x125f: {"BLKRRPART", ioctlNone}, 0x1260: {"BLKGETSIZE", ioctlLongO},
	0x1261: {"BLKFLSBUF", ioctlNone}, 0x1268: {"BLKSSZGET", ioctlIntO}, 0x80081270: {"BLKBSZGET", ioctlIntO}, 0x80081272: {"BLKGETSIZE64", ioctlU64O},
	0x4c00: {"LOOP_SET_FD", ioctlFD}, 0x4c01: {"LOOP_CLR_FD", ioctlNone}, 0x4c05: {"LOOP_GET_STATUS64", ioctlPtr}, 0x4c82: {"LOOP_CTL_GET_FREE", ioctlNone},

	0x2400: {"PERF_EVENT_IOC_ENABLE", ioctlHex}, 0x2401: {"PERF_EVENT_IOC_DISABLE", ioctlHex}, 0x2403: {"PERF_EVENT_IOC_RESET", ioctlHex},
	0x80045200: {"RNDGETENTCNT", ioctlIntO}, 0x40045201: {"RNDADDTOENTCNT", ioctlIntI}, 0x5204: {"RNDZAPENTCNT", ioctlNone},
	0xb701: {"NS_GET_USERNS", ioctlNone}, 0xb702: {"NS_GET_PARENT", ioctlNone}, 0xb703: {"NS_GET_NSTYPE", ioctlNone}, 0xb704: {"NS_GET_OWNER_UID", ioctlIntO},
	0x400454ca: {"TUNSETIFF", ioctlPtr}, 0x800454d2: {"TUNGETIFF", ioctlPtr},
	0xae00: {"KVM_GET_API_VERSION", ioctlHex}, 0xae01: {"KVM_CREATE_VM", ioctlHex}, 0xae80: {"KVM_RUN", ioctlHex},
}

func ioctlArgs(r *[6]uint64) []Arg {
	if q, ok := requests[uint32(r[1])]; ok {
		return q.args
	}
	return ioctlHex
}

// ioctl prints a request; one without a name in its parts.
func (p *printer) ioctl(v uint64) {
	v = uint64(uint32(v))
	if q, ok := requests[uint32(v)]; ok {
		p.str(q.name)
		return
	}
	p.str("_IOC(")
	p.enum(setIocDir, v>>30)
	p.str(", ")
	p.hex(v >> 8 & 0xff)
	p.str(", ")
	p.hex(v & 0xff)
	p.str(", ")
	p.hex(v >> 16 & 0x3fff)
	p.str(")")
}

var setIocDir = &Set{Names: []Name{{0, "_IOC_NONE"}, {1, "_IOC_WRITE"}, {2, "_IOC_READ"}, {3, "_IOC_READ|_IOC_WRITE"}}}
