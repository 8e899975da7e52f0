package keys

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"culprit/internal/lens"
)

// loaded is the BPF programs in the kernel.
type loaded struct {
	obj   objects
	links []link.Link
	ring  *ringbuf.Reader
}

// objects names what the compiled object holds.
type objects struct {
	Ring   *ebpf.Map     `ebpf:"ring"`
	Procs  *ebpf.Map     `ebpf:"procs"`
	Secret *ebpf.Program `ebpf:"secret"`
	Enter  *ebpf.Program `ebpf:"enter"`
	Leave  *ebpf.Program `ebpf:"leave"`
	Execed *ebpf.Program `ebpf:"execed"`

	Recording *ebpf.Variable `ebpf:"recording"`
	Lost      *ebpf.Variable `ebpf:"lost"`
	LostBytes *ebpf.Variable `ebpf:"lost_bytes"`
}

// firstNamespace is the inode of the PID namespace that all others lie in
// (PROC_PID_INIT_INO in linux/proc_ns.h).
const firstNamespace = 0xEFFFFFFC

// load puts the programs into the kernel.
func load() (*loaded, error) {
	spec, err := loadBpf()
	if err != nil {
		return nil, fmt.Errorf("read the compiled BPF programs: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return nil, fmt.Errorf("read our PID namespace: %w", err)
	}
	if st.Ino != firstNamespace {
		for name, v := range map[string]uint64{bpfVarNamespaceDev: st.Dev, bpfVarNamespaceIno: st.Ino} {
			if err := spec.Variables[name].Set(v); err != nil {
				return nil, fmt.Errorf("set %s in the BPF programs: %w", name, err)
			}
		}
	}
	// Only kernels before 5.11 count BPF memory against the limit, and there
	// loading says so.
	_ = rlimit.RemoveMemlock()
	l := &loaded{}
	if err := spec.LoadAndAssign(&l.obj, nil); err != nil {
		return nil, unavailable(err)
	}
	if l.ring, err = ringbuf.NewReader(l.obj.Ring); err != nil {
		l.close()
		return nil, unavailable(err)
	}
	return l, nil
}

// execs has the ring tell of every program that begins on the machine.
func (l *loaded) execs() error {
	k, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: "sched_process_exec", Program: l.obj.Execed})
	if err == nil {
		l.links = append(l.links, k)
	}
	return err
}

// recording says whether the calls of the processes are recorded yet: without a
// session's handshake its secrets are of no use, and its plaintext is.
func (l *loaded) recording(on bool) {
	v := uint32(0)
	if on {
		v = 1
	}
	_ = l.obj.Recording.Set(v)
}

// listen says that the plaintext of a process is wanted.
func (l *loaded) listen(pid int32) { _ = l.obj.Procs.Put(pid, uint8(1)) }

// probe sets the probes of a library in its file; plain says whether what is
// read and written is wanted too.
func (l *loaded) probe(f *os.File, lib *library, plain bool) error {
	ex, err := link.OpenExecutable(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return err
	}
	type attach func([]string, *ebpf.Program, *link.UprobeMultiOptions) (link.Link, error)
	set := func(how attach, p *ebpf.Program, at []site) error {
		if len(at) == 0 {
			return nil
		}
		var o link.UprobeMultiOptions
		for _, s := range at {
			o.Addresses, o.Cookies = append(o.Addresses, s.off), append(o.Cookies, s.cookie)
		}
		k, err := how(nil, p, &o)
		if err != nil {
			return unavailable(fmt.Errorf("set a uprobe: %w", err))
		}
		l.links = append(l.links, k)
		return nil
	}
	if err := set(ex.UprobeMulti, l.obj.Secret, lib.secret); err != nil || !plain || lib.leave == nil && deadly(release()) {
		return err
	}
	if err := set(ex.UprobeMulti, l.obj.Enter, lib.enter); err != nil {
		return err
	}
	if lib.leave != nil {
		return set(ex.UprobeMulti, l.obj.Leave, lib.leave)
	}
	return set(ex.UretprobeMulti, l.obj.Leave, lib.enter)
}

// deadly says whether a probe at a function's return may end a program: the
// kernels 6.11 to 6.13 make it a system call, uretprobe, that the program's own
// seccomp filter may answer with death. Later ones keep it from filters.
func deadly(release string) bool {
	var major, minor int
	_, err := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return err == nil && major == 6 && minor >= 11 && minor <= 13
}

// release is the running kernel's.
func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// detach ends all probes; what they found is still in the ring.
func (l *loaded) detach() {
	for _, k := range l.links {
		_ = k.Close()
	}
	l.links = nil
}

func (l *loaded) close() {
	l.detach()
	if l.ring != nil {
		_ = l.ring.Close()
	}
	for _, m := range []*ebpf.Map{l.obj.Ring, l.obj.Procs} {
		_ = m.Close()
	}
	for _, p := range []*ebpf.Program{l.obj.Secret, l.obj.Enter, l.obj.Leave, l.obj.Execed} {
		_ = p.Close()
	}
}

// unavailable says what is missing when the kernel refuses.
func unavailable(err error) error {
	u := &lens.Unavailable{Ability: "eBPF uprobes", Reason: err.Error()}
	switch v := (*ebpf.VerifierError)(nil); {
	case errors.As(err, &v):
		u.Reason = "refused by the kernel's verifier: " + err.Error()
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return lens.Denied("eBPF uprobes", unix.EPERM, "CAP_BPF", "CAP_PERFMON")
	case errors.Is(err, ebpf.ErrNotSupported):
		u.Reason = "the kernel lacks them (Linux 6.6)"
	}
	return u
}

// Probe says whether secrets can be read on this machine; the error is or wraps
// *lens.Unavailable.
func Probe() error {
	l, err := load()
	if err != nil {
		return err
	}
	defer l.close()
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return unavailable(err)
	}
	defer f.Close()
	lib, err := examine(f, true)
	if err != nil || lib == nil { // of a machine that is not looked at
		return &lens.Unavailable{Ability: "eBPF uprobes", Reason: "they are written for programs of x86-64"}
	}
	return l.probe(f, lib, false)
}
