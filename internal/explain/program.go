package explain

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"culprit/internal/event"
)

// program is what the head of a file says about how it is executed (execve(2),
// elf(5)).
type program struct {
	is          string // what the file is, with its article
	script      bool   // it begins with "#!"
	interpreter string // that it names, "" when none or not in the head
	elf         bool
	dynamic     bool // it is an ELF file that names an interpreter, perhaps behind the head
	text        bool
	machine     elf.Machine
}

// heads are the first bytes of files that people try to execute.
var heads = []struct{ magic, is string }{
	{"MZ", "a Windows program"},
	{"\xcf\xfa\xed\xfe", "a macOS program"}, {"\xce\xfa\xed\xfe", "a macOS program"},
	{"\xca\xfe\xba\xbe", "a Java class or a macOS program"},
	{"PK\x03\x04", "a ZIP archive"}, {"\x1f\x8b", "a gzip file"}, {"\xfd7zXZ\x00", "an xz file"},
	{"BZh", "a bzip2 file"}, {"\x28\xb5\x2f\xfd", "a zstd file"}, {"!<arch>\n", "an archive of object files or a Debian package"},
	{"%PDF", "a PDF document"}, {"version https://git-lfs", "a Git LFS pointer, not the file itself"},
	{"\xef\xbb\xbf#!", "a script with a byte order mark before its #!"},
	{"<!DOCTYPE", "an HTML page"}, {"<html", "an HTML page"},
}

// readProgram tells what a file is by its head.
func readProgram(f *event.File) program {
	head := f.Data
	if rest, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		p := program{is: "a script", script: true, text: true}
		// The kernel takes what stands up to a blank (fs/binfmt_script.c).
		line, _, _ := bytes.Cut(rest, []byte{'\n'})
		line = bytes.TrimLeft(line, " \t")
		if i := bytes.IndexAny(line, " \t\x00"); i >= 0 {
			line = line[:i]
		}
		p.interpreter = string(line)
		return p
	}
	if bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return readELF(head)
	}
	if f.Size == 0 {
		return program{is: "an empty file", text: true}
	}
	for _, h := range heads {
		if bytes.HasPrefix(head, []byte(h.magic)) {
			return program{is: h.is, text: utf8.ValidString(h.magic) && bytes.IndexByte(head, 0) < 0 && h.magic != "PK\x03\x04"}
		}
	}
	if bytes.IndexByte(head, 0) < 0 {
		return program{is: "a text file whose first line names no interpreter (#!)", text: true}
	}
	return program{is: "of no format that the kernel knows"}
}

// readELF reads the header and what of the program headers is in the head; the
// offsets are those of Elf32_Ehdr, Elf64_Ehdr, Elf32_Phdr and Elf64_Phdr.
func readELF(head []byte) program {
	p := program{is: "a damaged ELF file", elf: true}
	if len(head) < 52 {
		return p
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	wide := elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64
	if wide && len(head) < 64 {
		return p
	}
	p.machine = elf.Machine(order.Uint16(head[18:]))
	kind := elf.Type(order.Uint16(head[16:]))
	bits := 32
	var off uint64
	var size, num uint16
	if wide {
		bits = 64
		off, size, num = order.Uint64(head[32:]), order.Uint16(head[54:]), order.Uint16(head[56:])
	} else {
		off, size, num = uint64(order.Uint32(head[28:])), order.Uint16(head[42:]), order.Uint16(head[44:])
	}
	what := "program"
	switch kind {
	case elf.ET_REL:
		what = "object file, not linked,"
	case elf.ET_CORE:
		what = "core dump"
	}
	p.is = fmt.Sprintf("a %d-bit ELF %s for %s", bits, what, strings.TrimPrefix(p.machine.String(), "EM_"))
	for i := range uint64(num) {
		at := off + i*uint64(size)
		if off > uint64(len(head)) || at+56 > uint64(len(head)) { // 56 is the larger of the two
			p.dynamic = p.dynamic || kind == elf.ET_DYN
			break
		}
		h := head[at:]
		if elf.ProgType(order.Uint32(h)) != elf.PT_INTERP {
			continue
		}
		p.dynamic = true
		from, n := uint64(order.Uint32(h[4:])), uint64(order.Uint32(h[16:]))
		if wide {
			from, n = order.Uint64(h[8:]), order.Uint64(h[32:])
		}
		if end := uint64(len(head)); from < end && n <= end-from {
			p.interpreter, _, _ = strings.Cut(string(head[from:from+n]), "\x00")
		}
		break
	}
	return p
}

// machines are uname(2)'s names for what an ELF file may be made for.
var machines = map[elf.Machine]string{
	elf.EM_X86_64: "x86_64", elf.EM_AARCH64: "aarch64", elf.EM_386: "i686", elf.EM_ARM: "armv7l",
	elf.EM_RISCV: "riscv64", elf.EM_PPC64: "ppc64le", elf.EM_S390: "s390x", elf.EM_LOONGARCH: "loongarch64",
}
