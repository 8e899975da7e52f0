package timeline

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// synth writes a recording by hand: calls in the order in which they are
// added, a microsecond each, in processes that it announces as a recorder does.
type synth struct {
	t      testing.TB
	now    event.Time
	events []event.Event
}

func newSynth(t testing.TB) *synth {
	s := &synth{t: t}
	s.add(0, &event.Header{Command: []string{"prog"}, Wall: 1})
	s.add(10, &event.Exec{Exe: "/bin/prog", Argv: []string{"prog"}, Cwd: "/home/ada"})
	return s
}

func (s *synth) add(pid int32, body event.Body) {
	s.now += 1000
	s.events = append(s.events, event.Event{Time: s.now, PID: pid, TID: pid, Body: body})
}

// in is memory that the kernel read, out what it wrote. Transferred buffers are
// copied after the call, whichever way they went.
func in(addr uint64, data string) event.Mem { return event.Mem{Addr: addr, Data: []byte(data)} }
func out(addr uint64, data string) event.Mem {
	return event.Mem{At: event.Leave, Addr: addr, Data: []byte(data)}
}

func u32s(v ...uint32) string {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return string(b)
}

// call adds a call. Arguments are numbers; a string among them becomes an
// address with that text, ended by NUL, before the call.
func (s *synth) call(pid int32, ret int64, name string, args ...any) {
	nr, ok := sysabi.Number(event.ArchX8664, name)
	if !ok {
		s.t.Fatalf("there is no call %s", name)
	}
	c := &event.Syscall{Arch: event.ArchX8664, NR: nr, Ret: ret, Dur: 100}
	n := 0
	for _, a := range args {
		switch a := a.(type) {
		case int:
			c.Args[n] = uint64(int64(a))
		case string:
			c.Args[n] = 0x1000 * uint64(n+1)
			c.Mem = append(c.Mem, in(c.Args[n], a+"\x00"))
		case event.Mem:
			c.Mem = append(c.Mem, a)
			continue
		default:
			s.t.Fatalf("argument %T", a)
		}
		n++
	}
	s.add(pid, c)
}

// write adds a write(2) of text that went through whole.
func (s *synth) write(pid int32, fd int, text string) {
	s.call(pid, int64(len(text)), "write", fd, 0x9000, len(text), out(0x9000, text))
}

func (s *synth) build() *Timeline {
	t, err := Build(func(yield func(event.Event, error) bool) {
		for _, e := range s.events {
			if !yield(e, nil) {
				return
			}
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return t
}

// probe adds a harmless call on a descriptor: what its Desc is says what the
// descriptor was at that time.
func (s *synth) probe(pid int32, fd int) {
	s.call(pid, 0, "fsync", fd)
}

// probed lists what the probes found: path, link or kind, "-" for nothing.
func probed(t *Timeline) []string {
	var got []string
	for _, c := range t.Calls {
		if c.Name() != "fsync" {
			continue
		}
		switch d := c.Desc; {
		case d == nil:
			got = append(got, "-")
		case d.Path != "":
			got = append(got, d.Path)
		case d.Link != "":
			got = append(got, d.Link)
		default:
			got = append(got, [...]string{"other", "file", "socket", "pipe", "tty"}[d.Kind])
		}
	}
	return got
}

func sockaddr(s string) string {
	a := netip.MustParseAddrPort(s)
	b := []byte{2, 0} // AF_INET, little endian
	b = binary.BigEndian.AppendUint16(b, a.Port())
	b = append(b, a.Addr().AsSlice()...)
	return string(append(b, make([]byte, 8)...))
}

const (
	cloexec = 0o2000000
	fdcwd   = -100
)
