package owner

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
)

// rpm reads RPM's database in any of its three forms: rpmdb.sqlite (RPM 4.16 and
// later), Packages.db (ndb, SUSE) and Packages (Berkeley DB hash, before that).
// All three hold the same package headers; only the first is searched through
// its index, the others are read from one end to the other.
type rpm struct {
	blobs interface {
		// named gives the headers of the packages that may have a file with
		// the base name, each the package's whole header. all gives every one.
		named(base string, yield func(header []byte) bool) error
		all(yield func(header []byte) bool) error
	}
}

// maxHeader is what RPM itself allows a header to take (headerMaxbytes).
const maxHeader = 256 << 20

// errDamaged is wrapped by what is wrong with an RPM database.
var errDamaged = errors.New("damaged")

func openRPM(db *DB) (system, error) {
	for _, dir := range []string{"/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm"} {
		for _, name := range []string{"rpmdb.sqlite", "Packages.db", "Packages"} {
			name := dir + "/" + name
			f, err := db.openFile(name)
			if err != nil {
				if errors.Is(err, os.ErrNotExist) {
					continue
				}
				return nil, err
			}
			// The file stays open as long as the DB is in use; the runtime
			// closes it with the last reference.
			r := &rpm{}
			switch path.Base(name) {
			case "rpmdb.sqlite":
				var wal []byte
				if wal, err = db.read(name+"-wal", maxStatus); err == nil {
					var s *sqlite
					if s, err = openSQLite(f, wal); err == nil {
						r.blobs = rpmSQLite{s}
					}
				}
			case "Packages.db":
				r.blobs, err = openNDB(f)
			default:
				r.blobs, err = openBDB(f)
			}
			if err != nil {
				f.Close()
				return nil, fmt.Errorf("read %s: %w", name, err)
			}
			return r, nil
		}
	}
	return nil, nil
}

// Header tags (rpmtag.h).
const (
	tagName       = 1000
	tagVersion    = 1001
	tagRelease    = 1002
	tagEpoch      = 1003
	tagSummary    = 1004
	tagPackager   = 1015
	tagVendor     = 1011
	tagURL        = 1020
	tagArch       = 1022
	tagOldFiles   = 1027
	tagSource     = 1044
	tagDirIndexes = 1116
	tagBaseNames  = 1117
	tagDirNames   = 1118
)

// header is a package header as the database has it: the number of index
// entries and of data bytes, both big-endian, then the entries (tag, type,
// offset, count) and the data.
type header struct{ index, data []byte }

func parseHeader(b []byte) (header, error) {
	if len(b) < 8 {
		return header{}, fmt.Errorf("%w: header of %d bytes", errDamaged, len(b))
	}
	n, size := uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
	if n*16+size > uint64(len(b)-8) {
		return header{}, fmt.Errorf("%w: header says %d entries and %d bytes, has %d", errDamaged, n, size, len(b)-8)
	}
	return header{b[8 : 8+n*16], b[8+n*16 : 8+n*16+size]}, nil
}

// find returns a tag's data, from its offset to the end, and its count.
func (h header) find(tag uint32) (data []byte, count int) {
	for e := h.index; len(e) >= 16; e = e[16:] {
		if binary.BigEndian.Uint32(e) == tag {
			at, n := binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
			if uint64(at) >= uint64(len(h.data)) || uint64(n) > uint64(len(h.data)) {
				return nil, 0
			}
			return h.data[at:], int(n)
		}
	}
	return nil, 0
}

// strings reads a tag of NUL-terminated strings.
func (h header) strings(tag uint32) []string {
	data, n := h.find(tag)
	var out []string
	for range n {
		s, rest, ok := bytes.Cut(data, []byte{0})
		if !ok {
			break
		}
		out = append(out, string(s))
		data = rest
	}
	return out
}

// string reads the first string of a tag, "" when it isn't there.
func (h header) string(tag uint32) string {
	if data, n := h.find(tag); n > 0 {
		s, _, _ := bytes.Cut(data, []byte{0})
		return string(s)
	}
	return ""
}

// ints reads a tag of 32-bit numbers.
func (h header) ints(tag uint32) []uint32 {
	data, n := h.find(tag)
	n = min(n, len(data)/4)
	out := make([]uint32, n)
	for i := range out {
		out[i] = binary.BigEndian.Uint32(data[4*i:])
	}
	return out
}

