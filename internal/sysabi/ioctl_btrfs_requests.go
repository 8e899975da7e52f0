package sysabi

import "culprit/internal/event"

var ioctlsBtrfs = lazily(func() []request {
	return []request{
		{names: "BTRFS_IOC_TRANS_START BTRFS_IOC_TRANS_END BTRFS_IOC_SYNC BTRFS_IOC_SCRUB_CANCEL BTRFS_IOC_QUOTA_RESCAN_WAIT " +
			"BTRFS_IOC_DEFRAG BTRFS_IOC_BALANCE", args: ioctlNone()},
		{names: "BTRFS_IOC_BALANCE_CTL", args: ioctlWith(enum("argp", setBtrfsBalanceCtlCmds))},
		{names: "BTRFS_IOC_START_SYNC", args: fills(refU64())},
		{names: "BTRFS_IOC_DEFAULT_SUBVOL BTRFS_IOC_WAIT_SYNC", args: gives(refU64())},
		{names: "BTRFS_IOC_SUBVOL_GETFLAGS", args: subvolFlags(out)},
		{names: "BTRFS_IOC_SUBVOL_SETFLAGS", args: subvolFlags(in)},
		{names: "BTRFS_IOC_BALANCE_V2", args: becomes(btrfsBalance(), "flags data meta sys", "flags state data meta sys")},
		{names: "BTRFS_IOC_BALANCE_PROGRESS", args: fills(btrfsBalance())},
		{names: "BTRFS_IOC_DEFRAG_RANGE", args: gives(btrfsDefrag())},
		{names: "BTRFS_IOC_DEV_INFO", args: becomes(btrfsDevice(), "devid uuid", "uuid bytes_used total_bytes path")},
		{names: "BTRFS_IOC_DEV_REPLACE", args: becomes(btrfsReplace(), "cmd start", "result status")},
		{names: "BTRFS_IOC_GET_FEATURES", args: fills(btrfsFeatures())},
		{names: "BTRFS_IOC_SET_FEATURES", args: gives(values(sub("flags", btrfsFeatures()), sub("mask", btrfsFeatures())))},
		{names: "BTRFS_IOC_GET_SUPPORTED_FEATURES", args: fills(values(
			remarked(btrfsFeatures(), "supported"), remarked(btrfsFeatures(), "safe to set"), remarked(btrfsFeatures(), "safe to clear")))},
		{names: "BTRFS_IOC_FS_INFO", args: fills(btrfsInfo())},
		{names: "BTRFS_IOC_GET_DEV_STATS", args: turns(btrfsDevStats().pick("devid nr_items flags"), btrfsDevStats().pick("nr_items flags values"))},
		{names: "BTRFS_IOC_INO_LOOKUP", args: lookup()},
		{names: "BTRFS_IOC_INO_PATHS", args: turns(btrfsPaths(), btrfsPathsFound())},
		{names: "BTRFS_IOC_LOGICAL_INO", args: turns(btrfsInodes(), btrfsInodesFound())},
		{names: "BTRFS_IOC_QGROUP_ASSIGN", args: gives(btrfsAssign())},
		{names: "BTRFS_IOC_QGROUP_CREATE", args: gives(btrfsQgroup())},
		{names: "BTRFS_IOC_QGROUP_LIMIT", args: fills(btrfsLimitArgs())},
		{names: "BTRFS_IOC_QUOTA_CTL", args: gives(btrfsQuota().pick("cmd"))},
		{names: "BTRFS_IOC_QUOTA_RESCAN", args: gives(btrfsRescan().pick("flags"))},
		{names: "BTRFS_IOC_QUOTA_RESCAN_STATUS", args: fills(btrfsRescan())},
		{names: "BTRFS_IOC_SET_RECEIVED_SUBVOL", args: becomes(btrfsReceived(), "uuid stransid stime flags", "rtransid rtime")},
		{names: "BTRFS_IOC_SCRUB", args: becomes(btrfsScrub(), "devid start end flags", "progress")},
		{names: "BTRFS_IOC_SCRUB_PROGRESS", args: becomes(btrfsScrub(), "devid", "progress")},
		{names: "BTRFS_IOC_TREE_SEARCH", args: turns(btrfsFind().pick("key"), btrfsFound())},
		{names: "BTRFS_IOC_TREE_SEARCH_V2", args: search()},
		{names: "BTRFS_IOC_SEND", args: gives(btrfsSend())},
		{names: "BTRFS_IOC_SPACE_INFO", args: spaces()},
		{names: "BTRFS_IOC_SNAP_CREATE BTRFS_IOC_RESIZE BTRFS_IOC_SCAN_DEV BTRFS_IOC_FORGET_DEV BTRFS_IOC_ADD_DEV BTRFS_IOC_RM_DEV " +
			"BTRFS_IOC_SUBVOL_CREATE BTRFS_IOC_SNAP_DESTROY BTRFS_IOC_DEVICES_READY", args: gives(btrfsVolume())},
		{names: "BTRFS_IOC_SNAP_CREATE_V2 BTRFS_IOC_SUBVOL_CREATE_V2", args: becomes(btrfsVolume2(), "fd flags size qgroup_inherit name", "transid")},
	}
})

// subvolFlags are flags behind a pointer, without brackets.
func subvolFlags(d dir) []Arg {
	return ioctlWith(shown("argp", d, 8, func(p *printer, v *Value) {
		if b := p.fetch(v.Uint, 8); b != nil {
			p.flags(setBtrfsSnapFlagsV2, le(b))
		} else {
			p.ptr(v.Uint)
		}
	}))
}

func remarked(r *cstruct, remark string) field {
	f := sub(remark, r)
	f.show = func(p *printer, b, _ []byte) {
		p.record(r, b)
		p.str(" /* " + remark + " */")
	}
	return f
}

// search is BTRFS_IOC_TREE_SEARCH_V2's: when the buffer is too small the kernel
// tells the size that it needs.
func search() []Arg {
	args := turns(btrfsFind2(), btrfsFound2())
	a := &args[len(args)-1]
	more := a.more
	a.more = func(p *printer, v *Value) {
		const overflow = 75
		if p.s.Ret != -overflow {
			more(p, v)
			return
		}
		if p.fetchAt(v.Uint, btrfsFind2().size, event.Enter) == nil {
			return
		}
		p.str(" => ")
		if b := p.fetchAt(v.Uint, btrfsFind2().size, event.Leave); b != nil {
			p.record(btrfsFind2().pick("buf_size"), b)
		} else {
			p.ptr(v.Uint)
		}
	}
	return args
}

// spaces is BTRFS_IOC_SPACE_INFO's: without room for them only their number is
// told.
func spaces() []Arg {
	r := btrfsSpaces()
	return ioctlWith(recordArg(r, in, recordAt(r.pick("space_slots"))).twice(func(p *printer, v *Value) {
		if p.nothing() || p.fetchAt(v.Uint, r.size, event.Enter) == nil {
			return
		}
		p.str(" => ")
		b := p.fetch(v.Uint, r.size)
		switch {
		case b == nil:
			p.ptr(v.Uint)
		case le64(b, 0) == 0 && le64(b, 8) != 0:
			p.recordAt(r.pick("total_spaces"), v.Uint)
		default:
			p.recordAt(r.pick("total_spaces ... spaces"), v.Uint)
		}
	}))
}
