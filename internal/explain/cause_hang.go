package explain

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"culprit/internal/dissect"
	"culprit/internal/event"
	"culprit/internal/timeline"
)

var hang = Cause{
	Names: []string{"deadlock", "waiting-on-lock", "waiting-on-child", "waiting-on-input", "waiting-on-peer"},
	Doc:   "the program waited for something that nobody gave it when its time was over, somebody pressed Ctrl-C, or culprit looked at it",
	Find: func(c *Case) []Finding {
		how := ""
		switch {
		case c.T.End != nil && c.T.End.Timeout:
			how = "the time was over while %s waited"
		case c.detached():
			how = "%s was waiting when it was looked at"
		case c.interrupted():
			how = "%s was waiting when it was interrupted"
		default:
			return nil
		}
		var out []Finding
		for _, b := range c.hung() {
			if f, w := c.hangFinding(b); w > 0 {
				f.Links = []Link{{"end", fmt.Sprintf(how, b.proc.Name()), w}}
				out = append(out, f)
			}
		}
		return out
	},
}

func (c *Case) hangFinding(b blocked) (f Finding, w float64) {
	f = Finding{Side: Local, Proc: b.proc}
	switch b.edge.kind {
	case edgeCircle:
		w = c.circle(&f, b)
	case edgeThreads:
		w = c.threadsStuck(&f, b.proc)
	case edgeLock:
		w = c.lockWait(&f, b.proc, b.edge.aw)
	case edgeShared:
		w = c.sharedWait(&f, b.proc, b.edge.aw)
	case edgeFIFO, edgePipe, edgeTerminal:
		w = c.inputWait(&f, b)
	case edgePeer:
		w = c.peerWait(&f, b.proc, b.edge)
	case edgeChild:
		w = c.childWait(&f, b.proc, b.edge)
	}
	if w > 0 {
		c.trail(&f, b)
	}
	return f, w
}

// trail tells how the wait of the command came down to the process.
func (c *Case) trail(f *Finding, b blocked) {
	var way []string
	for _, p := range b.trail {
		if p == b.proc {
			break
		}
		way = append(way, p.Name())
	}
	if len(way) > 0 && b.edge.kind != edgeCircle {
		f.Why += fmt.Sprintf(" %s waited for it.", strings.Join(way, " and "))
	}
	if f.Where == "" && b.edge.aw != nil {
		f.Where = stackOf(b.proc, b.edge.aw.TID)
	}
	slices.SortStableFunc(f.Evidence, func(x, y Evidence) int { return int(x.Time - y.Time) })
}

// waitEvidence shows a thread's wait as the kernel had it.
func (c *Case) waitEvidence(p *timeline.Process, a *timeline.Awaits) Evidence {
	for _, w := range p.Waits {
		if w.TID == a.TID && w.Call != nil {
			ev := callEvidence(w.Call)
			ev.Text += fmt.Sprintf(" (for %s)", span(since(p, a)))
			return ev
		}
	}
	what := a.Link
	switch {
	case a.Type == "futex":
		what = fmt.Sprintf("a lock at %#x", a.Addr)
	case what == "" && a.Type != "":
		what = "a " + a.Type
	}
	return Evidence{"kernel", a.Time, fmt.Sprintf("%s[%d] has been in %s() for %s, waiting for %s", p.Name(), a.TID, a.Call, span(since(p, a)), what)}
}

