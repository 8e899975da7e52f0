package sysabi

// Filters of sockets, classic BPF programs that see packets (linux/filter.h).

// recordSocketFilter is a struct sock_fprog of a socket: a length and a pointer.
var recordSocketFilter = lazily(func() *cstruct {
	return newRecord(u16("len"), part("filter", 0, func(p *printer, b, all []byte) {
		p.filter(le(b), le16(all, 0), packetOperand)
	})).words()
})

// packetOperand prints the negative offsets that lead to more than the packet.
func packetOperand(p *printer, code, k uint64) bool {
	if code&7 != 0 || code&0xe0 != 0x20 || k < 0xffe00000 { // BPF_LD, BPF_ABS
		return false
	}
	const ad, net, ll = 0xfffff000, 0xfff00000, 0xffe00000
	base := uint64(ll)
	if k >= ad {
		base = ad
	} else if k >= net {
		base = net
	}
	p.enum(setFilterOffsets, base)
	p.str("+")
	if base == ad {
		p.enum(setFilterAncillary, k-base)
	} else {
		p.uint(k - base)
	}
	return true
}

var (
	setFilterAncillary = &Set{"SKF_AD_???", []Name{
		{0, "SKF_AD_PROTOCOL"}, {4, "SKF_AD_PKTTYPE"}, {8, "SKF_AD_IFINDEX"}, {0xc, "SKF_AD_NLATTR"},
		{0x10, "SKF_AD_NLATTR_NEST"}, {0x14, "SKF_AD_MARK"}, {0x18, "SKF_AD_QUEUE"}, {0x1c, "SKF_AD_HATYPE"},
		{0x20, "SKF_AD_RXHASH"}, {0x24, "SKF_AD_CPU"}, {0x28, "SKF_AD_ALU_XOR_X"}, {0x2c, "SKF_AD_VLAN_TAG"},
		{0x30, "SKF_AD_VLAN_TAG_PRESENT"}, {0x34, "SKF_AD_PAY_OFFSET"}, {0x38, "SKF_AD_RANDOM"},
		{0x3c, "SKF_AD_VLAN_TPID"},
	}}
	setFilterOffsets = &Set{"SKF_???", []Name{
		{0xfffff000, "SKF_AD_OFF"}, {0xfff00000, "SKF_NET_OFF"}, {0xffe00000, "SKF_LL_OFF"},
	}}
)
