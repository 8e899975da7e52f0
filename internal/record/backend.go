package record

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/lens"
	"culprit/internal/lens/ebpf"
	"culprit/internal/lens/ptrace"
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

// backend makes the kernel recorder. added is what culprit put into the
// environment, for the recorder to put back where a program cleans it; running
// says that there is no command to start.
func backend(cfg Config, w Watcher, added []string, running bool) (kernelLens, error) {
	switch cfg.Backend {
	case "", "auto", "ptrace":
		return ptrace.New(ptrace.Options{MaxStream: cfg.MaxStream, Snaplen: cfg.Snaplen, Env: ofPython(added), OnStop: w.Stopped}), nil
	case "ebpf":
		r := ebpf.New(ebpf.Options{Trace: ptrace.DefaultTrace, MaxStream: cfg.MaxStream, Snaplen: cfg.Snaplen, Buffer: cfg.Buffer, Env: ofPython(added), OnStop: w.Stopped, Running: running})
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
