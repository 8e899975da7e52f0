package ebpf

import (
	"time"

	"golang.org/x/sys/unix"
)

// Options configure a Recorder. The zero value records every call.
type Options struct {
	// Trace names the system calls to record, all when nil. With a list, of
	// mmap only anonymous mappings of 1 MiB or more are recorded, of newfstatat
	// and statx those that have a path. 32-bit programs are recorded in full.
	Trace []string

	Snaplen   int   // bytes kept of one transfer through a file; 0: 256
	MaxStream int64 // bytes kept of one socket's traffic; 0: 16 MiB
	MaxPeek   int   // bytes kept of an unread receive queue; 0: 256 KiB
	Buffer    int   // bytes of the ring, made a power of two; 0: 1/64 of the machine's memory, 8 to 32 MiB

	// Env are additions to the environment (NAME=VALUE) that Python interpreters
	// need for the agent. One that was started without them is told of.
	Env []string

	// Accompany, if set, has the program traced by somebody else, from its start
	// on. It stands stopped then; onStop is as OnStop.
	Accompany func(pid int, onStop func(unix.Signal)) (Companion, error)

	// Grace is how long Record goes on after the root program's end while
	// descendants are left; 0: 150 ms.
	Grace time.Duration

	// Running says that Prepare is for a target that runs already.
	Running bool

	// OnStop is called when the root program was stopped by SIGSTOP, SIGTSTP,
	// SIGTTIN or SIGTTOU, OnExit with its wait status. Both may be nil; they
	// run on the goroutine that calls Record.
	OnStop func(unix.Signal)
	OnExit func(unix.WaitStatus)
}

// Companion traces a program that is recorded here.
type Companion interface {
	// Status returns the program's wait status once it is gone. With a
	// companion nobody else may wait for it.
	Status() (unix.WaitStatus, bool)
	Close()
}

const (
	defaultSnaplen   = 256
	defaultMaxStream = 16 << 20
	defaultMaxPeek   = 256 << 10
	defaultGrace     = 150 * time.Millisecond
)

func (o Options) filled() Options {
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
	o.Buffer = bufferSize(o.Buffer)
	return o
}
