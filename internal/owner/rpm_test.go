package owner

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sqliteFixture(t testing.TB) []byte {
	t.Helper()
	return unzip(t, "rpmdb.sqlite.gz")
}

func unzip(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// headers returns the package headers of the fixture.
func headers(t testing.TB) [][]byte {
	t.Helper()
	b := sqliteFixture(t)
	s, err := newSQLite(bytes.NewReader(b), int64(len(b)), nil)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	if err := (rpmSQLite{s}).all(func(h []byte) bool { all = append(all, bytes.Clone(h)); return true }); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 {
		t.Fatalf("%d headers in the fixture", len(all))
	}
	return all
}

// makeNDB lays headers out as SUSE's database.
func makeNDB(headers [][]byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, ndbPage)
	le.PutUint32(b, ndbMagic)
	le.PutUint32(b[12:], 1)
	for i := 2; i < ndbPage/ndbBlock; i++ {
		le.PutUint32(b[i*ndbBlock:], slotMagic)
	}
	for i, h := range headers {
		slot := b[(i+3)*ndbBlock:] // the first slot stays free
		le.PutUint32(slot[4:], uint32(i+1))
		le.PutUint32(slot[8:], uint32(len(b)/ndbBlock))
		b = le.AppendUint32(b, blobMagic)
		b = le.AppendUint32(b, uint32(i+1))
		b = le.AppendUint32(b, 0)
		b = le.AppendUint32(b, uint32(len(h)))
		b = append(b, h...)
		b = append(b, make([]byte, (ndbBlock-len(b)%ndbBlock)%ndbBlock)...)
	}
	return b
}

// makeBDB lays headers out as a Berkeley DB hash: the first on the page of its
// key, the others on overflow pages.
func makeBDB(headers [][]byte, order binary.ByteOrder) []byte {
	const size = 4096
	pages := [][]byte{make([]byte, size), make([]byte, size)}
	meta, hash := pages[0], pages[1]
	order.PutUint32(meta[12:], bdbHashMagic)
	order.PutUint32(meta[20:], size)
	hash[25] = pageHash
	end, items := size, 0
	item := func(b []byte) {
		end -= len(b)
		copy(hash[end:], b)
		order.PutUint16(hash[bdbHead+2*items:], uint16(end))
		items++
	}
	item([]byte{itemHere, 0, 0, 0, 0}) // key 0: the next package's number
	item([]byte{itemHere, 3, 0, 0, 0})
	for i, h := range headers {
		item([]byte{itemHere, byte(i + 1), 0, 0, 0})
		if i == 0 {
			item(append([]byte{itemHere}, h...))
			continue
		}
		off := make([]byte, 12)
		off[0] = itemOffPage
		order.PutUint32(off[4:], uint32(len(pages)))
		order.PutUint32(off[8:], uint32(len(h)))
		item(off)
		for rest := h; len(rest) > 0; {
			page := make([]byte, size)
			n := copy(page[bdbHead:bdbHead+min(1000, len(rest))], rest)
			rest = rest[n:]
			page[25] = pageOverflow
			order.PutUint16(page[22:], uint16(n))
			if len(rest) > 0 {
				order.PutUint32(page[16:], uint32(len(pages)+1))
			}
			pages = append(pages, page)
		}
	}
	order.PutUint16(hash[20:], uint16(items))
	order.PutUint32(meta[32:], uint32(len(pages)-1))
	return bytes.Join(pages, nil)
}

func TestRPM(t *testing.T) {
	for _, form := range []struct {
		name string
		data []byte
	}{
		{"var/lib/rpm/rpmdb.sqlite", sqliteFixture(t)},
		{"usr/lib/sysimage/rpm/rpmdb.sqlite", unzip(t, "small.sqlite.gz")},
		{"usr/lib/sysimage/rpm/Packages.db", makeNDB(headers(t))},
		{"var/lib/rpm/Packages", makeBDB(headers(t), binary.LittleEndian)},
		{"usr/share/rpm/Packages", makeBDB(headers(t), binary.BigEndian)},
	} {
		t.Run(form.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/"+form.name, form.data)
			db := Open(dir)
			greeter := Owner{"rpm", "greeter", "1:1.2-3", "noarch"}
			farewell := Owner{"rpm", "farewell", "1.2-3", "noarch"}
			for _, c := range []struct {
				path string
				want Owner
			}{
				{"/usr/bin/greet", greeter},
				{"/usr/bin/hello", greeter},
				{"/usr/bin/part", farewell},
				{"/usr/share/greeter/words.txt", greeter},
				{"/usr/share/farewell/words.txt", farewell}, // one base name in two packages
				{"/usr/share/words.txt", Owner{}},
				{"/usr/bin/gree", Owner{}},
				{"/usr/bin/zzz", Owner{}},
			} {
				got, ok := db.Of(c.path)
				if got != c.want || ok != (c.want.Kind != "") {
					t.Errorf("Of(%s) = %v, %v, want %v", c.path, got, ok, c.want)
				}
			}
			info, _ := db.Info("greeter.noarch")
			if diff := cmp.Diff(Info{Owner: greeter, Summary: "Says hello", Source: "greeter"}, info); diff != "" {
				t.Errorf("Info (-want +got):\n%s", diff)
			}
			files, _ := db.Files("greeter")
			want := []string{"/usr/bin/greet", "/usr/bin/hello", "/usr/share/greeter", "/usr/share/greeter/words.txt"}
			if diff := cmp.Diff(want, files); diff != "" {
				t.Errorf("Files (-want +got):\n%s", diff)
			}
			if p := db.Problems(); p != nil {
				t.Errorf("problems: %v", p)
			}
		})
	}
}

