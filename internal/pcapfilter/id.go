package pcapfilter

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"culprit/internal/dissect/tcp"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// id compiles a word with its qualifiers.
func (c *compiler) id(q qualifiers) *node {
	if c.at == len(c.tokens) {
		c.fail("a name or number expected")
	}
	w := c.tokens[c.at].text
	if strings.Contains(operators, w[:1]) && w[0] != ':' && !c.tokens[c.at].escaped {
		c.fail("unexpected %q", w)
	}
	switch q.kind {
	case "port", "portrange":
		return c.ports(q)
	case "proto":
		return c.proto(q)
	case "net":
		return c.net(q)
	}
	return c.host(q)
}

// way joins the tests of both ends as the direction asks.
func way(dir string, test func(src bool) *node) *node {
	switch dir {
	case "src":
		return test(true)
	case "dst":
		return test(false)
	case "and":
		return and(test(true), test(false))
	}
	return or(test(true), test(false))
}

func (c *compiler) host(q qualifiers) *node {
	w := c.tokens[c.at].text
	if mac, err := net.ParseMAC(w); err == nil && len(mac) == 6 {
		c.at++
		if q.proto != "" && q.proto != "ether" {
			c.fail("an Ethernet address after %q", q.proto)
		}
		return c.mac(q.dir, mac)
	}
	if q.proto == "ether" {
		c.fail("%q is no Ethernet address", w)
	}
	if c.peekAt(1) == "/" {
		return c.net(q)
	}
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(w); err == nil {
		addrs = []netip.Addr{a}
	} else if n, bits, ok := dotted(w); ok && q.kind == "" {
		c.at++
		return c.prefix(q, netip.PrefixFrom(n, bits))
	} else if ok {
		addrs = []netip.Addr{n}
	} else if c.Resolve != nil {
		addrs = c.Resolve(w)
	}
	if len(addrs) == 0 {
		c.fail("unknown host %q", w)
	}
	c.at++
	var out *node
	for _, a := range addrs {
		a = a.Unmap()
		if len(addrs) > 1 && (q.proto == "ip" && a.Is6() || q.proto == "ip6" && a.Is4()) {
			continue
		}
		out = or(out, c.prefix(q, netip.PrefixFrom(a, a.BitLen())))
	}
	if out == nil {
		c.fail("%q has no address of %s", w, q.proto)
	}
	return out
}

// dotted reads an IPv4 network with one to four parts.
func dotted(w string) (netip.Addr, int, bool) {
	parts := strings.Split(w, ".")
	if len(parts) > 4 {
		return netip.Addr{}, 0, false
	}
	var b [4]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 0, 8)
		if err != nil {
			return netip.Addr{}, 0, false
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4(b), 8 * len(parts), true
}

func (c *compiler) net(q qualifiers) *node {
	w := c.tokens[c.at].text
	a, bits, ok := dotted(w)
	if x, err := netip.ParseAddr(w); err == nil {
		a, bits, ok = x, x.BitLen(), true
	}
	if !ok {
		c.fail("unknown network %q", w)
	}
	c.at++
	switch {
	case c.take("/"):
		n := c.number()
		if int(n) > a.BitLen() {
			c.fail("a prefix of %d bits in %s", n, a)
		}
		bits = int(n)
	case c.peek() == "mask" && a.Is4():
		c.at++
		m, _, ok := dotted(c.peek())
		if !ok {
			c.fail("%q is no mask", c.peek())
		}
		c.at++
		v, mask := be32(a), be32(m)
		if v&^mask != 0 {
			c.fail("%s has bits that are not in the mask %s", a, m)
		}
		return c.ipv4(q, v, mask)
	}
	p := netip.PrefixFrom(a, bits)
	if p.Masked().Addr() != a {
		c.fail("%s has bits behind its prefix of %d", a, bits)
	}
	return c.prefix(q, p)
}

