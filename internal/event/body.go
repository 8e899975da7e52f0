package event

import "strings"

// Header opens a recording. Its envelope's Time and Wall are one pair of the
// two clocks.
type Header struct {
	Culprit string   // version that recorded
	Wall    int64    // CLOCK_REALTIME, ns since 1970, at the envelope's Time
	Command []string // as given
	Cwd     string
	Path    string   // PATH of the environment that the command was looked up in
	Host    string   // uname nodename
	Kernel  string   // uname release
	Machine string   // uname machine, e.g. x86_64
	UID     uint32   // effective user
	Backend string   // kernel lens: "ptrace", "ebpf" or "" when off
	Added   []string // NAME=VALUE that culprit put into the program's environment
	Env     []string // NAME=VALUE of the rest of it
	Dir     string   // the run's private directory, which the agent's own calls work on; "" when there was none
}

// Private is the run's private directory, which older cases name among what was
// added to the environment; "" when there was none.
func (h *Header) Private() string {
	for _, v := range h.Added {
		if dir, ok := strings.CutPrefix(v, "CULPRIT_DIR="); ok && h.Dir == "" && len(dir) > 1 {
			return dir
		}
	}
	return h.Dir
}

// Arch is an AUDIT_ARCH_* value (linux/audit.h): which table NR indexes.
type Arch uint32

// Architectures that the recorders meet.
const (
	ArchX8664   Arch = 0xC000003E
	ArchI386    Arch = 0x40000003
	ArchAArch64 Arch = 0xC00000B7
)

// Phase says when memory was copied.
type Phase uint8

// Memory is copied before the kernel has seen a call, or after it returned.
const (
	Enter Phase = 0
	Leave Phase = 1
)

// Mem is a piece of the traced thread's memory. A piece shorter than the call
// asked for means that the rest was not readable or over the limit; which of
// the two a decoder tells from the arguments.
type Mem struct {
	At   Phase
	Addr uint64
	Data []byte
}

// Syscall flags.
const (
	Unfinished uint8 = 1 << iota // the run (or the thread) ended inside the call
	Injected                     // made by culprit inside the program, not by the program
)

// Syscall is one system call of one thread, raw. The envelope's Time is the
// entry. Memory is sparse: nested structures (msghdr, iovec, argv) are further
// pieces at the addresses that their parents name.
type Syscall struct {
	Arch  Arch
	NR    uint32
	Flags uint8
	Args  [6]uint64
	Ret   int64 // as the kernel returns it: -4095..-1 is -errno
	Dur   int64 // ns from entry to exit
	Mem   []Mem
	Stack uint32 // number of the Stack that made the call, 0 when not known
}

// Fork says that the envelope's thread made a child by fork, vfork, clone or
// clone3. Thread is set when the child is a thread of the same group.
type Fork struct {
	Child  int32
	Thread bool
}

// Exec is a successful execve: what the process is from now on, as /proc tells.
type Exec struct {
	Exe    string // link /proc/PID/exe
	Argv   []string
	Cwd    string
	UID    uint32
	Secure bool  // AT_SECURE: set-uid, set-gid or file capabilities took effect
	Former int32 // tid that called execve when it was not the leader, else 0
}

// Exit is the end of a thread; Status is a wait status (wait(2)) and counts for
// the process when the thread is its leader.
type Exit struct {
	Status uint32
}

// Signal is a signal about to be delivered to the thread: the raw siginfo_t
// (sigaction(2)), 128 bytes.
type Signal struct {
	Siginfo []byte
}

// FD says what a descriptor of the envelope's process is from this time on,
// until it is closed or another FD event names the same number.
type FD struct {
	FD     int32
	Link   string // link /proc/PID/fd/N: a path, "socket:[N]", "pipe:[N]", "anon_inode:..."
	Local  []byte // sockaddr of a socket, empty when not known
	Remote []byte // sockaddr of its peer
	Type   uint32 // SOCK_STREAM, ... (socket(2)); 0 for what is no socket
}

// Peek is what lay unread in a socket's receive queue, looked at from outside
// without taking it (SIOCINQ, MSG_PEEK).
type Peek struct {
	FD     int32
	Link   string // "socket:[N]"
	When   string // "write-failed", "close", "exit"
	Queued uint32 // bytes in the queue
	Data   []byte // at most the recorder's limit
}

// Secrets are lines of an NSS key log that the program wrote.
type Secrets struct {
	Source string // "SSLKEYLOGFILE", "agent", "uprobe:openssl", ...
	Lines  []byte
}

// Plain is a piece of what a thread read or wrote through a TLS library, taken
// where the session's secrets are not known. The envelope has the time at which
// the call returned.
type Plain struct {
	Source string // "uprobe:openssl", ...
	Object uint64 // the session: the address that the program knows it by
	Write  bool
	Dur    int64 // ns that the call took
	At     int64 // bytes that the call moved before Data
	Total  int64 // bytes that the call moved
	Data   []byte
}

// Agent is a run of whole records of an in-process agent, as they stood in its
// ring (internal/lens/python has the format).
type Agent struct {
	Lang string // "python"
	Data []byte
}

// File is the content of a file at the time of the run, kept because the
// diagnosis or a view needs it later: source text, resolv.conf, mountinfo.
type File struct {
	Path string
	Size int64  // of the whole file
	Data []byte // at most the recorder's limit
}

// Loss counts what a lens saw and could not keep.
type Loss struct {
	Lens  string // "kernel", "code", "wire"
	What  string
	Count uint64
	Bytes uint64
}

// Note is a fact about coverage: what a lens could or could not see, and why.
// Code is a stable word in kebab case.
type Note struct {
	Lens string
	Code string
	Text string
}

// Wait is what a thread was doing when the recorder looked: at the end of a run
// that it ended, when the program was interrupted, or at a running program.
type Wait struct {
	State   string // letter of /proc/PID/status: "S", "R", "D", ...
	Wchan   string // /proc/PID/wchan
	Syscall string // /proc/PID/syscall
	Stack   []byte // /proc/PID/stack, as root
	Look    uint32 // which look it belongs to: the highest number is the newest
	Comm    string // /proc/PID/task/TID/comm
	Asleep  int64  // ns since the thread last ran, 0: not known
	CPU     int64  // ns that the thread has run so far
}

// Spawn is how the start of the command went: the paths tried in order, and the
// errno of the last try (0 when it runs).
type Spawn struct {
	Errno uint32
	Tried []string
}

// End closes a recording. A case without one was cut off.
type End struct {
	Status   uint32 // wait status of the command
	Timeout  bool   // ended by --timeout
	Detached bool   // the program runs on: it was attached to and let go
}

// Kind methods: one a body.

func (*Header) Kind() Kind  { return KindHeader }
func (*Syscall) Kind() Kind { return KindSyscall }
func (*Fork) Kind() Kind    { return KindFork }
func (*Exec) Kind() Kind    { return KindExec }
func (*Exit) Kind() Kind    { return KindExit }
func (*Signal) Kind() Kind  { return KindSignal }
func (*FD) Kind() Kind      { return KindFD }
func (*Peek) Kind() Kind    { return KindPeek }
func (*Secrets) Kind() Kind { return KindSecrets }
func (*Plain) Kind() Kind   { return KindPlain }
func (*Agent) Kind() Kind   { return KindAgent }
func (*File) Kind() Kind    { return KindFile }
func (*Loss) Kind() Kind    { return KindLoss }
func (*Note) Kind() Kind    { return KindNote }
func (*Wait) Kind() Kind    { return KindWait }
func (*Spawn) Kind() Kind   { return KindSpawn }
func (*End) Kind() Kind     { return KindEnd }
