package record

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
)

// maxHolders bounds how many holders of one thing are told.
const maxHolders = 8

// lock puts who holds a lock on the file at a descriptor.
func (w *witness) lock(e event.Event, fd int32) {
	name := readLink(fdPath(e.PID, fd))
	var st unix.Stat_t
	if name == "" || unix.Stat(fdPath(e.PID, fd), &st) != nil || !w.once(e.PID, "lock", name) {
		return
	}
	found := false
	for _, l := range locksOn(readProc("/proc/locks"), st.Dev, st.Ino) {
		if l.pid == e.PID {
			continue
		}
		found = true
		h := who(l.pid)
		if l.pid <= 0 || h.Comm == "" {
			// The process that took it is gone, or the lock is an open file
			// description's: whoever has the file open and locked holds it.
			for _, pid := range w.lockers(name, e.PID) {
				h := who(pid)
				h.What, h.Name, h.Detail = "lock", name, l.line
				w.put(e, h)
			}
			continue
		}
		h.What, h.Name, h.Detail = "lock", name, l.line
		w.put(e, h)
	}
	if !found {
		w.put(e, &event.Holder{What: "lock", Name: name, Detail: "no lock on it is listed in /proc/locks: it is held on another machine or was let go"})
	}
}

type lockLine struct {
	pid  int32
	line string
}

// locksOn reads /proc/locks (proc(5)) for the locks that are held on a file.
// The device shown there can differ from stat's (btrfs, overlayfs), so that the
// inode alone decides where no line has both.
func locksOn(text string, dev, ino uint64) []lockLine {
	var exact, loose []lockLine
	where := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), ino)
	suffix := ":" + strconv.FormatUint(ino, 10)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] == "->" { // "->": waits for it
			continue
		}
		pid, err := strconv.ParseInt(f[4], 10, 32)
		if err != nil || f[1] == "LEASE" {
			continue
		}
		l := lockLine{int32(pid), strings.Join(f[1:], " ")}
		switch {
		case f[5] == where:
			exact = append(exact, l)
		case strings.HasSuffix(f[5], suffix):
			loose = append(loose, l)
		}
	}
	if len(exact) == 0 {
		exact = loose
	}
	return exact[:min(len(exact), maxHolders)]
}

// lockers lists the processes that have a file open with a lock on it
// (the lock lines of /proc/PID/fdinfo/N).
func (w *witness) lockers(name string, but int32) []int32 {
	var out []holder
	for _, h := range w.fds().links[name] {
		if h.pid != but && strings.Contains(readProc(proc(h.pid, "fdinfo/"+strconv.Itoa(int(h.fd)))), "lock:") {
			out = append(out, h)
		}
	}
	pids := pidsOf(out)
	return pids[:min(len(pids), maxHolders)]
}

// lockName reports whether a name is one that programs give to lock files.
func lockName(name string) bool {
	b := strings.ToLower(path.Base(name))
	return strings.Contains(b, "lock") || strings.HasSuffix(b, ".lck") || strings.HasSuffix(b, ".pid")
}

// lockFile puts what a lock file that is in the way says of its owner, and who
// has it open.
func (w *witness) lockFile(e event.Event, name string) {
	if name == "" || !lockName(name) || !w.once(e.PID, "lock-file", name) {
		return
	}
	inside := proc(e.PID, "root") + name
	st, err := os.Lstat(inside)
	if err != nil {
		return
	}
	age := "made " + time.Duration(max(0, wall()-st.ModTime().UnixNano())).Round(time.Second).String() + " ago"
	for i, pid := range pidsOf(w.fds().links[name]) {
		if pid != e.PID && i < maxHolders {
			h := who(pid)
			h.What, h.Name, h.Detail = "lock-file", name, "has it open; "+age
			w.put(e, h)
			return
		}
	}
	if pid, ok := pidIn(inside, st); ok {
		h := who(pid)
		h.What, h.Name = "lock-file", name
		if h.Comm == "" {
			h.Detail = fmt.Sprintf("names process %d, which is gone; %s", pid, age)
		} else {
			h.Detail = "named in it; " + age
		}
		w.put(e, h)
		return
	}
	detail := "no process has it open; " + age
	if t := w.table; !t.whole || t.blind > 0 {
		detail = "no process that may be looked into has it open; " + age
	}
	w.put(e, &event.Holder{What: "lock-file", Name: name, Detail: detail})
}

// wall is CLOCK_REALTIME in ns.
func wall() int64 { return time.Now().UnixNano() }

// pidIn reads the process number that a lock file holds or, as a symbolic link,
// points to ("host:123", "host.123").
func pidIn(name string, st fs.FileInfo) (int32, bool) {
	var text string
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		text = readLink(name)
		if i := strings.LastIndexAny(text, ":.+-"); i >= 0 {
			text = text[i+1:]
		}
	case st.Mode().IsRegular() && st.Size() > 0 && st.Size() < 256:
		text = readProc(name)
	}
	f := strings.Fields(text)
	if len(f) == 0 {
		return 0, false
	}
	pid, err := strconv.ParseInt(f[0], 10, 32)
	return int32(pid), err == nil && pid > 1
}

var _ lens.Sink = (*witness)(nil)
