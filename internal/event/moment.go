package event

import (
	"encoding/binary"
	"slices"
)

// The bodies of this file are facts that only the moment knows: what a recorder
// read in /proc when a call failed, a signal came, or the time was over.

// Holder says who has what the envelope's process wants, or who sent what it
// got.
type Holder struct {
	// What is "address" (listens there), "lock", "lock-file" (is named in it),
	// "pipe" (has the other end open), "peer" (of a socket), "child" (of the
	// process), "signal" (sent it).
	What    string
	Name    string // address, absolute path, "pipe:[N]", signal
	Process int32  // its pid, 0 when nobody was found or may be seen
	UID     uint32 // of the process, or of the socket when Process is 0
	Comm    string // /proc/PID/comm
	Cmdline []string
	Detail  string // line of /proc/locks, state of a socket, why Process is 0
}

// Limit is a bound of the process or of its surroundings that a call met.
type Limit struct {
	// What is "RLIMIT_NOFILE" and so on, "mount", "mode", "space", "inodes",
	// "oom-kill".
	What string
	Name string // path of the file for mount, mode, space, inodes; cgroup or "" for the rest
	Soft uint64 // limit; mode: st_mode; space, inodes: how many are free
	Hard uint64 // hard limit; mode: owner's uid; space, inodes: how many there are
	Used uint64 // how much was in use, where the kernel says it
	Text string // mount: "POINT TYPE OPTIONS"
}

// Awaits is one thing that the envelope's thread waits for, seen while it
// waited. A thread that polls has one for each descriptor.
type Awaits struct {
	Call   string // "flock", "read", "futex", "epoll_wait", ...
	FD     int32  // -1 when the wait is not for a descriptor
	Link   string // link /proc/PID/fd/FD, or the path that an open(2) waits for
	Type   string // "fifo", "pipe", "socket", "listener", "tty", "file", "futex", "gil", "child", ""
	Addr   uint64 // futex: its address
	Shared bool   // futex: other processes may wake it
	Owner  int32  // futex, gil: thread that holds it, lock: process; child: pid waited for; 0 unknown
	Limit  int64  // ns after which the wait ends by itself, -1: never, -2: not known
	Write  bool   // waits for room to write, not for data
}

// Stack is where a thread stood in a program that an interpreter runs, innermost
// frame first. One with a number is that which Syscall.Stack of later calls
// names, of any thread.
type Stack struct {
	Lang   string // "python"
	Frames []Frame
	ID     uint32 // 0: none
}

// Frame is one function on a Stack.
type Frame struct {
	File string
	Func string
	Line uint32
	// Values are those of the arguments and the other local variables, where
	// they were read.
	Values []Value
}

// Value is a variable's value, as bounded text without secrets.
type Value struct {
	Name, Type, Text string
}

// Attach says that the envelope's process was there before the recording: one
// that was attached to, or one that descends from such a process and was looked
// at only. A process may have several; what is zero in one is not known to it.
type Attach struct {
	Parent  int32  // the process whose child it is
	Started int64  // CLOCK_MONOTONIC ns of its start (starttime of /proc/PID/stat)
	Threads uint32 // that were attached to
	Pause   int64  // ns for which the thread that stood still longest did so
}

// Kind methods.
func (*Holder) Kind() Kind { return KindHolder }
func (*Limit) Kind() Kind  { return KindLimit }
func (*Awaits) Kind() Kind { return KindAwaits }
func (*Stack) Kind() Kind  { return KindStack }
func (*Attach) Kind() Kind { return KindAttach }

func (h *Holder) append(b []byte) []byte {
	b = appendString(appendString(b, h.What), h.Name)
	b = binary.AppendUvarint(b, uint64(uint32(h.Process)))
	b = binary.AppendUvarint(b, uint64(h.UID))
	b = appendStrings(appendString(b, h.Comm), h.Cmdline)
	return appendString(b, h.Detail)
}

func (h *Holder) decode(c *cursor) {
	h.What, h.Name = c.string(), c.string()
	h.Process, h.UID = int32(c.uint()), uint32(c.uint())
	h.Comm, h.Cmdline = c.string(), c.strings()
	h.Detail = c.string()
}

