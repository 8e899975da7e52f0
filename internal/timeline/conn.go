package timeline

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tcp"
	"culprit/internal/event"
	"culprit/internal/sysabi"
	"culprit/internal/wire"
)

// Conn is one conversation on a socket: a TCP connection, a connected UDP
// socket, or a Unix socket.
type Conn struct {
	ID       int // 1, 2, ... in order of appearance
	Proc     *Process
	Inode    string // "socket:[N]"
	Type     uint32 // SOCK_STREAM, SOCK_DGRAM
	Accepted bool   // the program is the server of it
	Opened   event.Time
	Local    netip.AddrPort
	Remote   netip.AddrPort
	Path     string // of a Unix socket
	Name     string // host name of the remote end, "" when none is known
	NameBy   string // "DNS", "SNI", "Host", "hosts"

	Connect *Call        // connect(2), nil when not seen
	Errno   sysabi.Errno // why it never came about or broke: connect's, SO_ERROR's, or a transfer's
	Failed  *Call        // the call that returned Errno
	Calls   []*Call      // that moved data or tried to
	Closed  event.Time   // 0: still open at the end

	Sent, Received int64      // bytes by the calls' results
	Holes          int64      // of those, bytes that the recording does not hold
	Unread         []byte     // what lay in the receive queue, never read by the program
	EOF            event.Time // a read returned 0: the peer had closed; 0 when not seen

	Packets   *tcp.Conn  // what its packets show; nil where none were recorded
	Flow      *wire.Flow // of a capture: that of a connection without TCP; nil for all others
	Carried   bool       // of a recorded UDP socket: its packets were recorded
	Carriage             // of its packets
	ICMP      []ICMP     // errors about it that this machine got
	Segments  []Segment  // of a recorded one
	plain     []piece    // that was taken at a TLS library
	TLS       *TLS
	HTTP      []*Exchange
	Replies   []Reply          // the newest
	WebSocket []WebSocketFrame // the newest
	Controls  []Control        // of HTTP/2, the newest
	Plain     string           // protocol of the first bytes by their look: "http", "tls", "ssh", ...
	Damage    []string

	offsets [2][]offset // of its segments, by direction
}

// Segment is a run of bytes in one direction, as one call moved them.
type Segment struct {
	Time   event.Time
	Dir    dissect.Dir
	Data   []byte
	Gap    int   // bytes that the recording lacks after Data
	Call   *Call // nil for what was found unread
	Unread bool
}

// Stream reports whether the connection carries a byte stream.
func (c *Conn) Stream() bool { return c.Type == sockStream }

// Peer is how the remote end is shown: its name when known, else its address.
func (c *Conn) Peer() string {
	switch {
	case c.Path != "":
		return c.Path
	case c.Name != "" && c.Remote.IsValid():
		return c.Name + ":" + strconv.Itoa(int(c.Remote.Port()))
	case c.Remote.IsValid():
		return c.Remote.String()
	}
	return c.Inode
}

// Plaintext is the conversation as the program meant it: decrypted where TLS
// could be, else as it went over the socket.
func (c *Conn) Plaintext() []Segment {
	if c.TLS != nil {
		return c.TLS.Data
	}
	return c.Segments
}

// conn returns the connection on a socket, made on its first use.
func (b *builder) conn(p *Process, d *Desc, at event.Time) *Conn {
	if d.Conn == nil {
		d.Conn = &Conn{ID: len(b.t.Conns) + 1, Proc: p, Type: d.Type, Opened: at, Inode: d.Link}
		b.t.Conns = append(b.t.Conns, d.Conn)
	}
	return d.Conn
}

// descriptor applies what the recorder read about a descriptor in /proc.
func (b *builder) descriptor(e *event.Event, f *event.FD) {
	p := b.process(e.PID, e.Time)
	s := p.fds[f.FD]
	d := s.Desc
	switch {
	case strings.HasPrefix(f.Link, "socket:["):
		d = b.linked(b.socket, d, DescSocket, f.Link)
		if f.Type != 0 {
			d.Type = f.Type
		}
		b.addresses(p, d, e.Time, f)
	case strings.HasPrefix(f.Link, "pipe:["):
		d = b.linked(b.pipes, d, DescPipe, f.Link)
	default:
		if d == nil || (d.Link != "" && d.Link != f.Link) || d.Kind == DescSocket || d.Kind == DescPipe {
			d = &Desc{}
		}
		d.Link = f.Link
		switch {
		case strings.HasPrefix(f.Link, "/dev/pts/") || strings.HasPrefix(f.Link, "/dev/tty") || f.Link == "/dev/console":
			d.Kind = DescTTY
			d.Path = f.Link
		case strings.HasPrefix(f.Link, "/"):
			d.Kind = DescFile
			d.Path = f.Link
		}
	}
	s.Desc = d
	p.fds[f.FD] = s
	if p == b.t.Root && f.FD >= 0 && f.FD <= 2 && b.out[f.FD] == "" && len(p.Calls) <= 64 {
		b.out[f.FD] = f.Link
	}
}

// linked finds the description with the given link, or gives the link to the
// one that stands at the descriptor when it has none yet.
func (b *builder) linked(known map[string]*Desc, at *Desc, kind DescKind, link string) *Desc {
	if d := known[link]; d != nil {
		return d
	}
	if at == nil || at.Kind != kind || at.Link != "" {
		at = &Desc{Kind: kind}
	}
	at.Link = link
	if at.Conn != nil {
		at.Conn.Inode = link
	}
	if kind != DescPipe { // both ends of a pipe have one inode
		known[link] = at
	}
	return at
}

