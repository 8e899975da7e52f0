package event

import "encoding/binary"

// One pair a body: its fields in disk order.

func (h *Header) append(b []byte) []byte {
	b = appendString(b, h.Culprit)
	b = binary.AppendVarint(b, h.Wall)
	b = appendStrings(b, h.Command)
	b = appendString(b, h.Cwd)
	b = appendString(b, h.Path)
	b = appendString(b, h.Host)
	b = appendString(b, h.Kernel)
	b = appendString(b, h.Machine)
	b = binary.AppendUvarint(b, uint64(h.UID))
	b = appendString(b, h.Backend)
	return appendString(appendStrings(appendStrings(b, h.Added), h.Env), h.Dir)
}

func (h *Header) decode(c *cursor) {
	h.Culprit = c.string()
	h.Wall = c.int()
	h.Command = c.strings()
	h.Cwd = c.string()
	h.Path = c.string()
	h.Host = c.string()
	h.Kernel = c.string()
	h.Machine = c.string()
	h.UID = uint32(c.uint())
	h.Backend = c.string()
	h.Added = c.strings()
	h.Env = c.strings()
	h.Dir = c.string()
}

func (s *Syscall) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.Arch))
	b = binary.AppendUvarint(b, uint64(s.NR))
	b = binary.AppendUvarint(b, uint64(s.Flags))
	for _, a := range s.Args {
		b = binary.AppendUvarint(b, a)
	}
	b = binary.AppendVarint(b, s.Ret)
	b = binary.AppendVarint(b, s.Dur)
	return binary.AppendUvarint(appendMem(b, s.Mem), uint64(s.Stack))
}

func appendMem(b []byte, mem []Mem) []byte {
	b = binary.AppendUvarint(b, uint64(len(mem)))
	for i := range mem {
		m := &mem[i]
		b = binary.AppendUvarint(b, uint64(m.At))
		b = binary.AppendUvarint(b, m.Addr)
		b = appendBytes(b, m.Data)
	}
	return b
}

func (s *Syscall) decode(c *cursor) {
	s.Arch = Arch(c.uint())
	s.NR = uint32(c.uint())
	s.Flags = uint8(c.uint())
	for i := range s.Args {
		s.Args[i] = c.uint()
	}
	s.Ret = c.int()
	s.Dur = c.int()
	s.Mem = c.mem()
	s.Stack = uint32(c.uint())
}

func (c *cursor) mem() []Mem {
	n := c.count()
	if n == 0 {
		return nil
	}
	mem := make([]Mem, 0, min(n, 64))
	for range n {
		if !c.more() {
			break
		}
		mem = append(mem, Mem{At: Phase(c.uint()), Addr: c.uint(), Data: c.bytes()})
	}
	return mem
}

func (f *Fork) append(b []byte) []byte {
	return appendBool(binary.AppendUvarint(b, uint64(uint32(f.Child))), f.Thread)
}

func (f *Fork) decode(c *cursor) {
	f.Child = int32(c.uint())
	f.Thread = c.bool()
}

func (x *Exec) append(b []byte) []byte {
	b = appendString(b, x.Exe)
	b = appendStrings(b, x.Argv)
	b = appendString(b, x.Cwd)
	b = binary.AppendUvarint(b, uint64(x.UID))
	b = appendBool(b, x.Secure)
	return binary.AppendUvarint(b, uint64(uint32(x.Former)))
}

func (x *Exec) decode(c *cursor) {
	x.Exe = c.string()
	x.Argv = c.strings()
	x.Cwd = c.string()
	x.UID = uint32(c.uint())
	x.Secure = c.bool()
	x.Former = int32(c.uint())
}

func (x *Exit) append(b []byte) []byte { return binary.AppendUvarint(b, uint64(x.Status)) }
func (x *Exit) decode(c *cursor)       { x.Status = uint32(c.uint()) }

func (s *Signal) append(b []byte) []byte { return appendBytes(b, s.Siginfo) }
func (s *Signal) decode(c *cursor)       { s.Siginfo = c.bytes() }

