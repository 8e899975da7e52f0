package explain

import (
	"regexp"
	"sync"
)

// pattern is a regular expression that is compiled when it is first used: every
// start of culprit, also one that explains nothing, would pay for the lot.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
