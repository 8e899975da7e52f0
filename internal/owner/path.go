package owner

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxLinks is how many links a path may lead through, as in the kernel
// (path_resolution(7)).
const maxLinks = 40

// resolve follows every link of the absolute path name as a process with the
// root directory root would, and returns the path below root. ok says that it
// exists; otherwise the part that doesn't is kept as it was spelt.
func resolve(root, name string) (resolved string, ok bool) {
	done, todo := "/", name
	links := 0
	ok = true
	for todo != "" {
		var part string
		part, todo, _ = strings.Cut(todo, "/")
		if part == "" || part == "." {
			continue
		}
		if part == ".." {
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, part)
		fi, err := os.Lstat(filepath.Join(root, next))
		if err != nil || fi.Mode()&os.ModeSymlink == 0 {
			if err != nil {
				ok = false
			}
			done = next
			continue
		}
		target, err := os.Readlink(filepath.Join(root, next))
		if links++; err != nil || links > maxLinks {
			return path.Join(next, todo), false
		}
		if strings.HasPrefix(target, "/") {
			done = "/"
		}
		todo = target + "/" + todo
	}
	return done, ok
}

// merged are the directories that moved below /usr and left a link behind.
var merged = []string{"/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"}

// spellings returns the paths under which a database may list the file name, in
// the order of trust: as given, with its directory's links followed, both with
// the merged /usr undone or done, and last the file that a link leads to. dir
// says that name is a directory.
func (db *DB) spellings(name string) (paths []string, dir bool) {
	add := func(p string) {
		if !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
		alias := ""
		for _, m := range merged {
			if strings.HasPrefix(p, m) {
				alias = "/usr" + p
			} else if strings.HasPrefix(p, "/usr"+m) {
				alias = p[len("/usr"):]
			}
		}
		if alias != "" && !slices.Contains(paths, alias) && db.same(p, alias) {
			paths = append(paths, alias)
		}
	}
	add(name)
	parent, _ := resolve(db.root, path.Dir(name))
	add(path.Join(parent, path.Base(name)))
	full, ok := resolve(db.root, name)
	if ok {
		if fi, err := os.Lstat(filepath.Join(db.root, full)); err == nil && fi.IsDir() {
			dir = true
		}
		add(full)
	}
	return paths, dir
}

// same says that two spellings lead to one place, whether or not the file is
// there.
func (db *DB) same(a, b string) bool {
	ra, _ := resolve(db.root, path.Dir(a))
	rb, _ := resolve(db.root, path.Dir(b))
	return ra == rb
}
