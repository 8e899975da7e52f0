package rows

import (
	"slices"
	"sync"

	"culprit/internal/event"
	"culprit/internal/filter"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

var syscallFields = []Field{
	words(text("syscall", Kernel, "name of the system call", callName), callNames),
	words(field("syscall.class", filter.String, Kernel, "what the call is about, in strace's words: file, desc, network and others", callClasses), classNames),
	blob("syscall.data", Kernel, "bytes that it moved, as far as they were recorded", func(r *Row) []byte {
		if r.Call == nil || !transfers(r) {
			return nil
		}
		data, _ := r.Decoded().Buffer()
		return data
	}),
	signed("syscall.duration", filter.Duration, Kernel, "time that the call took", func(r *Row) (int64, bool) {
		if r.Call == nil {
			return 0, false
		}
		return r.Call.Raw.Dur, true
	}),
	symbols(number("syscall.errno", Kernel, "number of the error that it returned", func(r *Row) (uint64, bool) {
		if r.Call == nil {
			return 0, false
		}
		e := r.Call.Errno()
		return uint64(e), e != 0
	}), errnoNumber, func(n uint64) string { return sysabi.Errno(n).Name() }),
	words(text("syscall.error", Kernel, "name of the error that it returned", func(r *Row) string {
		if r.Call == nil {
			return ""
		}
		if e := r.Call.Errno(); e != 0 {
			return e.Name()
		}
		return ""
	}), errnoNames),
	signed("syscall.fd", filter.Int, Kernel, "descriptor that the call works on", func(r *Row) (int64, bool) {
		c := callOf(r)
		if c == nil || c.FD() < 0 {
			return 0, false
		}
		return int64(int32(r.Call.Raw.Args[c.FD()])), true
	}),
	text("syscall.fd.path", Linked, "file that this descriptor refers to", func(r *Row) string { return descOf(r).Path }),
	words(text("syscall.fd.type", Linked, "what this descriptor is", func(r *Row) string {
		if r.Call == nil || r.Call.Desc == nil {
			return ""
		}
		return descNames[r.Call.Desc.Kind]
	}), fixed(descNames[:]...)),
	number("syscall.nr", Kernel, "number of the call in its architecture", func(r *Row) (uint64, bool) {
		if r.Call == nil {
			return 0, false
		}
		return uint64(r.Call.Raw.NR), true
	}),
	text("syscall.path", Linked, "path that the call names, made absolute", func(r *Row) string {
		if r.Call == nil {
			return ""
		}
		return r.Call.Path
	}),
	signed("syscall.result", filter.Int, Kernel, "result, negative for an error", func(r *Row) (int64, bool) {
		if r.Call == nil {
			return 0, false
		}
		return r.Call.Raw.Ret, r.Call.Raw.Flags&event.Unfinished == 0
	}),
	mark("syscall.unfinished", Kernel, "the call had not returned when the run or the thread ended", func(r *Row) bool {
		return r.Call != nil && r.Call.Raw.Flags&event.Unfinished != 0
	}),
}

var kernelFields = []Field{
	protocol("exec", Kernel, "a program was started (execve)", func(r *Row) bool { return r.Exec != nil }),
	field("exec.argv", filter.String, Kernel, "its arguments", func(r *Row, to []filter.Value) []filter.Value {
		if r.Exec != nil {
			for _, a := range r.Exec.Argv {
				to = append(to, filter.S(a))
			}
		}
		return to
	}),
	text("exec.exe", Kernel, "path of its executable", func(r *Row) string {
		if r.Exec == nil {
			return ""
		}
		return r.Exec.Exe
	}),
	protocol("exit", Kernel, "the end of a process", func(r *Row) bool { return r.Kind == Exit }),
	words(text("exit.signal", Kernel, "signal that ended it", func(r *Row) string {
		if r.Kind != Exit || r.Status&0x7f == 0 {
			return ""
		}
		return sysabi.SignalName(int(r.Status & 0x7f))
	}), signalNames),
	number("exit.status", Kernel, "its exit status", func(r *Row) (uint64, bool) {
		return uint64(r.Status >> 8 & 0xff), r.Kind == Exit && r.Status&0x7f == 0
	}),
	protocol("native", Kernel, "native stack of a thread that a signal is about to end", func(r *Row) bool { return r.Native != nil }),
	inNative("native.function", "its functions, innermost first", func(f *timeline.NativeFrame) string { return f.Function }),
	inNative("native.object", "the files that they are in", func(f *timeline.NativeFrame) string { return f.Object }),
	words(text("signal", Kernel, "name of a signal that was delivered", func(r *Row) string {
		if r.Signal == nil {
			return ""
		}
		return sysabi.SignalName(r.Signal.Signo)
	}), signalNames),
	text("signal.code", Kernel, "si_code: why it was sent, e.g. SI_USER", func(r *Row) string {
		if r.Signal == nil {
			return ""
		}
		return r.Signal.CodeName()
	}),
	signed("signal.pid", filter.Int, Kernel, "si_pid: the sender, or the child of a SIGCHLD", func(r *Row) (int64, bool) {
		if r.Signal == nil || r.Signal.PID == 0 {
			return 0, false
		}
		return int64(r.Signal.PID), true
	}),
}

// inNative is a field with a value for each frame of a native stack that has one.
func inNative(name, doc string, get func(*timeline.NativeFrame) string) Field {
	return field(name, filter.String, Kernel, doc, func(r *Row, to []filter.Value) []filter.Value {
		if r.Native == nil {
			return to
		}
		for i := range r.Native.Frames {
			if s := get(&r.Native.Frames[i]); s != "" {
				to = append(to, filter.S(s))
			}
		}
		return to
	})
}

// callOf is the signature of a row's call, nil when it has none.
func callOf(r *Row) *sysabi.Call {
	if r.Call == nil {
		return nil
	}
	return sysabi.Lookup(r.Call.Raw.Arch, r.Call.Raw.NR)
}

func callName(r *Row) string {
	switch c := callOf(r); {
	case c != nil:
		return c.Name
	case r.Call != nil:
		return r.Decoded().Name
	}
	return ""
}

func transfers(r *Row) bool {
	c := callOf(r)
	return c != nil && c.Data()
}

var noDesc = &timeline.Desc{}

// descOf is what the call's descriptor refers to, as far as it is known.
func descOf(r *Row) *timeline.Desc {
	if r.Call == nil || r.Call.Desc == nil {
		return noDesc
	}
	return r.Call.Desc
}

var descNames = [...]string{timeline.DescOther: "other", timeline.DescFile: "file", timeline.DescSocket: "socket",
	timeline.DescPipe: "pipe", timeline.DescTTY: "tty"}

// classes are strace's names of the classes, in the order of their bits.
var classes = []struct {
	name  string
	class sysabi.Class
}{
	{"file", sysabi.File}, {"desc", sysabi.Desc}, {"network", sysabi.Network}, {"process", sysabi.Process},
	{"signal", sysabi.Signal}, {"memory", sysabi.Memory}, {"ipc", sysabi.IPC}, {"creds", sysabi.Creds}, {"clock", sysabi.Clock},
}

func classNames() []string {
	var list []string
	for _, c := range classes {
		list = append(list, c.name)
	}
	return list
}

func callClasses(r *Row, to []filter.Value) []filter.Value {
	c := callOf(r)
	if c == nil {
		return to
	}
	for i := range classes {
		if c.Class&classes[i].class != 0 {
			to = append(to, filter.S(classes[i].name))
		}
	}
	return to
}

// arches are the tables whose names and arguments a filter may use.
var arches = [...]event.Arch{event.ArchX8664, event.ArchI386, event.ArchAArch64}

// callNames are the names of all calls.
var callNames = sync.OnceValue(func() []string {
	var list []string
	for _, a := range arches {
		list = append(list, sysabi.Calls(a)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
})

var errnoNames = sync.OnceValue(func() []string {
	var list []string
	for e := sysabi.Errno(1); e < 600; e++ {
		if name := e.Name(); name[0] == 'E' {
			list = append(list, name)
		}
	}
	return list
})

func errnoNumber(name string) (uint64, bool) {
	e, ok := sysabi.ErrnoOf(name)
	return uint64(e), ok
}

var signalNames = sync.OnceValue(func() []string {
	var list []string
	for n := 1; n <= 64; n++ {
		list = append(list, sysabi.SignalName(n))
	}
	return list
})
