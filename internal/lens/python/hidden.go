package python

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// hidden are the processes whose rings are not in the run's directory, because
// they see another root, or may not write to it. Such a ring is memory that only
// its mapping in the process leads to, and only root may follow that.
type hidden struct {
	mu       sync.Mutex
	expected map[int32]int  // looks that are left, by process
	found    map[int32]bool // that have such a ring: their children will, too
}

// expectLooks is how often a process is looked at for a ring.
const expectLooks = 50

// Expect says that the agent came into a process.
func (l *Lens) Expect(pid int32) { l.hidden.expect(pid) }

// Forked says that a process was forked.
func (l *Lens) Forked(parent, child int32) {
	l.hidden.mu.Lock()
	defer l.hidden.mu.Unlock()
	if l.hidden.found[parent] {
		l.hidden.put(child)
	}
}

func (h *hidden) expect(pid int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(pid)
}

func (h *hidden) put(pid int32) {
	if h.expected == nil {
		h.expected, h.found = map[int32]int{}, map[int32]bool{}
	}
	h.expected[pid] = expectLooks
}

// look maps the hidden rings that are new. A process whose ring is in the
// directory needs none.
func (c *collector) look() {
	h := c.hidden
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, pid := range slices.Sorted(maps.Keys(h.expected)) {
		if c.pids[pid] {
			delete(h.expected, pid)
			continue
		}
		path, inode := hiddenRing(pid)
		if path == "" {
			if h.expected[pid]--; h.expected[pid] == 0 || gone(pid) {
				delete(h.expected, pid)
			}
			continue
		}
		name := fmt.Sprintf("python-%d-%s.hidden", pid, inode)
		if c.seen[name] {
			continue // its parent's, until it has made its own
		}
		c.seen[name] = true
		h.found[pid] = true
		delete(h.expected, pid)
		r, err := openRing(path, 0)
		if err != nil {
			c.note(pid, "python-ring-hidden", "no exceptions recorded: the agent can't write to the run's directory from there, and its memory could not be opened: "+err.Error())
			continue
		}
		c.rings[name] = r
	}
}

// hiddenRing finds the mapping of a ring that has no name.
func hiddenRing(pid int32) (path, inode string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return "", ""
	}
	for line := range bytes.Lines(text) {
		if f := strings.Fields(string(line)); len(f) > 5 && f[5] == "/memfd:culprit-ring" {
			return fmt.Sprintf("/proc/%d/map_files/%s", pid, f[0]), f[4]
		}
	}
	return "", ""
}
