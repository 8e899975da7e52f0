package tcp

import (
	"container/list"
	"encoding/binary"
	"net/netip"
	"slices"

	"culprit/internal/dissect"
	"culprit/internal/event"
)

// Limits. What is over them becomes a gap or closes the connection that was
// quiet for longest; both are counted.
const (
	maxConns  = 1 << 16
	maxDead   = 1 << 13 // of those, connections whose both sides have ended
	maxQueue  = 4 << 20 // bytes held back behind a hole, for each direction
	maxHeld   = 4096    // segments held back
	maxAhead  = 64 << 20
	maxTotal  = 64 << 20 // bytes held back, of all connections
	ackedHold = 8        // segments to wait after the peer has acknowledged a hole
)

// Conn is one TCP connection as far as the packets show it.
type Conn struct {
	ID             int // from 0, in order of appearance
	Client, Server netip.AddrPort
	Opened         event.Time // the first packet
	Established    event.Time // SYN+ACK, 0 when not seen
	SawSYN         bool
	Half           [2]Half // by dissect.Dir
	Reset          bool
	ResetBy        dissect.Dir // who sent the RST
	ResetAt        event.Time
	Owner          any        // for the assembler's user
	RTT            event.Time // from the SYN to the ACK that ends the handshake, 0 when not seen
	Analysis       Analysis   // of the newest packet

	key   key
	place *list.Element // in Assembler.recent or dead
	dead  bool          // both sides ended
	track [2]track
	synAt event.Time
}

// Half counts one direction's packets.
type Half struct {
	Packets    int
	Bytes      int64 // delivered, each once
	Missing    int64 // bytes that the capture lacks
	Duplicate  int64 // bytes seen again (retransmissions, keep-alives)
	OutOfOrder int   // segments that came before an earlier one
	Wild       int   // segments whose sequence number fits nothing
	FIN        event.Time

	known   bool // next is set
	next    uint32
	synSeq  uint32
	sawSYN  bool
	fin     bool
	finSeq  uint32
	ended   bool
	acked   uint32
	hasAck  bool
	held    []segment
	heldSum int
	waited  int
	last    event.Time
}

type segment struct {
	seq  uint32
	cut  int
	data []byte
	time event.Time
	ref  int64
}

func (s *segment) end() uint32 { return s.seq + uint32(len(s.data)+s.cut) }

// Output is the next piece of a connection's stream. Its Data is valid until
// the next call.
type Output struct {
	Conn *Conn
	dissect.Input
	Over bool // both sides have closed; the Input is empty
	Gone bool // the connection is forgotten; the Input is empty
}

// Assembler sorts the packets of any number of connections. The zero value is
// ready.
type Assembler struct {
	conns  map[key]*Conn
	last   *Conn     // had the newest packet
	recent list.List // of *Conn, the one that was quiet for longest first
	dead   list.List // the same, of those that ended
	n      int
	held   int // bytes in all segments held back
	out    []Output

	Evicted int // connections forgotten because there were too many
}

// key is both ends, the lower first.
type key struct {
	lo, hi [2]uint64
	ports  uint32
}

func keyOf(f *Frame) key {
	a, b := words(f.Src.Addr()), words(f.Dst.Addr())
	p, q := uint32(f.Src.Port()), uint32(f.Dst.Port())
	if a[0] > b[0] || a[0] == b[0] && (a[1] > b[1] || a[1] == b[1] && p > q) {
		a, b, p, q = b, a, q, p
	}
	return key{a, b, p<<16 | q}
}

