package demo

import (
	"bufio"
	"embed"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// The "all:" is needed for __init__.py and __main__.py.
//
//go:embed all:client
var clientFiles embed.FS

// CastSize is the least size of the generated recording, in bytes.
const CastSize = 12_440_000

// Layout is where Files put things.
type Layout struct {
	Dir    string
	Script string // the Python client's launcher
	Cast   string // the recording to upload, a little over CastSize
}

// Files writes the Python client and the recording to upload into dir, which
// is made if need be. The same bytes come out every time.
func Files(dir string) (Layout, error) {
	l := Layout{Dir: dir, Script: filepath.Join(dir, "upload-demo"), Cast: filepath.Join(dir, "demo.cast")}
	err := fs.WalkDir(clientFiles, "client", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("client", path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		if d.IsDir() {
			if d.Name() == "__pycache__" {
				return fs.SkipDir
			}
			return os.MkdirAll(to, 0o755)
		}
		data, err := clientFiles.ReadFile(path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if to == l.Script {
			mode = 0o755
		}
		return os.WriteFile(to, data, mode)
	})
	if err != nil {
		return Layout{}, fmt.Errorf("write the demo's client: %w", err)
	}
	if err := WriteCast(l.Cast, CastSize); err != nil {
		return Layout{}, fmt.Errorf("write the demo's recording: %w", err)
	}
	return l, nil
}

// Command returns the argument vector of the Python client, and what it needs
// in its environment beside the caller's own.
func (l Layout) Command(python string, s *Server) (argv, env []string) {
	return []string{python, l.Script, "upload", l.Cast},
		[]string{"UPLOAD_DEMO_API_URL=" + s.URL, "SSL_CERT_FILE=" + s.CAFile}
}

// WriteCast writes an asciicast (version 2) of at least size bytes, of seeded
// pseudo-random text, so that no compression on the way can shrink it much.
func WriteCast(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 256<<10)
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
	r := rand.New(rand.NewPCG(413, 32))
	n, _ := fmt.Fprintln(w, `{"version": 2, "width": 80, "height": 24, "timestamp": 1650555852, "title": "demo"}`)
	written := int64(n)
	line := make([]byte, 0, 256)
	for tick := 1; written < size; tick++ {
		line = fmt.Appendf(line[:0], "[%d.%06d, \"o\", \"", tick/50, tick%50*20000)
		for range 12 {
			for bits, i := r.Uint64(), 0; i < 10; i++ {
				line = append(line, letters[bits&63])
				bits >>= 6
			}
		}
		line = append(line, "\\r\\n\"]\n"...)
		w.Write(line) // a failure stays in w until Flush
		written += int64(len(line))
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
