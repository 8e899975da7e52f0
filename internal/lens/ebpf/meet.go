package ebpf

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/link"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/procfs"
)

// maxRounds bounds how often a running tree is looked through for tasks that
// were born meanwhile. What a task that is followed makes is followed by itself,
// so that the second round finds next to nothing.
const maxRounds = 8

// meet follows the root process and all that descends from it as they run. The
// programs are attached already: a task begins to be recorded when the kernel's
// list of tasks comes to it (bpf/lens.bpf.c, meet).
func (r *Recorder) meet() error {
	k, err := link.AttachIter(link.IterOptions{Program: r.l.Meet})
	if err != nil {
		return unavailable(fmt.Errorf("walk through the tasks: %w", err))
	}
	defer k.Close()
	known := map[int32]bool{}
	for range maxRounds {
		found, err := r.find(r.root, known)
		if err != nil {
			return fmt.Errorf("name the running tasks to the kernel: %w", err)
		}
		if found == 0 {
			break
		}
		walk, err := k.Open()
		if err != nil {
			return fmt.Errorf("walk through the tasks: %w", err)
		}
		_, err = io.Copy(io.Discard, walk)
		_ = walk.Close()
		if err != nil {
			return fmt.Errorf("walk through the tasks: %w", err)
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("process %d is gone", r.root)
	}
	return nil
}

// find names the tasks of a process and of its descendants that are not known
// yet, and returns how many there are.
func (r *Recorder) find(pid int32, known map[int32]bool) (n int, err error) {
	for _, tid := range procfs.Threads(pid) {
		if known[tid] {
			continue
		}
		if err := r.l.Found.Put(tid, runningTask(pid, tid)); err != nil {
			return n, err
		}
		if len(procfs.Threads(pid)) == 0 {
			return n, nil // gone meanwhile
		}
		n++
		known[tid] = true
		p := r.procs[pid]
		if p == nil {
			p = r.process(pid)
			r.execedNow(p)
			r.openNow(p)
		}
		r.task(p, tid)
	}
	for _, child := range procfs.Children(pid) {
		more, err := r.find(child, known)
		if n += more; err != nil {
			return n, err
		}
	}
	return n, nil
}

// runningTask is a struct running (bpf/record.h): the call that /proc says a
// task is in.
func runningTask(pid, tid int32) []byte {
	var in, nr uint32
	var args [6]uint64
	f := strings.Fields(procfs.Wait(pid, tid).Syscall)
	if len(f) >= 7 { // number, arguments, stack pointer, program counter; else "running" or -1
		if v, err := strconv.ParseUint(f[0], 10, 32); err == nil {
			in, nr = 1, uint32(v)
			for i := range args {
				args[i], _ = strconv.ParseUint(f[1+i], 0, 64)
			}
		}
	}
	b := binary.NativeEndian.AppendUint32(nil, uint32(pid))
	b = binary.NativeEndian.AppendUint32(b, in)
	b = binary.NativeEndian.AppendUint32(b, nr)
	b = binary.NativeEndian.AppendUint32(b, 0)
	for _, a := range args {
		b = binary.NativeEndian.AppendUint64(b, a)
	}
	return b
}

// openNow tells what descriptors a running process has. Addresses of sockets
// come when they are used.
func (r *Recorder) openNow(p *process) {
	dir, err := os.Open(procfs.Path(p.pid, "/fd"))
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(maxOpen)
	t := r.task(p, p.pid)
	for _, name := range names {
		fd, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			continue
		}
		if l, ok := procfs.Link(procfs.FD(p.pid, int32(fd))); ok {
			d := &descriptor{link: l}
			p.fds[int32(fd)] = d
			r.announce(t, event.Time(lens.Now()), int32(fd), d)
		}
	}
}

const maxOpen = 1 << 16 // descriptors of one process that are told
