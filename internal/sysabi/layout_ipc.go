package sysabi

import "culprit/internal/event"

// Structures of System V IPC: msgctl(2), semctl(2), shmctl(2). IPC_SET reads a
// part of what IPC_STAT fills.

// showIPCGet prints permissions under flags.
func showIPCGet(p *printer, v uint64) {
	if f := uint64(uint32(v)) &^ 0o777; f != 0 {
		p.flags(setIPCGet, f)
		p.str("|")
	}
	p.perm(v & 0o777)
}

// showShmGet has the logarithm of the size of huge pages besides.
func showShmGet(p *printer, v uint64) {
	f := uint64(uint32(v)) &^ 0o777
	huge := f >> hugeShift
	f &= 1<<hugeShift - 1
	if f != 0 {
		p.flags(setShmGet, f)
		p.str("|")
	}
	if huge != 0 {
		p.uint(huge)
		p.str("<<")
		p.constant("SHM_HUGE_SHIFT", func() { p.uint(hugeShift) })
		p.str("|")
	}
	p.perm(v & 0o777)
}

var (
	setIPCGet = &Set{"", []Name{{0x200, "IPC_CREAT"}, {0x400, "IPC_EXCL"}, {0x800, "IPC_NOWAIT"}}}
	setShmGet = &Set{"", []Name{{0x200, "IPC_CREAT"}, {0x400, "IPC_EXCL"}, {0x800, "SHM_HUGETLB"}, {0x1000, "SHM_NORESERVE"}}}
)

const ipc64 = 0x100 // IPC_64, which old C libraries add

func ipcOp(s *Set) Arg {
	return number("op", func(p *printer, v uint64) {
		v = uint64(uint32(v))
		if v&ipc64 != 0 {
			p.constant("IPC_64", func() { p.hex(ipc64) })
			p.str("|")
		}
		p.enum(s, v&^ipc64)
	})
}

// Operations that all three have.
const ipcSet, ipcStat, ipcInfo = 1, 2, 3

// msgbuf is a message: its type and its text.
func msgbuf(d dir) Arg {
	return shown("msgp", d, 8, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, p.word())
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{mtype=")
		p.int(les(b))
		p.str(", mtext=")
		p.bytesAt(v.Uint+uint64(p.word()), p.size(v, 2))
		p.str("}")
	})
}

func statsOnly(set bool) func(*printer, []byte, []byte) bool {
	return func(*printer, []byte, []byte) bool { return !set }
}

// ipcPerm is a struct ipc64_perm. Its key comes first in memory.
func ipcPerm(name string, set bool) field {
	show := func(p *printer, _, all []byte) {
		mode := le32(all, 20)
		if p.c.Arch == event.ArchI386 {
			mode = le16(all, 20)
		}
		p.str("{uid=")
		p.id(le32(all, 4))
		p.str(", gid=")
		p.id(le32(all, 8))
		p.str(", mode=")
		p.perm(mode)
		if !set {
			p.str(", key=")
			p.uint(le32(all, 0))
			p.str(", cuid=")
			p.id(le32(all, 12))
			p.str(", cgid=")
			p.id(le32(all, 16))
		}
		p.str("}")
	}
	return field{name: name, size: 48, size32: 36, align: 4, show: show}
}

// Times have a word of more bits behind them where words have 32.
func high() field { return field{size: -1, size32: 4, align: 4} }

func msqidDS(set bool) *cstruct {
	more := statsOnly(set)
	return newRecord(ipcPerm("msg_perm", set),
		ul("msg_stime").only(more), high(), ul("msg_rtime").only(more), high(), ul("msg_ctime").only(more), high(),
		ul(""), ul("msg_qnum").only(more), ul("msg_qbytes"), s32("msg_lspid").only(more), s32("msg_lrpid").only(more), ul(""), ul("")).words()
}

func shmidDS(set bool) *cstruct {
	more := statsOnly(set)
	pid := func(p *printer, b, _ []byte) { p.pid(les(b), TGID) }
	r := newRecord(ipcPerm("shm_perm", set), ul("shm_segsz").only(more),
		ul("shm_atime").only(more), high(), ul("shm_dtime").only(more), high(), ul("shm_ctime").only(more), high(),
		part("shm_cpid", 4, pid).only(more), part("shm_lpid", 4, pid).only(more), ul("shm_nattch").only(more), ul(""), ul("")).words()
	r.order = []int{0, 1, 8, 9, 10, 2, 4, 6}
	return r
}

// semidDS has gaps behind its times on x86, where the others have none.
func semidDS(set bool, gaps bool) *cstruct {
	more := statsOnly(set)
	gap := func() field {
		if gaps {
			return ul("")
		}
		return high()
	}
	return newRecord(ipcPerm("sem_perm", set), ul("sem_otime").only(more), gap(), ul("sem_ctime").only(more), gap(),
		ul("sem_nsems").only(more), ul(""), ul("")).words()
}

