package casefile

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"culprit/internal/event"
	"culprit/internal/pcapng"
)

// Header returns the event that opens the recording, with its envelope; ok is
// false when it was lost.
func (c *Case) Header() (head *event.Header, envelope event.Event, ok bool) {
	n := 0
	for e, err := range c.Events() {
		if n++; n > 1000 {
			break // it is the first event, or missing
		}
		if err != nil {
			continue
		}
		if h, is := e.Body.(*event.Header); is {
			return h, e, true
		}
	}
	return nil, event.Event{}, false
}

// Blocks gives the blocks of the case that are not culprit's own: interfaces,
// names, secrets, packets, rows. A block is valid until the next one. A
// *pcapng.Error that wraps pcapng.ErrContent is followed by more blocks.
func (c *Case) Blocks() iter.Seq2[pcapng.Block, error] {
	return func(yield func(pcapng.Block, error) bool) {
		giveBlocks(pcapng.NewReader(io.NewSectionReader(c.f, 0, c.size)), yield)
	}
}

// Blocks gives the blocks of any pcapng or pcap file as Case.Blocks does. An
// error wraps ErrNotACase when the file is neither.
func Blocks(path string) iter.Seq2[pcapng.Block, error] {
	return func(yield func(pcapng.Block, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, fmt.Errorf("open capture: %w", err))
			return
		}
		defer f.Close()
		src, err := pcapng.Open(f)
		if errors.Is(err, pcapng.ErrFormat) {
			head := make([]byte, 512)
			n, _ := f.ReadAt(head, 0)
			err = &FormatError{Path: path, Looks: looksLike(head[:n])}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		giveBlocks(src, yield)
	}
}

func giveBlocks(src pcapng.Source, yield func(pcapng.Block, error) bool) {
	for {
		block, err := src.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			if !yield(nil, err) || !errors.Is(err, pcapng.ErrContent) {
				return
			}
			continue
		}
		if c, ok := block.(*pcapng.Custom); ok {
			if _, ours, _ := parseBatch(c); ours {
				continue
			}
		}
		if !yield(block, nil) {
			return
		}
	}
}
