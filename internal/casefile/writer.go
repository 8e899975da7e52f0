package casefile

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/pcapng"
)

// Defaults of Options, and the bound on what waits for the disk.
const (
	defaultBatch = 256 << 10
	defaultFlush = 100 * time.Millisecond
	maxWaiting   = 3       // full batches; a fourth makes Put wait
	keepBuffer   = 1 << 20 // a buffer that grew beyond is not used again
)

// Options of Create; the zero value works.
type Options struct {
	Culprit string        // version to name in the file
	Batch   int           // bytes of events in a block before compression, default 256 KiB
	Flush   time.Duration // how long an event may wait in memory, default 100 ms

	through func(io.Writer) io.Writer // of tests: put between the writer and the file
}

// Writer writes a spool. It is a lens.Sink.
type Writer struct {
	path string // of the spool
	f    *os.File
	out  io.Writer // f, or what a test puts before it
	opt  Options
	enc  *zstd.Encoder

	mu      sync.Mutex
	room    sync.Cond // signalled when a batch was taken or the writer closed
	cur     pending
	calls   event.Encoder // of cur
	full    []pending
	spare   [][]byte
	next    uint64     // number of the next event
	last    event.Time // of the event put last
	closed  bool
	lost    Lost
	failure error // first error of the disk

	wake chan struct{}
	quit chan struct{}
	done chan struct{}

	// Of the goroutine that writes.
	size    int64 // of the spool up to its last whole block
	payload []byte
	block   []byte
	data    []byte

	closing  sync.Once
	closeErr error
}

// Lost counts the events that were put and could not be kept.
type Lost struct {
	Disk   uint64 // the disk did not take them
	TooBig uint64 // encoded larger than MaxEvent
	Late   uint64 // put after Close
}

// pending is a run of encoded events.
type pending struct {
	buf   []byte
	first uint64
	count uint32
	flags uint16
}

// Create opens the spool of the case that will be at path. An existing spool of
// a writer that is gone is replaced; one that is being written to is an error.
// All errors name the path.
func Create(path string, opt Options) (*Writer, error) {
	if opt.Batch <= 0 {
		opt.Batch = defaultBatch
	}
	opt.Batch = min(opt.Batch, MaxBatch-MaxEvent)
	if opt.Flush <= 0 {
		opt.Flush = defaultFlush
	}
	f, err := openSpool(path)
	if err != nil {
		return nil, err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(256<<10), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create case %s: %w", path, err), f.Close())
	}
	w := &Writer{
		path: path + SpoolSuffix, f: f, out: f, opt: opt, enc: enc,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	if opt.through != nil {
		w.out = opt.through(f)
	}
	w.room.L = &w.mu
	w.cur.buf = make([]byte, 0, opt.Batch+opt.Batch/4)
	head := pcapng.Append(nil, sectionBlock(opt.Culprit), nil)
	if _, err := f.Write(head); err != nil {
		return nil, errors.Join(fmt.Errorf("create case %s: %w", path, err), f.Close(), os.Remove(w.path))
	}
	w.size = int64(len(head))
	go w.run()
	return w, nil
}

func sectionBlock(version string) *pcapng.Section {
	if version == "" {
		version = "development"
	}
	return &pcapng.Section{Major: 1, Length: -1, Options: pcapng.Options{
		pcapng.Text(pcapng.OptSectionApp, appPrefix+version),
	}}
}

// openSpool makes the spool file and locks it, so that another culprit can tell
// a living writer from a dead one.
func openSpool(path string) (*os.File, error) {
	fail := func(err error) (*os.File, error) { return nil, fmt.Errorf("create case %s: %w", path, err) }
	if path == "" {
		return nil, errors.New("create case: the path is empty")
	}
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return fail(fmt.Errorf("it exists and is not a regular file (%v)", st.Mode().Type()))
	}
	spool := path + SpoolSuffix
	for range 3 {
		f, err := os.OpenFile(spool, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
		if err == nil {
			if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
				// Another one took it for an orphan between the two calls.
				f.Close()
				return fail(fmt.Errorf("lock %s: %w", spool, err))
			}
			return f, nil
		}
		switch {
		case errors.Is(err, os.ErrExist):
			if err := removeOrphan(spool); err != nil {
				return fail(err)
			}
		case errors.Is(err, os.ErrNotExist):
			return fail(fmt.Errorf("directory %s does not exist", filepath.Dir(path)))
		case errors.Is(err, unix.EACCES), errors.Is(err, unix.EROFS):
			return fail(fmt.Errorf("directory %s is not writable: %w", filepath.Dir(path), err))
		default:
			return fail(err)
		}
	}
	return fail(fmt.Errorf("%s keeps coming back", spool))
}

// removeOrphan removes a spool whose writer is gone.
func removeOrphan(spool string) error {
	st, err := os.Lstat(spool)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s exists and is not a regular file", spool)
	}
	f, err := os.OpenFile(spool, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("another culprit is writing to %s", spool)
		}
		return fmt.Errorf("lock %s: %w", spool, err)
	}
	// The name may have come to mean another file while we got the lock.
	ours, err := f.Stat()
	if err != nil {
		return err
	}
	now, err := os.Lstat(spool)
	if err != nil || !os.SameFile(ours, now) {
		return nil
	}
	return os.Remove(spool)
}

// Path is where the spool is.
func (w *Writer) Path() string { return w.path }

