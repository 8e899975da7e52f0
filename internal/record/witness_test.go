package record

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

type collect []event.Event

func (c *collect) Put(e event.Event) { *c = append(*c, e) }

func (c collect) holders() (out []*event.Holder) {
	for _, e := range c {
		if h, ok := e.Body.(*event.Holder); ok {
			out = append(out, h)
		}
	}
	return out
}

// call makes a failed call of this machine's architecture.
func call(t *testing.T, name string, errno unix.Errno, args ...uint64) *event.Syscall {
	nr, ok := sysabi.Number(archNative(), name)
	if !ok {
		t.Fatalf("no call %s", name)
	}
	s := &event.Syscall{Arch: archNative(), NR: nr, Ret: -int64(errno)}
	copy(s.Args[:], args)
	return s
}

func TestAddressHolder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	var seen collect
	w := newWitness(&seen, nil)
	raw := make([]byte, 16)
	raw[0], raw[2], raw[3] = unix.AF_INET, byte(addr.Port()>>8), byte(addr.Port())
	copy(raw[4:], addr.Addr().AsSlice())
	s := call(t, "bind", unix.EADDRINUSE, 3, 0x1000, 16)
	s.Mem = []event.Mem{{Addr: 0x1000, Data: raw}}
	pid := int32(os.Getpid())
	for range 3 { // a retry is not looked up again
		w.Put(event.Event{PID: pid, TID: pid, Body: s})
	}
	hs := seen.holders()
	if len(hs) != 1 || hs[0].Name != addr.String() || hs[0].UID != uint32(os.Getuid()) {
		t.Fatalf("holders %+v", hs)
	}
	// The recorder passes over its own descriptors: the socket is known, its process is not.
	if hs[0].Process != 0 || !strings.Contains(hs[0].Detail, addr.String()) {
		t.Errorf("holder %+v", hs[0])
	}
}

// What a healthy program does costs no look at /proc and leaves no fact.
func TestQuietCalls(t *testing.T) {
	var seen collect
	w := newWitness(&seen, nil)
	pid := int32(os.Getpid())
	for _, s := range []*event.Syscall{
		call(t, "openat", unix.ENOENT), call(t, "read", unix.EAGAIN), call(t, "access", unix.EACCES),
		call(t, "mkdir", unix.EEXIST), call(t, "fcntl", unix.EAGAIN, 3, unix.F_GETFL),
	} {
		w.Put(event.Event{PID: pid, TID: pid, Body: s})
	}
	if len(seen) != 5 {
		t.Errorf("%d events, want the 5 calls only", len(seen))
	}
}

