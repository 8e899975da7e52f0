package sysabi

import "culprit/internal/event"

// Structures of the mount calls (mount_setattr(2), statmount(2), listmount(2))
// and of listns(2).

var mountAttr = lazily(func() *cstruct {
	return newRecord(
		f64("attr_set", setMountAttr), f64("attr_clr", setMountAttr), en("propagation", 8, setMountAttrPropagation),
		part("userns_fd", 8, func(p *printer, b, all []byte) {
			const idmap = 0x100000 // MOUNT_ATTR_IDMAP
			if v := le(b); v > 1<<31-1 || (le64(all, 0)|le64(all, 8))&idmap == 0 {
				p.uint(v)
			} else {
				p.fd(int64(v))
			}
		}),
	)
})

// What statmount and listmount are asked for (struct mnt_id_req) differs in
// param; each begins with its size.
var (
	statmountReq = lazily(func() *cstruct {
		return newRecord(u32("size"), fd32("mnt_ns_fd"), x64("mnt_id"), f64("param", setStatmountMask), x64("mnt_ns_id"))
	})
	listmountReq = lazily(func() *cstruct {
		return newRecord(u32("size"), fd32("mnt_ns_fd"), en("mnt_id", 8, setListmountMntId), x64("param"), x64("mnt_ns_id"))
	})
	listnsReq = lazily(func() *cstruct {
		return newRecord(u32("size"), x32("spare").nonzero(), x64("ns_id"), f32("ns_type", setNsType), x32("spare2").nonzero(),
			en("user_ns_id", 8, setListnsUserNsId))
	})
)

// selfSized is a structure whose first field says how big it is, at least
// least; from first on all kernels know it.
func selfSized(name string, r *cstruct, least int) Arg {
	return shown(name, in, r.size, func(p *printer, v *Value) { p.selfSized(r, v.Uint, least) })
}

func (p *printer) selfSized(r *cstruct, addr uint64, least int) {
	size, ok := p.number(addr, 4)
	if !ok {
		p.ptr(addr)
		return
	}
	p.str("{")
	b := p.fetch(addr, int(min(size, uint64(p.bytesOf(r)))))
	switch {
	case size < uint64(least):
		p.field("size")
		p.uint(size)
	case b == nil:
		p.field("size")
		p.uint(size)
		p.str(", ???")
	default:
		if len(b) > least && len(b) < p.bytesOf(r) { // fields come whole
			b = b[:least]
		}
		p.members(r, b)
		p.rest(addr, uint64(p.bytesOf(r)), size)
	}
	p.str("}")
}

// idsOut is an array of 64 bit ids, as many as the result says and there is room for.
func idsOut(name string, room uint8) Arg {
	return shown(name, out, 8, func(p *printer, v *Value) {
		p.hexes(v.Uint, min(p.size(v, room), uint64(p.s.Ret)), 8)
	})
}

// The result of statmount: a head, whose fields count when the mask says so,
// and strings behind it.
const statmountHead = 512

func (p *printer) statmount(addr, size uint64) {
	b := p.fetch(addr, int(min(size, statmountHead)))
	if size < 4 || b == nil {
		p.ptr(addr)
		return
	}
	if len(b) < statmountHead {
		b = append(make([]byte, 0, statmountHead), b...)[:statmountHead]
	}
	var strings []byte
	if n := le32(b, 0); n > statmountHead && n <= size {
		strings = p.fetch(addr+statmountHead, int(min(n-statmountHead, 3*pageSize)))
	}
	mask := le64(b, 8)
	p.str("{")
	for i := range statmountFields() {
		f := &statmountFields()[i]
		if f.bit != 0 && mask&f.bit == 0 {
			continue
		}
		p.field(f.name)
		at := le32(b, f.at)
		switch {
		case f.set != nil:
			f.show(p, b[f.at:f.at+f.size], f.set)
		case f.num == 0 && f.size == 0: // a string
			if at < uint64(len(strings)) {
				p.charArray(strings[at:])
			} else {
				p.hex(at)
			}
		case f.num != 0:
			if at < uint64(len(strings)) {
				p.stringSequence(strings[at:], le32(b, f.num))
			} else {
				p.hex(at)
			}
		case f.size == 4 && f.bit != 2 || f.at == 0:
			p.uint(at)
		default:
			p.hex(le(b[f.at : f.at+f.size]))
		}
	}
	p.str("}")
}