var (
	msqidSet, msqidStat = lazily(func() *cstruct { return msqidDS(true) }), lazily(func() *cstruct { return msqidDS(false) })
	shmidSet, shmidStat = lazily(func() *cstruct { return shmidDS(true) }), lazily(func() *cstruct { return shmidDS(false) })
	semidSet, semidStat = lazily(func() *cstruct { return semidDS(true, true) }), lazily(func() *cstruct { return semidDS(false, true) })
	semidArm            = lazily(func() *cstruct { return semidDS(false, false) })

	msgInfo = lazily(func() *cstruct {
		return newRecord(s32("msgpool"), s32("msgmap"), s32("msgmax"), s32("msgmnb"), s32("msgmni"), s32("msgssz"), s32("msgtql"), u16("msgseg"))
	})
	semInfo = lazily(func() *cstruct {
		return newRecord(s32("semmap"), s32("semmni"), s32("semmns"), s32("semmnu"), s32("semmsl"), s32("semopm"), s32("semume"),
			s32("semusz"), s32("semvmx"), s32("semaem"))
	})
	shmIPCInfo = lazily(func() *cstruct {
		return newRecord(ul("shmmax"), ul("shmmin"), ul("shmmni"), ul("shmseg"), ul("shmall"), ul(""), ul(""), ul(""), ul(""))
	})
	shmInfo = lazily(func() *cstruct {
		return newRecord(s32("used_ids"), ul("shm_tot"), ul("shm_rss"), ul("shm_swp"), ul("swap_attempts"), ul("swap_successes"))
	})
)

func msgctl(buf Arg) []Arg { return []Arg{num("msqid"), ipcOp(setMsgctl), buf} }
func shmctl(buf Arg) []Arg { return []Arg{num("shmid"), ipcOp(setShmctl), buf} }
func semctl(arg Arg) []Arg { return []Arg{num("semid"), num("semnum"), ipcOp(setSemctl), arg} }

var (
	msgctlSet, msgctlStat, msgctlInfo = lazily(func() []Arg { return msgctl(given("buf", msqidSet())) }), lazily(func() []Arg { return msgctl(filled("buf", msqidStat())) }), lazily(func() []Arg { return msgctl(filled("buf", msgInfo())) })
	msgctlOther                       = msgctl(ptr("buf"))
	shmctlSet, shmctlStat             = lazily(func() []Arg { return shmctl(given("buf", shmidSet())) }), lazily(func() []Arg { return shmctl(filled("buf", shmidStat())) })
	shmctlInfo, shmctlShmInfo         = lazily(func() []Arg { return shmctl(filled("buf", shmIPCInfo())) }), lazily(func() []Arg { return shmctl(filled("buf", shmInfo())) })
	shmctlOther                       = shmctl(ptr("buf"))
	semctlSet, semctlInfo             = lazily(func() []Arg { return semctl(given("arg", semidSet())) }), lazily(func() []Arg { return semctl(filled("arg", semInfo())) })
	semctlStat                        = lazily(func() []Arg {
		return semctl(shown("arg", out, semidStat().size, func(p *printer, v *Value) {
			if p.c.Arch == event.ArchAArch64 {
				p.recordAt(semidArm(), v.Uint)
			} else {
				p.recordAt(semidStat(), v.Uint)
			}
		}))
	})
	semctlOther = semctl(ptr("arg"))
)

func msgctlArgs(r *[6]uint64) []Arg {
	switch uint32(r[1]) &^ ipc64 {
	case ipcSet:
		return msgctlSet()
	case ipcStat, 11, 13: // MSG_STAT, MSG_STAT_ANY
		return msgctlStat()
	case ipcInfo, 12: // MSG_INFO
		return msgctlInfo()
	}
	return msgctlOther
}

func shmctlArgs(r *[6]uint64) []Arg {
	switch uint32(r[1]) &^ ipc64 {
	case ipcSet:
		return shmctlSet()
	case ipcStat, 13, 15: // SHM_STAT, SHM_STAT_ANY
		return shmctlStat()
	case ipcInfo:
		return shmctlInfo()
	case 14: // SHM_INFO
		return shmctlShmInfo()
	}
	return shmctlOther
}

func semctlArgs(r *[6]uint64) []Arg {
	switch uint32(r[2]) &^ ipc64 {
	case ipcSet:
		return semctlSet()
	case ipcStat, 18, 20: // SEM_STAT, SEM_STAT_ANY
		return semctlStat()
	case ipcInfo, 19: // SEM_INFO
		return semctlInfo()
	}
	return semctlOther
}
