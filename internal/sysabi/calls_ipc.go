package sysabi

// System V IPC and POSIX message queues.
var callsIPC = []Call{
	def("shmget", IPC, ipcKey, size("size"), enumFlags("shmflg", 0o777, nil, setShmGet)),
	def("shmat", IPC|Memory, num("shmid"), ptr("shmaddr"), flags("shmflg", setShmFlags)).retHex(),
	def("shmdt", IPC|Memory, ptr("shmaddr")),
	def("shmctl", IPC, num("shmid"), enum("op", setShmctl), ptr("buf")),
	def("semget", IPC, ipcKey, num("nsems"), enumFlags("semflg", 0o777, nil, setIPCGet)),
	def("semop", IPC, num("semid"), arrayIn("sops", layoutSembuf, 2), unum("nsops")),
	def("semtimedop", IPC, num("semid"), arrayIn("sops", layoutSembuf, 2), unum("nsops"), structIn("timeout", layoutTimespec)),
	def("semctl", IPC, num("semid"), num("semnum"), enum("op", setSemctl), ptr("arg")),
	def("msgget", IPC, ipcKey, enumFlags("msgflg", 0o777, nil, setIPCGet)),
	def("msgsnd", IPC, num("msqid"), ptr("msgp"), size("msgsz"), flags("msgflg", setIPCFlags)),
	def("msgrcv", IPC, num("msqid"), ptr("msgp"), size("msgsz"), long("msgtyp"), flags("msgflg", setIPCFlags)),
	def("msgctl", IPC, num("msqid"), enum("op", setMsgctl), ptr("buf")),
	def("mq_open", Desc, path("name"), flags("oflag", setOpenFlags), mode("mode"), structIn("attr", layoutMqAttr)).retFD().varies(mqOpenArgs),
	def("mq_unlink", Other, str("name")),
	def("mq_timedsend", Desc, fdArg("mqdes"), bufIn("msg_ptr", 2), size("msg_len"), unum("msg_prio"), structIn("abs_timeout", layoutTimespec)),
	def("mq_timedreceive", Desc, fdArg("mqdes"), bufOut("msg_ptr", 2), size("msg_len"), structOut("msg_prio", layoutUint), structIn("abs_timeout", layoutTimespec)),
	def("mq_notify", Desc, fdArg("mqdes"), structIn("sevp", layoutSigevent)),
	def("mq_getsetattr", Desc, fdArg("mqdes"), structIn("newattr", layoutMqAttr), structOut("oldattr", layoutMqAttr)),
}

// ipcKey is a key_t, whose 0 has a name.
var ipcKey = enum("key", &Set{Names: []Name{{0, "IPC_PRIVATE"}}})

// Flags of shmget, semget and msgget besides the permissions.
var (
	setIPCGet = &Set{"IPC_???", []Name{{0x200, "IPC_CREAT"}, {0x400, "IPC_EXCL"}, {0x800, "IPC_NOWAIT"}}}
	setShmGet = &Set{"SHM_???", []Name{{0x200, "IPC_CREAT"}, {0x400, "IPC_EXCL"}, {0x800, "SHM_HUGETLB"}, {0x1000, "SHM_NORESERVE"}}}
)

var layoutSembuf = &layout{6, 6, func(p *printer, b []byte) {
	p.str("{sem_num=")
	p.uint(le16(b, 0))
	p.str(", sem_op=")
	p.int(int64(int16(le16(b, 2))))
	p.str(", sem_flg=")
	p.flags(setSemop, le16(b, 4))
	p.str("}")
}, false}

var layoutMqAttr = &layout{64, 32, func(p *printer, b []byte) {
	p.str("{mq_flags=")
	p.flags(setMqAttr, p.long(b, 0))
	for i, n := range [...]string{"mq_maxmsg", "mq_msgsize", "mq_curmsgs"} {
		p.field(n)
		p.int(p.slong(b, 1+i))
	}
	p.str("}")
}, false}

// struct sigevent: sigval, signal, how, and the thread when how is
// SIGEV_THREAD_ID.
var layoutSigevent = &layout{64, 64, func(p *printer, b []byte) {
	rest := b[p.word():]
	p.str("{")
	if p.long(b, 0) != 0 {
		p.str("sigev_value={sival_int=")
		p.int(i32(b, 0))
		p.str(", sival_ptr=")
		p.ptr(p.long(b, 0))
		p.str("}")
	}
	p.field("sigev_signo")
	if how := le32(rest, 4); how == 0 || how == 2 || how == 4 { // SIGEV_SIGNAL, SIGEV_THREAD_ID
		p.str(SignalName(int(i32(rest, 0))))
	} else {
		p.uint(le32(rest, 0))
	}
	p.field("sigev_notify")
	p.enum(setSigev, le32(rest, 4))
	if le32(rest, 4) == 2 && len(rest) >= 8+2*p.word() {
		p.field("sigev_notify_function")
		p.ptr(long64(rest[8:], 0, uint64(p.word())))
		p.field("sigev_notify_attributes")
		p.ptr(long64(rest[8:], 1, uint64(p.word())))
	}
	if le32(rest, 4) == 4 {
		p.field("sigev_notify_thread_id")
		p.int(i32(rest, 8))
	}
	p.str("}")
}, false}

var argsMqOpen = []Arg{path("name"), flags("oflag", setOpenFlags), mode("mode"), structIn("attr", layoutMqAttr)}

func mqOpenArgs(r *[6]uint64) []Arg {
	if creates(r[1]) {
		return argsMqOpen
	}
	return argsMqOpen[:2]
}
