package casefile

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

// awkward are events whose text form is not the plain one.
func awkward() []event.Event {
	return []event.Event{
		{Time: -5, Body: &event.Note{}},
		{Time: 1 << 62, PID: -1, TID: -1, Body: &event.Exec{Exe: "/bin/caf\xe9", Argv: []string{"", "a<b>&c", "\xff"}}},
		{Time: 1, Body: &event.Agent{Lang: "python", Data: []byte("line\n\ttab \x00")}},
		{Time: 2, Body: &event.Agent{Data: []byte("übung 世界\r\n")}},
		{Time: 3, Body: &event.Agent{Data: []byte("\xe2\x80\xa8 \ufffd")}},
		{Time: 4, PID: 7, TID: 8, Body: &event.Syscall{
			Arch: event.ArchX8664, NR: 1, Args: [6]uint64{4, 0x7ffc00001000, 0x10000}, Ret: -32, Dur: 1000,
			Mem: []event.Mem{{Addr: 0x7ffc00001000, Data: []byte("POST / HTTP/1.1\r\n")}, {At: event.Leave, Addr: ^uint64(0)}},
		}},
		{Time: 6, Body: &event.Unknown{Raw: 999, Data: []byte{0xfe}}},
	}
}

func TestTextRoundTrip(t *testing.T) {
	want := append(sample(), awkward()...)
	var b bytes.Buffer
	if err := WriteText(&b, All(want...)); err != nil {
		t.Fatal(err)
	}
	got, err := ReadText(&b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTextGolden(t *testing.T) {
	const golden = "testdata/events.jsonl"
	var b bytes.Buffer
	if err := WriteText(&b, All(append(sample(), awkward()...)...)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The envelope's names must stay free.
func TestTextNames(t *testing.T) {
	for _, k := range event.Kinds {
		typ := reflect.TypeOf(k.New()).Elem()
		seen := map[string]bool{"t": true, "pid": true, "tid": true, "kind": true}
		for i := range typ.NumField() {
			name := strings.ToLower(typ.Field(i).Name)
			if seen[name] {
				t.Errorf("%s: the name %q is used twice", k.Name, name)
			}
			seen[name] = true
		}
	}
}

func TestReadTextErrors(t *testing.T) {
	for in, want := range map[string]string{
		`x`:                                     "line 1: invalid character",
		"# comment\n\n{}":                       `line 3: no "`,
		`{"t":1,"pid":1,"tid":1,"kind":"fish"}`: `no kind is called "fish"`,
		`{"t":1,"pid":1,"tid":1,"kind":"kind(2)"}`:                         `no kind is called "kind(2)"`,
		`{"t":1,"pid":1,"tid":1,"kind":"kind(70000)"}`:                     `no kind is called`,
		`{"t":1,"pid":1,"tid":1,"kind":"kind(999)","x":1}`:                 `no field "x"`,
		`{"t":1,"pid":1,"tid":1,"kind":"exit","colour":1}`:                 `no field "colour"`,
		`{"t":1,"pid":1,"tid":1,"kind":"exit","status":-1}`:                `"status"`,
		`{"t":1,"pid":1,"tid":1,"kind":"exit","status":4294967296}`:        `"status"`,
		`{"t":1,"pid":4294967296,"tid":1,"kind":"exit"}`:                   `"pid"`,
		`{"t":1,"pid":1,"tid":1,"kind":"agent","data":{"hex":"00"}}`:       `"data"`,
		`{"t":1,"pid":1,"tid":1,"kind":"agent","data":7}`:                  `"data"`,
		`{"t":1,"pid":1,"tid":1,"kind":"syscall","args":[1,2,3,4,5,6,7]}`:  "at most 6",
		`{"t":1,"pid":1,"tid":1,"kind":"syscall","mem":[{"addr":"0xzz"}]}`: `"addr"`,
	} {
		_, err := ReadText(strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

func FuzzReadText(f *testing.F) {
	var b bytes.Buffer
	if err := WriteText(&b, All(append(sample(), awkward()...)...)); err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(b.Bytes()) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := ReadText(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteText(&b, All(events...)); err != nil {
			t.Fatal(err)
		}
		again, err := ReadText(&b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(events, again); d != "" {
			t.Fatal(d)
		}
	})
}
