//go:build linux && amd64

package sysabi

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	stdstrings "strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/testkit"
)

// processMemory reads another process with process_vm_readv(2).
type processMemory int

func (pid processMemory) ReadMem(p []byte, addr uint64) int {
	if len(p) == 0 {
		return 0
	}
	local := syscall.Iovec{Base: &p[0], Len: uint64(len(p))}
	remote := [2]uint64{addr, uint64(len(p))}
	n, _, e := syscall.Syscall6(310, uintptr(pid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

// trace runs a program of one thread under ptrace(2) and returns its calls.
func trace(t *testing.T, lim Limits, argv ...string) []*event.Syscall {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	if cmd.Dir = os.Getenv("SYSABI_CWD"); cmd.Dir == "" {
		cmd.Dir = t.TempDir()
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", argv[0], err)
	}
	pid := cmd.Process.Pid
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACEEXEC); err != nil {
		t.Fatal(err)
	}
	var calls []*event.Syscall
	var now *event.Syscall
	var arena Arena
	sig := 0
	for {
		if err := syscall.PtraceSyscall(pid, sig); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil {
			t.Fatal(err)
		}
		sig = 0
		switch {
		case ws.Exited() || ws.Signaled():
			if now != nil {
				calls = append(calls, now)
			}
			return calls
		case ws.StopSignal() != syscall.SIGTRAP|0x80:
			if ws.StopSignal() != syscall.SIGTRAP {
				sig = int(ws.StopSignal())
			}
			continue
		}
		var r syscall.PtraceRegs
		if err := syscall.PtraceGetRegs(pid, &r); err != nil {
			t.Fatal(err)
		}
		if now == nil {
			now = &event.Syscall{Arch: event.ArchX8664, NR: uint32(r.Orig_rax), Args: [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}, Flags: event.Unfinished}
			now.Mem = Lookup(now.Arch, now.NR).Capture(nil, event.Enter, &now.Args, 0, lim, processMemory(pid), &arena)
			continue
		}
		now.Ret, now.Flags = int64(r.Rax), 0
		now.Mem = Lookup(now.Arch, now.NR).Capture(now.Mem, event.Leave, &now.Args, now.Ret, lim, processMemory(pid), &arena)
		for i := range now.Mem {
			now.Mem[i].Data = bytes.Clone(now.Mem[i].Data)
		}
		arena.Reset()
		calls, now = append(calls, now), nil
	}
}

// TestDump prints what a command does, to compare by hand:
//
//	SYSABI_DUMP='ls /' go test -v -run TestDump ./internal/sysabi
func TestDump(t *testing.T) {
	if os.Getenv("SYSABI_DUMP") == "" {
		t.Skip("SYSABI_DUMP holds no command")
	}
	argv := stdstrings.Fields(os.Getenv("SYSABI_DUMP"))
	argv[0], _ = exec.LookPath(argv[0])
	argv[0], _ = filepath.Abs(argv[0])
	for _, s := range trace(t, Limits{String: 4096, Data: 1 << 20}, argv...) {
		o := Options{Verbose: os.Getenv("SYSABI_VERBOSE") != ""}
		os.Stdout.Write(append(Decode(s).Append(nil, o), '\n'))
	}
}

// What differs between two runs of a program: addresses, process ids, ports,
// times, random bytes, descriptors of the terminal.
var volatile = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`0x[5-7][0-9a-f]{9,}`), "ADDR"},
	{regexp.MustCompile(`htons\([0-9]{5}\)`), "htons(PORT)"},
	{regexp.MustCompile(`^(getrandom\()"[^"]*"`), `${1}BYTES`},
	{regexp.MustCompile(`^(sysinfo|times|getrusage|clock_gettime|gettimeofday|getdents64)\(.*`), "${1}"},
	{regexp.MustCompile(`^(rseq\().*`), "${1}"},                                     // strace 6.1 prints no structure
	{regexp.MustCompile(`data=(\{u32=[0-9]+, u64=[0-9]+\}|0x[0-9a-f]+)`), "data=N"}, // strace 6.1 prints both halves of the union
	{regexp.MustCompile(`, left \{[^}]*\}`), ", left TIME"},
	{regexp.MustCompile(`(clock_nanosleep\(CLOCK_MONOTONIC, TIMER_ABSTIME), \{[^}]*\}`), "${1}, TIME"},
	{regexp.MustCompile(` /\* 20\d\d-[^*]*\*/`), " /* DATE */"},
	{regexp.MustCompile(`^rt_sigreturn.*`), "rt_sigreturn"}, // its mask lies on the signal stack, which no argument names
}

func settle(lines []string) []string {
	pid := ""
	for _, l := range lines {
		if stdstrings.HasPrefix(l, "set_tid_address(") {
			pid = l[stdstrings.LastIndexByte(l, ' ')+1:]
			break
		}
	}
	var out []string
	for _, l := range lines {
		// How often the allocator asks for memory depends on where its heap lies.
		if stdstrings.HasPrefix(l, "brk(") || stdstrings.HasPrefix(l, "munmap(") || stdstrings.Contains(l, "MAP_ANONYMOUS") {
			continue
		}
		if l == "" || stdstrings.HasPrefix(l, "+++") || stdstrings.HasPrefix(l, "execve(") && stdstrings.HasSuffix(l, "= 0") {
			continue
		}
		if pid != "" {
			l = regexp.MustCompile(`\b`+pid+`\b`).ReplaceAllString(l, "PID")
		}
		for _, v := range volatile {
			l = v.re.ReplaceAllString(l, v.to)
		}
		out = append(out, l)
	}
	return out
}

// The text of real programs is what strace(1) prints for them.
func TestLikeStrace(t *testing.T) {
	testkit.Program(t, "strace")
	testkit.Program(t, "python3")
	if v, _ := exec.Command("strace", "--version").Output(); !bytes.HasPrefix(v, []byte("strace -- version 6.1\n")) {
		// Other versions know other names: the comparison is with one.
		testkit.Lack(t, fmt.Sprintf("strace 6.1, have %.40q", v))
	}
	script, err := filepath.Abs("testdata/calls.py")
	if err != nil {
		t.Fatal(err)
	}
	python, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Fatalf("find python3: %v", err)
	}
	for _, argv := range [][]string{
		{"/bin/ls", "-la", "/usr"},
		{stdstrings.TrimSpace(string(python)), "-I", "-S", script},
	} {
		var ours []string
		for _, s := range trace(t, Limits{String: 4096, Data: 1 << 16}, argv...) {
			ours = append(ours, Decode(s).String())
		}
		log := filepath.Join(t.TempDir(), "log")
		cmd := exec.Command("strace", append([]string{"-a0", "-e", "signal=none", "-o", log}, argv...)...)
		cmd.Env, cmd.Dir = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}, t.TempDir()
		cmd.Run() // the program's own status is of no interest
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatalf("read strace's log: %v", err)
		}
		theirs := stdstrings.Split(string(b), "\n")
		if len(theirs) < 50 {
			t.Fatalf("strace logged %d lines:\n%s", len(theirs), b)
		}
		t.Logf("%d lines of %v", len(ours), argv[0])
		if diff := cmp.Diff(settle(theirs), settle(ours)); diff != "" {
			t.Errorf("%v (-strace +ours):\n%s", argv, diff)
		}
	}
}
