package stream

import "culprit/internal/event"

// Record is one record with its numbers resolved.
type Record struct {
	Time event.Time
	TID  int32
	// Late says that an exception was recorded after it was raised, when
	// something referred to it: Time is not the time of the raise.
	Late bool
	Body Body
}

// Body is what a record says. The set of implementations is closed.
type Body interface{ body() }

// Frame is a place in a program.
type Frame struct {
	File  string // absolute, or "<...>" where there is no file
	Func  string // qualified name from Python 3.11, plain name before
	First int    // first line of the function
	Line  int
}

// Local is a variable of a frame. Text is a bounded repr, "<masked>" for what
// looks like a credential.
type Local struct{ Name, Type, Text string }

// KV is an attribute of an exception: nil, bool, int64, string, []byte or a
// []any of these.
type KV struct {
	Name  string
	Value any
}

// Member is an exception of a group. Exc is 0 when it was never recorded.
type Member struct {
	Exc  int
	Type string
	Text string
}

// Hello opens a process's stream. A second one of the same process comes from
// an exec; serial numbers of exceptions start again.
type Hello struct {
	Version    string // "3.11.2"
	Executable string
	Argv       []string
	Mode       string // how exceptions are seen: "monitoring", "hook", "trace", "off"
	Hooks      []string
	Dev        bool // -X dev
	Optimize   int
	Parent     int32
	Way        string // how the agent came in; "" in old cases
}

// Raised is an exception seen for the first time.
type Raised struct {
	Exc     int      // serial number in this process
	Type    string   // module.Class, without the module for built-in ones
	MRO     []string // Type and its bases, without object
	Text    string   // what str() would say, bounded; without calling the program
	Frame   Frame
	Context int // __context__: what was being handled; 0 for none
	Cause   int // __cause__
	Attrs   []KV
	Group   []Member
	Stack   []Frame // innermost first
}

// Attr returns the attribute with the given name, nil when there is none.
func (r *Raised) Attr(name string) any {
	for _, a := range r.Attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return nil
}

// Is says whether the exception's class or a base of it has that name.
func (r *Raised) Is(name string) bool {
	for _, m := range r.MRO {
		if m == name {
			return true
		}
	}
	return false
}

// Left says that an exception went out of a frame, into To (its zero value when
// that is not known: the outermost frame, or C code).
type Left struct {
	Exc    int
	Frame  Frame
	To     Frame
	Locals []Local
}

// Handled says that a handler of a frame has taken an exception. Today's agent
// doesn't write it: an exception without a Final was handled in the frame that
// it reached last, which is the To of its last Left or the Frame of its Raised.
type Handled struct {
	Exc   int
	Frame Frame
}

// Final says that nobody handled an exception, or that it was reported: How is
// "excepthook", "thread", "unraisable", "logging", "asyncio" or "exit"; Detail
// the logger's name.
type Final struct {
	Exc    int
	How    string
	Detail string
}

// Wrapped says that exception To was raised because of From (How "cause"),
// while it was handled ("context"), or holds it as its reason ("reason").
type Wrapped struct {
	From, To int
	How      string
}

// Audit is a milestone of the program's own doing, an audit event.
type Audit struct {
	Event string
	Args  []string
}

// KeyLog says that TLS contexts made by hand write their keys to Path.
type KeyLog struct{ Path string }

// ThreadName names a thread.
type ThreadName struct {
	TID  int32
	Name string
}

// Governor says what is left out to spare the program. State "budget": of Count
// exceptions that a place has raised so far only some are recorded. "pause": from
// now on no exception is looked at, since a great many are raised; "resume": that
// is over after Count microseconds. What leaves the program is recorded always.
type Governor struct {
	State string
	Count int
	Frame Frame
}

// Forked says that this process is a fork of Parent.
type Forked struct{ Parent int32 }

// AgentError is a mistake of the agent.
type AgentError struct {
	Where, Text string
	Line        int // in the agent
}

// Done is the end of the interpreter, with the exit status it is about to give.
// A process without one was killed, replaced itself or left by os._exit.
type Done struct{ RC int }

func (*Hello) body()      {}
func (*Raised) body()     {}
func (*Left) body()       {}
func (*Handled) body()    {}
func (*Final) body()      {}
func (*Wrapped) body()    {}
func (*Audit) body()      {}
func (*KeyLog) body()     {}
func (*ThreadName) body() {}
func (*Governor) body()   {}
func (*Forked) body()     {}
func (*AgentError) body() {}
func (*Done) body()       {}
