package explain

import (
	"fmt"
	"strings"

	"culprit/internal/timeline"
)

// What Python writes of an uncaught exception (the traceback module).
var (
	tracebackFrame = pattern(`^  File "([^"]+)", line (\d+), in (.*)`)
	tracebackEnd   = pattern(`^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|[A-Z]\w*))(?:: (.*))?$`)
	noModule       = pattern(`^No module named '([^']+)'`)
)

var traceback = Cause{
	Names: []string{"python-exception", "python-module-missing"},
	Doc:   "the program wrote a Python traceback; for processes without the agent, where the code lens saw nothing",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			if p.Python != nil || !failed(p) {
				continue
			}
			if f, ok := c.tracebackOf(p); ok {
				out = append(out, f)
			}
		}
		return out
	},
}

// tracebackOf reads the last traceback that a process wrote to its standard
// error.
func (c *Case) tracebackOf(p *timeline.Process) (Finding, bool) {
	var at, end *timeline.Line
	var frame []string
	inside := false
	for _, l := range c.lines[p] {
		if l.FD != 2 {
			continue
		}
		switch m := tracebackFrame().FindStringSubmatch(l.Text); {
		case strings.HasPrefix(l.Text, "Traceback (most recent call last):"):
			inside, frame = true, nil
		case inside && m != nil:
			frame, at = m, l
		case inside && !strings.HasPrefix(l.Text, " ") && tracebackEnd().MatchString(l.Text):
			inside, end = false, l
		}
	}
	if end == nil || frame == nil {
		return Finding{}, false
	}
	m := tracebackEnd().FindStringSubmatch(end.Text)
	kind, text := m[1], m[2]
	f := Finding{
		Cause: "python-exception", Side: Local, Proc: p,
		Title:    fmt.Sprintf("%s:%s in %s raised %s", frame[1], frame[2], frame[3], quote(end.Text, 200)),
		Why:      fmt.Sprintf("%s wrote a traceback and ended. The code lens was not in it: its variables are not known.", p.Program()),
		Facts:    []Fact{{"type", kind}, {"text", text}, {"file", frame[1]}, {"line", frame[2]}, {"function", frame[3]}},
		Links:    []Link{{"error text", end.Text, wTraceback}},
		Evidence: []Evidence{lineEvidence(at), lineEvidence(end)},
		Next:     []string{"run it again without --no-inject: then the frames and their variables are recorded"},
	}
	if name := noModule().FindStringSubmatch(text); name != nil && strings.HasSuffix(kind, "ModuleNotFoundError") {
		f.Cause = "python-module-missing"
		f.Title = fmt.Sprintf("the Python module %s is not installed for %s", name[1], p.Exe)
		f.Facts = append(f.Facts, Fact{"module", name[1]}, Fact{"python", p.Exe})
		f.Next = []string{fmt.Sprintf("install it for this interpreter: `%s -m pip install %s`", p.Exe, topModule(name[1]))}
	}
	return f, true
}
