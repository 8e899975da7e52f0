package sysabi

import (
	"encoding/binary"
	"testing"

	"culprit/internal/event"
)

func TestSocketcall(t *testing.T) {
	m := newMemory()
	var args []byte
	for _, v := range []uint32{3, 0x3000, 5, 0x4000, 0xdead, 16} {
		args = binary.LittleEndian.AppendUint32(args, v)
	}
	m.put(0x2000, args)
	m.put(0x3000, []byte("hello"))
	for _, x := range []struct {
		call, addr uint64
		want       string
	}{
		{9, 0x2000, `sendto(3, "hello", 5, MSG_NOSIGNAL, NULL, 0) = 5`}, // send(2)
		{13, 0x2000, "shutdown(3, 0x3000 /* SHUT_??? */) = 5"},
		{13, 0x1, "socketcall(13, 0x1) = 5"}, // not readable
		{21, 0x2000, "socketcall(21, 0x2000) = 5"},
		{0, 0x2000, "socketcall(0, 0x2000) = 5"},
	} {
		s := &event.Syscall{Arch: event.ArchI386, NR: socketcallI386, Args: [6]uint64{x.call, x.addr}, Ret: 5}
		Socketcall(s, m)
		var a Arena
		c := Lookup(s.Arch, s.NR)
		s.Mem = c.Capture(nil, event.Enter, &s.Args, 0, testLimits, m, &a)
		s.Mem = c.Capture(s.Mem, event.Leave, &s.Args, s.Ret, testLimits, m, &a)
		if got := Decode(s).String(); got != x.want {
			t.Errorf("socketcall(%d, %#x): %s, want %s", x.call, x.addr, got, x.want)
		}
	}
	s := &event.Syscall{Arch: event.ArchX8664, NR: socketcallI386, Args: [6]uint64{9, 0x2000}}
	if Socketcall(s, m); s.NR != socketcallI386 {
		t.Error("another architecture has no socketcall")
	}
}
