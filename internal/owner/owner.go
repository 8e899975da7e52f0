// Package owner says which package a file came from: the job of dpkg -S,
// rpm -qf, apk info -W and pacman -Qo, and of their language counterparts
// (Python distributions, npm packages, Go build information). It reads the
// packages' own databases below a root directory, so it works without the
// package manager, and on an unpacked image of another distribution:
//
//	o, ok := owner.Open("/").Of("/usr/bin/curl") // {dpkg curl 7.88.1-10 amd64}
//
// It runs no program, changes nothing, verifies no checksum and knows nothing
// of packages that are not installed. No link below the root leads out of it.
package owner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
)

// Owner is an installed package.
type Owner struct {
	Kind    string // "dpkg", "rpm", "apk", "pacman", "python", "npm" or "go"
	Package string // for "go" the path of the main module
	Version string // as the package manager writes it, e.g. "1:2.0.2-6.fc33"
	Arch    string // empty where the package manager has none
}

// Info is what the database tells about a package beside its files. What it
// doesn't say is empty.
type Info struct {
	Owner
	Summary    string
	URL        string
	Maintainer string
	Source     string // the source package's name
}

// DB is the package databases below one root directory. It is safe for use by
// several goroutines. The databases are opened when they are first needed and
// are not watched: a package installed later may be missed.
type DB struct {
	root string

	mu       sync.Mutex
	systems  []system // nil until the first use
	memo     map[string]answer
	problems []error
}

type answer struct {
	owner Owner
	ok    bool
}

// system is one system package manager's database.
type system interface {
	// find returns the package that has one of the paths (the first path that
	// anybody has wins). With sole set, a path that several packages have, as
	// directories are, belongs to nobody.
	find(paths []string, sole bool) (Owner, bool, error)
	// info and files take a package's name, with or without architecture.
	info(name string) (Info, bool, error)
	files(name string) ([]string, bool, error)
}

// Open returns the databases below root, "/" for this machine's own. It reads
// nothing yet and so can't fail.
func Open(root string) *DB {
	return &DB{root: filepath.Clean(root), memo: map[string]answer{}}
}

// Of returns the package that the file came from. A path that is no file any
// more is looked up all the same. The system's package manager is asked first;
// only what it doesn't know is looked for in Python distributions, npm packages
// and Go build information. A link that a package has belongs to that package,
// one that none has to its target's.
//
// A damaged database is as one without the damaged part; Problems tells.
func (db *DB) Of(name string) (Owner, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	name = path.Clean("/" + name)
	if a, ok := db.memo[name]; ok {
		return a.owner, a.ok
	}
	var a answer
	if a.owner, a.ok = db.system(name); !a.ok {
		a.owner, a.ok = db.language(name)
	}
	if len(db.memo) < 4096 {
		db.memo[name] = a
	}
	return a.owner, a.ok
}

// All returns every owner of the file: the system's package, and the Python
// distribution, npm package or Go module inside it.
func (db *DB) All(name string) []Owner {
	db.mu.Lock()
	defer db.mu.Unlock()
	name = path.Clean("/" + name)
	var all []Owner
	if o, ok := db.system(name); ok {
		all = append(all, o)
	}
	if o, ok := db.language(name); ok {
		all = append(all, o)
	}
	return all
}

// Info returns what is known about an installed system package. A name may
// carry an architecture ("libc6:amd64", "glibc.x86_64").
func (db *DB) Info(name string) (Info, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, s := range db.open() {
		i, ok, err := s.info(name)
		db.note(err)
		if ok {
			return i, true
		}
	}
	return Info{}, false
}

// Files returns the paths that an installed system package brought, directories
// included where the database lists them, in the database's order.
func (db *DB) Files(name string) ([]string, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, s := range db.open() {
		f, ok, err := s.files(name)
		db.note(err)
		if ok {
			return f, true
		}
	}
	return nil, false
}

// Problems returns what could not be read up to now, each once.
func (db *DB) Problems() []error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return slices.Clone(db.problems)
}

func (db *DB) note(err error) {
	if err == nil || len(db.problems) >= 32 {
		return
	}
	for _, p := range db.problems {
		if p.Error() == err.Error() {
			return
		}
	}
	db.problems = append(db.problems, err)
}

// open looks which package managers there are.
func (db *DB) open() []system {
	if db.systems != nil {
		return db.systems
	}
	db.systems = []system{}
	for _, try := range []func(*DB) (system, error){openDpkg, openRPM, openAPK, openPacman} {
		s, err := try(db)
		db.note(err)
		if s != nil {
			db.systems = append(db.systems, s)
		}
	}
	return db.systems
}

func (db *DB) system(name string) (Owner, bool) {
	paths, dir := db.spellings(name)
	for _, s := range db.open() {
		o, ok, err := s.find(paths, dir)
		db.note(err)
		if ok {
			return o, true
		}
	}
	return Owner{}, false
}

func (db *DB) language(name string) (Owner, bool) {
	for _, try := range []func(*DB, string) (Owner, bool, error){pythonOwner, npmOwner, goOwner} {
		o, ok, err := try(db, name)
		db.note(err)
		if ok {
			return o, true
		}
	}
	return Owner{}, false
}

// errTooBig is what a database file over its limit gives.
var errTooBig = errors.New("larger than any real one")

// errNotRegular is what a folder, a device or a FIFO gives where a file should be.
var errNotRegular = errors.New("not a regular file")

// read returns a whole regular file below the root. A file that isn't there is
// nil without an error.
func (db *DB) read(name string, limit int64) ([]byte, error) {
	f, err := db.openFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readAll(f, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

// openFile opens a regular file below the root.
func (db *DB) openFile(name string) (*os.File, error) {
	full, _ := resolve(db.root, name)
	real := filepath.Join(db.root, full)
	if fi, err := os.Lstat(real); err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	} else if !fi.Mode().IsRegular() { // opening a FIFO would wait for a writer
		return nil, fmt.Errorf("open %s: %w", name, errNotRegular)
	}
	f, err := os.Open(real)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return f, nil
}

// readDir lists a directory below the root, nil when there is none.
func (db *DB) readDir(name string) ([]fs.DirEntry, error) {
	full, _ := resolve(db.root, name)
	list, err := os.ReadDir(filepath.Join(db.root, full))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("list %s: %w", name, err)
	}
	return list, nil
}

func readAll(f *os.File, limit int64) ([]byte, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() > limit {
		return nil, errTooBig
	}
	b := make([]byte, fi.Size())
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return b[:n], nil
}
