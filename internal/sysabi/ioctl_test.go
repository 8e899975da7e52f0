package sysabi

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	stdstrings "strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
)

// Requests whose number says another size than the structure has, or nothing.
var otherSize = map[string]bool{
	"PERF_EVENT_IOC_MODIFY_ATTRIBUTES": true,                    // the number has a pointer's size
	"BLKBSZGET":                        true, "BLKBSZSET": true, // size_t, and an int in fact
	"FS_IOC_GETFLAGS": true, "FS_IOC_SETFLAGS": true, // a long, and an int in fact
	"BLKGETSIZE64":              true,                                                              // the same, and 64 bits in fact
	"PERF_EVENT_IOC_SET_FILTER": true, "PERF_EVENT_IOC_QUERY_BPF": true, "PERF_EVENT_IOC_ID": true, // a pointer to it
	"UBI_IOCEBCH": true, // its first member
}

// Every request of the table has a number, one row, and a structure of the size
// that the number says.
func TestIoctlTable(t *testing.T) {
	for name, arch := range arches {
		table := ioctlsOf(arch)
		numbers := map[string]uint32{}
		for i, n := range table.names {
			numbers[n.S] = uint32(n.V)
			if i > 0 && (table.names[i-1].V > n.V || table.names[i-1].V == n.V && table.names[i-1].S >= n.S) {
				t.Errorf("%s: %s is not in order", name, n.S)
			}
		}
		if len(numbers) < 3000 {
			t.Errorf("%s has %d names", name, len(numbers))
		}
		seen := map[string]bool{}
		for _, family := range ioctlFamilies() {
			for _, r := range family.requests {
				for _, n := range stdstrings.Fields(r.names) {
					if seen[n] {
						t.Errorf("%s has two rows", n)
					}
					seen[n] = true
					v, ok := numbers[n]
					if !ok {
						if raw, err := strconv.ParseUint(n, 0, 32); err == nil {
							v, ok = uint32(raw), true
						}
					}
					if !ok {
						if arch == event.ArchX8664 {
							t.Errorf("%s: %s has no number", name, n)
						}
						continue
					}
					if stdstrings.IndexByte(ioctlTypes, iocType(v)) < 0 && iocType(v) != 0 {
						t.Errorf("%s: its type %q is not in ioctlTypes", n, iocType(v))
					}
					if r.x86 && arch == event.ArchAArch64 {
						continue
					}
					if a := &r.args[len(r.args)-1]; a.show != nil && iocSize(v) > 0 && !otherSize[n] {
						if size := a.st.bytes(Lookup(arch, ioctlNumber(arch)).ptr); size != int(iocSize(v)) {
							t.Errorf("%s: %s: the structure has %d bytes, the number %#x says %d", name, n, size, v, iocSize(v))
						}
					}
				}
			}
		}
	}
}

// The text of each request of a family: with numbers in memory that make small
// flags, lengths and counts, and when the call fails.
func TestIoctlGolden(t *testing.T) {
	for _, family := range ioctlFamilies() {
		t.Run(family.name, func(t *testing.T) {
			var b []byte
			for _, r := range family.requests {
				for _, name := range stdstrings.Fields(r.names) {
					code := ioctlCode(t, name)
					b = ioctlText(code, 0).Append(b, Options{Verbose: true, StrLen: 8})
					b = append(b, '\n')
				}
				b = ioctlText(ioctlCode(t, stdstrings.Fields(r.names)[0]), -22).Append(b, Options{})
				b = append(b, '\n')
			}
			path := filepath.Join("testdata", "ioctl", family.name+".txt")
			if *update {
				if err := os.WriteFile(path, b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(b)); diff != "" {
				t.Errorf("%s (-want +got; -update renews it):\n%s", path, diff)
			}
		})
	}
}

func ioctlCode(t *testing.T, name string) uint32 {
	t.Helper()
	for _, n := range ioctlsOf(event.ArchX8664).names {
		if n.S == name {
			return uint32(n.V)
		}
	}
	v, err := strconv.ParseUint(name, 0, 32)
	if err != nil {
		t.Fatalf("%s has no number", name)
	}
	return uint32(v)
}

// ioctlText records a request in memory of which every word of 32 bits is
// small, and that has a text everywhere.
func ioctlText(code uint32, ret int64) Decoded {
	m := newMemory()
	for i := uint64(0); i < 3*pageSize; i += 4 {
		m.put(0x1000+i, []byte{byte(i/4%7 + 1), 0, 0, 0})
	}
	s := &event.Syscall{Arch: event.ArchX8664, NR: ioctlNumber(event.ArchX8664), Args: [6]uint64{3, uint64(code), 0x1000}, Ret: ret}
	c := Lookup(s.Arch, s.NR)
	var a Arena
	s.Mem = c.Capture(s.Mem, event.Enter, &s.Args, 0, testLimits, m, &a)
	s.Mem = c.Capture(s.Mem, event.Leave, &s.Args, ret, testLimits, m, &a)
	return Decode(s)
}

func ioctlNumber(arch event.Arch) uint32 {
	n, _ := Number(arch, "ioctl")
	return n
}

// Any request with any memory is printed, in every style.
func FuzzIoctl(f *testing.F) {
	for _, q := range []string{"DM_TABLE_LOAD", "SG_IO", "BTRFS_IOC_TREE_SEARCH_V2", "VIDIOC_S_EXT_CTRLS", "KDFONTOP", "FS_IOC_FIEMAP"} {
		for _, n := range ioctlsOf(event.ArchX8664).names {
			if n.S == q {
				f.Add(uint8(0), uint32(n.V), int64(0), stdstrings.Repeat("\x02\x00\x00\x00S\x10\x00\x00", 60))
			}
		}
	}
	f.Fuzz(func(t *testing.T, how uint8, code uint32, ret int64, memory string) {
		arch := [...]event.Arch{event.ArchX8664, event.ArchI386, event.ArchAArch64, event.ArchX8664}[how&3]
		if list := IoctlRequests(arch); how&4 == 0 { // mostly requests that are known
			slices.Sort(list)
			code = list[code%uint32(len(list))]
		}
		m := newMemory()
		m.put(0x1000, []byte(memory))
		s := &event.Syscall{Arch: arch, NR: ioctlNumber(arch), Args: [6]uint64{3, uint64(code), 0x1000}, Ret: ret}
		c := Lookup(s.Arch, s.NR)
		var a Arena
		s.Mem = c.Capture(s.Mem, event.Enter, &s.Args, 0, testLimits, m, &a)
		s.Mem = c.Capture(s.Mem, event.Leave, &s.Args, ret, testLimits, m, &a)
		for _, o := range []Options{{}, {Verbose: true, StrLen: 1 << 16}, {Style: StyleRaw}, {Style: StyleVerbose, Verbose: true}} {
			d := Decode(s)
			if text := d.Append(nil, o); len(text) > 1<<22 {
				t.Errorf("%d bytes of text for %d bytes of memory", len(text), len(memory))
			}
		}
	})
}
