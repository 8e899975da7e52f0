package launch

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// inheritedIgnored returns the set of signals that this process was started
// with ignoring, bit n-1 for signal n.
//
// Only the Go runtime knows: it puts its own handlers over all inherited
// dispositions but those of SIGHUP and SIGINT before any code of ours runs, and
// children get the default for them. It keeps the former ones in the array
// runtime.fwdSig (runtime/signal_unix.go), which has no accessor; so its address
// is looked up in the symbol table of the running binary. A stripped binary has
// none: then known is false, and the child gets what Go gives.
func inheritedIgnored() (set uint64, known bool) {
	b, err := runtimeVariable("runtime.fwdSig")
	for sig := 1; sig <= 64 && sig < len(b)/8; sig++ {
		if binary.LittleEndian.Uint64(b[8*sig:]) == 1 { // SIG_IGN
			set |= 1 << (sig - 1)
		}
	}
	return set, err == nil
}

// inheritedMask returns the signals that this process was started with
// blocking. The runtime unblocks those that it needs, in children too, and
// keeps the former mask to itself in the same way.
func inheritedMask() (set uint64, known bool) {
	b, err := runtimeVariable("runtime.initSigmask")
	if err != nil || len(b) != 8 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

var errStripped = errors.New("binary has no symbol table")

// runtimeVariable reads the memory of a variable that isn't exported.
func runtimeVariable(name string) ([]byte, error) {
	found, err := ownSymbols()
	if err != nil {
		return nil, err
	}
	v, anchor := found[name], found[anchorName]
	if v.size == 0 || anchor.size == 0 || v.size%8 != 0 {
		return nil, fmt.Errorf("%w with %s", errStripped, name)
	}
	// A position-independent binary lies elsewhere than its symbols say.
	bias := uint64(reflect.ValueOf(&errStripped).Pointer()) - anchor.value
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return nil, fmt.Errorf("read own memory: %w", err)
	}
	defer mem.Close()
	b := make([]byte, v.size)
	if _, err := mem.ReadAt(b, int64(v.value+bias)); err != nil {
		return nil, fmt.Errorf("read own memory: %w", err)
	}
	return b, nil
}

// anchorName is a variable whose address is known.
const anchorName = "culprit/internal/launch.errStripped"

const maxVariable = 1 << 10 // bytes

type symbol struct{ value, size uint64 }

// ownSymbols looks up what is wanted of this binary's symbols, once. Their table
// has megabytes: it is mapped and not read, since every start would pay for that.
var ownSymbols = sync.OnceValues(func() (map[string]symbol, error) {
	const self = "/proc/self/exe"
	f, err := elf.Open(self)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", self, err)
	}
	defer f.Close()
	if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return nil, fmt.Errorf("%w of 64-bit little-endian form", errStripped)
	}
	table := f.SectionByType(elf.SHT_SYMTAB)
	if table == nil || int(table.Link) >= len(f.Sections) {
		return nil, errStripped
	}
	names := f.Sections[table.Link]
	whole, err := mapped(self)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", self, err)
	}
	defer func() { _ = unix.Munmap(whole) }()
	for _, s := range []*elf.Section{table, names} {
		if n := uint64(len(whole)); s.FileSize > n || s.Offset > n-s.FileSize {
			return nil, fmt.Errorf("%w within its %d bytes", errStripped, n)
		}
	}
	return find(whole[table.Offset:][:table.FileSize], whole[names.Offset:][:names.FileSize],
		"runtime.fwdSig", "runtime.initSigmask", anchorName), nil
})

func mapped(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
}

// find looks variables up in an ELF64 symbol table (struct Elf64_Sym: name u32,
// info u8, other u8, shndx u16, value u64, size u64).
func find(syms, names []byte, wanted ...string) map[string]symbol {
	const object = 1 // STT_OBJECT, in the lower half of info
	found := map[string]symbol{}
	for ; len(syms) >= 24 && len(found) < len(wanted); syms = syms[24:] {
		size := binary.LittleEndian.Uint64(syms[16:])
		if syms[4]&15 != object || size == 0 || size > maxVariable {
			continue
		}
		at := min(int(binary.LittleEndian.Uint32(syms)), len(names))
		for _, w := range wanted {
			if n := names[at:]; len(n) > len(w) && n[len(w)] == 0 && string(n[:len(w)]) == w {
				found[w] = symbol{binary.LittleEndian.Uint64(syms[8:]), size}
			}
		}
	}
	return found
}

// ignoredBy reads the set of signals that a process ignores (proc(5), SigIgn).
// It isn't known where /proc is that of another PID namespace.
func ignoredBy(pid int) (set uint64, known bool, err error) {
	if self, err := os.Readlink("/proc/self"); err == nil && self != strconv.Itoa(os.Getpid()) {
		return 0, false, nil
	}
	path := "/proc/" + strconv.Itoa(pid) + "/status"
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false, fmt.Errorf("read %s: %w", path, err)
	}
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte("SigIgn:")); ok {
			set, err := strconv.ParseUint(string(bytes.TrimSpace(v)), 16, 64)
			if err != nil {
				return 0, false, fmt.Errorf("read %s: %w", path, err)
			}
			return set, true, nil
		}
	}
	return 0, false, fmt.Errorf("read %s: no SigIgn", path)
}
