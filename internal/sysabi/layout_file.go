package sysabi

import "culprit/internal/event"

// struct stat of x86-64 (144 bytes), i386's stat64 (96), arm64 (128).
var (
	layoutStat      = &layout{144, 64, printStat, false}
	layoutStat64    = &layout{96, 96, printStat64, false}
	layoutStatArm64 = &layout{128, 128, printStatArm64, false}
)

type stat struct {
	dev, ino, mode, nlink, uid, gid, rdev, blksize, blocks uint64
	size                                                   int64
	times                                                  [3][2]int64
}

func printStat(p *printer, b []byte) {
	if p.c.Arch == event.ArchI386 {
		s := stat{dev: le32(b, 0), ino: le32(b, 4), mode: le16(b, 8), nlink: le16(b, 10), uid: le16(b, 12), gid: le16(b, 14),
			rdev: le32(b, 16), size: int64(le32(b, 20)), blksize: le32(b, 24), blocks: le32(b, 28)}
		for i := range s.times {
			s.times[i] = [2]int64{int64(le32(b, 32+8*i)), int64(le32(b, 36+8*i))}
		}
		p.stat(s)
		return
	}
	s := stat{dev: le64(b, 0), ino: le64(b, 8), nlink: le64(b, 16), mode: le32(b, 24), uid: le32(b, 28), gid: le32(b, 32),
		rdev: le64(b, 40), size: int64(le64(b, 48)), blksize: le64(b, 56), blocks: le64(b, 64)}
	for i := range s.times {
		s.times[i] = [2]int64{int64(le64(b, 72+16*i)), int64(le64(b, 80+16*i))}
	}
	p.stat(s)
}

func printStat64(p *printer, b []byte) {
	s := stat{dev: le64(b, 0), ino: le64(b, 88), mode: le32(b, 16), nlink: le32(b, 20), uid: le32(b, 24), gid: le32(b, 28),
		rdev: le64(b, 32), size: int64(le64(b, 44)), blksize: le32(b, 52), blocks: le64(b, 56)}
	for i := range s.times {
		s.times[i] = [2]int64{int64(le32(b, 64+8*i)), int64(le32(b, 68+8*i))}
	}
	p.stat(s)
}

func printStatArm64(p *printer, b []byte) {
	s := stat{dev: le64(b, 0), ino: le64(b, 8), mode: le32(b, 16), nlink: le32(b, 20), uid: le32(b, 24), gid: le32(b, 28),
		rdev: le64(b, 32), size: int64(le64(b, 48)), blksize: le32(b, 56), blocks: le64(b, 64)}
	for i := range s.times {
		s.times[i] = [2]int64{int64(le64(b, 72+16*i)), int64(le64(b, 80+16*i))}
	}
	p.stat(s)
}

func (p *printer) stat(s stat) {
	device := s.mode&0o170000 == 0o020000 || s.mode&0o170000 == 0o060000
	p.str("{")
	if !p.abbreviated() {
		p.field("st_dev")
		p.dev(s.dev)
		p.field("st_ino")
		p.uint(s.ino)
	}
	p.field("st_mode")
	p.styledMode(s.mode)
	if !p.abbreviated() {
		for _, f := range [...]struct {
			name string
			v    uint64
		}{{"st_nlink", s.nlink}, {"st_uid", s.uid}, {"st_gid", s.gid}, {"st_blksize", s.blksize}, {"st_blocks", s.blocks}} {
			p.field(f.name)
			p.uint(f.v)
		}
	}
	if device {
		p.field("st_rdev")
		p.dev(s.rdev)
	} else {
		p.field("st_size")
		p.int(s.size)
	}
	if p.abbreviated() {
		p.str(", ...}")
		return
	}
	for i, n := range [...]string{"st_atime", "st_mtime", "st_ctime"} {
		p.field(n)
		p.int(s.times[i][0])
		p.date(s.times[i][0], s.times[i][1])
		p.field(n + "_nsec")
		p.int(s.times[i][1])
	}
	p.str("}")
}

