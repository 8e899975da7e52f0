package ptrace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/procfs"
	"culprit/internal/remote"
)

// Entry says where a script ran.
type Entry struct {
	TID   int32
	Pause time.Duration // for which the thread was kept from what it did
}

// ErrNowhere is returned when no thread came to a place that may be entered.
var ErrNowhere = errors.New("no thread came to a system call at which code can be run in it")

// calm is how long Enter looks for a thread that waits, before it stops one
// that runs at its calls.
const calm = 100 * time.Millisecond

// Enter runs a script in one thread of a running process, while its others run
// on, and lets it go: in the first of tids that waits in a system call that may
// (its number and first argument) says yes to, else in the first that runs, once it makes such a call. It gives
// up after within. A script that has begun is waited for, however long it takes:
// its thread can't be let go in the middle of it.
func Enter(pid int32, tids []int32, within time.Duration, may func(tid int32, nr, arg uint64) bool, script func(*remote.Calls) error) (e Entry, err error) {
	owner := make(chan int, 1)
	go mortal(func() {
		defer func() { owner <- unix.Gettid() }()
		begin := lens.Now()
		until := begin + event.Time(within)
		for lens.Now() < until {
			for _, tid := range tids {
				nr, arg, waits := waiting(pid, tid)
				runs := !waits && lens.Now() > begin+event.Time(calm) && procfs.State(pid, tid) == "R"
				if !runs && (!waits || !may(tid, nr, arg)) {
					continue
				}
				g := guest{tid: tid, until: until}
				if err = g.visit(may, script); !errors.Is(err, ErrNowhere) {
					e = Entry{tid, time.Duration(lens.Now() - g.since)}
					return
				}
			}
			time.Sleep(time.Millisecond)
		}
		err = ErrNowhere
	})
	ended(<-owner)
	return e, err
}

// waiting says in which call a thread waits that a signal would interrupt, and
// what the call's first argument is.
func waiting(pid, tid int32) (nr, arg uint64, ok bool) {
	b, err := os.ReadFile(procfs.Path(pid, fmt.Sprintf("/task/%d/syscall", tid)))
	f := strings.Fields(string(b))
	if err != nil || len(f) < 2 || procfs.State(pid, tid) != "S" {
		return 0, 0, false
	}
	nr, err = strconv.ParseUint(f[0], 10, 64) // "-1" in no call
	arg, err2 := strconv.ParseUint(f[1], 0, 64)
	return nr, arg, err == nil && err2 == nil
}

// guest is in a thread of somebody else's.
type guest struct {
	tid          int32
	until, since event.Time
	asked        bool // to stop, because the time is over
}

// visit stops the thread where it may be entered, runs the script, and leaves.
func (g *guest) visit(may func(tid int32, nr, arg uint64) bool, script func(*remote.Calls) error) error {
	if e := ptrace(reqSeize, g.tid, 0, unix.PTRACE_O_TRACESYSGOOD); e != 0 {
		if e == unix.ESRCH {
			return ErrNowhere
		}
		return fmt.Errorf("attach to thread %d: %w", g.tid, e)
	}
	g.since = lens.Now()
	_ = ptrace(reqInterrupt, g.tid, 0, 0)
	for {
		st, ok := g.stop()
		if !ok {
			return ErrNowhere // gone
		}
		sig := st.StopSignal()
		switch {
		case uint32(st)>>16 == eventStop && stopSignal(sig), uint32(st)>>16 != 0 && uint32(st)>>16 != eventStop:
			return g.leave(0)
		case uint32(st)>>16 == 0 && sig != unix.SIGTRAP|0x80: // about to get a signal
			if g.asked || lens.Now() > g.until {
				return g.leave(sig)
			}
			_ = ptrace(unix.PTRACE_SYSCALL, g.tid, 0, uintptr(sig))
			continue
		}
		var info syscallInfo
		if !getSyscallInfo(g.tid, &info) {
			return g.leave(0)
		}
		if sig == unix.SIGTRAP {
			makeAgain(g.tid, event.Arch(info.arch))
		}
		var r unix.PtraceRegs
		if unix.PtraceGetRegs(int(g.tid), &r) == nil && event.Arch(info.arch) == event.ArchX8664 && may(g.tid, r.Orig_rax, r.Rdi) {
			err := g.run(script)
			_ = g.leave(0)
			return err
		}
		if g.asked || lens.Now() > g.until {
			return g.leave(0)
		}
		_ = ptrace(unix.PTRACE_SYSCALL, g.tid, 0, 0)
	}
}

// leave lets the thread go, with the signal that it is about to get.
func (g *guest) leave(sig unix.Signal) error {
	_ = ptrace(unix.PTRACE_DETACH, g.tid, 0, uintptr(sig))
	return ErrNowhere
}

// stop waits for the thread's next stop, and asks for one when the time is over.
func (g *guest) stop() (st unix.WaitStatus, ok bool) {
	for {
		n, err := unix.Wait4(int(g.tid), &st, unix.WALL|unix.WNOHANG|waitNoThread, nil)
		now := lens.Now()
		switch {
		case err == unix.EINTR:
		case err != nil || n > 0 && !st.Stopped():
			return st, false
		case n > 0:
			return st, true
		case now > g.until+maxUnstood:
			return st, false // the end of this OS thread lets it go
		case now > g.until && !g.asked:
			g.asked = true
			_ = ptrace(reqInterrupt, g.tid, 0, 0)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func (g *guest) run(script func(*remote.Calls) error) error {
	c, turn, err := remote.Start(int(g.tid), 0, script)
	if err != nil {
		return err
	}
	for turn == remote.Busy || turn == remote.Yours {
		var st unix.WaitStatus
		if _, err := unix.Wait4(int(g.tid), &st, unix.WALL|waitNoThread, nil); err == unix.EINTR {
			continue
		} else if err != nil {
			return fmt.Errorf("wait for thread %d: %w", g.tid, err)
		}
		if turn = c.Stopped(st); turn != remote.Yours {
			continue
		}
		switch sig := st.StopSignal(); {
		case uint32(st)>>16 == eventStop && stopSignal(sig):
			_ = ptrace(reqListen, g.tid, 0, 0) // until its SIGCONT
		case uint32(st)>>16 != 0:
			_ = ptrace(unix.PTRACE_CONT, g.tid, 0, 0)
		default:
			_ = ptrace(unix.PTRACE_CONT, g.tid, 0, uintptr(sig))
		}
	}
	return c.Err()
}
