package owner

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// ndb is SUSE's form (lib/backend/ndb/rpmpkg.c of rpm): a header of two slots
// ("RpmP", version, generation, pages of slots), slots of 16 bytes ("Slot",
// package number, place and length in blocks of 16 bytes), and blobs ("BlbS",
// package number, generation, length, then the package's header).
type ndb struct {
	r     io.ReaderAt
	size  int64
	slots []byte
}

const (
	ndbMagic  = 'R' | 'p'<<8 | 'm'<<16 | 'P'<<24
	slotMagic = 'S' | 'l'<<8 | 'o'<<16 | 't'<<24
	blobMagic = 'B' | 'l'<<8 | 'b'<<16 | 'S'<<24
	ndbBlock  = 16
	ndbPage   = 4096
)

func openNDB(f *os.File) (*ndb, error) {
	size, err := sizeOf(f)
	if err != nil {
		return nil, err
	}
	return newNDB(f, size)
}

func newNDB(r io.ReaderAt, size int64) (*ndb, error) {
	head, err := readAt(r, size, 0, 2*ndbBlock)
	if err != nil {
		return nil, err
	}
	if m := binary.LittleEndian.Uint32(head); m != ndbMagic {
		return nil, fmt.Errorf("%w: magic %#x", errDamaged, m)
	}
	pages := int64(binary.LittleEndian.Uint32(head[12:]))
	if pages < 1 {
		return nil, fmt.Errorf("%w: no slots", errDamaged)
	}
	slots, err := readAt(r, size, 2*ndbBlock, pages*ndbPage-2*ndbBlock)
	return &ndb{r, size, slots}, err
}

func (n *ndb) all(yield func([]byte) bool) error {
	for s := n.slots; len(s) >= ndbBlock; s = s[ndbBlock:] {
		if binary.LittleEndian.Uint32(s) != slotMagic {
			return fmt.Errorf("%w: no slot where one should be", errDamaged)
		}
		pkg, at := binary.LittleEndian.Uint32(s[4:]), int64(binary.LittleEndian.Uint32(s[8:]))*ndbBlock
		if pkg == 0 {
			continue // free
		}
		head, err := readAt(n.r, n.size, at, ndbBlock)
		if err != nil {
			return err
		}
		if binary.LittleEndian.Uint32(head) != blobMagic || binary.LittleEndian.Uint32(head[4:]) != pkg {
			return fmt.Errorf("%w: slot of package %d leads nowhere", errDamaged, pkg)
		}
		b, err := readAt(n.r, n.size, at+ndbBlock, int64(binary.LittleEndian.Uint32(head[12:])))
		if err != nil {
			return err
		}
		if !yield(b) {
			return nil
		}
	}
	return nil
}

func (n *ndb) named(base string, yield func([]byte) bool) error { return scanned(n.all, base, yield) }

// bdb is a Berkeley DB hash (db_page.h of Berkeley DB 5.3): pages with a head
// of 26 bytes; on a hash page 16-bit offsets of alternating keys and values,
// which grow down from the page's end; a long value stands on a chain of
// overflow pages. Numbers are in the order of the machine that wrote it.
type bdb struct {
	r     io.ReaderAt
	size  int64
	page  int64
	last  uint32
	order binary.ByteOrder
}

const (
	bdbHashMagic = 0x061561
	bdbHead      = 26
	pageUnsorted = 2  // P_HASH_UNSORTED
	pageOverflow = 7  // P_OVERFLOW
	pageHash     = 13 // P_HASH
	itemHere     = 1  // H_KEYDATA
	itemOffPage  = 3  // H_OFFPAGE
)

func openBDB(f *os.File) (*bdb, error) {
	size, err := sizeOf(f)
	if err != nil {
		return nil, err
	}
	return newBDB(f, size)
}

func newBDB(r io.ReaderAt, size int64) (*bdb, error) {
	meta, err := readAt(r, size, 0, 72)
	if err != nil {
		return nil, err
	}
	d := &bdb{r: r, size: size, order: binary.LittleEndian}
	if d.order.Uint32(meta[12:]) != bdbHashMagic {
		d.order = binary.BigEndian
	}
	if m := d.order.Uint32(meta[12:]); m != bdbHashMagic {
		return nil, fmt.Errorf("%w: magic %#x", errDamaged, m)
	}
	d.page, d.last = int64(d.order.Uint32(meta[20:])), d.order.Uint32(meta[32:])
	if d.page < 512 || d.page > 64<<10 {
		return nil, fmt.Errorf("%w: pages of %d bytes", errDamaged, d.page)
	}
	return d, nil
}

func (d *bdb) all(yield func([]byte) bool) error {
	pages := min(int64(d.last), d.size/d.page-1)
	buf := make([]byte, d.page)
	for n := int64(1); n <= pages; n++ {
		if _, err := d.r.ReadAt(buf, n*d.page); err != nil {
			return err
		}
		if t := buf[25]; t != pageHash && t != pageUnsorted {
			continue
		}
		more, err := d.values(buf, yield)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// values gives the values of one hash page.
func (d *bdb) values(page []byte, yield func([]byte) bool) (more bool, err error) {
	items := int(d.order.Uint16(page[20:]))
	if bdbHead+2*items > len(page) {
		return false, fmt.Errorf("%w: %d items on a page", errDamaged, items)
	}
	end := len(page)
	for i := range items {
		at := int(d.order.Uint16(page[bdbHead+2*i:]))
		if at >= end || at < bdbHead+2*items {
			return false, fmt.Errorf("%w: item at %d", errDamaged, at)
		}
		item := page[at:end]
		end = at
		if i%2 == 0 {
			continue // a key
		}
		var b []byte
		switch item[0] {
		case itemHere:
			b = item[1:]
		case itemOffPage:
			if len(item) < 12 {
				return false, fmt.Errorf("%w: item of %d bytes", errDamaged, len(item))
			}
			if b, err = d.chain(d.order.Uint32(item[4:]), d.order.Uint32(item[8:])); err != nil {
				return false, err
			}
		default:
			continue
		}
		// The record with key 0 is the number of the next package, no header.
		if len(b) >= 16 && !yield(b) {
			return false, nil
		}
	}
	return true, nil
}

// chain reads a value of n bytes from overflow pages.
func (d *bdb) chain(page, n uint32) ([]byte, error) {
	if n > maxHeader || int64(n) > d.size {
		return nil, fmt.Errorf("%w: value of %d bytes", errDamaged, n)
	}
	out := make([]byte, 0, n)
	for uint32(len(out)) < n {
		b, err := readAt(d.r, d.size, int64(page)*d.page, d.page)
		if err != nil {
			return nil, err
		}
		here := int(d.order.Uint16(b[22:]))
		if page == 0 || b[25] != pageOverflow || here == 0 || bdbHead+here > len(b) {
			return nil, fmt.Errorf("%w: page %d is not the rest of a value", errDamaged, page)
		}
		out = append(out, b[bdbHead:bdbHead+min(here, int(n)-len(out))]...)
		page = d.order.Uint32(b[16:])
	}
	return out, nil
}

func (d *bdb) named(base string, yield func([]byte) bool) error { return scanned(d.all, base, yield) }
