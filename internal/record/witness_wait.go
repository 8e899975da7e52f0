package record

import (
	"encoding/binary"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/procfs"
	"culprit/internal/sysabi"
)

// archNative is the architecture whose numbers /proc/PID/syscall shows.
func archNative() event.Arch {
	if runtime.GOARCH == "arm64" {
		return event.ArchAArch64
	}
	return event.ArchX8664
}

// Waits that end never, and those of which it is not known.
const (
	forever = -1
	unknown = -2
)

// maxAwaits bounds how many descriptors of one polling thread are told.
const maxAwaits = 32

// renew forgets what was read for the look before: who holds what may have
// changed.
func (w *witness) renew(look uint32) {
	w.look = look
	clear(w.hung)
	for k := range w.done {
		switch k.what {
		case "lock", "pipe", "peer", "child":
			delete(w.done, k)
		}
	}
}

// inFlight puts the call that a thread is in, where the recorder did not: it
// doesn't record it, or was not there when it began. When that was is not known
// either, but it is not after the thread last ran.
func (w *witness) inFlight(e event.Event, body *event.Wait, nr uint32, a [6]uint64, c *sysabi.Call) {
	if w.flying[e.TID] {
		delete(w.flying, e.TID)
		return
	}
	s := &event.Syscall{Arch: archNative(), NR: nr, Flags: event.Unfinished, Args: a, Dur: max(body.Asleep, 0)}
	var arena sysabi.Arena
	lim, mem := sysabi.Limits{String: unix.PathMax, Data: maxFlying}, memory(e.PID)
	s.Mem = c.Capture(s.Mem, event.Enter, &s.Args, 0, lim, mem, &arena)
	s.Mem = c.Capture(s.Mem, event.Leave, &s.Args, -int64(unix.EINTR), lim, mem, &arena)
	w.sink.Put(event.Event{Time: e.Time - event.Time(s.Dur), PID: e.PID, TID: e.TID, Body: s})
}

// maxFlying is how much is kept of data that a call is about to send.
const maxFlying = 256

// memory reads a process's memory from outside: sysabi.Reader.
type memory int32

// ReadMem copies from addr on what can be read.
func (m memory) ReadMem(p []byte, addr uint64) int {
	if len(p) == 0 {
		return 0
	}
	n, err := unix.ProcessVMReadv(int(m), []unix.Iovec{{Base: &p[0], Len: uint64(len(p))}},
		[]unix.RemoteIovec{{Base: uintptr(addr), Len: len(p)}}, 0)
	if err != nil {
		return 0
	}
	return n
}

// wait tells what a thread waits for that was found inside a call.
func (w *witness) wait(e event.Event, body *event.Wait) {
	if body.Look > w.look {
		w.renew(body.Look)
	}
	if !w.hung[e.PID] {
		w.hung[e.PID] = true
		if w.interpreter != nil {
			p := w.interpreter(e.PID)
			w.gils[e.PID] = p.gil
			for tid, s := range p.stacks {
				w.put(event.Event{PID: e.PID, TID: tid}, s)
			}
		}
	}
	nr, a, ok := inCall(body.Syscall)
	if !ok {
		return
	}
	if restart, _ := sysabi.Number(archNative(), "restart_syscall"); nr == restart {
		nr = restarted(nr, a, body)
	}
	c := sysabi.Lookup(archNative(), nr)
	if c == nil {
		return
	}
	w.inFlight(e, body, nr, a, c)
	x := waiting{w: w, e: e, call: c.Name, a: a}
	switch c.Name {
	case "futex":
		x.futex()
	case "wait4", "waitid":
		x.child()
	case "open", "openat", "openat2", "creat":
		x.open()
	case "poll", "ppoll":
		x.poll()
	case "select", "pselect6":
		x.selects()
	case "epoll_wait", "epoll_pwait", "epoll_pwait2":
		x.epoll()
	case "flock", "fcntl":
		x.lock()
	case "nanosleep":
		x.put(&event.Awaits{FD: -1, Limit: x.timespec(a[0])})
	case "clock_nanosleep":
		limit := int64(unknown)
		if a[1] == 0 { // else it is a time, not how long
			limit = x.timespec(a[2])
		}
		x.put(&event.Awaits{FD: -1, Limit: limit})
	case "pause", "rt_sigsuspend", "rt_sigtimedwait", "io_getevents", "io_uring_enter":
		x.put(&event.Awaits{FD: -1, Limit: unknown})
	case "semop", "semtimedop":
		x.put(&event.Awaits{FD: -1, Type: "semaphore", Addr: a[0], Shared: true, Limit: unknown})
	case "msgrcv", "mq_timedreceive":
		x.put(&event.Awaits{FD: -1, Type: "queue", Addr: a[0], Shared: true, Limit: unknown})
	default:
		if c.Data() || c.Name == "accept" || c.Name == "accept4" || c.Name == "connect" {
			x.fd(int32(a[max(c.FD(), 0)]), writes(c.Name), forever)
		} else {
			x.put(&event.Awaits{FD: -1, Limit: unknown})
		}
	}
}

