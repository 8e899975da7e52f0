package sysabi

import "bytes"

// Addresses of families that few programs use.

// vsockAddr is the two halves of an AF_VSOCK address, which are printed in the
// other order than they lie in.
var vsockAddr = field{name: "svm_cid", size: 8, align: 4, show: func(p *printer, b, _ []byte) {
	p.enum(setVsockCIDs, le32(b, 4))
	p.field("svm_port")
	p.enum(setVsockPorts, le32(b, 0))
}}

// tipcAddrs is the union in a struct sockaddr_tipc, by the type of address.
var tipcAddrs = lazily(func() map[byte]*cstruct {
	return map[byte]*cstruct{
		1: newRecord(sub("nameseq", newRecord(u32("type"), u32("lower"), u32("upper")))),
		2: newRecord(sub("name", newRecord(sub("name", newRecord(u32("type"), u32("instance"))), x32("domain")))),
		3: newRecord(sub("id", newRecord(u32("ref"), x32("node")))),
	}
})

func (p *printer) sockaddrTIPC(b []byte) {
	p.field("addrtype")
	p.enum(setTIPCTypes, uint64(b[2]))
	p.field("scope")
	scope := int8(b[3])
	if scope < 0 {
		p.str("-")
		scope = -scope
	}
	p.enum(setTIPCScopes, uint64(uint8(scope)))
	p.field("addr")
	if r := tipcAddrs()[b[2]]; r != nil {
		p.record(r, b[4:16])
	} else {
		p.quote(b[4:16], 12, whole)
	}
}

// Bluetooth's protocols have addresses of different sizes.
var (
	recordHCI = lazily(func() *cstruct {
		return newRecord(pad(2), part("hci_dev", 2, func(p *printer, b, _ []byte) {
			p.str("htobs(")
			p.uint(le(b))
			p.str(")")
		}), en("hci_channel", 2, setHCIChannels))
	})
	recordSCO = lazily(func() *cstruct { return newRecord(pad(2), mac("sco_bdaddr", 6)) })
	recordRC  = lazily(func() *cstruct { return newRecord(pad(2), mac("rc_bdaddr", 6), u8("rc_channel")) })
	recordL2  = lazily(func() *cstruct {
		return newRecord(pad(2), l2cap("l2_psm", setL2PSM, 0x80, 0xff, 0x1001), mac("l2_bdaddr", 6),
			l2cap("l2_cid", setL2CID, 1, 0, 0x40), en("l2_bdaddr_type", 1, setBDAddrTypes))
	})
)

func (p *printer) sockaddrBluetooth(b []byte) {
	switch len(b) {
	case 4, 6:
		p.members(recordHCI(), b)
	case 8:
		p.members(recordSCO(), b)
	case 10:
		p.members(recordRC(), b)
	case 12, 13, 14:
		p.members(recordL2(), b)
	default:
		p.saData(b)
	}
}

// l2cap is a channel or port: numbers from dynamic on, and from low to high,
// are counted from the first of them.
func l2cap(name string, s *Set, low, high, dynamic uint64) field {
	return part(name, 2, func(p *printer, b, _ []byte) {
		v := le(b)
		text, base := s.Name(v), uint64(0)
		switch {
		case text != "":
		case v >= low && v <= high:
			base = low
		case v >= dynamic:
			base = dynamic
		}
		known := text != "" || base != 0
		p.str("htobs(")
		if p.opt.Style != StyleAbbrev || !known {
			p.hex(v)
		}
		if p.opt.Style == StyleRaw {
			p.str(")")
			return
		}
		remark := p.opt.Style == StyleVerbose || !known
		if remark {
			p.str(" /* ")
		}
		switch {
		case text != "":
			p.str(text)
		case base != 0:
			p.enum(s, base)
			p.str("+")
			p.uint(v - base)
		default:
			p.str(s.Unknown)
		}
		if remark {
			p.str(" */")
		}
		p.str(")")
	})
}

var recordRXRPC = lazily(func() *cstruct {
	return newRecord(
		pad(2),
		en("srx_service", 2, setRXRPCServices).remarked(),
		en("transport_type", 2, setSockTypes),
		u16("transport_len"),
	)
})

func (p *printer) sockaddrRXRPC(b []byte) {
	p.members(recordRXRPC(), b)
	named := int(le16(b, 6))
	inner := b[8:]
	n := min(named, len(inner))
	rest := max(0, n-2)
	p.field("transport")
	p.str("{")
	least, name, show := 0, "", (*printer).sockaddrInet
	switch le16(inner, 0) {
	case AFInet:
		least, name = 16, "sin"
	case AFInet6:
		least, name, show = 24, "sin6", (*printer).sockaddrInet6
	default:
		p.field("family")
		p.enum(setFamilies, le16(inner, 0))
		p.text2(inner[2 : 2+rest])
		p.str("}")
		return
	}
	p.field(name)
	p.str("{")
	p.field(name + "_family")
	p.enum(setFamilies, le16(inner, 0))
	if named >= least {
		show(p, inner[:n])
	} else {
		p.text2(inner[2 : 2+rest])
	}
	p.str("}}")
}

// text2 prints bytes as a further element, when there are some.
func (p *printer) text2(b []byte) {
	if len(b) > 0 {
		p.str(", ")
		p.quote(b, len(b), whole)
	}
}

var (
	recordIEEE802154 = lazily(func() *cstruct {
		return newRecord(
			en("addr_type", 4, setIEEE802154Types).remarked(),
			en("pan_id", 2, setIEEE802154PANs).remarked(),
		)
	})
	recordShortAddr = lazily(func() *cstruct { return newRecord(en("short_addr", 2, setIEEE802154Addrs).remarked()) })
	recordHWAddr    = lazily(func() *cstruct { return newRecord(mac("hwaddr", 8)) })
)

