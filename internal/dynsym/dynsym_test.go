package dynsym

import (
	"bytes"
	"debug/elf"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"culprit/internal/testkit"
)

// image is a file as the kernel maps it, from base on.
func image(t *testing.T, path string, base uint64) (Memory, *elf.File) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var top uint64
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			top = max(top, p.Vaddr+p.Memsz)
		}
	}
	mem := make([]byte, top)
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			if _, err := p.ReadAt(mem[p.Vaddr:p.Vaddr+p.Filesz], 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	return func(addr uint64, p []byte) bool {
		addr -= base
		return addr < top && uint64(len(p)) <= top-addr && copy(p, mem[addr:]) == len(p)
	}, f
}

func TestLookup(t *testing.T) {
	gcc := testkit.Program(t, "gcc")
	const base = 0x7f0000000000
	for _, style := range []string{"gnu", "sysv"} {
		t.Run(style, func(t *testing.T) {
			lib := filepath.Join(t.TempDir(), "lib.so")
			cmd := exec.Command(gcc, "-shared", "-fPIC", "-Wl,--hash-style="+style, "-o", lib, "-x", "c", "-", "-lm", "-Wl,--no-as-needed")
			var src bytes.Buffer
			src.WriteString("int variable = 3;\nextern double sin(double); double uses(double x) { return sin(x); }\n")
			for i := range 200 {
				src.WriteString("int function" + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + "(void) { return 1; }\n")
			}
			cmd.Stdin = &src
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			mem, f := image(t, lib, base)
			o, err := Open(mem, base)
			if err != nil {
				t.Fatal(err)
			}
			syms, err := f.DynamicSymbols()
			if err != nil {
				t.Fatal(err)
			}
			defined := 0
			for _, s := range syms {
				addr, ok := o.Lookup(s.Name)
				if want := s.Section != elf.SHN_UNDEF; ok != want || ok && addr != base+s.Value {
					t.Errorf("%s: %#x, %v; want %#x, %v", s.Name, addr, ok, base+s.Value, want)
				}
				if ok {
					defined++
				}
			}
			if defined < 202 {
				t.Errorf("%d symbols found", defined)
			}
			for _, name := range []string{"", "functio", "functionaaaaaa", strings.Repeat("f", 1000)} {
				if addr, ok := o.Lookup(name); ok {
					t.Errorf("%q found at %#x", name, addr)
				}
			}
			want, err := f.DynString(elf.DT_NEEDED)
			if err != nil {
				t.Fatal(err)
			}
			if got := o.Needed(); !slices.Equal(got, want) {
				t.Errorf("needs %q, want %q", got, want)
			}
		})
	}
	if _, err := Open(func(uint64, []byte) bool { return true }, 0); err == nil {
		t.Error("zeroes were taken for an object")
	}
}

// FuzzLookup takes the fuzzer's bytes for the memory of a program.
func FuzzLookup(f *testing.F) {
	head := make([]byte, 512)
	copy(head, "\x7fELF\x02\x01")
	head[32], head[54], head[56] = 64, 56, 2
	head[64], head[120], head[136], head[160] = 1, 2, 200, 96 // a PT_LOAD, a PT_DYNAMIC at 200 of 96 bytes
	copy(head[200:], "\x05\x00\x00\x00\x00\x00\x00\x00\x40")
	f.Add(head)
	f.Fuzz(func(t *testing.T, data []byte) {
		mem := func(addr uint64, p []byte) bool {
			if len(data) == 0 {
				return false
			}
			for i := range p {
				p[i] = data[(addr+uint64(i))%uint64(len(data))]
			}
			return true
		}
		o, err := Open(mem, 0)
		if err != nil {
			return
		}
		o.Lookup("Py_RunMain")
		for _, n := range o.Needed() {
			if len(n) >= maxName {
				t.Fatalf("a name of %d bytes", len(n))
			}
		}
	})
}
