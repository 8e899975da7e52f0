package sysabi

import (
	"encoding/binary"
	"strconv"
)

// signals are the names of signal(7), indexed by number, for the architectures
// of this package.
var signals = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO",
	30: "SIGPWR", 31: "SIGSYS",
}

// SignalName returns "SIGPIPE" for 13, "SIGRT_2" for 34 (as strace(1) counts
// them, from the kernel's first), and the number for what is no signal.
func SignalName(n int) string {
	switch {
	case n > 0 && n < len(signals):
		return signals[n]
	case n == 32:
		return "SIGRTMIN"
	case n > 32 && n <= 64:
		return "SIGRT_" + strconv.Itoa(n-32)
	}
	return strconv.Itoa(n)
}

// SignalNumber returns the number of a name that [SignalName] gives, with or
// without "SIG"; 0 when there is none.
func SignalNumber(name string) int {
	for n := 1; n <= 64; n++ {
		if s := SignalName(n); s == name || s == "SIG"+name {
			return n
		}
	}
	return 0
}

// Siginfo is a siginfo_t (sigaction(2)). Which fields mean something depends on
// Signo and Code.
type Siginfo struct {
	Signo  int
	Errno  Errno
	Code   int
	PID    int32 // sender, or the child of SIGCHLD
	UID    uint32
	Status int32  // SIGCHLD: exit status or signal
	UTime  int64  // SIGCHLD: user time of the child, clock ticks
	STime  int64  // SIGCHLD: system time
	Addr   uint64 // faults: the address; SIGSYS: the instruction
	Value  uint64 // sigqueue's
	NR     uint32 // SIGSYS: the call
	Arch   uint32 // SIGSYS: AUDIT_ARCH_*
	Band   int64  // SIGIO
	FD     int32  // SIGIO
}

