package inject

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
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/remote"
	"culprit/internal/testkit/pythons"
)

// victim waits in the way its argument names, in its first thread and in
// another, while a third is busy, and tells how the waits ended.
const victim = `import sys, os, time, threading, socket, select
how = sys.argv[1]
class Mark: pass
seen = []
def wait(n):
    start = time.monotonic()
    if how == 'recv':
        r = pairs[n][1].recv(100)
    elif how == 'poll':
        p = select.poll(); p.register(pairs[n][1], select.POLLIN)
        r = len(p.poll(300))
    elif how == 'select':
        r = len(select.select([pairs[n][1]], [], [], 0.3)[0])
    elif how == 'epoll':
        e = select.epoll(); e.register(pairs[n][1], select.EPOLLIN)
        r = len(e.poll(0.3))
    elif how == 'sleep':
        r = time.sleep(0.3)
    elif how == 'lock':
        r = lock.acquire(timeout=0.3)
    elif how == 'child':
        r = os.waitpid(child, 0)[1]
    early = how not in ('recv', 'child') and time.monotonic() - start < 0.29
    print(n, r, 'early' if early else '', flush=True)
def spin():
    while not done: sum(range(20000)); time.sleep(0.001)
done = False
lock = threading.Lock(); lock.acquire()
pairs = [socket.socketpair() for n in range(2)]
child = os.spawnv(os.P_NOWAIT, '/bin/sleep', ['sleep', '0.3']) if how == 'child' else 0
busy = threading.Thread(target=spin); busy.start()
other = threading.Thread(target=wait, args=(1,), daemon=True)
if how != 'child': other.start()
print('ready', threading.get_native_id(), other.native_id, flush=True)
wait(0)
if how != 'child': other.join()
done = True; busy.join()
print(seen, sorted(k for k in vars(sys.modules['__main__']) if k.startswith('_culprit')), flush=True)
`

// body is what is run in it: it tells its thread, and leaves nothing behind.
const body = `exec(compile("import threading\n__import__('__main__').seen.append(threading.get_native_id())", '<x>', 'exec'), {})`

func ptrace(req uintptr, tid int, data uintptr) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, req, uintptr(tid), 0, data, 0, 0)
	return e
}

// run seizes the thread tid, runs the script in it, and detaches. It returns how
// long that took.
func run(t *testing.T, tid int, script func(*remote.Calls) error) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	const seize, interrupt, listen = 0x4206, 0x4207, 0x4208
	if e := ptrace(seize, tid, unix.PTRACE_O_TRACESYSGOOD); e != 0 {
		t.Fatal(e)
	}
	if e := ptrace(interrupt, tid, 0); e != 0 {
		t.Fatal(e)
	}
	next := func() (st unix.WaitStatus) {
		for range 100000 {
			if n, err := unix.Wait4(tid, &st, unix.WALL|unix.WNOHANG, nil); n == tid {
				return st
			} else if err != nil && err != unix.EINTR {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Microsecond)
		}
		t.Fatal("no stop comes")
		return 0
	}
	next()
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &r); err != nil {
		t.Fatal(err)
	}
	if !MayEnter(r.Orig_rax, false) {
		t.Fatalf("the thread stands in call %d", int64(r.Orig_rax))
	}
	if int64(r.Rax) == -int64(unix.EINTR) { // as the recorder's attach does with epoll_wait
		again := int64(-514)
		r.Rax = uint64(again)
		if err := unix.PtraceSetRegs(tid, &r); err != nil {
			t.Fatal(err)
		}
	}
	c, turn, err := remote.Start(tid, 0, script)
	if err != nil {
		t.Fatal(err)
	}
	for turn == remote.Busy || turn == remote.Yours {
		st := next()
		if turn = c.Stopped(st); turn == remote.Yours {
			_ = unix.PtraceCont(tid, int(st.StopSignal()))
		}
	}
	if err := c.Err(); err != nil || turn != remote.Done {
		t.Errorf("turn %d, %v", turn, err)
	}
	if e := ptrace(unix.PTRACE_DETACH, tid, 0); e != 0 {
		t.Error(e)
	}
	return time.Since(start)
}

