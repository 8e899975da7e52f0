package sysabi

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
)

// The texts are what strace 6.1 printed for these calls.
func TestString(t *testing.T) {
	le := binary.LittleEndian
	m := newMemory()
	m.put(0x1000, []byte("/etc/passwd\x00"))
	m.put(0x1100, []byte("a\tb\n\"\\\x01\x012\xffx\x00"))
	m.put(0x1200, []byte("hello\x00world\n\x7f\x80 some longer text that is cut at thirty-two"))
	m.put(0x2000, []byte{2, 0, 1, 187, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	m.put(0x2100, append([]byte{10, 0, 0, 53, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 1, 0, 0, 0))
	m.put(0x2200, []byte("\x01\x00/run/x.sock\x00"))
	m.put(0x2300, []byte("\x01\x00\x00abs"))
	m.put(0x2400, []byte{16, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0})
	m.put(0x3000, []byte{3, 0, 0, 0, 1, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0})
	m.put(0x3100, []byte{1, 0, 0, 0x80, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11})
	m.words(0x4000, 1, 1000)
	m.put(0x4100, le.AppendUint32(nil, 16))
	m.put(0x4200, []byte{0, 3, 0, 0})
	m.put(0x4300, []byte{9, 0, 0, 0})
	m.words(0x5000, 0, 0, 0, 0x5100)
	m.put(0x5100, []byte("x"))
	m.words(0x6000, 0x6100, 0x14000000, 0x6200, 1<<9)
	var st [144]byte
	le.PutUint32(st[24:], 0o100644)
	le.PutUint64(st[48:], 36743)
	m.put(0x7000, st[:])
	m.words(0x8000, 8<<20, ^uint64(0))
	m.put(0x8100, []byte{17, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 57, 48, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0})
	m.put(0x8180, make([]byte, 100))
	m.put(0x9000, []byte("how\x00"))
	m.words(0x9100, 0x9000, 0)
	m.put(0x7e00, []byte{77, 0, 0, 0})
	m.words(0xa000, 0x3d0f00, 0, 0x7f00, 0x7e00, 0, 0x10000, 0x8000, 0x6000)

	for _, tt := range []struct {
		want string
		ret  int64
		call string
		args []uint64
	}{
		{`openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3`, 3, "openat", []uint64{0xffffff9c, 0x1000, 0x80000}},
		{`openat(-7, "/etc/passwd", O_RDONLY|O_PATH|O_DIRECTORY) = -1 EBADF (Bad file descriptor)`, -9, "openat", []uint64{^uint64(6), 0x1000, 0x210000}},
		{`openat(AT_FDCWD, "/etc/passwd", O_WRONLY|O_TMPFILE, 0600) = 3`, 3, "openat", []uint64{0xffffff9c, 0x1000, 0x410001, 0o600}},
		{`openat(AT_FDCWD, NULL, O_ACCMODE) = -1 EFAULT (Bad address)`, -14, "openat", []uint64{0xffffff9c, 0, 3}},
		{`open("a\tb\n\"\\\1\0012\377x", O_RDWR|O_CREAT|O_EXCL, 0644) = 4`, 4, "open", []uint64{0x1100, 0xc2, 0o644}},
		{`write(4, "hello\0world\n\177\200 some longer text "..., 58) = 58`, 58, "write", []uint64{4, 0x1200, 58}},
		{`write(4, "hello", 5) = -1 EPIPE (Broken pipe)`, -32, "write", []uint64{4, 0x1200, 5}},
		{`write(4, 0x8, 5) = -1 EFAULT (Bad address)`, -14, "write", []uint64{4, 8, 5}},
		{`read(99, 0x1200, 10) = -1 EBADF (Bad file descriptor)`, -9, "read", []uint64{99, 0x1200, 10}},
		{`read(3, "", 10) = 0`, 0, "read", []uint64{3, 0x1200, 10}},
		{`read(3, 0x1200, 10) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)`, -512, "read", []uint64{3, 0x1200, 10}},
		{`connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 EINPROGRESS (Operation now in progress)`, -115, "connect", []uint64{3, 0x2000, 16}},
		{`connect(3, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=1}, 28) = 0`, 0, "connect", []uint64{3, 0x2100, 28}},
		{`connect(3, {sa_family=AF_UNIX, sun_path="/run/x.sock"}, 110) = -1 ENOENT (No such file or directory)`, -2, "connect", []uint64{3, 0x2200, 110}},
		{`bind(3, {sa_family=AF_UNIX, sun_path=@"abs"}, 6) = 0`, 0, "bind", []uint64{3, 0x2300, 6}},
		{`bind(3, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=0x000005}, 12) = 0`, 0, "bind", []uint64{3, 0x2400, 12}},
		{`connect(3, 0x2000, 1) = -1 EINVAL (Invalid argument)`, -22, "connect", []uint64{3, 0x2000, 1}},
		{`accept(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("127.0.0.1")}, [16]) = 5`, 5, "accept", []uint64{3, 0x2000, 0x4100}},
		{`accept4(3, NULL, NULL, SOCK_CLOEXEC|SOCK_NONBLOCK) = -1 EAGAIN (Resource temporarily unavailable)`, -11, "accept4", []uint64{3, 0, 0, 0x80800}},
		{`socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, IPPROTO_TCP) = 3`, 3, "socket", []uint64{2, 0x80801, 6}},
		{`socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 3`, 3, "socket", []uint64{16, 3, 0}},
		{`socket(AF_INET, 0x4d /* SOCK_??? */, IPPROTO_TCP) = -1 EINVAL (Invalid argument)`, -22, "socket", []uint64{2, 77, 6}},
		{`setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0`, 0, "setsockopt", []uint64{3, 1, 2, 0x4000, 4}},
		{`getsockopt(3, SOL_TCP, TCP_CONGESTION, "hello\0world\n\177\200 s", [16]) = 0`, 0, "getsockopt", []uint64{3, 6, 13, 0x1200, 0x4100}},
		{`shutdown(3, SHUT_WR) = 0`, 0, "shutdown", []uint64{3, 1}},
		{`sendto(3, "hello", 5, MSG_NOSIGNAL, NULL, 0) = 5`, 5, "sendto", []uint64{3, 0x1200, 5, 0x4000, 0, 0}},
		{`poll([{fd=3, events=POLLIN}, {fd=-1}], 2, 100) = 1 ([{fd=3, revents=POLLIN}])`, 1, "poll", []uint64{0x3000, 2, 100}},
		{`poll([{fd=3, events=POLLIN}], 1, 0) = 0 (Timeout)`, 0, "poll", []uint64{0x3000, 1, 0}},
		{`poll(NULL, 0, -1) = -1 EINTR (Interrupted system call)`, -4, "poll", []uint64{0, 0, 0xffffffff}},
		{`epoll_wait(5, [{events=EPOLLIN|EPOLLET, data=0x1122334455667788}], 4, -1) = 1`, 1, "epoll_wait", []uint64{5, 0x3100, 4, 0xffffffff}},
		{`epoll_wait(5, [], 4, 0) = 0`, 0, "epoll_wait", []uint64{5, 0x3100, 4, 0}},
		{`nanosleep({tv_sec=1, tv_nsec=1000}, {tv_sec=1, tv_nsec=1000}) = -1 EINTR (Interrupted system call)`, -4, "nanosleep", []uint64{0x4000, 0x4000}},
		{`nanosleep({tv_sec=1, tv_nsec=1000}, 0x4000) = 0`, 0, "nanosleep", []uint64{0x4000, 0x4000}},
		{`wait4(12345, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 12345`, 12345, "wait4", []uint64{12345, 0x4200, 0, 0}},
		{`wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], WNOHANG, NULL) = 12345`, 12345, "wait4", []uint64{0xffffffff, 0x4300, 1, 0}},
		{`wait4(-1, 0x4300, WNOHANG, NULL) = 0`, 0, "wait4", []uint64{0xffffffff, 0x4300, 1, 0}},
		{`waitid(P_PID, 12345, {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=12345, si_uid=0, si_status=4, si_utime=0, si_stime=0}, WEXITED, NULL) = 0`, 0, "waitid", []uint64{1, 12345, 0x8100, 4, 0}},
		{`rt_sigaction(SIGUSR1, {sa_handler=0x6100, sa_mask=[USR1], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x6200}, NULL, 8) = 0`, 0, "rt_sigaction", []uint64{10, 0x6000, 0, 8}},
		{`fstat(3, {st_mode=S_IFREG|0644, st_size=36743, ...}) = 0`, 0, "fstat", []uint64{3, 0x7000}},
		{`fstat(99, 0x7000) = -1 EBADF (Bad file descriptor)`, -9, "fstat", []uint64{99, 0x7000}},
		{`prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0`, 0, "prlimit64", []uint64{0, 3, 0, 0x8000}},
		{`mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7fa3243d1000`, 0x7fa3243d1000, "mmap", []uint64{0, 8192, 3, 0x22, 0xffffffff, 0}},
		{`brk(NULL) = 0x557acc001000`, 0x557acc001000, "brk", []uint64{0}},
		{`fcntl(3, F_GETFL) = 0x8002 (flags O_RDWR|O_LARGEFILE)`, 0x8002, "fcntl", []uint64{3, 3, 0x99}},
		{`fcntl(3, F_SETFD, FD_CLOEXEC) = 0`, 0, "fcntl", []uint64{3, 2, 1}},
		{`fcntl(3, 0x309 /* F_??? */, 0x5) = -1 EINVAL (Invalid argument)`, -22, "fcntl", []uint64{3, 777, 5}},
		{`lseek(3, -5, 0x4d /* SEEK_??? */) = -1 EINVAL (Invalid argument)`, -22, "lseek", []uint64{3, ^uint64(4), 77}},
		{`execve("/etc/passwd", ["how"], 0x9100 /* 1 var */) = -1 EACCES (Permission denied)`, -13, "execve", []uint64{0x1000, 0x9100, 0x9100}},
		{`clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|CLONE_PARENT_SETTID|CLONE_CHILD_CLEARTID, child_tid=0x7f00, parent_tid=0x7e00, exit_signal=0, stack=0x10000, stack_size=0x8000, tls=0x6000} => {parent_tid=[77]}, 88) = 77`, 77, "clone3", []uint64{0xa000, 88}},
		{`clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f00) = 77`, 77, "clone", []uint64{0x1200011, 0, 0, 0x7f00}},
		{`futex(0x4000, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 5, NULL, FUTEX_BITSET_MATCH_ANY) = -1 ETIMEDOUT (Connection timed out)`, -110, "futex", []uint64{0x4000, 0x189, 5, 0, 0, 0xffffffff}},
		{`ioctl(1, TCGETS, 0x4000) = -1 ENOTTY (Inappropriate ioctl for device)`, -25, "ioctl", []uint64{1, 0x5401, 0x4000}},
		{`ioctl(3, _IOC(_IOC_READ, 0x77, 0x77, 0x8), 0x4000) = -1 ENOTTY (Inappropriate ioctl for device)`, -25, "ioctl", []uint64{3, 0x80087777, 0x4000}},
		{`umask(022) = 0777`, 0o777, "umask", []uint64{0o22}},
		{`exit_group(1) = ?`, 0, "exit_group", []uint64{1}},
		{`prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) = 0`, 0, "prctl", []uint64{38, 1, 0, 0, 0}},
		{`mkdirat(AT_FDCWD, "/etc/passwd", 01777) = -1 EEXIST (File exists)`, -17, "mkdirat", []uint64{0xffffff9c, 0x1000, 0o1777}},
		{`kill(0, 0) = 0`, 0, "kill", []uint64{0, 0}},
	} {
		if got := Decode(record(t, m, testLimits, tt.ret, tt.call, tt.args...)).String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestUnfinished(t *testing.T) {
	m := newMemory()
	m.put(0x3000, []byte{3, 0, 0, 0, 1, 0, 0, 0})
	for _, tt := range []struct {
		want string
		call string
		args []uint64
	}{
		{`read(0,  <unfinished ...>) = ?`, "read", []uint64{0, 0x1000, 5}},
		{`poll([{fd=3, events=POLLIN}], 1, -1 <unfinished ...>) = ?`, "poll", []uint64{0x3000, 1, 0xffffffff}},
		{`exit_group(0) = ?`, "exit_group", nil},
	} {
		s := record(t, m, testLimits, -4, tt.call, tt.args...)
		s.Flags, s.Ret = event.Unfinished, 0
		d := Decode(s)
		if got := d.String(); got != tt.want || !d.Unfinished || d.Errno != 0 {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestOptions(t *testing.T) {
	m := newMemory()
	m.put(0x1000, []byte("abc\xffdefgh"))
	s := record(t, m, testLimits, 8, "write", 1, 0x1000, 8)
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{StrLen: 5}, `write(1, "abc\377d"..., 8) = 8`},
		{Options{StrLen: 8}, `write(1, "abc\377defg", 8) = 8`},
		{Options{Hex: true}, `write(1, "\x61\x62\x63\xff\x64\x65\x66\x67", 8) = 8`},
		{Options{Column: 40}, `write(1, "abc\377defg", 8)              = 8`},
	} {
		if got := string(Decode(s).Append(nil, tt.o)); got != tt.want {
			t.Errorf("%+v:\ngot  %s\nwant %s", tt.o, got, tt.want)
		}
	}
}

// A number without a call, an architecture without a table.
func TestUnknown(t *testing.T) {
	for _, s := range []*event.Syscall{
		{Arch: event.ArchX8664, NR: 999, Args: [6]uint64{1, 2}, Ret: -38},
		{Arch: 77, NR: 999, Args: [6]uint64{1, 2}, Ret: -38},
	} {
		d := Decode(s)
		if got, want := d.String(), "syscall_0x3e7(0x1, 0x2, 0, 0, 0, 0) = -1 ENOSYS (Function not implemented)"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if d.FD() != -1 || d.Call == nil {
			t.Errorf("FD %d", d.FD())
		}
	}
}

func TestSiginfo(t *testing.T) {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 11)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, 1)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, 0xdead)
	for _, tt := range []struct {
		b    []byte
		want string
	}{
		{b, "{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0xdead}"},
		{[]byte{13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 57, 48, 0, 0, 232, 3}, "{si_signo=SIGPIPE, si_code=SI_USER, si_pid=12345, si_uid=1000}"},
		{[]byte{11, 0, 0, 0, 0, 0, 0, 0, 0x80}, "{si_signo=SIGSEGV, si_code=SI_KERNEL, si_addr=NULL}"},
		{nil, "{}"},
	} {
		if got := DecodeSiginfo(tt.b).String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestErrno(t *testing.T) {
	for e, want := range map[Errno][2]string{
		EPIPE: {"EPIPE", "Broken pipe"}, ERESTARTSYS: {"ERESTARTSYS", "To be restarted if SA_RESTART is set"},
		95: {"EOPNOTSUPP", "Operation not supported"}, 4000: {"errno(4000)", "Unknown error 4000"}, 41: {"errno(41)", "Unknown error 41"},
	} {
		if diff := cmp.Diff(want, [2]string{e.Name(), e.Text()}); diff != "" {
			t.Errorf("%d: %s", uint32(e), diff)
		}
	}
	if e, ok := ErrnoOf("EWOULDBLOCK"); !ok || e != EAGAIN {
		t.Errorf("EWOULDBLOCK is %v", e)
	}
	if _, ok := ErrnoOf(""); ok {
		t.Error("no name is an errno")
	}
}

func TestWaitStatus(t *testing.T) {
	for w, want := range map[WaitStatus]string{
		0x100:   "{WIFEXITED(s) && WEXITSTATUS(s) == 1}",
		0x8b:    "{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}",
		0x137f:  "{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}",
		0x857f:  "{WIFSTOPPED(s) && WSTOPSIG(s) == SIGTRAP | 0x80}",
		0xffff:  "{WIFCONTINUED(s)}",
		0x4057f: "{WIFSTOPPED(s) && WSTOPSIG(s) == SIGTRAP} | PTRACE_EVENT_EXEC << 16",
	} {
		if got := w.String(); got != want {
			t.Errorf("%#x: %s", uint32(w), got)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	m := newMemory()
	m.put(0x1000, []byte("/etc/ld.so.cache\x00"))
	s := record(b, m, testLimits, 3, "openat", 0xffffff9c, 0x1000, 0x80000)
	b.ReportAllocs()
	for b.Loop() {
		Decode(s)
	}
}

func BenchmarkString(b *testing.B) {
	m := newMemory()
	m.put(0x1000, []byte("/etc/ld.so.cache\x00"))
	d := Decode(record(b, m, testLimits, 3, "openat", 0xffffff9c, 0x1000, 0x80000))
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = d.Append(buf[:0], Options{})
	}
}

// Decode reads what a damaged or hostile file holds.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), uint32(1), int64(5), []byte("\x04\x00\x10\x05hello"))
	f.Add(uint8(0), uint32(46), int64(-32), make([]byte, 200))
	f.Add(uint8(1), uint32(102), int64(3), []byte("\x01\x10\x20\x30"))
	f.Add(uint8(2), uint32(221), int64(0), []byte("\x10\x10\x10\x10\x10\x10\x10"))
	f.Fuzz(func(t *testing.T, arch uint8, nr uint32, ret int64, b []byte) {
		s := &event.Syscall{Arch: [...]event.Arch{event.ArchX8664, event.ArchI386, event.ArchAArch64, 5}[arch&3], NR: nr % 480, Ret: ret, Flags: arch >> 2 & 1}
		// Few different addresses, so that arguments meet the pieces.
		for i := range s.Args {
			if len(b) > 0 {
				s.Args[i] = uint64(b[0]) * 16
				b = b[1:]
			}
		}
		for len(b) > 2 && len(s.Mem) < 16 {
			n := min(int(b[1]), len(b)-2)
			s.Mem = append(s.Mem, event.Mem{At: event.Phase(b[0] & 1), Addr: uint64(b[0]>>1) * 16, Data: b[2 : 2+n]})
			b = b[2+n:]
		}
		d := Decode(s)
		text := d.Append(nil, Options{})
		if len(text) == 0 {
			t.Error("no text")
		}
		d.Append(nil, Options{Verbose: true, Hex: true, StrLen: 1 << 20})
		d.Buffer()
		d.Sockaddr()
		d.Path()
		for i := range d.Args {
			if d.Args[i].Text() == "" && d.Args[i].Kind != KindSigset {
				t.Errorf("%s: argument %s has no text", d.Name, d.Args[i].Name)
			}
		}
	})
}
