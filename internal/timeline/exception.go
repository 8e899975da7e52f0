package timeline

import (
	"strings"
	"time"

	"culprit/internal/event"
)

// Python is what the agent of one process said about its interpreter.
type Python struct {
	Version    string
	Executable string
	Argv       []string
	Hook       string // how exceptions are seen: "monitoring", "traceback-here", "settrace"
	Way        string // how the agent came in: "Py_RunMain", "fork", "the environment", "a system call"; "" in old cases
	Ended      bool   // the interpreter ended in order
	Code       int    // sys.exit status at that end
	Dropped    uint64 // records that did not fit
	Counted    []Counted
	Pauses     int           // times that exceptions were not looked at, in a storm of them
	Blind      time.Duration // how long that was in all
}

// Counted is a place that raised more exceptions than were recorded of it.
type Counted struct {
	Frame Frame
	Count int // that were seen there
}

// Frame is one Python frame.
type Frame struct {
	File   string
	Func   string
	First  int // first line of the function, decorators included
	Line   int
	Locals []Local // recorded when an exception left the frame
}

// Local is a local variable by its bounded, masked representation.
type Local struct {
	Name string
	Kind string // "arg", "local", ...
	Text string
}

// Exception is one exception object from its raise to its end.
type Exception struct {
	ID      int
	Proc    *Process
	TID     int32
	Time    event.Time // of the raise, or with Late of the first reference to it
	Late    bool
	Type    string // qualified, e.g. "urllib.error.URLError"
	MRO     []string
	Text    string  // str(exception), bounded
	Stack   []Frame // innermost first
	Attrs   map[string]string
	Cause   *Exception   // raise ... from
	Context *Exception   // being handled at the raise
	Wraps   []*Exception // exceptions that this one was made for, by any of the above
	Into    []*Exception // exceptions made for this one
	Handled *Handler     // the last except clause that took it, nil when none did
	Final   string       // how it ended: "excepthook", "thread", "logging", "unraisable", "exit", ""
	FinalAt event.Time
}

// Handler is an except clause that took an exception.
type Handler struct {
	Time event.Time
	Frame
}

// Name is the type's last component, e.g. "URLError".
func (e *Exception) Name() string { return e.Type[strings.LastIndexByte(e.Type, '.')+1:] }

// Is reports whether the exception's class or one of its bases has the given
// unqualified or qualified name.
func (e *Exception) Is(name string) bool {
	for _, m := range append([]string{e.Type}, e.MRO...) {
		if m == name || strings.HasSuffix(m, "."+name) {
			return true
		}
	}
	return false
}

// Origin is the frame that raised it; the zero Frame when no stack was kept.
func (e *Exception) Origin() Frame {
	if len(e.Stack) > 0 {
		return e.Stack[0]
	}
	return Frame{}
}

// String shows the exception as Python's traceback ends: type and text.
func (e *Exception) String() string {
	if e.Text == "" {
		return e.Name()
	}
	return e.Name() + ": " + e.Text
}

// Library tells code that came with the interpreter or a package from the
// program's own.
func Library(file string) bool {
	return strings.Contains(file, "/site-packages/") || strings.Contains(file, "/dist-packages/") ||
		strings.Contains(file, "/lib/python3") || strings.HasPrefix(file, "<frozen") || file == "<culprit>"
}

// Own is the innermost frame of the program's own code, the innermost of all when
// there is none; not ok without frames.
func Own(frames []Frame) (f Frame, ok bool) {
	for _, f := range frames {
		if !Library(f.File) {
			return f, true
		}
	}
	if len(frames) > 0 {
		return frames[0], true
	}
	return Frame{}, false
}
