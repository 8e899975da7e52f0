package explain

import (
	"slices"
	"time"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

// A run that --timeout or Ctrl-C ended, and a process that was attached to, is
// explained by what its processes waited for at that moment. A parent that waits for a child, or a program that reads what
// another one of the run writes, is passed over: the reason lies with whoever
// they wait for, and so on up to a process that waits for something outside of
// the run, or to one that was met before: a circle.

// edge is one thing that keeps a process from going on.
type edge struct {
	kind  edgeKind
	aw    *timeline.Awaits
	kin   []*timeline.Process // of the run, that can end the wait
	all   bool                // nobody but kin can end it
	alone bool                // the process does nothing else meanwhile
	conn  *timeline.Conn
}

type edgeKind uint8

// The order says which wait is the reason when several are found.
const (
	edgeNone     edgeKind = iota
	edgeIdle              // a server that waits for clients
	edgeSleep             // a time, not a thing
	edgeBusy              // computes, or did something a moment ago
	edgeChild             // wait4
	edgeTerminal          // somebody who types
	edgePipe              // the other end of a pipe
	edgePeer              // the other end of a connection
	edgeFIFO              // somebody who opens the other end
	edgeShared            // a lock in memory that processes share
	edgeLock              // flock, fcntl
	edgeThreads           // threads of the process that wait for each other
	edgeCircle            // processes that wait for each other
)

// blocked is where a walk ended.
type blocked struct {
	proc   *timeline.Process
	edge   edge
	circle []edge              // for edgeCircle, by the processes of trail
	trail  []*timeline.Process // from the root to proc
}

type hangs struct {
	c     *Case
	at    event.Time // of the look at the processes
	alive map[int32]*timeline.Process
	steps int
}

// maxSteps bounds a walk through processes that wait for each other.
const maxSteps = 20_000

// minStuck is how long a thread of a program that nobody complained about must
// have stood in a wait before that counts.
const minStuck = time.Second

// interrupted reports whether the command ended because somebody pressed Ctrl-C:
// its threads were looked at then, and it did not go on for long.
func (c *Case) interrupted() bool {
	p := c.T.Root
	if p == nil || !failed(p) {
		return false
	}
	for _, o := range c.T.Procs {
		if len(o.Waits) > 0 && o.Waits[0].Look > 0 && p.EndTime-o.Waits[0].Time < event.Time(wentOnAfter) {
			return true
		}
	}
	return false
}

// ofInterrupt tells the findings that Ctrl-C itself made.
func ofInterrupt(f Finding) bool {
	return slices.ContainsFunc(f.Facts, func(x Fact) bool {
		return x.Name == "signal" && x.Value == "SIGINT" || x.Name == "type" && x.Value == "KeyboardInterrupt"
	})
}

// wentOnAfter is how long a program may take to end when it is interrupted.
const wentOnAfter = 10 * time.Second

// hung walks from the processes that ought to go on to the reasons why they
// don't.
func (c *Case) hung() []blocked {
	h := &hangs{c: c, alive: map[int32]*timeline.Process{}}
	for _, p := range c.T.Procs {
		if len(p.Waits) > 0 {
			h.at = max(h.at, p.Waits[0].Time)
		}
	}
	for _, p := range c.T.Procs {
		if h.lives(p) {
			h.alive[p.PID] = p
		}
	}
	var out []blocked
	for _, root := range c.roots() {
		if !h.lives(root) { // what it left behind keeps the run from ending
			continue
		}
		if b, ok := h.walk(root, nil, nil); ok {
			out = append(out, b)
		}
	}
	return out
}

// roots are the command, or the processes that were attached to.
func (c *Case) roots() []*timeline.Process {
	if c.T.Root == nil {
		return nil
	}
	roots := []*timeline.Process{c.T.Root}
	for _, p := range c.T.Attached() {
		if p.Parent == nil && p != c.T.Root {
			roots = append(roots, p)
		}
	}
	return roots
}

// lives reports whether a process was there when they were looked at.
func (h *hangs) lives(p *timeline.Process) bool {
	return !p.Ended || h.c.interrupted() && p.Start < h.at && p.EndTime > h.at
}

func (h *hangs) walk(p *timeline.Process, trail []*timeline.Process, by []edge) (blocked, bool) {
	if i := slices.Index(trail, p); i >= 0 {
		if circle := by[i:]; closed(circle, trail[i:]) {
			return blocked{proc: p, edge: edge{kind: edgeCircle, aw: by[i].aw}, circle: slices.Clone(circle), trail: slices.Clone(trail[i:])}, true
		}
		return blocked{}, false
	}
	if h.steps++; h.steps > maxSteps {
		return blocked{}, false
	}
	trail = append(slices.Clone(trail), p)
	best, found := blocked{}, false
	better := func(b blocked) {
		if !found || b.edge.kind > best.edge.kind {
			best, found = b, true
		}
	}
	for _, e := range h.edges(p) {
		deeper := false
		for _, k := range e.kin {
			if b, ok := h.walk(k, trail, append(slices.Clone(by), e)); ok {
				better(b)
				deeper = deeper || b.edge.kind > edgeBusy
			}
		}
		if !deeper {
			better(blocked{proc: p, edge: e, trail: trail})
		}
	}
	return best, found
}

// closed reports whether the processes of a circle can't be woken from outside
// of it: each has one thread, which waits without a limit for one thing that
// only the others of the circle can give.
func closed(circle []edge, procs []*timeline.Process) bool {
	for i, e := range circle {
		if !e.alone || !e.all || e.aw == nil || e.aw.Limit != -1 || e.kind == edgePeer {
			return false
		}
		next := procs[(i+1)%len(procs)]
		for _, k := range e.kin {
			if k != next {
				return false
			}
		}
	}
	return true
}

// edges lists what a process waits for.
func (h *hangs) edges(p *timeline.Process) []edge {
	threads := map[int32][]*timeline.Awaits{}
	for _, a := range p.Awaits {
		threads[a.TID] = append(threads[a.TID], a)
	}
	var out []edge
	futex, endless := 0, 0
	for _, w := range p.Waits {
		list := threads[w.TID]
		if kind, told := h.moves(&w, list); told {
			out = append(out, edge{kind: kind})
			continue
		}
		for _, a := range list {
			e := h.edge(p, a)
			e.alone = len(list) == 1 && len(p.Waits) == 1
			if a.Type == "futex" && !a.Shared {
				futex++
				if a.Limit == -1 {
					endless++
				}
				continue
			}
			// Of a polled set only what can matter; a blocked call is all it waits for.
			if len(list) > 1 && (e.kind == edgeNone || h.wakeup(p, a)) {
				continue
			}
			out = append(out, e)
		}
	}
	if i := slices.IndexFunc(out, func(e edge) bool { return e.kind == edgeBusy }); i >= 0 {
		return out[i : i+1] // it works, however long that takes
	}
	if t := h.threads(p, futex, endless); t.kind != edgeNone {
		out = append(out, t)
	}
	if slices.ContainsFunc(out, func(e edge) bool { return e.kind == edgeIdle }) {
		// A server's connections to its clients are idle as well.
		out = slices.DeleteFunc(out, func(e edge) bool { return e.kind == edgePeer && e.conn != nil && accepted(p, e.conn) })
	}
	return out
}

// accepted reports whether the process is the server of a connection. Of one
// that was made before the recording the ports tell: the client's is out of the
// range that the kernel chooses from (ip_local_port_range).
func accepted(p *timeline.Process, conn *timeline.Conn) bool {
	const ephemeral = 32768
	return conn.Accepted || p.Attach != nil && conn.Connect == nil && conn.Local.Port() < ephemeral && conn.Remote.Port() >= ephemeral
}

// moves judges a thread that is in no wait that could be a reason. Of a program
// that nobody complained about that is also one that has been in its wait for a
// moment only.
func (h *hangs) moves(w *timeline.Wait, list []*timeline.Awaits) (kind edgeKind, told bool) {
	switch {
	case len(list) == 0 && w.State == "R":
		return edgeBusy, true
	case len(list) == 0, w.State == "T", // stopped by a signal: whatever it waits for
		list[0].Type == "gil": // the reason is what the thread does that has it
		return edgeNone, true
	case !h.c.detached() || time.Duration(w.Time-w.Since) >= minStuck:
		return edgeNone, false
	case sleeps(list[0].Call) || list[0].Limit >= 0:
		return edgeSleep, true
	}
	return edgeBusy, true
}

// threads judges the threads that wait for a lock in the process's own memory.
// When all threads do, without a limit, nobody is left to wake them. Where the
// lock itself names its owner, a circle of owners is enough.
func (h *hangs) threads(p *timeline.Process, futex, endless int) edge {
	if futex == 0 {
		return edge{}
	}
	if owners(p) != nil || endless == len(p.Waits) {
		return edge{kind: edgeThreads}
	}
	return edge{}
}

// owners finds threads that hold the mutex that the next one of them waits for.
func owners(p *timeline.Process) []int32 {
	next := map[int32]int32{}
	for _, a := range p.Awaits {
		if a.Type == "futex" && a.Owner != 0 && a.Limit == -1 {
			next[a.TID] = a.Owner
		}
	}
	for start := range next {
		var path []int32
		for t := start; ; t = next[t] {
			if i := slices.Index(path, t); i >= 0 {
				circle := path[i:]
				slices.Sort(circle)
				return circle
			}
			if next[t] == 0 {
				break
			}
			path = append(path, t)
		}
	}
	return nil
}

// wakeup tells the descriptors by which a program's own threads wake it: pipes
// and socket pairs whose both ends it has itself.
func (h *hangs) wakeup(p *timeline.Process, a *timeline.Awaits) bool {
	switch a.Type {
	case "pipe":
		others := slices.ContainsFunc(p.Holders, func(o timeline.Holder) bool {
			return o.What == "pipe" && o.Name == a.Link && o.Process != p.PID
		})
		return !others
	case "socket":
		return a.Desc != nil && a.Desc.Peer != nil || a.Desc != nil && a.Desc.Conn == nil && !h.peerElsewhere(p, a.Link)
	}
	return false
}

// peerElsewhere reports whether another process has the other end of a Unix
// socket that has no name.
func (h *hangs) peerElsewhere(p *timeline.Process, link string) bool {
	return slices.ContainsFunc(p.Holders, func(o timeline.Holder) bool {
		return o.What == "peer" && o.Name == link && o.Process != p.PID
	})
}

func (h *hangs) edge(p *timeline.Process, a *timeline.Awaits) edge {
	e := edge{aw: a}
	switch a.Type {
	case "child":
		e.kind, e.all = edgeChild, true
		for _, k := range p.Kids {
			if h.lives(k) && (a.Owner == 0 || a.Owner == k.PID) {
				e.kin = append(e.kin, k)
			}
		}
	case "lock":
		e.kind = edgeLock
		e.kin, e.all = h.holders(p, "lock", a.Link)
	case "pipe":
		e.kind = edgePipe
		e.kin, e.all = h.holders(p, "pipe", a.Link)
	case "fifo":
		e.kind = edgeFIFO
		if a.FD >= 0 {
			e.kind = edgePipe
			e.kin, e.all = h.holders(p, "pipe", a.Link)
		}
	case "tty":
		e.kind = edgeTerminal
		if a.Write {
			e.kind = edgeNone
		}
	case "listener":
		e.kind = edgeIdle
	case "semaphore", "queue":
		e.kind = edgeShared
	case "futex":
		if a.Shared {
			e.kind = edgeShared
		}
	case "socket":
		h.socket(p, a, &e)
	case "":
		if a.FD < 0 && sleeps(a.Call) {
			e.kind = edgeSleep
		}
	}
	return e
}

func sleeps(call string) bool {
	switch call {
	case "nanosleep", "clock_nanosleep", "poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "pause", "rt_sigsuspend", "rt_sigtimedwait":
		return true
	}
	return false
}

// holders lists the processes of the run that have what p waits for; all says
// that they are the only ones.
func (h *hangs) holders(p *timeline.Process, what, name string) (kin []*timeline.Process, all bool) {
	all = true
	for _, o := range p.Holders {
		if o.What != what || o.Name != name || o.Process == p.PID {
			continue
		}
		if k := h.alive[o.Process]; k != nil {
			kin = append(kin, k)
		} else {
			all = false
		}
	}
	return kin, all && len(kin) > 0
}

func (h *hangs) socket(p *timeline.Process, a *timeline.Awaits, e *edge) {
	if a.Desc == nil || a.Desc.Conn == nil {
		if a.Desc != nil && a.Desc.Peer != nil { // a socket pair: whoever it was made for
			e.kind = edgePipe
			for _, k := range p.Kids {
				if h.lives(k) {
					e.kin = append(e.kin, k)
				}
			}
		} else if h.peerElsewhere(p, a.Link) {
			e.kind = edgePipe
			e.kin, e.all = h.holders(p, "peer", a.Link)
		}
		return
	}
	e.kind, e.conn = edgePeer, a.Desc.Conn
	for _, o := range p.Holders {
		if k := h.alive[o.Process]; k != nil && k != p && o.What == "peer" && o.Name == e.conn.Remote.String() {
			e.kin = append(e.kin, k)
		}
	}
}

// since is how long a thread had been in its wait.
func since(p *timeline.Process, a *timeline.Awaits) time.Duration {
	for i := range p.Waits {
		if w := &p.Waits[i]; w.TID == a.TID {
			return time.Duration(max(0, a.Time-w.Since))
		}
	}
	return 0
}

// Of a run whose time was over the symptom is that it did not go on. What a
// process met long before, and went on after, is not the reason.
const (
	wentOn  = 0.4             // the factor for it
	longAgo = 2 * time.Second // before the end of the recording
)

// outlived weighs a finding of a run that was ended by --timeout: a trouble with
// a file or a command that the process outlived counts less. One that an
// exception came from may have ended a thread, and counts in full.
func (c *Case) outlived(f *Finding) float64 {
	if c.T.End == nil || !c.T.End.Timeout || f.Proc == nil || depth(f.Cause) != depth("file-missing") && depth(f.Cause) != depth("command-not-found") {
		return 1
	}
	for _, l := range f.Links {
		switch l.Kind {
		case "said", "error text", "last", "status":
		default:
			return 1
		}
	}
	at := last(*f)
	if slices.ContainsFunc(f.Proc.Execs, func(x *timeline.Exec) bool { return x.Time > at }) || time.Duration(c.T.EndAt-at) > longAgo {
		return wentOn
	}
	return 1
}
