package casefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"culprit/internal/event"
	"culprit/internal/pcapng"
)

// Case is an opened case or spool. Its methods may be called from several
// goroutines until Close.
type Case struct {
	f       *os.File
	path    string
	written string // by which culprit, from shb_userappl
	version int    // highest format version met
	spool   bool

	// From the look through the file that Open takes.
	size    int64            // up to where it was looked through
	start   int64            // offset of the first batch
	order   binary.ByteOrder // of the section that it is in
	batches int
	events  uint64
	ended   bool
	facts   []string // what is lacking, known since Open
	torn    *torn    // the batch in whose block the file ends, nil when there is none

	mu       sync.Mutex
	damages  map[int64]string // by block offset, found while reading
	tornLost uint32           // events of torn that could not be read; all of them before Events
}

// Open opens the case at path, or the spool at path+SpoolSuffix when there is
// no case. The error wraps ErrNotACase (*FormatError), ErrNewer (*NewerError),
// or is one of the file system. Damage is no error: what can be read is given,
// and Lacks says what can't.
func Open(path string) (*Case, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && !strings.HasSuffix(path, SpoolSuffix) {
		if spool, e := os.Open(path + SpoolSuffix); e == nil {
			path, f, err = path+SpoolSuffix, spool, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open case: %w", err)
	}
	c := &Case{f: f, path: path, spool: strings.HasSuffix(path, SpoolSuffix), damages: map[int64]string{}}
	if err := c.look(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// look goes through the whole file once: is it a case, where are the events,
// are they complete and undamaged. Nothing is decompressed.
func (c *Case) look() error {
	st, err := c.f.Stat()
	if err != nil {
		return fmt.Errorf("open case %s: %w", c.path, err)
	}
	if st.IsDir() {
		return &FormatError{Path: c.path, Looks: "a directory"}
	}
	c.size = st.Size()
	head := make([]byte, 512)
	n, err := c.f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return fmt.Errorf("open case %s: %w", c.path, err)
	}
	if pcapng.Sniff(head[:n]) != pcapng.FormatPcapng {
		return &FormatError{Path: c.path, Looks: looksLike(head[:n])}
	}
	var next uint64
	newer := 0
	damaged := 0
	r := pcapng.NewReader(io.NewSectionReader(c.f, 0, c.size))
	for {
		block, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			if again, err := c.lookError(err, r.Order()); !again {
				if err != nil {
					return err
				}
				break
			}
			continue
		}
		switch b := block.(type) {
		case *pcapng.Section:
			if app, ok := b.Options.Get(pcapng.OptSectionApp); ok && strings.HasPrefix(string(app), appPrefix) {
				c.written = string(app)
			}
		case *pcapng.Custom:
			h, ours, what := parseBatch(b)
			if !ours {
				continue
			}
			if c.batches+newer+damaged == 0 {
				c.start, c.order = r.Offset(), r.Order()
			}
			c.version = max(c.version, int(h.Version))
			switch {
			case what != "":
				damaged++
				c.lackf("offset %d: %s", r.Offset(), what)
			case h.Version > Version:
				newer++
			default:
				c.batches++
				if h.First > next {
					c.lackf("%d events lost before offset %d", h.First-next, r.Offset())
				}
				next = h.First + uint64(h.Count)
				c.events += uint64(h.Count)
				c.ended = c.ended || h.Flags&FlagEnd != 0
			}
		}
	}
	if t := c.torn; t != nil {
		c.version = max(c.version, int(t.Version))
		switch {
		case t.Version > Version:
			newer++
			c.torn = nil
		case t.First > next:
			c.lackf("%d events lost before offset %d", t.First-next, t.offset)
		}
		c.ended = c.ended || t.whole && t.Flags&FlagEnd != 0
	}
	return c.judge(newer, damaged)
}

// lookError says whether the look may go on behind an error, and which error
// Open has to return, if any.
func (c *Case) lookError(err error, order binary.ByteOrder) (again bool, fatal error) {
	var at *pcapng.Error
	if !errors.As(err, &at) {
		return false, fmt.Errorf("read case %s: %w", c.path, err)
	}
	switch {
	case errors.Is(err, pcapng.ErrContent):
		c.lackf("offset %d: block of type %#x: %s", at.Offset, at.Type, at.What)
		return true, nil
	case at.Offset == 0:
		return false, &FormatError{Path: c.path, Looks: "the beginning of a pcapng file", Err: err}
	case errors.Is(err, pcapng.ErrTorn):
		c.lackf("offset %d: the file ends inside a block (%s)", at.Offset, at.What)
		t, err := c.lookTorn(at.Offset, c.size, order)
		if err != nil {
			return false, err
		}
		if c.torn = t; t != nil {
			c.tornLost = t.Count
		}
	default:
		c.lackf("offset %d: block lengths make no sense (%s); nothing behind it was read", at.Offset, at.What)
	}
	c.size = at.Offset
	return false, nil
}

// judge draws the conclusions of the look.
func (c *Case) judge(newer, damaged int) error {
	switch {
	case c.batches == 0 && newer > 0:
		return &NewerError{Path: c.path, Has: c.version, Knows: Version, Written: c.written}
	case c.batches == 0 && damaged == 0 && c.torn == nil && c.written == "":
		return &FormatError{Path: c.path, Looks: "a pcapng capture without culprit's records"}
	}
	if newer > 0 {
		c.lackf("%d batches of a newer case format (%d) were not read", newer, c.version)
	}
	if !c.ended {
		c.lackf("cut off: there is no end event, the writer was killed or is still recording")
	}
	return nil
}

// maxFacts bounds what a hostile file can make us say.
const maxFacts = 100

func (c *Case) lackf(format string, args ...any) {
	switch {
	case len(c.facts) < maxFacts:
		c.facts = append(c.facts, fmt.Sprintf(format, args...))
	case len(c.facts) == maxFacts:
		c.facts = append(c.facts, "and more of the kind")
	}
}

// looksLike names a format that is not pcapng, for the error message.
func looksLike(head []byte) string {
	switch pcapng.Sniff(head) {
	case pcapng.FormatPcap:
		return "a classic pcap capture"
	case pcapng.FormatGzip:
		return "a gzip file"
	}
	if len(head) == 0 {
		return "an empty file"
	}
	for _, m := range []struct{ prefix, name string }{
		{"\x7fELF", "an ELF program"},
		{"PK\x03\x04", "a zip file"},
		{"\x28\xb5\x2f\xfd", "a zstd file"},
		{"\xfd7zXZ", "an xz file"},
		{"BZh", "a bzip2 file"},
		{"%PDF", "a PDF document"},
		{"PERFILE2", "a perf recording"},
	} {
		if strings.HasPrefix(string(head), m.prefix) {
			return m.name
		}
	}
	for _, b := range head {
		if b < ' ' && b != '\n' && b != '\r' && b != '\t' && b != 0x1b {
			return "binary data"
		}
	}
	return "text"
}

// Path is the path of the file that was opened.
func (c *Case) Path() string { return c.path }

// Spool says whether the file is a spool, which a recording leaves behind that
// was not finished.
func (c *Case) Spool() bool { return c.spool }

// Writer is which program wrote the case, as "culprit VERSION"; it may be empty.
func (c *Case) Writer() string { return c.written }

// Count is the number of events that the undamaged batches hold; those of a
// batch that the file ends in don't count.
func (c *Case) Count() uint64 { return c.events }

// Close closes the file.
func (c *Case) Close() error { return c.f.Close() }

// Lacks says in words what the case should have and has not, empty when it is
// whole. What shows only when a batch is unpacked is there after Events.
func (c *Case) Lacks() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := append([]string(nil), c.facts...)
	if n := len(c.damages); n > 0 {
		first := int64(-1)
		for at := range c.damages {
			if first < 0 || at < first {
				first = at
			}
		}
		out = append(out, fmt.Sprintf("%d batches could not be unpacked, the first at offset %d: %s", n, first, c.damages[first]))
	}
	if c.torn != nil && c.tornLost > 0 {
		out = append(out, fmt.Sprintf("offset %d: %d of the %d events of the block that is cut off can't be read", c.torn.offset, c.tornLost, c.torn.Count))
	}
	return out
}

