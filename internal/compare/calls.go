package compare

import (
	"fmt"
	"slices"

	"culprit/internal/event"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// token is what a call did, without what differs between runs that do the same:
// what it did to what, and how that went.
type token struct{ thing, outcome string }

// step is one token of a process with what it was made of.
type step struct {
	token
	at   event.Time
	call *timeline.Call // nil for a child, a signal or the end
	text string         // of those
}

func (s step) show() string {
	if s.call == nil {
		return s.text
	}
	return s.call.String()
}

// failed reports whether the step is one that went wrong.
func (s step) failed() bool { return s.outcome != "" }

// noise are the calls of which number and order depend on the moment, or that
// say nothing about the world outside of the process.
var noise = set("futex", "futex_wait", "futex_wake", "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "mincore", "mlock", "munlock", "membarrier",
	"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "epoll_create", "epoll_create1", "eventfd", "eventfd2",
	"nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time", "times", "getrusage", "sysinfo", "uname", "getcpu",
	"sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "alarm", "setitimer", "timer_create", "timer_settime", "timer_delete", "timerfd_settime", "pause",
	"getpid", "gettid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "geteuid", "getgid", "getegid", "getrandom",
	"set_tid_address", "set_robust_list", "rseq", "arch_prctl", "prctl", "prlimit64", "getrlimit",
	"ioctl", "fcntl", "lseek", "close", "close_range", "dup", "dup2", "dup3", "pipe", "pipe2", "restart_syscall",
	"clone", "clone3", "fork", "vfork", "exit", "exit_group", "wait4", "waitid", "process_madvise", "getsockname", "getpeername")

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// passing are the errors that only say when a call was made.
var passing = set("EAGAIN", "EINTR", "EINPROGRESS", "EALREADY", "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ERESTART_RESTARTBLOCK")

// steps are the threads of a process, the main one first and the others in order
// of their first call, each with what it did; what it repeats at once is one step.
func (s *side) steps(p *timeline.Process) [][]step {
	place := map[int32]int{p.PID: 0}
	out := [][]step{nil}
	add := func(tid int32, x step) {
		i, ok := place[tid]
		if !ok {
			i = len(out)
			place[tid] = i
			out = append(out, nil)
		}
		if row := out[i]; len(row) == 0 || row[len(row)-1].token != x.token {
			out[i] = append(row, x)
		}
	}
	kid := 0
	kids := func(until event.Time) {
		for ; kid < len(p.Kids) && p.Kids[kid].Start <= until; kid++ {
			k := p.Kids[kid]
			if len(k.Execs) > 0 {
				add(p.PID, step{token: token{"child " + k.Program(), ""}, at: k.Start, text: fmt.Sprintf("%s[%d] started %s[%d]", p.Name(), p.PID, k.Name(), k.PID)})
			}
		}
	}
	for _, call := range p.Calls {
		kids(call.Enter)
		if t, ok := s.token(call); ok {
			add(call.TID, step{token: t, at: call.Leave(), call: call})
		}
	}
	kids(s.t.EndAt)
	for _, sig := range p.Signals {
		name := sysabi.SignalName(int(sig.Signo))
		if name == "SIGCHLD" || name == "SIGURG" || name == "SIGALRM" || name == "SIGPROF" || name == "SIGWINCH" || name == "SIGCONT" {
			continue
		}
		add(p.PID, step{token: token{"signal " + name, name}, at: sig.Time, text: fmt.Sprintf("%s[%d] got %s", p.Name(), p.PID, name)})
	}
	end := step{token: token{"end", "goes on"}, at: s.t.EndAt, text: fmt.Sprintf("%s[%d] had not ended", p.Name(), p.PID)}
	if p.Ended {
		end = step{token: token{"end", p.HowEnded()}, at: p.EndTime, text: fmt.Sprintf("%s[%d] %s", p.Name(), p.PID, p.HowEnded())}
		if p.Status == 0 {
			end.outcome = ""
		}
	}
	add(p.PID, end)
	return out
}

// token is what a call did; ok is false for noise.
func (s *side) token(c *timeline.Call) (t token, ok bool) {
	name := c.Name()
	if noise[name] || name == "" || c.Raw.Flags&event.Unfinished != 0 {
		return t, false
	}
	object := ""
	switch d := c.Desc; {
	case c.Path != "":
		object = s.name(c.Path)
	case d == nil:
	case d.Conn != nil:
		object = s.peer(d.Conn)
		if c == d.Conn.Connect && d.Conn.Errno != 0 && c.Errno().Name() == "EINPROGRESS" {
			t.outcome = d.Conn.Errno.Name()
		}
	case d.Kind == timeline.DescFile:
		object = s.name(d.Path)
	case d.Kind == timeline.DescPipe, d.Kind == timeline.DescTTY:
		object = "a pipe or terminal"
	}
	t.thing = name + " " + object
	if e := c.Errno(); e != 0 && !passing[e.Name()] {
		t.outcome = e.Name()
	}
	return t, true
}

// calls compares what a pair of processes did. A step is a difference when the
// other process never made it, so that order and number do not count.
func (d *Diff) calls(a, b *side, p pair) []Divergence {
	here, good := a.steps(p.here), b.steps(p.good)
	seen, seenGood := tokens(here), tokens(good)
	var out []Divergence
	done := map[token]bool{}
	for i, row := range here {
		d.Compared.Calls += len(row)
		var other []step
		if i < len(good) {
			other = good[i]
		}
		anchors := anchors(bare(row), bare(other))
		for at, x := range row {
			if _, both := seenGood.exact[x.token]; both {
				if x.failed() && x.call != nil {
					d.shared[moment{"kernel", x.at}] = true
				}
				continue
			}
			if done[x.token] || x.call == nil && x.thing == "end" && x.outcome == "" {
				continue
			}
			done[x.token] = true
			v := Divergence{Lens: "kernel", Process: name(p.here), Here: Seen{x.at, x.show()}, Trouble: x.failed()}
			if y, ok := seenGood.thing[x.thing]; ok && (x.failed() || y.failed()) {
				v.Good, v.Trouble = Seen{y.at, y.show()}, true
			} else if j := across(anchors, at); j < len(other) {
				v.Good = Seen{other[j].at, other[j].show()}
			}
			out = append(out, v)
		}
	}
	// What only the other run did, at the place where this one would have done it.
	for i, row := range good {
		var other []step
		if i < len(here) {
			other = here[i]
		}
		var back []anchor
		for at, y := range row {
			if _, both := seen.exact[y.token]; both {
				continue
			}
			if x, ok := seen.thing[y.thing]; ok {
				if !done[x.token] && (x.failed() || y.failed()) && y.thing != "end" {
					done[x.token] = true
					out = append(out, Divergence{Lens: "kernel", Process: name(p.here), Here: Seen{x.at, x.show()}, Good: Seen{y.at, y.show()}, Trouble: x.failed()})
				}
				continue
			}
			if back == nil {
				back = turned(anchors(bare(other), bare(row)))
			}
			v := Divergence{Lens: "kernel", Process: name(p.here), Good: Seen{y.at, y.show()}}
			if j := across(back, at); j < len(other) {
				v.Here = Seen{other[j].at, other[j].show()}
			}
			out = append(out, v)
			break // the rest of the row follows from it
		}
	}
	return out
}

// held is what a process did: exactly, and to what.
type held struct {
	exact map[token]step
	thing map[string]step // the newest; one that went well stays
}

func tokens(rows [][]step) held {
	h := held{map[token]step{}, map[string]step{}}
	for _, row := range rows {
		for _, x := range row {
			h.exact[x.token] = x
			if old, ok := h.thing[x.thing]; !ok || old.failed() {
				h.thing[x.thing] = x
			}
		}
	}
	return h
}

func bare(row []step) []token {
	out := make([]token, len(row))
	for i, x := range row {
		out[i] = x.token
	}
	return out
}

func name(p *timeline.Process) string { return fmt.Sprintf("%s[%d]", p.Name(), p.PID) }

// exceptions compares what a pair of Python processes raised, by kind and place.
func (d *Diff) exceptions(a, b *side, p pair) []Divergence {
	type place struct {
		kind, file, fn string
		line           int
	}
	of := func(s *side, e *timeline.Exception) place {
		o := e.Origin()
		return place{e.Type, s.name(o.File), o.Func, o.Line}
	}
	good := map[place][]*timeline.Exception{}
	for _, e := range p.good.Raised {
		good[of(b, e)] = append(good[of(b, e)], e)
	}
	var out []Divergence
	told := map[place]bool{}
	for _, e := range p.here.Raised {
		if e.Is("SystemExit") {
			continue // the end is told as a step
		}
		k := of(a, e)
		text := a.words(e.Text)
		if slices.ContainsFunc(good[k], func(g *timeline.Exception) bool { return b.words(g.Text) == text }) {
			d.shared[moment{"code", e.Time}] = true
			continue
		}
		if told[k] {
			continue
		}
		told[k] = true
		v := Divergence{Lens: "code", Process: name(p.here), Here: Seen{e.Time, raised(e)}, Trouble: true}
		if g := good[k]; len(g) > 0 {
			v.Good = Seen{g[0].Time, raised(g[0])}
		}
		out = append(out, v)
	}
	if len(out) > 0 {
		return out
	}
	here := map[place]bool{}
	for _, e := range p.here.Raised {
		here[of(a, e)] = true
	}
	for _, e := range p.good.Raised {
		if !here[of(b, e)] && !e.Is("SystemExit") {
			return append(out, Divergence{Lens: "code", Process: name(p.here), Good: Seen{e.Time, raised(e)}})
		}
	}
	return out
}

func raised(e *timeline.Exception) string {
	o := e.Origin()
	return fmt.Sprintf("%s at %s:%d in %s", e.String(), o.File, o.Line, o.Func)
}
