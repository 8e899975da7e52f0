package rows

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"strings"

	"culprit/internal/event"
	"culprit/internal/filter"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// Streams reports whether the rows that a filter lets through can be told from
// the events alone, so that [Stream] gives them and no timeline is needed.
func Streams(p *filter.Program[Row]) bool {
	return p.Needs()&^(Envelope|Kernel) == 0 && p.Requires(Kernel)
}

// Scan gives the rows of the kernel lens that a filter lets through, as the
// events come: without processes, descriptors and connections, in the order in
// which the recorder wrote them. It keeps nothing; a row is valid until the
// next one. Damaged records are left out, the case says what it lacks.
func Scan(events iter.Seq2[event.Event, error], p *filter.Program[Row]) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		s := stream{run: &Run{}, fds: map[int32][]int32{}}
		var row Row
		for e, err := range events {
			if err != nil || !s.read(&e, &row) || row.Kind == Syscall && s.private(e.PID, row.Call.Raw) {
				continue
			}
			if p.Match(&row) && !yield(&row) {
				return
			}
		}
	}
}

// Stream is Scan in the order of the rows' times, which is that of All. It
// keeps what passes.
func Stream(events iter.Seq2[event.Event, error], p *filter.Program[Row]) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		var out []Row
		for r := range Scan(events, p) {
			out = append(out, *r)
			if r.Call != nil {
				call := *r.Call
				out[len(out)-1].Call = &call
			}
		}
		// As in a timeline: calls before what else has their time, and in the order
		// of their effects.
		slices.SortStableFunc(out, func(x, y Row) int {
			return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.end(), y.end()))
		})
		for i := range out {
			if !yield(&out[i]) {
				return
			}
		}
	}
}

// end is when the row's call returned.
func (r *Row) end() event.Time {
	if r.Call == nil {
		return r.Time
	}
	return r.Call.Leave()
}

// stream knows what rows must know of the events before them.
type stream struct {
	run  *Run
	dir  []byte            // culprit's private directory in the run, with a slash
	fds  map[int32][]int32 // by pid, the descriptors of files in it
	call timeline.Call     // of the present row
}

// read makes a row of an event; false when it makes none.
func (s *stream) read(e *event.Event, row *Row) bool {
	*row = Row{Time: e.Time, PID: e.PID, TID: e.TID, run: s.run}
	switch b := e.Body.(type) {
	case *event.Syscall:
		if b.Flags&event.Injected != 0 {
			return false
		}
		b.Dur = max(b.Dur, 0)
		s.call = timeline.Call{TID: e.TID, Enter: e.Time, Raw: b}
		row.Kind, row.Call = Syscall, &s.call
		return true
	case *event.Signal:
		row.Kind, row.Signal = Signal, &timeline.Signal{Time: e.Time, TID: e.TID, Siginfo: sysabi.DecodeSiginfo(b.Siginfo)}
		return true
	case *event.Exec:
		delete(s.fds, e.PID) // they are closed by exec
		row.Kind, row.TID, row.Exec = Exec, e.PID, &timeline.Exec{Time: e.Time, Exec: *b}
		return true
	case *event.Exit:
		row.Kind, row.Status = Exit, b.Status
		if e.PID != e.TID {
			return false // a thread
		}
		delete(s.fds, e.PID)
		return true
	case *event.Header:
		s.run.Start, s.run.Wall = e.Time, b.Wall
		for _, v := range b.Added {
			if dir, ok := strings.CutPrefix(v, "CULPRIT_DIR="); ok && len(dir) > 1 {
				s.dir = append([]byte(dir), '/')
			}
		}
	case *event.Fork:
		if fds := s.fds[e.PID]; len(fds) > 0 && !b.Thread {
			s.fds[b.Child] = slices.Clone(fds)
		}
	}
	return false
}

// private reports whether a call worked on culprit's own directory: then it was
// the agent's, not the program's.
func (s *stream) private(pid int32, c *event.Syscall) bool {
	if s.dir == nil {
		return false
	}
	k := sysabi.Lookup(c.Arch, c.NR)
	if k == nil {
		return false
	}
	ours := false
	if k.Class&sysabi.File != 0 {
		for i := range c.Mem {
			ours = ours || c.Mem[i].At == event.Enter && bytes.HasPrefix(c.Mem[i].Data, s.dir)
		}
	}
	fds := s.fds[pid]
	if i := k.FD(); i >= 0 && len(fds) > 0 {
		if j := slices.Index(fds, int32(c.Args[i])); j >= 0 {
			ours = true
			if k.Name == "close" {
				fds = slices.Delete(fds, j, j+1)
			}
		}
	}
	if ours {
		const fDupfd, fDupfdCloexec = 0, 1030 // asm-generic/fcntl.h, linux/fcntl.h
		made := false
		switch k.Name {
		case "open", "openat", "openat2", "creat", "dup", "dup2", "dup3":
			made = true
		case "fcntl":
			made = c.Args[1] == fDupfd || c.Args[1] == fDupfdCloexec
		}
		if made && c.Ret >= 0 {
			fds = append(fds, int32(c.Ret))
		}
		s.fds[pid] = fds
	}
	return ours
}
