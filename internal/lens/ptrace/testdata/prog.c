// What the recorder's tests trace: prog MODE. A mode prints what it found, so
// that a traced run can be compared with a plain one.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void touch(const char *name) { access(name, F_OK); }

static void *thread_touch(void *name) { touch(name); return 0; }

static void *thread_exec(void *arg) {
	char *argv[] = {"echo", "from", "a", "thread", 0};
	execv("/bin/echo", argv);
	return 0;
}

static void *thread_sleep(void *arg) { for (;;) pause(); return 0; }

static int tree(void) {
	int st;
	pthread_t th[4];
	static char *names[] = {"/touch/thread0", "/touch/thread1", "/touch/thread2", "/touch/thread3"};
	for (int i = 0; i < 4; i++) pthread_create(&th[i], 0, thread_touch, names[i]);
	for (int i = 0; i < 4; i++) pthread_join(th[i], 0);
	if (!fork()) { touch("/touch/fork"); _exit(3); }
	wait(&st); printf("fork %d\n", WEXITSTATUS(st));
	if (!vfork()) { execl("/bin/sh", "sh", "-c", "exit 5", NULL); _exit(1); }
	wait(&st); printf("vfork %d\n", WEXITSTATUS(st));
	struct clone_args a = {.exit_signal = SIGCHLD};
	long p = syscall(SYS_clone3, &a, sizeof a);
	if (!p) { touch("/touch/clone3"); _exit(7); }
	wait(&st); printf("clone3 %d\n", WEXITSTATUS(st));
	a.flags = CLONE_FILES;
	p = syscall(SYS_clone3, &a, sizeof a);
	if (!p) { touch("/touch/clonefiles"); _exit(9); }
	wait(&st); printf("clonefiles %d\n", WEXITSTATUS(st));
	return 0;
}

static void on_term(int s) { touch("/touch/handler"); _exit(42); }

static int stop_and_go(void) {
	raise(SIGSTOP);
	touch("/touch/continued");
	return 6;
}

static int close_all(void) {
	for (int i = 0; i < 1024; i++) close(i);
	touch("/touch/closed");
	return open("/etc/passwd", O_RDONLY) == 0 ? 4 : 1;
}

static int own_filter(void) {
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = {4, f};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p)) return 1;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	printf("socket %d %s\n", s, strerror(errno));
	touch("/touch/filtered");
	return 0;
}

static int undumpable(void) {
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	touch("/touch/undumpable");
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static int daemonize(void) {
	if (!fork()) {
		setsid();
		if (!fork()) {
			struct timespec ts = {0, 700 * 1000 * 1000};
			nanosleep(&ts, 0);
			int fd = open(getenv("MARK"), O_CREAT | O_WRONLY, 0600);
			if (fd < 0 || write(fd, "x", 1) != 1) _exit(1);
			_exit(0);
		}
		_exit(0);
	}
	wait(0);
	return 0;
}

// A server that answers early and closes with data unread, so that the client
// meets a reset; the client reads the answer only afterwards.
static int answer(int family) {
	int c, s, n;
	char buf[256];
	signal(SIGPIPE, SIG_IGN);
	if (family == AF_UNIX) {
		int p[2];
		socketpair(AF_UNIX, SOCK_STREAM, 0, p);
		c = p[0]; s = p[1];
	} else {
		int l = socket(AF_INET, SOCK_STREAM, 0);
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
		socklen_t len = sizeof a;
		bind(l, (void *)&a, len); listen(l, 1);
		getsockname(l, (void *)&a, &len);
		c = socket(AF_INET, SOCK_STREAM, 0);
		connect(c, (void *)&a, len);
		s = accept(l, 0, 0);
		close(l);
	}
	n = write(c, "POST / HTTP/1.1\r\n", 17);
	printf("write %d\n", n);
	n = write(s, "HTTP/1.1 413 Too Large\r\n\r\n", 26);
	printf("answer %d\n", n);
	close(s);
	usleep(20000);
	for (int i = 0; i < 3; i++) {
		n = write(c, "more", 4);
		printf("write %d %s\n", n, n < 0 ? strerror(errno) : "");
	}
	for (int i = 0; i < 3; i++) {
		n = recv(c, buf, sizeof buf, MSG_DONTWAIT);
		printf("read %d %s %.*s\n", n, n < 0 ? strerror(errno) : "", n > 0 ? n : 0, buf);
	}
	int e = 0; socklen_t el = sizeof e;
	getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &el);
	printf("error %s\n", strerror(e));
	close(c);
	return 0;
}

// An answer and an error wait; the program asks for the error only.
static int pending(void) {
	int l = socket(AF_INET, SOCK_STREAM, 0), c, s, e = 0;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof a, el = sizeof e;
	bind(l, (void *)&a, len); listen(l, 1);
	getsockname(l, (void *)&a, &len);
	c = socket(AF_INET, SOCK_STREAM, 0);
	connect(c, (void *)&a, len);
	s = accept(l, 0, 0);
	write(c, "x", 1);
	write(s, "unread answer", 13);
	struct linger lg = {1, 0};
	setsockopt(s, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
	close(s);
	usleep(20000);
	shutdown(dup(l), SHUT_RDWR);
	int d = dup(c);
	close(d); // looked at here: the error must survive
	getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &el);
	printf("error %s\n", strerror(e));
	return 0; // and the queue is looked at again at the end
}

