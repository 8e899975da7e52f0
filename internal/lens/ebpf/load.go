package ebpf

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"culprit/internal/lens"
	"culprit/internal/ringbuf"
)

// loaded is the programs in the kernel, attached.
type loaded struct {
	obj objects
	meeting
	links []link.Link
	ring  *ringbuf.Ring

	cookie uint64
}

// objects is what the compiled object holds, in parts that are loaded side by side.
type objects struct {
	shared
	rest
	calls
	tasks
}

type shared struct {
	Ring     *ebpf.Map `ebpf:"ring"`
	Threads  *ebpf.Map `ebpf:"threads"`
	Calls    *ebpf.Map `ebpf:"calls"`
	Varied   *ebpf.Map `ebpf:"varied"`
	Losses   *ebpf.Map `ebpf:"losses"`
	Programs *ebpf.Map `ebpf:"programs"`

	Target     *ebpf.Variable `ebpf:"target"`
	Level      *ebpf.Variable `ebpf:"level"`
	Live       *ebpf.Variable `ebpf:"live"`
	Unfollowed *ebpf.Variable `ebpf:"unfollowed"`
	Overrun    *ebpf.Variable `ebpf:"overrun"`
}

type rest struct {
	Rest *ebpf.Program `ebpf:"rest"`
}

type calls struct {
	Enter *ebpf.Program `ebpf:"enter"`
	Leave *ebpf.Program `ebpf:"leave"`
}

type tasks struct {
	Forked   *ebpf.Program `ebpf:"forked"`
	Execed   *ebpf.Program `ebpf:"execed"`
	Exited   *ebpf.Program `ebpf:"exited"`
	Signaled *ebpf.Program `ebpf:"delivered"`
	Sent     *ebpf.Program `ebpf:"generated"`
}

// meeting is what only a program that runs already needs.
type meeting struct {
	Found *ebpf.Map     `ebpf:"found"`
	Meet  *ebpf.Program `ebpf:"meet"`
}

func (o *objects) close() {
	for _, m := range []*ebpf.Map{o.Ring, o.Threads, o.Calls, o.Varied, o.Losses, o.Programs} {
		_ = m.Close()
	}
	for _, p := range []*ebpf.Program{o.Enter, o.Leave, o.Rest, o.Forked, o.Execed, o.Exited, o.Signaled, o.Sent} {
		_ = p.Close()
	}
}

const (
	maxTransfer     = 4 << 20 // kept of one call
	terminalSnaplen = 4096    // of terminals, pipes, and descriptors 1 and 2
	reserve         = 1 << 20 // of the ring, for what calls are not
	scratchSize     = 2       // buffers a processor
)

