package explain

import (
	"fmt"

	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// crashes are the signals by which the kernel ends a program for its own fault
// (signal(7)), with what each one says.
var crashes = map[string]string{
	"SIGSEGV": "it touched memory that is not its own",
	"SIGABRT": "it gave up by itself (abort)",
	"SIGFPE":  "it did arithmetic that has no result",
	"SIGILL":  "it ran an instruction that the processor does not have",
	"SIGTRAP": "it ran into a trap that stands in its own code",
	"SIGBUS":  "it touched memory behind the end of a file or wrongly aligned",
}

// siKernel is the si_code of a signal that the kernel itself sent
// (asm-generic/siginfo.h), for one that the terminal's keys send too.
const siKernel = 0x80

var crash = Cause{
	Names: []string{"crashed", "killed-by"},
	Doc:   "a signal ended the process: one of its own making, or one that another process sent",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			if !p.Ended || p.Status&0x7f == 0 || c.limited(p) {
				continue
			}
			if f, ok := c.signalFinding(p); ok {
				out = append(out, f)
			}
		}
		return out
	},
}

func (c *Case) signalFinding(p *timeline.Process) (Finding, bool) {
	name := sysabi.SignalName(int(p.Status & 0x7f))
	f := Finding{Proc: p, Side: Local, Links: []Link{{"end", p.Name() + " was ended by " + name, wEnd}},
		Facts: []Fact{{"signal", name}, {"program", p.Name()}, {"pid", p.PID}}}
	var sig *timeline.Signal
	for _, s := range p.Signals {
		if sysabi.SignalName(int(s.Signo)) == name {
			sig = s
		}
	}
	what, own := crashes[name]
	sender := sig != nil && sig.Code <= 0 && sig.PID != 0 && sig.PID != p.PID // sent, not made by a fault
	if own && !sender {
		if sig != nil && sig.Code <= 0 && name != "SIGABRT" {
			what = "it sent the signal to itself"
		}
		f.Cause = "crashed"
		f.Title = fmt.Sprintf("%s crashed: %s", p.Name(), name)
		f.Why = fmt.Sprintf("%s (pid %d, %s) was ended by %s: %s.", p.Name(), p.PID, p.Exe, name, what)
		if sig != nil {
			f.Evidence = append(f.Evidence, Evidence{"kernel", sig.Time, sig.String()})
		}
		whose := c.stood(&f, sig != nil && sig.Code <= 0)
		f.Next = append(f.Next, fmt.Sprintf("`coredumpctl debug %d` or gdb on a core file shows where; report it with the case to whoever makes %s", p.PID, whose))
		f.Evidence = append(f.Evidence, Evidence{"kernel", p.EndTime, fmt.Sprintf("%s[%d] +++ killed by %s +++", p.Name(), p.PID, name)})
		return f, true
	}
	if name == "SIGPIPE" || sig != nil && descends(p, sig.PID) || c.killer(p, name) != "" {
		return f, false // a parent ends its helpers when it is done with them
	}
	f.Cause = "killed-by"
	by := "another process"
	if (name == "SIGINT" || name == "SIGQUIT") && sig != nil && sig.Code == siKernel {
		by = "the terminal: somebody pressed " + map[string]string{"SIGINT": "Ctrl-C", "SIGQUIT": `Ctrl-\\`}[name]
		f.Title = fmt.Sprintf("%s was ended from %s", p.Name(), by)
		f.Why = fmt.Sprintf("%s (pid %d) did not end by itself: it got %s from the terminal.", p.Name(), p.PID, name)
		f.Evidence = append(f.Evidence, Evidence{"kernel", sig.Time, sig.String()},
			Evidence{"kernel", p.EndTime, fmt.Sprintf("%s[%d] +++ killed by %s +++", p.Name(), p.PID, name)})
		return f, true
	}
	if name == "SIGKILL" {
		by = "another process or the kernel" // whose siginfo nobody gets to see
	}
	if sig != nil && sig.PID != 0 {
		by = fmt.Sprintf("process %d", sig.PID)
		for _, o := range c.T.Procs {
			if o.PID == sig.PID {
				by = fmt.Sprintf("%s (pid %d)", o.Name(), o.PID)
			}
		}
		if s := senderText(p, name, sig.PID); s != "" {
			by = s
			f.Facts = append(f.Facts, Fact{"sender", s})
		}
		f.Facts = append(f.Facts, Fact{"sender_pid", sig.PID}, Fact{"sender_uid", sig.UID})
	}
	f.Title = fmt.Sprintf("%s was ended by %s from %s", p.Name(), name, by)
	f.Why = fmt.Sprintf("%s (pid %d) did not end by itself: %s sent it %s.", p.Name(), p.PID, by, name)
	f.Next = []string{"find out why " + by + " did that: its log, or the system journal at that time"}
	if sig != nil {
		f.Evidence = append(f.Evidence, Evidence{"kernel", sig.Time, sig.String()})
	}
	f.Evidence = append(f.Evidence, Evidence{"kernel", p.EndTime, fmt.Sprintf("%s[%d] +++ killed by %s +++", p.Name(), p.PID, name)})
	return f, true
}

// descends reports whether a process is a descendant of pid.
func descends(p *timeline.Process, pid int32) bool {
	for p = p.Parent; p != nil; p = p.Parent {
		if p.PID == pid {
			return true
		}
	}
	return false
}
