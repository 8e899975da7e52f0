package explain

import (
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

var limits = Cause{
	Names: []string{"out-of-memory", "process-limit", "too-many-open-files"},
	Doc:   "a call for memory, a process or a descriptor was refused because a limit was reached, no later one did better, and the process failed",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			if f, ok := c.oomKilled(p); ok {
				out = append(out, f)
			}
			if !failed(p) && p.Ended {
				continue
			}
			last := map[string]int{}
			for i, call := range p.Calls {
				cause := refused(call)
				if cause == "" || grantedLater(p, i, cause) {
					continue
				}
				f := c.limitFinding(call, cause)
				f.Links = append(f.Links, c.limitLinks(call, cause)...)
				if len(f.Links) == 0 {
					continue
				}
				x, ok := c.exceptionFrom(call)
				if !ok && cause == "out-of-memory" {
					x = c.memoryError(call)
				}
				if x != nil {
					f.Evidence = append(f.Evidence, exceptionEvidence(x))
					f.Where = where(x)
				}
				if j, again := last[cause]; again {
					out[j] = f
				} else {
					last[cause] = len(out)
					out = append(out, f)
				}
			}
		}
		return out
	},
}

// refused tells which limit a failed call met, "" for none. A descriptor for a
// file that has a name is file errors' matter.
func refused(call *timeline.Call) string {
	switch errno := call.Errno().Name(); call.Name() {
	case "mmap", "mremap", "brk":
		if errno == "ENOMEM" {
			return "out-of-memory"
		}
	case "clone", "clone3", "fork", "vfork":
		switch errno {
		case "ENOMEM":
			return "out-of-memory"
		case "EAGAIN":
			return "process-limit"
		}
	case "execve", "execveat":
		if errno == "ENOMEM" {
			return "out-of-memory"
		}
	case "socket", "socketpair", "accept", "accept4", "pipe", "pipe2", "dup", "fcntl", "epoll_create", "epoll_create1", "eventfd2", "timerfd_create", "inotify_init1", "memfd_create", "signalfd4":
		if errno == "EMFILE" || errno == "ENFILE" {
			return "too-many-open-files"
		}
	}
	return ""
}

// grantedLater reports whether a later call of the kind got as much: the first
// was a trial, or the trouble passed.
func grantedLater(p *timeline.Process, i int, cause string) bool {
	call := p.Calls[i]
	for _, o := range p.Calls[i+1:] {
		if o.Raw.Ret < 0 {
			continue
		}
		switch cause {
		case "out-of-memory":
			// mmap's length is its second argument. Less than half is a smaller try.
			if o.Name() == call.Name() && (o.Name() != "mmap" || o.Raw.Args[1] >= call.Raw.Args[1]/2) {
				return true
			}
		case "process-limit":
			switch o.Name() {
			case "clone", "clone3", "fork", "vfork":
				return true
			}
		default:
			if o.Name() == call.Name() {
				return true
			}
		}
	}
	return false
}

// memoryWords are how programs and languages say that they are out of memory.
var memoryWords = []string{"out of memory", "Cannot allocate memory", "cannot allocate", "MemoryError", "bad_alloc", "memory exhausted", "Not enough memory", "virtual memory exhausted", "OutOfMemory"}

func (c *Case) limitLinks(call *timeline.Call, cause string) []Link {
	links := c.linkCall(call)
	p := call.Proc
	if cause == "out-of-memory" {
		if l := c.saidAfter(call, memoryWords...); l != nil {
			links = append(links, Link{"said", l.Text, wSaid})
		}
		if e := c.memoryError(call); e != nil {
			links = append(links, Link{"raised", e.String(), c.final[e].Weight * wRaised})
		}
	}
	last := c.linkLast(p, call.Leave(), wLast, 0, "the last trouble of the process before its end")
	if p.Ended && len(last) > 0 && last[0].Weight == wLast {
		// A program that can't have what it needs often ends itself by a signal.
		switch name := sysabi.SignalName(int(p.Status & 0x7f)); name {
		case "SIGABRT", "SIGSEGV", "SIGBUS", "SIGTRAP", "SIGILL":
			links = append(links, Link{"end", fmt.Sprintf("%s right after it, and nothing else in between", name), wEnd})
		}
	}
	return append(links, last...)
}

