package quic

import "slices"

// piece is bytes that came before others in front of them.
type piece struct {
	at   uint64
	data []byte
}

// assembler puts the bytes of one direction of a stream in order.
type assembler struct {
	next uint64 // offset of the next byte
	held []piece
	size int    // bytes held
	end  uint64 // final size, when fin
	fin  bool
	done bool // the end was given out
}

// add takes bytes at an offset, and gives out what is in order.
func (a *assembler) add(at uint64, data []byte, fin bool, give func(gap int, b []byte, end bool)) {
	if a.done {
		return
	}
	if fin {
		a.fin, a.end = true, at+uint64(len(data))
	}
	switch {
	case at+uint64(len(data)) <= a.next: // again
	case at > a.next:
		i, _ := slices.BinarySearchFunc(a.held, at, func(p piece, at uint64) int {
			if p.at < at {
				return -1
			}
			return 1
		})
		a.held = slices.Insert(a.held, i, piece{at, slices.Clone(data)})
		a.size += len(data)
	default:
		a.give(0, data[a.next-at:], give)
	}
	a.ready(give)
	if a.size > maxHeld {
		a.skip(give)
	}
	if a.fin && a.next >= a.end && !a.done {
		a.done = true
		give(0, nil, true)
	}
}

func (a *assembler) give(gap int, b []byte, give func(int, []byte, bool)) {
	a.next += uint64(len(b))
	if a.fin && a.next >= a.end {
		a.done = true
	}
	give(gap, b, a.done)
}

// ready gives out what is held and in order now.
func (a *assembler) ready(give func(int, []byte, bool)) {
	for len(a.held) > 0 && a.held[0].at <= a.next && !a.done {
		p := a.held[0]
		a.held = a.held[1:]
		a.size -= len(p.data)
		if end := p.at + uint64(len(p.data)); end > a.next {
			a.give(0, p.data[a.next-p.at:], give)
		}
	}
}

// skip takes the bytes that what is held waits for as lost.
func (a *assembler) skip(give func(int, []byte, bool)) {
	for len(a.held) > 0 && !a.done {
		gap := a.held[0].at - a.next
		a.next = a.held[0].at
		give(int(min(gap, 1<<30)), nil, false)
		a.ready(give)
	}
}
