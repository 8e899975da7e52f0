package explain

import (
	"fmt"

	"culprit/internal/timeline"
)

var pipeGone = Cause{
	Names: []string{"broken-pipe"},
	Doc:   "a program that ignores SIGPIPE wrote to a pipe that nobody reads any more, and failed for it",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			if !failed(p) || p.Status&0x7f != 0 {
				continue
			}
			call := brokenWrite(p)
			if call == nil {
				continue
			}
			reader := c.readerOf(call)
			if reader == nil || failed(reader) {
				continue // then the reader's failure is the reason
			}
			links := append(c.linkCall(call), c.linkLast(p, call.Leave(), wLast, 0, "the last trouble of the process before its end")...)
			f := Finding{Cause: "broken-pipe", Side: Local, Proc: p, Links: links, Evidence: []Evidence{callEvidence(call)},
				Title: fmt.Sprintf("%s wrote to a pipe that %s no longer reads", p.Program(), reader.Name()),
				Why:   fmt.Sprintf("%s (pid %d) had what it wanted and ended; %s was still writing, got EPIPE, and counted that as a failure.", reader.Name(), reader.PID, p.Program()),
				Facts: []Fact{{"errno", "EPIPE"}, {"reader", fmt.Sprintf("%s (pid %d)", reader.Name(), reader.PID)}, {"program", p.Program()}},
				Next:  []string{"if the reader is meant to stop early (head, grep -q), let the writer end in peace on EPIPE; without `set -o pipefail` its status does not count"}}
			if x, ok := c.exceptionFrom(call); ok {
				f.Evidence = append(f.Evidence, exceptionEvidence(x))
				f.Where = where(x)
			}
			out = append(out, f)
		}
		return out
	},
}

// brokenWrite is the newest write of a process to a pipe without a reader.
func brokenWrite(p *timeline.Process) *timeline.Call {
	for i := len(p.Calls) - 1; i >= 0; i-- {
		if call := p.Calls[i]; call.Errno().Name() == "EPIPE" && call.Desc != nil && call.Desc.Kind == timeline.DescPipe {
			return call
		}
	}
	return nil
}