// Put encodes e and returns. It waits while the disk is behind by more than a
// few batches. It never fails: what could not be kept is counted (Lost), and
// Close writes the count into the spool as Loss events.
func (w *Writer) Put(e event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.cur.buf) >= w.opt.Batch && len(w.full) >= maxWaiting && !w.closed {
		w.room.Wait()
	}
	if w.closed {
		w.lost.Late++
		return
	}
	if len(w.cur.buf) >= w.opt.Batch { // there was no room to seal it before
		w.seal()
	}
	w.append(e)
	if len(w.cur.buf) >= w.opt.Batch && len(w.full) < maxWaiting {
		w.seal()
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// append encodes e into the current batch.
func (w *Writer) append(e event.Event) {
	before := len(w.cur.buf)
	if before == 0 {
		w.calls.Reset()
		w.cur.first = w.next
	}
	w.cur.buf = w.calls.Append(w.cur.buf, e)
	if len(w.cur.buf)-before > MaxEvent {
		w.cur.buf = w.cur.buf[:before]
		w.calls.Reset()
		w.lost.TooBig++
		return
	}
	w.next++
	w.last = e.Time
	w.cur.count++
	if e.Body.Kind() == event.KindEnd {
		w.cur.flags |= FlagEnd
	}
}

// seal queues the current batch and begins another.
func (w *Writer) seal() {
	w.full = append(w.full, w.cur)
	w.cur = pending{}
	if n := len(w.spare); n > 0 {
		w.cur.buf = w.spare[n-1]
		w.spare = w.spare[:n-1]
	} else {
		w.cur.buf = make([]byte, 0, w.opt.Batch+w.opt.Batch/4)
	}
}

// Lost says what was put and not kept up to now.
func (w *Writer) Lost() Lost {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// Close writes what is waiting and closes the spool. It returns the first error
// of the disk; the spool holds what could be written all the same. Further
// calls return the same.
func (w *Writer) Close() error {
	w.closing.Do(func() {
		close(w.quit)
		<-w.done
		w.closeErr = w.finish()
	})
	return w.closeErr
}

// finish runs after the goroutine has ended.
func (w *Writer) finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.room.Broadcast()
	// Puts that came between the goroutine's last look and now.
	for _, p := range append(w.full, w.cur) {
		w.store(p)
	}
	w.full, w.cur = nil, pending{}
	for _, l := range []event.Loss{
		{Lens: "case", What: "events that the disk did not take", Count: w.lost.Disk},
		{Lens: "case", What: "events over 16 MiB", Count: w.lost.TooBig},
	} {
		if l.Count > 0 {
			w.append(event.Event{Time: w.last, Body: &l})
		}
	}
	w.store(w.cur)
	w.cur = pending{}
	w.enc.Close()
	if err := w.f.Close(); err != nil && w.failure == nil {
		w.failure = fmt.Errorf("close %s: %w", w.path, err)
	}
	return w.failure
}

// run compresses and writes until quit.
func (w *Writer) run() {
	defer close(w.done)
	tick := time.NewTicker(w.opt.Flush)
	defer tick.Stop()
	for {
		partial := false
		select {
		case <-w.wake:
		case <-tick.C:
			partial = true
		case <-w.quit:
			return
		}
		for {
			w.mu.Lock()
			p, ok := w.take(partial)
			w.mu.Unlock()
			if !ok {
				break
			}
			failed := w.write(p)
			w.mu.Lock()
			w.account(p, failed)
			w.mu.Unlock()
		}
	}
}

// take removes the oldest batch from the queue; with partial also one that is
// not full yet.
func (w *Writer) take(partial bool) (pending, bool) {
	if len(w.full) == 0 && len(w.cur.buf) > 0 && (partial || len(w.cur.buf) >= w.opt.Batch) {
		w.seal()
	}
	if len(w.full) == 0 {
		return pending{}, false
	}
	p := w.full[0]
	w.full = append(w.full[:0], w.full[1:]...)
	w.room.Broadcast()
	return p, true
}

func (w *Writer) store(p pending) { w.account(p, w.write(p)) }

// account remembers a failure and takes the buffer back.
func (w *Writer) account(p pending, failed error) {
	if failed != nil {
		w.lost.Disk += uint64(p.count)
		if w.failure == nil {
			w.failure = failed
		}
	}
	if cap(p.buf) <= max(keepBuffer, 2*w.opt.Batch) && len(w.spare) < maxWaiting {
		w.spare = append(w.spare, p.buf[:0])
	}
}

// write appends one batch as one block with one write(2), and cuts off what a
// failed write left behind: the next batch may have better luck.
func (w *Writer) write(p pending) error {
	if p.count == 0 {
		return nil
	}
	w.payload = w.enc.EncodeAll(p.buf, w.payload[:0])
	h := batch{
		Version: Version, Flags: p.flags, First: p.first, Count: p.count,
		RawSize: uint32(len(p.buf)), CRC: crc32.Checksum(w.payload, castagnoli), Payload: w.payload,
	}
	w.data = append(h.appendHeader(w.data[:0]), w.payload...)
	w.block = pcapng.Append(w.block[:0], &pcapng.Custom{PEN: pcapng.ExamplePEN, Data: w.data}, nil)
	if _, err := w.out.Write(w.block); err != nil {
		err = fmt.Errorf("write %s: %w", w.path, err)
		if _, e := w.f.Seek(w.size, io.SeekStart); e != nil {
			return errors.Join(err, e)
		}
		return errors.Join(err, w.f.Truncate(w.size))
	}
	w.size += int64(len(w.block))
	return nil
}
