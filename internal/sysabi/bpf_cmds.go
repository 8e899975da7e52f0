package sysabi

// The commands of bpf(2) by their numbers (linux/bpf.h).

var (
	bpfElemOp = lazily(func() *cstruct {
		return newRecord(fd32("map_fd"), a64("key"), a64("value"), bpfElem("flags", setBpfLookup))
	})
	bpfPin = lazily(func() *cstruct {
		return newRecord(bpfPath("pathname"), fd32("bpf_fd"), f32("file_flags", setBpfFile), part("path_fd", 4, func(p *printer, b, _ []byte) { p.dirfd(les(b)) }))
	})
	bpfAttach = lazily(func() *cstruct {
		return newRecord(bpfTarget(8), fd32("attach_bpf_fd"), e32("attach_type", setBpfAttach), f32("attach_flags", setBpfAttachFlags),
			fd32("replace_bpf_fd"), bpfRelative(12), u64("expected_revision"))
	})
	bpfNextID = lazily(func() bpfCmd { return bpfCmd{r: newRecord(u32("start_id"), u32("next_id")), least: 8, split: 1} })
	bpfLookup = lazily(func() bpfCmd {
		return bpfCmd{wrap: "batch", least: 56, exit: bpfCount(32), r: newRecord(a64("in_batch"), a64("out_batch"), a64("keys"), a64("values"), u32("count"),
			fd32("map_fd"), bpfElem("elem_flags", setBpfLookup), x64("flags"))}
	})
)

