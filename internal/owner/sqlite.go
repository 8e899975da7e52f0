package owner

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// sqlite reads tables and looks keys up in indexes of an SQLite database file
// (sqlite.org, "Database File Format"). It knows no SQL, takes no lock and
// writes nothing, so it needs neither write access nor the -shm file that the
// library wants for a database in WAL mode.
type sqlite struct {
	r      io.ReaderAt
	size   int64
	page   int64            // bytes
	usable int              // bytes of a page that hold data
	wal    map[uint32]int64 // page number to its place in walled, the newest
	walled []byte
	root   map[string]uint32 // a table's or index's root page
	budget int               // pages that the current walk may still read
}

func openSQLite(f *os.File, wal []byte) (*sqlite, error) {
	size, err := sizeOf(f)
	if err != nil {
		return nil, err
	}
	return newSQLite(f, size, wal)
}

func newSQLite(r io.ReaderAt, size int64, wal []byte) (*sqlite, error) {
	head, err := readAt(r, size, 0, 100)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return nil, fmt.Errorf("%w: not an SQLite database", errDamaged)
	}
	s := &sqlite{r: r, size: size, root: map[string]uint32{}}
	if s.page = int64(binary.BigEndian.Uint16(head[16:])); s.page == 1 {
		s.page = 65536
	}
	s.usable = int(s.page) - int(head[20])
	if s.page < 512 || s.page&(s.page-1) != 0 || s.usable < 480 {
		return nil, fmt.Errorf("%w: pages of %d bytes", errDamaged, s.page)
	}
	if e := binary.BigEndian.Uint32(head[56:]); e != 1 && e != 0 {
		return nil, fmt.Errorf("%w: text is not UTF-8", errDamaged)
	}
	s.readWAL(wal)
	// sqlite_schema: type, name, tbl_name, rootpage, sql.
	err = s.rows(1, func(_ int64, row []byte) bool {
		c := columns(row)
		if len(c) >= 4 && len(s.root) < 4096 {
			s.root[string(c[1].data)] = uint32(c[3].int())
		}
		return true
	})
	return s, err
}

