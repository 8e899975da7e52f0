package ebpf

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/launch"
	"culprit/internal/lens"
	"culprit/internal/lens/ptrace"
	"culprit/internal/sysabi"
	"culprit/internal/testkit"
)

// prog compiles the ptrace recorder's test program: both are tried on the same.
func prog(t testing.TB) string { return compile(t, "../ptrace/testdata/prog.c") }

func compile(t testing.TB, source string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "prog")
	out, err := exec.Command("gcc", "-O1", "-pthread", "-w", "-o", bin, source).CombinedOutput()
	if err != nil {
		testkit.Lack(t, fmt.Sprintf("gcc: %v: %s", err, out))
	}
	return bin
}

// still starts a command at the same addresses every time, stopped.
func still(t testing.TB, argv []string) int {
	t.Helper()
	path := testkit.Program(t, "setarch")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	pid, err := launch.Config{
		Path: path, Argv: append([]string{"setarch", "-R"}, argv...),
		Env: []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0"},
		FDs: []uintptr{null.Fd(), null.Fd(), null.Fd()},
	}.Start()
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func record(t testing.TB, l lens.Lens, pid int) []event.Event {
	t.Helper()
	var c collector
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := l.Record(ctx, lens.Target{PID: pid}, &c); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatal("the program did not end in a minute")
	}
	return c.list
}

// script is what a recording says, by thread, without what differs from run to
// run: ids become names by birth, inodes and ports numbers by appearance.
type script struct {
	calls, signals map[string][]string
}

type names struct {
	tid   map[int32]string
	other map[string]string
}

var (
	inode  = regexp.MustCompile(`(socket|pipe):\[[0-9]+\]`)
	port   = regexp.MustCompile(`htons\([0-9]+\)`)
	clock  = regexp.MustCompile(`(tv_n?u?sec|si_[us]time|st_[amc]time(_nsec)?)=[0-9]+`)
	moment = regexp.MustCompile(`/tmp/[^"]*`)
	// A thread that ends before its clone3 is looked at has its number cleared
	// (CLONE_CHILD_CLEARTID): the C library keeps both in one place.
	cleared = regexp.MustCompile(`parent_tid=\[[^]]*\]`)
)

func (n *names) clean(s string) string {
	for id, name := range n.tid {
		s = regexp.MustCompile(`\b`+strconv.Itoa(int(id))+`\b`).ReplaceAllString(s, "<"+name+">")
	}
	s = clock.ReplaceAllString(s, "$1=T")
	s = moment.ReplaceAllString(s, "/tmp/X")
	s = cleared.ReplaceAllString(s, "parent_tid=[T]")
	name := func(kind string) func(string) string {
		return func(m string) string {
			if n.other[m] == "" {
				n.other[m] = fmt.Sprintf("%s#%d", kind, len(n.other))
			}
			return n.other[m]
		}
	}
	s = inode.ReplaceAllStringFunc(s, name("inode"))
	return port.ReplaceAllString(s, "htons(P)")
}

