package report

import (
	"fmt"

	"culprit/internal/compare"
	"culprit/internal/explain"
)

// Against is how the run differs from one that worked.
type Against struct {
	Case        string         `json:"case,omitempty"` // of the run that worked
	Inputs      []Input        `json:"inputs"`
	Divergences []Divergence   `json:"divergences"`
	More        map[string]int `json:"more,omitempty"` // by lens: further divergences
	Processes   int            `json:"processes"`      // pairs that were compared
	Calls       int            `json:"calls"`
	Alone       int            `json:"processes_alone"` // without a counterpart
}

// Input is something that the runs were given, or found, that is not the same.
type Input struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Here string `json:"here"`
	Good string `json:"good"`
}

// Divergence is a point at which a lens saw the runs part. Times are seconds
// from the start of each run.
type Divergence struct {
	Lens    string  `json:"lens"`
	Process string  `json:"process"`
	Time    float64 `json:"time,omitempty"`
	Here    string  `json:"here,omitempty"`
	Good    string  `json:"good,omitempty"`
	Trouble bool    `json:"trouble"` // it failed in one run alone, or came out differently
}

func against(r explain.Result) *Against {
	d := r.Against
	if d == nil {
		return nil
	}
	out := &Against{Inputs: []Input{}, Divergences: []Divergence{}, Processes: d.Compared.Processes, Calls: d.Compared.Calls, Alone: d.Compared.Alone}
	for _, x := range d.Inputs {
		out.Inputs = append(out.Inputs, Input{x.Kind, x.Name, x.Here, x.Good})
	}
	for _, v := range d.Divergences {
		x := Divergence{Lens: v.Lens, Process: v.Process, Here: v.Here.Text, Good: v.Good.Text, Trouble: v.Trouble}
		if v.Here.Time != 0 {
			x.Time = seconds(r.Case.T, v.Here.Time)
		}
		out.Divergences = append(out.Divergences, x)
	}
	for lens, n := range d.More {
		if n > 0 {
			if out.More == nil {
				out.More = map[string]int{}
			}
			out.More[lens] = n
		}
	}
	return out
}

// shownInputs and shownDivergences are how many of them people are shown: of
// each lens the first point is what counts.
const (
	shownInputs      = 6
	shownDivergences = 3
)

// parting is one line of the comparison: a label and what to say.
type parting struct{ Label, Text string }

// Lines tells the comparison in order: what the runs were given, then where each
// lens saw them part.
func (a *Against) Lines() []parting {
	var out []parting
	for i, x := range a.Inputs {
		if i == shownInputs {
			out = append(out, parting{"input", fmt.Sprintf("and %d more", len(a.Inputs)-i)})
			break
		}
		name := x.Kind + " " + x.Name
		if x.Kind == compare.KindUser || x.Kind == compare.KindDirectory || x.Kind == compare.KindCommand {
			name = x.Name
		}
		out = append(out, parting{"input", fmt.Sprintf("%s: %s. The run that worked: %s", name, x.Here, x.Good)})
	}
	count := map[string]int{}
	for _, v := range a.Divergences {
		if count[v.Lens]++; count[v.Lens] > shownDivergences {
			continue
		}
		here, good := v.Here, v.Good
		switch {
		case here == "":
			here = v.Process + " did nothing of the kind"
		default:
			here = fmt.Sprintf("+%.3f %s", v.Time, here)
		}
		if good == "" {
			good = "nothing of the kind"
		}
		out = append(out, parting{v.Lens, fmt.Sprintf("%s. The run that worked: %s", here, good)})
	}
	if len(a.Inputs)+len(a.Divergences) == 0 {
		out = append(out, parting{"same", "nothing but noise is between the runs"})
	}
	return out
}