// load puts the programs into the kernel, without attaching them.
func load(o Options, running bool) (*loaded, error) {
	// Twenty times the memory that is in use is about to be needed for a moment.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	kernel := btf.NewCache()
	go kernel.Kernel() // who needs it waits for it, and is told what went wrong
	spec, err := loadBpf()
	if err != nil {
		return nil, fmt.Errorf("read the compiled BPF programs: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return nil, fmt.Errorf("read our PID namespace: %w", err)
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count the processors: %w", err)
	}
	size, cookie := o.Buffer, rand.Uint64()|1
	spec.Maps["ring"].MaxEntries = uint32(size)
	spec.Maps["scratches"].MaxEntries = uint32(cpus * scratchSize)
	settings := []struct {
		name  string
		value any
	}{
		{"namespace_ino", uint32(st.Ino)},
		{"snaplen", uint32(o.Snaplen)},
		{"terminal_snaplen", uint32(terminalSnaplen)},
		{"max_transfer", uint32(maxTransfer)},
		{"max_peek", uint32(o.MaxPeek)},
		{"max_stream", uint64(o.MaxStream)},
		{"ring_limit", uint64(size - reserve)},
		{"cookie", cookie},
		{"split", uint32(1)},
	}
	for _, s := range settings {
		if err := spec.Variables[s.name].Set(s.value); err != nil {
			return nil, fmt.Errorf("set %s in the BPF programs: %w", s.name, err)
		}
	}
	raiseMemlock()
	l := &loaded{cookie: cookie}
	err = l.assign(spec, kernel, running)
	if err != nil && errors.As(err, new(*ebpf.VerifierError)) {
		// It may not let a program with functions jump to another one.
		_ = spec.Variables["split"].Set(uint32(0))
		err = l.assign(spec, kernel, running)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if err := l.obj.Programs.Put(uint32(0), l.obj.Rest); err != nil {
		l.close()
		return nil, unavailable(err)
	}
	return l, nil
}

// assign makes the maps, then loads the programs in three parts at the same
// time: the verifier is what start-up waits for, and it has no common lock.
func (l *loaded) assign(spec *ebpf.CollectionSpec, kernel *btf.Cache, running bool) error {
	bare := spec.Copy()
	bare.Programs = nil
	maps, err := ebpf.NewCollection(bare)
	if err != nil {
		return err
	}
	defer maps.Close()
	parts := []any{&l.obj.rest, &l.obj.calls, &l.obj.tasks}
	if running {
		parts = append(parts, &l.meeting)
	}
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() {
			errs[i] = spec.Copy().LoadAndAssign(part, &ebpf.CollectionOptions{MapReplacements: maps.Maps, Cache: kernel})
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		l.close()
		return err
	}
	return maps.Assign(&l.obj.shared)
}

// attach lets the programs run: those that take tasks out of the table first.
func (l *loaded) attach() error {
	add := func(k link.Link, err error) error {
		if err != nil {
			return unavailable(fmt.Errorf("attach to a tracepoint: %w", err))
		}
		l.links = append(l.links, k)
		return nil
	}
	if err := add(link.AttachRawTracepoint(link.RawTracepointOptions{Name: "sched_process_exit", Program: l.obj.Exited})); err != nil {
		return err
	}
	for _, p := range []*ebpf.Program{l.obj.Execed, l.obj.Forked, l.obj.Signaled, l.obj.Sent} {
		if err := add(link.AttachTracing(link.TracingOptions{Program: p})); err != nil {
			return err
		}
	}
	for _, o := range []link.RawTracepointOptions{
		{Name: "sys_exit", Program: l.obj.Leave}, {Name: "sys_enter", Program: l.obj.Enter},
	} {
		if err := add(link.AttachRawTracepoint(o)); err != nil {
			return err
		}
	}
	return nil
}

func (l *loaded) detach() {
	for _, k := range l.links {
		_ = k.Close()
	}
	l.links = nil
}

func (l *loaded) close() {
	l.detach()
	if l.ring != nil {
		l.ring.Close()
	}
	l.obj.close()
	_ = l.Found.Close()
	_ = l.Meet.Close()
}

// unavailable says what is missing when the kernel refuses.
func unavailable(err error) error {
	u := &lens.Unavailable{Ability: "eBPF", Reason: err.Error()}
	var v *ebpf.VerifierError
	switch {
	case errors.As(err, &v):
		u.Ability, u.Reason = "eBPF programs", fmt.Sprintf("refused by the kernel's verifier: %v", err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return lens.Denied("eBPF", unix.EPERM, "CAP_BPF", "CAP_PERFMON")
	case errors.Is(err, ebpf.ErrNotSupported):
		u.Ability = "eBPF tracing (Linux 5.8 with BTF)"
	case errors.Is(err, unix.ENOMEM):
		u.Remedy = "a smaller --buffer"
	}
	return u
}

// bufferSize is the ring's size in bytes: a power of two and whole pages.
func bufferSize(want int) int {
	if want <= 0 {
		want = 32 << 20
		var info unix.Sysinfo_t
		if unix.Sysinfo(&info) == nil {
			ram := uint64(info.Totalram) * uint64(max(info.Unit, 1))
			want = int(min(max(ram/64, 8<<20), 32<<20))
		}
	}
	size := 4 << 20
	for size < want && size < 1<<30 {
		size <<= 1
	}
	if size > want && size > 4<<20 {
		size >>= 1
	}
	return size
}

// raiseMemlock lets this process lock memory where BPF memory is counted as such:
// by kernels before 5.11. Where it may not, loading says so. (The library's
// rlimit package makes a BPF map to find that out at each start of the program.)
func raiseMemlock() {
	var u unix.Utsname
	var major, minor int
	if unix.Uname(&u) != nil {
		return
	}
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); n == 2 && (major < 5 || major == 5 && minor < 11) {
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	}
}
