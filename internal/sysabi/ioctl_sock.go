package sysabi

import "culprit/internal/event"

// Sockets and network interfaces: netdevice(7), linux/sockios.h.

var ifreqMap = lazily(func() *cstruct {
	return structure(xl("mem_start"), xl("mem_end"), x16("base_addr"), x8("irq"), x8("dma"), x8("port"), pad(3))
})

// ifreqHardware is a struct sockaddr with a link-layer address of as many bytes
// as the hardware has.
var ifreqHardware = lazily(func() *cstruct {
	return structure(
		en("sa_family", 2, setArpHardware),
		field{name: "sa_data", size: 1, n: 14}.shows(func(p *printer) {
			b := p.memberBytes("sa_data")
			p.hardware(b, hardwareLen(p.get("sa_family"), len(b)))
		}))
})

func socketAddress(name string) field {
	return part(name, 16, func(p *printer, b, _ []byte) { p.sockaddr(DecodeSockaddr(b)) })
}

// ifreq is a name and a union, of which the request says what it is; new is
// whatever the member is.
func ifreq(member field) *cstruct {
	member.align = 8
	return structure(chars("ifr_name", 16), member, field{size: 24, size32: 16, align: 8}.overlaid())
}

// ifreqs are the members of the union, and the requests that have them: S for
// those that set, G for those that get.
var ifreqs = lazily(func() []struct {
	member field
	set    string
	get    string
} {
	return []struct {
		member   field
		set, get string
	}{
		{socketAddress("ifr_addr"), "SIOCSIFADDR", "SIOCGIFADDR"},
		{socketAddress("ifr_dstaddr"), "SIOCSIFDSTADDR", "SIOCGIFDSTADDR"},
		{socketAddress("ifr_broadaddr"), "SIOCSIFBRDADDR", "SIOCGIFBRDADDR"},
		{socketAddress("ifr_netmask"), "SIOCSIFNETMASK", "SIOCGIFNETMASK"},
		{sub("ifr_hwaddr", ifreqHardware()), "SIOCADDMULTI SIOCDELMULTI SIOCSIFHWADDR SIOCSIFHWBROADCAST", "SIOCGIFHWADDR"},
		{fl("ifr_flags", 2, setIffFlags), "SIOCSIFFLAGS", "SIOCGIFFLAGS"},
		{s32("ifr_ifindex"), "", "SIOCGIFINDEX"},
		{s32("ifr_metric"), "SIOCSIFMETRIC", "SIOCGIFMETRIC"},
		{s32("ifr_mtu"), "SIOCSIFMTU", "SIOCGIFMTU"},
		{chars("ifr_slave", 16), "SIOCSIFSLAVE", "SIOCGIFSLAVE"},
		{chars("ifr_newname", 16), "SIOCSIFNAME", ""},
		{s32("ifr_qlen"), "SIOCSIFTXQLEN", "SIOCGIFTXQLEN"},
		{sub("ifr_map", ifreqMap()), "SIOCSIFMAP", "SIOCGIFMAP"},
	}
})

var ifreqIndex = lazily(func() *cstruct { return ifreq(s32("ifr_ifindex")) })

var ioctlsSock = lazily(func() []request { return sockRequests() })

