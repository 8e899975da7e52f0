package rows

import (
	"bytes"
	"iter"
	"maps"
	"slices"

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
		s := stream{run: &Run{}, fds: map[int32][]int32{}, netlink: map[descriptor]*timeline.Desc{}}
		call := Row{Kind: Syscall, Call: &timeline.Call{}, run: s.run} // of all calls: most are looked at only
		for e, err := range events {
			row := &call
			switch c, ok := e.Body.(*event.Syscall); {
			case err != nil:
				continue
			case ok && (c.Flags&event.Injected != 0 || s.private(e.PID, c)):
				continue
			case ok:
				c.Dur = max(c.Dur, 0)
				call.Time, call.PID, call.TID, call.isDec = e.Time, e.PID, e.TID, false
				call.Call.TID, call.Call.Enter, call.Call.Raw = e.TID, e.Time, c
				call.Call.Desc = s.socket(e.PID, c)
			default:
				if row = s.read(&e); row == nil {
					continue
				}
			}
			if p.Match(row) && !yield(row) {
				return
			}
		}
	}
}

// stream knows what rows must know of the events before them.
type stream struct {
	run *Run
	dir []byte            // culprit's private directory in the run, with a slash
	fds map[int32][]int32 // by pid, the descriptors of files in it

	netlink map[descriptor]*timeline.Desc
}

type descriptor struct{ pid, fd int32 }

// socket returns the netlink socket that a call works on, and nil for all else.
// Such a socket is followed where it was made, through dup and fork: a timeline
// knows more.
func (s *stream) socket(pid int32, c *event.Syscall) *timeline.Desc {
	k := sysabi.Lookup(c.Arch, c.NR)
	if k == nil {
		return nil
	}
	if k.Name == "socket" && c.Ret >= 0 && uint32(c.Args[0]) == sysabi.AFNetlink {
		d := &timeline.Desc{Kind: timeline.DescSocket}
		d.Opens = &timeline.Call{Raw: &event.Syscall{Arch: c.Arch, NR: c.NR, Args: c.Args}}
		s.netlink[descriptor{pid, int32(c.Ret)}] = d
		return d
	}
	i := k.FD()
	if len(s.netlink) == 0 || i < 0 {
		return nil
	}
	at := descriptor{pid, int32(c.Args[i])}
	d := s.netlink[at]
	switch k.Name {
	case "close":
		delete(s.netlink, at)
	case "dup", "dup2", "dup3":
		if d != nil && c.Ret >= 0 {
			s.netlink[descriptor{pid, int32(c.Ret)}] = d
		}
	}
	return d
}

// forked copies a process's netlink sockets for a child.
func (s *stream) forked(pid, child int32) {
	for at, d := range s.netlink {
		if at.pid == pid {
			s.netlink[descriptor{child, at.fd}] = d
		}
	}
}

// read makes a row of an event that is no call, nil when it makes none.
func (s *stream) read(e *event.Event) *Row {
	row := &Row{Time: e.Time, PID: e.PID, TID: e.TID, run: s.run}
	switch b := e.Body.(type) {
	case *event.Signal:
		row.Kind, row.Signal = Signal, &timeline.Signal{Time: e.Time, TID: e.TID, Siginfo: sysabi.DecodeSiginfo(b.Siginfo)}
		return row
	case *event.Native:
		if b.Signo == 0 {
			return nil // seen when all were looked at
		}
		row.Kind, row.Native = Native, timeline.Natives(e, b, s.run.stacks[b.Stack])
		return row
	case *event.Exec:
		delete(s.fds, e.PID) // they are closed by exec
		row.Kind, row.TID, row.Exec = Exec, e.PID, &timeline.Exec{Time: e.Time, Exec: *b}
		return row
	case *event.Exit:
		if e.PID != e.TID {
			return nil // a thread
		}
		delete(s.fds, e.PID)
		maps.DeleteFunc(s.netlink, func(at descriptor, _ *timeline.Desc) bool { return at.pid == e.PID })
		row.Kind, row.Status = Exit, b.Status
		return row
	case *event.Header:
		s.run.Start, s.run.Wall = e.Time, b.Wall
		if dir := b.Private(); dir != "" {
			s.dir = append([]byte(dir), '/')
		}
	case *event.Stack:
		if b.ID != 0 {
			if s.run.stacks == nil {
				s.run.stacks = map[uint32][]timeline.Frame{}
			}
			s.run.stacks[b.ID] = timeline.Frames(b)
		}
	case *event.Fork:
		if fds := s.fds[e.PID]; len(fds) > 0 && !b.Thread {
			s.fds[b.Child] = slices.Clone(fds)
		}
		if !b.Thread {
			s.forked(e.PID, b.Child)
		}
	}
	return nil
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
