package sysabi

import "culprit/internal/event"

// btrfs: linux/btrfs.h and linux/btrfs_tree.h.

// most64 is a number of which the greatest has a name.
func most64(name string) field {
	return part(name, 8, func(p *printer, b, _ []byte) {
		if v := le(b); v == ^uint64(0) {
			switch p.opt.Style {
			case StyleRaw:
				p.uint(v)
			case StyleVerbose:
				p.uint(v)
				p.str(" /* UINT64_MAX */")
			default:
				p.str("UINT64_MAX")
			}
		} else {
			p.uint(v)
		}
	})
}

// uuid is 16 bytes, in the usual groups.
func uuid(name string) field {
	return field{name: name, size: 1, n: 16, show: func(p *printer, b, _ []byte) {
		const digits = "0123456789abcdef"
		for i, c := range b[:16] {
			if i == 4 || i == 6 || i == 8 || i == 10 {
				p.str("-")
			}
			p.b = append(p.b, digits[c>>4], digits[c&15])
		}
	}}
}

func objectID(name string) field { return decimal(name, 8, setBtrfsTreeObjectids) }
func keyType(name string) field  { return decimal(name, 4, setBtrfsKeyTypes) }

var (
	btrfsBalanceRange = lazily(func() *cstruct {
		return structure(
			f64("profiles", setBtrfsSpaceInfoFlags), most64("usage"), dev64("devid"), most64("pstart"), most64("pend"),
			most64("vstart"), most64("vend"), most64("target"), f64("flags", setBtrfsBalanceArgs), pad(64))
	})
	btrfsBalance = lazily(func() *cstruct {
		return structure(
			f64("flags", setBtrfsBalanceFlags), f64("state", setBtrfsBalanceState),
			sub("data", btrfsBalanceRange()).only(has("flags", 1)), sub("meta", btrfsBalanceRange()).only(has("flags", 4)),
			sub("sys", btrfsBalanceRange()).only(has("flags", 2)), pad(24+72*8))
	})
	btrfsFeatures = lazily(func() *cstruct {
		return structure(
			f64("compat_flags", setBtrfsFeaturesCompat), f64("compat_ro_flags", setBtrfsFeaturesCompatRo),
			f64("incompat_flags", setBtrfsFeaturesIncompat))
	})
	btrfsDefrag = lazily(func() *cstruct {
		return structure(
			u64("start"), most64("len"), f64("flags", setBtrfsDefragFlags), u32("extent_thresh"),
			e32("compress_type", setBtrfsCompressTypes), pad(16))
	})
	btrfsDevice = lazily(func() *cstruct {
		return structure(
			dev64("devid"), uuid("uuid").nonzero(), u64("bytes_used"), u64("total_bytes"), pad(379*8), chars("path", 1024))
	})
	btrfsReplace = lazily(func() *cstruct {
		return structure(
			en("cmd", 8, setBtrfsDevReplaceCmds), en("result", 8, setBtrfsDevReplaceResults),
			sub("start", structure(
				dev64("srcdevid"), en("cont_reading_from_srcdev_mode", 8, setBtrfsContReadingFromSrcdevMode),
				chars("srcdev_name", 1025), chars("tgtdev_name", 1025))).only(is("cmd", 0)),
			sub("status", structure(
				en("replace_state", 8, setBtrfsDevReplaceState),
				part("progress_1000", 8, func(p *printer, b, _ []byte) {
					v := le(b)
					if p.uint(v); v <= 1000 {
						p.str(" /* ")
						p.uint(v / 10)
						p.str(".")
						p.uint(v % 10)
						p.str("% */")
					}
				}), dated("time_started"), dated("time_stopped"), u64("num_write_errors"), u64("num_uncorrectable_read_errors"))).
				overlaid().only(is("cmd", 1)), pad(64*8))
	})
	btrfsInfo = lazily(func() *cstruct {
		return structure(
			u64("max_id"), u64("num_devices"), uuid("fsid"), u32("nodesize"), u32("sectorsize"), u32("clone_alignment"),
			en("csum_type", 2, setBtrfsCsumTypes).only(has("flags", 1)), u16("csum_size").only(has("flags", 1)),
			f64("flags", setBtrfsFSInfoFlags), u64("generation").only(has("flags", 2)), uuid("metadata_uuid").only(has("flags", 4)), pad(944))
	})
	btrfsDevStats = lazily(func() *cstruct {
		return structure(
			dev64("devid"), u64("nr_items"), f64("flags", setBtrfsDevStatsFlags), u64("values").list(5).shows(devStats), pad(121*8))
	})
	btrfsLookup = lazily(func() *cstruct { return structure(objectID("treeid"), objectID("objectid"), chars("name", 4080)) })
	btrfsPaths  = lazily(func() *cstruct { return structure(u64("inum"), u64("size"), pad(32), a64("fspath")) })
	btrfsInodes = lazily(func() *cstruct {
		return structure(
			u64("logical"), u64("size"), x64("reserved").spare(3), f64("flags", setBtrfsLogicalInoArgsFlags), a64("inodes"))
	})
	btrfsAssign = lazily(func() *cstruct { return structure(u64("assign"), u64("src"), u64("dst")) })
	btrfsQgroup = lazily(func() *cstruct { return structure(u64("create"), u64("qgroupid")) })
	btrfsLimit  = lazily(func() *cstruct {
		return structure(
			f64("flags", setBtrfsQgroupLimitFlags), u64("max_rfer"), u64("max_excl"), u64("rsv_rfer"), u64("rsv_excl"))
	})
	btrfsLimitArgs = lazily(func() *cstruct { return structure(u64("qgroupid"), sub("lim", btrfsLimit())) })
	btrfsQuota     = lazily(func() *cstruct { return structure(en("cmd", 8, setBtrfsQgroupCtlCmds), u64("status")) })
	btrfsRescan    = lazily(func() *cstruct { return structure(u64("flags"), objectID("progress"), pad(48)) })
	btrfsTime      = field{size: 16, size32: 12, align: 8, show: func(p *printer, b, _ []byte) {
		p.str("{sec=")
		p.uint(le64(b, 0))
		p.str(", nsec=")
		p.uint(le32(b, 8))
		p.str("}")
		p.date(int64(le64(b, 0)), int64(le32(b, 8)))
	}}
	btrfsReceived = lazily(func() *cstruct {
		return structure(
			uuid("uuid"), u64("stransid"), u64("rtransid"), btrfsTime.called("stime"), btrfsTime.called("rtime"), u64("flags"), pad(128))
	})
	btrfsScrub = lazily(func() *cstruct {
		return structure(
			dev64("devid"), u64("start"), most64("end"), f64("flags", setBtrfsScrubFlags),
			sub("progress", structure(
				u64("data_extents_scrubbed"), u64("tree_extents_scrubbed"), u64("data_bytes_scrubbed"), u64("tree_bytes_scrubbed"),
				u64("read_errors"), u64("csum_errors"), u64("verify_errors"), u64("no_csum"), u64("csum_discards"), u64("super_errors"),
				u64("malloc_errors"), u64("uncorrectable_errors"), u64("corrected_errors"), u64("last_physical"), u64("unverified_errors"))),
			pad(8*109))
	})
	btrfsVolume = lazily(func() *cstruct { return structure(fd64("fd"), chars("name", 4088)) })
	btrfsSend   = lazily(func() *cstruct {
		return structure(
			fd64("send_fd"), u64("clone_sources_count"),
			al("clone_sources").shows(func(p *printer) {
				addr := p.get("clone_sources")
				if p.abbreviated() {
					p.ptr(addr)
					return
				}
				p.array(addr, p.get("clone_sources_count"), 8, func(b []byte) { p.enumDecimal(setBtrfsTreeObjectids, le(b), false) })
			}), objectID("parent_root"), f64("flags", setBtrfsSendFlags), pad(32))
	})
	btrfsSpaces = lazily(func() *cstruct {
		return structure(
			u64("space_slots"), u64("total_spaces"), after("spaces", structure(
				f64("flags", setBtrfsSpaceFlags()), u64("total_bytes"), u64("used_bytes")), "total_spaces", 0))
	})
	btrfsInherit = lazily(func() *cstruct {
		return structure(
			f64("flags", setBtrfsQgroupInheritFlags), u64("num_qgroups"), u64("num_ref_copies"), u64("num_excl_copies"),
			sub("lim", btrfsLimit()), abbreviation, tail("qgroups", func(p *printer) { p.numbers(p.here(), p.get("num_qgroups"), 8) }))
	})
	btrfsVolume2 = lazily(func() *cstruct {
		return structure(
			fd64("fd"), u64("transid"), f64("flags", setBtrfsSnapFlagsV2), u64("size").only(has("flags", 4)),
			to("qgroup_inherit", btrfsInherit()).is64().only(has("flags", 4)), pad(16), chars("name", 4040))
	})
)

