package strace

import (
	"strconv"

	"culprit/internal/event"
	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// This file lays out lines: of calls, and others.

// begin prints the call as far as it is known at its entry.
func (p *printer) begin(t *tracer.Task, st *state) {
	if p.cfg.Summary.mode == "c" {
		return
	}
	st.begun = true
	st.d.Decode(&t.Sys, 0)
	st.opt = p.opt
	st.opt.Verbose = !p.cfg.Abbrev.in(t.Sys.Arch, t.Sys.NR)
	st.opt.Addresses = !p.cfg.Verbose.in(t.Sys.Arch, t.Sys.NR)
	if protocol := st.netlink; protocol != sysabi.NotNetlink {
		st.opt.Netlink = func(int64) int { return protocol }
	}
	st.raw = t.Call == nil || p.cfg.Raw.in(t.Sys.Arch, t.Sys.NR)
	st.staged = !p.cfg.Status.full()
	p.present(t, st)
	o := st.out
	o.mu.Lock()
	defer o.mu.Unlock()
	b := p.leader(st, t, t.Start)
	b = append(append(b, st.d.Name...), '(')
	switch {
	case st.raw:
		b = rawArgs(b, &st.d)
		st.next = len(st.d.Args)
	case st.d.Name == "restart_syscall":
		b = append(append(append(b, "<... resuming interrupted "...), st.resuming(t)...), " ...>"...)
		st.next = len(st.d.Args)
	default:
		b, st.next = st.d.AppendArgs(b, st.opt, 0)
	}
	p.put(st, b)
	if !st.staged {
		o.open = true
		o.done()
	}
}

// present makes a task the one that what is printed is of.
func (p *printer) present(t *tracer.Task, st *state) {
	p.fds.task(t)
	p.pids.task = st
	if p.labels != nil {
		p.labels.dir = p.procs.dir(int64(t.TID))
	}
}

func rawArgs(b []byte, d *sysabi.Decoded) []byte {
	for i := range d.Args {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = hexNumber(b, d.Args[i].Raw())
	}
	return b
}

func hexNumber(b []byte, v uint64) []byte {
	if v == 0 {
		return append(b, '0')
	}
	return strconv.AppendUint(append(b, "0x"...), v, 16)
}

// leader ends a line of another task that is in the way, begins a new one, and
// returns the text to append to, see put.
func (p *printer) leader(st *state, t *tracer.Task, at event.Time) []byte {
	o := st.out
	if st.staged && st.begun {
		st.stage = p.stamp(st.stage[:0], st, t, at)
		return st.stage
	}
	if o.open {
		o.b = append(o.b, " <unfinished ...>\n"...)
		o.open = false
	}
	o.cur = st
	o.begin()
	return p.stamp(o.b, st, t, at)
}

// put takes back what leader gave.
func (p *printer) put(st *state, b []byte) {
	if st.staged && st.begun {
		st.stage = b
	} else {
		st.out.b = b
	}
}

// resume continues the task's line, or begins another where that one was left.
func (p *printer) resume(t *tracer.Task, st *state, at event.Time) []byte {
	o := st.out
	if st.staged {
		return st.stage
	}
	if o.cur == st && o.open && !st.reprint {
		return o.b
	}
	st.reprint = false
	b := p.leader(st, t, at)
	return append(append(append(b, "<... "...), st.d.Name...), " resumed>"...)
}

// column pads to the column of the result.
func (p *printer) column(st *state, b []byte) []byte {
	n := len(b)
	if !st.staged {
		n += st.out.before - st.out.start
	}
	for ; n < p.cfg.Column; n++ {
		b = append(b, ' ')
	}
	return b
}

// end prints the rest of a call.
func (p *printer) end(t *tracer.Task, st *state) {
	name := st.d.Name
	failed := t.Sys.Ret < 0 && t.Sys.Ret >= -4095
	if st.begun {
		from := st.next // what was printed stays
		if p.dumps {
			from = 0
		}
		st.d.Decode(&t.Sys, from)
		failed = st.d.Errno != 0
	} else if t.Call != nil {
		name = t.Call.Name
	} else {
		name = "syscall_" + string(hexNumber(nil, uint64(t.Sys.NR)))
	}
	status := "successful"
	if failed {
		status = "failed"
	}
	if !p.cfg.Status.in(status) {
		st.begun = false
		return
	}
	if p.left > 0 {
		if p.left--; p.left == 0 {
			defer p.full()
		}
	}
	if p.sum != nil {
		p.sum.add(name, failed, t.CPU-st.cpu, t.Sys.Dur)
	}
	if !st.begun {
		return
	}
	p.present(t, st)
	o := st.out
	o.mu.Lock()
	defer o.mu.Unlock()
	b := p.resume(t, st, t.End)
	if !st.raw {
		b = st.d.AppendMore(b, st.opt, st.next)
	}
	b = p.column(st, append(b, ") "...))
	b = append(b, "= "...)
	if st.raw && !failed {
		b = hexNumber(b, uint64(t.Sys.Ret))
	} else {
		b = st.d.AppendResult(b, st.opt)
	}
	b = append(b, st.note()...)
	if p.cfg.Times.on {
		b = strconv.AppendInt(append(b, " <"...), t.Sys.Dur/1e9, 10)
		b = append(fractional(b, t.Sys.Dur%1e9, p.cfg.Times.digits), '>')
	}
	b = append(b, '\n')
	b = p.dump(b, t, st)
	b = p.stacks.print(b, st.frames)
	p.finishLine(st, b)
}

// finishLine takes a line that is complete.
func (p *printer) finishLine(st *state, b []byte) {
	o := st.out
	if st.staged {
		o.b = append(o.b, b...)
		st.stage, st.begun = b[:0], false
	} else {
		o.b = b
	}
	o.open, st.begun = false, false
	o.done()
}

// line prints a line that is no call, and a stack where there is one.
func (p *printer) line(t *tracer.Task, at event.Time, text string, frames *stack) {
	st := t.State.(*state)
	if p.cfg.Summary.mode == "c" {
		return
	}
	o := st.out
	o.mu.Lock()
	defer o.mu.Unlock()
	staged := st.staged
	st.staged = false
	b := p.leader(st, t, at)
	o.b = append(append(b, text...), '\n')
	if frames != nil {
		o.b = p.stacks.print(o.b, frames)
	}
	o.open, st.staged = false, staged
	o.done()
}
