// Package explain walks backward from the visible symptom of a run to its root.
//
// Failing system calls, refused connections and raised exceptions are normal in
// a healthy program. A cause counts only when a chain of links ties it to the
// symptom; docs/diagnosis.md lists the kinds of links and their weights. With
// no chain the verdict is "unknown". The package reads a timeline and nothing
// else; it neither prints nor looks at this machine.
package explain

import (
	"cmp"
	"slices"

	"culprit/internal/compare"
	"culprit/internal/event"
	"culprit/internal/timeline"
)

// Side is where the root lies.
type Side string

// The sides of a verdict.
const (
	Server  Side = "server"
	Network Side = "network"
	Local   Side = "local"
	Client  Side = "client"
)

// Confidence grades a finding: certain (the chain is complete), likely (one
// link is inferred), possible (several are).
type Confidence string

// The grades.
const (
	Certain  Confidence = "certain"
	Likely   Confidence = "likely"
	Possible Confidence = "possible"
)

// Evidence is one thing that was seen.
type Evidence struct {
	Lens string // "wire", "kernel", "code"
	Time event.Time
	Text string
}

// Finding is one claim about the run.
type Finding struct {
	Cause      string
	Title      string // what happened, one line
	Why        string // how it came about, a few sentences
	Where      string // in the program
	Side       Side
	Confidence Confidence
	Facts      []Fact
	Evidence   []Evidence // in order of time
	Next       []string   // what to do
	Links      []Link     // the chain from the symptom to here

	Proc   *timeline.Process // in which it happened
	Conn   *timeline.Conn    // over which, nil when none
	weight float64
	shared bool // a run that worked had the same trouble
}

// Fact is one named value of a finding, in the order in which it is told.
type Fact struct {
	Name  string
	Value any
}

// Link ties a finding to the symptom.
type Link struct {
	Kind   string  // a row of the table in docs/diagnosis.md
	Text   string  // what was matched
	Weight float64 // 0..1
}

// Cause is one rule: it looks for its own kind of trouble and says how each
// instance is linked to the symptom.
type Cause struct {
	Names []string // of the closed list that it may give
	Doc   string   // when it applies, for docs and `culprit causes`
	Find  func(*Case) []Finding
}

// Causes lists the rules. The order does not matter: weight decides.
var Causes = []Cause{
	httpStatus,
	httpTruncated,
	httpContent,
	connectError,
	transferError,
	dnsFailure,
	tlsFailure,
	fileError,
	commandMissing,
	loaderError,
	pythonModule,
	encodingError,
	envMissing,
	pythonUncaught,
	traceback,
	pythonSwallowed,
	crash,
	hang,
	bindError,
	lockError,
	limits,
	limitSignals,
	redirectLoop,
	plainToTLS,
	serviceRefusal,
	sshRefusal,
	configInvalid,
	pythonSyntax,
	badArguments,
	timeLimit,
	runtimeDeadlock,
	exposed,
	seccompErrno,
	pipeGone,
	wrongPage,
}

// Result is the diagnosis of one run.
type Result struct {
	Case     *Case
	Verdict  Finding
	Findings []Finding     // the other candidates, best first
	Against  *compare.Diff // nil: no other run was compared
}

// Explain diagnoses a run, or a capture.
func Explain(t *timeline.Timeline) Result {
	if t.Capture != nil {
		return capture(t)
	}
	return explainWith(t, nil)
}

// explainWith diagnoses a run, beside what differs from another one if d is not
// nil.
func explainWith(t *timeline.Timeline, d *compare.Diff) Result {
	c := newCase(t)
	if c.succeeded() {
		return Result{Case: c, Verdict: okVerdict(c)}
	}
	causes := Causes
	if c.detached() { // nothing has failed
		causes = []Cause{hang}
	}
	var all []Finding
	for _, cause := range causes {
		for _, f := range cause.Find(c) {
			c.surroundings(&f)
			if d != nil {
				c.beside(&f, d)
			}
			c.judge(&f)
			all = append(all, f)
		}
	}
	if c.interrupted() && slices.ContainsFunc(all, func(f Finding) bool { return slices.Contains(hang.Names, f.Cause) && f.weight >= threshold }) {
		all = slices.DeleteFunc(all, ofInterrupt)
	}
	slices.SortStableFunc(all, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(y.weight, x.weight), cmp.Compare(depth(y.Cause), depth(x.Cause)), cmp.Compare(last(y), last(x)))
	})
	all = merge(all)
	for i := range all {
		carried(&all[i])
	}
	if len(all) == 0 || all[0].weight < threshold {
		if c.detached() {
			return Result{Case: c, Verdict: runningVerdict(c, all), Findings: all}
		}
		return Result{Case: c, Verdict: unknownVerdict(c, all), Findings: all}
	}
	return Result{Case: c, Verdict: all[0], Findings: all[1:]}
}

// last is the time of a finding's newest evidence.
func last(f Finding) event.Time {
	var t event.Time
	for _, e := range f.Evidence {
		t = max(t, e.Time)
	}
	return t
}
