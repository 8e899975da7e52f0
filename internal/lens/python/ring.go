package python

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"unsafe"

	"culprit/internal/event"
	"culprit/internal/lens/python/stream"

	"golang.org/x/sys/unix"
)

// maxRing bounds what a ring's header may ask us to map.
const maxRing = 1 << 30

// ring is one process's mapped ring. The process may write anything into it at
// any time: every number is read once and checked, and nothing points into it
// after drain has copied.
type ring struct {
	mem   []byte
	size  uint64
	pid   int32
	start event.Time
	idle  int  // looks without a record
	known bool // pid was seen to map this ring, so it is ours to look after
	ended bool // the interpreter has ended
	state stream.State
}

// openRing maps the ring at path. The agent gives the file its name when the
// header is complete.
func openRing(path string, flags int) (*ring, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flags|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open agent ring: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open agent ring: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxRing {
		return nil, fmt.Errorf("open agent ring %s: %w", path, stream.ErrDamaged)
	}
	var head [stream.HeaderSize]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("read agent ring %s: %w", path, err)
	}
	h, err := stream.ParseHeader(head[:], st.Size())
	if err != nil {
		return nil, fmt.Errorf("read agent ring %s: %w", path, err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(h.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map agent ring %s: %w", path, err)
	}
	r := &ring{mem: mem, size: h.Size, pid: h.PID, start: h.Start}
	// A process in another PID namespace tells another number.
	maps, err := os.ReadFile("/proc/" + strconv.Itoa(int(h.PID)) + "/maps")
	r.known = err == nil && bytes.Contains(maps, []byte(filepath.Base(path)))
	return r, nil
}

// word is a field of the header, shared with the process.
func (r *ring) word(off int) *uint64 { return (*uint64)(unsafe.Pointer(&r.mem[off])) }

// drain appends the records that are new and gives their room back.
func (r *ring) drain(dst []byte) (data []byte, bad uint64) {
	if r.mem == nil {
		return dst, 0
	}
	head := atomic.LoadUint64(r.word(24))
	tail := atomic.LoadUint64(r.word(48))
	if head == tail {
		return dst, 0
	}
	data, next, bad := stream.Drain(dst, r.mem[stream.HeaderSize:], tail, head)
	atomic.StoreUint64(r.word(48), next)
	return data, bad
}

func (r *ring) dropped() uint64 {
	if r.mem == nil {
		return 0
	}
	return atomic.LoadUint64(r.word(32))
}

func (r *ring) close() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem)
		r.mem = nil
	}
}

func dropEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
