// Package procfs reads what /proc says of a process (proc(5)): what it is, and
// what its threads wait for. A process may be gone at any moment, so that
// nothing here fails: what can't be read is empty.
package procfs

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
)

// Bounds of what is read, in bytes.
const (
	maxCmdline = 256 << 10
	maxFile    = 16 << 10
)

// Path is the path of a process's or thread's file, whose name begins with a
// slash.
func Path(id int32, file string) string { return "/proc/" + strconv.Itoa(int(id)) + file }

// FD is the path of a descriptor.
func FD(id, fd int32) string { return Path(id, "/fd/"+strconv.Itoa(int(fd))) }

// Link reads a symbolic link.
func Link(path string) (string, bool) {
	var b [unix.PathMax]byte
	n, err := unix.Readlink(path, b[:])
	if err != nil {
		return "", false
	}
	return string(b[:n]), true
}

func read(path string, limit int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, limit))
	return b
}

// Field returns what a process's status says under a name, which ends with a
// colon.
func Field(id int32, name string) []byte {
	return field(read(Path(id, "/status"), maxFile), name)
}

func field(status []byte, name string) []byte {
	for line := range bytes.Lines(status) {
		if v, ok := bytes.CutPrefix(line, []byte(name)); ok {
			return bytes.TrimSpace(v)
		}
	}
	return nil
}

// Family returns a thread's process and that one's parent.
func Family(tid int32) (tgid, ppid int32, ok bool) {
	status := read(Path(tid, "/status"), maxFile)
	g, err1 := strconv.Atoi(string(field(status, "Tgid:")))
	p, err2 := strconv.Atoi(string(field(status, "PPid:")))
	return int32(g), int32(p), err1 == nil && err2 == nil
}

// Strings splits an argv as memory has it, with a NUL byte behind each string.
func Strings(argv []byte) []string {
	if len(argv) == 0 {
		return nil
	}
	var list []string
	for arg := range bytes.SplitSeq(bytes.TrimSuffix(argv, []byte{0}), []byte{0}) {
		list = append(list, string(arg))
	}
	return list
}

// Environ is the environment that a process was started with, NAME=VALUE.
func Environ(pid int32) []string { return Strings(read(Path(pid, "/environ"), maxCmdline)) }

// Exec says what a process is since its last execve.
func Exec(pid int32) *event.Exec {
	x := &event.Exec{Argv: Strings(read(Path(pid, "/cmdline"), maxCmdline))}
	x.Exe, _ = Link(Path(pid, "/exe"))
	x.Cwd, _ = Link(Path(pid, "/cwd"))
	uid := bytes.Fields(Field(pid, "Uid:"))
	if len(uid) >= 2 { // real, effective, saved, file system
		n, _ := strconv.ParseUint(string(uid[1]), 10, 32)
		x.UID = uint32(n)
	}
	x.Secure = secure(read(Path(pid, "/auxv"), maxFile))
	return x
}

const atSecure = 23 // AT_SECURE (linux/auxvec.h)

// secure reads AT_SECURE of an auxiliary vector: pairs of 8 bytes, or of 4 in a
// 32-bit program, which the first pair's size shows (AT_SYSINFO_EHDR or
// AT_SYSINFO, then a value that is not zero).
func secure(auxv []byte) bool {
	word := 8
	if len(auxv) >= 8 && binary.NativeEndian.Uint32(auxv[4:]) != 0 {
		word = 4
	}
	for ; len(auxv) >= 2*word; auxv = auxv[2*word:] {
		var tag, val uint64
		if word == 8 {
			tag, val = binary.NativeEndian.Uint64(auxv), binary.NativeEndian.Uint64(auxv[8:])
		} else {
			tag, val = uint64(binary.NativeEndian.Uint32(auxv)), uint64(binary.NativeEndian.Uint32(auxv[4:]))
		}
		if tag == atSecure {
			return val != 0
		}
	}
	return false
}

// Wait says what a thread is doing now.
func Wait(pid, tid int32) *event.Wait {
	dir := Path(pid, "/task/"+strconv.Itoa(int(tid)))
	w := &event.Wait{
		Comm:    string(bytes.TrimSpace(read(dir+"/comm", maxFile))),
		Wchan:   string(bytes.TrimSpace(read(dir+"/wchan", maxFile))),
		Syscall: string(bytes.TrimSpace(read(dir+"/syscall", maxFile))),
		Stack:   read(dir+"/stack", maxFile),
	}
	w.State = State(pid, tid)
	w.CPU, w.Asleep = scheduled(dir)
	return w
}

// State is the letter of a thread's state, "" when it is gone.
func State(pid, tid int32) string {
	s := field(read(Path(pid, "/task/"+strconv.Itoa(int(tid))+"/status"), maxFile), "State:")
	return string(s[:min(1, len(s))])
}

// scheduled reads how long a thread has run and how long ago that was, in ns.
// se.exec_start is the scheduler's clock when the thread last ran
// (kernel/sched/fair.c, update_curr); our own thread's is that clock now, as far
// as a tick. Kernels without CONFIG_SCHED_DEBUG don't tell.
func scheduled(dir string) (cpu, ago int64) {
	if f := bytes.Fields(read(dir+"/schedstat", maxFile)); len(f) > 0 {
		cpu, _ = strconv.ParseInt(string(f[0]), 10, 64)
	}
	last, ok := lastRan(dir)
	now, ok2 := lastRan("/proc/thread-self")
	if ok && ok2 {
		ago = max(now-last, 0)
	}
	return cpu, ago
}

func lastRan(dir string) (int64, bool) {
	for line := range bytes.Lines(read(dir+"/sched", maxFile)) {
		if rest, ok := bytes.CutPrefix(line, []byte("se.exec_start")); ok {
			_, ms, _ := bytes.Cut(rest, []byte{':'})
			v, err := strconv.ParseFloat(string(bytes.TrimSpace(ms)), 64)
			return int64(v * 1e6), err == nil
		}
	}
	return 0, false
}

// Threads lists a process's threads in order of their numbers.
func Threads(pid int32) []int32 { return numbers(Path(pid, "/task")) }

// Children lists the processes that a process's threads have made.
func Children(pid int32) []int32 {
	var out []int32
	for _, tid := range Threads(pid) {
		for f := range bytes.FieldsSeq(read(Path(pid, "/task/"+strconv.Itoa(int(tid))+"/children"), maxCmdline)) {
			if n, err := strconv.ParseInt(string(f), 10, 32); err == nil {
				out = append(out, int32(n))
			}
		}
	}
	return out
}

// numbers lists the entries of a directory that are numbers.
func numbers(dir string) []int32 {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(1 << 16)
	out := make([]int32, 0, len(names))
	for _, name := range names {
		if n, err := strconv.ParseInt(name, 10, 32); err == nil {
			out = append(out, int32(n))
		}
	}
	slices.Sort(out)
	return out
}

// Started is when a process began, in ns of CLOCK_MONOTONIC: starttime of
// /proc/PID/stat, which counts ticks of 10 ms of CLOCK_BOOTTIME. 0 when it is
// gone.
func Started(pid int32) int64 {
	var boot, mono unix.Timespec
	_, _ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot), unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono)
	stat := read(Path(pid, "/stat"), maxFile)
	i := bytes.LastIndexByte(stat, ')') // the name before it may hold anything
	if f := bytes.Fields(stat[i+1:]); i > 0 && len(f) > 19 {
		n, _ := strconv.ParseInt(string(f[19]), 10, 64)
		return n*1e7 - (boot.Nano() - mono.Nano())
	}
	return 0
}
