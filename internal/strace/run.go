// Package strace is `culprit strace`: strace's command line and its text, over
// internal/lens/tracer, which stops the program, and internal/sysabi, which
// knows what the calls mean.
//
// It owns the options, the filters, the layout of lines and the table of -c. It
// decodes no call itself: what an argument looks like is sysabi's. It neither
// looks at the environment nor exits: cmd/culprit does that.
package strace

import (
	"context"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// Process is what Run needs to know of the world.
type Process struct {
	Name   string // what messages begin with
	Stderr io.Writer
	Log    io.Writer // of -o, nil when that is not given or names files of tasks
	Direct bool      // Log is to be written at once
	Files  Files
	Wall   time.Duration // what the time of day is ahead of the clock of events
	Path   string        // of the program
	Env    []string      // for it
	User   *tracer.User
	// Starting is a process that waits to be traced and then calls execve (-D).
	Starting int
	// Colors are those of the trace, nil for none.
	Colors *Palette
	// Ready is called when the program was started and the processes were attached
	// to. It may be nil.
	Ready func()
}

// Run traces what the command line says and returns the wait status of the
// program, 0 when processes were attached to.
func Run(ctx context.Context, c *Config, w Process) (unix.WaitStatus, error) {
	p := newPrinter(c, w)
	p.choosePaths(c.Paths)

	stop := make(chan struct{})
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		flusher(p.outputs, stop)
	}()
	argv := c.Command
	if w.Starting != 0 {
		argv = nil
	}
	t := tracer.New(tracer.Options{
		Path: w.Path, Argv: argv, Env: w.Env, User: w.User, Attach: c.Attach, Follow: c.Follow,
		KillOnExit: c.KillOnExit, Usage: c.Summary.mode != "" && !c.Summary.wall, DetachOnExec: c.DetachExec,
		Starting: w.Starting, Only: p.only(),
	}, p)
	p.debug("ptrace_setoptions = %#x", t.Options())
	p.debug("PTRACE_GET_SYSCALL_INFO works") // Linux 5.3, without which nothing does here
	if c.KillOnExit || c.Seccomp {
		p.debug("PTRACE_O_EXITKILL works")
	}
	p.full = func() {
		if !c.Quiet.in("attach") {
			p.message("System call limit has been reached, detaching tracees")
		}
		t.Stop()
	}
	status, err := t.Run(ctx)
	close(stop)
	<-flushed
	if err := p.finish(); err != nil { // not the program's fault: its status counts
		p.message("%v", err)
	}
	return status, err
}

// only says which calls stop the program with --seccomp-bpf, nil without.
func (p *printer) only() func(event.Arch, uint32) bool {
	if !p.cfg.Seccomp {
		return nil
	}
	return func(arch event.Arch, nr uint32) bool {
		c := sysabi.Lookup(arch, nr)
		// Which call a socketcall is, its arguments say.
		return c == nil || p.cfg.Trace.in(arch, nr) || p.notes(c) || c.Name == "socketcall"
	}
}

// Environment applies the changes of -E: VAR=VAL sets, VAR takes away.
func (c *Config) Environment(env []string) []string {
	for _, change := range c.Env {
		name, _, set := strings.Cut(change, "=")
		kept := env[:0:0]
		done := false
		for _, e := range env {
			if n, _, _ := strings.Cut(e, "="); n != name {
				kept = append(kept, e)
			} else if set && !done {
				kept, done = append(kept, change), true
			}
		}
		if set && !done {
			kept = append(kept, change)
		}
		env = kept
	}
	return env
}

// newPrinter makes the handler.
func newPrinter(c *Config, w Process) *printer {
	at := newProcs()
	p := &printer{
		clock: tracer.Now, cfg: c, files: w.Files, stderr: w.Stderr, name: w.Name, ready: w.Ready, wall: w.Wall, left: c.Limit,
		procs: at, fds: &describer{kinds: c.DecodeFDs, procs: at, socks: &sockets{map[string]string{}}},
	}
	p.shared = &output{w: w.Log, direct: w.Direct}
	if w.Log == nil {
		p.shared.w, p.shared.direct = w.Stderr, true
	}
	p.shared.w = paint(p.shared.w, w.Colors)
	p.colors = w.Colors
	p.pids = &pids{comm: c.PIDs.in("comm"), translated: c.PIDs.in("pidns"), procs: at}
	p.stacks = newStacks(c, at)
	p.labels = newLabels(c.Labels, at, func() {
		p.message("contexts that the policy expects are not known: --secontext=mismatch shows the actual ones only")
	})
	p.early = p.shared.direct || !c.DecodeFDs.empty() || p.pids.wanted() || p.labels != nil || len(c.Injections) > 0
	started := 0
	if len(c.Command) > 0 {
		started = 1
	}
	p.prefix = c.Output != "" && !c.Separate && (c.Follow || len(c.Attach)+started > 1) || c.AlwaysPID
	strLen := c.StrLen
	if strLen == 0 { // where 0 is the default
		strLen = -1
	}
	p.opt = sysabi.Options{StrLen: strLen, Hex: c.Hex == 1, Style: sysabi.Style(c.Style), Names: c.ArgNames, Followed: true}
	switch c.Hex {
	case 2:
		p.opt.Escape = sysabi.EscapeAll
	case 3:
		p.opt.Escape = sysabi.EscapeNonASCII
	}
	p.opt.Terminal = p.fds.terminal
	if !c.DecodeFDs.empty() {
		p.opt.FD, p.opt.TheirFD = p.fds.append, p.fds.theirs
	}
	p.netlink = p.fds.netlink
	if p.pids.wanted() {
		p.opt.PID = p.pids.append
	}
	if p.labels != nil {
		p.opt.Path = p.labels.path
		p.opt.FD = p.labels.fd
		if !c.DecodeFDs.empty() {
			p.opt.FD = func(b []byte, fd int64) []byte { return p.labels.fd(p.fds.append(b, fd), fd) }
		}
	}
	p.opt.Interface = interfaceName
	p.opt.Generic = func(id uint16) string { return genericFamilies()[id] }
	p.lim = sysabi.Limits{String: 4096, Data: 16 << 20, Buffer: c.StrLen + 1, Failed: 16 << 20}
	if c.StrLen > 4096 {
		p.lim.String = c.StrLen + 1
	}
	if p.dumps = !c.Read.empty() || !c.Write.empty(); p.dumps {
		p.lim.Buffer = 0
	}
	if c.Summary.mode != "" {
		p.sum = newSummary(c.Summary)
	}
	return p
}
