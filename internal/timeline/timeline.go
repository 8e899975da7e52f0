// Package timeline merges what the lenses recorded into one order and links it:
// which descriptor a call worked on, which connection that is, what was said on
// it once decrypted, which exceptions a process raised meanwhile.
//
// It is a pure function of a recording: no I/O, no clock. It judges nothing;
// that is explain's job.
package timeline

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"

	"culprit/internal/event"
	"culprit/internal/sysabi"
	"culprit/internal/wire"
)

// Timeline is one recorded run.
type Timeline struct {
	Header event.Header
	Start  event.Time // of the recording
	Spawn  *event.Spawn
	End    *event.End // nil: the recording was cut off
	EndAt  event.Time // time of the last event

	Root    *Process
	Procs   []*Process // in order of appearance
	Calls   []*Call    // in order of entry
	Repeats int        // calls that repeat others and are not in Calls, see Options.Whole
	Conns   []*Conn    // in order of appearance
	Lookups []*Lookup
	Lines   []*Line
	Output  []*Call // with Options.Output: the writes to where the command's own output goes
	Files   map[string]*event.File
	Owners  map[string]*event.Owner               // by path, of the programs of a failed run
	Secrets []byte                                // TLS key log lines
	KeyLog  struct{ Lines, Garbage, Dropped int } // what was understood of them
	Loss    []*event.Loss
	Notes   []Note

	Packets    []*Packet // of a recorded run, in order
	Interfaces map[uint32]*event.Interface

	// Of a timeline made from packets: what went by, and the UDP flows.
	Capture *wire.Stats // nil for a recorded run
	Flows   []*wire.Stream

	// Skipped counts records that could not be understood, by reason.
	Skipped map[string]int
}

// Note is a note of the recorder with the process that it is about, if any.
type Note struct {
	event.Note
	PID int32
}

// Process is one thread group from its fork to its end.
type Process struct {
	PID     int32
	Parent  *Process // nil for the root and for strays
	Kids    []*Process
	Start   event.Time
	Exe     string // of the last exec
	Argv    []string
	Cwd     string
	Execs   []*Exec // all programs that it was, in order
	Ended   bool
	EndTime event.Time
	Status  uint32  // wait status, when Ended
	Calls   []*Call // in order of entry
	Signals []*Signal
	Natives []*Native         // stacks of threads that a signal was about to end
	Stands  map[int32]*Native // where its other threads stood at the newest look, by tid, unless that is Stacks' matter
	Raised  []*Exception      // in order
	Python  *Python           // nil: no agent in it
	Waits   []Wait            // what its threads did at the newest look
	Attach  *Attach           // nil: it began within the recording
	Witness

	fds map[int32]slot
}

// Exec is one successful execve.
type Exec struct {
	Time event.Time
	event.Exec
}

// Signal is a signal that was delivered to a process.
type Signal struct {
	Time event.Time
	TID  int32
	sysabi.Siginfo
}

// Wait is what a thread was doing when the recorder looked.
type Wait struct {
	Time event.Time
	TID  int32
	event.Wait
	Call  *Call      // the call that it was in, nil when it was in none or that is not known
	Since event.Time // from when on it had not gone on, as far as it is known
	Used  float64    // share of the time since the look before that it ran, -1: not known
}

// Attach is what is known of a process that was there before the recording.
type Attach struct {
	Started event.Time    // 0: not known
	Threads int           // that were attached to
	Pause   time.Duration // for which the slowest of them stood still
}

// Name is the base name of what the process runs, as its argv says it.
func (p *Process) Name() string {
	if len(p.Argv) > 0 && p.Argv[0] != "" {
		return base(p.Argv[0])
	}
	return base(p.Exe)
}

// Program is what the process runs as a person would name it: the script where
// the executable is an interpreter, else the command.
func (p *Process) Program() string {
	if s := p.Script(); s != "" {
		return base(s)
	}
	return p.Name()
}

// Script is the absolute path of the script that an interpreter runs, "" for
// any other program.
func (p *Process) Script() string {
	exe := strings.TrimRight(base(p.Exe), "0123456789.-")
	switch exe {
	case "python", "perl", "ruby", "node", "bash", "dash", "sh", "php", "pypy", "lua", "tclsh", "zsh", "busybox":
	default:
		return ""
	}
	for _, a := range p.Argv[min(1, len(p.Argv)):] {
		switch {
		case a == "-m" && exe == "python":
			return ""
		case a == "-c", a == "-e", a == "-", strings.HasPrefix(a, "-c"):
			return ""
		case strings.HasPrefix(a, "-"):
			continue
		case path.IsAbs(a):
			return path.Clean(a)
		}
		return path.Join(p.Cwd, a)
	}
	return ""
}

