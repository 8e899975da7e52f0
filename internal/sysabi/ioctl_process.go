package sysabi

import "culprit/internal/event"

// Namespaces, pidfds, seccomp's notifications (ioctl_nsfs(2), linux/pidfd.h,
// seccomp_unotify(2)).

var mntNsInfo = lazily(func() *cstruct { return structure(u32("size"), u32("nr_mounts"), x64("mnt_ns_id")) })

// pidfdInfo grew with time: the request's number says how much of it the
// program knows, the mask what was asked for and what there is.
var pidfdInfo = lazily(func() *cstruct {
	return structure(
		f64("mask", setPidfdInfoMask),
		u64("cgroupid").only(told(4, "cgroupid")),
		pid("pid", TID).only(told(1, "ppid")), pid("tgid", TGID).only(told(1, "ppid")), pid("ppid", TGID).only(told(1, "ppid")),
		id32("ruid").only(told(2, "fsgid")), id32("rgid").only(told(2, "fsgid")), id32("euid").only(told(2, "fsgid")),
		id32("egid").only(told(2, "fsgid")), id32("suid").only(told(2, "fsgid")), id32("sgid").only(told(2, "fsgid")),
		id32("fsuid").only(told(2, "fsgid")), id32("fsgid").only(told(2, "fsgid")),
		part("exit_code", 4, func(p *printer, b, _ []byte) { layoutWait.print(p, b) }).only(told(8, "exit_code")),
		f32("coredump_mask", setPidfdCoredumpMask).only(told(0x10, "coredump_mask")),
		part("coredump_signal", 4, func(p *printer, b, _ []byte) { p.signal(les(b)) }).only(told(0x40, "coredump_signal")),
		u32("coredump_code").only(told(0x80, "coredump_code")), pad(4),
		f64("supported_mask", setPidfdInfoMask).only(told(0x20, "supported_mask")))
})

// told holds when the mask has a bit and the structure is long enough for the
// last member that belongs to it.
func told(bit uint64, last string) condition {
	return func(p *printer, _, _ []byte) bool {
		f := p.in.r.member(last)
		return p.get("mask")&bit != 0 && len(p.in.b) >= f.at+f.bytes(8)
	}
}

var seccompCall = lazily(func() *cstruct {
	return structure(
		field{name: "nr", size: 4}.shows((*printer).syscallNumber), e32("arch", setAuditArch), a64("instruction_pointer"), x64("args").several(6))
})

var seccompNotice = lazily(func() *cstruct {
	return structure(x64("id"), pid("pid", TGID), x32("flags"), sub("data", seccompCall()))
})

var seccompResp = lazily(func() *cstruct {
	return structure(
		x64("id"), s64("val"), part("error", 4, func(p *printer, b, _ []byte) { p.errno(les(b), true) }), f32("flags", setSeccompRespFlags))
})

var seccompAddfd = lazily(func() *cstruct {
	return structure(
		x64("id"), f32("flags", setSeccompAddfdFlags), fd32("srcfd"), s32("newfd"),
		field{name: "newfd_flags", size: 4}.shows(func(p *printer) {
			v := p.get("newfd_flags")
			p.styled(v, func() { p.b = setOpenFlags.appendFlags(p.b, v) })
		}))
})

var ioctlsProcess = lazily(func() []request {
	return []request{
		{names: "NS_GET_USERNS NS_GET_PARENT", args: ioctlNone(), ret: retFD},
		{names: "NS_GET_NSTYPE", args: ioctlNone(), remark: func(p *printer) { p.str(setSetns.Name(uint64(p.s.Ret))) }},
		{names: "NS_GET_OWNER_UID", args: as("uid", fills(values(id32("uid"))))},
		{names: "NS_GET_MNTNS_ID", args: fills(refX64())},
		{names: "NS_GET_PID_FROM_PIDNS", args: ioctlWith(pidArg("argp", noPID)), ret: retTID},
		{names: "NS_GET_TGID_FROM_PIDNS", args: ioctlWith(pidArg("argp", noPID)), ret: retTGID},
		{names: "NS_GET_PID_IN_PIDNS", args: ioctlWith(pidArg("argp", TID))},
		{names: "NS_GET_TGID_IN_PIDNS", args: ioctlWith(pidArg("argp", TGID))},

		{names: "PIDFD_GET_CGROUP_NAMESPACE PIDFD_GET_IPC_NAMESPACE PIDFD_GET_MNT_NAMESPACE PIDFD_GET_NET_NAMESPACE " +
			"PIDFD_GET_PID_NAMESPACE PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE PIDFD_GET_TIME_NAMESPACE " +
			"PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE PIDFD_GET_USER_NAMESPACE PIDFD_GET_UTS_NAMESPACE", args: ioctlHex(), ret: retFD},

		{names: "SECCOMP_IOCTL_NOTIF_RECV", args: notification()},
		{names: "SECCOMP_IOCTL_NOTIF_SEND", args: gives(seccompResp())},
		{names: "SECCOMP_IOCTL_NOTIF_ID_VALID 0x80082102", args: gives(refX64())},
		{names: "SECCOMP_IOCTL_NOTIF_ADDFD", args: gives(seccompAddfd())},
		{names: "SECCOMP_IOCTL_NOTIF_SET_FLAGS", args: ioctlWith(flags("argp", setSeccompNotifFlags).wide())},
	}
})

