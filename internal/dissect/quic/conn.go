package quic

import (
	"bytes"
	"encoding/binary"
	"slices"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tls"
)

// Spaces of packet numbers (RFC 9000 section 12.3).
const (
	spaceInitial = iota
	spaceHandshake
	spaceApp
)

type half struct {
	dir     dissect.Dir
	cidLen  int // of the connection ids in short headers that it sends, -1: not known
	keys    [OneRTT + 1]*keys
	next    *keys // of OneRTT after the next key update
	last    *keys // of OneRTT before the last one
	phase   byte  // key phase bit of keys[OneRTT]
	largest [3]int64
	crypto  [3]assembler
}

// Conn is the connection that the datagrams of a flow carry, or one after the
// other.
type Conn struct {
	log     *tls.KeyLog
	tls     *tls.Conn
	version Version
	dcid    []byte // that the Initial keys are made from
	random  tls.Random
	hello   bool // the ClientHello was seen
	suite   tls.Suite
	half    [2]half
	streams map[uint64]*[2]assembler
	held    int // bytes that streams hold
	refused bool
	told    bool // that the keys are missing
	late    []dissect.Input
	ready   bool // packets of late may be readable now
	closed  bool // nothing comes any more
	out     []Output
}

// New returns a reader of one flow.
func New(log *tls.KeyLog) *Conn {
	c := &Conn{log: log}
	c.reset()
	return c
}

func (c *Conn) reset() {
	*c = Conn{log: c.log, tls: tls.New(c.log), streams: map[uint64]*[2]assembler{}, out: c.out}
	for d := range c.half {
		c.half[d] = half{dir: dissect.Dir(d), cidLen: -1, largest: [3]int64{-1, -1, -1}}
	}
}

// Plausible says whether a datagram looks like the first one of a connection, from
// its client or its server: a long header of a version that is read, in a
// datagram as long as a client's must be, or Version Negotiation.
func Plausible(b []byte) bool {
	if len(b) < 7 || b[0]&0x80 == 0 {
		return false
	}
	v := Version(binary.BigEndian.Uint32(b[1:]))
	n := int(b[5])
	if n > 20 || len(b) < 7+n || int(b[6+n]) > 20 || len(b) < 7+n+int(b[6+n]) {
		return false
	}
	const least = 1200 // bytes of a datagram with a client's Initial (RFC 9000 section 14.1)
	if v == 0 {
		return (len(b)-7-n-int(b[6+n]))%4 == 0 && n+int(b[6+n]) >= 8
	}
	reserved := v&0x0f0f0f0f == 0x0a0a0a0a
	return b[0]&0x40 != 0 && (v.salt() != nil || (reserved || v>>8 == 0xff0000) && len(b) >= least)
}

// Feed takes the next datagram. The slice and the Data in it are valid until the
// next call.
func (c *Conn) Feed(in dissect.Input) []Output {
	clear(c.out)
	c.out = c.out[:0]
	c.datagram(&in)
	for c.ready {
		c.ready = false
		late := c.late
		c.late = nil
		for i := range late {
			c.datagram(&late[i])
		}
	}
	return c.out
}

// Close gives out what waits for keys or bytes that never came.
func (c *Conn) Close(in dissect.Input) []Output {
	clear(c.out)
	c.out = c.out[:0]
	late := c.late
	c.late, c.closed = nil, true
	for i := range late {
		c.datagram(&late[i])
	}
	ids := make([]uint64, 0, len(c.streams))
	for id := range c.streams {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		for d := range c.half {
			c.streams[id][d].skip(func(gap int, b []byte, end bool) { c.emit(dissect.Dir(d), &in, b, Stream{ID: id, Gap: gap, End: end}) })
		}
	}
	return c.out
}

func (c *Conn) emit(d dissect.Dir, in *dissect.Input, data []byte, msg any) {
	c.out = append(c.out, Output{Dir: d, Span: dissect.At(in), Data: data, Msg: msg})
}

// datagram takes the packets of a datagram (RFC 9000 section 12.2).
func (c *Conn) datagram(in *dissect.Input) {
	for b := in.Data; len(b) > 0; {
		n := 0
		switch {
		case b[0]&0x80 != 0:
			n = c.long(b, in)
		case b[0]&0x40 == 0 && len(b) < len(in.Data):
			return // padding behind a packet
		default:
			n = c.short(b, in)
		}
		if n <= 0 || n >= len(b) {
			return
		}
		b = b[n:]
	}
}

