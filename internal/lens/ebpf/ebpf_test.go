package ebpf

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"culprit/internal/event"
	"culprit/internal/launch"
	"culprit/internal/lens"
	"culprit/internal/testkit"
)

// collector keeps what it is given.
type collector struct {
	mu   sync.Mutex
	list []event.Event
}

func (c *collector) Put(e event.Event) {
	b := event.Append(nil, e)
	e, _, err := event.Decode(b)
	if err != nil {
		panic(err)
	}
	c.mu.Lock()
	c.list = append(c.list, e)
	c.mu.Unlock()
}

// await waits, no longer than some seconds, for so many events.
func (c *collector) await(n int) {
	for range 1000 {
		time.Sleep(10 * time.Millisecond)
		c.mu.Lock()
		have := len(c.list)
		c.mu.Unlock()
		if have >= n {
			return
		}
	}
}

var probe = sync.OnceValue(New(Options{}).Probe)

func need(t testing.TB) {
	t.Helper()
	if err := probe(); err != nil {
		testkit.Lack(t, fmt.Sprint("eBPF: ", err))
	}
}

// run records a command and returns what was seen.
func run(t testing.TB, o Options, argv ...string) []event.Event {
	t.Helper()
	path := testkit.Program(t, argv[0])
	pid, err := launch.Start(path, argv, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	var c collector
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := New(o)
	if err := r.Record(ctx, lens.Target{PID: pid}, &c); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatal("the program did not end")
	}
	return c.list
}

// Where programs with functions may not jump to another, each has all it needs.
func TestWithoutJumps(t *testing.T) {
	need(t)
	spec, err := loadBpf()
	if err != nil {
		t.Fatal(err)
	}
	spec.Maps["ring"].MaxEntries = uint32(bufferSize(1))
	if err := spec.Variables["split"].Set(uint32(0)); err != nil {
		t.Fatal(err)
	}
	var o objects
	if err := spec.LoadAndAssign(&o, nil); err != nil {
		t.Fatal(err)
	}
	o.close()
}
