package rows

import (
	"fmt"
	"path/filepath"
	"testing"

	"culprit/internal/casefile"
	"culprit/internal/event"
)

// BenchmarkScan reads a case of calls, as `culprit show CASE FILTER` does when
// the filter needs calls alone. One operation is one call.
func BenchmarkScan(b *testing.B) {
	const calls = 200_000
	path := filepath.Join(b.TempDir(), "case")
	w, err := casefile.Create(path, casefile.Options{})
	if err != nil {
		b.Fatal(err)
	}
	at := event.Time(0)
	put := func(body event.Body) {
		at += 900
		w.Put(event.Event{Time: at, PID: 10, TID: 10, Body: body})
	}
	put(&event.Header{Command: []string{"x"}, Added: []string{"CULPRIT_DIR=/tmp/culprit-1"}})
	for i := range calls {
		s := &event.Syscall{Arch: event.ArchX8664, NR: 39, Ret: 10, Dur: int64(300 + i%200)} // getpid
		switch i % 5 {
		case 0:
			s.NR, s.Args, s.Ret = 257, [6]uint64{0xffffff9c, 0x2000, 0x80000}, -2
			s.Mem = []event.Mem{{Addr: 0x2000, Data: fmt.Appendf(nil, "/usr/lib/lib%d.so\x00", i%1000)}}
		case 1, 2, 3:
			s.NR, s.Args, s.Ret = 0, [6]uint64{3, 0x1000, 64}, 64
			s.Mem = []event.Mem{{At: event.Leave, Addr: 0x1000, Data: fmt.Appendf(nil, "%064d", i)}}
		}
		put(s)
	}
	put(&event.End{})
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	c, err := casefile.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for _, text := range []string{"syscall.error == EPIPE", "syscall == openat && syscall.arg.pathname contains lib999"} {
		b.Run(text, func(b *testing.B) {
			p := compile(b, text)
			b.ReportAllocs()
			found := 0
			for b.Loop() {
				for range Scan(c.Events(), p) {
					found++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/calls, "ns/call")
		})
	}
}
