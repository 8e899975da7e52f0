package remote

import (
	"debug/elf"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// pythonFile is the executable or library that an interpreter lives in.
var pythonFile = regexp.MustCompile(`^(?:lib)?python3\.(\d+)(t?)(?:\.so.*)?$`)

// locate finds _PyRuntime and the minor version. Of an executable and a library
// the one that defines the symbol counts.
func locate(pid int) (addr uint64, minor int, err error) {
	text, err := maps(pid)
	if err != nil {
		return 0, 0, err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 || seen[f[5]] || f[2] != "00000000" {
			continue
		}
		seen[f[5]] = true
		m := pythonFile.FindStringSubmatch(path.Base(f[5]))
		if m == nil || m[2] != "" { // "t": free-threaded, laid out in another way
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || n < firstMinor || n > lastMinor {
			continue
		}
		start, err := strconv.ParseUint(f[0][:max(0, strings.IndexByte(f[0], '-'))], 16, 64)
		if err != nil {
			continue
		}
		if v, ok := symbol("/proc/"+strconv.Itoa(pid)+"/root"+f[5], start); ok {
			return v, n, nil
		}
	}
	return 0, 0, fmt.Errorf("look for Python in process %d: %w", pid, ErrNotPython)
}

// symbol is the address of _PyRuntime in a file that is mapped from start on.
func symbol(file string, start uint64) (uint64, bool) {
	f, err := elf.Open(file)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	syms, err := f.DynamicSymbols()
	if err != nil {
		return 0, false
	}
	bias := uint64(0)
	if f.Type == elf.ET_DYN {
		for _, p := range f.Progs {
			if p.Type == elf.PT_LOAD && p.Off == 0 {
				bias = start - p.Vaddr
				break
			}
		}
	}
	for i := range syms {
		if s := &syms[i]; s.Name == "_PyRuntime" && s.Section != elf.SHN_UNDEF {
			return s.Value + bias, true
		}
	}
	return 0, false
}
