package sysabi

import "culprit/internal/event"

// Netlink messages (netlink(7)): a header, a payload that depends on the
// protocol of the socket and the type, and attributes in it. Each protocol has
// a file with its tables: netlink_*.go, rtnetlink_*.go.

// NetlinkUnknown is the protocol of a netlink socket of which nothing more is
// known, NotNetlink that of all other descriptors.
const (
	NetlinkUnknown = -1
	NotNetlink     = -2
)

// Protocols whose messages are decoded.
const (
	nlRoute, nlSockDiag, nlXfrm, nlSELinux, nlAudit = 0, 4, 6, 7, 9
	nlNetfilter, nlUevent, nlGeneric, nlCrypto      = 12, 15, 16, 21
)

// Types and flags that all protocols share (linux/netlink.h).
const (
	nlmsgError, nlmsgDone, nlmsgMin = 2, 3, 0x10
	nlmRequest, nlmCapped           = 1, 0x100
	nlaNested, nlaSwapped           = 0x8000, 0x4000
	nlmsgHeader, nlaHeader          = 16, 4
)

func align4(n int) int { return (n + 3) &^ 3 }

// netlinkState is what attributes need to know of the message around them.
type netlinkState struct {
	af    uint16   // address family of its header
	typ   uint16   // type of the attribute
	set   *attrSet // that the attribute belongs to
	kind  string   // IFLA_INFO_KIND, CTRL_ATTR_FAMILY_NAME
	slave string   // IFLA_INFO_SLAVE_KIND
}

// payload is what an attribute or a message holds.
type payload interface {
	// decode prints it. False says that it isn't such a thing, and that nothing
	// was printed: then it is shown in hex.
	decode(p *printer, s span) bool
}

// payloadFunc is a payload that isn't in the words of a table.
type payloadFunc func(p *printer, s span) bool

func (f payloadFunc) decode(p *printer, s span) bool { return f(p, s) }

func (f field) decode(p *printer, s span) bool {
	size := f.bytes(p.word())
	if s.n < size {
		return false
	}
	if b := s.get(0, size); b != nil {
		f.show(p, b, b)
	} else {
		p.ptr(s.addr)
	}
	return true
}

func (r *cstruct) decode(p *printer, s span) bool { return sub("", r).decode(p, s) }

// attrSet is the attributes of a family. It is itself a payload: nested ones.
type attrSet struct {
	unknown string
	attrs   []attr
	names   *Set    // instead of those of attrs
	every   payload // what attributes hold that aren't in attrs
}

// attr is an attribute: its type, name and what it holds, nil for bytes.
type attr struct {
	v    uint16
	name string
	is   payload
}

func (a *attrSet) find(v uint16) *attr {
	if int(v) < len(a.attrs) && a.attrs[v].v == v {
		return &a.attrs[v]
	}
	for i := range a.attrs {
		if a.attrs[i].v == v {
			return &a.attrs[i]
		}
	}
	return nil
}

func (a *attrSet) decode(p *printer, s span) bool {
	p.nlSequence(s, nlaHeader, func(s span, h []byte) int {
		length, typ := int(le16(h, 0)), uint16(le16(h, 2))
		data := s.upTo(length).from(nlaHeader)
		if data.n > 0 {
			p.str("[")
		}
		p.str("{nla_len=")
		p.int(int64(length))
		p.str(", nla_type=")
		if typ&nlaNested != 0 {
			p.enum(setNLAFlags, nlaNested)
			p.str("|")
		}
		if typ&nlaSwapped != 0 {
			p.enum(setNLAFlags, nlaSwapped)
			p.str("|")
		}
		a.name(p, typ&^(nlaNested|nlaSwapped))
		p.str("}")
		if data.n > 0 {
			p.str(", ")
			a.value(p, typ&^(nlaNested|nlaSwapped), data)
			p.str("]")
		}
		return length
	})
	return true
}

func (a *attrSet) name(p *printer, v uint16) {
	if a.names != nil {
		p.enum(a.names, uint64(v))
		return
	}
	p.styled(uint64(v), func() {
		if t := a.find(v); t != nil {
			p.str(t.name)
			return
		}
		p.hex(uint64(v))
		p.remark(a.unknown)
	})
}

