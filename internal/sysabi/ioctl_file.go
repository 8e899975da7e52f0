package sysabi

// Files and file systems: ioctl_ficlone(2), ioctl_fideduperange(2) and what
// linux/fs.h and linux/fiemap.h have.

var fsUUID = lazily(func() *cstruct { return structure(u8("len"), rawHex("uuid", 16, "len")) })

var fsSysfsPath = lazily(func() *cstruct {
	return structure(u8("len"), chars("name", 128).shows(func(p *printer) {
		p.charArray(p.memberBytes("name")[:min(p.get("len")+1, 128)])
	}))
})

var blockMetadata = lazily(func() *cstruct {
	return structure(
		f32("lbmd_flags", setLBMDPiCapFlags), u16("lbmd_interval"), u8("lbmd_size"), u8("lbmd_opaque_size"),
		u8("lbmd_opaque_offset"), u8("lbmd_pi_size"), u8("lbmd_pi_offset"), en("lbmd_guard_tag_type", 1, setLBMDPiCsumTypes),
		u8("lbmd_app_tag_size"), u8("lbmd_ref_tag_size"), u8("lbmd_storage_tag_size"), pad(1))
})

var cloneRange = lazily(func() *cstruct {
	return structure(fd64("src_fd"), u64("src_offset"), u64("src_length"), u64("dest_offset"))
})

// dedupeInfo is one destination of FIDEDUPERANGE.
var dedupeInfo = lazily(func() *cstruct {
	return structure(fd64("dest_fd"), u64("dest_offset"), u64("bytes_deduped"), s32("status"), pad(4))
})

// Of many destinations two are printed.
var dedupeRange = lazily(func() *cstruct {
	return structure(
		u64("src_offset"), u64("src_length"), u16("dest_count"), pad(2), pad(4),
		after("info", dedupeInfo().pick("dest_fd dest_offset"), "dest_count", 2))
})

var dedupeResult = lazily(func() *cstruct {
	return structure(
		pad(16), u16("dest_count"), pad(6), after("info", dedupeInfo().pick("bytes_deduped status"), "dest_count", 2))
})

var fiemapExtent = lazily(func() *cstruct {
	return structure(
		u64("fe_logical"), u64("fe_physical"), u64("fe_length"), pad(16), f32("fe_flags", setFiemapExtentFlags), pad(12))
})

var fiemap = lazily(func() *cstruct {
	return structure(
		u64("fm_start"), u64("fm_length"), f32("fm_flags", setFiemapFlags), u32("fm_mapped_extents"), u32("fm_extent_count"),
		pad(4), after("fm_extents", fiemapExtent(), "fm_mapped_extents", 0))
})

var fsTrimRange = lazily(func() *cstruct { return structure(x64("start"), u64("len"), u64("minlen")) })

var fsxattr = lazily(func() *cstruct {
	return structure(
		f32("fsx_xflags", setFSXflags), u32("fsx_extsize"), u32("fsx_nextents"), x32("fsx_projid"), u32("fsx_cowextsize"), pad(8))
})

var ioctlsFile = lazily(func() []request {
	return []request{
		{names: "FS_IOC_GETFSUUID", args: as("arg", fills(fsUUID()))},
		{names: "FS_IOC_GETFSSYSFSPATH", args: as("arg", fills(fsSysfsPath()))},
		{names: "FS_IOC_GETLBMD_CAP", args: as("arg", fills(blockMetadata()))},
		{names: "FICLONE BTRFS_IOC_CLONE", args: ioctlWith(num("src_fd"))},
		{names: "FICLONERANGE", args: as("arg", gives(cloneRange()))},
		{names: "FIDEDUPERANGE", args: as("arg", turns(dedupeRange(), dedupeResult().pick("info")))},
		{names: "FS_IOC_GETFSLABEL", args: as("label", fillsText(256, wholeText))},
		{names: "FS_IOC_SETFSLABEL", args: as("label", givesText(256, wholeText))},
		{names: "FS_IOC_FIEMAP", args: becomes(fiemap(), "fm_start fm_length fm_flags fm_extent_count", "fm_flags fm_mapped_extents ... fm_extents")},
		{names: "FS_IOC_GETFLAGS FS_IOC32_GETFLAGS", args: as("attr", fills(refFlags(setFSIocFlags)))},
		{names: "FS_IOC_SETFLAGS FS_IOC32_SETFLAGS", args: as("attr", gives(refFlags(setFSIocFlags)))},
		{names: "FITRIM", args: gives(fsTrimRange())},
		{names: "FS_IOC_FSGETXATTR", args: as("arg", fills(fsxattr()))},
		{names: "FS_IOC_FSSETXATTR", args: as("arg", gives(fsxattr().pick("fsx_xflags fsx_extsize fsx_projid fsx_cowextsize")))},
		{names: "FS_IOC_SHUTDOWN", args: gives(refEnum(setFSShutdownFlags))},
		{names: "FIFREEZE FITHAW", args: ioctlNone()},
	}
})
