package sysabi

// quotactl(2): the command is an operation and a type, the arguments depend on
// the operation.

const (
	qSync, qQuotaOn, qQuotaOff, qGetFmt, qGetInfo, qSetInfo = 0x800001, 0x800002, 0x800003, 0x800004, 0x800005, 0x800006
	qGetQuota, qSetQuota, qGetNextQuota                     = 0x800007, 0x800008, 0x800009
	qXQuotaOn, qXQuotaOff, qXGetQuota, qXSetQlim            = 0x5801, 0x5802, 0x5803, 0x5804
	qXGetQstat, qXQuotaRm, qXQuotaSync, qXGetQstatv         = 0x5805, 0x5806, 0x5807, 0x5808
	qXGetNextQuota                                          = 0x5809
)

// quotaOp is made by QCMD.
var quotaOp = lazily(func() Arg {
	return number("op", func(p *printer, v uint64) {
		v = uint64(uint32(v))
		names := func() {
			p.str("QCMD(")
			p.enum(setQuotaCmds, v>>8)
			p.str(", ")
			p.enum(setQuotaTypes, v&0xff)
			p.str(")")
		}
		switch p.opt.Style {
		case StyleRaw:
			p.uint(v)
		case StyleVerbose:
			p.uint(v)
			p.str(" /* ")
			p.inner(names)
			p.str(" */")
		default:
			names()
		}
	})
})

// brief is an argument of which only some fields are printed, unless structures
// are printed in full.
func brief(d dir, r *cstruct, fields ...int) Arg {
	short := *r
	short.order = fields
	return shown("addr", d, r.size, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, p.bytesOf(r))
		switch {
		case b == nil:
			p.ptr(v.Uint)
		case p.abbreviated():
			p.str("{")
			p.members(&short, b)
			p.str(", ...}")
		default:
			p.record(r, b)
		}
	}).at(3)
}

func dqblk(more ...field) *cstruct {
	return newRecord(append([]field{u64("dqb_bhardlimit"), u64("dqb_bsoftlimit"), u64("dqb_curspace"), u64("dqb_ihardlimit"), u64("dqb_isoftlimit"),
		u64("dqb_curinodes"), u64("dqb_btime"), u64("dqb_itime"), f32("dqb_valid", setDqblkValid)}, more...)...).packed()
}

// fileStat is how much of a file a quota takes (struct fs_qfilestat).
func fileStat(name string, size32 int) field {
	r := newRecord(u64("qfs_ino"), u64("qfs_nblks"), u32("qfs_nextents"))
	f := sub(name, r)
	f.size32, f.align = size32, 4
	return f
}

func quotaFlags(s *Set) Arg {
	return shown("addr", in, 4, func(p *printer, v *Value) { p.indirect(v.Uint, 4, func(b []byte) { p.flags(s, le(b)) }) }).at(3)
}

