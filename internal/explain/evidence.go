package explain

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/timeline"
)

func callEvidence(call *timeline.Call) Evidence {
	// Of a buffer its beginning will do: the words in it are told elsewhere.
	text := call.String()
	if f, ok := timeline.Own(call.Stack); ok {
		text += ", made at " + frameOf(f)
	}
	return Evidence{"kernel", call.Leave(), text}
}

func exceptionEvidence(e *timeline.Exception) Evidence {
	text := fmt.Sprintf("%s at %s", quote(e.String(), 200), placeOf(e))
	if caller := own(e.Stack); caller.File != "" && library(e.Origin().File) && (!library(caller.File) || stdlib(e.Origin().File)) {
		text += ", called from " + frameOf(caller)
	}
	return Evidence{"code", e.Time, text}
}

// Exception is the first exception among the finding's evidence, nil when there
// is none. Evidence of an exception has the time of its raise.
func (f *Finding) Exception(t *timeline.Timeline) *timeline.Exception {
	for _, v := range f.Evidence {
		for _, p := range t.Procs {
			for _, e := range p.Raised {
				if v.Lens == "code" && v.Time == e.Time {
					return e
				}
			}
		}
	}
	return nil
}

func lineEvidence(l *timeline.Line) Evidence {
	stream := "stderr"
	if l.FD == 1 {
		stream = "stdout"
	}
	return Evidence{"kernel", l.Time, fmt.Sprintf("%s: %s", stream, quote(l.Text, 200))}
}

// placeOf is "file.py:12 in func" of an exception's raise.
func placeOf(e *timeline.Exception) string { return frameOf(e.Origin()) }

func frameOf(f timeline.Frame) string {
	if f.File == "" {
		return "an unknown place"
	}
	return fmt.Sprintf("%s:%d in %s", path.Base(f.File), f.Line, f.Func)
}

// exceptionFrom is the exception, tied to the end, that was made from a call.
func (c *Case) exceptionFrom(call *timeline.Call) (*timeline.Exception, bool) {
	var best *timeline.Exception
	for _, e := range call.Proc.Raised {
		if c.madeFrom(e) == call && (best == nil || e.Time < best.Time) {
			best = e
		}
	}
	return best, best != nil
}

// addException adds the exception that reported on the connection, and the way
// that it took up to the program's words.
func (c *Case) addException(f *Finding, conn *timeline.Conn) {
	var first *timeline.Exception
	for _, e := range c.tied() {
		if e.Proc == conn.Proc && networkish(e) && c.connOf(e) == conn && (first == nil || e.Time < first.Time) {
			first = e
		}
	}
	if first == nil {
		return
	}
	f.Where = where(first)
	for _, e := range chain(first) {
		f.Evidence = append(f.Evidence, exceptionEvidence(e))
	}
	slices.SortStableFunc(f.Evidence, func(x, y Evidence) int { return int(x.Time - y.Time) })
}

// maxChain bounds how often an exception is followed into the next one; a
// damaged recording may lead in a circle.
const maxChain = 32

// chain is an exception and what it was turned into, step by step.
func chain(e *timeline.Exception) []*timeline.Exception {
	out := []*timeline.Exception{e}
	for len(out) < maxChain {
		next := becomes(out[len(out)-1])
		if len(next) == 0 || slices.Contains(out, next[0]) {
			break
		}
		out = append(out, next[0])
	}
	return out
}

// where tells the way of an exception through the program: where it was raised,
// what it was turned into, where the cause got lost, who called.
func where(e *timeline.Exception) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s", placeOf(e), quote(e.String(), 120))
	last := e
	for _, n := range chain(e)[1:] {
		fmt.Fprintf(&s, ", re-raised as %s at %s", n.Name(), placeOf(n))
		if n.Cause == nil && n.Context == nil {
			s.WriteString(" (its cause is lost there)")
		}
		last = n
	}
	if last.Handled != nil {
		fmt.Fprintf(&s, "; caught at %s", frameOf(last.Handled.Frame))
	}
	if caller := own(last.Stack); caller.File != "" {
		fmt.Fprintf(&s, "; called from %s", frameOf(caller))
	}
	s.WriteByte('.')
	return s.String()
}

// own is the innermost frame, behind the origin, of the program's own code; of
// an installed package's when all the program is one.
func own(stack []timeline.Frame) timeline.Frame {
	stack = stack[min(1, len(stack)):]
	for _, foreign := range []func(string) bool{library, stdlib} {
		for _, f := range stack {
			if f.File != "" && !foreign(f.File) && !strings.HasPrefix(f.File, "/usr/bin/") {
				return f
			}
		}
	}
	return timeline.Frame{}
}

// stdlib tells the interpreter's own modules.
func stdlib(file string) bool { return library(file) && packageOf(file) == "" }

// count writes a number with commas: 12,444,474.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// quote shortens a text to one printable line of at most n bytes.
func quote(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f:
			return '.'
		}
		return r
	}, strings.ToValidUTF8(s, "."))
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "..."
	}
	return s
}
