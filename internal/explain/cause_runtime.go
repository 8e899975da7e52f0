package explain

import (
	"fmt"
	"strings"
	"time"

	"culprit/internal/timeline"
)

// deadlocks are the words by which a language's runtime ends a program, or says
// of it, that its threads wait for each other.
var deadlocks = []struct{ words, runtime string }{
	{"all goroutines are asleep - deadlock!", "Go"},
	{"No live threads left. Deadlock?", "Ruby"},
	{"Found one Java-level deadlock", "Java"},
	{"thread blocked indefinitely in an MVar operation", "Haskell"},
}

var runtimeDeadlock = Cause{
	Names: []string{"deadlock"},
	Doc:   "the runtime of the program's language found that all its threads wait for each other, and ended it",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			if !failed(p) {
				continue
			}
			for _, l := range c.lines[p] {
				for _, d := range deadlocks {
					if strings.Contains(l.Text, d.words) && c.end(p)-l.Time < timeSoon {
						out = append(out, Finding{Cause: "deadlock", Side: Local, Proc: p, Links: []Link{c.linkTold(l, wSaid)},
							Title:    fmt.Sprintf("all threads of %s wait for each other, its runtime found", p.Name()),
							Why:      fmt.Sprintf("%s said %q and ended: nothing was left in the program that could wake any of its threads.", d.runtime, quote(l.Text, 120)),
							Facts:    []Fact{{"runtime", d.runtime}, {"program", p.Program()}, {"pid", p.PID}},
							Evidence: append([]Evidence{lineEvidence(l)}, c.standing(l)...),
							Next:     []string{"the lines after that message say where each thread waits: look for two that take the same locks in opposite order, or a channel that nobody serves"}})
						break
					}
				}
			}
		}
		return out
	},
}

// timeSoon is how long a runtime takes at most to tell what it found.
const timeSoon = 5e9

// standing are the first lines behind a runtime's words that name a place in a
// source.
func (c *Case) standing(after *timeline.Line) []Evidence {
	var out []Evidence
	for _, l := range c.lines[after.Proc] {
		if l.Time >= after.Time && time.Duration(l.Time-after.Time) < time.Second && placeInSource().MatchString(l.Text) && len(out) < 4 {
			out = append(out, lineEvidence(l))
		}
	}
	return out
}

var placeInSource = pattern(`[\w/.-]+\.(go|rb|java|hs):\d+`)
