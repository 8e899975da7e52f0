package remote

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"culprit/internal/dynsym"
	"culprit/internal/testkit"
)

// guest is a program whose threads stand in all sorts of places, and whose
// functions the tests call. It checks itself that nothing changed meanwhile.
const guest = `#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

long sum(long a, long b, long c, long d, long e, long f) { return a + 10*b + 100*c + 1000*d + 10000*e + 100000*f; }
long length(const char *s) { return strlen(s); }
long aligned(void) { double v[64]; char s[64]; for (int i = 0; i < 64; i++) v[i] = sin(i); snprintf(s, sizeof s, "%.3f %.3f", v[1], v[2]); return strcmp(s, "0.841 0.909") == 0 && (long)__builtin_frame_address(0) % 16 == 0; }
long clobber(void) { long r; __asm__ volatile("pcmpeqd %%xmm0,%%xmm0; pcmpeqd %%xmm7,%%xmm7; pcmpeqd %%xmm15,%%xmm15; fninit; xor %%ebx,%%ebx; xor %%r12d,%%r12d; mov $1,%%eax" : "=a"(r) :: "rbx", "r12", "xmm0", "xmm7", "xmm15", "memory"); errno = 77; return r; }
long crash(void) { return *(volatile long *)8; }

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;
long asks(void) { pthread_mutex_lock(&mutex); turn = 1; pthread_cond_broadcast(&cond); while (turn != 2) pthread_cond_wait(&cond, &mutex); turn = 0; pthread_mutex_unlock(&mutex); return 5; }
static void *answers(void *x) { pthread_mutex_lock(&mutex); for (;;) { while (turn != 1) pthread_cond_wait(&cond, &mutex); turn = 2; pthread_cond_broadcast(&cond); } return x; }
long sleeps(void) { struct timespec t = {0, 200000000}; return nanosleep(&t, 0); }

static volatile int handled, code;
static void handler(int sig, siginfo_t *i, void *x) { handled = sig; code = i->si_code == SI_QUEUE ? i->si_value.sival_int : -1; }
long seen(void) { return handled; }

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static int pair[2];
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }

int main(int argc, char **argv) {
	const char *how = argv[1];
	struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGUSR1, &a, 0);
	pthread_t t;
	pthread_create(&t, 0, answers, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	puts("ready"); fflush(stdout);
	char b[100], in[8];
	struct pollfd p = {pair[0], POLLIN, 0};
	double start = now();
	long r = -1;
	if (!strcmp(how, "recv")) { r = recv(0, b, sizeof b, 0); r = r == 2 ? 0 : r; }
	else if (!strcmp(how, "poll")) r = poll(&p, 1, 400), r = r || now() - start < 0.4 || now() - start > 5;
	else if (!strcmp(how, "sleep")) { struct timespec s = {0, 400000000}; r = nanosleep(&s, 0); r = r || now() - start < 0.4 || now() - start > 5; }
	else if (!strcmp(how, "lock")) { pthread_mutex_lock(&held); alarm(0); struct timespec s; clock_gettime(CLOCK_REALTIME, &s); s.tv_nsec += 400000000; s.tv_sec += s.tv_nsec / 1000000000; s.tv_nsec %= 1000000000; r = pthread_mutex_timedlock(&held, &s) != ETIMEDOUT; }
	else if (!strcmp(how, "read")) { r = read(0, b, 2); r = r == 2 ? 0 : r; }
	else if (!strcmp(how, "spin")) {
		/* Registers, flags and the red zone must all survive. */
		long ok;
		__asm__ volatile(
			"movabs $0x1122334455667788,%%rax; movq %%rax,%%xmm0; movq %%rax,%%xmm7; movq %%rax,%%xmm15; mov %%rax,%%rbx; mov %%rax,%%r12; mov %%rax,-8(%%rsp); mov %%rax,-128(%%rsp);"
			"fld1; std; stc; 1: jnc 2f; mov handled(%%rip),%%ecx; test %%ecx,%%ecx; stc; jz 1b; cld;"
			"xor %%edx,%%edx; cmp %%rax,%%rbx; jne 2f; cmp %%rax,%%r12; jne 2f; cmp %%rax,-8(%%rsp); jne 2f; cmp %%rax,-128(%%rsp); jne 2f;"
			"movq %%xmm0,%%rcx; cmp %%rax,%%rcx; jne 2f; movq %%xmm7,%%rcx; cmp %%rax,%%rcx; jne 2f; movq %%xmm15,%%rcx; cmp %%rax,%%rcx; jne 2f;"
			"fld1; fucomip %%st(1),%%st; jne 2f; mov $1,%%edx; 2: cld; fstp %%st(0)"
			: "=d"(ok) :: "rax", "rbx", "rcx", "r12", "xmm0", "xmm7", "xmm15", "memory", "cc");
		r = !ok;
	}
	printf("%ld %s handled %d %d\n", r, r < 0 ? strerror(errno) : "", handled, code);
	return r != 0;
}
`

