package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/keys"
	"culprit/internal/lens/packet"
	"culprit/internal/procfs"
)

// Attachment says which running processes to record.
type Attachment struct {
	PIDs      []int
	Case      string        // path of the case; the spool lies beside it
	Culprit   string        // version
	Timeout   time.Duration // 0: none
	Snapshot  bool          // only look at them once
	Backend   string        // one of Backends; "" is "auto"
	NoProbes  bool          // no uprobes for TLS keys
	NoInject  bool          // no code is run in Python programs
	MaxStream int64         // bytes kept of one connection; 0: 16 MiB
	Snaplen   int           // bytes kept of any other buffer; 0: 256
	Buffer    int           // bytes of the eBPF recorder's ring; 0: by the machine's memory
	Packets   bool          // record the packets of their sockets too
}

// Attach records processes that run already until they are gone, the time is
// over or ctx is done, and what their threads, and those of their descendants,
// wait for at the beginning and at the end. Nothing stays in them and they go
// on in any case. The spool is complete when it returns without an error; with
// an error there is none.
func Attach(ctx context.Context, a Attachment, w Watcher) error {
	for _, pid := range a.PIDs {
		if err := a.attachable(int32(pid)); err != nil {
			return err
		}
	}
	spool, err := casefile.Create(a.Case, casefile.Options{})
	if err != nil {
		return err
	}
	err = errors.Join(a.record(ctx, w, spool), spool.Close())
	if err != nil {
		_ = os.Remove(spool.Path())
	}
	return err
}

func (a Attachment) record(ctx context.Context, w Watcher, spool lens.Sink) error {
	if a.Timeout > 0 && !a.Snapshot {
		limit, cancel := context.WithTimeout(ctx, a.Timeout)
		defer cancel()
		ctx = limit
	}
	a.header(spool)
	snapshot(spool)
	seen, done := spool, func() {}
	if a.Packets && !a.Snapshot {
		var err error
		if seen, done, err = attachPackets(packet.Options{MaxStream: a.MaxStream}, spool); err != nil {
			return err
		}
		defer done()
	}
	ran := &programs{sink: seen}
	l := &looker{witness: newWitness(ran, nil), known: map[int32]bool{}, told: map[int32]*event.Exec{}, noValues: a.NoInject}
	if a.NoInject {
		put(spool, &event.Note{Lens: "code", Code: "values-off", Text: "--no-inject: no values in the frames of Python programs were read"})
	}
	for _, pid := range a.PIDs {
		l.pids = append(l.pids, int32(pid))
	}
	l.look(a.Snapshot)

	end := &event.End{Detached: true}
	if !a.Snapshot {
		var sink lens.Sink = l
		var probes *keys.Watch
		if !a.NoProbes {
			probes = keys.New(l, keys.Options{Late: a.Backend == "ebpf"})
			procs, _ := l.family()
			probes.Meet(procs)
			sink = probes
		} else {
			put(spool, &event.Note{Lens: "wire", Code: "tls-off", Text: "--no-probes: no TLS keys were read out of programs"})
		}
		kernels, err := a.kernels(ctx, sink)
		probes.Close()
		if err != nil {
			return err
		}
		l.look(true)
		if st, ok := kernels[0].Status(); ok {
			end = &event.End{Status: uint32(st)}
			if st != 0 {
				ran.owners(w.Owner)
			}
		}
	}
	done() // before what closes the recording
	put(spool, end)
	return nil
}

