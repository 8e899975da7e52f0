package strace

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
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
	procs     *procs
	pids      *pids
	stacks    *stacks
	labels    *labels
	clock     func() event.Time
	paths     map[string]bool
	dumps     bool   // -e read= or write=
	left      int64  // calls until --syscall-limit
	full      func() // called when it is reached
	ready     func()
	colors    *Palette
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
	pid        int32
	space      uint64 // inode of its PID namespace, 0 when not looked up yet
	out        *output
	file       io.Closer
	d          sysabi.Decoded
	opt        sysabi.Options
	filtered   bool // the call in progress isn't shown
	begun      bool // its beginning was printed
	raw        bool
	next       int // its argument to go on with
	staged     bool
	stage      []byte
	reprint    bool
	inject     *injection
	tampered   bool            // the call was replaced
	poked      bool            // memory was
	seen       map[callKey]int // how often each call came that an injection is for
	call, prev *sysabi.Call    // the last call and the one before, which restart_syscall goes on with
	comm       string          // the command name (-Y)
	frames     *stack          // at the entry of the call (-k)
	cpu        int64           // at the entry
	isExit     bool            // After follows an exit
	netlink    int             // the protocol of the socket that the call is about, if it is one of netlink
}

// resuming is the name of the call that restart_syscall goes on with.
func (st *state) resuming(t *tracer.Task) string {
	switch {
	case st.prev != nil:
		return st.prev.Name
	case t.Before != nil:
		return t.Before.Name
	}
	return "system call"
}

func (p *printer) message(format string, args ...any) {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	p.shared.flush()
	fmt.Fprintf(p.stderr, p.name+": "+format+"\n", args...)
}

// debug is a message of -d.
func (p *printer) debug(format string, args ...any) {
	if p.cfg.Debug {
		p.message(format, args...)
	}
}

// Waited tells of every wait status (-d).
func (p *printer) Waited(tid int32, st unix.WaitStatus) {
	if !p.cfg.Debug {
		return
	}
	what := fmt.Sprintf("WIFEXITED,exitcode=%d", st.ExitStatus())
	switch {
	case st.Signaled():
		what = "WIFSIGNALED,sig=" + sysabi.SignalName(int(st.Signal()))
	case st.Stopped():
		what = "WIFSTOPPED,sig=" + sysabi.SignalName(int(st.StopSignal()))
	}
	if event := uint32(st) >> 16; event != 0 {
		what += fmt.Sprintf(",EVENT (%d)", event)
	}
	p.message("[wait(0x%06x) = %d] %s", uint32(st), tid, what)
}

// Attached begins a task.
func (p *printer) Attached(t *tracer.Task, by tracer.How) {
	p.tasks++
	st := &state{pid: t.TID, out: p.shared, filtered: true}
	t.State = st
	p.pids.named(st)
	if p.cfg.Separate {
		st.out = &output{w: io.Discard}
		if f, err := p.files.Task(int(t.TID)); err != nil {
			p.message("%v", err)
		} else {
			st.out.w, st.file = paint(f, p.colors), f
		}
		p.mu.Lock()
		p.outs = append(p.outs, st.out)
		p.mu.Unlock()
	}
	switch by {
	case tracer.Attached:
		p.attached()
		p.seized = &seized{int(t.TID), 1}
	case tracer.Thread:
		p.seized.threads++
	case tracer.Forked:
		if !p.cfg.Quiet.in("attach") {
			p.message("Process %d attached", t.TID)
		}
	}
}

// Ready is called when all is started and attached to.
func (p *printer) Ready() {
	p.attached()
	if p.ready != nil {
		p.ready()
	}
}

// attached tells of the process that was attached to last.
func (p *printer) attached() {
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
	if !errors.Is(e.Err, unix.EPERM) {
		return
	}
	if other := statusField(p.procs.dir(int64(e.PID)), "TracerPid:"); other != "" && other != "0" {
		p.message("Process %d is already being traced by pid %s", e.PID, other)
		return
	}
	if unix.Kill(e.PID, 0) == unix.EPERM {
		p.message("process %d may be owned by a different user", e.PID)
		return
	}
	if b, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && len(b) > 0 && b[0] > '0' {
		p.message("sysctl kernel.yama.ptrace_scope = %s may be restricting this attach", bytes.TrimSpace(b))
	}
}