// memoryError is the MemoryError, tied to the end, that a thread raised right
// after the call was refused. It carries no errno.
func (c *Case) memoryError(call *timeline.Call) *timeline.Exception {
	for _, e := range c.tied() {
		if e.Is("MemoryError") && e.Proc == call.Proc && e.TID == call.TID && e.Time >= call.Leave() && e.Time-call.Leave() < 1e9 {
			return e
		}
	}
	return nil
}

func (c *Case) limitFinding(call *timeline.Call, cause string) Finding {
	p, e := call.Proc, call.Errno()
	f := Finding{Cause: cause, Side: Local, Proc: p, Evidence: []Evidence{callEvidence(call)},
		Facts: []Fact{{"program", p.Name()}, {"call", call.Name()}, {"errno", e.Name()}, {"error", e.Text()}}}
	switch cause {
	case "out-of-memory":
		f.Title = fmt.Sprintf("%s could not get memory", p.Name())
		f.Why = fmt.Sprintf("%s() of %s (pid %d) failed with %s (%s).", call.Name(), p.Name(), p.PID, e.Name(), e.Text())
		f.Next = []string{"`free -h` shows what the machine has left, `ulimit -v` what the process may have"}
		if call.Name() == "mmap" {
			want := call.Raw.Args[1]
			f.Facts = append(f.Facts, Fact{"bytes", want})
			f.Why = fmt.Sprintf("%s (pid %d) asked for %s bytes with mmap() and got %s (%s).", p.Name(), p.PID, count(int64(want)), e.Name(), e.Text())
			for _, what := range []string{"RLIMIT_AS", "RLIMIT_DATA"} {
				if l := p.Limit(what, ""); l != nil && l.Used <= l.Soft && l.Used+want > l.Soft {
					f.Title = fmt.Sprintf("%s could not get memory: its limit is %s bytes (%s)", p.Name(), count(int64(l.Soft)), what)
					f.Links = append(f.Links, Link{"limit", fmt.Sprintf("%s bytes in use and %s more pass %s = %s", count(int64(l.Used)), count(int64(want)), what, count(int64(l.Soft))), wLimit})
				}
			}
		}
	case "process-limit":
		f.Title = fmt.Sprintf("%s may not start another process", p.Name())
		f.Why = fmt.Sprintf("%s() of %s (pid %d) failed with %s (%s): a limit on processes and threads is reached.", call.Name(), p.Name(), p.PID, e.Name(), e.Text())
		f.Next = []string{"`ps -L -u USER | wc -l` counts what the user runs; raise `ulimit -u` or the cgroup's pids.max"}
	case "too-many-open-files":
		f.Title = fmt.Sprintf("%s has too many open files", p.Name())
		if e.Name() == "ENFILE" {
			f.Title = "the system has too many open files"
		}
		f.Why = fmt.Sprintf("%s() of %s (pid %d) failed with %s (%s).", call.Name(), p.Name(), p.PID, e.Name(), e.Text())
		f.Next = []string{"raise the limit (`ulimit -n`), or find what is left open: `ls -l /proc/PID/fd`"}
	}
	return f
}

// oomKilled: the kernel ended the process because memory had run out.
func (c *Case) oomKilled(p *timeline.Process) (Finding, bool) {
	l := p.Limit("oom-kill", "")
	if l == nil || !p.Ended || sysabi.SignalName(int(p.Status&0x7f)) != "SIGKILL" {
		return Finding{}, false
	}
	f := Finding{Cause: "out-of-memory", Side: Local, Proc: p,
		Title: fmt.Sprintf("%s was ended by the kernel: memory had run out", p.Name()),
		Why:   fmt.Sprintf("%s (pid %d) was ended by SIGKILL while the count of processes killed for want of memory (oom_kill of %s) went up by %d.", p.Name(), p.PID, l.Name, l.Used),
		Facts: []Fact{{"signal", "SIGKILL"}, {"program", p.Name()}, {"pid", p.PID}, {"oom_kill", l.Name}},
		Links: []Link{{"end", p.Name() + " was ended by SIGKILL", 0.9}},
		Next:  []string{"`journalctl -k | grep -i 'killed process'` names the process and what it used", "give it more memory (the cgroup's memory.max), or let it use less"},
	}
	f.Evidence = []Evidence{{"kernel", p.EndTime, fmt.Sprintf("%s[%d] +++ killed by SIGKILL +++", p.Name(), p.PID)}}
	return f, true
}

