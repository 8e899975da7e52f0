package sysabi

import (
	"bytes"
	"encoding/binary"
	stdstrings "strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
)

func TestCapturePath(t *testing.T) {
	long := stdstrings.Repeat("d/", 1000) // crosses a page and the first step
	for _, tt := range []struct {
		name, path string
		addr       uint64
		limit      int
		want       string
	}{
		{"short", "/etc/passwd", 0x1000, 4096, "/etc/passwd"},
		{"ends at the end of mapped memory", "/etc/x", 0x2000 - 7, 4096, "/etc/x"},
		{"long, over pages", long, 0x1f00, 4096, long},
		{"over the limit", "/etc/passwd", 0x1000, 4, "/etc"},
		{"empty", "", 0x1000, 4096, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, whole := range []bool{false, true} {
				m := newMemory()
				m.whole = whole
				m.put(tt.addr, append([]byte(tt.path), 0))
				d := Decode(record(t, m, Limits{String: tt.limit}, -2, "open", tt.addr))
				got, ok := d.Path()
				if got != tt.want || !ok {
					t.Errorf("whole reads %v: path %q, %v", whole, got, ok)
				}
				if v := d.Args[0]; v.Truncated != (tt.want != tt.path) {
					t.Errorf("whole reads %v: truncated is %v", whole, v.Truncated)
				}
			}
		})
	}
	m := newMemory()
	m.put(0x1000, []byte("/etc/passwd\x00"))
	record(t, m, testLimits, 3, "open", 0x1000)
	if m.reads != 1 {
		t.Errorf("%d reads for a short path", m.reads)
	}
	if _, ok := Decode(record(t, newMemory(), testLimits, -14, "open", 0x1000)).Path(); ok {
		t.Error("a path from unmapped memory counts as captured")
	}
}

func TestCaptureBuffers(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 1000)
	for _, tt := range []struct {
		name    string
		call    string
		ret     int64
		length  uint64
		lim     int
		mapped  int // bytes of data that are mapped, all when 0
		want    int
		missing int
	}{
		{"all of a write", "write", 10000, 10000, 1 << 20, 0, 10000, 0},
		{"what a write accepted", "write", 700, 10000, 1 << 20, 0, 700, 0},
		{"what a failed write offered", "write", -32, 10000, 1 << 20, 0, 256, 0},
		{"a failed short write", "write", -32, 10, 1 << 20, 0, 10, 0},
		{"a write over the limit", "write", 10000, 10000, 4000, 0, 4000, 6000},
		{"what a read got", "read", 77, 10000, 1 << 20, 0, 77, 0},
		{"a failed read", "read", -11, 10000, 1 << 20, 0, 0, 0},
		{"end of file", "read", 0, 10000, 1 << 20, 0, 0, 0},
		{"memory that went away", "write", 10000, 10000, 1 << 20, 4096, 4096, 5904},
		{"a result that is a lie", "read", 1 << 40, 50, 1 << 20, 0, 50, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, whole := range []bool{false, true} {
				m := newMemory()
				m.whole = whole
				if m.put(0x10000, data); tt.mapped > 0 {
					delete(m.pages, 0x11)
				}
				d := Decode(record(t, m, Limits{Data: tt.lim}, tt.ret, tt.call, 4, 0x10000, tt.length))
				got, missing := d.Buffer()
				if !bytes.Equal(got, data[:tt.want]) || missing != tt.missing {
					t.Errorf("whole reads %v: %d bytes and %d missing, want %d and %d", whole, len(got), missing, tt.want, tt.missing)
				}
				if d.FD() != 4 || !d.Call.Data() {
					t.Errorf("FD %d, Data %v", d.FD(), d.Call.Data())
				}
			}
		})
	}
}

