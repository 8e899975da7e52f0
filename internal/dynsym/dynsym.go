// Package dynsym finds the symbols that a running program's objects export, by
// the tables that the dynamic linker uses, in the program's memory. It needs no
// file, so that one that was deleted or lies in another mount namespace makes no
// difference, and a look-up reads some hundred bytes.
//
// It knows 64-bit little-endian ELF (elf(5)). What it reads may be anything: it
// is bounded, and what makes no sense is not found.
package dynsym

import (
	"encoding/binary"
	"errors"
)

// Memory copies memory of the program from addr on, all of p or nothing.
type Memory func(addr uint64, p []byte) bool

// ErrNotELF is returned for memory that holds no object of the known form.
var ErrNotELF = errors.New("no 64-bit ELF object in memory")

// Bounds on what damaged tables can make a look-up do.
const (
	maxHeaders = 64
	maxDynamic = 512
	maxChain   = 1 << 16
	maxName    = 256
)

// Object is an executable or a library in memory.
type Object struct {
	mem  Memory
	base uint64 // where its ELF header is
	bias uint64 // added to the addresses of the file
	// From the dynamic section; 0 where there is none.
	strings, symbols, gnu, sysv uint64
	needed                      []uint64 // offsets of names in strings
}

// Open reads the tables of the object whose ELF header is at base. An object
// without a dynamic section exports nothing.
func Open(mem Memory, base uint64) (*Object, error) {
	const phentsize, ptLoad, ptDynamic = 56, 1, 2
	var h [64]byte
	if !mem(base, h[:]) || string(h[:6]) != "\x7fELF\x02\x01" {
		return nil, ErrNotELF
	}
	le := binary.LittleEndian
	n := int(le.Uint16(h[56:]))
	if n == 0 || n > maxHeaders || le.Uint16(h[54:]) != phentsize {
		return nil, ErrNotELF
	}
	headers := make([]byte, n*phentsize)
	if !mem(base+le.Uint64(h[32:]), headers) {
		return nil, ErrNotELF
	}
	o := &Object{mem: mem, base: base}
	var dynamic, size uint64
	for ; len(headers) > 0; headers = headers[phentsize:] {
		off, addr := le.Uint64(headers[8:]), le.Uint64(headers[16:])
		switch le.Uint32(headers) {
		case ptLoad:
			if off == 0 {
				o.bias = base - addr
			}
		case ptDynamic:
			dynamic, size = addr, le.Uint64(headers[40:])
		}
	}
	if dynamic != 0 {
		o.dynamic(o.bias+dynamic, min(size, maxDynamic*16))
	}
	return o, nil
}

// In is the same object in the memory of a process that was forked.
func (o *Object) In(mem Memory) *Object {
	copied := *o
	copied.mem = mem
	return &copied
}

// dynamic reads the dynamic section. glibc has added the bias to its addresses
// once it is done with an object, others never do.
func (o *Object) dynamic(at, size uint64) {
	const dtNeeded, dtHash, dtStrtab, dtSymtab, dtGNUHash = 1, 4, 5, 6, 0x6ffffef5
	table := make([]byte, size&^15)
	if !o.mem(at, table) {
		return
	}
	for ; len(table) > 0; table = table[16:] {
		tag, v := binary.LittleEndian.Uint64(table), binary.LittleEndian.Uint64(table[8:])
		address := v
		if address < o.base {
			address += o.bias
		}
		switch tag {
		case 0:
			return
		case dtNeeded:
			o.needed = append(o.needed, v)
		case dtHash:
			o.sysv = address
		case dtStrtab:
			o.strings = address
		case dtSymtab:
			o.symbols = address
		case dtGNUHash:
			o.gnu = address
		}
	}
}

// Needed returns the names of the libraries that the object asks for.
func (o *Object) Needed() []string {
	var names []string
	for _, off := range o.needed {
		if name, ok := o.text(off); ok {
			names = append(names, name)
		}
	}
	return names
}

