package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"culprit/internal/testkit"
)

func start(t *testing.T) (*Server, Layout) {
	t.Helper()
	dir := t.TempDir()
	l, err := Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, l
}

// pythons finds the system's interpreter and pyenv's 3.8 to 3.13.
func pythons(t *testing.T) []string {
	t.Helper()
	var all []string
	if home, err := os.UserHomeDir(); err == nil {
		for minor := 8; minor <= 13; minor++ {
			m, _ := filepath.Glob(fmt.Sprintf("%s/.pyenv/versions/3.%d.*/bin/python3", home, minor))
			all = append(all, m...)
		}
	}
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		all = append(all, "/usr/bin/python3")
	}
	if len(all) == 0 {
		testkit.Lack(t, "a python3")
	}
	return all
}

func version(t *testing.T, python string) string {
	t.Helper()
	out, err := exec.Command(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// said is what the client prints under each version: CPython 3.10 to 3.12
// take the EPIPE of a TLS connection for an end of file (their bug 115627).
func said(version string) *regexp.Regexp {
	text := `\[Errno 32\] Broken pipe`
	if slices.Contains([]string{"3.10", "3.11", "3.12"}, version) {
		text = `EOF occurred in violation of protocol \(_ssl\.c:\d+\)`
	}
	return regexp.MustCompile(`^upload-demo: upload failed: <urlopen error ` + text + `>\n` +
		`upload-demo: retry later by running: upload-demo upload /\S+/demo\.cast\n$`)
}

func command(t *testing.T, l Layout, s *Server, python string, before ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	argv, env := l.Command(python, s)
	argv = append(before, argv...)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Env = append(cmd.Env, "PYTHONDONTWRITEBYTECODE=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	return cmd, &stderr
}

func exitCode(err error) int {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

func TestPythonClient(t *testing.T) {
	s, l := start(t)
	for _, python := range pythons(t) {
		v := version(t, python)
		t.Run(strings.ReplaceAll(strings.TrimPrefix(python, "/"), "/", "_"), func(t *testing.T) {
			cmd, stderr := command(t, l, s, python)
			out, err := cmd.Output()
			if code := exitCode(err); code != 1 || len(out) != 0 {
				t.Errorf("exit status %d, want 1; stdout %q, want none", code, out)
			}
			if !said(v).MatchString(stderr.String()) {
				t.Errorf("stderr %q, want %v", stderr, said(v))
			}
		})
	}
}

// What the kernel said, whatever Python made of it.
func TestPythonClientKernel(t *testing.T) {
	strace := testkit.Program(t, "strace")
	s, l := start(t)
	for _, python := range pythons(t) {
		t.Run(strings.ReplaceAll(strings.TrimPrefix(python, "/"), "/", "_"), func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			cmd, _ := command(t, l, s, python, strace, "-f", "-qq", "-s", "16", "-e", "trace=write,sendto,read,recvfrom,recvmsg", "-o", log)
			if _, err := cmd.Output(); exitCode(err) != 1 {
				t.Errorf("exit status %d, want 1", exitCode(err))
			}
			b, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			// The failed write is the last word on the connection: no write fails
			// otherwise, and nothing is read from it afterwards.
			failed := regexp.MustCompile(`(?m)^\d+ +(?:write|sendto)\((\d+), .*= -1 EPIPE.*$`).FindSubmatchIndex(b)
			if failed == nil {
				t.Fatalf("no write ended in EPIPE:\n%s", b)
			}
			fd, rest := string(b[failed[2]:failed[3]]), string(b[failed[1]:])
			if m := regexp.MustCompile(`(?m)^\d+ +\w+\(` + fd + `, .*$`).FindString(rest); m != "" {
				t.Errorf("after the failed write: %s", m)
			}
			if bytes.Contains(b, []byte("ECONNRESET")) {
				t.Error("ECONNRESET: the client had not seen the FIN before the RST")
			}
		})
	}
}

func TestDeterminism(t *testing.T) {
	runs := 20
	if testing.Short() {
		runs = 3
	}
	s, l := start(t)
	python := slices.MaxFunc(pythons(t), func(a, b string) int { // the one whose words are exact
		return strings.Compare(tell(version(t, a)), tell(version(t, b)))
	})
	want := said(version(t, python))
	for i := range runs {
		cmd, stderr := command(t, l, s, python)
		if _, err := cmd.Output(); exitCode(err) != 1 || !want.MatchString(stderr.String()) {
			t.Errorf("run %d of %d: exit status %d, stderr %q", i+1, runs, exitCode(err), stderr)
		}
	}
	for i := range runs {
		err := Client(t.Context(), s.URL, s.CAFile, l.Cast, nil)
		if err == nil || err.Error() != "<broken pipe>" {
			t.Errorf("run %d of %d of the Go client: %v", i+1, runs, err)
		}
	}
}

// tell ranks versions by whether they repeat the errno.
func tell(version string) string {
	if said(version).MatchString("upload-demo: upload failed: <urlopen error [Errno 32] Broken pipe>\nupload-demo: retry later by running: upload-demo upload /x/demo.cast\n") {
		return "1"
	}
	return "0"
}

func TestGoClient(t *testing.T) {
	s, l := start(t)
	var keys bytes.Buffer
	err := upload(t.Context(), s.URL, s.CAFile, l.Cast, &keys)
	if !errors.Is(err, syscall.EPIPE) {
		t.Errorf("upload: %v, want EPIPE", err)
	}
	if !bytes.Contains(keys.Bytes(), []byte("CLIENT_TRAFFIC_SECRET_0 ")) {
		t.Errorf("key log has no traffic secret: %q", keys.Bytes())
	}
	if err := upload(t.Context(), s.URL, l.Script, l.Cast, nil); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("with a CA file that is none: %v", err)
	}
}

// A server that refused everything would be no story.
func TestSmallUpload(t *testing.T) {
	s, l := start(t)
	small := filepath.Join(l.Dir, "small.cast")
	if err := WriteCast(small, 100_000); err != nil {
		t.Fatal(err)
	}
	if err := Client(t.Context(), s.URL, s.CAFile, small, nil); err != nil {
		t.Error(err)
	}
	l.Cast = small
	cmd, stderr := command(t, l, s, pythons(t)[0])
	out, err := cmd.Output()
	if err != nil || string(out) != s.URL+"/a/1\n" {
		t.Errorf("%v, stdout %q, stderr %q", err, out, stderr)
	}
}

func TestNotTLS(t *testing.T) {
	s, _ := start(t)
	resp, err := http.Get("http" + strings.TrimPrefix(s.URL, "https") + "/")
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP got status %d", resp.StatusCode)
		}
	}
}

