package live

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/dissect/dns"
	"culprit/internal/dissect/http"
	"culprit/internal/event"
	"culprit/internal/filter"
	"culprit/internal/lens/python/inject"
	"culprit/internal/sysabi"
)

// breakpoint is one that Python can't see: a system call, a file that is opened,
// a message of HTTP or DNS.
type breakpoint struct {
	number string
	kind   string
	spec   string
	cond   *filter.Program[moment]
	calls  func(*sysabi.Call) bool // of kinds syscall and open
}

// moment is what conditions are about.
type moment struct {
	decoded *sysabi.Decoded
	http    *http.Message
	dns     *dns.Message
}

// request is the request of an HTTP message, itself or what it answers.
func (m *moment) request() *http.Message {
	if m.http != nil && m.http.Answer {
		return m.http.Request
	}
	return m.http
}

type field = filter.Field[moment]

// ofCall are the fields of conditions on system calls.
var ofCall = filter.NewTable([]field{
	{Name: "errno", Type: filter.Uint, Doc: "error of a call that failed", Number: errnoNumber, Get: func(m *moment, to []filter.Value) []filter.Value {
		if m.decoded.Errno == 0 {
			return to
		}
		return append(to, filter.U(uint64(m.decoded.Errno)))
	}},
	{Name: "ret", Type: filter.Int, Doc: "result, -1 of a call that failed", Get: func(m *moment, to []filter.Value) []filter.Value {
		if m.decoded.Errno != 0 {
			return append(to, filter.I(-1))
		}
		return append(to, filter.I(m.decoded.Ret.Int))
	}},
	{Name: "fd", Type: filter.Int, Doc: "descriptor that the call acts on", Get: func(m *moment, to []filter.Value) []filter.Value {
		if fd := m.decoded.FD(); fd >= 0 {
			return append(to, filter.I(int64(fd)))
		}
		return to
	}},
	{Name: "path", Type: filter.String, Doc: "first path of the call", Get: func(m *moment, to []filter.Value) []filter.Value {
		if p, ok := m.decoded.Path(); ok {
			return append(to, filter.S(p))
		}
		return to
	}},
})

func errnoNumber(word string) (uint64, bool) {
	e, ok := sysabi.ErrnoOf(word)
	return uint64(e), ok
}

// ofHTTP are those of conditions on messages of HTTP.
var ofHTTP = filter.NewTable([]field{
	{Name: "status", Type: filter.Uint, Doc: "status of an answer", Get: func(m *moment, to []filter.Value) []filter.Value {
		if !m.http.Answer {
			return to
		}
		return append(to, filter.U(uint64(m.http.Status)))
	}},
	requestField("method", "method of the request", func(m *http.Message) string { return m.Method }),
	requestField("target", "target of the request, mostly a path", func(m *http.Message) string { return m.Target }),
	requestField("host", "Host of the request", func(m *http.Message) string { return m.Get("Host") }),
})

func requestField(name, doc string, get func(*http.Message) string) field {
	return field{Name: name, Type: filter.String, Doc: doc, Get: func(m *moment, to []filter.Value) []filter.Value {
		if r := m.request(); r != nil {
			return append(to, filter.S(get(r)))
		}
		return to
	}}
}

// ofDNS are those of conditions on answers of DNS.
var ofDNS = filter.NewTable([]field{
	{Name: "name", Type: filter.String, Doc: "name that was asked for", Get: func(m *moment, to []filter.Value) []filter.Value {
		for _, q := range m.dns.Questions {
			to = append(to, filter.S(q.Name))
		}
		return to
	}},
	{Name: "type", Type: filter.String, Doc: "record type that was asked for", Get: func(m *moment, to []filter.Value) []filter.Value {
		for _, q := range m.dns.Questions {
			to = append(to, filter.S(q.Type.String()))
		}
		return to
	}},
})

