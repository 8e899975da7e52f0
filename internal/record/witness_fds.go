package record

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fdTable says which processes have what open, as far as we may see it.
type fdTable struct {
	made  time.Time
	links map[string][]holder // by link: "socket:[N]", "pipe:[N]", "/path"
	whole bool                // the walk came to its end
	blind int                 // processes that may not be looked into
}

type holder struct{ pid, fd int32 }

const (
	tableAge = 300 * time.Millisecond // how long a walk's result may be used
	maxFDs   = 1 << 18
)

// fds walks over all processes' descriptors, unless it did a moment ago or the
// time for such walks is used up.
func (w *witness) fds() *fdTable {
	now := time.Now()
	if w.table != nil && (now.Sub(w.table.made) < tableAge || w.spent >= scanBudget) {
		return w.table
	}
	t := &fdTable{links: map[string][]holder{}, whole: true}
	n, own := 0, strconv.Itoa(os.Getpid())
	for _, p := range dirNames("/proc") {
		pid, err := strconv.ParseInt(p, 10, 32)
		if err != nil || p == own {
			continue
		}
		dir := "/proc/" + p + "/fd"
		d, err := os.Open(dir)
		if err != nil {
			if os.IsPermission(err) {
				t.blind++
			}
			continue
		}
		names, _ := d.Readdirnames(maxFDs)
		d.Close()
		for _, name := range names {
			link := readLink(dir + "/" + name)
			fd, err := strconv.ParseInt(name, 10, 32)
			if link != "" && err == nil && !strings.HasPrefix(link, "/dev/") {
				t.links[link] = append(t.links[link], holder{int32(pid), int32(fd)})
				n++
			}
		}
		if n > maxFDs || w.spent+time.Since(now) > scanBudget {
			t.whole = false
			break
		}
	}
	t.made = time.Now()
	w.spent += t.made.Sub(now)
	w.table = t
	return t
}

func dirNames(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(1 << 16)
	return names
}

// mode reports whether a descriptor was opened for reading and for writing
// (the flags line of /proc/PID/fdinfo/N, octal).
func (h holder) mode() (reads, writes bool) {
	for line := range strings.Lines(readProc(proc(h.pid, "fdinfo/"+strconv.Itoa(int(h.fd))))) {
		if rest, ok := strings.CutPrefix(line, "flags:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(rest), 8, 64)
			if err != nil {
				return false, false
			}
			m := n & unix.O_ACCMODE
			return m != unix.O_WRONLY, m != unix.O_RDONLY
		}
	}
	return false, false
}

// pidsOf lists the processes among holders, each once.
func pidsOf(hs []holder) []int32 {
	var out []int32
	for _, h := range hs {
		if !slices.Contains(out, h.pid) {
			out = append(out, h.pid)
		}
	}
	return out
}
