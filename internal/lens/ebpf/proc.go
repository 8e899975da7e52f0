package ebpf

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/procfs"
	"culprit/internal/sysabi"
)

const maxString = 4096 // PATH_MAX

// execedNow tells what the root program is, which stands still.
func (r *Recorder) execedNow(p *process) {
	x := procfs.Exec(p.pid)
	t := r.task(p, p.pid)
	r.put(t, lens.Now(), x)
	if x.Secure {
		r.note(t, noteSecure)
	}
}

// inCall is a struct thread of the kernel's table, as far as it matters here.
type inCall struct {
	pid, tid  int32
	start     uint64
	args      [6]uint64
	nr, flags uint32
	seq       uint32
	compat    bool
	in        bool
	lost      uint32
	lostBytes uint64
}

const threadSize = 104 // struct thread

// inKernel reads the table of tasks that are followed.
func (r *Recorder) inKernel() []inCall {
	var list []inCall
	var key uint64
	value := make([]byte, r.l.obj.Threads.ValueSize())
	if len(value) < threadSize {
		return nil
	}
	for it := r.l.obj.Threads.Iterate(); it.Next(&key, &value); {
		u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(value[at:]) }
		t := inCall{start: binary.NativeEndian.Uint64(value), pid: int32(u32(56)), tid: int32(u32(60))}
		for i := range t.args {
			t.args[i] = binary.NativeEndian.Uint64(value[8+8*i:])
		}
		t.nr, t.flags, t.seq = u32(64), u32(72), u32(76)
		t.compat, t.in = value[88] != 0, value[89] != 0
		t.lost, t.lostBytes = u32(92), binary.NativeEndian.Uint64(value[96:])
		list = append(list, t)
	}
	return list
}

// memory reads a thread's memory from outside: sysabi.Reader.
type memory struct{ tid int32 }

// ReadMem copies from addr on what can be read.
func (m memory) ReadMem(p []byte, addr uint64) int {
	if len(p) == 0 {
		return 0
	}
	local := unix.Iovec{Base: &p[0]}
	local.SetLen(len(p))
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(p)}
	n, _, e := unix.Syscall6(unix.SYS_PROCESS_VM_READV, uintptr(m.tid), uintptr(unsafe.Pointer(&local)), 1,
		uintptr(unsafe.Pointer(&remote)), 1, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

// waits tells what every thread is doing now, with the call that it is in.
func (r *Recorder) waits() {
	var arena sysabi.Arena
	for _, k := range r.inKernel() {
		t := r.task(r.process(k.pid), k.tid)
		w := procfs.Wait(k.pid, k.tid)
		if k.in && k.flags&callEmit != 0 {
			r.unfinished(t, k, &arena)
		}
		r.put(t, lens.Now(), w)
	}
}

// unfinished puts a call that has not come back. Of data that it was to send
// the beginning is kept.
func (r *Recorder) unfinished(t *task, k inCall, arena *sysabi.Arena) {
	s := &event.Syscall{Arch: archNative, NR: k.nr, Flags: event.Unfinished, Args: k.args, Dur: int64(lens.Now()) - int64(k.start)}
	if k.compat {
		s.Arch = archCompat
	}
	if t.seq == k.seq {
		s.Mem = append(s.Mem, t.parts...)
	}
	if c := sysabi.Lookup(s.Arch, s.NR); c != nil {
		lim := sysabi.Limits{String: maxString, Data: r.opt.Snaplen}
		if len(s.Mem) == 0 {
			s.Mem = c.Capture(s.Mem, event.Enter, &s.Args, 0, lim, memory{k.tid}, arena)
		}
		s.Mem = c.Capture(s.Mem, event.Leave, &s.Args, -int64(unix.EINTR), lim, memory{k.tid}, arena)
	}
	if fd, ok := r.dataFD(s); ok && (t.proc.fds[fd] == nil || !t.proc.fds[fd].announced) {
		if link, ok := procfs.Link(procfs.FD(k.tid, fd)); ok {
			d := &descriptor{link: link}
			t.proc.fds[fd] = d
			r.announce(t, event.Time(k.start), fd, d)
		}
	}
	r.put(t, event.Time(k.start), s)
	arena.Reset()
}

// dataFD returns the descriptor that a call's data flows through.
func (r *Recorder) dataFD(s *event.Syscall) (int32, bool) {
	f := r.facts(s)
	if f.fd < 0 {
		return 0, false
	}
	return int32(s.Args[f.fd]), true
}

func (r *Recorder) facts(s *event.Syscall) facts {
	switch {
	case s.NR >= tableSize:
	case s.Arch == archNative:
		return r.native[s.NR]
	default:
		return r.compat[s.NR]
	}
	return facts{fd: -1}
}
