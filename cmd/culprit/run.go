package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"culprit/internal/casefile"
	"culprit/internal/record"
)

type runFlags struct {
	report, out, backend, packets string
	timeout                       time.Duration
	noInject, noProbes, quiet     bool
	maxStream                     int64
	snaplen, buffer               int
	color                         colorMode
}

func runCommand() *cobra.Command {
	f := runFlags{color: "auto", backend: "auto", packets: "auto"}
	c := &cobra.Command{
		Use:   "run [flags] -- CMD [ARG...]",
		Short: "run a program, record it, and explain why it failed",
		Long: `Runs CMD with its terminal, input, output, signals and status untouched, records
it, and prints the verdict on standard error after the program's own last output.

Exit status: that of CMD; 128+N when signal N ended it; 127 when CMD was not
found, 126 when it could not be executed, 124 when --timeout ended it; 2 for
wrong usage, 1 when culprit itself failed before CMD was started.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "" {
				return usagef("there is no command to run: culprit run [flags] -- CMD [ARG...]")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return run(args, nil, f) },
	}
	fl := c.Flags()
	fl.SetInterspersed(false)
	fl.StringVar(&f.report, "report", "", "write the report as JSON to `FILE` (- is standard output)")
	fl.StringVarP(&f.out, "output", "o", "", "save the case as `CASE` (default: CMD-DATE-TIME.pcapng here)")
	fl.DurationVar(&f.timeout, "timeout", 0, "end the program after `DURATION`, e.g. 30s, and say what it waited for")
	fl.BoolVar(&f.noInject, "no-inject", false, "put nothing into the program: no Python agent, no TLS key log")
	fl.BoolVar(&f.noProbes, "no-probes", false, "as root, do not read TLS keys out of programs by uprobes")
	fl.StringVar(&f.backend, "backend", "auto", "kernel recorder: auto, ebpf or ptrace")
	fl.StringVar(&f.packets, "packets", "auto", "record the program's packets: auto (as root), on or off")
	fl.Int64Var(&f.maxStream, "max-stream", 16<<20, "keep at most `BYTES` of one connection")
	fl.IntVar(&f.snaplen, "snaplen", 256, "keep at most `BYTES` of any other buffer")
	fl.IntVar(&f.buffer, "buffer", 0, "give the ebpf recorder a ring of `BYTES`, 4 MiB to 1 GiB (default: by the machine's memory)")
	fl.Var(&f.color, "color", "colour the verdict: auto, always or never")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "do not print the verdict")
	return c
}

// errRecorderDied says that the second process is gone before its time.
var errRecorderDied = errors.New("the recorder ended early")

// run records and explains one command. extra are NAME=VALUE additions to its
// environment.
func run(command, extra []string, f runFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	var reportFile io.WriteCloser
	if f.report != "" {
		w, err := create(f.report) // said before the program starts, not after
		if err != nil {
			return fmt.Errorf("the report can't be written: %w", err)
		}
		reportFile = w
		defer w.Close()
	}
	out := f.out
	if out == "" {
		out = caseName(command[0], time.Now())
	}
	env := os.Environ()
	if len(extra) > 0 { // of a name that stands twice a program sees either
		env = (&exec.Cmd{Env: append(env, extra...)}).Environ()
	}
	r, err := startRecorder(record.Config{
		Command: command, Env: env, Case: out, Culprit: version, Timeout: f.timeout,
		NoInject: f.noInject, NoProbes: f.noProbes, Backend: f.backend, Cache: cacheDir(), MaxStream: f.maxStream, Snaplen: f.snaplen, Buffer: f.buffer,
		Packets: f.packets,
	})
	if err != nil {
		return err
	}
	res, err := r.wait()
	if errors.Is(err, errRecorderDied) {
		return fmt.Errorf("%w; `culprit explain %s` shows what it had recorded", err, spoolOf(out))
	}
	if err != nil {
		return err
	}
	if err := finish(out, reportFile, f); err != nil {
		fmt.Fprintln(os.Stderr, "culprit: "+err.Error())
	}
	if len(res.Remaining) > 0 && !f.quiet {
		fmt.Fprintf(os.Stderr, "culprit: %d processes of it are still running (%s); they are no longer recorded\n",
			len(res.Remaining), strings.Trim(fmt.Sprint(res.Remaining), "[]"))
	}
	if code := statusCode(res); code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// check refuses values that no recorder takes.
func (f runFlags) check() error {
	if !slices.Contains(record.Backends, f.backend) {
		return usagef("--backend %q: it is one of %s", f.backend, strings.Join(record.Backends, ", "))
	}
	if f.packets != "" && !slices.Contains(record.Packets, f.packets) {
		return usagef("--packets %q: it is one of %s", f.packets, strings.Join(record.Packets, ", "))
	}
	if f.maxStream < 0 || f.snaplen < 0 || f.buffer < 0 || f.timeout < 0 {
		return usagef("--max-stream, --snaplen, --buffer and --timeout can't be negative")
	}
	return nil
}

// finish explains the spool, lays the case out, and shows the verdict.
func finish(out string, reportFile io.Writer, f runFlags) error {
	d, err := diagnose(spoolOf(out))
	if err != nil {
		return err
	}
	saved := out
	if err := d.save(out); err != nil {
		fmt.Fprintln(os.Stderr, "culprit: "+err.Error())
		saved = d.c.Path()
	}
	if reportFile != nil {
		if err := d.json(saved).Write(reportFile); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	if f.quiet {
		return nil
	}
	return d.text(os.Stderr, f.color, saved, false)
}

func statusCode(r record.Result) int {
	switch {
	case r.Timeout:
		return 124 // as timeout(1)
	case r.Status.Signaled():
		return 128 + int(r.Status.Signal())
	}
	return r.Status.ExitStatus()
}

// caseName is the default name of a case: the command's base name and the local
// time.
func caseName(command string, now time.Time) string {
	base := filepath.Base(command)
	base = strings.Map(func(r rune) rune {
		if r == '/' || r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, base)
	return base + "-" + now.Format("20060102-150405") + ".pcapng"
}

// recorderProcess is the second process, see recorder.go.
type recorderProcess struct {
	cmd    *exec.Cmd
	orders *json.Encoder
	news   *json.Decoder
}

func startRecorder(cfg record.Config) (*recorderProcess, error) {
	ordersR, ordersW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting the recorder: %w", err)
	}
	newsR, newsW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting the recorder: %w", err)
	}
	cmd := exec.Command("/proc/self/exe", recorderCommand)
	cmd.Args[0] = "culprit"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{ordersR, newsW}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the recorder: %w", err)
	}
	ordersR.Close()
	newsW.Close()
	r := &recorderProcess{cmd, json.NewEncoder(ordersW), json.NewDecoder(newsR)}
	if err := r.orders.Encode(cfg); err != nil {
		return nil, fmt.Errorf("starting the recorder: %w", err)
	}
	return r, nil
}

// wait follows the run to its end: it passes signals on, and stops itself when
// the command was stopped by job control, so that the shell takes over.
func (r *recorderProcess) wait() (record.Result, error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGUSR1, unix.SIGUSR2)
	defer signal.Stop(signals)
	told := make(chan news)
	failed := make(chan error, 1)
	go func() {
		for {
			var n news
			if err := r.news.Decode(&n); err != nil {
				failed <- err
				return
			}
			told <- n
			if n.Done != nil {
				return
			}
		}
	}()
	for {
		select {
		case s := <-signals:
			// What the terminal sends, the program gets from it too.
			switch sig := s.(unix.Signal); sig {
			case unix.SIGTSTP:
			case unix.SIGINT, unix.SIGQUIT:
				if !foreground() {
					_ = r.orders.Encode(order{int(sig)})
				}
			default:
				_ = r.orders.Encode(order{int(sig)})
			}
		case n := <-told:
			switch {
			case n.Done != nil:
				if n.Error != "" && !n.Done.Started && n.Done.Errno == 0 {
					return *n.Done, errors.New(n.Error)
				}
				if n.Error != "" {
					fmt.Fprintln(os.Stderr, "culprit: the recording is incomplete: "+n.Error)
				}
				if n.Done.Remaining == nil {
					_ = r.cmd.Wait()
				}
				return *n.Done, nil
			case n.Stopped != 0:
				_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
			}
		case err := <-failed:
			state := r.cmd.Wait()
			return record.Result{}, fmt.Errorf("%w (%v, %v), and the program with it", errRecorderDied, state, err)
		}
	}
}

// foreground reports whether this process is in the terminal's foreground
// group, so that the terminal's signals reach the program by themselves.
func foreground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	pgrp, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && pgrp == unix.Getpgrp()
}

// spoolOf is the path of a case's spool: an older case may stand at out itself.
func spoolOf(out string) string { return out + casefile.SpoolSuffix }

// cacheDir is where culprit keeps what it can make again, "" where there is no
// such place.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "culprit")
}