func span(d time.Duration) string {
	if d >= 2*time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// stackOf says where a thread stood in an interpreted program: the innermost
// frame that is the program's own, and what that had called.
func stackOf(p *timeline.Process, tid int32) string {
	frames := p.Stacks[tid]
	f, ok := timeline.Own(frames)
	if !ok {
		return ""
	}
	s := frameOf(f)
	if frames[0].File != f.File {
		s += ", in " + frameOf(frames[0])
	}
	return s + "."
}

// circle: processes that wait for each other.
func (c *Case) circle(f *Finding, b blocked) float64 {
	f.Cause = "deadlock"
	var parts, names []string
	for i, p := range b.trail {
		e, next := b.circle[i], b.trail[(i+1)%len(b.trail)]
		what := fmt.Sprintf("%s (pid %d) waits for %s (pid %d) to end", p.Name(), p.PID, next.Name(), next.PID)
		switch {
		case e.kind == edgePipe && e.aw.Write:
			what = fmt.Sprintf("%s (pid %d) can't go on writing until %s (pid %d) reads from the pipe", p.Name(), p.PID, next.Name(), next.PID)
		case e.kind == edgePipe:
			what = fmt.Sprintf("%s (pid %d) waits for %s (pid %d) to write to the pipe", p.Name(), p.PID, next.Name(), next.PID)
		case e.kind == edgeLock:
			what = fmt.Sprintf("%s (pid %d) waits for the lock on %s that %s (pid %d) holds", p.Name(), p.PID, e.aw.Link, next.Name(), next.PID)
			f.Facts = append(f.Facts, Fact{"path", e.aw.Link})
		}
		parts = append(parts, what)
		names = append(names, p.Name())
		f.Facts = append(f.Facts, Fact{"waits", what})
		f.Evidence = append(f.Evidence, c.waitEvidence(p, e.aw))
		if s := stackOf(p, e.aw.TID); s != "" {
			f.Evidence = append(f.Evidence, Evidence{"code", e.aw.Time, fmt.Sprintf("%s[%d] stood at %s", p.Name(), e.aw.TID, strings.TrimSuffix(s, "."))})
		}
	}
	f.Title = strings.Join(names, " and ") + " wait for each other"
	f.Why = strings.ToUpper(parts[0][:1]) + parts[0][1:] + ", while " + strings.Join(parts[1:], ", and ") + "."
	f.Next = []string{"break the circle: let " + b.trail[0].Name() + " read all output of its child before it waits for its end, or send that output to a file"}
	if !slices.ContainsFunc(b.circle, func(e edge) bool { return e.kind == edgePipe }) {
		f.Next = []string{"let all of them take the locks in the same order"}
	}
	return wEnd
}

// threadsStuck: all threads of a process wait for each other.
func (c *Case) threadsStuck(f *Finding, p *timeline.Process) float64 {
	circle := owners(p)
	f.Cause = "deadlock"
	f.Facts = []Fact{{"program", p.Name()}, {"pid", p.PID}, {"threads", len(p.Waits)}}
	var who []string
	awaits := slices.Clone(p.Awaits)
	slices.SortStableFunc(awaits, func(a, b *timeline.Awaits) int { return cmp.Compare(a.TID, b.TID) })
	for _, a := range awaits {
		if a.Type != "futex" || circle != nil && !slices.Contains(circle, a.TID) {
			continue
		}
		text := fmt.Sprintf("waits for a lock at %#x", a.Addr)
		if a.Owner == a.TID {
			text += ", which it holds itself"
		} else if a.Owner != 0 {
			text += fmt.Sprintf(", which thread %d holds", a.Owner)
		}
		f.Evidence = append(f.Evidence, c.waitEvidence(p, a))
		frames := p.Stacks[a.TID]
		if own, ok := timeline.Own(frames); ok {
			name := fmt.Sprintf("%s (%s:%d)", own.Func, path.Base(own.File), own.Line)
			if joins(frames) {
				text = "waits for the end of another thread"
			} else if !slices.Contains(who, name) {
				who = append(who, name)
			}
			f.Evidence = append(f.Evidence, Evidence{"code", a.Time, fmt.Sprintf("thread %d stands at %s and %s", a.TID, frameOf(own), text)})
			text = "at " + frameOf(own) + " " + text
		}
		f.Facts = append(f.Facts, Fact{fmt.Sprintf("thread %d", a.TID), text})
	}
	f.Title = fmt.Sprintf("the threads of %s wait for each other", script(p))
	switch {
	case len(who) > 1:
		f.Title = fmt.Sprintf("%s wait for each other", strings.Join(who, " and "))
	case len(who) == 1 && len(p.Waits) == 1, len(circle) == 1:
		f.Title = fmt.Sprintf("%s waits for a lock that nobody else can release", script(p))
	}
	f.Why = fmt.Sprintf("All %d threads of %s wait, without a limit, for locks in the process's own memory; no thread is left that could release one.", len(p.Waits), script(p))
	if len(p.Waits) == 1 {
		f.Why = fmt.Sprintf("The only thread of %s waits, without a limit, for a lock in the process's own memory: it waits for itself.", script(p))
	} else if circle != nil {
		f.Why = fmt.Sprintf("%d threads of %s each wait for a mutex that another of them holds.", len(circle), script(p))
	}
	f.Next = []string{"take the locks in the same order everywhere, or take each with a time limit"}
	return wEnd
}

// joins reports whether a Python thread waits for the end of another.
func joins(frames []timeline.Frame) bool {
	return slices.ContainsFunc(frames[:min(len(frames), 3)], func(f timeline.Frame) bool {
		base := f.Func[strings.LastIndexByte(f.Func, '.')+1:]
		return path.Base(f.File) == "threading.py" && (base == "join" || base == "_wait_for_tstate_lock" || base == "_shutdown")
	}) || len(frames) > 0 && frames[0].File == ""
}

// script is what people call the program: the script that an interpreter runs.
func script(p *timeline.Process) string {
	if len(p.Argv) > 1 && strings.HasPrefix(p.Name(), "python") && strings.HasSuffix(p.Argv[1], ".py") {
		return path.Base(p.Argv[1])
	}
	return p.Name()
}

// heldBy names the processes that have what a process waits for.
func heldBy(p *timeline.Process, what, name string) (text string, facts []Fact) {
	var names []string
	for _, h := range p.Holders {
		if h.What != what || h.Name != name || h.Process == p.PID {
			continue
		}
		if t := holderText(h); t != "" && !slices.Contains(names, t) {
			names = append(names, t)
			facts = append(facts, Fact{"holder", t})
		}
	}
	return strings.Join(names, ", "), facts
}

// holderText is "python3 importer.py (pid 12)".
func holderText(h timeline.Holder) string {
	if h.Process == 0 {
		return ""
	}
	if h.Comm == "" {
		return fmt.Sprintf("process %d (gone)", h.Process)
	}
	name := h.Comm
	if len(h.Cmdline) > 0 && h.Cmdline[0] != "" {
		args := slices.Clone(h.Cmdline)
		args[0] = path.Base(args[0])
		name = quote(strings.Join(args, " "), 80)
		if !strings.Contains(name, h.Comm) {
			name = h.Comm + ": " + name
		}
	}
	return fmt.Sprintf("%s (pid %d)", name, h.Process)
}

func (c *Case) lockWait(f *Finding, p *timeline.Process, a *timeline.Awaits) float64 {
	holder, facts := heldBy(p, "lock", a.Link)
	f.Cause = "waiting-on-lock"
	f.Facts = append([]Fact{{"path", a.Link}, {"call", a.Call}, {"waited", span(since(p, a))}}, facts...)
	f.Evidence = append(f.Evidence, c.waitEvidence(p, a))
	for _, h := range p.Holders {
		if h.What == "lock" && h.Name == a.Link && h.Detail != "" {
			f.Evidence = append(f.Evidence, Evidence{"kernel", h.Time, fmt.Sprintf("/proc/locks: %s, held by %s", h.Detail, holderText(h))})
		}
	}
	f.Title = fmt.Sprintf("%s waits for the lock on %s", p.Name(), a.Link)
	f.Why = fmt.Sprintf("%s (pid %d) had been in %s() on %s for %s.", p.Name(), p.PID, a.Call, a.Link, span(since(p, a)))
	f.Next = []string{"`lslocks` and `fuser -v " + a.Link + "` show who holds it"}
	if holder != "" {
		f.Title += ", which " + holder + " holds"
		f.Why += " " + holder + " holds it."
		f.Next = []string{"wait for " + holder + " or end it, then run the program again", "`flock -n` or `flock -w SECONDS` gives up instead of waiting"}
	}
	return wEnd
}

// sharedWait: a semaphore or lock in memory that several processes share.
func (c *Case) sharedWait(f *Finding, p *timeline.Process, a *timeline.Awaits) float64 {
	f.Cause = "waiting-on-lock"
	f.Title = fmt.Sprintf("%s waits for a lock that it shares with other processes", script(p))
	f.Why = fmt.Sprintf("%s (pid %d) had been in %s() for %s, on a lock in memory that other processes can reach.", p.Name(), p.PID, a.Call, span(since(p, a)))
	f.Facts = []Fact{{"call", a.Call}, {"waited", span(since(p, a))}}
	f.Evidence = append(f.Evidence, c.waitEvidence(p, a))
	f.Next = []string{"find who took it and did not let go: a process that was killed while it held the lock leaves it locked"}
	if a.Limit >= 0 {
		return 0.5
	}
	return 0.8
}

func (c *Case) inputWait(f *Finding, b blocked) float64 {
	p, a := b.proc, b.edge.aw
	f.Cause = "waiting-on-input"
	waited := since(p, a)
	f.Facts = []Fact{{"path", a.Link}, {"call", a.Call}, {"waited", span(waited)}}
	f.Evidence = append(f.Evidence, c.waitEvidence(p, a))
	if b.edge.kind == edgeTerminal {
		f.Title = fmt.Sprintf("%s waits for somebody to type at the terminal %s", p.Name(), a.Link)
		f.Why = fmt.Sprintf("%s (pid %d) had been reading from %s for %s; nobody typed.", p.Name(), p.PID, a.Link, span(waited))
		for i := len(c.T.Lines) - 1; i >= 0; i-- {
			if l := c.T.Lines[i]; l.Proc == p && l.Visible {
				f.Facts = append(f.Facts, Fact{"asked", quote(l.Text, 120)})
				f.Evidence = append(f.Evidence, lineEvidence(l))
				break
			}
		}
		f.Next = []string{"answer it, or start the program with an option that asks nothing, or with `</dev/null`"}
		return wSaid
	}
	held := "pipe"
	if a.Type == "socket" {
		held = "peer"
	}
	holder, facts := heldBy(p, held, a.Link)
	f.Facts = append(f.Facts, facts...)
	give, get := "writes to it", "data"
	if a.Write {
		give, get = "reads from it", "room"
	}
	if b.edge.kind == edgeFIFO {
		f.Facts = append(f.Facts, Fact{"type", "fifo (named pipe)"})
		opener := "for writing"
		if a.Write {
			opener = "for reading"
		}
		f.Title = fmt.Sprintf("%s waits for somebody to open the FIFO %s %s", p.Name(), a.Link, opener)
		f.Why = fmt.Sprintf("%s (pid %d) had been in %s() on %s for %s. It is a FIFO (named pipe): opening one end blocks until another process opens the other end, and none did.", p.Name(), p.PID, a.Call, a.Link, span(waited))
		f.Next = []string{"start the program that " + give + ", or leave " + a.Link + " out (for grep: `-D skip`; for find: `-type f`)"}
		return wEnd
	}
	what := "the pipe " + a.Link
	if a.Type == "fifo" {
		what = "the FIFO " + a.Link
		f.Facts = append(f.Facts, Fact{"type", "fifo (named pipe)"})
	} else if a.Type == "socket" {
		what = "the Unix socket " + a.Link
	} else if a.FD == 0 {
		what = "its standard input, a pipe"
	}
	f.Title = fmt.Sprintf("%s waits for %s on %s", p.Name(), get, what)
	f.Why = fmt.Sprintf("%s (pid %d) had been in %s() for %s; nothing came through %s.", p.Name(), p.PID, a.Call, span(waited), what)
	if a.Write {
		f.Why = fmt.Sprintf("%s (pid %d) had been in %s() for %s; nobody took anything out of %s, which is full.", p.Name(), p.PID, a.Call, span(waited), what)
	}
	f.Next = []string{"find out why nobody " + give}
	if holder != "" {
		f.Title += ", whose other end " + holder + " has open"
		f.Why += " Its other end is open in " + holder + "."
		f.Next = []string{"find out why " + holder + " neither " + give + " nor closes it"}
		if p.PID != c.T.Root.PID && len(b.edge.kin) == 0 || p == c.T.Root && a.FD == 0 {
			f.Next = append(f.Next, "if no input is meant, start the program with `</dev/null`")
		}
	}
	if !b.edge.alone {
		return 0.6 // one of several things that it waits for
	}
	return wSaid
}

// peerWait: the other end of a connection says nothing.
func (c *Case) peerWait(f *Finding, p *timeline.Process, e edge) float64 {
	conn, a := e.conn, e.aw
	f.Conn, f.Side, f.Cause = conn, Server, "waiting-on-peer"
	if settledIn(p, conn) {
		f.Evidence = append(f.Evidence, c.waitEvidence(p, a))
		return c.peerSilent(f, p, e)
	}
	lastAt, lastDir := conn.Opened, dissect.Dir(0)
	for _, s := range conn.Segments {
		if !s.Unread && s.Time > lastAt {
			lastAt, lastDir = s.Time, s.Dir
		}
	}
	quiet := time.Duration(max(0, a.Time-lastAt))
	f.Facts = []Fact{{"peer", conn.Peer()}, {"address", conn.Remote.String()}, {"sent", conn.Sent}, {"received", conn.Received}, {"quiet", span(quiet)}}
	if conn.Path != "" {
		f.Facts[1] = Fact{"path", conn.Path}
	}
	if conn.Connect != nil {
		f.Evidence = append(f.Evidence, callEvidence(conn.Connect))
	}
	if n := len(conn.Calls); n > 0 {
		f.Evidence = append(f.Evidence, callEvidence(conn.Calls[n-1]))
	}
	f.Evidence = append(f.Evidence, c.waitEvidence(p, a))
	holder, facts := heldBy(p, "peer", conn.Remote.String())
	f.Facts = append(f.Facts, facts...)

	if conn.Remote.Port() == 53 && !conn.Stream() {
		return 0 // a name server that does not answer is dns-timeout's
	}
	if connecting(conn, a) {
		f.Cause, f.Side = "connect-timeout", Network
		f.Title = fmt.Sprintf("%s did not answer the connection attempt for %s", conn.Peer(), span(since(p, a)))
		f.Why = fmt.Sprintf("%s called connect() for %s and had no answer, neither yes nor no, when its time was over.", p.Name(), conn.Peer())
		f.Next = []string{"a firewall that drops packets, or a host that is down: `nc -vz -w 5 " + host(conn) + "` from here and from elsewhere"}
		return wSaid
	}
	f.Title = fmt.Sprintf("%s waits for an answer from %s", p.Name(), conn.Peer())
	f.Why = fmt.Sprintf("%s had sent %s bytes to %s and received %s; then nothing came for %s.", p.Name(), count(conn.Sent), conn.Peer(), count(conn.Received), span(quiet))
	w := wSaid
	pending := false
	if n := len(conn.HTTP); n > 0 {
		if x := conn.HTTP[n-1]; x.Request != nil && x.Response == nil {
			pending = true
			f.Title = fmt.Sprintf("%s does not answer %s %s", conn.Peer(), x.Request.Method, quote(x.Request.Target, 80))
			f.Facts = append(f.Facts, Fact{"method", x.Request.Method}, Fact{"path", x.Request.Target})
		}
	}
	switch {
	case pending:
	case conn.Sent+conn.Received == 0:
		f.Title = fmt.Sprintf("%s is connected to %s, and neither says anything", p.Name(), conn.Peer())
		f.Why = fmt.Sprintf("%s connected to %s and then waited for it to speak first, for %s.", p.Name(), conn.Peer(), span(quiet))
	case conn.TLS != nil && !conn.TLS.Done:
		f.Title = fmt.Sprintf("%s does not finish the TLS handshake", conn.Peer())
	case lastDir == dissect.ToClient != conn.Accepted: // the peer spoke last
		f.Title = fmt.Sprintf("%s has stopped sending", conn.Peer())
		w = 0.75 // an idle connection that is kept looks the same
	}
	if a.Write {
		f.Title = fmt.Sprintf("%s has stopped receiving", conn.Peer())
		f.Why = fmt.Sprintf("%s could not send on: %s took %s bytes and then no more for %s.", p.Name(), conn.Peer(), count(conn.Sent), span(quiet))
	}
	if holder != "" {
		f.Why += " On this machine the other end is " + holder + "."
	}
	if quiet < time.Second {
		w = min(w, 0.6) // it was still talking
	}
	f.Next = []string{"look at what " + conn.Peer() + " is doing: its log, or the same request by hand", "give the program a time limit for answers, so that it says so itself"}
	return w
}

func host(conn *timeline.Conn) string {
	if conn.Remote.IsValid() {
		return conn.Remote.Addr().String() + " " + fmt.Sprint(conn.Remote.Port())
	}
	return conn.Path
}

// connecting reports whether the connection had not come about yet.
func connecting(conn *timeline.Conn, a *timeline.Awaits) bool {
	if conn.Connect == nil || conn.Errno != 0 || conn.Sent+conn.Received > 0 || !conn.Stream() {
		return false
	}
	if conn.Connect.Raw.Flags&event.Unfinished != 0 {
		return true
	}
	return a.Write && conn.Connect.Errno().Name() == "EINPROGRESS"
}

// childWait: the child itself waits for nothing.
func (c *Case) childWait(f *Finding, p *timeline.Process, e edge) float64 {
	if len(e.kin) == 0 {
		return 0
	}
	k := e.kin[len(e.kin)-1]
	f.Cause = "waiting-on-child"
	does := "was still working"
	for _, a := range k.Awaits {
		if a.FD < 0 && sleeps(a.Call) {
			does = "was sleeping in " + a.Call + "()"
		}
	}
	cmd := quote(strings.Join(k.Argv, " "), 80)
	f.Title = fmt.Sprintf("%s waits for its child %s to end", p.Name(), cmd)
	f.Why = fmt.Sprintf("%s (pid %d) had been in %s() for %s; its child %s (pid %d) %s.", p.Name(), p.PID, e.aw.Call, span(since(p, e.aw)), cmd, k.PID, does)
	f.Facts = []Fact{{"child", cmd}, {"child_pid", k.PID}, {"waited", span(since(p, e.aw))}}
	f.Evidence = append(f.Evidence, c.waitEvidence(p, e.aw))
	for _, a := range k.Awaits {
		f.Evidence = append(f.Evidence, c.waitEvidence(k, a))
		break
	}
	f.Next = []string{"see what " + cmd + " is doing, or give it more time"}
	return 0.5
}