// readWAL finds the newest committed version of each page in a write-ahead log:
// frames count while their salts and running checksum fit, up to the last frame
// that commits. A log of a checkpointed database has none.
func (s *sqlite) readWAL(wal []byte) {
	const head, frame = 32, 24
	if len(wal) < head || int64(binary.BigEndian.Uint32(wal[8:])) != s.page {
		return
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(wal) {
	case 0x377f0682:
	case 0x377f0683:
		order = binary.BigEndian
	default:
		return
	}
	var s0, s1 uint32
	sum := func(b []byte) {
		for ; len(b) >= 8; b = b[8:] {
			s0 += order.Uint32(b) + s1
			s1 += order.Uint32(b[4:]) + s0
		}
	}
	sum(wal[:24])
	if s0 != binary.BigEndian.Uint32(wal[24:]) || s1 != binary.BigEndian.Uint32(wal[28:]) {
		return
	}
	pending := map[uint32]int64{}
	for at := int64(head); at+frame+s.page <= int64(len(wal)); at += frame + s.page {
		f := wal[at : at+frame+s.page]
		sum(f[:8])
		sum(f[frame:])
		if !bytes.Equal(f[8:16], wal[16:24]) || s0 != binary.BigEndian.Uint32(f[16:]) || s1 != binary.BigEndian.Uint32(f[20:]) {
			return
		}
		pending[binary.BigEndian.Uint32(f)] = at + frame
		if binary.BigEndian.Uint32(f[4:]) != 0 { // a commit
			if s.wal == nil {
				s.wal, s.walled = map[uint32]int64{}, wal
			}
			for p, place := range pending {
				s.wal[p] = place
			}
			clear(pending)
		}
	}
}

func (s *sqlite) read(n uint32) ([]byte, error) {
	if s.budget--; s.budget < 0 {
		return nil, fmt.Errorf("%w: pages lead in a circle", errDamaged)
	}
	if at, ok := s.wal[n]; ok {
		return s.walled[at : at+s.page], nil
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: page 0", errDamaged)
	}
	return readAt(s.r, s.size, int64(n-1)*s.page, s.page)
}

// start gives a walk as many pages as there are.
func (s *sqlite) start() { s.budget = int(s.size/s.page) + len(s.wal) + 1 }

// Types of b-tree pages.
const (
	interiorIndex = 2
	interiorTable = 5
	leafIndex     = 10
	leafTable     = 13
)

// node is a b-tree page.
type node struct {
	page  []byte
	kind  byte
	cells []byte // 16-bit offsets
	right uint32 // of an interior page
}

func (s *sqlite) node(n uint32) (node, error) {
	b, err := s.read(n)
	if err != nil {
		return node{}, err
	}
	h := b
	if n == 1 {
		h = b[100:] // after the file's header
	}
	x := node{page: b, kind: h[0]}
	size := 8
	switch x.kind {
	case interiorIndex, interiorTable:
		size = 12
		x.right = binary.BigEndian.Uint32(h[8:])
	case leafIndex, leafTable:
	default:
		return node{}, fmt.Errorf("%w: page %d of type %d", errDamaged, n, x.kind)
	}
	count := int(binary.BigEndian.Uint16(h[3:]))
	if size+2*count > len(h) {
		return node{}, fmt.Errorf("%w: %d cells on page %d", errDamaged, count, n)
	}
	x.cells = h[size : size+2*count]
	return x, nil
}

// cell returns the bytes from cell i to the end of the page.
func (x node) cell(i int) ([]byte, error) {
	at := int(binary.BigEndian.Uint16(x.cells[2*i:]))
	if at+4 > len(x.page) {
		return nil, fmt.Errorf("%w: cell at %d", errDamaged, at)
	}
	return x.page[at:], nil
}

// rows gives the rows of a table in the order of their ids.
func (s *sqlite) rows(root uint32, yield func(id int64, row []byte) bool) error {
	s.start()
	_, err := s.walk(root, 0, 0, false, yield)
	return err
}

// row returns one row of a table, nil when it isn't there.
func (s *sqlite) row(root uint32, id int64) (row []byte, err error) {
	s.start()
	_, err = s.walk(root, 0, id, true, func(_ int64, r []byte) bool { row = r; return false })
	return row, err
}

const maxDepth = 32

func (s *sqlite) walk(n uint32, depth int, want int64, one bool, yield func(int64, []byte) bool) (more bool, err error) {
	x, err := s.node(n)
	if err != nil || depth > maxDepth {
		return false, err
	}
	for i := range len(x.cells) / 2 {
		c, err := x.cell(i)
		if err != nil {
			return false, err
		}
		switch x.kind {
		case interiorTable:
			id, _ := varint(c[4:])
			if one && int64(id) < want {
				continue
			}
			if more, err = s.walk(binary.BigEndian.Uint32(c), depth+1, want, one, yield); err != nil || !more || one {
				return false, err
			}
		case leafTable:
			size, k := varint(c)
			id, l := varint(c[k:])
			if one && int64(id) != want {
				continue
			}
			row, err := s.payload(c[k+l:], size, s.usable-35)
			if err != nil || !yield(int64(id), row) {
				return false, err
			}
		default:
			return false, fmt.Errorf("%w: page %d of an index in a table", errDamaged, n)
		}
	}
	if x.kind == interiorTable {
		return s.walk(x.right, depth+1, want, one, yield)
	}
	return true, nil
}

// keys gives the rows of an index whose first column equals key. The last
// column of each is the id of the row in the table.
func (s *sqlite) keys(root uint32, key string, yield func(row []value) bool) error {
	s.start()
	_, err := s.seek(root, 0, []byte(key), yield)
	return err
}

func (s *sqlite) seek(n uint32, depth int, key []byte, yield func([]value) bool) (more bool, err error) {
	x, err := s.node(n)
	if err != nil || depth > maxDepth {
		return false, err
	}
	if x.kind != interiorIndex && x.kind != leafIndex {
		return false, fmt.Errorf("%w: page %d of a table in an index", errDamaged, n)
	}
	for i := range len(x.cells) / 2 {
		c, err := x.cell(i)
		if err != nil {
			return false, err
		}
		var left uint32
		if x.kind == interiorIndex {
			left, c = binary.BigEndian.Uint32(c), c[4:]
		}
		size, k := varint(c)
		row, err := s.payload(c[k:], size, (s.usable-12)*64/255-23)
		if err != nil {
			return false, err
		}
		v := columns(row)
		if len(v) == 0 {
			return false, fmt.Errorf("%w: an index row without columns on page %d", errDamaged, n)
		}
		order := bytes.Compare(v[0].data, key)
		if v[0].kind < 12 { // NULL and numbers sort before text
			order = -1
		}
		if order < 0 {
			continue
		}
		if x.kind == interiorIndex {
			if more, err = s.seek(left, depth+1, key, yield); err != nil || !more {
				return false, err
			}
		}
		if order > 0 || !yield(v) {
			return false, nil
		}
	}
	if x.kind == interiorIndex {
		return s.seek(x.right, depth+1, key, yield)
	}
	return true, nil
}

// payload puts a cell's content together: what is over the page's share stands
// on a chain of overflow pages.
func (s *sqlite) payload(c []byte, size uint64, most int) ([]byte, error) {
	if size > maxHeader || int64(size) > s.size+int64(len(s.walled)) {
		return nil, fmt.Errorf("%w: payload of %d bytes", errDamaged, size)
	}
	here := int(size)
	if here > most {
		least := (s.usable-12)*32/255 - 23
		if here = least + (int(size)-least)%(s.usable-4); here > most {
			here = least
		}
	}
	if here > len(c) {
		return nil, fmt.Errorf("%w: cell of %d bytes over the end of its page", errDamaged, here)
	}
	if here == int(size) {
		return c[:here:here], nil
	}
	if here+4 > len(c) {
		return nil, fmt.Errorf("%w: cell without the number of its next page", errDamaged)
	}
	out := append(make([]byte, 0, size), c[:here]...)
	for next := binary.BigEndian.Uint32(c[here:]); len(out) < int(size); {
		b, err := s.read(next)
		if err != nil {
			return nil, err
		}
		next = binary.BigEndian.Uint32(b)
		b = b[4:s.usable]
		out = append(out, b[:min(len(b), int(size)-len(out))]...)
	}
	return out, nil
}

// value is a column: its serial type and its bytes.
type value struct {
	kind uint64
	data []byte
}

// columns splits a record. A damaged one gives the columns before the damage.
func columns(b []byte) []value {
	size, k := varint(b)
	if k == 0 || size > uint64(len(b)) || size < uint64(k) {
		return nil
	}
	var out []value
	for head, data := b[k:size], b[size:]; len(head) > 0; {
		kind, n := varint(head)
		if n == 0 {
			break
		}
		head = head[n:]
		var length uint64
		switch {
		case kind >= 12:
			length = (kind - 12) / 2
		case kind >= 8:
		case kind >= 5:
			length = (kind-5)*2 + 6 // 6, 8, 8 bytes
			length = min(length, 8)
		default:
			length = kind
		}
		if length > uint64(len(data)) {
			break
		}
		out = append(out, value{kind, data[:length]})
		data = data[length:]
	}
	return out
}

// int reads a whole number; anything else is 0.
func (v value) int() int64 {
	switch {
	case v.kind == 9:
		return 1
	case v.kind == 0 || v.kind > 6:
		return 0
	}
	var n int64
	for i, b := range v.data {
		if i == 0 {
			n = int64(int8(b))
		} else {
			n = n<<8 | int64(b)
		}
	}
	return n
}

// varint reads SQLite's number: seven bits a byte, high first, the ninth byte
// whole. n is 0 when b ends early.
func varint(b []byte) (v uint64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | uint64(b[i]), 9
		}
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// rpmSQLite is RPM's schema: Packages(hnum, blob), and Basenames(key, hnum, idx)
// with an index on key.
type rpmSQLite struct{ s *sqlite }

func (r rpmSQLite) all(yield func([]byte) bool) error {
	return r.s.rows(r.s.root["Packages"], func(_ int64, row []byte) bool {
		c := columns(row)
		return len(c) < 2 || yield(c[1].data)
	})
}

func (r rpmSQLite) named(base string, yield func([]byte) bool) error {
	table, index := r.s.root["Basenames"], r.s.root["Basenames_key_idx"]
	if table == 0 || index == 0 {
		return scanned(r.all, base, yield)
	}
	var ids []int64
	if err := r.s.keys(index, base, func(v []value) bool {
		ids = append(ids, v[len(v)-1].int())
		return true
	}); err != nil {
		return err
	}
	seen := map[int64]bool{}
	for _, id := range ids {
		entry, err := r.s.row(table, id)
		if err != nil {
			return err
		}
		c := columns(entry)
		if len(c) < 2 || seen[c[1].int()] {
			continue
		}
		seen[c[1].int()] = true
		row, err := r.s.row(r.s.root["Packages"], c[1].int())
		if err != nil {
			return err
		}
		if c := columns(row); len(c) >= 2 && !yield(c[1].data) {
			return nil
		}
	}
	return nil
}
