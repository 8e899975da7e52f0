package keys

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
)

// Bounds of what is read of one file.
const (
	maxSection = 256 << 20 // bytes of code, constants or tables
	maxBucket  = 1 << 12   // symbols of one hash value
	maxName    = 128       // bytes of a symbol's name
)

// le is the byte order of the machines that are looked at.
var le = binary.LittleEndian

var errForm = errors.New("its tables can't be read")

// image is a program or a library as it lies in its file.
type image struct {
	*elf.File
}

func open(r io.ReaderAt) (*image, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	return &image{f}, nil
}

// data reads a section whole.
func (m *image) data(s *elf.Section) []byte {
	if s == nil || s.Type == elf.SHT_NOBITS || s.Size == 0 || s.Size > maxSection {
		return nil
	}
	b, err := s.Data()
	if err != nil {
		return nil
	}
	return b
}

// offset is where in the file the code at an address lies.
func (m *image) offset(addr uint64) (uint64, bool) {
	for _, p := range m.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			return addr - p.Vaddr + p.Off, true
		}
	}
	return 0, false
}

// at reads up to n bytes of code.
func (m *image) at(addr, n uint64) []byte {
	for _, p := range m.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			b := make([]byte, min(n, p.Filesz-(addr-p.Vaddr)))
			got, _ := p.ReadAt(b, int64(addr-p.Vaddr))
			return b[:got]
		}
	}
	return nil
}

// exported finds functions by name in the table for the dynamic loader, through
// its hash table: that costs nothing where they are not.
func (m *image) exported(names ...string) map[string]uint64 {
	out := map[string]uint64{}
	hash, syms := m.SectionByType(elf.SHT_GNU_HASH), m.SectionByType(elf.SHT_DYNSYM)
	if hash == nil || syms == nil || int(syms.Link) >= len(m.Sections) || m.Class != elf.ELFCLASS64 {
		return out
	}
	texts := m.Sections[syms.Link]
	var head [16]byte
	if _, err := hash.ReadAt(head[:], 0); err != nil {
		return out
	}
	buckets, first, bloom := le.Uint32(head[:]), le.Uint32(head[4:]), le.Uint32(head[8:])
	if buckets == 0 {
		return out
	}
	word := func(at uint64) (uint32, bool) {
		var b [4]byte
		_, err := hash.ReadAt(b[:], int64(at))
		return le.Uint32(b[:]), err == nil
	}
	table := 16 + 8*uint64(bloom)
	chains := table + 4*uint64(buckets)
	for _, name := range names {
		h := gnuHash(name)
		i, ok := word(table + 4*uint64(h%buckets))
		if !ok || i < first {
			continue
		}
		for n := 0; n < maxBucket; n++ {
			c, ok := word(chains + 4*uint64(i-first))
			if !ok {
				break
			}
			if c|1 == h|1 {
				if addr, found := m.symbol(syms, texts, i, name); found {
					out[name] = addr
					break
				}
			}
			if c&1 != 0 {
				break
			}
			i++
		}
	}
	return out
}

// symbol is the address of symbol i when it has this name and a place.
func (m *image) symbol(syms, texts *elf.Section, i uint32, name string) (uint64, bool) {
	var b [elf.Sym64Size]byte
	if _, err := syms.ReadAt(b[:], int64(i)*elf.Sym64Size); err != nil {
		return 0, false
	}
	var text [maxName]byte
	n, _ := texts.ReadAt(text[:], int64(le.Uint32(b[:])))
	end := bytes.IndexByte(text[:n], 0)
	if end < 0 || string(text[:end]) != name || le.Uint16(b[6:]) == 0 {
		return 0, false
	}
	return le.Uint64(b[8:]), true
}

// gnuHash is the hash of a name in a table of type DT_GNU_HASH.
func gnuHash(name string) uint32 {
	h := uint32(5381)
	for i := range len(name) {
		h = h*33 + uint32(name[i])
	}
	return h
}

// local finds functions by name in the table for debuggers.
func (m *image) local(names ...string) map[string]uint64 {
	out := map[string]uint64{}
	s := m.SectionByType(elf.SHT_SYMTAB)
	if s == nil || s.Size > maxSection {
		return out
	}
	all, err := m.Symbols()
	if err != nil {
		return out
	}
	want := map[string]bool{}
	for _, n := range names {
		want[n] = true
	}
	for _, s := range all {
		if s.Section != elf.SHN_UNDEF && elf.ST_TYPE(s.Info) == elf.STT_FUNC && want[s.Name] {
			out[s.Name] = s.Value
		}
	}
	return out
}

// constants lists the addresses where a text stands as a C string of its own.
func (m *image) constants(text string) []uint64 {
	var out []uint64
	want := append([]byte(text), 0)
	for _, s := range m.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&(elf.SHF_ALLOC|elf.SHF_EXECINSTR|elf.SHF_WRITE) != elf.SHF_ALLOC {
			continue
		}
		b := m.data(s)
		for at := 0; ; {
			i := bytes.Index(b[at:], want)
			if i < 0 {
				break
			}
			at += i
			if at == 0 || b[at-1] == 0 {
				out = append(out, s.Addr+uint64(at))
			}
			at += len(want)
		}
	}
	return out
}
