package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"culprit/internal/lens"
)

// SocketOptions say what a Socket gets.
type SocketOptions struct {
	Interface   string // "" means all, from which packets come without their link header
	Cooked      bool   // without the link header
	Snaplen     int    // bytes of a packet; 0: 256 KiB
	Buffer      int    // bytes of the ring; 0: 8 MiB
	Filter      []bpf.RawInstruction
	Promiscuous bool          // also packets that are for other machines
	Latency     time.Duration // for which the kernel may hold a packet back; 0: 10 ms
}

// Socket is an AF_PACKET socket with a ring (TPACKET_V3, packet_mmap.rst) of
// this process's network namespace. One goroutine uses it.
type Socket struct {
	fd      int
	ring    []byte
	block   int
	at      int // of the next block
	left    uint32
	next    int // offset of the next frame in the present block
	got     uint64
	dropped uint64
}

// Frame is one packet of a Socket, valid until the next one.
type Frame struct {
	Wall      int64 // ns since 1970
	Interface uint32
	Type      uint8  // PACKET_HOST, ..., PACKET_OUTGOING (linux/if_packet.h)
	Hardware  uint16 // ARPHRD_*
	Protocol  uint16 // EtherType
	Sender    []byte // link layer address
	Len       int    // on the wire
	Data      []byte
}

const (
	defaultSnaplen = 256 << 10
	blockSize      = 1 << 20 // also a limit for a packet
	frameHeader    = 48      // struct tpacket3_hdr, aligned
)

// OpenSocket opens one. The error is or wraps the unix.Errno.
func OpenSocket(o SocketOptions) (s *Socket, err error) {
	kind, index := unix.SOCK_RAW, 0
	if o.Interface == "" || o.Cooked {
		kind = unix.SOCK_DGRAM
	}
	if o.Interface != "" {
		i, err := net.InterfaceByName(o.Interface)
		if err != nil {
			return nil, fmt.Errorf("find the interface %s: %w", o.Interface, err)
		}
		index = i.Index
	}
	fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	s = &Socket{fd: fd, block: blockSize}
	defer func() {
		if err != nil {
			_ = s.Close()
			s = nil
		}
	}()
	if err := s.setFilter(o.Filter, o.Snaplen); err != nil {
		return s, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return s, fmt.Errorf("ask for TPACKET_V3: %w", err)
	}
	size := max(o.Buffer, 2*blockSize)
	if o.Buffer == 0 {
		size = 8 << 20
	}
	latency := o.Latency
	if latency == 0 {
		latency = 10 * time.Millisecond
	}
	blocks := (size + blockSize - 1) / blockSize
	const frame = 1 << 11 // of no meaning in this version but a check
	req := unix.TpacketReq3{Block_size: blockSize, Block_nr: uint32(blocks), Frame_size: frame,
		Frame_nr: uint32(blocks * blockSize / frame), Retire_blk_tov: uint32(max(latency.Milliseconds(), 1))}
	if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return s, fmt.Errorf("make a ring of %d bytes: %w", blocks*blockSize, err)
	}
	if s.ring, err = unix.Mmap(fd, 0, blocks*blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return s, fmt.Errorf("map the ring: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: index}); err != nil {
		return s, fmt.Errorf("bind the packet socket: %w", err)
	}
	if o.Promiscuous && index != 0 {
		mreq := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
			return s, fmt.Errorf("make %s promiscuous: %w", o.Interface, err)
		}
	}
	return s, nil
}

// setFilter sets the filter; without one the snap length alone.
func (s *Socket) setFilter(f []bpf.RawInstruction, snaplen int) error {
	if snaplen <= 0 || snaplen > defaultSnaplen {
		snaplen = defaultSnaplen
	}
	if f == nil {
		f = []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K, K: uint32(snaplen)}}
	}
	code := make([]unix.SockFilter, len(f))
	for i, in := range f {
		code[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
		if in.Op == unix.BPF_RET|unix.BPF_K && in.K > uint32(snaplen) {
			code[i].K = uint32(snaplen)
		}
	}
	if err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}); err != nil {
		return fmt.Errorf("set the packet socket's filter: %w", err)
	}
	return nil
}

