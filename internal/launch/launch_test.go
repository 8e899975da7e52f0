package launch_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/launch"
)

// held builds testdata/held: a binary with a symbol table, unlike the one that
// go test runs.
func held(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "held")
	if out, err := exec.Command("go", "build", "-o", bin, "./testdata/held").CombinedOutput(); err != nil {
		t.Fatalf("build held: %v\n%s", err, out)
	}
	return bin
}

func sh(t *testing.T, script string, args ...string) string {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", script, "sh"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState.ExitCode() == -1 {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return fmt.Sprintf("%sexit %d\n", out, cmd.ProcessState.ExitCode())
}

// A program started through launch inherits what it does without it.
func TestInherits(t *testing.T) {
	bin := held(t)
	const show = "grep -E '^(SigBlk|SigIgn|SigPnd|ShdPnd|NoNewPrivs|Seccomp)' /proc/self/status; ulimit -n; ulimit -Hn; umask; pwd; ls -l /proc/self/fd | wc -l; ps -o pgid=,tty= $$ | wc -l"
	for _, c := range []struct{ name, before string }{
		{"plain", ":"},
		{"ignored", "trap '' PIPE TERM QUIT HUP INT USR1 TTOU"},
		{"limit", "ulimit -Sn 300"},
		{"umask", "umask 027"},
	} {
		t.Run(c.name, func(t *testing.T) {
			plain := sh(t, c.before+`; exec /bin/sh -c "$1"`, show)
			through := sh(t, c.before+`; exec "$2" /bin/sh -c "$1"`, show, bin)
			through = strings.TrimPrefix(through, "held in state T\n")
			if d := cmp.Diff(plain, through); d != "" {
				t.Errorf("(-plain +through launch):\n%s", d)
			}
		})
	}
}

// So it does the signals that are blocked; a shell would unblock them.
func TestInheritsMask(t *testing.T) {
	for _, signals := range []string{"HUP,INT,USR1", "TERM"} {
		got, err := exec.Command("env", "--block-signal="+signals, held(t), "/bin/grep", "SigBlk", "/proc/self/status").CombinedOutput()
		want, err2 := exec.Command("env", "--block-signal="+signals, "/bin/grep", "SigBlk", "/proc/self/status").CombinedOutput()
		if err != nil || err2 != nil || string(got) != "held in state T\n"+string(want) {
			t.Errorf("%s: got %q %v, want %q %v", signals, got, err, want, err2)
		}
	}
}

func TestScriptWithoutInterpreter(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("echo \"$0 $1\"; exit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	got := sh(t, `"$@"`, held(t), script, "word")
	if want := "held in state T\n" + script + " word\nexit 3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrors(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want unix.Errno
	}{
		{"/no/such/program", unix.ENOENT},
		{"/etc/passwd", unix.EACCES},
		{"/etc/passwd/x", unix.ENOTDIR},
		{"/etc", unix.EACCES},
		{plain, unix.ENOENT},
	} {
		_, err := launch.Start(c.path, []string{c.path}, nil)
		var errno unix.Errno
		if !errors.As(err, &errno) || errno != c.want {
			t.Errorf("%s: %v, want %v", c.path, err, c.want)
		}
	}
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil); err != unix.ECHILD {
		t.Errorf("children are left: %v", err)
	}
}

// It stands before its first instruction: nothing has been written, and no
// system call but execve was made.
func TestHeld(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pid, err := launch.Config{Path: "/bin/echo", Argv: []string{"echo", "hi"}, Dir: "/", FDs: []uintptr{0, w.Fd(), 2}}.Start()
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(status, []byte("T (stopped)")) || !bytes.Contains(status, []byte("TracerPid:\t0\n")) {
		t.Errorf("status\n%s", status)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(maps, []byte("libc")) {
		t.Errorf("the dynamic linker has already worked:\n%s", maps)
	}
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var st unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &st, 0, nil); err != unix.EINTR {
			break
		}
	}
	out := make([]byte, 10)
	n, _ := r.Read(out)
	if string(out[:n]) != "hi\n" || st != 0 {
		t.Errorf("wrote %q, wait status %#x", out[:n], uint32(st))
	}
}
