package report

import (
	"fmt"
	"slices"
	"strings"

	"culprit/internal/explain"
	"culprit/internal/timeline"
)

// Bounds of what the short form shows of one thread.
const (
	maxShownWaits  = 4
	maxShownFrames = 8
	maxShownLocals = 8  // of one frame
	maxShownText   = 80 // bytes of one value
)

// threads writes what each thread did: its state, its call, what it waited for,
// and where it stood. Neighbours of which the same is to be told stand together.
func (p *printer) threads(all []explain.Thread) {
	for i := 0; i < len(all); {
		x := all[i]
		if i == 0 || all[i-1].Proc != x.Proc {
			p.line(p.bold(fmt.Sprintf("process %d", x.Proc.PID)) + "  " + strings.Join(x.Proc.Argv, " "))
		}
		n := i + 1
		for n < len(all) && p.alike(x, all[n]) {
			n++
		}
		p.thread(x, n-i)
		i = n
	}
}

// alike reports whether of two threads the same is to be told. In the short form
// those that an interpreter runs are told by their stacks: where in memory each
// one's lock lies says nothing.
func (p *printer) alike(x, y explain.Thread) bool {
	same := x.Call == y.Call
	if !p.o.Full && len(x.Stack) > 0 {
		cx, _, _ := strings.Cut(x.Call, "(")
		cy, _, _ := strings.Cut(y.Call, "(")
		same = cx == cy
	}
	return same && x.Proc == y.Proc && x.Name == y.Name && x.State == y.State && slices.Equal(x.Waits, y.Waits) &&
		slices.EqualFunc(x.Stack, y.Stack, func(a, b timeline.Frame) bool {
			return a.File == b.File && a.Line == b.Line && a.Func == b.Func && slices.Equal(a.Locals, b.Locals)
		}) &&
		slices.EqualFunc(x.Native, y.Native, func(a, b timeline.NativeFrame) bool { return a.Object == b.Object && a.Addr == b.Addr })
}

func (p *printer) thread(x explain.Thread, n int) {
	head := fmt.Sprintf("thread %d", x.TID)
	if n > 1 {
		head = fmt.Sprintf("thread %d and %d more", x.TID, n-1)
	}
	if x.Name != "" {
		head += " (" + x.Name + ")"
	}
	head += ": " + x.State
	if x.For > 0 {
		head += fmt.Sprintf(" for %.3f s", x.For.Seconds())
	}
	if x.Used > 0.001 {
		head += fmt.Sprintf(", %.0f %% of a processor", 100*x.Used)
	}
	p.line("  " + head)
	p.field("call", x.Call)
	waits := x.Waits
	if !p.o.Full && len(waits) > maxShownWaits {
		waits = append(slices.Clip(waits[:maxShownWaits]), fmt.Sprintf("%d more", len(waits)-maxShownWaits))
	}
	for i, w := range waits {
		label := "waits"
		if i > 0 {
			label = ""
		}
		p.field(label, "for "+w)
	}
	var python, native []string
	var locals [][]timeline.Local
	for _, f := range x.Stack {
		locals = append(locals, f.Locals)
		python = append(python, fmt.Sprintf("%s:%d in %s", f.File, f.Line, f.Func))
	}
	for i := range x.Native {
		native = append(native, x.Native[i].String())
	}
	p.frames("python", python, locals)
	p.frames("native", native, nil)
}

// frames writes a stack, in the short form its innermost frames; locals are the
// variables of each, nil where there are none.
func (p *printer) frames(label string, all []string, locals [][]timeline.Local) {
	shown := all
	if !p.o.Full {
		shown = all[:min(len(all), maxShownFrames)]
	}
	for i, f := range shown {
		p.field(label, f)
		label = ""
		if locals != nil {
			p.locals(locals[i])
		}
	}
	if hidden := len(all) - len(shown); hidden > 0 {
		p.field("", fmt.Sprintf("%d more frames", hidden))
	}
}

// locals writes the variables of a frame.
func (p *printer) locals(all []timeline.Local) {
	for i, l := range all {
		if !p.o.Full && i == maxShownLocals {
			p.field("", fmt.Sprintf("  %d more", len(all)-i))
			return
		}
		text := l.Text
		if !p.o.Full && len(text) > maxShownText {
			text = strings.ToValidUTF8(text[:maxShownText], "") + "..."
		}
		p.field("", "  "+l.Name+" = "+text)
	}
}
