package ptrace

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"culprit/internal/event"
)

// The same tests as a user without any right: no capability is needed.
func TestWithoutRoot(t *testing.T) {
	need(t, os.Geteuid() == 0, "root, to become somebody else")
	prog(t) // skips without a compiler
	dir, err := os.MkdirTemp("", "ptrace-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "test")
	copyFile(t, os.Args[0], bin)
	cmd := exec.Command(bin, "-test.v", "-test.run",
		"^(TestSameEffect|TestTree|TestExecFromThread|TestSignals|TestStopAndContinue|TestOwnFilter|TestUndumpable|"+
			"TestPtraceInside|TestDaemon|TestTimeout|TestProbe|TestPeek.*|TestSocketAddresses|TestMaxStream|TestNobody)$")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "CI=" + os.Getenv("CI"), nobodyEnv + "=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

const nobodyEnv = "PTRACE_TEST_NOBODY"

// TestNobody runs inside TestWithoutRoot.
func TestNobody(t *testing.T) {
	if os.Getenv(nobodyEnv) == "" {
		t.Skip("a part of TestWithoutRoot")
	}
	if os.Geteuid() == 0 {
		t.Fatal("still root")
	}
	r := record(t, Options{}, prog(t), "tree")
	if !r.note("no-new-privs") {
		t.Error("no note about PR_SET_NO_NEW_PRIVS")
	}
	// su is set-uid root nearly everywhere.
	if su, err := exec.LookPath("su"); err == nil {
		r := record(t, Options{}, su, "--version")
		st, err := os.Stat(su)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode()&os.ModeSetuid != 0 && !r.note("set-uid-ignored") {
			notes, _ := of[*event.Note](r)
			t.Errorf("notes about %s: %+v", su, notes)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
