package sysabi

import (
	"encoding/binary"

	"culprit/internal/event"
)

// maxPieces is how many pieces of memory of one call are kept and looked at.
const maxPieces = 8192

// memory reads the pieces that were captured.
type memory struct {
	pieces []event.Mem
	live   *capture // while a call is captured: reads, and keeps what was read
}

func memoryOf(s *event.Syscall) memory { return memory{pieces: s.Mem[:min(len(s.Mem), maxPieces)]} }

// total is how many bytes were captured. A recorder copies a buffer as often as
// vectors name it, so what vectors join is never more; in a forged recording,
// where vectors may name themselves, the bound keeps work and memory small.
func (m memory) total() int {
	n := 0
	for i := range m.pieces {
		n += len(m.pieces[i].Data)
	}
	return n
}

// read returns up to n bytes at addr, joined from pieces that follow on each
// other, from those of phase at, else from those of the other phase. ok says
// that something was captured at addr.
func (m memory) read(addr uint64, n int, at event.Phase) (p []byte, ok bool) {
	if addr == 0 {
		return nil, false
	}
	if p, ok = m.phase(addr, n, at); ok {
		return p, ok
	}
	return m.phase(addr, n, 1-at&1)
}

// phase is read from one phase.
func (m memory) phase(addr uint64, n int, at event.Phase) (p []byte, ok bool) {
	if m.live != nil {
		return m.live.fetch(addr, n, at)
	}
	joined := false
	for i := 0; n > len(p); {
		i = m.find(addr+uint64(len(p)), at)
		if i < 0 {
			break
		}
		d := m.pieces[i].Data[addr+uint64(len(p))-m.pieces[i].Addr:]
		d = d[:min(len(d), n-len(p))]
		switch {
		case !ok:
			p, ok = d[:len(d):len(d)], true
		case !joined:
			p, joined = append(append(make([]byte, 0, len(p)+len(d)), p...), d...), true
		default:
			p = append(p, d...)
		}
	}
	return p, ok
}

// find returns the piece that has the byte at addr; of several the one with
// most bytes from there on.
func (m memory) find(addr uint64, at event.Phase) int {
	best, most := -1, uint64(0)
	for i := range m.pieces {
		q := &m.pieces[i]
		if q.At != at || addr < q.Addr {
			continue
		}
		if o, l := addr-q.Addr, uint64(len(q.Data)); o < l && l-o > most {
			best, most = i, l-o
		}
	}
	return best
}

func (m memory) u32(addr uint64, at event.Phase) (uint32, bool) {
	p, _ := m.read(addr, 4, at)
	if len(p) < 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(p), true
}

// exactly returns n bytes of one phase, nil when they were not captured.
func (m memory) exactly(addr uint64, n int, at event.Phase) []byte {
	if p, _ := m.phase(addr, n, at); len(p) == n {
		return p
	}
	return nil
}

// nested fills in what vectors and messages transferred.
func (v *Value) nested(d *Decoded) {
	m, word := memoryOf(v.s), uint64(v.c.ptr)
	budget := m.total()
	done := d.Errno == 0 && !d.Unfinished
	left := uint64(1) << 40
	if done {
		left = uint64(max(v.s.Ret, 0))
	}
	switch v.Kind {
	case KindIovec:
		n := v.s.Args[v.arg.n.v]
		v.vector(m, v.Uint, min(n, maxIovecs), left, word, &budget)
	case KindMessage:
		if p, _ := m.read(v.Uint, msgWords*int(word), v.phase()); len(p) == msgWords*int(word) {
			v.Captured = true
			h := parseMsghdr(p, word)
			v.message(m, h, left, word, &budget)
		}
	case KindMessages:
		each := (msgWords + 1) * word
		n := min(uint64(uint32(v.s.Args[v.arg.n.v])), maxMessages)
		if done {
			n = min(n, left)
		}
		for i := range n {
			p, _ := m.read(v.Uint+i*each, int(each), event.Leave)
			if len(p) < int(each) {
				v.Truncated = true
				return
			}
			v.Captured = true
			got := uint64(1) << 40
			if done {
				got = uint64(binary.LittleEndian.Uint32(p[msgWords*word:]))
			}
			v.message(m, parseMsghdr(p, word), got, word, &budget)
		}
		return
	}
	if done {
		v.Len = int(min(left, 1<<40))
		v.Truncated = v.Truncated || len(v.Data) < v.Len
	}
}

// phase is when the argument's structures were copied.
func (v *Value) phase() event.Phase {
	if v.arg.dir&in == 0 {
		return event.Leave
	}
	return event.Enter
}

func (v *Value) message(m memory, h msghdr, left, word uint64, budget *int) {
	if v.Addr.Family == 0 && h.name != 0 {
		p, _ := m.read(h.name, int(min(h.nameLen, maxSockaddr)), v.phase())
		v.Addr = DecodeSockaddr(p)
	}
	v.vector(m, h.iov, min(h.iovLen, maxIovecs), left, word, budget)
}

// vector appends the data of n iovecs to Data. Data ends at the first hole.
func (v *Value) vector(m memory, iov, n, left, word uint64, budget *int) {
	if left == 0 || n == 0 {
		v.Captured = true
	}
	for i := range n {
		if left == 0 {
			return
		}
		p, _ := m.read(iov+i*2*word, int(2*word), v.phase())
		if *budget -= len(p); len(p) < int(2*word) || *budget < 0 {
			v.Truncated = true
			return
		}
		v.Captured = true
		base, size := long64(p, 0, word), long64(p, 1, word)
		take := min(size, left)
		if left < 1<<40 {
			left -= take
		}
		v.Len = int(min(uint64(v.Len)+take, 1<<40))
		if take == 0 || v.Truncated {
			continue
		}
		q, _ := m.read(base, int(min(take, 1<<31-1, uint64(*budget))), event.Leave)
		*budget -= len(q)
		v.Data = append(v.Data, q...)
		if uint64(len(q)) < take {
			v.Truncated = true
		}
	}
}
