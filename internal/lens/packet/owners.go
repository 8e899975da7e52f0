package packet

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"culprit/internal/procfs"
)

// Owners are the sockets of a running process and its descendants, as /proc has
// them. A socket that lives for a shorter time than it takes to look is missed.
type Owners struct {
	root   int
	flows  *flows
	looked time.Duration
	began  bool
}

// lookEvery is how often the sockets are looked at.
const lookEvery = 20 * time.Millisecond

// OwnersOf looks at a process's sockets for the first time.
func OwnersOf(pid int) (*Owners, error) {
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/fd", pid)); err != nil {
		return nil, fmt.Errorf("look at the sockets of process %d: %w", pid, err)
	}
	o := &Owners{root: pid, flows: &flows{ends: map[ends]*kept{}}}
	o.look()
	return o, nil
}

// Own says whether a packet, from its IP header on, is of one of the sockets, or
// an ICMP error about one. now is any clock that never stands still.
func (o *Owners) Own(b []byte, now time.Duration) bool {
	if k, _ := o.flows.of(b); k != nil {
		return true
	}
	if o.began && now-o.looked < lookEvery {
		return false
	}
	o.began, o.looked = true, now
	o.look()
	k, _ := o.flows.of(b)
	return k != nil
}

// look adds the sockets that there are now. Those that are closed stay: what is
// still under way is theirs.
func (o *Owners) look() {
	inodes := map[string]bool{}
	for _, pid := range tree(o.root) {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		list, err := os.ReadDir(dir)
		if err != nil {
			continue // it has ended
		}
		for _, fd := range list {
			link, err := os.Readlink(dir + "/" + fd.Name())
			if inode, ok := strings.CutPrefix(link, "socket:["); err == nil && ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	for name, proto := range map[string]uint8{"tcp": 6, "tcp6": 6, "udp": 17, "udp6": 17} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", o.root, name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 10 || !inodes[f[9]] {
				continue
			}
			local, remote := procAddress(f[1]), procAddress(f[2])
			if !local.IsValid() {
				continue
			}
			e := ends{proto: proto, local: local}
			if remote.IsValid() && remote.Port() != 0 {
				e.remote = remote
			}
			if e.local.Addr().IsUnspecified() {
				e.local = netip.AddrPortFrom(netip.Addr{}, e.local.Port())
			}
			if len(o.flows.ends) < maxFlows {
				o.flows.ends[e] = &kept{}
			}
		}
	}
}

// tree is a process and all that descend from it.
func tree(root int) []int32 {
	out := []int32{int32(root)}
	for i := 0; i < len(out); i++ {
		for _, k := range procfs.Children(out[i]) {
			if !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

// procAddress reads an address of /proc/net (proc(5)): words in host order, in
// hexadecimal, and the port.
func procAddress(s string) netip.AddrPort {
	addr, port, ok := strings.Cut(s, ":")
	b, err := hex.DecodeString(addr)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || portErr != nil || len(b)%4 != 0 {
		return netip.AddrPort{}
	}
	for w := 0; w < len(b); w += 4 {
		slices.Reverse(b[w : w+4])
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n))
}