var bpfCmds = lazily(func() []bpfCmd {
	return []bpfCmd{
		0: {fd: true, least: 16, r: newRecord(e32("map_type", setBpfMaps), u32("key_size"), u32("value_size"), u32("max_entries"), f32("map_flags", setBpfMapFlags),
			fd32("inner_map_fd"), bpfNode(), bpfName("map_name", 28), ifindex("map_ifindex"), fd32("btf_fd"), u32("btf_key_type_id"),
			u32("btf_value_type_id"), u32("btf_vmlinux_value_type_id"), u64("map_extra"), fd32("value_type_btf_obj_fd"), fd32("map_token_fd"),
			a64("excl_prog_hash"), u32("excl_prog_hash_size"))}, // BPF_MAP_CREATE
		1: {least: 24, r: bpfElemOp()},                                                                         // BPF_MAP_LOOKUP_ELEM
		2: {least: 32, r: newRecord(fd32("map_fd"), a64("key"), a64("value"), bpfElem("flags", setBpfUpdate))}, // BPF_MAP_UPDATE_ELEM
		3: {least: 16, r: newRecord(fd32("map_fd"), a64("key"))},                                               // BPF_MAP_DELETE_ELEM
		4: {least: 24, r: newRecord(fd32("map_fd"), a64("key"), a64("next_key"))},                              // BPF_MAP_GET_NEXT_KEY
		5: {fd: true, least: 24, split: 25, r: newRecord(e32("prog_type", setBpfProgs), u32("insn_cnt"), bpfInsns("insns", 4), bpfString("license"),
			u32("log_level"), u32("log_size"), bpfText("log_buf", 28), kernelVersion("kern_version"), f32("prog_flags", setBpfProgFlags),
			bpfName("prog_name", 48), ifindex("prog_ifindex"), e32("expected_attach_type", setBpfAttach), fd32("prog_btf_fd"),
			u32("func_info_rec_size"), a64("func_info"), u32("func_info_cnt"), u32("line_info_rec_size"), a64("line_info"), u32("line_info_cnt"),
			u32("attach_btf_id"), fd32("attach_prog_fd"),
			u32("core_relo_cnt").only(func(_ *printer, _, all []byte) bool { return len(all) > 128 }), a64("fd_array"),
			a64("core_relos"), u32("core_relo_rec_size"), u32("log_true_size"), fd32("prog_token_fd"), u32("fd_array_cnt"), bpfHex("signature", 160),
			u32("signature_size"), s32("keyring_id"))}, // BPF_PROG_LOAD
		6: {fd: true, least: 12, r: bpfPin()}, // BPF_OBJ_PIN
		7: {fd: true, least: 12, r: bpfPin()}, // BPF_OBJ_GET
		8: {least: 16, r: bpfAttach()},        // BPF_PROG_ATTACH
		9: {least: 16, r: bpfAttach()},        // BPF_PROG_DETACH
		10: {wrap: "test", least: 40, group: 64, r: newRecord(fd32("prog_fd"), u32("retval"), u32("data_size_in"), u32("data_size_out"), a64("data_in"),
			a64("data_out"), u32("repeat"), u32("duration"), u32("ctx_size_in"), u32("ctx_size_out"), a64("ctx_in"), a64("ctx_out"),
			f32("flags", setBpfTest), u32("cpu"), u32("batch_size"))}, // BPF_PROG_TEST_RUN
		11: bpfNextID(),                                                                                                   // BPF_PROG_GET_NEXT_ID
		12: bpfNextID(),                                                                                                   // BPF_MAP_GET_NEXT_ID
		13: {fd: true, least: 4, r: newRecord(u32("prog_id"))},                                                            // BPF_PROG_GET_FD_BY_ID
		14: {fd: true, least: 4, r: newRecord(u32("map_id"), pad(4), f32("open_flags", setBpfFileMode).aligned(4))},       // BPF_MAP_GET_FD_BY_ID
		15: {wrap: "info", least: 8, split: 2, exit: bpfInfo, r: newRecord(fd32("bpf_fd"), u32("info_len"), a64("info"))}, // BPF_OBJ_GET_INFO_BY_FD
		16: {wrap: "query", least: 28, split: 4, exit: bpfQuery, r: newRecord(bpfTarget(4), e32("attach_type", setBpfAttach), f32("query_flags", setBpfQuery),
			f32("attach_flags", setBpfAttachFlags), a64("prog_ids"), u32("prog_cnt"), pad(4), a64("prog_attach_flags").aligned(8), a64("link_ids"),
			a64("link_attach_flags"), x64("revision"))}, // BPF_PROG_QUERY
		17: {wrap: "raw_tracepoint", least: 12, r: newRecord(part("name", 8, func(p *printer, b, _ []byte) { p.cstrAt(le(b), 128) }), fd32("prog_fd"), pad(4),
			x64("cookie").only(func(_ *printer, _, all []byte) bool { return len(all) >= 24 }).aligned(8))}, // BPF_RAW_TRACEPOINT_OPEN
		18: {fd: true, least: 28, split: 5, r: newRecord(bpfBytes("btf", 16), a64("btf_log_buf"), u32("btf_size"), u32("btf_log_size"), u32("btf_log_level"),
			u32("btf_log_true_size"), f32("btf_flags", setBpfFile), fd32("btf_token_fd"))}, // BPF_BTF_LOAD
		19: {fd: true, least: 4, r: newRecord(u32("btf_id"), pad(4), f32("open_flags", setBpfFileMode).aligned(4), fd32("fd_by_id_token_fd"))}, // BPF_BTF_GET_FD_BY_ID
		20: {wrap: "task_fd_query", least: 16, split: 4, exit: bpfTaskQuery, r: newRecord(part("pid", 4, func(p *printer, b, _ []byte) { p.pid(les(b), TGID) }),
			fd32("fd"), u32("flags"), u32("buf_len"), a64("buf"), u32("prog_id"), e32("fd_type", setBpfTaskFD), x64("probe_offset"), x64("probe_addr"))}, // BPF_TASK_FD_QUERY
		21: {least: 24, r: bpfElemOp()},              // BPF_MAP_LOOKUP_AND_DELETE_ELEM
		22: {least: 4, r: newRecord(fd32("map_fd"))}, // BPF_MAP_FREEZE
		23: bpfNextID(),                              // BPF_BTF_GET_NEXT_ID
		24: bpfLookup(),                              // BPF_MAP_LOOKUP_BATCH
		25: bpfLookup(),                              // BPF_MAP_LOOKUP_AND_DELETE_BATCH
		26: {wrap: "batch", least: 56, exit: bpfCount(32), r: newRecord(pad(16), a64("keys").aligned(8), a64("values"), u32("count"), fd32("map_fd"),
			bpfElem("elem_flags", setBpfUpdate), x64("flags"))}, // BPF_MAP_UPDATE_BATCH
		27: {wrap: "batch", least: 56, exit: bpfCount(32), r: newRecord(pad(16), a64("keys").aligned(8), pad(8), u32("count").aligned(4), fd32("map_fd"),
			bpfElem("elem_flags", setBpfLookup), x64("flags"))}, // BPF_MAP_DELETE_BATCH
		28: {fd: true, wrap: "link_create", least: 16, union: true, r: newRecord(fd32("prog_fd"), bpfTarget(8), e32("attach_type", setBpfAttach), f32("flags", setBpfAttachFlags))}, // BPF_LINK_CREATE
		29: {wrap: "link_update", least: 16, r: newRecord(fd32("link_fd"), fd32("new_prog_fd"), f32("flags", setBpfAttachFlags),
			fd32("old_prog_fd").only(func(_ *printer, _, all []byte) bool { return le32(all, 8)&4 != 0 }))}, // BPF_LINK_UPDATE
		30: {fd: true, least: 4, r: newRecord(u32("link_id"))},                                                                                                   // BPF_LINK_GET_FD_BY_ID
		31: bpfNextID(),                                                                                                                                          // BPF_LINK_GET_NEXT_ID
		32: {fd: true, wrap: "enable_stats", least: 4, r: newRecord(e32("type", setBpfStats))},                                                                   // BPF_ENABLE_STATS
		33: {fd: true, wrap: "iter_create", least: 8, r: newRecord(fd32("link_fd"), x32("flags"))},                                                               // BPF_ITER_CREATE
		34: {wrap: "link_detach", least: 4, r: newRecord(fd32("link_fd"))},                                                                                       // BPF_LINK_DETACH
		35: {fd: true, wrap: "prog_bind_map", least: 12, r: newRecord(fd32("prog_fd"), fd32("map_fd"), x32("flags"))},                                            // BPF_PROG_BIND_MAP
		36: {fd: true, wrap: "token_create", least: 8, r: newRecord(x32("flags"), fd32("bpffs_fd"))},                                                             // BPF_TOKEN_CREATE
		37: {wrap: "prog_stream_read", late: true, least: 20, r: newRecord(bpfBytes("stream_buf", 8), u32("stream_buf_len"), u32("stream_id"), fd32("prog_fd"))}, // BPF_PROG_STREAM_READ_BY_FD
		38: {wrap: "prog_assoc_struct_ops", least: 12, r: newRecord(fd32("map_fd"), fd32("prog_fd"), x32("flags"))},                                              // BPF_PROG_ASSOC_STRUCT_OPS
	}
})

