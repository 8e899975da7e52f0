package strace

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// printer is the tracer's handler: it prints.
type printer struct {
	cfg       *Config
	files     Files
	shared    *output
	stderr    io.Writer
	name      string        // that messages begin with
	wall      time.Duration // from the clock of events to the time of day
	opt       sysabi.Options
	lim       sysabi.Limits
	early     bool // text is made while the task stands still
	prefix    bool // every line begins with a pid
	tasks     int
	last      event.Time // of the last line's beginning, for -r
	sum       *summary
	begun     bool         // the first call, execve, is over
	unstarted sysabi.Errno // of it when it failed; gaveUp when that was said
	fds       *describer
	netlink   func(t *tracer.Task, fd int64) int
	clock     func() event.Time
	paths     map[string]bool
	dumps     bool   // -e read= or write=
	left      int64  // calls until --syscall-limit
	full      func() // called when it is reached
	seized    *seized

	mu   sync.Mutex
	outs []*output // the files of -ff
}

// gaveUp is no errno.
const gaveUp = 1 << 20

// seized gathers the threads of a process that was attached to.
type seized struct{ pid, threads int }

// Files opens what the trace goes to.
type Files interface {
	// Task opens the file of one task (-ff).
	Task(pid int) (io.WriteCloser, error)
}

// state is what the printer keeps of a task.
type state struct {
	pid      int32
	out      *output
	file     io.Closer
	d        sysabi.Decoded
	opt      sysabi.Options
	filtered bool // the call in progress isn't shown
	begun    bool // its beginning was printed
	raw      bool
	next     int // its argument to go on with
	staged   bool
	stage    []byte
	reprint  bool
	inject   *injection
	tampered bool
	seen     []int // per injection, the calls it fits
	cpu      int64 // at the entry
	isExit   bool  // After follows an exit
	netlink  int   // the protocol of the socket that the call is about, if it is one of netlink
}

func (p *printer) message(format string, args ...any) {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	p.shared.flush()
	fmt.Fprintf(p.stderr, p.name+": "+format+"\n", args...)
}

// Attached begins a task.
func (p *printer) Attached(t *tracer.Task, by tracer.How) {
	p.tasks++
	st := &state{pid: t.TID, out: p.shared, filtered: true}
	t.State = st
	if p.cfg.Separate {
		st.out = &output{w: io.Discard}
		if f, err := p.files.Task(int(t.TID)); err != nil {
			p.message("%v", err)
		} else {
			st.out.w, st.file = f, f
		}
		p.mu.Lock()
		p.outs = append(p.outs, st.out)
		p.mu.Unlock()
	}
	switch by {
	case tracer.Attached:
		p.Ready()
		p.seized = &seized{int(t.TID), 1}
	case tracer.Thread:
		p.seized.threads++
	case tracer.Forked:
		if !p.cfg.Quiet.in("attach") {
			p.message("Process %d attached", t.TID)
		}
	}
}

// Ready tells of the process that was attached to last.
func (p *printer) Ready() {
	s := p.seized
	if p.seized = nil; s == nil || p.cfg.Quiet.in("attach") {
		return
	}
	switch s.threads {
	case 1:
		p.message("Process %d attached", s.pid)
	default:
		p.message("Process %d attached with %d threads", s.pid, s.threads)
	}
}

// Refused tells that a process can't be attached to.
func (p *printer) Refused(e *tracer.AttachError) {
	p.message("attach: ptrace(PTRACE_SEIZE, %d): %s", e.PID, errnoText(e.Err))
}

func errnoText(err error) string {
	var e unix.Errno
	if errors.As(err, &e) {
		return sysabi.Errno(e).Text()
	}
	return err.Error()
}

