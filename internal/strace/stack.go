package strace

import (
	"fmt"
	"os"
	"path"
	"strconv"

	"culprit/internal/lens/tracer"
	"culprit/internal/native"
	"culprit/internal/sysabi"
)

// stacks prints native stacks (-k).
type stacks struct {
	unwinder *native.Unwinder
	limit    int
	procs    *procs
	pid      int // whose files are opened, as /proc knows it
	maps     map[int32]native.Maps
}

// stack is a thread's frames at one moment.
type stack struct {
	frames []native.Frame
	more   bool
}

const defaultFrames = 256

func newStacks(c *Config, at *procs) *stacks {
	if c.Stacks == noStacks {
		return nil
	}
	s := &stacks{procs: at, limit: c.Frames, maps: map[int32]native.Maps{}}
	s.unwinder = native.New(func(m *native.Mapping) (native.File, error) { return native.Proc(s.pid)(m) })
	s.unwinder.Source = c.Stacks == sourceStacks
	return s
}

// walk takes the stack of a task that stands still.
func (s *stacks) walk(t *tracer.Task) *stack {
	if s == nil {
		return nil
	}
	regs, err := t.Registers()
	if err != nil {
		return nil
	}
	dir := s.procs.dir(int64(t.TID))
	maps, known := s.maps[t.TID]
	if !known {
		text, err := os.ReadFile(dir + "/maps")
		if err != nil {
			return nil
		}
		maps = native.ParseMaps(text)
		s.maps[t.TID] = maps
	}
	s.pid, _ = strconv.Atoi(path.Base(dir))
	frames, more := s.unwinder.Stack(regs, maps, t, s.limit)
	return &stack{frames, more}
}

// stale forgets mappings: one has changed.
func (s *stacks) stale() { clear(s.maps) }

// changesMaps says that a call may change mappings.
func changesMaps(c *sysabi.Call) bool {
	return c.Class&sysabi.Memory != 0 || c.Name == "execve" || c.Name == "execveat" || c.Name == "shmat" || c.Name == "shmdt"
}

// print appends a line for each frame, and an empty one.
func (s *stacks) print(b []byte, k *stack) []byte {
	if s == nil || k == nil {
		return b
	}
	for i := range k.frames {
		f := &k.frames[i]
		b = append(append(append(b, " > "...), f.Object...), '(')
		if name := f.Function(); name != "" {
			b = fmt.Appendf(b, "%s+%#x", name, f.Offset)
		}
		b = fmt.Appendf(b, ") [%#x]", f.Address)
		if f.File != "" {
			b = fmt.Appendf(b, " %s:%d", f.File, f.Line)
		}
		b = append(b, '\n')
	}
	if k.more {
		b = append(b, " > too many stack frames\n"...)
	}
	return b
}
