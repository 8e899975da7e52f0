package sysabi

// Algorithms of the kernel (linux/cryptouser.h), policy changes of SELinux
// (linux/selinux_netlink.h), and what udev tells its clients.

var attrsCrypto = lazily(func() *attrSet {
	return &attrSet{unknown: "CRYPTOCFGA_???", attrs: []attr{
		{0, "CRYPTOCFGA_UNSPEC", nil},
		{1, "CRYPTOCFGA_PRIORITY_VAL", aU32},
		{2, "CRYPTOCFGA_REPORT_LARVAL", cryptoType},
		{3, "CRYPTOCFGA_REPORT_HASH", cryptoReport("blocksize", "digestsize")},
		{4, "CRYPTOCFGA_REPORT_BLKCIPHER", cryptoGeniv("blocksize", "min_keysize", "max_keysize", "ivsize")},
		{5, "CRYPTOCFGA_REPORT_AEAD", cryptoGeniv("blocksize", "maxauthsize", "ivsize")},
		{6, "CRYPTOCFGA_REPORT_COMPRESS", cryptoType},
		{7, "CRYPTOCFGA_REPORT_RNG", cryptoReport("seedsize")},
		{8, "CRYPTOCFGA_REPORT_CIPHER", cryptoReport("blocksize", "min_keysize", "max_keysize")},
		{9, "CRYPTOCFGA_REPORT_AKCIPHER", cryptoType},
		{10, "CRYPTOCFGA_REPORT_KPP", cryptoType},
		{11, "CRYPTOCFGA_REPORT_ACOMP", cryptoType},
		{12, "CRYPTOCFGA_STAT_LARVAL", nil},
		{13, "CRYPTOCFGA_STAT_HASH", nil},
		{14, "CRYPTOCFGA_STAT_BLKCIPHER", nil},
		{15, "CRYPTOCFGA_STAT_AEAD", nil},
		{16, "CRYPTOCFGA_STAT_COMPRESS", nil},
		{17, "CRYPTOCFGA_STAT_RNG", nil},
		{18, "CRYPTOCFGA_STAT_CIPHER", nil},
		{19, "CRYPTOCFGA_STAT_AKCIPHER", nil},
		{20, "CRYPTOCFGA_STAT_KPP", nil},
		{21, "CRYPTOCFGA_STAT_ACOMP", nil},
		{22, "CRYPTOCFGA_REPORT_SIG", cryptoType},
	}}
})

// cryptoUserAlg is struct crypto_user_alg.
var cryptoUserAlg = lazily(func() *cstruct {
	return newRecord(
		chars("cru_name", 64),
		chars("cru_driver_name", 64),
		chars("cru_module_name", 64),
		x32("cru_type"),
		x32("cru_mask"),
		u32("cru_refcnt"),
		x32("cru_flags"),
	)
})

func cryptoBody(p *printer, h nlmsghdr, s span) bool {
	if h.typ < 16 || h.typ > 19 {
		return false
	}
	if !withAttrs(sub("", cryptoUserAlg()), cryptoUserAlg().size, attrsCrypto()).decode(p, s) {
		p.textSpan(s)
	}
	return true
}

func cryptoFlags(typ uint16) *Set {
	switch typ {
	case 16:
		return setNLNewFlags
	case 17, 20:
		return setNLDelFlags
	case 19:
		return setNLGetFlags
	}
	return nil
}

// cryptoType is a report that has a type only.
var cryptoType payloadFunc = func(p *printer, s span) bool {
	p.str("{type=")
	p.nlString(s)
	p.str("}")
	return true
}

// cryptoReport is a type and numbers; cut short it is shown as text.
func cryptoReport(names ...string) payload { return cryptoOf([]string{"type"}, names) }

func cryptoGeniv(names ...string) payload { return cryptoOf([]string{"type", "geniv"}, names) }

func cryptoOf(texts, numbers []string) payload {
	var list []field
	for _, n := range texts {
		list = append(list, chars(n, 64))
	}
	for _, n := range numbers {
		list = append(list, u32(n))
	}
	k := newRecord(list...)
	return payloadFunc(func(p *printer, s span) bool {
		if !k.decode(p, s) {
			p.textSpan(s)
		}
		return true
	})
}

func selinuxBody(p *printer, h nlmsghdr, s span) bool {
	var r *cstruct
	switch h.typ {
	case 16:
		r = newRecord(s32("val"))
	case 17:
		r = newRecord(u32("seqno"))
	default:
		return false
	}
	if !r.decode(p, s) {
		p.hexSpan(s)
	}
	return true
}

func xfrmFlags(typ uint16) *Set {
	switch typ {
	case 16, 19, 30, 34, 36:
		return setNLNewFlags
	case 17, 20:
		return setNLDelFlags
	case 18, 21, 31, 35, 37:
		return setNLGetFlags
	}
	return nil
}

// udevHeader is struct udev_monitor_netlink_header (udev's libudev-monitor.c).
var udevHeader = lazily(func() *cstruct {
	return newRecord(
		chars("prefix", 8),
		bx32("magic"),
		u32("header_size"),
		u32("properties_off"),
		u32("properties_len"),
		bx32("filter_subsystem_hash"),
		bx32("filter_devtype_hash"),
		bx32("filter_tag_bloom_hi"),
		bx32("filter_tag_bloom_lo"),
	)
})

// uevent prints what udev sends; the kernel's own is text.
func (p *printer) uevent(s span) {
	b := s.get(0, udevHeader().size)
	if b == nil || s.n < udevHeader().size || string(b[:8]) != "libudev\x00" {
		p.textSpan(s)
		return
	}
	rest := s.from(udevHeader().size)
	if rest.n > 0 {
		p.str("[")
	}
	p.record(udevHeader(), b)
	if rest.n > 0 {
		p.str(", ")
		p.textSpan(rest)
		p.str("]")
	}
}
