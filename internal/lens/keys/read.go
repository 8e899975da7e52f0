package keys

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf/ringbuf"

	"culprit/internal/event"
)

// Records of the ring: bpf/keys.bpf.c.
const (
	recordSecret = 1
	recordPlain  = 2
	recordExec   = 3

	headSize   = 32
	randomSize = 32
	labelSize  = 48
	secretSize = 64
	plainSize  = headSize + 32
)

// read gives out what comes out of the ring until it is flushed, and which
// processes begin a program.
func read(ring *ringbuf.Reader, found func(event.Event), began func(pid int32)) {
	var rec ringbuf.Record
	for ring.ReadInto(&rec) == nil {
		if b := rec.RawSample; len(b) >= headSize && le.Uint32(b) == recordExec {
			began(int32(le.Uint32(b[8:])))
		}
		if e, ok := decode(rec.RawSample); ok {
			found(e)
		}
	}
}

// decode reads a record.
func decode(b []byte) (e event.Event, ok bool) {
	if len(b) < headSize {
		return e, false
	}
	kind, lib := le.Uint32(b), le.Uint32(b[4:])
	e.PID, e.TID, e.Time = int32(le.Uint32(b[8:])), int32(le.Uint32(b[12:])), event.Time(le.Uint64(b[16:]))
	object := le.Uint64(b[24:])
	if lib == 0 || int(lib) >= len(libraryNames) {
		return e, false
	}
	source := "uprobe:" + libraryNames[lib]
	switch {
	case kind == recordSecret && len(b) >= headSize+8+randomSize+labelSize+secretSize:
		size, n := le.Uint32(b[headSize:]), le.Uint32(b[headSize+4:])
		b = b[headSize+8:]
		random, label, secret := b[:randomSize], b[randomSize:][:labelSize], b[randomSize+labelSize:]
		if size == 0 || size > secretSize || n > labelSize || !word(label[:n]) {
			return e, false
		}
		e.Body = &event.Secrets{Source: source, Lines: fmt.Appendf(nil, "%s %x %x\n", label[:n], random, secret[:size])}
		return e, true
	case kind == recordPlain && len(b) >= plainSize:
		p := b[headSize:]
		size := le.Uint32(p[20:])
		if uint64(size) > uint64(len(b)-plainSize) {
			return e, false
		}
		e.Body = &event.Plain{
			Source: source, Object: object, Write: le.Uint32(p[24:]) != 0,
			Dur: int64(e.Time) - int64(le.Uint64(p)), At: int64(le.Uint32(p[16:])), Total: int64(le.Uint64(p[8:])),
			Data: slices.Clone(b[plainSize:][:size]),
		}
		return e, true
	}
	return e, false
}

// word says whether a label is one of a key log: capitals, digits, underscores.
func word(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(b) > 0
}