// notification is SECCOMP_IOCTL_NOTIF_RECV's: what the program gives should be
// zeros, and is printed when it is not.
func notification() []Arg {
	given := func(p *printer, v *Value) []byte { return p.fetchAt(v.Uint, seccompNotice().size, event.Enter) }
	return ioctlWith(shown("argp", in, seccompNotice().size, func(p *printer, v *Value) {
		switch b := given(p, v); {
		case b == nil:
			p.ptr(v.Uint)
		case !zero(b):
			p.record(seccompNotice(), b)
			p.str(" => ")
		}
	}).twice(func(p *printer, v *Value) {
		if given(p, v) != nil {
			p.recordAt(seccompNotice(), v.Uint)
		}
	}))
}

// nsfsPattern and pidfdPattern know requests of any size that is large enough.
func nsfsPattern(code uint32) *request {
	nr, size := iocNr(code), iocSize(code)
	if iocType(code) != 0xb7 || nr < 10 || nr > 12 || size < 16 {
		return nil
	}
	q := &request{args: fills(mntNsInfo())}
	if nr > 10 {
		q.ret = retFD
	}
	return q
}

func pidfdPattern(code uint32) *request {
	size := int(iocSize(code))
	switch {
	case iocType(code) != 0xff || iocNr(code) != 11:
		return nil
	case size < 64:
		return &request{args: ioctlPtr()}
	}
	known := *pidfdInfo()
	known.size = min(size, pidfdInfo().size)
	known.size32 = known.size
	return &request{args: ioctlWith(shown("argp", in, 8, func(p *printer, v *Value) {
		if b := p.fetch(v.Uint, 8); b != nil {
			p.str("{")
			p.membersAt(pidfdInfo().pick("mask"), b, v.Uint)
		} else {
			p.ptr(v.Uint)
		}
	}).twice(func(p *printer, v *Value) {
		was := p.fetchAt(v.Uint, 8, event.Enter)
		if was == nil {
			return
		}
		if b := p.fetch(v.Uint, known.size); b != nil {
			if le64(b, 0) != le64(was, 0) {
				p.str(" => ")
				p.flags(setPidfdInfoMask, le64(b, 0))
			}
			c := known
			c.fields = known.all[1:]
			p.moreAt(&c, b, v.Uint)
		}
		p.str("}")
	}))}
}

// syscallNumber names a call of the architecture that the member arch says.
func (p *printer) syscallNumber() {
	nr := p.get("nr")
	names, same := []string(nil), false
	switch p.get("arch") {
	case 0xc000003e:
		names, same = numbersX8664[:], p.c.Arch == event.ArchX8664
	case 0x40000003:
		names, same = numbersI386[:], p.c.Arch == event.ArchI386
	case 0xc00000b7:
		names, same = numbersAArch64[:], p.c.Arch == event.ArchAArch64
	}
	name := ""
	if nr < uint64(len(names)) {
		name = names[nr]
	}
	if p.opt.Style != StyleAbbrev || !same || name == "" {
		p.uint(nr)
	}
	if p.opt.Style == StyleRaw || name == "" {
		return
	}
	if same {
		name = "__NR_" + name
	}
	if !same || p.opt.Style == StyleVerbose {
		p.str(" /* " + name + " */")
	} else {
		p.str(name)
	}
}
