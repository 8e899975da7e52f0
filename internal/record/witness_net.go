package record

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/sockdiag"
	"culprit/internal/sysabi"
)

// States of /proc/net/tcp (include/net/tcp_states.h).
const (
	tcpTimeWait = 0x06
	tcpListen   = 0x0A
)

// inetSocket is a row of /proc/net/{tcp,tcp6,udp,udp6} (proc(5)).
type inetSocket struct {
	local, remote netip.AddrPort
	state         uint8
	uid           uint32
	inode         string
}

// maxSockets bounds the rows that are read of one table.
const maxSockets = 1 << 16

func inetSockets(text string) []inetSocket {
	var out []inetSocket
	first := true
	for line := range strings.Lines(text) {
		if first || len(out) == maxSockets {
			first = false
			continue
		}
		f := strings.Fields(line)
		if len(f) < 10 {
			continue
		}
		local, ok1 := hexAddr(f[1])
		remote, ok2 := hexAddr(f[2])
		state, err := strconv.ParseUint(f[3], 16, 8)
		uid, err2 := strconv.ParseUint(f[7], 10, 32)
		if !ok1 || !ok2 || err != nil || err2 != nil {
			continue
		}
		out = append(out, inetSocket{local, remote, uint8(state), uint32(uid), f[9]})
	}
	return out
}

// hexAddr reads "0100007F:53A7": 32 bit words in the machine's order (little
// endian on the machines that culprit runs on), the port in plain hex.
func hexAddr(s string) (netip.AddrPort, bool) {
	a, p, ok := strings.Cut(s, ":")
	port, err := strconv.ParseUint(p, 16, 16)
	b, err2 := hex.DecodeString(a)
	if !ok || err != nil || err2 != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	ip, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), true
}

// address puts who has the address that bind(2) or listen(2) was refused.
func (w *witness) address(e event.Event, fd int32, raw []byte) {
	a := sysabi.DecodeSockaddr(raw)
	name := a.Path
	if a.AddrPort.IsValid() {
		name = a.AddrPort.String()
	}
	if name == "" || !w.once(e.PID, "address", name) {
		return
	}
	if a.Path != "" {
		w.unixAddress(e, a.Path)
		return
	}
	tables := []string{"tcp", "tcp6"}
	switch typ, known := w.types[owned{e.PID, fd}]; {
	case known && typ == unix.SOCK_DGRAM:
		tables = []string{"udp", "udp6"}
	case !known:
		tables = []string{"tcp", "tcp6", "udp", "udp6"}
	}
	var waiting int
	var hit []inetSocket
	for _, t := range tables {
		for _, s := range inetSockets(readProc(proc(e.PID, "net/"+t))) {
			switch {
			case !conflicts(a.AddrPort, s.local):
			case t[0] == 't' && s.state == tcpTimeWait:
				waiting++
			case t[0] == 'u' || s.state == tcpListen || s.remote.Port() == 0:
				hit = append(hit, s)
			}
		}
	}
	for _, s := range hit[:min(len(hit), maxHolders)] {
		pids := pidsOf(w.fds().links["socket:["+s.inode+"]"])
		if len(pids) == 0 {
			why := "its process may not be seen by this user"
			if s.inode == "0" {
				why = "it belongs to the kernel or is being closed"
			} else if w.table.blind == 0 {
				why = "no process on this machine has it open: the kernel's, or another container's"
			}
			w.put(e, &event.Holder{What: "address", Name: name, UID: s.uid, Detail: s.local.String() + "; " + why})
		}
		for _, pid := range pids[:min(len(pids), maxHolders)] {
			h := who(pid)
			h.What, h.Name, h.Detail = "address", name, s.local.String()
			w.put(e, h)
		}
	}
	if len(hit) == 0 && waiting > 0 {
		w.put(e, &event.Holder{What: "address", Name: name,
			Detail: strconv.Itoa(waiting) + " connections in TIME_WAIT; nobody listens"})
	}
}

// conflicts reports whether a socket's address is in the way of another's.
func conflicts(want, has netip.AddrPort) bool {
	x, y := want.Addr().Unmap().WithZone(""), has.Addr().Unmap()
	return want.Port() == has.Port() && (x == y || x.IsUnspecified() || y.IsUnspecified())
}

// unixAddress puts who has a Unix socket's path or abstract name
// (/proc/net/unix: Num RefCount Protocol Flags Type St Inode Path).
func (w *witness) unixAddress(e event.Event, name string) {
	for line := range strings.Lines(readProc(proc(e.PID, "net/unix"))) {
		f := strings.Fields(line)
		if len(f) < 8 || f[7] != name {
			continue
		}
		for _, pid := range pidsOf(w.fds().links["socket:["+f[6]+"]"]) {
			h := who(pid)
			h.What, h.Name = "address", name
			w.put(e, h)
			return
		}
	}
	detail := "no socket is bound to it: the file is left over"
	if strings.HasPrefix(name, "@") {
		detail = "its process may not be seen by this user"
	}
	w.put(e, &event.Holder{What: "address", Name: name, Detail: detail})
}

// peer puts which process of this machine has the other end of a TCP
// connection.
func (w *witness) peer(e event.Event, local, remote netip.AddrPort) {
	if !w.once(e.PID, "peer", remote.String()) {
		return
	}
	for _, t := range []string{"tcp", "tcp6"} {
		for _, s := range inetSockets(readProc(proc(e.PID, "net/"+t))) {
			if !same(s.local, remote) || !same(s.remote, local) {
				continue
			}
			for _, pid := range pidsOf(w.fds().links["socket:["+s.inode+"]"]) {
				h := who(pid)
				h.What, h.Name = "peer", remote.String()
				w.put(e, h)
			}
			if s.inode == "0" {
				w.put(e, &event.Holder{What: "peer", Name: remote.String(), Detail: "connected, but not yet accepted by any process"})
			}
			return
		}
	}
}

// unixPeer puts which process has the other end of a Unix socket; the name is
// that of this end.
func (w *witness) unixPeer(e event.Event, link string) {
	inode, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]"), 10, 32)
	if err != nil || !w.once(e.PID, "peer", link) {
		return
	}
	peer := sockdiag.UnixPeer(uint32(inode))
	if peer == 0 {
		return
	}
	pids := pidsOf(w.fds().links["socket:["+strconv.FormatUint(uint64(peer), 10)+"]"])
	for _, pid := range pids[:min(len(pids), maxHolders)] {
		h := who(pid)
		h.What, h.Name = "peer", link
		w.put(e, h)
	}
}

func same(x, y netip.AddrPort) bool {
	return x.Port() == y.Port() && x.Addr().Unmap() == y.Addr().Unmap()
}
