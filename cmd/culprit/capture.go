package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"culprit/internal/casefile"
	"culprit/internal/dissect/tls"
	"culprit/internal/pcapng"
	"culprit/internal/timeline"
	"culprit/internal/wire"
)

// source is what a command shows: a case, or a capture of packets.
type source struct {
	*casefile.Case // nil for a capture
	stats          *wire.Stats
	walk           *wire.Pass // of a capture that is still being read, nil otherwise
	failed         *error     // why the walk could not go on, with walk only
}

// Close closes the file.
func (s source) Close() error {
	switch {
	case s.Case != nil:
		return s.Case.Close()
	case s.walk != nil:
		return s.walk.Close()
	}
	return nil
}

// Lacks says what the file should have and has not.
func (s source) Lacks() []string {
	switch {
	case s.Case != nil:
		return s.Case.Lacks()
	case s.failed != nil && *s.failed != nil:
		return []string{(*s.failed).Error()}
	case s.stats.Torn != "":
		return []string{"the capture ends too early: " + s.stats.Torn}
	}
	return nil
}

// readKeyLogs adds the secrets of key log files.
func readKeyLogs(keys *tls.KeyLog, paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("open the key log: %w", err)
		}
		_, err = keys.ReadFrom(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("read the key log %s: %w", path, err)
		}
	}
	return nil
}

const (
	// readGarbage is how much garbage may stand beside what is live, in percent,
	// while a file is read of which most is looked at and dropped: to collect it
	// less often saves a tenth of the time.
	readGarbage = 400
	// captureMemory is from where on the garbage collector works harder, in bytes.
	captureMemory = 112 << 20
)

// openCapture opens a capture with the secrets of key logs.
func openCapture(path string, keyLogs []string, o wire.Options) (*wire.Pass, error) {
	debug.SetMemoryLimit(captureMemory)
	debug.SetGCPercent(readGarbage)
	o.Keys = new(tls.KeyLog)
	if err := readKeyLogs(o.Keys, keyLogs); err != nil {
		return nil, err
	}
	return wire.Open(path, o)
}

// captureTimeline makes the timeline of a capture.
func captureTimeline(path string, keyLogs []string) (source, *timeline.Timeline, error) {
	p, err := openCapture(path, keyLogs, timeline.CaptureOptions())
	if err != nil {
		return source{}, nil, err
	}
	defer p.Close()
	t, err := timeline.FromCapture(p)
	return source{stats: &p.Stats}, t, err
}

// notACase says whether an error of casefile.Open means that the file may be a
// capture instead.
func notACase(err error) bool { return errors.Is(err, casefile.ErrNotACase) }

// either returns the capture's error, or the case's when the file is neither.
func either(asCase, asCapture error) error {
	if errors.Is(asCapture, pcapng.ErrFormat) {
		return asCase
	}
	return asCapture
}
