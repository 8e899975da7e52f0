package python

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests that CPython has of itself end the same with the agent and without.
// test_monitoring is left out: it fails where any other tool is in use.
func TestPythonsOwn(t *testing.T) {
	ran := false
	each(t, func(t *testing.T, py string, env []string) {
		if strings.Contains(t.Name(), "-") {
			return // other ways of seeing exceptions show in tests of sys.settrace
		}
		names := []string{"test_raise", "test_with", "test_contextlib", "test_generators",
			"test_exceptions.ExceptionTests.testSettingException", "test_exceptions.ExceptionTests.testInfiniteRecursion"}
		if !old(t, py) {
			names = append(names, "test_exception_group", "test_exceptions.ExceptionTests.test_recursion_error_cleanup")
		}
		argv := append([]string{py, script("own.py")}, names...)
		want := plain(t, "", env, argv...)
		if want.Status == "exit status 77" {
			t.Skip("no test package")
		}
		ran = true
		if n := strings.Count(want.Stdout, " ok\n"); n < 150 {
			t.Fatalf("%d tests passed without the agent: %+v", n, want)
		}
		if d := cmp.Diff(strings.Split(want.Stdout, "\n"), strings.Split(record(t, "", env, argv...).Stdout, "\n")); d != "" {
			t.Errorf("without (-) and with (+) the agent:\n%s", d)
		}
	})
	if !ran && os.Getenv("CI") == "true" {
		t.Error("no Python with its test package (Debian: libpython3-testsuite)")
	}
}
