package record

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/testkit/pythons"
)

// holding waits in the way that its argument names, beside a thread that is busy
// where the argument says so, until something comes from standard input.
const holding = `import os, select, signal, socket, sys, threading, time
class Evil:
    def __repr__(self): os._exit(3)
    __str__ = __repr__
def waits(how, password, *rest, size=7):
    rows, evil = {'id': 5, 'api_key': 'sk-1'}, Evil()
    print('ready', flush=True)
    if how == 'recv': return pair[1].recv(10)
    if how == 'poll': p = select.poll(); p.register(pair[1], select.POLLIN); return len(p.poll())
    if how == 'lock': return lock.acquire()
    if how == 'calls':
        while not done: os.read(zero, 1)
    if how == 'alone':
        while not done: size += 1
    while not done: time.sleep(600 if how == 'sleep' else 0.01)
def busy():
    count = 0
    while not done: count += 1
def release():
    global done
    sys.stdin.read(1); done = True
    pair[0].send(b'x'); lock.release()
    if how == 'sleep': os.kill(os.getpid(), 10)
how = sys.argv[1]
done, pair, lock, zero = False, socket.socketpair(), threading.Lock(), os.open('/dev/zero', os.O_RDONLY)
lock.acquire()
if how == 'sleep':
    class Woken(Exception): pass
    def woken(*a): raise Woken
    signal.signal(10, woken)
before = set(sys.modules), set(globals()), sys.gettrace()
if how != 'alone': threading.Thread(target=release).start()
else:
    signal.signal(10, lambda *a: globals().update(done=True))
if how == 'busy': threading.Thread(target=busy).start()
start = time.monotonic()
try: result = waits(how, 'hunter2', 1, 2)
except Exception as e: result = type(e).__name__
print('over', result, sorted(set(sys.modules) - before[0]), sorted(set(globals()) - before[1] - {'before', 'start', 'result', 'e'}), sys.gettrace(), flush=True)
`

// The variables of a program that waits are read, whatever it waits for, and it
// goes on as if nothing had been.
func TestAttachValues(t *testing.T) {
	file := filepath.Join(t.TempDir(), "holding.py")
	if err := os.WriteFile(file, []byte(holding), 0o600); err != nil {
		t.Fatal(err)
	}
	over := map[string]string{"recv": "b'x'", "poll": "1", "lock": "True", "sleep": "Woken"}
	pythons.Each(t, func(t *testing.T, python string) {
		hows := []string{"recv", "lock", "busy"}
		if name := filepath.Base(t.Name()); name == "3.8" || name == "3.13" || name == "system" {
			hows = append(hows, "poll", "sleep", "calls", "alone")
		}
		for _, how := range hows {
			t.Run(how, func(t *testing.T) {
				cmd := exec.Command(python, file, how)
				cmd.Env, cmd.Stderr = pythons.Clean(), os.Stderr
				in, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				pipe, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
				out := bufio.NewReader(pipe)
				if _, err := out.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond) // into its wait

				stacks, notes := look(t, cmd.Process.Pid)
				main := values(stacks[int32(cmd.Process.Pid)], "waits")
				if how == "alone" {
					if !strings.Contains(notes, "values-unread: ") || main != nil {
						t.Errorf("of one that makes no call: %v, notes %s", main, notes)
					}
				} else {
					want := map[string]string{"how": "str '" + how + "'", "password": "str <masked>", "rest": "tuple (1, 2)", "size": "int 7",
						"rows": "dict {'id': 5, 'api_key': <masked>}", "evil": "__main__.Evil <__main__.Evil>"}
					delete(main, "p")
					if d := cmp.Diff(want, main); d != "" || !strings.Contains(notes, "values-read: ") {
						t.Errorf("variables (-want +got), notes %s:\n%s", notes, d)
					}
				}
				if how == "busy" {
					found := false
					for _, s := range stacks {
						found = found || strings.HasPrefix(values(s, "busy")["count"], "int ")
					}
					if !found {
						t.Errorf("the thread that runs has no variables: %v", stacks)
					}
				}

				if how == "alone" {
					err = cmd.Process.Signal(unix.SIGUSR1)
				} else {
					_, err = in.Write([]byte("x"))
				}
				if err != nil {
					t.Fatal(err)
				}
				last, _ := io.ReadAll(out)
				result := over[how]
				if result == "" {
					result = "None"
				}
				if want := "over " + result + " [] [] None\n"; string(last) != want {
					t.Errorf("its last words are %q, want %q", last, want)
				}
				if err := cmd.Wait(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// values are the variables of a function's frame as "TYPE TEXT", nil where there
// are none.
func values(s *event.Stack, function string) map[string]string {
	if s == nil {
		return nil
	}
	for _, f := range s.Frames {
		if f.Func == function && f.Values != nil {
			out := map[string]string{}
			for _, v := range f.Values {
				out[v.Name] = v.Type + " " + v.Text
			}
			return out
		}
	}
	return nil
}

// look attaches for one look, and returns the stacks of the threads and the notes.
func look(t *testing.T, pid int) (stacks map[int32]*event.Stack, notes string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "case.pcapng")
	if err := Attach(context.Background(), Attachment{PIDs: []int{pid}, Case: name, Snapshot: true}, Watcher{}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(name + "*")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	c, err := casefile.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	stacks = map[int32]*event.Stack{}
	for e, err := range c.Events() {
		if err != nil {
			t.Fatal(err)
		}
		switch b := e.Body.(type) {
		case *event.Stack:
			stacks[e.TID] = b
		case *event.Note:
			notes += fmt.Sprintf("%s: %s\n", b.Code, b.Text)
		}
	}
	return stacks, notes
}
