package pcapfilter

import (
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// value is a number that is worked out from a packet.
type value struct {
	code  []bpf.RawInstruction // leaves it in A
	guard *node                // must hold, or there is no such number
	known bool                 // it is the constant k
	k     uint32
	words uint32 // of the machine's memory that code uses, from the first
}

// constants are the names of numbers (pcap-filter(7)).
var constants = func() map[string]uint32 {
	m := map[string]uint32{"icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1, "tcpflags": 13}
	for text, first := range map[string]uint32{
		"echoreply": 0, "unreach sourcequench redirect": 3, "echo routeradvert routersolicit timxceed paramprob tstamp tstampreply ireq ireqreply maskreq maskreply": 8,
	} {
		for i, w := range strings.Fields(text) {
			m["icmp-"+w] = first + uint32(i)
		}
	}
	for text, first := range map[string]uint32{
		"destinationunreach packettoobig timeexceeded parameterproblem": 1,
		`echo echoreply multicastlistenerquery multicastlistenerreportv1 multicastlistenerdone routersolicit routeradvert neighborsolicit neighboradvert redirect
		routerrenum nodeinformationquery nodeinformationresponse ineighbordiscoverysolicit ineighbordiscoveryadvert multicastlistenerreportv2
		homeagentdiscoveryrequest homeagentdiscoveryreply mobileprefixsolicit mobileprefixadvert certpathsolicit certpathadvert`: 128,
		"multicastrouteradvert multicastroutersolicit multicastrouterterm": 151,
	} {
		for i, w := range strings.Fields(text) {
			m["icmp6-"+w] = first + uint32(i)
		}
	}
	for i, w := range strings.Fields("fin syn rst push ack urg ece cwr") {
		m["tcp-"+w] = 1 << i
	}
	return m
}()

var relations = map[string]struct {
	jump    uint16
	inverse bool
}{
	">": {unix.BPF_JGT, false}, ">=": {unix.BPF_JGE, false}, "=": {unix.BPF_JEQ, false}, "==": {unix.BPF_JEQ, false},
	"<=": {unix.BPF_JGT, true}, "<": {unix.BPF_JGE, true}, "!=": {unix.BPF_JEQ, true},
}

// relation reads a comparison of numbers; nil, with nothing read, where there is
// none.
func (c *compiler) relation() *node {
	start := c.at
	a, ok := c.arithmetic(0)
	if !ok {
		c.at = start
		return nil
	}
	r, ok := relations[c.peek()]
	if !ok {
		c.at = start
		return nil
	}
	c.at++
	b, ok := c.arithmetic(0)
	if !ok {
		c.fail("a number expected")
	}
	n := &node{jump: r.jump}
	if b.known {
		n.load, n.k = a.load(), b.k
	} else {
		n.load, n.x = c.beside(a, b).code, true
	}
	if r.inverse {
		n = not(n)
	}
	return and(a.guard, b.guard, n)
}

func (v value) load() []bpf.RawInstruction {
	if v.known {
		return []bpf.RawInstruction{op(unix.BPF_LD|unix.BPF_IMM, v.k)}
	}
	return append([]bpf.RawInstruction(nil), v.code...)
}

// beside leaves a in A and b in X.
func (c *compiler) beside(a, b value) value {
	slot := a.words // which a's own code leaves alone
	if slot >= unix.BPF_MEMWORDS {
		c.fail("the number is too complicated")
	}
	code := append(b.load(), op(unix.BPF_ST, slot))
	code = append(code, a.load()...)
	code = append(code, op(unix.BPF_LDX|unix.BPF_MEM, slot))
	return value{code: code, guard: and(a.guard, b.guard), words: max(b.words, slot+1)}
}

// levels are the operators by how tightly they bind.
var levels = [][]string{{"|", "^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}

var aluOps = map[string]uint16{"+": unix.BPF_ADD, "-": unix.BPF_SUB, "*": unix.BPF_MUL, "/": unix.BPF_DIV, "%": unix.BPF_MOD,
	"&": unix.BPF_AND, "|": unix.BPF_OR, "^": unix.BPF_XOR, "<<": unix.BPF_LSH, ">>": unix.BPF_RSH}

func (c *compiler) arithmetic(level int) (value, bool) {
	if level == len(levels) {
		return c.operand()
	}
	a, ok := c.arithmetic(level + 1)
	if !ok {
		return a, false
	}
	for {
		sign := c.peek()
		if sign == "" || !contains(levels[level], sign) {
			return a, true
		}
		c.at++
		b, ok := c.arithmetic(level + 1)
		if !ok {
			return a, false
		}
		a = c.combine(sign, a, b)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (c *compiler) combine(sign string, a, b value) value {
	code := unix.BPF_ALU | aluOps[sign]
	switch {
	case b.known && b.k == 0 && (sign == "/" || sign == "%"):
		c.fail("division by 0")
	case a.known && b.known:
		return value{known: true, k: alu(aluOps[sign], a.k, b.k)}
	case b.known:
		return value{code: append(a.load(), op(code|unix.BPF_K, b.k)), guard: a.guard, words: a.words}
	}
	v := c.beside(a, b)
	v.code = append(v.code, op(code|unix.BPF_X, 0))
	return v
}

func (c *compiler) operand() (value, bool) {
	if c.depth++; c.depth > maxDepth {
		c.fail("nested too deeply")
	}
	defer func() { c.depth-- }()
	w := c.peek()
	switch {
	case c.take("-"):
		v, ok := c.operand()
		if !ok {
			return v, false
		}
		if v.known {
			return value{known: true, k: -v.k}, true
		}
		return value{code: append(v.load(), op(unix.BPF_ALU|unix.BPF_NEG, 0)), guard: v.guard, words: v.words}, true
	case c.take("("):
		v, ok := c.arithmetic(0)
		return v, ok && c.take(")")
	case w == "len" || w == "length":
		c.at++
		return value{code: []bpf.RawInstruction{op(unix.BPF_LD|unix.BPF_W|unix.BPF_LEN, 0)}}, true
	case isProtocol(w) && c.peekAt(1) == "[":
		return c.field(w), true
	}
	if k, ok := constants[w]; ok {
		c.at++
		return value{known: true, k: k}, true
	}
	if k, err := strconv.ParseUint(w, 0, 32); err == nil {
		c.at++
		return value{known: true, k: uint32(k)}, true
	}
	return value{}, false
}

// field reads PROTOCOL[OFFSET:SIZE].
func (c *compiler) field(proto string) value {
	c.at += 2
	off, ok := c.arithmetic(0)
	if !ok {
		c.fail("a number expected")
	}
	size := uint32(1)
	if c.take(":") {
		size = c.number()
	}
	c.want("]")
	width, ok := map[uint32]uint16{1: byte1, 2: half2, 4: word4}[size]
	if !ok {
		c.fail("the size is 1, 2 or 4")
	}
	base, guard, behind := c.base(proto)
	if !behind {
		if off.known {
			return value{code: []bpf.RawInstruction{absolute(width, base+off.k)}, guard: guard}
		}
		code := append(off.load(), op(unix.BPF_MISC|unix.BPF_TAX, 0), op(unix.BPF_LD|width|unix.BPF_IND, base))
		return value{code: code, guard: and(off.guard, guard), words: off.words}
	}
	header := op(unix.BPF_LDX|unix.BPF_B|unix.BPF_MSH, c.network)
	if off.known {
		return value{code: []bpf.RawInstruction{header, op(unix.BPF_LD|width|unix.BPF_IND, base+off.k)}, guard: guard}
	}
	code := append(off.load(), header, op(unix.BPF_ALU|unix.BPF_ADD|unix.BPF_X, 0), op(unix.BPF_MISC|unix.BPF_TAX, 0), op(unix.BPF_LD|width|unix.BPF_IND, base))
	return value{code: code, guard: and(off.guard, guard), words: off.words}
}

// base says where a protocol's header begins, and what must hold for it to be
// there; behind means behind an IPv4 header, whose length the packet says.
func (c *compiler) base(proto string) (at uint32, guard *node, behind bool) {
	switch proto {
	case "ether", "link", "ppp":
		return 0, nil, false
	case "icmp6":
		return c.network + 40, and(c.carries(etherIPv6), equal(byte1, c.network+6, 58, 0)), false
	}
	if p, ok := linkProtocols[proto]; ok {
		return c.network, c.carries(p), false
	}
	return c.network, and(c.carries(etherIP), equal(byte1, c.network+9, ipProtocols[proto], 0), c.first()), true
}
