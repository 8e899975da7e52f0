package tcp

import (
	"net/netip"
	"slices"

	"culprit/internal/event"
)

// Limits of fragments that wait for others.
const (
	maxDatagrams = 1024
	maxFragments = 128      // of one datagram
	maxDatagram  = 1 << 16  // bytes
	fragmentTime = 60 * 1e9 // ns that a datagram waits (RFC 8200 section 4.5)
)

// Decoder is Decode with a memory: it puts IP fragments together again. The
// zero value is ready.
type Decoder struct {
	waiting map[fragmentKey]*datagram
	order   []fragmentKey // oldest first
	dropped int           // datagrams given up: too many, too old, too many pieces
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8
}

type datagram struct {
	began  event.Time
	parts  []part
	length int // -1: the last fragment was not seen
}

type part struct {
	at   int
	data []byte
}

// fragment is what the header of an IP fragment says; Frame carries it with
// ErrFragment.
type fragment struct {
	id   uint32
	at   int
	more bool
}

// Decode takes one packet apart into f, which is empty, as the function does.
// The last fragment of a datagram that is complete gives the datagram; the others
// ErrFragment.
func (d *Decoder) Decode(f *Frame, link int, b []byte, t event.Time) error {
	err := f.decode(link, b)
	if err != ErrFragment {
		return err
	}
	whole := d.add(f, t)
	if whole == nil {
		return ErrFragment
	}
	if f.Src.Addr().Is6() {
		return f.extensions(whole, 0)
	}
	return f.transport(whole, 0)
}

func (d *Decoder) add(f *Frame, t event.Time) []byte {
	x := &f.frag
	if x.at+len(f.Payload) > maxDatagram || f.Cut > 0 {
		return nil
	}
	k := fragmentKey{f.Src.Addr(), f.Dst.Addr(), x.id, f.Proto}
	g := d.waiting[k]
	if g != nil && t-g.began > fragmentTime {
		d.forget(k)
		g = nil
	}
	if g == nil {
		if len(d.order) >= maxDatagrams {
			d.forget(d.order[0])
		}
		if d.waiting == nil {
			d.waiting = map[fragmentKey]*datagram{}
		}
		g = &datagram{began: t, length: -1}
		d.waiting[k] = g
		d.order = append(d.order, k)
	}
	if !x.more {
		g.length = x.at + len(f.Payload)
	}
	i, _ := slices.BinarySearchFunc(g.parts, x.at, func(p part, at int) int { return p.at - at })
	if len(g.parts) >= maxFragments {
		d.forget(k)
		return nil
	}
	g.parts = slices.Insert(g.parts, i, part{x.at, slices.Clone(f.Payload)})
	whole := g.join()
	if whole != nil {
		d.remove(k)
	}
	return whole
}

// join returns the datagram if no piece is missing. Where pieces overlap, the
// bytes of the one that begins first count.
func (g *datagram) join() []byte {
	if g.length < 0 {
		return nil
	}
	end := 0
	for _, p := range g.parts {
		if p.at > end {
			return nil
		}
		end = max(end, p.at+len(p.data))
	}
	if end < g.length {
		return nil
	}
	out := make([]byte, 0, g.length)
	for _, p := range g.parts {
		if skip := len(out) - p.at; skip < len(p.data) {
			out = append(out, p.data[skip:]...)
		}
	}
	return out[:g.length]
}

func (d *Decoder) forget(k fragmentKey) {
	d.dropped++
	d.remove(k)
}

func (d *Decoder) remove(k fragmentKey) {
	delete(d.waiting, k)
	if i := slices.Index(d.order, k); i >= 0 {
		d.order = slices.Delete(d.order, i, i+1)
	}
}

// Lost is how many datagrams were given up, or still wait for fragments.
func (d *Decoder) Lost() int { return d.dropped + len(d.waiting) }
