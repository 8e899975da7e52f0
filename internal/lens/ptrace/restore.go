package ptrace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path"
	"regexp"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/procfs"
)

// What the run added to the environment gets lost where a program is started
// with an environment of its own: `env -i`, cron, subprocess.run(env={}). For a
// Python interpreter it is put back (Options.Env), in five steps:
//
//  1. At the entry of execve the program's name, or the script's first line,
//     says whether it is Python; the environment, what is missing.
//  2. The new array and strings need room in the caller's memory. Nothing below
//     the stack pointer is ours for sure: a vfork child of a Go program stands
//     on a small stack of its parent's heap. So the task makes an anonymous
//     mapping, by a call in the place of execve, and then makes execve anew.
//  3. At that second entry the array is written and the call's argument changed.
//     The record of the call has the program's own.
//  4. When execve succeeds, the room is gone with the memory, unless the caller
//     shared it with its parent (vfork): then it is kept for the next time.
//  5. When it fails, the register is put back; the room stays for the next try.

// Bounds of what is looked at: a larger environment is left as it is.
const (
	maxEnviron = 32 << 10  // entries
	maxRoom    = 512 << 10 // bytes; the filter lets mappings below mmapMin pass
	maxValue   = 64 << 10  // of PYTHONPATH
	pageSize   = 4 << 10
)

// room is memory of a process for a new environment.
type room struct{ addr, size uint64 }

// restoring is what a task's execve needs to have put back.
type restoring struct {
	room    room
	program string // of the call in flight, when its environment was changed
	names   string // which variables
	arg     int    // argument that names the environment
	old     uint64 // its value
	refused bool   // there is no room to be had
}

// interpreter matches the base names of Python interpreters.
var interpreter = regexp.MustCompile(`^python([23](\.[0-9]+)?[td]*)?$`)

// restore puts the missing variables into the environment of an execve at its
// entry. It returns false when the task was sent off to make room: then it
// comes back with the same call.
func (r *Recorder) restore(t *task) bool {
	call := t.sys
	if len(r.opt.Env) == 0 || call.Arch != archNative || t.restore.refused {
		return true
	}
	name, envAt := call.Args[0], 2
	dir := int32(unix.AT_FDCWD)
	if call.NR == unix.SYS_EXECVEAT {
		dir, name, envAt = int32(call.Args[0]), call.Args[1], 3
	}
	r.mem.t = t
	file, ok := r.text(name, maxString)
	if !ok {
		return true
	}
	program := called(t.pid, dir, file)
	if program == "" || !python(program) {
		return true
	}
	env, ok := r.environ(call.Args[envAt])
	if !ok {
		return true
	}
	added, names := r.missing(env)
	if len(added) == 0 {
		return true
	}
	need := uint64(8 * (len(env) + len(added) + 1))
	for _, a := range added {
		need += uint64(len(a.text)) + 1
	}
	if need > maxRoom {
		return true
	}
	if t.restore.room.size < need {
		switch spare, found := t.proc.spareRoom(need); {
		case found:
			t.restore.room = spare
		case r.makeRoom(t, (need+pageSize-1)&^(pageSize-1)):
			return false
		default:
			return true
		}
	}
	if !r.writeEnviron(t.restore.room.addr, env, added) {
		return true
	}
	if setArgument(t, envAt, t.restore.room.addr) {
		t.restore.program, t.restore.names = file, names
		t.restore.arg, t.restore.old = envAt, call.Args[envAt]
	}
	return true
}

// putBack undoes the change after execve failed.
func (t *task) putBack() {
	if t.restore.program != "" {
		setArgument(t, t.restore.arg, t.restore.old)
		t.restore.program = ""
	}
}

// restored ends a change whose execve succeeded; caller made the call.
func (r *Recorder) restored(caller *task) (note *event.Note) {
	x, p := &caller.restore, caller.proc
	r.giveRoom(caller)
	if x.program != "" {
		note = &event.Note{Lens: "code", Code: "environment-restored", Text: x.program +
			" was started with an environment of its own: " + x.names + " were put back into it, so that its exceptions and TLS keys are seen"}
	}
	*x = restoring{}
	p.execs, p.spare, p.borrows = p.execs+1, nil, nil
	return note
}

// giveRoom gives a task's room back to the parent whose memory it lies in.
func (r *Recorder) giveRoom(t *task) {
	from := t.proc.borrows
	if from != nil && from.execs == t.proc.borrowed && t.restore.room.size > 0 && r.procs[from.pid] == from {
		from.spare = append(from.spare, t.restore.room)
	}
	t.restore.room = room{}
}

