package main

//lint:file-ignore ST1005 these are strace's own words, which scripts compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"culprit/internal/lens"
	"culprit/internal/lens/tracer"
	"culprit/internal/strace"
	"culprit/internal/sysabi"
)

const pathMax = 4096 // PATH_MAX

func straceCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "strace [OPTIONS] { -p PID | PROG [ARGS] }",
		Short: "print system calls as strace(1) does, with its options",
		Long: `Takes strace's command line and prints what strace prints. A link named "strace"
to culprit behaves as this command.`,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := straceMain("strace", args, 0); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}

// straceMain is strace. Its messages begin with name, and its status is the
// traced program's: a signal that ended that one ends this process too.
// starting is a process that waits to be traced and becomes the program (-D), 0
// when this one starts it.
func straceMain(name string, args []string, starting int) int {
	say := func(text string) { fmt.Fprintln(os.Stderr, name+": "+text) }
	c, err := strace.Parse(args, os.Getpid())
	if err != nil {
		return straceFailed(name, err)
	}
	switch {
	case c.Help:
		_, _ = os.Stdout.WriteString(strace.Usage)
		return 0
	case c.Info:
		fmt.Printf("culprit strace -- version %s\n", version)
		return 0
	}
	for _, w := range c.Warnings {
		say(w)
	}
	if c.Daemonize > 0 && starting == 0 {
		return straceDaemon(name, args, c)
	}
	w := strace.Process{
		Name: name, Stderr: os.Stderr, Files: taskFiles{c},
		Wall: time.Duration(time.Now().UnixNano() - int64(lens.Now())),
		Env:  c.Environment(os.Environ()),
	}
	if w.User, err = straceUser(c.User); err != nil {
		return straceFailed(name, err)
	}
	var pipe *exec.Cmd
	if c.Output != "" && !c.Separate {
		var log io.WriteCloser
		if log, pipe, err = straceLog(c); err != nil {
			return straceFailed(name, err)
		}
		defer func() {
			log.Close()
			if pipe != nil {
				_ = pipe.Wait()
			}
		}()
		w.Log, w.Direct = log, pipe != nil
	} else if c.Separate && len(c.Output) >= pathMax-12 { // the process's number is to follow
		return straceFailed(name, fmt.Errorf("%s: %s", c.Output, sysabi.Errno(unix.ENAMETOOLONG).Text()))
	} else if c.Separate {
		w.Log = io.Discard
	}
	if len(c.Command) > 0 && starting == 0 {
		if w.Path, err = findProgram(c.Program); err != nil {
			return straceFailed(name, err)
		}
	}
	if traceColor(c, w.Log) {
		w.Colors = strace.NewPalette(os.Getenv("STRACE_COLORS"))
	}
	if w.Starting = starting; starting != 0 && c.Debug {
		say(fmt.Sprintf("new tracer pid is %d", os.Getpid()))
	}
	w.Ready = func() {
		if starting != 0 {
			tellAttached()
		}
		if len(c.Command) > 0 {
			letGoOfInput()
		}
	}
	ctx, stop := straceSignals(c)
	defer stop()
	status, err := strace.Run(ctx, c, w)
	var se *tracer.SignalError
	switch {
	case errors.Is(err, tracer.ErrNoneLeft):
		return 1
	case err != nil:
		say(err.Error())
		if by := tracedBy(); by != "0" && errors.Is(err, unix.EPERM) {
			say("this process is traced itself, by process " + by + ": a process can have one tracer only")
		}
		return 1
	case errors.As(context.Cause(ctx), &se):
		return dieBy(se.Signal)
	case status.Signaled():
		if pipe != nil {
			w.Log.(io.Closer).Close()
			_ = pipe.Wait()
		}
		return dieBy(status.Signal())
	}
	return status.ExitStatus()
}

// tracedBy is the number of the process that traces this one, "0" when none
// does.
func tracedBy() string {
	b, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(b), "TracerPid:\t")
	pid, _, _ := strings.Cut(rest, "\n")
	return pid
}