var limitSignals = Cause{
	Names: []string{"cpu-limit", "file-size-limit", "seccomp-denied", "broken-pipe"},
	Doc:   "the kernel ended the process by the signal that says which limit or rule it broke",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			if f, ok := c.limitSignal(p); ok {
				out = append(out, f)
			}
		}
		return out
	},
}

// limited reports whether a process's fatal signal stands for a limit or a
// rule, and is told by the causes of this file.
func (c *Case) limited(p *timeline.Process) bool {
	if _, ok := c.oomKilled(p); ok {
		return true
	}
	_, ok := c.limitSignal(p)
	return ok || p.Status&0x7f == 13
}

// limitSignal explains a process that the kernel ended by SIGXCPU, SIGXFSZ,
// SIGSYS or SIGPIPE. The same signal sent by another process is no limit.
func (c *Case) limitSignal(p *timeline.Process) (Finding, bool) {
	if !p.Ended || p.Status&0x7f == 0 {
		return Finding{}, false
	}
	name := sysabi.SignalName(int(p.Status & 0x7f))
	got := func(name string) *timeline.Signal {
		for i := len(p.Signals) - 1; i >= 0; i-- {
			if sysabi.SignalName(p.Signals[i].Signo) == name {
				return p.Signals[i]
			}
		}
		return nil
	}
	sig := got(name)
	if sig != nil && sig.Code <= 0 && sig.PID != 0 && sig.PID != p.PID && name != "SIGPIPE" {
		return Finding{}, false
	}
	f := Finding{Side: Local, Proc: p, Facts: []Fact{{"signal", name}, {"program", p.Name()}, {"pid", p.PID}},
		Links: []Link{{"end", p.Name() + " was ended by " + name, wEnd}}}
	if sig != nil {
		f.Evidence = append(f.Evidence, Evidence{"kernel", sig.Time, sig.String()})
	}
	f.Evidence = append(f.Evidence, Evidence{"kernel", p.EndTime, fmt.Sprintf("%s[%d] +++ killed by %s +++", p.Name(), p.PID, name)})
	switch {
	case name == "SIGXCPU", name == "SIGKILL" && sig == nil && (got("SIGXCPU") != nil || c.cpuLimited(p, &f)):
		f.Cause = "cpu-limit"
		f.Title = fmt.Sprintf("%s used up the CPU time that it may use", p.Name())
		f.Why = fmt.Sprintf("%s (pid %d) was ended by %s: its limit on CPU time (RLIMIT_CPU) was reached.", p.Name(), p.PID, name)
		f.Next = []string{"raise the limit (`ulimit -t`, LimitCPU= of its service), or find what it computes for so long"}
	case name == "SIGXFSZ":
		f.Cause = "file-size-limit"
		f.Title = fmt.Sprintf("%s wrote a file beyond the size that it may have", p.Name())
		f.Why = fmt.Sprintf("%s (pid %d) was ended by SIGXFSZ: its limit on the size of files (RLIMIT_FSIZE) was reached.", p.Name(), p.PID)
		for i := len(p.Calls) - 1; i >= 0; i-- {
			if call := p.Calls[i]; call.Errno().Name() == "EFBIG" && call.Desc != nil && call.Desc.Path != "" {
				f.Title = fmt.Sprintf("%s would grow over the size that files of %s may have", call.Desc.Path, p.Name())
				f.Facts = append(f.Facts, Fact{"path", call.Desc.Path})
				f.Evidence = slices.Insert(f.Evidence, 0, callEvidence(call))
				break
			}
		}
		f.Next = []string{"raise the limit (`ulimit -f`, LimitFSIZE= of its service)"}
	case name == "SIGSYS":
		f.Cause = "seccomp-denied"
		f.Title = fmt.Sprintf("a seccomp filter forbids %s a system call", p.Name())
		f.Why = fmt.Sprintf("%s (pid %d) was ended by SIGSYS: it made a system call that a filter (seccomp(2)) forbids.", p.Name(), p.PID)
		if sig != nil {
			call := fmt.Sprintf("number %d", sig.NR)
			arch := p.Calls
			if len(arch) > 0 {
				if k := sysabi.Lookup(arch[len(arch)-1].Raw.Arch, sig.NR); k != nil {
					call = k.Name
				}
			}
			f.Title = fmt.Sprintf("a seccomp filter forbids %s the system call %s", p.Name(), call)
			f.Facts = append(f.Facts, Fact{"call", call})
		}
		f.Next = []string{"`journalctl -k | grep SECCOMP` names the call; allow it in the filter (SystemCallFilter= of a service, a container's seccomp profile)"}
	case name == "SIGPIPE":
		return c.brokenPipe(p, f)
	default:
		return Finding{}, false
	}
	return f, true
}

