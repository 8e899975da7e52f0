package owner

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"io"
	"io/fs"
)

// goOwner reads the build information that the Go linker puts into a program:
// its main module and that module's version ("(devel)" outside a release).
func goOwner(db *DB, name string) (Owner, bool, error) {
	f, err := db.openFile(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errNotRegular) {
			err = nil
		}
		return Owner{}, false, err
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(f, magic); err != nil || !bytes.Equal(magic, []byte("\x7fELF")) {
		return Owner{}, false, nil
	}
	info, err := buildinfo.Read(f)
	if err != nil || info.Main.Path == "" { // no Go program
		return Owner{}, false, nil
	}
	o := Owner{Kind: "go", Package: info.Main.Path, Version: info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" {
			o.Arch = s.Value
		}
	}
	return o, true, nil
}
