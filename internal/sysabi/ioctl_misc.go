package sysabi

import "culprit/internal/event"

// Small families: epoll, inotify, the kernel's random numbers, watchdogs,
// counters, network block devices, infrared, udmabuf, perf events, ATA disks.

var epollParams = lazily(func() *cstruct {
	return structure(
		inSeconds("busy_poll_usecs", 4, 1000000, 6), u16("busy_poll_budget"), x8("prefer_busy_poll"), x8("__pad").nonzero())
})

// randPoolInfo has as many bytes behind it as it says.
var randPoolInfo = lazily(func() *cstruct {
	return structure(s32("entropy_count"), s32("buf_size"), tail("buf", func(p *printer) {
		p.bytesAt(p.here(), uint64(uint32(p.get("buf_size"))))
	}))
})

var watchdogInfo = lazily(func() *cstruct {
	return structure(
		f32("options", setWatchdogFlags), abbreviation, x32("firmware_version"), chars("identity", 32))
})

var counterWatch = lazily(func() *cstruct {
	return structure(
		sub("component", structure(en("type", 1, setCounterComponentTypes), en("scope", 1, setCounterScopes), u8("parent"), u8("id"))),
		en("event", 1, setCounterEventTypes), u8("channel"))
})

var udmabufCreate = lazily(func() *cstruct {
	return structure(fd32("memfd"), f32("flags", setUdmabufFlags), u64("offset"), u64("size"))
})

var udmabufList = lazily(func() *cstruct {
	return structure(f32("flags", setUdmabufFlags), u32("count"),
		after("list", structure(fd32("memfd"), pad(4), u64("offset"), u64("size")), "count", 0))
})

// perfQuery is struct perf_event_query_bpf, with the ids behind it.
var perfQuery = lazily(func() *cstruct {
	return structure(u32("ids_len"), u32("prog_cnt"), tail("ids", func(p *printer) {
		p.numbers(p.here(), p.get("prog_cnt"), 4)
	}))
})

var hdGeometry = lazily(func() *cstruct { return structure(u8("heads"), u8("sectors"), u16("cylinders"), ul("start")) })

var hdDriveCmd = lazily(func() *cstruct {
	return structure(
		en("command", 1, setHDIODriveCmds), x8("status").overlaid(), u8("sector_number"), u8("error").overlaid(),
		u8("feature"), u8("nsector").overlaid(), u8("sector_count"), tail("buf", func(p *printer) {
			p.hexAt(p.here(), 512*p.get("sector_count"))
		}).only(isNot("sector_count", 0)))
})

