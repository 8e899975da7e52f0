package ptrace

import (
	"culprit/internal/event"
	"culprit/internal/lens"
)

// Facts about coverage, a bit each: given once for a process, or once for the
// run.
const (
	noteSecure uint32 = 1 << iota
	noteSetuidOff
	noteDumpable
	noteUnreadable
	noteSeccomp
	notePtrace
	noteUring
	noteGetfd
	noteNoNewPrivs
	noteRunning
	noteRestarted
)

// perRun are the notes that say something about the machine.
const perRun = noteGetfd | noteNoNewPrivs | noteRunning

var noteTexts = map[uint32][2]string{
	noteSecure:     {"set-uid", "the program runs in secure-execution mode (AT_SECURE), as set-uid programs do: the agent and the key log do not work in it"},
	noteSetuidOff:  {"set-uid-ignored", "the program's set-uid bit had no effect: the kernel ignores it under an unprivileged tracer"},
	noteDumpable:   {"not-dumpable", "the program made itself undumpable: its sockets, and its children's memory, can be looked at by root only"},
	noteUnreadable: {"memory-unreadable", "the program's memory could not be read: paths, addresses and data are missing from its calls"},
	noteSeccomp:    {"own-seccomp", "the program set a seccomp filter of its own: calls that it refuses are not seen"},
	notePtrace:     {"ptrace-in-ptrace", "the program tried to trace a process: that fails while it is traced itself"},
	noteUring:      {"io-uring", "the program set up io_uring: operations submitted through it are not seen"},
	noteGetfd:      {"no-socket-look", "descriptors of the program could not be borrowed (pidfd_getfd): addresses and unread answers are missing"},
	noteNoNewPrivs: {"no-new-privs", "the program can't gain privileges: a seccomp filter without CAP_SYS_ADMIN needs PR_SET_NO_NEW_PRIVS"},
	noteRunning:    {"attached", "the program ran already and was stopped at each of its calls (a running program can't be given a filter): it was slower meanwhile"},
	noteRestarted:  {"call-restarted", "a call that the program waited in when it was attached to was made again; where it has a time limit, that began anew"},
}

func (r *Recorder) note(t *task, bit uint32) {
	given := &t.proc.notes
	if bit&perRun != 0 {
		given = &r.noted
	}
	if *given&bit != 0 {
		return
	}
	*given |= bit
	text := noteTexts[bit]
	r.put(t, lens.Now(), &event.Note{Lens: "kernel", Code: text[0], Text: text[1]})
}
