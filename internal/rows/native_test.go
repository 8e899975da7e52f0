package rows

import (
	"slices"
	"strings"
	"testing"

	"culprit/internal/testkit/recorded"
)

// A crash's stack is a row, from a timeline and streamed.
func TestNative(t *testing.T) {
	p := compile(t, `native.function == "put" && native.object contains "libtable"`)
	for name, events := range recorded.Cases(t, "crashed.library") {
		got := passing(All(recorded.Timeline(t, events)), p)
		if len(got) != 1 || !strings.Contains(got[0], " --- in put+0x2 (libtable.so) < fill+0xd (libtable.so) < build+0xf (deep) < main+0x8 (deep) < ") {
			t.Errorf("%s: %q", name, got)
		}
		if streamed := passing(Scan(recorded.Each(events), p), p); !Streams(p) || !slices.Equal(got, streamed) {
			t.Errorf("%s, streamed: %q", name, streamed)
		}
	}
}
