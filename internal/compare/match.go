package compare

import (
	"slices"
	"strings"

	"culprit/internal/timeline"
)

// pair is a process of this run and its counterpart in the other.
type pair struct{ here, good *timeline.Process }

// pairs matches the processes of both runs, from the roots down: children that
// ran the same command, in order; then those that ran the same program; then
// those that ran nothing of their own.
func (d *Diff) pairs(a, b *side) []pair {
	var out []pair
	todo := a.match(a.roots(), b, b.roots())
	if a.t.Root != nil && b.t.Root != nil && (len(todo) == 0 || todo[0].here != a.t.Root) {
		todo = append([]pair{{a.t.Root, b.t.Root}}, todo...) // another command: that is told as an input
	}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		out = append(out, p)
		todo = append(todo, a.match(p.here.Kids, b, p.good.Kids)...)
	}
	d.Compared.Processes = len(out)
	d.Compared.Alone = len(a.t.Procs) + len(b.t.Procs) - 2*len(out)
	return out
}

// roots lists the processes without a parent.
func (s *side) roots() []*timeline.Process {
	return slices.DeleteFunc(slices.Clone(s.t.Procs), func(p *timeline.Process) bool { return p.Parent != nil })
}

func (s *side) match(here []*timeline.Process, other *side, good []*timeline.Process) []pair {
	var out []pair
	taken := map[*timeline.Process]bool{}
	for _, key := range []func(*side, *timeline.Process) string{(*side).command, (*side).program} {
		waiting := map[string][]*timeline.Process{}
		for _, p := range good {
			if !taken[p] {
				k := key(other, p)
				waiting[k] = append(waiting[k], p)
			}
		}
		for _, p := range here {
			k := key(s, p)
			if w := waiting[k]; !taken[p] && len(w) > 0 {
				out = append(out, pair{p, w[0]})
				waiting[k] = w[1:]
				taken[p], taken[w[0]] = true, true
			}
		}
	}
	slices.SortStableFunc(out, func(x, y pair) int { return int(x.here.Start - y.here.Start) })
	return out
}

// command is what a process ran, with its arguments; the same for all that only
// forked.
func (s *side) command(p *timeline.Process) string {
	if len(p.Execs) == 0 {
		return ""
	}
	words := make([]string, len(p.Argv))
	for i, w := range p.Argv {
		words[i] = s.name(w)
	}
	return s.name(p.Exe) + "\x00" + strings.Join(words, "\x00")
}

// program is what a process ran, "" when it only forked.
func (s *side) program(p *timeline.Process) string {
	if len(p.Execs) == 0 {
		return ""
	}
	return p.Program()
}