var setBtrfsSpaceFlags = lazily(func() *Set { return &Set{"BTRFS_SPACE_INFO_???", setBtrfsSpaceInfoFlags.Names} })

// dated is seconds with the date as a remark.
func dated(name string) field {
	return part(name, 8, func(p *printer, b, _ []byte) {
		p.uint(le(b))
		p.date(int64(le(b)), 0)
	})
}

var (
	btrfsKey = lazily(func() *cstruct {
		return structure(
			objectID("tree_id"), objectID("min_objectid").only(unusual(256)), objectID("max_objectid").only(unusual(^uint64(255))),
			most64("min_offset"), most64("max_offset"), most64("min_transid"), most64("max_transid"), keyType("min_type"),
			keyType("max_type"), u32("nr_items"), pad(4+32))
	})
	btrfsItem = lazily(func() *cstruct {
		return structure(u64("transid"), objectID("objectid"), u64("offset"), keyType("type"), u32("len"))
	})
	btrfsFind = lazily(func() *cstruct {
		return structure(sub("key", btrfsKey()), pad(3992), tail("buf", func(p *printer) { p.items(p.in.base+104, 3992) }))
	})
	btrfsFound = lazily(func() *cstruct {
		return structure(sub("key", btrfsKey().pick("nr_items")), pad(3992), abbreviation, tail("buf", func(p *printer) {
			p.items(p.in.base+104, 3992)
		}))
	})
	btrfsFind2  = lazily(func() *cstruct { return structure(sub("key", btrfsKey()), u64("buf_size")) })
	btrfsFound2 = lazily(func() *cstruct {
		return structure(sub("key", btrfsKey().pick("nr_items")), u64("buf_size"), abbreviation, tail("buf", func(p *printer) {
			p.items(p.here(), p.get("buf_size"))
		}))
	})
)