func (l *Limit) append(b []byte) []byte {
	b = appendString(appendString(b, l.What), l.Name)
	b = binary.AppendUvarint(b, l.Soft)
	b = binary.AppendUvarint(b, l.Hard)
	b = binary.AppendUvarint(b, l.Used)
	return appendString(b, l.Text)
}

func (l *Limit) decode(c *cursor) {
	l.What, l.Name = c.string(), c.string()
	l.Soft, l.Hard, l.Used = c.uint(), c.uint(), c.uint()
	l.Text = c.string()
}

func (a *Awaits) append(b []byte) []byte {
	b = appendString(b, a.Call)
	b = binary.AppendUvarint(b, uint64(uint32(a.FD)))
	b = appendString(appendString(b, a.Link), a.Type)
	b = appendBool(binary.AppendUvarint(b, a.Addr), a.Shared)
	b = binary.AppendUvarint(b, uint64(uint32(a.Owner)))
	return appendBool(binary.AppendVarint(b, a.Limit), a.Write)
}

func (a *Awaits) decode(c *cursor) {
	a.Call = c.string()
	a.FD = int32(c.uint())
	a.Link, a.Type = c.string(), c.string()
	a.Addr, a.Shared = c.uint(), c.bool()
	a.Owner = int32(c.uint())
	a.Limit, a.Write = c.int(), c.bool()
}

func (s *Stack) append(b []byte) []byte {
	b = binary.AppendUvarint(appendString(b, s.Lang), uint64(len(s.Frames)))
	for i := range s.Frames {
		f := &s.Frames[i]
		b = appendString(appendString(b, f.File), f.Func)
		b = binary.AppendUvarint(b, uint64(f.Line))
	}
	b = binary.AppendUvarint(b, uint64(s.ID))
	for i := range s.Frames { // up to the last that has some; those of old cases have none
		if slices.ContainsFunc(s.Frames[i:], func(f Frame) bool { return len(f.Values) > 0 }) {
			b = binary.AppendUvarint(b, uint64(len(s.Frames[i].Values)))
			for _, v := range s.Frames[i].Values {
				b = appendString(appendString(appendString(b, v.Name), v.Type), v.Text)
			}
		}
	}
	return b
}

func (s *Stack) decode(c *cursor) {
	s.Lang = c.string()
	n := c.count()
	if n > 0 {
		s.Frames = make([]Frame, 0, min(n, 256))
	}
	for range n {
		if !c.more() {
			return
		}
		s.Frames = append(s.Frames, Frame{File: c.string(), Func: c.string(), Line: uint32(c.uint())})
	}
	s.ID = uint32(c.uint())
	for i := 0; i < len(s.Frames) && len(c.b) > 0; i++ {
		n := c.count()
		for range n {
			if !c.more() {
				return
			}
			s.Frames[i].Values = append(s.Frames[i].Values, Value{c.string(), c.string(), c.string()})
		}
	}
}

// Owner is the package that a file of the run came from.
type Owner struct {
	Path    string
	Manager string // "dpkg", "rpm", "apk", "pacman", "python", "npm", "go"
	Package string
	Version string
}

// Kind says which body this is.
func (*Owner) Kind() Kind { return KindOwner }

func (o *Owner) append(b []byte) []byte {
	return appendString(appendString(appendString(appendString(b, o.Path), o.Manager), o.Package), o.Version)
}

func (o *Owner) decode(c *cursor) {
	o.Path, o.Manager, o.Package, o.Version = c.string(), c.string(), c.string(), c.string()
}

func (a *Attach) append(b []byte) []byte {
	b = binary.AppendVarint(binary.AppendUvarint(b, uint64(uint32(a.Parent))), a.Started)
	return binary.AppendVarint(binary.AppendUvarint(b, uint64(a.Threads)), a.Pause)
}

func (a *Attach) decode(c *cursor) {
	a.Parent, a.Started = int32(c.uint()), c.int()
	a.Threads, a.Pause = uint32(c.uint()), c.int()
}
