package strace

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"culprit/internal/sockdiag"
	"culprit/internal/sysabi"
)

// sockets finds a socket's addresses by its inode, in the tables that /proc/net
// has of the traced program's network namespace.
type sockets struct {
	peers map[string]string // of Unix sockets, by their inodes: known also when the peer is gone
}

// describe returns what strace -yy prints of a socket: TCP:[127.0.0.1:4->127.0.0.1:80].
func (s *sockets) describe(dir, path, inode string) string {
	proto := protocol(path)
	if proto == "" {
		return ""
	}
	dir += "/net/"
	var details string
	switch strings.TrimSuffix(proto, "v6") {
	case "TCP", "UDP", "UDPLITE", "UDP-Lite", "RAW", "PING":
		details = inet(dir, proto, inode)
	case "UNIX", "UNIX-STREAM":
		details, proto = s.unix(dir, proto, inode)
	case "NETLINK":
		details = netlink(dir, inode)
	}
	if details == "" {
		details = inode
	}
	return proto + ":[" + details + "]"
}

// protocol is the kernel's name of a socket's protocol.
func protocol(path string) string {
	var b [64]byte
	n, err := unix.Getxattr(path, "system.sockprotoname", b[:])
	if err != nil || n <= 0 {
		return ""
	}
	return string(bytes.TrimRight(b[:n], "\x00"))
}

func inet(dir, proto, inode string) string {
	file := map[string]string{
		"TCP": "tcp", "TCPv6": "tcp6", "UDP": "udp", "UDPv6": "udp6", "UDP-Lite": "udplite", "UDPLITE": "udplite",
		"UDPLITEv6": "udplite6", "RAW": "raw", "RAWv6": "raw6", "PING": "icmp", "PINGv6": "icmp6",
	}[proto]
	f := row(dir+file, 9, inode)
	if f == nil {
		return ""
	}
	local, ok1 := address(f[1])
	remote, ok2 := address(f[2])
	if !ok1 || !ok2 {
		return ""
	}
	if remote.Port() == 0 && remote.Addr().IsUnspecified() {
		return text(local)
	}
	return text(local) + "->" + text(remote)
}

// row finds the line of a table whose n-th field is want.
func row(file string, n int, want string) []string {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > n && f[n] == want {
			return f
		}
	}
	return nil
}

// address reads 0100007F:0050 and its IPv6 form: 32-bit words of the machine's
// byte order, then the port.
func address(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i+4 <= len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, uint16(n)), ok
}

func text(a netip.AddrPort) string {
	host := a.Addr().String()
	if a.Addr().Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(a.Port()))
}

// unixSocket prints the inode and the path; the peer's inode takes a question to
// the kernel (sock_diag(7)).
func (s *sockets) unix(dir, proto, inode string) (string, string) {
	f := row(dir+"unix", 6, inode)
	if f == nil {
		return "", proto
	}
	switch f[4] {
	case "0001":
		proto = "UNIX-STREAM"
	case "0002":
		proto = "UNIX-DGRAM"
	case "0005":
		proto = "UNIX-SEQPACKET"
	}
	out := inode
	if ino, err := strconv.ParseUint(inode, 10, 32); err == nil {
		if peer := sockdiag.UnixPeer(uint32(ino)); peer != 0 {
			s.peers[inode] = "->" + strconv.FormatUint(uint64(peer), 10)
		}
	}
	out += s.peers[inode]
	if len(f) > 7 {
		name := strings.Join(f[7:], " ")
		if strings.HasPrefix(name, "@") {
			out += ",@\"" + name[1:] + "\""
		} else {
			out += ",\"" + name + "\""
		}
	}
	return out, proto
}

func netlink(dir, inode string) string {
	f := row(dir+"netlink", 9, inode)
	if f == nil {
		return ""
	}
	proto, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil {
		return ""
	}
	name := strings.TrimPrefix(sysabi.NetlinkProtocol(proto), "NETLINK_")
	if f[2] == "0" {
		return name
	}
	return name + ":" + f[2]
}