func sockRequests() []request {
	list := []request{
		{names: "SIOCGIFCONF", args: interfaces()},
		{names: "SIOCGIFNAME", args: completes(ifreqIndex(), "ifr_ifindex", "ifr_name")},
		{names: "SIOCBRADDBR SIOCBRDELBR", args: givesText(16, (*printer).textUpTo)},
		{names: "FIOGETOWN SIOCATMARK SIOCGIFENCAP SIOCGPGRP SIOCOUTQNSD", args: fills(refInt())},
		{names: "FIOSETOWN SIOCSIFENCAP SIOCSPGRP", args: gives(refInt())},
		{names: "SIOCBRADDIF SIOCBRDELIF", args: gives(ifreq(ifindex("ifr_ifindex")).pick("ifr_ifindex"))},
		{names: "SIOCADDDLCI SIOCADDRT SIOCBONDCHANGEACTIVE SIOCBONDENSLAVE SIOCBONDINFOQUERY SIOCBONDRELEASE " +
			"SIOCBONDSETHWADDR SIOCBONDSLAVEINFOQUERY SIOCDARP SIOCDELDLCI SIOCDELRT SIOCDIFADDR SIOCDRARP SIOCETHTOOL SIOCGARP " +
			"SIOCGHWTSTAMP SIOCGIFBR SIOCGIFCOUNT SIOCGIFMEM SIOCGIFPFLAGS SIOCGIFVLAN SIOCGMIIPHY SIOCGMIIREG SIOCGRARP " +
			"SIOCGSKNS SIOCGSTAMP_OLD SIOCGSTAMP_NEW SIOCGSTAMPNS_OLD SIOCGSTAMPNS_NEW SIOCRTMSG " +
			"SIOCSARP SIOCSHWTSTAMP SIOCSIFBR SIOCSIFLINK SIOCSIFMEM SIOCSIFPFLAGS SIOCSIFVLAN SIOCSMIIREG SIOCSRARP SIOCWANDEV",
			args: ioctlPtr()},
	}
	for _, i := range ifreqs() {
		r := ifreq(i.member)
		if i.set != "" {
			list = append(list, request{names: i.set, args: gives(r)})
		}
		if i.get != "" {
			list = append(list, request{names: i.get, args: completes(r, "ifr_name", i.member.name)})
		}
	}
	return list
}

// ifconf is a buffer of ifreqs and its length.
var (
	ifconf      = lazily(func() *cstruct { return structure(s32("ifc_len"), al("ifc_buf")) })
	ifconfEntry = lazily(func() *cstruct { return ifreq(socketAddress("ifr_addr")) })
)

// interfaces is SIOCGIFCONF's argument: the length and, when there is a buffer,
// what the kernel put there.
func interfaces() []Arg {
	return ioctlWith(recordArg(ifconf(), in, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, p.bytesOf(ifconf()))
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{ifc_len=")
		if p.long(b, 1) != 0 {
			p.ifconfLen(i32(b, 0))
		}
	}).twice(func(p *printer, v *Value) {
		was := p.fetchAt(v.Uint, p.bytesOf(ifconf()), event.Enter)
		if was == nil {
			return
		}
		now := p.fetchAt(v.Uint, p.bytesOf(ifconf()), p.at)
		if now == nil || p.failed {
			now = was
		}
		buf, changed := p.long(was, 1), i32(was, 0) != i32(now, 0)
		if buf != 0 && changed {
			p.str(" => ")
		}
		if buf == 0 || changed {
			p.ifconfLen(i32(now, 0))
		}
		p.str(", ifc_buf=")
		if buf == 0 || p.nothing() {
			p.ptr(buf)
		} else {
			p.records(ifconfEntry(), p.long(now, 1), uint64(uint32(i32(now, 0)))/uint64(p.bytesOf(ifconfEntry())), 0)
		}
		p.str("}")
	}))
}

func (p *printer) ifconfLen(n int64) {
	p.int(n)
	if size := int64(p.bytesOf(ifconfEntry())); n > 0 && n%size == 0 {
		p.str(" /* ")
		p.int(n / size)
		p.str(" * sizeof(struct ifreq) */")
	}
}

// linkLengths is the bytes of link-layer addresses of kinds of hardware that
// have not as many as fit (strace(1) has the same).
var linkLengths = lazily(func() map[uint64]int {
	return map[uint64]int{
		0: 7, 1: 6, 3: 7, 6: 6, 7: 1, 15: 2, 24: 16, 27: 8, 32: 20, 256: 0, 270: 5, 271: 0, 280: 0, 290: 1, 512: 0, 518: 0, 519: 0,
		768: 4, 769: 16, 772: 6, 773: 1, 774: 6, 776: 4, 777: 0, 778: 4, 779: 0, 780: 6, 783: 4, 801: 6, 802: 6, 803: 6, 804: 8,
		805: 8, 820: 1, 821: 1, 822: 0, 823: 16, 824: 0, 825: 8, 826: 0,
	}
})

func hardwareLen(kind uint64, most int) int {
	if n, ok := linkLengths()[kind]; ok {
		return min(n, most)
	}
	return most
}