// restarted tells which call a thread goes on with in restart_syscall(2), which
// has the registers of that one: poll, futex, nanosleep or clock_nanosleep. The
// kernel's stack, which only root may see, and wchan have the first two by name.
func restarted(nr uint32, a [6]uint64, w *event.Wait) uint32 {
	const clocks = 16 // MAX_CLOCKS (linux/time.h): a clock's number is no address
	name := "nanosleep"
	switch where := w.Wchan + string(w.Stack); {
	case strings.Contains(where, "futex"):
		name = "futex"
	case strings.Contains(where, "poll"):
		name = "poll"
	case a[0] < clocks:
		name = "clock_nanosleep"
	}
	if n, ok := sysabi.Number(archNative(), name); ok {
		return n
	}
	return nr
}

func writes(call string) bool {
	return strings.Contains(call, "write") || strings.HasPrefix(call, "send") || call == "connect"
}

// inCall reads /proc/PID/syscall: number, six arguments, stack and program
// counter. It is "running" for a thread that is not blocked.
func inCall(line string) (nr uint32, args [6]uint64, ok bool) {
	f := strings.Fields(line)
	if len(f) != 9 {
		return 0, args, false
	}
	n, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil {
		return 0, args, false
	}
	for i := range args {
		if args[i], err = strconv.ParseUint(f[1+i], 0, 64); err != nil {
			return 0, args, false
		}
	}
	sp, _ := strconv.ParseUint(f[7], 0, 64)
	pc, _ := strconv.ParseUint(f[8], 0, 64)
	return uint32(n), args, sp>>32 != 0 || pc>>32 != 0 // else a 32 bit program, with other numbers
}

// waiting is one thread inside a call.
type waiting struct {
	w    *witness
	e    event.Event
	call string
	a    [6]uint64
	n    int
}

func (x *waiting) put(a *event.Awaits) {
	if x.n++; x.n > maxAwaits {
		return
	}
	a.Call = x.call
	x.w.put(x.e, a)
}

// read copies memory of the process; nil when any of it is not readable.
func (x *waiting) read(addr uint64, n int) []byte {
	if addr == 0 || n <= 0 || n > 1<<16 {
		return nil
	}
	b := make([]byte, n)
	if memory(x.e.PID).ReadMem(b, addr) != n {
		return nil
	}
	return b
}

// timespec reads a struct timespec as ns; a null pointer waits for ever.
func (x *waiting) timespec(addr uint64) int64 {
	if addr == 0 {
		return forever
	}
	b := x.read(addr, 16)
	if b == nil {
		return unknown
	}
	return int64(binary.LittleEndian.Uint64(b))*1e9 + int64(binary.LittleEndian.Uint64(b[8:]))
}

// millis turns poll's and epoll's time-out into ns.
func millis(v uint64) int64 {
	if ms := int64(int32(v)); ms >= 0 {
		return ms * 1e6
	}
	return forever
}

func (x *waiting) futex() {
	const wait, lockPI, waitBitset, waitRequeuePI, lockPI2, private, cmdMask = 0, 6, 9, 11, 13, 128, 127
	op := x.a[1] & cmdMask
	aw := &event.Awaits{FD: -1, Type: "futex", Addr: x.a[0], Shared: x.a[1]&private == 0, Limit: unknown}
	switch op {
	case wait, waitBitset, lockPI, lockPI2, waitRequeuePI:
		if aw.Limit = x.timespec(x.a[3]); aw.Limit > 0 && op != wait {
			aw.Limit = unknown // an absolute time
		}
	}
	if gil := x.w.gils[x.e.PID]; aw.Addr >= gil.From && aw.Addr < gil.To {
		aw.Type, aw.Owner = "gil", gil.Holder
		x.put(aw)
		return
	}
	// glibc's pthread_mutex_t begins with int lock, unsigned count, int owner
	// (struct_mutex.h); the owner is believed only if it is a thread that lives.
	if b := x.read(x.a[0], 12); b != nil {
		lock, owner := binary.LittleEndian.Uint32(b), int32(binary.LittleEndian.Uint32(b[8:]))
		switch {
		case (op == lockPI || op == lockPI2) && lock&0x3fffffff != 0:
			owner = int32(lock & 0x3fffffff)
		case lock != 2 || op != wait: // not locked with waiters
			owner = 0
		}
		if owner > 0 && unix.Access(proc(x.e.PID, "task/"+strconv.Itoa(int(owner))), unix.F_OK) == nil {
			aw.Owner = owner
		}
	}
	x.put(aw)
}

