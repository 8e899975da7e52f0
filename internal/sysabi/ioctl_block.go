package sysabi

// Block devices and the loop driver (linux/fs.h, blkpg.h, blktrace_api.h,
// loop.h).

var blkpgPartition = lazily(func() *cstruct {
	return structure(
		s64("start"), s64("length"), s32("pno"), chars("devname", 64), chars("volname", 64))
})

var blkpgArg = lazily(func() *cstruct {
	return structure(
		e32("op", setBlkpgOps), s32("flags"), s32("datalen"), to("data", blkpgPartition()))
})

var blkTraceSetup = lazily(func() *cstruct {
	return structure(
		chars("name", 32), u16("act_mask"), u32("buf_size"), u32("buf_nr"), u64("start_lba"), u64("end_lba"), pid("pid", TGID))
})

// With abbreviations a loop device's encryption is shown when there is one.
func loopEncrypts(p *printer, _, _ []byte) bool {
	return !p.abbreviated() || p.get("lo_encrypt_type") != 0
}

var loopInfo = lazily(func() *cstruct {
	return structure(
		s32("lo_number"), devWord("lo_device").verbose(), ul("lo_inode").verbose(), devWord("lo_rdevice").verbose(),
		x32("lo_offset"), e32("lo_encrypt_type", setLoopCryptTypeOptions).only(loopEncrypts),
		u32("lo_encrypt_key_size").only(loopEncrypts), f32("lo_flags", setLoopFlagsOptions), chars("lo_name", 64),
		rawText("lo_encrypt_key", 32, "lo_encrypt_key_size").only(loopEncrypts), abbreviation,
		xl("lo_init").list(2), x8("reserved").list(4))
})

var loopInfo64 = lazily(func() *cstruct {
	return structure(
		dev64("lo_device").verbose(), u64("lo_inode").verbose(), dev64("lo_rdevice").verbose(), x64("lo_offset"),
		u64("lo_sizelimit").verbose(), u32("lo_number"),
		e32("lo_encrypt_type", setLoopCryptTypeOptions).only(loopEncrypts), u32("lo_encrypt_key_size").only(loopEncrypts),
		f32("lo_flags", setLoopFlagsOptions), chars("lo_file_name", 64), chars("lo_crypt_name", 64).only(loopEncrypts),
		rawText("lo_encrypt_key", 32, "lo_encrypt_key_size").only(loopEncrypts), abbreviation,
		x64("lo_init").list(2))
})

var loopConfig = lazily(func() *cstruct {
	return structure(
		fd32("fd"), u32("block_size"), sub("info", loopInfo64()), x64("__reserved").spare(8))
})

var ioctlsBlock = lazily(func() []request {
	return []request{
		{names: "BLKRASET BLKFRASET", args: ioctlUint()},
		{names: "BLKSECTGET BLKROTATIONAL", args: fills(refU16())},
		{names: "BLKROGET BLKBSZGET BLKSSZGET BLKALIGNOFF", args: fills(refInt())},
		{names: "BLKROSET BLKBSZSET", args: gives(refInt())},
		{names: "BLKPBSZGET BLKIOMIN BLKIOOPT BLKDISCARDZEROES BLKGETZONESZ BLKGETNRZONES", args: fills(refU32())},
		{names: "BLKRAGET BLKFRAGET", args: fills(refS())},
		{names: "BLKGETSIZE", args: fills(refU())},
		{names: "BLKGETSIZE64 BLKGETDISKSEQ", args: fills(refU64())},
		{names: "BLKDISCARD BLKSECDISCARD BLKZEROOUT", args: gives(values(u64("a"), u64("b")))},
		{names: "BLKPG", args: gives(blkpgArg())},
		{names: "BLKTRACESETUP", args: completes(blkTraceSetup(), "act_mask buf_size buf_nr start_lba end_lba pid", "name")},
		{names: "BLKRRPART BLKFLSBUF BLKTRACESTART BLKTRACESTOP BLKTRACETEARDOWN", args: ioctlNone()},

		{names: "LOOP_GET_STATUS", args: fills(loopInfo())},
		{names: "LOOP_SET_STATUS", args: gives(loopInfo())},
		{names: "LOOP_GET_STATUS64", args: fills(loopInfo64())},
		{names: "LOOP_SET_STATUS64", args: gives(loopInfo64())},
		{names: "LOOP_CONFIGURE", args: gives(loopConfig())},
		{names: "LOOP_CLR_FD LOOP_SET_CAPACITY LOOP_CTL_GET_FREE", args: ioctlNone()},
		{names: "LOOP_SET_FD LOOP_CHANGE_FD", args: ioctlFD()},
		{names: "LOOP_CTL_ADD LOOP_CTL_REMOVE", args: ioctlInt()},
		{names: "LOOP_SET_DIRECT_IO LOOP_SET_BLOCK_SIZE", args: ioctlUint()},
	}
})