// paths returns the package's files in the header's order.
func (h header) paths() []string {
	if old := h.strings(tagOldFiles); old != nil { // RPM 3
		return old
	}
	base, dirs, index := h.strings(tagBaseNames), h.strings(tagDirNames), h.ints(tagDirIndexes)
	out := make([]string, 0, len(base))
	for i, b := range base {
		if i < len(index) && uint64(index[i]) < uint64(len(dirs)) {
			out = append(out, dirs[index[i]]+b)
		}
	}
	return out
}

func (h header) info() Info {
	version := h.string(tagVersion)
	if r := h.string(tagRelease); r != "" {
		version += "-" + r
	}
	if e := h.ints(tagEpoch); len(e) > 0 && e[0] != 0 {
		version = strconv.FormatUint(uint64(e[0]), 10) + ":" + version
	}
	maintainer := h.string(tagPackager)
	if maintainer == "" {
		maintainer = h.string(tagVendor)
	}
	source := strings.TrimSuffix(h.string(tagSource), ".src.rpm")
	if n, _, ok := cutDash(source); ok {
		if n, _, ok = cutDash(n); ok {
			source = n
		}
	}
	return Info{
		Owner:      Owner{Kind: "rpm", Package: h.string(tagName), Version: version, Arch: h.string(tagArch)},
		Summary:    h.string(tagSummary),
		URL:        h.string(tagURL),
		Maintainer: maintainer,
		Source:     source,
	}
}

func (r *rpm) find(paths []string, sole bool) (Owner, bool, error) {
	found := make([][]Owner, len(paths))
	var bases []string
	for _, p := range paths {
		bases = append(bases, path.Base(p))
	}
	var damage error
	for i, base := range bases {
		if i > 0 && base == bases[i-1] {
			continue // the same headers again
		}
		err := r.blobs.named(base, func(b []byte) bool {
			h, err := parseHeader(b)
			if err != nil {
				damage = err
				return true
			}
			names := h.paths()
			for j, p := range paths {
				if bases[j] == base && has(names, p) {
					found[j] = append(found[j], h.info().Owner)
				}
			}
			return sole || len(found[i]) == 0
		})
		if err != nil {
			damage = err
		}
		if !sole && len(found[i]) > 0 {
			break
		}
	}
	if damage != nil {
		damage = fmt.Errorf("read the rpm database: %w", damage)
	}
	for _, f := range found {
		if sole && len(f) > 1 {
			break
		}
		if len(f) > 0 {
			return f[0], true, damage
		}
	}
	return Owner{}, false, damage
}

func has(names []string, p string) bool {
	for _, n := range names {
		if n == p {
			return true
		}
	}
	return false
}

// header finds a package by name, with or without ".ARCH".
func (r *rpm) header(name string) (h header, ok bool, err error) {
	var damage error
	err = r.blobs.all(func(b []byte) bool {
		c, err := parseHeader(b)
		if err != nil {
			damage = err
			return true
		}
		if n := c.string(tagName); n == name || n+"."+c.string(tagArch) == name {
			h, ok = c, true
		}
		return !ok
	})
	if err = errors.Join(err, damage); err != nil {
		err = fmt.Errorf("read the rpm database: %w", err)
	}
	return h, ok, err
}

func (r *rpm) info(name string) (Info, bool, error) {
	h, ok, err := r.header(name)
	if !ok {
		return Info{}, false, err
	}
	return h.info(), true, err
}

func (r *rpm) files(name string) ([]string, bool, error) {
	h, ok, err := r.header(name)
	if !ok {
		return nil, false, err
	}
	return h.paths(), true, err
}

// scanned makes the databases without an index searchable by reading them all.
func scanned(all func(func([]byte) bool) error, base string, yield func([]byte) bool) error {
	needle := []byte(base + "\x00")
	return all(func(b []byte) bool { return !bytes.Contains(b, needle) || yield(b) })
}

// readAt reads n bytes at an offset, never more than the file has.
func readAt(r io.ReaderAt, size, at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at > size || n > size-at {
		return nil, fmt.Errorf("%w: %d bytes at %d of %d", errDamaged, n, at, size)
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, at); err != nil {
		return nil, err
	}
	return b, nil
}

func sizeOf(f *os.File) (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}
