// Package show writes rows: as lines, as columns, as JSON, and what can be
// counted of them, as tables in the manner of strace -c and tshark -z.
//
// Which rows, it does not decide: they come as an iterator, filtered.
package show

import (
	"bufio"
	"fmt"
	"iter"

	"culprit/internal/rows"
	"culprit/internal/timeline"
)

// Rows are rows one after the other, each valid until the next.
type Rows = iter.Seq[*rows.Row]

// TextOptions say how Text writes.
type TextOptions struct {
	rows.TextOptions
	Frames bool // below an exception its frames, innermost first, and their variables
}

// Text writes a line for each row: time, lens, thread, what happened.
func Text(w *bufio.Writer, list Rows, o TextOptions) error {
	var b []byte
	for r := range list {
		b = r.AppendLine(b[:0], o.TextOptions)
		if o.Frames && r.Exception != nil {
			b = appendFrames(b, r.Exception)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func appendFrames(b []byte, e *timeline.Exception) []byte {
	for _, f := range e.Stack {
		b = fmt.Appendf(b, "%24s %s:%d in %s\n", "", rows.AppendClean(nil, f.File), f.Line, rows.AppendClean(nil, f.Func))
		for _, l := range f.Locals {
			b = fmt.Appendf(b, "%28s %s = %s\n", "", rows.AppendClean(nil, l.Name), rows.AppendClean(nil, l.Text))
		}
	}
	return b
}
