package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"culprit/e2e/stage"
)

// live is a program that runs while culprit is attached to it.
type live struct {
	*exec.Cmd
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs a program in a group of its own, ended with the test, and waits
// until it has said "ready".
func start(t *testing.T, s *stage.Stage, argv ...string) *live {
	t.Helper()
	l := &live{Cmd: exec.Command(argv[0], argv[1:]...), t: t}
	l.Dir, l.Env, l.Stderr = s.Dir, s.Environ(), os.Stderr
	l.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := l.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if l.in, err = l.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-l.Process.Pid, syscall.SIGKILL)
		_ = l.Wait()
	})
	l.out = bufio.NewReader(out)
	l.expect("ready")
	return l
}

func (l *live) expect(want string) {
	l.t.Helper()
	line, err := l.out.ReadString('\n')
	if strings.TrimSpace(line) != want {
		l.t.Fatalf("%v said %q (%v), want %q", l.Args, line, err, want)
	}
}

func (l *live) pid() string { return strconv.Itoa(l.Process.Pid) }

// state is the letter of /proc/PID/stat.
func (l *live) state() string {
	b, _ := os.ReadFile("/proc/" + l.pid() + "/stat")
	_, rest, _ := strings.Cut(string(b), ") ")
	return rest[:min(1, len(rest))]
}

func (l *live) hasTracer() bool {
	b, _ := os.ReadFile("/proc/" + l.pid() + "/status")
	return !strings.Contains(string(b), "TracerPid:\t0\n")
}

// traced waits until somebody has attached.
func (l *live) traced() {
	for end := time.Now().Add(20 * time.Second); !l.hasTracer(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Error("culprit has not attached")
			return
		}
	}
}

// attached is a report of `culprit attach`.
type attached struct {
	report
	Threads []struct {
		PID, TID    int
		State, Call string
		For         float64
		Waits       []string `json:"waits_for"`
		Stack       []struct {
			File string
			Line int
			Func string
		}
	}
	raw string
}

