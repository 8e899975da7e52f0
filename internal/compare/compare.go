// Package compare finds where two runs of the same command part: one that
// failed and one that worked.
//
// Two runs are never equal. Process numbers, times, addresses, ephemeral ports,
// random names and the number of repetitions differ between runs that do the
// same; they are noise. What remains is told per lens, first things first. The
// package judges nothing: what a difference means for the diagnosis is
// explain's job.
package compare

import (
	"cmp"
	"slices"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

// Diff is how a run differs from another one of the same command.
type Diff struct {
	Inputs      []Input        // what the runs were given and what they found
	Divergences []Divergence   // by lens (kernel, code, wire), in each in order of time
	More        map[string]int // by lens: divergences after those that are listed
	Compared    Compared

	shared map[moment]bool
	differ map[moment]string
}

// Compared says how much could be set side by side.
type Compared struct {
	Processes int // pairs
	Calls     int // of this run, in those pairs, noise left out
	Alone     int // processes of either run without a counterpart
}

// Input is something from outside that the runs don't have in common.
type Input struct {
	Kind string     // see the Kind constants
	Name string     // a path, a variable, a module, a question
	Here string     // what this run had
	Good string     // what the other one had
	Time event.Time // in this run, 0 when it has none
	Lens string
}

// Kinds of inputs.
const (
	KindCommand     = "command"
	KindDirectory   = "directory"
	KindUser        = "user"
	KindEnvironment = "environment"
	KindFile        = "file"    // there it was found
	KindContent     = "content" // the same file held something else
	KindPlace       = "place"   // the same name came from another directory
	KindVersion     = "version"
)

// Divergence is a point at which one lens saw the runs differ.
type Divergence struct {
	Lens    string
	Process string // in which it happened
	Here    Seen   // in this run; without text when it did nothing of the kind
	Good    Seen   // in the other one
	Trouble bool   // something failed in one run alone, or the same thing came out differently
}

// Seen is what one run did.
type Seen struct {
	Time event.Time // in its own run
	Text string
}

// moment identifies what a finding's evidence speaks of.
type moment struct {
	lens string
	at   event.Time
}

// maxShown is how many divergences of a lens are kept. What comes after the
// first few follows from them.
const maxShown = 8

// Runs compares a run with one that worked.
func Runs(run, good *timeline.Timeline) *Diff {
	d := &Diff{More: map[string]int{}, shared: map[moment]bool{}, differ: map[moment]string{}}
	a, b := newSide(run), newSide(good)
	d.inputs(a, b)
	var kernel, code []Divergence
	for _, p := range d.pairs(a, b) {
		kernel = append(kernel, d.calls(a, b, p)...)
		code = append(code, d.exceptions(a, b, p)...)
	}
	d.keep(kernel)
	d.keep(code)
	d.keep(d.wire(a, b))
	return d
}

// Empty reports whether nothing but noise is between the runs.
func (d *Diff) Empty() bool { return len(d.Inputs) == 0 && len(d.Divergences) == 0 }

// First is the first divergence that a lens saw, nil when it saw none.
func (d *Diff) First(lens string) *Divergence {
	for i := range d.Divergences {
		if d.Divergences[i].Lens == lens {
			return &d.Divergences[i]
		}
	}
	return nil
}

// Shared reports whether the other run had the same trouble: what this run's
// lens saw at a moment.
func (d *Diff) Shared(lens string, at event.Time) bool { return d.shared[moment{lens, at}] }

// Differs returns what the other run had instead of what this run's lens saw at
// a moment, and whether the runs differ in it.
func (d *Diff) Differs(lens string, at event.Time) (string, bool) {
	text, ok := d.differ[moment{lens, at}]
	return text, ok
}

// keep takes the divergences of one lens. Those in which the same thing came
// out differently, or in which something failed, tell more than a step that
// only one of the runs made: a step alone is told only when there is nothing
// else.
func (d *Diff) keep(all []Divergence) {
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(x, y Divergence) int { return cmp.Compare(x.Here.Time, y.Here.Time) })
	telling := slices.DeleteFunc(slices.Clone(all), func(x Divergence) bool { return !x.Trouble })
	if len(telling) == 0 {
		telling = all
	}
	for _, x := range telling[:min(len(telling), maxShown)] {
		d.Divergences = append(d.Divergences, x)
		if x.Trouble {
			d.mark(x.Lens, x.Here.Time, x.Good.Text)
		}
	}
	d.More[all[0].Lens] = len(all) - min(len(telling), maxShown)
}

func (d *Diff) mark(lens string, at event.Time, good string) {
	if at != 0 {
		d.differ[moment{lens, at}] = good
	}
}
