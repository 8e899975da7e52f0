/* A program that does to its recorder what a hostile or broken one would. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE 4096

/* Two pages, the second of which is not there: the end of the first. */
static char *edge(void)
{
	char *p = mmap((void *)0x10000000, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	munmap(p + PAGE, PAGE);
	memset(p, 'a', PAGE);
	return p + PAGE;
}

static int edges(void)
{
	char *end = edge();
	int null = open("/dev/null", O_WRONLY);
	struct iovec *v = (struct iovec *)end - 1;
	struct sockaddr_un *a = (void *)(end - 10);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	open(end - 10, O_RDONLY); /* no NUL byte */
	open(end - 1, O_RDONLY);
	open(end, O_RDONLY);
	memcpy(end - 8, "/no/way", 8); /* NUL is the last byte */
	open(end - 8, O_RDONLY);
	write(null, end - 100, 100);
	write(null, end - 100, 200);
	write(1, end - 100, 200);
	setxattr("/nonexistent", "user.x", end - 5, 5, 0);
	setxattr("/nonexistent", "user.x", end - 5, 50, 0);
	*v = (struct iovec){ end - 4, 4 };
	writev(null, v, 1);
	writev(null, v, 2);
	*v = (struct iovec){ end - 4, 8 };
	writev(1, v, 1);
	memset(a, 0, 10);
	a->sun_family = AF_UNIX;
	connect(s, (void *)a, 10);
	connect(s, (void *)a, 11);
	sendto(s, end - 5, 5, 0, (void *)a, 10);
	return 0;
}

static int wild(void)
{
	static const unsigned long where[] = { 1, PAGE - 1, 0xdeadbeef000, 0x7fffffffefff, 0x800000000000,
		0x8000000000000000, 0xffff888000000000, 0xffffffff81000000, 0xffffffffffffffff };
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), p[2];
	struct msghdr m = { 0 };
	static struct iovec v[1024];
	struct stat st;

	pipe(p);
	write(p[1], "0123456789", 10);
	for (unsigned i = 0; i < sizeof(where) / sizeof(*where); i++) {
		void *x = (void *)where[i];
		char *argv[] = { "x", x, 0 };

		open(x, O_RDONLY);
		syscall(SYS_newfstatat, AT_FDCWD, "/", x, 0);
		read(p[0], x, 4);
		write(p[1], x, 4);
		readv(p[0], x, 3);
		writev(p[1], x, 1024);
		sendmsg(s, x, 0);
		recvmsg(s, x, MSG_DONTWAIT);
		syscall(SYS_sendmmsg, s, x, 5, 0);
		bind(s, x, 20);
		connect(s, x, -1);
		getsockname(s, x, x);
		setsockopt(s, SOL_SOCKET, SO_RCVBUF, x, 4);
		getsockopt(s, SOL_SOCKET, SO_RCVBUF, x, x);
		execve(x, x, x);
		execve("/nonexistent", argv, x);
		syscall(SYS_futex, x, 0, 0, x, x, 0);
		syscall(SYS_ppoll, x, 7, x, x, 8);
		syscall(SYS_epoll_ctl, s, 1, s, x);
		syscall(SYS_rt_sigaction, 10, x, x, 8);
		syscall(SYS_clone3, x, 88);
		ioctl(s, 0x8912, x);
		prctl(PR_SET_NAME, x);
		for (int j = 0; j < 1024; j++)
			v[j] = (struct iovec){ x, 1L << 40 };
		writev(p[1], v, 1);
		m.msg_iov = v;
		m.msg_iovlen = 1;
		m.msg_control = x;
		m.msg_controllen = 1L << 40;
		m.msg_name = x;
		m.msg_namelen = 1 << 30;
		sendmsg(s, &m, MSG_DONTWAIT);
		m.msg_iovlen = -1;
		sendmsg(s, &m, MSG_DONTWAIT);
	}
	return 0;
}

