// Package live is pdb with a running program: the standard library's pdb works
// inside the program (agent/live.py) and asks over a unix socket for its
// commands; this package starts the program, carries text and commands, and
// watches for the breakpoints that Python can't see.
//
// It makes none of pdb's texts and knows none of its commands: they are those of
// the program's Python. Where commands come from and text goes to is the
// caller's (see Input), and so is the terminal, but for Console.
package live

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/launch"
	"culprit/internal/lens/python"
)

//go:embed agent/live.py
var agent []byte

// Options say what is debugged and with whom to talk.
type Options struct {
	Path string    // of the program, not searched for
	Argv []string  // Argv[0] too
	Env  []string  // NAME=VALUE
	Dir  string    // working directory; "" is the present one
	FDs  []uintptr // what the program's descriptors 0, 1, ... are; nil is 0, 1 and 2
	// Commands are done first, as if they stood in a .pdbrc.
	Commands []string
	Input    Input
	Out      io.Writer // for what pdb prints
}

// Input is where commands come from.
type Input interface {
	// ReadLine returns a line without its end, io.EOF when there are no more, or
	// ErrInterrupted. It shows the prompt. The words that could stand at the end of
	// line[:at] (bytes) are what complete says.
	ReadLine(prompt string, complete func(line string, at int) []string) (string, error)
}

// ErrInterrupted says that Ctrl-C was typed instead of a line.
var ErrInterrupted = errors.New("interrupted")

// ErrNoPython is returned when no Python that can be debugged came up.
var ErrNoPython = errors.New("no Python program came up that can be debugged")

// Result is how a session ended.
type Result struct {
	Status unix.WaitStatus // of the program
	Quit   bool            // it was ended by a quit
}

// patience is how long a program may take to end after quit or run.
const patience = 2 * time.Second

// session is one program after the other: run starts another.
type session struct {
	opt   Options
	dir   string
	keys  string // file of TLS secrets
	conns chan *channel
	state []byte // of the program before, for the next one
}

// Run starts the program and debugs the first Python that comes up in it until
// it has ended.
func Run(ctx context.Context, o Options) (Result, error) {
	dir, err := os.MkdirTemp("", "culprit-pdb-")
	if err != nil {
		return Result{}, fmt.Errorf("make a directory for the run: %w", err)
	}
	defer os.RemoveAll(dir)
	added, err := python.PrepareOther(dir, o.Env, agent)
	if err != nil {
		return Result{}, err
	}
	l, err := net.Listen("unix", filepath.Join(dir, "debug"))
	if err != nil {
		return Result{}, fmt.Errorf("make the debugger's socket: %w", err)
	}
	s := &session{opt: o, dir: dir, conns: make(chan *channel)}
	if s.keys = value(o.Env, keyLogVar); s.keys == "" {
		s.keys = filepath.Join(dir, "tls.keys")
		added = append(added, keyLogVar+"="+s.keys)
	}
	s.opt.Env = append(o.Env[:len(o.Env):len(o.Env)], added...)
	accepted, stop := context.WithCancel(ctx)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		s.accept(accepted, l)
	}()
	defer func() {
		stop()
		l.Close()
		<-finished
	}()
	for {
		result, again, err := s.once(ctx)
		if err != nil || again == nil {
			return result, err
		}
		s.opt.Argv = again
	}
}

// keyLogVar makes TLS libraries write their secrets to a file.
const keyLogVar = "SSLKEYLOGFILE"

func value(env []string, name string) (v string) {
	for _, e := range env {
		if after, ok := strings.CutPrefix(e, name+"="); ok {
			v = after
		}
	}
	return v
}

// accept offers each program that comes. When none is wanted, it is let go on.
func (s *session) accept(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		ch := &channel{conn: c}
		if kind, _, err := ch.receive(); err != nil || kind != 'H' {
			c.Close()
			continue
		}
		select {
		case s.conns <- ch:
		case <-ctx.Done():
			c.Close()
			return
		case <-time.After(10 * time.Millisecond): // the one debugged has come before
			_ = ch.send('N', nil)
			c.Close()
		}
	}
}

// once runs the program. again is the command line to start next.
func (s *session) once(ctx context.Context) (result Result, again []string, err error) {
	p, err := start(s.opt)
	if err != nil {
		return Result{}, nil, err
	}
	var d *debuggee
	select {
	case ch := <-s.conns:
		d = &debuggee{session: s, channel: ch, process: p, watcher: newWatcher(ch.peer(), s.keys)}
		stop := context.AfterFunc(ctx, func() { ch.conn.Close() })
		err = d.serve()
		stop()
		ch.conn.Close()
	case <-p.ended:
	case <-ctx.Done():
	}
	if d != nil && d.quit {
		select {
		case <-p.ended:
		case <-time.After(patience):
			_ = unix.Kill(p.pid, unix.SIGKILL)
		}
	}
	// Without its debugger the program runs on.
	if d != nil {
		d.watcher.end()
		if d.watcher.pid == p.pid {
			p.status = d.watcher.status
		}
	}
	status, err2 := p.wait(ctx)
	switch {
	case err != nil || err2 != nil:
		return Result{Status: status}, nil, cmp.Or(err, err2)
	case d == nil:
		return Result{Status: status}, nil, s.none()
	case d.again != nil:
		return Result{}, d.again, nil
	}
	return Result{Status: status, Quit: d.quit}, nil, nil
}

// none says why no Python came, as far as one left a note.
func (s *session) none() error {
	notes, _ := filepath.Glob(filepath.Join(s.dir, "python-*.note"))
	for _, name := range notes {
		if b, err := os.ReadFile(name); err == nil {
			if f := bytes.SplitN(b, []byte(" "), 3); len(f) == 3 {
				return fmt.Errorf("%w: %s is version %s (%s); 3.8 to 3.14 are known", ErrNoPython, f[2], f[1], f[0])
			}
		}
	}
	return fmt.Errorf("%w: %s started none, or one with -I, -E or -S", ErrNoPython, s.opt.Argv[0])
}

// process is the program.
type process struct {
	pid    int
	ended  chan struct{}    // closed when it is a zombie
	status *unix.WaitStatus // when somebody else took it
}

func start(o Options) (*process, error) {
	pid, err := launch.Config{Path: o.Path, Argv: o.Argv, Env: o.Env, Dir: o.Dir, FDs: o.FDs}.Start()
	if err != nil {
		return nil, err
	}
	p := &process{pid: pid, ended: make(chan struct{})}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	go func() {
		defer close(p.ended)
		defer unix.Close(fd)
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); err != unix.EINTR {
				return
			}
		}
	}()
	return p, unix.Kill(pid, unix.SIGCONT)
}

// wait takes the status of the process.
func (p *process) wait(ctx context.Context) (unix.WaitStatus, error) {
	select {
	case <-p.ended:
	case <-ctx.Done():
		_ = unix.Kill(p.pid, unix.SIGTERM)
		<-p.ended
	}
	if p.status != nil {
		return *p.status, nil
	}
	var st unix.WaitStatus
	for {
		_, err := unix.Wait4(p.pid, &st, 0, nil)
		if err == nil {
			return st, nil
		}
		if err != unix.EINTR {
			return 0, fmt.Errorf("wait for process %d: %w", p.pid, err)
		}
	}
}
