package sysabi

// Structures of asynchronous I/O (linux/aio_abi.h) and of the newer futex calls
// (linux/futex.h).

// futex2Flags is a size and flags above it.
var futex2Flags = lazily(func() Arg { return number("flags", func(p *printer, v uint64) { p.futex2Flags(uint64(uint32(v))) }) })

func (p *printer) futex2Flags(v uint64) {
	p.styled(v, func() {
		p.enum(setFutex2Sizes, v&3)
		p.b = setFutex2.appendMore(p.b, v&^3)
	})
}

const maxWaiters = 128 // FUTEX_WAITV_MAX

var futexWaiter = lazily(func() *cstruct {
	return newRecord(x64("val"), a64("uaddr"), part("flags", 4, func(p *printer, b, _ []byte) { p.futex2Flags(le(b)) }),
		x32("__reserved").nonzero())
})

func futexWaiters(n func(v *Value) uint64) Arg {
	return shown("waiters", in, futexWaiter().size, func(p *printer, v *Value) {
		p.arrayUpTo(v.Uint, n(v), futexWaiter().size, maxWaiters, func(b []byte) { p.record(futexWaiter(), b) })
	})
}

// An iocb: the head is printed of each, what follows depends on the operation.
const (
	iocbRead, iocbWrite, iocbPoll, iocbReadv, iocbWritev = 0, 1, 5, 7, 8
	iocbResfd, iocbIoprio                                = 1, 2
)

var iocbHead = lazily(func() *cstruct {
	return newRecord(
		x64("aio_data"), u32("aio_key").nonzero(), f32("aio_rw_flags", setRWF).nonzero(),
		part("aio_lio_opcode", 2, func(p *printer, b, _ []byte) {
			v := le(b)
			switch n := setIOCB.Name(v); {
			case p.opt.Style == StyleRaw:
				p.uint(v)
			case n == "":
				p.uint(v)
				p.str(" /* " + setIOCB.Unknown + " */")
			case p.opt.Style == StyleVerbose:
				p.uint(v)
				p.str(" /* " + n + " */")
			default:
				p.str(n)
			}
		}),
		part("aio_reqprio", 2, func(p *printer, b, all []byte) {
			if le32(all, 56)&iocbIoprio != 0 {
				p.ioprioBy(le(b), func() { p.hex(le(b)) })
			} else {
				p.int(les(b))
			}
		}).only(func(_ *printer, b, all []byte) bool { return le32(all, 56)&iocbIoprio != 0 || !zero(b) }),
		fd32("aio_fildes"),
		pad(40),
	)
})

// iocb prints the control block in b, which has 64 bytes.
func (p *printer) iocb(b []byte) {
	p.str("{")
	p.members(iocbHead(), b)
	op, buf, n := le16(b, 16), le64(b, 24), le64(b, 32)
	valid := n < 1<<63
	if p.c.ptr == 4 {
		valid = buf < 1<<32 && n < 1<<31
	}
	offset := func() {
		p.field("aio_offset")
		p.int(int64(le64(b, 40)))
	}
	length := func() {
		p.field("aio_nbytes")
		p.uint(n)
	}
	switch op {
	case iocbRead, iocbWrite:
		p.field("aio_buf")
		if op == iocbWrite && valid {
			p.bytesAt(buf, n)
		} else {
			p.hex(buf)
		}
		length()
		offset()
	case iocbReadv, iocbWritev:
		p.field("aio_buf")
		if valid {
			p.iovs(buf, n, 1<<40, op == iocbReadv)
		} else {
			p.hex(buf)
			length()
		}
		offset()
	case iocbPoll:
		p.field("aio_buf")
		p.flags(setPollEvents, buf)
	default:
		p.str("}")
		return
	}
	flags, resfd := le32(b, 56), le32(b, 60)
	if flags != 0 {
		p.field("aio_flags")
		p.flags(setIOCBFlags, flags)
	}
	switch {
	case flags&iocbResfd != 0:
		p.field("aio_resfd")
		p.fd(int64(int32(resfd)))
	case resfd != 0:
		p.field("aio_resfd")
		p.hex(resfd)
	}
	p.str("}")
}

// iocbs is an array of pointers to control blocks.
var iocbs = shown("iocbpp", in, 8, func(p *printer, v *Value) {
	n := int64(p.size(v, 1))
	if p.c.ptr == 4 {
		n = int64(int32(n))
	}
	if n < 0 {
		p.ptr(v.Uint)
		return
	}
	p.array(v.Uint, uint64(n), p.word(), func(b []byte) {
		if c := p.fetch(le(b), 64); c != nil {
			p.iocb(c)
		} else {
			p.ptr(le(b))
		}
	})
})

// Constants of asynchronous I/O.
var (
	setIOCB = &Set{"IOCB_CMD_???", []Name{
		{0, "IOCB_CMD_PREAD"}, {1, "IOCB_CMD_PWRITE"}, {2, "IOCB_CMD_FSYNC"}, {3, "IOCB_CMD_FDSYNC"},
		{4, "IOCB_CMD_PREADX"}, {5, "IOCB_CMD_POLL"}, {6, "IOCB_CMD_NOOP"}, {7, "IOCB_CMD_PREADV"},
		{8, "IOCB_CMD_PWRITEV"},
	}}
	setIOCBFlags = &Set{"IOCB_FLAG_???", []Name{{1, "IOCB_FLAG_RESFD"}, {2, "IOCB_FLAG_IOPRIO"}}}
)
