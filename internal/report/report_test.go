package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/explain"
	"culprit/internal/timeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

// refused is the diagnosis of an upload that a server refused, with every field
// that the report has.
func refused() explain.Result {
	p := &timeline.Process{PID: 70, Argv: []string{"/usr/bin/python3", "up.py"}, Exe: "/usr/bin/python3.11", Ended: true, Status: 1 << 8,
		Python: &timeline.Python{Version: "3.11.2", Hook: "traceback-here"}, Raised: []*timeline.Exception{{Type: "URLError"}}}
	conn := &timeline.Conn{ID: 1, Proc: p, Type: 1, Remote: netip.MustParseAddrPort("192.0.2.1:443"), Name: "a.example", NameBy: "DNS", Sent: 33240, Holes: 12,
		TLS: &timeline.TLS{SNI: "a.example", Version: "TLS 1.3", Done: true, Chain: []timeline.Certificate{
			{Subject: "CN=*.a.example", Issuer: "CN=CA", NotAfter: time.Date(2030, 6, 7, 0, 0, 0, 0, time.UTC)}}}}
	blind := &timeline.Conn{ID: 2, Proc: p, Type: 1, Path: "/run/secret", TLS: &timeline.TLS{Done: true, NoKeys: "no-secrets"}}
	t := &timeline.Timeline{
		Header: event.Header{Command: []string{"python3", "up.py", "<big>"}, Backend: "ptrace"},
		Start:  1_000_000_000, Root: p, Procs: []*timeline.Process{p}, Conns: []*timeline.Conn{conn, blind},
		Calls: make([]*timeline.Call, 3), End: &event.End{Status: 1 << 8},
		Notes: []timeline.Note{{Note: event.Note{Lens: "kernel", Code: "set-uid", Text: "su ran as another user"}, PID: 70},
			{Note: event.Note{Lens: "code", Code: "old", Text: "Python 2 is not looked into"}}},
		Loss:    []*event.Loss{{Lens: "wire", What: "bytes over --max-stream", Count: 2, Bytes: 4096}},
		Skipped: map[string]int{"damaged record": 2, "record of a newer culprit": 1, "agent of an unknown process": 3},
	}
	verdict := explain.Finding{
		Cause: "http-body-too-large", Title: "the server refused the upload: 413 Request Entity Too Large",
		Why:   "POST https://a.example/up announced 12,444,474 bytes. nginx answered 413 after 33,240 of them and closed.",
		Where: "up.py:85 in post: URLError", Side: explain.Server, Confidence: explain.Certain,
		Facts: []explain.Fact{{Name: "status", Value: 413}, {Name: "host", Value: "a.example"}, {Name: "sent", Value: int64(33240)}},
		Evidence: []explain.Evidence{
			{Lens: "wire", Time: 14_612_345_678, Text: "HTTP/1.1 413 Request Entity Too Large, server: nginx   (unread by the client)"},
			{Lens: "kernel", Time: 14_614_000_000, Text: "write(4, ..., 7690) = -1 EPIPE (Broken pipe)"},
		},
		Next:  []string{"send less", "have the limit raised"},
		Links: []explain.Link{{Kind: "unread", Text: "the answer lay unread", Weight: 0.9}},
		Proc:  p, Conn: conn,
	}
	other := explain.Finding{Cause: "connection-reset", Title: "the connection broke", Side: explain.Network, Confidence: explain.Possible, Proc: p}
	return explain.Result{Case: &explain.Case{T: t}, Verdict: verdict, Findings: []explain.Finding{other}}
}

// The JSON form is a contract: fields are only ever added.
func TestJSON(t *testing.T) {
	for range 20 { // maps must not show
		var b bytes.Buffer
		if err := New(refused(), "up.pcapng").Write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, "refused.json", b.Bytes())
		if t.Failed() {
			break
		}
	}
}

// What the contract promises is there even when there is nothing to say.
func TestJSONEmpty(t *testing.T) {
	r := explain.Result{Case: &explain.Case{T: &timeline.Timeline{}}, Verdict: explain.Finding{Cause: "unknown"}}
	var b bytes.Buffer
	if err := New(r, "").Write(&b); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"schema", "command", "exit", "verdict", "findings", "coverage"} {
		if _, ok := got[field]; !ok {
			t.Errorf("there is no %q", field)
		}
	}
	if string(got["findings"]) != "[]" || string(got["exit"]) != "{}" {
		t.Errorf("findings %s, exit %s", got["findings"], got["exit"])
	}
	var v map[string]json.RawMessage
	if err := json.Unmarshal(got["verdict"], &v); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{"cause": `"unknown"`, "title": `""`, "confidence": `""`, "side": `""`, "facts": "{}", "evidence": "[]", "next": "[]"} {
		if string(v[field]) != want {
			t.Errorf("%s is %s, want %s", field, v[field], want)
		}
	}
	var c map[string]map[string]any
	if err := json.Unmarshal(got["coverage"], &c); err != nil {
		t.Fatal(err)
	}
	for _, lens := range []string{"kernel", "code", "wire"} {
		if c[lens] == nil {
			t.Errorf("coverage has no %s", lens)
		}
	}
}

