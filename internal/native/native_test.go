package native

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/testkit"
)

// process reads another process's memory.
type process int

func (p process) ReadMem(b []byte, addr uint64) int {
	n, err := unix.ProcessVMReadv(int(p), []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}},
		[]unix.RemoteIovec{{Base: uintptr(addr), Len: len(b)}}, 0)
	if err != nil {
		return 0
	}
	return n
}

// stopped starts a program, waits until it sleeps in a system call, and stops
// it there.
func stopped(t *testing.T, argv ...string) (pid int, regs Registers, maps Maps) {
	t.Helper()
	path := testkit.Program(t, argv[0])
	cmd := exec.Command(path, argv[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // ptrace is a thread's
	pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		runtime.UnlockOSThread()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/syscall")
		if bytes.HasPrefix(b, []byte("230 ")) { // clock_nanosleep
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not sleep: %s", argv[0], b)
		}
	}
	if err := unix.PtraceAttach(pid); err != nil {
		t.Fatal(err)
	}
	var st unix.WaitStatus
	if _, err := unix.Wait4(pid, &st, unix.WALL, nil); err != nil || !st.Stopped() {
		t.Fatalf("wait: %v, %#x", err, st)
	}
	var g unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &g); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/maps")
	if err != nil {
		t.Fatal(err)
	}
	return pid, X8664(&g), ParseMaps(text)
}

func names(frames []Frame) (list []string) {
	for _, f := range frames {
		list = append(list, f.Function())
	}
	return list
}

// A stripped program and its libraries: call frame information leads from the
// system call to the program's entry.
func TestStack(t *testing.T) {
	pid, regs, maps := stopped(t, "sleep", "100")
	u := New(Proc(pid))
	frames, more := u.Stack(regs, maps, process(pid), 100)
	if more || len(frames) < 4 {
		t.Fatalf("%d frames, more %v: %+v", len(frames), more, frames)
	}
	outer := maps.find(frames[len(frames)-1].PC)
	if exe, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe"); outer == nil || outer.Path != exe {
		t.Errorf("the outermost frame is not the program's entry: %+v", frames)
	}
	if list := names(frames); !slices.Contains(list, "__libc_start_main") && !slices.Contains(list, "__libc_start_main_impl") {
		t.Errorf("no __libc_start_main in %q", list)
	}
	if few, more := u.Stack(regs, maps, process(pid), 2); !more || !cmp.Equal(few, frames[:2]) {
		t.Errorf("the first two: %+v, more %v", few, more)
	}
}

// A deep stack that goes through several objects.
func TestStackPython(t *testing.T) {
	pid, regs, maps := stopped(t, "/usr/bin/python3", "-c", "import time\ndef f(n):\n if n: f(n-1)\n else: time.sleep(100)\nf(5)")
	frames, _ := New(Proc(pid)).Stack(regs, maps, process(pid), 200)
	list := names(frames)
	for _, want := range []string{"_PyEval_EvalFrameDefault", "Py_RunMain", "Py_BytesMain"} {
		if !slices.Contains(list, want) {
			t.Errorf("no %s in %q", want, list)
		}
	}
}

// Every function that the table names is found by both ways.
func TestFind(t *testing.T) {
	exe := testkit.Program(t, "ls")
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := &object{}
	o.readTables(f)
	if len(o.tables) == 0 || o.tables[0].header == nil {
		t.Fatalf("%s has no .eh_frame_hdr", exe)
	}
	quick := o.tables[0]
	slow := &table{data: quick.data, addr: quick.addr, eh: true, word: quick.word}
	slow.makeIndex()
	if len(slow.index) < 50 {
		t.Fatalf("%d functions", len(slow.index))
	}
	for _, s := range slow.index {
		a, ok1 := quick.find(s.end - 1)
		b, ok2 := slow.find(s.start)
		if !ok1 || !ok2 || a.start != b.start || a.end != b.end {
			t.Errorf("%#x: %+v %v, %+v %v", s.start, a, ok1, b, ok2)
		}
	}
}

func TestSymbol(t *testing.T) {
	o := &object{symbols: []symbol{{0x100, 0x80, "outer", 3}, {0x120, 0x10, "inner", 1}, {0x200, 0, "label", 0}, {0x300, 8, "last", 1}}}
	for addr, want := range map[uint64]string{
		0xff: "", 0x100: "outer", 0x11f: "outer", 0x125: "inner", 0x130: "outer", 0x180: "", 0x210: "label", 0x307: "last", 0x308: "",
	} {
		if got, _ := o.symbol(addr); got != want {
			t.Errorf("%#x: got %q, want %q", addr, got, want)
		}
	}
}

// memory is memory from address 0x1000 on.
type memory []byte

func (m memory) ReadMem(p []byte, addr uint64) int {
	if addr < 0x1000 || addr-0x1000 >= uint64(len(m)) {
		return 0
	}
	return copy(p, m[addr-0x1000:])
}

