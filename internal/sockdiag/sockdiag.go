// Package sockdiag asks the kernel about sockets that another process has
// (sock_diag(7)), what /proc doesn't tell. It knows the network namespace of
// the calling thread only.
package sockdiag

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Constants of linux/sock_diag.h and linux/unix_diag.h.
const (
	sockDiagByFamily = 20
	udiagShowPeer    = 4
	unixDiagPeer     = 2
)

// UnixPeer asks for the inode of a Unix socket's peer, 0 when there is none.
func UnixPeer(inode uint32) uint32 {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	le := binary.NativeEndian
	var q []byte
	q = le.AppendUint32(q, 16+24) // struct nlmsghdr
	q = le.AppendUint16(q, sockDiagByFamily)
	q = le.AppendUint16(q, unix.NLM_F_REQUEST)
	q = append(q, make([]byte, 8)...)
	q = append(q, unix.AF_UNIX, 0, 0, 0) // struct unix_diag_req
	q = le.AppendUint32(q, ^uint32(0))
	q = le.AppendUint32(q, inode)
	q = le.AppendUint32(q, udiagShowPeer)
	q = append(q, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // no cookie
	if unix.Sendto(fd, q, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return 0
	}
	b := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, b, 0)
	if err != nil || n < 16+16 || le.Uint16(b[4:]) != sockDiagByFamily {
		return 0
	}
	for a := b[16+16 : n]; len(a) >= 4; { // attributes follow struct unix_diag_msg
		size := int(le.Uint16(a))
		if size < 4 || size > len(a) {
			return 0
		}
		if le.Uint16(a[2:]) == unixDiagPeer && size >= 8 {
			return le.Uint32(a[4:])
		}
		a = a[min((size+3)&^3, len(a)):]
	}
	return 0
}