func scriptOf(list []event.Event, root int) script {
	n := &names{tid: map[int32]string{int32(root): "r"}, other: map[string]string{}}
	children := map[int32]int{}
	for _, e := range list {
		if f, ok := e.Body.(*event.Fork); ok {
			children[e.TID]++
			n.tid[f.Child] = n.tid[e.TID] + "." + strconv.Itoa(children[e.TID])
		}
	}
	s := script{map[string][]string{}, map[string][]string{}}
	for _, e := range list {
		who := n.tid[e.PID] + "/" + n.tid[e.TID]
		var line string
		switch b := e.Body.(type) {
		case *event.Syscall:
			d := sysabi.Decode(b)
			line = d.String()
			if d.Name != "clone3" { // whose thread id in memory only ptrace follows; the result says it too
				line += " " + pieces(b)
			}
		case *event.Signal:
			text := n.clean(sysabi.DecodeSiginfo(b.Siginfo).String())
			if strings.Contains(text, "SIGCHLD") { // any thread of the process may get it
				who = n.tid[e.PID] + "/" + n.tid[e.PID]
			}
			s.signals[who] = append(s.signals[who], text)
			continue
		case *event.FD:
			line = fmt.Sprintf("FD %d %s local %d remote %d type %d", b.FD, b.Link, len(b.Local), len(b.Remote), b.Type)
		case *event.Fork:
			line = fmt.Sprintf("fork %d %v", b.Child, b.Thread)
		case *event.Exec:
			line = fmt.Sprintf("exec %+v", *b)
		case *event.Exit:
			line = fmt.Sprintf("exit %#x", b.Status)
		case *event.Peek:
			line = fmt.Sprintf("peek %d %s %s %d %q", b.FD, b.Link, b.When, b.Queued, b.Data)
		case *event.Note:
			if b.Code == "no-new-privs" {
				continue
			}
			line = "note " + b.Code
		case *event.Native: // of a thread that stands, as only ptrace's do
			continue
		default:
			line = fmt.Sprintf("%s %+v", e.Body.Kind(), b)
		}
		s.calls[who] = append(s.calls[who], n.clean(line))
	}
	// Which of two children that end at once gives the SIGCHLD that is pending
	// is a matter of luck.
	for k, l := range s.signals {
		slices.Sort(l)
		s.signals[k] = slices.CompactFunc(l, func(a, b string) bool {
			return strings.Contains(a, "SIGCHLD") && strings.Contains(b, "SIGCHLD")
		})
		for i, v := range s.signals[k] {
			if strings.Contains(v, "SIGCHLD") {
				s.signals[k][i] = "SIGCHLD"
			}
		}
	}
	// Before its second execve the program is setarch, at random addresses.
	if l := s.calls["r/r"]; len(l) > 0 {
		for i, v := range l[1:] {
			if strings.HasPrefix(v, "exec {") {
				s.calls["r/r"] = l[1+i:]
				break
			}
		}
	}
	return s
}

// pieces says where memory was copied from and how much, joined as far as it
// follows on itself.
func pieces(b *event.Syscall) string {
	// A structure that ends early is read at the exit again by ptrace.
	mem := slices.DeleteFunc(slices.Clone(b.Mem), func(m event.Mem) bool {
		return m.At == event.Leave && slices.ContainsFunc(b.Mem, func(n event.Mem) bool {
			return n.At == event.Enter && n.Addr == m.Addr && len(n.Data) == len(m.Data)
		})
	})
	slices.SortStableFunc(mem, func(a, b event.Mem) int {
		if a.At != b.At {
			return int(a.At) - int(b.At)
		}
		if a.Addr < b.Addr {
			return -1
		}
		return 1
	})
	var out []string
	for i := 0; i < len(mem); i++ {
		m := mem[i]
		end := m.Addr + uint64(len(m.Data))
		for ; i+1 < len(mem) && mem[i+1].At == m.At && mem[i+1].Addr <= end; i++ {
			end = max(end, mem[i+1].Addr+uint64(len(mem[i+1].Data)))
		}
		out = append(out, fmt.Sprintf("%d:%d", m.At, end-m.Addr))
	}
	return strings.Join(out, " ")
}