// cpuLimited reports whether the run itself had set a hard limit on CPU time
// that the process can have used up. At the hard limit the kernel sends SIGKILL
// at once and says no more (setrlimit(2)).
func (c *Case) cpuLimited(p *timeline.Process, f *Finding) bool {
	for q := p; q != nil; q = q.Parent {
		for i := len(q.Calls) - 1; i >= 0; i-- {
			call := q.Calls[i]
			at := call.Raw.Args[1]
			switch {
			case call.Raw.Ret != 0 || q != p && call.Enter > p.Start:
				continue
			case call.Name() == "prlimit64" && call.Raw.Args[1] == 0: // RLIMIT_CPU
				at = call.Raw.Args[2]
			case call.Name() == "setrlimit" && call.Raw.Args[0] == 0:
			default:
				continue
			}
			for _, m := range call.Raw.Mem {
				if m.Addr == at && len(m.Data) >= 16 {
					hard := binary.LittleEndian.Uint64(m.Data[8:])
					if hard > 1<<20 || uint64(p.EndTime-p.Start) < hard*1e9 {
						return false
					}
					f.Facts = append(f.Facts, Fact{"rlimit_cpu", hard})
					f.Evidence = append([]Evidence{callEvidence(call)}, f.Evidence...)
					f.Links[0].Weight = 0.85
					return true
				}
			}
		}
	}
	return false
}

// brokenPipe: the program wrote to a pipe that nobody reads any more. As a rule
// that is how the writers of a pipeline end; it is the reason of a failure only
// where that status was passed on, and where the reader did not fail itself.
func (c *Case) brokenPipe(p *timeline.Process, f Finding) (Finding, bool) {
	f.Cause = "broken-pipe"
	var call *timeline.Call
	for i := len(p.Calls) - 1; i >= 0 && call == nil; i-- {
		if p.Calls[i].Errno().Name() == "EPIPE" {
			call = p.Calls[i]
		}
	}
	if call == nil || call.Desc == nil || call.Desc.Kind == timeline.DescSocket {
		return Finding{}, false // a connection's: the transfer's matter
	}
	reader := c.readerOf(call)
	who := "the program that read from it"
	if reader != nil {
		who = fmt.Sprintf("%s (pid %d)", reader.Name(), reader.PID)
		f.Facts = append(f.Facts, Fact{"reader", who})
	}
	f.Title = fmt.Sprintf("%s wrote to a pipe that nobody reads any more", p.Name())
	f.Why = fmt.Sprintf("%s (pid %d) was ended by SIGPIPE: %s had ended or closed the pipe.", p.Name(), p.PID, who)
	f.Evidence = slices.Insert(f.Evidence, 0, callEvidence(call))
	f.Next = []string{"if the reader is meant to stop early (head, grep -q), ignore the writer's status 141; without `set -o pipefail` it does not count"}
	w := 0.35
	for q := p; q != nil; q = q.Parent {
		if q == c.T.Root && q.Ended && exitCode(q.Status) == exitCode(p.Status) {
			w = 0.9
		}
	}
	if reader != nil && failed(reader) {
		w = 0.3 // then its own failure is the reason
		f.Next = []string{"find out why " + who + " failed"}
	}
	f.Links[0].Weight = w
	return f, true
}

// readerOf finds the process that read from the pipe that a call wrote to.
func (c *Case) readerOf(call *timeline.Call) *timeline.Process {
	for _, p := range c.T.Procs {
		if p == call.Proc {
			continue
		}
		for _, o := range p.Calls {
			d := o.Desc
			if d != nil && d.Kind == timeline.DescPipe && strings.HasPrefix(o.Name(), "read") &&
				(d.Link != "" && d.Link == call.Desc.Link || call.Desc.Peer != nil && d == call.Desc.Peer) {
				return p
			}
		}
	}
	return nil
}

// senderText names who sent a signal, by the name that it had then; "" when
// only its number is known.
func senderText(p *timeline.Process, signal string, pid int32) string {
	for i := len(p.Holders) - 1; i >= 0; i-- {
		if h := p.Holders[i]; h.What == "signal" && h.Name == signal && h.Process == pid && h.Comm != "" {
			return holderText(h)
		}
	}
	return ""
}