func (x *waiting) child() {
	aw := &event.Awaits{FD: -1, Type: "child", Limit: forever}
	switch {
	case x.call == "wait4" && int32(x.a[0]) > 0:
		aw.Owner = int32(x.a[0])
	case x.call == "waitid" && x.a[0] == unix.P_PID:
		aw.Owner = int32(x.a[1])
	case x.call == "waitid" && x.a[0] == unix.P_PIDFD:
		aw.Owner = pidOf(x.e.PID, int32(x.a[1]))
	}
	x.put(aw)
	for _, pid := range procfs.Children(x.e.PID) {
		if (aw.Owner == 0 || aw.Owner == pid) && x.w.once(x.e.PID, "child", strconv.Itoa(int(pid))) {
			h := who(pid)
			h.What, h.Name = "child", strconv.Itoa(int(pid))
			x.w.put(x.e, h)
		}
	}
}

// pidOf is the process that a pidfd stands for (its fdinfo), 0 when that is not
// known.
func pidOf(pid, fd int32) int32 {
	for line := range strings.Lines(readProc(proc(pid, "fdinfo/"+strconv.Itoa(int(fd))))) {
		if rest, ok := strings.CutPrefix(line, "Pid:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 32)
			return int32(max(n, 0))
		}
	}
	return 0
}

func (x *waiting) open() {
	addr, dir := x.a[0], int32(unix.AT_FDCWD)
	if x.call == "openat" || x.call == "openat2" {
		addr, dir = x.a[1], int32(x.a[0])
	}
	name := absolute(x.e.PID, dir, x.text(addr))
	aw := &event.Awaits{FD: -1, Link: name, Limit: forever}
	var st unix.Stat_t
	if name != "" && unix.Stat(proc(x.e.PID, "root")+name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
		aw.Type = "fifo"
	}
	if x.call == "open" {
		aw.Write = x.a[1]&unix.O_ACCMODE == unix.O_WRONLY
	} else if x.call == "openat" {
		aw.Write = x.a[2]&unix.O_ACCMODE == unix.O_WRONLY
	}
	x.put(aw)
}

// text reads a string of at most PATH_MAX bytes, in pieces that don't cross a
// page.
func (x *waiting) text(addr uint64) string {
	var out []byte
	for len(out) < unix.PathMax {
		n := 4096 - int(addr&4095)
		b := x.read(addr, n)
		if b == nil {
			return ""
		}
		if i := strings.IndexByte(string(b), 0); i >= 0 {
			return string(append(out, b[:i]...))
		}
		out, addr = append(out, b...), addr+uint64(n)
	}
	return ""
}

func (x *waiting) poll() {
	limit := millis(x.a[2])
	if x.call == "ppoll" {
		limit = x.timespec(x.a[2])
	}
	n := int(min(x.a[1], 1024))
	b := x.read(x.a[0], 8*n)
	for i := 0; i+8 <= len(b); i += 8 {
		fd, events := int32(binary.LittleEndian.Uint32(b[i:])), binary.LittleEndian.Uint16(b[i+4:])
		if fd >= 0 {
			x.fd(fd, events&unix.POLLIN == 0 && events&unix.POLLOUT != 0, limit)
		}
	}
	if n == 0 {
		x.put(&event.Awaits{FD: -1, Limit: limit})
	}
}

func (x *waiting) selects() {
	limit := int64(forever)
	if x.a[4] != 0 {
		limit = unknown // select's is a timeval that the kernel counts down
	}
	any := false
	for i, write := range []bool{false, true} {
		n := (int(min(x.a[0], 1024)) + 63) / 64 * 8
		b := x.read(x.a[1+i], n)
		for fd := range len(b) * 8 {
			if b[fd/8]&(1<<(fd%8)) != 0 {
				x.fd(int32(fd), write, limit)
				any = true
			}
		}
	}
	if !any {
		x.put(&event.Awaits{FD: -1, Limit: limit})
	}
}