var layoutStatx = &layout{256, 256, func(p *printer, b []byte) {
	mask := le32(b, 0)
	p.str("{stx_mask=")
	p.flags(setStatxMask, mask)
	if !p.abbreviated() {
		p.field("stx_blksize")
		p.uint(le32(b, 4))
	}
	p.field("stx_attributes")
	p.flags(setStatxAttrs, le64(b, 8))
	if !p.abbreviated() {
		p.field("stx_nlink")
		p.uint(le32(b, 16))
		p.field("stx_uid")
		p.uint(le32(b, 20))
		p.field("stx_gid")
		p.uint(le32(b, 24))
	}
	p.field("stx_mode")
	p.styledMode(le16(b, 28))
	if !p.abbreviated() {
		p.field("stx_ino")
		p.uint(le64(b, 32))
	}
	p.field("stx_size")
	p.uint(le64(b, 40))
	if p.abbreviated() {
		p.str(", ...}")
		return
	}
	p.field("stx_blocks")
	p.uint(le64(b, 48))
	p.field("stx_attributes_mask")
	p.flags(setStatxAttrs, le64(b, 56))
	for i, n := range [...]struct {
		name string
		bit  uint64
	}{{"stx_atime", 0x20}, {"stx_btime", 0x800}, {"stx_ctime", 0x80}, {"stx_mtime", 0x40}} {
		if mask&n.bit == 0 {
			continue
		}
		p.field(n.name)
		o := 64 + 16*i
		p.str("{tv_sec=")
		p.int(int64(le64(b, o)))
		p.field("tv_nsec")
		p.uint(le32(b, o+8))
		p.str("}")
		p.date(int64(le64(b, o)), int64(le32(b, o+8)))
	}
	for i, n := range [...]string{"stx_rdev_major", "stx_rdev_minor", "stx_dev_major", "stx_dev_minor"} {
		p.field(n)
		p.uint(le32(b, 128+4*i))
	}
	atomic := le64(b, 8)&0x400000 != 0 // STATX_ATTR_WRITE_ATOMIC
	for _, f := range [...]struct {
		name string
		at   int
		has  bool
	}{
		{"stx_dio_mem_align", 152, mask&0x2000 != 0}, {"stx_dio_offset_align", 156, mask&0x2000 != 0}, {"stx_subvol", 160, mask&0x8000 != 0},
		{"stx_atomic_write_unit_min", 168, atomic}, {"stx_atomic_write_unit_max", 172, atomic}, {"stx_atomic_write_segments_max", 176, atomic},
		{"stx_dio_read_offset_align", 180, mask&0x20000 != 0}, {"stx_atomic_write_unit_max_opt", 184, atomic},
	} {
		if f.at == 152 && mask&0x1000 != 0 { // STATX_MNT_ID
			p.field("stx_mnt_id")
			p.hex(le64(b, 144))
		}
		if !f.has {
			continue
		}
		p.field(f.name)
		if f.at == 160 {
			p.hex(le64(b, f.at))
		} else {
			p.uint(le32(b, f.at))
		}
	}
	p.str("}")
}, false}

// struct statfs: words, but for f_bavail's neighbours.
var layoutStatfs = &layout{120, 64, func(p *printer, b []byte) {
	p.str("{f_type=")
	p.enum(setFSMagic, p.long(b, 0))
	for i, n := range [...]string{"f_bsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree"} {
		p.field(n)
		p.uint(p.long(b, 1+i))
	}
	o := 7 * p.word()
	p.field("f_fsid")
	p.str("{val=[")
	p.hex(le32(b, o))
	p.str(", ")
	p.hex(le32(b, o+4))
	p.str("]}")
	rest := b[o+8:]
	for i, n := range [...]string{"f_namelen", "f_frsize"} {
		p.field(n)
		p.uint(p.long(rest, i))
	}
	p.field("f_flags")
	p.flags(setStatfsFlags, p.long(rest, 2))
	p.str("}")
}, false}

var (
	layoutFlock = &layout{32, 16, func(p *printer, b []byte) {
		at := 8 // after two shorts and padding
		if p.c.ptr == 4 {
			at = 4
		}
		p.flock(b, p.slong(b[at:], 0), p.slong(b[at:], 1), i32(b, at+2*p.word()))
	}, false}
	layoutFlock64 = &layout{32, 24, func(p *printer, b []byte) {
		at := 8
		if p.c.ptr == 4 {
			at = 4
		}
		p.flock(b, int64(le64(b, at)), int64(le64(b, at+8)), i32(b, at+16))
	}, false}
)

func (p *printer) flock(b []byte, start, length, pid int64) {
	p.str("{l_type=")
	p.enum(setLockCmds, le16(b, 0))
	p.field("l_whence")
	p.enum(setWhence, le16(b, 2))
	p.field("l_start")
	p.int(start)
	p.field("l_len")
	p.int(length)
	if p.at == event.Leave {
		p.field("l_pid")
		p.pid(pid, TGID)
	}
	p.str("}")
}

var openHow = lazily(func() *cstruct {
	return newRecord(
		part("flags", 8, func(p *printer, b, _ []byte) { p.styled(le(b), func() { p.openFlags(le(b)) }) }),
		part("mode", 8, func(p *printer, b, _ []byte) { p.perm(le(b)) }).only(func(_ *printer, b, all []byte) bool {
			return creates(le64(all, 0)) || !zero(b)
		}),
		f64("resolve", setResolve),
	)
})

// openFlags prints the access mode and the flags of open(2).
func (p *printer) openFlags(v uint64) {
	p.b = setAccMode.appendEnum(p.b, v&3)
	set := setOpenFlags
	if p.c.Arch == event.ArchAArch64 {
		set = setOpenFlagsArm
	}
	p.b = set.appendMore(p.b, v&^3)
}

// arm64 has other values for four of the flags (asm/fcntl.h).
var setOpenFlagsArm = &Set{"O_???", []Name{
	{0x40, "O_CREAT"}, {0x80, "O_EXCL"}, {0x100, "O_NOCTTY"}, {0x200, "O_TRUNC"}, {0x400, "O_APPEND"},
	{0x800, "O_NONBLOCK"}, {0x101000, "O_SYNC"}, {0x100000, "__O_SYNC"}, {0x1000, "O_DSYNC"},
	{0x10000, "O_DIRECT"}, {0x20000, "O_LARGEFILE"}, {0x8000, "O_NOFOLLOW"}, {0x40000, "O_NOATIME"},
	{0x80000, "O_CLOEXEC"}, {0x200000, "O_PATH"}, {0x404000, "O_TMPFILE"}, {0x400000, "__O_TMPFILE"},
	{0x4000, "O_DIRECTORY"}, {0x2000, "FASYNC"},
}}