static int partial(void) {
	int p[2], size = 4096, total = 0;
	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	char *big = malloc(1 << 20);
	for (int i = 0; i < 1 << 20; i++) big[i] = i * 7 + i / 251;
	for (int i = 0; i < 3; i++) {
		int n = write(p[0], big + total, (1 << 20) - total);
		printf("write %d\n", n);
		if (n > 0) total += n;
	}
	return 0;
}

static int iovecs(void) {
	int p[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	struct iovec v[3] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};
	printf("sent %zd\n", sendmsg(p[0], &m, 0));
	char a[6], b[32];
	struct iovec w[2] = {{a, 6}, {b, 32}};
	struct msghdr n = {.msg_iov = w, .msg_iovlen = 2};
	printf("got %zd\n", recvmsg(p[1], &n, 0));
	return 0;
}

static int flood(long total, int count) {
	int p[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	char *big = calloc(1, 1 << 20);
	if (!fork()) {
		close(p[0]);
		while (read(p[1], big, 1 << 20) > 0) {}
		_exit(0);
	}
	close(p[1]);
	for (long n = 0; n < total;) n += write(p[0], big, count);
	close(p[0]);
	wait(0);
	return 0;
}

static int traces(void) {
	errno = 0;
	long r = ptrace(PTRACE_TRACEME, 0, 0, 0);
	printf("ptrace %ld %s\n", r, strerror(errno));
	return 0;
}

static int maps(void) {
	mmap(0, 64 << 10, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(0, 3 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(0, 1L << 48, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 0;
}

// Children that die and are born at once, threads that are killed in calls.
static int storm(void) {
	for (int i = 0; i < 60; i++) {
		pid_t p = fork();
		if (!p) {
			pthread_t th;
			for (int k = 0; k < 3; k++) pthread_create(&th, 0, thread_sleep, 0);
			if (i % 3 == 0) { if (!fork()) _exit(0); }
			if (i % 3 == 1) kill(getpid(), SIGKILL);
			if (i % 3 == 2) execl("/bin/true", "true", NULL);
			_exit(i % 7);
		}
		if (i % 5 == 0) kill(p, SIGKILL);
	}
	int n = 0;
	while (wait(0) > 0) n++;
	printf("reaped %d\n", n);
	return 0;
}

static int quiet(long n) { // calls that nobody records
	for (long i = 0; i < n; i++) syscall(SYS_getppid);
	return 0;
}

static int busy(long n) { // calls that are recorded
	char b;
	int fd = open("/dev/zero", O_RDONLY);
	for (long i = 0; i < n; i++) if (read(fd, &b, 1) != 1) return 1;
	return 0;
}

static void on_crash(int sig) { _exit(7); }

// Ends deep in itself: n says how.
__attribute__((noinline)) int crash_inner(long n) {
	if (n == 1) abort();
	else *(volatile int *)16 = 1;
	return n;
}

__attribute__((noinline)) int crash_outer(long n) { return crash_inner(n) + 1; }

// The processes of the mode crash: one a row, each with an end of its own.
static int crash(void) {
	for (long n = 0; n < 4; n++) {
		if (fork() == 0) {
			if (n == 2) signal(SIGSEGV, on_crash);
			if (n == 3) signal(SIGABRT, SIG_IGN), raise(SIGABRT), _exit(3);
			_exit(crash_outer(n));
		}
		wait(0);
	}
	return 0;
}

int main(int argc, char **argv) {
	const char *m = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;
	setvbuf(stdout, 0, _IOLBF, 0);
	if (!strcmp(m, "tree")) return tree();
	if (!strcmp(m, "execthread")) {
		pthread_t th, other;
		pthread_create(&other, 0, thread_sleep, 0);
		pthread_create(&th, 0, thread_exec, 0);
		pthread_join(th, 0);
		return 1;
	}
	if (!strcmp(m, "kill9")) { raise(SIGKILL); return 1; }
	if (!strcmp(m, "segv")) { *(volatile int *)16 = 1; return 1; }
	if (!strcmp(m, "crash")) return crash();
	if (!strcmp(m, "term")) { signal(SIGTERM, on_term); kill(getpid(), SIGTERM); return 1; }
	if (!strcmp(m, "stop")) return stop_and_go();
	if (!strcmp(m, "closeall")) return close_all();
	if (!strcmp(m, "filter")) return own_filter();
	if (!strcmp(m, "undumpable")) return undumpable();
	if (!strcmp(m, "daemon")) return daemonize();
	if (!strcmp(m, "answer-unix")) return answer(AF_UNIX);
	if (!strcmp(m, "answer-tcp")) return answer(AF_INET);
	if (!strcmp(m, "pending")) return pending();
	if (!strcmp(m, "partial")) return partial();
	if (!strcmp(m, "iovecs")) return iovecs();
	if (!strcmp(m, "flood")) return flood(n, 1 << 20);
	if (!strcmp(m, "traces")) return traces();
	if (!strcmp(m, "maps")) return maps();
	if (!strcmp(m, "storm")) return storm();
	if (!strcmp(m, "quiet")) return quiet(n);
	if (!strcmp(m, "busy")) return busy(n);
	if (!strcmp(m, "hang")) {
		int p[2], q[2];
		char b[8];
		pipe(p);
		socketpair(AF_UNIX, SOCK_STREAM, 0, q);
		write(q[0], "left", 4);
		read(q[1], b, 1);
		return read(p[0], b, 1);
	}
	fprintf(stderr, "no mode %s\n", m);
	return 99;
}