// surroundings adds to a finding what the recorder read about the limits and
// mounts that its calls met.
func (c *Case) surroundings(f *Finding) {
	if f.Proc == nil {
		return
	}
	name := ""
	for _, x := range f.Facts {
		if x.Name == "path" || x.Name == "command" {
			name, _ = x.Value.(string)
		}
	}
	limit := func(what, name, show string) *timeline.Limit {
		l := f.Proc.Limit(what, name)
		if l == nil {
			return nil
		}
		text := fmt.Sprintf("%s = %s", show, count(int64(min(l.Soft, 1<<62))))
		if l.Text != "" {
			text += ", " + l.Text
		}
		f.Facts = append(f.Facts, Fact{strings.ToLower(show), int64(min(l.Soft, 1<<62))})
		f.Evidence = append(f.Evidence, Evidence{"kernel", l.Time, text})
		return l
	}
	mount := func() *timeline.Limit {
		l := f.Proc.Limit("mount", name)
		if l != nil {
			f.Facts = append(f.Facts, Fact{"mount", l.Text})
			f.Evidence = append(f.Evidence, Evidence{"kernel", l.Time, name + " lies on " + l.Text})
		}
		return l
	}
	switch f.Cause {
	case "too-many-open-files":
		limit("RLIMIT_NOFILE", "", "RLIMIT_NOFILE")
	case "process-limit":
		limit("RLIMIT_NPROC", "", "RLIMIT_NPROC")
		limit("pids.max", "", "pids.max")
	case "file-size-limit":
		limit("RLIMIT_FSIZE", "", "RLIMIT_FSIZE")
	case "cpu-limit":
		limit("RLIMIT_CPU", "", "RLIMIT_CPU")
	case "out-of-memory":
		limit("RLIMIT_AS", "", "RLIMIT_AS")
		limit("RLIMIT_DATA", "", "RLIMIT_DATA")
		if l := limit("memory", "", "MemAvailable"); l != nil && l.Soft > 1<<30 && f.Proc.Limit("RLIMIT_AS", "") != nil {
			f.Next = []string{"raise the process's own limit (`ulimit -v`, LimitAS= of its service): the machine has memory left"}
		}
	case "disk-full", "quota-exceeded":
		mount()
		if l := f.Proc.Limit("space", name); l != nil {
			f.Facts = append(f.Facts, Fact{"free", int64(l.Soft)}, Fact{"size", int64(l.Hard)})
			f.Evidence = append(f.Evidence, Evidence{"kernel", l.Time, fmt.Sprintf("%s of %s bytes are free there", count(int64(l.Soft)), count(int64(l.Hard)))})
			if i := f.Proc.Limit("inodes", name); i != nil && i.Soft == 0 {
				f.Why += fmt.Sprintf(" All its %s inodes are in use.", count(int64(i.Hard)))
				f.Next = []string{"`df -i " + path.Dir(name) + "`: it is files, not bytes, that it has too many of"}
			}
		}
	case "read-only-filesystem":
		mount()
	case "exec-permission":
		c.execPermission(f, mount, name)
	}
}

// execPermission says which of the reasons for EACCES it was.
func (c *Case) execPermission(f *Finding, mount func() *timeline.Limit, name string) {
	if l := f.Proc.Limit("mode", name); l != nil {
		f.Facts = append(f.Facts, Fact{"mode", fmt.Sprintf("%04o", l.Soft&0o7777)})
		f.Evidence = append(f.Evidence, Evidence{"kernel", l.Time, fmt.Sprintf("%s has mode %04o and belongs to user %d", name, l.Soft&0o7777, l.Hard)})
		if l.Soft&0o111 == 0 {
			f.Why += fmt.Sprintf(" Its mode is %04o: nobody may execute it.", l.Soft&0o7777)
			f.Next = []string{"`chmod +x " + name + "`"}
			return
		}
	}
	if l := f.Proc.Limit("mount", name); l != nil && slices.Contains(strings.FieldsFunc(l.Text, func(r rune) bool { return r == ',' || r == ' ' }), "noexec") {
		mount()
		point, _, _ := strings.Cut(l.Text, " ")
		f.Title = fmt.Sprintf("%s may not be executed: %s is mounted noexec", name, point)
		f.Why += fmt.Sprintf(" The file system at %s is mounted with the option noexec.", point)
		f.Next = []string{"put the program on another file system, or `mount -o remount,exec " + point + "`"}
	}
}