func attach(t *testing.T, s *stage.Stage, flags ...string) attached {
	t.Helper()
	case_ := fmt.Sprintf("%s/attach-%d.pcapng", s.Dir, time.Now().UnixNano())
	cmd := exec.Command(culprit(t), append([]string{"attach", "-q", "--report", "-", "-o", case_}, flags...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("culprit attach %q: %v\n%s", flags, err, stderr.Bytes())
	}
	a := attached{raw: string(out)}
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return a
}

const silentPeer = `import socket, os, time
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
if os.fork() == 0:
    c, _ = l.accept()
    time.sleep(60)
s = socket.create_connection(l.getsockname())
l.close()
print("ready", flush=True)
s.recv(10)
`

const pollSeveral = `import os, select, socket, time
r, w = os.pipe()
a, b = socket.socketpair()
if os.fork() == 0:
    os.close(r); a.close()
    time.sleep(60)
os.close(w); b.close()
print("ready", flush=True)
p = select.poll()
p.register(r, select.POLLIN)
p.register(a, select.POLLIN)
p.poll()
`

const pythonDeadlock = `import threading
a, b = threading.Lock(), threading.Lock()
first, second = threading.Event(), threading.Event()
def one():
    with a:
        first.set(); second.wait()
        with b: pass      # line 7
def two():
    with b:
        second.set(); first.wait()
        with a: pass
threads = [threading.Thread(target=f) for f in (one, two)]
for t in threads: t.start()
first.wait(); second.wait()
print("ready", flush=True)
for t in threads: t.join()
`

const cDeadlock = `#include <pthread.h>
#include <stdio.h>
static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
static void *other(void *x) {
	pthread_mutex_lock(&b);
	pthread_barrier_wait(&both);
	pthread_mutex_lock(&a);
	return x;
}
int main(void) {
	pthread_t t;
	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&t, NULL, other, NULL);
	pthread_mutex_lock(&a);
	pthread_barrier_wait(&both);
	puts("ready");
	fflush(stdout);
	pthread_mutex_lock(&b);
	return 0;
}
`

// settles wants a look to find nothing wrong in the end: on a busy machine a
// program may take a while to come to where it waits.
func settles(t *testing.T, look func() string) {
	t.Helper()
	wrong := ""
	for range 4 {
		if wrong = look(); wrong == "" {
			return
		}
		time.Sleep(1200 * time.Millisecond) // being looked at made it run
	}
	t.Error(wrong)
}

// TestAttachHung attaches to programs that hang, once and for a while, with
// both recorders: the verdict names what they wait for and who has that.
func TestAttachHung(t *testing.T) {
	culprit(t)
	python := func(source string) func(s *stage.Stage) []string {
		return func(s *stage.Stage) []string {
			return []string{"/usr/bin/python3", s.File("job.py", source, 0o644)}
		}
	}
	sh := func(script string) func(s *stage.Stage) []string {
		return func(*stage.Stage) []string { return []string{"sh", "-c", script} }
	}
	tests := []struct {
		name  string
		needs string
		argv  func(s *stage.Stage) []string
		cause string
		facts []string // patterns in the verdict
		waits string   // pattern in what a thread waits for
	}{
		{"flock", "flock", func(s *stage.Stage) []string {
			start(t, s, "flock", s.Path("job.lock"), "sh", "-c", "echo ready; exec sleep 60")
			return []string{"sh", "-c", "echo ready; exec flock job.lock true"}
		},
			"waiting-on-lock", []string{`job\.lock`, `sleep 60 \(pid \d+\)`}, `the lock on .*job\.lock, held by flock .*sleep 60 \(pid \d+\)`},
		{"c-deadlock", "gcc", func(s *stage.Stage) []string { return []string{s.C("locks", cDeadlock)} },
			"deadlock", []string{`futex\(0x[0-9a-f]+, FUTEX_WAIT_PRIVATE, 2, NULL`}, `which thread \d+ holds`},
		{"python-deadlock", "python3", python(pythonDeadlock),
			"deadlock", []string{`one \(job\.py:7\)`, `two`}, `a Python lock whose holder is not known`},
		{"pipe", "sh", sh(`echo ready; sleep 60 | { exec cat; }`),
			"waiting-on-input", []string{`sleep 60 \(pid \d+\)`, `read\(0`}, `data from pipe:\[\d+\], whose other end is open in sleep 60`},
		{"silent-peer", "python3", python(silentPeer),
			"waiting-on-peer", []string{`address 127\.0\.0\.1:\d+`, `local 127\.0\.0\.1:\d+`, `job\.py \(pid \d+\)`}, `on this machine .*job\.py \(pid \d+\)`},
		{"child", "sh", sh(`echo ready; sleep 60; :`),
			"waiting-on-child", []string{`sleep 60`, `wait4`}, `its child sleep 60 \(pid \d+\) to end`},
		{"poll", "python3", python(pollSeveral),
			"waiting-on-input", []string{`poll\(\[\{fd=\d+, events=POLLIN\}, \{fd=\d+, events=POLLIN\}\], 2, -1`, `job\.py \(pid \d+\)`},
			`data from socket:\[\d+\], on this machine .*job\.py`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stage.Need(t, tt.needs)
			s := stage.New(t)
			l := start(t, s, tt.argv(s)...)
			time.Sleep(1600 * time.Millisecond) // what has lasted for less is no hang
			ways := [][]string{{"--snapshot"}, {"--timeout", "200ms", "--backend", "ptrace"}}
			if os.Geteuid() == 0 {
				ways = append(ways, []string{"--timeout", "200ms", "--backend", "ebpf"})
			}
			for _, way := range ways {
				settles(t, func() string {
					a := attach(t, s, append(way, "-p", l.pid())...)
					if a.Verdict.Cause != tt.cause {
						return fmt.Sprintf("%q: cause %q, want %q\n%s", way, a.Verdict.Cause, tt.cause, a.raw)
					}
					for _, f := range tt.facts {
						if !regexp.MustCompile(f).MatchString(a.Verdict.text()) {
							return fmt.Sprintf("%q: the verdict lacks %q\n%s", way, f, a.raw)
						}
					}
					var waits []string
					for _, th := range a.Threads {
						waits = append(waits, th.Waits...)
					}
					if !regexp.MustCompile(tt.waits).MatchString(strings.Join(waits, "\n")) {
						return fmt.Sprintf("%q: no thread waits for %q but for %q", way, tt.waits, waits)
					}
					return ""
				})
			}
		})
	}
}

