package timeline

import "culprit/internal/event"

// Witness is what the recorder read about a process's surroundings at the
// moment when something went wrong in it.
type Witness struct {
	Holders []Holder
	Limits  []Limit
	Awaits  []*Awaits         // what its threads waited for at the newest look
	Stacks  map[int32][]Frame // of those threads that an interpreter ran, by tid
}

// Holder is another process that has what a call of the process wanted, or sent
// it a signal.
type Holder struct {
	Time event.Time
	TID  int32
	event.Holder
}

// Limit is a bound that a call of the process met.
type Limit struct {
	Time event.Time
	TID  int32
	event.Limit
}

// Awaits is one thing that a thread waited for.
type Awaits struct {
	Time event.Time
	TID  int32
	event.Awaits
	Desc *Desc // of FD, nil when not known
}

// Holder finds the newest holder of the kind with the name, nil when there is
// none.
func (w *Witness) Holder(what, name string) *Holder {
	for i := len(w.Holders) - 1; i >= 0; i-- {
		if h := &w.Holders[i]; h.What == what && h.Name == name {
			return h
		}
	}
	return nil
}

// Limit finds the newest limit of the kind for the name, nil when there is
// none. An empty name stands for any.
func (w *Witness) Limit(what, name string) *Limit {
	for i := len(w.Limits) - 1; i >= 0; i-- {
		if l := &w.Limits[i]; l.What == what && (name == "" || l.Name == name) {
			return l
		}
	}
	return nil
}

// Frames are those of a recorded stack.
func Frames(s *event.Stack) []Frame {
	frames := make([]Frame, 0, len(s.Frames))
	for _, f := range s.Frames {
		x := Frame{File: f.File, Func: f.Func, Line: int(f.Line)}
		for _, v := range f.Values {
			x.Locals = append(x.Locals, Local{v.Name, v.Type, v.Text})
		}
		frames = append(frames, x)
	}
	return frames
}

// witness hangs what was read on the process that it is about.
func (b *builder) witness(e *event.Event) {
	if s, ok := e.Body.(*event.Stack); ok && s.ID != 0 {
		if b.stacks == nil {
			b.stacks = map[uint32][]Frame{}
		}
		b.stacks[s.ID] = Frames(s)
		return
	}
	p := b.procs[e.PID]
	if p == nil {
		if p = b.latest(e.PID); p == nil {
			return
		}
	}
	switch body := e.Body.(type) {
	case *event.Holder:
		p.Holders = append(p.Holders, Holder{e.Time, e.TID, *body})
	case *event.Limit:
		p.Limits = append(p.Limits, Limit{e.Time, e.TID, *body})
	case *event.Awaits:
		a := &Awaits{Time: e.Time, TID: e.TID, Awaits: *body}
		if body.FD >= 0 {
			a.Desc = p.fds[body.FD].Desc
		}
		p.Awaits = append(p.Awaits, a)
	case *event.Stack:
		if p.Stacks == nil {
			p.Stacks = map[int32][]Frame{}
		}
		p.Stacks[e.TID] = Frames(body)
	}
}