// Events gives the events in file order, which is the order they were put in.
// Their byte slices stay valid. Damage comes as a *DamageError with a zero
// event, and the reading goes on behind it; an error of the file system is the
// last element.
func (c *Case) Events() iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		dec, err := newDecoder()
		if err != nil {
			yield(event.Event{}, err)
			return
		}
		defer dec.Close()
		for h, err := range c.rawBatches() {
			if err != nil {
				if !yield(event.Event{}, err) {
					return
				}
				continue
			}
			if !c.unpack(dec, h, yield) {
				return
			}
		}
		if c.torn != nil {
			c.unpackTorn(yield)
		}
	}
}

// unpackTorn yields what can be read of the batch that the file ends in. That
// something is missing is known since Open; now Lacks says how much.
func (c *Case) unpackTorn(yield func(event.Event, error) bool) {
	raw, n, err := c.torn.events()
	if err != nil {
		yield(event.Event{}, err)
		return
	}
	c.mu.Lock()
	c.tornLost = c.torn.Count - n
	c.mu.Unlock()
	var dec event.Decoder
	for range n {
		var e event.Event
		if e, raw, err = dec.Decode(raw); err != nil || !yield(e, nil) {
			return
		}
	}
}

func newDecoder() (*zstd.Decoder, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxBatch),
		zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, fmt.Errorf("make a zstd decoder: %w", err)
	}
	return dec, nil
}

