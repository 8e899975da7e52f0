package keys

import (
	"bytes"
	"debug/elf"
	"fmt"
)

// goTable is the table of functions that every Go program carries (pclntab, as
// debug/gosym reads it), from Go 1.18 on.
type goTable struct {
	n     uint64 // functions
	funcs []byte // n times {entry, offset of the function's record}, 32 bits each, the end of the code, records
	names []byte
	start uint64 // runtime.text: what entries count from
}

// span is a function's code.
type span struct{ begin, end uint64 }

// Magic numbers of the tables of Go 1.18 and 1.20.
const (
	go118 = 0xfffffff0
	go120 = 0xfffffff1
)

// goTable reads the table, nil when the program is none of Go's.
func (m *image) goTable() (*goTable, error) {
	s := m.Section(".gopclntab")
	if s == nil {
		s = m.Section(".data.rel.ro.gopclntab") // position independent
	}
	if s == nil {
		return nil, nil
	}
	b := m.data(s)
	if len(b) < 72 || b[7] != 8 {
		return nil, errForm
	}
	if magic := le.Uint32(b); magic != go118 && magic != go120 {
		return nil, fmt.Errorf("it was built by Go older than 1.18")
	}
	word := func(i int) uint64 { return le.Uint64(b[8+8*i:]) }
	n, names, units, funcs := word(0), word(3), word(4), word(7)
	size := uint64(len(b))
	if names > units || units > size || funcs > size || n >= (size-funcs)/8 {
		return nil, errForm
	}
	start := m.textStart(s.Addr)
	if start == 0 {
		return nil, errForm
	}
	return &goTable{n, b[funcs:], b[names:units], start}, nil
}

// function finds one by its full name.
func (t *goTable) function(name string) (span, bool) {
	want := append(append([]byte{0}, name...), 0)
	at := bytes.Index(t.names, want)
	if at < 0 {
		return span{}, false
	}
	u32 := func(at uint64) uint64 { return uint64(le.Uint32(t.funcs[at:])) }
	for i := range t.n {
		record := u32(8*i + 4)
		if record+8 <= uint64(len(t.funcs)) && u32(record+4) == uint64(at+1) {
			s := span{t.start + u32(8*i), t.start + u32(8*i+8)}
			return s, s.begin < s.end
		}
	}
	return span{}, false
}

// textStart is the address of runtime.text. Where C is linked in, that is not
// where the code begins; Go's moduledata (runtime/symtab.go) knows it: the first
// word of it is the address of the table of functions, the 23rd this one. In a
// program that is to be relocated both stand in the relocations.
func (m *image) textStart(table uint64) uint64 {
	const text = 22 * 8
	for _, s := range m.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_WRITE == 0 {
			continue
		}
		want := le.AppendUint64(nil, table)
		b := m.data(s)
		for at := 0; at+text+8 <= len(b); at++ {
			i := bytes.Index(b[at:], want)
			if i < 0 {
				break
			}
			if at += i; at%8 == 0 && at+text+8 <= len(b) {
				if start := le.Uint64(b[at+text:]); m.code(start) {
					return start
				}
			}
		}
	}
	const size = 24 // of an Elf64_Rela: offset, info, addend
	var at uint64
	for pass := range 2 {
		for _, s := range m.Sections {
			if s.Type != elf.SHT_RELA {
				continue
			}
			for b := m.data(s); len(b) >= size; b = b[size:] {
				off, addend := le.Uint64(b), le.Uint64(b[16:])
				switch {
				case pass == 0 && addend == table:
					at = off
				case pass == 1 && at != 0 && off == at+text && m.code(addend):
					return addend
				}
			}
		}
	}
	return 0
}

// code says whether code lies at an address.
func (m *image) code(addr uint64) bool {
	_, ok := m.offset(addr)
	return ok
}
