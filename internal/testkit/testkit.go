// Package testkit is what tests of several packages share; those below it make
// captures, cases and interpreters ready. Only tests import it.
package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Lack ends a test for want of something, said by what (a name or an error): it
// is skipped, but fails where CI=true, which must have everything.
func Lack(t testing.TB, what any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(fmt.Sprint("CI must have ", what))
	}
	t.Skip("needs ", what)
}

// Program finds a program that a test needs in PATH; see [Lack].
func Program(t testing.TB, name string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Lack(t, name)
	}
	return path
}
