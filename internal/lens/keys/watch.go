package keys

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/procfs"
	"culprit/internal/sysabi"
)

// Watch stands between a kernel recorder and its sink. Where an event says that
// a program began, or opened a library, that may have TLS secrets, it looks at
// that file before it returns and sets the probes: under the ptrace recorder the
// program stands still meanwhile.
type Watch struct {
	sink  lens.Sink
	opens map[uint32]bool // numbers of calls that open files

	waiting atomic.Bool // for a recorder's first event

	mu       sync.Mutex
	l        *loaded
	refused  error // the kernel's, nil while it was not asked or did not
	lives    map[int32]life
	held     []event.Event // secrets of processes that no event has told of yet
	late     bool          // events come some time after what they tell of
	plain    bool          // sessions may have begun before the probes were there
	files    map[file]*seen
	told     map[told]bool
	reader   sync.WaitGroup
	expected sync.WaitGroup // the look at the system's libraries
}

// record takes note that a recorder is there. What was loaded since
// Meet was called has gone by unseen.
func (w *Watch) record() {
	w.mu.Lock()
	w.waiting.Store(false)
	if w.l != nil {
		w.l.recording(true)
	}
	pids := slices.Collect(maps.Keys(w.lives))
	w.mu.Unlock()
	w.meet(pids)
}

func (w *Watch) first() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.lives) == 0
}

// life is the time that a process of the tree has its number.
type life struct{ from, to event.Time } // to is 0 while it lives

// file tells files apart.
type file struct {
	dev, ino  uint64
	size, sec int64 // size and time of change
}

// seen is what a file turned out to be.
type seen struct {
	lib   *library // nil: nothing
	plain bool     // what is read and written is probed
	note  event.Note
}

type told struct {
	pid int32
	*seen
}

// Bounds of one recording.
const (
	maxFiles = 4096
	maxNotes = 256
	maxHeld  = 4096
)

// Options configure a Watch.
type Options struct {
	// Late says that the recorder tells of what programs do some milliseconds
	// later. Then the system's libraries are probed at once, and of others that
	// programs bring plaintext is read too, since it may be too late for the keys.
	Late bool
}

// New makes a Watch in front of s.
func New(s lens.Sink, o Options) *Watch {
	w := &Watch{sink: s, late: o.Late, plain: o.Late, opens: map[uint32]bool{}, lives: map[int32]life{}, files: map[file]*seen{}, told: map[told]bool{}}
	for _, name := range []string{"open", "openat", "openat2"} {
		if nr, ok := sysabi.Number(event.ArchX8664, name); ok {
			w.opens[nr] = true
		}
	}
	if o.Late {
		w.expected.Go(w.expect)
	}
	return w
}

// expect sets probes in the libraries that the system's programs load.
func (w *Watch) expect() {
	for _, dir := range []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"} {
		for _, name := range []string{"/libssl.so.[0-9]*", "/libgnutls.so.[0-9]*"} {
			paths, _ := filepath.Glob(dir + name)
			for _, path := range paths {
				w.look(0, path, path, false, inTime)
			}
		}
	}
}

// when says how a file came to be looked at.
type when int

const (
	inTime when = iota // before a session can have begun
	late               // perhaps after
	met                // by a process that has used it already
)

// Put passes the event on and looks at what it tells of.
func (w *Watch) Put(e event.Event) {
	w.sink.Put(e)
	if w.waiting.Load() {
		w.record()
	}
	switch b := e.Body.(type) {
	case *event.Syscall:
		if b.Arch == event.ArchX8664 && b.Ret >= 0 && w.opens[b.NR] {
			w.opened(e.PID, b)
		}
	case *event.Fork:
		if !b.Thread {
			w.follow(b.Child, e.Time)
		}
	case *event.Exec:
		w.expected.Wait()
		when := inTime
		if w.late && !w.first() { // the command itself stands still until it was told of
			when = late
		}
		w.follow(e.PID, 0)
		w.look(e.PID, "/proc/"+strconv.Itoa(int(e.PID))+"/exe", b.Exe, true, when)
	case *event.Exit:
		if e.PID == e.TID {
			w.mu.Lock()
			if l, ok := w.lives[e.PID]; ok {
				l.to = e.Time
				w.lives[e.PID] = l
			}
			w.mu.Unlock()
		}
	}
}

// follow takes a process into the tree; from is when it was born, 0 when that is
// not known.
func (w *Watch) follow(pid int32, from event.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, known := w.lives[pid]
	if known && (l.to == 0 || from == 0) {
		return
	}
	w.lives[pid] = life{from: from}
	if w.plain && w.l != nil {
		w.l.listen(pid)
	}
	w.held = slices.DeleteFunc(w.held, func(e event.Event) bool {
		ours := e.PID == pid && e.Time >= from
		if ours {
			w.sink.Put(e)
		}
		return ours
	})
}

// began looks at a program of which the recorder has not told yet.
func (w *Watch) began(pid int32) {
	const most = 16 // generations that the recorder is behind
	p := pid
	for range most {
		w.mu.Lock()
		_, ours := w.lives[p]
		w.mu.Unlock()
		if ours {
			exe := "/proc/" + strconv.Itoa(int(pid)) + "/exe"
			path, _ := os.Readlink(exe)
			w.follow(pid, 0)
			w.look(pid, exe, path, true, late)
			return
		}
		_, parent, ok := procfs.Family(p)
		if !ok || parent <= 1 {
			return
		}
		p = parent
	}
}

// found takes what a probe read: probes are hit by every process that uses the
// file.
func (w *Watch) found(e event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch l, known := w.lives[e.PID]; {
	case known && e.Time >= l.from && (l.to == 0 || e.Time <= l.to):
		w.sink.Put(e)
	case len(w.held) < maxHeld: // a recorder may be late
		w.held = append(w.held, e)
	default:
		w.held = append(w.held[:0], w.held[maxHeld/2:]...)
		w.held = append(w.held, e)
	}
}