// stringSequence prints n strings that follow on each other.
func (p *printer) stringSequence(b []byte, n uint64) {
	p.str("[")
	i := uint64(0)
	for ; i < n && len(b) > 0; i++ {
		p.sep(int(min(i, 1)))
		if i >= uint64(p.opt.strLen()) && !p.opt.Verbose {
			p.str("...]")
			return
		}
		p.charArray(b)
		end := 0
		for end < len(b) && b[end] != 0 {
			end++
		}
		b = b[min(end+1, len(b)):]
	}
	if i < n {
		p.sep(int(min(i, 1)))
		p.str("???")
	}
	p.str("]")
}

func showSetFlags(p *printer, b []byte, s *Set) { p.flags(s, le(b)) }
func showSetEnum(p *printer, b []byte, s *Set)  { p.enum(s, le(b)) }

// statmountFields are the fields of struct statmount in the order in which they
// are printed: at is the offset, size 0 an offset into the strings, num the
// offset of their number.
var statmountFields = lazily(func() []struct {
	name string
	bit  uint64
	at   int
	size int
	num  int
	set  *Set
	show func(p *printer, b []byte, s *Set)
} {
	return []struct {
		name          string
		bit           uint64 // of the mask
		at, size, num int
		set           *Set
		show          func(p *printer, b []byte, s *Set)
	}{
		{name: "size", size: 4},
		{name: "mnt_opts", bit: 0x80, at: 4},
		{name: "mask", at: 8, size: 8, set: setStatmountMask, show: showSetFlags},
		{name: "sb_dev_major", bit: 1, at: 16, size: 4}, {name: "sb_dev_minor", bit: 1, at: 20, size: 4},
		{name: "sb_magic", bit: 1, at: 24, size: 8, set: &Set{Names: setFSMagic.Names}, show: showSetEnum},
		{name: "sb_flags", bit: 1, at: 32, size: 4, set: setStatmountSbFlags, show: showSetFlags},
		{name: "fs_type", bit: 0x20, at: 36},
		{name: "mnt_id", bit: 2, at: 40, size: 8}, {name: "mnt_parent_id", bit: 2, at: 48, size: 8},
		{name: "mnt_id_old", bit: 2, at: 56, size: 4}, {name: "mnt_parent_id_old", bit: 2, at: 60, size: 4},
		{name: "mnt_attr", bit: 2, at: 64, size: 8, set: setMountAttr, show: showSetFlags},
		{name: "mnt_propagation", bit: 2, at: 72, size: 8, set: setMountAttrPropagation, show: showSetFlags},
		{name: "mnt_peer_group", bit: 2, at: 80, size: 8}, {name: "mnt_master", bit: 2, at: 88, size: 8},
		{name: "propagate_from", bit: 4, at: 96, size: 8},
		{name: "mnt_root", bit: 8, at: 104}, {name: "mnt_point", bit: 0x10, at: 108},
		{name: "mnt_ns_id", bit: 0x40, at: 112, size: 8},
		{name: "fs_subtype", bit: 0x100, at: 120}, {name: "sb_source", bit: 0x200, at: 124},
		{name: "opt_num", bit: 0x400, at: 128, size: 4}, {name: "opt_array", bit: 0x400, at: 132, num: 128},
		{name: "opt_sec_num", bit: 0x800, at: 136, size: 4}, {name: "opt_sec_array", bit: 0x800, at: 140, num: 136},
		{name: "supported_mask", bit: 0x1000, at: 144, size: 8, set: setStatmountMask, show: showSetFlags},
		{name: "mnt_uidmap_num", bit: 0x2000, at: 152, size: 4}, {name: "mnt_uidmap", bit: 0x2000, at: 156, num: 152},
		{name: "mnt_gidmap_num", bit: 0x4000, at: 160, size: 4}, {name: "mnt_gidmap", bit: 0x4000, at: 164, num: 160},
	}
})

var statmountBuf = shown("buf", out, statmountHead, func(p *printer, v *Value) {
	p.statmount(v.Uint, p.size(v, 2))
})

// struct file_handle (name_to_handle_at(2)): the room, or the size, of f_handle.
const maxHandle = 128 // MAX_HANDLE_SZ

