package lens

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Waiter takes in the wait statuses of the children and tracees of its thread,
// which is locked and waits for nothing else. It costs no allocation.
type Waiter struct {
	Status uint32       // the last wait status
	Usage  *unix.Rusage // filled in with it when not nil

	known bool
	alone bool // there is one core only: a thread that stays awake waits in vain
	quick int  // grows with each stop that came soon, shrinks otherwise
	waits uint
}

const (
	awakeTries = 100 // looks before going to sleep: some 30 us
	awakeProbe = 64  // every so many waits it is tried whatever quick says
	awakeMost  = 8

	busyWaits  = 1 << 10 // from so many on a thread counts as busy
	yieldWaits = 1 << 8  // some 5 ms of a busy one
)

// Wait takes the next status. A thread that makes many calls stops again within
// microseconds, while putting this thread to sleep and waking it up costs some
// 20 us where cores are idle. So it looks for a while, and sleeps only then.
func (w *Waiter) Wait() (tid int32, e unix.Errno) {
	w.waits++
	w.quiet()
	if !w.alone && (w.quick > 0 || w.waits%awakeProbe == 0) {
		for range awakeTries {
			if tid, e := w.Poll(); e != 0 || tid != 0 {
				w.quick = min(w.quick+1, awakeMost)
				return tid, e
			}
		}
		w.quick = max(w.quick-awakeMost/2, 0)
	}
	pid, _, e := unix.Syscall6(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&w.Status)),
		unix.WALL|waitNoThread, uintptr(unsafe.Pointer(w.Usage)), 0, 0)
	return int32(pid), e
}

// Poll takes a status if there is one; tid is 0 when there is none.
func (w *Waiter) Poll() (tid int32, e unix.Errno) {
	pid, _, e := unix.RawSyscall6(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&w.Status)),
		unix.WALL|unix.WNOHANG|waitNoThread, uintptr(unsafe.Pointer(w.Usage)), 0, 0)
	return int32(pid), e
}

const waitNoThread = 0x20000000 // __WNOTHREAD: children and tracees of this thread only

// quiet keeps the Go runtime's monitor asleep. When a goroutine has run for
// 10 ms on end, the monitor takes the processor from it at each system call and
// looks again every 20 us: with one core, 4 % of the time went there. It doesn't
// where the goroutine was scheduled meanwhile and another processor of the
// runtime's is idle.
func (w *Waiter) quiet() {
	if !w.known {
		var cores unix.CPUSet
		w.known, w.alone = true, unix.SchedGetaffinity(0, &cores) == nil && cores.Count() == 1
	}
	if w.waits == busyWaits && runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2)
	}
	if w.waits >= busyWaits && w.waits%yieldWaits == 0 {
		runtime.Gosched()
	}
}
