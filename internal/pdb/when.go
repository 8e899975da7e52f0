package pdb

import (
	"fmt"

	"culprit/internal/rows"
	"culprit/internal/timeline"
)

// How many rows when shows before the raise, and after it.
const before, after = 8, 3

// when prints the thread's rows around the raise as culprit show does, and the
// connections that it worked on then or that the process had an exchange on,
// with the newest one.
func (s *Session) when(string) {
	e := s.exception()
	var past, coming, messages []rows.Row
	newest := map[*timeline.Conn]*timeline.Exchange{}
	for _, c := range s.t.Conns {
		for _, x := range c.HTTP {
			if c.Proc == e.Proc && (c.Closed == 0 || c.Closed >= e.Time) && x.Request != nil && x.Request.Head.First <= e.Time {
				newest[c] = x
			}
		}
	}
	for r := range rows.All(s.t) {
		switch {
		case r.Exchange != nil:
			if newest[r.Conn] == r.Exchange {
				messages = append(messages, *r)
			}
		case r.Proc != e.Proc || r.TID != e.TID:
		case r.Time <= e.Time:
			if past = append(past, *r); len(past) > 4*before {
				past = append(past[:0], past[len(past)-before-1:]...)
			}
		case len(coming) < after:
			coming = append(coming, *r)
		}
	}
	if s.t.Repeats > 0 {
		s.print("(%d calls of the run that repeat others are left out: `culprit show` has them)", s.t.Repeats)
	}
	touched := map[*timeline.Conn]bool{}
	for _, r := range append(past[max(0, len(past)-before-1):], coming...) {
		mark := "  "
		if r.Exception == e {
			mark = "> "
		}
		touched[r.Conn] = true
		s.row(mark, &r)
	}
	for _, c := range s.t.Conns {
		if newest[c] == nil && !touched[c] {
			continue
		}
		s.print("%s", connection(c))
		for i := range messages {
			if messages[i].Conn == c {
				s.row("  ", &messages[i])
			}
		}
	}
}

func (s *Session) row(mark string, r *rows.Row) {
	fmt.Fprintf(s.w, "%s%s", mark, r.AppendLine(nil, rows.TextOptions{}))
}

func connection(c *timeline.Conn) string {
	text := fmt.Sprintf("connection %d to %s: %d bytes sent, %d received in all", c.ID, c.Peer(), c.Sent, c.Received)
	if c.Errno != 0 {
		text += ", ended with " + c.Errno.Name()
	}
	if len(c.Unread) > 0 {
		text += fmt.Sprintf(", %d never read by the program", len(c.Unread))
	}
	return text
}
