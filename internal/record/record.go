// Package record makes one recording: it chooses the lenses, starts the target,
// gives every lens the one writer, and shuts them down in order, saying what
// was lost or could not be seen. It interprets nothing.
package record

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/launch"
	"culprit/internal/lens"
	"culprit/internal/lens/keys"
	"culprit/internal/lens/python"
)

// Config says what to record. Only Command, Case and Env are needed.
type Config struct {
	Command   []string
	Env       []string      // NAME=VALUE, the program's environment before additions
	Cache     string        // directory for what is worth keeping between runs, "" for none
	Case      string        // path of the case; the spool lies beside it
	Culprit   string        // version
	Timeout   time.Duration // 0: none
	NoInject  bool          // no agent, no key log
	NoProbes  bool          // no uprobes for TLS keys
	Backend   string        // one of Backends; "" is "auto"
	MaxStream int64         // bytes kept of one connection; 0: 16 MiB
	Snaplen   int           // bytes kept of any other buffer; 0: 256
	Buffer    int           // bytes of the eBPF recorder's ring; 0: by the machine's memory
	Packets   string        // one of Packets; "" is "auto"
}

// Result is how the run went.
type Result struct {
	Started bool
	Errno   unix.Errno      // why not, when not Started
	Status  unix.WaitStatus // of the command; exit 127 or 126 when not Started
	Timeout bool
	// Tail blocks until the processes that outlived the command are gone. They
	// need this process: without it their system calls would fail (ADR 0002).
	// Nil when there are none.
	Tail      func(context.Context) `json:"-"`
	Remaining []int
}

// Watcher is told of the run's turns, and asked. All functions may be nil.
type Watcher struct {
	Started func(pid int)         // before the first instruction
	Stopped func(sig unix.Signal) // the command was stopped by job control
	// Owner says which package a file came from; asked at the end of a run that
	// failed.
	Owner func(path string) (event.Owner, bool)
}

// killDelay is how long a command ended by the timeout has between SIGTERM and
// SIGKILL.
const killDelay = 2 * time.Second

// Run records one run of cfg.Command from start to end. The spool it leaves is
// complete when it returns; an error means that there may be none.
func Run(ctx context.Context, cfg Config, w Watcher) (Result, error) {
	spool, err := casefile.Create(cfg.Case, casefile.Options{})
	if err != nil {
		return Result{}, err
	}
	res, err := run(ctx, cfg, w, spool)
	return res, errors.Join(err, spool.Close())
}

func run(ctx context.Context, cfg Config, w Watcher, sink lens.Sink) (Result, error) {
	dir, err := os.MkdirTemp("", "culprit-")
	if err != nil {
		return Result{}, fmt.Errorf("making the run's private directory: %w", err)
	}
	defer os.RemoveAll(dir)

	ready := preparePackets(cfg) // takes its time, as what follows does
	env, added := cfg.Env, []string(nil)
	var log *keyLog
	var in way
	code := &python.Lens{}
	if !cfg.NoInject {
		log, added = openKeyLog(dir, env)
		in = wayIn(cfg, dir, log.path, sink, code)
		added = append(added, in.env...)
		env = join(env, added)
		if cfg.Cache != "" {
			// Without the cache the agent is compiled anew: slower, no worse.
			_ = python.Restore(dir, cfg.Cache)
			defer func() { _ = python.Save(dir, cfg.Cache) }()
		}
	}
	cwd, _ := os.Getwd()
	header(sink, cfg, dir, cwd, env, added) // before all that is noted
	if in.note != nil {
		put(sink, in.note)
	}
	kernel, err := backend(cfg, w, in, false)
	wire, wireErr := ready(sink)
	if err = errors.Join(err, wireErr); err != nil {
		wire.close()
		return Result{}, err
	}
	snapshot(sink)

	tried, pid, errno := wire.start(sink, cfg.Command, env)
	put(sink, &event.Spawn{Errno: uint32(errno), Tried: tried})
	if errno != 0 {
		wire.close()
		notStarted(sink, tried)
		res := Result{Errno: errno, Status: exitStatus(errno)}
		put(sink, &event.End{Status: uint32(res.Status)})
		return res, nil
	}
	standard(sink, int32(pid))
	if w.Started != nil {
		w.Started(pid)
	}

	target := lens.Target{PID: pid, Dir: dir}

	// The code lens and the key log outlive the program by one last look.
	side, sideDone := context.WithCancel(context.Background())
	var others sync.WaitGroup
	if !cfg.NoInject {
		others.Go(func() {
			if err := code.Record(side, target, sink); err != nil {
				put(sink, &event.Note{Lens: "code", Code: "stopped", Text: err.Error()})
			}
		})
		others.Go(func() { log.follow(side, sink) })
	}

	seen := wire.watch(sink)
	others.Go(func() { wire.record(side, target, sink) })

	limit, cancel := ctx, context.CancelFunc(func() {})
	if cfg.Timeout > 0 {
		limit, cancel = context.WithTimeout(ctx, cfg.Timeout)
	}
	ran := &programs{sink: seen, forked: code.Forked}
	var watched lens.Sink = newWitness(ran, pythonOf)
	var probes *keys.Watch
	if !cfg.NoProbes {
		probes = keys.New(watched, keys.Options{Late: cfg.Backend == "ebpf"})
		watched = probes
	} else {
		put(sink, &event.Note{Lens: "wire", Code: "tls-off", Text: "--no-probes: no TLS keys were read out of programs"})
	}
	err = kernel.Record(limit, target, watched)
	timedOut := limit.Err() != nil
	cancel()

	res := Result{Started: true, Timeout: timedOut, Remaining: kernel.Remaining()}
	if timedOut {
		end(kernel)
		res.Remaining = kernel.Remaining()
	}
	probes.Close()
	sideDone()
	others.Wait()
	if st, ok := kernel.Status(); ok {
		res.Status = st
	}
	if res.Status != 0 {
		ran.owners(w.Owner)
	}
	put(sink, &event.End{Status: uint32(res.Status), Timeout: timedOut})
	if len(res.Remaining) > 0 {
		if t, ok := kernel.(tailer); ok {
			res.Tail = t.Tail
		}
	}
	return res, err
}