// opened looks at a file that a process opened, when its name says that it may
// be a library with TLS.
func (w *Watch) opened(pid int32, s *event.Syscall) {
	for _, m := range s.Mem {
		if !bytes.Contains(m.Data, []byte(".so")) {
			continue
		}
		path, _ := sysabi.Decode(s).Path()
		if !candidate(path) {
			return
		}
		dir := "/proc/" + strconv.Itoa(int(pid))
		// The descriptor is the file itself, unless it is closed already.
		name := dir + "/fd/" + strconv.Itoa(int(s.Ret))
		if link, err := os.Readlink(name); err != nil || !candidate(link) {
			if name = dir + "/root" + path; !filepath.IsAbs(path) {
				name = dir + "/cwd/" + path
			}
		}
		when := inTime
		if w.late {
			when = late
		}
		w.look(pid, name, path, false, when)
		return
	}
}

// Meet looks at processes that run already, at the programs and libraries that
// they have in memory. What they say on sessions that are under way is read
// where they read and write it.
func (w *Watch) Meet(pids []int32) {
	w.mu.Lock()
	w.plain = true
	w.waiting.Store(true)
	if w.l != nil {
		w.l.recording(false)
	}
	w.mu.Unlock()
	w.meet(pids)
}

func (w *Watch) meet(pids []int32) {
	for _, pid := range pids {
		w.follow(pid, 0)
		dir := "/proc/" + strconv.Itoa(int(pid))
		exe, _ := os.Readlink(dir + "/exe")
		w.look(pid, dir+"/exe", exe, true, met)
		text, _ := os.ReadFile(dir + "/maps")
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) >= 6 && len(f[1]) == 4 && f[1][2] == 'x' && candidate(f[5]) {
				w.look(pid, dir+"/map_files/"+f[0], f[5], false, met)
			}
		}
	}
}

// look examines a file, whose name the process knows as path, and sets probes.
func (w *Watch) look(pid int32, name, path string, program bool, how when) {
	f, err := os.Open(name)
	if err != nil {
		return // gone, or not to be read: what it is, nobody can say
	}
	defer f.Close()
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return
	}
	id := file{st.Dev, st.Ino, st.Size, st.Ctim.Nano()}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.files[id]
	switch {
	case s != nil && (s.plain || how != met || s.lib == nil):
	case s != nil: // met for its secrets before
		s.plain = w.l != nil && w.l.probe(f, &library{enter: s.lib.enter, leave: s.lib.leave}, true) == nil
	case len(w.files) >= maxFiles:
		return
	default:
		s = w.examine(f, path, program, how != inTime)
		w.files[id] = s
	}
	if s.note.Code != "" && pid != 0 && len(w.told) < maxNotes && !w.told[told{pid, s}] {
		w.told[told{pid, s}] = true
		w.sink.Put(event.Event{Time: lens.Now(), PID: pid, TID: pid, Body: &s.note})
	}
}

// Codes of notes.
const (
	noteProbed  = "tls-probed"  // secrets are read
	noteUnread  = "tls-unread"  // a library of which nothing can be read
	noteRefused = "tls-refused" // the kernel lets nobody probe
)

func (w *Watch) examine(f *os.File, path string, program, plain bool) *seen {
	s := &seen{plain: plain}
	lib, err := examine(f, program)
	if lib == nil {
		return s
	}
	s.note = event.Note{Lens: "wire", Code: noteProbed, Text: fmt.Sprintf("%s: %v", path, lib)}
	if err == nil {
		if err = w.load(); err == nil {
			err = w.l.probe(f, lib, plain)
		}
	}
	if err == nil {
		s.lib = lib
		return s
	}
	s.note.Code = noteUnread
	s.note.Text = fmt.Sprintf("%s: %v: no TLS keys were read out of it: %v", path, lib, err)
	if u := (*lens.Unavailable)(nil); errors.As(err, &u) {
		s.note.Code = noteRefused
		if u.Remedy != "" {
			s.note.Text += "; " + u.Remedy
		}
	}
	return s
}

// load puts the programs into the kernel, the first time that they are needed.
func (w *Watch) load() error {
	if w.l != nil {
		return nil
	}
	if w.refused != nil {
		return w.refused
	}
	l, err := load()
	if err != nil {
		w.refused = err
		return err
	}
	if w.plain {
		for pid := range w.lives {
			l.listen(pid)
		}
	}
	l.recording(!w.waiting.Load())
	if w.late {
		_ = l.execs() // without it more comes too late
	}
	w.l = l
	w.reader.Go(func() { read(l.ring, w.found, w.began) })
	return nil
}

// Close ends the watch and has the probes taken out. All that they found in
// processes that are gone has been put when it returns.
// It may be called on nil, when no recorder calls Put any more.
func (w *Watch) Close() {
	if w == nil {
		return
	}
	w.expected.Wait()
	if w.l == nil {
		return
	}
	_ = w.l.ring.Flush()
	w.reader.Wait()
	var n, size uint64
	_ = w.l.obj.Lost.Get(&n)
	_ = w.l.obj.LostBytes.Get(&size)
	if n > 0 {
		w.sink.Put(event.Event{Time: lens.Now(), Body: &event.Loss{Lens: "wire", What: "TLS secrets and plaintext read in programs", Count: n, Bytes: size}})
	}
	// The kernel takes a probe out when no processor can be in it any more, which
	// may last a tenth of a second. Nobody waits for that: a process that ends
	// leaves it to the kernel.
	go w.l.close()
	w.l = nil
}
