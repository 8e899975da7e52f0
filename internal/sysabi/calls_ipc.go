package sysabi

// System V IPC and POSIX message queues.
var callsIPC = lazily(func() []Call {
	return []Call{
		def("shmget", IPC, ipcKey, size("size"), number("shmflg", showShmGet)),
		def("shmat", Memory|IPC, num("shmid"), ptr("shmaddr"), flags("shmflg", setShmFlags)).retHex(),
		def("shmdt", Memory|IPC, ptr("shmaddr")),
		def("shmctl", IPC, num("shmid"), ipcOp(setShmctl), ptr("buf")).varies(shmctlArgs),
		def("semget", IPC, ipcKey, num("nsems"), number("semflg", showIPCGet)),
		def("semop", IPC, num("semid"), arrayIn("sops", layoutSembuf, 2), unum("nsops")),
		def("semtimedop", IPC, num("semid"), arrayIn("sops", layoutSembuf, 2), unum("nsops"), structIn("timeout", layoutTimespec)),
		def("semctl", IPC, num("semid"), num("semnum"), ipcOp(setSemctl), ptr("arg")).varies(semctlArgs),
		def("msgget", IPC, ipcKey, number("msgflg", showIPCGet)),
		def("msgsnd", IPC, num("msqid"), msgbuf(in), size("msgsz"), flags("msgflg", setIPCFlags)),
		def("msgrcv", IPC, num("msqid"), msgbuf(out), size("msgsz"), long("msgtyp"), flags("msgflg", setIPCFlags)),
		def("msgctl", IPC, num("msqid"), ipcOp(setMsgctl), ptr("buf")).varies(msgctlArgs),
		def("mq_open", Desc, path("name"), flags("oflag", setOpenFlags), mode("mode"), structIn("attr", layoutMqAttr)).retFD().varies(mqOpenArgs),
		def("mq_unlink", Other, path("name")),
		def("mq_timedsend", Desc, fdArg("mqdes"), bufIn("msg_ptr", 2), size("msg_len"), unum("msg_prio"), structIn("abs_timeout", layoutTimespec)),
		def("mq_timedreceive", Desc, fdArg("mqdes"), bufOut("msg_ptr", 2), size("msg_len"), structOut("msg_prio", layoutUint), structIn("abs_timeout", layoutTimespec)),
		def("mq_notify", Desc, fdArg("mqdes"), structIn("sevp", layoutSigevent)),
		def("mq_getsetattr", Desc, fdArg("mqdes"), structIn("newattr", layoutMqAttr), structOut("oldattr", layoutMqAttr)),
	}
})

// ipcKey is a key_t, whose 0 has a name.
var ipcKey = enum("key", &Set{Names: []Name{{0, "IPC_PRIVATE"}}})

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
	p.mqFlags(p.long(b, 0))
	for i, n := range [...]string{"mq_maxmsg", "mq_msgsize", "mq_curmsgs"} {
		p.field(n)
		p.int(p.slong(b, 1+i))
	}
	p.str("}")
}, false}

// mqFlags prints what mq_getsetattr(2) changes; mq_open(2) ignores it.
func (p *printer) mqFlags(v uint64) {
	if p.c.Name == "mq_open" {
		p.hex(v)
		return
	}
	p.flags(setMqAttr, v)
}

// struct sigevent: sigval, signal, how, and the thread or the function.
const sigevSignal, sigevThread, sigevThreadID = 0, 2, 4

var layoutSigevent = &layout{32, 20, func(p *printer, b []byte) {
	rest := b[p.word():]
	how := le32(rest, 4)
	p.str("{")
	if v := p.long(b, 0); v != 0 {
		p.str("sigev_value={sival_int=")
		p.int(i32(b, 0))
		p.str(", sival_ptr=")
		p.ptr(v)
		p.str("}")
	}
	p.field("sigev_signo")
	if how == sigevSignal || how == sigevThread || how == sigevThreadID {
		p.signal(i32(rest, 0))
	} else {
		p.uint(le32(rest, 0))
	}
	p.field("sigev_notify")
	p.enum(setSigev, how)
	switch how {
	case sigevThread:
		p.field("sigev_notify_function")
		p.ptr(p.long(rest[8:], 0))
		p.field("sigev_notify_attributes")
		p.ptr(p.long(rest[8:], 1))
	case sigevThreadID:
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
