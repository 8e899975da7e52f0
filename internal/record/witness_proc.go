package record

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// maxProcFile bounds what is read of one file of /proc, in bytes.
const maxProcFile = 1 << 20

// readProc reads a small file of /proc, "" when it is gone or not readable.
func readProc(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxProcFile))
	return string(b)
}

func proc(pid int32, file string) string { return "/proc/" + strconv.Itoa(int(pid)) + "/" + file }

func readLink(name string) string {
	s, err := os.Readlink(name)
	if err != nil {
		return ""
	}
	return s
}

func fdPath(pid, fd int32) string { return proc(pid, "fd/"+strconv.Itoa(int(fd))) }

// who describes a process.
func who(pid int32) *event.Holder {
	h := &event.Holder{Process: pid}
	h.Comm = strings.TrimSpace(readProc(proc(pid, "comm")))
	if h.Comm == "" {
		h.Detail = "gone"
		return h
	}
	cmdline := readProc(proc(pid, "cmdline"))
	const maxArgs, maxArg = 16, 256
	for i, arg := range strings.Split(strings.TrimSuffix(cmdline, "\x00"), "\x00") {
		if i == maxArgs || cmdline == "" {
			break
		}
		h.Cmdline = append(h.Cmdline, arg[:min(len(arg), maxArg)])
	}
	var st unix.Stat_t
	if unix.Stat(proc(pid, ""), &st) == nil {
		h.UID = st.Uid
	}
	return h
}

// pathOf is the absolute path that a call names, "" when it was not captured.
// Symbolic links are not followed.
func pathOf(pid int32, s *event.Syscall) string {
	d := sysabi.Decode(s)
	name, _ := d.Path()
	return absolute(pid, d.DirFD(), name)
}

func absolute(pid, dir int32, name string) string {
	switch {
	case name == "":
		return ""
	case path.IsAbs(name):
		return path.Clean(name)
	case dir == unix.AT_FDCWD:
		return path.Join(readLink(proc(pid, "cwd")), name)
	}
	return path.Join(readLink(fdPath(pid, dir)), name)
}

// subject is the path that a call is about: the one that it names, or that of
// its descriptor.
func subject(pid int32, s *event.Syscall) string {
	if p := pathOf(pid, s); p != "" {
		return p
	}
	if fd := sysabi.Decode(s).FD(); fd >= 0 {
		if link := readLink(fdPath(pid, fd)); strings.HasPrefix(link, "/") {
			return strings.TrimSuffix(link, " (deleted)")
		}
	}
	return ""
}

// limitNames are the rows of /proc/PID/limits (fs/proc/base.c).
var limitNames = map[string]string{
	"RLIMIT_AS": "Max address space", "RLIMIT_DATA": "Max data size", "RLIMIT_NOFILE": "Max open files",
	"RLIMIT_NPROC": "Max processes", "RLIMIT_FSIZE": "Max file size", "RLIMIT_CPU": "Max cpu time",
}

// limits puts resource limits of the process; those that are unlimited are left out.
func (w *witness) limits(e event.Event, names ...string) {
	if !w.once(e.PID, "limits", names[0]) {
		return
	}
	text := readProc(proc(e.PID, "limits"))
	for _, name := range names {
		soft, hard, ok := limitRow(text, limitNames[name])
		if !ok || soft == ^uint64(0) {
			continue
		}
		l := &event.Limit{What: name, Soft: soft, Hard: hard}
		switch name {
		case "RLIMIT_AS":
			l.Used = statusKB(e.PID, "VmSize:") << 10
		case "RLIMIT_DATA":
			l.Used = statusKB(e.PID, "VmData:") << 10
		case "RLIMIT_NOFILE":
			l.Used, l.Text = mostOpen(e.PID)
		}
		w.put(e, l)
	}
}

func limitRow(text, row string) (soft, hard uint64, ok bool) {
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, row)
		if f := strings.Fields(rest); found && len(f) >= 2 {
			return limitValue(f[0]), limitValue(f[1]), true
		}
	}
	return 0, 0, false
}

func limitValue(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return ^uint64(0) // unlimited
	}
	return n
}

func statusKB(pid int32, field string) uint64 {
	for line := range strings.Lines(readProc(proc(pid, "status"))) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			n, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n
		}
	}
	return 0
}

// mostOpen counts a process's descriptors and says what most of them are.
func mostOpen(pid int32) (n uint64, text string) {
	d, err := os.Open(proc(pid, "fd"))
	if err != nil {
		return 0, ""
	}
	defer d.Close()
	names, _ := d.Readdirnames(1 << 16)
	kinds := map[string]int{}
	best := ""
	for _, name := range names {
		link := readLink(proc(pid, "fd/"+name))
		if i := strings.Index(link, ":["); i > 0 {
			link = link[:i] // all sockets, all pipes
		}
		if kinds[link]++; kinds[link] > kinds[best] {
			best = link
		}
	}
	if kinds[best] > 1 {
		text = fmt.Sprintf("%d of them are %s", kinds[best], best)
	}
	return uint64(len(names)), text
}

