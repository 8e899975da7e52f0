// Package pdb is pdb's prompt on a run that is over: the commands that look, with
// pdb's names and forms, over the exceptions that a case holds.
//
// Nothing is evaluated: a name's recorded text can be shown, and its items and
// attributes as far as they were recorded. It reads a timeline; where commands
// come from and where the answers go is the caller's matter.
package pdb

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"culprit/internal/event"
	"culprit/internal/rows"
	"culprit/internal/timeline"
)

// ErrNone says that a run has no recorded exception.
var ErrNone = errors.New("no Python exception was recorded")

// Session is a prompt: an exception, a frame of it, and the place of the listing.
type Session struct {
	w    io.Writer
	t    *timeline.Timeline
	all  []*timeline.Exception // in order of time
	at   int                   // in all
	cur  int                   // in the exception's Stack, 0 is the innermost
	next int                   // line at which list goes on, 0: around the current one
	last string                // what an empty line repeats

	sources map[string]source
}

// New starts a session at the given exception; at nil at the last that nobody
// caught, else the last. It writes where it stands.
func New(w io.Writer, t *timeline.Timeline, start *timeline.Exception) (*Session, error) {
	s := &Session{w: w, t: t, sources: map[string]source{}}
	for _, p := range t.Procs {
		s.all = append(s.all, p.Raised...)
	}
	if len(s.all) == 0 {
		return nil, ErrNone
	}
	slices.SortStableFunc(s.all, func(x, y *timeline.Exception) int { return cmp.Compare(x.Time, y.Time) })
	at := slices.Index(s.all, start)
	for i := len(s.all) - 1; i >= 0 && at < 0; i-- {
		if uncaught(s.all[i]) {
			at = i
		}
	}
	if at < 0 {
		at = len(s.all) - 1
	}
	s.choose(at)
	return s, nil
}

func uncaught(e *timeline.Exception) bool { return e.Final == "excepthook" || e.Final == "thread" }

func (s *Session) exception() *timeline.Exception { return s.all[s.at] }

// frame is the current one; an exception without a stack has one of nowhere.
func (s *Session) frame() timeline.Frame {
	if st := s.exception().Stack; s.cur < len(st) {
		return st[s.cur]
	}
	return timeline.Frame{File: "<unknown>", Func: "<unknown>"}
}

// print writes a line. Text of the program is cleaned: it keeps to its line and
// plays no tricks on a terminal.
func (s *Session) print(format string, a ...any) {
	for i := range a {
		if t, ok := a[i].(string); ok {
			a[i] = clean(t)
		}
	}
	fmt.Fprintf(s.w, format+"\n", a...)
}

func (s *Session) fail(format string, a ...any) { s.print("*** "+format, a...) }

// clean keeps tabs, which source has.
func clean(text string) string {
	parts := strings.Split(text, "\t")
	for i, p := range parts {
		parts[i] = string(rows.AppendClean(nil, p))
	}
	return strings.Join(parts, "\t")
}

// choose makes the exception with that index the current one.
func (s *Session) choose(at int) {
	s.at = at
	e := s.exception()
	s.print("%s (%s; exception %d of %d)", e.String(), fate(e), at+1, len(s.all))
	s.goTo(0)
}

// goTo makes a frame the current one.
func (s *Session) goTo(cur int) {
	s.cur, s.next = cur, 0
	s.entry("> ", s.frame())
}

// entry prints a frame as pdb does. pdb names a function without its class.
func (s *Session) entry(mark string, f timeline.Frame) {
	s.print("%s%s(%d)%s()", mark, f.File, f.Line, unqualified(f.Func))
	if line := strings.TrimSpace(s.source(f.File).line(f.Line)); line != "" {
		s.print("-> %s", line)
	}
}

func unqualified(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// fate says how an exception ended.
func fate(e *timeline.Exception) string {
	var became string
	if len(e.Into) > 0 {
		became = ", became " + e.Into[0].Name()
	}
	switch e.Final {
	case "excepthook":
		return "uncaught"
	case "thread":
		return "uncaught in its thread"
	case "exit":
		return "ended the program"
	case "":
		if e.Handled == nil {
			return "end not recorded" + became
		}
		how := "caught"
		if became == "" {
			how = "swallowed"
		}
		return fmt.Sprintf("%s at %s:%d in %s%s", how, e.Handled.File, e.Handled.Line, e.Handled.Func, became)
	}
	return "reported by " + e.Final + became
}

func (s *Session) seconds(at event.Time) float64 { return float64(at-s.t.Start) / 1e9 }

// Run does the commands of a line, and reports whether one of them ended the
// session. An empty line repeats the last command.
func (s *Session) Run(line string) (quit bool) {
	if strings.TrimSpace(line) == "" {
		line = s.last
	}
	s.last = line
	for _, c := range Parse(line) {
		k := find(c.Name)
		switch {
		case k == nil && live[c.Name]:
			s.fail("%s: the run is over, nothing can be run, changed or stopped in it; `help` lists what there is", c.Name)
		case k == nil:
			s.show(c.Text, s.value)
		case k.do == nil:
			return true
		case k.args == "" && c.Arg != "":
			s.fail("Invalid argument: %s", c.Arg)
		default:
			k.do(s, c.Arg)
		}
	}
	return false
}
