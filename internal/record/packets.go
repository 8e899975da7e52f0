package record

import (
	"context"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/packet"
)

// Packets says whether a run's packets are recorded: "auto" does it where they
// can be told from others by the cgroup that the program runs in, "on" also by
// what the kernel lens tells, and fails where neither can be.
var Packets = []string{"auto", "on", "off"}

// packets is the wire lens of a run. A nil lens records nothing.
type packets struct {
	lens *packet.Lens
}

// preparePackets makes ready what was asked for, and returns at once. What it
// returns waits for that, says into the recording what is not to be had, and
// fails when it was asked for.
func preparePackets(cfg Config) func(lens.Sink) (*packets, error) {
	w := &packets{}
	if cfg.Packets == "off" {
		return func(lens.Sink) (*packets, error) { return w, nil }
	}
	wanted := cfg.Packets == "on"
	note := func(s lens.Sink, code, text string) { put(s, &event.Note{Lens: "wire", Code: code, Text: text}) }
	if !wanted && os.Geteuid() != 0 {
		return func(s lens.Sink) (*packets, error) {
			note(s, "no-packets", "packets are recorded for root only; what was said is known from the system calls")
			return w, nil
		}
	}
	l := packet.New(packet.Options{MaxStream: cfg.MaxStream})
	done := make(chan error, 1)
	go func() { done <- l.Prepare() }()
	return func(s lens.Sink) (*packets, error) {
		err := <-done
		w.lens = l
		switch {
		case err == nil:
			return w, nil
		case !wanted:
			w.close()
			note(s, "no-packets", err.Error())
			return w, nil
		}
		note(s, "no-cgroup", err.Error())
		if err := packet.Reachable(); err != nil {
			return w, fmt.Errorf("the packets can't be recorded here: %w", err)
		}
		return w, nil
	}
}

// start starts the command where its packets are seen, or, when the kernel can't
// do that (before Linux 5.7), anywhere.
func (w *packets) start(s lens.Sink, command, env []string) (tried []string, pid int, errno unix.Errno) {
	if w.lens == nil || w.lens.Cgroup() == nil {
		return start(command, env, nil)
	}
	tried, pid, errno = start(command, env, w.lens.Cgroup())
	switch errno {
	case unix.ENOSYS, unix.EOPNOTSUPP, unix.EBUSY, unix.E2BIG, unix.EINVAL: // of clone3(2), or of execve(2)
		why := errno
		w.close()
		if tried, pid, errno = start(command, env, nil); errno == 0 {
			put(s, &event.Note{Lens: "wire", Code: "no-packets", Text: "a process can't be started in a cgroup: " + why.Error()})
		}
	}
	return tried, pid, errno
}

// watch returns where the kernel lens puts its events.
func (w *packets) watch(s lens.Sink) lens.Sink {
	if w.lens == nil || w.lens.Cgroup() != nil {
		return s
	}
	return w.lens.Watch(s)
}

// attachPackets records the packets of processes that run already, by what the
// kernel lens tells of their sockets. done ends it.
func attachPackets(o packet.Options, s lens.Sink) (seen lens.Sink, done func(), err error) {
	if err := packet.Reachable(); err != nil {
		return nil, nil, fmt.Errorf("the packets can't be recorded here: %w", err)
	}
	w := &packets{lens: packet.New(o)}
	seen = w.lens.Watch(s)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.record(ctx, lens.Target{}, s) })
	return seen, func() { // as often as one likes
		cancel()
		running.Wait()
	}, nil
}

func (w *packets) record(ctx context.Context, t lens.Target, s lens.Sink) {
	if w.lens == nil {
		return
	}
	if err := w.lens.Record(ctx, t, s); err != nil {
		put(s, &event.Note{Lens: "wire", Code: "stopped", Text: err.Error()})
	}
}

func (w *packets) close() {
	if w.lens != nil {
		_ = w.lens.Close() // what is left of it hurts nobody
		w.lens = nil
	}
}
