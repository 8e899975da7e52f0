package casefile

import (
	"path/filepath"
	"testing"

	"culprit/internal/event"
)

func openat(i int) event.Event {
	return event.Event{Time: event.Time(1<<50 + i*4000), PID: 4000, TID: 4000, Body: &event.Syscall{
		Arch: event.ArchX8664, NR: 257, Ret: 3, Dur: 4000,
		Args: [6]uint64{0xffffff9c, 0x7ffd12345678, 0x80000},
		Mem:  []event.Mem{{Addr: 0x7ffd12345678, Data: []byte("/etc/ld.so.cache\x00")}},
	}}
}

// BenchmarkPut is what a recorder waits for, one system call at a time.
func BenchmarkPut(b *testing.B) {
	w, err := Create(filepath.Join(b.TempDir(), "x"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	e := openat(0)
	b.ReportAllocs()
	for b.Loop() {
		e.Time += 4000
		w.Put(e)
	}
	b.StopTimer()
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPutData is a program that sends much: 16 KiB a call.
func BenchmarkPutData(b *testing.B) {
	w, err := Create(filepath.Join(b.TempDir(), "x"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 16<<10)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	e := event.Event{Time: 1, PID: 1, TID: 1, Body: &event.Syscall{NR: 1, Mem: []event.Mem{{Addr: 1, Data: data}}}}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		w.Put(e)
	}
	b.StopTimer()
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkEvents opens and reads a case of 100,000 system calls.
func BenchmarkEvents(b *testing.B) {
	const n = 100_000
	var events []event.Event
	for i := range n {
		events = append(events, openat(i))
	}
	path := record(b, Options{}, events...)
	b.ReportAllocs()
	for b.Loop() {
		c, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		got := 0
		for _, err := range c.Events() {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != n {
			b.Fatal(got)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
