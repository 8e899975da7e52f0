package event

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filled returns a body of every kind with every field set to something else
// than zero, so that a forgotten field shows as a difference.
func filled() []Event {
	var out []Event
	for i, k := range Kinds {
		body := k.New()
		fill(reflect.ValueOf(body).Elem(), i+1)
		out = append(out, Event{Time: Time(1000 * (i + 1)), PID: int32(i + 1), TID: int32(i + 2), Body: body})
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
		v.SetUint(1)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(seed) << 20)
	default:
		panic(v.Kind())
	}
}

func TestRoundTrip(t *testing.T) {
	var b []byte
	want := filled()
	for _, e := range want {
		b = Append(b, e)
	}
	for _, w := range want {
		got, rest, err := Decode(b)
		if err != nil {
			t.Fatalf("%v: %v", w.Body.Kind(), err)
		}
		if d := cmp.Diff(w, got); d != "" {
			t.Errorf("%v (-want +got):\n%s", w.Body.Kind(), d)
		}
		b = rest
	}
	if len(b) != 0 {
		t.Errorf("%d bytes left over", len(b))
	}
}

// An older writer's body ends before the newer fields; they read as zero.
func TestOlderBody(t *testing.T) {
	b := Append(nil, Event{Time: 5, Body: &Secrets{Source: "agent", Lines: []byte("x")}})
	b = b[:len(b)-2] // without Lines
	b[0] -= 2
	e, _, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&Secrets{Source: "agent"}, e.Body); d != "" {
		t.Error(d)
	}
}

func TestNewerKind(t *testing.T) {
	b := Append(nil, Event{Time: 7, PID: 3, Body: &Unknown{Raw: 999, Data: []byte("future")}})
	e, rest, err := Decode(b)
	if err != nil || len(rest) != 0 {
		t.Fatal(err, rest)
	}
	if e.Body.Kind().String() != "kind(999)" {
		t.Errorf("kind %v", e.Body.Kind())
	}
	if again := Append(nil, e); !bytes.Equal(b, again) {
		t.Errorf("rewritten as %x, was %x", again, b)
	}
}

func TestKindTable(t *testing.T) {
	for i, k := range Kinds {
		if int(k.Kind) != i+1 || k.New().Kind() != k.Kind || KindOf(k.Name) != k.Kind {
			t.Errorf("row %d of Kinds is out of step: %v %q", i, k.Kind, k.Name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range filled() {
		f.Add(Append(nil, e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, _, err := Decode(b)
		if err != nil {
			return
		}
		// What was understood survives being written and read again.
		again, rest, err := Decode(Append(nil, e))
		if err != nil || len(rest) != 0 {
			t.Fatalf("second reading: %v, %d bytes left", err, len(rest))
		}
		if d := cmp.Diff(e, again); d != "" {
			t.Fatal(d)
		}
	})
}

func BenchmarkAppendSyscall(b *testing.B) {
	e := Event{Time: 1 << 50, PID: 4000, TID: 4000, Body: &Syscall{
		Arch: ArchX8664, NR: 257, Ret: 3, Dur: 4000,
		Args: [6]uint64{0xffffff9c, 0x7ffd12345678, 0x80000},
		Mem:  []Mem{{Addr: 0x7ffd12345678, Data: []byte("/etc/ld.so.cache\x00")}},
	}}
	buf := make([]byte, 0, 1<<12)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], e)
	}
}
