package stage

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Run is a program to run. It gets a small fixed environment and no input.
type Run struct {
	Argv []string
	// Env is added to the environment.
	Env []string
	// Dir is the working directory; the stage's directory when "".
	Dir string
	// Prefix is put in front of whatever is run: a command that makes the
	// surroundings (another user, another mount namespace) and execs the rest.
	Prefix []string
}

// Result is what a run came to. Code is -1 when a signal killed it.
type Result struct {
	Stdout, Stderr string
	Code           int
	Signal         syscall.Signal
	Usage          *syscall.Rusage // of the process and the children it waited for
	Took           time.Duration
}

// Limit is how long a staged program may run.
const Limit = time.Minute

// Environ is the environment of staged programs, before Run.Env.
func (s *Stage) Environ() []string {
	return []string{"PATH=" + searchPath, "HOME=" + s.Dir, "LANG=C.UTF-8", "TERM=dumb", "USER=stage"}
}

// Exec runs r to its end with before (culprit and its flags, say) between its
// prefix and its command.
func (s *Stage) Exec(r Run, before ...string) Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx(), Limit)
	defer cancel()
	argv := append(append(append([]string{}, r.Prefix...), before...), r.Argv...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if p := Program(argv[0]); p != "" {
		cmd.Path, cmd.Err = p, nil
	}
	cmd.Env = append(s.Environ(), r.Env...)
	cmd.Dir = r.Dir
	if cmd.Dir == "" {
		cmd.Dir = s.Dir
	}
	// Its own process group, so that all of it can be ended.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	// Files, as a user's terminal would not be pipes that somebody waits on:
	// a program left behind in the background keeps no reader waiting.
	stdout, stderr := s.temp(), s.temp()
	defer stdout.Close()
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	start := time.Now()
	err := cmd.Run()
	res := Result{Took: time.Since(start), Stdout: content(s, stdout), Stderr: content(s, stderr)}
	if ctx.Err() != nil {
		s.t.Fatalf("%q still ran after %v; stderr:\n%s", argv, res.Took, res.Stderr)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("run %q: %v", argv, err)
	}
	st := cmd.ProcessState.Sys().(syscall.WaitStatus)
	res.Code = cmd.ProcessState.ExitCode()
	if st.Signaled() {
		res.Signal = st.Signal()
	}
	res.Usage = cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return res
}

func (s *Stage) temp() *os.File {
	s.t.Helper()
	f, err := os.CreateTemp(s.Dir, ".out-")
	if err != nil {
		s.t.Fatal(err)
	}
	os.Remove(f.Name())
	return f
}

func content(s *Stage, f *os.File) string {
	s.t.Helper()
	var b bytes.Buffer
	if _, err := f.Seek(0, 0); err != nil {
		s.t.Fatal(err)
	}
	if _, err := b.ReadFrom(f); err != nil {
		s.t.Fatal(err)
	}
	return b.String()
}
