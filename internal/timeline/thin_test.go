package timeline

import (
	"runtime"
	"testing"

	"culprit/internal/event"
)

// storm is a program that reads /dev/zero and writes to /dev/null n times each,
// and fails once in the middle.
func storm(n int) func(yield func(event.Event, error) bool) {
	return func(yield func(event.Event, error) bool) {
		at := event.Time(0)
		put := func(b event.Body) bool {
			at += 1000
			return yield(event.Event{Time: at, PID: 7, TID: 7, Body: b}, nil)
		}
		put(&event.Header{Command: []string{"dd"}})
		put(&event.Exec{Exe: "/bin/dd", Argv: []string{"dd"}})
		put(&event.FD{FD: 0, Link: "/dev/zero"})
		put(&event.FD{FD: 1, Link: "/dev/null"})
		for i := range n {
			mem := []event.Mem{{At: event.Leave, Addr: 0x1000, Data: make([]byte, 1)}}
			call := event.Syscall{Arch: event.ArchX8664, Args: [6]uint64{0, 0x1000, 1}, Ret: 1, Dur: 100, Mem: mem}
			read, write := call, call
			write.NR, write.Args[0] = 1, 1
			if i == n/2 {
				write.Ret = -28
			}
			if !put(&read) || !put(&write) {
				return
			}
		}
		put(&event.Exit{Status: 1 << 8})
		put(&event.End{Status: 1 << 8})
	}
}

func TestThin(t *testing.T) {
	const n = 400_000
	tl, err := Build(storm(n))
	if err != nil {
		t.Fatal(err)
	}
	if len(tl.Calls) > thinFrom || len(tl.Calls)+tl.Repeats != 2*n || len(tl.Root.Calls) != len(tl.Calls) {
		t.Errorf("%d calls, %d repeats, %d of the process", len(tl.Calls), tl.Repeats, len(tl.Root.Calls))
	}
	failed := 0
	for i, c := range tl.Calls {
		if c.Seq != i || i > 0 && c.Enter < tl.Calls[i-1].Enter {
			t.Fatalf("call %d has number %d, time %d", i, c.Seq, c.Enter)
		}
		if c.Errno() != 0 {
			failed++
		}
	}
	first, last := tl.Calls[0], tl.Calls[len(tl.Calls)-1]
	if failed != 1 || first.Enter > 10_000 || last.Enter < 2*n*1000 {
		t.Errorf("%d failed, from %d to %d", failed, first.Enter, last.Enter)
	}
	whole, err := Options{Whole: true}.Build(storm(n))
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.Calls) != 2*n || whole.Repeats != 0 {
		t.Errorf("whole: %d calls, %d repeats", len(whole.Calls), whole.Repeats)
	}
}

// BenchmarkStorm builds the timeline of two million calls and says what it keeps.
func BenchmarkStorm(b *testing.B) {
	const n = 1_000_000
	var tl *Timeline
	b.ReportAllocs()
	for b.Loop() {
		tl, _ = Build(storm(n))
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc), "bytes-kept")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2/n, "ns/call")
	runtime.KeepAlive(tl)
}