// DecodeSiginfo reads the 64 bit layout; missing bytes read as zero.
func DecodeSiginfo(b []byte) Siginfo {
	var p [128]byte
	copy(p[:], b)
	le := binary.LittleEndian
	s := Siginfo{
		Signo: int(int32(le.Uint32(p[0:]))), Errno: Errno(le.Uint32(p[4:])), Code: int(int32(le.Uint32(p[8:]))),
	}
	switch {
	case s.Code <= 0 || s.Code == 0x80:
		s.PID, s.UID, s.Value = int32(le.Uint32(p[16:])), le.Uint32(p[20:]), le.Uint64(p[24:])
	case s.Signo == sigCHLD:
		s.PID, s.UID, s.Status = int32(le.Uint32(p[16:])), le.Uint32(p[20:]), int32(le.Uint32(p[24:]))
		s.UTime, s.STime = int64(le.Uint64(p[32:])), int64(le.Uint64(p[40:]))
	case s.Signo == sigSYS:
		s.Addr, s.NR, s.Arch = le.Uint64(p[16:]), le.Uint32(p[24:]), le.Uint32(p[28:])
	case s.Signo == sigIO:
		s.Band, s.FD = int64(le.Uint64(p[16:])), int32(le.Uint32(p[24:]))
	default:
		s.Addr = le.Uint64(p[16:])
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
	return strconv.Itoa(s.Code)
}

// String prints as strace(1) does: {si_signo=SIGSEGV, si_code=SEGV_MAPERR,
// si_addr=NULL}.
func (s Siginfo) String() string { return string(s.Append(nil, Options{})) }

// Append appends it as text to b.
func (s Siginfo) Append(b []byte, o Options) []byte {
	p := printer{opt: o}
	b = append(b, "{si_signo="...)
	b = append(b, SignalName(s.Signo)...)
	if s.Errno != 0 {
		b = append(append(b, ", si_errno="...), s.Errno.Name()...)
	}
	b = append(append(b, ", si_code="...), s.CodeName()...)
	switch {
	case s.Code == 0x80: // SI_KERNEL carries nothing
	case s.Code <= 0:
		p.b = append(b, ", si_pid="...)
		p.pid(int64(s.PID), TGID)
		b = p.b
		b = strconv.AppendUint(append(b, ", si_uid="...), uint64(s.UID), 10)
		if s.Code == -1 && s.Value != 0 {
			b = strconv.AppendInt(append(b, ", si_int="...), int64(int32(s.Value)), 10)
			b = appendPtr(append(b, ", si_ptr="...), s.Value)
		}
	case s.Signo == sigCHLD:
		p.b = append(b, ", si_pid="...)
		p.pid(int64(s.PID), TGID)
		b = p.b
		b = strconv.AppendUint(append(b, ", si_uid="...), uint64(s.UID), 10)
		b = append(b, ", si_status="...)
		if s.Code == 1 {
			b = strconv.AppendInt(b, int64(s.Status), 10)
		} else {
			b = append(b, SignalName(int(s.Status))...)
		}
		b = strconv.AppendInt(append(b, ", si_utime="...), s.UTime, 10)
		b = ticks(b, s.UTime)
		b = strconv.AppendInt(append(b, ", si_stime="...), s.STime, 10)
		b = ticks(b, s.STime)
	case s.Signo == sigSYS:
		b = appendPtr(append(b, ", si_call_addr="...), s.Addr)
		b = strconv.AppendUint(append(b, ", si_syscall="...), uint64(s.NR), 10)
		b = appendHex(append(b, ", si_arch="...), uint64(s.Arch))
	case s.Signo == sigIO:
		b = strconv.AppendInt(append(b, ", si_band="...), s.Band, 10)
		b = strconv.AppendInt(append(b, ", si_fd="...), int64(s.FD), 10)
	case s.Signo == sigILL || s.Signo == sigTRAP || s.Signo == sigBUS || s.Signo == sigFPE || s.Signo == sigSEGV:
		b = appendPtr(append(b, ", si_addr="...), s.Addr)
	}
	return append(b, '}')
}

// ticks prints clock ticks (USER_HZ, 100 a second) in seconds as a remark.
func ticks(b []byte, n int64) []byte {
	if n == 0 {
		return b
	}
	b = strconv.AppendFloat(append(b, " /* "...), float64(n)/100, 'f', 2, 64)
	return append(b, " s */"...)
}

func appendPtr(b []byte, v uint64) []byte {
	if v == 0 {
		return append(b, "NULL"...)
	}
	return appendHex(b, v)
}

// WaitStatus is a wait status (wait(2)).
type WaitStatus uint32

// Exited reports a normal end; Code is its exit code.
func (w WaitStatus) Exited() bool { return w&0x7f == 0 }

// Code returns the exit code of a normal end.
func (w WaitStatus) Code() int { return int(w >> 8 & 0xff) }

// Signaled reports an end by a signal.
func (w WaitStatus) Signaled() bool { return w&0x7f != 0 && w&0x7f != 0x7f }

// Signal returns the signal that ended or stopped the process, 0 when none did.
func (w WaitStatus) Signal() int {
	switch {
	case w.Signaled():
		return int(w & 0x7f)
	case w.Stopped():
		return int(w >> 8 & 0x7f)
	}
	return 0
}

// CoreDumped reports that a core file was written.
func (w WaitStatus) CoreDumped() bool { return w.Signaled() && w&0x80 != 0 }

// Stopped reports a stop.
func (w WaitStatus) Stopped() bool { return w&0xff == 0x7f && w != 0xffff }

// Continued reports a continuation.
func (w WaitStatus) Continued() bool { return w == 0xffff }

// String prints as strace(1) does: {WIFEXITED(s) && WEXITSTATUS(s) == 1}.
func (w WaitStatus) String() string {
	switch {
	case w.Continued():
		return "{WIFCONTINUED(s)}"
	case w.Stopped():
		s := "{WIFSTOPPED(s) && WSTOPSIG(s) == " + SignalName(w.Signal())
		if w>>8&0x80 != 0 {
			s += " | 0x80"
		}
		s += "}"
		if e := w >> 16; e != 0 {
			s += " | " + setPtraceEvents.Enum(uint64(e)) + " << 16"
		}
		return s
	case w.Signaled():
		s := "{WIFSIGNALED(s) && WTERMSIG(s) == " + SignalName(w.Signal())
		if w.CoreDumped() {
			s += " && WCOREDUMP(s)"
		}
		return s + "}"
	}
	return "{WIFEXITED(s) && WEXITSTATUS(s) == " + strconv.Itoa(w.Code()) + "}"
}
