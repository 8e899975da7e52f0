package e2e

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"culprit/e2e/stage"
)

// BenchmarkStrace runs a program that makes 40,000 calls under strace(1) and
// under `culprit strace` in turn, with both sides on one core ("pinned") and
// free, and reports culprit's time as a part of strace's: of the quickest of
// the rounds each, since others use the machine too.
func BenchmarkStrace(b *testing.B) {
	exe, err := build()
	if err != nil {
		b.Fatal(err)
	}
	stage.Need(b, "strace", "dd")
	link := filepath.Join(b.TempDir(), "strace")
	if err := os.Symlink(exe, link); err != nil {
		b.Fatal(err)
	}
	work := []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=512", "count=20000", "status=none"}
	for _, c := range []struct {
		name    string
		options []string
	}{
		{"all", []string{"-f", "-o", os.DevNull}},
		{"count", []string{"-f", "-c", "-o", os.DevNull}},
		{"one-call", []string{"-f", "-e", "trace=openat", "-o", os.DevNull}},
		{"seccomp", []string{"-f", "--seccomp-bpf", "-e", "trace=openat", "-o", os.DevNull}},
		{"descriptors", []string{"-f", "-y", "-o", os.DevNull}},
	} {
		for _, pinned := range []bool{true, false} {
			name := c.name + "/free"
			if pinned {
				name = c.name + "/pinned"
			}
			b.Run(name, func(b *testing.B) {
				if pinned {
					runtime.LockOSThread() // affinity is a thread's
					defer runtime.UnlockOSThread()
					onOneCore(b)
				}
				var culprits, straces []float64
				for b.Loop() {
					straces = append(straces, timed(b, nil, slices.Concat([]string{"strace"}, c.options, work)))
					culprits = append(culprits, timed(b, nil, slices.Concat([]string{link}, c.options, work)))
				}
				b.ReportMetric(slices.Min(culprits)/slices.Min(straces), "culprit/strace")
				b.ReportMetric(0, "ns/op") // one round is two runs: no figure of its own
			})
		}
	}
}

// onOneCore keeps this process's thread, and so what it starts, on the first
// core that it may use, until the benchmark's end.
func onOneCore(b *testing.B) {
	b.Helper()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		b.Fatal(err)
	}
	for cpu := range 8 * len(all) * 8 {
		if all.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.SchedSetaffinity(0, &all) })
}
