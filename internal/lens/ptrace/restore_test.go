package ptrace

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/event"
)

var added = []string{"CULPRIT_DIR=/run/x", "PYTHONPATH=/run/x/agent:/of/the/user", "SSLKEYLOGFILE=/run/x/keys"}

// interpreters makes a directory with a "python3" that prints its environment
// (env), one that prints the variables named (printenv), and some scripts.
func interpreters(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"all", "some", "plain", "none"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(program, name string) {
		path, err := exec.LookPath(program)
		need(t, err == nil, program)
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("env", "all/python3")
	link("printenv", "some/python3.12")
	link("env", "other")
	for name, text := range map[string]string{
		"script":        "#!" + dir + "/some/python3.12 CULPRIT_DIR\n",
		"plain/python3": "env\n",                               // ENOEXEC: execvp(3) has sh run it
		"none/python3":  "#!" + dir + "/nowhere/python3\n",     // ENOENT
		"wrapper":       "#!/bin/sh\nexec " + dir + "/other\n", // no Python
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEnvironmentRestored(t *testing.T) {
	dir := interpreters(t)
	const all = "CULPRIT_DIR=/run/x\nPYTHONPATH=/run/x/agent\nSSLKEYLOGFILE=/run/x/keys\n"
	for _, c := range []struct {
		name string
		argv []string
		env  []string // of the first program
		want string   // "": as without a recorder
		note bool
	}{
		{"empty", []string{"env", "-i", dir + "/all/python3"}, nil, all, true},
		{"by PATH", []string{"env", "-i", "PATH=" + dir + "/none:" + dir + "/all", "python3"}, nil,
			"PATH=" + dir + "/none:" + dir + "/all\n" + all, true},
		{"path in front", []string{"env", "-i", "A=1", "PYTHONPATH=/mine", "B=2", dir + "/all/python3"}, nil,
			"A=1\nPYTHONPATH=/run/x/agent:/mine\nB=2\nCULPRIT_DIR=/run/x\nSSLKEYLOGFILE=/run/x/keys\n", true},
		{"own values stay", []string{"env", "-i", "SSLKEYLOGFILE=/mine", dir + "/all/python3"}, nil,
			"SSLKEYLOGFILE=/mine\nCULPRIT_DIR=/run/x\nPYTHONPATH=/run/x/agent\n", true},
		{"script", []string{"env", "-i", dir + "/script"}, nil, "/run/x\n", true},
		{"not gone", append([]string{"env", "-i"}, append(added, dir+"/all/python3")...), nil, "", false},
		{"no Python", []string{"env", "-i", dir + "/other"}, nil, "", false},
		{"no Python after a script", []string{"env", "-i", dir + "/wrapper"}, nil, "", false},
		{"a missing interpreter", []string{"env", "-i", dir + "/none/python3"}, nil, "", false},
		{"no program", []string{"env", "-i", dir + "/plain/python3"}, nil, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, err := exec.LookPath(c.argv[0])
			need(t, err == nil, c.argv[0])
			c.argv[0] = path
			st, want := plain(t, c.argv...)
			r := record(t, Options{Env: added}, c.argv...)
			if c.want != "" {
				want = c.want
			}
			if d := cmp.Diff(want, r.out); d != "" {
				t.Errorf("output (-want +got):\n%s", d)
			}
			if c.want == "" && uint32(r.status) != uint32(st) {
				t.Errorf("wait status %#x, is %#x without a recorder", uint32(r.status), uint32(st))
			}
			if r.note("environment-restored") != c.note {
				t.Errorf("a note: %v", !c.note)
			}
			// The recorded call has what the program gave.
			for _, call := range r.calls("execve") {
				for _, m := range call.Mem {
					if strings.Contains(string(m.Data), "/run/x") != (c.name == "not gone") && strings.Contains(string(m.Data), "CULPRIT_DIR") {
						t.Errorf("recorded: %q", m.Data)
					}
				}
			}
		})
	}
}

// After an execve that failed every register is as it was (x86-64 psABI,
// A.2.1: the kernel changes rcx, r11 and rax alone).
func TestRegistersAfterFailure(t *testing.T) {
	_, err := exec.LookPath("gcc")
	need(t, err == nil && runtime.GOARCH == "amd64", "gcc on x86-64")
	dir := interpreters(t)
	bin := filepath.Join(dir, "fails")
	cmd := exec.Command("gcc", "-O1", "-x", "c", "-o", bin, "-")
	cmd.Stdin = strings.NewReader(`#include <unistd.h>
int main(int argc, char **argv) {
	char *env[] = {"A=1", 0}, *args[] = {"python3", 0};
	for (int i = 0; i < 3; i++) {
		long ret = 59, path = (long)argv[1], av = (long)args, ev = (long)env;
		long before[3] = {path, av, ev};
		register long r10 __asm__("r10") = 10, r8 __asm__("r8") = 8, r9 __asm__("r9") = 9;
		__asm__ volatile("syscall" : "+a"(ret), "+D"(path), "+S"(av), "+d"(ev), "+r"(r10), "+r"(r8), "+r"(r9) :: "rcx", "r11", "memory");
		if (ret != -8 || path != before[0] || av != before[1] || ev != before[2] || r10 != 10 || r8 != 8 || r9 != 9)
			return 1 + i;
	}
	execve(argv[2], args, env);
	return 9;
}`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := record(t, Options{Env: added}, bin, dir+"/plain/python3", dir+"/other")
	if r.status.ExitStatus() != 0 || r.out != "A=1\n" {
		t.Errorf("wait status %#x, output %q", uint32(r.status), r.out)
	}
	for _, c := range r.calls("execve") {
		if c.Ret == -int64(unix.ENOEXEC) && c.text(c.Args[0]) == "" {
			t.Errorf("recorded: %+v", c.Syscall)
		}
	}
}

// Signals that come while room is made are delivered, once each and before the
// call, and execve still fails for its own reason.
func TestRoomUnderSignals(t *testing.T) {
	_, err := exec.LookPath("gcc")
	need(t, err == nil, "gcc")
	dir := interpreters(t)
	bin := filepath.Join(dir, "storm")
	cmd := exec.Command("gcc", "-O1", "-x", "c", "-o", bin, "-")
	cmd.Stdin = strings.NewReader(`#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int got;
static void handler(int sig) { got++; }
int main(int argc, char **argv) {
	char *env[] = {"A=1", 0}, *args[] = {"python3", 0};
	int bad = 0, hit = 0;
	for (int i = 0; i < 150; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
			struct itimerval every = {{0, 50}, {0, 50 + i}};
			sigaction(SIGALRM, &sa, 0);
			setitimer(ITIMER_REAL, &every, 0);
			execve(argv[1], args, env);
			int e = errno;
			execve(argv[1], args, env);
			_exit(e != ENOEXEC || errno != ENOEXEC ? 1 : got > 0 ? 2 : 0);
		}
		int status;
		waitpid(pid, &status, 0);
		bad += status != 0 && status != 2 << 8;
		hit += status == 2 << 8;
	}
	printf("%d bad, signals %s\n", bad, hit > 0 ? "came" : "did not come");
	return 0;
}`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := record(t, Options{Env: added}, bin, dir+"/plain/python3")
	if r.out != "0 bad, signals came\n" {
		t.Errorf("wait status %#x, output %q", uint32(r.status), r.out)
	}
	if n := len(r.calls("execve")); n != 300 {
		t.Errorf("%d calls of execve are recorded, want 300", n)
	}
}

const spawnVar = "PTRACE_TEST_SPAWN"

// spawnMany starts programs by vfork from goroutines' small stacks, whose
// neighbours on the heap are checked all the while.
func spawnMany() {
	path := os.Getenv(spawnVar)
	done := make(chan string)
	const workers, each = 4, 8
	for range workers {
		go func() {
			seen := ""
			for range each {
				var heap [64][]byte
				for i := range heap {
					heap[i] = []byte(strings.Repeat("x", 64+i))
				}
				cmd := exec.Command(path)
				cmd.Env = []string{"A=" + strings.Repeat("b", 3000)}
				out, err := cmd.Output()
				if err != nil {
					seen += err.Error()
				}
				for i := range heap {
					if strings.Trim(string(heap[i]), "x") != "" {
						seen += "damaged"
					}
				}
				if strings.Contains(string(out), "CULPRIT_DIR=/run/x\n") {
					seen += "."
				}
			}
			done <- seen
		}()
	}
	for range workers {
		fmt.Println(<-done)
	}
	// How many mappings a spawn leaves behind.
	maps, _ := os.ReadFile("/proc/self/maps")
	fmt.Println(strings.Count(string(maps), "\n"))
	os.Exit(0)
}

func TestVforkFromGo(t *testing.T) {
	dir := interpreters(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := recordEnv(t, Options{Env: added}, []string{spawnVar + "=" + dir + "/all/python3"}, self)
	lines := strings.Fields(r.out)
	if len(lines) != 5 {
		t.Fatalf("output %q, wait status %#x", r.out, uint32(r.status))
	}
	for _, l := range lines[:4] {
		if l != "........" {
			t.Errorf("a worker says %q", l)
		}
	}
	notes, at := of[*event.Note](r)
	pids := map[int32]int{}
	for i, n := range notes {
		if n.Code == "environment-restored" {
			pids[at[i].PID]++
		}
	}
	if len(pids) != 32 {
		t.Errorf("%d processes have a note, want 32", len(pids))
	}
	t.Logf("%s mappings left", lines[4])
}

func TestPythonScript(t *testing.T) {
	for line, want := range map[string]bool{
		"#!/usr/bin/python3\n":                    true,
		"#! /usr/bin/python3.11 -u\n":             true,
		"#!/opt/venv/bin/python":                  true,
		"#!/usr/bin/env python3\n":                true,
		"#!/usr/bin/env -S python3 -u\n":          true,
		"#!/usr/bin/env -S A=1 python2.7\n":       true,
		"#!/usr/bin/env bash\npython3\n":          false,
		"#!/bin/sh\n# python3\n":                  false,
		"#!/usr/bin/pythonic\n":                   false,
		"#!\n":                                    false,
		"#!/usr/bin/env\n":                        false,
		"\x7fELF":                                 false,
		"":                                        false,
		"#!/usr/bin/python3-config --cflags\n":    false,
		"#!/usr/bin/env -S /opt/x/python3.13t -u": true,
	} {
		if got := pythonScript([]byte(line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}
