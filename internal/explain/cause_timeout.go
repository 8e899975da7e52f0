package explain

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/event"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

var timeLimit = Cause{
	Names: []string{"waiting-on-peer", "waiting-on-lock", "waiting-on-child", "waiting-on-input", "connect-timeout"},
	Doc:   "a program waited in vain until a time limit of the run's own was over: timeout(1), an alarm, or the program's patience",
	Find: func(c *Case) []Finding {
		if c.T.End == nil || c.T.End.Timeout {
			return nil // the recorder's own limit is hang's
		}
		var out []Finding
		for _, p := range c.T.Procs {
			if f, ok := c.cutShort(p); ok {
				out = append(out, f)
			}
		}
		for _, conn := range c.T.Conns {
			if f, ok := c.gaveUp(conn); ok {
				out = append(out, f)
			}
		}
		return out
	},
}

// minWait is how long a wait must have lasted to be the reason of anything.
const minWait = event.Time(500e6)

// cutShort is the finding for a process that a program of the run ended, as
// timeout(1) does, or its own alarm, while it waited.
func (c *Case) cutShort(p *timeline.Process) (Finding, bool) {
	if !p.Ended || p.Status&0x7f == 0 || len(p.Calls) == 0 {
		return Finding{}, false
	}
	name := sysabi.SignalName(int(p.Status & 0x7f))
	by := c.killer(p, name)
	for _, s := range p.Signals {
		switch {
		case sysabi.SignalName(s.Signo) != name:
		case name == "SIGALRM" && s.Code > 0:
			by = "its own alarm"
		case descends(p, s.PID):
			for q := p.Parent; q != nil; q = q.Parent {
				if q.PID == s.PID {
					by = q.Program()
				}
			}
		}
	}
	call := p.Calls[len(p.Calls)-1]
	if by == "" || p.EndTime-call.Enter < minWait || call.Raw.Ret >= 0 && call.Raw.Flags&event.Unfinished == 0 {
		return Finding{}, false
	}
	f, ok := c.waitedFor(p, call)
	if !ok {
		return Finding{}, false
	}
	waited := float64(p.EndTime-call.Enter) / 1e9
	f.Why += fmt.Sprintf(" %s ended it with %s when it had waited for %.1f s.", upper(by), name, waited)
	f.Facts = append(f.Facts, Fact{"waited_seconds", waited}, Fact{"ended_by", by}, Fact{"signal", name})
	f.Links = []Link{{"end", fmt.Sprintf("%s ended it while it waited", by), wEnd}}
	f.Evidence = append(f.Evidence, callEvidence(call), Evidence{"kernel", p.EndTime, fmt.Sprintf("%s[%d] +++ killed by %s +++", p.Name(), p.PID, name)})
	return f, true
}

// killer is the ancestor whose kill(2) with the signal was the last that a
// process got: of SIGKILL no siginfo tells. "" when none of them did it.
func (c *Case) killer(p *timeline.Process, signal string) string {
	for q := p.Parent; q != nil; q = q.Parent {
		for i := len(q.Calls) - 1; i >= 0; i-- {
			call := q.Calls[i]
			if call.Enter > p.EndTime || call.Raw.Ret != 0 || call.Name() != "kill" {
				continue
			}
			if int32(call.Raw.Args[0]) == p.PID && sysabi.SignalName(int(call.Raw.Args[1])) == signal {
				return q.Program()
			}
		}
	}
	return ""
}

// waitedFor says what an unfinished call waited for.
func (c *Case) waitedFor(p *timeline.Process, call *timeline.Call) (Finding, bool) {
	f := Finding{Proc: p, Side: Local}
	d := call.Desc
	switch call.Name() {
	case "flock", "fcntl":
		if d == nil {
			return f, false
		}
		f.Cause, f.Title = "waiting-on-lock", fmt.Sprintf("%s waited for the lock on %s", p.Program(), d.Path)
		f.Facts = []Fact{{"path", d.Path}}
		f.Next = []string{"`fuser -v " + d.Path + "` and `lslocks` show who has it"}
	case "wait4", "waitid":
		f.Cause, f.Title = "waiting-on-child", fmt.Sprintf("%s waited for its child to end", p.Program())
		f.Next = []string{"see what the child does: it did not end"}
		if i := slices.IndexFunc(p.Kids, func(k *timeline.Process) bool { return !k.Ended || k.EndTime >= p.EndTime }); i >= 0 {
			k := p.Kids[i]
			f.Title = fmt.Sprintf("%s waited for %s to end", p.Program(), k.Program())
			f.Facts = []Fact{{"child", strings.Join(k.Argv, " ")}, {"child_pid", k.PID}}
		}
	default:
		conn := c.waitedConn(p, call)
		switch {
		case conn != nil:
			f = c.peerFinding(conn)
		case d != nil && d.Conn == nil && receives(call): // a plain file has an end and makes nobody wait
			f.Cause, f.Title = "waiting-on-input", fmt.Sprintf("%s waited for input that did not come", p.Program())
			f.Facts = []Fact{{"descriptor", int32(call.Raw.Args[0])}, {"from", cmp.Or(d.Path, d.Link)}}
			f.Next = []string{"give it input (`< FILE`, `</dev/null`), or the argument without which it reads its standard input"}
		default:
			return f, false
		}
	}
	if f.Why == "" {
		f.Why = fmt.Sprintf("It was in %s().", call.Name())
	}
	return f, true
}

func polls(call *timeline.Call) bool {
	switch call.Name() {
	case "poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2":
		return true
	}
	return false
}

