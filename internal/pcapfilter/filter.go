// Package pcapfilter compiles the filter expressions of tcpdump and Wireshark's
// capture filters (pcap-filter(7)) to classic BPF. A program accepts the packets
// that libpcap's own would; its instructions are not the same.
//
// The language's parts for ATM, MTP, IEEE 802.11, OSI and pf are left out, as are
// gateway, protochain and geneve.
package pcapfilter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Options say what a filter is for. The zero value is for no link type.
type Options struct {
	Link    int    // LINKTYPE_*
	Snaplen uint32 // what accepting programs return; 0: 262144
	// Resolve finds a host's addresses, Service the port of a service and its
	// protocol (0: any). Names are errors where they are nil.
	Resolve func(name string) []netip.Addr
	Service func(name string) (port uint16, proto uint8, ok bool)
}

// Filter is a compiled expression.
type Filter struct {
	Program []bpf.RawInstruction
	// Tags says that it asks for VLAN tags, which the kernel keeps beside a
	// packet that is being captured, not in it.
	Tags bool
}

// Compile compiles an expression; an empty one accepts everything. The error is
// or wraps *Error.
func Compile(expression string, o Options) (*Filter, error) {
	l, ok := layoutOf(o.Link)
	if !ok {
		return nil, fmt.Errorf("there are no filters for link type %d", o.Link)
	}
	if o.Snaplen == 0 {
		o.Snaplen = 262144
	}
	tokens, err := lex(expression)
	if err != nil {
		return nil, err
	}
	c := &compiler{Options: o, layout: l, text: expression, tokens: tokens}
	n, err := c.parse()
	if err != nil {
		return nil, err
	}
	f := &Filter{Tags: c.tags}
	if f.Program, err = assemble(n, o.Snaplen); err != nil {
		return nil, err
	}
	return f, nil
}

type compiler struct {
	Options
	layout
	text   string
	tokens []token
	at     int
	tags   bool
	depth  int
	last   qualifiers // for words that have none of their own
}

// qualifiers stand before a word.
type qualifiers struct {
	proto string // "", "ip", "tcp", "ether", ...
	dir   string // "", "src", "dst", "and"
	kind  string // "", "host", "net", "port", "portrange", "proto"
}

type failure struct{ err *Error }

func (c *compiler) fail(format string, args ...any) {
	at := len(c.text)
	if c.at < len(c.tokens) {
		at = c.tokens[c.at].at
	}
	panic(failure{&Error{c.text, at, fmt.Sprintf(format, args...)}})
}

func (c *compiler) parse() (n *node, err error) {
	defer func() {
		if f, ok := recover().(failure); ok {
			n, err = nil, f.err
		}
	}()
	if len(c.tokens) == 0 {
		return nil, nil
	}
	n = c.expression()
	if c.at < len(c.tokens) {
		c.fail("unexpected %q", c.peek())
	}
	return n, nil
}

func (c *compiler) peek() string {
	if c.at < len(c.tokens) && !c.tokens[c.at].escaped {
		return c.tokens[c.at].text
	}
	return ""
}

func (c *compiler) peekAt(n int) string {
	if c.at+n < len(c.tokens) {
		return c.tokens[c.at+n].text
	}
	return ""
}

func (c *compiler) take(words ...string) bool {
	for _, w := range words {
		if c.peek() == w {
			c.at++
			return true
		}
	}
	return false
}

func (c *compiler) want(word string) {
	if !c.take(word) {
		c.fail("%q expected", word)
	}
}

// maxDepth bounds parentheses and negations.
const maxDepth = 200

// expression reads terms joined by and and or, which bind alike, to the left.
func (c *compiler) expression() *node {
	if c.depth++; c.depth > maxDepth {
		c.fail("nested too deeply")
	}
	defer func() { c.depth-- }()
	n := c.term()
	for {
		switch {
		case c.take("and", "&&"):
			n = and(n, c.term())
		case c.take("or", "||"):
			n = or(n, c.term())
		default:
			return n
		}
	}
}

func (c *compiler) term() *node {
	if c.take("not", "!") {
		if c.depth++; c.depth > maxDepth {
			c.fail("nested too deeply")
		}
		defer func() { c.depth-- }()
		return not(c.term())
	}
	if n := c.relation(); n != nil {
		return n
	}
	if c.take("(") {
		n := c.expression()
		c.want(")")
		return n
	}
	return c.primitive()
}

