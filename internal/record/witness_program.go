package record

import (
	"io"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/sysabi"
)

// Of a file that could not be executed the head is kept: the kernel reads
// BINPRM_BUF_SIZE bytes of it (linux/binfmts.h); linkers put the name of an ELF
// file's interpreter into the first page.
const (
	scriptHead = 256
	elfHead    = 4096
)

// program keeps the head of a file that is there though execve failed for it.
func (w *witness) program(e event.Event, s *event.Syscall) {
	d := sysabi.Decode(s)
	name, _ := d.Path()
	at := proc(e.PID, "cwd")
	switch {
	case name == "":
		return
	case path.IsAbs(name):
		at = proc(e.PID, "root")
	case d.DirFD() != unix.AT_FDCWD:
		at = fdPath(e.PID, d.DirFD())
	}
	f, ok := programFile(at+"/"+name, pathOf(e.PID, s))
	if ok && w.once(0, "program", f.Path) {
		w.put(e, f)
	}
}

// notStarted keeps the heads of the files that the command itself was to be.
func notStarted(s lens.Sink, tried []string) {
	for _, name := range tried {
		name, err := filepath.Abs(name)
		if err != nil {
			continue
		}
		if f, ok := programFile(name, name); ok {
			put(s, f)
		}
	}
}

// programFile reads the head of the regular file found at a path, to be known
// as name.
func programFile(at, name string) (*event.File, bool) {
	var st unix.Stat_t
	if !path.IsAbs(name) || unix.Stat(at, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, false
	}
	// What is there now may be another file: never wait for it.
	f, err := os.OpenFile(at, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	head := make([]byte, elfHead)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, false
	}
	head = head[:n]
	if n < 4 || string(head[:4]) != "\x7fELF" {
		head = head[:min(n, scriptHead)]
	}
	return &event.File{Path: name, Size: st.Size, Data: head}, true
}
