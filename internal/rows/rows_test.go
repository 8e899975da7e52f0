package rows

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/filter"
	"culprit/internal/testkit/recorded"
)

func compile(t testing.TB, text string) *filter.Program[Row] {
	t.Helper()
	p, err := filter.Compile(Fields(), text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// passing lists the rows that a filter lets through.
func passing(rows iter.Seq[*Row], p *filter.Program[Row]) []string {
	var out []string
	for r := range rows {
		if p.Match(r) {
			out = append(out, fmt.Sprintf("%.6f %d %s", r.Seconds(), r.TID, r.Append(nil, TextOptions{})))
		}
	}
	return out
}

// TestStream compares what a stream gives with what the timeline gives, on all
// recorded cases.
func TestStream(t *testing.T) {
	for _, f := range []string{"syscall || exec || signal || exit", "process.pid > 1 && syscall.duration > 1ms && syscall.error != ENOENT"} {
		p := compile(t, f)
		if !Streams(p) {
			t.Fatalf("%s does not stream", f)
		}
		for name, events := range recorded.Cases(t, "*") {
			want := passing(All(recorded.Timeline(t, events)), p)
			got := passing(Stream(recorded.Each(events), p), p)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s, %s (-timeline +stream):\n%.2000s", name, f, d)
			}
			few := order{rows: 20, long: 1e6, slack: 100e6} // the same with little room
			got = passing(few.stream(recorded.Each(events), p), p)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s, %s (-timeline +stream in two passes):\n%.2000s", name, f, d)
			}
		}
	}
}

func TestStreams(t *testing.T) {
	for text, want := range map[string]bool{
		"syscall.error == EPIPE": true, "syscall": true, "signal == SIGPIPE": true, "syscall && frame.time_relative > 1s": true,
		"": false, "frame.time_relative > 1s": false, "!syscall": false, "http": false, "syscall && process.name == curl": false,
		"syscall || http": false, "syscall.path contains x": false,
	} {
		if got := Streams(compile(t, text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestFields checks the tables: sorted, documented, unique, with getters that
// give values of the field's type for every row there is.
func TestFields(t *testing.T) {
	for _, list := range [][]Field{frameFields, processFields, syscallFields, argFields(), kernelFields, pythonFields, netFields, packetFields, tlsFields, httpFields, http2Fields, quicFields, grpcFields, webSocketFields, dnsFields} {
		if !slices.IsSortedFunc(list, func(a, b Field) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("the table of %s is not sorted", list[0].Name)
		}
	}
	seen := map[string]bool{}
	for _, f := range Fields().Fields() {
		switch {
		case seen[f.Name]:
			t.Errorf("%s is declared twice", f.Name)
		case f.Doc == "" || strings.HasSuffix(f.Doc, ".") || len(f.Doc) > 120:
			t.Errorf("%s: documentation %q", f.Name, f.Doc)
		case f.Group&^(Said|Whole) != Envelope && f.Group != Kernel && f.Group&^(Said|Whole) != Linked:
			t.Errorf("%s: group %d", f.Name, f.Group)
		case (f.Number == nil) != (f.Word == nil):
			t.Errorf("%s: names in one direction only", f.Name)
		}
		seen[f.Name] = true
		if f.Words != nil && (f.Type != filter.String || len(f.Words()) == 0) {
			t.Errorf("%s: words", f.Name)
		}
	}
	used := map[string]bool{}
	for _, f := range packetFields {
		used[f.Name] = true // TestCapture
	}
	for r := range captures(t) {
		for _, f := range Fields().Fields() {
			if len(f.Get(r, nil)) > 0 && f.Group&Said != 0 {
				used[f.Name] = true
			}
		}
	}
	for name, events := range recorded.Cases(t, "*") {
		for r := range All(recorded.Timeline(t, events)) {
			for i := range Fields().Fields() {
				f := &Fields().Fields()[i]
				if used["syscall"] && strings.HasPrefix(f.Name, "syscall.arg.") && name[0] > 'b' {
					continue // there are many
				}
				for _, v := range f.Get(r, nil) {
					used[f.Name] = true
					if f.Words != nil && !slices.Contains(f.Words(), v.S) && !strings.HasPrefix(v.S, "syscall_") {
						t.Errorf("%s: %s is %q", name, f.Name, v.S)
					}
					if addr := f.Type == filter.IPv4; (addr || f.Type == filter.IPv6) && v.A.Is4() != addr {
						t.Errorf("%s: %s is %v", name, f.Name, v.A)
					}
					if f.Word != nil {
						if n, ok := f.Number(f.Word(v.N)); !ok || n != v.N {
							t.Errorf("%s: %s has %d, %q, %d", name, f.Name, v.N, f.Word(v.N), n)
						}
					}
				}
			}
		}
	}
	for _, f := range Fields().Fields() {
		if !used[f.Name] && !strings.HasPrefix(f.Name, "syscall.arg.") && !unrecorded[f.Name] {
			t.Errorf("no recorded case or capture has %s", f.Name)
		}
		if used[f.Name] && unrecorded[f.Name] {
			t.Errorf("there is a recorded case with %s: take it out of the list", f.Name)
		}
	}
}

// A call's row says which line of Python made it, streamed or from a timeline.
func TestCalledAt(t *testing.T) {
	events := []event.Event{
		{Time: 1, Body: &event.Header{Command: []string{"x"}}},
		{Time: 2, PID: 7, TID: 7, Body: &event.Stack{Lang: "python", ID: 3, Frames: []event.Frame{
			{File: "/usr/lib/python3.11/socket.py", Func: "send", Line: 4}, {File: "/home/x/upload.py", Func: "put", Line: 12}}}},
		{Time: 3, PID: 7, TID: 7, Body: &event.Syscall{Arch: event.ArchX8664, NR: 186, Ret: 7, Stack: 3}},
		{Time: 4, PID: 7, TID: 7, Body: &event.Syscall{Arch: event.ArchX8664, NR: 186, Ret: 7}},
		{Time: 5, Body: &event.End{}},
	}
	const filter = `py.call.file == "/home/x/upload.py" && py.call.function == "send" && py.call.line == 12`
	p := compile(t, filter)
	want := []string{"gettid() = 7  at upload.py:12 in put"}
	check := func(how string, rows iter.Seq[*Row]) {
		var got []string
		for r := range rows {
			if p.Match(r) {
				_, line, _ := strings.Cut(string(r.AppendLine(nil, TextOptions{})), " 7 ")
				got = append(got, strings.TrimSpace(line))
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", how, d)
		}
	}
	check("from a timeline", All(recorded.Timeline(t, events)))
	check("streamed", Scan(func(yield func(event.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}, p))
}

// unrecorded lists the fields that no recorded case or capture shows.
var unrecorded = map[string]bool{
	"dns.aaaa": true, "dns.cname": true, "http.cache_control": true, "http.cookie": true,
	"http.last_modified": true, "http.proxy_authorization": true, "http.referer": true, "http.set_cookie": true,
	"http.transfer_encoding": true, "http.x_forwarded_for": true, "py.cause": true,
	"websocket.payload_length_ext_16": true, "websocket.payload_length_ext_64": true,
}
