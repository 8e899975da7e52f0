package explain

import (
	"fmt"

	"culprit/internal/timeline"
)

// busy is the share of one processor from which on a process counts as
// computing.
const busy = 0.05

// runningVerdict says what a process that was attached to does, when it hangs on
// nothing. Nobody complained about it, so that nobody is accused.
func runningVerdict(c *Case, seen []Finding) Finding {
	p := c.T.Root
	f := Finding{Cause: "unknown", Confidence: Possible, Side: Local, Proc: p, Title: "nothing is known of the process"}
	if p == nil {
		return f
	}
	name := script(p)
	f.Facts = []Fact{{"program", p.Name()}, {"pid", p.PID}, {"threads", len(p.Waits)}}
	if n := len(c.T.Calls); n > 0 {
		f.Evidence = append(f.Evidence, callEvidence(c.T.Calls[n-1]))
	}
	used, ran, stopped := 0.0, false, len(p.Waits) > 0
	kinds := map[edgeKind]bool{}
	h := &hangs{c: c, alive: map[int32]*timeline.Process{}}
	for _, q := range c.T.Procs {
		for i := range q.Waits {
			w := &q.Waits[i]
			used += max(w.Used, 0)
			ran = ran || w.State == "R"
			stopped = stopped && (q != p || w.State == "T")
		}
		if len(q.Waits) > 0 {
			for _, e := range h.edges(q) {
				kinds[e.kind] = true
			}
		}
	}
	did := c.completed()
	switch {
	case stopped:
		f.Title = name + " is stopped: it does nothing until somebody sends it SIGCONT"
		f.Why = fmt.Sprintf("All threads of %s (pid %d) are in state T: SIGSTOP, or the terminal's Ctrl-Z, stopped the process.", name, p.PID)
		f.Next = []string{fmt.Sprintf("`kill -CONT %d` lets it go on", p.PID)}
		return f
	case used >= busy:
		f.Title = fmt.Sprintf("%s computes: it used %.0f %% of a processor", name, 100*used)
		f.Facts = append(f.Facts, Fact{"processor", fmt.Sprintf("%.2f", used)})
		f.Why = "It hangs on nothing that culprit knows of."
	case did > 0:
		f.Title = fmt.Sprintf("%s works: it made %s system calls while culprit looked on", name, count(int64(did)))
		f.Why = "It hangs on nothing that culprit knows of."
	case ran, kinds[edgeBusy]:
		f.Title = name + " is running"
		f.Why = "It hangs on nothing that culprit knows of; one look does not show whether it gets anywhere."
		f.Next = []string{fmt.Sprintf("`culprit attach -p %d --timeout 10s` shows what it does", p.PID)}
	case kinds[edgeIdle]:
		f.Title = name + " waits for clients"
		f.Why = "Nobody has sent it anything to do."
	case kinds[edgeSleep]:
		f.Title = name + " sleeps"
		f.Why = "It waits for a time to pass, not for anybody."
	default:
		f.Title = "nothing is found that " + name + " hangs on"
		f.Why = "Who its threads wait for is not known."
		f.Next = append(f.Next, "the threads above say in which calls they are")
		if len(seen) > 0 {
			f.Next = append(f.Next, "the candidates below were seen but are not sure enough")
		}
		return f
	}
	for _, a := range p.Awaits {
		if a.Type == "gil" && a.Owner != 0 {
			f.Why += fmt.Sprintf(" Thread %d holds Python's global interpreter lock, so that no other Python thread goes on meanwhile.", a.Owner)
			f.Facts = append(f.Facts, Fact{"gil", a.Owner})
			break
		}
	}
	f.Cause, f.Confidence = "ok", Likely
	if f.Where == "" {
		f.Where = runningAt(p)
	}
	return f
}

// completed counts the calls that returned within the recording, those aside
// that attaching interrupted.
func (c *Case) completed() int {
	n := 0
	for _, call := range c.T.Calls {
		if call.Enter > c.T.Start && call.Returned() {
			n++
		}
	}
	return n
}

// runningAt is where the thread stands that ran most.
func runningAt(p *timeline.Process) string {
	most := -2.0
	where := ""
	for i := range p.Waits {
		if w := &p.Waits[i]; w.Used > most && len(p.Stacks[w.TID]) > 0 {
			most, where = w.Used, stackOf(p, w.TID)
		}
	}
	return where
}

// peerSilent is peerWait for a connection that was there before the recording:
// what was said on it is not known.
func (c *Case) peerSilent(f *Finding, p *timeline.Process, e edge) float64 {
	conn, a := e.conn, e.aw
	waited := since(p, a)
	peer := conn.Peer()
	from := ""
	if conn.Local.IsValid() {
		from = fmt.Sprintf(" (%s -> %s)", conn.Local, conn.Remote)
	}
	f.Facts = []Fact{{"peer", peer}, {"address", conn.Remote.String()}, {"local", conn.Local.String()}, {"waited", span(waited)}}
	if conn.Path != "" {
		f.Facts[1] = Fact{"path", conn.Path}
	}
	name := conn.Remote.String()
	if !conn.Remote.IsValid() {
		name = a.Link
	}
	holder, facts := heldBy(p, "peer", name)
	f.Facts = append(f.Facts, facts...)
	f.Title = fmt.Sprintf("%s waits for %s, which sends nothing", script(p), peer)
	f.Why = fmt.Sprintf("%s (pid %d) has been in %s() on its connection%s for %s, and nothing came. What was said on it before is not known.",
		script(p), p.PID, a.Call, from, span(waited))
	if a.Write {
		f.Title = fmt.Sprintf("%s waits for %s, which takes nothing more", script(p), peer)
		f.Why = fmt.Sprintf("%s (pid %d) has been in %s() on its connection%s for %s, and no room came free.", script(p), p.PID, a.Call, from, span(waited))
	}
	f.Next = []string{"look at what " + peer + " is doing", "give the program a time limit for answers, so that it says so itself"}
	if holder != "" {
		f.Title += ": on this machine " + holder
		f.Why += " On this machine the other end is " + holder + "."
		f.Next[0] = "look at what " + holder + " is doing: `culprit attach --snapshot -p` with its number"
	}
	if !e.alone {
		return 0.6
	}
	return wSaid
}

// settledIn reports whether all that was seen of a connection lies before the
// recording.
func settledIn(p *timeline.Process, conn *timeline.Conn) bool {
	return p.Attach != nil && conn.Connect == nil && len(conn.Segments) == 0
}
