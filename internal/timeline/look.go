package timeline

import (
	"strings"
	"time"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// attach takes in a process that was there before the recording.
func (b *builder) attach(e *event.Event, a *event.Attach) {
	p := b.process(e.PID, e.Time)
	if p.Attach == nil {
		p.Attach = &Attach{}
	}
	if a.Started != 0 {
		p.Attach.Started = event.Time(a.Started)
	}
	p.Attach.Threads = max(p.Attach.Threads, int(a.Threads))
	p.Attach.Pause = max(p.Attach.Pause, time.Duration(a.Pause))
	if a.Parent != 0 && p.Parent == nil && p != b.t.Root {
		p.Parent = b.process(a.Parent, e.Time)
		p.Parent.Kids = append(p.Parent.Kids, p)
	}
}

// waits takes in what a thread does. The first wait of a newer look puts those
// of the older one aside, and what was read with them.
func (b *builder) waits(e *event.Event, w *event.Wait) {
	p := b.process(e.PID, e.Time)
	if n := len(p.Waits); n > 0 && p.Waits[n-1].Look < w.Look {
		old := make(map[int32]Wait, n)
		for _, o := range p.Waits {
			old[o.TID] = o
		}
		b.before[p] = old
		p.Waits, p.Awaits, p.Stacks, p.Stands = nil, nil, nil, nil
		kept := p.Holders[:0]
		for _, h := range p.Holders {
			switch h.What {
			case "lock", "pipe", "peer", "child":
			default:
				kept = append(kept, h)
			}
		}
		p.Holders = kept
	}
	p.Waits = append(p.Waits, Wait{Time: e.Time, TID: e.TID, Wait: *w, Used: -1})
}

// blocked works out for every thread which call it was in at the newest look,
// and since when it had not gone on: since it last ran, or since its call began,
// or longer where the look before found it in the same call.
func (b *builder) blocked(p *Process) {
	for i := range p.Waits {
		w := &p.Waits[i]
		began, last := flight(p, w)
		w.Since = w.Time - event.Time(max(w.Asleep, 0))
		switch {
		case w.Call != nil && began < w.Time:
			w.Since = min(w.Since, began)
		case w.Asleep == 0: // not known
			w.Since = max(last, p.Start)
		}
		old, seen := b.before[p][w.TID]
		if !seen || w.Time <= old.Time {
			continue
		}
		w.Used = min(float64(w.CPU-old.CPU)/float64(w.Time-old.Time), 1)
		// The interruption that attaching is makes a thread run.
		if w.Syscall == old.Syscall && strings.Count(w.Syscall, " ") > 2 && last <= old.Time && w.Since <= old.Time+settled {
			w.Since = min(w.Since, old.Time-event.Time(max(old.Asleep, 0)))
		}
	}
}

// settled is how long after a look a thread that was attached to is back in its
// call.
const settled = event.Time(time.Second)

// flight finds the call that a thread is in, and returns when it began and when
// the one before it ended. A call that was interrupted and made again is one.
func flight(p *Process, w *Wait) (began, last event.Time) {
	for j := len(p.Calls) - 1; j >= 0; j-- {
		c := p.Calls[j]
		if c.TID != w.TID || c.Enter > w.Time {
			continue
		}
		unfinished := c.Raw.Flags&event.Unfinished != 0
		switch {
		case unfinished && c.Name() == "restart_syscall": // the call that it goes on with is told too
			continue
		case w.Call == nil && !unfinished:
			return 0, c.Leave()
		case w.Call == nil:
			w.Call = c
		case c.Raw.NR != w.Call.Raw.NR || c.Raw.Args != w.Call.Raw.Args || !unfinished && !interrupted(c):
			return began, c.Leave()
		}
		began = c.Enter
	}
	return began, 0
}

// Returned reports whether the call came back, other than because it was
// interrupted.
func (c *Call) Returned() bool { return c.Raw.Flags&event.Unfinished == 0 && !interrupted(c) }

func interrupted(c *Call) bool {
	const restartsys, restartBlock = 512, 516 // linux/errno.h
	e := -c.Raw.Ret
	return e >= restartsys && e <= restartBlock || sysabi.Errno(e).Name() == "EINTR"
}
