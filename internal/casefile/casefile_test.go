package casefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/lens"
)

var _ lens.Sink = (*Writer)(nil)

// sample returns one event of every kind with every field set, and the End
// event last.
func sample() []event.Event {
	var out []event.Event
	for i, k := range event.Kinds {
		body := k.New()
		fill(reflect.ValueOf(body).Elem(), i+1)
		out = append(out, event.Event{Time: event.Time(1000 * (i + 1)), PID: int32(i + 1), TID: int32(i + 2), Body: body})
	}
	return out
}

func fill(v reflect.Value, seed int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), seed+i+1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), seed+i)
		}
	case reflect.String:
		v.SetString(string(rune('a' + seed%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(-int64(seed))
	case reflect.Uint8:
		v.SetUint(uint64(seed % 256))
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(seed) << 10)
	default:
		panic(v.Kind())
	}
}

// record writes the events into a new spool and returns the case's path.
func record(t testing.TB, opt Options, events ...event.Event) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pcapng")
	w, err := Create(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		w.Put(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string) *Case {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// all returns the events and the texts of the errors.
func all(c *Case) (events []event.Event, damage []string) {
	for e, err := range c.Events() {
		if err != nil {
			damage = append(damage, err.Error())
			continue
		}
		events = append(events, e)
	}
	return events, damage
}

func TestSpool(t *testing.T) {
	want := sample()
	path := record(t, Options{Culprit: "1.2"}, want...)
	st, err := os.Stat(path + SpoolSuffix)
	if err != nil || st.Mode() != 0o600 {
		t.Fatal(err, st.Mode())
	}
	c := open(t, path)
	if !c.Spool() || c.Writer() != "culprit 1.2" || c.Count() != uint64(len(want)) || len(c.Lacks()) != 0 {
		t.Errorf("spool %v, writer %q, count %d, lacks %q", c.Spool(), c.Writer(), c.Count(), c.Lacks())
	}
	for range 2 { // a case can be gone through again
		got, damage := all(c)
		if d := cmp.Diff(want, got); d != "" || damage != nil {
			t.Errorf("%q (-want +got):\n%s", damage, d)
		}
	}
}

// Batches of any size give the same events, also those larger than a batch.
func TestBatches(t *testing.T) {
	var want []event.Event
	for i := range 500 {
		want = append(want, event.Event{Time: event.Time(i), PID: 1, TID: 1, Body: &event.Agent{
			Lang: "python", Data: []byte(strings.Repeat(fmt.Sprint(i), i+1)),
		}})
	}
	want = append(want, event.Event{Time: 500, Body: &event.End{}})
	for _, size := range []int{1, 1000, 1 << 16, MaxBatch} {
		c := open(t, record(t, Options{Batch: size}, want...))
		got, damage := all(c)
		if !reflect.DeepEqual(want, got) || damage != nil || c.Lacks() != nil { // a diff takes seconds here
			t.Errorf("batches of %d: %q %q\n%s", size, damage, c.Lacks(), cmp.Diff(want, got))
		}
	}
}

func TestCreateErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	live, err := Create(filepath.Join(dir, "live"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	for name, want := range map[string]string{
		"":                    "the path is empty",
		dir + "/taken":        "not a regular file",
		dir + "/missing/x":    "directory " + dir + "/missing does not exist",
		dir + "/file/x":       "not a directory",
		"/proc/self/fdinfo/x": "/proc/self/fdinfo/x",
		"/dev/null":           "not a regular file",
		dir + "/live":         "another culprit is writing to " + dir + "/live.partial",
	} {
		w, err := Create(name, Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Create(%q): %v, want %q", name, err, want)
		}
		if w != nil {
			w.Close()
		}
	}
}

// The spool that a dead writer left behind gives way; a live one doesn't.
func TestCreateReplacesOrphan(t *testing.T) {
	path := record(t, Options{}, sample()...)
	w, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if c := open(t, path); c.Count() != 0 || len(c.Lacks()) != 1 {
		t.Errorf("%d events, lacks %q", c.Count(), c.Lacks())
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"an empty file":          "",
		"text":                   "execve(\"/bin/true\") = 0\n",
		"binary data":            "\x01\x02\x03\x04\x00",
		"a gzip file":            "\x1f\x8b\x08",
		"a classic pcap capture": "\xd4\xc3\xb2\xa1\x02\x00\x04\x00",
		"an ELF program":         "\x7fELF",
	} {
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		var format *FormatError
		if !errors.Is(err, ErrNotACase) || !errors.As(err, &format) || format.Looks != name {
			t.Errorf("%q: %v, want %q", content, err, name)
		}
	}
	if _, err := Open(dir); !errors.Is(err, ErrNotACase) {
		t.Errorf("directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
