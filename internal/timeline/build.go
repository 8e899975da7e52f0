package timeline

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strings"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

const (
	// maxEvents bounds a timeline's memory; what is over it is counted in Skipped.
	maxEvents = 20_000_000
	// window is how many events are looked at at once to put them in order: one
	// that was recorded later than so many newer ones comes where it was recorded.
	window = 1 << 16
)

// Build makes the timeline of a recording. Damaged records are counted in
// Skipped and left out; an error is returned only when there is no header.
//
//  1. Order the events by the time at which they took effect: a call at its
//     return, everything else at its own time.
//  2. Walk them once: processes, descriptors, connections' bytes, lines.
//  3. Feed each connection's bytes through TLS and HTTP, each lookup through DNS.
//  4. Read the agents' streams and hang the exceptions on their processes.
func Build(events iter.Seq2[event.Event, error]) (*Timeline, error) {
	return Options{}.Build(events)
}

// Options are what a timeline can have more of; the zero value is what a
// diagnosis needs.
type Options struct {
	Output bool // Timeline.Output is wanted
	Body   int  // bytes kept of each HTTP body; 0 means 64 KiB
	Whole  bool // every call; else of a great many those in between that repeat others are left out
}

// Build makes the timeline of a recording, see the function Build.
func (o Options) Build(events iter.Seq2[event.Event, error]) (*Timeline, error) {
	b := &builder{
		options: o,
		t: &Timeline{
			Files:   map[string]*event.File{},
			Owners:  map[string]*event.Owner{},
			Skipped: map[string]int{},
		},
		procs:  map[int32]*Process{},
		socket: map[string]*Desc{},
		pipes:  map[string]*Desc{},
		room:   thinFrom,
		before: map[*Process]map[int32]Wait{},
	}
	b.collect(events)
	if b.t.Header.Command == nil {
		return nil, errors.New("the recording has no header: nothing is known of the run")
	}
	b.finish()
	return b.t, nil
}

type builder struct {
	room    int // for calls, before they are thinned
	owned   int // of t.Calls, those at the beginning that were thinned before
	options Options

	t       *Timeline
	procs   map[int32]*Process // alive, by pid
	socket  map[string]*Desc   // by "socket:[N]"
	pipes   map[string]*Desc   // by "pipe:[N]"
	secrets secrets
	plain   overheard
	agents  []agentChunk
	peeks   []peeked
	out     [3]string // links of the root's descriptors 0, 1, 2
	rest    map[lineKey]*Line
	before  map[*Process]map[int32]Wait // the look before the newest, by thread
	stacks  map[uint32][]Frame          // that calls name
	dir     string                      // culprit's private directory in the run, with a slash
}

type agentChunk struct {
	proc *Process
	pid  int32
	data []byte
}

type peeked struct {
	at   event.Time
	desc *Desc
	*event.Peek
}

// effect is the time at which an event changed the world.
func effect(e *event.Event) event.Time {
	if s, ok := e.Body.(*event.Syscall); ok {
		return e.Time + event.Time(s.Dur)
	}
	return e.Time
}

// collect applies the events in the order of their effects.
func (b *builder) collect(events iter.Seq2[event.Event, error]) {
	var all []event.Event
	n := 0
	for e, err := range events {
		switch {
		case err != nil:
			b.t.Skipped["damaged record"]++
			continue
		case n-b.t.Repeats >= maxEvents:
			b.t.Skipped["over the limit of a timeline"]++
			continue
		}
		switch body := e.Body.(type) {
		case *event.Header:
			b.t.Header, b.t.Start = *body, e.Time
			continue
		case *event.Secrets:
			b.t.Secrets = append(b.t.Secrets, b.secrets.add(body)...)
			continue
		case *event.Unknown:
			b.t.Skipped["record of a newer culprit"]++
			continue
		case *event.Syscall:
			if body.Dur < 0 {
				body.Dur = 0
			}
		}
		n++
		if all = append(all, e); len(all) == 2*window {
			b.applySorted(all, window)
			all = all[:copy(all, all[window:])]
		}
	}
	b.applySorted(all, len(all))
}

// applySorted puts the events in order and applies the first n.
func (b *builder) applySorted(all []event.Event, n int) {
	inOrder := true // as a rule they are: looking is much cheaper than sorting
	for i := 1; i < len(all) && inOrder; i++ {
		inOrder = effect(&all[i-1]) <= effect(&all[i])
	}
	if !inOrder {
		slices.SortStableFunc(all, func(x, y event.Event) int { return cmp.Compare(effect(&x), effect(&y)) })
	}
	for i := range all[:n] {
		b.apply(&all[i])
	}
}

