// Package launch starts a program so that it stands stopped before its first
// instruction, without any process of culprit's in between, and with the
// signal dispositions, signal mask and limits that culprit itself was started
// with.
//
// It doesn't look for the program in PATH, and it doesn't let it run: that is
// the recorder's part (SIGCONT).
package launch

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"culprit/internal/remote"
)

// Config says what to start.
type Config struct {
	Path string // of the program, not searched for
	Argv []string
	Env  []string             // NAME=VALUE
	Dir  string               // working directory; "" is the present one
	FDs  []uintptr            // what the descriptors 0, 1, ... are; nil is 0, 1 and 2
	Sys  *syscall.SysProcAttr // credentials and the like; Ptrace is set here
}

// Start starts path with the present working directory, standard input, output
// and error. See Config.Start.
func Start(path string, argv, env []string) (pid int, err error) {
	return Config{Path: path, Argv: argv, Env: env}.Start()
}

// Start starts the program and returns when it stands stopped by SIGSTOP,
// untraced. An error of execve(2) is or wraps the unix.Errno. A file that is no
// binary and has no #! line is given to /bin/sh, as execvp(3) does.
func (c Config) Start() (pid int, err error) {
	// PTRACE_TRACEME ties the child to this very thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sys := syscall.SysProcAttr{}
	if c.Sys != nil {
		sys = *c.Sys
	}
	sys.Ptrace = true
	fds := c.FDs
	if fds == nil {
		fds = []uintptr{0, 1, 2}
	}
	attr := &syscall.ProcAttr{Dir: c.Dir, Env: c.Env, Files: fds, Sys: &sys}
	pid, err = syscall.ForkExec(c.Path, c.Argv, attr)
	if errors.Is(err, unix.ENOEXEC) {
		argv := append([]string{"/bin/sh", c.Path}, c.Argv[min(1, len(c.Argv)):]...)
		pid, err = syscall.ForkExec(argv[0], argv, attr)
	}
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", c.Path, err)
	}
	if err := hold(pid); err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = wait(pid, unix.WALL)
		return 0, fmt.Errorf("hold %s before its first instruction: %w", c.Path, err)
	}
	return pid, nil
}

// hold takes the traced child from its stop after execve to a plain stop by
// SIGSTOP.
func hold(pid int) error {
	st, err := wait(pid, unix.WALL)
	if err != nil {
		return err
	}
	if !st.Stopped() || st.StopSignal() != unix.SIGTRAP {
		return fmt.Errorf("unexpected wait status %#x after execve", uint32(st))
	}
	if err := restoreIgnored(pid); err != nil {
		return err
	}
	if mask, known := inheritedMask(); known {
		if err := remote.SetSigmask(pid, mask); err != nil {
			return fmt.Errorf("set signal mask: %w", err)
		}
	}
	if _, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(pid), 0, uintptr(unix.SIGSTOP), 0, 0); e != 0 {
		return fmt.Errorf("detach: %w", e)
	}
	st, err = wait(pid, unix.WALL|unix.WUNTRACED)
	if err != nil {
		return err
	}
	if !st.Stopped() || st.StopSignal() != unix.SIGSTOP {
		return fmt.Errorf("unexpected wait status %#x after detaching", uint32(st))
	}
	return nil
}

// restoreIgnored makes the child ignore what culprit was started with ignoring,
// and nothing else.
func restoreIgnored(pid int) error {
	want, known := inheritedIgnored()
	if !known {
		return nil
	}
	have, known, err := ignoredBy(pid)
	if err != nil {
		return err
	}
	if !known { // what Go gives a child that ignores what this process does
		have = want & (1<<(unix.SIGHUP-1) | 1<<(unix.SIGINT-1))
	}
	// The runtime leaves these alone at the start, so what it keeps of them says
	// little: when ignored they stay so. A caller that must not be stopped uses
	// signal.Notify, not signal.Ignore, on them.
	for _, s := range []unix.Signal{unix.SIGTSTP, unix.SIGCONT, unix.SIGTTIN, unix.SIGTTOU} {
		want |= have & (1 << (s - 1))
	}
	if want == have {
		return nil
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESYSGOOD); err != nil {
		return fmt.Errorf("set ptrace options: %w", err)
	}
	t, err := remote.Begin(pid)
	if err != nil {
		return err
	}
	err = setIgnored(t, want, want^have)
	return errors.Join(err, t.End())
}

func setIgnored(t *remote.Thread, want, differ uint64) error {
	nr, word := uint64(unix.SYS_RT_SIGACTION), 8
	if t.Compat() {
		nr, word = 174, 4 // rt_sigaction of i386
	}
	for sig := 1; sig <= 64; sig++ {
		bit := uint64(1) << (sig - 1)
		if differ&bit == 0 {
			continue
		}
		action := make([]byte, 3*word+8) // struct sigaction: handler, flags, restorer, mask
		if want&bit != 0 {
			action[0] = 1 // SIG_IGN
		}
		addr, err := t.Place(action)
		if err != nil {
			return err
		}
		if ret, err := t.Call(nr, uint64(sig), addr, 0, 8); err != nil || ret != 0 {
			return fmt.Errorf("set disposition of signal %d: result %d: %w", sig, ret, err)
		}
	}
	return nil
}

func wait(pid, flags int) (unix.WaitStatus, error) {
	var st unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &st, flags, nil)
		if err == nil {
			return st, nil
		}
		if err != unix.EINTR {
			return 0, fmt.Errorf("wait for %d: %w", pid, err)
		}
	}
}
