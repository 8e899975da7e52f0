package record

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/lens/python/stream"
	"culprit/internal/sysabi"
	"culprit/internal/testkit/pythons"
)

const marks = `import sys
def mark(text):
    try: raise LookupError('mark ' + text)
    except LookupError: pass
if __name__ == '__main__': mark(sys.argv[1])
`

// family makes children of all kinds.
const family = `import multiprocessing, os, subprocess, sys
from marks import mark
def child(name): mark(name)
if __name__ == '__main__':
    subprocess.run([sys.executable, 'marks.py', 'subprocess'], env={})
    os.waitpid(os.posix_spawn(sys.executable, [sys.executable, '-I', 'marks.py', 'posix_spawn'], {}), 0)
    if os.fork() == 0:
        mark('fork')
        sys.exit()
    os.wait()
    for way in ('fork', 'spawn', 'forkserver'):
        p = multiprocessing.get_context(way).Process(target=child, args=('mp ' + way,))
        p.start(); p.join()
    os.execve(sys.executable, [sys.executable, '-S', 'marks.py', 'execve'], {})
`

// starts runs Python in every way that there is.
const starts = `PY=$1
$PY marks.py plain
$PY -m marks module
for o in -E -I -S; do $PY $o marks.py $o; done
$PY -I -S -E marks.py "all three"
env -i $PY marks.py cleaned
mkdir -p venv/bin; ln -sf $PY venv/bin/python; echo "home = ${PY%/*}" >venv/pyvenv.cfg
venv/bin/python marks.py venv
(echo "#!$PY -I"; cat marks.py) >script; chmod +x script; ./script script
if [ $(id -u) = 0 ]; then unshare -m sh -c "mount -t tmpfs none /tmp && exec $PY -c 'def f(): raise LookupError(\"mark hidden\")
try: f()
except LookupError: import os, time; os.fork() or os.execl(\"/bin/true\", \"true\"); time.sleep(.1)'"; fi
$PY family.py
`

// The agent comes into every Python, however it is started, and leaves the
// environment alone.
func TestPythonStarts(t *testing.T) {
	want := []string{"-E", "-I", "-S", "all three", "cleaned", "execve", "fork", "module", "mp fork", "mp forkserver", "mp spawn", "plain", "posix_spawn", "script", "subprocess", "venv"}
	if os.Geteuid() == 0 {
		want = append(want, "hidden")
		slices.Sort(want)
	}
	// The default directory for temporary files may be hidden in one of them.
	work, err := os.MkdirTemp("/var/tmp", "culprit-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	for name, text := range map[string]string{"marks.py": marks, "family.py": family, "starts": starts} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(work)
	cache := t.TempDir()
	for name, python := range pythons.All(t) {
		for _, backend := range []string{"ptrace", "ebpf"} {
			if backend == "ebpf" && (os.Geteuid() != 0 || name != "3.13") {
				continue
			}
			t.Run(name+" "+backend, func(t *testing.T) {
				events := recordAll(t, Config{Command: []string{"/bin/sh", "starts", python}, Env: pythons.Clean(), Cache: cache, Backend: backend})
				states := map[int32]*stream.State{}
				got := map[string]bool{}
				for _, e := range events {
					switch b := e.Body.(type) {
					case *event.Agent:
						if states[e.PID] == nil {
							states[e.PID] = &stream.State{}
						}
						for rec := range states[e.PID].Records(b.Data) {
							switch m := rec.Body.(type) {
							case *stream.Raised:
								if mark, ok := strings.CutPrefix(m.Text, "mark "); ok {
									got[mark] = true
								}
							case *stream.Hello:
								if m.Way != "Py_RunMain" && m.Way != "fork" {
									t.Errorf("process %d: by %q", e.PID, m.Way)
								}
							case *stream.AgentError:
								t.Errorf("process %d: %+v", e.PID, m)
							}
						}
					case *event.Note:
						if strings.HasPrefix(b.Code, "python-ref") || b.Code == "no-agent" {
							t.Errorf("process %d: %s: %s", e.PID, b.Code, b.Text)
						}
					case *event.Header:
						for _, a := range b.Added {
							if !strings.HasPrefix(a, "SSLKEYLOGFILE=") && !strings.HasPrefix(a, "NODE_OPTIONS=") {
								t.Errorf("added to the environment: %s", a)
							}
						}
					case *event.End:
						if b.Status != 0 {
							t.Errorf("wait status %#x", b.Status)
						}
					}
				}
				var all []string
				for m := range got {
					all = append(all, m)
				}
				slices.Sort(all)
				if d := cmp.Diff(want, all); d != "" {
					t.Errorf("marks (-want +got):\n%s", d)
				}
			})
		}
	}
}

const lines = `import os, socket, threading
def connects():
    s = socket.socket()
    try:
        s.connect(('127.0.0.1', 1))  # line 5
    except OSError: pass
def opens(name):
    try: open(name)  # line 8
    except OSError: pass
t = threading.Thread(target=connects); t.start(); t.join()
opens('/no/such/file')
if os.fork() == 0:
    opens('/no/such/child')
    os._exit(0)
os.wait()
`

// Every call knows the line of Python that made it, in threads and in children.
func TestPythonLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lines.py")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	pythons.Each(t, func(t *testing.T, python string) {
		stacks := map[uint32]*event.Stack{}
		got := map[string]string{}
		for _, e := range recordAll(t, Config{Command: []string{python, file}, Env: pythons.Clean(), Cache: cache}) {
			switch b := e.Body.(type) {
			case *event.Stack:
				stacks[b.ID] = b
			case *event.Syscall:
				s := stacks[b.Stack]
				if s == nil {
					continue
				}
				var own []string
				for _, f := range s.Frames {
					if f.File == file {
						own = append(own, fmt.Sprintf("%s:%d", f.Func, f.Line))
					} else if f.File == "<culprit>" && b.Flags&event.Injected == 0 && !strings.HasSuffix(f.Func, "exec_module") && !strings.HasSuffix(f.Func, "find_spec") {
						t.Errorf("a call of the agent: %+v by %+v", b, s.Frames)
					}
				}
				d := sysabi.Decode(b)
				if text := string(d.Append(nil, sysabi.Options{})); d.Name == "connect" || strings.Contains(text, "/no/such/") {
					got[fmt.Sprintf("%s %v", d.Name, strings.Contains(text, "child"))] = strings.Join(own, " ")
				}
			}
		}
		want := map[string]string{"connect false": "connects:5", "openat false": "opens:8 <module>:11", "openat true": "opens:8 <module>:13"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("lines (-want +got):\n%s", d)
		}
	})
}

// recordAll makes a recording and returns its events.
func recordAll(t *testing.T, cfg Config) []event.Event {
	t.Helper()
	cfg.Case = filepath.Join(t.TempDir(), "case.pcapng")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := Run(ctx, cfg, Watcher{}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(cfg.Case + "*")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	c, err := casefile.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	for e, err := range c.Events() {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}
