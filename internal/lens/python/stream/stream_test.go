package stream

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Marshal builders, version 2.
func i32(v int32) string { return "i" + string(binary.LittleEndian.AppendUint32(nil, uint32(v))) }
func str(v string) string {
	return "u" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(v)))) + v
}
func tup(v ...string) string {
	s := "(" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(v))))
	for _, x := range v {
		s += x
	}
	return s
}

func rec(b []byte, typ byte, time uint64, tid uint32, body string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(24+len(body)))
	b = append(b, typ, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, time)
	b = binary.LittleEndian.AppendUint64(b, uint64(tid))
	b = append(b, body...)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

func story() []byte {
	var b []byte
	b = rec(b, 'I', 1, 9, tup(str("3.11.2"), str("/usr/bin/python3"), tup(str("python3")), tup(i32(1), i32(0), i32(0)), str("hook"), tup(), i32(4)))
	b = rec(b, 'S', 2, 9, tup(i32(1), str("/a/\xed\xb3\xbf.py")))
	b = rec(b, 'C', 3, 9, tup(i32(1), i32(1), str("f"), i32(10)))
	b = rec(b, 'S', 4, 9, tup(i32(2), str("KeyError")))
	b = rec(b, 'R', 5, 9, tup(i32(1), tup(i32(2)), str("'x'"), i32(1), i32(12), i32(0), i32(0),
		tup(tup(str("key"), str("x")), tup(str("none"), "N"), tup(str("group"), tup(tup(i32(7), str("T"), str("t"))))),
		tup(tup(i32(1), i32(12)))))
	b = rec(b, 'U', 6, 9, tup(i32(1), i32(1), i32(12), tup(tup(str("v"), str("int"), str("1"))), i32(0), i32(0)))
	b = rec(b, 'Z', 7, 9, tup(i32(1)))
	return b
}

func TestRecords(t *testing.T) {
	f := Frame{File: "/a/\xff.py", Func: "f", First: 10, Line: 12}
	want := []Record{
		{Time: 1, TID: 9, Body: &Hello{Version: "3.11.2", Executable: "/usr/bin/python3", Argv: []string{"python3"}, Mode: "hook", Hooks: []string{}, Dev: true, Parent: 4}},
		{Time: 5, TID: 9, Body: &Raised{Exc: 1, Type: "KeyError", MRO: []string{"KeyError"}, Text: "'x'", Frame: f,
			Attrs: []KV{{"key", "x"}, {"none", nil}}, Group: []Member{{7, "T", "t"}}, Stack: []Frame{f}}},
		{Time: 6, TID: 9, Body: &Left{Exc: 1, Frame: f, Locals: []Local{{"v", "int", "1"}}}},
		{Time: 7, TID: 9, Body: &Done{RC: 1}},
	}
	var s State
	var got []Record
	for r := range s.Records(story()) {
		got = append(got, r)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s.Damaged+s.Unknown+s.Unresolved != 0 {
		t.Errorf("%+v", s)
	}
}

// A damaged record costs itself only.
func TestDamage(t *testing.T) {
	cases := map[string]string{
		"huge count":   "(\xff\xff\xff\xff",
		"cut":          "(\x02\x00\x00\x00i\x01",
		"other type":   "x",
		"no tuple":     i32(1),
		"wrong fields": tup(str("a"), str("b")),
		"deep":         tup(tup(tup(tup(tup(tup(tup(tup(tup(tup(tup(tup(tup(tup(tup())))))))))))))),
		"long":         tup("l\xff\xff\xff\x7f"),
	}
	for name, body := range cases {
		var s State
		b := rec(nil, 'F', 1, 1, body)
		b = rec(b, 'Z', 2, 1, tup(i32(0)))
		b = rec(b, '!', 3, 1, tup())
		var got []Record
		for r := range s.Records(b) {
			got = append(got, r)
		}
		if len(got) != 1 || s.Damaged != 1 || s.Unknown != 1 {
			t.Errorf("%s: %d records, %+v", name, len(got), s)
		}
	}
}

func TestIntegers(t *testing.T) {
	for body, want := range map[string]any{
		"l\x03\x00\x00\x00\xff\x7f\xff\x7f\x01\x00":                      int64(1<<31 - 1),
		"l\xfe\xff\xff\xff\x00\x00\x02\x00":                              int64(-65536),
		"l\x05\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00": "18446744073709551616",
		"i\xff\xff\xff\xff":                                              int64(-1),
		"g\x00\x00\x00\x00\x00\x00\xf0\x3f":                              1.0,
		"s\x01\x00\x00\x00a":                                             []byte("a"),
		"T":                                                              true, "F": false, "N": nil,
	} {
		got, err := unmarshal([]byte(body))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%q: %v %s", body, err, d)
		}
	}
}