// protocols by keyword: where they are, IP protocol or EtherType.
var (
	ipProtocols   = map[string]uint32{"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "igmp": 2, "igrp": 9, "pim": 103, "vrrp": 112, "carp": 112, "icmp6": 58, "ah": 51, "esp": 50}
	linkProtocols = map[string]uint32{"ip": etherIP, "ip6": etherIPv6, "arp": etherARP, "rarp": etherRARP, "atalk": 0x809b, "aarp": 0x80f3, "decnet": 0x6003,
		"lat": 0x6004, "sca": 0x6007, "moprc": 0x6002, "mopdl": 0x6001, "iso": sapISO, "stp": sapSTP, "ipx": sapIPX, "netbeui": sapNetBEUI}
	// of names behind proto, as getprotobyname(3) knows them
	protoNames = map[string]uint32{"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "igmp": 2, "igrp": 9, "pim": 103, "vrrp": 112, "icmp6": 58, "ipv6-icmp": 58,
		"ah": 51, "esp": 50, "gre": 47, "ospf": 89, "ipv6": 41, "ipencap": 4, "egp": 8, "dccp": 33, "eigrp": 88}
)

func isProtocol(w string) bool {
	if w == "ether" || w == "link" || w == "ppp" {
		return true
	}
	_, a := ipProtocols[w]
	_, b := linkProtocols[w]
	return a || b
}

func (c *compiler) primitive() *node {
	q := qualifiers{}
	start := c.at
	if isProtocol(c.peek()) {
		q.proto = c.peek()
		c.at++
		if q.proto == "link" || q.proto == "ppp" {
			q.proto = "ether"
		}
	}
	switch w := c.peek(); w {
	case "broadcast", "multicast":
		c.at++
		return c.cast(q.proto, w)
	}
	if q.proto == "" {
		if n := c.other(); n != nil {
			return n
		}
	}
	q.dir = c.direction()
	switch w := c.peek(); w {
	case "host", "net", "port", "portrange", "proto":
		q.kind = w
		c.at++
	case "gateway", "protochain", "geneve", "llc", "wlan", "type", "subtype", "ifname", "on", "rset", "byte":
		c.fail("%q is not supported", w)
	}
	switch {
	case q.kind == "" && q.dir == "" && q.proto != "" && (c.at == len(c.tokens) || c.closes()):
		return c.protocol(q.proto)
	case c.at == start:
		if c.at == len(c.tokens) || c.closes() {
			c.fail("a condition expected")
		}
		q = c.last
	default:
		if c.at == len(c.tokens) || c.closes() {
			c.fail("nothing follows %q", c.tokens[c.at-1].text)
		}
		c.last = q
	}
	return c.ids(q)
}

// closes says whether the next token can't begin a word.
func (c *compiler) closes() bool {
	switch c.peek() {
	case "and", "or", "&&", "||", ")":
		return true
	}
	return false
}

func (c *compiler) direction() string {
	first := c.peek()
	if first != "src" && first != "dst" {
		return ""
	}
	c.at++
	if second := c.peekAt(1); (second == "src" || second == "dst") && second != first {
		switch c.peek() {
		case "or", "||":
			c.at += 2
			return "or"
		case "and", "&&":
			c.at += 2
			return "and"
		}
	}
	return first
}

// ids reads a word, or words in parentheses that share the qualifiers.
func (c *compiler) ids(q qualifiers) *node {
	switch {
	case c.take("not", "!"):
		return not(c.ids(q))
	case c.take("("):
		n := c.ids(q)
		for !c.take(")") {
			switch {
			case c.take("and", "&&"):
				n = and(n, c.ids(q))
			case c.take("or", "||"):
				n = or(n, c.ids(q))
			default:
				c.fail("%q expected", ")")
			}
		}
		return n
	}
	return c.id(q)
}

// other reads what has no qualifiers.
func (c *compiler) other() *node {
	switch w := c.peek(); w {
	case "less", "greater":
		c.at++
		n := &node{load: []bpf.RawInstruction{op(unix.BPF_LD|unix.BPF_W|unix.BPF_LEN, 0)}, jump: unix.BPF_JGE, k: c.number()}
		if w == "less" {
			n.jump = unix.BPF_JGT
			return not(n)
		}
		return n
	case "vlan":
		c.at++
		return c.vlan()
	case "mpls":
		c.at++
		return c.mpls()
	case "pppoed":
		c.at++
		return c.carries(etherPPPoD)
	case "pppoes":
		c.at++
		return c.pppoe()
	case "inbound", "outbound":
		c.at++
		return c.bound(w == "outbound")
	}
	return nil
}

// number reads a number: decimal, octal or hexadecimal.
func (c *compiler) number() uint32 {
	w := c.peek()
	n, err := strconv.ParseUint(w, 0, 32)
	if err != nil {
		c.fail("a number expected, not %q", w)
	}
	c.at++
	return uint32(n)
}

// optional reads a number if there is one.
func (c *compiler) optional() (uint32, bool) {
	if w := c.peek(); w == "" || !strings.ContainsRune("0123456789", rune(w[0])) {
		return 0, false
	}
	return c.number(), true
}
