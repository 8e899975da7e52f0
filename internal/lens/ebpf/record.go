package ebpf

import (
	"encoding/binary"
)

// Types of records, flags and marks of pieces: bpf/record.h.
const (
	recordSyscall = iota + 1
	recordPart
	recordFork
	recordExec
	recordExit
	recordSignal
	recordFD
	recordPeek
)

const (
	flagUnfinished = 1 << iota
	flagCompat
	flagParts
	flagFD
	flagThread
	flagGroupDead
	flagGenerated
	flagIgnored
)

const (
	atEnter = iota
	atLeave
	atExe
	atCwd
	atArgv
	atPath
	atLocal
	atRemote
	atInfo
	atData
)

// head is the beginning of every record.
type head struct {
	kind, flags uint8
	lost        uint16
	pid, tid    int32
	seq         uint32
	time        uint64
}

const headSize = 24

// cursor reads a record; the first missing byte makes all that follows zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) u32() uint32 {
	if len(c.b) < 4 {
		c.b, c.bad = nil, true
		return 0
	}
	v := binary.NativeEndian.Uint32(c.b)
	c.b = c.b[4:]
	return v
}

func (c *cursor) u64() uint64 {
	if len(c.b) < 8 {
		c.b, c.bad = nil, true
		return 0
	}
	v := binary.NativeEndian.Uint64(c.b)
	c.b = c.b[8:]
	return v
}

func (c *cursor) head() (h head) {
	if len(c.b) < headSize {
		c.b, c.bad = nil, true
		return h
	}
	b := c.b
	h.kind, h.flags = b[0], b[1]
	h.lost = binary.NativeEndian.Uint16(b[2:])
	h.pid = int32(binary.NativeEndian.Uint32(b[4:]))
	h.tid = int32(binary.NativeEndian.Uint32(b[8:]))
	h.seq = binary.NativeEndian.Uint32(b[12:])
	h.time = binary.NativeEndian.Uint64(b[16:])
	c.b = b[headSize:]
	return h
}

// piece is memory that was copied.
type piece struct {
	addr uint64
	at   uint8
	data []byte
}

// next reads a piece, while there are any.
func (c *cursor) next() (p piece, ok bool) {
	if len(c.b) < 16 {
		c.bad = c.bad || len(c.b) > 0
		return p, false
	}
	p.addr = binary.NativeEndian.Uint64(c.b)
	n := uint64(binary.NativeEndian.Uint32(c.b[8:]))
	p.at = c.b[12]
	if uint64(len(c.b))-16 < n {
		c.b, c.bad = nil, true
		return p, false
	}
	p.data = c.b[16 : 16+n : 16+n]
	c.b = c.b[min(16+(n+7)&^7, uint64(len(c.b))):]
	return p, true
}

// path joins the names that the kernel found on its way from a file up to the
// root.
func path(b []byte) string {
	var names [][]byte
	total := 0
	for len(b) >= 2 {
		n := int(binary.NativeEndian.Uint16(b))
		if n > len(b)-2 {
			break
		}
		names = append(names, b[2:2+n])
		total += n + 1
		b = b[2+n:]
	}
	if len(names) == 0 {
		return "/"
	}
	out := make([]byte, 0, total)
	for i := len(names) - 1; i >= 0; i-- {
		out = append(append(out, '/'), names[i]...)
	}
	return string(out)
}