// Unknown tells of a process that is not traced and nobody asked for.
func (p *printer) Unknown(tid int32, st unix.WaitStatus) {
	switch {
	case st.Stopped():
		if !p.cfg.Quiet.in("attach") {
			p.message("Detached unknown pid %d", tid)
		}
	case !p.cfg.Quiet.in("exit"):
		what := "Exit"
		if st.Signaled() {
			what = "Termination"
		}
		p.message("%s of unknown pid %d ignored", what, tid)
	}
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
	st.isExit, st.inject, st.tampered, st.poked, st.begun, st.frames = false, nil, false, false, false, nil
	st.cpu = t.CPU
	if st.call != nil && st.call.Name != "restart_syscall" {
		st.prev = st.call
	}
	st.call = t.Call
	if p.unstarted != 0 { // the start failed: what follows is not the program's
		if p.unstarted != gaveUp {
			p.message("exec: %s", p.unstarted.Text())
			p.unstarted = gaveUp
		}
		st.filtered = true
		return
	}
	nr := t.Sys.NR
	if t.Call == nil {
		p.debug("pid %d invalid syscall %#x", t.TID, nr)
	}
	// Calls without a name are shown whatever is chosen, undecoded.
	st.filtered = t.Call != nil && !p.cfg.Trace.in(t.Sys.Arch, nr)
	if st.filtered {
		if !p.notes(t.Call) {
			t.Ignore()
		}
		return
	}
	t.Sys.Flags |= event.Unfinished
	p.netlinkSocket(t, st)
	p.capture(t, st)
	if (len(p.paths) > 0 || p.cfg.TraceFDs != nil) && !p.touches(t) {
		st.filtered = true
		return
	}
	if len(p.cfg.Injections) > 0 {
		if p.tamper(t, st); st.poked {
			t.Sys.Mem = t.Sys.Mem[:0]
			p.capture(t, st)
		}
	}
	if p.stacks != nil && t.InProgram() {
		st.frames = p.stacks.walk(t)
	}
	if p.early {
		p.begin(t, st)
	}
}

// capture copies what the program gives.
func (p *printer) capture(t *tracer.Task, st *state) {
	lim := p.limits(st)
	t.Capture(event.Enter, lim)
	if t.Call != nil && t.Call.Data() && early(t.Call) {
		ret := t.Sys.Ret
		t.Sys.Ret = 1 << 30
		t.Capture(event.Leave, lim)
		t.Sys.Ret = ret
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

// Exit copies what the kernel filled.
func (p *printer) Exit(t *tracer.Task) {
	st := t.State.(*state)
	st.isExit = true
	if t.How == tracer.Started && !p.begun {
		if p.begun = true; t.Sys.Ret < 0 {
			p.unstarted = sysabi.Errno(-t.Sys.Ret)
		}
	}
	p.watch(t, st)
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

func (p *printer) wants(sig unix.Signal) bool { return p.cfg.Signals.in(strconv.Itoa(int(sig))) }

// Signal prints a signal.
func (p *printer) Signal(t *tracer.Task, sig unix.Signal, info []byte) unix.Signal {
	if p.wants(sig) {
		p.present(t, t.State.(*state))
		p.line(t, p.clock(), "--- "+sysabi.SignalName(int(sig))+" "+string(sysabi.DecodeSiginfo(info).Append(nil, p.opt))+" ---", p.stacks.walk(t))
	}
	return sig
}

// Stopped prints a group-stop.
func (p *printer) Stopped(t *tracer.Task, sig unix.Signal) {
	if p.wants(sig) {
		p.line(t, p.clock(), "--- stopped by "+sysabi.SignalName(int(sig))+" ---", nil)
	}
}

// notes says that the exit of a call matters though it isn't shown.
func (p *printer) notes(c *sysabi.Call) bool {
	return p.stacks != nil && changesMaps(c) || p.pids.comm && changesName(c)
}

// watch notes what a call that is over has changed.
func (p *printer) watch(t *tracer.Task, st *state) {
	if t.Call == nil {
		return
	}
	if p.stacks != nil && changesMaps(t.Call) {
		p.stacks.stale()
	}
	if changesName(t.Call) && t.Sys.Ret >= 0 {
		p.pids.named(st)
	}
}

// Superseded gives a thread that called execve the place of its leader.
func (p *printer) Superseded(t, old *tracer.Task, former int32) {
	st, was := t.State.(*state), old.State.(*state)
	p.tasks--
	p.changed(st, was.pid)
	if p.cfg.Separate {
		p.closeFile(st) // the thread's file; its lines go to the leader's
		st.out, st.file = was.out, was.file
	}
	st.pid = was.pid
	if !p.cfg.Quiet.in("thread-execve") {
		p.line(t, p.clock(), fmt.Sprintf("+++ superseded by execve in pid %d +++", former), nil)
	}
	st.reprint = true
}

// changed ends the line of an execve that is in the way when its thread gets
// another number.
func (p *printer) changed(st *state, pid int32) {
	if !st.begun {
		return
	}
	o := st.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case st.staged:
		if p.cfg.Status.in("detached") {
			o.b = fmt.Appendf(append(o.b, st.stage...), " <pid changed to %d ...>\n", pid)
		}
		st.stage = st.stage[:0]
	case o.open && o.cur == st:
		o.b = fmt.Appendf(o.b, " <pid changed to %d ...>\n", pid)
		o.open = false
	}
	o.done()
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
			p.line(t, p.clock(), "+++ killed by "+sysabi.SignalName(int(status.Signal()))+" "+core+"+++", nil)
		}
	case !p.cfg.Quiet.in("exit"):
		p.line(t, p.clock(), "+++ exited with "+strconv.Itoa(status.ExitStatus())+" +++", nil)
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