func (a *attrSet) value(p *printer, v uint16, data span) {
	is := a.every
	if t := a.find(v); t != nil && t.is != nil {
		is = t.is
	}
	typ, set := p.nl.typ, p.nl.set
	p.nl.typ, p.nl.set = v, a
	if is == nil || !is.decode(p, data) {
		p.hexSpan(data)
	}
	p.nl.typ, p.nl.set = typ, set
}

// nlSequence prints headers with what follows them, in brackets when there are
// several. each prints one at the span's beginning and returns its length.
func (p *printer) nlSequence(s span, header int, each func(s span, h []byte) int) {
	many := false
	for i := 1; ; i++ {
		if s.n < header {
			p.hexSpan(s)
			break
		}
		h := s.get(0, header)
		if h == nil && many {
			p.more(s.addr)
			break
		} else if h == nil {
			p.ptr(s.addr)
			break
		}
		if i > p.opt.strLen() && p.abbreviated() {
			p.str("...")
			break
		}
		length := int(le16(h, 0))
		if header == nlmsgHeader {
			length = int(min(le32(h, 0), 1<<30))
		}
		rest := span{}
		if length >= header {
			rest = s.from(align4(length))
		}
		if rest.n > 0 && !many {
			many = true
			p.str("[")
		}
		each(s, h)
		if rest.n == 0 {
			break
		}
		p.str(", ")
		s = rest
	}
	if many {
		p.str("]")
	}
}

// nlFamily is a protocol of netlink.
type nlFamily struct {
	types *Set
	name  func(p *printer, typ uint16)              // prints a type, instead of types
	flags func(typ uint16) *Set                     // what a type's flags mean besides the common ones
	body  func(p *printer, h nlmsghdr, s span) bool // prints the payload
}

// nlmsghdr is struct nlmsghdr.
type nlmsghdr struct {
	len        uint32
	typ, flags uint16
	seq        uint32
	pid        int32
}

func parseNlmsghdr(b []byte) nlmsghdr {
	return nlmsghdr{uint32(le32(b, 0)), uint16(le16(b, 4)), uint16(le16(b, 6)), uint32(le32(b, 8)), int32(le32(b, 12))}
}

var nlFamilies = lazily(func() map[int]*nlFamily {
	return map[int]*nlFamily{
		nlRoute:     {types: setRouteTypes, flags: routeFlags, body: routeBody},
		nlSockDiag:  {types: setSockDiagTypes, flags: func(uint16) *Set { return setNLGetFlags }, body: sockDiagBody},
		nlXfrm:      {types: setXfrmTypes, flags: xfrmFlags},
		nlSELinux:   {types: setSELinuxTypes, body: selinuxBody},
		nlAudit:     {types: setAuditTypes},
		nlNetfilter: {name: netfilterType, flags: netfilterFlags, body: netfilterBody},
		nlGeneric:   {name: genericType, flags: func(uint16) *Set { return setNLGetFlags }, body: genericBody},
		nlCrypto:    {types: setCryptoTypes, flags: cryptoFlags, body: cryptoBody},
	}
})

var noFamily nlFamily

// netlink prints what went through a netlink socket.
func (p *printer) netlink(protocol int, s span) {
	if protocol == nlUevent {
		p.uevent(s)
		return
	}
	f := nlFamilies()[protocol]
	if f == nil {
		f = &noFamily
	}
	p.nlSequence(s, nlmsgHeader, func(s span, b []byte) int {
		p.nlmsg(f, parseNlmsghdr(b), s)
		return 0
	})
}

// nlmsg prints one message.
func (p *printer) nlmsg(f *nlFamily, h nlmsghdr, s span) {
	body := s.upTo(int(min(h.len, 1<<30))).from(nlmsgHeader)
	if body.n > 0 {
		p.str("[")
	}
	p.str("{nlmsg_len=")
	p.uint(uint64(h.len))
	p.str(", nlmsg_type=")
	switch {
	case h.typ >= nlmsgMin && f.name != nil:
		f.name(p, h.typ)
	case h.typ >= nlmsgMin && f.types != nil:
		p.enum(f.types, uint64(h.typ))
	default:
		p.enum(setNLTypes, uint64(h.typ))
	}
	p.str(", nlmsg_flags=")
	flags := setNLFlags
	switch {
	case h.typ == nlmsgError:
		flags = setNLAckFlags
	case h.typ >= nlmsgMin && f.flags != nil:
		if s := f.flags(h.typ); s != nil {
			flags = s
		}
	}
	p.flags(flags, uint64(h.flags))
	p.str(", nlmsg_seq=")
	p.uint(uint64(h.seq))
	p.str(", nlmsg_pid=")
	p.pid(int64(h.pid), TGID)
	p.str("}")
	if body.n == 0 {
		return
	}
	p.str(", ")
	state := p.nl
	p.nl = netlinkState{}
	p.nlBody(f, h, body)
	p.nl = state
	p.str("]")
}