func (p *printer) fileHandle(addr, n uint64) {
	p.str(", f_handle=")
	if b := p.fetch(addr+8, int(min(n, maxHandle))); b != nil {
		p.hexBytes(b, int(min(n, 1<<31-1)))
	} else {
		p.str("???")
	}
}

// hexBytes prints all of b in hex, "..." behind it when there are more than n.
func (p *printer) hexBytes(b []byte, n int) {
	limit := p.opt.StrLen
	p.opt.StrLen = max(len(b), 1)
	p.hexString(b, n)
	p.opt.StrLen = limit
}

var (
	givenHandle = shown("handle", in, 8, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, 8)
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{handle_bytes=")
		p.uint(le32(b, 0))
		p.str(", handle_type=")
		p.int(i32(b, 4))
		p.fileHandle(v.Uint, le32(b, 0))
		p.str("}")
	})

	handle = lazily(func() Arg {
		return shown("handle", in, 8, func(p *printer, v *Value) {
			if b := p.fetch(v.Uint, 8); b != nil {
				p.str("{handle_bytes=")
				p.uint(le32(b, 0))
			} else {
				p.ptr(v.Uint)
			}
		}).twice(func(p *printer, v *Value) {
			const overflow = -75 // EOVERFLOW: the kernel told the room that it needs
			was := p.fetchAt(v.Uint, 8, event.Enter)
			if was == nil {
				return
			}
			if b := p.fetchAt(v.Uint, 8, event.Leave); b != nil && (!p.failed || p.s.Ret == overflow) {
				if le32(b, 0) != le32(was, 0) {
					p.str(" => ")
					p.uint(le32(b, 0))
				}
				if !p.failed {
					p.str(", handle_type=")
					p.int(i32(b, 4))
					p.fileHandle(v.Uint, le32(b, 0))
				}
			}
			p.str("}")
		})
	})
)

// Constants of the mount calls.
var (
	setMountAttrPropagation = &Set{"MS_???", []Name{
		{0x20000, "MS_UNBINDABLE"}, {0x40000, "MS_PRIVATE"}, {0x80000, "MS_SLAVE"}, {0x100000, "MS_SHARED"},
	}}
	setListmountMntId = &Set{"", []Name{
		{0xffffffffffffffff, "LSMT_ROOT"},
	}}
	setListmountFlags = &Set{"LISTMOUNT_???", []Name{
		{1, "LISTMOUNT_REVERSE"},
	}}
	setNsType = &Set{"???_NS", []Name{
		{0x80, "TIME_NS"}, {0x20000, "MNT_NS"}, {0x2000000, "CGROUP_NS"}, {0x4000000, "UTS_NS"}, {0x8000000, "IPC_NS"},
		{0x10000000, "USER_NS"}, {0x20000000, "PID_NS"}, {0x40000000, "NET_NS"},
	}}
	setListnsUserNsId = &Set{"", []Name{
		{0xffffffffffffffff, "LISTNS_CURRENT_USER"},
	}}
	setStatmountMask = &Set{"STATMOUNT_???", []Name{
		{1, "STATMOUNT_SB_BASIC"}, {2, "STATMOUNT_MNT_BASIC"}, {4, "STATMOUNT_PROPAGATE_FROM"},
		{8, "STATMOUNT_MNT_ROOT"}, {0x10, "STATMOUNT_MNT_POINT"}, {0x20, "STATMOUNT_FS_TYPE"},
		{0x40, "STATMOUNT_MNT_NS_ID"}, {0x80, "STATMOUNT_MNT_OPTS"}, {0x100, "STATMOUNT_FS_SUBTYPE"},
		{0x200, "STATMOUNT_SB_SOURCE"}, {0x400, "STATMOUNT_OPT_ARRAY"}, {0x800, "STATMOUNT_OPT_SEC_ARRAY"},
		{0x1000, "STATMOUNT_SUPPORTED_MASK"}, {0x2000, "STATMOUNT_MNT_UIDMAP"}, {0x4000, "STATMOUNT_MNT_GIDMAP"},
	}}
	setStatmountFlags = &Set{"STATMOUNT_???", []Name{
		{1, "STATMOUNT_BY_FD"},
	}}
	setStatmountSbFlags = &Set{"MS_???", []Name{
		{1, "MS_RDONLY"}, {0x10, "MS_SYNCHRONOUS"}, {0x80, "MS_DIRSYNC"}, {0x2000000, "MS_LAZYTIME"},
	}}
)
