package event

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// calls are calls that are like the one before, and unlike it in every way.
func calls() []Event {
	mem := []Mem{{At: Leave, Addr: 0x7f00, Data: []byte("abc")}}
	call := func(at Time, tid int32, s Syscall) Event { return Event{Time: at, PID: 7, TID: tid, Body: &s} }
	read := Syscall{Arch: ArchX8664, Args: [6]uint64{0, 0x7f00, 3}, Ret: 3, Dur: 400, Mem: mem}
	list := []Event{call(1000, 7, read)}
	add := func(change func(s *Syscall)) {
		s := *list[len(list)-1].Body.(*Syscall)
		change(&s)
		list = append(list, call(list[len(list)-1].Time+1500, 7, s))
	}
	add(func(*Syscall) {})
	add(func(s *Syscall) { s.Dur = 0 })
	add(func(s *Syscall) { s.Args[1], s.Args[5] = 0, math.MaxUint64 })
	add(func(s *Syscall) { s.Ret = -11 })
	add(func(s *Syscall) { s.Ret = math.MinInt64 })
	add(func(s *Syscall) { s.Ret = math.MaxInt64 })
	add(func(s *Syscall) { s.Mem = nil })
	add(func(s *Syscall) { s.Mem = []Mem{{Addr: 1, Data: []byte("x")}, {Addr: 2}} })
	add(func(s *Syscall) { s.Mem = []Mem{{Addr: 1, Data: make([]byte, 200)}} })
	add(func(*Syscall) {})
	add(func(s *Syscall) { s.Mem = []Mem{{Addr: 1, Data: make([]byte, 2*keepMemory)}} })
	add(func(*Syscall) {})
	add(func(s *Syscall) { s.Flags = Unfinished })
	add(func(s *Syscall) { s.Stack = 9 })
	add(func(s *Syscall) { s.NR = 1 })
	// Another thread and number in the same slot.
	list = append(list, call(1, 7+slots, read), call(2, 7, read), Event{Time: 3, Body: &End{}}, call(4, 7, read))
	return list
}

func TestRepeat(t *testing.T) {
	var x Encoder
	var b []byte
	plain := 0
	want := append(calls(), filled()...)
	for _, e := range want {
		b = x.Append(b, e)
		plain += len(Append(nil, e))
	}
	if len(b) >= plain {
		t.Errorf("%d bytes, %d without repeats", len(b), plain)
	}
	var d Decoder
	for i, w := range want {
		e, rest, err := d.Decode(b)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if d := cmp.Diff(w, e); d != "" {
			t.Errorf("%d (-want +got):\n%s", i, d)
		}
		b = rest
	}
	if len(b) != 0 {
		t.Errorf("%d bytes left over", len(b))
	}
}

// A call must not be taken for one like a call that could not be read.
func TestRepeatOfDamage(t *testing.T) {
	var x Encoder
	list := calls()
	first := x.Append(nil, list[0])
	second := x.Append(nil, list[1])
	if len(second) > 10 {
		t.Errorf("a call like the one before takes %d bytes", len(second))
	}
	var d Decoder
	if _, _, err := d.Decode(second); !errors.Is(err, ErrDamaged) {
		t.Errorf("without the first: %v", err)
	}
	if _, _, err := d.Decode(first); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Decode(second[:len(second)-1]); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut: %v", err)
	}
	if _, _, err := d.Decode(second); !errors.Is(err, ErrDamaged) {
		t.Errorf("behind damage: %v", err)
	}
}

func FuzzDecoder(f *testing.F) {
	var x Encoder
	var b []byte
	for _, e := range calls() {
		b = x.Append(b, e)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Decoder
		var x Encoder
		var out []byte
		var list []Event
		for len(b) > 0 {
			e, rest, err := d.Decode(b)
			if b = rest; err != nil {
				continue
			}
			list = append(list, e)
			out = x.Append(out, e)
		}
		// What was understood survives being written and read again.
		d = Decoder{}
		for _, w := range list {
			e, rest, err := d.Decode(out)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(w, e); d != "" {
				t.Fatal(d)
			}
			out = rest
		}
	})
}

func BenchmarkRepeat(b *testing.B) {
	e := calls()[0]
	var x Encoder
	buf := make([]byte, 0, 1<<12)
	b.ReportAllocs()
	for b.Loop() {
		e.Time += 1500
		buf = x.Append(buf[:0], e)
	}
}