static int longest(void)
{
	static char path[1 << 20], *argv[600];
	static struct iovec v[1025];
	int null = open("/dev/null", O_WRONLY);

	memset(path, 'p', sizeof(path) - 1);
	open(path, O_RDONLY);
	path[4095] = 0;
	open(path, O_RDONLY);
	path[4094] = 0;
	open(path, O_RDONLY);
	for (int i = 0; i < 1025; i++)
		v[i] = (struct iovec){ path + i, 3 };
	writev(null, v, 1024);
	writev(null, v, 1025);
	for (int i = 0; i < 599; i++)
		argv[i] = path + 4000;
	execve("/nonexistent", argv, argv);
	return 0;
}

static int numbers(void)
{
	syscall(-1);
	syscall(511, 1, 2, 3);
	syscall(512, 1, 2, 3);
	syscall(99999);
	syscall(0x40000000 | 1, 1, "x32", 3);
	syscall(1UL << 32 | SYS_write, 1, "high", 4);
	return 0;
}

static long old(long nr, long a, long b, long c)
{
	long r = -1;
#ifdef __x86_64__
	asm volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
#endif
	return r;
}

/* Calls of 32-bit programs, made by one of 64 bits. */
static int compat(void)
{
	char *low = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	unsigned *v = (void *)(low + 100);

	strcpy(low, "/old/path");
	old(5, (long)low, 0, 0);	   /* open */
	old(4, 1, (long)low, 9);	   /* write */
	v[0] = (unsigned)(long)low;
	v[1] = 4;
	old(146, 1, (long)v, 1);	   /* writev */
	old(4, 1, 0x123, 9);
	old(9999, 1, 2, 3);
	open("/new/path", O_RDONLY);
	return 0;
}

static volatile int flipping = 1;

static void *flip(void *p)
{
	char *s = p;

	while (flipping)
		for (int i = 0; i < 2; i++)
			memset(s + 1, "xy"[i], 400), s[9] = i ? '/' : 0;
	return 0;
}

/* A path and a buffer that another thread changes all the time. */
static int changing(void)
{
	static char s[512] = "/";
	int null = open("/dev/null", O_WRONLY);
	pthread_t t;

	pthread_create(&t, 0, flip, s);
	for (int i = 0; i < 500; i++) {
		open(s, O_RDONLY);
		write(null, s, 100);
	}
	flipping = 0;
	pthread_join(t, 0);
	return 0;
}

static int again(int n, char **argv)
{
	char left[16];

	if (n == 0)
		return 3;
	snprintf(left, sizeof(left), "%d", n - 1);
	argv[2] = left;
	execv("/proc/self/exe", argv);
	return 1;
}

static int children(int n)
{
	for (int i = 0; i < n; i++)
		if (!fork()) {
			access("/child", F_OK);
			_exit(i & 63);
		}
	while (wait(0) > 0)
		;
	return 0;
}

/* Children that are killed in a call that does not return. */
static int killed(void)
{
	int p[2], ready[2];
	char c;

	pipe(p);
	pipe(ready);
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (!pid) {
			write(ready[1], "r", 1);
			read(p[0], &c, 1);
			_exit(1);
		}
		read(ready[0], &c, 1);
		usleep(20000); /* now it is in its read */
		kill(pid, SIGKILL);
		waitpid(pid, 0, 0);
	}
	return 0;
}

static int elsewhere(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS))
		return 1;
	if (!fork()) { /* it is number 1 there */
		access("/first", F_OK);
		if (!fork()) {
			access("/second", F_OK);
			kill(getpid(), 0);
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		wait(0);
		_exit(getpid() == 1 ? 0 : 1);
	}
	wait(0);
	access("/outside", F_OK);
	return 0;
}

int main(int argc, char **argv)
{
	const char *m = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;

	if (!strcmp(m, "edges")) return edges();
	if (!strcmp(m, "wild")) return wild();
	if (!strcmp(m, "longest")) return longest();
	if (!strcmp(m, "numbers")) return numbers();
	if (!strcmp(m, "compat")) return compat();
	if (!strcmp(m, "changing")) return changing();
	if (!strcmp(m, "again")) return again(n, argv);
	if (!strcmp(m, "children")) return children(n);
	if (!strcmp(m, "killed")) return killed();
	if (!strcmp(m, "elsewhere")) return elsewhere();
	return 2;
}