// Enter decides whether the call is shown, and copies its arguments.
func (p *printer) Enter(t *tracer.Task) {
	st := t.State.(*state)
	st.isExit, st.inject, st.tampered, st.begun = false, nil, false, false
	st.cpu = t.CPU
	if p.unstarted != 0 { // the start failed: what follows is not the program's
		if p.unstarted != gaveUp {
			p.message("exec: %s", p.unstarted.Text())
			p.unstarted = gaveUp
		}
		st.filtered = true
		return
	}
	nr := t.Sys.NR
	// Calls without a name are shown whatever is chosen, undecoded.
	st.filtered = t.Call != nil && !p.cfg.Trace.in(t.Sys.Arch, nr)
	if st.filtered {
		return
	}
	t.Sys.Flags |= event.Unfinished
	p.netlinkSocket(t, st)
	lim := p.limits(st)
	t.Capture(event.Enter, lim)
	if t.Call != nil && t.Call.Data() && early(t.Call) {
		ret := t.Sys.Ret
		t.Sys.Ret = 1 << 30
		t.Capture(event.Leave, lim)
		t.Sys.Ret = ret
	}
	if (len(p.paths) > 0 || p.cfg.TraceFDs != nil) && !p.touches(t) {
		st.filtered = true
		return
	}
	if len(p.cfg.Injections) > 0 {
		p.tamper(t, st)
	}
	if p.early {
		p.begin(t, st)
	}
}

// givesData says that the call's data comes from the program.
func givesData(c *sysabi.Call) bool {
	for i := range c.Args {
		switch c.Args[i].Kind() {
		case sysabi.KindBuffer, sysabi.KindIovec, sysabi.KindMessage, sysabi.KindMessages:
			return c.Args[i].Given()
		}
	}
	return false
}

// early says that the call's data is to be copied before the call.
func early(c *sysabi.Call) bool {
	for i := range c.Args {
		switch c.Args[i].Kind() {
		case sysabi.KindBuffer, sysabi.KindIovec, sysabi.KindMessage, sysabi.KindMessages:
			return c.Args[i].Early()
		}
	}
	return false
}