func words(a netip.Addr) [2]uint64 {
	b := a.As16()
	return [2]uint64{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Feed takes a TCP packet. It returns the connection and what the packet
// brought into order. The slice is valid until the next call.
func (a *Assembler) Feed(f *Frame, t event.Time, ref int64) (*Conn, []Output) {
	a.out = a.out[:0]
	c := a.last // packets come in runs
	if c == nil || !c.between(f) {
		c = a.conns[keyOf(f)]
	}
	if c != nil && f.Flags&(SYN|ACK) == SYN && c.renewed(f) {
		a.flush(c)
		c = nil
	}
	if c == nil {
		c = a.open(keyOf(f), f, t)
	}
	if a.last != c {
		a.list(c).MoveToBack(c.place)
		a.last = c
	}
	d := dissect.ToServer
	if f.Src != c.Client {
		d = dissect.ToClient
	}
	h := &c.Half[d]
	h.Packets++
	seq := f.Seq
	if f.Flags&SYN != 0 {
		c.SawSYN = true
		if f.Flags&ACK != 0 && c.Established == 0 {
			c.Established = t
		}
		seq++
		if h.sawSYN && f.Seq != h.synSeq && h.Bytes == 0 && len(h.held) == 0 {
			h.known = false // the answer before belonged to an older try (SYN cookies, NAT)
		}
		h.sawSYN, h.synSeq = true, f.Seq
	}
	if !h.known && f.Flags&RST == 0 {
		h.known, h.next = true, seq
	}
	if f.Flags&ACK != 0 && f.Flags&RST == 0 {
		p := &c.Half[d.Reverse()]
		if !p.hasAck || int32(f.Ack-p.acked) > 0 {
			p.acked, p.hasAck = f.Ack, true
		}
	}
	c.Analysis = c.analyze(f, d, t)
	a.segment(c, d, segment{seq: seq, cut: f.Cut, data: f.Payload, time: t, ref: ref}, f.Flags)
	if f.Flags&RST != 0 {
		a.reset(c, d, f, t, ref)
	}
	return c, a.out
}

// between says whether a packet is one of the connection's.
func (c *Conn) between(f *Frame) bool {
	return f.Src == c.Client && f.Dst == c.Server || f.Src == c.Server && f.Dst == c.Client
}

// renewed says whether a SYN opens another connection between the same ports.
func (c *Conn) renewed(f *Frame) bool {
	h := &c.Half[dissect.ToServer]
	if f.Src != c.Client {
		return c.dead || c.Half[dissect.ToClient].ended
	}
	if h.sawSYN {
		return f.Seq != h.synSeq
	}
	return h.known && h.Bytes > 0 && f.Seq+1 != h.next-uint32(h.Bytes)
}

func (a *Assembler) open(k key, f *Frame, t event.Time) *Conn {
	if a.dead.Len() > maxDead {
		a.evict(&a.dead)
	}
	if len(a.conns) >= maxConns {
		a.evict(&a.recent)
		a.Evicted++
	}
	if a.conns == nil {
		a.conns = make(map[key]*Conn)
	}
	if old := a.conns[k]; old != nil {
		a.list(old).Remove(old.place)
	}
	c := &Conn{ID: a.n, Client: f.Src, Server: f.Dst, Opened: t, key: k}
	c.track[0].scale, c.track[1].scale = scaleUnknown, scaleUnknown
	switch {
	case f.Flags&(SYN|ACK) == SYN|ACK,
		f.Flags&SYN == 0 && f.Src.Port() < 1024 && f.Dst.Port() >= 1024:
		c.Client, c.Server = f.Dst, f.Src
	}
	a.n++
	a.conns[k] = c
	c.place = a.recent.PushBack(c)
	return c
}

// list is the one that a connection stands in.
func (a *Assembler) list(c *Conn) *list.List {
	if c.dead {
		return &a.dead
	}
	return &a.recent
}

// evict forgets the connection of a list that was quiet for longest.
func (a *Assembler) evict(l *list.List) {
	if l.Len() == 0 {
		l = &a.dead
	}
	c := l.Remove(l.Front()).(*Conn)
	a.flush(c)
	delete(a.conns, c.key)
	if a.last == c {
		a.last = nil
	}
}

func (a *Assembler) segment(c *Conn, d dissect.Dir, s segment, flags uint8) {
	h := &c.Half[d]
	if !h.known {
		return
	}
	if flags&FIN != 0 && !h.fin {
		h.fin, h.finSeq, h.FIN = true, s.end(), s.time
	}
	if n := len(s.data) + s.cut; n > 0 {
		switch ahead := int32(s.seq - h.next); {
		case ahead > maxAhead || ahead < -maxAhead:
			h.Wild++
		case int32(s.end()-h.next) <= 0:
			h.Duplicate += int64(n)
		case ahead <= 0:
			a.deliver(c, d, &s)
		default:
			h.OutOfOrder++
			a.held += h.hold(s)
		}
	}
	a.drain(c, d)
	if len(h.held) > 0 {
		if h.hasAck && int32(h.acked-h.held[0].seq) >= 0 {
			h.waited++
		}
		for len(h.held) > 0 && (h.waited > ackedHold || h.heldSum > maxQueue || len(h.held) > maxHeld || a.held > maxTotal) {
			a.skip(c, d)
		}
	} else {
		h.waited = 0
	}
	a.finish(c, d, s.time, s.ref)
}

// hold keeps a segment, sorted by sequence number, and returns how many bytes
// that costs.
func (h *Half) hold(s segment) int {
	i := len(h.held)
	for i > 0 && int32(h.held[i-1].seq-s.seq) > 0 {
		i--
	}
	if i > 0 && h.held[i-1].seq == s.seq && int32(h.held[i-1].end()-s.end()) >= 0 {
		h.Duplicate += int64(len(s.data))
		return 0
	}
	s.data = slices.Clone(s.data)
	h.held = slices.Insert(h.held, i, s)
	h.heldSum += len(s.data)
	return len(s.data)
}

// drain delivers what is in order now.
func (a *Assembler) drain(c *Conn, d dissect.Dir) {
	h := &c.Half[d]
	n := 0
	for n < len(h.held) && int32(h.held[n].seq-h.next) <= 0 {
		s := &h.held[n]
		h.heldSum -= len(s.data)
		a.held -= len(s.data)
		if int32(s.end()-h.next) > 0 {
			a.deliver(c, d, s)
		} else {
			h.Duplicate += int64(len(s.data))
		}
		n++
	}
	if n > 0 {
		h.held = slices.Delete(h.held, 0, n)
		h.waited = 0
	}
}

// deliver puts out a segment that begins at or before next and ends after it.
func (a *Assembler) deliver(c *Conn, d dissect.Dir, s *segment) {
	h := &c.Half[d]
	h.last = max(h.last, s.time)
	old := int(h.next - s.seq)
	h.next = s.end()
	h.Duplicate += int64(old)
	data, cut := s.data, s.cut
	if old > len(data) {
		cut -= old - len(data)
		data = nil
	} else {
		data = data[old:]
	}
	if len(data) > 0 {
		h.Bytes += int64(len(data))
		a.put(c, dissect.Input{Time: h.last, Dir: d, Data: data, Ref: s.ref})
	}
	if cut > 0 { // the snap length cut the segment's end off
		h.Missing += int64(cut)
		a.put(c, dissect.Input{Time: h.last, Dir: d, Gap: cut, Ref: s.ref})
	}
}

func (a *Assembler) put(c *Conn, in dissect.Input) { a.out = append(a.out, Output{Conn: c, Input: in}) }

// skip gives up the hole before the first held segment.
func (a *Assembler) skip(c *Conn, d dissect.Dir) {
	h := &c.Half[d]
	s := &h.held[0]
	gap := int(s.seq - h.next)
	h.Missing += int64(gap)
	h.next = s.seq
	h.last = max(h.last, s.time)
	a.put(c, dissect.Input{Time: h.last, Dir: d, Gap: gap, Ref: s.ref})
	a.drain(c, d)
}

// finish ends a direction whose FIN's turn has come.
func (a *Assembler) finish(c *Conn, d dissect.Dir, t event.Time, ref int64) {
	h := &c.Half[d]
	if h.fin && !h.ended && int32(h.next-h.finSeq) >= 0 {
		a.end(c, d, t, ref)
	}
}

func (a *Assembler) end(c *Conn, d dissect.Dir, t event.Time, ref int64) {
	h := &c.Half[d]
	h.ended = true
	h.last = max(h.last, t)
	a.put(c, dissect.Input{Time: h.last, Dir: d, Ref: ref, End: true})
	if !c.dead && c.Half[0].ended && c.Half[1].ended {
		a.recent.Remove(c.place)
		c.dead, c.place = true, a.dead.PushBack(c)
		if !c.Reset { // a forged RST does not keep the sides from going on
			a.out = append(a.out, Output{Conn: c, Input: dissect.Input{Time: h.last}, Over: true})
		}
	}
}

// reset ends both directions. A RST whose number fits nothing is ignored (RFC
// 9293 section 3.5.3), as a receiver would.
func (a *Assembler) reset(c *Conn, d dissect.Dir, f *Frame, t event.Time, ref int64) {
	h := &c.Half[d]
	if h.known {
		if off := int32(f.Seq - h.next); off < -1 || off > 1<<24 {
			h.Wild++
			return
		}
	}
	if !c.Reset {
		c.Reset, c.ResetBy, c.ResetAt = true, d, t
	}
	for _, x := range []dissect.Dir{d, d.Reverse()} {
		for len(c.Half[x].held) > 0 {
			a.skip(c, x)
		}
		if !c.Half[x].ended {
			a.end(c, x, t, ref)
		}
	}
}

// flush gives up all holes of a connection and tells of a FIN that waited
// behind one.
func (a *Assembler) flush(c *Conn) {
	for d := range c.Half {
		h := &c.Half[d]
		for len(h.held) > 0 {
			a.skip(c, dissect.Dir(d))
		}
		if h.fin && !h.ended {
			if gap := int32(h.finSeq - h.next); gap > 0 && gap <= maxAhead {
				h.Missing += int64(gap)
				a.put(c, dissect.Input{Time: h.last, Dir: dissect.Dir(d), Gap: int(gap)})
			}
			a.end(c, dissect.Dir(d), h.FIN, 0)
		}
	}
	a.out = append(a.out, Output{Conn: c, Input: dissect.Input{Time: max(c.Half[0].last, c.Half[1].last)}, Gone: true})
}

// Close says that there are no more packets: what waited behind holes comes
// out, in order of connections. Directions whose FIN was not seen get no End.
func (a *Assembler) Close() []Output {
	a.out = a.out[:0]
	list := make([]*Conn, 0, len(a.conns))
	for _, c := range a.conns {
		list = append(list, c)
	}
	slices.SortFunc(list, func(x, y *Conn) int { return x.ID - y.ID })
	for _, c := range list {
		a.flush(c)
	}
	a.conns, a.last = nil, nil
	a.recent.Init()
	a.dead.Init()
	return a.out
}
