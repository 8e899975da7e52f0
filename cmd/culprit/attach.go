package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"culprit/internal/owner"
	"culprit/internal/record"
)

type attachFlags struct {
	pids     []string
	snapshot bool
	wire     bool
	runFlags
}

func attachCommand() *cobra.Command {
	f := attachFlags{runFlags: runFlags{color: "auto", backend: "auto"}}
	c := &cobra.Command{
		Use:   "attach -p PID[,PID...]",
		Short: "record a running process, or say what a hanging one waits for",
		Long: `Records processes that run already until they end, --timeout is over or Ctrl-C is
pressed, and then says what each of their threads does, what it waits for and
who has that. --snapshot only looks once. The processes go on in any case.

Of Python programs the stacks are shown with the arguments and other local
variables of the innermost frames. They are read by code that runs for some
milliseconds in a thread that waits, and leaves nothing behind; --no-inject
leaves them out.

Exit status: 0; 1 when a process can't be attached to, 2 for wrong usage.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error { return attach(c, f) },
	}
	fl := c.Flags()
	fl.StringSliceVarP(&f.pids, "pid", "p", nil, "the `PID`s of the processes")
	fl.BoolVar(&f.snapshot, "snapshot", false, "look at the processes once and let them go")
	fl.StringVar(&f.report, "report", "", "write the report as JSON to `FILE` (- is standard output)")
	fl.StringVarP(&f.out, "output", "o", "", "save the case as `CASE` (default: NAME-DATE-TIME.pcapng here)")
	fl.DurationVar(&f.timeout, "timeout", 0, "record for `DURATION`, e.g. 10s, then let go")
	fl.BoolVar(&f.noProbes, "no-probes", false, "as root, do not read TLS keys out of programs by uprobes")
	fl.BoolVar(&f.noInject, "no-inject", false, "run no code in Python programs: stacks without variables")
	fl.BoolVar(&f.wire, "packets", false, "as root, record the packets of their connections too")
	fl.StringVar(&f.backend, "backend", "auto", "kernel recorder: auto, ebpf or ptrace")
	fl.Int64Var(&f.maxStream, "max-stream", 16<<20, "keep at most `BYTES` of one connection")
	fl.IntVar(&f.snaplen, "snaplen", 256, "keep at most `BYTES` of any other buffer")
	fl.IntVar(&f.buffer, "buffer", 0, "give the ebpf recorder a ring of `BYTES`, 4 MiB to 1 GiB (default: by the machine's memory)")
	fl.Var(&f.color, "color", "colour the verdict: auto, always or never")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "do not print the verdict")
	return c
}

// numbers reads the values of -p: a list, as pidof(1) and pgrep(1) print one.
func numbers(values []string) ([]int, error) {
	var pids []int
	for _, v := range values {
		for w := range strings.FieldsSeq(v) {
			pid, err := strconv.ParseInt(w, 10, 32)
			if err != nil || pid <= 0 {
				return nil, usagef("-p %q: it is the number of a process; `pgrep NAME` finds it", w)
			}
			if !slices.Contains(pids, int(pid)) {
				pids = append(pids, int(pid))
			}
		}
	}
	if len(pids) == 0 {
		return nil, usagef("there is no process to attach to: culprit attach -p PID")
	}
	return pids, nil
}

func attach(c *cobra.Command, f attachFlags) error {
	pids, err := numbers(f.pids)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if f.snapshot && c.Flags().Changed("timeout") {
		return usagef("--snapshot looks once: it takes no --timeout")
	}
	var reportFile io.WriteCloser
	if f.report != "" {
		if reportFile, err = create(f.report); err != nil {
			return fmt.Errorf("the report can't be written: %w", err)
		}
		defer reportFile.Close()
	}
	if f.out == "" {
		f.out = caseName(nameOf(pids[0]), time.Now())
	}
	ctx, stop := signal.NotifyContext(c.Context(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	if terminal(os.Stderr) && !f.quiet && !f.snapshot {
		fmt.Fprintf(os.Stderr, "culprit: recording %s; Ctrl-C ends it, the program goes on\n", strings.Trim(fmt.Sprint(pids), "[]"))
	}
	err = record.Attach(ctx, record.Attachment{
		PIDs: pids, Case: f.out, Culprit: version, Timeout: f.timeout, Snapshot: f.snapshot,
		Backend: f.backend, NoProbes: f.noProbes, NoInject: f.noInject, MaxStream: f.maxStream, Snaplen: f.snaplen, Buffer: f.buffer,
		Packets: f.wire,
	}, record.Watcher{Owner: ownerOf(owner.Open("/"))})
	if err != nil {
		return err
	}
	stop() // from here on Ctrl-C ends culprit
	return finish(f.out, reportFile, f.runFlags)
}

// nameOf is what a process is called, for the name of its case.
func nameOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "process"
	}
	return strings.TrimSpace(string(b))
}
