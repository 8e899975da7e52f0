package ebpf

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"culprit/internal/event"
	"culprit/internal/procfs"
)

// interpreter matches the base names of Python interpreters.
var interpreter = regexp.MustCompile(`^python([23](\.[0-9]+)?[td]*)?$`)

// withoutAgent reports whether a Python interpreter was started so that the agent
// is not loaded: without the variables of added, or told to ignore them (-E, -I)
// or the site directory (-S). One that is gone already can't be asked.
func withoutAgent(pid int32, x *event.Exec, added []string) bool {
	if !interpreter.MatchString(filepath.Base(x.Exe)) {
		return false
	}
	for _, a := range x.Argv[min(1, len(x.Argv)):] {
		if !strings.HasPrefix(a, "-") || strings.HasPrefix(a, "-c") || strings.HasPrefix(a, "-m") {
			break
		}
		if !strings.HasPrefix(a, "--") && strings.ContainsAny(a, "EIS") {
			return true
		}
	}
	has := procfs.Environ(pid)
	if _, alive := procfs.Link(procfs.Path(pid, "/exe")); !alive {
		return false
	}
	return slices.ContainsFunc(added, func(v string) bool {
		name, value, _ := strings.Cut(v, "=")
		return !slices.ContainsFunc(has, func(h string) bool {
			is, ok := strings.CutPrefix(h, name+"=")
			own, _, _ := strings.Cut(value, ":") // of PYTHONPATH the program may have added to it
			return ok && (name != "PYTHONPATH" || strings.Contains(is, own))
		})
	})
}