// traceColor says whether the trace is to be coloured: by itself on a terminal
// that can do it, unless NO_COLOR is set.
func traceColor(c *strace.Config, log io.Writer) bool {
	switch c.Color {
	case "never":
		return false
	case "always":
		return true
	}
	f := os.Stderr
	if log != nil {
		f, _ = log.(*os.File)
	}
	if _, off := os.LookupEnv("NO_COLOR"); off || f == nil || c.Separate {
		return false
	}
	if term := os.Getenv("TERM"); term == "" || term == "dumb" || term == "unknown" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func straceFailed(name string, err error) int {
	fmt.Fprintln(os.Stderr, name+": "+err.Error())
	var unsupported *strace.Unsupported
	if errors.As(err, &unsupported) {
		return 2
	}
	if strace.WantsHelp(err) {
		fmt.Fprintf(os.Stderr, "Try '%s -h' for more information.\n", name)
	}
	return 1
}

// findProgram looks a program up as execvp(3) does.
func findProgram(name string) (string, error) {
	if len(name) >= pathMax {
		return "", fmt.Errorf("exec: %s", sysabi.Errno(unix.ENAMETOOLONG).Text())
	}
	if strings.Contains(name, "/") {
		if _, err := os.Stat(name); err != nil {
			return "", statError(name, err)
		}
		return name, nil
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if dir == "" {
			dir = "."
		}
		path := dir + "/" + name
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("Cannot find executable '%s'", name) //nolint:staticcheck // strace's words
}

func statError(name string, err error) error {
	text := err.Error()
	var e unix.Errno
	if errors.As(err, &e) {
		text = sysabi.Errno(e).Text()
	}
	return fmt.Errorf("Cannot stat '%s': %s", name, text) //nolint:staticcheck // strace's words
}

// taskFiles opens FILE.PID for -ff.
type taskFiles struct{ c *strace.Config }

func (f taskFiles) Task(pid int) (io.WriteCloser, error) {
	return openLog(f.c.Output+"."+strconv.Itoa(pid), f.c.Append)
}

func openLog(path string, add bool) (io.WriteCloser, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if add {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		var e unix.Errno
		if errors.As(err, &e) {
			return nil, fmt.Errorf("Can't fopen '%s': %s", path, sysabi.Errno(e).Text()) //nolint:staticcheck // strace's words
		}
		return nil, err
	}
	return f, nil
}

// straceLog opens -o's file, or starts its command.
func straceLog(c *strace.Config) (io.WriteCloser, *exec.Cmd, error) {
	if c.Output[0] != '|' && c.Output[0] != '!' {
		f, err := openLog(c.Output, c.Append)
		return f, nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", c.Output[1:])
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	// By another thread than this one, which waits for its children: the program.
	started := make(chan error)
	go func() { started <- cmd.Start() }()
	if err := <-started; err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", c.Output[1:], err)
	}
	return in, cmd, nil
}

func straceUser(name string) (*tracer.User, error) {
	if name == "" {
		return nil, nil
	}
	if os.Getuid() != 0 || os.Geteuid() != 0 {
		return nil, errors.New("You must be root to use the -u/--username option") //nolint:staticcheck // strace's words
	}
	if u, g, ok := strings.Cut(name, ":"); ok {
		uid, err1 := strconv.ParseUint(u, 10, 32)
		gid, err2 := strconv.ParseUint(g, 10, 32)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("Invalid UID:GID pair '%s'", name) //nolint:staticcheck // strace's words
		}
		return &tracer.User{UID: uint32(uid), GID: uint32(gid)}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("Cannot find user '%s'", name) //nolint:staticcheck // strace's words
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	who := &tracer.User{UID: uint32(uid), GID: uint32(gid)}
	list, _ := u.GroupIds()
	for _, g := range list {
		if n, err := strconv.ParseUint(g, 10, 32); err == nil {
			who.Groups = append(who.Groups, uint32(n))
		}
	}
	return who, nil
}

// straceSignals ends the tracing at a fatal signal, but with -o FILE PROG and
// -I 3 or 4: then the signals are the program's alone.
func straceSignals(c *strace.Config) (context.Context, func()) {
	if c.Interrupts == 1 { // they end this process as it stands
		return context.Background(), func() {}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	never := c.Interrupts > 2 || c.Interrupts == 0 && c.Daemonize > 0 || c.Interrupts == 0 && c.Output != "" && len(c.Command) > 0
	got := make(chan os.Signal, 4)
	for _, s := range []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE, unix.SIGTERM} {
		if !signal.Ignored(s) {
			signal.Notify(got, s)
		}
	}
	if c.Interrupts == 4 || c.Interrupts == 0 && c.Daemonize > 0 {
		signal.Notify(got, unix.SIGTSTP)
	}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case s := <-got:
				if !never && s != unix.SIGTSTP {
					cancel(&tracer.SignalError{Signal: s.(unix.Signal)})
				}
			}
		}
	}()
	return ctx, func() { signal.Stop(got); close(done) }
}

func defaultAction(sig unix.Signal) {
	act := [4]uint64{} // struct sigaction: SIG_DFL
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
}

// dieBy ends this process by a signal, without a core file.
func dieBy(sig unix.Signal) int {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	defaultAction(sig)
	_ = unix.Kill(os.Getpid(), sig)
	time.Sleep(100 * time.Millisecond)
	return 128 + int(sig)
}