// long takes a packet with a long header and returns its length, 0 when nothing
// behind it can be read.
func (c *Conn) long(b []byte, in *dissect.Input) int {
	r := &reader{b: b[1:]}
	v := r.take(4)
	if v == nil {
		return 0
	}
	p := &Packet{Version: Version(binary.BigEndian.Uint32(v))}
	p.DCID = bytes.Clone(r.take(uint64(r.u8())))
	p.SCID = bytes.Clone(r.take(uint64(r.u8())))
	d := in.Dir & 1
	switch {
	case r.bad:
		return 0
	case p.Version == 0:
		p.Type, p.Opened = VersionNegotiation, true
		for len(r.b) >= 4 && len(p.Supported) < maxFrames {
			p.Supported = append(p.Supported, Version(binary.BigEndian.Uint32(r.take(4))))
		}
		c.refused = true
		c.emit(d, in, nil, p)
		return 0
	}
	p.Type = Type(b[0] >> 4 & 3)
	if p.Version == V2 {
		p.Type = (p.Type + 3) & 3
	}
	if len(p.SCID) <= 20 {
		c.half[d.Reverse()].cidLen = len(p.SCID)
	}
	if p.Version.salt() == nil {
		p.Why = "a version that is not known"
		c.emit(d, in, nil, p)
		return 0
	}
	if p.Type == Retry {
		p.Opened = true
		c.emit(d, in, nil, p)
		return 0
	}
	if p.Type == Initial {
		r.take(r.varint())
	}
	length := r.varint()
	at := len(b) - len(r.b)
	if r.bad || length > uint64(len(r.b)) {
		p.Why = "it is longer than its datagram"
		c.emit(d, in, nil, p)
		return 0
	}
	end := at + int(length)
	c.packet(p, d, b[:end], at, in)
	return end
}

// packet opens a packet with a long header.
func (c *Conn) packet(p *Packet, d dissect.Dir, b []byte, at int, in *dissect.Input) {
	space := [...]int{Initial: spaceInitial, ZeroRTT: spaceApp, Handshake: spaceHandshake}[p.Type]
	var x opened
	ok := false
	switch p.Type {
	case Initial:
		x, ok = c.initial(p, d, b, at)
	case ZeroRTT:
		x, ok = c.early(p, d, b, at)
	default:
		if k := c.half[d].keys[Handshake]; k != nil {
			x, ok = k.open(b, at, c.half[d].largest[space])
		}
	}
	c.take(p, d, space, x, ok, b, in)
}

// initial opens an Initial packet. A client that begins, or begins again after
// Retry or Version Negotiation, does so under keys of its own.
func (c *Conn) initial(p *Packet, d dissect.Dir, b []byte, at int) (x opened, ok bool) {
	h := &c.half[d]
	if k := h.keys[Initial]; k != nil && k.v == p.Version {
		if x, ok = k.open(b, at, h.largest[spaceInitial]); ok {
			return x, true
		}
	}
	dcid := p.DCID
	if d == dissect.ToClient {
		dcid = c.dcid
	}
	both := initialKeys(p.Version, dcid)
	if both[d] == nil {
		return x, false
	}
	if x, ok = both[d].open(b, at, -1); !ok {
		return x, false
	}
	if d == dissect.ToServer && c.hello && (c.suite != 0 || c.refused && p.Version != c.version) {
		length := c.half[d].cidLen
		c.reset() // another connection between the same ports
		c.half[d].cidLen = length
		c.half[dissect.ToClient].cidLen = len(p.SCID)
	}
	c.version, c.dcid = p.Version, bytes.Clone(dcid)
	c.half[0].keys[Initial], c.half[1].keys[Initial] = both[0], both[1]
	return x, true
}

// early opens a 0-RTT packet. Its suite is that of an earlier connection: of those
// that fit the secret's length the one that opens it.
func (c *Conn) early(p *Packet, d dissect.Dir, b []byte, at int) (x opened, ok bool) {
	h := &c.half[d]
	if k := h.keys[ZeroRTT]; k != nil {
		return k.open(b, at, h.largest[spaceApp])
	}
	if !c.hello {
		return x, false
	}
	secret := c.log.Secret(c.random, tls.ClientEarly)
	for _, suite := range []tls.Suite{0x1301, 0x1302, suiteChaCha} {
		k, err := newKeys(p.Version, suite, secret)
		if err != nil {
			continue
		}
		if x, ok = k.open(b, at, h.largest[spaceApp]); ok {
			h.keys[ZeroRTT] = k
			return x, true
		}
	}
	return x, false
}

