package ptrace

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/native"
	"culprit/internal/procfs"
)

const (
	// maxCrashes is how many native stacks are taken in a run: a program may
	// crash a million children. More of them are counted as lost.
	maxCrashes = 64
	maxNative  = 64 // frames of one
)

// crashes takes the native stacks of threads that are about to die.
type crashes struct {
	unwinder *native.Unwinder // nil before the first
	pid      int              // whose files are opened
	taken    int
	lost     uint64
}

// fault reports whether a signal is one by which a program ends for its own
// fault (signal(7), those that dump core and that nobody sends in order to stop
// it).
func fault(sig unix.Signal) bool {
	switch sig {
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGABRT, unix.SIGTRAP, unix.SIGSYS:
		return true
	}
	return false
}

// crash takes the stack of a task that stands in the stop before a signal that
// will end its process, nil when it won't or the stack can't be read.
func (r *Recorder) crash(t *task, sig unix.Signal) *event.Native {
	if !fault(sig) || caught(t.tid, sig) {
		return nil
	}
	c := &r.crashes
	if c.taken == maxCrashes {
		c.lost++
		return nil
	}
	regs, ok := Registers(t.tid)
	text, err := os.ReadFile(procfs.Path(t.pid, "/maps"))
	if !ok || err != nil {
		return nil
	}
	c.taken++
	if c.unwinder == nil {
		c.unwinder = native.New(func(m *native.Mapping) (native.File, error) { return native.Proc(c.pid)(m) })
	}
	c.pid = int(t.pid)
	r.mem.t = t
	python, _ := r.stack(t)
	told := native.Event(c.unwinder.Stack(regs, native.ParseMaps(text), &r.mem, maxNative))
	told.Signo, told.Stack = uint32(sig), python
	return told
}

// caught reports whether a signal does not end the process: it has a handler
// for it, or ignores it. A fault that is blocked or ignored has lost its
// disposition by now (force_sig_info_to_task, kernel/signal.c).
func caught(tid int32, sig unix.Signal) bool {
	for _, set := range []string{"SigCgt:", "SigIgn:"} {
		bits, err := strconv.ParseUint(string(procfs.Field(tid, set)), 16, 64)
		if err != nil || bits>>(sig-1)&1 != 0 {
			return true
		}
	}
	return false
}