// bpfNode is a memory node where the flags ask for one.
var bpfNode = lazily(func() field {
	return part("numa_node", 4, func(p *printer, b, _ []byte) {
		p.uint(le(b))
		if le(b) == 0xffffffff && p.opt.Style != StyleRaw {
			p.str(" /* NUMA_NO_NODE */")
		}
	}).only(func(_ *printer, _, all []byte) bool { return le32(all, 16)&4 != 0 })
})

// bpfInfo prints the address: what is there depends on what the descriptor is.
func bpfInfo(p *printer, was, now []byte) {
	if le32(was, 4) != le32(now, 4) {
		p.str(" => ")
		p.uint(le32(now, 4))
	}
	p.str(", info=")
	p.ptr(le64(now, 8))
}

func bpfQuery(p *printer, was, now []byte) {
	n := le32(now, 24)
	ids := func(name string, at int) {
		p.field(name)
		p.numbers(le64(now, at), n, 4)
	}
	flags := func(name string, at int) {
		p.field(name)
		p.array(le64(now, at), n, 4, func(b []byte) { p.flags(setBpfAttachFlags, le(b)) })
	}
	ids("prog_ids", 16)
	p.field("prog_cnt")
	p.changed(le32(was, 24), n)
	size := uint32(p.s.Args[2])
	if size <= 32 {
		return
	}
	flags("prog_attach_flags", 32)
	if size <= 40 {
		return
	}
	ids("link_ids", 40)
	flags("link_attach_flags", 48)
	p.field("revision")
	p.hex(le64(now, 56))
}

func bpfTaskQuery(p *printer, was, now []byte) {
	if le32(was, 12) != le32(now, 12) {
		p.str(" => ")
		p.uint(le32(now, 12))
	}
	p.field("buf")
	p.cstrAt(le64(now, 16), int(min(le32(was, 12), le32(now, 12))))
	p.field("prog_id")
	p.uint(le32(now, 24))
	p.field("fd_type")
	p.enum(setBpfTaskFD, le32(now, 28))
	p.field("probe_offset")
	p.hex(le64(now, 32))
	p.field("probe_addr")
	p.hex(le64(now, 40))
}

