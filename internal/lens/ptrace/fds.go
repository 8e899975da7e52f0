package ptrace

import (
	"strings"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/procfs"
)

type fdKind uint8

const (
	otherFD fdKind = iota
	socketFD
	pipeFD
	terminalFD
)

// descriptor is what a number of a files table stands for.
type descriptor struct {
	kind      fdKind
	link      string
	typ       int // SOCK_STREAM, ...
	local     []byte
	remote    []byte
	tries     uint8 // how often a missing remote was asked for
	announced bool  // in this table, under this number
	queued    int   // of the last look at the queue, -1 when it may have changed
	stream    *stream
}

// maxTries bounds how often a socket without a peer is asked for one.
const maxTries = 8

// stream counts what of a socket's traffic was kept, under all its names.
type stream struct {
	link    string
	refs    int
	kept    int64
	dropped uint64 // bytes
	calls   uint64 // that lost some
}

// files is one table of descriptors, as far as they are known.
type files struct {
	refs int
	fds  map[int32]*descriptor
}

func newFiles() *files { return &files{fds: map[int32]*descriptor{}} }

// clone copies the table for a child that has its own. The names are announced
// again: the child is another process.
func (f *files) clone() *files {
	c := newFiles()
	for fd, d := range f.fds {
		c.fds[fd] = d.again()
	}
	return c
}

// again is the same open file under another name.
func (d *descriptor) again() *descriptor {
	c := *d
	c.announced = false
	if c.stream != nil {
		c.stream.refs++
	}
	return &c
}

func (r *Recorder) releaseFiles(f *files) {
	f.refs--
	if f.refs > 0 {
		return
	}
	for _, d := range f.fds {
		r.releaseStream(d)
	}
	f.fds = nil
}

func (r *Recorder) releaseStream(d *descriptor) {
	s := d.stream
	if s == nil {
		return
	}
	s.refs--
	if s.refs == 0 && r.streams[s.link] == s {
		r.loss(s)
		delete(r.streams, s.link)
	}
}

func (r *Recorder) unshareFiles(t *task) {
	if t.files.refs == 1 {
		return
	}
	t.files.refs--
	t.files = t.files.clone()
	t.files.refs++
}

func (r *Recorder) forget(t *task, fd int32) {
	if d := t.files.fds[fd]; d != nil {
		r.releaseStream(d)
		delete(t.files.fds, fd)
	}
}

func (r *Recorder) duplicate(t *task, from, to int32) {
	r.forget(t, to)
	if d := t.files.fds[from]; d != nil {
		t.files.fds[to] = d.again()
	}
}

// describe finds out what fd is, unless it is known, and says so once.
func (r *Recorder) describe(t *task, fd int32) *descriptor {
	d := t.files.fds[fd]
	if d == nil {
		link, ok := procfs.Link(procfs.FD(t.tid, fd))
		if !ok {
			return nil
		}
		d = &descriptor{link: link, queued: -1}
		switch {
		case strings.HasPrefix(link, "socket:["):
			d.kind = socketFD
			d.stream = r.streams[link]
			if d.stream == nil {
				d.stream = &stream{link: link}
				r.streams[link] = d.stream
			}
			d.stream.refs++
			r.askSocket(t, fd, d)
		case strings.HasPrefix(link, "pipe:["):
			d.kind = pipeFD
		case strings.HasPrefix(link, "/dev/pts/"), strings.HasPrefix(link, "/dev/tty"), link == "/dev/console":
			d.kind = terminalFD
		}
		t.files.fds[fd] = d
	}
	if !d.announced {
		r.announce(t, fd, d)
	}
	return d
}

func (r *Recorder) announce(t *task, fd int32, d *descriptor) {
	d.announced = true
	r.put(t, lens.Now(), &event.FD{FD: fd, Link: d.link, Local: d.local, Remote: d.remote, Type: uint32(d.typ)})
}

// describeAgain tells a socket's addresses after a connect.
func (r *Recorder) describeAgain(t *task, fd int32) {
	d := t.files.fds[fd]
	if d == nil {
		r.describe(t, fd)
		return
	}
	if d.kind == socketFD && r.askSocket(t, fd, d) {
		r.announce(t, fd, d)
	}
}

// transfer prepares a call that moves data: what its descriptor is decides how
// much is kept.
func (r *Recorder) transfer(t *task) {
	i := t.call.FD()
	if i < 0 {
		return
	}
	t.fd = int32(t.sys.Args[i])
	d := r.describe(t, t.fd)
	if d == nil {
		return
	}
	t.desc = d
	if d.kind == socketFD {
		if connected(d.typ) && len(d.remote) == 0 && d.tries < maxTries {
			if r.askSocket(t, t.fd, d) {
				r.announce(t, t.fd, d)
			}
		}
		t.lim.Data = int(min(max(r.opt.MaxStream-d.stream.kept, 0), maxTransfer))
		return
	}
	if d.kind != otherFD || t.fd == 1 || t.fd == 2 {
		t.lim.Data = max(t.lim.Data, terminalSnaplen)
	}
}

func connected(typ int) bool { return typ == unix.SOCK_STREAM || typ == unix.SOCK_SEQPACKET }

// transferred counts what a call moved through a socket, and looks for an
// unread answer where sending failed.
func (r *Recorder) transferred(t *task) {
	d, ret := t.desc, t.sys.Ret
	if d.kind != socketFD {
		return
	}
	switch {
	case ret == -int64(unix.EPIPE) || ret == -int64(unix.ECONNRESET):
		r.peek(t, t.fd, "write-failed")
	case ret <= 0 || t.role == roleNoMemory:
	case t.role == roleMessages:
		d.queued = -1
		d.stream.kept += int64(r.leave.Used())
		if d.stream.kept > r.opt.MaxStream {
			d.stream.calls++
		}
	default:
		d.queued = -1
		kept := min(ret, int64(t.lim.Data))
		d.stream.kept += kept
		if ret > kept {
			d.stream.dropped += uint64(ret - kept)
			d.stream.calls++
		}
	}
}

func (r *Recorder) loss(s *stream) {
	if s.calls > 0 && !r.pass {
		r.sink.Put(event.Event{Time: lens.Now(), Body: &event.Loss{
			Lens: "kernel", What: "stream bytes over --max-stream: " + s.link, Count: s.calls, Bytes: s.dropped,
		}})
	}
}

func (r *Recorder) losses() {
	for _, s := range r.streams {
		r.loss(s)
	}
	if n := r.stacks.lost; n > 0 {
		r.sink.Put(event.Event{Time: lens.Now(), Body: &event.Loss{Lens: "code", What: "Python stacks over the limit", Count: n}})
	}
	if n := r.crashes.lost; n > 0 {
		r.sink.Put(event.Event{Time: lens.Now(), Body: &event.Loss{Lens: "kernel", What: "native stacks of crashes over the limit", Count: n}})
	}
}
