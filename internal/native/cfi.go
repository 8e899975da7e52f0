package native

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"
	"strings"
)

// table is a section of call frame information: .eh_frame (Linux Standard
// Base) or .debug_frame (DWARF 5, 6.4.1).
type table struct {
	data []byte
	addr uint64
	eh   bool
	word int

	header   []byte // sorted table of .eh_frame_hdr: pairs of 32 bit offsets from headerAt
	headerAt uint64
	index    []span // made when there is no header
	indexed  bool
}

// span is where a description lies and what it describes.
type span struct {
	start, end uint64
	at         int
}

// description is a frame description entry with its common information.
type description struct {
	start, end  uint64
	codeAlign   uint64
	dataAlign   int64
	ret         uint64 // number of the return address's column
	signal      bool   // a frame made by the kernel for a signal
	first, rest cursor // instructions: common ones, own ones
}

const maxSpans = 8 << 20

// useHeader takes .eh_frame_hdr's search table when it is of the usual form.
func (t *table) useHeader(h []byte, addr uint64) {
	c := cursor{b: h, addr: addr, word: t.word}
	version, frame, count, form := c.u8(), c.u8(), c.u8(), c.u8()
	if version != 1 || form != encDataRel|0xb {
		return
	}
	c.pointer(frame, addr)
	n := c.pointer(count, addr)
	if c.bad || n > uint64(c.left())/8 {
		return
	}
	t.header, t.headerAt = h[c.at:c.at+int(n)*8], addr
}

// find returns the description of the function that pc lies in.
func (t *table) find(pc uint64) (*description, bool) {
	at, ok := t.search(pc)
	if !ok {
		return nil, false
	}
	d, _, ok := t.entry(at)
	return d, ok && d != nil && pc-d.start < d.end-d.start
}

func (t *table) search(pc uint64) (at int, ok bool) {
	if t.header != nil {
		n := len(t.header) / 8
		at := func(i int) uint64 { return t.headerAt + uint64(int64(int32(binary.LittleEndian.Uint32(t.header[i:])))) }
		i := sort.Search(n, func(i int) bool { return at(8*i) > pc }) - 1
		if i < 0 {
			return 0, false
		}
		off := at(8*i+4) - t.addr
		return int(off), off < uint64(len(t.data))
	}
	if !t.indexed {
		t.indexed = true
		t.makeIndex()
	}
	i := sort.Search(len(t.index), func(i int) bool { return t.index[i].start > pc }) - 1
	if i < 0 {
		return 0, false
	}
	return t.index[i].at, true
}

func (t *table) makeIndex() {
	for at := 0; at < len(t.data) && len(t.index) < maxSpans; {
		d, next, ok := t.entry(at)
		if !ok || next <= at {
			break
		}
		if d != nil && d.start < d.end {
			t.index = append(t.index, span{d.start, d.end, at})
		}
		at = next
	}
	slices.SortFunc(t.index, func(a, b span) int { return cmp.Compare(a.start, b.start) })
}

// body returns what follows an entry's length, and where the next one begins.
func (t *table) body(at int) (c cursor, wide bool, next int) {
	c = cursor{b: t.data, at: at, addr: t.addr, word: t.word}
	n := c.uint(4)
	if n == 0xffffffff {
		wide, n = true, c.uint(8)
	}
	if c.bad || n > uint64(c.left()) || n == 0 && !t.eh {
		c.bad = true
		return c, wide, 0
	}
	next = c.at + int(n)
	c.b = t.data[:next]
	return c, wide, next
}

// entry reads the entry at an offset. d is nil for one that describes no
// function.
func (t *table) entry(at int) (d *description, next int, ok bool) {
	if at < 0 || at >= len(t.data) {
		return nil, 0, false
	}
	c, wide, next := t.body(at)
	if c.bad {
		return nil, 0, false
	}
	if next == at+4 {
		return nil, next, true // a terminator
	}
	idAt := c.at
	size := 4
	if wide && !t.eh {
		size = 8
	}
	id := c.uint(size)
	var common int
	switch {
	case t.eh && id == 0, !t.eh && (size == 4 && id == 0xffffffff || size == 8 && id == ^uint64(0)):
		return nil, next, true
	case t.eh:
		if id > uint64(idAt) {
			return nil, next, true
		}
		common = idAt - int(id)
	default:
		if id > uint64(len(t.data)) {
			return nil, next, true
		}
		common = int(id)
	}
	d = &description{}
	enc, augmented, ok := t.common(common, d)
	if !ok {
		return nil, next, true
	}
	d.start = c.pointer(enc, 0)
	d.end = d.start + c.pointer(enc&0xf, 0)
	if augmented {
		c.take(c.uleb())
	}
	d.rest = c
	return d, next, !c.bad
}

// common reads the common information entry at an offset.
func (t *table) common(at int, d *description) (enc byte, augmented, ok bool) {
	c, wide, _ := t.body(at)
	size := 4
	if wide && !t.eh {
		size = 8
	}
	id := c.uint(size)
	if t.eh && id != 0 || !t.eh && id != 0xffffffff && id != ^uint64(0) {
		return 0, false, false
	}
	version := c.u8()
	aug := c.cstring()
	if version >= 4 {
		c.take(2) // sizes of addresses and of segment selectors
	}
	if strings.HasPrefix(aug, "eh") { // an old GNU form
		c.take(uint64(t.word))
	}
	d.codeAlign = c.uleb()
	d.dataAlign = c.sleb()
	if version == 1 {
		d.ret = uint64(c.u8())
	} else {
		d.ret = c.uleb()
	}
	if strings.HasPrefix(aug, "z") {
		augmented = true
		n := c.uleb()
		if n > uint64(c.left()) {
			return 0, false, false
		}
		end := c.at + int(n)
		for _, letter := range aug[1:] {
			switch letter {
			case 'L':
				c.u8()
			case 'P':
				c.pointer(c.u8()&^encIndirect, 0)
			case 'R':
				enc = c.u8()
			case 'S':
				d.signal = true
			}
		}
		c.at = end
	}
	d.first = c
	return enc, augmented, !c.bad
}
