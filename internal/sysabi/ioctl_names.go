package sysabi

import (
	_ "embed"
	"sort"
	"strconv"
	stdstrings "strings"
	"sync"

	"culprit/internal/event"
)

// ioctlNames is the names of requests, a line for each: the number in hex, the
// name, and which architectures have it so when not all do (lp64: those whose
// words have 64 bits; x86: both). It is ordered by number, then by name; where
// names of one number begin alike, the short one stands for both.
//
//go:embed ioctl_names.txt
var ioctlNames string

// ioctlTable is what is known of ioctl requests on one architecture.
type ioctlTable struct {
	names    []Name // by number
	requests map[uint32]*request
}

var (
	ioctlX8664   = sync.OnceValue(func() *ioctlTable { return newIoctlTable("lp64", "x86", "x86-64") })
	ioctlI386    = sync.OnceValue(func() *ioctlTable { return newIoctlTable("x86", "i386") })
	ioctlAArch64 = sync.OnceValue(func() *ioctlTable { return newIoctlTable("lp64", "arm64") })
)

func ioctlsOf(arch event.Arch) *ioctlTable {
	switch arch {
	case event.ArchI386:
		return ioctlI386()
	case event.ArchAArch64:
		return ioctlAArch64()
	}
	return ioctlX8664()
}

func newIoctlTable(tags ...string) *ioctlTable {
	t := &ioctlTable{requests: map[uint32]*request{}}
	numbers := map[string]uint32{}
	for line := range stdstrings.Lines(ioctlNames) {
		number, name, _ := stdstrings.Cut(stdstrings.TrimSuffix(line, "\n"), " ")
		name, only, limited := stdstrings.Cut(name, " ")
		if limited && !here(only, tags) {
			continue
		}
		v, err := strconv.ParseUint(number, 16, 32)
		if err != nil {
			panic("sysabi: ioctl_names.txt: " + line)
		}
		t.names = append(t.names, Name{v, name})
		numbers[name] = uint32(v)
	}
	for _, family := range ioctlFamilies() {
		for i := range family.requests {
			r := &family.requests[i]
			for _, name := range stdstrings.Fields(r.names) {
				if r.native && tags[0] != "lp64" || r.x86 && tags[1] == "arm64" {
					continue
				}
				if v, ok := numbers[name]; ok {
					t.requests[v] = r
				} else if v, err := strconv.ParseUint(name, 0, 32); err == nil { // one without a name
					t.requests[uint32(v)] = r
				}
			}
		}
	}
	return t
}

func here(only string, tags []string) bool {
	for _, t := range tags {
		if only == t {
			return true
		}
	}
	return false
}

// named returns the names of a request, of which there may be several.
func (t *ioctlTable) named(v uint32) []Name {
	i := sort.Search(len(t.names), func(i int) bool { return t.names[i].V >= uint64(v) })
	n := i
	for n < len(t.names) && t.names[n].V == uint64(v) {
		n++
	}
	return t.names[i:n]
}
