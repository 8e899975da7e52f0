package sysabi

// Netfilter (linux/netfilter/nfnetlink.h): the high byte of a type is the
// subsystem, the low one its own type.

// netfilterSubsystem is the types of a subsystem and those of them that ask,
// make and take away.
type netfilterSubsystem struct {
	types               *Set
	news, gets, deletes uint64 // bits
}

var netfilterSubsystems = lazily(func() []netfilterSubsystem {
	return []netfilterSubsystem{
		1:  {setConntrack, 1 << 0, bits(1, 3, 4, 5, 6, 7), 1 << 2},
		2:  {setConntrackExp, 1 << 0, bits(1, 3), 1 << 2},
		3:  {types: setNFQueue},
		4:  {types: setNFLog},
		5:  {types: setNFOSF},
		6:  {types: setIPSet},
		7:  {setNFAcct, 1 << 0, bits(1, 2), 1 << 3},
		8:  {setNFTimeout, 1 << 0, bits(1), 1 << 2},
		9:  {setNFHelper, 1 << 0, bits(1), 1 << 2},
		10: {setNFTables, bits(0, 3, 6, 9, 12, 15, 18, 22), bits(1, 4, 7, 10, 13, 16, 19, 21, 23, 25, 33), bits(2, 5, 8, 11, 14, 20, 24, 26, 27, 28, 29, 30, 31, 32)},
		11: {setNFTCompat, 0, bits(0), 0},
		12: {setNFHook, 0, bits(0), 0},
	}
})

const nfTables = 10

func bits(list ...int) uint64 {
	var v uint64
	for _, i := range list {
		v |= 1 << i
	}
	return v
}

func netfilterType(p *printer, typ uint16) {
	if setNFMessages.Name(uint64(typ)) != "" { // reserved ones
		p.enum(setNFMessages, uint64(typ))
		return
	}
	p.enum(setNFSubsystems, uint64(typ>>8))
	p.str("<<8|")
	if i := int(typ >> 8); i < len(netfilterSubsystems()) && netfilterSubsystems()[i].types != nil {
		p.enum(netfilterSubsystems()[i].types, uint64(typ&0xff))
	} else {
		p.hex(uint64(typ & 0xff))
	}
}

func netfilterFlags(typ uint16) *Set {
	i := int(typ >> 8)
	if i >= len(netfilterSubsystems()) || typ&0xff > 63 {
		return nil
	}
	bit := uint64(1) << (typ & 0xff)
	switch s := &netfilterSubsystems()[i]; {
	case s.news&bit != 0:
		return setNLNewFlags
	case s.gets&bit != 0:
		return setNLGetFlags
	case s.deletes&bit != 0:
		return setNLDelFlags
	}
	return nil
}

// nfgenmsg is struct nfgenmsg without its last member.
var nfgenmsg = lazily(func() *cstruct { return newRecord(family("nfgen_family"), en("version", 1, setNFVersions)) })

func netfilterBody(p *printer, h nlmsghdr, s span) bool {
	b := s.get(0, 4)
	switch {
	case h.typ == nlmsgDone:
		return false
	case s.n < 4:
		p.hexSpan(s)
		return true
	case b == nil:
		p.ptr(s.addr)
		return true
	}
	p.str("{")
	p.members(nfgenmsg(), b)
	p.field("res_id")
	p.resID(h.typ, b[2:])
	p.str("}")
	if rest := s.from(4); rest.n > 0 {
		p.str(", ")
		if setNFMessages.Name(uint64(h.typ)) != "" {
			p.hexSpan(rest)
		} else {
			attrsAny.decode(p, rest)
		}
	}
	return true
}

// resID is a number in network byte order. Of a batch of nftables it says so,
// which some programs write in their own.
func (p *printer) resID(typ uint16, b []byte) {
	swapped, plain := bigEndian(b), le16(b, 0)
	switch {
	case typ>>8 == nfTables && swapped == nfTables:
		p.enum(setResIDs, plain)
	case typ>>8 == nfTables && plain == nfTables:
		p.enum(setResIDs, plain)
	default:
		be16("").show(p, b, b)
	}
}

var setResIDs = &Set{Names: []Name{{nfTables, "NFNL_SUBSYS_NFTABLES"}, {nfTables << 8, "htons(NFNL_SUBSYS_NFTABLES)"}}}

// attrsAny is attributes without names.
var attrsAny = &attrSet{}
