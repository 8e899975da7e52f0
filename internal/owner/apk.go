package owner

import (
	"bytes"
	"iter"
	"strings"
)

// apk reads Alpine's installed database: a stanza a package, one letter and a
// colon before each field; F: names a folder and the R: lines after it the files
// in it (apk-installed in apk-tools' documentation).
type apk struct{ stanzas []byte }

func openAPK(db *DB) (system, error) {
	for _, name := range []string{"/lib/apk/db/installed", "/usr/lib/apk/db/installed"} {
		b, err := db.read(name, maxStatus)
		if err != nil {
			return nil, err
		}
		if b != nil {
			return &apk{b}, nil
		}
	}
	return nil, nil
}

// paragraphs gives the runs of lines between empty lines.
func paragraphs(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			p, rest, _ := bytes.Cut(b, []byte("\n\n"))
			b = rest
			if len(bytes.TrimSpace(p)) > 0 && !yield(p) {
				return
			}
		}
	}
}

func (a *apk) find(paths []string, sole bool) (Owner, bool, error) {
	found := make([][][]byte, len(paths))
	for s := range paragraphs(a.stanzas) {
		for i, p := range paths {
			if apkHas(s, strings.TrimPrefix(p, "/")) {
				found[i] = append(found[i], s)
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
			return parseAPK(f[0]).Owner, true, nil
		}
	}
	return Owner{}, false, nil
}

// apkHas says that a stanza lists the path, which has no slash in front.
func apkHas(stanza []byte, path string) bool {
	if hasLine(stanza, []byte("F:"+path+"\n")) {
		return true
	}
	if !bytes.Contains(stanza, []byte(path[strings.LastIndexByte(path, '/')+1:])) {
		return false
	}
	for p := range apkFiles(stanza, false) {
		if p == path {
			return true
		}
	}
	return false
}

// apkFiles gives the paths of a stanza without the slash in front.
func apkFiles(stanza []byte, dirs bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		dir := ""
		for line := range bytes.Lines(stanza) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			if len(line) < 3 || line[1] != ':' {
				if len(line) == 2 && line[0] == 'F' {
					dir = "" // files in the root itself
				}
				continue
			}
			p := string(line[2:])
			switch line[0] {
			case 'F':
				dir = p + "/"
				if dirs && !yield(p) {
					return
				}
			case 'R':
				if !yield(dir + p) {
					return
				}
			}
		}
	}
}

func parseAPK(stanza []byte) Info {
	i := Info{Owner: Owner{Kind: "apk"}}
	for line := range bytes.Lines(stanza) {
		if len(line) < 2 || line[1] != ':' {
			continue
		}
		v := string(bytes.TrimSpace(line[2:]))
		switch line[0] {
		case 'P':
			i.Package = v
		case 'V':
			i.Version = v
		case 'A':
			i.Arch = v
		case 'T':
			i.Summary = v
		case 'U':
			i.URL = v
		case 'm':
			i.Maintainer = v
		case 'o':
			i.Source = v
		case 'F':
			return i // the files follow the fields
		}
	}
	return i
}

func (a *apk) stanza(name string) []byte {
	for s := range paragraphs(a.stanzas) {
		if hasLine(s, []byte("P:"+name+"\n")) {
			return s
		}
	}
	return nil
}

func (a *apk) info(name string) (Info, bool, error) {
	s := a.stanza(name)
	return parseAPK(s), s != nil, nil
}

func (a *apk) files(name string) ([]string, bool, error) {
	s := a.stanza(name)
	var out []string
	for p := range apkFiles(s, true) {
		out = append(out, "/"+p)
	}
	return out, s != nil, nil
}
