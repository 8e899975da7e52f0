package ebpf

import (
	"testing"

	"culprit/internal/event"
)

// A Python program that the agent does not come into is told of.
func TestWithoutAgent(t *testing.T) {
	need(t)
	t.Setenv("CULPRIT_DIR", "/x")
	const nap = "import time; time.sleep(.5)"
	for _, c := range []struct {
		argv []string
		want bool
	}{
		{[]string{"python3", "-c", nap}, false},
		{[]string{"env", "-i", "python3", "-c", nap}, true},
		{[]string{"python3", "-I", "-c", nap}, true},
		{[]string{"sleep", "0.1"}, false},
	} {
		got := false
		for _, e := range run(t, Options{Env: []string{"CULPRIT_DIR=/x"}}, c.argv...) {
			if n, ok := e.Body.(*event.Note); ok && n.Code == "no-agent" {
				got = true
			}
		}
		if got != c.want {
			t.Errorf("%q: %v", c.argv, got)
		}
	}
}
