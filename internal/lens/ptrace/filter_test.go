package ptrace

import (
	"testing"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// seccompRun is the kernel's interpreter for the instructions that the filter
// uses, with bounds checked as seccomp_check_filter does.
func seccompRun(t *testing.T, prog []unix.SockFilter, arch event.Arch, nr uint32, args [6]uint64) (uint32, int) {
	t.Helper()
	word := func(off uint32) uint32 {
		switch {
		case off == offNR:
			return nr
		case off == offArch:
			return uint32(arch)
		case off >= offArgs && off < offArgs+48 && off%4 == 0:
			return uint32(args[(off-offArgs)/8] >> (8 * (off % 8)))
		}
		t.Fatalf("load at %d", off)
		return 0
	}
	var acc uint32
	steps := 0
	for pc := 0; ; pc++ {
		steps++
		if pc >= len(prog) {
			t.Fatalf("ran off the end for number %d", nr)
		}
		i := prog[pc]
		cond := func(ok bool) {
			if ok {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = word(i.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			cond(acc == i.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			cond(acc >= i.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			cond(acc&i.K != 0)
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(i.K)
		case unix.BPF_RET | unix.BPF_K:
			return i.K, steps
		default:
			t.Fatalf("instruction %#x", i.Code)
		}
	}
}

func TestFilter(t *testing.T) {
	for _, names := range [][]string{DefaultTrace, {"read"}, {}, {"mmap", "statx", "newfstatat", "no_such_call"}} {
		s := choose(archNative, names)
		prog := s.program()
		if len(prog) > 4096 { // BPF_MAXINSNS
			t.Errorf("%d instructions", len(prog))
		}
		most := 0
		for nr := range uint32(tableSize + 10) {
			want := uint32(unix.SECCOMP_RET_TRACE)
			if nr < tableSize && s.action[nr] == allow {
				want = unix.SECCOMP_RET_ALLOW
			}
			if nr < tableSize && s.action[nr] > trace {
				continue // below
			}
			got, steps := seccompRun(t, prog, archNative, nr, [6]uint64{})
			if s.selects(archNative, nr, new([6]uint64)) != (want == unix.SECCOMP_RET_TRACE) {
				t.Errorf("number %d: selects differs from the filter", nr)
			}
			if got != want {
				t.Errorf("number %d: %#x, want %#x", nr, got, want)
			}
			most = max(most, steps)
		}
		if most > 15 {
			t.Errorf("%d steps at most", most)
		}
	}
}

func TestFilterArguments(t *testing.T) {
	chosen := choose(archNative, DefaultTrace)
	prog := chosen.program()
	nr := func(name string) uint32 {
		n, ok := sysabi.Number(archNative, name)
		if !ok {
			t.Fatal(name)
		}
		return n
	}
	for _, c := range []struct {
		name  string
		arch  event.Arch
		nr    uint32
		args  [6]uint64
		trace bool
	}{
		{"read", archNative, nr("read"), [6]uint64{}, true},
		{"futex", archNative, nr("futex"), [6]uint64{}, false},
		{"brk", archNative, nr("brk"), [6]uint64{}, false},
		{"small mmap", archNative, nr("mmap"), [6]uint64{1: 1<<20 - 1, 3: unix.MAP_ANONYMOUS | unix.MAP_PRIVATE}, false},
		{"mmap of 1 MiB", archNative, nr("mmap"), [6]uint64{1: 1 << 20, 3: unix.MAP_ANONYMOUS | unix.MAP_PRIVATE}, true},
		{"mmap of 4 GiB", archNative, nr("mmap"), [6]uint64{1: 1 << 32, 3: unix.MAP_ANONYMOUS}, true},
		{"mmap of a file", archNative, nr("mmap"), [6]uint64{1: 1 << 32, 3: unix.MAP_PRIVATE}, false},
		{"stat of a path", archNative, nr("newfstatat"), [6]uint64{}, true},
		{"stat of a descriptor", archNative, nr("newfstatat"), [6]uint64{3: unix.AT_EMPTY_PATH}, false},
		{"statx of a descriptor", archNative, nr("statx"), [6]uint64{2: unix.AT_EMPTY_PATH}, false},
		{"statx of a path", archNative, nr("statx"), [6]uint64{2: unix.AT_NO_AUTOMOUNT}, true},
		{"x32", archNative, x32Bit | nr("futex"), [6]uint64{}, true},
		{"32-bit", event.ArchI386, 240, [6]uint64{}, true},
		{"foreign", 0x1234, 0, [6]uint64{}, false},
	} {
		got, _ := seccompRun(t, prog, c.arch, c.nr, c.args)
		if (got == unix.SECCOMP_RET_TRACE) != c.trace {
			t.Errorf("%s: %#x", c.name, got)
		}
		if chosen.selects(c.arch, c.nr, &c.args) != c.trace {
			t.Errorf("%s: selects differs from the filter", c.name)
		}
	}
}

// DefaultTrace names calls that exist.
func TestDefaultTrace(t *testing.T) {
	for _, name := range append(DefaultTrace, bookkeeping...) {
		found := false
		for _, arch := range []event.Arch{event.ArchX8664, event.ArchI386, event.ArchAArch64} {
			_, ok := sysabi.Number(arch, name)
			found = found || ok
		}
		if !found {
			t.Errorf("no architecture has %s", name)
		}
	}
}

// What isn't selected isn't recorded, though the recorder itself sees close and
// its like.
func TestSelection(t *testing.T) {
	r := record(t, Options{Trace: []string{"access", "mmap"}}, prog(t), "maps")
	var sizes []uint64
	for _, c := range r.calls() {
		switch c.name {
		case "access":
		case "mmap":
			sizes = append(sizes, c.Args[1])
			if c.Args[1] == 1<<48 && c.Ret != -int64(unix.ENOMEM) {
				t.Errorf("a mapping of 256 TiB: %#x", c.Ret)
			}
		default:
			t.Errorf("%s was recorded", c.name)
		}
	}
	if len(sizes) < 2 || sizes[len(sizes)-2] != 3<<20 || sizes[len(sizes)-1] != 1<<48 {
		t.Errorf("mappings %v", sizes)
	}
}
