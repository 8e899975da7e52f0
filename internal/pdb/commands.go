package pdb

import (
	"slices"
	"strconv"
	"strings"

	"culprit/internal/timeline"
)

// command is a command of the prompt.
type command struct {
	names []string // all that it goes by, the full one first
	args  string   // of its usage, "" for none
	doc   string
	do    func(*Session, string) // nil: it ends the session
}

var commands []command

func init() { // help lists the table that it stands in
	commands = []command{
		{[]string{"where", "w", "bt"}, "", "Print the stack, the oldest frame first. > marks the current frame.", (*Session).where},
		{[]string{"up", "u"}, "[count]", "Go so many frames up (one), to an older one.", (*Session).up},
		{[]string{"down", "d"}, "[count]", "Go so many frames down (one), to a newer one.", (*Session).down},
		{[]string{"args", "a"}, "", "Print the arguments of the current function, as recorded when the exception left it.", (*Session).args},
		{[]string{"p"}, "name", "Print what was recorded of a name, of an item or an attribute: p x, p x['key'],\np $_exception.errno, p locals(). Nothing is evaluated.", func(s *Session, a string) { s.show(a, s.value) }},
		{[]string{"pp"}, "name", "Print as p does, long containers an item a line.", func(s *Session, a string) { s.show(a, s.pretty) }},
		{[]string{"whatis"}, "name", "Print the type of a variable.", func(s *Session, a string) { s.show(a, s.whatis) }},
		{[]string{"list", "l"}, "[first[, last] | .]", "List 11 lines around the current one, or go on; . begins anew. last may be a count.", (*Session).list},
		{[]string{"longlist", "ll"}, "", "List the whole function.", (*Session).longlist},
		{[]string{"source"}, "name", "List the function or class of that name of the current file.", (*Session).sourceOf},
		{[]string{"exceptions", "exception", "e"}, "[number]", "List all recorded exceptions, > is the current one; or go to one.", (*Session).exceptions},
		{[]string{"next-exception", "ne"}, "", "Go to the exception that was raised next.", func(s *Session, _ string) { s.step(1) }},
		{[]string{"previous-exception", "previous", "pe"}, "", "Go to the exception that was raised before.", func(s *Session, _ string) { s.step(-1) }},
		{[]string{"when"}, "", "Print what the thread asked of the kernel around the raise, and the connections open then.", (*Session).when},
		{[]string{"help", "h"}, "[command]", "List the commands, or explain one.", (*Session).help},
		{[]string{"quit", "q", "exit", "EOF"}, "", "End.", nil},
	}
}

// live are pdb's commands that need a program that runs.
var live = map[string]bool{}

func init() {
	for n := range strings.FieldsSeq("! alias b break c cl clear commands condition cont continue debug disable display enable ignore interact j jump n next r restart return retval rv run s step tbreak unalias undisplay unt until") {
		live[n] = true
	}
}

func find(name string) *command {
	for i := range commands {
		if slices.Contains(commands[i].names, name) {
			return &commands[i]
		}
	}
	return nil
}

func (s *Session) where(string) {
	st := s.exception().Stack
	for i := len(st) - 1; i >= 0; i-- {
		mark := "  "
		if i == s.cur {
			mark = "> "
		}
		s.entry(mark, st[i])
	}
}

func (s *Session) up(arg string) {
	oldest := len(s.exception().Stack) - 1
	n, ok := s.count(arg)
	switch {
	case !ok:
	case s.cur >= oldest:
		s.fail("Oldest frame")
	case n < 0 || n > oldest-s.cur:
		s.goTo(oldest)
	default:
		s.goTo(s.cur + n)
	}
}

func (s *Session) down(arg string) {
	n, ok := s.count(arg)
	switch {
	case !ok:
	case s.cur == 0:
		s.fail("Newest frame")
	case n < 0 || n > s.cur:
		s.goTo(0)
	default:
		s.goTo(s.cur - n)
	}
}

// count reads a number of frames; a negative one means all.
func (s *Session) count(arg string) (int, bool) {
	if arg == "" {
		return 1, true
	}
	n, err := strconv.Atoi(arg)
	if err != nil {
		s.fail("Invalid frame count (%s)", arg)
	}
	return n, err == nil
}

func (s *Session) exceptions(arg string) {
	if arg == "" {
		for i, e := range s.all {
			mark := " "
			if i == s.at {
				mark = ">"
			}
			f := e.Origin()
			s.print("%s %3d %10.6f %s[%d] %s at %s:%d in %s (%s)", mark, i+1, s.seconds(e.Time), e.Proc.Program(), e.Proc.PID, shorten(e.String()), f.File, f.Line, f.Func, fate(e))
		}
		return
	}
	switch n, err := strconv.Atoi(arg); {
	case err != nil:
		s.fail("Argument must be an integer")
	case n < 1 || n > len(s.all):
		s.fail("No exception with that number: they go from 1 to %d", len(s.all))
	default:
		s.choose(n - 1)
	}
}

// shorten bounds a text as pdb's list of exceptions does.
func shorten(text string) string {
	if r := []rune(text); len(r) > 80 {
		return string(r[:77]) + "..."
	}
	return text
}

func (s *Session) step(by int) {
	switch at := s.at + by; {
	case at < 0:
		s.fail("First exception")
	case at >= len(s.all):
		s.fail("Last exception")
	default:
		s.choose(at)
	}
}

func (s *Session) help(arg string) {
	if arg == "" {
		for _, c := range commands {
			doc, _, _ := strings.Cut(c.doc, "\n")
			s.print("%-34s %s", strings.TrimSpace(strings.Join(c.names, ", ")+" "+c.args), doc)
		}
		return
	}
	c := find(arg)
	if c == nil {
		s.fail("No help for '%s'", arg)
		return
	}
	s.print("Usage: %s", strings.TrimSpace(strings.Join(c.names, " | ")+" "+c.args))
	for l := range strings.SplitSeq(c.doc, "\n") {
		s.print("%s", l)
	}
}

func (s *Session) args(string) {
	f := s.frame()
	name := unqualified(f.Func)
	names, ok := s.source(f.File).params(f.First)
	switch {
	case name == "<module>":
	case !ok || strings.HasPrefix(name, "<"): // a lambda
		s.fail("which variables are arguments is not known here: `p locals()` has all that were recorded")
	case len(names) > 0 && len(f.Locals) == 0:
		s.fail(notLeft)
	default:
		for _, name := range names {
			if l := local(f, name); l != nil {
				s.print("%s = %s", name, l.Text)
			} else {
				s.print("%s = *** undefined ***", name)
			}
		}
	}
}

const notLeft = "no variable of this frame was recorded: they are when an exception leaves a frame"

func local(f timeline.Frame, name string) *timeline.Local {
	for i := range f.Locals {
		if f.Locals[i].Name == name {
			return &f.Locals[i]
		}
	}
	return nil
}
