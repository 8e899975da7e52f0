package ptrace

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
)

// Bounds of what is read from /proc.
const (
	maxCmdline = 256 << 10
	maxProc    = 16 << 10
)

func procPath(pid int32, file string) string {
	return "/proc/" + strconv.Itoa(int(pid)) + file
}

func procFD(tid, fd int32) string {
	return procPath(tid, "/fd/"+strconv.Itoa(int(fd)))
}

func readLink(path string) (string, bool) {
	var b [unix.PathMax]byte
	n, err := unix.Readlink(path, b[:])
	if err != nil {
		return "", false
	}
	return string(b[:n]), true
}

// readProc reads a file of /proc, which may be gone, up to limit bytes.
func readProc(path string, limit int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, limit))
	return b
}

// field returns the line of a status file (proc(5)) that begins with name.
func field(status []byte, name string) []byte {
	for line := range bytes.Lines(status) {
		if v, ok := bytes.CutPrefix(line, []byte(name)); ok {
			return bytes.TrimSpace(v)
		}
	}
	return nil
}

// family returns a task's thread group and its parent process.
func family(tid int32) (tgid, ppid int32, ok bool) {
	b := readProc(procPath(tid, "/status"), maxProc)
	g, err1 := strconv.Atoi(string(field(b, "Tgid:")))
	p, err2 := strconv.Atoi(string(field(b, "PPid:")))
	return int32(g), int32(p), err1 == nil && err2 == nil
}

const atSecure = 23 // AT_SECURE (linux/auxvec.h)

// execed tells what a process is after execve. former is the caller's id when
// it was not the leader.
func (r *Recorder) execed(t *task, former int32) {
	x := &event.Exec{Former: former}
	exe := procPath(t.pid, "/exe")
	x.Exe, _ = readLink(exe)
	x.Cwd, _ = readLink(procPath(t.pid, "/cwd"))
	cmdline := readProc(procPath(t.pid, "/cmdline"), maxCmdline)
	if len(cmdline) > 0 {
		for arg := range bytes.SplitSeq(bytes.TrimSuffix(cmdline, []byte{0}), []byte{0}) {
			x.Argv = append(x.Argv, string(arg))
		}
	}
	uid := bytes.Fields(field(readProc(procPath(t.pid, "/status"), maxProc), "Uid:"))
	if len(uid) >= 2 { // real, effective, saved, file system
		n, _ := strconv.ParseUint(string(uid[1]), 10, 32)
		x.UID = uint32(n)
	}
	auxv := readProc(procPath(t.pid, "/auxv"), maxProc)
	x.Secure = secure(auxv)
	r.put(t, lens.Now(), x)

	var st unix.Stat_t
	if unix.Stat(exe, &st) == nil && st.Mode&unix.S_ISUID != 0 && st.Uid != x.UID {
		r.note(t, noteSetuidOff)
	}
	if x.Secure { // the kernel may say so though it gave no privilege
		r.note(t, noteSecure)
	}
}

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

// waits tells what every thread is doing at the time, with the call that it is
// in, and looks at its sockets.
func (r *Recorder) waits() {
	for _, p := range r.procs {
		p.peeked = false
	}
	for _, t := range r.tasks {
		dir := procPath(t.pid, "/task/"+strconv.Itoa(int(t.tid)))
		w := &event.Wait{
			Wchan:   string(bytes.TrimSpace(readProc(dir+"/wchan", maxProc))),
			Syscall: string(bytes.TrimSpace(readProc(dir+"/syscall", maxProc))),
			Stack:   readProc(dir+"/stack", maxProc),
		}
		if s := field(readProc(dir+"/status", maxProc), "State:"); len(s) > 0 {
			w.State = string(s[:1])
		}
		if t.inCall {
			r.unfinished(t)
			t.inCall = true // its exit stop is still to come
		}
		r.put(t, lens.Now(), w)
		if !t.proc.peeked {
			r.peekAll(t)
		}
	}
}
