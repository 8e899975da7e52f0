package tracer

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"culprit/internal/launch"
	"culprit/internal/remote"
)

// start makes a process that has yet to call execve, so that this call is the
// first that is traced:
//
//  1. This very binary is started and held before its first instruction; no
//     code of it ever runs.
//  2. Its credentials are changed, if wanted, by calls made in it.
//  3. Path, argv and envp are put on its stack and its registers set to execve.
//  4. It runs on, traced.
func (r *Tracer) start() error {
	const self = "/proc/self/exe"
	pid, err := launch.Start(self, []string{self}, nil)
	if err != nil {
		return err
	}
	r.root = int32(pid)
	if e := ptrace(reqSeize, r.root, 0, r.Options()); e != 0 {
		_ = unix.Kill(pid, unix.SIGKILL)
		return fmt.Errorf("PTRACE_SEIZE: %w", e)
	}
	if err := r.prepare(); err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		return err
	}
	t := r.newTask(r.root, Started)
	t.started, t.exec = true, true
	if e := ptrace(unix.PTRACE_SYSCALL, r.root, 0, 0); e != 0 {
		return fmt.Errorf("PTRACE_SYSCALL: %w", e)
	}
	return nil
}

func (r *Tracer) prepare() error {
	if err := r.firstStop(); err != nil {
		return err
	}
	if u := r.opt.User; u != nil {
		if err := become(int(r.root), u); err != nil {
			return err
		}
	}
	if r.opt.Only != nil {
		if err := installFilter(int(r.root), program(r.opt.Only)); err != nil {
			return fmt.Errorf("install a seccomp filter: %w", err)
		}
	}
	var g registers
	if err := getRegs(r.root, &g); err != nil {
		return fmt.Errorf("read registers: %w", err)
	}
	const page = 4096
	b, at := execve(r.opt.Path, r.opt.Argv, r.opt.Env, (stackPointer(&g)-page)&^(page-1))
	if err := r.poke(b, at.start); err != nil {
		return fmt.Errorf("write arguments: %w", err)
	}
	ip := instructionPointer(&g)
	if _, err := unix.PtracePokeText(int(r.root), uintptr(ip), syscallInstruction); err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	load(&g, ip, unix.SYS_EXECVE, at.path, at.argv, at.envp)
	if err := setRegs(r.root, &g); err != nil {
		return fmt.Errorf("set registers: %w", err)
	}
	return unix.Kill(int(r.root), unix.SIGCONT)
}

// poke writes memory of the program. Not through /proc, which may be another PID
// namespace's; word for word where the call that can do it at once is not
// allowed.
func (r *Tracer) poke(b []byte, addr uint64) error {
	t := Task{TID: r.root}
	if t.WriteMem(b, addr) == len(b) {
		return nil
	}
	n, err := unix.PtracePokeData(int(r.root), uintptr(addr), b)
	if err == nil && n < len(b) {
		err = fmt.Errorf("%d of %d bytes", n, len(b))
	}
	return err
}

// firstStop waits for the stop that follows PTRACE_SEIZE of a stopped process.
func (r *Tracer) firstStop() error {
	var st unix.WaitStatus
	for {
		_, err := unix.Wait4(int(r.root), &st, unix.WALL, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return fmt.Errorf("wait: %w", err)
		}
	}
	if !st.Stopped() || uint32(st)>>16 != eventStop {
		return fmt.Errorf("unexpected wait status %#x", uint32(st))
	}
	return nil
}

// become changes the credentials of the stopped process.
func become(pid int, u *User) error {
	t, err := remote.Begin(pid)
	if err != nil {
		return err
	}
	defer func() { _ = t.End() }()
	var list []byte
	for _, g := range u.Groups {
		list = binary.NativeEndian.AppendUint32(list, g)
	}
	addr := uint64(0)
	if len(list) > 0 {
		if addr, err = t.Place(list); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name string
		nr   uint64
		args []uint64
	}{
		{"setgroups", unix.SYS_SETGROUPS, []uint64{uint64(len(u.Groups)), addr}},
		{"setresgid", unix.SYS_SETRESGID, []uint64{uint64(u.GID), uint64(u.GID), uint64(u.GID)}},
		{"setresuid", unix.SYS_SETRESUID, []uint64{uint64(u.UID), uint64(u.UID), uint64(u.UID)}},
	} {
		ret, err := t.Call(c.nr, c.args...)
		if err != nil {
			return err
		}
		if ret < 0 {
			return fmt.Errorf("%s: %w", c.name, unix.Errno(-ret))
		}
	}
	return nil
}

type placed struct{ start, path, argv, envp uint64 }

// execve lays out the arguments of execve(2) so that they end at top.
func execve(path string, argv, env []string, top uint64) ([]byte, placed) {
	size := len(path) + 1
	for _, list := range [][]string{argv, env} {
		for _, s := range list {
			size += len(s) + 1
		}
		size += 8 * (len(list) + 1)
	}
	at := placed{start: (top - uint64(size)) &^ 15}
	at.argv = at.start
	at.envp = at.argv + 8*uint64(len(argv)+1)
	next := at.envp + 8*uint64(len(env)+1)
	b := make([]byte, 0, size)
	var text []byte
	for _, list := range [][]string{argv, env} {
		for _, s := range list {
			b = binary.NativeEndian.AppendUint64(b, next+uint64(len(text)))
			text = append(append(text, s...), 0)
		}
		b = binary.NativeEndian.AppendUint64(b, 0)
	}
	at.path = next + uint64(len(text))
	return append(append(append(b, text...), path...), 0), at
}