// epoll lists what an epoll instance watches (the tfd lines of its fdinfo).
func (x *waiting) epoll() {
	limit := millis(x.a[3])
	if x.call == "epoll_pwait2" {
		limit = x.timespec(x.a[3])
	}
	for line := range strings.Lines(readProc(proc(x.e.PID, "fdinfo/"+strconv.Itoa(int(int32(x.a[0])))))) {
		f := strings.Fields(line)
		if len(f) < 4 || f[0] != "tfd:" || f[2] != "events:" {
			continue
		}
		fd, err := strconv.ParseInt(f[1], 10, 32)
		events, err2 := strconv.ParseUint(f[3], 16, 32)
		if err == nil && err2 == nil {
			x.fd(int32(fd), events&unix.EPOLLIN == 0 && events&unix.EPOLLOUT != 0, limit)
		}
	}
	if x.n == 0 {
		x.put(&event.Awaits{FD: -1, Limit: limit})
	}
}

func (x *waiting) lock() {
	fd := int32(x.a[0])
	aw := &event.Awaits{FD: fd, Link: readLink(fdPath(x.e.PID, fd)), Type: "lock", Limit: forever}
	var st unix.Stat_t
	if unix.Stat(fdPath(x.e.PID, fd), &st) == nil {
		for _, l := range locksOn(readProc("/proc/locks"), st.Dev, st.Ino) {
			if l.pid != x.e.PID {
				aw.Owner = l.pid
				break
			}
		}
	}
	x.put(aw)
	x.w.lock(x.e, fd)
}

// fd tells of a wait for a descriptor, and who has its other end.
func (x *waiting) fd(fd int32, write bool, limit int64) {
	aw := &event.Awaits{FD: fd, Link: readLink(fdPath(x.e.PID, fd)), Limit: limit, Write: write}
	var st unix.Stat_t
	if unix.Stat(fdPath(x.e.PID, fd), &st) == nil {
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFIFO:
			aw.Type = "fifo"
			if strings.HasPrefix(aw.Link, "pipe:") {
				aw.Type = "pipe"
			}
		case unix.S_IFSOCK:
			aw.Type = "socket"
		case unix.S_IFREG:
			aw.Type = "file"
		case unix.S_IFCHR:
			aw.Type = "device"
			if strings.HasPrefix(aw.Link, "/dev/pts/") || strings.HasPrefix(aw.Link, "/dev/tty") || aw.Link == "/dev/console" {
				aw.Type = "tty"
			}
		}
	}
	d := &event.FD{FD: fd, Link: aw.Link}
	switch aw.Type {
	case "socket":
		listens := x.socket(d)
		local, remote := sysabi.DecodeSockaddr(d.Local).AddrPort, sysabi.DecodeSockaddr(d.Remote).AddrPort
		switch {
		case listens:
			aw.Type = "listener"
		case remote.IsValid():
			defer x.w.peer(x.e, local, remote)
		default:
			defer x.w.unixPeer(x.e, aw.Link)
		}
	case "pipe", "fifo":
		defer x.ends(aw.Link, write)
	}
	if d.Link != "" && x.n < maxAwaits {
		x.w.put(x.e, d)
	}
	x.put(aw)
}

// ends puts who has the other end of a pipe.
func (x *waiting) ends(link string, write bool) {
	if !x.w.once(x.e.PID, "pipe", link) {
		return
	}
	var found []holder
	for _, h := range x.w.fds().links[link] {
		if reads, writes := h.mode(); write && reads || !write && writes {
			found = append(found, h)
		}
	}
	pids := pidsOf(found)
	for _, pid := range pids[:min(len(pids), maxHolders)] {
		h := who(pid)
		h.What, h.Name = "pipe", link
		x.w.put(x.e, h)
	}
}

// socket asks the socket itself, through a copy of its descriptor, what it is
// and where it is connected to; it reports whether it listens.
func (x *waiting) socket(d *event.FD) (listens bool) {
	p, err := unix.PidfdOpen(int(x.e.PID), 0)
	if err != nil {
		return false
	}
	defer unix.Close(p)
	s, err := unix.PidfdGetfd(p, int(d.FD), 0)
	if err != nil {
		return false
	}
	defer unix.Close(s)
	typ, _ := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_TYPE)
	d.Type = uint32(max(typ, 0))
	d.Local, d.Remote = sockaddr(unix.SYS_GETSOCKNAME, s), sockaddr(unix.SYS_GETPEERNAME, s)
	v, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && v != 0
}

func sockaddr(call uintptr, s int) []byte {
	var b [128]byte // struct sockaddr_storage
	n := uint32(len(b))
	_, _, e := unix.RawSyscall(call, uintptr(s), uintptr(unsafe.Pointer(&b)), uintptr(unsafe.Pointer(&n)))
	if e != 0 {
		return nil
	}
	return b[:min(int(n), len(b))]
}
