package native

import (
	"bytes"
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Opener opens the file of a mapping. It may have been deleted or replaced
// meanwhile, or lie in another mount namespace: the opener knows how to get at
// it.
type Opener func(m *Mapping) (File, error)

// File is what an Opener opens.
type File interface {
	io.ReaderAt
	io.Closer
}

// Proc opens files as a process sees them: what is mapped itself where the
// kernel lets us (/proc/PID/map_files), else its path in the process's root if
// that is still the same file.
func Proc(pid int) Opener {
	dir := "/proc/" + strconv.Itoa(pid)
	return func(m *Mapping) (File, error) {
		if f, err := os.Open(fmt.Sprintf("%s/map_files/%x-%x", dir, m.Start, m.End)); err == nil {
			return f, nil
		}
		path := dir + "/root" + m.Path
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Ino != m.Inode {
			f.Close()
			return nil, fmt.Errorf("%s is not the file that is mapped", path)
		}
		return f, nil
	}
}

// Bounds for what is read of a file.
const (
	maxSection = 512 << 20
	maxSymbols = 4 << 20
	maxVDSO    = 64 << 10
)

type objectKey struct {
	dev   string
	inode uint64
	path  string
}

// object is one ELF file.
type object struct {
	file    File
	elf     *elf.File
	build   string // build id in hex
	tables  []*table
	symbols []symbol
	loads   []elf.ProgHeader
	dwarf   *dwarf.Data // nil until asked for; see lines
	noDwarf bool
	debug   *elf.File // separate debugging information
	lines   map[uint64]place
}

type place struct {
	file string
	line int
}

type symbol struct {
	start, size uint64
	name        string
	rank        uint8 // the higher the better
}

// object returns the file of a mapping, nil when it can't be used. Files stay
// open only where source lines are wanted.
func (u *Unwinder) object(m *Mapping, mem Memory) *object {
	if m.Path == "" || m.Path[0] == '[' && m.Path != "[vdso]" {
		return nil
	}
	key := objectKey{m.Dev, m.Inode, m.Path}
	if o, known := u.objects[key]; known {
		return o
	}
	o, err := u.load(m, mem)
	if err != nil {
		o = nil
	}
	u.objects[key] = o
	return o
}

// Close closes the files that are open.
func (u *Unwinder) Close() {
	for _, o := range u.objects {
		if o != nil && o.file != nil {
			o.file.Close()
		}
	}
	clear(u.objects)
}

func (u *Unwinder) load(m *Mapping, mem Memory) (*object, error) {
	var file File
	if m.Path == "[vdso]" {
		image := make([]byte, min(m.End-m.Start, maxVDSO))
		image = image[:max(mem.ReadMem(image, m.Start), 0)]
		file = vdso{bytes.NewReader(image)}
	} else {
		var err error
		if file, err = u.open(m); err != nil {
			return nil, err
		}
	}
	o, err := newObject(file)
	if err != nil || !u.Source {
		file.Close()
	} else {
		o.file = file
	}
	return o, err
}

// vdso is the image of the kernel's library, copied from memory.
type vdso struct{ *bytes.Reader }

func (vdso) Close() error { return nil }

func newObject(file io.ReaderAt) (*object, error) {
	f, err := elf.NewFile(file)
	if err != nil {
		return nil, err
	}
	if f.Data != elf.ELFDATA2LSB {
		return nil, errors.New("not little-endian")
	}
	o := &object{elf: f, build: buildID(f), lines: map[uint64]place{}}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			o.loads = append(o.loads, p.ProgHeader)
		}
	}
	o.readTables(f)
	o.readSymbols(f)
	if d := o.debugFile(); d != nil {
		o.debug = d
		o.readTables(d)
		o.readSymbols(d)
	}
	slices.SortFunc(o.symbols, func(a, b symbol) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.rank, b.rank))
	})
	return o, nil
}

// buildID reads the GNU build id of a file, in hex.
func buildID(f *elf.File) string {
	s := f.Section(".note.gnu.build-id")
	if s == nil || s.Size > 4096 {
		return ""
	}
	note, err := s.Data()
	if err != nil || len(note) <= 17 || string(note[12:16]) != "GNU\x00" {
		return ""
	}
	return hex.EncodeToString(note[16:])
}

// debugFile opens the separate debugging information of a build, where
// distributions put it. It stays open as long as the program runs.
func (o *object) debugFile() *elf.File {
	if o.build == "" || o.elf.Section(".debug_info") != nil {
		return nil
	}
	d, err := elf.Open("/usr/lib/debug/.build-id/" + o.build[:2] + "/" + o.build[2:] + ".debug")
	if err != nil {
		return nil
	}
	return d
}

