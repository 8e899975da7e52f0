package ebpf

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/sysabi"
	"culprit/internal/testkit"
)

// family is a program with a thread, a child, and children of that child that
// come and go. It ends with status 7 when its file is gone.
const family = `
import os, sys, threading, time
def loop(name):
    while os.path.exists(sys.argv[1]):
        try: os.stat("/culprit-" + name)
        except OSError: pass
        time.sleep(.002)
if os.fork() == 0:
    while os.path.exists(sys.argv[1]):
        pid = os.fork()
        if pid == 0:
            try: os.stat("/culprit-grandchild")
            except OSError: pass
            os._exit(0)
        os.waitpid(pid, 0)
        time.sleep(.002)
    os._exit(0)
threading.Thread(target=loop, args=("thread",)).start()
r, w = os.pipe()
threading.Thread(target=lambda: os.read(r, 9), daemon=True).start()
loop("main")
os.waitpid(-1, 0)
os._exit(7)
`

// running starts the family and returns when it is complete.
func running(t *testing.T) (cmd *exec.Cmd, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "alive")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command("python3", "-S", "-c", family, file)
	if err := cmd.Start(); err != nil {
		testkit.Lack(t, err)
	}
	t.Cleanup(func() {
		_ = os.Remove(file)
		_ = cmd.Process.Kill()
	})
	for range 500 {
		list, _ := os.ReadDir("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/task")
		if len(list) == 3 {
			return cmd, file
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the program did not start its threads")
	return nil, ""
}

// ends lets the family end, and checks that nothing has happened to it.
func ends(t *testing.T, cmd *exec.Cmd, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("the program ended with %v, want status 7", cmd.ProcessState)
	}
}

func TestRunning(t *testing.T) {
	need(t)
	cmd, file := running(t)
	root := int32(cmd.Process.Pid)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var c collector
	go func() {
		c.await(500)
		cancel()
	}()
	r := New(Options{})
	if err := r.Record(ctx, lens.Target{PID: int(root), Running: true}, &c); err != nil {
		t.Fatal(err)
	}
	who := map[string]map[int32]bool{} // threads that asked for a path
	opens := map[string]bool{}
	execs := map[int32]bool{}
	reading := false
	for _, e := range c.list {
		switch b := e.Body.(type) {
		case *event.Syscall:
			d := sysabi.Decode(b)
			if p, ok := d.Path(); ok && strings.HasPrefix(p, "/culprit-") {
				if who[p] == nil {
					who[p] = map[int32]bool{}
				}
				who[p][e.TID] = true
			}
			if d.Name == "read" && b.Flags&event.Unfinished != 0 && b.Args[2] == 9 {
				reading = true
			}
		case *event.FD:
			if e.PID == root && strings.HasPrefix(b.Link, "pipe:") {
				opens[b.Link] = true
			}
		case *event.Exec:
			execs[e.PID] = true
		}
	}
	if !who["/culprit-main"][root] || len(who["/culprit-thread"]) != 1 || len(who["/culprit-grandchild"]) < 2 {
		t.Errorf("calls of %v, want the main thread, another and children of the child", who)
	}
	if len(opens) == 0 || len(execs) < 2 {
		t.Errorf("pipes %v, programs %v: want a pipe and two processes", opens, execs)
	}
	if !reading {
		t.Error("the call that a thread was in all the time is missing")
	}
	ends(t, cmd, file)
}

// The record of its end tells the status of a program that is not our child.
func TestRunningUntilItsEnd(t *testing.T) {
	need(t)
	cmd, file := running(t)
	var c collector
	go func() {
		c.await(100)
		_ = os.Remove(file)
		_ = cmd.Wait() // its parent
	}()
	r := New(Options{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Record(ctx, lens.Target{PID: cmd.Process.Pid, Running: true}, &c); err != nil {
		t.Fatal(err)
	}
	if st, ok := r.Status(); !ok || st.ExitStatus() != 7 || ctx.Err() != nil {
		t.Errorf("status %v %v", st, ok)
	}
}

// A recorder that is killed takes nothing along.
func TestRunningKilled(t *testing.T) {
	const target = "CULPRIT_TEST_TARGET"
	if pid, err := strconv.Atoi(os.Getenv(target)); err == nil {
		s := &counter{}
		go func() {
			for s.calls == 0 {
				time.Sleep(time.Millisecond)
			}
			os.Stdout.WriteString("recording\n")
		}()
		_ = New(Options{}).Record(context.Background(), lens.Target{PID: pid, Running: true}, s)
		return
	}
	need(t)
	cmd, file := running(t)
	self := exec.Command("/proc/self/exe", "-test.run=^TestRunningKilled$")
	self.Env = append(os.Environ(), target+"="+strconv.Itoa(cmd.Process.Pid))
	out, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := out.Read(make([]byte, 1)); n != 1 {
		t.Fatalf("it does not record: %v", err)
	}
	_ = self.Process.Signal(unix.SIGKILL)
	_ = self.Wait()
	ends(t, cmd, file)
}
