package sysabi

import "strconv"

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
