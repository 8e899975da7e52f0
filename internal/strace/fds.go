package strace

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// describer says what descriptors are (-y, -yy), as /proc has it while the task
// stands still.
type describer struct {
	kinds wordSet
	procs *procs
	dir   string // of the present task in /proc
	socks *sockets
}

func (d *describer) task(t *tracer.Task) { d.dir = d.procs.dir(int64(t.TID)) }

func (d *describer) path(fd int64) string {
	if fd == -100 {
		return d.dir + "/cwd"
	}
	return d.dir + "/fd/" + strconv.FormatInt(fd, 10)
}

// terminal reports whether a descriptor is a terminal, by its device number
// (the kernel's admin-guide/devices.txt).
func (d *describer) terminal(fd int64) bool {
	var st unix.Stat_t
	if fd < 0 || unix.Stat(d.path(fd), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	major := unix.Major(st.Rdev)
	return major >= 3 && major <= 5 || major >= 136 && major <= 143
}

// theirs is append for a descriptor of the process that a pidfd stands for.
func (d *describer) theirs(b []byte, pidfd, fd int64) []byte {
	pid, err := strconv.ParseInt(d.info(pidfd, "Pid:"), 10, 32)
	if err != nil || pid <= 0 {
		return b
	}
	ours := d.dir
	d.dir = d.procs.dir(pid)
	b = d.append(b, fd)
	d.dir = ours
	return b
}

// append prints <...> after a descriptor.
func (d *describer) append(b []byte, fd int64) []byte {
	if fd == -100 && !d.kinds.in("path") {
		return b
	}
	link, err := os.Readlink(d.path(fd))
	if err != nil {
		return b
	}
	if fd != -100 {
		var text string
		switch {
		case d.kinds.in("socket") && strings.HasPrefix(link, "socket:["):
			text = d.socks.describe(d.dir, d.path(fd), strings.TrimSuffix(link[len("socket:["):], "]"))
			if text == "" {
				text = link
			}
			return append(append(append(b, '<'), text...), '>')
		case d.kinds.in("dev") && strings.HasPrefix(link, "/"):
			if text = d.device(fd); text != "" {
				return append(append(append(append(b, '<'), angled(link)...), text...), '>')
			}
		case d.kinds.in("pidfd") && (link == "anon_inode:[pidfd]" || strings.HasPrefix(link, "pidfd:")):
			if pid := d.info(fd, "Pid:"); pid != "" && pid != "-1" && pid != "0" {
				return append(append(append(b, "<pid:"...), pid...), '>')
			}
		case d.kinds.in("eventfd") && link == "anon_inode:[eventfd]":
			if text = d.eventfd(fd); text != "" {
				return append(b, text...)
			}
		case d.kinds.in("signalfd") && link == "anon_inode:[signalfd]":
			if mask, err := strconv.ParseUint(d.info(fd, "sigmask:"), 16, 64); err == nil {
				return append(append(append(b, "<signalfd:"...), sysabi.SigsetText(mask)...), '>')
			}
		}
	}
	if !d.kinds.in("path") {
		return b
	}
	b = append(b, '<')
	if name, gone := deleted(link, d.path(fd)); gone {
		return append(append(b, angled(name)...), ">(deleted)"...)
	}
	return append(append(b, angled(link)...), '>')
}

// deleted tells a file that was removed from one whose name ends in the words
// that the kernel adds then.
func deleted(link, path string) (string, bool) {
	name, marked := strings.CutSuffix(link, " (deleted)")
	if !marked {
		return link, false
	}
	var a, b unix.Stat_t
	if unix.Stat(path, &a) == nil && unix.Lstat(link, &b) == nil && a.Ino == b.Ino && a.Dev == b.Dev {
		return link, false
	}
	return name, true
}

// angled escapes what stands between < and >.
func angled(text string) []byte { return escaped(nil, text, "<>") }

// escaped appends text as it stands in a string literal, with the special
// characters in octal.
func escaped(b []byte, text, special string) []byte {
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '\\' || c == '"':
			b = append(b, '\\', c)
		case c >= '\t' && c <= '\r':
			b = append(b, '\\', "tnvfr"[c-'\t'])
		case c < ' ' || c >= 0x7f || strings.IndexByte(special, c) >= 0:
			if i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '7' {
				b = fmt.Appendf(b, "\\%03o", c)
			} else {
				b = fmt.Appendf(b, "\\%o", c)
			}
		default:
			b = append(b, c)
		}
	}
	return b
}

// device is the number of a device file: <char 1:3>.
func (d *describer) device(fd int64) string {
	var st unix.Stat_t
	if unix.Stat(d.path(fd), &st) != nil {
		return ""
	}
	kind := ""
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		kind = "char"
	case unix.S_IFBLK:
		kind = "block"
	default:
		return ""
	}
	other := ""
	if major, minor := unix.Major(st.Rdev), unix.Minor(st.Rdev); kind == "char" && major == 5 && minor == 2 { // /dev/ptmx
		if n := d.info(fd, "tty-index:"); n != "" {
			other = " @/dev/pts/" + n
		}
	}
	return fmt.Sprintf("<%s %d:%d%s>", kind, unix.Major(st.Rdev), unix.Minor(st.Rdev), other)
}

// info is a field of /proc/PID/fdinfo/FD.
func (d *describer) info(fd int64, field string) string {
	b, _ := os.ReadFile(d.dir + "/fdinfo/" + strconv.FormatInt(fd, 10))
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte(field)); ok {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}

func (d *describer) eventfd(fd int64) string {
	count, err := strconv.ParseUint(d.info(fd, "eventfd-count:"), 16, 64)
	if err != nil {
		return ""
	}
	text := "<{eventfd-count=" + string(hexNumber(nil, count))
	if id := d.info(fd, "eventfd-id:"); id != "" {
		text += ", eventfd-id=" + id
	}
	if s := d.info(fd, "eventfd-semaphore:"); s != "" {
		text += ", eventfd-semaphore=" + s
	}
	return text + "}>"
}