func (b *builder) apply(e *event.Event) {
	t := b.t
	t.EndAt = max(t.EndAt, effect(e))
	switch body := e.Body.(type) {
	case *event.Syscall:
		b.syscall(e, body)
	case *event.Fork:
		b.fork(e, body)
	case *event.Exec:
		b.exec(e, body)
	case *event.Exit:
		b.exit(e, body)
	case *event.Signal:
		p := b.process(e.PID, e.Time)
		p.Signals = append(p.Signals, &Signal{Time: e.Time, TID: e.TID, Siginfo: sysabi.DecodeSiginfo(body.Siginfo)})
	case *event.Native:
		p := b.process(e.PID, e.Time)
		n := Natives(e, body, b.stacks[body.Stack])
		switch {
		case n.Signo != 0:
			p.Natives = append(p.Natives, n)
		case p.Stands == nil:
			p.Stands = map[int32]*Native{}
			fallthrough
		default:
			p.Stands[n.TID] = n
		}
	case *event.FD:
		b.descriptor(e, body)
	case *event.Peek:
		if d := b.socketOf(e.PID, body); d != nil {
			b.peeks = append(b.peeks, peeked{e.Time, d, body})
		}
	case *event.Plain:
		b.spoken(e, body)
	case *event.Agent:
		// The process may be gone by the time its ring was drained.
		b.agents = append(b.agents, agentChunk{b.latest(e.PID), e.PID, body.Data})
	case *event.File:
		t.Files[body.Path] = body
	case *event.Owner:
		t.Owners[body.Path] = body
	case *event.Loss:
		t.Loss = append(t.Loss, body)
	case *event.Note:
		t.Notes = append(t.Notes, Note{*body, e.PID})
	case *event.Wait:
		b.waits(e, body)
	case *event.Attach:
		b.attach(e, body)
	case *event.Holder, *event.Limit, *event.Awaits, *event.Stack:
		b.witness(e)
	case *event.Interface:
		if t.Interfaces == nil {
			t.Interfaces = map[uint32]*event.Interface{}
		}
		t.Interfaces[body.Index] = body
	case *event.Packet:
		t.Packets = append(t.Packets, &Packet{Time: e.Time, Interface: body.Interface, Out: body.Out, Len: int(body.Len), Data: body.Data})
	case *event.Spawn:
		t.Spawn = body
	case *event.End:
		t.End = body
	}
}

// process finds the live process pid; one that was never announced (its fork
// was lost, or it was attached to) is made up.
func (b *builder) process(pid int32, at event.Time) *Process {
	if p := b.procs[pid]; p != nil {
		return p
	}
	p := &Process{PID: pid, Start: at, fds: map[int32]slot{}}
	b.add(p)
	return p
}

func (b *builder) add(p *Process) {
	b.procs[p.PID] = p
	b.t.Procs = append(b.t.Procs, p)
	if b.t.Root == nil {
		b.t.Root = p
	}
}

// latest finds the newest process that had the number, ended or not.
func (b *builder) latest(pid int32) *Process {
	if p := b.procs[pid]; p != nil {
		return p
	}
	for i := len(b.t.Procs) - 1; i >= 0; i-- {
		if b.t.Procs[i].PID == pid {
			return b.t.Procs[i]
		}
	}
	return nil
}

func (b *builder) fork(e *event.Event, f *event.Fork) {
	parent := b.process(e.PID, e.Time)
	if f.Thread {
		return
	}
	kid := &Process{PID: f.Child, Parent: parent, Start: e.Time,
		Exe: parent.Exe, Argv: parent.Argv, Cwd: parent.Cwd,
		fds: make(map[int32]slot, len(parent.fds))}
	for n, s := range parent.fds {
		kid.fds[n] = s
	}
	parent.Kids = append(parent.Kids, kid)
	b.add(kid)
}

func (b *builder) exec(e *event.Event, x *event.Exec) {
	p := b.process(e.PID, e.Time)
	p.Execs = append(p.Execs, &Exec{e.Time, *x})
	p.Exe, p.Argv, p.Cwd = x.Exe, x.Argv, x.Cwd
	for n, s := range p.fds {
		if s.cloexec {
			delete(p.fds, n)
		}
	}
}

func (b *builder) exit(e *event.Event, x *event.Exit) {
	if e.PID != e.TID {
		return // a thread
	}
	p := b.process(e.PID, e.Time)
	p.Ended, p.EndTime, p.Status = true, e.Time, x.Status
	delete(b.procs, e.PID)
}

func (b *builder) syscall(e *event.Event, s *event.Syscall) {
	if s.Flags&event.Injected != 0 {
		return
	}
	p := b.process(e.PID, e.Time)
	c := &Call{Proc: p, TID: e.TID, Enter: e.Time, Raw: s, Stack: b.stacks[s.Stack]}
	b.effects(c)
	if b.ours(c) {
		return
	}
	b.t.Calls = append(b.t.Calls, c)
	p.Calls = append(p.Calls, c)
	if len(b.t.Calls) >= b.room && !b.options.Whole {
		b.thin()
	}
}

// ours reports whether a call worked on culprit's private directory: it was the
// agent's, not the program's.
func (b *builder) ours(c *Call) bool {
	if b.dir == "" {
		dir := b.t.Header.Private()
		if dir == "" {
			return false
		}
		b.dir = dir + "/"
	}
	return strings.HasPrefix(c.Path, b.dir) || c.Desc != nil && strings.HasPrefix(c.Desc.Path, b.dir)
}

func (b *builder) finish() {
	t := b.t
	byEntry := func(x, y *Call) int { return cmp.Compare(x.Enter, y.Enter) }
	slices.SortStableFunc(t.Calls, byEntry)
	for i, c := range t.Calls {
		c.Seq = i
	}
	for _, p := range t.Procs {
		slices.SortStableFunc(p.Calls, byEntry)
		b.blocked(p)
	}
	t.KeyLog.Lines, t.KeyLog.Garbage, t.KeyLog.Dropped = b.secrets.keys.Lines, b.secrets.keys.Garbage, b.secrets.keys.Dropped
	b.flushLines()
	b.applyPeeks()
	b.carry()
	b.talk()
	b.python()
	b.names()
}
