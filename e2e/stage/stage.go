// Package stage is the scenery of end-to-end tests: certificates, web servers
// and name servers that fail in a chosen way, on loopback, and a way to run a
// program against them. Everything that is started ends with its test.
//
// It knows nothing about culprit.
package stage

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"culprit/internal/demo"
	"culprit/internal/testkit"
)

// Stage is the scenery of one test. Dir is a fresh directory that every user
// may read, and no other test uses.
type Stage struct {
	Dir string
	PKI *PKI

	t testing.TB
}

// New makes a stage with certificates in it.
func New(t testing.TB) *Stage {
	t.Helper()
	// Not t.TempDir, which lies below a directory of mode 0700.
	dir, err := os.MkdirTemp("", "stage-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the stage: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &Stage{Dir: dir, t: t}
	s.PKI = newPKI(s)
	return s
}

// Path is a path in the stage's directory.
func (s *Stage) Path(name string) string { return filepath.Join(s.Dir, name) }

// File writes a file below Dir, whose directories are made, and returns its path.
func (s *Stage) File(name, content string, mode os.FileMode) string {
	s.t.Helper()
	path := s.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		s.t.Fatal(err)
	}
	return path
}

// Cast writes big.cast, a recording of 12 MB, and returns its path.
func (s *Stage) Cast() string {
	s.t.Helper()
	path := s.Path("big.cast")
	if err := demo.WriteCast(path, demo.CastSize); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// C compiles a program and returns its path.
func (s *Stage) C(name, source string) string {
	s.t.Helper()
	src := s.File(name+".c", source, 0o644)
	exe := s.Path(name)
	cc := testkit.Program(s.t, "gcc")
	if out, err := exec.Command(cc, "-Wall", "-O1", "-g", "-o", exe, src, "-pthread").CombinedOutput(); err != nil {
		s.t.Fatalf("compile %s: %v\n%s", name, err, out)
	}
	return exe
}

// Need ends the test unless all of these are here: a program's name, "root",
// "ipv6", "python3-requests" (in /usr/bin/python3) or "python3.N" (pyenv's).
func Need(t testing.TB, what ...string) {
	t.Helper()
	for _, w := range what {
		switch {
		case w == "root":
			if os.Geteuid() != 0 {
				testkit.Lack(t, "root")
			}
		case w == "ipv6":
			l, err := net.Listen("tcp6", "[::1]:0")
			if err != nil {
				testkit.Lack(t, "IPv6 on loopback")
			}
			l.Close()
		case w == "python3-requests":
			if exec.Command("/usr/bin/python3", "-c", "import requests").Run() != nil {
				testkit.Lack(t, w)
			}
		case strings.HasPrefix(w, "python3."):
			if Python(w) == "" {
				testkit.Lack(t, w+" of pyenv")
			}
		default:
			if Program(w) == "" {
				testkit.Lack(t, w)
			}
		}
	}
}

// Programs are looked for where Debian puts them, whatever PATH the test has:
// a pyenv shim is no python3 that a user meets.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Program finds a program on the path that staged programs have, "" if it isn't there.
func Program(name string) string {
	for _, dir := range filepath.SplitList(searchPath) {
		p := filepath.Join(dir, name)
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return p
		}
	}
	return ""
}

// Python finds pyenv's interpreter "python3.N", or Debian's "python3"; "" if it isn't there.
func Python(name string) string {
	if name == "python3" {
		return Program(name)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	m, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions", strings.TrimPrefix(name, "python")+".*", "bin", name))
	if len(m) == 0 {
		return ""
	}
	return m[len(m)-1]
}

// ctx is done when the test's clean-up begins.
func (s *Stage) ctx() context.Context { return s.t.Context() }

// Fatal ends the test.
func (s *Stage) Fatal(args ...any) {
	s.t.Helper()
	s.t.Fatal(args...)
}
