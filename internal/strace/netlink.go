package strace

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// What the text of netlink messages needs to know of the system besides the
// call.

// netlinkSocket decides, while the task stands at a call, whether the call moves
// data through a netlink socket.
func (p *printer) netlinkSocket(t *tracer.Task, st *state) {
	st.netlink = sysabi.NotNetlink
	if t.Call == nil || !t.Call.Data() || t.Call.Class&sysabi.Network == 0 || t.Call.FD() < 0 {
		return
	}
	st.netlink = p.netlink(t, int64(int32(t.Sys.Args[t.Call.FD()])))
}

// netlink is sysabi.Options.Netlink for a task that stands still.
func (d *describer) netlink(t *tracer.Task, fd int64) int {
	d.task(t)
	if path := d.path(fd); protocol(path) == "NETLINK" {
		return netlinkProtocol(path)
	}
	return sysabi.NotNetlink
}

// netlinkProtocol finds the protocol of the socket that a path in /proc is.
func netlinkProtocol(path string) int {
	link, err := os.Readlink(path)
	inode, ok := strings.CutPrefix(strings.TrimSuffix(link, "]"), "socket:[")
	if err != nil || !ok {
		return sysabi.NetlinkUnknown
	}
	if f := row(path[:strings.Index(path, "/fd/")]+"/net/netlink", 9, inode); f != nil {
		if v, err := strconv.ParseUint(f[1], 10, 16); err == nil {
			return int(v)
		}
	}
	return sysabi.NetlinkUnknown
}

// limits are what is copied of a call; messages of netlink are copied whole.
func (p *printer) limits(st *state) sysabi.Limits {
	lim := p.lim
	if st.netlink != sysabi.NotNetlink {
		lim.Buffer = 0
	}
	return lim
}

// interfaceName is if_indextoname(3).
func interfaceName(index uint32) string {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("")
	if err != nil {
		return ""
	}
	r.SetUint32(index)
	if unix.IoctlIfreq(fd, unix.SIOCGIFNAME, r) != nil {
		return ""
	}
	return r.Name()
}

// genericFamilies are the families of generic netlink that the kernel has now.
var genericFamilies = sync.OnceValue(func() map[uint16]string {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	le := binary.NativeEndian
	var q []byte
	q = le.AppendUint32(q, 16+4) // struct nlmsghdr
	q = le.AppendUint16(q, unix.GENL_ID_CTRL)
	q = le.AppendUint16(q, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	q = append(q, make([]byte, 8)...)
	q = append(q, unix.CTRL_CMD_GETFAMILY, 1, 0, 0) // struct genlmsghdr
	if unix.Sendto(fd, q, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return nil
	}
	names := make(map[uint16]string)
	b := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err != nil || n < 16 {
			return names
		}
		for m := b[:n]; len(m) >= 16; {
			size := int(le.Uint32(m))
			if size < 16 || size > len(m) || le.Uint16(m[4:]) != unix.GENL_ID_CTRL {
				return names // the end, or an error
			}
			if id, name := genericFamily(m[min(20, size):size]); name != "" {
				names[id] = name
			}
			m = m[min((size+3)&^3, len(m)):]
		}
	}
})

// genericFamily finds the number and the name in a message's attributes.
func genericFamily(a []byte) (id uint16, name string) {
	for len(a) >= 4 {
		size := int(binary.NativeEndian.Uint16(a))
		if size < 4 || size > len(a) {
			return id, name
		}
		switch v := a[4:size]; {
		case binary.NativeEndian.Uint16(a[2:]) == unix.CTRL_ATTR_FAMILY_ID && len(v) >= 2:
			id = binary.NativeEndian.Uint16(v)
		case binary.NativeEndian.Uint16(a[2:]) == unix.CTRL_ATTR_FAMILY_NAME:
			name = strings.TrimRight(string(v), "\x00")
		}
		a = a[min((size+3)&^3, len(a)):]
	}
	return id, name
}
