// Package recorded gives tests the recorded cases that explain is tested with.
// Only tests import it.
package recorded

import (
	"compress/gzip"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/timeline"
)

var (
	mu   sync.Mutex
	read = map[string][]event.Event{}
)

// Cases gives the names and events of the cases whose name matches a pattern of
// path/filepath. The test's package lies in a folder of internal.
func Cases(t testing.TB, pattern string) iter.Seq2[string, []event.Event] {
	t.Helper()
	paths, err := filepath.Glob("../explain/testdata/cases/" + pattern + ".events.gz")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recorded case %s: %v", pattern, err)
	}
	return func(yield func(string, []event.Event) bool) {
		for _, path := range paths {
			if !yield(strings.TrimSuffix(filepath.Base(path), ".events.gz"), load(t, path)) {
				return
			}
		}
	}
}

// load reads a case, once.
func load(t testing.TB, path string) []event.Event {
	mu.Lock()
	defer mu.Unlock()
	if events := read[path]; events != nil {
		return events
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	events, err := casefile.ReadText(z)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	read[path] = events
	return events
}

// Each gives events as a case gives them.
func Each(events []event.Event) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Timeline is the timeline of a case.
func Timeline(t testing.TB, events []event.Event) *timeline.Timeline {
	t.Helper()
	tl, err := timeline.Build(Each(events))
	if err != nil {
		t.Fatal(err)
	}
	return tl
}