func (b *builder) addresses(p *Process, d *Desc, at event.Time, f *event.FD) {
	remote, local := sysabi.DecodeSockaddr(f.Remote), sysabi.DecodeSockaddr(f.Local)
	d.netlink = d.netlink || local.Family == sysabi.AFNetlink
	if d.Conn == nil && !remote.AddrPort.IsValid() && remote.Path == "" {
		d.Local = local.AddrPort
		return // not connected: a listener, or not yet
	}
	c := b.conn(p, d, at)
	if d.Type != 0 {
		c.Type = d.Type
	}
	if remote.AddrPort.IsValid() {
		c.Remote = remote.AddrPort
	}
	if local.AddrPort.IsValid() {
		c.Local = local.AddrPort
	}
	if remote.Path != "" && c.Path == "" {
		c.Path = remote.Path
	}
}

func (b *builder) socketOf(pid int32, k *event.Peek) *Desc {
	if d := b.socket[k.Link]; d != nil {
		return d
	}
	if p := b.latest(pid); p != nil {
		if s, ok := p.fds[k.FD]; ok && s.Kind == DescSocket {
			return s.Desc
		}
	}
	return nil
}

func (b *builder) accepted(c *Call, d *Desc) {
	conn := b.conn(c.Proc, d, c.Leave())
	conn.Type, conn.Accepted = sockStream, true
	if a, ok := c.Decode().Sockaddr(); ok {
		conn.Remote, conn.Path = a.AddrPort, a.Path
	}
	c.Desc = d
}

func (b *builder) connect(c *Call) {
	fd := int32(c.Raw.Args[0])
	if c.Desc == nil {
		c.Desc = &Desc{Kind: DescSocket, Type: sockStream}
		c.Proc.fds[fd] = slot{Desc: c.Desc}
	}
	a, _ := c.Decode().Sockaddr()
	if a.Family == 0 {
		return // AF_UNSPEC dissolves an association
	}
	d := c.Desc
	if old := d.Conn; old != nil && d.Type == sockDgram && old.Remote != a.AddrPort {
		d.Conn = nil // a datagram socket turned to another peer
	}
	conn := b.conn(c.Proc, d, c.Enter)
	conn.Connect = c
	conn.Remote, conn.Path = a.AddrPort, a.Path
	if e := c.Errno(); e != 0 && !transient(e) {
		conn.fail(c, e)
	}
}

// transient tells the errors that say "not yet" from those that say "no".
func transient(e sysabi.Errno) bool {
	switch e.Name() {
	case "EINPROGRESS", "EINTR", "EALREADY", "EISCONN", "EAGAIN", "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ERESTART_RESTARTBLOCK":
		return true
	}
	return false
}

func (c *Conn) fail(call *Call, e sysabi.Errno) {
	if c.Errno == 0 {
		c.Errno, c.Failed = e, call
	}
}

// data applies a call that moves bytes through a descriptor.
func (b *builder) data(c *Call) {
	d := c.Desc
	if d == nil {
		fd := int32(c.Raw.Args[0])
		if fd == 1 || fd == 2 {
			b.write(c)
		}
		return
	}
	if d.Kind != DescSocket {
		b.write(c)
		return
	}
	dec := c.Decode()
	if d.Type == sockDgram {
		b.datagram(c, d, dec)
		if d.Conn == nil {
			return
		}
	}
	conn := b.conn(c.Proc, d, c.Enter)
	conn.Calls = append(conn.Calls, c)
	if e := c.Errno(); e != 0 {
		if !transient(e) {
			conn.fail(c, e)
		}
		return
	}
	if c.Raw.Flags&event.Unfinished != 0 {
		return
	}
	if peeking(dec) {
		return
	}
	data, missing := dec.Buffer()
	n := int64(len(data) + missing)
	if receives(dec.Name) {
		conn.Received += n
		if c.Raw.Ret == 0 && conn.Stream() {
			conn.EOF = c.Leave()
		}
	} else {
		conn.Sent += n
	}
	conn.Holes += int64(missing)
	if n > 0 {
		conn.Segments = append(conn.Segments, Segment{Time: c.Leave(), Dir: conn.dir(receives(dec.Name)), Data: data, Gap: missing, Call: c})
		b.moves(c, conn, receives(dec.Name))
	}
}

// dir is the direction of bytes that the program received or sent.
func (c *Conn) dir(received bool) dissect.Dir {
	if received == c.Accepted {
		return dissect.ToServer
	}
	return dissect.ToClient
}

func receives(name string) bool {
	switch name {
	case "read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg", "pread64", "preadv", "preadv2":
		return true
	}
	return false
}

// peeking reports whether a receive left the bytes in the queue (MSG_PEEK).
func peeking(d sysabi.Decoded) bool {
	const msgPeek = 2
	switch d.Name {
	case "recvfrom", "recvmsg", "recvmmsg", "recv":
		v, ok := d.Arg("flags")
		return ok && v.Uint&msgPeek != 0
	}
	return false
}

// applyPeeks keeps the last look at each queue that no later read emptied.
func (b *builder) applyPeeks() {
	last := map[*Conn]peeked{}
	for _, k := range b.peeks {
		if len(k.Data) == 0 {
			continue
		}
		conn := k.desc.Conn
		if conn == nil {
			continue
		}
		last[conn] = k
	}
	for conn, k := range last {
		dir := conn.dir(true)
		later := slices.ContainsFunc(conn.Segments, func(s Segment) bool { return s.Dir == dir && s.Time > k.at })
		if later {
			continue
		}
		conn.Unread = k.Data
		conn.Segments = append(conn.Segments, Segment{Time: k.at, Dir: dir, Data: k.Data, Unread: true})
	}
}
