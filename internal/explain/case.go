package explain

import (
	"slices"
	"strings"

	"culprit/internal/event"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// Case is a timeline with its symptom worked out: which processes failed, what
// was said last, which exceptions belong to the end.
type Case struct {
	T     *timeline.Timeline
	Words []*timeline.Line // the last words, oldest first

	// share says how much of the run's failure is the process's: 1 for the root,
	// less for a child whose failure may not have been passed on.
	share map[*timeline.Process]float64
	// final holds the exceptions tied to a process's end, with that tie.
	final map[*timeline.Exception]Link
	lines map[*timeline.Process][]*timeline.Line // all that each process said
	// misses holds, by process and name, the directories that lack the name.
	misses  map[*timeline.Process]map[string][]string
	daemons map[*timeline.Process]bool // see orphaned
}

// maxWords is how many of the last lines count as last words. A program that
// fails says so at the end; what it said thousands of lines before is not that.
const maxWords = 60

func newCase(t *timeline.Timeline) *Case {
	c := &Case{T: t, share: map[*timeline.Process]float64{}, final: map[*timeline.Exception]Link{}, misses: map[*timeline.Process]map[string][]string{}, lines: map[*timeline.Process][]*timeline.Line{}, daemons: map[*timeline.Process]bool{}}
	c.Words = t.Lines[max(0, len(t.Lines)-maxWords):]
	for _, l := range t.Lines {
		c.lines[l.Proc] = append(c.lines[l.Proc], l)
	}
	for _, p := range c.roots() {
		c.shares(p, 1)
	}
	for _, p := range t.Procs {
		c.finals(p)
	}
	return c
}

// succeeded reports whether the command ended with status 0 by itself.
func (c *Case) succeeded() bool {
	return c.T.End != nil && !c.T.End.Timeout && !c.T.End.Detached && c.T.End.Status == 0
}

// detached reports whether the recording is one of a program that goes on.
func (c *Case) detached() bool { return c.T.End != nil && c.T.End.Detached }

func failed(p *timeline.Process) bool { return p.Ended && p.Status != 0 }

// shares hands a process's share of the failure down to its children.
//
//   - A failed child that ended last before its parent, or with the parent's own
//     status, had its failure passed on.
//   - An earlier failed child counts fully when it ran the same program as that
//     one (a retry), or fed it through a pipe; else in part.
//   - One whose parent left in order without asking for it (a daemon) had nobody to
//     tell it to; what xargs, make and their kin run counts by their manuals.
//   - A child that succeeded may still have done the wrong thing in silence, more
//     so when it answers its parent through a pipe.
func (c *Case) shares(p *timeline.Process, share float64) {
	if c.share[p] >= share {
		return
	}
	c.share[p] = share
	var lastFailed *timeline.Process
	for _, k := range p.Kids {
		if failed(k) && (lastFailed == nil || k.EndTime > lastFailed.EndTime) {
			lastFailed = k
		}
	}
	for _, k := range p.Kids {
		w := 0.5
		switch {
		case crashedBySelf(k):
			w = 0.9 // whoever ignores it
		case feeds(k, p) && (!failed(k) || !failed(p)):
			w = 0.9 // a helper says by its pipe how it went
		case c.orphaned(k), left(k):
			w = 0.9 // a daemon: whoever started it had left before it failed
		case !failed(p) && p.Ended:
			w = 0.5 // the parent coped with whatever happened in it
		case failed(k) && failed(p) && collects(p):
			w = passedOn
		case failed(k) && madeGood(k):
			w = 0.3
			if failed(p) && !sameAgain(k) {
				w = 0.5 // one of many, perhaps
			}
		case k == lastFailed, !p.Ended && !k.Ended:
			w = passedOn
		case failed(k) && p.Ended && exitCode(k.Status) == exitCode(p.Status):
			w = passedOn
		case failed(k) && slices.Equal(k.Argv, lastFailed.Argv):
			w = passedOn
		case failed(k) && feeds(k, lastFailed):
			w = passedOn
		case failed(k):
			w = 0.6
		}
		c.shares(k, share*w)
	}
}

// collects tells the programs that run many others and fail in the end when any of
// them failed, by their manuals.
func collects(p *timeline.Process) bool {
	switch p.Name() {
	case "xargs", "find", "parallel", "run-parts", "make", "gmake", "ninja":
		return true
	}
	return false
}

// crashedBySelf reports whether a signal for its own fault ended the process.
func crashedBySelf(p *timeline.Process) bool {
	_, own := crashes[sysabi.SignalName(int(p.Status&0x7f))]
	return p.Ended && own
}

// passedOn is the tie between a child's failure and its parent's. A little
// under 1, so that of two equal stories the one nearer the root process wins
// only when nothing else decides.
const passedOn = 0.98

// madeGood reports whether the parent ran the same program again afterwards, and
// that time it succeeded: a second try, or another way to the same end.
func madeGood(k *timeline.Process) bool {
	return len(k.Execs) > 0 && slices.ContainsFunc(k.Parent.Kids, func(o *timeline.Process) bool {
		return o != k && o.Start >= k.EndTime && o.Ended && o.Status == 0 && o.Exe == k.Exe && o.Name() == k.Name() && o.Program() == k.Program()
	})
}

// sameAgain reports whether the parent ran the very same command again later, and
// that time it succeeded.
func sameAgain(k *timeline.Process) bool {
	return slices.ContainsFunc(k.Parent.Kids, func(o *timeline.Process) bool {
		return o.Start >= k.EndTime && o.Ended && o.Status == 0 && slices.Equal(o.Argv, k.Argv)
	})
}

// left reports whether a process failed whose parent ended in order and never
// asked how it went.
func left(p *timeline.Process) bool {
	return failed(p) && p.Parent != nil && p.Parent.Ended && !failed(p.Parent) && !slices.ContainsFunc(p.Parent.Calls, func(call *timeline.Call) bool {
		switch call.Name() {
		case "wait4":
			return call.Raw.Ret == int64(p.PID)
		case "waitid":
			return call.Raw.Ret == 0
		}
		return false
	})
}

// orphaned reports whether a process ended in order and left one behind that
// failed: a program that became a daemon.
func (c *Case) orphaned(p *timeline.Process) bool {
	if failed(p) || !p.Ended {
		return false
	}
	if known, ok := c.daemons[p]; ok {
		return known
	}
	c.daemons[p] = slices.ContainsFunc(p.Kids, func(k *timeline.Process) bool { return left(k) || c.orphaned(k) })
	return c.daemons[p]
}

// feeds reports whether x writes to a pipe that y reads.
func feeds(x, y *timeline.Process) bool {
	links := map[string]bool{}
	for _, call := range x.Calls {
		if d := call.Desc; d != nil && d.Kind == timeline.DescPipe && strings.HasPrefix(call.Name(), "write") {
			links[d.Link] = d.Link != ""
		}
	}
	return slices.ContainsFunc(y.Calls, func(call *timeline.Call) bool {
		d := call.Desc
		return d != nil && links[d.Link] && strings.HasPrefix(call.Name(), "read")
	})
}

// exitCode is what a shell reports for a wait status.
func exitCode(status uint32) int {
	if sig := status & 0x7f; sig != 0 {
		return 128 + int(sig)
	}
	return int(status >> 8 & 0xff)
}

// end is when a process ended, or the recording did.
func (c *Case) end(p *timeline.Process) event.Time {
	if p.Ended {
		return p.EndTime
	}
	return c.T.EndAt
}

// said finds the newest of the last words that contains one of the needles,
// without regard to case. Needles shorter than three bytes prove nothing.
func (c *Case) said(needles ...string) *timeline.Line {
	for i := len(c.Words) - 1; i >= 0; i-- {
		text := strings.ToLower(c.Words[i].Text)
		for _, n := range needles {
			if len(n) >= 3 && strings.Contains(text, strings.ToLower(n)) {
				return c.Words[i]
			}
		}
	}
	return nil
}

// saidWord is said for a needle that must stand alone: "404" is not in "1404".
func (c *Case) saidWord(n string) *timeline.Line {
	for i := len(c.Words) - 1; i >= 0; i-- {
		if hasWord(c.Words[i].Text, n) {
			return c.Words[i]
		}
	}
	return nil
}

func hasWord(text, word string) bool {
	for from := 0; word != ""; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		j := i + len(word)
		if (i == 0 || !alnum(text[i-1])) && (j == len(text) || !alnum(text[j])) {
			return true
		}
		from = i + 1
	}
	return false
}

func alnum(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_'
}

// tied lists the exceptions that belong to the end, in order of time.
func (c *Case) tied() []*timeline.Exception {
	out := make([]*timeline.Exception, 0, len(c.final))
	for _, p := range c.T.Procs {
		for _, e := range p.Raised {
			if _, ok := c.final[e]; ok {
				out = append(out, e)
			}
		}
	}
	return out
}
