package remote

import (
	"bufio"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"culprit/internal/testkit"
)

const program = `import threading
first = threading.Lock()
second = threading.Lock()

def transfer(ready):
    with first:
        ready.set()
        other.wait()
        with second:   # line 9
            pass

def prüfe(ready):
    with second:
        ready.set()
        one.wait()
        with first:    # line 16
            pass

one = threading.Event()
other = threading.Event()
threads = [threading.Thread(target=transfer, args=(one,)), threading.Thread(target=prüfe, args=(other,))]
for t in threads:
    t.start()
one.wait(); other.wait()
print("ready", flush=True)
threads[0].join()      # line 26
`

// interpreters lists the CPythons of this machine that Stacks should read.
func interpreters(t *testing.T) []string {
	var out []string
	seen := map[string]bool{}
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		for _, pattern := range []string{"python3", "python3.[0-9]", "python3.1[0-9]", "../versions/3.*/bin/python3"} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern))
			for _, f := range found {
				real, err := filepath.EvalSymlinks(f)
				if err != nil || seen[real] || pythonFile.FindString(filepath.Base(real)) == "" {
					continue
				}
				seen[real] = true
				if e, err := elf.Open(real); err != nil { // a version manager's script
					continue
				} else {
					e.Close()
				}
				if m := pythonFile.FindStringSubmatch(filepath.Base(real)); m[1] != "6" && m[1] != "7" && m[2] == "" {
					out = append(out, real)
				}
			}
		}
	}
	if len(out) == 0 {
		testkit.Lack(t, "a python3")
	}
	return out
}

func TestStacks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bänk.py")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, python := range interpreters(t) {
		t.Run(filepath.Base(python), func(t *testing.T) {
			cmd := exec.Command(python, file)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
				t.Fatalf("the program said %q, %v", line, err)
			}
			want := []Frame{{file, "transfer", 9}, {file, "prüfe", 16}, {file, "<module>", 26}}
			var own []Frame
			for range 200 { // until all three stand where they will stay
				threads, err := Stacks(cmd.Process.Pid)
				if err != nil {
					t.Fatal(err)
				}
				own = nil
				for _, th := range threads {
					if i := slices.IndexFunc(th.Frames, func(f Frame) bool { return f.File == file }); i >= 0 {
						own = append(own, th.Frames[i])
					}
				}
				if len(own) == 3 && same(own, want) {
					again(t, cmd.Process.Pid, threads)
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("own frames %v, want %v", own, want)
		})
	}
}

// again reads the same stacks as a Reader does, for the first time and later,
// and when it remembers something wrong.
func again(t *testing.T, pid int, threads []Thread) {
	t.Helper()
	p, err := Find(pid)
	if err != nil {
		t.Fatal(err)
	}
	r := p.Reader()
	for _, how := range []string{"first", "again", "after a code object is gone"} {
		for _, th := range threads {
			if got := r.Stack(nil, th.TID); !slices.Equal(got, th.Frames) {
				t.Errorf("%s: thread %d: %v, want %v", how, th.TID, got, th.Frames)
			}
		}
		if how == "again" {
			for _, c := range r.r.codes {
				c.namePtr++
				c.name = "wrong"
			}
		}
	}
	if got := r.Stack(nil, 1); got != nil {
		t.Errorf("thread 1: %v", got)
	}
}

func same(got, want []Frame) bool {
	for _, w := range want {
		if !slices.Contains(got, w) {
			return false
		}
	}
	return true
}

// A thread that calls C code through ctypes.PyDLL keeps the lock meanwhile.
func TestGIL(t *testing.T) {
	const source = `import ctypes, threading
libc = ctypes.PyDLL(None)
def holds():
    print(threading.get_native_id(), flush=True)
    libc.sleep(60)
threading.Thread(target=holds, daemon=True).start()
while True: pass
`
	for _, python := range interpreters(t) {
		t.Run(filepath.Base(python), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(python, "-c", source)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			want, err := strconv.ParseInt(strings.TrimSpace(line), 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Find(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			inside := false
			for range 300 { // until it sleeps, and the other waits
				g := r.GIL()
				b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", cmd.Process.Pid))
				if f := strings.Fields(string(b)); len(f) > 1 {
					addr, _ := strconv.ParseUint(f[1], 0, 64)
					inside = addr >= g.From && addr < g.To
				}
				if inside && g.Holder == int32(want) {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("%+v, want thread %d; waits in it: %v", r.GIL(), want, inside)
		})
	}
}

func TestNotPython(t *testing.T) {
	if _, err := Stacks(os.Getpid()); err == nil {
		t.Error("this process was taken for Python")
	}
	if _, err := Stacks(1 << 30); err == nil {
		t.Error("a process that is not there was read")
	}
}

// Tables are hostile: they come from the memory of a traced program.
func FuzzLines(f *testing.F) {
	f.Add([]byte{0x80, 0x00, 0xd8, 0x04, 0x05, 0xf0, 0x7f}, 1, 3)
	f.Add([]byte{4, 1, 6, 0x80, 2, 3}, 10, 2)
	f.Fuzz(func(t *testing.T, table []byte, first, offset int) {
		if offset < 0 || offset > maxTable || len(table) > maxTable || first < 0 || first > 1<<30 {
			return
		}
		for _, o := range layouts {
			o.line(table, first, offset)
		}
	})
}

// FuzzThreads walks over memory that is nothing but the fuzzer's bytes.
func FuzzThreads(f *testing.F) {
	f.Add(make([]byte, 256))
	f.Fuzz(func(t *testing.T, memory []byte) {
		for i := range layouts {
			r := &reader{pid: 1, o: &layouts[i], codes: map[uint64]*code{}, read: func(addr uint64, b []byte) bool {
				if len(memory) == 0 {
					return false
				}
				for j := range b {
					b[j] = memory[(addr+uint64(j))%uint64(len(memory))]
				}
				return true
			}}
			if n := len(r.threads(0)); n > maxThreads {
				t.Fatalf("%d threads", n)
			}
		}
	})
}
