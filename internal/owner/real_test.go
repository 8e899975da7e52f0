package owner

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func mkfifo(name string) error { return unix.Mkfifo(name, 0o600) }

// needDpkg skips where the machine is no Debian, which no setting can change.
func needDpkg(t testing.TB) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("needs dpkg")
	}
}

// TestAgainstDpkg compares with dpkg -S for files drawn from this machine's own
// database.
func TestAgainstDpkg(t *testing.T) {
	needDpkg(t)
	db := Open("/")
	d, err := openDpkg(db)
	if err != nil {
		t.Fatal(err)
	}
	lists := d.(*dpkg).lists
	rnd := rand.New(rand.NewPCG(1, 2))
	args := []string{"-S"}
	for len(args) <= 50 {
		list := lists[rnd.IntN(len(lists))]
		b, err := os.ReadFile("/var/lib/dpkg/info/" + list)
		if err != nil {
			t.Fatal(err)
		}
		all := lines(b)
		if len(all) == 0 {
			continue
		}
		name := all[rnd.IntN(len(all))]
		if fi, err := os.Stat(name); err != nil || fi.IsDir() || strings.ContainsAny(name, `*?[\`) {
			continue
		}
		args = append(args, name)
	}
	out, err := exec.Command("dpkg", args...).Output()
	if err != nil {
		t.Fatalf("dpkg -S: %v", err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if pkgs, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok && !strings.HasPrefix(line, "diversion by ") {
			said[name] = pkgs
		}
	}
	for _, name := range args[1:] {
		got, ok := db.Of(name)
		if !ok || !oneOf(got, said[name]) {
			t.Errorf("Of(%s) = %v, %v; dpkg -S: %q", name, got, ok, said[name])
		}
	}
	if p := db.Problems(); p != nil {
		t.Errorf("problems: %v", p)
	}
}

// oneOf says that o is in dpkg's "a, b:amd64".
func oneOf(o Owner, pkgs string) bool {
	for p := range strings.SplitSeq(pkgs, ", ") {
		if p == o.Package || p == o.Package+":"+o.Arch {
			return o.Version != ""
		}
	}
	return false
}

// TestQuick holds the look-up that has to read every list to its limit. The
// best of a few tries counts: the machine may be busy.
func TestQuick(t *testing.T) {
	needDpkg(t)
	best := time.Hour
	for range 10 {
		start := time.Now()
		Open("/").Of("/usr/bin/no-such-file")
		best = min(best, time.Since(start))
	}
	if limit := 500 * time.Millisecond; best > limit {
		t.Errorf("a look-up took %v, more than %v", best, limit)
	}
}

func BenchmarkOf(b *testing.B) {
	needDpkg(b)
	for name, p := range map[string]string{"hit": "/usr/bin/dpkg", "scan": "/usr/lib/x86_64-linux-gnu/libc.so.6", "miss": "/usr/bin/no-such-file"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Open("/").Of(p)
			}
		})
	}
}
