package casefile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"culprit/internal/event"
	"culprit/internal/pcapng"
)

// A finished case has all its events in one block. Cut anywhere in it, what
// stands before the cut is read, Lacks says how much that is, and laying it
// out anew keeps it.
func TestCutFinished(t *testing.T) {
	const n = 5000
	var events []event.Event
	for i := range n {
		events = append(events, numbered(i, fmt.Appendf(nil, "%08d%x", i*i, i*7919)))
	}
	events = append(events, event.Event{Time: n, Body: &event.End{}})
	path := record(t, Options{Batch: 8 << 10}, events...)
	if err := Finish(path, path, Layout{}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if c := open(t, path); c.batches != 1 || len(c.Lacks()) > 0 {
		t.Fatalf("%d batches, lacks %q", c.batches, c.Lacks())
	}
	start := int(open(t, path).start) + 12 + HeaderSize
	before := n + 2
	for _, cut := range []int{len(whole) - 1, len(whole) - 4, len(whole) - 9, len(whole) - 3000, (start + len(whole)) / 2, start + 1, start, start - 30} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "cut")
			if err := os.WriteFile(name, whole[:cut], 0o600); err != nil {
				t.Fatal(err)
			}
			c := open(t, name)
			if lacks := strings.Join(c.Lacks(), "\n"); !strings.Contains(lacks, "the file ends inside a block") {
				t.Errorf("lacks %q", lacks)
			}
			got, damage := all(c)
			if damage != nil {
				t.Errorf("damage %q", damage)
			}
			for i, e := range got {
				if e.Time != events[i].Time {
					t.Fatalf("event %d has time %d, want %d", i, e.Time, events[i].Time)
				}
			}
			// At most a zstd frame's worth, a spool's batch, is lost at the cut.
			least := max(0, (cut-start)*n/(len(whole)-start)-n/8)
			if len(got) < least || len(got) > before {
				t.Errorf("%d events, want between %d and %d", len(got), least, before)
			}
			before = len(got)
			lacks := strings.Join(c.Lacks(), "\n")
			if lost := n + 1 - len(got); lost > 0 && cut > start && !strings.Contains(lacks, fmt.Sprintf("%d of the %d events", lost, n+1)) {
				t.Errorf("%d events, lacks %q", len(got), lacks)
			}
			ended := len(got) == n+1
			if ended == strings.Contains(lacks, "no end event") {
				t.Errorf("with the end event %v: lacks %q", ended, lacks)
			}
			out := filepath.Join(t.TempDir(), "again")
			if err := Finish(name, out, Layout{}); err != nil {
				t.Fatal(err)
			}
			after := open(t, out)
			if again, damage := all(after); len(again) != len(got) || damage != nil {
				t.Errorf("%d events laid out anew, %d before, damage %q", len(again), len(got), damage)
			}
			if whole := len(after.Lacks()) == 0; whole != ended {
				t.Errorf("with the end event %v, laid out anew: lacks %q", ended, after.Lacks())
			}
		})
	}
}

// A batch that the file ends in is hostile input too.
func TestTornHostile(t *testing.T) {
	head := pcapng.Append(nil, sectionBlock("1"), nil)
	block := func(change func(*batch)) []byte {
		h := batch{Version: Version, Count: 3, RawSize: 1 << 20, Payload: []byte("not zstd, and cut off")}
		change(&h)
		data := append(h.appendHeader(nil), h.Payload...)
		b := pcapng.Append(nil, &pcapng.Custom{PEN: pcapng.ExamplePEN, Data: append(data, make([]byte, 100)...)}, nil)
		return append(head[:len(head):len(head)], b[:12+HeaderSize+10]...)
	}
	tests := []struct {
		name string
		data []byte
		err  string // of Open, "" for none
	}{
		{"no-zstd", block(func(*batch) {}), ""},
		{"too-large", block(func(h *batch) { h.RawSize = MaxBatch + 1 }), ""},
		{"more-events-than-bytes", block(func(h *batch) { h.Count = 1<<20 + 1 }), ""},
		{"newer", block(func(h *batch) { h.Version = Version + 1 }), "reads up to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := Open(path)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if events, _ := all(c); len(events) != 0 || len(c.Lacks()) < 2 {
				t.Errorf("%d events, lacks %q", len(events), c.Lacks())
			}
		})
	}
}