func TestFramePointers(t *testing.T) {
	stack := make(memory, 64)
	stack[0x10], stack[0x11] = 0x20, 0x10 // [0x1010] = 0x1020, the next frame pointer
	stack[0x18], stack[0x19] = 0x01, 0x50 // [0x1018] = 0x5001, the return address
	r := Registers{PC: 0x5000, Word: 8}
	r.Set(rsp, 0x1000)
	r.Set(rbp, 0x1010)
	maps := Maps{{Start: 0x5000, End: 0x6000, Exec: true}}
	frames, more := New(nil).Stack(r, maps, stack, 10)
	if want := []Frame{{PC: 0x5000, Address: 0x5000}, {PC: 0x5000, Address: 0x5000}}; more || !cmp.Equal(frames, want) {
		t.Errorf("got %+v, more %v", frames, more)
	}
}

func TestFunction(t *testing.T) {
	for symbol, want := range map[string]string{
		"main": "main", "_ZN2ns2f1Ei": "ns::f1(int)", "_Znonsense": "_Znonsense", "": "",
		"_RNvC6_123foo3bar": "123foo::bar",
	} {
		f := Frame{Symbol: symbol}
		if got := f.Function(); got != want {
			t.Errorf("%s: got %s, want %s", symbol, got, want)
		}
	}
}

func TestParseMaps(t *testing.T) {
	got := ParseMaps([]byte(`7f00-8000 r-xp 00001000 fd:01 12                         /usr/lib/a b.so (deleted)
1000-2000 rw-p 00000000 00:00 0
nonsense
9000-a000 r-xp 00000000 00:00 0                          [vdso]
`))
	want := Maps{
		{Start: 0x1000, End: 0x2000, Dev: "00:00"},
		{Start: 0x7f00, End: 0x8000, Offset: 0x1000, Dev: "fd:01", Inode: 12, Path: "/usr/lib/a b.so", Exec: true},
		{Start: 0x9000, End: 0xa000, Dev: "00:00", Path: "[vdso]", Exec: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for addr, want := range map[uint64]string{0x7f00: "/usr/lib/a b.so", 0x7fff: "/usr/lib/a b.so", 0x9000: "[vdso]"} {
		if m := got.find(addr); m == nil || m.Path != want {
			t.Errorf("%#x: %+v", addr, m)
		}
	}
	for _, addr := range []uint64{0, 0x2000, 0x8000, 0xa000, ^uint64(0)} {
		if m := got.find(addr); m != nil {
			t.Errorf("%#x: %+v", addr, m)
		}
	}
}

// The expression that linkers put into the frame information of x86-64's PLT.
func TestEvaluate(t *testing.T) {
	plt := []byte{0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22}
	for pc, want := range map[uint64]uint64{0x1020: 0x2008, 0x102b: 0x2010} {
		r := Registers{Word: 8}
		r.Set(rsp, 0x2000)
		r.Set(16, pc)
		if got, ok := evaluate(plt, 0, false, &r, nil); !ok || got != want {
			t.Errorf("pc %#x: got %#x %v, want %#x", pc, got, ok, want)
		}
	}
	r := Registers{Word: 8}
	for name, code := range map[string][]byte{
		"empty": nil, "endless": {0x2f, 0xfd, 0xff}, "too deep": bytes.Repeat([]byte{0x30}, 65), "unknown": {0x30, 0x30, 0xff},
		"division by zero": {0x30, 0x30, 0x1b}, "no register": {0x77, 0}, "cut": {0x0c, 1, 2},
	} {
		if v, ok := evaluate(code, 0, false, &r, nil); ok {
			t.Errorf("%s: got %#x", name, v)
		}
	}
}

func FuzzTable(f *testing.F) {
	if exe, err := elf.Open("/bin/true"); err == nil {
		if s := exe.Section(".eh_frame"); s != nil {
			b, _ := s.Data()
			f.Add(b[:min(len(b), 200)], s.Addr, true)
		}
	}
	f.Add([]byte{}, uint64(0), false)
	f.Fuzz(func(t *testing.T, b []byte, pc uint64, eh bool) {
		tab := &table{data: b, addr: 0x1000, eh: eh, word: 8}
		tab.useHeader(b, 0x1000)
		for range 2 {
			r := Registers{PC: pc, Word: 8, Known: 1<<17 - 1}
			if d, ok := tab.find(pc); ok {
				d.unwind(tab, &r, pc, memory(b))
			}
			tab.header = nil
		}
	})
}

func FuzzObject(f *testing.F) {
	if b, err := os.ReadFile("/bin/true"); err == nil {
		f.Add(b, uint64(0x2000))
	}
	f.Fuzz(func(t *testing.T, b []byte, pc uint64) {
		o, err := newObject(bytes.NewReader(b))
		if err != nil {
			return
		}
		o.symbol(pc)
		o.line(pc)
		o.bias(&Mapping{Start: pc})
	})
}

func FuzzMaps(f *testing.F) {
	f.Add([]byte("1000-2000 r-xp 00000000 00:00 0 x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range ParseMaps(b) {
			if m.Start >= m.End {
				t.Errorf("%+v", m)
			}
		}
	})
}