func start(t *testing.T, argv ...string) (cmd *exec.Cmd, out *bufio.Reader) {
	t.Helper()
	cmd = exec.Command(argv[0], argv[1:]...)
	cmd.Stderr, cmd.Env = os.Stderr, pythons.Clean()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewReader(pipe)
}

// inCall waits until a thread waits in a system call that may be entered, other
// than for the GIL.
func inCall(t *testing.T, tid int, how string) {
	t.Helper()
	want := map[string][]int{"recv": {unix.SYS_RECVFROM}, "poll": {unix.SYS_POLL, unix.SYS_PPOLL}, "select": {unix.SYS_SELECT, unix.SYS_PSELECT6},
		"epoll": {unix.SYS_EPOLL_WAIT, unix.SYS_EPOLL_PWAIT}, "sleep": {unix.SYS_CLOCK_NANOSLEEP, unix.SYS_SELECT, unix.SYS_PSELECT6},
		"lock": {unix.SYS_FUTEX}, "child": {unix.SYS_WAIT4}}[how]
	if how == "lock" { // it would take its stack to tell it from the GIL's
		time.Sleep(50 * time.Millisecond)
	}
	for range 500 {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", tid))
		for _, nr := range want {
			if strings.HasPrefix(string(b), strconv.Itoa(nr)+" ") {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("thread %d does not come to its wait", tid)
}

// Code runs in a thread that waits, whatever for and in whichever thread, while
// another has the GIL most of the time, and the wait goes on as if nothing had been.
func TestRun(t *testing.T) {
	file := t.TempDir() + "/victim.py"
	if err := os.WriteFile(file, []byte(victim), 0o600); err != nil {
		t.Fatal(err)
	}
	pythons.Each(t, func(t *testing.T, python string) {
		hows := []string{"recv", "lock"}
		if name := filepath.Base(t.Name()); name == "3.8" || name == "system" || name == "3.13" {
			hows = append(hows, "poll", "select", "epoll", "sleep", "child")
		}
		for _, how := range hows {
			t.Run(how, func(t *testing.T) {
				t.Parallel()
				cmd, out := start(t, python, file, how)
				var tids [2]int
				if _, err := fmt.Fscanf(out, "ready %d %d\n", &tids[0], &tids[1]); err != nil && how != "child" {
					t.Fatal(err)
				}
				if how == "child" {
					_, _ = out.ReadString('\n')
				}
				in, err := Find(cmd.Process.Pid)
				if err != nil {
					t.Fatal(err)
				}
				script, err := in.Run(body)
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for _, tid := range tids {
					if tid == 0 || how == "child" && tid != tids[0] {
						continue
					}
					inCall(t, tid, how)
					took := run(t, tid, script)
					t.Logf("thread %d: %v", tid, took)
					want = append(want, strconv.Itoa(tid))
				}
				if how == "recv" {
					release, err := in.Run(`exec(compile("for p in __import__('__main__').pairs: p[0].send(b'ab')", '<x>', 'exec'), {})`)
					if err != nil {
						t.Fatal(err)
					}
					run(t, tids[0], release)
				}
				rest, err := io.ReadAll(out)
				if err != nil {
					t.Fatal(err)
				}
				result := map[string]string{"recv": "b'ab'", "sleep": "None", "lock": "False"}[how]
				if result == "" {
					result = "0"
				}
				for n := range want {
					if line := fmt.Sprintf("%d %s \n", n, result); !strings.Contains(string(rest), line) {
						t.Errorf("no line %q in %q", line, rest)
					}
				}
				if last := "[" + strings.Join(want, ", ") + "] []\n"; !strings.HasSuffix(string(rest), last) {
					t.Errorf("%q does not end in %q", rest, last)
				}
				if err := cmd.Wait(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func TestFindNothing(t *testing.T) {
	if _, err := Find(os.Getpid()); !errors.Is(err, ErrNotPython) {
		t.Errorf("in this process: %v", err)
	}
	if _, err := Find(1 << 30); err == nil {
		t.Error("a process that is not there was read")
	}
	const stopAll = unix.SYS_MUNMAP
	if MayEnter(stopAll, false) || !MayEnter(unix.SYS_FUTEX, false) || MayEnter(unix.SYS_FUTEX, true) || MayEnter(^uint64(0), false) {
		t.Error("wrong calls may be entered")
	}
}