// begin prints the call as far as it is known at its entry.
func (p *printer) begin(t *tracer.Task, st *state) {
	if p.cfg.Summary.mode == "c" {
		return
	}
	st.begun = true
	st.d.Decode(&t.Sys, 0)
	st.opt = p.opt
	st.opt.Verbose = !p.cfg.Abbrev.in(t.Sys.Arch, t.Sys.NR)
	if protocol := st.netlink; protocol != sysabi.NotNetlink {
		st.opt.Netlink = func(int64) int { return protocol }
	}
	st.raw = t.Call == nil || p.cfg.Raw.in(t.Sys.Arch, t.Sys.NR)
	st.staged = !p.cfg.Status.full()
	p.fds.task(t)
	o := st.out
	o.mu.Lock()
	defer o.mu.Unlock()
	b := p.leader(st, t, t.Start)
	b = append(append(b, st.d.Name...), '(')
	if st.raw {
		b = rawArgs(b, &st.d)
		st.next = len(st.d.Args)
	} else {
		b, st.next = st.d.AppendArgs(b, st.opt, 0)
	}
	p.put(st, b)
	if !st.staged {
		o.open = true
		o.done()
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

// Exit copies what the kernel filled.
func (p *printer) Exit(t *tracer.Task) {
	st := t.State.(*state)
	st.isExit = true
	if t.How == tracer.Started && !p.begun {
		if p.begun = true; t.Sys.Ret < 0 {
			p.unstarted = sysabi.Errno(-t.Sys.Ret)
		}
	}
	if st.filtered {
		return
	}
	if st.inject != nil {
		p.tamperExit(t, st)
	}
	t.Sys.Flags &^= event.Unfinished
	if p.cfg.Summary.mode != "c" && (!st.begun || st.next < len(st.d.Args) || t.Call == nil || !t.Call.Data()) && !st.raw {
		t.Capture(event.Leave, p.limits(st))
	}
	if p.early {
		p.end(t, st)
	}
}

// After does the work that needs the task no more.
func (p *printer) After(t *tracer.Task) {
	st := t.State.(*state)
	if st.filtered || p.early {
		return
	}
	if st.isExit {
		p.end(t, st)
	} else {
		p.begin(t, st)
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
	p.fds.task(t)
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
	if st.tampered {
		b = append(b, " (INJECTED)"...)
	}
	if st.inject != nil && (st.inject.delayEnter > 0 || st.inject.delayExit > 0) {
		b = append(b, " (DELAYED)"...)
	}
	if p.cfg.Times.on {
		b = strconv.AppendInt(append(b, " <"...), t.Sys.Dur/1e9, 10)
		b = append(fractional(b, t.Sys.Dur%1e9, p.cfg.Times.digits), '>')
	}
	b = append(b, '\n')
	b = p.dump(b, t, st)
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

// line prints a line that is no call.
func (p *printer) line(t *tracer.Task, at event.Time, text string) {
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
	o.open, st.staged = false, staged
	o.done()
}

func (p *printer) wants(sig unix.Signal) bool { return p.cfg.Signals.in(strconv.Itoa(int(sig))) }

// Signal prints a signal.
func (p *printer) Signal(t *tracer.Task, sig unix.Signal, info []byte) unix.Signal {
	if p.wants(sig) {
		p.line(t, p.clock(), "--- "+sysabi.SignalName(int(sig))+" "+sysabi.DecodeSiginfo(info).String()+" ---")
	}
	return sig
}

// Stopped prints a group-stop.
func (p *printer) Stopped(t *tracer.Task, sig unix.Signal) {
	if p.wants(sig) {
		p.line(t, p.clock(), "--- stopped by "+sysabi.SignalName(int(sig))+" ---")
	}
}

// Superseded gives a thread that called execve the place of its leader.
func (p *printer) Superseded(t, old *tracer.Task, former int32) {
	st, was := t.State.(*state), old.State.(*state)
	p.tasks--
	if p.cfg.Separate {
		p.closeFile(st) // the thread's file; its lines go to the leader's
		st.out, st.file = was.out, was.file
	}
	st.pid = was.pid
	if !p.cfg.Quiet.in("thread-execve") {
		p.line(t, p.clock(), fmt.Sprintf("+++ superseded by execve in pid %d +++", former))
	}
	st.reprint = true
}

// Exiting ends the line of a call that does not return.
func (p *printer) Exiting(t *tracer.Task) {
	st := t.State.(*state)
	if !t.InCall || st.filtered || !st.begun {
		return
	}
	if st.staged && !p.cfg.Status.in("unfinished") {
		st.begun = false
		return
	}
	o := st.out
	o.mu.Lock()
	defer o.mu.Unlock()
	b := p.resume(t, st, p.clock())
	if st.next < len(st.d.Args) {
		b = append(b, " <unfinished ...>"...)
	}
	b = p.column(st, append(b, ") "...))
	p.finishLine(st, append(b, "= ?\n"...))
}

// Exited prints the end of a task.
func (p *printer) Exited(t *tracer.Task, status unix.WaitStatus) {
	switch {
	case status.Signaled():
		core := ""
		if status.CoreDump() {
			core = "(core dumped) "
		}
		if p.wants(status.Signal()) {
			p.line(t, p.clock(), "+++ killed by "+sysabi.SignalName(int(status.Signal()))+" "+core+"+++")
		}
	case !p.cfg.Quiet.in("exit"):
		p.line(t, p.clock(), "+++ exited with "+strconv.Itoa(status.ExitStatus())+" +++")
	}
	p.gone(t)
}

// Detached leaves a task alone.
func (p *printer) Detached(t *tracer.Task) {
	if !p.cfg.Quiet.in("attach") {
		p.message("Process %d detached", t.TID)
	}
	p.gone(t)
}

func (p *printer) gone(t *tracer.Task) {
	st := t.State.(*state)
	p.tasks--
	o := st.out
	o.mu.Lock()
	if st.staged && st.begun {
		if p.cfg.Status.in("detached") {
			o.b = append(append(o.b, st.stage...), " <detached ...>\n"...)
		}
	} else if o.cur == st && o.open {
		o.b = append(o.b, " <detached ...>\n"...)
		o.open = false
	}
	o.done()
	o.mu.Unlock()
	if p.cfg.Separate {
		p.closeFile(st)
	}
}

func (p *printer) closeFile(st *state) {
	st.out.mu.Lock()
	st.out.flush()
	st.out.mu.Unlock()
	p.mu.Lock()
	for i, o := range p.outs {
		if o == st.out {
			p.outs = append(p.outs[:i], p.outs[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	if st.file != nil {
		_ = st.file.Close()
	}
}

// outputs are the logs that the flusher looks after.
func (p *printer) outputs() []*output {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*output{p.shared}, p.outs...)
}

// quoted is a path in a message.
func quoted(path string) string { return `"` + strings.ReplaceAll(path, `"`, `\"`) + `"` }
