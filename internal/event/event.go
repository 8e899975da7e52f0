// Package event is the vocabulary of a recording: the envelope that every
// record carries, one body per kind, and the table of kinds.
//
// It has no I/O, no clock and no goroutine, and it interprets nothing: a body
// holds what a recorder copied (registers, memory, agent records), and meaning
// is worked out later by packages above. Kinds and their field order reach the
// disk, so both are append-only: a new field goes to the end of a body, a
// decoder that meets an older, shorter body leaves it zero.
package event

import "strconv"

// Time is CLOCK_MONOTONIC in nanoseconds, the one clock of all lenses.
type Time int64

// Event is one record with its envelope. PID and TID are those of the
// recorder's PID namespace; 0 means "no process" (a fact about the run).
type Event struct {
	Time Time
	PID  int32 // thread group id
	TID  int32 // thread id; equal to PID for a group leader
	Body Body
}

// Body is what one record says. The set of implementations is closed.
type Body interface {
	Kind() Kind
	append(b []byte) []byte
	decode(c *cursor)
}

// Kind numbers the bodies on disk.
type Kind uint16

// The kinds. Append only.
const (
	KindHeader    Kind = 1
	KindSyscall   Kind = 2
	KindFork      Kind = 3
	KindExec      Kind = 4
	KindExit      Kind = 5
	KindSignal    Kind = 6
	KindFD        Kind = 7
	KindPeek      Kind = 8
	KindSecrets   Kind = 9
	KindAgent     Kind = 10
	KindFile      Kind = 11
	KindLoss      Kind = 12
	KindNote      Kind = 13
	KindWait      Kind = 14
	KindSpawn     Kind = 15
	KindEnd       Kind = 16
	KindHolder    Kind = 17
	KindLimit     Kind = 18
	KindAwaits    Kind = 19
	KindStack     Kind = 20
	KindOwner     Kind = 21
	KindAttach    Kind = 22
	KindInterface Kind = 23
	KindPacket    Kind = 24
	KindPlain     Kind = 25
	KindNative    Kind = 26
)

// Kinds lists every kind with its name and a constructor of an empty body.
var Kinds = []struct {
	Kind Kind
	Name string
	New  func() Body
}{
	{KindHeader, "header", func() Body { return new(Header) }},
	{KindSyscall, "syscall", func() Body { return new(Syscall) }},
	{KindFork, "fork", func() Body { return new(Fork) }},
	{KindExec, "exec", func() Body { return new(Exec) }},
	{KindExit, "exit", func() Body { return new(Exit) }},
	{KindSignal, "signal", func() Body { return new(Signal) }},
	{KindFD, "fd", func() Body { return new(FD) }},
	{KindPeek, "peek", func() Body { return new(Peek) }},
	{KindSecrets, "secrets", func() Body { return new(Secrets) }},
	{KindAgent, "agent", func() Body { return new(Agent) }},
	{KindFile, "file", func() Body { return new(File) }},
	{KindLoss, "loss", func() Body { return new(Loss) }},
	{KindNote, "note", func() Body { return new(Note) }},
	{KindWait, "wait", func() Body { return new(Wait) }},
	{KindSpawn, "spawn", func() Body { return new(Spawn) }},
	{KindEnd, "end", func() Body { return new(End) }},
	{KindHolder, "holder", func() Body { return new(Holder) }},
	{KindLimit, "limit", func() Body { return new(Limit) }},
	{KindAwaits, "awaits", func() Body { return new(Awaits) }},
	{KindStack, "stack", func() Body { return new(Stack) }},
	{KindOwner, "owner", func() Body { return new(Owner) }},
	{KindAttach, "attach", func() Body { return new(Attach) }},
	{KindInterface, "interface", func() Body { return new(Interface) }},
	{KindPacket, "packet", func() Body { return new(Packet) }},
	{KindPlain, "plain", func() Body { return new(Plain) }},
	{KindNative, "native", func() Body { return new(Native) }},
}

// String returns the kind's name in the table, or "kind(N)".
func (k Kind) String() string {
	if i := int(k) - 1; i >= 0 && i < len(Kinds) {
		return Kinds[i].Name
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// New returns an empty body of kind k, nil when the kind is unknown.
func (k Kind) New() Body {
	if i := int(k) - 1; i >= 0 && i < len(Kinds) {
		return Kinds[i].New()
	}
	return nil
}

// KindOf returns the kind with the given name, 0 when there is none.
func KindOf(name string) Kind {
	for _, k := range Kinds {
		if k.Name == name {
			return k.Kind
		}
	}
	return 0
}
