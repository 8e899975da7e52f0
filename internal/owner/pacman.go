package owner

import (
	"bytes"
	"strings"
)

// pacman reads Arch Linux's local database: a folder a package with the files
// desc and files, each of sections "%NAME%" with one value a line; paths have no
// slash in front and folders one at the end.
type pacman struct {
	db   *DB
	pkgs []string // the folders' names, NAME-VERSION-RELEASE
}

const pacmanDir = "/var/lib/pacman/local"

func openPacman(db *DB) (system, error) {
	list, err := db.readDir(pacmanDir)
	if err != nil || list == nil {
		return nil, err
	}
	p := &pacman{db: db}
	for _, e := range list {
		if e.IsDir() {
			p.pkgs = append(p.pkgs, e.Name())
		}
	}
	return p, nil
}

func (p *pacman) find(paths []string, sole bool) (Owner, bool, error) {
	found := make([][]string, len(paths))
	for _, pkg := range p.pkgs {
		b, err := p.db.read(pacmanDir+"/"+pkg+"/files", maxList)
		if err != nil {
			return Owner{}, false, err
		}
		list := section(b, "FILES")
		for i, path := range paths {
			rel := strings.TrimPrefix(path, "/")
			if hasLine(list, []byte(rel+"\n")) || hasLine(list, []byte(rel+"/\n")) {
				found[i] = append(found[i], pkg)
			}
		}
		if !sole && len(found[0]) > 0 {
			break
		}
	}
	for _, f := range found {
		if sole && len(f) > 1 {
			break
		}
		if len(f) > 0 {
			i, err := p.desc(f[0])
			return i.Owner, err == nil, err
		}
	}
	return Owner{}, false, nil
}

// section returns the lines below "%NAME%" up to the next empty line.
func section(b []byte, name string) []byte {
	head := []byte("%" + name + "%\n")
	for from := 0; ; {
		i := bytes.Index(b[from:], head)
		if i < 0 {
			return nil
		}
		if i += from; i > 0 && b[i-1] != '\n' {
			from = i + 1
			continue
		}
		b = b[i+len(head):]
		break
	}
	if end := bytes.Index(b, []byte("\n\n")); end >= 0 {
		b = b[:end+1]
	}
	return b
}

func (p *pacman) desc(pkg string) (Info, error) {
	b, err := p.db.read(pacmanDir+"/"+pkg+"/desc", 1<<20)
	return parseDesc(b), err
}

func parseDesc(b []byte) Info {
	one := func(name string) string {
		line, _, _ := bytes.Cut(section(b, name), []byte("\n"))
		return string(line)
	}
	return Info{
		Owner:      Owner{Kind: "pacman", Package: one("NAME"), Version: one("VERSION"), Arch: one("ARCH")},
		Summary:    one("DESC"),
		URL:        one("URL"),
		Maintainer: one("PACKAGER"),
		Source:     one("BASE"),
	}
}

// folder finds a package's folder: its name, then a version and a release, which
// have no dash.
func (p *pacman) folder(name string) (string, bool) {
	for _, pkg := range p.pkgs {
		if n, _, ok := cutDash(pkg); ok {
			if n, _, ok = cutDash(n); ok && n == name {
				return pkg, true
			}
		}
	}
	return "", false
}

func cutDash(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func (p *pacman) info(name string) (Info, bool, error) {
	pkg, ok := p.folder(name)
	if !ok {
		return Info{}, false, nil
	}
	i, err := p.desc(pkg)
	return i, err == nil, err
}

func (p *pacman) files(name string) ([]string, bool, error) {
	pkg, ok := p.folder(name)
	if !ok {
		return nil, false, nil
	}
	b, err := p.db.read(pacmanDir+"/"+pkg+"/files", maxList)
	var out []string
	for _, f := range lines(section(b, "FILES")) {
		out = append(out, "/"+strings.TrimSuffix(f, "/"))
	}
	return out, err == nil, err
}
