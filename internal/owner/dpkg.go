package owner

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// dpkg reads /var/lib/dpkg (dpkg(1), section FILES): info/PACKAGE.list, one
// path a line, status, one stanza a package (deb-control(5)), and diversions,
// three lines each: from, to, package. Images without dpkg ("distroless") have
// status.d/PACKAGE and status.d/PACKAGE.md5sums instead.
type dpkg struct {
	db     *DB
	lists  []string // file names in info, sorted
	folder string   // the folder of the lists, real path
	status []byte
	slim   map[string][]byte // status.d: package to stanza
	divert []diversion
}

type diversion struct{ from, to, by string }

const dpkgDir = "/var/lib/dpkg"

// Limits far over what a machine with every Debian package would have.
const (
	maxStatus = 512 << 20
	maxList   = 64 << 20
)

func openDpkg(db *DB) (system, error) {
	d := &dpkg{db: db}
	var err error
	if d.status, err = db.read(dpkgDir+"/status", maxStatus); err != nil {
		return nil, err
	}
	if err := d.openSlim(); err != nil {
		return nil, err
	}
	if d.status == nil && d.slim == nil {
		return nil, nil
	}
	list, err := db.readDir(dpkgDir + "/info")
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".list") {
			d.lists = append(d.lists, e.Name())
		}
	}
	info, _ := resolve(db.root, dpkgDir+"/info")
	d.folder = filepath.Join(db.root, info)
	b, err := db.read(dpkgDir+"/diversions", maxList)
	if err != nil {
		return nil, err
	}
	d.divert = parseDiversions(b)
	return d, nil
}

func (d *dpkg) openSlim() error {
	list, err := d.db.readDir(dpkgDir + "/status.d")
	if err != nil {
		return err
	}
	for _, e := range list {
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), ".md5sums") {
			continue
		}
		b, err := d.db.read(dpkgDir+"/status.d/"+e.Name(), 1<<20)
		if err != nil {
			return err
		}
		if d.slim == nil {
			d.slim = map[string][]byte{}
		}
		d.slim[e.Name()] = b
	}
	return nil
}

// parseDiversions reads the diversions file.
func parseDiversions(b []byte) []diversion {
	var out []diversion
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for ; len(lines) >= 3; lines = lines[3:] {
		out = append(out, diversion{lines[0], lines[1], lines[2]})
	}
	return out
}

// asked is one path as the lists have it: a diverted file is listed under the
// path that it was diverted from.
type asked struct {
	path    string
	line    []byte // "/path\n"
	only    string // the diverting package, when the path is the one it took
	but     string // the diverting package, when the path is where others' went
	listing []string
}

func (d *dpkg) ask(p string) asked {
	a := asked{path: p}
	for _, v := range d.divert {
		switch p {
		case v.to:
			a.path, a.but = v.from, v.by
		case v.from:
			a.only = v.by // ":", the administrator, is no package: nobody has the path
		}
	}
	a.line = []byte(a.path + "\n")
	return a
}

func (d *dpkg) find(paths []string, sole bool) (Owner, bool, error) {
	asks := make([]asked, 0, len(paths))
	for _, p := range paths {
		asks = append(asks, d.ask(p))
	}
	if err := d.scan(asks, sole); err != nil {
		return Owner{}, false, err
	}
	for _, a := range asks {
		if len(a.listing) == 0 {
			continue
		}
		if sole && len(a.listing) > 1 {
			break
		}
		i, ok := d.stanza(a.listing[0])
		if !ok { // listed, but not in status: half removed
			i.Owner = Owner{Kind: "dpkg"}
			i.Package, i.Arch, _ = strings.Cut(a.listing[0], ":")
		}
		return i.Owner, true, nil
	}
	return Owner{}, false, nil
}

// scan fills in which lists have each path. It ends at the first list that has
// the most trusted path, unless all are wanted.
func (d *dpkg) scan(asks []asked, all bool) error {
	// Most lists don't even have the file's name: one search tells.
	var bases [][]byte
	for _, a := range asks {
		if b := []byte("/" + path.Base(a.path)); !slices.ContainsFunc(bases, func(c []byte) bool { return bytes.Equal(b, c) }) {
			bases = append(bases, b)
		}
	}
	look := func(name string, list []byte) (first bool) {
		if !slices.ContainsFunc(bases, func(b []byte) bool { return bytes.Contains(list, b) }) {
			return false
		}
		pkg, _, _ := strings.Cut(name, ":")
		for i := range asks {
			a := &asks[i]
			if a.only != "" && a.only != pkg || a.but != "" && a.but == pkg || !hasLine(list, a.line) {
				continue
			}
			a.listing = append(a.listing, name)
			first = first || i == 0
		}
		return first && !all
	}
	var buf []byte
	for _, file := range d.guess(asks) {
		var err error
		if buf, err = readInto(buf, filepath.Join(d.folder, file)); err != nil {
			return fmt.Errorf("read %s/info/%s: %w", dpkgDir, file, err)
		}
		if look(strings.TrimSuffix(file, ".list"), buf) {
			return nil
		}
	}
	for name := range d.slim {
		b, err := d.db.read(dpkgDir+"/status.d/"+name+".md5sums", maxList)
		if err != nil {
			return err
		}
		if look(name, md5sumsList(b)) {
			return nil
		}
	}
	return nil
}