// shares notes that a child made by vfork runs in its parent's memory.
func (p *process) shares(parent *process, tid, child int32) {
	// kcmp(2), KCMP_VM
	if v, _, e := unix.RawSyscall6(unix.SYS_KCMP, uintptr(tid), uintptr(child), 1, 0, 0, 0); e == 0 && v == 0 {
		p.borrows, p.borrowed = parent, parent.execs
	}
}

func (p *process) spareRoom(need uint64) (room, bool) {
	from := p
	if p.borrows != nil {
		if p.borrows.execs != p.borrowed {
			return room{}, false
		}
		from = p.borrows
	}
	for i, s := range from.spare {
		if s.size >= need {
			from.spare = append(from.spare[:i], from.spare[i+1:]...)
			return s, true
		}
	}
	return room{}, false
}

// called is where the file that execve names is found from here, "" when it is
// none that could be run.
func called(pid, dir int32, name string) string {
	at := procfs.Path(pid, "/cwd")
	switch {
	case strings.HasPrefix(name, "/"):
		at = procfs.Path(pid, "/root")
	case dir != unix.AT_FDCWD:
		at = procfs.FD(pid, dir)
	}
	if name != "" {
		at += "/" + name
	}
	var st unix.Stat_t
	if unix.Stat(at, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
		return ""
	}
	if name == "" { // execveat(fd, "", AT_EMPTY_PATH)
		if link, ok := procfs.Link(at); ok && interpreter.MatchString(path.Base(link)) {
			return procfs.Path(pid, "/root") + link
		}
	}
	return at
}

// python tells a Python interpreter by its name and a script by its first line.
// A script by the interpreter's name (a wrapper of a version manager) is none.
func python(file string) bool {
	named := interpreter.MatchString(path.Base(file))
	// Only regular files come here; another may stand in its place by now.
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return named
	}
	defer unix.Close(fd)
	var b [256]byte // BINPRM_BUF_SIZE (linux/binfmts.h)
	n, err := unix.Read(fd, b[:])
	if err != nil || n < 2 || string(b[:2]) != "#!" {
		return named
	}
	return pythonScript(b[:n])
}

// pythonScript reads "#!INTERPRETER [ARGUMENT]" (execve(2)), where env(1) may
// stand before the interpreter.
func pythonScript(head []byte) bool {
	line, ok := bytes.CutPrefix(head, []byte("#!"))
	if !ok {
		return false
	}
	line, _, _ = bytes.Cut(line, []byte{'\n'})
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return false
	}
	if path.Base(words[0]) != "env" {
		return interpreter.MatchString(path.Base(words[0]))
	}
	for _, w := range words[1:] {
		if w, _ = strings.CutPrefix(w, "-S"); w == "" || strings.HasPrefix(w, "-") || strings.Contains(w, "=") {
			continue
		}
		return interpreter.MatchString(path.Base(w))
	}
	return false
}

// text reads a string of the task that r.mem is set to; not ok when it is not
// readable or longer than limit.
func (r *Recorder) text(addr uint64, limit int) (string, bool) {
	var s []byte
	var b [256]byte
	for addr != 0 && len(s) < limit {
		// Not over the end of a page: what lies behind may not be there.
		n := min(uint64(len(b)), pageSize-addr%pageSize)
		got := r.mem.ReadMem(b[:n], addr)
		if i := bytes.IndexByte(b[:got], 0); i >= 0 {
			return string(append(s, b[:i]...)), true
		}
		if got == 0 {
			break
		}
		s, addr = append(s, b[:got]...), addr+uint64(got)
	}
	return "", false
}

// environ reads the array of pointers; a null pointer is an empty one (execve(2)).
func (r *Recorder) environ(addr uint64) ([]uint64, bool) {
	if addr == 0 {
		return nil, true
	}
	var env []uint64
	var b [512]byte
	for len(env) < maxEnviron {
		n := min(uint64(len(b)), pageSize-addr%pageSize)
		if n < 8 {
			n = 8
		}
		got := r.mem.ReadMem(b[:n], addr) &^ 7
		if got == 0 {
			return nil, false
		}
		for i := 0; i < got; i += 8 {
			p := binary.NativeEndian.Uint64(b[i:])
			if p == 0 {
				return env, true
			}
			env = append(env, p)
		}
		addr += uint64(got)
	}
	return nil, false
}