// memory puts what the machine, or the process's cgroup, has left.
func (w *witness) memory(e event.Event) {
	if !w.once(e.PID, "memory", "") {
		return
	}
	info := map[string]uint64{}
	for line := range strings.Lines(readProc("/proc/meminfo")) {
		if f := strings.Fields(line); len(f) >= 2 {
			n, _ := strconv.ParseUint(f[1], 10, 64)
			info[f[0]] = n << 10
		}
	}
	w.put(e, &event.Limit{What: "memory", Soft: info["MemAvailable:"], Hard: info["MemTotal:"]})
	if strings.TrimSpace(readProc("/proc/sys/vm/overcommit_memory")) == "2" {
		w.put(e, &event.Limit{What: "commit", Soft: info["CommitLimit:"], Used: info["Committed_AS:"]})
	}
}

// pids puts the limit on processes of the cgroup (cgroup v2, pids.max).
func (w *witness) pids(e event.Event) {
	if !w.once(e.PID, "pids", "") {
		return
	}
	for dir := cgroup(e.PID); dir != ""; dir = path.Dir(dir) {
		maximum := strings.TrimSpace(readProc("/sys/fs/cgroup" + dir + "/pids.max"))
		if n, err := strconv.ParseUint(maximum, 10, 64); err == nil {
			used, _ := strconv.ParseUint(strings.TrimSpace(readProc("/sys/fs/cgroup"+dir+"/pids.current")), 10, 64)
			w.put(e, &event.Limit{What: "pids.max", Name: dir, Soft: n, Hard: n, Used: used})
			return
		}
		if dir == "/" {
			return
		}
	}
}

func cgroup(pid int32) string {
	for line := range strings.Lines(readProc(proc(pid, "cgroup"))) {
		if dir, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return dir
		}
	}
	return ""
}

// oomKills reads the counters of processes killed for want of memory: the
// machine's, and that of our own cgroup, which the program starts in.
func oomKills() map[string]uint64 {
	out := map[string]uint64{}
	counter := func(source, file, field string) {
		for line := range strings.Lines(readProc(file)) {
			if rest, ok := strings.CutPrefix(line, field+" "); ok {
				if n, err := strconv.ParseUint(strings.TrimSpace(rest), 10, 64); err == nil {
					out[source] = n
				}
			}
		}
	}
	counter("machine", "/proc/vmstat", "oom_kill")
	if dir := cgroup(int32(os.Getpid())); dir != "" {
		counter(dir, "/sys/fs/cgroup"+dir+"/memory.events", "oom_kill")
	}
	return out
}

// file puts what a path's file system and, for one that was to be executed, its
// mode have to say.
func (w *witness) file(e event.Event, name string, exec bool) {
	if !w.once(e.PID, "file", name) {
		return
	}
	inside := proc(e.PID, "root") + name
	if mount := mountOf(readProc(proc(e.PID, "mountinfo")), name); mount != "" {
		w.put(e, &event.Limit{What: "mount", Name: name, Text: mount})
	}
	if exec {
		var st unix.Stat_t
		if unix.Stat(inside, &st) == nil {
			w.put(e, &event.Limit{What: "mode", Name: name, Soft: uint64(st.Mode), Hard: uint64(st.Uid)})
		}
		return
	}
	var fs unix.Statfs_t
	for p := inside; unix.Statfs(p, &fs) != nil; p = path.Dir(p) {
		if len(p) <= len(proc(e.PID, "root")) {
			return
		}
	}
	w.put(e, &event.Limit{What: "space", Name: name, Soft: fs.Bavail * uint64(fs.Bsize), Hard: fs.Blocks * uint64(fs.Bsize)})
	if fs.Files > 0 {
		w.put(e, &event.Limit{What: "inodes", Name: name, Soft: fs.Ffree, Hard: fs.Files})
	}
}

// mountOf finds the mount that holds a path in a mountinfo text (proc(5)):
// "POINT TYPE OPTIONS", those of the mount and of the file system joined.
func mountOf(text, name string) string {
	best, out := "", ""
	sc := bufio.NewScanner(strings.NewReader(text))
	sc.Buffer(nil, 64<<10)
	for sc.Scan() {
		f := bytes.Fields(sc.Bytes())
		if len(f) < 10 {
			continue
		}
		point := unescape(string(f[4]))
		if point != "/" && name != point && !strings.HasPrefix(name, point+"/") || len(point) < len(best) {
			continue
		}
		for i := 6; i+3 < len(f); i++ {
			if string(f[i]) == "-" { // a later mount on the same point covers the earlier
				best, out = point, fmt.Sprintf("%s %s %s,%s", point, f[i+1], f[5], f[i+3])
				break
			}
		}
	}
	return out
}

// unescape reads the octal escapes of mountinfo: \040 is a blank.
func unescape(s string) string {
	for i := 0; i+3 < len(s); i++ {
		if s[i] == '\\' {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				s = s[:i] + string(rune(n)) + s[i+4:]
			}
		}
	}
	return s
}