func TestExit(t *testing.T) {
	zero, seven := 0, 7
	tests := []struct {
		end  *event.End
		want Exit
	}{
		{nil, Exit{}},
		{&event.End{}, Exit{Code: &zero}},
		{&event.End{Status: 7 << 8}, Exit{Code: &seven}},
		{&event.End{Status: 15, Timeout: true}, Exit{Signal: "SIGTERM", Timeout: true}},
		{&event.End{Status: 11 | 0x80}, Exit{Signal: "SIGSEGV"}}, // with a core
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, ExitOf(&timeline.Timeline{End: tt.end})); d != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.end, d)
		}
	}
}

func TestText(t *testing.T) {
	long := refused()
	for range 10 {
		long.Verdict.Evidence = append(long.Verdict.Evidence, explain.Evidence{Lens: "code", Time: 15_000_000_000, Text: "one more"})
	}
	long.Verdict.Confidence = explain.Likely
	tests := []struct {
		golden string
		result explain.Result
		o      TextOptions
	}{
		{"short.txt", refused(), TextOptions{Case: "up.pcapng"}},
		{"full.txt", refused(), TextOptions{Full: true}},
		{"narrow.txt", refused(), TextOptions{Width: 50}},
		{"color.txt", refused(), TextOptions{Color: true, Width: 80}},
		{"long.txt", long, TextOptions{}},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			var b bytes.Buffer
			if err := Text(&b, tt.result, tt.o); err != nil {
				t.Fatal(err)
			}
			golden(t, tt.golden, b.Bytes())
			if plain := !strings.Contains(b.String(), "\x1b"); plain == tt.o.Color {
				t.Errorf("colour is %v, wanted %v", !plain, tt.o.Color)
			}
		})
	}
}

func TestTitleColors(t *testing.T) {
	for cause, sgr := range map[string]string{"ok": "32", "unknown": "33", "file-missing": "1;31"} {
		var b bytes.Buffer
		r := explain.Result{Case: &explain.Case{T: &timeline.Timeline{}}, Verdict: explain.Finding{Cause: cause, Title: "the title"}}
		if err := Text(&b, r, TextOptions{Color: true}); err != nil {
			t.Fatal(err)
		}
		if want := "\x1b[" + sgr + "mthe title\x1b[0m"; !strings.Contains(b.String(), want) {
			t.Errorf("%s: %q", cause, b.String())
		}
	}
}

type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, os.ErrClosed
	}
	return len(b), nil
}

func TestTextError(t *testing.T) {
	for left := range 300 {
		if err := Text(&full{left}, refused(), TextOptions{}); err == nil {
			t.Fatalf("no error after %d bytes", left)
		}
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		text string
		room int
		want []string
	}{
		{"", 10, []string{""}},
		{"short", 10, []string{"short"}},
		{"exactly it", 10, []string{"exactly it"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 8, []string{"one two", "three"}},
		{"averylongword", 5, []string{"averylongword"}},
		{"a averylongword b c", 5, []string{"a", "averylongword", "b c"}},
		{"ää öö üü", 5, []string{"ää öö", "üü"}}, // columns, not bytes
		{"two  blanks   are kept  inside", 11, []string{"two  blanks", "are kept", "inside"}},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, wrap(tt.text, tt.room)); d != "" {
			t.Errorf("%q to %d (-want +got):\n%s", tt.text, tt.room, d)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("one two three", 7)
	f.Add("a\xffb  c", 1)
	f.Add("   ", 2)
	f.Fuzz(func(t *testing.T, text string, room int) {
		room = min(max(room, 1), 200)
		words := 0
		for _, l := range wrap(text, room) {
			words += len(strings.Fields(l))
			if utf8.RuneCountInString(l) > room && strings.Contains(strings.Trim(l, " "), " ") {
				t.Errorf("line %q is longer than %d", l, room)
			}
		}
		if want := len(strings.Fields(text)); words != want {
			t.Errorf("%d words of %d", words, want)
		}
	})
}

// A broken recording says so, whatever else there is to say.
func TestCaveats(t *testing.T) {
	r := refused()
	r.Case.T.End = nil
	for range 5 {
		r.Case.T.Loss = append(r.Case.T.Loss, &event.Loss{Lens: "kernel", What: "events", Count: 1})
	}
	got := Caveats(r.Case.T)
	if len(got) != 5 || !strings.Contains(got[0], "cut off") || !strings.HasSuffix(got[4], "more, in the coverage of the report") {
		t.Errorf("%q", got)
	}
}