func (f *FD) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(uint32(f.FD)))
	b = appendString(b, f.Link)
	b = appendBytes(b, f.Local)
	b = appendBytes(b, f.Remote)
	return binary.AppendUvarint(b, uint64(f.Type))
}

func (f *FD) decode(c *cursor) {
	f.FD = int32(c.uint())
	f.Link = c.string()
	f.Local = c.bytes()
	f.Remote = c.bytes()
	f.Type = uint32(c.uint())
}

func (p *Peek) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(uint32(p.FD)))
	b = appendString(b, p.Link)
	b = appendString(b, p.When)
	b = binary.AppendUvarint(b, uint64(p.Queued))
	return appendBytes(b, p.Data)
}

func (p *Peek) decode(c *cursor) {
	p.FD = int32(c.uint())
	p.Link = c.string()
	p.When = c.string()
	p.Queued = uint32(c.uint())
	p.Data = c.bytes()
}

func (s *Secrets) append(b []byte) []byte { return appendBytes(appendString(b, s.Source), s.Lines) }
func (s *Secrets) decode(c *cursor)       { s.Source, s.Lines = c.string(), c.bytes() }

func (p *Plain) append(b []byte) []byte {
	b = binary.AppendUvarint(appendString(b, p.Source), p.Object)
	b = binary.AppendVarint(appendBool(b, p.Write), p.Dur)
	return appendBytes(binary.AppendVarint(binary.AppendVarint(b, p.At), p.Total), p.Data)
}

func (p *Plain) decode(c *cursor) {
	p.Source, p.Object = c.string(), c.uint()
	p.Write, p.Dur = c.bool(), c.int()
	p.At, p.Total = c.int(), c.int()
	p.Data = c.bytes()
}

func (a *Agent) append(b []byte) []byte { return appendBytes(appendString(b, a.Lang), a.Data) }
func (a *Agent) decode(c *cursor)       { a.Lang, a.Data = c.string(), c.bytes() }

func (f *File) append(b []byte) []byte {
	return appendBytes(binary.AppendVarint(appendString(b, f.Path), f.Size), f.Data)
}
func (f *File) decode(c *cursor) { f.Path, f.Size, f.Data = c.string(), c.int(), c.bytes() }

func (l *Loss) append(b []byte) []byte {
	b = appendString(appendString(b, l.Lens), l.What)
	return binary.AppendUvarint(binary.AppendUvarint(b, l.Count), l.Bytes)
}

func (l *Loss) decode(c *cursor) {
	l.Lens, l.What = c.string(), c.string()
	l.Count, l.Bytes = c.uint(), c.uint()
}

func (n *Note) append(b []byte) []byte {
	return appendString(appendString(appendString(b, n.Lens), n.Code), n.Text)
}
func (n *Note) decode(c *cursor) { n.Lens, n.Code, n.Text = c.string(), c.string(), c.string() }

func (w *Wait) append(b []byte) []byte {
	b = appendString(appendString(appendString(b, w.State), w.Wchan), w.Syscall)
	b = appendBytes(b, w.Stack)
	b = appendString(binary.AppendUvarint(b, uint64(w.Look)), w.Comm)
	return binary.AppendVarint(binary.AppendVarint(b, w.Asleep), w.CPU)
}

func (w *Wait) decode(c *cursor) {
	w.State, w.Wchan, w.Syscall = c.string(), c.string(), c.string()
	w.Stack = c.bytes()
	w.Look, w.Comm = uint32(c.uint()), c.string()
	w.Asleep, w.CPU = c.int(), c.int()
}

func (s *Spawn) append(b []byte) []byte {
	return appendStrings(binary.AppendUvarint(b, uint64(s.Errno)), s.Tried)
}
func (s *Spawn) decode(c *cursor) { s.Errno, s.Tried = uint32(c.uint()), c.strings() }

func (e *End) append(b []byte) []byte {
	return appendBool(appendBool(binary.AppendUvarint(b, uint64(e.Status)), e.Timeout), e.Detached)
}
func (e *End) decode(c *cursor) {
	e.Status, e.Timeout, e.Detached = uint32(c.uint()), c.bool(), c.bool()
}