// TestSQLiteIndex proves that the index finds what reading every row finds.
func TestSQLiteIndex(t *testing.T) {
	t.Run("rpm's", func(t *testing.T) { testIndex(t, sqliteFixture(t), 7) })
	t.Run("many small pages", func(t *testing.T) { testIndex(t, unzip(t, "small.sqlite.gz"), 407) })
}

func testIndex(t *testing.T, b []byte, want int) {
	s, err := newSQLite(bytes.NewReader(b), int64(len(b)), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = s.rows(s.root["Basenames"], func(id int64, row []byte) bool {
		n++
		key := string(columns(row)[0].data)
		var ids []int64
		if err := s.keys(s.root["Basenames_key_idx"], key, func(v []value) bool {
			ids = append(ids, v[len(v)-1].int())
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(ids, id) {
			t.Errorf("%q: row %d is not among %v", key, id, ids)
		}
		s.start()
		return true
	})
	if err != nil || n != want {
		t.Errorf("%d rows, want %d, %v", n, want, err)
	}
}

// TestWAL changes a page through a write-ahead log: first a commit, then a frame
// that was not committed, then one with a broken checksum.
func TestWAL(t *testing.T) {
	b := sqliteFixture(t)
	page := int(binary.BigEndian.Uint16(b[16:]))
	at := bytes.Index(b, []byte("greeter\x001.2\x00"))
	n := at / page // the page's number is n+1
	changed := func(name string) []byte {
		p := bytes.Clone(b[n*page : (n+1)*page])
		copy(p[at-n*page:], name)
		return p
	}
	var s0, s1 uint32
	sum := func(b []byte) {
		for ; len(b) >= 8; b = b[8:] {
			s0 += binary.LittleEndian.Uint32(b) + s1
			s1 += binary.LittleEndian.Uint32(b[4:]) + s0
		}
	}
	be := binary.BigEndian
	wal := be.AppendUint32(nil, 0x377f0682)
	wal = be.AppendUint32(wal, 3007000)
	wal = be.AppendUint32(wal, uint32(page))
	wal = append(wal, "\x00\x00\x00\x01saltSALT"...)
	sum(wal)
	wal = be.AppendUint32(be.AppendUint32(wal, s0), s1)
	frame := func(content []byte, commit uint32) {
		head := be.AppendUint32(be.AppendUint32(nil, uint32(n+1)), commit)
		sum(head)
		sum(content)
		wal = append(wal, head...)
		wal = append(wal, "saltSALT"...)
		wal = append(be.AppendUint32(be.AppendUint32(wal, s0), s1), content...)
	}
	frame(changed("wrongly"), 0)
	frame(changed("walrus!"), uint32(len(b)/page))
	frame(changed("pending"), 0)
	for _, c := range []struct {
		name string
		wal  []byte
		want string
	}{
		{"committed", wal, "walrus!"},
		{"cut in the commit", wal[:32+2*(24+page)-1], "greeter"},
		{"broken", append(append(bytes.Clone(wal[:100]), wal[100]^1), wal[101:]...), "greeter"},
		{"empty", nil, "greeter"},
	} {
		dir := t.TempDir()
		write(t, dir+"/var/lib/rpm/rpmdb.sqlite", b)
		write(t, dir+"/var/lib/rpm/rpmdb.sqlite-wal", c.wal)
		if o, _ := Open(dir).Of("/usr/bin/greet"); o.Package != c.want {
			t.Errorf("%s: %v, want %s", c.name, o, c.want)
		}
	}
}

func TestInts(t *testing.T) {
	for _, c := range []struct {
		v    value
		want int64
	}{
		{value{8, nil}, 0}, {value{9, nil}, 1}, {value{1, []byte{0xff}}, -1},
		{value{2, []byte{1, 0}}, 256}, {value{6, []byte{0, 0, 0, 0, 0, 0, 1, 2}}, 258}, {value{13, nil}, 0},
	} {
		if got := c.v.int(); got != c.want {
			t.Errorf("%v = %d, want %d", c.v, got, c.want)
		}
	}
}