func (p *printer) sockaddrIEEE802154(b []byte) {
	p.field("addr")
	p.str("{")
	p.members(recordIEEE802154(), b[4:10])
	switch le32(b, 4) {
	case 0:
	case 2:
		p.members(recordShortAddr(), b[10:12])
	default:
		p.members(recordHWAddr(), b[10:18])
	}
	p.str("}")
}

var recordALG = lazily(func() *cstruct {
	return newRecord(
		pad(2),
		ending("salg_type", 14),
		fl("salg_feat", 4, setALGFlags).remarked(),
		fl("salg_mask", 4, setALGFlags).remarked(),
	)
})

func (p *printer) sockaddrALG(b []byte) {
	p.members(recordALG(), b)
	p.field("salg_name")
	p.ending(b[24:])
}

// ending is a string that should end within n bytes.
func ending(name string, n int) field {
	return field{name: name, size: 1, n: n, show: func(p *printer, b, _ []byte) { p.ending(b) }}
}

func (p *printer) ending(b []byte) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		p.quote(b[:i], i, whole)
		return
	}
	p.quote(b[:len(b)-1], len(b)-1, whole)
	p.str("...")
}

var (
	recordNFC = lazily(func() *cstruct {
		return newRecord(pad(2), ifindex("dev_idx"), x32("target_idx"), en("nfc_protocol", 4, setNFCProtocols))
	})
	recordSAP = lazily(func() *cstruct {
		return newRecord(en("dsap", 1, setNFCSAPs).remarked(), en("ssap", 1, setNFCSAPs).remarked())
	})
)

func (p *printer) sockaddrNFC(b []byte) {
	p.members(recordNFC(), b)
	const names = 18 // of the service's name
	length := (names + 63 + p.word() - 1) / p.word() * p.word()
	if len(b) < length+p.word() {
		if len(b) > 16 {
			p.str(", ...")
		}
		return
	}
	n := le(b[length : length+p.word()])
	p.members(recordSAP(), b[16:18])
	p.field("service_name")
	name := b[names : names+min(n, 63)]
	p.quote(name, len(name), whole)
	p.field("service_name_len")
	p.uint(n)
}

var (
	recordXDP = lazily(func() *cstruct {
		return newRecord(pad(2), fl("sxdp_flags", 2, setXDPSockaddr), ifindex("sxdp_ifindex"), u32("sxdp_queue_id"))
	})
	recordXDPFD = lazily(func() *cstruct { return newRecord(fd32("sxdp_shared_umem_fd")) })
	recordXDPNo = lazily(func() *cstruct { return newRecord(x32("sxdp_shared_umem_fd").nonzero()) })
)

const xdpSharedUmem = 1

func (p *printer) sockaddrXDP(b []byte) {
	p.members(recordXDP(), b)
	if b[2]&xdpSharedUmem != 0 {
		p.members(recordXDPFD(), b[12:16])
	} else {
		p.members(recordXDPNo(), b[12:16])
	}
}

// Amateur radio: a call sign in shifted letters and a number.
func (p *printer) sockaddrAX25(b []byte) {
	digis := int32(le32(b, 12))
	full := digis != 0 || len(b) > 16
	if full {
		p.field("fsa_ax25")
		p.str("{")
	}
	p.field("sax25_call")
	p.ax25(b[2:9])
	p.field("sax25_ndigis")
	p.int(int64(digis))
	if !full {
		return
	}
	p.str("}")
	has, want := min((len(b)-16)/7, 8), min(max(int(digis), 0), 8)
	if want > 0 {
		p.field("fsa_digipeater")
		p.str("[")
		for i := range min(has, want) {
			p.sep(i)
			p.ax25(b[16+7*i:][:7])
		}
		if want > has {
			p.sep(has)
			p.str("...")
		}
		p.str("]")
	}
	if len(b) > 16+7*has {
		p.str(", ...")
	}
}

// ax25 prints a call sign; one that isn't sane is printed in hex, too when it
// can be read.
func (p *printer) ax25(b []byte) {
	style := p.opt.Style
	space, letters := false, false
	worse := b[6]&^0x1e != 0
	readable := true
	for _, c := range b[:6] {
		worse = worse || c&1 != 0
		c >>= 1
		space = space || c == ' '
		letters = letters || c != ' '
		worse = worse || (c < '0' || c > '9') && (c < 'A' || c > 'Z') && c != ' ' || c != ' ' && space
		readable = readable && c >= ' ' && c <= 0x7e && c != '*' && c != '/'
	}
	worse = worse || !letters && b[6] != 0
	switch {
	case !readable:
		style = StyleRaw
	case worse:
		style = StyleVerbose
	}
	if style != StyleAbbrev {
		p.str("{ax25_call=")
		p.octets(b)
		p.str("}")
	}
	if style == StyleRaw {
		return
	}
	text := append(bytes.TrimRight(shifted(b[:6]), " "), '-')
	ssid := b[6] >> 1 & 0xf
	if ssid > 9 {
		text = append(text, '1')
		ssid -= 10
	}
	text = append(text, '0'+ssid)
	if string(text) == "-0" {
		text = []byte("*")
	}
	if style == StyleVerbose {
		p.remark(string(text))
	} else {
		p.str(string(text))
	}
}

func shifted(b []byte) []byte {
	s := make([]byte, len(b))
	for i, c := range b {
		s[i] = c >> 1
	}
	return s
}