// A ring is read around its end, and nonsense in it ends the reading only.
func TestDrain(t *testing.T) {
	one := rec(nil, 'Z', 1, 1, tup(i32(0))) // 40 bytes
	area := make([]byte, 96)
	copy(area, one)
	copy(area[40:], one)
	binary.LittleEndian.PutUint32(area[80:], 16) // filler
	out, next, bad := Drain(nil, area, 0, 96)
	if len(out) != 80 || next != 96 || bad != 0 {
		t.Fatalf("%d %d %d", len(out), next, bad)
	}
	if out, next, bad = Drain(out[:0], area, 40, 136); len(out) != 80 || next != 136 || bad != 0 {
		t.Fatalf("around the end: %d %d %d", len(out), next, bad)
	}
	for _, c := range []struct{ tail, head, bad uint64 }{{0, 200, 96}, {8, 0, 96}, {80, 100, 20}, {88, 96, 8}} {
		if out, next, bad := Drain(nil, area, c.tail, c.head); len(out) != 0 || next != c.head || bad != c.bad {
			t.Errorf("%+v: %d %d %d", c, len(out), next, bad)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(story())
	f.Fuzz(func(t *testing.T, b []byte) {
		var s State
		n := 0
		for range s.Records(b) {
			n++
		}
		if n > len(b)/recordHead {
			t.Fatalf("%d records in %d bytes", n, len(b))
		}
	})
}

func FuzzDrain(f *testing.F) {
	f.Add(append(story(), make([]byte, 16)...), uint64(0), uint64(8))
	f.Fuzz(func(t *testing.T, area []byte, tail, head uint64) {
		area = area[:len(area)&^7]
		if len(area) == 0 {
			return
		}
		out, next, _ := Drain(nil, area, tail, head)
		if next != head || len(out) > len(area) {
			t.Fatalf("%d bytes, next %d of %d", len(out), next, head)
		}
	})
}

func BenchmarkRecords(b *testing.B) {
	data := story()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var s State
		for range s.Records(data) {
		}
	}
}

// held is what threads.py leaves of a thread with one frame and one variable, as
// marshal.dumps(..., 2) writes it.
const held = "[\x01\x00\x00\x00(\x02\x00\x00\x00i\x07\x00\x00\x00[\x01\x00\x00\x00(\x04\x00\x00\x00u\x01\x00\x00\x00fu\x01\x00\x00\x00gi\x09\x00\x00\x00" +
	"(\x01\x00\x00\x00(\x03\x00\x00\x00u\x01\x00\x00\x00nu\x03\x00\x00\x00intu\x01\x00\x00\x001"

func TestThreads(t *testing.T) {
	got, err := Threads([]byte(held))
	want := []Held{{Ident: 7, Frames: []HeldFrame{{File: "f", Func: "g", Line: 9, Locals: []Local{{"n", "int", "1"}}}}}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, d)
	}
	for _, bad := range []string{"", "N", "[\x00\x00\x00\x00", "[\x01\x00\x00\x00N", held[:len(held)-1]} {
		if got, err := Threads([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func FuzzThreads(f *testing.F) {
	f.Add([]byte(held))
	f.Fuzz(func(t *testing.T, b []byte) {
		threads, err := Threads(b)
		if (err == nil) != (threads != nil) || len(threads) > len(b) {
			t.Fatalf("%d threads in %d bytes, %v", len(threads), len(b), err)
		}
	})
}
