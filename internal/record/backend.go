package record

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/ebpf"
	"culprit/internal/lens/ptrace"
	"culprit/internal/lens/python"
	"culprit/internal/lens/python/inject"
)

// kernelLens is what a run needs of a kernel recorder beyond lens.Lens.
type kernelLens interface {
	lens.Lens
	Status() (unix.WaitStatus, bool) // of the command, once it ended
	Remaining() []int                // processes that outlived the recording
}

// tailer is a recorder whose program can't run without it (ADR 0002).
type tailer interface{ Tail(context.Context) }

// Backends are the kernel recorders by name. "auto" is ptrace, which asks who
// holds what while the program stands still (ADR 0009).
var Backends = []string{"auto", "ptrace", "ebpf"}

// way is how the Python agent comes into the program: brought by whoever traces,
// or else through the environment; neither when it stays out.
type way struct {
	agent *inject.Agent
	env   []string    // NAME=VALUE
	note  *event.Note // what there is to say of it, nil for nothing
}

// wayIn chooses it: the environment is left alone where tracing is allowed
// (ADR 0013).
func wayIn(cfg Config, dir, keys string, sink lens.Sink, code *python.Lens) (w way) {
	var refused, err error
	if cfg.Backend == "ebpf" {
		refused = ptrace.New(ptrace.Options{}).Probe()
	}
	if refused != nil {
		w.note = &event.Note{Lens: "code", Code: "agent-by-environment",
			Text: "tracing is not allowed (" + refused.Error() + "): the agent comes through PYTHONPATH, and not into Python that is told to ignore it"}
		w.env, err = python.Prepare(dir, cfg.Env)
	} else {
		w.agent, err = python.Agent(dir, keys, func(a inject.Arrival) {
			code.Expect(a.PID)
			if n := python.Refusal(a); n != nil {
				sink.Put(event.Event{Time: lens.Now(), PID: a.PID, TID: a.TID, Body: n})
			}
		})
	}
	if err != nil {
		w.note = &event.Note{Lens: "code", Code: "agent-off", Text: err.Error()}
	}
	return w
}

// backend makes the kernel recorder. running says that there is no command to
// start.
func backend(cfg Config, w Watcher, in way, running bool) (kernelLens, error) {
	switch cfg.Backend {
	case "", "auto", "ptrace":
		return ptrace.New(ptrace.Options{MaxStream: cfg.MaxStream, Snaplen: cfg.Snaplen, Agent: in.agent, OnStop: w.Stopped}), nil
	case "ebpf":
		o := ebpf.Options{Trace: ptrace.DefaultTrace, MaxStream: cfg.MaxStream, Snaplen: cfg.Snaplen, Buffer: cfg.Buffer, Env: in.env, OnStop: w.Stopped, Running: running}
		if in.agent != nil {
			o.Accompany = func(pid int, onStop func(unix.Signal)) (ebpf.Companion, error) {
				return ptrace.Accompany(pid, in.agent, onStop)
			}
		}
		r := ebpf.New(o)
		if err := r.Prepare(); err != nil {
			return nil, fmt.Errorf("the eBPF recorder can't be used here: %w", err)
		}
		return r, nil
	}
	return nil, fmt.Errorf("there is no kernel recorder %q: it is one of %v", cfg.Backend, Backends)
}

// settle waits, no longer than d, until the processes that outlived the
// recording are gone.
func settle(k kernelLens, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if t, ok := k.(tailer); ok {
		t.Tail(ctx)
		return
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(k.Remaining()) > 0 {
		select {
		case <-tick.C:
			// The command is a child of this process: until it is waited for it
			// stays as a zombie.
			_, _ = unix.Wait4(-1, nil, unix.WNOHANG, nil)
		case <-ctx.Done():
			return
		}
	}
}

// backendName is how the recording names its recorder.
func backendName(cfg Config) string {
	if cfg.Backend == "ebpf" {
		return "ebpf"
	}
	return "ptrace"
}
