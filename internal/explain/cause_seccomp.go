package explain

import (
	"fmt"
	"strconv"

	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// Of a call that a program's own filter answers with an error nothing is seen:
// the kernel obeys the strictest of all filters, and culprit's comes after it
// (seccomp(2), SECCOMP_RET_ERRNO before SECCOMP_RET_TRACE). What is left is the
// filter's installation and an error that no recorded call returned.
var seccompErrno = Cause{
	Names: []string{"seccomp-denied"},
	Doc:   "a call was refused by a seccomp filter that the program or one of its ancestors had installed: an exception tells an error that no recorded call returned",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, e := range c.tied() {
			n, err := strconv.Atoi(e.Attrs["errno"])
			errno := sysabi.Errno(n)
			if err != nil || len(e.Wraps) > 0 || errno.Name() != "EPERM" && errno.Name() != "EACCES" && errno.Name() != "ENOSYS" || c.madeFrom(e) != nil || c.execOf(e) != nil {
				continue
			}
			filter := filterOf(e.Proc)
			if filter == nil || filter.Leave() > e.Time {
				continue
			}
			f := c.exceptionFinding("seccomp-denied", e, c.final[e])
			f.Title = fmt.Sprintf("a seccomp filter forbids %s what it does at %s", e.Proc.Program(), placeOf(e))
			f.Why = fmt.Sprintf("%s had installed a filter of system calls; the call behind this exception was answered with %s (%s) by it, before anything else saw the call.",
				filter.Proc.Program(), errno.Name(), errno.Text())
			f.Facts = append([]Fact{{"errno", errno.Name()}, {"error", errno.Text()}}, f.Facts...)
			f.Evidence = append([]Evidence{callEvidence(filter)}, f.Evidence...)
			f.Next = []string{"allow the call in the filter (SystemCallFilter= of the unit, the container's seccomp profile, the program's own sandbox)"}
			out = append(out, f)
		}
		return out
	},
}

// Values of linux/prctl.h and linux/seccomp.h.
const (
	prSetSeccomp          = 22
	seccompSetModeFilter  = 1 // of seccomp(2)
	prSeccompModeIsFilter = 2 // of prctl(2)
)

// filterOf is the newest call that put a filter on a process, its own or one of
// an ancestor from before the process began.
func filterOf(p *timeline.Process) *timeline.Call {
	for q := p; q != nil; q = q.Parent {
		for i := len(q.Calls) - 1; i >= 0; i-- {
			call := q.Calls[i]
			if call.Raw.Ret != 0 || q != p && call.Enter > p.Start {
				continue
			}
			switch a := call.Raw.Args; call.Name() {
			case "prctl":
				if a[0] == prSetSeccomp && a[1] == prSeccompModeIsFilter {
					return call
				}
			case "seccomp":
				if a[0] == seccompSetModeFilter {
					return call
				}
			}
		}
	}
	return nil
}
