package rows

import (
	"strconv"

	"culprit/internal/filter"
	"culprit/internal/timeline"
)

var pythonFields = []Field{
	protocol("py", Linked, "a Python exception", func(r *Row) bool { return r.Exception != nil }),
	called("py.call.file", "files of the Python code that made the call, innermost first", filter.String, func(f timeline.Frame) filter.Value { return filter.S(f.File) }),
	called("py.call.function", "its functions", filter.String, func(f timeline.Frame) filter.Value { return filter.S(f.Func) }),
	called("py.call.line", "its lines", filter.Int, func(f timeline.Frame) filter.Value { return filter.I(int64(f.Line)) }),
	mark("py.caught", Linked, "an except clause took it", func(r *Row) bool { return r.Exception != nil && r.Exception.Handled != nil }),
	text("py.caught.file", Linked, "file of the clause that took it last", handler(func(h *timeline.Handler) string { return h.File })),
	text("py.caught.function", Linked, "its function", handler(func(h *timeline.Handler) string { return h.Func })),
	signed("py.caught.line", filter.Int, Linked, "its line", func(r *Row) (int64, bool) {
		if r.Exception == nil || r.Exception.Handled == nil {
			return 0, false
		}
		return int64(r.Exception.Handled.Line), true
	}),
	text("py.cause", Linked, "class of the exception that it was raised from", exception(func(e *timeline.Exception) string { return nameOf(e.Cause) })),
	text("py.context", Linked, "class of the exception that was being handled when it was raised", exception(func(e *timeline.Exception) string { return nameOf(e.Context) })),
	signed("py.errno", filter.Int, Linked, "its attribute errno", func(r *Row) (int64, bool) {
		if r.Exception == nil {
			return 0, false
		}
		n, err := strconv.ParseInt(r.Exception.Attrs["errno"], 10, 32)
		return n, err == nil
	}),
	text("py.exception", Linked, "its class, without the module", exception((*timeline.Exception).Name)),
	field("py.exception.base", filter.String, Linked, "its class and the bases of it, with their modules", func(r *Row, to []filter.Value) []filter.Value {
		if e := r.Exception; e != nil {
			to = append(to, filter.S(e.Type))
			for _, m := range e.MRO {
				if m != e.Type {
					to = append(to, filter.S(m))
				}
			}
		}
		return to
	}),
	text("py.exception.type", Linked, "its class with the module", exception(func(e *timeline.Exception) string { return e.Type })),
	text("py.file", Linked, "file that raised it", exception(func(e *timeline.Exception) string { return e.Origin().File })),
	text("py.final", Linked, "how it ended when nothing caught it: excepthook, thread, logging, unraisable or exit", exception(func(e *timeline.Exception) string { return e.Final })),
	frames("py.frame.file", "files of the frames that it went through", func(f *timeline.Frame, to []filter.Value) []filter.Value { return append(to, filter.S(f.File)) }),
	frames("py.frame.function", "functions of these frames", func(f *timeline.Frame, to []filter.Value) []filter.Value { return append(to, filter.S(f.Func)) }),
	text("py.function", Linked, "function that raised it", exception(func(e *timeline.Exception) string { return e.Origin().Func })),
	signed("py.line", filter.Int, Linked, "line that raised it", func(r *Row) (int64, bool) {
		if r.Exception == nil {
			return 0, false
		}
		n := r.Exception.Origin().Line
		return int64(n), n != 0
	}),
	frames("py.local", "variables of the frames, as name=value", func(f *timeline.Frame, to []filter.Value) []filter.Value {
		for _, l := range f.Locals {
			to = append(to, filter.S(l.Name+"="+l.Text))
		}
		return to
	}),
	text("py.message", Linked, "its text", exception(func(e *timeline.Exception) string { return e.Text })),
	mark("py.swallowed", Linked, "it was caught, and no other exception was made of it", func(r *Row) bool {
		e := r.Exception
		return e != nil && e.Handled != nil && e.Final == "" && len(e.Into) == 0
	}),
}

func exception(get func(*timeline.Exception) string) func(*Row) string {
	return func(r *Row) string {
		if r.Exception == nil {
			return ""
		}
		return get(r.Exception)
	}
}

func handler(get func(*timeline.Handler) string) func(*Row) string {
	return func(r *Row) string {
		if r.Exception == nil || r.Exception.Handled == nil {
			return ""
		}
		return get(r.Exception.Handled)
	}
}

// called is a field with a value for each frame of the Python code that made a
// call.
func called(name, doc string, t filter.Type, get func(timeline.Frame) filter.Value) Field {
	return field(name, t, Kernel, doc, func(r *Row, to []filter.Value) []filter.Value {
		for _, f := range r.stack() {
			to = append(to, get(f))
		}
		return to
	})
}

// frames is a field with values in each frame, innermost first.
func frames(name, doc string, get func(*timeline.Frame, []filter.Value) []filter.Value) Field {
	return field(name, filter.String, Linked, doc, func(r *Row, to []filter.Value) []filter.Value {
		if r.Exception != nil {
			for i := range r.Exception.Stack {
				to = get(&r.Exception.Stack[i], to)
			}
		}
		return to
	})
}

func nameOf(e *timeline.Exception) string {
	if e == nil {
		return ""
	}
	return e.Name()
}
