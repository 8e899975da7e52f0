package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/testkit"
)

// straceWorks are commands that strace(1) and `culprit strace` must print alike,
// with the options that both are given. Output is compared after normalize; with
// -f the lines of each process by themselves.
var straceWorks = []struct {
	options string
	script  string
}{
	{"", "exec /bin/true"},
	{"", "exec /bin/ls -l /"},
	{"", "exec cat /etc/passwd"},
	{"", "exec cat /nonexistent"},
	{"", "exec head -c 100000 /dev/zero"},
	{"", "exec find . -name x"},
	{"", "exec sed s/a/b/ /etc/hostname"},
	{"", "exec cut -d: -f1 /etc/passwd"},
	{"", "exec stat /etc/passwd /etc /dev/null"},
	{"", "exec touch a b c"},
	{"", "exec cp /etc/passwd copy"},
	{"", "exec mv /etc/nothing there"},
	{"", "exec rm -rf nothing"},
	{"", "exec mkdir -p d/e/f"},
	{"", "exec ln -s target link"},
	{"", "exec readlink /proc/self/fd/0"},
	{"", "exec dd if=/dev/zero of=/dev/null bs=512 count=4 status=none"},
	{"", "exec tar cf x.tar /etc/hostname"},
	{"-e trace=!sysinfo", "exec sort /etc/passwd"},
	{"", "exec wc /etc/passwd"},
	{"", "exec id"},
	{"", "exec uname -a"},
	{"", "exec date -u -d @0"},
	{"", "exec env -i A=b /bin/true"},
	{"", "exec sleep 0.01"},
	{"", "exec kill -l"},
	{"", "exec chmod 640 /dev/full/x"},
	{"", "exec df /"},
	{"", "exec stty -a"},
	{"", "exec nproc"},
	{"", "exec sh -c 'kill -s USR1 $$'"},
	{"", "exec sh -c 'kill -s KILL $$'"},
	{"", "exec sh -c 'trap : ALRM; kill -s ALRM $$; exit 3'"},
	{"-a 20 -s 100", "exec cat /etc/passwd"},
	{"-v", "exec stat /etc/passwd"},
	{"-v", "exec ls /"},
	{"-x", "exec head -c 20 /bin/true"},
	{"-xx -s 8 -e trace=openat,read,write", "exec head -c 20 /bin/true"},
	{"-e trace=%file", "exec ls /"},
	{"-e trace=%desc -y", "exec cat /etc/passwd"},
	{"-e trace=openat,close,read -y", "exec cat /etc/hostname"},
	{"-e trace=/open", "exec cat /etc/hostname"},
	{"-e !mmap,munmap,mprotect", "exec cat /etc/hostname"},
	{"-P /etc/hostname", "exec cat /etc/hostname /etc/passwd"},
	{"-Z", "exec ls /nonexistent"},
	{"-z -e trace=%file", "exec ls /nonexistent"},
	{"-q -qq", "exec sh -c 'exit 3'"},
	{"-e raw=read,openat", "exec cat /etc/hostname"},
	{"-e read=3 -e trace=read", "exec cat /etc/hostname"},
	{"-e write=1 -e trace=write", "exec cat /etc/hostname"},
	{"-e inject=openat:error=EIO:when=3 -e trace=openat", "exec cat /etc/hostname"},
	{"-e fault=close:when=2+ -e trace=close", "exec cat /etc/hostname"},
	{"-e signal=none", "exec sh -c 'trap : ALRM; kill -s ALRM $$'"},
	{"-X verbose -e trace=openat,close", "exec cat /etc/hostname"},
	{"-X raw -e trace=openat,close", "exec cat /etc/hostname"},
	// The sleep: a child that ends before its parent waits makes another log.
	{"-f", "exec sh -c 'sleep 0.1 </etc/hostname; /bin/false'"},
	{"-f", "exec sh -c 'sleep 0.1; sleep 0.2; exit 2'"},
	{"-f -e trace=execve,exit_group -e signal=none", "exec sh -c 'for i in 1 2 3; do /bin/true & done; wait'"},
	{"-f -e trace=execve,kill,exit_group", "exec sh -c '/bin/sh -c \"kill -s TERM \\$\\$\"; exit 4'"},
	{"-f -e trace=%network", "exec python3 -c 'import socket as s; a, b = s.socketpair(); a.send(b\"x\" * 50); b.recv(9); c = s.create_server((\"127.0.0.1\", 0)); d = s.create_connection(c.getsockname()); d.sendall(b\"hi\")'"},
	{"-f -e trace=openat,execve,exit_group", "exec python3 -c 'import json'"},
	{"-f -e trace=exit,exit_group", "exec python3 -c 'import threading as t; x = t.Thread(target=print); x.start(); x.join()'"},
	{"", "exec git --version"},
}