func (p *printer) nlBody(f *nlFamily, h nlmsghdr, s span) {
	if h.typ == nlmsgError {
		p.nlError(f, h, s)
		return
	}
	if (h.typ >= nlmsgMin || h.typ == nlmsgDone) && f.body != nil && f.body(p, h, s) {
		return
	}
	if h.typ == nlmsgDone && s.n == 4 {
		aS32.decode(p, s)
		return
	}
	p.hexSpan(s)
}

// nlError prints struct nlmsgerr: the errno, the message that it is about, or
// its header alone, and what the kernel adds.
func (p *printer) nlError(f *nlFamily, h nlmsghdr, s span) {
	if s.n < 4+nlmsgHeader {
		p.hexSpan(s)
		return
	}
	b := s.get(0, 4+nlmsgHeader)
	if b == nil {
		p.ptr(s.addr)
		return
	}
	about := parseNlmsghdr(b[4:])
	s = s.from(4)
	n := nlmsgHeader
	if h.flags&nlmCapped == 0 {
		n = int(max(nlmsgHeader, min(about.len, 1<<30)))
	}
	n = min(n, s.n)
	if s.n > n {
		p.str("[")
	}
	p.str("{error=")
	p.errno(i32(b, 0), true)
	p.str(", msg=")
	p.nlDepth++
	if p.nlDepth > 8 { // an error about an error about ...
		p.hexSpan(s.upTo(n))
	} else {
		p.nlmsg(f, about, s.upTo(n))
	}
	p.nlDepth--
	p.str("}")
	if s.n > n {
		p.str(", ")
		attrsNlmsgerr().decode(p, s.from(n))
		p.str("]")
	}
}

var attrsNlmsgerr = lazily(func() *attrSet {
	return &attrSet{unknown: "NLMSGERR_ATTR_???", attrs: []attr{
		{0, "NLMSGERR_ATTR_UNUSED", nil},
		{1, "NLMSGERR_ATTR_MSG", nlText},
		{2, "NLMSGERR_ATTR_OFFS", aU32},
		{3, "NLMSGERR_ATTR_COOKIE", listOf(u8(""))},
		{4, "NLMSGERR_ATTR_POLICY", nil},
		{5, "NLMSGERR_ATTR_MISS_TYPE", nil},
		{6, "NLMSGERR_ATTR_MISS_NEST", nil},
	}}
})

// protocolOf is the protocol of a descriptor's netlink socket.
func (p *printer) protocolOf(fd int64) int {
	if p.opt.Netlink == nil {
		return NotNetlink
	}
	return p.opt.Netlink(fd)
}

// socketData prints the buffer of a call on a netlink socket, and says whether
// it is one.
func (p *printer) socketData(v *Value) bool {
	protocol := p.protocolOf(int64(int32(p.s.Args[0])))
	if protocol == NotNetlink {
		return false
	}
	p.netlink(protocol, span{v.Uint, v.Len, v.Data})
	return true
}

// messageName prints a message's address and returns its family, noFamilyName
// where there is none.
func (p *printer) messageName(h msghdr, room uint32, at event.Phase) int {
	n := min(h.nameLen, room)
	if name, _ := p.m.read(h.name, int(min(n, maxSockaddr)), at); int32(n) >= 2 && len(name) == int(min(n, maxSockaddr)) {
		a := DecodeSockaddr(name)
		p.sockaddr(a)
		return int(a.Family)
	}
	p.ptr(h.name)
	return noMessageName
}

const noMessageName = -1

// messageData decides what the buffers of a message are: with an address its
// family says so, without one the descriptor.
func (p *printer) messageData(family int) {
	switch protocol := p.protocolOf(int64(int32(p.s.Args[0]))); {
	case family == AFNetlink:
		p.nlBuffers, p.nlProtocol = true, max(protocol, NetlinkUnknown)
	case family == noMessageName && protocol != NotNetlink:
		p.nlBuffers, p.nlProtocol = true, protocol
	}
}