// Close closes the socket.
func (s *Socket) Close() error {
	if s.ring != nil {
		_ = unix.Munmap(s.ring)
		s.ring = nil
	}
	return unix.Close(s.fd)
}

// Wait waits until there are packets, or for d.
func (s *Socket) Wait(d time.Duration) error {
	if s.left > 0 || s.ready() {
		return nil
	}
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, int(d.Milliseconds()))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for packets: %w", err)
	}
	return nil
}

func (s *Socket) status() *uint32 {
	return (*uint32)(unsafe.Pointer(&s.ring[s.at*s.block+8])) // block_status of struct tpacket_hdr_v1
}

func (s *Socket) ready() bool { return atomic.LoadUint32(s.status())&unix.TP_STATUS_USER != 0 }

// Next takes the next packet, false when there is none at the moment.
func (s *Socket) Next(f *Frame) bool {
	ne := binary.NativeEndian
	for s.left == 0 {
		if s.next != 0 { // done with the block
			atomic.StoreUint32(s.status(), unix.TP_STATUS_KERNEL)
			s.at, s.next = (s.at+1)%(len(s.ring)/s.block), 0
		}
		if !s.ready() {
			return false
		}
		b := s.ring[s.at*s.block:]
		s.left, s.next = ne.Uint32(b[12:]), int(ne.Uint32(b[16:])) // num_pkts, offset_to_first_pkt
	}
	b := s.ring[s.at*s.block+s.next : (s.at+1)*s.block]
	cap, mac, network := int(ne.Uint32(b[12:])), int(ne.Uint16(b[24:])), int(ne.Uint16(b[26:]))
	ll := b[frameHeader:]
	*f = Frame{
		Wall: int64(ne.Uint32(b[4:]))*1e9 + int64(ne.Uint32(b[8:])), Len: int(ne.Uint32(b[16:])),
		Protocol: binary.BigEndian.Uint16(ll[2:]), Interface: ne.Uint32(ll[4:]), Hardware: ne.Uint16(ll[8:]), Type: ll[10],
		Sender: ll[12 : 12+min(int(ll[11]), 8)],
	}
	status := ne.Uint32(b[20:])
	if mac == 0 {
		mac = network
	}
	f.Data = b[mac : mac+cap]
	if status&unix.TP_STATUS_VLAN_VALID != 0 && mac != network && len(f.Data) >= 12 {
		// The hardware took the tag off: it is put back.
		tpid := uint16(0x8100)
		if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			tpid = ne.Uint16(b[36:])
		}
		tag := binary.BigEndian.AppendUint16(nil, tpid)
		tag = binary.BigEndian.AppendUint16(tag, uint16(ne.Uint32(b[32:])))
		f.Data = append(append(append(make([]byte, 0, len(f.Data)+4), f.Data[:12]...), tag...), f.Data[12:]...)
		f.Len += 4
	}
	s.next += int(ne.Uint32(b))
	s.left--
	s.got++
	return true
}

// Stats tells how many packets passed the filter, and how many of these found
// no room, since the socket was opened.
func (s *Socket) Stats() (received, dropped uint64, err error) {
	st, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, 0, fmt.Errorf("read the packet socket's statistics: %w", err)
	}
	s.dropped += uint64(st.Drops) // reading resets them
	return s.got + s.dropped, s.dropped, nil
}

// Reachable says whether packet sockets can be opened here.
func Reachable() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.EPERM) {
			return lens.Denied("packet sockets", err, "CAP_NET_RAW")
		}
		return &lens.Unavailable{Ability: "packet sockets", Reason: err.Error()}
	}
	return unix.Close(fd)
}