func be32(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// prefix tests the addresses of IP packets, and of ARP's.
func (c *compiler) prefix(q qualifiers, p netip.Prefix) *node {
	switch q.proto {
	case "", "ip", "ip6", "arp", "rarp":
	default:
		c.fail("%q can't stand before an address", q.proto)
	}
	if p.Addr().Is4() {
		if q.proto == "ip6" {
			c.fail("%s is no IPv6 address", p.Addr())
		}
		mask := uint32(0)
		if p.Bits() > 0 {
			mask = ^uint32(0) << (32 - p.Bits())
		}
		return c.ipv4(q, be32(p.Addr()), mask)
	}
	if q.proto != "" && q.proto != "ip6" {
		c.fail("%s is an IPv6 address", p.Addr())
	}
	b := p.Addr().As16()
	return and(c.carries(etherIPv6), way(q.dir, func(src bool) *node {
		at := c.network + 24
		if src {
			at = c.network + 8
		}
		var n *node
		for i := 0; i < 4 && i*32 < p.Bits(); i++ {
			mask := uint32(0)
			if left := p.Bits() - i*32; left < 32 {
				mask = ^uint32(0) << (32 - left)
			}
			n = and(n, equal(word4, at+uint32(4*i), binary.BigEndian.Uint32(b[4*i:]), mask))
		}
		if n == nil {
			n = &node{kind: always}
		}
		return n
	}))
}

func (c *compiler) ipv4(q qualifiers, value, mask uint32) *node {
	test := func(src, dst uint32) *node {
		return way(q.dir, func(isSrc bool) *node {
			at := dst
			if isSrc {
				at = src
			}
			m := mask
			if m == ^uint32(0) {
				m = 0
			} else if m == 0 {
				return &node{kind: always}
			}
			return equal(word4, c.network+at, value, m)
		})
	}
	ip := and(c.carries(etherIP), test(12, 16))
	arp, rarp := and(c.carries(etherARP), test(14, 24)), and(c.carries(etherRARP), test(14, 24))
	switch q.proto {
	case "ip":
		return ip
	case "arp":
		return arp
	case "rarp":
		return rarp
	}
	return or(ip, arp, rarp)
}

func (c *compiler) mac(dir string, a net.HardwareAddr) *node {
	if c.link != tcp.LinkEthernet {
		c.fail("no Ethernet addresses on this link type")
	}
	return way(dir, func(src bool) *node {
		at := uint32(0)
		if src {
			at = 6
		}
		return and(equal(word4, at+2, binary.BigEndian.Uint32(a[2:]), 0), equal(half2, at, uint32(binary.BigEndian.Uint16(a)), 0))
	})
}

// proto compiles "proto" with a protocol's number or name.
func (c *compiler) proto(q qualifiers) *node {
	w := c.tokens[c.at].text
	n, numeric := c.optional()
	if !numeric {
		c.at++
	}
	named := func(tables ...map[string]uint32) uint32 {
		for _, t := range tables {
			if v, ok := t[w]; ok {
				return v
			}
		}
		c.at--
		c.fail("unknown protocol %q", w)
		return 0
	}
	switch q.proto {
	case "ether":
		if !numeric {
			n = named(linkProtocols)
		}
		return c.carries(n)
	case "ip", "ip6":
		if !numeric {
			n = named(protoNames)
		}
		if q.proto == "ip6" || numeric || w != "icmp6" {
			return c.ipProto(n, q.proto)
		}
		return c.ipProto(n, "ip6")
	case "":
		if !numeric {
			if v, ok := linkProtocols[w]; ok {
				return c.carries(v)
			}
			n = named(protoNames)
		}
		return c.ipProto(n, "")
	}
	c.fail("%q can't stand before proto", q.proto)
	return nil
}

// ports compiles port and portrange. Fragments behind the first have no ports.
func (c *compiler) ports(q qualifiers) *node {
	w := c.tokens[c.at].text
	low, high, proto := c.service(w, q)
	c.at++
	protos := []uint32{132, 6, 17} // SCTP too, as libpcap
	switch q.proto {
	case "":
		if proto != 0 {
			protos = []uint32{uint32(proto)}
		}
	case "tcp", "udp", "sctp":
		protos = []uint32{ipProtocols[q.proto]}
	case "ip", "ip6":
		c.fail("%q can't stand before %s", q.proto, q.kind)
	default:
		c.fail("%q can't stand before %s", q.proto, q.kind)
	}
	family := func(ether, at uint32, whole *node, load func(off uint32) []bpf.RawInstruction) *node {
		var p *node
		for _, n := range protos {
			p = or(p, equal(byte1, c.network+at, n, 0))
		}
		return and(c.carries(ether), p, whole, way(q.dir, func(src bool) *node {
			off := uint32(2)
			if src {
				off = 0
			}
			if low == high {
				return &node{load: load(off), jump: unix.BPF_JEQ, k: low}
			}
			return and(&node{load: load(off), jump: unix.BPF_JGE, k: low}, not(&node{load: load(off), jump: unix.BPF_JGT, k: high}))
		}))
	}
	v6 := family(etherIPv6, 6, nil, func(off uint32) []bpf.RawInstruction {
		return []bpf.RawInstruction{absolute(half2, c.network+40+off)}
	})
	v4 := family(etherIP, 9, c.first(), func(off uint32) []bpf.RawInstruction {
		return []bpf.RawInstruction{op(unix.BPF_LDX|unix.BPF_B|unix.BPF_MSH, c.network), op(unix.BPF_LD|unix.BPF_H|unix.BPF_IND, c.network+off)}
	})
	return or(v6, v4)
}

// first tests for a first fragment, or none.
func (c *compiler) first() *node {
	n := equal(half2, c.network+6, 0, 0)
	n.jump, n.k = unix.BPF_JSET, 0x1fff
	return not(n)
}

func (c *compiler) service(w string, q qualifiers) (low, high uint32, proto uint8) {
	one := func(w string) uint32 {
		if n, err := strconv.ParseUint(w, 0, 32); err == nil {
			if n > 65535 {
				c.fail("port %d is greater than 65535", n)
			}
			return uint32(n)
		}
		if c.Service != nil {
			if port, p, ok := c.Service(w); ok {
				proto = p
				return uint32(port)
			}
		}
		c.fail("unknown port %q", w)
		return 0
	}
	if q.kind == "portrange" {
		if from, to, ok := strings.Cut(w, "-"); ok {
			low, high = one(from), one(to)
			if low > high {
				low, high = high, low
			}
			return low, high, proto
		}
	}
	low = one(w)
	return low, low, proto
}
