package record

import (
	"maps"
	"slices"
	"sync"
	"time"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/ptrace"
	"culprit/internal/lens/python/remote"
	"culprit/internal/procfs"
)

// Bounds of one look.
const (
	maxLookProcesses = 256
	maxLookThreads   = 4096
)

// looker looks at processes that run already, and at those that descend from
// them, and is the sink of those who record them meanwhile.
type looker struct {
	*witness
	pids []int32 // that were attached to
	n    uint32  // looks so far

	noValues bool          // of Python's frames
	notes    []event.Event // of the look, to be put behind what they are about

	mu    sync.Mutex
	known map[int32]bool        // processes that the recording tells of
	told  map[int32]*event.Exec // what they are, where we said it
}

// Put passes on what a recorder saw, but for its own look at the threads.
func (l *looker) Put(e event.Event) {
	switch body := e.Body.(type) {
	case *event.Wait:
		return
	case *event.Fork:
		if !body.Thread {
			l.mu.Lock()
			l.known[body.Child] = true
			l.mu.Unlock()
		}
	case *event.Exec:
		l.mu.Lock()
		told := l.told[e.PID]
		delete(l.told, e.PID)
		l.mu.Unlock()
		if told != nil && told.Exe == body.Exe && slices.Equal(told.Argv, body.Argv) {
			return // a recorder says first what it attached to
		}
	}
	l.witness.Put(e)
}

// thread is what was seen of one.
type thread struct {
	pid, tid int32
	wait     *event.Wait
	at       place
}

// look puts what all threads do now. Threads that wait are read where they
// stand. With still set those that run are stopped meanwhile, so that
// what is read of them belongs together, and Python programs are asked for the
// values in their frames.
func (l *looker) look(still bool) {
	l.n++
	procs, parents := l.family()
	var tids []int32
	var threads []thread
	pythons := map[int32]remote.Runtime{}
	for _, pid := range procs {
		if r, err := remote.Find(int(pid)); err == nil {
			pythons[pid] = r
		}
		for _, tid := range procfs.Threads(pid) {
			if len(threads) == maxLookThreads {
				put(l.sink, &event.Loss{Lens: "kernel", What: "threads that were not looked at", Count: 1})
				break
			}
			threads = append(threads, thread{pid: pid, tid: tid})
		}
	}
	if still {
		tids = settled(threads)
	}
	read := map[int32]pythonState{}
	see := func(t *thread) {
		t.wait = procfs.Wait(t.pid, t.tid)
		t.wait.Look = l.n
	}
	for i := range threads {
		if !slices.Contains(tids, threads[i].tid) {
			see(&threads[i])
		}
	}
	at := lens.Now()
	pause := ptrace.Hold(tids, func() {
		at = lens.Now()
		for i := range threads {
			if t := &threads[i]; t.wait == nil {
				see(t)
				t.wait.State = "R" // before we stopped it
				t.at = held(t.tid)
			}
		}
		for pid, r := range pythons {
			read[pid] = readPython(r)
		}
	})
	if still && !l.noValues {
		running := map[int32]bool{}
		for _, t := range threads {
			running[t.tid] = t.wait.State == "R"
		}
		for _, pid := range slices.Sorted(maps.Keys(pythons)) {
			l.values(pid, pythons[pid], read[pid], running)
		}
	}
	for _, pid := range procs {
		l.tell(pid, parents[pid], at)
	}
	for _, e := range l.notes {
		e.Time = at
		l.sink.Put(e)
	}
	l.notes = nil
	if len(tids) > 0 {
		l.sink.Put(event.Event{Time: at, PID: l.pids[0], TID: l.pids[0], Body: &event.Attach{Pause: int64(pause)}})
	}
	l.interpreter = func(pid int32) pythonState { return read[pid] }
	walks, taken := newNatives(), 0
	defer walks.unwinder.Close()
	for _, t := range threads {
		if t.wait.State == "" || t.wait.State == "Z" || t.wait.State == "X" {
			continue // gone
		}
		l.witness.Put(event.Event{Time: at, PID: t.pid, TID: t.tid, Body: t.wait})
		if !still || read[t.pid].stacks[t.tid] != nil {
			continue
		}
		if taken++; taken > maxLookStacks {
			put(l.sink, &event.Loss{Lens: "kernel", What: "threads whose native stack was not looked at", Count: 1})
			continue
		}
		if !t.at.known {
			t.at = calling(t.wait.Syscall)
		}
		if n := walks.walk(t.pid, t.tid, &t.at); n != nil {
			l.witness.Put(event.Event{Time: at, PID: t.pid, TID: t.tid, Body: n})
		}
	}
}

// settled returns which threads run. One that was attached to runs for a moment,
// back into the call or the stop that it was in.
func settled(threads []thread) []int32 {
	const tries, pause = 50, time.Millisecond
	var tids []int32
	for range tries {
		tids = tids[:0]
		for _, t := range threads {
			if procfs.State(t.pid, t.tid) == "R" {
				tids = append(tids, t.tid)
			}
		}
		if len(tids) == 0 {
			break
		}
		time.Sleep(pause)
	}
	return tids
}

// family lists the processes that were attached to and their descendants, each
// parent before its children.
func (l *looker) family() (procs []int32, parent map[int32]int32) {
	parent = map[int32]int32{}
	procs = slices.Clone(l.pids)
	for i := 0; i < len(procs); i++ {
		for _, k := range procfs.Children(procs[i]) {
			if _, met := parent[k]; met {
				continue
			}
			parent[k] = procs[i]
			if slices.Contains(procs, k) {
				continue
			}
			if len(procs) == maxLookProcesses {
				put(l.sink, &event.Loss{Lens: "kernel", What: "processes that were not looked at", Count: 1})
				return procs, parent
			}
			procs = append(procs, k)
		}
	}
	return procs, parent
}

// tell puts what a process is that the recording doesn't know yet.
func (l *looker) tell(pid, parent int32, at event.Time) {
	l.mu.Lock()
	known := l.known[pid]
	l.known[pid] = true
	l.mu.Unlock()
	if known {
		return
	}
	x := procfs.Exec(pid)
	l.mu.Lock()
	l.told[pid] = x
	l.mu.Unlock()
	e := event.Event{Time: at, PID: pid, TID: pid, Body: &event.Attach{Parent: parent, Started: procfs.Started(pid)}}
	l.sink.Put(e)
	e.Body = x
	l.sink.Put(e)
}