// unusual holds for a bound of a search that isn't the one of all files.
func unusual(v uint64) condition {
	return func(p *printer, b, _ []byte) bool { return !p.abbreviated() || le(b) != v }
}

// items prints the headers of what a search found, which lie before the items in
// size bytes.
func (p *printer) items(addr, size uint64) {
	n := uint64(le32(p.in.b, 64))
	p.str("[")
	off := uint64(0)
	for i := range n {
		p.sep(int(min(i, 1)))
		at := addr + off
		if at < addr || off+32 > size || i >= uint64(p.opt.strLen()) && p.abbreviated() {
			p.str("...")
			break
		}
		b := p.fetch(at, 32)
		if b == nil {
			p.str("... /* ")
			p.hex(at)
			p.str(" */")
			break
		}
		p.record(btrfsItem(), b)
		off += 32 + le32(b, 28)
	}
	p.str("]")
}

// A container is what BTRFS_IOC_INO_PATHS and BTRFS_IOC_LOGICAL_INO fill.
func container(val func(p *printer)) *cstruct {
	return structure(u32("bytes_left"), u32("bytes_missing"), u32("elem_cnt"), u32("elem_missed"), abbreviation, tail("val", val))
}

var (
	btrfsPathsFound = lazily(func() *cstruct {
		return structure(pad(48), to("fspath", container(func(p *printer) {
			base := p.here()
			p.array(base, p.get("elem_cnt"), 8, func(b []byte) { p.pathAt(base + le(b)) })
		})).is64())
	})
	btrfsInodesFound = lazily(func() *cstruct {
		return structure(pad(48), to("inodes", container(func(p *printer) {
			p.records(structure(u64("inum"), u64("offset"), u64("root")), p.here(), p.get("elem_cnt")/3, 0)
		})).is64())
	})
)

// devStats prints the counters, with their names.
func devStats(p *printer) {
	b := p.memberBytes("values")
	p.str("[")
	for i := range p.get("nr_items") {
		p.sep(int(min(i, 1)))
		if i >= 5 {
			p.str("...")
			break
		}
		p.str("[")
		p.enumDecimal(setBtrfsDevStatsValues, i, false)
		p.str("] = ")
		p.uint(le64(b, 8*int(i)))
	}
	p.str("]")
}

// lookup is BTRFS_IOC_INO_LOOKUP's: the tree is told when it was asked for.
func lookup() []Arg {
	args := becomes(btrfsLookup(), "treeid objectid", "name")
	a := &args[len(args)-1]
	more := becomes(btrfsLookup(), "treeid objectid", "treeid name")[2].more
	plain := a.more
	a.more = func(p *printer, v *Value) {
		if b := p.fetchAt(v.Uint, btrfsLookup().size, event.Enter); b != nil && le64(b, 0) == 0 {
			more(p, v)
		} else {
			plain(p, v)
		}
	}
	return args
}