// hosted is a guest that runs, with its symbols.
type hosted struct {
	*testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	pid   int
	stops []unix.WaitStatus // that were not about the calls
	each  func()            // done at every look, while calls run
}

var build sync.Once

func program() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("culprit-guest-%d", os.Getpid()))
}

func host(t *testing.T, how string) *hosted {
	t.Helper()
	gcc := testkit.Program(t, "gcc")
	if runtime.GOARCH != "amd64" {
		testkit.Lack(t, "x86-64")
	}
	build.Do(func() {
		cmd := exec.Command(gcc, "-O1", "-pthread", "-rdynamic", "-x", "c", "-o", program(), "-", "-lm")
		cmd.Stdin = strings.NewReader(guest)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	h := &hosted{T: t, cmd: exec.Command(program(), how)}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	h.in, h.cmd.Stdin = os.NewFile(uintptr(pair[0]), "ours"), theirs
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() { _ = h.cmd.Process.Kill(); _ = h.cmd.Wait() })
	h.out, h.pid = bufio.NewReader(out), h.cmd.Process.Pid
	h.line("ready")
	return h
}

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.Remove(program())
	os.Exit(code)
}

func (h *hosted) line(want string) {
	h.Helper()
	got, err := h.out.ReadString('\n')
	if strings.TrimSpace(got) != want {
		h.Fatalf("the program said %q, want %q (%v)", got, want, err)
	}
}

func (h *hosted) symbol(name string) uint64 {
	h.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", h.pid))
	if err != nil {
		h.Fatal(err)
	}
	base, _ := strconv.ParseUint(string(b[:strings.IndexByte(string(b), '-')]), 16, 64)
	o, err := dynsym.Open(func(addr uint64, p []byte) bool { return Read(h.pid, addr, p) == len(p) }, base)
	if err != nil {
		h.Fatal(err)
	}
	addr, ok := o.Lookup(name)
	if !ok {
		h.Fatalf("no symbol %s", name)
	}
	return addr
}

// asleep waits until the program's first thread waits in a call, or with -1 runs.
func (h *hosted) asleep(call int) {
	if call < 0 {
		time.Sleep(20 * time.Millisecond) // it has more to do before
	}
	for range 500 {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", h.pid))
		if call < 0 && strings.HasPrefix(string(b), "running") || strings.HasPrefix(string(b), strconv.Itoa(call)+" ") {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	h.Fatalf("the program does not come to call %d", call)
}

func wait(t *testing.T, pid int) unix.WaitStatus {
	t.Helper()
	var st unix.WaitStatus
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		if n, err := unix.Wait4(pid, &st, unix.WALL|unix.WNOHANG, nil); n == pid {
			return st
		} else if err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
	}
	t.Fatal("no stop comes")
	return 0
}

// seize attaches to the program's first thread and interrupts it.
func (h *hosted) seize() {
	h.Helper()
	runtime.LockOSThread()
	options := uintptr(unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_TRACEEXEC)
	if _, _, e := unix.RawSyscall6(unix.SYS_PTRACE, 0x4206, uintptr(h.pid), 0, options, 0, 0); e != 0 {
		h.Fatal(e)
	}
	if _, _, e := unix.RawSyscall6(unix.SYS_PTRACE, 0x4207, uintptr(h.pid), 0, 0, 0, 0); e != 0 {
		h.Fatal(e)
	}
	if st := wait(h.T, h.pid); uint32(st)>>16 != eventStop {
		h.Fatalf("wait status %#x", uint32(st))
	}
}

// run does the calls of a script in the stopped thread.
func (h *hosted) run(sig unix.Signal, script func(*Calls) error) (*Calls, Turn) {
	h.Helper()
	c, turn, err := Start(h.pid, sig, script)
	if err != nil {
		h.Fatal(err)
	}
	for turn == Busy || turn == Yours {
		if h.each != nil {
			h.each()
		}
		st := wait(h.T, h.pid)
		if turn = c.Stopped(st); turn == Yours {
			h.stops = append(h.stops, st)
			switch ev := uint32(st) >> 16; {
			case ev == eventStop && st.StopSignal() == unix.SIGSTOP:
				if _, _, e := unix.RawSyscall6(unix.SYS_PTRACE, 0x4208, uintptr(h.pid), 0, 0, 0, 0); e != 0 {
					h.Fatal(e)
				}
				go func() { _ = unix.Kill(h.pid, unix.SIGCONT) }()
			case ev == 0:
				_ = unix.PtraceCont(h.pid, int(st.StopSignal()))
			default:
				_ = unix.PtraceCont(h.pid, 0)
			}
		}
	}
	return c, turn
}

func (h *hosted) detach(sig unix.Signal) {
	if _, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(h.pid), 0, uintptr(sig), 0, 0); e != 0 {
		h.Error(e)
	}
	runtime.UnlockOSThread()
}