// kernels records every process with a recorder of its own, all at once, and
// returns the recorders when all are done.
func (a Attachment) kernels(ctx context.Context, sink lens.Sink) ([]kernelLens, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg := Config{Backend: a.Backend, MaxStream: a.MaxStream, Snaplen: a.Snaplen, Buffer: a.Buffer}
	kernels, errs := make([]kernelLens, len(a.PIDs)), make([]error, len(a.PIDs))
	var all sync.WaitGroup
	for i, pid := range a.PIDs {
		k, err := backend(cfg, Watcher{}, way{}, true)
		if err != nil {
			return nil, err
		}
		kernels[i] = k
		all.Go(func() {
			errs[i] = k.Record(ctx, lens.Target{PID: pid, Running: true}, sink)
			if errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
		case errors.Is(err, unix.EPERM) || errors.Is(err, unix.ESRCH):
			return nil, a.refused(int32(a.PIDs[i]), err)
		default:
			return nil, err
		}
	}
	return kernels, nil
}

func (a Attachment) header(s lens.Sink) {
	x := procfs.Exec(int32(a.PIDs[0]))
	cfg := Config{Culprit: a.Culprit, Command: x.Argv, Backend: a.Backend, Env: environ(int32(a.PIDs[0]))}
	if len(cfg.Command) == 0 || cfg.Command[0] == "" { // it wrote over its arguments
		cfg.Command = []string{strings.TrimSpace(readProc(proc(int32(a.PIDs[0]), "comm")))}
	}
	header(s, cfg, "", x.Cwd, cfg.Env, nil)
}

// environ is the environment that a process was started with.
func environ(pid int32) []string {
	return procfs.Strings([]byte(readProc(proc(pid, "environ"))))
}

// AttachError says why a process can't be attached to.
type AttachError struct {
	PID    int
	Why    string // what it is or who has it
	Remedy string // what to do, may be empty
	Err    error  // the system's, may be nil
}

func (e *AttachError) Error() string {
	return fmt.Sprintf("can't attach to process %d: %s", e.PID, e.Why)
}

// Unwrap returns the system's error.
func (e *AttachError) Unwrap() error { return e.Err }

// attachable reports what is known beforehand to be in the way.
func (a Attachment) attachable(pid int32) error {
	status := readProc(proc(pid, "status"))
	field := func(name string) string {
		for line := range strings.Lines(status) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				return strings.TrimSpace(rest)
			}
		}
		return ""
	}
	e := &AttachError{PID: int(pid)}
	name := field("Name:")
	switch tgid, state := field("Tgid:"), field("State:"); {
	case status == "":
		e.Why, e.Err = "there is no such process", unix.ESRCH
		e.Remedy = "`ps -e` or `pgrep NAME` lists the processes; a process of another PID namespace (a container) has another number here"
	case tgid == fmt.Sprint(os.Getpid()):
		e.Why = "that is culprit itself"
	case tgid != fmt.Sprint(pid):
		e.Why = fmt.Sprintf("that is a thread of process %s (%s)", tgid, name)
		e.Remedy = "attach to the process: -p " + tgid
	case strings.HasPrefix(state, "Z") && field("Threads:") == "1":
		e.Why = fmt.Sprintf("%s is a zombie: it has ended, and its parent, process %s (%s), has not waited for it", name, field("PPid:"), comm(field("PPid:")))
		e.Remedy = "look at the parent: -p " + field("PPid:")
	case field("Kthread:") == "1" || field("Kthread:") == "" && readProc(proc(pid, "cmdline")) == "" && readLink(proc(pid, "exe")) == "":
		if os.Geteuid() != 0 && field("Kthread:") == "" {
			return nil // the link may just be forbidden
		}
		e.Why = fmt.Sprintf("%s is a thread of the kernel: it has no program", name)
	case field("TracerPid:") != "0" && field("TracerPid:") != "" && !a.Snapshot && a.Backend != "ebpf":
		tracer := field("TracerPid:") // the thread that traces
		if tgid, _, ok := procfs.Family(int32(limitValue(tracer))); ok {
			tracer = fmt.Sprint(tgid)
		}
		e.Why = fmt.Sprintf("%s is traced already, by process %s (%s)", name, tracer, comm(tracer))
		e.Remedy = "a process has one tracer only: end that one, or look without tracing: --snapshot, or as root --backend ebpf"
		e.Err = unix.EPERM
	default:
		// Reading this takes the right to trace the process.
		if _, err := os.ReadFile(proc(pid, "syscall")); errors.Is(err, fs.ErrPermission) {
			return forbidden(pid, err)
		}
		return nil
	}
	return e
}

func comm(pid string) string { return strings.TrimSpace(readProc("/proc/" + pid + "/comm")) }

// refused explains the system's refusal.
func (a Attachment) refused(pid int32, err error) error {
	if e := a.attachable(pid); e != nil { // it ended meanwhile, or somebody was quicker
		return e
	}
	return forbidden(pid, err)
}

func forbidden(pid int32, err error) error {
	e := &AttachError{PID: int(pid), Err: err}
	var st unix.Stat_t
	_ = unix.Stat(proc(pid, ""), &st)
	name := strings.TrimSpace(readProc(proc(pid, "comm")))
	scope := strings.TrimSpace(readProc("/proc/sys/kernel/yama/ptrace_scope"))
	switch {
	case os.Geteuid() != 0 && int(st.Uid) != os.Geteuid():
		e.Why = fmt.Sprintf("%s belongs to user %d, or made itself undumpable, and culprit runs as user %d", name, st.Uid, os.Geteuid())
		e.Remedy = "run culprit as root (sudo) or as that user"
	case scope == "3":
		e.Why = "kernel.yama.ptrace_scope is 3: nobody may attach to a process until the next boot"
	case scope == "2" || scope == "1" && os.Geteuid() != 0:
		e.Why = fmt.Sprintf("kernel.yama.ptrace_scope is %s: %s", scope, map[string]string{
			"1": "a user may trace only what he starts", "2": "only root may trace"}[scope])
		e.Remedy = "run culprit as root, or `sysctl kernel.yama.ptrace_scope=0`, or start the program with `culprit run`"
	default:
		e.Why = fmt.Sprintf("the kernel does not allow it (%v): a container or a security module forbids ptrace, or the program gave up being traced", errno(err))
		e.Remedy = "in a container give it the capability SYS_PTRACE, or run culprit outside"
	}
	return e
}

func errno(err error) error {
	var e unix.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}
