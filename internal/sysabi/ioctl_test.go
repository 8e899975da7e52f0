package sysabi

import (
	"strconv"
	stdstrings "strings"
	"testing"

	"culprit/internal/event"
)

// Requests whose number says another size than the structure has, or nothing.
var otherSize = map[string]bool{
	"BLKBSZGET": true, "BLKBSZSET": true, // size_t, and an int in fact
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
		for _, family := range ioctlFamilies {
			for _, r := range family {
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

func ioctlNumber(arch event.Arch) uint32 {
	n, _ := Number(arch, "ioctl")
	return n
}
