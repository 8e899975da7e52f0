package ptrace

import (
	"encoding/binary"
	"hash/maphash"
	"strings"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/python/inject"
	"culprit/internal/lens/python/remote"
)

// maxStacks is how many different stacks of Python are kept in a run. Calls of
// others have none, which is counted.
const maxStacks = 1 << 16

// stacks knows the Python stacks that were told already.
type stacks struct {
	ids    map[uint64]uint32 // by hash
	seed   maphash.Seed
	frames []remote.Frame
	key    []byte
	lost   uint64
}

func newStacks() stacks { return stacks{ids: map[uint64]uint32{}, seed: maphash.MakeSeed()} }

// readerOf reads the stacks of a process that the agent came into; nil where
// that can't be done.
func readerOf(pid int32, in *inject.Interpreter) *remote.Reader {
	if in == nil {
		return nil
	}
	addr, minor, ok := in.Runtime()
	if !ok {
		return nil
	}
	at, err := remote.At(int(pid), minor, addr)
	if err != nil {
		return nil
	}
	return at.Reader()
}

// stack says which Python stack the task stands in, which stands still, 0 when
// it is none of Python's, and whether it is the agent that makes the call.
func (r *Recorder) stack(t *task) (id uint32, agents bool) {
	w := t.proc.python
	if w == nil {
		return 0, false
	}
	s := &r.stacks
	s.frames = w.Stack(s.frames[:0], t.tid)
	if len(s.frames) == 0 {
		return 0, false
	}
	agents = r.opt.Agent != nil && ofAgent(s.frames, r.opt.Agent.Name)
	s.key = s.key[:0]
	for i := range s.frames {
		f := &s.frames[i]
		s.key = append(append(append(s.key, f.File...), 0), f.Func...)
		s.key = binary.NativeEndian.AppendUint32(append(s.key, 0), uint32(f.Line))
	}
	hash := maphash.Bytes(s.seed, s.key)
	if id, known := s.ids[hash]; known {
		return id, agents
	}
	if len(s.ids) >= maxStacks {
		s.lost++
		return 0, agents
	}
	id = uint32(len(s.ids) + 1)
	s.ids[hash] = id
	told := &event.Stack{Lang: "python", ID: id, Frames: make([]event.Frame, 0, len(s.frames))}
	for _, f := range s.frames {
		told.Frames = append(told.Frames, event.Frame{File: f.File, Func: f.Func, Line: uint32(max(0, f.Line))})
	}
	r.put(t, lens.Now(), told)
	return id, agents
}

// ofAgent tells what the agent does, importing included, from what it does in
// the program's place when that imports.
func ofAgent(frames []remote.Frame, name string) bool {
	for i := range frames {
		if f := &frames[i]; !strings.HasPrefix(f.File, "<frozen ") {
			return f.File == name && !strings.HasSuffix(f.Func, "find_spec") && !strings.HasSuffix(f.Func, "exec_module")
		}
	}
	return false
}