func TestLockHolder(t *testing.T) {
	name := filepath.Join(t.TempDir(), "job.lock")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	g, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(g.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	got := locksOn(readProc("/proc/locks"), st.Dev, st.Ino)
	if len(got) != 1 || got[0].pid != int32(os.Getpid()) || !strings.HasPrefix(got[0].line, "FLOCK ADVISORY WRITE") {
		t.Errorf("locks %+v", got)
	}
}

func TestLocksOn(t *testing.T) {
	const text = `1: POSIX  ADVISORY  WRITE 10 08:01:77 0 EOF
2: FLOCK  ADVISORY  WRITE 11 08:01:78 0 EOF
2: -> FLOCK  ADVISORY  WRITE 12 08:01:78 0 EOF
3: OFDLCK ADVISORY  READ -1 08:01:78 0 EOF
4: LEASE  ACTIVE    READ 13 08:01:78 0 EOF
5: FLOCK  ADVISORY  WRITE 14 00:2a:79 0 EOF
6: FLOCK  ADVISORY  WRITE x 08:01:78 0 EOF
`
	for _, c := range []struct {
		ino  uint64
		want []int32
	}{{77, []int32{10}}, {78, []int32{11, -1}}, {79, []int32{14}}, {7, nil}, {80, nil}} {
		var got []int32
		for _, l := range locksOn(text, unix.Mkdev(8, 1), c.ino) {
			got = append(got, l.pid)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("inode %d: %s", c.ino, d)
		}
	}
}

func TestLockFile(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, content, want string }{
		{"index.lock", "", "no process"},
		{"job.pid", "4194303\n", "names process 4194303, which is gone"},
	} {
		name := filepath.Join(dir, c.name)
		if err := os.WriteFile(name, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		var seen collect
		w := newWitness(&seen, nil)
		s := call(t, "openat", unix.EEXIST, uint64(1<<64-100), 0x1000, unix.O_CREAT|unix.O_EXCL)
		s.Mem = []event.Mem{{Addr: 0x1000, Data: append([]byte(name), 0)}}
		pid := int32(os.Getpid())
		w.Put(event.Event{PID: pid, TID: pid, Body: s})
		hs := seen.holders()
		if len(hs) != 1 || !strings.Contains(hs[0].Detail, c.want) || hs[0].Name != name {
			t.Errorf("%s: %+v", c.name, hs)
		}
	}
}

func TestConflicts(t *testing.T) {
	for _, c := range []struct {
		want, has string
		yes       bool
	}{
		{"127.0.0.1:80", "0.0.0.0:80", true}, {"0.0.0.0:80", "127.0.0.1:80", true}, {"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.2:80", false}, {"127.0.0.1:80", "127.0.0.1:81", false}, {"[::1]:80", "[::]:80", true},
		{"127.0.0.1:80", "[::ffff:127.0.0.1]:80", true},
	} {
		if got := conflicts(netip.MustParseAddrPort(c.want), netip.MustParseAddrPort(c.has)); got != c.yes {
			t.Errorf("%s and %s: %v", c.want, c.has, got)
		}
	}
}

func TestMountOf(t *testing.T) {
	const text = `21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /tmp rw,nosuid,noexec - tmpfs tmpfs rw,size=512k
23 21 0:6 / /tmp/a\040b ro master:2 - ext4 /dev/sdb rw
24 21 0:7 / /tmpfs rw - xfs /dev/sdc rw
bad line
`
	for name, want := range map[string]string{
		"/etc/passwd": "/ ext4 rw,relatime,rw", "/tmp/x": "/tmp tmpfs rw,nosuid,noexec,rw,size=512k",
		"/tmp/a b/c": "/tmp/a b ext4 ro,rw", "/tmpfs/x": "/tmpfs xfs rw,rw", "/tmpx": "/ ext4 rw,relatime,rw",
	} {
		if got := mountOf(text, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestInCall(t *testing.T) {
	for line, ok := range map[string]bool{
		"73 0x3 0x2 0x0 0x1b6 0x7ffd92578010 0x0 0x7ffd92577fd8 0x7fc429f23897": true,
		"73 0x3 0x2 0x0 0x1b6 0x0 0x0 0xffd92578 0xf7fc4298":                    false, // 32 bit
		"running": false, "-1 0x7ffd92577fd8 0x7fc429f23897": false, "": false,
	} {
		if _, _, got := inCall(line); got != ok {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func FuzzProcText(f *testing.F) {
	f.Add("1: FLOCK  ADVISORY  WRITE 11 08:01:78 0 EOF\n")
	f.Add("  sl  local_address\n   0: 0100007F:53A7 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 580345 1\n")
	f.Add("22 21 0:5 / /tmp\\040 rw,nosuid,noexec - tmpfs tmpfs rw,size=512k\n")
	f.Add("Max open files            1024                 4096                 files\n")
	f.Fuzz(func(t *testing.T, text string) {
		locksOn(text, 1, 78)
		inetSockets(text)
		mountOf(text, "/tmp/x")
		limitRow(text, "Max open files")
		inCall(text)
	})
}

func BenchmarkPut(b *testing.B) {
	w := newWitness(discard{}, nil)
	nr, _ := sysabi.Number(archNative(), "openat")
	ok := event.Event{PID: 1, TID: 1, Body: &event.Syscall{Arch: archNative(), NR: nr, Ret: 3}}
	bad := event.Event{PID: 1, TID: 1, Body: &event.Syscall{Arch: archNative(), NR: nr, Ret: -2}}
	b.ReportAllocs()
	for b.Loop() {
		w.Put(ok)
		w.Put(bad)
	}
}

type discard struct{}

func (discard) Put(event.Event) {}

// A call that was interrupted goes on under another number.
func TestRestarted(t *testing.T) {
	const address = 0x7f0000001000
	for _, c := range []struct {
		a    [6]uint64
		w    event.Wait
		want string
	}{
		{[6]uint64{address, 128}, event.Wait{Wchan: "futex_wait_queue"}, "futex"},
		{[6]uint64{address, 2}, event.Wait{Wchan: "0", Stack: []byte("[<0>] do_sys_poll+0x1/0x2\n[<0>] do_restart_poll+0x1/0x2\n")}, "poll"},
		{[6]uint64{address, address}, event.Wait{Wchan: "hrtimer_nanosleep"}, "nanosleep"},
		{[6]uint64{1, 0, address, 0}, event.Wait{Wchan: "do_syscall_64"}, "clock_nanosleep"},
	} {
		if got := sysabi.Lookup(archNative(), restarted(0, c.a, &c.w)); got == nil || got.Name != c.want {
			t.Errorf("%+v: %v, want %s", c.w, got, c.want)
		}
	}
}