// HowEnded says how the process ended in strace's words: "exited with 1",
// "killed by SIGSEGV".
func (p *Process) HowEnded() string {
	if sig := p.Status & 0x7f; sig != 0 {
		return "killed by " + sysabi.SignalName(int(sig))
	}
	return "exited with " + strconv.Itoa(int(p.Status>>8&0xff))
}

// Desc is what a descriptor of the process was at the end, nil when that is not
// known.
func (p *Process) Desc(fd int32) *Desc { return p.fds[fd].Desc }

// Attached lists the processes that were there before the recording and were
// attached to, or looked at for their sake.
func (t *Timeline) Attached() []*Process {
	var out []*Process
	for _, p := range t.Procs {
		if p.Attach != nil {
			out = append(out, p)
		}
	}
	return out
}

// Alive reports whether the process had not ended by the end of the recording.
func (p *Process) Alive() bool { return !p.Ended }

func base(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// Call is one system call. Its arguments are decoded on demand.
type Call struct {
	Seq   int // index in Timeline.Calls
	Proc  *Process
	TID   int32
	Enter event.Time
	Raw   *event.Syscall
	Desc  *Desc   // of the descriptor it works on, nil when it has none or it is not known
	Path  string  // absolute path that it names, "" when none
	Stack []Frame // of the Python code that made it, innermost first; shared, nil when not known
}

// Leave is the time at which the call returned.
func (c *Call) Leave() event.Time { return c.Enter + event.Time(c.Raw.Dur) }

// Decode reads the call's arguments and result.
func (c *Call) Decode() sysabi.Decoded { return sysabi.Decode(c.Raw) }

// Name is the call's name, e.g. "openat".
func (c *Call) Name() string {
	if k := sysabi.Lookup(c.Raw.Arch, c.Raw.NR); k != nil {
		return k.Name
	}
	return ""
}

// String shows the call with its process as strace would, of long strings the
// beginning.
func (c *Call) String() string {
	return fmt.Sprintf("%s[%d] %s", c.Proc.Name(), c.TID, c.Decode().Append(nil, sysabi.Options{StrLen: 12}))
}

// Errno is the error that the call returned, 0 when it succeeded or did not return.
func (c *Call) Errno() sysabi.Errno {
	if r := c.Raw.Ret; r < 0 && r >= -4095 && c.Raw.Flags&event.Unfinished == 0 {
		return sysabi.Errno(-r)
	}
	return 0
}

// DescKind is what an open file description is.
type DescKind uint8

// Kinds of open file descriptions.
const (
	DescOther DescKind = iota
	DescFile
	DescSocket
	DescPipe
	DescTTY
)

// Desc is an open file description, shared by every descriptor that refers to it.
type Desc struct {
	Kind  DescKind
	Link  string         // as /proc/PID/fd/N shows it, "" until known
	Path  string         // of a file
	Type  uint32         // SOCK_STREAM, ...
	Conn  *Conn          // of a socket that talked or tried to
	Local netip.AddrPort // of a socket without a peer
	Peer  *Desc          // other end of a pipe or socketpair made inside the run
	Opens *Call          // the call that made it, nil for an inherited one

	netlink bool // its own address is one of netlink
}

// Netlink returns the protocol of a netlink socket as sysabi.Options.Netlink
// does: from the socket(2) that made it, or, where that was not recorded, only
// that it is one.
func (d *Desc) Netlink() int {
	switch {
	case d == nil || d.Kind != DescSocket:
	case d.Opens != nil && uint32(d.Opens.Raw.Args[0]) == sysabi.AFNetlink && d.Opens.Name() == "socket":
		return int(int32(d.Opens.Raw.Args[2]))
	case d.netlink:
		return sysabi.NetlinkUnknown
	}
	return sysabi.NotNetlink
}

type slot struct {
	*Desc
	cloexec bool
}

// Line is one line that a process wrote to its standard output or error.
type Line struct {
	Time    event.Time
	Proc    *Process
	FD      int32 // 1 or 2 as the writer numbered it
	Text    string
	Visible bool // it went where the root's own output goes, not to a pipe or /dev/null
	Call    *Call
}

// Lookup is one question to a name server and what came of it.
type Lookup struct {
	Time       event.Time
	Proc       *Process
	TID        int32
	Server     netip.AddrPort
	Name       string
	Type       string // "A", "AAAA", ...
	ID         uint16
	Answered   bool
	AnsweredAt event.Time
	Rcode      string // "NOERROR", "NXDOMAIN", ..., "" when not answered
	Addrs      []netip.Addr
	Aliases    []string // what the name stands for, by the answer's CNAME records in order
	Sent       *Call
	Error      *Call // the call that failed because nobody listens at the server
}
