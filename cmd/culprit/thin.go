package main

import (
	"iter"
	"path"
	"strings"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

// thinned leaves out of a recording what the start of a program is made of and
// no rule reads, so that a recorded case is small enough for the tests: the
// source texts of the interpreter's own library, and the successful calls by
// which files of library directories are looked at, not opened. A call stays
// when any failure in the run is about a file of the same name.
func thinned(events iter.Seq2[event.Event, error], t *timeline.Timeline) iter.Seq2[event.Event, error] {
	failed := map[string]bool{}
	for _, c := range t.Calls {
		if c.Errno() != 0 && c.Path != "" {
			failed[path.Base(c.Path)] = true
		}
	}
	dropped := map[callAt]bool{}
	for _, c := range t.Calls {
		file := c.Path
		if file == "" && c.Desc != nil {
			file = c.Desc.Path
		}
		if c.Raw.Ret >= 0 && c.Raw.Flags&event.Unfinished == 0 && looks(c.Name()) && ofLibrary(file) && !failed[path.Base(file)] {
			dropped[callAt{c.TID, c.Enter}] = true
		}
	}
	return func(yield func(event.Event, error) bool) {
		for e, err := range events {
			switch b := e.Body.(type) {
			case *event.Syscall:
				if dropped[callAt{e.TID, e.Time}] {
					continue
				}
			case *event.File:
				if ofLibrary(b.Path) {
					continue
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// callAt names a call: a thread makes one at a time.
type callAt struct {
	tid int32
	at  event.Time
}

func looks(call string) bool {
	switch call {
	case "stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "lseek", "getdents64":
		return true
	}
	return false
}

// ofLibrary tells files that came with the system or an interpreter from those
// of the program and of packages installed for it.
func ofLibrary(file string) bool {
	if strings.Contains(file, "/dist-packages/") || strings.Contains(file, "/site-packages/") {
		return false
	}
	for _, dir := range []string{"/usr/lib/", "/lib/", "/opt/"} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return strings.Contains(file, "/lib/python3")
}
