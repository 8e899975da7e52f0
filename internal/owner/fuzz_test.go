package owner

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// seed adds the files of the fixture whose names end in suffix.
func seed(f *testing.F, fixture, suffix string) {
	f.Helper()
	a, err := txtar.ParseFile("testdata/" + fixture)
	if err != nil {
		f.Fatal(err)
	}
	n := 0
	for _, file := range a.Files {
		if strings.HasSuffix(file.Name, suffix) {
			f.Add(file.Data)
			n++
		}
	}
	if n == 0 {
		f.Fatalf("no %s in %s", suffix, fixture)
	}
}

func FuzzDpkg(f *testing.F) {
	seed(f, "debian.txtar", "dpkg/status")
	seed(f, "debian.txtar", "dpkg/diversions")
	seed(f, "distroless.txtar", ".md5sums")
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dpkg{db: Open("/"), status: b, divert: parseDiversions(b)}
		n := 0
		for p := range paragraphs(b) {
			if n++; n > 64 {
				break
			}
			if i := parseStanza(p); i.Package != "" && !strings.ContainsAny(i.Package, "\n") {
				_, _ = d.stanza(i.Package + ":" + i.Arch)
			}
		}
		list := md5sumsList(b)
		for i, p := range lines(list) {
			if i == 64 {
				break
			}
			if !strings.HasPrefix(p, "/") {
				t.Errorf("path %q", p)
			}
			if !hasLine(list, []byte(p+"\n")) {
				t.Errorf("%q is listed and not found", p)
			}
			d.ask(p)
		}
	})
}

func FuzzAPK(f *testing.F) {
	seed(f, "alpine.txtar", "installed")
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &apk{b}
		n := 0
		for s := range paragraphs(b) {
			i := parseAPK(s)
			for p := range apkFiles(s, false) {
				if n++; n > 64 {
					break
				}
				if !apkHas(s, p) {
					t.Errorf("%q is listed and not found in %q", p, s)
				}
			}
			_, _, _ = a.info(i.Package)
		}
	})
}

func FuzzPacman(f *testing.F) {
	seed(f, "arch.txtar", "/desc")
	seed(f, "arch.txtar", "/files")
	f.Fuzz(func(t *testing.T, b []byte) {
		parseDesc(b)
		if s := section(b, "FILES"); len(s) > len(b) || bytes.Contains(s, []byte("\n\n")) {
			t.Errorf("section %q of %q", s, b)
		}
	})
}

func FuzzPython(f *testing.F) {
	seed(f, "debian.txtar", "RECORD")
	seed(f, "debian.txtar", "METADATA")
	f.Fuzz(func(t *testing.T, b []byte) {
		recordHas(b, "cowsay/main.py")
		recordHas(b, "odd/a,b.py")
		field(b, "Name")
	})
}

func FuzzRPM(f *testing.F) {
	f.Add(unzip(f, "small.sqlite.gz"))
	all := headers(f)
	f.Add(all[0])
	f.Add(makeNDB(all))
	f.Add(makeBDB(all, binary.LittleEndian))
	f.Add(makeBDB(all, binary.BigEndian))
	f.Fuzz(func(t *testing.T, b []byte) {
		look := func(h []byte) bool {
			if len(h) > 2*len(b) {
				t.Errorf("a header of %d bytes out of %d", len(h), len(b))
			}
			if h, err := parseHeader(h); err == nil {
				h.info()
				h.paths()
			}
			return true
		}
		look(b)
		r, size := bytes.NewReader(b), int64(len(b))
		if s, err := newSQLite(r, size, b); err == nil {
			_ = rpmSQLite{s}.all(look)
			_ = rpmSQLite{s}.named("greet", look)
		}
		if n, err := newNDB(r, size); err == nil {
			_ = n.all(look)
		}
		if d, err := newBDB(r, size); err == nil {
			_ = d.all(look)
		}
	})
}

func FuzzResolve(f *testing.F) {
	f.Add("a/../b", "../../x")
	f.Add("/bin//ls", "/a")
	f.Fuzz(func(t *testing.T, name, target string) {
		dir := t.TempDir()
		if err := os.Symlink(target, filepath.Join(dir, "a")); err != nil {
			return
		}
		got, _ := resolve(dir, "/"+name)
		if !strings.HasPrefix(got, "/") || strings.Contains("/"+got+"/", "/../") {
			t.Errorf("resolve(%q) with a -> %q = %q", name, target, got)
		}
	})
}