func receives(call *timeline.Call) bool {
	return strings.HasPrefix(call.Name(), "read") || strings.HasPrefix(call.Name(), "recv")
}

// waitedConn is the connection that a call waits for: its own, or for those that
// wait for several descriptors the newest that is open.
func (c *Case) waitedConn(p *timeline.Process, call *timeline.Call) *timeline.Conn {
	if call.Desc != nil && call.Desc.Conn != nil {
		return call.Desc.Conn
	}
	if !polls(call) {
		return nil
	}
	var best *timeline.Conn
	for _, conn := range c.T.Conns {
		if conn.Proc == p && !conn.Accepted && conn.Stream() && conn.Remote.IsValid() && conn.Errno == 0 && conn.Opened <= call.Enter && (conn.Closed == 0 || conn.Closed >= call.Enter) {
			best = conn
		}
	}
	return best
}

// peerFinding says that a peer did not answer, or did not take the connection.
func (c *Case) peerFinding(conn *timeline.Conn) Finding {
	p := conn.Proc
	f := Finding{Cause: "waiting-on-peer", Side: Server, Proc: p, Conn: conn,
		Title: fmt.Sprintf("%s waited for %s, which did not answer", p.Program(), conn.Peer()),
		Why:   fmt.Sprintf("The connection stood: %s bytes were sent and %s received.", count(conn.Sent), count(conn.Received)),
		Facts: append([]Fact{{"address", conn.Remote.String()}, {"sent", conn.Sent}, {"received", conn.Received}}, peerFacts(conn)...),
		Next:  []string{fmt.Sprintf("see what %s does: it took the connection and did not answer", conn.Peer())},
	}
	if conn.Connect != nil && conn.Sent+conn.Received == 0 && conn.Connect.Raw.Ret < 0 && !c.established(conn) {
		f.Cause, f.Side = "connect-timeout", Network
		f.Title = fmt.Sprintf("%s did not answer the connection attempt", conn.Peer())
		f.Why = "The connection never came about."
		f.Next = []string{"see whether the host is up and whether a firewall drops the packets: `nc -vz " + hostOf(conn) + " " + fmt.Sprint(conn.Remote.Port()) + "`"}
	}
	return f
}

// established reports whether an attempt without waiting had come about: the
// program asked for its outcome, or went on with it.
func (c *Case) established(conn *timeline.Conn) bool {
	for _, call := range conn.Proc.Calls {
		if call.Desc == nil || call.Desc.Conn != conn || call.Enter < conn.Connect.Leave() {
			continue
		}
		switch call.Name() {
		case "getsockopt", "getpeername", "setsockopt", "recvfrom", "recvmsg", "read":
			if call.Name() != "setsockopt" && call.Raw.Ret >= 0 || call.Errno().Name() == "EAGAIN" {
				return true
			}
		}
	}
	return false
}

// patienceWords are how programs say that their own limit was over.
var patienceWords = []string{"timed out", "timeout", "time out", "zeitüberschreitung", "délai", "tiempo de espera"}

// waits reports whether a process waited for its descriptors, and for long,
// after a moment.
func waits(p *timeline.Process, after event.Time) bool {
	return slices.ContainsFunc(p.Calls, func(call *timeline.Call) bool {
		return call.Leave() > after+minWait && event.Time(call.Raw.Dur) >= minWait && (polls(call) || receives(call))
	})
}

// gaveUp is the finding for a connection on which nothing came until the program
// itself had enough.
func (c *Case) gaveUp(conn *timeline.Conn) (Finding, bool) {
	p := conn.Proc
	if conn.Accepted || !conn.Stream() || !conn.Remote.IsValid() || conn.Errno != 0 || conn.EOF != 0 || p.Status&0x7f != 0 {
		return Finding{}, false
	}
	last, answered := conn.Opened, false
	for _, s := range conn.Segments {
		last, answered = max(last, s.Time), s.Dir == dissect.ToClient
	}
	if n := len(conn.HTTP); n > 0 && conn.HTTP[n-1].Response != nil && !conn.HTTP[n-1].Response.Complete {
		answered = false
	}
	end := conn.Closed
	if end == 0 {
		end = c.end(p)
	}
	if answered || end-last < minWait {
		return Finding{}, false
	}
	f := c.peerFinding(conn)
	for _, e := range c.tied() {
		if e.Proc == p && e.Time >= last && (e.Is("TimeoutError") || e.Is("timeout") || strings.Contains(strings.ToLower(e.Text), "timed out")) {
			f.Links = append(f.Links, Link{"raised", e.String(), c.final[e].Weight * wRaised})
			f.Where = where(e)
			f.Evidence = append(f.Evidence, exceptionEvidence(e))
			break
		}
	}
	if l := c.said(patienceWords...); l != nil && l.Time >= last {
		f.Links = append(f.Links, Link{"error text", l.Text, wText})
		f.Evidence = append(f.Evidence, lineEvidence(l))
	}
	if len(f.Links) == 0 && waits(p, last) {
		f.Links = c.linkConn(conn)
	}
	if len(f.Links) == 0 {
		if !saysSo(f.Cause, conn) {
			return Finding{}, false
		}
		f.Links = []Link{{"last", "nothing came on the connection until its end", wWire}}
	}
	waited := float64(end-last) / 1e9
	f.Why += fmt.Sprintf(" %s gave up when nothing had come for %.1f s.", path.Base(p.Program()), waited)
	f.Facts = append(f.Facts, Fact{"waited_seconds", waited})
	f.Evidence = append(f.Evidence, Evidence{"wire", end, fmt.Sprintf("no byte from %s in the last %.1f s", conn.Peer(), waited)})
	return f, true
}
