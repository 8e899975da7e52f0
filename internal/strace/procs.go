package strace

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"culprit/internal/sysabi"
)

// procs knows where processes are in /proc, which may be the one of another PID
// namespace than this process's: then numbers differ.
type procs struct {
	ours  bool              // it is this process's
	space uint64            // inode of this process's PID namespace
	known map[pidKey]string // directories that numbers were found for

	last    int64 // what dir was asked for last, and said
	lastDir string
}

// pidKey is a number as a PID namespace has it.
type pidKey struct {
	space uint64
	id    int64
	kind  sysabi.PIDKind
}

const maxSpaces = 32 // the kernel's bound for nested PID namespaces

func newProcs() *procs {
	p := &procs{known: map[pidKey]string{}}
	self, err := os.Readlink("/proc/self")
	p.ours = err != nil || self == strconv.Itoa(os.Getpid())
	if list := spaces("/proc/self"); len(list) > 0 {
		p.space = list[0]
	}
	return p
}

// dir is the directory in /proc of a thread that this process knows as tid.
func (p *procs) dir(tid int64) string {
	if tid == p.last && p.ours {
		return p.lastDir
	}
	if !p.ours {
		if dir, _ := p.find(pidKey{p.space, tid, sysabi.TID}); dir != "" {
			return dir
		}
	}
	p.last, p.lastDir = tid, "/proc/"+strconv.FormatInt(tid, 10)
	return p.lastDir
}

// find looks for a number in /proc. It returns the directory of the thread that
// it belongs to and the number that this process knows it by, 0 when there is
// none.
func (p *procs) find(key pidKey) (string, int64) {
	if dir := p.known[key]; dir != "" {
		if ours := key.in(dir); ours != 0 {
			return dir, ours
		}
		delete(p.known, key)
	}
	for _, dir := range numbered("/proc") {
		for _, at := range append(numbered(dir+"/task"), dir) {
			if ours := key.in(at); ours != 0 {
				p.known[key] = at
				return at, ours
			}
		}
	}
	return "", 0
}

// numbered lists the entries of a directory that are numbers.
func numbered(dir string) []string {
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
// thread that dir is of, else 0.
func (k pidKey) in(dir string) int64 {
	field := [...]string{"NSpid:", "NStgid:", "NSpgid:", "NSsid:"}[k.kind]
	ids := strings.Fields(statusField(dir, field)) // from the outermost namespace inwards
	around := spaces(dir)                          // from its own outwards
	if len(ids) < len(around) {
		return 0
	}
	for i, s := range around {
		if s != k.space {
			continue
		}
		if ids[len(ids)-1-i] != strconv.FormatInt(k.id, 10) {
			return 0
		}
		ours, _ := strconv.ParseInt(ids[len(ids)-len(around)], 10, 64)
		return ours
	}
	return 0
}

// spaces returns the inodes of a process's PID namespace and of those around it,
// as far as they can be seen.
func spaces(dir string) (list []uint64) {
	fd, err := unix.Open(dir+"/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for err == nil && len(list) < maxSpaces {
		var st unix.Stat_t
		if err = unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
			return list
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

// statusField is a field of a process's status (proc_pid_status(5)).
func statusField(dir, field string) string {
	b, _ := os.ReadFile(dir + "/status")
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte(field)); ok {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}
