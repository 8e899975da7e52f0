//go:build linux && amd64

package sysabi

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	stdstrings "strings"
	"syscall"
	"testing"
	"unsafe"

	"culprit/internal/event"
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

// need skips the test when a program is missing, and fails it in CI.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed", p)
			}
			t.Skipf("%s is not installed", p)
		}
	}
}

func TestDump(t *testing.T) {
	if os.Getenv("SYSABI_DUMP") == "" {
		t.Skip("SYSABI_DUMP holds no command")
	}
	argv := stdstrings.Fields(os.Getenv("SYSABI_DUMP"))
	argv[0], _ = exec.LookPath(argv[0])
	argv[0], _ = filepath.Abs(argv[0])
	for _, s := range trace(t, Limits{String: 4096, Data: 1 << 20}, argv...) {
		d := Decode(s)
		os.Stdout.WriteString(d.String() + "\n")
	}
}
