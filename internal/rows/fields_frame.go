package rows

import (
	"strings"

	"culprit/internal/filter"
	"culprit/internal/timeline"
)

var frameFields = []Field{
	mark("frame.failed", Linked, "the row is about a failure, as --failed shows them", (*Row).Failed),
	words(text("frame.kind", Linked, "what the row is, as \"kind\" in JSON", func(r *Row) string { return r.Kind.String() }), kindNames),
	words(text("frame.lens", Linked, "lens that saw it", func(r *Row) string { return r.Kind.Lens() }), fixed("kernel", "code", "wire")),
	number("frame.number", Linked, "number of the row in the whole list, from 1", func(r *Row) (uint64, bool) { return uint64(r.Number), true }),
	signed("frame.time", filter.Time, Envelope, "date and time", func(r *Row) (int64, bool) {
		return r.run.Wall + int64(r.Time-r.run.Start), true
	}),
	signed("frame.time_relative", filter.Duration, Envelope, "time from the start of the run", func(r *Row) (int64, bool) {
		return int64(r.Time - r.run.Start), true
	}),
}

func kindNames() []string {
	var list []string
	for _, k := range kinds {
		list = append(list, k.name)
	}
	return list
}

var processFields = []Field{
	text("process.cmdline", Linked, "the process's arguments with blanks between", func(r *Row) string { return strings.Join(r.proc().Argv, " ") }),
	text("process.exe", Linked, "path of its executable", func(r *Row) string { return r.proc().Exe }),
	text("process.name", Linked, "base name of its argument 0", func(r *Row) string { return r.proc().Name() }),
	signed("process.parent", filter.Int, Linked, "process id of its parent within the run", func(r *Row) (int64, bool) {
		if r.proc().Parent == nil {
			return 0, false
		}
		return int64(r.proc().Parent.PID), true
	}),
	signed("process.pid", filter.Int, Envelope, "process id", func(r *Row) (int64, bool) { return int64(r.PID), true }),
	text("process.script", Linked, "path of the script that an interpreter runs", func(r *Row) string { return r.proc().Script() }),
	signed("process.tid", filter.Int, Envelope, "thread id", func(r *Row) (int64, bool) { return int64(r.TID), true }),
}

var nobody timeline.Process

// proc is the row's process, an empty one where there is none.
func (r *Row) proc() *timeline.Process {
	if r.Proc == nil {
		return &nobody
	}
	return r.Proc
}
