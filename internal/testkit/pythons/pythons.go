// Package pythons finds the CPythons of this machine for tests.
package pythons

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"culprit/internal/testkit"
)

// All returns the interpreters from 3.8 on by a short name: "3.8" and so on for
// those of a version manager, "system" for /usr/bin/python3. Without any the
// test is skipped, or fails where CI=true.
func All(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	home, _ := os.UserHomeDir()
	for _, minor := range []string{"8", "9", "10", "11", "12", "13", "14"} {
		found, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/3."+minor+".*/bin/python3"))
		for _, p := range found {
			out["3."+minor] = p
		}
	}
	if p := "/usr/bin/python3"; exec.Command(p, "-c", "import sys; sys.exit(sys.version_info < (3, 8))").Run() == nil {
		out["system"] = p
	}
	if len(out) == 0 {
		testkit.Lack(t, "a Python from 3.8 on in ~/.pyenv or /usr/bin")
	}
	return out
}

// Each runs f with every interpreter in a subtest of its own.
func Each(t *testing.T, f func(t *testing.T, python string)) {
	for name, python := range All(t) {
		t.Run(name, func(t *testing.T) { f(t, python) })
	}
}

// Clean is this process's environment without what would change an interpreter.
func Clean() []string {
	env := []string{"PYTHONDONTWRITEBYTECODE=1"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PYTHON") && !strings.HasPrefix(e, "CULPRIT") && !strings.HasPrefix(e, "SSLKEYLOG") {
			env = append(env, e)
		}
	}
	return env
}