// Wherever a thread stands, calls made in it leave it as it was.
func TestCalls(t *testing.T) {
	for _, c := range []struct {
		how  string
		call int // that it stands in, -1 for none
		want string
		end  func(h *hosted)
	}{
		{"recv", unix.SYS_RECVFROM, "0  handled 0 0", func(h *hosted) { _, _ = h.in.Write([]byte("ab")) }},
		{"read", unix.SYS_READ, "0  handled 0 0", func(h *hosted) { _, _ = h.in.Write([]byte("ab")) }},
		{"poll", unix.SYS_POLL, "0  handled 0 0", nil},
		{"sleep", unix.SYS_CLOCK_NANOSLEEP, "0  handled 0 0", nil},
		{"lock", unix.SYS_FUTEX, "0  handled 0 0", nil},
		{"spin", -1, "0  handled 10 7", func(h *hosted) { sigqueue(h.T, h.pid, unix.SIGUSR1, 7) }},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			h := host(t, c.how)
			h.asleep(c.call)
			h.seize()
			var sum, length, aligned, clobbered, asked uint64
			calls, turn := h.run(0, func(c *Calls) error {
				var errs [6]error
				sum, errs[0] = c.Call(h.symbol("sum"), 1, 2, 3, 4, 5, 6)
				text, err := c.Map([]byte("hello, world\x00"))
				errs[1] = err
				length, errs[2] = c.Call(h.symbol("length"), text)
				errs[3] = c.Unmap(text, 13)
				aligned, _ = c.Call(h.symbol("aligned"))
				clobbered, errs[4] = c.Call(h.symbol("clobber"))
				asked, errs[5] = c.Call(h.symbol("asks"))
				return errors.Join(errs[:]...)
			})
			if turn != Done || calls.Err() != nil {
				t.Errorf("turn %d, %v", turn, calls.Err())
			}
			if sum != 654321 || length != 12 || aligned != 1 || clobbered != 1 || asked != 5 {
				t.Error(sum, length, aligned, clobbered, asked)
			}
			h.detach(calls.Signal())
			if c.end != nil {
				c.end(h)
			}
			h.line(c.want)
		})
	}
}

// sigqueue sends a signal to the first thread.
func sigqueue(t *testing.T, pid int, sig unix.Signal, value int32) {
	t.Helper()
	var info [siginfoSize]byte // siginfo_t: signo, errno, code SI_QUEUE, pad, pid, uid, value
	info[0], info[8], info[9], info[10], info[11] = byte(sig), 0xff, 0xff, 0xff, 0xff
	info[24] = byte(value)
	if _, _, e := unix.RawSyscall6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(pid), uintptr(pid), uintptr(sig), uintptr(unsafe.Pointer(&info)), 0, 0); e != 0 {
		t.Fatal(e)
	}
}

