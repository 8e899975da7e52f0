package ebpf

import (
	"strconv"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/procfs"
)

// descriptor is what the kernel said last of a number.
type descriptor struct {
	link          string
	typ           uint32
	local, remote string
	announced     bool // since it was opened
}

// stream counts what of a socket's traffic was kept.
type stream struct {
	link    string
	queued  uint32 // of the last look at its queue, 0 when it may have changed
	dropped uint64 // bytes
	calls   uint64 // that lost some
}

// maxStreams bounds how many sockets are kept account of.
const maxStreams = 1 << 16

func (r *Recorder) stream(ino uint32) *stream {
	s := r.streams[ino]
	if s != nil {
		return s
	}
	if len(r.streams) >= maxStreams {
		for _, s := range r.streams {
			r.lossOf(s)
		}
		clear(r.streams)
	}
	s = &stream{link: "socket:[" + strconv.FormatUint(uint64(ino), 10) + "]"}
	r.streams[ino] = s
	return s
}

func (r *Recorder) lossOf(s *stream) {
	if s.calls > 0 {
		r.loss("stream bytes over --max-stream: "+s.link, s.calls, s.dropped)
	}
}

// forget says that a number stands for nothing any more. What the kernel said
// is kept: it says it again only if it differs.
func (p *process) forget(fd int32) {
	if d := p.fds[fd]; d != nil && d.announced {
		d.announced = false
		p.closed++
	}
}

// Magic numbers of file systems whose files have no path (linux/magic.h).
const (
	magicPipe = 0x50495045
	magicAnon = 0x09041934
	magicPID  = 0x50494446
)

// described takes in what the kernel says of a descriptor.
func (r *Recorder) described(t *task, h *head, c *cursor) {
	fd := int32(c.u32())
	mode, ino, magic, typ := c.u32(), c.u64(), c.u32(), c.u32()
	_ = c.u32() // family
	deleted := c.u32() != 0
	var d descriptor
	var where, info string
	for {
		p, ok := c.next()
		if !ok {
			break
		}
		switch p.at {
		case atPath:
			where = path(p.data)
		case atInfo:
			info = string(p.data)
		case atLocal:
			d.local = string(p.data)
		case atRemote:
			d.remote = string(p.data)
		}
	}
	if c.bad {
		return
	}
	number := "[" + strconv.FormatUint(ino, 10) + "]"
	switch {
	case mode&unix.S_IFMT == unix.S_IFSOCK:
		d.link, d.typ = "socket:"+number, typ
	case magic == magicPipe:
		d.link = "pipe:" + number
	case magic == magicAnon:
		d.link = "anon_inode:" + info
	case magic == magicPID:
		d.link = "anon_inode:[pidfd]"
	case info == "/" || info == "" && where != "":
		d.link = where
		if deleted {
			d.link += " (deleted)"
		}
	case info != "":
		d.link = "/" + info + " (deleted)" // memfd_create(2), SysV shared memory
		if s, ok := procfs.Link(procfs.FD(t.tid, fd)); ok {
			d.link = s
		}
	}
	old := t.proc.fds[fd]
	if old != nil && old.link == d.link {
		if d.remote == "" {
			d.remote = old.remote // it has no peer any more
		}
		if old.announced && old.local == d.local && old.remote == d.remote {
			return
		}
	}
	if old != nil && !old.announced {
		t.proc.closed--
	}
	t.proc.fds[fd] = &d
	r.announce(t, event.Time(h.time), fd, &d)
}

func (r *Recorder) announce(t *task, at event.Time, fd int32, d *descriptor) {
	d.announced = true
	r.fdEvent = event.FD{FD: fd, Link: d.link, Local: bytesOf(d.local), Remote: bytesOf(d.remote), Type: d.typ}
	r.put(t, at, &r.fdEvent)
}

func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// transfer follows a call that moved data: what its descriptor is, and what was
// kept.
func (r *Recorder) transfer(t *task, h *head, s *event.Syscall, f facts, mode, ino, kept uint32) {
	fd := int32(s.Args[f.fd])
	if t.proc.closed > 0 {
		if d := t.proc.fds[fd]; d != nil && !d.announced {
			t.proc.closed--
			r.announce(t, event.Time(h.time), fd, d)
		}
	}
	if mode&unix.S_IFMT != unix.S_IFSOCK || s.Ret <= 0 {
		return
	}
	q := r.stream(ino)
	q.queued = 0
	if f.role == plain && s.Ret > int64(kept) {
		q.calls++
		q.dropped += uint64(s.Ret - int64(kept))
	}
}

// peeked takes in what lay unread in a socket.
func (r *Recorder) peeked(t *task, h *head, c *cursor) {
	fd, when := int32(c.u32()), c.u32()
	ino := uint32(c.u64())
	queued, missing := c.u32(), c.u32()
	var data []byte
	if t.seq == h.seq {
		for _, p := range t.parts {
			if p.At == atData {
				data = append(data, p.Data...)
			}
		}
	}
	for {
		p, ok := c.next()
		if !ok {
			break
		}
		data = append(data, p.data...)
	}
	t.reset(h.seq)
	q := r.stream(ino)
	if q.queued == queued {
		return
	}
	q.queued = queued
	if missing > 0 {
		r.note(nil, noteNoFragments)
	}
	words := [...]string{1: "close", 2: "exit", 3: "write-failed"}
	if when == 0 || when >= uint32(len(words)) {
		r.damaged++
		return
	}
	r.put(t, event.Time(h.time), &event.Peek{FD: fd, Link: q.link, When: words[when], Queued: queued, Data: data})
}
