package strace

import (
	"fmt"
	"iter"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// Step is one thing that a recording says of a thread.
type Step struct {
	Time     event.Time
	PID, TID int32
	// Body is *event.Syscall (its entry, or with Return its return), *event.Fork,
	// *event.Exec, *event.Signal, or *event.Exit.
	Body   event.Body
	Return bool
	// FD appends what a descriptor of the call is, for -y; nil when nothing is known.
	FD func(b []byte, fd int64) []byte
	// Netlink is sysabi.Options.Netlink for the call's socket; nil when that is none.
	Netlink func(fd int64) int
}

// NotRecorded is the error for an option that a recording can't answer.
type NotRecorded struct{ Option string }

func (e *NotRecorded) Error() string {
	return e.Option + " is for a running program, and this is a recording"
}

// ParseRecorded reads the options for Replay: those of strace without a program,
// and without what a recording can't answer. System time is such a thing: -c
// counts the elapsed time.
func ParseRecorded(args []string) (*Config, error) {
	c, err := Parse(append(args[:len(args):len(args)], "recorded"), 0)
	if err != nil {
		return nil, err
	}
	for _, x := range []struct {
		asked  bool
		option string
	}{
		{len(c.Command) > 1, "a command"}, {len(c.Attach) > 0, "-p"}, {len(c.Env) > 0, "-E"}, {c.User != "", "-u"},
		{len(c.Paths) > 0, "-P"}, {len(c.Injections) > 0, "-e inject="}, {!c.PIDs.empty(), "-Y"}, {c.Pointer, "-i"},
		{c.Daemonize > 0, "-D"}, {c.DetachExec, "-b"},
		{c.Stacks != noStacks, "-k"}, {!c.Labels.empty(), "--secontext"}, {c.Seccomp, "--seccomp-bpf"}, {c.Debug, "-d"}, {c.Output != "", "-o"}, {c.Help, "-h"}, {c.Info, "-V"},
	} {
		if x.asked {
			return nil, &NotRecorded{x.option}
		}
	}
	c.Summary.wall = true
	return c, nil
}

// Replay prints steps, which come in the order of time, as Run would have
// printed the run. Root is the thread that the program began with; without -f
// only it is shown.
func Replay(c *Config, w Process, root int32, steps iter.Seq[Step]) error {
	full := false
	p := newPrinter(c, w)
	p.full = func() { full = true }
	r := &replay{p: p, tasks: map[int32]*tracer.Task{}, shown: map[int32]bool{root: true}}
	p.clock = func() event.Time { return r.step.Time }
	p.begun = true // the start succeeded: else there would be nothing recorded
	if p.opt.FD != nil {
		p.opt.FD = func(b []byte, fd int64) []byte {
			if r.step.FD == nil {
				return b
			}
			return r.step.FD(b, fd)
		}
	}
	// Names of now are not those of then.
	p.opt.Interface, p.opt.Generic = nil, nil
	p.netlink = func(_ *tracer.Task, fd int64) int {
		if r.step.Netlink == nil {
			return sysabi.NotNetlink
		}
		return r.step.Netlink(fd)
	}
	r.task(root, tracer.Started)
	for r.step = range steps {
		r.take(c)
		if full {
			break
		}
	}
	for _, t := range r.tasks {
		p.Detached(t)
	}
	return p.finish()
}

// replay drives a printer with what was recorded.
type replay struct {
	p     *printer
	step  Step
	tasks map[int32]*tracer.Task
	shown map[int32]bool // threads that are or were traced
}

func (r *replay) task(tid int32, by tracer.How) *tracer.Task {
	t := &tracer.Task{TID: tid, How: by}
	r.tasks[tid], r.shown[tid] = t, true
	r.p.Attached(t, by)
	return t
}

func (r *replay) take(c *Config) {
	s := &r.step
	t := r.tasks[s.TID]
	if t == nil {
		// Of a thread whose beginning was not recorded.
		if !c.Follow || r.shown[s.TID] {
			return
		}
		t = r.task(s.TID, tracer.Forked)
	}
	switch b := s.Body.(type) {
	case *event.Syscall:
		if s.Return {
			r.leave(t, b)
		} else {
			r.enter(t, b)
		}
	case *event.Fork:
		if c.Follow && !r.shown[b.Child] {
			r.task(b.Child, tracer.Forked)
		}
	case *event.Exec:
		if former := r.tasks[b.Former]; b.Former != 0 && former != nil {
			delete(r.tasks, b.Former)
			r.tasks[s.TID] = former
			former.TID = s.TID
			r.p.Superseded(former, t, b.Former)
		}
	case *event.Signal:
		info := sysabi.DecodeSiginfo(b.Siginfo)
		r.p.Signal(t, unix.Signal(info.Signo), b.Siginfo)
	case *event.Exit:
		r.p.Exiting(t)
		t.InCall = false
		delete(r.tasks, s.TID)
		r.p.Exited(t, unix.WaitStatus(b.Status))
	}
}

func (r *replay) enter(t *tracer.Task, b *event.Syscall) {
	t.Sys = *b
	t.Sys.Ret, t.Sys.Dur = 0, 0
	t.Call = sysabi.Lookup(b.Arch, b.NR)
	t.Start, t.InCall = r.step.Time, true
	r.p.Enter(t)
	r.p.After(t)
}

func (r *replay) leave(t *tracer.Task, b *event.Syscall) {
	if !t.InCall {
		return
	}
	t.Sys.Ret, t.Sys.Dur, t.End = b.Ret, b.Dur, r.step.Time
	r.p.Exit(t)
	t.InCall = false
	r.p.After(t)
}

// finish prints what is left: the table of -c.
func (p *printer) finish() error {
	p.shared.mu.Lock()
	if p.sum != nil {
		p.shared.b = p.sum.append(p.shared.b)
	}
	p.shared.flush()
	p.shared.mu.Unlock()
	if p.shared.err != nil {
		return fmt.Errorf("%s: %s", p.cfg.Output, errnoText(p.shared.err))
	}
	return nil
}