// What arrives while a call runs is delivered afterwards, as it was sent.
func TestCallsSignals(t *testing.T) {
	h := host(t, "recv")
	h.asleep(unix.SYS_RECVFROM)
	h.seize()
	sent, seen := false, uint64(99)
	h.each = func() {
		if !sent {
			sent = true
			sigqueue(t, h.pid, unix.SIGUSR1, 3)
			_ = unix.Kill(h.pid, unix.SIGSTOP)
		}
	}
	calls, turn := h.run(0, func(c *Calls) error {
		if _, err := c.Call(h.symbol("sleeps")); err != nil {
			return err
		}
		var err error
		seen, err = c.Call(h.symbol("seen"))
		return err
	})
	if turn != Done || calls.Err() != nil || seen != 0 || len(h.stops) < 2 {
		t.Errorf("turn %d, %v, signal %d seen, stops %x", turn, calls.Err(), seen, h.stops)
	}
	h.detach(calls.Signal())
	_, _ = h.in.Write([]byte("ab"))
	h.line("0  handled 10 3")
}

// A call may begin where a signal is about to be delivered: that comes afterwards.
func TestCallsInSignalStop(t *testing.T) {
	h := host(t, "recv")
	h.asleep(unix.SYS_RECVFROM)
	h.seize()
	_ = unix.PtraceCont(h.pid, 0)
	sigqueue(t, h.pid, unix.SIGUSR1, 5)
	if st := wait(t, h.pid); st.StopSignal() != unix.SIGUSR1 {
		t.Fatalf("status %#x", uint32(st))
	}
	var seen uint64
	calls, turn := h.run(unix.SIGUSR1, func(c *Calls) (err error) {
		seen, err = c.Call(h.symbol("seen"))
		return err
	})
	if turn != Done || calls.Err() != nil || seen != 0 {
		t.Errorf("turn %d, %v, signal %d seen", turn, calls.Err(), seen)
	}
	h.detach(calls.Signal())
	time.Sleep(20 * time.Millisecond)
	_, _ = h.in.Write([]byte("ab"))
	h.line("0  handled 10 5")
}

// At the stop before a system call: it is made afterwards, once.
func TestCallsBeforeSystemCall(t *testing.T) {
	h := host(t, "recv")
	h.asleep(unix.SYS_RECVFROM)
	h.seize()
	// The interrupted call is made again: its entry.
	_ = unix.PtraceSyscall(h.pid, 0)
	if st := wait(t, h.pid); st.StopSignal() != unix.SIGTRAP|0x80 {
		t.Fatalf("status %#x", uint32(st))
	}
	var got uint64
	calls, turn := h.run(0, func(c *Calls) (err error) {
		got, err = c.Call(h.symbol("asks"))
		return err
	})
	if turn != Done || calls.Err() != nil || got != 5 {
		t.Errorf("turn %d, %v, result %d", turn, calls.Err(), got)
	}
	h.detach(0)
	h.asleep(unix.SYS_RECVFROM)
	_, _ = h.in.Write([]byte("ab"))
	h.line("0  handled 0 0")
}

// A function that crashes is left, and the thread goes on.
func TestCallsCrash(t *testing.T) {
	h := host(t, "recv")
	h.asleep(unix.SYS_RECVFROM)
	h.seize()
	calls, turn := h.run(0, func(c *Calls) error {
		_, err := c.Call(h.symbol("crash"))
		if _, again := c.Call(h.symbol("seen")); !errors.Is(again, err) {
			t.Errorf("a call after the crash: %v", again)
		}
		return err
	})
	var crash *CrashError
	if turn != Done || !errors.As(calls.Err(), &crash) || crash.Signal != unix.SIGSEGV {
		t.Errorf("turn %d, %v", turn, calls.Err())
	}
	h.detach(calls.Signal())
	_, _ = h.in.Write([]byte("ab"))
	h.line("0  handled 0 0")
}

// The script hears of the end of its thread.
func TestCallsGone(t *testing.T) {
	h := host(t, "recv")
	h.asleep(unix.SYS_RECVFROM)
	h.seize()
	h.each = func() { _ = h.cmd.Process.Kill() }
	var heard error
	calls, turn := h.run(0, func(c *Calls) error {
		_, heard = c.Call(h.symbol("sleeps"))
		return heard
	})
	if turn != Gone || !errors.Is(calls.Err(), ErrGone) || !errors.Is(heard, ErrGone) {
		t.Errorf("turn %d, %v, the script heard %v", turn, calls.Err(), heard)
	}
	_ = unix.PtraceCont(h.pid, 0) // from PTRACE_EVENT_EXIT
	runtime.UnlockOSThread()
}
