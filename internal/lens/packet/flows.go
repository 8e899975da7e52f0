package packet

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/lens"
)

// flows are the recorded processes' conversations, as the kernel lens tells of
// them: the way without a cgroup.
type flows struct {
	sink lens.Sink
	mu   sync.Mutex
	ends map[ends]*kept
}

// ends are a flow's. Without a remote one it is a socket that gets from anybody.
type ends struct {
	proto         uint8
	local, remote netip.AddrPort
}

type kept struct{ bytes int64 }

const maxFlows = 1 << 16

// Watch makes the lens take packets by what the kernel lens tells: its events
// are put into what Watch returns, and go on to s.
func (n *Lens) Watch(s lens.Sink) lens.Sink {
	n.known = &flows{sink: s, ends: map[ends]*kept{}}
	return n.known
}

// Put notes what tells of a socket with an address, and passes the event on.
func (f *flows) Put(e event.Event) {
	f.sink.Put(e)
	fd, ok := e.Body.(*event.FD)
	if !ok || len(fd.Local) == 0 {
		return
	}
	k := ends{local: address(fd.Local), remote: address(fd.Remote)}
	switch fd.Type {
	case unix.SOCK_STREAM:
		k.proto = unix.IPPROTO_TCP
	case unix.SOCK_DGRAM:
		k.proto = unix.IPPROTO_UDP
	}
	if k.proto == 0 || !k.local.IsValid() || k.local.Port() == 0 || k.proto == unix.IPPROTO_TCP && !k.remote.IsValid() {
		return
	}
	if k.local.Addr().IsUnspecified() {
		k.local = netip.AddrPortFrom(netip.Addr{}, k.local.Port())
	}
	f.mu.Lock()
	if len(f.ends) < maxFlows || f.ends[k] != nil {
		f.ends[k] = &kept{}
	}
	f.mu.Unlock()
}

// address reads a sockaddr of IP, with IPv4 as such.
func address(b []byte) netip.AddrPort {
	switch {
	case len(b) >= 8 && binary.NativeEndian.Uint16(b) == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
	case len(b) >= 24 && binary.NativeEndian.Uint16(b) == unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), binary.BigEndian.Uint16(b[2:]))
	}
	return netip.AddrPort{}
}

// of finds the flow that a packet is of or, for an ICMP error, about, and
// whether the recorded process sent it.
func (f *flows) of(b []byte) (k *kept, out bool) {
	h, ok := headers(b)
	if !ok {
		return nil, false
	}
	quotes := h.quoted != nil
	if quotes {
		if h, ok = headers(h.quoted); !ok {
			return nil, false
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, out := range []bool{true, false} {
		local, remote := h.src, h.dst
		if !out {
			local, remote = remote, local
		}
		anywhere := netip.AddrPortFrom(netip.Addr{}, local.Port())
		for _, e := range []ends{{h.proto, local, remote}, {h.proto, anywhere, remote}, {h.proto, local, netip.AddrPort{}}, {h.proto, anywhere, netip.AddrPort{}}} {
			if k := f.ends[e]; k != nil {
				return k, out != quotes
			}
		}
	}
	return nil, false
}

// header is what an IP packet says of itself.
type header struct {
	proto    uint8
	src, dst netip.AddrPort
	quoted   []byte // of an ICMP error: the packet that it is about
}

// headers reads the IP header (RFC 791, RFC 8200) and the ports behind it.
func headers(b []byte) (h header, ok bool) {
	var src, dst netip.Addr
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		h.proto = b[9]
		src, dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		n := int(b[0]&15) * 4
		if n < 20 || n > len(b) || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return h, false
		}
		b = b[n:]
	case len(b) >= 40 && b[0]>>4 == 6:
		h.proto = b[6]
		src, dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		b = b[40:]
	default:
		return h, false
	}
	if len(b) < 8 {
		return h, false
	}
	var sport, dport uint16
	switch t := b[0]; h.proto {
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP:
		sport, dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case unix.IPPROTO_ICMP:
		if t == 3 || t == 4 || t == 5 || t == 11 || t == 12 {
			h.quoted = b[8:]
		}
	case unix.IPPROTO_ICMPV6:
		if t >= 1 && t <= 4 {
			h.quoted = b[8:]
		}
	}
	h.src, h.dst = netip.AddrPortFrom(src, sport), netip.AddrPortFrom(dst, dport)
	return h, true
}

// held is a packet of which nobody knows yet whose it is: the kernel lens tells
// of a connection when connect(2) returns.
type held struct {
	at     event.Time
	packet event.Packet
}

const (
	holdFor  = event.Time(3 * time.Second)
	maxHeld  = 8 << 20 // bytes
	lookWait = 20 * time.Millisecond
)

// recordKnown records from a packet socket.
func (n *Lens) recordKnown(ctx context.Context) error {
	sock, err := OpenSocket(SocketOptions{Buffer: n.opt.Buffer})
	if err != nil {
		return unavailable(err)
	}
	defer sock.Close()
	var wait []held
	size := 0
	var cut, cutBytes uint64
	// emit passes on a packet of a flow that is known.
	emit := func(h *held) bool {
		k, out := n.known.of(h.packet.Data)
		if k == nil {
			return false
		}
		n.packet = h.packet
		n.packet.Out = out
		const headersOnly = 128
		if k.bytes >= n.opt.MaxStream && len(n.packet.Data) > headersOnly {
			cut, cutBytes = cut+1, cutBytes+uint64(len(n.packet.Data)-headersOnly)
			n.packet.Data = n.packet.Data[:headersOnly]
		}
		k.bytes += int64(len(n.packet.Data))
		n.put(h.at)
		return true
	}
	offset := wallOffset()
	for done := false; !done; {
		done = ctx.Err() != nil
		if err := sock.Wait(lookWait); err != nil {
			return err
		}
		now := lens.Now()
		wait = slices.DeleteFunc(wait, func(h held) bool {
			gone := emit(&h) || now-h.at > holdFor || size > maxHeld
			if gone {
				size -= len(h.packet.Data)
			}
			return gone
		})
		for f := (Frame{}); sock.Next(&f); {
			if f.Protocol != unix.ETH_P_IP && f.Protocol != unix.ETH_P_IPV6 || f.Interface == 1 && f.Type == unix.PACKET_OUTGOING {
				continue // loopback's come in again
			}
			h := held{event.Time(f.Wall - offset), event.Packet{Interface: f.Interface, Len: uint32(f.Len), Data: f.Data}}
			if !emit(&h) {
				h.packet.Data = slices.Clone(f.Data)
				size += len(f.Data)
				wait = append(wait, h)
			}
		}
	}
	_, dropped, err := sock.Stats()
	if dropped > 0 {
		n.sink.Put(event.Event{Time: lens.Now(), Body: &event.Loss{Lens: "wire", What: "packets without room in the ring (some may be other programs')", Count: dropped}})
	}
	n.sink.Put(event.Event{Time: lens.Now(), Body: seen("packet socket", n.count, cut, cutBytes)})
	return err
}

// wallOffset is CLOCK_REALTIME minus CLOCK_MONOTONIC, in ns.
func wallOffset() int64 {
	at := lens.Now()
	return time.Now().UnixNano() - int64(at)
}

// seen says how much there was.
func seen(by string, count, cut, cutBytes uint64) *event.Note {
	text := fmt.Sprintf("%d packets by %s", count, by)
	if cut > 0 {
		text += fmt.Sprintf("; of %d only the headers were kept, without %d bytes", cut, cutBytes)
	}
	return &event.Note{Lens: "wire", Code: "packets", Text: text}
}
