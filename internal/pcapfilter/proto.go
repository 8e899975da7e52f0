package pcapfilter

import (
	"culprit/internal/dissect/tcp"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// protocol tests for a keyword that stands alone.
func (c *compiler) protocol(w string) *node {
	if w == "ether" {
		c.fail("%q alone is no condition", w)
	}
	if p, ok := linkProtocols[w]; ok {
		return c.carries(p)
	}
	p := ipProtocols[w]
	switch w {
	case "icmp", "igmp", "igrp", "carp", "vrrp":
		return c.ipProto(p, "ip")
	case "icmp6":
		return c.ipProto(p, "ip6")
	}
	return c.ipProto(p, "")
}

// ipProto tests for an IP protocol, in IPv6 also behind a fragment header.
func (c *compiler) ipProto(p uint32, version string) *node {
	v4 := and(c.carries(etherIP), equal(byte1, c.network+9, p, 0))
	if version == "ip" {
		return v4
	}
	v6 := and(c.carries(etherIPv6), or(equal(byte1, c.network+6, p, 0), and(equal(byte1, c.network+6, 44, 0), equal(byte1, c.network+40, p, 0))))
	if version == "ip6" {
		return v6
	}
	return or(v4, v6)
}

// cast tests for broadcasts and multicasts.
func (c *compiler) cast(proto, w string) *node {
	switch {
	case proto == "ip" && w == "multicast":
		return and(c.carries(etherIP), atLeast(byte1, c.network+16, 224))
	case proto == "ip6" && w == "multicast":
		return and(c.carries(etherIPv6), equal(byte1, c.network+24, 0xff, 0))
	case proto != "" && proto != "ether":
		c.fail("%s %s can't be told without the network's mask", proto, w)
	case c.link != tcp.LinkEthernet:
		c.fail("%s is not known on this link type", w)
	case w == "broadcast":
		return and(equal(word4, 2, 0xffffffff, 0), equal(half2, 0, 0xffff, 0))
	}
	n := equal(byte1, 0, 0, 0)
	n.jump, n.k = unix.BPF_JSET, 1
	return n
}

func atLeast(size uint16, at, value uint32) *node {
	return &node{load: []bpf.RawInstruction{absolute(size, at)}, jump: unix.BPF_JGE, k: value}
}

// vlan tests for a tag and moves what follows in the expression behind it.
func (c *compiler) vlan() *node {
	if c.link != tcp.LinkEthernet {
		c.fail("no VLAN tags on this link type")
	}
	c.tags = true
	n := or(equal(half2, c.typ, 0x8100, 0), equal(half2, c.typ, 0x88a8, 0), equal(half2, c.typ, 0x9100, 0))
	if id, ok := c.optional(); ok {
		if id > 0xfff {
			c.fail("VLAN %d is greater than 4095", id)
		}
		n = and(n, equal(half2, c.network, id, 0xfff))
	}
	c.typ += 4
	c.network += 4
	return n
}

// mpls tests for a label, and moves what follows behind it.
func (c *compiler) mpls() *node {
	if c.link != tcp.LinkEthernet && c.link != tcp.LinkPPP {
		c.fail("no MPLS on this link type")
	}
	n := c.carries(etherMPLS)
	if id, ok := c.optional(); ok {
		if id > 0xfffff {
			c.fail("MPLS label %d is greater than 1048575", id)
		}
		n = and(n, equal(word4, c.network, id<<12, 0xfffff000))
	}
	c.network += 4
	c.layout.link = tcp.LinkRaw // the IP version tells what follows
	return n
}

// pppoe tests for a session, and moves what follows behind its headers.
func (c *compiler) pppoe() *node {
	n := c.carries(etherPPPoE)
	if id, ok := c.optional(); ok {
		if id > 0xffff {
			c.fail("PPPoE session %d is greater than 65535", id)
		}
		n = and(n, equal(half2, c.network+2, id, 0))
	}
	c.typ, c.session = c.network+6, true
	c.network += 8
	return n
}

// bound tests the direction, which only cooked headers hold.
func (c *compiler) bound(out bool) *node {
	var n *node
	switch c.link {
	case tcp.LinkSLL:
		n = equal(half2, 0, 4, 0)
	case tcp.LinkSLL2:
		n = equal(byte1, 10, 4, 0)
	default:
		c.fail("the direction is not known on this link type")
	}
	if out {
		return n
	}
	return not(n)
}
