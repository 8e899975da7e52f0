package explain

import (
	"fmt"
	"slices"

	"culprit/internal/compare"
	"culprit/internal/timeline"
)

const (
	wFirst   = 0.85 // the first point at which a lens saw the run part from one that worked
	wDiffers = 0.5  // the run that worked had something else there; it may have followed from the first
	asGood   = 0.3  // what is left of a trouble that the run which worked had as well
)

// Against diagnoses a run beside another one of the same command that worked. A
// trouble that both had is none; what only this one had weighs more, the first
// most.
func Against(t, good *timeline.Timeline) Result {
	d := compare.Runs(t, good)
	r := explainWith(t, d)
	r.Against = d
	if r.Verdict.Cause != "ok" {
		parted(&r.Verdict, d)
	}
	return r
}

// beside weighs a finding by what the other run had in its place.
func (c *Case) beside(f *Finding, d *compare.Diff) {
	var best Link
	shared := false
	for _, e := range f.Evidence {
		if had, ok := d.Differs(e.Lens, e.Time); ok {
			l := Link{"differs", "the run that worked: " + orNothing(had), wDiffers}
			if first := d.First(e.Lens); first != nil && first.Here.Time == e.Time {
				l = Link{"first difference", l.Text, wFirst}
			}
			if l.Weight > best.Weight {
				best = l
			}
		}
		shared = shared || d.Shared(e.Lens, e.Time)
	}
	switch {
	case best.Weight > 0:
		f.Links = append(f.Links, best)
	case shared:
		f.shared = true
		f.Why += " The run that worked had the same trouble."
	}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing of the kind"
	}
	return s
}

// maxInputs is how many different inputs a verdict names.
const maxInputs = 2

// parted tells, with a verdict, what the runs were given that was not the same;
// and where they parted when no cause is linked to the failure.
func parted(f *Finding, d *compare.Diff) {
	n := 0
	for _, x := range d.Inputs {
		if x.Kind == compare.KindDirectory || n == maxInputs || slices.Contains(f.Facts, Fact{"path", x.Name}) {
			continue
		}
		n++
		f.Why += fmt.Sprintf(" In the run that worked %s: %s; here: %s.", told(x), x.Good, x.Here)
		f.Facts = append(f.Facts, Fact{"other_" + x.Kind, x.Name})
	}
	if f.Cause != "unknown" {
		return
	}
	for _, v := range d.Divergences {
		if v.Here.Text != "" {
			f.Evidence = append(f.Evidence, Evidence{v.Lens, v.Here.Time, v.Here.Text + "; the run that worked: " + orNothing(v.Good.Text)})
		}
	}
	if d.Empty() {
		f.Why += " Nothing but noise is between it and the run that worked."
	}
}

// told names an input in a sentence.
func told(x compare.Input) string {
	switch x.Kind {
	case compare.KindEnvironment:
		return "the environment variable " + x.Name
	case compare.KindContent:
		return "the content of " + x.Name
	case compare.KindPlace:
		return "the directory that " + x.Name + " came from"
	case compare.KindVersion:
		return "the version of " + x.Name
	case compare.KindFile:
		return x.Name
	}
	return "the " + x.Name
}