// guess returns the lists with those first that are named like a part of the
// path: /usr/bin/curl is most likely in curl.list.
func (d *dpkg) guess(asks []asked) []string {
	order := make([]string, 0, len(d.lists))
	taken := map[string]bool{}
	for _, a := range asks {
		for p := a.path; len(p) > 1; p = path.Dir(p) {
			base := path.Base(p)
			at, _ := slices.BinarySearch(d.lists, base)
			for ; at < len(d.lists) && strings.HasPrefix(d.lists[at], base); at++ {
				f := d.lists[at]
				if rest := f[len(base)]; (rest == '.' || rest == ':') && !taken[f] {
					taken[f] = true
					order = append(order, f)
				}
			}
		}
	}
	for _, f := range d.lists {
		if !taken[f] {
			order = append(order, f)
		}
	}
	return order
}

// hasLine says that list has line (which ends in a newline) as a whole line.
func hasLine(list, line []byte) bool {
	for from := 0; ; {
		i := bytes.Index(list[from:], line)
		if i < 0 {
			return bytes.HasSuffix(list, line[:len(line)-1]) && // the last line may lack its newline
				(len(list) == len(line)-1 || list[len(list)-len(line)] == '\n')
		}
		if i += from; i == 0 || list[i-1] == '\n' {
			return true
		}
		from = i + 1
	}
}

// md5sumsList turns lines of "sum  usr/bin/x" into lines of "/usr/bin/x".
func md5sumsList(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for line := range bytes.Lines(b) {
		if _, p, ok := bytes.Cut(line, []byte("  ")); ok {
			out = append(out, '/')
			out = append(out, bytes.TrimPrefix(p, []byte("/"))...)
		}
	}
	return out
}

// readInto reads a whole file into buf, which grows.
func readInto(buf []byte, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return buf, err
	}
	defer f.Close()
	buf = buf[:cap(buf)]
	n := 0
	for {
		if n == len(buf) {
			if n >= maxList {
				return buf[:0], errTooBig
			}
			buf = append(buf, make([]byte, max(n, 64<<10))...)
		}
		k, err := f.Read(buf[n:])
		if n += k; k == 0 || err != nil {
			return buf[:n], nil // an error in the middle shows as a short list
		}
	}
}

// stanza finds a package's entry by the name that its list has ("libc6:amd64").
func (d *dpkg) stanza(name string) (Info, bool) {
	pkg, arch, _ := strings.Cut(name, ":")
	if b, ok := d.slim[pkg]; ok {
		return parseStanza(b), true
	}
	head := []byte("Package: " + pkg + "\n")
	for rest := d.status; ; {
		i := bytes.Index(rest, head)
		if i < 0 {
			return Info{}, false
		}
		whole := i == 0 || rest[i-1] == '\n'
		rest = rest[i:]
		if whole {
			end := bytes.Index(rest, []byte("\n\n"))
			if end < 0 {
				end = len(rest)
			}
			if in := parseStanza(rest[:end]); in.Version != "" && (arch == "" || in.Arch == arch) && installed(rest[:end]) {
				return in, true
			}
		}
		rest = rest[len(head):]
	}
}

// installed says that a stanza's package has its files on the disk. The third
// word of Status is the state (dpkg-query(1)).
func installed(stanza []byte) bool {
	f := strings.Fields(field(stanza, "Status"))
	return len(f) == 3 && f[2] != "not-installed" && f[2] != "config-files"
}

func parseStanza(b []byte) Info {
	summary := field(b, "Description")
	source, _, _ := strings.Cut(field(b, "Source"), " ")
	return Info{
		Owner:      Owner{Kind: "dpkg", Package: field(b, "Package"), Version: field(b, "Version"), Arch: field(b, "Architecture")},
		Summary:    summary,
		URL:        field(b, "Homepage"),
		Maintainer: field(b, "Maintainer"),
		Source:     source,
	}
}

// field returns the first line of a field of an RFC 822 style stanza.
func field(b []byte, name string) string {
	for line := range bytes.Lines(b) {
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return string(bytes.TrimSpace(line[len(name)+1:]))
		}
	}
	return ""
}

func (d *dpkg) info(name string) (Info, bool, error) {
	i, ok := d.stanza(name)
	return i, ok, nil
}

func (d *dpkg) files(name string) ([]string, bool, error) {
	i, ok := d.stanza(name)
	if !ok {
		return nil, false, nil
	}
	for _, file := range []string{i.Package + ".list", i.Package + ":" + i.Arch + ".list"} {
		if _, ok := slices.BinarySearch(d.lists, file); !ok {
			continue
		}
		b, err := readInto(nil, filepath.Join(d.folder, file))
		if err != nil {
			return nil, false, fmt.Errorf("read %s/info/%s: %w", dpkgDir, file, err)
		}
		return lines(b), true, nil
	}
	b, err := d.db.read(dpkgDir+"/status.d/"+i.Package+".md5sums", maxList)
	return lines(md5sumsList(b)), err == nil, err
}

func lines(b []byte) []string {
	var out []string
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSuffix(line, []byte("\n")); len(line) > 0 && string(line) != "/." {
			out = append(out, string(line))
		}
	}
	return out
}
