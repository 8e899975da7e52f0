package strace

import (
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

func testSocket(t testing.TB, family, protocol int) int64 {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		t.Skipf("no socket of family %d and protocol %d: %v", family, protocol, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return int64(fd)
}

func TestNetlinkSocket(t *testing.T) {
	d := &describer{procs: newProcs()}
	self := &tracer.Task{TID: int32(os.Getpid())}
	for _, x := range []struct{ family, protocol, want int }{
		{unix.AF_UNIX, 0, sysabi.NotNetlink},
		{unix.AF_NETLINK, unix.NETLINK_ROUTE, unix.NETLINK_ROUTE},
		{unix.AF_NETLINK, unix.NETLINK_GENERIC, unix.NETLINK_GENERIC},
	} {
		fd := testSocket(t, x.family, x.protocol)
		if x.family == unix.AF_NETLINK { // it is in the kernel's table when it has an address
			if err := unix.Bind(int(fd), &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.netlink(self, fd); got != x.want {
			t.Errorf("family %d, protocol %d: %d, want %d", x.family, x.protocol, got, x.want)
		}
	}
	if got := d.netlink(self, 1<<20); got != sysabi.NotNetlink {
		t.Errorf("a descriptor that is closed: %d", got)
	}
}

func TestNames(t *testing.T) {
	list, err := net.Interfaces()
	if err != nil || len(list) == 0 {
		t.Skipf("no interfaces: %v", err)
	}
	for _, i := range list {
		if got := interfaceName(uint32(i.Index)); got != i.Name {
			t.Errorf("interface %d is %q, want %q", i.Index, got, i.Name)
		}
	}
	if got := interfaceName(1 << 30); got != "" {
		t.Errorf("an interface that isn't there is %q", got)
	}
	testSocket(t, unix.AF_NETLINK, unix.NETLINK_GENERIC)
	if got := genericFamilies()[unix.GENL_ID_CTRL]; got != "nlctrl" {
		t.Errorf("family %d is %q", unix.GENL_ID_CTRL, got)
	}
}

// What asking for a socket's protocol costs each call that moves data.
func BenchmarkNetlinkSocket(b *testing.B) {
	d := &describer{procs: newProcs()}
	self := &tracer.Task{TID: int32(os.Getpid())}
	fd := testSocket(b, unix.AF_UNIX, 0)
	b.ReportAllocs()
	for b.Loop() {
		d.netlink(self, fd)
	}
}
