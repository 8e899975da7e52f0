package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"culprit/internal/strace"
	"culprit/internal/sysabi"
)

// With -D the process that was started becomes the program, so that it is the
// child of whoever started it, and the tracer a process beside it:
//
//	strace -D PROG --- starts --- between --- starts --- tracer
//	      |                          |                      |
//	      | waits for the pipe       ends                   attaches to it
//	      | <------------------------ writes to the pipe ---|
//	      execve PROG                                       traces
const (
	betweenCommand = "__strace-between"
	daemonCommand  = "__strace-daemon"
	fdAttached     = 3 // the pipe
)

// execve by another thread than the first would be a matter of its own for the
// tracer.
func init() {
	if filepath.Base(os.Args[0]) == "strace" || len(os.Args) > 1 && os.Args[1] == "strace" {
		runtime.LockOSThread()
	}
}

// straceDaemon becomes the program that is to be traced.
func straceDaemon(name string, args []string, c *strace.Config) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, name+": "+err.Error())
		return 1
	}
	path, err := findProgram(c.Program)
	if err != nil {
		return fail(err)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fail(fmt.Errorf("make a pipe: %w", err))
	}
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0) // PR_SET_PTRACER_ANY; fails without Yama
	between := exec.Command("/proc/self/exe")
	between.Args = append([]string{name, betweenCommand, strconv.Itoa(c.Daemonize), strconv.Itoa(os.Getpid())}, args...)
	between.Stdin, between.Stdout, between.Stderr = os.Stdin, os.Stdout, os.Stderr
	w := os.NewFile(uintptr(pipe[1]), "pipe")
	between.ExtraFiles = []*os.File{w}
	if err := between.Run(); err != nil {
		return fail(fmt.Errorf("start the tracer: %w", err))
	}
	w.Close()
	var b [1]byte
	for {
		// Being attached to may interrupt it with errors of the kernel's own.
		n, err := unix.Read(pipe[0], b[:])
		if n == 1 {
			break
		}
		if err == nil {
			return 1 // the tracer has said why
		}
	}
	// A SIGURG by which the runtime preempts goroutines must not reach the program:
	// setting the default takes back those that are pending.
	defaultAction(unix.SIGURG)
	err = unix.Exec(path, c.Command, c.Environment(os.Environ()))
	e, _ := err.(syscall.Errno)
	return fail(fmt.Errorf("exec: %s", sysabi.Errno(e).Text()))
}

// straceBetween starts the tracer and ends, so that the program has no child
// that it doesn't know. args are the number of -D, the program's process id, and
// the command line.
func straceBetween(name string, args []string) int {
	tracer := exec.Command("/proc/self/exe")
	tracer.Args = append([]string{name, daemonCommand}, args[1:]...)
	tracer.Stdin, tracer.Stdout, tracer.Stderr = os.Stdin, os.Stdout, os.Stderr
	tracer.ExtraFiles = []*os.File{os.NewFile(fdAttached, "pipe")}
	tracer.SysProcAttr = &syscall.SysProcAttr{Setpgid: args[0] == "2", Setsid: args[0] == "3"}
	if err := tracer.Start(); err != nil {
		fmt.Fprintln(os.Stderr, name+": "+err.Error())
		return 1
	}
	return 0
}

// straceDaemonized is the tracer. args are the program's process id and the
// command line.
func straceDaemonized(name string, args []string) int {
	unix.CloseOnExec(fdAttached)
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return 2
	}
	return straceMain(name, args[1:], pid)
}

// tellAttached lets the program go on to its execve.
func tellAttached() {
	_, _ = unix.Write(fdAttached, []byte{1})
	_ = unix.Close(fdAttached)
}

// letGoOfInput gives up standard input and output: where the program is part
// of a pipe and closes its end, the pipe must be closed.
func letGoOfInput() {
	var pipe [2]int
	if unix.Pipe2(pipe[:], unix.O_CLOEXEC) != nil {
		return
	}
	_ = unix.Close(pipe[1])
	for fd := range 2 {
		_ = unix.Dup3(pipe[0], fd, unix.O_CLOEXEC)
	}
	_ = unix.Close(pipe[0])
}