// Lookup returns the address of an exported function or variable.
func (o *Object) Lookup(name string) (addr uint64, ok bool) {
	if o.symbols == 0 || o.strings == 0 || name == "" || len(name) >= maxName {
		return 0, false
	}
	if o.gnu != 0 {
		return o.lookupGNU(name)
	}
	if o.sysv != 0 {
		return o.lookupSysV(name)
	}
	return 0, false
}

// lookupGNU walks the table of DT_GNU_HASH: bloom filter, buckets, and chains
// whose last entry has its lowest bit set.
func (o *Object) lookupGNU(name string) (uint64, bool) {
	hash := uint32(5381)
	for i := range len(name) {
		hash = hash*33 + uint32(name[i])
	}
	var h [16]byte
	if !o.mem(o.gnu, h[:]) {
		return 0, false
	}
	le := binary.LittleEndian
	buckets, first, bloom := le.Uint32(h[:]), le.Uint32(h[4:]), le.Uint32(h[8:])
	if buckets == 0 || bloom == 0 {
		return 0, false
	}
	var word [8]byte
	if !o.mem(o.gnu+16+8*uint64(hash/64%bloom), word[:]) {
		return 0, false
	}
	if mask := uint64(1)<<(hash%64) | uint64(1)<<(hash>>(le.Uint32(h[12:])&31)%64); le.Uint64(word[:])&mask != mask {
		return 0, false
	}
	table := o.gnu + 16 + 8*uint64(bloom)
	n, ok := o.word(table + 4*uint64(hash%buckets))
	if !ok || n < first || n == 0 {
		return 0, false
	}
	chain := table + 4*uint64(buckets)
	for range maxChain {
		v, ok := o.word(chain + 4*uint64(n-first))
		if !ok {
			return 0, false
		}
		if v|1 == hash|1 {
			if addr, ok := o.symbol(n, name); ok {
				return addr, true
			}
		}
		if v&1 != 0 {
			return 0, false
		}
		n++
	}
	return 0, false
}

// lookupSysV walks the table of DT_HASH.
func (o *Object) lookupSysV(name string) (uint64, bool) {
	hash := uint32(0)
	for i := range len(name) {
		hash = hash<<4 + uint32(name[i])
		hash = (hash ^ hash>>24&0xf0) & 0x0fffffff
	}
	buckets, ok := o.word(o.sysv)
	if !ok || buckets == 0 {
		return 0, false
	}
	n, ok := o.word(o.sysv + 8 + 4*uint64(hash%buckets))
	for i := 0; ok && n != 0 && i < maxChain; i++ {
		if addr, found := o.symbol(n, name); found {
			return addr, true
		}
		n, ok = o.word(o.sysv + 8 + 4*(uint64(buckets)+uint64(n)))
	}
	return 0, false
}

// symbol returns the address of symbol n if that is its name and it is defined
// here. An address that code has yet to choose (STT_GNU_IFUNC) is none.
func (o *Object) symbol(n uint32, name string) (uint64, bool) {
	const sttIfunc = 10
	var s [24]byte
	if !o.mem(o.symbols+24*uint64(n), s[:]) {
		return 0, false
	}
	le := binary.LittleEndian
	if le.Uint16(s[6:]) == 0 || s[4]&15 == sttIfunc {
		return 0, false
	}
	is := make([]byte, len(name)+1)
	if !o.mem(o.strings+uint64(le.Uint32(s[:])), is) || string(is) != name+"\x00" {
		return 0, false
	}
	return o.bias + le.Uint64(s[8:]), true
}

func (o *Object) word(addr uint64) (uint32, bool) {
	var b [4]byte
	ok := o.mem(addr, b[:])
	return binary.LittleEndian.Uint32(b[:]), ok
}

func (o *Object) text(off uint64) (string, bool) {
	var s []byte
	for len(s) < maxName {
		var b [16]byte
		got := b[:]
		if at := o.strings + off + uint64(len(s)); !o.mem(at, got) {
			if got = b[:1]; !o.mem(at, got) { // at the end of the table
				return "", false
			}
		}
		for _, c := range got {
			if c == 0 {
				return string(s), true
			}
			s = append(s, c)
		}
	}
	return "", false
}
