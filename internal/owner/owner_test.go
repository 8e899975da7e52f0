package owner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// root unpacks a fixture.
func root(t testing.TB, name string) string {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range a.Files {
		if f.Name == "links" {
			for line := range strings.Lines(string(f.Data)) {
				from, to, _ := strings.Cut(strings.TrimSpace(line), " -> ")
				from = filepath.Join(dir, from)
				if err := os.MkdirAll(filepath.Dir(from), 0o755); err != nil {
					t.Fatal(err)
				}
				if to == "usr/bin" || to == "usr/lib" {
					if err := os.MkdirAll(filepath.Join(dir, to), 0o755); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Symlink(to, from); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		write(t, filepath.Join(dir, f.Name), f.Data)
	}
	return dir
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOf(t *testing.T) {
	var none Owner
	for _, c := range []struct {
		root, path string
		want       Owner
	}{
		{"debian.txtar", "/bin/ls", none},     // diverted by the administrator
		{"debian.txtar", "/usr/bin/ls", none}, // the same by its other name
		{"debian.txtar", "/usr/bin/sh", Owner{"dpkg", "dash", "0.5.12-2", "amd64"}},
		{"debian.txtar", "/usr/bin/sh.distrib", Owner{"dpkg", "bash-sh", "5.2-1+b1", "amd64"}},
		{"debian.txtar", "/usr/bin/awk", Owner{"dpkg", "mawk", "1.3.4-3", "amd64"}},
		{"debian.txtar", "/lib/x86_64-linux-gnu/libz.so.1", Owner{"dpkg", "libz", "1.2", "amd64"}},
		{"debian.txtar", "usr/bin/../bin/mawk", Owner{"dpkg", "mawk", "1.3.4-3", "amd64"}},
		{"debian.txtar", "/usr/bin/lsof", none}, // only a longer name is listed
		{"debian.txtar", "/usr/bin/left-over", Owner{Kind: "dpkg", Package: "gone"}},
		{"debian.txtar", "/usr/bin/loop", none},
		{"debian.txtar", "/usr/bin/out", none},
		{"debian.txtar", "/usr", Owner{"dpkg", "coreutils", "9.1-1", "amd64"}}, // nobody else's
		{"debian.txtar", "/bin", none},                                         // three packages have it
		{"debian.txtar", "/usr/lib/python3/dist-packages/requests/api.py", Owner{"dpkg", "python3-requests", "2.28.1+dfsg-1", "all"}},
		{"debian.txtar", "/usr/lib/python3/dist-packages/requests/other.py", Owner{"python", "requests", "2.28.1", ""}},
		{"debian.txtar", "/usr/lib/python3/dist-packages/request/other.py", none},
		{"debian.txtar", "/usr/local/bin/cowsay", Owner{"python", "cowsay", "5.0", ""}},
		{"debian.txtar", "/usr/local/lib/python3.11/dist-packages/cowsay/main.py", Owner{"python", "cowsay", "5.0", ""}},
		{"debian.txtar", "/usr/local/lib/python3.11/dist-packages/odd/a,b.py", Owner{"python", "cowsay", "5.0", ""}},
		{"debian.txtar", "/usr/local/lib/python3.11/dist-packages/say/main.py", none},
		{"debian.txtar", "/srv/app/node_modules/@scope/tool/lib/x.js", Owner{"npm", "@scope/tool", "3.2.1", ""}},
		{"distroless.txtar", "/usr/bin/openssl", Owner{"dpkg", "openssl", "3.0.15-1", "arm64"}},
		{"alpine.txtar", "/usr/bin/wget", Owner{"apk", "busybox", "1.36.1-r5", "x86_64"}},
		{"alpine.txtar", "/lib/libc.musl-x86_64.so.1", Owner{"apk", "musl", "1.2.4-r2", "x86_64"}},
		{"alpine.txtar", "/.top", Owner{"apk", "busybox", "1.36.1-r5", "x86_64"}},
		{"alpine.txtar", "/usr/libc.musl-x86_64.so.1", none},
		{"alpine.txtar", "/bin/libc.musl", none},
		{"arch.txtar", "/bin/curl", Owner{"pacman", "curl", "8.5.0-1", "x86_64"}},
		{"arch.txtar", "/usr/bin", none},
		{"arch.txtar", "/etc/curlrc", none}, // in BACKUP, not in FILES
	} {
		db := Open(root(t, c.root))
		got, ok := db.Of(c.path)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want != none) {
			t.Errorf("%s: Of(%s) ok=%v (-want +got):\n%s", c.root, c.path, ok, diff)
		}
		if again, _ := db.Of(c.path); again != got {
			t.Errorf("%s: Of(%s) the second time: %v", c.root, c.path, again)
		}
		if p := db.Problems(); p != nil {
			t.Errorf("%s: Of(%s): problems %v", c.root, c.path, p)
		}
	}
}

func TestAll(t *testing.T) {
	got := Open(root(t, "debian.txtar")).All("/usr/lib/python3/dist-packages/requests/api.py")
	want := []Owner{{"dpkg", "python3-requests", "2.28.1+dfsg-1", "all"}, {"python", "requests", "2.28.1", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInfoAndFiles(t *testing.T) {
	for _, c := range []struct {
		root, name string
		info       Info
		files      []string
	}{
		{"debian.txtar", "coreutils", Info{Owner{"dpkg", "coreutils", "9.1-1", "amd64"}, "GNU core utilities",
			"https://example.org/coreutils", "Somebody <somebody@example.org>", ""},
			[]string{"/bin", "/bin/ls", "/usr", "/usr/bin", "/usr/bin/lsof-not"}},
		{"debian.txtar", "bash-sh", Info{Owner: Owner{"dpkg", "bash-sh", "5.2-1+b1", "amd64"}, Source: "bash"}, []string{"/bin", "/bin/sh"}},
		{"debian.txtar", "libz:amd64", Info{Owner: Owner{"dpkg", "libz", "1.2", "amd64"}}, []string{"/usr/lib/x86_64-linux-gnu/libz.so.1"}},
		{"distroless.txtar", "openssl", Info{Owner: Owner{"dpkg", "openssl", "3.0.15-1", "arm64"}}, []string{"/usr/bin/openssl"}},
		{"alpine.txtar", "musl", Info{Owner{"apk", "musl", "1.2.4-r2", "x86_64"}, "the musl c library (libc) implementation",
			"https://example.org/musl", "Somebody <somebody@example.org>", "musl"},
			[]string{"/lib", "/lib/ld-musl-x86_64.so.1", "/lib/libc.musl-x86_64.so.1"}},
		{"arch.txtar", "curl", Info{Owner{"pacman", "curl", "8.5.0-1", "x86_64"},
			"command line tool and library for transferring data with URLs", "https://example.org/curl", "Somebody <somebody@example.org>", "curl"},
			[]string{"/usr", "/usr/bin", "/usr/bin/curl"}},
	} {
		db := Open(root(t, c.root))
		info, ok := db.Info(c.name)
		if diff := cmp.Diff(c.info, info); diff != "" || !ok {
			t.Errorf("Info(%s) ok=%v (-want +got):\n%s", c.name, ok, diff)
		}
		files, ok := db.Files(c.name)
		if diff := cmp.Diff(c.files, files); diff != "" || !ok {
			t.Errorf("Files(%s) ok=%v (-want +got):\n%s", c.name, ok, diff)
		}
		for _, name := range []string{"libz:i386", "no-such-package", ""} {
			if info, ok := db.Info(name); ok {
				t.Errorf("%s: Info(%q) = %v", c.root, name, info)
			}
			if _, ok := db.Files(name); ok {
				t.Errorf("%s: Files(%q) is there", c.root, name)
			}
		}
	}
}

func TestProblems(t *testing.T) {
	db := Open(root(t, "debian.txtar"))
	for range 2 {
		if o, ok := db.Of("/srv/app/node_modules/broken/x.js"); ok {
			t.Errorf("Of = %v", o)
		}
		db.memo = map[string]answer{}
	}
	if p := db.Problems(); len(p) != 1 || !strings.Contains(p[0].Error(), "node_modules/broken/package.json") {
		t.Errorf("problems: %v", p)
	}
}

// TestFIFO: a FIFO where a database should be is no reason to wait for a writer.
func TestFIFO(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/var/lib/dpkg/x", nil)
	if err := mkfifo(dir + "/var/lib/dpkg/status"); err != nil {
		t.Fatal(err)
	}
	db := Open(dir)
	if _, ok := db.Of("/usr/bin/x"); ok || len(db.Problems()) != 1 {
		t.Errorf("ok %v, problems %v", ok, db.Problems())
	}
}

func TestResolve(t *testing.T) {
	dir := root(t, "debian.txtar")
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{"/bin/mawk", "/usr/bin/mawk", true},
		{"/usr/bin/awk", "/usr/bin/mawk", true},
		{"/bin/../bin/./ls", "/usr/bin/ls", true},
		{"/bin/nothing/here", "/usr/bin/nothing/here", false},
		{"/usr/bin/out", "/etc/shadow", false}, // stays below the root, where there is none
		{"/../../x", "/x", false},
	} {
		got, ok := resolve(dir, c.in)
		if got != c.want || ok != c.ok {
			t.Errorf("resolve(%s) = %s, %v, want %s, %v", c.in, got, ok, c.want, c.ok)
		}
	}
	if _, ok := resolve(dir, "/usr/bin/loop"); ok {
		t.Error("a link to itself leads somewhere")
	}
}

func TestGoProgram(t *testing.T) {
	exe, err := os.Executable() // a test binary carries build information too
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir+"/usr/local/bin/tool", b)
	write(t, dir+"/usr/local/bin/script", []byte("#!/bin/sh\n"))
	o, ok := Open(dir).Of("/usr/local/bin/tool")
	if !ok || o.Kind != "go" || o.Package != "culprit" {
		t.Errorf("Of = %v, %v", o, ok)
	}
	if o, ok := Open(dir).Of("/usr/local/bin/script"); ok {
		t.Errorf("script: Of = %v", o)
	}
}

func TestEmptyRoot(t *testing.T) {
	db := Open(filepath.Join(t.TempDir(), "nothing"))
	if o, ok := db.Of("/usr/bin/curl"); ok || db.Problems() != nil {
		t.Errorf("Of = %v, %v; problems %v", o, ok, db.Problems())
	}
}