func TestCaptureVectors(t *testing.T) {
	m := newMemory()
	m.put(0x3000, []byte("hello "))
	m.put(0x4000, []byte("world, and more"))
	m.words(0x1000, 0x3000, 6, 0, 0, 0x4000, 15)
	m.put(0x5000, []byte{2, 0, 0, 53, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	m.words(0x2000, 0x5000, 16, 0x1000, 3, 0, 0, 0)
	m.words(0x6000, 0x5000, 16, 0x1000, 3, 0, 0, 0, 11, 0, 0, 0x1000, 1, 0, 0, 0, 6)
	for _, tt := range []struct {
		call string
		args []uint64
		ret  int64
		want string
		addr string
	}{
		{"writev", []uint64{3, 0x1000, 3}, 21, "hello world, and more", ""},
		{"writev", []uint64{3, 0x1000, 3}, 8, "hello wo", ""},
		{"writev", []uint64{3, 0x1000, 3}, -32, "hello world, and more", ""},
		{"readv", []uint64{3, 0x1000, 3}, 11, "hello world", ""},
		{"preadv2", []uint64{3, 0x1000, 3, 5}, 11, "hello world", ""},
		{"sendmsg", []uint64{3, 0x2000}, 11, "hello world", "192.0.2.1:53"},
		{"recvmsg", []uint64{3, 0x2000}, 6, "hello ", "192.0.2.1:53"},
		{"sendmmsg", []uint64{3, 0x6000, 2}, 2, "hello worldhello ", "192.0.2.1:53"},
		{"sendmmsg", []uint64{3, 0x6000, 2}, 1, "hello world", "192.0.2.1:53"},
		{"recvmmsg", []uint64{3, 0x6000, 5}, 2, "hello worldhello ", "192.0.2.1:53"},
	} {
		d := Decode(record(t, m, testLimits, tt.ret, tt.call, tt.args...))
		got, missing := d.Buffer()
		if string(got) != tt.want || missing != 0 {
			t.Errorf("%v: %q, %d missing", d, got, missing)
		}
		if a, ok := d.Sockaddr(); ok != (tt.addr != "") || ok && a.AddrPort.String() != tt.addr {
			t.Errorf("%v: address %v", d, a)
		}
	}
	d := Decode(record(t, m, Limits{Data: 7}, 11, "writev", 3, 0x1000, 3))
	if got, missing := d.Buffer(); string(got) != "hello w" || missing != 4 {
		t.Errorf("limited: %q, %d missing", got, missing)
	}
}

func TestCaptureStrings(t *testing.T) {
	m := newMemory()
	m.put(0x3000, []byte("curl\x00-v\x00https://example.org/\x00"))
	m.words(0x1ff0, 0x3000, 0x3005, 0x3008, 0)
	d := Decode(record(t, m, testLimits, 0, "execve", 0x3000, 0x1ff0, 0))
	v, _ := d.Arg("argv")
	if diff := cmp.Diff([]string{"curl", "-v", "https://example.org/"}, v.Strings); diff != "" || v.Truncated {
		t.Errorf("truncated %v (-want +got):\n%s", v.Truncated, diff)
	}
	// Without the end of the array.
	m = newMemory()
	m.put(0x3000, []byte("a\x00"))
	for a := uint64(0x1000); a < 0x2000; a += 8 {
		m.words(a, 0x3000)
	}
	v, _ = Decode(record(t, m, testLimits, 0, "execve", 0x3000, 0x1000, 0)).Arg("argv")
	if len(v.Strings) != 512 || !v.Truncated {
		t.Errorf("%d strings, truncated %v", len(v.Strings), v.Truncated)
	}
}

// Structures are read in their exact size, up to the last mapped byte.
func TestCaptureAtPageEnd(t *testing.T) {
	m := newMemory()
	b := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 5), 7)
	m.put(0x2000-16, b)
	d := Decode(record(t, m, testLimits, 0, "nanosleep", 0x2000-16, 0))
	if got, want := d.String(), "nanosleep({tv_sec=5, tv_nsec=7}, NULL) = 0"; got != want {
		t.Errorf("%s", got)
	}
	d = Decode(record(t, m, testLimits, -14, "nanosleep", 0x2000-8, 0))
	if got, want := d.String(), "nanosleep(0x1ff8, NULL) = -1 EFAULT (Bad address)"; got != want {
		t.Errorf("%s", got)
	}
}

func TestArena(t *testing.T) {
	a := Arena{Max: 1000}
	p := a.take(600)
	if len(p) != 600 {
		t.Fatalf("%d bytes", len(p))
	}
	a.giveBack(500)
	if q := a.take(2000); len(q) != 900 || a.Lost != 1100 || &q[0] != &p[100:101][0] {
		t.Errorf("%d bytes, %d lost", len(q), a.Lost)
	}
	if a.take(1); a.Lost != 1101 {
		t.Errorf("%d lost", a.Lost)
	}
	if a.Reset(); a.Used() != 0 || len(a.take(5)) != 5 {
		t.Error("not empty after Reset")
	}
}

func TestCaptureI386(t *testing.T) {
	m := newMemory()
	m.put(0x3000, []byte("hello"))
	m.put(0x1000, []byte{0, 0x30, 0, 0, 5, 0, 0, 0})
	nr, _ := Number(event.ArchI386, "writev")
	s := &event.Syscall{Arch: event.ArchI386, NR: nr, Args: [6]uint64{3, 0x1000, 1}, Ret: 5}
	var a Arena
	c := Lookup(s.Arch, nr)
	s.Mem = c.Capture(nil, event.Enter, &s.Args, 0, testLimits, m, &a)
	s.Mem = c.Capture(s.Mem, event.Leave, &s.Args, 5, testLimits, m, &a)
	if got, want := Decode(s).String(), `writev(3, [{iov_base="hello", iov_len=5}], 1) = 5`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The recorder's steady state makes no garbage.
func TestCaptureAllocations(t *testing.T) {
	m, run := benchCalls(t)
	if n := testing.AllocsPerRun(100, func() { run(m) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func benchCalls(t testing.TB) (*fakeMemory, func(*fakeMemory)) {
	m := newMemory()
	m.put(0x1000, []byte("/etc/ld.so.cache\x00"))
	m.put(0x10000, make([]byte, 1<<16))
	m.words(0x2000, 0x10000, 4000, 0x12000, 4000)
	type call struct {
		c    *Call
		args [6]uint64
		ret  int64
	}
	var calls []call
	for _, c := range []call{
		{args: [6]uint64{0xffffff9c, 0x1000, 0x80000}, ret: 3}, {args: [6]uint64{3, 0x10000, 1 << 16}, ret: 1 << 14},
		{args: [6]uint64{3, 0x2000, 2}, ret: 8000}, {args: [6]uint64{3, 0x10000}, ret: 0},
	} {
		nr, _ := Number(event.ArchX8664, []string{"openat", "write", "writev", "fstat"}[len(calls)])
		c.c = Lookup(event.ArchX8664, nr)
		calls = append(calls, c)
	}
	var a Arena
	dst := make([]event.Mem, 0, 16)
	return m, func(m *fakeMemory) {
		for i := range calls {
			c := &calls[i]
			a.Reset()
			dst = c.c.Capture(dst[:0], event.Enter, &c.args, 0, testLimits, m, &a)
			dst = c.c.Capture(dst, event.Leave, &c.args, c.ret, testLimits, m, &a)
		}
	}
}

func BenchmarkCapture(b *testing.B) {
	m, run := benchCalls(b)
	b.ReportAllocs()
	for b.Loop() {
		run(m)
	}
}
