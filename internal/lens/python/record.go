package python

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"culprit/internal/event"
	"culprit/internal/lens"

	"golang.org/x/sys/unix"
)

// Lens collects the agents' records. The zero value is ready.
type Lens struct {
	// Poll is the time between two looks at the rings; 0 means 20 ms.
	Poll time.Duration
	// MaxFile and MaxFiles bound the source text that is kept, in bytes: of one
	// file (0 means 512 KiB) and of all (0 means 8 MiB).
	MaxFile, MaxFiles int64

	hidden hidden
}

// Name is "code".
func (*Lens) Name() string { return "code" }

// Probe always succeeds: whether a program is Python shows when it runs.
func (*Lens) Probe() error { return nil }

// Record drains the rings that appear in t.Dir until ctx is done, and once more
// after that. It does not watch the target: whoever does ends ctx. The rings are
// removed at the end.
func (l *Lens) Record(ctx context.Context, t lens.Target, s lens.Sink) error {
	if _, err := os.Stat(t.Dir); err != nil {
		return fmt.Errorf("open the run directory: %w", err)
	}
	c := &collector{dir: t.Dir, sink: s, rings: make(map[string]*ring), seen: make(map[string]bool), pids: make(map[int32]bool), hidden: &l.hidden}
	c.sources = newSources(s, l.MaxFile, l.MaxFiles)
	defer c.close()
	poll := l.Poll
	if poll <= 0 {
		poll = 20 * time.Millisecond
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.scan()
			c.look()
			c.drain()
			c.finish()
			return nil
		case <-tick.C:
			c.scan()
			c.look()
			c.drain()
		}
	}
}

// collector is one Record's state; one goroutine owns it.
type collector struct {
	dir     string
	sink    lens.Sink
	rings   map[string]*ring
	pids    map[int32]bool // that have a ring in the directory
	hidden  *hidden
	seen    map[string]bool // names that need no second look
	changed unix.Timespec   // of dir, when it was last listed
	sources *sources
	buf     []byte
}

// scan maps rings and reports notes that are new in the directory.
func (c *collector) scan() {
	// A directory that hasn't changed for a while holds nothing new; within the
	// granularity of its time stamp it may.
	var st unix.Stat_t
	if err := unix.Stat(c.dir, &st); err != nil {
		return
	}
	if st.Mtim == c.changed {
		return
	}
	if time.Since(time.Unix(st.Mtim.Unix())) > 100*time.Millisecond {
		c.changed = st.Mtim
	}
	list, err := os.ReadDir(c.dir)
	if err != nil {
		c.note(0, "python-rings-unreadable", err.Error())
		return
	}
	for _, e := range list {
		name := e.Name()
		if c.seen[name] || !strings.HasPrefix(name, "python-") {
			continue
		}
		switch {
		case strings.HasSuffix(name, ".ring"):
			c.seen[name] = true
			r, err := openRing(filepath.Join(c.dir, name), unix.O_NOFOLLOW)
			if err != nil {
				c.note(0, "python-ring-damaged", err.Error())
				continue
			}
			c.rings[name], c.pids[r.pid] = r, true
		case strings.HasSuffix(name, ".note"):
			c.seen[name] = true
			c.refusal(name)
		}
	}
}

// refusal reports an interpreter that the agent did not start in.
func (c *collector) refusal(name string) {
	pid, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(name, "python-"), ".note"))
	b, err := readBounded(filepath.Join(c.dir, name), 4096)
	if err != nil {
		return
	}
	code, rest, _ := strings.Cut(string(b), " ")
	if !strings.HasPrefix(code, "python-") {
		code = "python-refused"
	}
	c.note(int32(pid), code, "no exceptions recorded: Python "+rest)
	_ = os.Remove(filepath.Join(c.dir, name))
}

func (c *collector) drain() {
	// By age: a process that execs has a second ring, whose records come later.
	names := slices.SortedFunc(maps.Keys(c.rings), func(a, b string) int { return cmp.Compare(c.rings[a].start, c.rings[b].start) })
	for _, name := range names {
		r := c.rings[name]
		data, bad := r.drain(c.buf[:0])
		c.buf = data
		if bad > 0 {
			c.sink.Put(event.Event{Time: now(), PID: r.pid, TID: r.pid, Body: &event.Loss{Lens: "code", What: "damaged agent records", Count: 1, Bytes: bad}})
		}
		if len(data) == 0 {
			if r.idle++; r.idle > 50 && (r.known || r.ended) && gone(r.pid) {
				// It may have written between our look and its end.
				if data, _ = r.drain(data); len(data) == 0 {
					c.retire(name, r)
					continue
				}
			} else {
				continue
			}
		}
		r.idle = 0
		c.put(r, data)
	}
}

func (c *collector) put(r *ring, data []byte) {
	c.sink.Put(event.Event{Time: now(), PID: r.pid, TID: r.pid, Body: &event.Agent{Lang: "python", Data: data}})
	c.inspect(r, data)
}

// retire reports what a ring lost and lets go of it.
func (c *collector) retire(name string, r *ring) {
	if n := r.dropped(); n > 0 {
		c.sink.Put(event.Event{Time: now(), PID: r.pid, TID: r.pid, Body: &event.Loss{Lens: "code", What: "agent records (ring full)", Count: n}})
	}
	if n := r.state.Damaged; n > 0 {
		c.sink.Put(event.Event{Time: now(), PID: r.pid, TID: r.pid, Body: &event.Loss{Lens: "code", What: "agent records not understood", Count: uint64(n)}})
	}
	r.close()
	_ = os.Remove(filepath.Join(c.dir, name))
	delete(c.rings, name)
}

func (c *collector) finish() {
	for name, r := range c.rings {
		c.retire(name, r)
	}
	c.sources.finish()
}

func (c *collector) close() {
	for _, r := range c.rings {
		r.close()
	}
}

func (c *collector) note(pid int32, code, text string) {
	c.sink.Put(event.Event{Time: now(), PID: pid, TID: pid, Body: &event.Note{Lens: "code", Code: code, Text: text}})
}

func gone(pid int32) bool { return errors.Is(unix.Kill(int(pid), 0), unix.ESRCH) }

// now is CLOCK_MONOTONIC.
func now() event.Time {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return event.Time(ts.Nano())
}

// readBounded reads a regular file up to limit bytes, without following a link
// and without waiting on a pipe.
func readBounded(path string, limit int64) ([]byte, error) {
	return readFile(path, limit, unix.O_NOFOLLOW)
}

// readLinked is readBounded for a path that may lead through links.
func readLinked(path string, limit int64) ([]byte, error) { return readFile(path, limit, 0) }

func readFile(path string, limit int64, flags int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	b := make([]byte, min(st.Size(), limit))
	n, err := f.ReadAt(b, 0)
	return b[:n], dropEOF(err)
}
