package quic

import (
	"strings"

	"culprit/internal/dissect"
)

// Frame types (RFC 9000 section 19, RFC 9221).
const (
	framePadding         = 0x00
	framePing            = 0x01
	frameAck             = 0x02
	frameAckECN          = 0x03
	frameResetStream     = 0x04
	frameStopSending     = 0x05
	frameCrypto          = 0x06
	frameNewToken        = 0x07
	frameStream          = 0x08 // to 0x0f
	frameMaxData         = 0x10
	frameMaxStreamData   = 0x11
	frameStreamsBlocked  = 0x17
	frameStreamBlocked   = 0x15
	frameNewID           = 0x18
	frameRetireID        = 0x19
	framePathChallenge   = 0x1a
	framePathResponse    = 0x1b
	frameClose           = 0x1c
	frameCloseApp        = 0x1d
	frameHandshakeDone   = 0x1e
	frameDatagram        = 0x30
	frameDatagramWithLen = 0x31
)

// reader reads a packet's payload; bad says that it went over the end.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// varint reads a variable-length integer (RFC 9000 section 16).
func (r *reader) varint() uint64 {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	b := r.take(1 << (r.b[0] >> 6))
	if b == nil {
		return 0
	}
	n := uint64(b[0] & 0x3f)
	for _, x := range b[1:] {
		n = n<<8 | uint64(x)
	}
	return n
}

func (r *reader) skip(numbers int) {
	for range numbers {
		r.varint()
	}
}

// maxFrames bounds the list of a packet's frames.
const maxFrames = 256

// frames takes the frames of a packet.
func (c *Conn) frames(p *Packet, h *half, space int, payload []byte, in *dissect.Input) {
	r := &reader{b: payload}
	padding := false
	for len(r.b) > 0 && !r.bad {
		typ := r.varint()
		if typ == framePadding {
			if !padding && len(p.Frames) < maxFrames {
				p.Frames = append(p.Frames, typ)
			}
			padding = true
			continue
		}
		padding = false
		if len(p.Frames) < maxFrames {
			p.Frames = append(p.Frames, typ)
		}
		if !c.frame(typ, r, h, space, in) {
			p.Why = "a frame of a type that is not known: the rest is passed over"
			return
		}
	}
	if r.bad {
		p.Why = "a frame that is longer than its packet"
	}
}

// frame takes one frame; false when its type is not known.
func (c *Conn) frame(typ uint64, r *reader, h *half, space int, in *dissect.Input) bool {
	switch {
	case typ == framePing, typ == frameHandshakeDone:
	case typ == frameAck, typ == frameAckECN:
		r.skip(2)
		ranges := r.varint()
		r.varint()
		for ; ranges > 0 && !r.bad; ranges-- {
			r.skip(2)
		}
		if typ == frameAckECN {
			r.skip(3)
		}
	case typ == frameResetStream, typ == frameStopSending:
		x := &Reset{Stream: r.varint(), Code: r.varint(), Stop: typ == frameStopSending}
		if typ == frameResetStream {
			r.varint()
		}
		if !r.bad {
			c.emit(h.dir, in, nil, x)
		}
	case typ == frameCrypto:
		at := r.varint()
		if b := r.take(r.varint()); !r.bad {
			h.crypto[space].add(at, b, false, func(gap int, b []byte, _ bool) { c.handshake(h, gap, b, in) })
		}
	case typ == frameNewToken:
		r.take(r.varint())
	case typ >= frameStream && typ < frameStream+8:
		c.stream(typ, r, h, in)
	case typ == frameMaxStreamData, typ == frameStreamBlocked:
		r.skip(2)
	case typ >= frameMaxData && typ <= frameStreamsBlocked, typ == frameRetireID:
		r.varint()
	case typ == frameNewID:
		r.skip(2)
		r.take(uint64(r.u8()))
		r.take(16)
	case typ == framePathChallenge, typ == framePathResponse:
		r.take(8)
	case typ == frameClose, typ == frameCloseApp:
		x := &Close{App: typ == frameCloseApp, Code: r.varint()}
		if !x.App {
			x.Frame = r.varint()
		}
		b := r.take(r.varint())
		if x.Reason = strings.ToValidUTF8(string(b[:min(len(b), maxReason)]), "?"); !r.bad {
			c.emit(h.dir, in, nil, x)
		}
	case typ == frameDatagram:
		c.emit(h.dir, in, r.take(uint64(len(r.b))), Datagram{})
	case typ == frameDatagramWithLen:
		if b := r.take(r.varint()); !r.bad {
			c.emit(h.dir, in, b, Datagram{})
		}
	default:
		return false
	}
	return true
}

// stream takes a STREAM frame (RFC 9000 section 19.8).
func (c *Conn) stream(typ uint64, r *reader, h *half, in *dissect.Input) {
	id, at := r.varint(), uint64(0)
	if typ&4 != 0 {
		at = r.varint()
	}
	n := uint64(len(r.b))
	if typ&2 != 0 {
		n = r.varint()
	}
	b := r.take(n)
	if r.bad {
		return
	}
	s := c.streams[id]
	if s == nil {
		if len(c.streams) >= maxStreams {
			c.forget()
		}
		s = new([2]assembler)
		c.streams[id] = s
	}
	a := &s[h.dir]
	before := a.size
	give := func(gap int, b []byte, end bool) { c.emit(h.dir, in, b, Stream{ID: id, Gap: gap, End: end}) }
	a.add(at, b, typ&1 != 0, give)
	if c.held += a.size - before; c.held > maxTotal {
		before = a.size
		a.skip(give)
		c.held += a.size - before
	}
}

// forget drops the streams that are over, or, when there are none, the oldest.
func (c *Conn) forget() {
	oldest := ^uint64(0)
	for id, s := range c.streams {
		oldest = min(oldest, id)
		if over := func(d dissect.Dir) bool { return s[d].done || id&2 != 0 && s[d].next == 0 }; over(0) && over(1) {
			c.held -= s[0].size + s[1].size
			delete(c.streams, id)
		}
	}
	if s := c.streams[oldest]; s != nil && len(c.streams) >= maxStreams {
		c.held -= s[0].size + s[1].size
		delete(c.streams, oldest)
	}
}
