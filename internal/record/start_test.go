package record

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// reap ends a process that stands stopped before its first instruction, and
// says what it would have been.
func reap(t *testing.T, pid int) string {
	t.Helper()
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		t.Error(err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		t.Error(err)
	}
	return strings.Join(strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00"), " ")
}

// Commands are found as execvp(3) finds them.
func TestStart(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("plain/prog", "#!/bin/sh\n", 0o644)
	write("good/prog", "#!/bin/sh\n", 0o755)
	write("better/prog", "#!/bin/sh\n", 0o755)
	write("text/prog", "echo no interpreter is named\n", 0o755)
	write("lost/prog", "#!/no/such/interpreter\n", 0o755)
	write("file", "", 0o644)
	write("here", "#!/bin/sh\n", 0o755)
	if err := os.MkdirAll(filepath.Join(dir, "dir/prog"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "loop"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("prog", filepath.Join(dir, "loop/prog")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)

	tests := []struct {
		name    string
		command string
		path    string // "-": not set
		tried   []string
		errno   unix.Errno
		runs    string
	}{
		{"the first that runs", "prog", "none:good:better", []string{"none/prog", "good/prog"}, 0, "/bin/sh good/prog -x"},
		{"not executable, but a later one is", "prog", "plain:good", []string{"plain/prog", "good/prog"}, 0, "/bin/sh good/prog -x"},
		{"not executable, and no other", "prog", "plain:none", []string{"plain/prog", "none/prog"}, unix.EACCES, ""},
		{"a directory of that name", "prog", "dir:good", []string{"dir/prog", "good/prog"}, 0, "/bin/sh good/prog -x"},
		{"only a directory", "prog", "dir", []string{"dir/prog"}, unix.EACCES, ""},
		{"nowhere", "prog", "none:nowhere", []string{"none/prog", "nowhere/prog"}, unix.ENOENT, ""},
		{"a file in PATH", "prog", "file:good", []string{"file/prog", "good/prog"}, 0, "/bin/sh good/prog -x"},
		{"only a file in PATH", "prog", "file", []string{"file/prog"}, unix.ENOTDIR, ""},
		{"text goes to the shell", "prog", "text:good", []string{"text/prog"}, 0, "/bin/sh text/prog -x"},
		{"an interpreter that is missing counts as not found", "prog", "lost:good", []string{"lost/prog", "good/prog"}, 0, "/bin/sh good/prog -x"},
		{"a loop of links ends the search", "prog", "loop:good", []string{"loop/prog"}, unix.ELOOP, ""},
		{"an empty element is the present directory", "here", "none::good", []string{"none/here", "./here"}, 0, "/bin/sh ./here -x"},
		{"at the end too", "here", "none:", []string{"none/here", "./here"}, 0, "/bin/sh ./here -x"},
		{"PATH set, but empty", "here", "", []string{"./here"}, 0, "/bin/sh ./here -x"},
		{"no PATH", "no-such-command", "-", []string{"/bin/no-such-command", "/usr/bin/no-such-command"}, unix.ENOENT, ""},
		{"a path is not searched for", "good/prog", "better", []string{"good/prog"}, 0, "/bin/sh good/prog -x"},
		{"a path that is missing", "./none", "good", []string{"./none"}, unix.ENOENT, ""},
		{"no name", "", "good", nil, unix.ENOENT, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := []string{"A=b"}
			if tt.path != "-" {
				env = append(env, "PATH="+tt.path)
			}
			tried, pid, errno := start([]string{tt.command, "-x"}, env, nil)
			runs := ""
			if pid != 0 {
				runs = reap(t, pid)
			}
			if d := cmp.Diff(tt.tried, tried); d != "" {
				t.Errorf("tried (-want +got):\n%s", d)
			}
			if errno != tt.errno || runs != tt.runs {
				t.Errorf("errno %v, want %v; runs %q, want %q", errno, tt.errno, runs, tt.runs)
			}
		})
	}
}

// What can't be started ends with a shell's status.
func TestExitStatus(t *testing.T) {
	for e, want := range map[unix.Errno]int{unix.ENOENT: 127, unix.ENOTDIR: 127, unix.EACCES: 126, unix.ENOEXEC: 126, unix.ELOOP: 126, unix.E2BIG: 126} {
		if st := exitStatus(e); !st.Exited() || st.ExitStatus() != want {
			t.Errorf("%v: status %d, want %d", e, st.ExitStatus(), want)
		}
	}
}

func TestJoin(t *testing.T) {
	env := []string{"A=1", "PATH=/bin", "PATHS=x", "B=2", "A=3"}
	got := join(env, []string{"A=new", "C=new"})
	if d := cmp.Diff([]string{"PATH=/bin", "PATHS=x", "B=2", "A=new", "C=new"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if v := value(env, "A"); v != "3" {
		t.Errorf("A is %q", v)
	}
	if v := value(env, "PAT"); v != "" {
		t.Errorf("PAT is %q", v)
	}
	if !bytes.Equal([]byte(env[0]), []byte("A=1")) {
		t.Error("the caller's list was changed")
	}
}
