// Package http3 reads HTTP/3 connections (RFC 9114): the frames on the streams
// that package quic puts in order, the header compression (RFC 9204), and of each
// stream the request and its answers as messages of package http.
//
// A header that refers to fields which the encoder stream has not brought yet
// waits for them. A hole in a header or in an encoder stream ends what can be read
// of it; one in a body is counted. Pushes and priorities are passed over.
package http3

import (
	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
)

// Limits that are not options.
const (
	maxBlock   = 256 << 10 // bytes of one header block
	maxString  = 64 << 10  // bytes of a field's name or value, as sent
	maxList    = 256 << 10 // bytes of a header, in the measure of RFC 9204 section 3.2.1
	maxFields  = 1000
	maxTable   = 1 << 20 // bytes of the compression's dynamic table
	maxStreams = 1024    // that are open at a time
	maxBlocked = 64      // header blocks that wait for the encoder
)

// Frame types (RFC 9114 section 7.2).
const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameSettings = 0x4
	frameGoAway   = 0x7
)

// Types of unidirectional streams (RFC 9114 section 6.2, RFC 9204 section 4.2).
const (
	streamControl = 0
	streamPush    = 1
	streamEncoder = 2
	streamDecoder = 3
)

// GoAway says that its sender takes no new requests, from the one on ID on.
type GoAway struct{ ID uint64 }

// Frame is the header of a frame.
type Frame struct{ Stream, Type, Length uint64 }

// Output is one event: http.Head, *http.Message, http.Body, *http.Damage, *GoAway
// or Frame.
type Output = http.StreamOutput

// Input is the next bytes of a stream.
type Input struct {
	dissect.Input
	Stream uint64 // End of Input ends it in this direction
}

// lane is one direction of a stream.
type lane struct {
	kind  uint64 // of a unidirectional stream
	known bool   // kind was read
	buf   []byte // of a frame's header or of a payload that is read when it is whole
	typ   uint64
	rest  uint64 // bytes of the payload to come
	in    bool   // inside a frame
	dead  bool
	wait  []Input // what follows a header block that waits
	block *waiting
}

// waiting is a header block that needs more insertions.
type waiting struct {
	block
	span dissect.Span
}

// Conn is one connection.
type Conn struct {
	streams http.Streams
	lanes   map[uint64]*[2]lane
	tables  [2]table // by who encodes
	blocked int
	last    uint64 // the highest request stream seen, plus 1
}

// New returns a reader of one connection.
func New(o http.Options) *Conn {
	return &Conn{streams: http.NewStreams("HTTP/3", o), lanes: map[uint64]*[2]lane{}}
}

// Feed takes the next bytes of a stream. The slice is valid until the next call.
func (c *Conn) Feed(in Input) []Output {
	c.streams.Reset()
	c.feed(in)
	return c.streams.Out
}

// Reset says that the sender of a direction of a stream gave it up, for the reason
// that code names.
func (c *Conn) Reset(id uint64, d dissect.Dir, code string) []Output {
	c.streams.Reset()
	if st := c.streams.Get(id); st != nil {
		c.streams.ResetBy(st, d, d, code)
	}
	return c.streams.Out
}

// Close says that the connection or the recording ended.
func (c *Conn) Close(why string) []Output {
	c.streams.Reset()
	c.streams.AbandonAll(dissect.ToServer, why)
	c.streams.AbandonAll(dissect.ToClient, why)
	return c.streams.Out
}

func (c *Conn) damage(in *Input, fatal bool, what string) {
	c.streams.Emit(in.Dir, dissect.At(&in.Input), nil, &http.Damage{What: what, Missing: max(in.Gap, 0), Fatal: fatal})
}

func (c *Conn) feed(in Input) {
	s := c.lanes[in.Stream]
	if s == nil {
		if len(c.lanes) >= 4*maxStreams {
			c.damage(&in, false, "a stream left out: too many are open")
			return
		}
		s = new([2]lane)
		c.lanes[in.Stream] = s
	}
	l := &s[in.Dir&1]
	switch {
	case l.dead:
	case l.block != nil:
		if len(l.wait) >= maxBlocked {
			c.kill(l, &in, "a header waits for the header compression for too long")
			return
		}
		in.Data = append([]byte(nil), in.Data...)
		l.wait = append(l.wait, in)
		return
	case in.Stream&2 != 0:
		c.oneWay(l, &in)
	default:
		c.request(l, &in)
	}
	if in.End && l.block == nil && in.Stream&3 == 0 {
		if st := c.streams.Get(in.Stream); st != nil {
			c.streams.Done(st, in.Dir, dissect.At(&in.Input))
		}
		l.dead = true
		if s[0].dead && s[1].dead {
			delete(c.lanes, in.Stream)
		}
	}
}

// kill ends the reading of a direction of a stream.
func (c *Conn) kill(l *lane, in *Input, what string) {
	l.dead, l.buf, l.wait = true, nil, nil
	if st := c.streams.Get(in.Stream); st != nil {
		c.streams.Abandon(st, in.Dir, what)
	}
	c.damage(in, true, what)
}