// variable is an entry to put in, in the place of the entry at or behind all.
type variable struct {
	text string
	at   int // -1: none
}

// missing says what an environment needs: each of Options.Env that it has no
// variable of that name for, and of PYTHONPATH the first directory in front.
func (r *Recorder) missing(env []uint64) (added []variable, names string) {
	found := make([]bool, len(r.opt.Env))
	values := make([]variable, 0, len(r.opt.Env))
	var b [64]byte
	for i, p := range env {
		page := min(uint64(len(b)), pageSize-p%pageSize)
		got := r.mem.ReadMem(b[:page], p)
		if got == int(page) {
			got += r.mem.ReadMem(b[page:], p+page)
		}
		for j, add := range r.opt.Env {
			name, value, _ := strings.Cut(add, "=")
			if found[j] {
				continue // the first of a name counts (getenv(3))
			}
			if got <= len(name) || string(b[:len(name)]) != name || b[len(name)] != '=' {
				continue
			}
			found[j] = true
			if name != "PYTHONPATH" {
				continue
			}
			is, ok := r.text(p, maxValue)
			if !ok {
				return nil, ""
			}
			own := firstDirectory(value)
			switch is = is[len(name)+1:]; {
			case is == "":
				values = append(values, variable{name + "=" + own, i})
			case firstDirectory(is) != own:
				values = append(values, variable{name + "=" + own + ":" + is, i})
			}
		}
	}
	for j, add := range r.opt.Env {
		name, value, _ := strings.Cut(add, "=")
		if found[j] {
			continue
		}
		if name == "PYTHONPATH" { // what the user had set was taken away on purpose
			value = firstDirectory(value)
		}
		values = append(values, variable{name + "=" + value, -1})
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i], _, _ = strings.Cut(v.text, "=")
	}
	return values, strings.Join(list, ", ")
}

func firstDirectory(s string) string {
	dir, _, _ := strings.Cut(s, ":")
	return dir
}

// writeEnviron writes array and strings into room of the task that r.mem is set
// to.
func (r *Recorder) writeEnviron(addr uint64, env []uint64, added []variable) bool {
	env = append([]uint64(nil), env...)
	var more []uint64
	strs := addr + uint64(8*(len(env)+len(added)+1))
	var data []byte
	for _, a := range added {
		p := strs + uint64(len(data))
		data = append(append(data, a.text...), 0)
		if a.at >= 0 {
			env[a.at] = p
		} else {
			more = append(more, p)
		}
	}
	array := make([]byte, 0, strs-addr+uint64(len(data)))
	for _, p := range append(env, more...) {
		array = binary.NativeEndian.AppendUint64(array, p)
	}
	array = append(array[:cap(array)][:strs-addr], data...) // zeroes up to the strings end the array
	local := unix.Iovec{Base: &array[0]}
	local.SetLen(len(array))
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(array)}
	n, _, e := unix.Syscall6(unix.SYS_PROCESS_VM_WRITEV, uintptr(r.mem.t.tid), uintptr(unsafe.Pointer(&local)), 1,
		uintptr(unsafe.Pointer(&remote)), 1, 0)
	return e == 0 && int(n) == len(array)
}

// makeRoom turns the call at whose entry the task stands into mmap and waits
// for that; then the task goes on to make its call again. It returns false when
// the task is to go on as it is.
func (r *Recorder) makeRoom(t *task, size uint64) bool {
	tid := int(t.tid)
	var saved unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &saved) != nil {
		return false
	}
	regs := saved
	instead(&regs, unix.SYS_MMAP, [6]uint64{0, size, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, ^uint64(0), 0})
	if unix.PtraceSetRegs(tid, &regs) != nil {
		return false
	}
	if ptrace(unix.PTRACE_SYSCALL, t.tid, 0, 0) != 0 {
		return true // it is gone, its wait status follows
	}
	var st unix.WaitStatus
	for {
		_, err := unix.Wait4(tid, &st, unix.WALL|waitNoThread, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return true
		}
	}
	if !st.Stopped() || st.StopSignal() != unix.SIGTRAP|0x80 {
		r.stopped(t.tid, uint32(st)) // killed in between
		return true
	}
	if unix.PtraceGetRegs(tid, &regs) == nil {
		if addr := result(&regs); addr > 0 || addr < -4095 {
			t.restore.room = room{uint64(addr), size}
		} else {
			t.restore.refused = true
		}
	}
	again(&saved)
	_ = unix.PtraceSetRegs(tid, &saved)
	r.resume(t, 0)
	return true
}
