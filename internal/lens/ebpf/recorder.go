package ebpf

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/ringbuf"
)

// Recorder records one target.
type Recorder struct {
	opt  Options
	sink lens.Sink
	l    *loaded
	root int32

	tasks     map[int32]*task
	procs     map[int32]*process
	streams   map[uint32]*stream
	noted     uint32
	last      *task // of the record before
	native    *[tableSize]facts
	compat    *[tableSize]facts
	sys       event.Syscall
	fdEvent   event.FD
	signal    event.Signal
	siginfo   [128]byte
	damaged   uint64 // records that could not be read
	partial   uint64 // records of which parts are missing
	companion Companion
	started   bool // the SIGCONT that starts the target was seen

	mu     sync.Mutex
	alive  map[int32]bool
	result unix.WaitStatus
	done   bool
}

// New makes a recorder for one use.
func New(o Options) *Recorder {
	return &Recorder{
		opt:     o.filled(),
		tasks:   map[int32]*task{},
		procs:   map[int32]*process{},
		streams: map[uint32]*stream{},
		alive:   map[int32]bool{},
		native:  factsOf(archNative),
		compat:  factsOf(archCompat),
	}
}

// Name returns "kernel".
func (r *Recorder) Name() string { return "kernel" }

// Probe loads the programs and attaches them, for nobody, and takes them out
// again.
func (r *Recorder) Probe() error {
	small := r.opt
	small.Buffer = bufferSize(1)
	l, err := load(small, false)
	if err != nil {
		return err
	}
	defer l.close()
	return l.attach()
}

// Prepare loads the programs, so that Record begins at once. What it says of a
// machine where they can't be used is what Probe says.
func (r *Recorder) Prepare() error { return r.prepare(r.opt.Running) }

func (r *Recorder) prepare(running bool) error {
	if r.l != nil {
		if !running || r.l.Meet != nil {
			return nil
		}
		r.l.close()
		r.l = nil
	}
	l, err := load(r.opt, running)
	if err != nil {
		return err
	}
	if err := l.fill(archNative, archCompat, r.opt.Trace); err != nil {
		l.close()
		return fmt.Errorf("hand the table of system calls to the kernel: %w", err)
	}
	if l.ring, err = ringbuf.Open(l.obj.Ring); err != nil {
		l.close()
		return err
	}
	r.l = l
	return nil
}

// How often the ring is looked at: nobody wakes us.
const (
	busyWait = 2 * time.Millisecond
	idleWait = 10 * time.Millisecond
	lastWait = time.Millisecond // while the root is gone and descendants are not
)

// Record records the target and all that descends from it until they are gone,
// Options.Grace after the root program's end, or until ctx is done. Whatever is
// left then runs on, unrecorded and unharmed.
func (r *Recorder) Record(ctx context.Context, t lens.Target, s lens.Sink) error {
	if err := r.prepare(t.Running); err != nil {
		return err
	}
	r.sink, r.root = s, int32(t.PID)
	l := r.l
	defer l.close()
	pidfd, err := unix.PidfdOpen(t.PID, 0)
	if err != nil {
		return fmt.Errorf("open process %d: %w", t.PID, err)
	}
	defer unix.Close(pidfd)
	if err := l.attach(); err != nil {
		return err
	}
	if err := l.introduce(); err != nil {
		return err
	}
	if t.Running {
		if err := r.meet(); err != nil {
			return err
		}
	} else {
		r.execedNow(r.process(r.root))
		if err := l.obj.Target.Set(r.root); err != nil {
			return fmt.Errorf("name the target to the kernel: %w", err)
		}
		if r.opt.Accompany != nil {
			if r.companion, err = r.opt.Accompany(t.PID, r.opt.OnStop); err != nil {
				return fmt.Errorf("accompany the program: %w", err)
			}
			defer r.companion.Close()
		}
		if err := unix.Kill(t.PID, unix.SIGCONT); err != nil {
			return fmt.Errorf("start the stopped program: %w", err)
		}
	}
	r.loop(ctx, pidfd)
	if ctx.Err() != nil {
		r.waits()
	}
	l.detach()
	r.drain()
	r.losses()
	return nil
}