// oneWay takes bytes of a unidirectional stream.
func (c *Conn) oneWay(l *lane, in *Input) {
	b := in.Data
	if in.Gap != 0 {
		c.kill(l, in, "bytes missing in a stream of the connection's own")
		return
	}
	if !l.known {
		l.buf = append(l.buf, b...)
		r := &reader{b: l.buf}
		kind := r.varint()
		if r.short {
			return
		}
		l.kind, l.known, b = kind, true, r.b
		l.buf = nil
	}
	switch l.kind {
	case streamControl:
		in.Data = b
		c.frames(l, in)
	case streamEncoder:
		if err := c.tables[in.Dir&1].instructions(b); err != nil {
			c.kill(l, in, qpackDamage(err))
			return
		}
		c.release(in)
	case streamPush, streamDecoder:
	}
}

// release reads the header blocks that can be read now.
func (c *Conn) release(in *Input) {
	if c.blocked == 0 {
		return
	}
	for id, s := range c.lanes {
		l := &s[in.Dir&1]
		if l.block == nil || l.block.required > c.tables[in.Dir&1].inserted {
			continue
		}
		w := l.block
		l.block = nil
		c.blocked--
		x := Input{Input: dissect.Input{Time: in.Time, Dir: in.Dir, Ref: in.Ref}, Stream: id}
		c.header(l, &x, w.block, w.span)
		wait := l.wait
		l.wait = nil
		for _, x := range wait {
			c.feed(x)
		}
	}
}

// request takes bytes of a request's stream.
func (c *Conn) request(l *lane, in *Input) {
	if n := in.Gap; n != 0 {
		switch {
		case l.in && l.typ == frameData && n > 0 && uint64(n) <= l.rest:
			if st := c.streams.Get(in.Stream); st != nil {
				c.streams.Missing(st, in.Dir, n)
			}
			l.rest -= uint64(n)
			l.in = l.rest > 0
		default:
			c.kill(l, in, "bytes missing")
			return
		}
	}
	c.frames(l, in)
}

// frames takes the frames of a stream.
func (c *Conn) frames(l *lane, in *Input) {
	for b := in.Data; !l.dead; {
		if !l.in {
			if len(b) == 0 {
				return
			}
			l.buf = append(l.buf, b[0])
			b = b[1:]
			r := &reader{b: l.buf}
			typ, n := r.varint(), r.varint()
			if r.short {
				continue
			}
			l.buf, l.in, l.typ, l.rest = l.buf[:0], true, typ, n
			c.streams.Emit(in.Dir, dissect.At(&in.Input), nil, Frame{in.Stream, typ, n})
			if (typ == frameHeaders || typ == frameSettings || typ == frameGoAway) && n > maxBlock {
				c.kill(l, in, "a header block over the limit")
				return
			}
		}
		n := min(uint64(len(b)), l.rest)
		l.rest -= n
		switch l.typ {
		case frameData:
			if st := c.streams.Get(in.Stream); st != nil && n > 0 {
				c.streams.Body(st, in.Dir, b[:n], dissect.At(&in.Input))
			}
		case frameHeaders, frameSettings, frameGoAway:
			l.buf = append(l.buf, b[:n]...)
		}
		b = b[n:]
		if l.rest > 0 {
			return
		}
		l.in = false
		whole := l.buf
		l.buf = nil
		switch l.typ {
		case frameHeaders:
			if c.headers(l, in, whole); l.block != nil {
				x := *in
				x.Data, x.Gap = append([]byte(nil), b...), 0
				l.wait = append(l.wait, x)
				in.End = false
				return
			}
		case frameSettings:
			c.settings(in, whole)
		case frameGoAway:
			r := &reader{b: whole}
			if id := r.varint(); r.ok() && in.Stream&2 != 0 {
				c.streams.Emit(in.Dir, dissect.At(&in.Input), nil, &GoAway{id})
			}
		}
	}
}

// settingTable allows a dynamic table of that size (RFC 9204 section 5).
const settingTable = 1

// settings takes what the sender of SETTINGS allows the other side.
func (c *Conn) settings(in *Input, b []byte) {
	for r := (&reader{b: b}); len(r.b) > 0 && r.ok(); {
		if id, n := r.varint(), r.varint(); r.ok() && id == settingTable {
			c.tables[in.Dir.Reverse()&1].most = int(min(n, maxTable))
		}
	}
}

// headers takes a header block.
func (c *Conn) headers(l *lane, in *Input, b []byte) {
	t := &c.tables[in.Dir&1]
	x, err := t.prefix(b)
	switch {
	case err != nil:
		c.kill(l, in, qpackDamage(err))
	case x.required > t.inserted && c.blocked >= maxBlocked:
		c.kill(l, in, "too many headers wait for the header compression")
	case x.required > t.inserted:
		l.block = &waiting{x, dissect.At(&in.Input)}
		c.blocked++
	default:
		c.header(l, in, x, dissect.At(&in.Input))
	}
}

func (c *Conn) header(l *lane, in *Input, x block, span dissect.Span) {
	list, over, err := c.tables[in.Dir&1].read(x)
	if err != nil {
		c.kill(l, in, qpackDamage(err))
		return
	}
	if over {
		c.damage(in, false, "a header over the limit: the rest is left out")
	}
	st := c.streams.Get(in.Stream)
	if st == nil {
		old := in.Dir == dissect.ToServer && in.Stream < c.last
		if in.Stream&3 != 0 || old && c.lanes[in.Stream] == nil || c.streams.Len() >= maxStreams {
			return
		}
		c.last = max(c.last, in.Stream+1)
		st = c.streams.Open(in.Stream, in.Dir, false)
	}
	c.streams.Header(st, in.Dir, list, span, false)
}