// found is a batch and where it stands.
type found struct {
	batch
	offset int64
}

// rawBatches gives the undamaged batches; the payload is valid until the next
// one.
func (c *Case) rawBatches() iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		if c.order == nil {
			return
		}
		r := pcapng.Resume(io.NewSectionReader(c.f, c.start, c.size-c.start), c.order, c.start)
		for {
			block, err := r.Next()
			if err == io.EOF {
				return
			}
			if errors.Is(err, pcapng.ErrContent) {
				continue // Open has told of it, or it is a packet: they need interfaces
			}
			if err != nil {
				yield(found{}, fmt.Errorf("read case %s: %w", c.path, err))
				return
			}
			custom, ok := block.(*pcapng.Custom)
			if !ok {
				continue
			}
			h, ours, what := parseBatch(custom)
			switch {
			case !ours || h.Version > Version:
			case what != "":
				if !yield(found{}, &DamageError{Offset: r.Offset(), What: what}) {
					return
				}
			default:
				if !yield(found{h, r.Offset()}, nil) {
					return
				}
			}
		}
	}
}

// unpack yields the events of one batch; false means that the caller has had
// enough.
func (c *Case) unpack(dec *zstd.Decoder, h found, yield func(event.Event, error) bool) bool {
	damage := func(what string, err error) bool {
		c.mu.Lock()
		if len(c.damages) < maxFacts {
			c.damages[h.offset] = what
		}
		c.mu.Unlock()
		return yield(event.Event{}, &DamageError{Offset: h.offset, What: what, Err: err})
	}
	raw, err := dec.DecodeAll(h.Payload, make([]byte, 0, rawRoom(h.batch)))
	if err != nil {
		return damage("batch does not unpack", err)
	}
	if len(raw) != int(h.RawSize) {
		return damage(fmt.Sprintf("batch unpacks to %d bytes, should be %d", len(raw), h.RawSize), nil)
	}
	n := uint32(0)
	var events event.Decoder
	for len(raw) > 0 {
		var e event.Event
		e, raw, err = events.Decode(raw)
		n++
		if err != nil {
			if !damage(fmt.Sprintf("event %d of the batch", n), err) {
				return false
			}
			continue // raw is nil when the event's length itself was damaged
		}
		if !yield(e, nil) {
			return false
		}
	}
	if n != h.Count {
		return damage(fmt.Sprintf("batch holds %d events, should be %d", n, h.Count), nil)
	}
	return true
}

// rawRoom is how much to allocate for a batch: what it says, but not more than
// zstd can have made of that payload at a believable rate; append grows it.
func rawRoom(h batch) int {
	return min(int(h.RawSize), 64<<10+256*len(h.Payload))
}