// loop reads the ring until the recording is over.
func (r *Recorder) loop(ctx context.Context, pidfd int) {
	var gone time.Time // when the root ended
	wait := busyWait
	for ctx.Err() == nil {
		n := r.drain()
		if !gone.IsZero() {
			live := int32(0)
			_ = r.l.obj.Live.Get(&live)
			if live <= 0 && n == 0 || time.Since(gone) > r.opt.Grace {
				return
			}
			time.Sleep(lastWait)
			continue
		}
		switch {
		case n > r.l.ring.Size()/8:
			continue
		case n > 0:
			wait = busyWait
		default:
			wait = min(wait*2, idleWait)
		}
		if !r.reap(pidfd) {
			r.sleep(ctx, pidfd, wait)
			continue
		}
		gone = time.Now()
	}
}

// sleep waits, but no longer than the root program lives.
func (r *Recorder) sleep(ctx context.Context, pidfd int, d time.Duration) {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	_, _ = unix.Poll(fds, int(d/time.Millisecond))
}

// reap asks what became of the root program, and reports whether it is gone. Of
// one that is not our child the record of its end tells the status.
func (r *Recorder) reap(pidfd int) bool {
	if r.companion != nil {
		st, done := r.companion.Status()
		if done {
			r.gone(st)
		}
		return done
	}
	for {
		var st unix.WaitStatus
		pid, err := unix.Wait4(int(r.root), &st, unix.WNOHANG|unix.WUNTRACED, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil: // not our child: attached
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
			return n > 0
		case pid == 0:
			return false
		case st.Stopped():
			if r.opt.OnStop != nil && stopSignal(st.StopSignal()) {
				r.opt.OnStop(st.StopSignal())
			}
			continue
		}
		r.gone(st)
		return true
	}
}

// gone takes in the root program's end.
func (r *Recorder) gone(st unix.WaitStatus) {
	r.mu.Lock()
	r.result, r.done = st, true
	r.mu.Unlock()
	if r.opt.OnExit != nil {
		r.opt.OnExit(st)
	}
}

func stopSignal(s unix.Signal) bool {
	return s == unix.SIGSTOP || s == unix.SIGTSTP || s == unix.SIGTTIN || s == unix.SIGTTOU
}

// maxDrain bounds how long the recorder does nothing but read.
const maxDrain = 16 << 20

func (r *Recorder) drain() (total uint64) {
	for {
		n := r.l.ring.Drain(maxDrain, r.record)
		total += n
		if n < maxDrain {
			return total
		}
	}
}

// losses tells what did not fit into the ring, by thread.
func (r *Recorder) losses() {
	for _, s := range r.streams {
		r.lossOf(s)
	}
	r.lostCalls()
	var n uint32
	if _ = r.l.obj.Unfollowed.Get(&n); n > 0 {
		r.loss("threads over the table's size", uint64(n), 0)
	}
	var over uint64
	if _ = r.l.obj.Overrun.Get(&over); over > 0 {
		r.loss("system calls without a buffer", over, 0)
	}
	if r.damaged > 0 {
		r.loss("unreadable records", r.damaged, 0)
	}
	if r.partial > 0 {
		r.loss("system calls without their memory", r.partial, 0)
	}
}

func (r *Recorder) loss(what string, count, bytes uint64) {
	r.sink.Put(event.Event{Time: lens.Now(), Body: &event.Loss{Lens: "kernel", What: what, Count: count, Bytes: bytes}})
}

// lostCalls counts what threads lost, those that are gone and those that are
// not.
func (r *Recorder) lostCalls() {
	lost := map[int32][2]uint64{}
	var tid int32
	var v [2]uint64
	for it := r.l.obj.Losses.Iterate(); it.Next(&tid, &v); {
		lost[tid] = v
	}
	for _, t := range r.inKernel() {
		if t.lost > 0 {
			v := lost[t.tid]
			lost[t.tid] = [2]uint64{v[0] + uint64(t.lost), v[1] + t.lostBytes}
		}
	}
	tids := make([]int32, 0, len(lost))
	for tid := range lost {
		tids = append(tids, tid)
	}
	slices.Sort(tids)
	for _, tid := range tids {
		r.loss(fmt.Sprintf("system calls of thread %d", tid), lost[tid][0], lost[tid][1])
	}
}

// Status returns the root program's wait status once it is gone.
func (r *Recorder) Status() (unix.WaitStatus, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result, r.done
}

// Remaining returns the processes that outlived Record, in order. They need
// nothing from us.
func (r *Recorder) Remaining() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	pids := make([]int, 0, len(r.alive))
	for pid := range r.alive {
		if unix.Kill(int(pid), 0) == nil {
			pids = append(pids, int(pid))
		}
	}
	slices.Sort(pids)
	return pids
}
