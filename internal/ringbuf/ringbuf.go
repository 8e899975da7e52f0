// Package ringbuf reads a BPF ring buffer where it lies, without waiting: whoever
// has it looks at it as often as it likes, and the programs that write wake
// nobody. It knows nothing of what the records say.
package ringbuf

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Ring is a mapped ring buffer (kernel/bpf/ringbuf.c): a page with the reader's
// position, a page with the writer's, then the data, mapped twice so that no
// record is split. One goroutine reads it.
type Ring struct {
	consumer []byte
	producer []byte // and the data behind it
	data     []byte
	mask     uint64
	taken    *uint64
	put      *uint64
	pos      uint64
}

const (
	ringBusy    = 1 << 31 // BPF_RINGBUF_BUSY_BIT
	ringDiscard = 1 << 30 // BPF_RINGBUF_DISCARD_BIT
	ringHeader  = 8       // BPF_RINGBUF_HDR_SZ
)

// Open maps the ring of a map of type BPF_MAP_TYPE_RINGBUF.
func Open(m *ebpf.Map) (*Ring, error) {
	page := os.Getpagesize()
	size := int(m.MaxEntries())
	r := &Ring{mask: uint64(size - 1)}
	var err error
	r.consumer, err = unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the ring's reading position: %w", err)
	}
	r.producer, err = unix.Mmap(m.FD(), int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Munmap(r.consumer)
		return nil, fmt.Errorf("map the ring: %w", err)
	}
	r.data = r.producer[page:]
	r.taken = (*uint64)(unsafe.Pointer(&r.consumer[0]))
	r.put = (*uint64)(unsafe.Pointer(&r.producer[0]))
	r.pos = atomic.LoadUint64(r.taken)
	return r, nil
}

// Close unmaps the ring.
func (r *Ring) Close() {
	_ = unix.Munmap(r.consumer)
	_ = unix.Munmap(r.producer)
}

// Size is the ring's size in bytes.
func (r *Ring) Size() uint64 { return r.mask + 1 }

// batch is after how many bytes the writers get their room back.
const batch = 256 << 10

// Drain hands every whole record to f, which must not keep it, and returns how
// many bytes they had. It ends at limit bytes.
func (r *Ring) Drain(limit uint64, f func([]byte)) uint64 {
	start, freed := r.pos, r.pos
	end := atomic.LoadUint64(r.put)
	for r.pos < end && r.pos-start < limit {
		at := r.pos & r.mask
		head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[at])))
		if head&ringBusy != 0 {
			break
		}
		n := uint64(head &^ ringDiscard)
		if head&ringDiscard == 0 {
			f(r.data[at+ringHeader : at+ringHeader+n : at+ringHeader+n])
		}
		r.pos += (n + ringHeader + 7) &^ 7
		if r.pos-freed >= batch {
			atomic.StoreUint64(r.taken, r.pos)
			freed = r.pos
		}
	}
	if freed != r.pos {
		atomic.StoreUint64(r.taken, r.pos)
	}
	return r.pos - start
}