// parse checks a breakpoint's words.
func parse(number, kind, spec, cond string) (b *breakpoint, err error) {
	b = &breakpoint{number: number, kind: kind, spec: spec}
	table := ofCall
	switch kind {
	case "syscall":
		b.calls, err = callsOf(spec)
	case "open":
		b.calls = func(c *sysabi.Call) bool {
			return slices.Contains([]string{"open", "openat", "openat2", "creat"}, c.Name)
		}
		_, err = path.Match(spec, "")
	case "http":
		table = ofHTTP
		if cond != "" {
			spec = "(" + spec + ") and (" + cond + ")"
		}
		cond = spec
	case "dns":
		table = ofDNS
		if !slices.ContainsFunc(rcodes(), func(r string) bool { return r == spec }) {
			err = fmt.Errorf("%q is no response code of DNS, as NXDOMAIN is", spec)
		}
	default:
		err = fmt.Errorf("%q is no kind of breakpoint", kind)
	}
	if err != nil {
		return nil, err
	}
	if cond != "" {
		b.cond, err = filter.Compile(table, cond)
	}
	return b, err
}

func rcodes() (names []string) {
	for r := range dns.Rcode(24) {
		if n := r.String(); !strings.HasPrefix(n, "RCODE") {
			names = append(names, n)
		}
	}
	return names
}

// callsOf says which calls a name or class stands for.
func callsOf(spec string) (func(*sysabi.Call) bool, error) {
	classes := map[string]sysabi.Class{"%file": sysabi.File, "%desc": sysabi.Desc, "%network": sysabi.Network, "%net": sysabi.Network}
	if class, ok := classes[spec]; ok {
		return func(c *sysabi.Call) bool { return c.Class&class != 0 && mayStop(c) }, nil
	}
	if spec[0] == '%' {
		return nil, fmt.Errorf("%q is no class of system calls that a program can be stopped at: %%network, %%file, %%desc", spec)
	}
	nr, ok := numbers()[spec]
	if !ok {
		return nil, fmt.Errorf("%q is no system call", spec)
	}
	if !mayStop(sysabi.Lookup(event.ArchX8664, nr)) {
		return nil, fmt.Errorf("a program can't be stopped at %s: Python's or the C library's locks may be held there", spec)
	}
	return func(c *sysabi.Call) bool { return c.Name == spec }, nil
}

// numbers are those of the system calls of x86-64 by name.
func numbers() map[string]uint32 {
	m := map[string]uint32{}
	for nr := range uint32(1024) {
		if c := sysabi.Lookup(event.ArchX8664, nr); c != nil {
			m[c.Name] = nr
		}
	}
	return m
}

// mayStop says that CPython makes a call with its lock released, and not inside
// of malloc: those on files and sockets that change no memory and start no
// program, and those that wait.
func mayStop(c *sysabi.Call) bool {
	if c == nil || c.Class&(sysabi.Memory|sysabi.Process) != 0 && !strings.HasPrefix(c.Name, "wait") {
		return false
	}
	if c.Class&(sysabi.File|sysabi.Desc|sysabi.Network) != 0 {
		return true
	}
	nr, ok := numbers()[c.Name]
	return ok && c.Name != "futex" && inject.MayEnter(uint64(nr), false)
}

// matches says whether a call that is over is one to stop at.
func (b *breakpoint) matches(m *moment) bool {
	if b.calls == nil || !b.calls(m.decoded.Call) {
		return false
	}
	if b.kind == "open" {
		p, _ := m.decoded.Path()
		if ok, _ := path.Match(b.spec, p); !ok {
			return false
		}
	}
	return b.cond == nil || b.cond.Match(m)
}

// hears says the same of a message that a call brought.
func (b *breakpoint) hears(m *moment) bool {
	switch b.kind {
	case "http":
		return m.http != nil && b.cond.Match(m)
	case "dns":
		return m.dns != nil && m.dns.Response && m.dns.Rcode.String() == b.spec && (b.cond == nil || b.cond.Match(m))
	}
	return false
}

// breakpoints reads what message B carries: an address, then four words a
// breakpoint.
func breakpoints(fields []string) (entry uint64, all []*breakpoint, err error) {
	if entry, err = strconv.ParseUint(fields[0], 10, 64); err != nil || len(fields)%4 != 1 {
		return 0, nil, fmt.Errorf("the program's debugger sent a list of breakpoints that can't be read")
	}
	for f := range slices.Chunk(fields[1:], 4) {
		b, err := parse(f[0], f[1], f[2], f[3])
		if err != nil {
			return 0, nil, fmt.Errorf("breakpoint %s: %w", f[0], err)
		}
		all = append(all, b)
	}
	return entry, all, nil
}
