package python

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/python/stream"
)

// inspect looks into the records for what the recorder itself has to act on:
// which hook is in force, and which source files the exceptions name.
func (c *collector) inspect(r *ring, data []byte) {
	for rec := range r.state.Records(data) {
		switch b := rec.Body.(type) {
		case *stream.Hello:
			code, text := "python-"+b.Mode, "Python "+b.Version+" ("+b.Executable+"): exceptions by "+b.Mode
			switch b.Mode {
			case "monitoring", "hook":
			case "trace":
				text += ", which slows the program down and ends when the program sets its own trace function"
			default:
				code, text = "python-off", "Python "+b.Version+" ("+b.Executable+"): no way to see exceptions"
			}
			c.note(r.pid, code, text)
		case *stream.Done:
			r.ended = true
		case *stream.AgentError:
			c.note(r.pid, "python-agent-error", b.Where+": "+b.Text)
		case *stream.Raised:
			for _, f := range b.Stack {
				c.sources.want(r.pid, f.File)
			}
		}
	}
}

// sources keeps the text of source files, each once.
type sources struct {
	sink    lens.Sink
	maxFile int64
	left    int64
	seen    map[string]bool
	missed  uint64
	bytes   uint64
}

func newSources(s lens.Sink, maxFile, maxAll int64) *sources {
	if maxFile <= 0 {
		maxFile = 512 << 10
	}
	if maxAll <= 0 {
		maxAll = 8 << 20
	}
	return &sources{sink: s, maxFile: maxFile, left: maxAll, seen: make(map[string]bool)}
}

// want keeps a file that an exception's stack names. The process's own root
// counts, which may be a container's.
func (s *sources) want(pid int32, path string) {
	if !strings.HasPrefix(path, "/") || s.seen[path] || len(s.seen) > 1<<16 {
		return
	}
	s.seen[path] = true
	// Only Python text: the name comes from the program and could be any file.
	if ext := filepath.Ext(path); ext != ".py" && ext != "" {
		return
	}
	real, st := path, os.FileInfo(nil)
	if inside := "/proc/" + strconv.Itoa(int(pid)) + "/root" + path; !gone(pid) {
		if fi, err := os.Stat(inside); err == nil {
			real, st = inside, fi
		}
	}
	if st == nil {
		fi, err := os.Stat(path)
		if err != nil {
			return
		}
		st = fi
	}
	if !st.Mode().IsRegular() {
		return
	}
	if st.Size() > s.maxFile || st.Size() > s.left {
		s.missed++
		s.bytes += uint64(st.Size())
		return
	}
	b, err := readLinked(real, s.maxFile)
	if err != nil {
		return
	}
	s.left -= int64(len(b))
	s.sink.Put(event.Event{Time: now(), PID: pid, TID: pid, Body: &event.File{Path: path, Size: st.Size(), Data: b}})
}

func (s *sources) finish() {
	if s.missed > 0 {
		s.sink.Put(event.Event{Time: now(), Body: &event.Loss{Lens: "code", What: "source files over the limit", Count: s.missed, Bytes: s.bytes}})
	}
}
