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
	t, err := ownSymbols()
	if err != nil {
		return nil, err
	}
	at, size, ok := symbol(t.syms, t.names, name)
	anchor, _, ok2 := symbol(t.syms, t.names, "culprit/internal/launch.runtimeVariable")
	if !ok || !ok2 || size%8 != 0 || size > 1<<10 {
		return nil, fmt.Errorf("%w with %s", errStripped, name)
	}
	// A position-independent binary lies elsewhere than its symbols say.
	bias := uint64(reflect.ValueOf(runtimeVariable).Pointer()) - anchor
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return nil, fmt.Errorf("read own memory: %w", err)
	}
	defer mem.Close()
	b := make([]byte, size)
	if _, err := mem.ReadAt(b, int64(at+bias)); err != nil {
		return nil, fmt.Errorf("read own memory: %w", err)
	}
	return b, nil
}

// symbols is the symbol table of a binary and the names in it.
type symbols struct{ syms, names []byte }

// ownSymbols reads this binary's symbols, once.
var ownSymbols = sync.OnceValues(func() (symbols, error) {
	const self = "/proc/self/exe"
	f, err := elf.Open(self)
	if err != nil {
		return symbols{}, fmt.Errorf("read %s: %w", self, err)
	}
	defer f.Close()
	if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return symbols{}, fmt.Errorf("%w of 64-bit little-endian form", errStripped)
	}
	symtab := f.SectionByType(elf.SHT_SYMTAB)
	if symtab == nil || int(symtab.Link) >= len(f.Sections) {
		return symbols{}, errStripped
	}
	syms, err := symtab.Data()
	if err != nil {
		return symbols{}, fmt.Errorf("read symbols of %s: %w", self, err)
	}
	names, err := f.Sections[symtab.Link].Data()
	if err != nil {
		return symbols{}, fmt.Errorf("read symbol names of %s: %w", self, err)
	}
	return symbols{syms, names}, nil
})

// symbol finds a name in an ELF64 symbol table (struct Elf64_Sym: name u32,
// info u8, other u8, shndx u16, value u64, size u64).
func symbol(syms, names []byte, name string) (value, size uint64, ok bool) {
	at := bytes.Index(names, []byte("\x00"+name+"\x00"))
	if at < 0 {
		return 0, 0, false
	}
	at++
	for ; len(syms) >= 24; syms = syms[24:] {
		if int(binary.LittleEndian.Uint32(syms)) == at {
			return binary.LittleEndian.Uint64(syms[8:]), binary.LittleEndian.Uint64(syms[16:]), true
		}
	}
	return 0, 0, false
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