// short takes a packet with a short header, which is the rest of its datagram.
func (c *Conn) short(b []byte, in *dissect.Input) int {
	d := in.Dir & 1
	h := &c.half[d]
	p := &Packet{Type: OneRTT}
	at := 1 + h.cidLen
	if h.cidLen < 0 || len(b) < at {
		p.Why = "the length of its connection id is not known"
		c.emit(d, in, nil, p)
		return 0
	}
	p.DCID = bytes.Clone(b[1:at])
	x, ok := h.open1RTT(b, at)
	c.take(p, d, spaceApp, x, ok, b, in)
	return 0
}

// open1RTT opens a packet under the keys of its key phase (RFC 9001 section 6.3).
func (h *half) open1RTT(b []byte, at int) (x opened, ok bool) {
	k := h.keys[OneRTT]
	if k == nil {
		return x, false
	}
	head, n, ok := k.unprotect(b, at)
	if !ok {
		return x, false
	}
	x.first, x.number = head[0], number(h.largest[spaceApp], head[at:at+n])
	if phase := head[0] >> 2 & 1; phase == h.phase {
		return k.decrypt(x, head, b)
	}
	if h.last != nil {
		if y, ok := h.last.decrypt(x, head, b); ok {
			return y, true
		}
	}
	if h.next == nil {
		var err error
		if h.next, err = k.next(); err != nil {
			return x, false
		}
	}
	if x, ok = h.next.decrypt(x, head, b); ok {
		h.last, h.keys[OneRTT], h.next = k, h.next, nil
		h.phase ^= 1
	}
	return x, ok
}

// take tells of a packet and takes its frames. One whose keys may still come is
// looked at again.
func (c *Conn) take(p *Packet, d dissect.Dir, space int, x opened, ok bool, b []byte, in *dissect.Input) {
	h := &c.half[d]
	if !ok {
		k := h.keys[p.Type]
		if k == nil && c.suite == 0 && c.hello && !c.closed && len(c.late) < maxLate {
			late := *in
			late.Data = bytes.Clone(b)
			c.late = append(c.late, late)
			return
		}
		p.Why = "it could not be decrypted"
		if k == nil {
			p.Why = "its keys are not known"
			if c.hello && !c.told && p.Type != ZeroRTT {
				c.told = true
				c.emit(d, in, nil, tls.Undecrypted{Reason: tls.NoKey})
			}
		}
		c.emit(d, in, nil, p)
		return
	}
	p.Opened, p.Number = true, x.number
	h.largest[space] = max(h.largest[space], int64(x.number))
	c.emit(d, in, nil, p)
	c.frames(p, h, space, x.payload, in)
}

// handshake takes bytes of the TLS handshake.
func (c *Conn) handshake(h *half, gap int, b []byte, in *dissect.Input) {
	if gap > 0 {
		return // over the limit: the handshake can't be read
	}
	for _, o := range c.tls.Crypto(h.dir, b, dissect.At(in)) {
		switch m := o.Msg.(type) {
		case *tls.ClientHello:
			c.random, c.hello = m.Random, true
		case *tls.ServerHello:
			if !m.HelloRetry {
				c.suite, c.ready = m.Suite, true
				c.install()
			}
		}
		c.out = append(c.out, Output{Dir: o.Dir, Span: o.Span, Msg: o.Msg})
	}
}

// install makes the keys that the key log has.
func (c *Conn) install() {
	for _, x := range []struct {
		dir    dissect.Dir
		typ    Type
		secret tls.Secret
	}{
		{dissect.ToServer, Handshake, tls.ClientHandshake}, {dissect.ToClient, Handshake, tls.ServerHandshake},
		{dissect.ToServer, OneRTT, tls.ClientTraffic}, {dissect.ToClient, OneRTT, tls.ServerTraffic},
	} {
		if k, err := newKeys(c.version, c.suite, c.log.Secret(c.random, x.secret)); err == nil {
			c.half[x.dir].keys[x.typ] = k
		}
	}
}