// A program that does its work, or has none, is accused of nothing.
func TestAttachHealthy(t *testing.T) {
	culprit(t)
	stage.Need(t, "python3")
	for name, tt := range map[string]struct{ source, title string }{
		"busy":   {"print('ready', flush=True)\nwhile True: pass\n", `computes|is running`},
		"works":  {"import os, time\nprint('ready', flush=True)\nwhile True: os.stat('/'); time.sleep(0.01)\n", `works|sleeps|is running`},
		"server": {"import socket\ns = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\nprint('ready', flush=True)\ns.accept()\n", `waits for clients`},
		"sleeps": {"import time\nprint('ready', flush=True)\ntime.sleep(60)\n", `sleeps`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage.New(t)
			l := start(t, s, "/usr/bin/python3", s.File("job.py", tt.source, 0o644))
			time.Sleep(1200 * time.Millisecond)
			for _, way := range [][]string{{"--snapshot"}, {"--timeout", "300ms"}} {
				settles(t, func() string {
					a := attach(t, s, append(way, "-p", l.pid())...)
					if a.Verdict.Cause != "ok" || !regexp.MustCompile(tt.title).MatchString(a.Verdict.Title) {
						return fmt.Sprintf("%q: %s: %q, want ok: %q", way, a.Verdict.Cause, a.Verdict.Title, tt.title)
					}
					return ""
				})
			}
		})
	}
}

// patient waits in calls that an interruption ends with EINTR unless somebody
// sees to it: it says which of them did.
const patient = `#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <poll.h>
#include <time.h>

static int pipes[2], pair[2], sem, failed;
static void check(const char *what, long ret) {
	if (ret == -1) {
		printf("%s: errno %d\n", what, errno);
		failed = 1;
	}
}
static void *epolls(void *x) {
	struct epoll_event e = {.events = EPOLLIN};
	int fd = epoll_create1(0);
	epoll_ctl(fd, EPOLL_CTL_ADD, pipes[0], &e);
	check("epoll_wait", epoll_wait(fd, &e, 1, -1));
	return x;
}
static void *sems(void *x) {
	struct sembuf b = {0, -1, 0};
	check("semop", semop(sem, &b, 1));
	return x;
}
static void *receives(void *x) {
	char c;
	check("recv", recv(pair[0], &c, 1, 0));
	return x;
}
static void *signals(void *x) {
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	struct timespec t = {60, 0};
	check("sigtimedwait", sigtimedwait(&s, NULL, &t));
	return x;
}
static void *polls(void *x) {
	struct pollfd p = {pipes[0], POLLIN, 0};
	check("poll", poll(&p, 1, 60000));
	return x;
}
static void *sleeps(void *x) {
	struct timespec t = {2, 0};
	check("nanosleep", nanosleep(&t, NULL));
	return x;
}
int main(void) {
	void *(*jobs[])(void *) = {epolls, sems, receives, signals, polls, sleeps};
	pthread_t t[6];
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	pipe(pipes);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	struct timeval limit = {60, 0};
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	sem = semget(IPC_PRIVATE, 1, 0600);
	for (int i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, jobs[i], NULL);
	usleep(200000);
	puts("ready");
	fflush(stdout);
	char c;
	read(0, &c, 1);
	write(pipes[1], "x", 1);
	write(pair[1], "x", 1);
	kill(getpid(), SIGUSR1);
	struct sembuf b = {0, 1, 0};
	semop(sem, &b, 1);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	semctl(sem, 0, IPC_RMID);
	return failed;
}
`

