package strace

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"culprit/internal/sysabi"
)

// pids says what numbers of processes mean where this process runs, and the
// names of the processes (--decode-pids).
type pids struct {
	comm, spaces bool
	task         *state // whose numbers are asked for

	ours  uint64            // this process's PID namespace
	known map[pidKey]string // the process in /proc that a number was found for
}

type pidKey struct {
	space uint64
	id    int64
	kind  sysabi.PIDKind
}

const maxSpaces = 32 // the kernel's bound for nested PID namespaces

func newPIDs(kinds wordSet) *pids {
	p := &pids{comm: kinds.in("comm"), spaces: kinds.in("pidns"), known: map[pidKey]string{}}
	if p.comm || p.spaces {
		if h := pidSpaces("/proc/self"); len(h) > 0 {
			p.ours = h[0]
		}
	}
	return p
}

// wanted says that there is anything to say.
func (p *pids) wanted() bool { return p.comm || p.spaces }

// named reads a task's command name, where names are wanted.
func (p *pids) named(st *state) {
	if p.comm {
		st.comm = comm(int64(st.pid))
	}
}

func comm(id int64) string {
	b, _ := os.ReadFile("/proc/" + strconv.FormatInt(id, 10) + "/comm")
	return strings.TrimSuffix(string(b), "\n")
}

// changesName says that a call may change a task's command name.
func changesName(c *sysabi.Call) bool {
	return c.Name == "execve" || c.Name == "execveat" || c.Name == "prctl"
}

// appendComm prints <name>.
func appendComm(b []byte, name string) []byte {
	if name == "" {
		return b
	}
	return append(append(append(b, '<'), angled(name)...), '>')
}

// append prints what is known of a number that the present task gave or got.
func (p *pids) append(b []byte, id int64, kind sysabi.PIDKind) []byte {
	ours := p.translate(id, kind)
	if ours == 0 {
		return b
	}
	if p.comm && (kind == sysabi.TID || kind == sysabi.TGID) {
		b = appendComm(b, comm(ours))
	}
	if p.spaces && ours != id {
		b = fmt.Appendf(b, " /* %d in strace's PID NS */", ours)
	}
	return b
}

// translate returns the number that this process knows the one of the present
// task by, 0 when there is none.
func (p *pids) translate(id int64, kind sysabi.PIDKind) int64 {
	if p.task.space == 0 {
		h := pidSpaces("/proc/" + strconv.Itoa(int(p.task.pid)))
		if len(h) == 0 {
			return 0
		}
		p.task.space = h[0]
	}
	if p.task.space == p.ours {
		return id
	}
	key := pidKey{p.task.space, id, kind}
	if dir := p.known[key]; dir != "" {
		if ours := key.in(dir); ours != 0 {
			return ours
		}
		delete(p.known, key)
	}
	dirs := numbers("/proc")
	for _, dir := range dirs {
		for _, at := range append(numbers(dir+"/task"), dir) {
			if ours := key.in(at); ours != 0 {
				p.known[key] = at
				return ours
			}
		}
	}
	return 0
}

// numbers lists the entries of a directory that are numbers.
func numbers(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	var list []string
	for _, n := range names {
		if n[0] >= '1' && n[0] <= '9' {
			list = append(list, dir+"/"+n)
		}
	}
	return list
}

// in returns this process's number for the wanted one if it belongs to the
// process that dir is of, else 0.
func (k pidKey) in(dir string) int64 {
	field := [...]string{"NSpid:", "NStgid:", "NSpgid:", "NSsid:"}[k.kind]
	ids := strings.Fields(statusOf(dir, field)) // from the outermost namespace inwards
	spaces := pidSpaces(dir)                    // from its own outwards
	if len(ids) < len(spaces) {
		return 0
	}
	for i, s := range spaces {
		if s != k.space {
			continue
		}
		if ids[len(ids)-1-i] != strconv.FormatInt(k.id, 10) {
			return 0
		}
		ours, _ := strconv.ParseInt(ids[len(ids)-len(spaces)], 10, 64)
		return ours
	}
	return 0
}

// pidSpaces returns the inodes of a process's PID namespace and of those around
// it, as far as they can be seen.
func pidSpaces(dir string) (list []uint64) {
	fd, err := unix.Open(dir+"/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for err == nil && len(list) < maxSpaces {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			break
		}
		list = append(list, st.Ino)
		var parent int
		parent, err = unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		unix.Close(fd)
		fd = parent
	}
	if err == nil {
		unix.Close(fd)
	}
	return list
}

// statusField is a field of /proc/PID/status.
func statusField(pid int, field string) string {
	return statusOf("/proc/"+strconv.Itoa(pid), field)
}

func statusOf(dir, field string) string {
	b, _ := os.ReadFile(dir + "/status")
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte(field)); ok {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}
