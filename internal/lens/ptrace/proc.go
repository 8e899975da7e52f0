package ptrace

import (
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/lens"
	"culprit/internal/procfs"
)

// execed tells what a process is after execve. former is the caller's id when
// it was not the leader.
func (r *Recorder) execed(t *task, former int32) {
	x := procfs.Exec(t.pid)
	x.Former = former
	r.put(t, lens.Now(), x)

	var st unix.Stat_t
	if unix.Stat(procfs.Path(t.pid, "/exe"), &st) == nil && st.Mode&unix.S_ISUID != 0 && st.Uid != x.UID {
		r.note(t, noteSetuidOff)
	}
	if x.Secure { // the kernel may say so though it gave no privilege
		r.note(t, noteSecure)
	}
}

// look tells what every thread is doing while the program goes on.
func (r *Recorder) look() {
	for _, t := range r.tasks {
		w := procfs.Wait(t.pid, t.tid)
		// One that was woken by the same signal is on its way to its stop.
		for range 5 {
			if w.Syscall != "running" {
				break
			}
			time.Sleep(200 * time.Microsecond)
			w = procfs.Wait(t.pid, t.tid)
		}
		if w.State == "t" { // in our stop, out of the call that it was in
			w.State, w.Asleep = "S", 0
		}
		w.Look = r.looks
		r.put(t, lens.Now(), w)
	}
}

// waits tells what every thread is doing at the time, with the call that it is
// in, and looks at its sockets.
func (r *Recorder) waits() {
	for _, p := range r.procs {
		p.peeked = false
	}
	for _, t := range r.tasks {
		w := procfs.Wait(t.pid, t.tid)
		w.Look = r.looks + 1
		if t.inCall {
			r.unfinished(t)
			t.inCall = true // its exit stop is still to come
		}
		r.put(t, lens.Now(), w)
		if !t.proc.peeked {
			r.peekAll(t)
		}
	}
}
