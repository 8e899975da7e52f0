package ptrace

import (
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/lens/python/inject"
)

// Options configure a Recorder. The zero value records what `run` records.
type Options struct {
	// Trace names the system calls to record, DefaultTrace when nil. A name
	// that an architecture lacks is passed over. Of mmap only anonymous
	// mappings of 1 MiB or more are recorded, of newfstatat and statx those
	// that have a path. 32-bit programs are recorded in full.
	Trace []string

	Snaplen   int   // bytes kept of one transfer through a file; 0: 256
	MaxStream int64 // bytes kept of one socket's traffic; 0: 16 MiB
	MaxPeek   int   // bytes kept of an unread receive queue; 0: 256 KiB

	// Grace is how long Record goes on after the root program's end while
	// descendants are left; 0: 150 ms.
	Grace time.Duration

	// Agent, if set, is brought into every Python interpreter that is started.
	Agent *inject.Agent

	// OnStop is called when the root program was stopped by SIGSTOP, SIGTSTP,
	// SIGTTIN or SIGTTOU; a caller that is its shell's job stops itself then.
	// OnExit is called with the root program's wait status. Both may be nil and
	// run on the thread that traces: everything waits for them.
	OnStop func(unix.Signal)
	OnExit func(unix.WaitStatus)
}

const (
	defaultSnaplen   = 256
	defaultMaxStream = 16 << 20
	defaultMaxPeek   = 256 << 10
	defaultGrace     = 150 * time.Millisecond

	terminalSnaplen = 4096    // of terminals, pipes, and descriptors 1 and 2
	maxTransfer     = 8 << 20 // kept of one call; a case takes events up to 16 MiB
	maxString       = 4096    // PATH_MAX
)

func (o Options) filled() Options {
	if o.Trace == nil {
		o.Trace = DefaultTrace
	}
	if o.Snaplen == 0 {
		o.Snaplen = defaultSnaplen
	}
	if o.MaxStream == 0 {
		o.MaxStream = defaultMaxStream
	}
	if o.MaxPeek == 0 {
		o.MaxPeek = defaultMaxPeek
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	return o
}

// DefaultTrace is what `run` records: whatever names a file, moves data, makes
// or ends a process, changes its rights or limits, or may wait for long. Calls
// that hardly ever explain a failure and come by the thousand (futex, lseek,
// fstat, brk, mprotect, signal masks, clocks) are left alone.
var DefaultTrace = []string{
	// Processes.
	"execve", "execveat", "fork", "vfork", "clone", "clone3", "exit_group", "wait4", "waitid",
	"kill", "tkill", "tgkill", "pidfd_open", "pidfd_send_signal", "pidfd_getfd",
	"prctl", "seccomp", "ptrace", "setrlimit", "prlimit64", "unshare", "setns", "setsid", "setpgid",
	"personality", "kcmp", "process_vm_readv", "process_vm_writev", "restart_syscall",
	// Rights.
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid",
	"capset", "add_key", "request_key", "keyctl", "bpf", "perf_event_open", "landlock_create_ruleset",
	"landlock_add_rule", "landlock_restrict_self", "init_module", "finit_module", "delete_module", "acct",
	"sethostname", "setdomainname", "settimeofday", "clock_settime", "adjtimex", "reboot", "quotactl",
	// Names of files.
	"open", "openat", "openat2", "creat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
	"unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chmod", "fchmod", "fchmodat",
	"fchmodat2", "chown", "lchown", "fchown", "fchownat", "truncate", "ftruncate", "fallocate",
	"utime", "utimes", "utimensat", "futimesat", "statfs", "fstatfs", "chdir", "fchdir", "getcwd", "chroot",
	"pivot_root", "mount", "umount2", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree",
	"mount_setattr", "swapon", "swapoff", "name_to_handle_at", "open_by_handle_at",
	"setxattr", "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr",
	"flistxattr", "removexattr", "lremovexattr", "fremovexattr",
	"inotify_add_watch", "fanotify_mark", "uselib",
	// Descriptors.
	"close", "close_range", "dup", "dup2", "dup3", "pipe", "pipe2", "fcntl", "ioctl", "flock",
	"read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2",
	"getdents", "getdents64", "sendfile", "copy_file_range", "splice", "tee", "vmsplice",
	"fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync",
	"memfd_create", "memfd_secret", "eventfd", "eventfd2", "signalfd", "signalfd4", "timerfd_create",
	"timerfd_settime", "inotify_init", "inotify_init1", "fanotify_init", "userfaultfd",
	"io_setup", "io_submit", "io_getevents", "io_pgetevents", "io_uring_setup", "io_uring_enter", "io_uring_register",
	// Sockets.
	"socket", "socketpair", "bind", "listen", "connect", "accept", "accept4", "getsockname", "getpeername",
	"sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown", "setsockopt", "getsockopt",
	// Waiting.
	"poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait",
	"epoll_pwait", "epoll_pwait2", "nanosleep", "clock_nanosleep", "pause", "rt_sigsuspend", "rt_sigtimedwait",
	// Memory, as far as it can run out; see Options.Trace about mmap.
	"mmap", "mlock", "mlock2", "mlockall",
	// System V and POSIX IPC.
	"shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd", "msgrcv", "msgctl",
	"mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive",
}

// bookkeeping are the calls that the recorder itself must see: they change what
// a descriptor or a process is.
var bookkeeping = []string{
	"close", "close_range", "dup", "dup2", "dup3", "fcntl", "connect", "shutdown", "execve", "execveat",
	"exit_group", "prctl", "seccomp", "ptrace", "unshare", "io_uring_setup",
}
