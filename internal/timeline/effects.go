package timeline

import (
	"path"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// effects applies what a call did to its process: descriptors made, moved and
// closed, the working directory, bytes sent and received, lines written.
func (b *builder) effects(c *Call) {
	k := sysabi.Lookup(c.Raw.Arch, c.Raw.NR)
	if k == nil {
		return
	}
	p, raw := c.Proc, c.Raw
	if i := k.FD(); i >= 0 {
		c.Desc = p.fds[int32(raw.Args[i])].Desc
	}
	if k.Class&sysabi.File != 0 {
		c.Path = b.pathOf(c)
	}
	if k.Data() {
		b.data(c)
		return
	}
	ok := raw.Ret >= 0 && raw.Flags&event.Unfinished == 0
	fd := int32(raw.Ret)
	switch k.Name {
	case "open", "openat", "openat2", "creat":
		if ok {
			flags := uint64(0)
			switch k.Name {
			case "open":
				flags = raw.Args[1]
			case "openat":
				flags = raw.Args[2]
			case "openat2": // struct open_how begins with them
				for _, m := range raw.Mem {
					if m.At == event.Enter && m.Addr == raw.Args[2] && len(m.Data) >= 4 {
						flags = uint64(le32(m.Data))
					}
				}
			}
			p.fds[fd] = slot{&Desc{Kind: DescFile, Path: c.Path, Opens: c}, flags&oCloexec != 0}
		}
	case "socket":
		if ok {
			d := &Desc{Kind: DescSocket, Type: uint32(raw.Args[1] & 0xf), Opens: c}
			p.fds[fd] = slot{d, raw.Args[1]&oCloexec != 0}
			c.Desc = d
		}
	case "accept", "accept4":
		if ok {
			d := &Desc{Kind: DescSocket, Type: sockStream, Opens: c}
			p.fds[fd] = slot{d, k.Name == "accept4" && raw.Args[3]&oCloexec != 0}
			b.accepted(c, d)
		}
	case "pipe", "pipe2":
		b.pair(c, DescPipe, raw.Args[0], k.Name == "pipe2" && raw.Args[1]&oCloexec != 0)
	case "socketpair":
		b.pair(c, DescSocket, raw.Args[3], raw.Args[1]&oCloexec != 0)
	case "dup":
		b.dup(c, ok, fd, false)
	case "dup2":
		// Of a descriptor to itself it does nothing (dup(2)).
		b.dup(c, ok && uint32(raw.Args[0]) != uint32(raw.Args[1]), fd, false)
	case "dup3":
		b.dup(c, ok, fd, raw.Args[2]&oCloexec != 0)
	case "fcntl":
		b.fcntl(c, ok)
	case "close":
		// Linux releases the number whatever close returns (close(2), NOTES).
		delete(p.fds, int32(raw.Args[0]))
	case "close_range":
		if ok {
			for n, s := range p.fds {
				switch first, last := uint32(raw.Args[0]), uint32(raw.Args[1]); {
				case uint32(n) < first || uint32(n) > last:
				case raw.Args[2]&closeRangeCloexec != 0:
					s.cloexec = true
					p.fds[n] = s
				default:
					delete(p.fds, n)
				}
			}
		}
	case "connect":
		b.connect(c)
	case "poll", "ppoll":
		b.polled(c)
	case "getsockopt":
		b.socketError(c)
	case "chdir":
		if ok && c.Path != "" {
			p.Cwd = c.Path
		}
	case "fchdir":
		if ok && c.Desc != nil && c.Desc.Path != "" {
			p.Cwd = c.Desc.Path
		}
	}
}

// Flag values that x86-64 and arm64 share (asm-generic/fcntl.h, close_range(2)).
const (
	oCloexec          = 0o2000000
	closeRangeCloexec = 4
	fDupfd            = 0
	fSetfd            = 2
	fDupfdCloexec     = 1030
	sockStream        = 1
	sockDgram         = 2
	atFdcwd           = -100
)

// socketError takes note of an error that the program fetched with
// getsockopt(SO_ERROR): how a connect(2) that was in progress ended.
func (b *builder) socketError(c *Call) {
	const solSocket, soError = 1, 4
	a := &c.Raw.Args
	if c.Desc == nil || c.Desc.Conn == nil || c.Raw.Ret != 0 || a[1] != solSocket || a[2] != soError {
		return
	}
	for _, m := range c.Raw.Mem {
		if m.At == event.Leave && m.Addr == a[3] && len(m.Data) >= 4 {
			if e := sysabi.Errno(le32(m.Data)); e != 0 && !transient(e) {
				c.Desc.Conn.fail(c, e)
			}
		}
	}
}

// polled takes note of datagram sockets that poll(2) reports an error on: the
// server's machine answered that nobody listens. glibc's resolver never fetches
// the error itself.
func (b *builder) polled(c *Call) {
	const pollErr = 8
	if c.Raw.Ret <= 0 {
		return
	}
	for _, m := range c.Raw.Mem {
		if m.At != event.Leave || m.Addr != c.Raw.Args[0] {
			continue
		}
		for p := m.Data; len(p) >= 8; p = p[8:] { // struct pollfd: fd, events, revents
			d := c.Proc.fds[int32(le32(p))].Desc
			if d != nil && d.Type == sockDgram && d.Conn != nil && le32(p[4:])>>16&pollErr != 0 {
				b.noServer(c, d.Conn.Remote)
			}
		}
	}
}

func (b *builder) dup(c *Call, ok bool, fd int32, cloexec bool) {
	if !ok {
		return
	}
	if s, known := c.Proc.fds[int32(c.Raw.Args[0])]; known {
		c.Proc.fds[fd] = slot{s.Desc, cloexec}
	} else {
		delete(c.Proc.fds, fd)
	}
}

func (b *builder) fcntl(c *Call, ok bool) {
	if !ok {
		return
	}
	switch c.Raw.Args[1] {
	case fDupfd, fDupfdCloexec:
		b.dup(c, ok, int32(c.Raw.Ret), c.Raw.Args[1] == fDupfdCloexec)
	case fSetfd:
		n := int32(c.Raw.Args[0])
		if s, known := c.Proc.fds[n]; known {
			s.cloexec = c.Raw.Args[2]&1 != 0
			c.Proc.fds[n] = s
		}
	}
}

// pair records the two descriptors that pipe(2) and socketpair(2) wrote to addr.
func (b *builder) pair(c *Call, kind DescKind, addr uint64, cloexec bool) {
	if c.Raw.Ret != 0 {
		return
	}
	for _, m := range c.Raw.Mem {
		if m.At == event.Leave && m.Addr == addr && len(m.Data) >= 8 {
			x, y := &Desc{Kind: kind, Opens: c}, &Desc{Kind: kind, Opens: c}
			x.Peer, y.Peer = y, x
			c.Proc.fds[int32(le32(m.Data))] = slot{x, cloexec}
			c.Proc.fds[int32(le32(m.Data[4:]))] = slot{y, cloexec}
		}
	}
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// pathOf resolves the path that a call names against the directory that it
// counts from. Symbolic links are not followed.
func (b *builder) pathOf(c *Call) string {
	d := c.Decode()
	name, _ := d.Path()
	if name == "" {
		if c.Desc != nil {
			return c.Desc.Path
		}
		return ""
	}
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	dir := c.Proc.Cwd
	if n := d.DirFD(); n != atFdcwd {
		dir = ""
		if s, known := c.Proc.fds[n]; known {
			dir = s.Path
		}
	}
	if dir == "" {
		return name
	}
	return path.Join(dir, name)
}