// end terminates what is left of a run whose time is over.
func end(kernel kernelLens) {
	for _, pid := range kernel.Remaining() {
		_ = unix.Kill(pid, unix.SIGTERM)
		_ = unix.Kill(pid, unix.SIGCONT)
	}
	settle(kernel, killDelay)
	for _, pid := range kernel.Remaining() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	settle(kernel, killDelay)
}

func put(s lens.Sink, body event.Body) { s.Put(event.Event{Time: lens.Now(), Body: body}) }

// header opens the recording.
func header(s lens.Sink, cfg Config, dir, cwd string, env, added []string) {
	h := &event.Header{
		Culprit: cfg.Culprit, Command: cfg.Command, Cwd: cwd, Path: value(env, "PATH"),
		UID: uint32(os.Geteuid()), Backend: backendName(cfg), Added: added, Env: cfg.Env, Dir: dir,
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.Host = unix.ByteSliceToString(u.Nodename[:])
		h.Kernel = unix.ByteSliceToString(u.Release[:])
		h.Machine = unix.ByteSliceToString(u.Machine[:])
	}
	at := lens.Now()
	h.Wall = time.Now().UnixNano()
	s.Put(event.Event{Time: at, Body: h})
}

// snapshot keeps the small files that say how names are looked up here.
func snapshot(s lens.Sink) {
	for _, path := range []string{"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"} {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		const limit = 64 << 10
		put(s, &event.File{Path: path, Size: int64(len(data)), Data: data[:min(len(data), limit)]})
	}
}

// standard tells where the command's standard input, output and error go: it may
// use them late, or leave that to its children. Sockets are told of when they
// are used, with their addresses.
func standard(s lens.Sink, pid int32) {
	for fd := range int32(3) {
		if link := readLink(proc(pid, fmt.Sprintf("fd/%d", fd))); link != "" && !strings.HasPrefix(link, "socket:") {
			s.Put(event.Event{Time: lens.Now(), PID: pid, TID: pid, Body: &event.FD{FD: fd, Link: link}})
		}
	}
}

// start finds the command as execvp(3) does and starts it stopped, in the cgroup
// unless that is nil. tried lists the paths in order.
func start(command, env []string, cgroup *os.File) (tried []string, pid int, errno unix.Errno) {
	var sys *syscall.SysProcAttr
	if cgroup != nil {
		sys = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	}
	path, ok := lookup(env, "PATH")
	if !ok {
		path = "/bin:/usr/bin" // confstr(_CS_PATH), as execvp(3) falls back to
	}
	candidates, errno := search(command[0], path)
	for _, path := range candidates {
		tried = append(tried, path)
		pid, err := launch.Config{Path: path, Argv: command, Env: env, Sys: sys}.Start()
		if err == nil {
			return tried, pid, 0
		}
		var e unix.Errno
		if !errors.As(err, &e) {
			e = unix.EIO
		}
		switch e {
		case unix.ENOENT, unix.ENOTDIR:
			if errno == 0 {
				errno = e
			}
		case unix.EACCES:
			errno = e // remembered, but a later directory may do
		default:
			return tried, 0, e
		}
	}
	if errno == 0 {
		errno = unix.ENOENT
	}
	return tried, 0, errno
}

func search(name, path string) ([]string, unix.Errno) {
	if name == "" {
		return nil, unix.ENOENT
	}
	for i := range name {
		if name[i] == '/' {
			return []string{name}, 0
		}
	}
	var out []string
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			dir = "."
		}
		out = append(out, dir+"/"+name)
	}
	return out, 0
}

// exitStatus is what a shell would exit with when a command can't be started.
func exitStatus(e unix.Errno) unix.WaitStatus {
	if e == unix.ENOENT || e == unix.ENOTDIR {
		return 127 << 8
	}
	return 126 << 8
}

func value(env []string, name string) string {
	v, _ := lookup(env, name)
	return v
}

func lookup(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := cutName(env[i], name); ok {
			return v, true
		}
	}
	return "", false
}

func cutName(entry, name string) (string, bool) {
	if len(entry) > len(name) && entry[len(name)] == '=' && entry[:len(name)] == name {
		return entry[len(name)+1:], true
	}
	return "", false
}

// join returns env with the additions in place of the entries of those names.
func join(env, added []string) []string {
	out := make([]string, 0, len(env)+len(added))
next:
	for _, e := range env {
		for _, a := range added {
			for i := range a {
				if a[i] == '=' {
					if _, same := cutName(e, a[:i]); same {
						continue next
					}
					break
				}
			}
		}
		out = append(out, e)
	}
	return append(out, added...)
}