func TestFiles(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	la, err := Files(a)
	if err != nil {
		t.Fatal(err)
	}
	lb, err := Files(b)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(la.Cast)
	if err != nil {
		t.Fatal(err)
	}
	cb, err := os.ReadFile(lb.Cast)
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(ca) != sha256.Sum256(cb) {
		t.Error("two recordings differ")
	}
	if n := len(ca); n < CastSize || n > CastSize+1024 {
		t.Errorf("recording has %d bytes", n)
	}
	for _, name := range []string{"upload-demo", "upload_demo/__init__.py", "upload_demo/__main__.py", "upload_demo/api.py",
		"upload_demo/urllib_http_adapter.py", "upload_demo/commands/__init__.py", "upload_demo/commands/upload.py"} {
		if _, err := os.Stat(filepath.Join(a, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := Files(filepath.Join(a, "missing", "dir")); err != nil {
		t.Errorf("client directories are made: %v", err)
	}
	if _, err := Files(filepath.Join(la.Cast, "below-a-file")); err == nil {
		t.Error("no error for a directory that can't be made")
	}
}

func TestStartErrors(t *testing.T) {
	if _, err := Start(t.Context(), Options{}); err == nil {
		t.Error("no directory: no error")
	}
	if _, err := Start(t.Context(), Options{Dir: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}

// Closing ends connections that say nothing.
func TestCloseCutsConnections(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Start(ctx, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	var port int
	fmt.Sscanf(s.URL[strings.LastIndexByte(s.URL, ':'):], ":%d", &port)
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err == nil {
		t.Error("still listening")
	}
}