// bias is what is added to the addresses of the file to get those in memory.
func (o *object) bias(m *Mapping) uint64 {
	for _, p := range o.loads {
		const page = 4096
		if first := p.Off &^ (page - 1); m.Offset >= first && m.Offset < p.Off+max(p.Filesz, 1) {
			return m.Start - (m.Offset - p.Off + p.Vaddr)
		}
	}
	return m.Start - m.Offset
}

func (o *object) section(f *elf.File, name string) ([]byte, uint64) {
	s := f.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS || s.Size > maxSection {
		return nil, 0
	}
	b, err := s.Data()
	if err != nil {
		return nil, 0
	}
	return b, s.Addr
}

func (o *object) readTables(f *elf.File) {
	word := 8
	if f.Class == elf.ELFCLASS32 {
		word = 4
	}
	if b, addr := o.section(f, ".eh_frame"); b != nil {
		t := &table{data: b, addr: addr, eh: true, word: word}
		if h, at := o.section(f, ".eh_frame_hdr"); h != nil {
			t.useHeader(h, at)
		}
		o.tables = append(o.tables, t)
	}
	if b, addr := o.section(f, ".debug_frame"); b != nil {
		o.tables = append(o.tables, &table{data: b, addr: addr, word: word})
	}
}

func (o *object) readSymbols(f *elf.File) {
	for _, s := range f.Sections { // a file may be sparse
		if s.Size > maxSection && (s.Type == elf.SHT_SYMTAB || s.Type == elf.SHT_DYNSYM || s.Type == elf.SHT_STRTAB) {
			return
		}
	}
	list, _ := f.Symbols()
	dynamic, _ := f.DynamicSymbols()
	for _, s := range slices.Concat(list, dynamic) {
		if len(o.symbols) >= maxSymbols {
			return
		}
		switch t := elf.ST_TYPE(s.Info); {
		case s.Section == elf.SHN_UNDEF || s.Section >= elf.SHN_LORESERVE || s.Name == "":
		case t == elf.STT_FUNC, t == elf.STT_NOTYPE, t == elf.STT_GNU_IFUNC:
			rank := uint8(1)
			switch elf.ST_BIND(s.Info) {
			case elf.STB_GLOBAL:
				rank = 3
			case elf.STB_WEAK:
				rank = 2
			}
			if t == elf.STT_NOTYPE {
				rank = 0
			}
			o.symbols = append(o.symbols, symbol{s.Value, s.Size, s.Name, rank})
		}
	}
}

// symbol returns the function that addr lies in.
func (o *object) symbol(addr uint64) (name string, offset uint64) {
	i := sort.Search(len(o.symbols), func(i int) bool { return o.symbols[i].start > addr }) - 1
	// Functions may lie in one another (cold parts, local labels): the nearest
	// that contains addr, else the nearest without a size.
	const far = 64
	var loose *symbol
	for n := 0; i >= 0 && n < far; i, n = i-1, n+1 {
		s := &o.symbols[i]
		switch {
		case addr-s.start < s.size:
			return s.name, addr - s.start
		case s.size == 0 && loose == nil && n == 0:
			loose = s
		}
	}
	if loose != nil {
		return loose.name, addr - loose.start
	}
	return "", 0
}

// line returns the source line of addr.
func (o *object) line(addr uint64) (string, int) {
	if p, known := o.lines[addr]; known {
		return p.file, p.line
	}
	p := o.findLine(addr)
	o.lines[addr] = p
	return p.file, p.line
}

func (o *object) findLine(addr uint64) place {
	if o.noDwarf {
		return place{}
	}
	if o.dwarf == nil {
		f := o.elf
		if o.debug != nil {
			f = o.debug
		}
		d, err := f.DWARF()
		if err != nil {
			o.noDwarf = true
			return place{}
		}
		o.dwarf = d
	}
	unit, err := o.dwarf.Reader().SeekPC(addr)
	if err != nil {
		return place{}
	}
	lines, err := o.dwarf.LineReader(unit)
	if err != nil || lines == nil {
		return place{}
	}
	var e dwarf.LineEntry
	if lines.SeekPC(addr, &e) != nil || e.File == nil {
		return place{}
	}
	return place{strings.ToValidUTF8(e.File.Name, "?"), e.Line}
}
