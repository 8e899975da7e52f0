package timeline

import (
	"fmt"
	"strings"

	"culprit/internal/event"
	"culprit/internal/native"
)

// Native is where a thread stood in native code, innermost frame first.
type Native struct {
	Time   event.Time
	TID    int32
	Signo  int // the signal that was about to end the process, 0 when there was none
	Frames []NativeFrame
	More   bool    // there were more frames
	Python []Frame // what an interpreter ran there, nil when not known
}

// NativeFrame is one function on a native stack.
type NativeFrame struct {
	event.NativeFrame
	Function string // Symbol as a programmer writes it, without parameters
}

// Natives makes the stack of an event; python are its interpreter's frames.
func Natives(e *event.Event, n *event.Native, python []Frame) *Native {
	s := &Native{Time: e.Time, TID: e.TID, Signo: int(n.Signo), More: n.More, Python: python, Frames: make([]NativeFrame, 0, len(n.Frames))}
	for _, f := range n.Frames {
		s.Frames = append(s.Frames, NativeFrame{f, native.Short(f.Symbol)})
	}
	return s
}

// String is the function with the base name of its file, or the address in it.
func (f *NativeFrame) String() string {
	switch {
	case f.Object == "" && f.Function == "":
		return fmt.Sprintf("%#x", f.Addr)
	case f.Function == "":
		return fmt.Sprintf("%s+%#x", base(f.Object), f.Addr)
	}
	return fmt.Sprintf("%s+%#x (%s)", f.Function, f.Offset, base(f.Object))
}

// String is the whole stack, with the line of Python that it belongs to.
func (n *Native) String() string {
	s := Trail(n.Frames, n.More)
	if f, ok := Own(n.Python); ok {
		s += fmt.Sprintf(", at %s:%d in %s", f.File, f.Line, f.Func)
	}
	return s
}

// Trail writes frames from the innermost on, each with its caller behind it;
// more says that there are others.
func Trail(frames []NativeFrame, more bool) string {
	var b strings.Builder
	for i := range frames {
		if i > 0 {
			b.WriteString(" < ")
		}
		b.WriteString(frames[i].String())
	}
	if more {
		b.WriteString(" < ...")
	}
	return b.String()
}

// Crash is the stack of the thread whose signal ended the process, nil when it
// ended otherwise or the stack isn't known.
func (p *Process) Crash() *Native {
	for i := len(p.Natives) - 1; i >= 0 && p.Ended; i-- {
		if n := p.Natives[i]; n.Signo != 0 && n.Signo == int(p.Status&0x7f) {
			return n
		}
	}
	return nil
}
