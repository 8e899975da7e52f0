package sysabi

import "encoding/binary"

// Siginfo is a siginfo_t (sigaction(2)). Which fields mean something depends on
// Signo and Code.
type Siginfo struct {
	Signo        int
	Errno        Errno
	Code         int
	PID          int32 // sender, or the child of SIGCHLD
	UID          uint32
	Status       int32  // SIGCHLD: exit status or signal
	UTime        int64  // SIGCHLD: user time of the child, clock ticks
	STime        int64  // SIGCHLD: system time
	Addr         uint64 // faults: the address; SIGSYS: the instruction
	AddrLSB      uint16 // memory errors: the least significant bit of Addr that counts
	Lower, Upper uint64 // SEGV_BNDERR: the bounds
	Pkey         uint32 // SEGV_PKUERR: the protection key
	Value        uint64 // sigqueue's
	NR           uint32 // SIGSYS: the call
	Arch         uint32 // SIGSYS: AUDIT_ARCH_*
	Band         int64  // SIGIO
	FD           int32  // SIGIO
	Timer        int32  // SI_TIMER: the timer
	Overrun      int32
}

// Codes that say how a signal is to be read.
const (
	siUser, siTimer, siSigio, siTkill = 0, -2, -5, -6
	siNoinfo                          = 32767
	segvBndErr, segvPkuErr            = 3, 4
	busMceErrAR, busMceErrAO          = 4, 5
)

// DecodeSiginfo reads the 64 bit layout; missing bytes read as zero.
func DecodeSiginfo(b []byte) Siginfo {
	var p [128]byte
	copy(p[:], b)
	le := binary.LittleEndian
	s := Siginfo{
		Signo: int(int32(le.Uint32(p[0:]))), Errno: Errno(le.Uint32(p[4:])), Code: int(int32(le.Uint32(p[8:]))),
	}
	source := func() { s.PID, s.UID, s.Value = int32(le.Uint32(p[16:])), le.Uint32(p[20:]), le.Uint64(p[24:]) }
	band := func() { s.Band, s.FD = int64(le.Uint64(p[16:])), int32(le.Uint32(p[24:])) }
	switch {
	case s.Code == siTimer:
		s.Timer, s.Overrun, s.Value = int32(le.Uint32(p[16:])), int32(le.Uint32(p[20:])), le.Uint64(p[24:])
	case s.Code == siSigio:
		band()
	case s.Code <= 0:
		source()
	case s.Signo == sigCHLD:
		source()
		s.Value, s.Status = 0, int32(le.Uint32(p[24:]))
		s.UTime, s.STime = int64(le.Uint64(p[32:])), int64(le.Uint64(p[40:]))
	case s.Signo == sigSYS:
		s.Addr, s.NR, s.Arch = le.Uint64(p[16:]), le.Uint32(p[24:]), le.Uint32(p[28:])
	case s.Signo == sigIO:
		band()
	case s.Signo == sigILL || s.Signo == sigTRAP || s.Signo == sigBUS || s.Signo == sigFPE || s.Signo == sigSEGV:
		s.Addr, s.AddrLSB = le.Uint64(p[16:]), le.Uint16(p[24:])
		s.Lower, s.Upper, s.Pkey = le.Uint64(p[32:]), le.Uint64(p[40:]), le.Uint32(p[32:])
	default:
		source()
	}
	return s
}

const (
	sigILL, sigTRAP, sigBUS, sigFPE, sigSEGV = 4, 5, 7, 8, 11
	sigCHLD, sigIO, sigSYS                   = 17, 29, 31
)

// CodeName returns the name of si_code: SI_USER, SEGV_MAPERR, CLD_EXITED.
func (s Siginfo) CodeName() string {
	if n := setSICode.Name(uint64(uint32(int32(s.Code)))); n != "" {
		return n
	}
	var set *Set
	switch s.Signo {
	case sigILL:
		set = setSIIll
	case sigTRAP:
		set = setSITrap
	case sigBUS:
		set = setSIBus
	case sigFPE:
		set = setSIFpe
	case sigSEGV:
		set = setSISegv
	case sigCHLD:
		set = setSIChld
	case sigIO:
		set = setSIPoll
	case sigSYS:
		set = setSISys
	}
	if n := set.Name(uint64(uint32(int32(s.Code)))); n != "" {
		return n
	}
	return string(appendHex(nil, uint64(uint32(int32(s.Code)))))
}

