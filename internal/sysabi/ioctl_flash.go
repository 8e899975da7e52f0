package sysabi

// Flash memory: mtd/mtd-abi.h and mtd/ubi-user.h.

var (
	eraseInfo   = lazily(func() *cstruct { return structure(x32("start"), x32("length")) })
	eraseInfo64 = lazily(func() *cstruct { return structure(x64("start"), x64("length")) })
	mtdOob      = lazily(func() *cstruct { return structure(x32("start"), x32("length"), al("ptr")) })
	mtdOob64    = lazily(func() *cstruct { return structure(x64("start"), pad(4), x32("length"), a64("usr_ptr")) })
	otpInfo     = lazily(func() *cstruct { return structure(x32("start"), x32("length"), u32("locked")) })
	mtdWrite    = lazily(func() *cstruct {
		return structure(
			x64("start"), x64("len"), x64("ooblen"), a64("usr_data"), a64("usr_oob"), en("mode", 1, setMTDModeOptions), pad(7))
	})
	mtdInfo = lazily(func() *cstruct {
		return structure(
			en("type", 1, setMTDTypeOptions), f32("flags", setMTDFlagsOptions), x32("size"), x32("erasesize"), x32("writesize"),
			x32("oobsize"), x64("padding"))
	})
	nandOob = lazily(func() *cstruct {
		return structure(
			e32("useecc", setMTDNandeccOptions), x32("eccbytes"),
			sub("oobfree", values(x32("a"), x32("b"))).several(8), x32("eccpos").several(32))
	})
	nandLayout = lazily(func() *cstruct {
		return structure(
			x32("eccbytes"), x32("eccpos").several(64), x32("oobavail"),
			sub("oobfree", structure(x32("offset"), x32("length"))).several(8))
	})
	eccStats  = lazily(func() *cstruct { return structure(x32("corrected"), x32("failed"), x32("badblocks"), x32("bbtblocks")) })
	mtdRegion = lazily(func() *cstruct {
		return structure(x32("offset"), x32("erasesize"), x32("numblocks"), x32("regionindex"))
	})
)

// ubiName is a name of as many bytes as another member says, with a NUL byte.
func ubiName(n int) field {
	return field{name: "name", size: 1, n: n}.shows(func(p *printer) {
		used := int64(int16(p.get("name_len")))
		p.charArray(p.memberBytes("name")[:1+min(max(used, 0), int64(n)-1)])
	})
}

var (
	ubiMakeVolume = lazily(func() *cstruct {
		return tight(
			s32("vol_id"), s32("alignment"), s64("bytes"), en("vol_type", 1, setUBIVolumeTypes), fl("flags", 1, setUBIVolumeFlags),
			s16("name_len"), pad(4), ubiName(128))
	})
	ubiResize = lazily(func() *cstruct { return tight(s64("bytes"), s32("vol_id")) })
	ubiRename = lazily(func() *cstruct {
		return tight(s32("count"), pad(12),
			sub("ents", tight(s32("vol_id"), s16("name_len"), pad(2), ubiName(128))).counted(32, func(p *printer) uint64 { return uint64(max(int32(p.get("count")), 0)) }))
	})
	ubiChange = lazily(func() *cstruct { return tight(s32("lnum"), s32("bytes"), en("dtype", 1, setUBIDataTypes), pad(7)) })
	ubiAttach = lazily(func() *cstruct {
		return tight(
			s32("ubi_num"), s32("mtd_num"), s32("vid_hdr_offset"), s16("max_beb_per1024"), s8("disable_fm"), s8("need_resv_pool"), pad(8))
	})
	ubiMap  = lazily(func() *cstruct { return tight(s32("lnum"), en("dtype", 1, setUBIDataTypes), pad(3)) })
	ubiProp = lazily(func() *cstruct { return tight(en("property", 1, setUBIVolumeProps), pad(7), x64("value")) })
)

var ioctlsFlash = lazily(func() []request {
	return []request{
		{names: "MEMERASE MEMLOCK MEMUNLOCK MEMISLOCKED", args: gives(eraseInfo())},
		{names: "MEMERASE64", args: gives(eraseInfo64())},
		{names: "MEMWRITEOOB MEMREADOOB", args: gives(mtdOob())},
		{names: "MEMWRITEOOB64 MEMREADOOB64", args: gives(mtdOob64())},
		{names: "MEMWRITE", args: gives(mtdWrite())},
		{names: "OTPGETREGIONINFO", args: fills(otpInfo())},
		{names: "OTPLOCK", args: gives(otpInfo())},
		{names: "OTPSELECT", args: gives(refEnum(setMTDOtpOptions))},
		{names: "MTDFILEMODE", args: ioctlWith(enum("argp", setMTDFileModeOptions).wide())},
		{names: "MEMGETBADBLOCK MEMSETBADBLOCK", args: gives(refU64())},
		{names: "MEMGETINFO", args: fills(mtdInfo())},
		{names: "MEMGETOOBSEL", args: fills(nandOob())},
		{names: "ECCGETLAYOUT", args: fills(nandLayout())},
		{names: "ECCGETSTATS", args: fills(eccStats())},
		{names: "OTPGETREGIONCOUNT", args: fills(refU32())},
		{names: "MEMGETREGIONCOUNT", args: fills(refInt())},
		{names: "MEMGETREGIONINFO", args: completes(mtdRegion(), "regionindex", "offset erasesize numblocks")},

		{names: "UBI_IOCMKVOL", args: turns(ubiMakeVolume(), refInt())},
		{names: "UBI_IOCRSVOL", args: gives(ubiResize())},
		{names: "UBI_IOCRNVOL", args: gives(ubiRename())},
		{names: "UBI_IOCEBCH", args: gives(ubiChange())},
		{names: "UBI_IOCATT", args: turns(ubiAttach(), refInt())},
		{names: "UBI_IOCEBMAP", args: gives(ubiMap())},
		{names: "UBI_IOCSETVOLPROP", args: gives(ubiProp())},
		{names: "UBI_IOCVOLUP", args: gives(refS64())},
		{names: "UBI_IOCDET UBI_IOCEBER UBI_IOCEBISMAP UBI_IOCEBUNMAP UBI_IOCRMVOL UBI_IOCRPEB UBI_IOCSPEB", args: gives(refInt())},
		{names: "UBI_IOCVOLCRBLK UBI_IOCVOLRMBLK", args: ioctlNone()},
	}
})
