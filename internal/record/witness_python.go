package record

import (
	"culprit/internal/event"
	"culprit/internal/lens/python/remote"
)

// pythonState is what the interpreter of a process says of its threads.
type pythonState struct {
	stacks map[int32]*event.Stack // where they stand, by thread
	idents map[uint64]int32       // threads by what Python calls them
	gil    remote.GIL
}

// pythonOf reads where the threads of a Python program stand; nothing of any
// other program.
func pythonOf(pid int32) pythonState {
	r, err := remote.Find(int(pid))
	if err != nil {
		return pythonState{}
	}
	return readPython(r)
}

func readPython(r remote.Runtime) pythonState {
	threads, err := r.Stacks()
	if err != nil {
		return pythonState{}
	}
	p := pythonState{stacks: make(map[int32]*event.Stack, len(threads)), idents: make(map[uint64]int32, len(threads)), gil: r.GIL()}
	for _, t := range threads {
		s := &event.Stack{Lang: "python"}
		for _, f := range t.Frames {
			s.Frames = append(s.Frames, event.Frame{File: f.File, Func: f.Func, Line: uint32(max(0, f.Line))})
		}
		p.stacks[t.TID] = s
		p.idents[t.Ident] = t.TID
	}
	return p
}