// What BPF_LINK_CREATE has besides, by the type of attachment.
var (
	bpfLinkBTF   = lazily(func() *cstruct { return newRecord(u32("target_btf_id").nonzero()) })
	bpfLinkOrder = lazily(func() *cstruct { return newRecord(fd32("relative_fd"), x64("expected_revision")) })
	bpfLinkIter  = lazily(func() *cstruct {
		return newRecord(bpfArray("iter_info", 8, 4, func(p *printer, b []byte) { p.record(bpfIterMap(), b) }), u32("iter_info_len"))
	})
	bpfIterMap     = lazily(func() *cstruct { return newRecord(sub("map", newRecord(fd32("map_fd")))) })
	bpfLinkPerf    = lazily(func() *cstruct { return newRecord(x64("bpf_cookie")) })
	bpfLinkTracing = lazily(func() *cstruct { return newRecord(u32("target_btf_id"), x64("cookie")) })
	bpfLinkMulti   = lazily(func() *cstruct {
		return newRecord(bpfArray("ids", 16, 4, func(p *printer, b []byte) { p.uint(le(b)) }), bpfHexes("cookies", 16), u32("cnt"))
	})
	bpfLinkFilter = lazily(func() *cstruct {
		return newRecord(u32("pf"), u32("hooknum"), s32("priority"), f32("flags", setBpfNetfilter))
	})
	bpfLinkKprobe = lazily(func() *cstruct {
		return newRecord(f32("flags", setBpfKprobe), u32("cnt"), part("syms", 8, func(p *printer, b, all []byte) {
			p.array(le(b), le32(all, 4), p.word(), func(b []byte) { p.strAt(le(b)) })
		}), bpfHexes("addrs", 4), bpfHexes("cookies", 4))
	})
	bpfLinkUprobe = lazily(func() *cstruct {
		return newRecord(bpfPath("path"), bpfHexes("offsets", 32), bpfHexes("ref_ctr_offsets", 32), bpfHexes("cookies", 32), u32("cnt"),
			f32("flags", setBpfUprobe), part("pid", 4, func(p *printer, b, _ []byte) { p.pid(les(b), TGID) }), fd32("path_fd"))
	})

	bpfLinkOrderI = lazily(func() *cstruct { return newRecord(u32("relative_id"), x64("expected_revision")) })
)

func bpfLink(attr []byte) (name string, r *cstruct) {
	const byID, beforeOrAfter = 0x20, 0x18 // BPF_F_ID, BPF_F_BEFORE|BPF_F_AFTER
	flags := le32(attr, 12)
	order := bpfLinkOrder()
	if flags&byID != 0 {
		order = bpfLinkOrderI()
	}
	switch t := setBpfAttach.Name(le32(attr, 8)); t {
	case "":
		return "", nil
	case "BPF_TRACE_ITER":
		return "", bpfLinkIter()
	case "BPF_PERF_EVENT":
		return "perf_event", bpfLinkPerf()
	case "BPF_TRACE_FENTRY", "BPF_TRACE_FEXIT", "BPF_TRACE_FSESSION", "BPF_MODIFY_RETURN", "BPF_LSM_MAC":
		return "tracing", bpfLinkTracing()
	case "BPF_TRACE_FENTRY_MULTI", "BPF_TRACE_FEXIT_MULTI", "BPF_TRACE_FSESSION_MULTI":
		return "tracing_multi", bpfLinkMulti()
	case "BPF_NETFILTER":
		return "netfilter", bpfLinkFilter()
	case "BPF_TCX_INGRESS", "BPF_TCX_EGRESS":
		return "tcx", order
	case "BPF_NETKIT_PRIMARY", "BPF_NETKIT_PEER":
		return "netkit", order
	case "BPF_TRACE_KPROBE_MULTI":
		return "kprobe_multi", bpfLinkKprobe()
	case "BPF_TRACE_UPROBE_MULTI":
		return "uprobe_multi", bpfLinkUprobe()
	default:
		switch {
		case t[:min(len(t), 10)] != "BPF_CGROUP" || t == "BPF_CGROUP_ITER":
			return "", nil
		case flags&beforeOrAfter != 0:
			return "cgroup", order
		}
		return "", bpfLinkBTF()
	}
}
