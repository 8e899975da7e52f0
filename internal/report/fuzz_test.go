package report

import (
	"bytes"
	"io"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/explain"
	"culprit/internal/timeline"
	"culprit/internal/wireshark"
)

// FuzzReport takes any bytes as a recording through all that follows one:
// timeline, diagnosis, text, JSON, and what Wireshark sees.
func FuzzReport(f *testing.F) {
	script, err := txtar.ParseFile("../../cmd/culprit/testdata/script/views.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range script.Files {
		if file.Name != "curl.jsonl" {
			continue
		}
		events, err := casefile.ReadText(bytes.NewReader(file.Data))
		if err != nil {
			f.Fatal(err)
		}
		var b []byte
		for _, e := range events {
			b = event.Append(b, e)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tl, err := timeline.Build(func(yield func(event.Event, error) bool) {
			for len(b) > 0 {
				var e event.Event
				var err error
				if e, b, err = event.Decode(b); !yield(e, err) {
					return
				}
			}
		})
		if err != nil {
			return
		}
		r := explain.Explain(tl)
		if r.Verdict.Cause == "" {
			t.Error("a verdict without a cause")
		}
		if err := New(r, "x").Write(io.Discard); err != nil {
			t.Error(err)
		}
		if err := Text(io.Discard, r, TextOptions{Full: true}); err != nil {
			t.Error(err)
		}
		for _, p := range wireshark.Layout(tl, r.Verdict, "x").Packets {
			if len(p.Data) > 1<<16 {
				t.Errorf("a packet of %d bytes", len(p.Data))
			}
		}
	})
}