// String prints as strace(1) does: {si_signo=SIGSEGV, si_code=SEGV_MAPERR,
// si_addr=NULL}.
func (s Siginfo) String() string { return string(s.Append(nil, Options{})) }

// Append appends the same to b, with options.
func (s Siginfo) Append(b []byte, o Options) []byte {
	p := printer{b: b, opt: o, c: &Call{ptr: 8}}
	p.siginfo(s)
	return p.b
}

func (p *printer) siginfo(s Siginfo) {
	p.str("{")
	if s.Signo != 0 {
		p.field("si_signo")
		p.signal(int64(s.Signo))
		p.field("si_code")
		code := uint64(uint32(int32(s.Code)))
		if n := s.CodeName(); n[0] < '0' || n[0] > '9' {
			p.constant(n, func() { p.hex(code) })
		} else {
			p.hex(code)
		}
		if s.Code != siNoinfo {
			p.siginfoRest(s)
		}
	}
	p.str("}")
}

func (p *printer) siginfoRest(s Siginfo) {
	if s.Errno != 0 {
		p.field("si_errno")
		showErrno(p, uint64(s.Errno))
	}
	num := func(name string, v int64) {
		p.field(name)
		p.int(v)
	}
	addr := func(name string, v uint64) {
		p.field(name)
		p.ptr(v)
	}
	source := func() {
		p.field("si_pid")
		p.pid(int64(s.PID), TGID)
		p.field("si_uid")
		p.id(uint64(s.UID))
	}
	value := func() {
		num("si_int", int64(int32(s.Value)))
		addr("si_ptr", s.Value)
	}
	band := func() {
		num("si_band", s.Band)
		p.field("si_fd")
		p.fd(int64(s.FD))
	}
	switch {
	case s.Code == siUser || s.Code == siTkill:
		source()
	case s.Code == siTimer:
		p.field("si_timerid")
		p.hex(uint64(uint32(s.Timer)))
		num("si_overrun", int64(s.Overrun))
		value()
	case s.Code == siSigio:
		band()
	case s.Code <= 0:
		source()
		if s.Value != 0 {
			value()
		}
	case s.Signo == sigCHLD:
		source()
		p.field("si_status")
		if s.Code == 1 { // CLD_EXITED
			p.int(int64(s.Status))
		} else {
			p.signal(int64(s.Status))
		}
		for _, t := range [...]struct {
			name string
			v    int64
		}{{"si_utime", s.UTime}, {"si_stime", s.STime}} {
			num(t.name, t.v)
			if p.opt.Style != StyleRaw {
				p.b = ticks(p.b, t.v)
			}
		}
	case s.Signo == sigSYS:
		addr("si_call_addr", s.Addr)
		p.field("si_syscall")
		p.syscallName(uint64(s.NR), s.Arch)
		p.field("si_arch")
		p.enum(setAuditArch, uint64(s.Arch))
	case s.Signo == sigIO:
		if s.Code <= 6 { // POLL_IN to POLL_HUP
			band()
		}
	case s.Signo == sigILL || s.Signo == sigTRAP || s.Signo == sigBUS || s.Signo == sigFPE || s.Signo == sigSEGV:
		addr("si_addr", s.Addr)
		switch {
		case s.Signo == sigBUS && (s.Code == busMceErrAR || s.Code == busMceErrAO):
			p.field("si_addr_lsb")
			p.hex(uint64(s.AddrLSB))
		case s.Signo == sigSEGV && s.Code == segvBndErr:
			addr("si_lower", s.Lower)
			addr("si_upper", s.Upper)
		case s.Signo == sigSEGV && s.Code == segvPkuErr:
			p.field("si_pkey")
			p.uint(uint64(s.Pkey))
		}
	default:
		if s.PID != 0 || s.UID != 0 {
			source()
		}
		if s.Value != 0 {
			value()
		}
	}
}

// Architectures as audit(8) numbers them (linux/audit.h).
const auditX8664, auditI386, auditAArch64 = 0xc000003e, 0x40000003, 0xc00000b7

// syscallName prints __NR_read for 0 of x86-64.
func (p *printer) syscallName(nr uint64, arch uint32) {
	var names []string
	switch arch {
	case auditX8664:
		names = numbersX8664[:]
	case auditI386:
		names = numbersI386[:]
	case auditAArch64:
		names = numbersAArch64[:]
	}
	if nr < uint64(len(names)) && names[nr] != "" {
		p.constant("__NR_"+names[nr], func() { p.uint(nr) })
	} else {
		p.uint(nr)
	}
}
