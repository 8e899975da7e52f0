package owner

import (
	"bytes"
	"path"
	"path/filepath"
	"strings"
)

// pythonOwner finds the distribution that a file below site-packages or
// dist-packages came from, or that put a script into the bin folder beside lib:
// by the RECORD of its dist-info (PyPA, "Recording installed projects"), by the
// installed-files.txt or, last, the top_level.txt of its egg-info.
func pythonOwner(db *DB, name string) (Owner, bool, error) {
	for _, p := range []string{name, second(resolve(db.root, name))} {
		for _, site := range sites(db, p) {
			o, ok, err := siteOwner(db, site, p)
			if ok || err != nil {
				return o, ok, err
			}
		}
	}
	return Owner{}, false, nil
}

func second(s string, _ bool) string { return s }

// sites returns the folders of distributions that may have brought the path p.
func sites(db *DB, p string) []string {
	for d := path.Dir(p); len(d) > 1; d = path.Dir(d) {
		if b := path.Base(d); b == "site-packages" || b == "dist-packages" {
			return []string{d}
		}
	}
	if path.Base(path.Dir(p)) != "bin" {
		return nil
	}
	prefix := path.Dir(path.Dir(p))
	list, _ := db.readDir(path.Join(prefix, "lib"))
	var out []string
	for _, e := range list {
		if strings.HasPrefix(e.Name(), "python") {
			for _, s := range []string{"site-packages", "dist-packages"} {
				out = append(out, path.Join(prefix, "lib", e.Name(), s))
			}
		}
	}
	return out
}

func siteOwner(db *DB, site, p string) (Owner, bool, error) {
	list, err := db.readDir(site)
	if err != nil {
		return Owner{}, false, err
	}
	rel, err := filepath.Rel(site, p)
	if err != nil {
		return Owner{}, false, nil
	}
	top, _, _ := strings.Cut(rel, "/")
	if strings.HasSuffix(rel, ".pyc") && strings.HasPrefix(top, "__pycache__") {
		top = path.Base(rel)
	}
	top, _, _ = strings.Cut(top, ".")
	var byTop string // the egg-info whose top_level.txt names the module
	for _, e := range list {
		dir := path.Join(site, e.Name())
		switch {
		case strings.HasSuffix(e.Name(), ".dist-info"):
			b, err := db.read(dir+"/RECORD", maxList)
			if err != nil {
				return Owner{}, false, err
			}
			if recordHas(b, rel) {
				return distribution(db, dir+"/METADATA")
			}
		case strings.HasSuffix(e.Name(), ".egg-info") && e.IsDir():
			b, err := db.read(dir+"/installed-files.txt", maxList)
			if err != nil {
				return Owner{}, false, err
			}
			if hasLine(b, []byte("../"+rel+"\n")) {
				return distribution(db, dir+"/PKG-INFO")
			}
			if b, err = db.read(dir+"/top_level.txt", 1<<20); err != nil {
				return Owner{}, false, err
			}
			if byTop == "" && top != "" && !strings.HasPrefix(rel, "..") && hasLine(b, []byte(top+"\n")) {
				byTop = dir
			}
		}
	}
	if byTop != "" {
		return distribution(db, byTop+"/PKG-INFO")
	}
	return Owner{}, false, nil
}

// recordHas says that a RECORD, a CSV file whose first column is a path, has
// the path. A path with a comma or a quote in it is quoted.
func recordHas(record []byte, rel string) bool {
	if strings.ContainsAny(rel, ",\"\n") {
		rel = `"` + strings.ReplaceAll(rel, `"`, `""`) + `"`
	}
	start := []byte(rel + ",")
	for from := 0; ; {
		i := bytes.Index(record[from:], start)
		if i < 0 {
			return false
		}
		if i += from; i == 0 || record[i-1] == '\n' {
			return true
		}
		from = i + 1
	}
}

// distribution reads Name and Version of a METADATA or PKG-INFO file.
func distribution(db *DB, name string) (Owner, bool, error) {
	b, err := db.read(name, 16<<20)
	if err != nil {
		return Owner{}, false, err
	}
	head, _, _ := bytes.Cut(b, []byte("\n\n")) // the description follows
	o := Owner{Kind: "python", Package: field(head, "Name"), Version: field(head, "Version")}
	return o, o.Package != "", nil
}
