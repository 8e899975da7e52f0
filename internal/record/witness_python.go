package record

import (
	"culprit/internal/event"
	"culprit/internal/lens/python/remote"
)

// pythonStacks reads where the threads of a Python program stand, by thread;
// nil for any other program.
func pythonStacks(pid int32) map[int32]*event.Stack {
	r, err := remote.Find(int(pid))
	if err != nil {
		return nil
	}
	return stacksOf(r)
}

func stacksOf(r remote.Runtime) map[int32]*event.Stack {
	threads, err := r.Stacks()
	if err != nil {
		return nil
	}
	out := make(map[int32]*event.Stack, len(threads))
	for _, t := range threads {
		s := &event.Stack{Lang: "python"}
		for _, f := range t.Frames {
			s.Frames = append(s.Frames, event.Frame{File: f.File, Func: f.Func, Line: uint32(max(0, f.Line))})
		}
		out[t.TID] = s
	}
	return out
}
