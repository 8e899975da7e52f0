package packet

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"time"

	"culprit/internal/event"
	"culprit/internal/lens"
)

// Options of a recording. The zero value works.
type Options struct {
	MaxStream int64 // bytes kept of a flow, then only headers; 0: 16 MiB
	Buffer    int   // bytes of the ring, a power of two; 0: 16 MiB
}

// Lens records one target.
type Lens struct {
	opt   Options
	group *cgroup
	l     *loaded
	known *flows // nil as long as the cgroup does it

	sink   lens.Sink
	packet event.Packet
	links  map[uint32]bool
	resets map[reset]event.Time
	count  uint64
}

// New makes a lens for one use.
func New(o Options) *Lens {
	if o.MaxStream <= 0 {
		o.MaxStream = 16 << 20
	}
	if o.Buffer <= 0 {
		o.Buffer = 16 << 20
	}
	return &Lens{opt: o, links: map[uint32]bool{}, resets: map[reset]event.Time{}}
}

// Name returns "wire".
func (n *Lens) Name() string { return "wire" }

// Probe makes a cgroup with the programs at it, and takes both away again.
func (n *Lens) Probe() error {
	trial := New(Options{Buffer: 1 << 20})
	defer trial.Close()
	return trial.Prepare()
}

// Prepare makes the cgroup that the target is to be started in. The error says
// why the target's packets can't be told from others by where it runs; the lens
// can then do with what the kernel lens tells, see Watch.
func (n *Lens) Prepare() error {
	group, err := newCgroup()
	if err != nil {
		return unavailable(err)
	}
	n.group = group
	n.l, err = load(n.opt, group.path)
	return err
}

// Cgroup is what the target is to be started in (CLONE_INTO_CGROUP), nil when
// Prepare has failed.
func (n *Lens) Cgroup() *os.File {
	if n.l == nil {
		return nil
	}
	return n.group.dir
}

// Close takes away what Prepare made. Record does it itself.
func (n *Lens) Close() error {
	if n.l != nil {
		n.l.close()
		n.l = nil
	}
	if n.group == nil {
		return nil
	}
	group := n.group
	n.group = nil
	return group.remove()
}

// How often the ring is looked at: nobody wakes us.
const (
	busyWait = time.Millisecond
	idleWait = 10 * time.Millisecond
)

// Record records until ctx is done: whoever starts it knows when the target and
// all that descend from it are gone. It takes everything away that Prepare made.
func (n *Lens) Record(ctx context.Context, _ lens.Target, s lens.Sink) error {
	n.sink = s
	if n.known != nil {
		return n.recordKnown(ctx)
	}
	tick := time.NewTimer(busyWait)
	defer tick.Stop()
	wait := busyWait
	for done := false; !done; {
		if n.drain() > 0 {
			wait = busyWait
		} else {
			wait = min(wait*2, idleWait)
		}
		tick.Reset(wait)
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
	}
	n.l.detach()
	n.drain()
	n.told()
	return n.Close()
}

// drain empties the ring.
func (n *Lens) drain() (total uint64) {
	for {
		got := n.l.ring.Drain(n.l.ring.Size(), n.record)
		total += got
		if got < n.l.ring.Size()/8 {
			return total
		}
	}
}

// recordSize is struct record of bpf/packet.bpf.c.
const recordSize = 24

// record takes in one record of the ring.
func (n *Lens) record(b []byte) {
	if len(b) < recordSize {
		return
	}
	ne := binary.NativeEndian
	at := event.Time(ne.Uint64(b))
	n.packet = event.Packet{Interface: ne.Uint32(b[8:]), Len: ne.Uint32(b[12:]), Out: b[20] != 0}
	size := ne.Uint32(b[16:])
	b = b[recordSize:]
	n.packet.Data = b[:min(int(size), len(b))]
	n.put(at)
}

// put passes n.packet on, unless it is a RST that was seen before.
func (n *Lens) put(at event.Time) {
	if n.again(at) {
		return
	}
	n.count++
	if !n.links[n.packet.Interface] {
		n.links[n.packet.Interface] = true
		i := &event.Interface{Index: n.packet.Interface}
		if at, err := net.InterfaceByIndex(int(i.Index)); err == nil {
			i.Name, i.MTU = at.Name, uint32(at.MTU)
		}
		n.sink.Put(event.Event{Time: at, Body: i})
	}
	n.sink.Put(event.Event{Time: at, Body: &n.packet})
}

// reset is a RST by its headers. Those of a living socket are seen twice: by the
// cgroup and by the packet socket.
type reset struct {
	addrs [32]byte
	tcp   [13]byte // ports, sequence numbers, and data offset
	id    uint16   // of IPv4
}

const (
	resetWithin = event.Time(100 * time.Millisecond)
	maxResets   = 1024
)

func (n *Lens) again(at event.Time) bool {
	var r reset
	b := n.packet.Data
	switch {
	case len(b) >= 40 && b[0]>>4 == 4 && b[9] == 6:
		ihl := int(b[0]&15) * 4
		if ihl < 20 || len(b) < ihl+20 || b[ihl+13]&4 == 0 {
			return false
		}
		copy(r.addrs[:], b[12:20])
		copy(r.tcp[:], b[ihl:])
		r.id = binary.BigEndian.Uint16(b[4:])
	case len(b) >= 60 && b[0]>>4 == 6 && b[6] == 6 && b[53]&4 != 0:
		copy(r.addrs[:], b[8:40])
		copy(r.tcp[:], b[40:])
	default:
		return false
	}
	seen, ok := n.resets[r]
	if len(n.resets) >= maxResets {
		clear(n.resets)
	}
	n.resets[r] = at
	return ok && at-seen < resetWithin
}

// told says what was lost and what was cut short.
func (n *Lens) told() {
	at := lens.Now()
	value := func(v interface{ Get(any) error }) (out uint64) {
		_ = v.Get(&out) // the variable is of this type
		return out
	}
	v := &n.l.obj
	if lost := value(v.Lost); lost > 0 {
		n.sink.Put(event.Event{Time: at, Body: &event.Loss{Lens: "wire", What: "packets without room in the ring", Count: lost, Bytes: value(v.LostBytes)}})
	}
	n.sink.Put(event.Event{Time: at, Body: seen("cgroup", n.count, value(v.Cut), value(v.CutBytes))})
}
