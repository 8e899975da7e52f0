package e2e

// Programs that a recorder has trouble with. Each tells by its exit status
// whether all went as it should.

// writer sends 1 GiB to ADDR PORT.
const writer = `#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
static char block[1 << 16];
int main(int argc, char **argv) {
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) };
	inet_pton(AF_INET, argv[1], &a.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof a)) return 1;
	for (size_t i = 0; i < sizeof block; i++) block[i] = rand();
	for (long left = 1L << 30; left > 0;) {
		ssize_t n = write(fd, block, sizeof block);
		if (n <= 0) return 2;
		left -= n;
	}
	return 0;
}
`

// daemon goes into the background and writes a file there 6 s later; the
// process that was started returns 7 at once.
const daemon = `#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
	if (fork()) _exit(7);
	setsid();
	if (fork()) _exit(0);
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0), dup2(null, 1), dup2(null, 2);
	sleep(6);
	int fd = open(argv[1], O_WRONLY | O_CREAT, 0644);
	return fd < 0 || write(fd, "alive\n", 6) != 6;
}
`

// closer closes every descriptor that it may have been given.
const closer = `#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
int main(void) {
	for (int fd = 0; fd < 4096; fd++) close(fd);
	if (write(2, "x", 1) != -1 || errno != EBADF) return 1;
	// Nothing was left open: the lowest free descriptor is 0 (open(2)).
	return open("/dev/null", O_RDONLY) == 0 ? 5 : 2;
}
`

// filtered has a seccomp filter of its own: getppid() fails with EPERM and,
// asked to, uname() kills it.
const filtered = `#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
int main(int argc, char **argv) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_uname, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof code / sizeof *code, code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) return 1;
	errno = 0;
	if (syscall(SYS_getppid) != -1 || errno != EPERM) return 2;
	struct utsname u;
	if (argc > 1) uname(&u);
	puts("filter holds");
	return 9;
}
`

// hidden may not be looked into by others, then fails to open a file.
const hidden = `#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
int main(void) {
	if (prctl(PR_SET_DUMPABLE, 0)) return 1;
	if (prctl(PR_GET_DUMPABLE) != 0) return 2;
	if (open("etc/vault.conf", O_RDONLY) >= 0) return 3;
	puts("vault: no configuration");
	return 8;
}
`
