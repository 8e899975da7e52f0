package native

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
)

// Mapping is a line of /proc/PID/maps (proc_pid_maps(5)).
type Mapping struct {
	Start, End uint64
	Offset     uint64 // in the file, bytes
	Dev        string // MAJOR:MINOR in hex
	Inode      uint64
	Path       string // also [vdso], [stack] and their like; without " (deleted)"
	Exec       bool
}

// Maps are the mappings of a process in the order of their addresses.
type Maps []Mapping

const maxMappings = 1 << 17 // twice the kernel's usual vm.max_map_count

// ParseMaps reads the text of /proc/PID/maps. Lines that make no sense are left
// out.
func ParseMaps(text []byte) Maps {
	var list Maps
	for line := range bytes.Lines(text) {
		if m, ok := parseMapping(string(bytes.TrimSuffix(line, []byte("\n")))); ok && len(list) < maxMappings {
			list = append(list, m)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Start < list[j].Start })
	return list
}

func parseMapping(line string) (m Mapping, ok bool) {
	span, rest, _ := strings.Cut(line, " ")
	flags, rest, _ := strings.Cut(rest, " ")
	offset, rest, _ := strings.Cut(rest, " ")
	dev, rest, _ := strings.Cut(rest, " ")
	inode, path, _ := strings.Cut(rest, " ")
	from, to, _ := strings.Cut(span, "-")
	var errs [4]error
	m.Start, errs[0] = strconv.ParseUint(from, 16, 64)
	m.End, errs[1] = strconv.ParseUint(to, 16, 64)
	m.Offset, errs[2] = strconv.ParseUint(offset, 16, 64)
	m.Inode, errs[3] = strconv.ParseUint(inode, 10, 64)
	for _, err := range errs {
		if err != nil {
			return m, false
		}
	}
	m.Dev = dev
	m.Path = strings.TrimSuffix(strings.TrimLeft(path, " "), " (deleted)")
	m.Exec = len(flags) > 2 && flags[2] == 'x'
	return m, m.Start < m.End
}

func (l Maps) find(addr uint64) *Mapping {
	i := sort.Search(len(l), func(i int) bool { return l[i].End > addr })
	if i == len(l) || l[i].Start > addr {
		return nil
	}
	return &l[i]
}