var (
	quotaDqinfo = lazily(func() *cstruct {
		return newRecord(u64("dqi_bgrace"), u64("dqi_igrace"), f32("dqi_flags", setDqinfo), f32("dqi_valid", setDqinfoValid))
	})
	quotaXFS = lazily(func() *cstruct {
		return newRecord(s8("d_version"), fl("d_flags", 1, setXFSDqblk), x16("d_fieldmask"), u32("d_id"), u64("d_blk_hardlimit"),
			u64("d_blk_softlimit"), u64("d_ino_hardlimit"), u64("d_ino_softlimit"), u64("d_bcount"), u64("d_icount"), s32("d_itimer"), s32("d_btimer"),
			u16("d_iwarns"), u16("d_bwarns"), pad(4), u64("d_rtb_hardlimit"), u64("d_rtb_softlimit"), u64("d_rtbcount"), s32("d_rtbtimer"),
			u16("d_rtbwarns"), pad(10))
	})
	quotaStat = lazily(func() *cstruct {
		return newRecord(s8("qs_version"), fl("qs_flags", 2, setXFSQuota), pad(1), fileStat("qs_uquota", 20), fileStat("qs_gquota", 20),
			u32("qs_incoredqs"), s32("qs_btimelimit"), s32("qs_itimelimit"), s32("qs_rtbtimelimit"), u16("qs_bwarnlimit"), u16("qs_iwarnlimit"))
	})
	quotaStatv = lazily(func() *cstruct {
		return newRecord(s8("qs_version"), fl("qs_flags", 2, setXFSQuota), u32("qs_incoredqs"), fileStat("qs_uquota", 24), fileStat("qs_gquota", 24),
			fileStat("qs_pquota", 24), s32("qs_btimelimit"), s32("qs_itimelimit"), s32("qs_rtbtimelimit"), u16("qs_bwarnlimit"), u16("qs_iwarnlimit"), pad(64))
	})

	quotaID    = lazily(func() Arg { return idArg("id").at(2) })
	quotaInfo  = lazily(func() Arg { return given("addr", quotaDqinfo()).at(3) })
	quotaInfoG = lazily(func() Arg { return filled("addr", quotaDqinfo()).at(3) })
	quotaFmt   = lazily(func() Arg {
		return shown("addr", out, 4, func(p *printer, v *Value) {
			p.indirect(v.Uint, 4, func(b []byte) { p.enum(setQuotaFormats, le(b)) })
		}).at(3)
	})
)

var quotaTails = lazily(func() map[uint32][]Arg {
	return map[uint32][]Arg{
		qSync: {}, qQuotaOff: {}, qXQuotaSync: {},
		qQuotaOn:       {enum("id", setQuotaFormats).at(2), path("addr").at(3)},
		qGetFmt:        {quotaFmt()},
		qGetInfo:       {quotaInfoG()},
		qSetInfo:       {quotaInfo()},
		qGetQuota:      {quotaID(), brief(out, dqblk(), 0, 1, 2, 3, 4, 5)},
		qSetQuota:      {quotaID(), brief(in, dqblk(), 0, 1, 2, 3, 4, 5)},
		qGetNextQuota:  {quotaID(), brief(out, dqblk(u32("dqb_id")), 0, 1, 2, 3, 4, 5, 9)},
		qXGetQuota:     {quotaID(), brief(out, quotaXFS(), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)},
		qXGetNextQuota: {quotaID(), brief(out, quotaXFS(), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)},
		qXSetQlim:      {quotaID(), brief(in, quotaXFS(), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)},
		qXGetQstat:     {brief(out, quotaStat(), 0)},
		qXGetQstatv:    {brief(out, quotaStatv(), 0)},
		qXQuotaOn:      {quotaFlags(setXFSQuota)},
		qXQuotaOff:     {quotaFlags(setXFSQuota)},
		qXQuotaRm:      {quotaFlags(setXFSDqblk)},
	}
})

var (
	quotaOther                = lazily(func() []Arg { return []Arg{quotaID(), ptr("addr").at(3)} })
	quotaLists, quotaListsFD  = lazily(func() map[uint32][]Arg { return quotaWith(quotaOp(), path("special")) }), lazily(func() map[uint32][]Arg { return quotaWith(fd, quotaOp()) })
	quotaOthers, quotaOtherFD = lazily(func() []Arg { return append([]Arg{quotaOp(), path("special")}, quotaOther()...) }), lazily(func() []Arg { return append([]Arg{fd, quotaOp()}, quotaOther()...) })
)

func quotaWith(head ...Arg) map[uint32][]Arg {
	lists := map[uint32][]Arg{}
	for op, tail := range quotaTails() {
		lists[op] = append(head[:len(head):len(head)], tail...)
	}
	return lists
}

func quotactlArgs(r *[6]uint64) []Arg {
	if a, ok := quotaLists()[uint32(r[0])>>8]; ok {
		return a
	}
	return quotaOthers()
}

func quotactlFDArgs(r *[6]uint64) []Arg {
	if a, ok := quotaListsFD()[uint32(r[1])>>8]; ok {
		return a
	}
	return quotaOtherFD()
}