var ioctlsMisc = lazily(func() []request {
	return []request{
		{names: "EPIOCSPARAMS", args: gives(epollParams())},
		{names: "EPIOCGPARAMS", args: fills(epollParams())},
		{names: "INOTIFY_IOC_SETNEXTWD", args: ioctlInt()},

		{names: "RNDGETENTCNT", args: fills(refInt())},
		{names: "RNDADDTOENTCNT", args: gives(refInt())},
		{names: "RNDADDENTROPY", args: gives(randPoolInfo())},
		{names: "RNDZAPENTCNT RNDCLEARPOOL RNDRESEEDCRNG", args: ioctlNone()},

		{names: "WDIOC_GETSUPPORT", args: fills(watchdogInfo())},
		{names: "WDIOC_GETSTATUS WDIOC_GETBOOTSTATUS WDIOC_GETTEMP WDIOC_GETTIMEOUT WDIOC_GETPRETIMEOUT WDIOC_GETTIMELEFT", args: fills(refInt())},
		{names: "WDIOC_SETTIMEOUT WDIOC_SETPRETIMEOUT", args: gives(refInt())},
		{names: "WDIOC_SETOPTIONS", args: gives(refFlags(setWatchdogSetoptions))},
		{names: "WDIOC_KEEPALIVE", args: ioctlNone()},

		{names: "COUNTER_ADD_WATCH_IOCTL", args: gives(counterWatch())},
		{names: "COUNTER_ENABLE_EVENTS_IOCTL COUNTER_DISABLE_EVENTS_IOCTL", args: ioctlNone()},

		{names: "NBD_DISCONNECT NBD_CLEAR_SOCK NBD_DO_IT NBD_CLEAR_QUE NBD_PRINT_DEBUG", args: ioctlNone()},
		{names: "NBD_SET_SOCK", args: ioctlFD()},
		{names: "NBD_SET_BLKSIZE NBD_SET_SIZE NBD_SET_SIZE_BLOCKS NBD_SET_TIMEOUT", args: ioctlUint()},
		{names: "NBD_SET_FLAGS", args: ioctlWith(flags("argp", setNBDFlags).wide())},

		{names: "LIRC_GET_FEATURES", args: fills(refFlags(setLIRCFeatures))},
		{names: "LIRC_GET_SEND_MODE LIRC_GET_REC_MODE", args: fills(refEnum(setLIRCModes))},
		{names: "LIRC_SET_SEND_MODE LIRC_SET_REC_MODE", args: gives(refEnum(setLIRCModes))},
		{names: "LIRC_SET_TRANSMITTER_MASK", args: gives(refX32())},
		{names: "LIRC_GET_REC_RESOLUTION LIRC_GET_MIN_TIMEOUT LIRC_GET_MAX_TIMEOUT LIRC_GET_LENGTH LIRC_GET_REC_TIMEOUT", args: fills(refU32())},
		{names: "LIRC_SET_SEND_CARRIER LIRC_SET_REC_CARRIER LIRC_SET_SEND_DUTY_CYCLE LIRC_SET_REC_TIMEOUT LIRC_SET_REC_TIMEOUT_REPORTS " +
			"LIRC_SET_MEASURE_CARRIER_MODE LIRC_SET_REC_CARRIER_RANGE LIRC_SET_WIDEBAND_RECEIVER", args: gives(refU32())},

		{names: "UDMABUF_CREATE", args: gives(udmabufCreate()), ret: retFD},
		{names: "UDMABUF_CREATE_LIST", args: gives(udmabufList()), ret: retFD},

		{names: "PERF_EVENT_IOC_ENABLE PERF_EVENT_IOC_DISABLE PERF_EVENT_IOC_RESET", args: ioctlWith(flags("argp", setPerfFlags))},
		{names: "PERF_EVENT_IOC_REFRESH", args: ioctlInt()},
		{names: "PERF_EVENT_IOC_PERIOD", args: gives(refU64())},
		{names: "PERF_EVENT_IOC_SET_OUTPUT PERF_EVENT_IOC_SET_BPF", args: ioctlFD()},
		{names: "PERF_EVENT_IOC_PAUSE_OUTPUT", args: ioctlUint()},
		{names: "PERF_EVENT_IOC_SET_FILTER", args: givesText(pageSize, (*printer).textUpTo)},
		{names: "PERF_EVENT_IOC_ID", args: fills(refU64())},
		{names: "PERF_EVENT_IOC_QUERY_BPF", args: queryBPF()},
		{names: "PERF_EVENT_IOC_MODIFY_ATTRIBUTES", args: ioctlWith(perfAttr("argp", in))},

		{names: "HDIO_GETGEO", args: fills(hdGeometry())},
		{names: "HDIO_DRIVE_CMD", args: becomes(hdDriveCmd(), "command sector_number feature sector_count", "status error nsector buf")},
		{names: "HDIO_DRIVE_RESET HDIO_SCAN_HWIF", args: as("arg", gives(values(x32("a"), x32("b"), x32("c"))))},
		{names: "HDIO_GET_UNMASKINTR HDIO_GET_MULTCOUNT HDIO_GET_KEEPSETTINGS HDIO_GET_32BIT HDIO_GET_NOWERR HDIO_GET_DMA " +
			"HDIO_GET_WCACHE HDIO_GET_ACOUSTIC HDIO_GET_ADDRESS", args: as("arg", fills(refU())), native: true},
		{names: "HDIO_SET_UNMASKINTR HDIO_SET_MULTCOUNT HDIO_SET_KEEPSETTINGS HDIO_SET_32BIT HDIO_SET_NOWERR HDIO_SET_DMA " +
			"HDIO_SET_WCACHE HDIO_SET_ACOUSTIC HDIO_SET_ADDRESS HDIO_SET_PIO_MODE HDIO_UNREGISTER_HWIF",
			args: ioctlWith(size("arg")), native: true},
		{names: "HDIO_OBSOLETE_IDENTITY", args: as("identity", fillsText(142, (*printer).bytesAt)), native: true},
		{names: "HDIO_GET_IDENTITY", args: as("identity", fillsText(512, (*printer).bytesAt)), native: true},
		{names: "HDIO_GET_NICE", args: as("arg", fills(values(fl("v", 0, setHDIOIdeNice)))), native: true},
		{names: "HDIO_SET_NICE", args: ioctlWith(flags("arg", setHDIOIdeNice).wide()), native: true},
		{names: "HDIO_GET_BUSSTATE", args: as("arg", fills(values(en("v", 0, setHDIOBusstates)))), native: true},
		{names: "HDIO_SET_BUSSTATE", args: ioctlWith(enum("arg", setHDIOBusstates).wide()), native: true},
	}
})

// queryBPF prints ids_len, then what there is when the call succeeded, else "...".
func queryBPF() []Arg {
	return ioctlWith(shown("argp", in, 4, func(p *printer, v *Value) {
		if b := p.fetch(v.Uint, 4); b != nil {
			p.str("{ids_len=")
			p.uint(le(b))
		} else {
			p.ptr(v.Uint)
		}
	}).twice(func(p *printer, v *Value) {
		if p.fetchAt(v.Uint, 4, event.Enter) == nil {
			return
		}
		if b := p.fetch(v.Uint, 8); b != nil {
			p.moreAt(perfQuery().pick("prog_cnt ids"), b, v.Uint)
		} else {
			p.str(", ...")
		}
		p.str("}")
	}))
}

// textUpTo prints a text of at most n bytes.
func (p *printer) textUpTo(addr, n uint64) { p.cstrAt(addr, int(n)) }
