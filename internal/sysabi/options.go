package sysabi

// Options say how a call is printed; the zero value prints as strace(1) does
// without options, but for the column.
type Options struct {
	StrLen  int  // bytes of a string, elements of an array; 32 when 0, none when negative (strace -s)
	Verbose bool // structures in full (strace -v)
	Hex     bool // strings with bytes outside ASCII in hex (strace -x)
	Escape  Escape
	Style   Style
	// Addresses prints structures and arrays as their addresses (strace -e
	// verbose=!CALL).
	Addresses bool
	Column    int // column of the result's "=" (strace -a); 0 puts it after one space

	// Followed: all memory that the call points to was copied, as far as it can be
	// read. A recorder that follows the first level only leaves it false.
	Followed bool
	// Names prints all arguments' names (strace --arg-names).
	Names bool

	// FD appends what is known of a descriptor, "</etc/passwd>" (strace -y);
	// fd is -100 (AT_FDCWD) for the working directory. It may be nil.
	FD func(b []byte, fd int64) []byte

	// TheirFD does the same for a descriptor of the process that pidfd stands for.
	TheirFD func(b []byte, pidfd, fd int64) []byte

	// Terminal says whether a descriptor is a terminal: some ioctl requests mean
	// one thing there and another elsewhere. It may be nil, which counts as true.
	Terminal func(fd int64) bool

	// PID appends what is known of a process or thread (strace --decode-pids);
	// id is greater than 0. It may be nil.
	PID func(b []byte, id int64, kind PIDKind) []byte

	// Netlink returns the protocol of the netlink socket that a descriptor is
	// (netlink(7), NETLINK_ROUTE is 0), NetlinkUnknown when it is not known which,
	// NotNetlink for other descriptors. It may be nil.
	Netlink func(fd int64) int

	// Generic returns the name of a family of generic netlink, "" when it isn't
	// known. It may be nil.
	Generic func(id uint16) string

	// Interface returns the name of a network interface, "" when it isn't known.
	// It may be nil.
	Interface func(index uint32) string

	// Path appends what is known of the file that path names, starting from the
	// directory dirfd, -100 (AT_FDCWD) for the working directory (strace
	// --secontext). It may be nil.
	Path func(b []byte, dirfd int64, path []byte) []byte
}

// PIDKind says which of the numbers of a process is meant.
type PIDKind uint8

// Kinds of numbers: of the thread, the process, its group, its session.
const (
	TID PIDKind = iota
	TGID
	PGID
	SID
	tgidOrNegativePgid // kill's and wait4's
	noPID              // another number
)

func (o Options) strLen() int {
	if o.StrLen == 0 {
		return 32
	}
	return max(o.StrLen, 0)
}