// TestStraceBesideStrace runs both and compares the logs line by line.
func TestStraceBesideStrace(t *testing.T) {
	strace := testkit.Program(t, "strace")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "strace")
	if err := os.Symlink(self, bin); err != nil {
		t.Fatal(err)
	}
	for _, w := range straceWorks {
		t.Run(w.options+" "+w.script, func(t *testing.T) {
			if name := strings.Fields(w.script)[1]; strings.HasPrefix(name, "python3") || name == "git" {
				testkit.Program(t, name)
			}
			want, wantCode := straceRun(t, strace, w.options, w.script)
			got, code := straceRun(t, bin, w.options, w.script)
			if code != wantCode {
				t.Errorf("exit status %d, strace's is %d", code, wantCode)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-strace +culprit):\n%s", d)
			}
		})
	}
}

// straceRun returns the normalized log, split by process, and the exit status.
func straceRun(t *testing.T, tracer, options, script string) (map[string][]string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	dir := t.TempDir()
	log := filepath.Join(t.TempDir(), "log")
	args := append([]string{"-o", log}, strings.Fields(options)...)
	cmd := exec.CommandContext(ctx, tracer, append(args, "/bin/sh", "-c", script)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=/", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", actAsStrace + "=1"}
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return normalize(string(b), dir), cmd.ProcessState.ExitCode()
}

var (
	address   = regexp.MustCompile(`0x[0-9a-f]{6,}`)
	processID = regexp.MustCompile(`(si_pid=|pid=|parent_tid=\[|pid |wait4\(|kill\(|tgkill\(|getpid\(\) += |gettid\(\) += |getppid\(\) += |set_tid_address\([^)]*\) += |= )[0-9]{3,}\b`)
	variable  = regexp.MustCompile(`(tv_sec|tv_nsec|tv_usec|st_[amc]time|st_[amc]time_nsec|st_ino|stx_ino|st_nlink|stx_nlink|f_b[a-z]+|f_f[a-z]+|uptime|si_utime|si_stime|modtime|actime)=-?[0-9]+( /\* [^*]* \*/)?`)
	random    = regexp.MustCompile(`(getrandom\()"[^"]*"`)
	spaces    = regexp.MustCompile(` +=`)
	port      = regexp.MustCompile(`htons\([0-9]+\)`)
	vars      = regexp.MustCompile(`/\* [0-9]+ vars? \*/`)
	rest      = regexp.MustCompile(` <unfinished \.\.\.>$`)
	resumed   = regexp.MustCompile(`^<\.\.\. [a-z0-9_]+ resumed>`)
	leader    = regexp.MustCompile(`^([0-9]+) +`)
)

// normalize hides what differs from run to run: addresses, ids, times, ports,
// the directory; joins lines that were cut, and splits them by process, in the
// order of the processes' first lines.
func normalize(log, dir string) map[string][]string {
	out := map[string][]string{}
	names := map[string]string{}
	cut := map[string]string{}
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		name := "all"
		if m := leader.FindStringSubmatch(line); m != nil {
			line = line[len(m[0]):]
			if names[m[1]] == "" {
				names[m[1]] = "process " + string(rune('a'+len(names)))
			}
			name = names[m[1]]
		}
		if rest.MatchString(line) {
			cut[name] = rest.ReplaceAllString(line, "")
			continue
		}
		if m := resumed.FindString(line); m != "" {
			line, cut[name] = cut[name]+line[len(m):], ""
		}
		line = strings.ReplaceAll(line, dir, "DIR")
		line = vars.ReplaceAllString(line, "/* vars */")
		line = random.ReplaceAllString(line, `${1}"..."`)
		line = address.ReplaceAllString(line, "0xADDR")
		line = variable.ReplaceAllString(line, "${1}=N")
		line = processID.ReplaceAllString(line, "${1}PID")
		line = port.ReplaceAllString(line, "htons(PORT)")
		line = spaces.ReplaceAllString(line, " =")
		out[name] = append(out[name], line)
	}
	return out
}
