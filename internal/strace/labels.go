package strace

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// labels prints SELinux contexts (--secontext): of a task, of a descriptor's
// file, of the file that a path names. Where there is none nothing is printed.
type labels struct {
	full  bool
	procs *procs
	dir   string // of the present task in /proc
	warn  func() // called when contexts should be compared with expected ones
}

func newLabels(kinds wordSet, at *procs, warn func()) *labels {
	if kinds.empty() {
		return nil
	}
	l := &labels{full: kinds.in("full"), procs: at}
	if kinds.in("mismatch") {
		l.warn = warn
	}
	return l
}

// task prints "[label] " before a line.
func (l *labels) task(b []byte, tid int32) []byte {
	if l == nil {
		return b
	}
	text, err := os.ReadFile(l.procs.dir(int64(tid)) + "/attr/current")
	if err != nil || len(text) == 0 {
		return b
	}
	return append(l.bracketed(b, string(text)), ' ')
}

// fd prints " [label]" after a descriptor.
func (l *labels) fd(b []byte, fd int64) []byte {
	return l.file(b, l.dir+"/fd/"+strconv.FormatInt(fd, 10))
}

// path prints it after a path.
func (l *labels) path(b []byte, dirfd int64, path []byte) []byte {
	dir := l.dir
	switch {
	case len(path) > 0 && path[0] == '/':
		dir += "/root"
	case dirfd == -100:
		dir += "/cwd/"
	case dirfd >= 0:
		dir += "/fd/" + strconv.FormatInt(dirfd, 10) + "/"
	default:
		return b
	}
	return l.file(b, dir+string(path))
}

func (l *labels) file(b []byte, path string) []byte {
	var value [4096]byte
	n, err := unix.Getxattr(path, "security.selinux", value[:])
	if err != nil || n <= 0 || n > len(value) {
		return b
	}
	if l.warn != nil {
		l.warn()
		l.warn = nil
	}
	return l.bracketed(append(b, ' '), string(value[:n]))
}

// bracketed prints a context, or its type, which is the third field.
func (l *labels) bracketed(b []byte, context string) []byte {
	context = strings.TrimRight(context, "\x00\n")
	if f := strings.SplitN(context, ":", 4); !l.full && len(f) >= 3 {
		context = f[2]
	}
	b = append(b, '[')
	return append(escaped(b, context, "[]!"), ']')
}
