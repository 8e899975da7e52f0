package record

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens/ptrace"
	"culprit/internal/lens/python"
	"culprit/internal/lens/python/inject"
	"culprit/internal/lens/python/remote"
	"culprit/internal/lens/python/stream"
)

// maxEntering is how long a thread is looked for that can tell what the frames
// of a Python program hold.
const maxEntering = 300 * time.Millisecond

// values adds to the stacks of a Python program what its frames hold, by code
// that runs in one of its threads. What can't be had is said, and left out.
func (l *looker) values(pid int32, r remote.Runtime, p pythonState, running map[int32]bool) {
	note := &event.Note{Lens: "code", Code: "values-read"}
	held, entry, err := askThreads(pid, r, p)
	switch {
	case err != nil:
		note.Code, note.Text = "values-unread", fmt.Sprintf("the values in the frames of process %d were not read: %v", pid, err)
	default:
		note.Text = fmt.Sprintf("the values in the frames of process %d were read by code that ran for %.1f ms in its thread %d; --no-inject leaves that out",
			pid, entry.Pause.Seconds()*1e3, entry.TID)
	}
	l.notes = append(l.notes, event.Event{PID: pid, TID: pid, Body: note})
	if entry.TID != 0 {
		l.notes = append(l.notes, event.Event{PID: pid, TID: pid, Body: &event.Attach{Pause: int64(entry.Pause)}})
	}
	for _, h := range held {
		tid := p.idents[h.Ident]
		if s := p.stacks[tid]; s != nil {
			s.Frames = withValues(s.Frames, h.Frames, running[tid])
		}
	}
}

// askThreads runs the agent's code that tells of all threads in one of them.
func askThreads(pid int32, r remote.Runtime, p pythonState) (held []stream.Held, entry ptrace.Entry, err error) {
	in, err := inject.Find(int(pid))
	if err != nil {
		return nil, entry, err
	}
	if err := yields(r); err != nil {
		return nil, entry, err
	}
	var answer []byte
	script := python.Threads().Ask(in, func(b []byte) { answer = b })
	may := func(tid int32, nr, arg uint64) bool {
		gil := r.GIL()
		waits := nr == unix.SYS_FUTEX && arg >= gil.From && arg < gil.To
		return gil.Holder != tid && !waits && inject.MayEnter(nr, false)
	}
	entry, err = ptrace.Enter(pid, slices.Sorted(maps.Keys(p.stacks)), maxEntering, may, script)
	if err != nil {
		return nil, entry, err
	}
	held, err = stream.Threads(answer)
	return held, entry, err
}

// yields reports in an error that the global interpreter lock would be waited
// for without end: a thread has it that runs no Python code meanwhile.
func yields(r remote.Runtime) error {
	const looks, apart = 20, time.Millisecond
	gil := r.GIL()
	switch {
	case gil.From == 0 || gil.Locked && gil.Holder == 0:
		return errors.New("who has its global interpreter lock is not known")
	case !gil.Locked:
		return nil
	}
	at := r.Position(gil.Holder)
	for range looks {
		time.Sleep(apart)
		if now := r.GIL(); now != gil || r.Position(gil.Holder) != at {
			return nil
		}
	}
	return fmt.Errorf("thread %d has the global interpreter lock and runs no Python code", gil.Holder)
}

// withValues puts values into the frames of a stack that was read a moment
// earlier. A thread that ran stands elsewhere by now: there the later stack is
// as good. One that waited is believed only where it still stands in the same
// place.
func withValues(frames []event.Frame, held []stream.HeldFrame, ran bool) []event.Frame {
	out := make([]event.Frame, len(held))
	for i, h := range held {
		out[i] = event.Frame{File: h.File, Func: h.Func, Line: uint32(max(0, h.Line))}
		same := i < len(frames) && frames[i].File == h.File && frames[i].Func == h.Func && frames[i].Line == out[i].Line
		if !same && !ran {
			return frames
		}
		for _, v := range h.Locals {
			out[i].Values = append(out[i].Values, event.Value{Name: v.Name, Type: v.Type, Text: v.Text})
		}
	}
	if !ran && len(frames) > len(out) {
		out = append(out, frames[len(out):]...)
	}
	return out
}