var parity = []struct {
	name string
	argv []string
	// except says what may differ, and why.
	except func(line string) bool
}{
	{name: "shell", except: func(line string) bool {
		return strings.HasPrefix(line, "wait4(") // which of a pipeline's two ends first is a matter of luck
	}, argv: []string{"sh", "-c", "echo one | cat; ls /nonexistent; (exit 3); for i in 1 2; do cat /etc/hostname >/tmp/culprit-parity; done; rm -f /tmp/culprit-parity"}},
	{name: "tree", argv: []string{"PROG", "tree"}},
	{name: "exec from a thread", argv: []string{"PROG", "execthread"}, except: func(line string) bool {
		// The new thread's execve may come before the others' calls are over or
		// have begun.
		return strings.HasPrefix(line, "clone3(") || strings.HasPrefix(line, "pause(")
	}},
	{name: "SIGSEGV", argv: []string{"PROG", "segv"}},
	{name: "SIGTERM", argv: []string{"PROG", "term"}},
	{name: "SIGKILL", argv: []string{"PROG", "kill9"}, except: func(line string) bool {
		// The call succeeds, which ptrace never learns: the tracee is gone.
		return strings.HasPrefix(line, "tgkill(")
	}},
	{name: "answer over a Unix socket", argv: []string{"PROG", "answer-unix"}},
	{name: "answer over TCP", argv: []string{"PROG", "answer-tcp"}},
	{name: "pending error", argv: []string{"PROG", "pending"}, except: func(line string) bool {
		// Looked at before under another number: ptrace says it once a number,
		// eBPF once a socket.
		return strings.HasPrefix(line, "peek 4 ")
	}},
	{name: "iovecs", argv: []string{"PROG", "iovecs"}},
	{name: "closed descriptors", argv: []string{"PROG", "closeall"}},
	{name: "memory that ends", argv: []string{"HOSTILE", "edges"}},
	{name: "wild pointers", argv: []string{"HOSTILE", "wild"}},
	{name: "too long", argv: []string{"HOSTILE", "longest"}},
	{name: "no such call", argv: []string{"HOSTILE", "numbers"}},
	{name: "int 0x80", argv: []string{"HOSTILE", "compat"}},
	{name: "memory that changes", argv: []string{"HOSTILE", "changing"}, except: func(line string) bool {
		// What is read in the moment is a matter of luck.
		return strings.HasPrefix(line, `openat(AT_FDCWD, "/`) || strings.HasPrefix(line, `write(3, "/`)
	}},
	{name: "execve in a loop", argv: []string{"HOSTILE", "again", "50"}},
	{name: "children", argv: []string{"HOSTILE", "children", "100"}, except: func(line string) bool {
		return strings.HasPrefix(line, "wait4(") || strings.Contains(line, "ERESTARTNOINTR") // as soon as a child ends
	}},
	{name: "killed in a call", argv: []string{"HOSTILE", "killed"}},
	{name: "other namespaces", argv: []string{"HOSTILE", "elsewhere"}},
	{name: "python", argv: []string{"python3", "-S", "-c", "import os, threading, subprocess\nt = threading.Thread(target=lambda: os.stat('/etc/passwd')); t.start(); t.join()\nprint(subprocess.run(['true']).returncode)\nopen('/nonexistent')"}},
}

func TestParity(t *testing.T) {
	need(t)
	if err := ptrace.New(ptrace.Options{}).Probe(); err != nil {
		testkit.Lack(t, err)
	}
	programs := map[string]string{"PROG": prog(t), "HOSTILE": compile(t, "testdata/hostile.c")}
	for _, c := range parity {
		t.Run(c.name, func(t *testing.T) {
			argv := slices.Clone(c.argv)
			if bin := programs[argv[0]]; bin != "" {
				argv[0] = bin
			}
			pid := still(t, argv)
			want := scriptOf(record(t, ptrace.New(ptrace.Options{}), pid), pid)
			pid = still(t, argv)
			got := scriptOf(record(t, New(Options{Trace: ptrace.DefaultTrace}), pid), pid)
			if c.except != nil {
				for _, m := range []map[string][]string{want.calls, got.calls, want.signals, got.signals} {
					for k, l := range m {
						m[k] = slices.DeleteFunc(l, c.except)
					}
				}
			}
			if d := cmp.Diff(want.calls, got.calls); d != "" {
				t.Errorf("calls (-ptrace +eBPF):\n%s", d)
			}
			if d := cmp.Diff(want.signals, got.signals); d != "" {
				t.Errorf("signals (-ptrace +eBPF):\n%s", d)
			}
		})
	}
}
