package packet

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"culprit/internal/lens"
	"culprit/internal/ringbuf"
)

// loaded is the programs in the kernel, at a cgroup.
type loaded struct {
	obj   bpfObjects
	links []link.Link
	tap   int // AF_PACKET socket, -1: none
	ring  *ringbuf.Ring
}

// load puts the programs into the kernel and to the cgroup.
func load(o Options, group string) (l *loaded, err error) {
	spec, err := loadBpf()
	if err != nil {
		return nil, fmt.Errorf("read the compiled BPF programs: %w", err)
	}
	spec.Maps["ring"].MaxEntries = uint32(o.Buffer)
	for name, value := range map[string]uint64{"max_stream": uint64(o.MaxStream), "pressure": uint64(o.Buffer) / 4 * 3} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("set %s in the BPF programs: %w", name, err)
		}
	}
	// Only kernels before 5.11 count BPF memory against the limit, and there
	// loading says so.
	_ = rlimit.RemoveMemlock()
	made := &loaded{tap: -1}
	l = made
	defer func() {
		if err != nil {
			made.close()
			l, err = nil, unavailable(err)
		}
	}()
	if err := spec.LoadAndAssign(&l.obj, nil); err != nil {
		if errors.Is(err, unix.EPERM) {
			err = unix.EPERM // the library guesses at reasons
		}
		return nil, fmt.Errorf("load the BPF programs: %w", err)
	}
	if l.ring, err = ringbuf.Open(l.obj.Ring); err != nil {
		return nil, err
	}
	for _, at := range []struct {
		kind ebpf.AttachType
		prog *ebpf.Program
	}{{ebpf.AttachCGroupInetEgress, l.obj.Outgoing}, {ebpf.AttachCGroupInetIngress, l.obj.Incoming}} {
		k, err := link.AttachCgroup(link.CgroupOptions{Path: group, Attach: at.kind, Program: at.prog})
		if err != nil {
			return nil, fmt.Errorf("attach to the cgroup: %w", err)
		}
		l.links = append(l.links, k)
	}
	return l, l.listen()
}

// listen makes the socket whose filter takes what no socket of the cgroup gets.
// The filter writes to the ring itself: nothing ever comes to the socket.
func (l *loaded) listen() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a packet socket: %w", err)
	}
	l.tap = fd
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, l.obj.Aside.FD()); err != nil {
		return fmt.Errorf("set the packet socket's filter: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL)}); err != nil {
		return fmt.Errorf("bind the packet socket: %w", err)
	}
	return nil
}

// detach lets nothing new come into the ring.
func (l *loaded) detach() {
	for _, k := range l.links {
		_ = k.Close()
	}
	l.links = nil
	if l.tap >= 0 {
		_ = unix.Close(l.tap)
		l.tap = -1
	}
}

func (l *loaded) close() {
	l.detach()
	if l.ring != nil {
		l.ring.Close()
	}
	_ = l.obj.Close()
}

// unavailable says what is missing when the kernel refuses.
func unavailable(err error) error {
	const ability = "packets of a cgroup"
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return lens.Denied(ability, err, "CAP_BPF", "CAP_NET_ADMIN", "CAP_NET_RAW")
	case errors.Is(err, unix.EROFS):
		return &lens.Unavailable{Ability: ability, Reason: err.Error(), Remedy: "in a container, mount /sys/fs/cgroup writable: `docker run -v /sys/fs/cgroup:/sys/fs/cgroup:rw`"}
	}
	return &lens.Unavailable{Ability: ability, Reason: err.Error()}
}

func bigEndian(v uint16) uint16 { return v>>8 | v<<8 }
