package sysabi

import (
	"encoding/binary"
	"testing"

	"culprit/internal/event"
)

// fakeMemory is an address space for tests: bytes at addresses, in pages that
// are mapped or not.
type fakeMemory struct {
	pages map[uint64]*[pageSize]byte
	whole bool // copies all that is asked for or nothing, as BPF helpers do
	reads int
}

func newMemory() *fakeMemory { return &fakeMemory{pages: map[uint64]*[pageSize]byte{}} }

func (m *fakeMemory) put(addr uint64, b []byte) {
	for i, c := range b {
		a := addr + uint64(i)
		p := m.pages[a/pageSize]
		if p == nil {
			p = new([pageSize]byte)
			m.pages[a/pageSize] = p
		}
		p[a%pageSize] = c
	}
}

func (m *fakeMemory) words(addr uint64, v ...uint64) {
	var b []byte
	for _, w := range v {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	m.put(addr, b)
}

func (m *fakeMemory) ReadMem(p []byte, addr uint64) int {
	m.reads++
	for n := 0; n < len(p); {
		a := addr + uint64(n)
		page := m.pages[a/pageSize]
		if page == nil {
			if m.whole {
				return 0
			}
			return n
		}
		n += copy(p[n:], page[a%pageSize:])
	}
	return len(p)
}

var testLimits = Limits{String: 4096, Data: 1 << 20}

// record makes the event of a call as a recorder would.
func record(t testing.TB, m *fakeMemory, lim Limits, ret int64, name string, args ...uint64) *event.Syscall {
	t.Helper()
	nr, ok := Number(event.ArchX8664, name)
	if !ok {
		t.Fatalf("no call %s", name)
	}
	s := &event.Syscall{Arch: event.ArchX8664, NR: nr, Ret: ret}
	copy(s.Args[:], args)
	c := Lookup(s.Arch, nr)
	var a Arena
	s.Mem = c.Capture(s.Mem, event.Enter, &s.Args, 0, lim, m, &a)
	s.Mem = c.Capture(s.Mem, event.Leave, &s.Args, ret, lim, m, &a)
	return s
}