// No call of the program fails because culprit came and went.
func TestAttachInterruptsNothing(t *testing.T) {
	t.Parallel()
	stage.Need(t, "gcc")
	s := stage.New(t)
	l := start(t, s, s.C("patient", patient))
	for range 3 {
		a := attach(t, s, "--timeout", "100ms", "--backend", "ptrace", "-p", l.pid())
		if n := len(a.Threads); n < 6 || n > 7 { // one only sleeps
			t.Errorf("%d threads, want 6 or 7", n)
		}
		attach(t, s, "--snapshot", "-p", l.pid())
	}
	if _, err := l.in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(l.out)
	if err := l.Wait(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// spawning makes and joins threads, and processes, all the time.
const spawning = `#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static void *nothing(void *x) { return x; }
static int count;
static volatile int done;
static void *spawn(void *x) {
	while (!done) {
		pthread_t t;
		if (pthread_create(&t, NULL, nothing, NULL) || pthread_join(t, NULL))
			return "thread";
		int st, pid = fork();
		if (pid == 0)
			_exit(7);
		if (waitpid(pid, &st, 0) != pid || !WIFEXITED(st) || WEXITSTATUS(st) != 7)
			return "child";
		__sync_fetch_and_add(&count, 1);
	}
	return NULL;
}
int main(void) {
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, spawn, NULL);
	puts("ready");
	fflush(stdout);
	getchar();
	done = 1;
	for (int i = 0; i < 4; i++) {
		void *bad;
		pthread_join(t[i], &bad);
		if (bad)
			return printf("%s\n", (char *)bad), 1;
	}
	return count > 0 ? 0 : 2;
}
`

func TestAttachWhileSpawning(t *testing.T) {
	t.Parallel()
	stage.Need(t, "gcc")
	s := stage.New(t)
	l := start(t, s, s.C("spawning", spawning))
	for range 4 {
		attach(t, s, "--timeout", "150ms", "--backend", "ptrace", "-p", l.pid())
	}
	l.in.Close()
	out, _ := io.ReadAll(l.out)
	if err := l.Wait(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// A stopped process stays stopped, and is said to be.
func TestAttachStopped(t *testing.T) {
	t.Parallel()
	s := stage.New(t)
	l := start(t, s, "sh", "-c", "echo ready; read x; echo got $x; exit 3")
	if err := l.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for _, way := range [][]string{{"--snapshot"}, {"--timeout", "200ms", "--backend", "ptrace"}} {
		a := attach(t, s, append(way, "-p", l.pid())...)
		if a.Verdict.Cause != "unknown" || !strings.Contains(a.Verdict.Title, "stopped") {
			t.Errorf("%q: %s: %s", way, a.Verdict.Cause, a.Verdict.Title)
		}
		if st := l.state(); st != "T" {
			t.Errorf("%q: state %s afterwards", way, st)
		}
	}
	if err := l.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(l.in, "it")
	l.expect("got it")
	if err := l.Wait(); l.ProcessState.ExitCode() != 3 {
		t.Errorf("%v, want status 3", err)
	}
}

// The program goes on when culprit is killed, and ends as it would.
func TestAttachKilled(t *testing.T) {
	t.Parallel()
	s := stage.New(t)
	l := start(t, s, "sh", "-c", `trap 'echo caught' USR1; echo ready; while read x; do echo got $x; /bin/true; done; exit 3`)
	cmd := exec.Command(culprit(t), "attach", "-q", "--backend", "ptrace", "-o", s.Path("k.pcapng"), "-p", l.pid())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.traced()
	fmt.Fprintln(l.in, 1)
	l.expect("got 1")
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	fmt.Fprintln(l.in, 2)
	l.expect("got 2")
	if err := l.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	l.expect("caught")
	if l.hasTracer() {
		t.Error("it is still traced")
	}
	l.in.Close()
	if err := l.Wait(); l.ProcessState.ExitCode() != 3 {
		t.Errorf("%v, want status 3", err)
	}
}

// The end of a process that was attached to is explained like that of a run,
// and its parent still gets its status.
func TestAttachUntilEnd(t *testing.T) {
	t.Parallel()
	s := stage.New(t)
	l := start(t, s, "sh", "-c", "echo ready; read x; exec cat conf/app.toml 2>/dev/null")
	waited := make(chan error, 1)
	go func() {
		l.traced()
		fmt.Fprintln(l.in, "go")
		waited <- l.Wait()
	}()
	a := attach(t, s, "--backend", "ptrace", "-p", l.pid())
	if a.Exit.Code == nil || *a.Exit.Code != 1 || a.Verdict.Cause != "file-missing" || !strings.Contains(a.Verdict.text(), "conf/app.toml") {
		t.Error(a.raw)
	}
	if err := <-waited; l.ProcessState.ExitCode() != 1 {
		t.Errorf("%v, want status 1", err)
	}
}
