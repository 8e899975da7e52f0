package timeline

import (
	"bytes"
	"slices"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// A program that makes millions of calls makes the same ones over and over. Of
// those that a thread makes with one outcome on one thing, a diagnosis gets the
// first and the last, so that it costs memory by what a program does, not by how
// often. Their effects count all the same: bytes, lines, descriptors.
const (
	thinFrom = 1 << 18 // calls that are kept before any is left out
	ends     = 64      // first, and last, calls of a kind that stay
)

// kind is what calls have in common that repeat each other.
type kind struct {
	proc  *Process
	tid   int32
	nr    uint32
	errno sysabi.Errno
	desc  *Desc
	path  string
}

func kindOf(c *Call) kind { return kind{c.Proc, c.TID, c.Raw.NR, c.Errno(), c.Desc, c.Path} }

// thin leaves out the calls between the first and the last of their kind.
func (b *builder) thin() {
	type place struct{ all, seen int }
	kinds := map[kind]*place{}
	for _, c := range b.t.Calls {
		k := kindOf(c)
		p := kinds[k]
		if p == nil {
			p = new(place)
			kinds[k] = p
		}
		p.all++
	}
	const gone = -1
	kept := b.t.Calls[:0]
	for i, c := range b.t.Calls {
		p := kinds[kindOf(c)]
		p.seen++
		if p.seen > ends && p.seen <= p.all-ends && c.Raw.Flags&event.Unfinished == 0 {
			c.Seq = gone
			continue
		}
		if i >= b.owned {
			own(c.Raw)
		}
		kept = append(kept, c)
	}
	clear(b.t.Calls[len(kept):])
	b.t.Repeats += len(b.t.Calls) - len(kept)
	b.t.Calls, b.owned = kept, len(kept)
	for _, p := range b.t.Procs {
		p.Calls = slices.DeleteFunc(p.Calls, func(c *Call) bool { return c.Seq == gone })
	}
	b.room = max(thinFrom, 2*len(kept))
}

// own gives a call its memory for itself: it lies in that of a whole batch of
// events, which one call must not keep alive.
func own(s *event.Syscall) {
	mem := slices.Clone(s.Mem)
	for i := range mem {
		mem[i].Data = bytes.Clone(mem[i].Data)
	}
	s.Mem = mem
}
