package ptrace

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/launch"
	"culprit/internal/lens"
)

// counter is a sink that encodes into one buffer, as a writer does, and keeps
// nothing.
type counter struct {
	buf   []byte
	n     int
	bytes int64
}

func (c *counter) Put(e event.Event) {
	c.buf = event.Append(c.buf[:0], e)
	c.n++
	c.bytes += int64(len(c.buf))
}

// recordCounting records without keeping, and returns this process's peak
// resident set in bytes.
func recordCounting(t testing.TB, pid int) int64 {
	t.Helper()
	// Reset the peak (proc(5), clear_refs).
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	if err := New(Options{}).Record(context.Background(), lens.Target{PID: pid}, &counter{}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if v, ok := bytes.CutPrefix(s.Bytes(), []byte("VmHWM:")); ok {
			kb, err := strconv.ParseInt(string(bytes.Fields(v)[0]), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// load is a program with its number of recorded calls, about.
type load struct {
	name  string
	argv  []string
	calls int
}

func loads(b *testing.B) []load {
	bin := prog(b)
	return []load{
		{"dd", []string{"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=20000"}, 40000},
		{"find", []string{"/usr/bin/find", "/usr/share/doc", "-type", "f", "-name", "nope"}, 0},
		{"busy", []string{bin, "busy", "20000"}, 20000},
		{"quiet", []string{bin, "quiet", "1000000"}, 1000000},
	}
}

func timePlain(b *testing.B, argv []string) time.Duration {
	cmd := exec.Command(argv[0], argv[1:]...)
	at := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v: %v", argv, err)
	}
	return time.Since(at)
}

func timeRecorded(b *testing.B, argv []string) (time.Duration, *counter) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	at := time.Now()
	pid, err := launch.Config{Path: argv[0], Argv: argv, Env: os.Environ(), FDs: []uintptr{null.Fd(), null.Fd(), null.Fd()}}.Start()
	if err != nil {
		b.Fatal(err)
	}
	c := &counter{}
	rec := New(Options{})
	if err := rec.Record(context.Background(), lens.Target{PID: pid}, c); err != nil {
		b.Fatal(err)
	}
	if st, _ := rec.Status(); st != unix.WaitStatus(0) {
		b.Fatalf("%v: wait status %#x", argv, uint32(st))
	}
	return time.Since(at), c
}

// BenchmarkOverhead runs each load plainly, recorded, and under strace, in
// turn: slowdowns as ratios, the added time of a recorded call in µs.
func BenchmarkOverhead(b *testing.B) {
	strace, noStrace := exec.LookPath("strace")
	for _, l := range loads(b) {
		b.Run(l.name, func(b *testing.B) {
			var plain, recorded, straced time.Duration
			var events int
			for b.Loop() {
				plain += timePlain(b, l.argv)
				d, c := timeRecorded(b, l.argv)
				recorded += d
				events += c.n
				if noStrace == nil {
					straced += timePlain(b, append([]string{strace, "-f", "-o", os.DevNull}, l.argv...))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(recorded)/float64(plain), "slowdown")
			b.ReportMetric(float64(straced)/float64(plain), "strace-slowdown")
			b.ReportMetric(float64(events)/float64(b.N), "events")
			n := events
			if l.name == "quiet" {
				n = l.calls * b.N
			}
			b.ReportMetric(float64(recorded-plain)/float64(n)/1e3, "µs/call")
		})
	}
}
