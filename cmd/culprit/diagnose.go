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

// diagnosis is an opened case or capture with what was worked out from it.
type diagnosis struct {
	c      source
	t      *timeline.Timeline
	result explain.Result
}

// openTimeline opens a case, or a capture with its key logs, and works out its
// timeline. What is lacking goes to standard error.
func openTimeline(path string, keyLogs ...string) (source, *timeline.Timeline, error) {
	c, err := casefile.Open(path)
	s := source{Case: c}
	var t *timeline.Timeline
	switch {
	case notACase(err):
		var e error
		if s, t, e = captureTimeline(path, keyLogs); e != nil {
			return source{}, nil, either(err, e)
		}
	case err != nil:
		return source{}, nil, err
	default:
		t, err = timeline.Build(c.Events())
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, l := range s.Lacks() {
		fmt.Fprintf(os.Stderr, "culprit: %s: %s\n", path, l)
	}
	if t == nil {
		return s, nil, err
	}
	return s, t, nil
}

// whole is the exit of a command that has shown a case: status 1, and nothing
// more to say, when the case lacks something.
func whole(s source) error {
	if len(s.Lacks()) > 0 {
		return &exitError{code: 1}
	}
	return nil
}

func diagnose(path string, keyLogs ...string) (*diagnosis, error) {
	c, t, err := openTimeline(path, keyLogs...)
	if err != nil {
		return nil, err
	}
	return &diagnosis{c, t, explain.Explain(t)}, nil
}

// diagnoseAgainst is diagnose beside the case of a run that worked; good may be
// empty.
func diagnoseAgainst(path, good string, keyLogs ...string) (*diagnosis, error) {
	if good == "" {
		return diagnose(path, keyLogs...)
	}
	c, t, err := openTimeline(path, keyLogs...)
	if err != nil {
		return nil, err
	}
	other, worked, err := openTimeline(good)
	if err != nil {
		c.Close()
		return nil, err
	}
	defer other.Close()
	switch {
	case t.Capture != nil || worked.Capture != nil:
		c.Close()
		return nil, usagef("--against compares two cases; a capture has no program in it")
	case worked.End == nil || worked.End.Timeout || worked.End.Status != 0:
		fmt.Fprintf(os.Stderr, "culprit: %s is not the case of a run that worked: what it shares with %s may be the trouble all the same\n", good, path)
	}
	return &diagnosis{c, t, explain.Against(t, worked)}, nil
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
