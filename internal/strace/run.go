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
}

// Run traces what the command line says and returns the wait status of the
// program, 0 when processes were attached to.
func Run(ctx context.Context, c *Config, w Process) (unix.WaitStatus, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := newPrinter(c, w, cancel)
	p.choosePaths(c.Paths)

	stop := make(chan struct{})
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		flusher(p.outputs, stop)
	}()
	t := tracer.New(tracer.Options{
		Path: w.Path, Argv: c.Command, Env: w.Env, User: w.User, Attach: c.Attach, Follow: c.Follow,
		KillOnExit: c.KillOnExit, Usage: c.Summary.mode != "" && !c.Summary.wall, DetachOnExec: c.DetachExec,
	}, p)
	status, err := t.Run(ctx)
	close(stop)
	<-flushed
	if err := p.finish(); err != nil { // not the program's fault: its status counts
		p.message("%v", err)
	}
	return status, err
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

// newPrinter makes the handler; full is called when --syscall-limit is reached.
func newPrinter(c *Config, w Process, full func()) *printer {
	p := &printer{
		clock: tracer.Now, cfg: c, files: w.Files, stderr: w.Stderr, name: w.Name, wall: w.Wall, left: c.Limit,
		fds: &describer{kinds: c.DecodeFDs, socks: &sockets{}}, full: full,
	}
	p.shared = &output{w: w.Log, direct: w.Direct}
	if w.Log == nil {
		p.shared.w, p.shared.direct = w.Stderr, true
	}
	p.early = p.shared.direct || !c.DecodeFDs.empty() || c.PIDs.in("comm") || len(c.Injections) > 0
	p.prefix = c.Output != "" && !c.Separate && (c.Follow || len(c.Attach) > 1)
	p.opt = sysabi.Options{StrLen: c.StrLen, Hex: c.Hex == 1, Style: sysabi.Style(c.Style)}
	switch c.Hex {
	case 2:
		p.opt.Escape = sysabi.EscapeAll
	case 3:
		p.opt.Escape = sysabi.EscapeNonASCII
	}
	if !c.DecodeFDs.empty() {
		p.opt.FD = p.fds.append
	}
	p.netlink = p.fds.netlink
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
