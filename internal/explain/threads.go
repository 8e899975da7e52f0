package explain

import (
	"fmt"
	"path"
	"strings"
	"time"

	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// Thread is what one thread did when it was looked at.
type Thread struct {
	Proc  *timeline.Process
	TID   int32
	Name  string           // its own, "" when it is not known
	State string           // in words
	Call  string           // the call that it was in, as strace has it, "" when it was in none
	For   time.Duration    // that it had been in it, at least
	Used  float64          // share of a processor since the look before, -1: not known
	Waits []string         // what it waited for and who has that
	Stack []timeline.Frame // of an interpreted program, innermost frame first

	Native []timeline.NativeFrame // of any other, as far as it could be walked
}

// states are the letters of /proc/PID/status (proc(5)).
var states = map[string]string{
	"R": "running", "S": "waiting", "D": "waiting, not to be interrupted", "T": "stopped", "t": "stopped by a tracer",
	"I": "idle", "P": "parked",
}

// Threads lists the threads of all processes of the newest look.
func (c *Case) Threads() []Thread {
	var out []Thread
	for _, p := range c.T.Procs {
		for i := range p.Waits {
			w := &p.Waits[i]
			t := Thread{Proc: p, TID: w.TID, Name: w.Comm, State: states[w.State], Used: w.Used, Stack: p.Stacks[w.TID]}
			if n := p.Stands[w.TID]; n != nil {
				t.Native = n.Frames
			}
			if t.State == "" {
				t.State = w.State
			}
			if w.Call != nil && w.State != "R" {
				t.Call = callLine(w.Call)
			}
			if w.State != "R" {
				t.For = time.Duration(max(0, w.Time-w.Since))
			}
			for _, a := range p.Awaits {
				if a.TID == w.TID && w.State != "R" {
					if s := c.awaits(p, a); s != "" {
						t.Waits = append(t.Waits, s)
					}
				}
			}
			out = append(out, t)
		}
	}
	return out
}

// callLine is a call that has not returned, with what its descriptors are.
func callLine(call *timeline.Call) string {
	text := string(call.Decode().Append(nil, sysabi.Options{FD: func(b []byte, fd int64) []byte {
		d := call.Proc.Desc(int32(fd))
		switch {
		case d == nil || d.Link == "" && d.Path == "":
			return b
		case d.Conn != nil && d.Conn.Remote.IsValid():
			return fmt.Appendf(b, "<%s->%s>", d.Conn.Local, d.Conn.Remote)
		case d.Path != "":
			return append(append(append(b, '<'), d.Path...), '>')
		}
		return append(append(append(b, '<'), d.Link...), '>')
	}}))
	text = strings.TrimSuffix(text, " = ?")
	return strings.ReplaceAll(text, " <unfinished ...>)", ")")
}

// awaits says in words what a thread waits for, and who has that.
func (c *Case) awaits(p *timeline.Process, a *timeline.Awaits) string {
	s, what, name := "", "", a.Link
	for_, from := "data from ", ", whose other end is open in "
	if a.Write {
		for_ = "room in "
	}
	switch a.Type {
	case "lock":
		s, what, from = "the lock on "+a.Link, "lock", ", held by "
	case "pipe":
		s, what = for_+a.Link, "pipe"
	case "fifo":
		s, what = for_+a.Link, "pipe"
		if a.FD < 0 {
			s = "somebody to open the other end of the FIFO " + a.Link
		}
	case "socket":
		what = "peer"
		conn := (*timeline.Conn)(nil)
		if a.Desc != nil {
			conn = a.Desc.Conn
		}
		switch {
		case conn != nil && conn.Remote.IsValid():
			name = conn.Remote.String()
			s = fmt.Sprintf("%s%s (%s)", for_, conn.Peer(), conn.Local)
		case conn != nil:
			s = for_ + conn.Peer()
		default:
			s = for_ + a.Link
		}
		from = ", on this machine "
	case "listener":
		s = "a client to connect to " + a.Link
		if a.Desc != nil && a.Desc.Local.IsValid() {
			s = "a client to connect to " + a.Desc.Local.String()
		}
	case "tty":
		s = "somebody to type at " + a.Link
		if a.Write {
			s = "the terminal " + a.Link + " to take its output"
		}
	case "child":
		return childText(p, a)
	case "futex":
		return lockText(p, a)
	case "gil":
		if a.Owner != 0 {
			return fmt.Sprintf("Python's global interpreter lock, which thread %d holds", a.Owner)
		}
		return "Python's global interpreter lock"
	case "semaphore", "queue":
		return "a System V or POSIX " + a.Type
	case "":
		switch {
		case a.Link != "":
			s = a.Link
		case a.Limit >= 0:
			return "nothing but time: " + span(time.Duration(a.Limit))
		case a.FD < 0 && sleeps(a.Call):
			return "time to pass, or a signal"
		}
	default:
		s = for_ + a.Link
	}
	if s == "" {
		return ""
	}
	if holder, _ := heldBy(p, what, name); holder != "" && what != "" {
		s += from + holder
	} else if what == "peer" {
		if h, _ := heldBy(p, what, a.Link); h != "" {
			s += from + h
		}
	}
	if a.Limit >= 0 {
		s += fmt.Sprintf(", for %s at most", span(time.Duration(a.Limit)))
	}
	return s
}

func childText(p *timeline.Process, a *timeline.Awaits) string {
	var kids []string
	for _, h := range p.Holders {
		if h.What == "child" && (a.Owner == 0 || a.Owner == h.Process) {
			kids = append(kids, holderText(h))
		}
	}
	switch {
	case len(kids) > 0:
		return "its child " + strings.Join(kids, " or ") + " to end"
	case a.Owner != 0:
		return fmt.Sprintf("its child %d to end", a.Owner)
	}
	return "a child to end"
}

// lockText tells a lock in memory: in Python's words where the stack has them.
func lockText(p *timeline.Process, a *timeline.Awaits) string {
	s := fmt.Sprintf("a lock in memory at %#x", a.Addr)
	if a.Shared {
		s = fmt.Sprintf("a lock at %#x in memory that processes may share", a.Addr)
	}
	if frames := p.Stacks[a.TID]; len(frames) > 0 {
		s = pythonLock(frames)
	}
	switch {
	case a.Owner == a.TID && a.Owner != 0:
		s += ", which it holds itself"
	case a.Owner != 0:
		s += fmt.Sprintf(", which thread %d holds", a.Owner)
	}
	if a.Limit >= 0 {
		s += fmt.Sprintf(", for %s at most", span(time.Duration(a.Limit)))
	}
	return s
}

// pythonLock says what a Python thread that waits for a lock waits for in
// Python's terms, by the functions of the standard library that it is in.
func pythonLock(frames []timeline.Frame) string {
	if joins(frames) {
		return "another Python thread to end"
	}
	s := "a Python lock whose holder is not known"
	for i, f := range frames {
		file, name := path.Base(f.File), f.Func[strings.LastIndexByte(f.Func, '.')+1:]
		switch {
		case !library(f.File) || i > 4:
			return s
		case file == "threading.py" && name == "wait":
			s = "another Python thread to notify it"
		case file == "threading.py" && name == "acquire":
			s = "a Python semaphore to be released"
		case file == "queue.py" && name == "get":
			return "another Python thread to put something into a queue"
		case file == "queue.py" && name == "put":
			return "another Python thread to take something out of a full queue"
		case file == "queue.py" && name == "join":
			return "other Python threads to finish what is in a queue"
		case file == "_base.py" && name == "result":
			return "the result of a future"
		}
	}
	return s
}
