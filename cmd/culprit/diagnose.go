package main

import (
	"fmt"
	"io"
	"os"

	"culprit/internal/casefile"
	"culprit/internal/explain"
	"culprit/internal/report"
	"culprit/internal/timeline"
	"culprit/internal/wireshark"
)

// diagnosis is an opened case with what was worked out from it.
type diagnosis struct {
	c      *casefile.Case
	t      *timeline.Timeline
	result explain.Result
}

// openTimeline opens a case and works out its timeline. What is lacking goes to
// standard error.
func openTimeline(path string) (*casefile.Case, *timeline.Timeline, error) {
	c, err := casefile.Open(path)
	if err != nil {
		return nil, nil, err
	}
	t, err := timeline.Build(c.Events())
	for _, l := range c.Lacks() {
		fmt.Fprintf(os.Stderr, "culprit: %s: %s\n", path, l)
	}
	if err != nil {
		return c, nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, t, nil
}

// whole is the exit of a command that has shown a case: status 1, and nothing
// more to say, when the case lacks something.
func whole(c *casefile.Case) error {
	if len(c.Lacks()) > 0 {
		return &exitError{code: 1}
	}
	return nil
}

func diagnose(path string) (*diagnosis, error) {
	c, t, err := openTimeline(path)
	if err != nil {
		return nil, err
	}
	return &diagnosis{c, t, explain.Explain(t)}, nil
}

func (d *diagnosis) save(out string) error {
	return casefile.Finish(d.c.Path(), out, wireshark.Layout(d.t, d.result.Verdict, version))
}

func (d *diagnosis) json(path string) report.JSON { return report.New(d.result, path) }

func (d *diagnosis) text(w *os.File, color colorMode, path string, full bool) error {
	return report.Text(io.Writer(w), d.result, report.TextOptions{
		Color: color.on(w), Width: width(w), Case: path, Full: full,
	})
}