// Constants of quotactl(2) (linux/quota.h, linux/dqblk_xfs.h).
var (
	setQuotaCmds = &Set{"Q_???", []Name{
		{0x100, "Q_V1_QUOTAON"}, {0x200, "Q_V1_QUOTAOFF"}, {0x300, "Q_V1_GETQUOTA"}, {0x400, "Q_V1_SETQUOTA"},
		{0x500, "Q_V1_SETUSE"}, {0x600, "Q_V1_SYNC"}, {0x700, "Q_SETQLIM"}, {0x800, "Q_V1_GETSTATS"},
		{0x1000, "Q_V1_RSQUASH"}, {0xd00, "Q_V2_GETQUOTA"}, {0xe00, "Q_V2_SETQUOTA"}, {0xf00, "Q_V2_SETUSE"},
		{0x900, "Q_V2_GETINFO"}, {0xa00, "Q_V2_SETINFO"}, {0xb00, "Q_V2_SETGRACE"}, {0xc00, "Q_V2_SETFLAGS"},
		{0x1100, "Q_V2_GETSTATS"}, {0x800001, "Q_SYNC"}, {0x800002, "Q_QUOTAON"}, {0x800003, "Q_QUOTAOFF"},
		{0x800004, "Q_GETFMT"}, {0x800005, "Q_GETINFO"}, {0x800006, "Q_SETINFO"}, {0x800007, "Q_GETQUOTA"},
		{0x800008, "Q_SETQUOTA"}, {0x800009, "Q_GETNEXTQUOTA"}, {0x5801, "Q_XQUOTAON"}, {0x5802, "Q_XQUOTAOFF"},
		{0x5803, "Q_XGETQUOTA"}, {0x5804, "Q_XSETQLIM"}, {0x5805, "Q_XGETQSTAT"}, {0x5806, "Q_XQUOTARM"},
		{0x5807, "Q_XQUOTASYNC"}, {0x5808, "Q_XGETQSTATV"}, {0x5809, "Q_XGETNEXTQUOTA"},
	}}
	setQuotaTypes = &Set{"???QUOTA", []Name{
		{0, "USRQUOTA"}, {1, "GRPQUOTA"}, {2, "PRJQUOTA"},
	}}
	setQuotaFormats = &Set{"QFMT_???", []Name{
		{1, "QFMT_VFS_OLD"}, {2, "QFMT_VFS_V0"}, {3, "QFMT_OCFS2"}, {4, "QFMT_VFS_V1"}, {5, "QFMT_SHMEM"},
	}}
	setXFSQuota = &Set{"FS_QUOTA_???", []Name{
		{1, "FS_QUOTA_UDQ_ACCT"}, {2, "FS_QUOTA_UDQ_ENFD"}, {4, "FS_QUOTA_GDQ_ACCT"}, {8, "FS_QUOTA_GDQ_ENFD"},
		{0x10, "FS_QUOTA_PDQ_ACCT"}, {0x20, "FS_QUOTA_PDQ_ENFD"},
	}}
	setXFSDqblk = &Set{"FS_???_QUOTA", []Name{
		{1, "FS_USER_QUOTA"}, {2, "FS_PROJ_QUOTA"}, {4, "FS_GROUP_QUOTA"},
	}}
	setDqblkValid = &Set{"QIF_???", []Name{
		{1, "QIF_BLIMITS"}, {2, "QIF_SPACE"}, {4, "QIF_ILIMITS"}, {8, "QIF_INODES"}, {0x10, "QIF_BTIME"},
		{0x20, "QIF_ITIME"},
	}}
	setDqinfo = &Set{"DQF_???", []Name{
		{1, "DQF_ROOT_SQUASH"}, {0x10000, "DQF_SYS_FILE"},
	}}
	setDqinfoValid = &Set{"IIF_???", []Name{
		{1, "IIF_BGRACE"}, {2, "IIF_IGRACE"}, {4, "IIF_FLAGS"},
	}}
)
