package sysabi

import (
	stdstrings "strings"

	"culprit/internal/event"
)

// request is ioctl requests that take the same argument.
type request struct {
	names string // separated by spaces; numbers are in ioctl_names.txt
	args  []Arg
	ret   retKind

	native bool             // where words have 64 bits only
	x86    bool             // not on arm64
	remark func(p *printer) // what the result means
}

// ioctlFamilies lists the requests whose arguments are known.
var ioctlFamilies = lazily(func() []struct {
	name     string
	requests []request
} {
	return []struct {
		name     string
		requests []request
	}{
		{"term", ioctlsTerm()}, {"block", ioctlsBlock()}, {"file", ioctlsFile()}, {"misc", ioctlsMisc()}, {"process", ioctlsProcess()},
		{"flash", ioctlsFlash()}, {"device", ioctlsDevice()}, {"sock", ioctlsSock()}, {"evdev", ioctlsEvdev()}, {"v4l2", ioctlsV4L2()},
		{"kvm", ioctlsKVM()}, {"btrfs", ioctlsBtrfs()}, {"kd", ioctlsKD()}, {"scsi", ioctlsSCSI()}, {"dm", ioctlsDM()}, {"tee", ioctlsTEE()},
	}
})

// ioctlTypes are the types (bits 8 to 15) of those families: their other
// requests have an argument of which nothing is said.
const ioctlTypes = "\x03\x12\x15!\"$=>EIKLMORTVWXfiopu\x89\x8a\x94\xa4\xaa\xab\xae\xb4\xb7\xfd\xff"

// ioctlPatterns are requests whose numbers hold a length or a code.
var ioctlPatterns = []func(code uint32) *request{nsfsPattern, pidfdPattern, evdevPattern}

// ioctlOn is the call's row of an architecture.
func ioctlOn(arch event.Arch) Call {
	return def("ioctl", Desc, ioctlHex()...).varies(ioctlArgs(arch)).returns(ioctlResult(arch)).remark(ioctlRemark)
}

// ioctlArgs returns the arguments of a request.
func ioctlArgs(arch event.Arch) func(*[6]uint64) []Arg {
	return func(r *[6]uint64) []Arg {
		if q := ioctlsOf(arch).find(uint32(r[1])); q != nil {
			return q.args
		}
		if code := uint32(r[1]); iocSize(code) > 0 && stdstrings.IndexByte(ioctlTypes, iocType(code)) < 0 {
			return unknownArgs(code)
		}
		return ioctlHex()
	}
}

func ioctlResult(arch event.Arch) func(*[6]uint64) retKind {
	return func(r *[6]uint64) retKind {
		if q := ioctlsOf(arch).find(uint32(r[1])); q != nil {
			return q.ret
		}
		return retInt
	}
}

func (t *ioctlTable) find(code uint32) *request {
	if q := t.requests[code]; q != nil {
		return q
	}
	for _, f := range ioctlPatterns {
		if q := f(code); q != nil {
			return q
		}
	}
	return nil
}

// Parts of a request (asm-generic/ioctl.h).
func iocDir(code uint32) uint32  { return code >> 30 }
func iocSize(code uint32) uint32 { return code >> 16 & 0x3fff }

// ioctlRemark says what a result means.
func ioctlRemark(p *printer) {
	if q := ioctlsOf(p.c.Arch).find(uint32(p.s.Args[1])); q != nil && q.remark != nil {
		q.remark(p)
	}
}

func iocType(code uint32) byte { return byte(code >> 8) }
func iocNr(code uint32) uint32 { return code & 0xff }

const iocWrite, iocRead = 1, 2

// ioctl prints a request.
func (p *printer) ioctl(v uint64) {
	code := uint32(v)
	verbose := p.opt.Style == StyleVerbose
	p.styled(uint64(code), func() { p.request(code, verbose) })
}

// request prints the names of a request; one without a name in its parts. In a
// remark there are no remarks.
func (p *printer) request(code uint32, remark bool) {
	if name := setTermCmdsOverlapping.Name(uint64(code)); name != "" &&
		(p.opt.Terminal == nil || p.opt.Terminal(int64(int32(p.s.Args[0])))) {
		p.str(name)
		return
	}
	named := p.requestWithLength(code, remark)
	for i, n := range ioctlsOf(p.c.Arch).named(code) {
		if named || i > 0 {
			p.str(" or ")
		}
		p.str(n.S)
		named = true
	}
	if named {
		return
	}
	p.str("_IOC(")
	p.flags(setIocDir, uint64(iocDir(code)))
	p.str(", ")
	p.hex(uint64(iocType(code)))
	p.str(", ")
	p.hex(uint64(iocNr(code)))
	p.str(", ")
	p.hex(uint64(iocSize(code)))
	p.str(")")
}

var setIocDir = &Set{"_IOC_???", []Name{{0, "_IOC_NONE"}, {2, "_IOC_READ"}, {1, "_IOC_WRITE"}}}
