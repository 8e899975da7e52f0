package sysabi

import "culprit/internal/event"

// bpf(2): the attr of each command. Kernels know more or less of it than the
// program; what they fill in is printed at the exit.

// bpfCmd is a command: its attr, of which least bytes are always printed. The
// fields from number split on are the kernel's; wrap is the name of the
// structure in the attr. exit prints more of what the kernel made of it, late
// says that all of it is printed then.
type bpfCmd struct {
	r     *cstruct
	least int
	split int
	wrap  string
	exit  func(p *printer, was, now []byte)
	late  bool
	fd    bool // the result is a descriptor
	union bool // what follows the fields depends on the type of attachment
	group int  // fields at the end of least came together, up to here
}

func (c *bpfCmd) size() int {
	last := &c.r.fields[len(c.r.fields)-1]
	return last.at + last.bytes(8)
}

// leaves reports that some of an attr of n bytes is printed at the exit.
func (c *bpfCmd) leaves(n int) bool {
	return c.exit != nil || c.late || c.split > 0 && (n > c.r.fields[c.split].at || c.least > c.r.fields[c.split].at)
}

// bpfBy returns the command and the size of its attr, nil when it has none.
func bpfBy(v *Value) (c *bpfCmd, size int) {
	cmd, n := uint32(v.s.Args[0]), uint32(v.s.Args[2])
	if cmd >= uint32(len(bpfCmds())) || n == 0 || n > pageSize {
		return nil, 0
	}
	return &bpfCmds()[cmd], int(n)
}

var bpfAttr = lazily(func() Arg { return shown("attr", in, 1, showBpf).sized(2).twice(moreBpf) })

func showBpf(p *printer, v *Value) {
	c, n := bpfBy(v)
	if c == nil {
		p.ptr(v.Uint)
		return
	}
	b := p.fetch(v.Uint, n)
	switch {
	case b == nil:
		p.ptr(v.Uint)
	case !c.late:
		p.bpfBegin(c)
		p.bpfFields(c, b, 0, c.split)
		if !c.leaves(n) {
			p.bpfEnd(c, b)
		}
	}
}

func moreBpf(p *printer, v *Value) {
	c, n := bpfBy(v)
	if c == nil || !c.leaves(n) {
		return
	}
	was := p.fetchAt(v.Uint, n, event.Enter)
	if was == nil {
		return
	}
	now := p.fetchAt(v.Uint, n, event.Leave)
	if now == nil {
		now = was
	}
	if c.exit == nil { // strings are there whether or not the call failed
		failed := p.failed
		p.failed = false
		defer func() { p.failed = failed }()
	}
	switch {
	case c.late:
		p.bpfBegin(c)
		p.bpfFields(c, now, 0, 0)
	case c.exit != nil:
		c.exit(p, zeroExtended(was, c.size()), zeroExtended(now, c.size()))
	default:
		p.bpfFields(c, now, c.split, 0)
	}
	p.bpfEnd(c, now)
}

func (p *printer) bpfBegin(c *bpfCmd) {
	p.str("{")
	if c.wrap != "" {
		p.str(c.wrap + "={")
	}
}

func (p *printer) bpfFields(c *bpfCmd, b []byte, from, to int) {
	if to == 0 {
		to = len(c.r.fields)
	}
	r := *c.r
	r.fields = r.fields[from:to]
	least := c.least
	if len(b) > least {
		least = max(least, c.group)
	}
	p.members(&r, zeroExtended(b[:min(len(b), c.size())], least))
	if c.union && len(b) > c.least {
		name, u := bpfLink(b)
		p.bpfUnion(name, u, b[c.least:])
	}
}

// bpfUnion prints a structure, without braces when it has no name.
func (p *printer) bpfUnion(name string, r *cstruct, b []byte) {
	if r == nil {
		return
	}
	least := r.size
	if r == bpfLinkUprobe() && len(b) <= r.size-4 { // its last field came later
		least -= 4
	}
	b = zeroExtended(b[:min(len(b), r.size)], least)
	if name == "" {
		p.members(r, b)
		return
	}
	p.field(name)
	p.record(r, b)
}

// bpfEnd prints what follows the fields that are known.
func (p *printer) bpfEnd(c *bpfCmd, b []byte) {
	if c.wrap != "" {
		p.str("}")
	}
	n := c.size()
	if c.union && len(b) > c.least {
		if _, u := bpfLink(b); u != nil {
			last := &u.fields[len(u.fields)-1]
			n += last.at + last.bytes(8)
		}
	}
	if len(b) > n && !zero(b[n:]) {
		if p.abbreviated() {
			p.str(", ...")
		} else {
			p.str(", extra_data=")
			p.hexBytes(b[n:], len(b)-n)
			p.str(" /* bytes ")
			p.int(int64(n))
			p.str("..")
			p.int(int64(len(b) - 1))
			p.str(" */")
		}
	}
	p.str("}")
}

// bpfResult tells commands that make a descriptor.
func bpfResult(r *[6]uint64) retKind {
	if cmd := uint32(r[0]); cmd < uint32(len(bpfCmds())) && bpfCmds()[cmd].fd {
		return retFD
	}
	return retInt
}

// Fields that lead to memory.
func bpfString(name string) field {
	return part(name, 8, func(p *printer, b, _ []byte) { p.strAt(le(b)) })
}

func bpfPath(name string) field {
	return part(name, 8, func(p *printer, b, _ []byte) { p.pathAt(le(b)) })
}

func bpfText(name string, lenAt int) field {
	return part(name, 8, func(p *printer, b, all []byte) { p.cstrAt(le(b), int(le32(all, lenAt))) })
}

func bpfBytes(name string, lenAt int) field {
	return part(name, 8, func(p *printer, b, all []byte) { p.bytesAt(le(b), le32(all, lenAt)) })
}

func bpfHex(name string, lenAt int) field {
	return part(name, 8, func(p *printer, b, all []byte) { p.hexAt(le(b), le32(all, lenAt)) })
}

func bpfArray(name string, countAt, size int, each func(p *printer, b []byte)) field {
	return part(name, 8, func(p *printer, b, all []byte) {
		p.array(le(b), le32(all, countAt), size, func(e []byte) { each(p, e) })
	})
}

func bpfHexes(name string, countAt int) field {
	return bpfArray(name, countAt, 8, func(p *printer, b []byte) { p.hex(le(b)) })
}

func bpfInsns(name string, countAt int) field {
	return part(name, 8, func(p *printer, b, all []byte) {
		if p.abbreviated() {
			p.ptr(le(b))
			return
		}
		p.arrayUpTo(le(b), le32(all, countAt), 8, maxInsns, func(i []byte) { p.record(bpfInsn(), i) })
	})
}

var bpfInsn = lazily(func() *cstruct {
	return newRecord(
		part("code", 1, func(p *printer, b, _ []byte) { p.filterCode(le(b), true) }),
		part("dst_reg", 1, func(p *printer, b, all []byte) {
			p.enum(setBpfRegs, le(b)&15)
			p.field("src_reg")
			p.enum(setBpfRegs, le(b)>>4)
		}),
		s16("off"), x32("imm"),
	)
})

// bpfElem is the flags of a map operation, among them a value for none.
func bpfElem(name string, s *Set) field {
	return part(name, 8, func(p *printer, b, _ []byte) {
		if v := le(b); v != 0 {
			p.flags(s, v)
		} else {
			p.enum(s, 0)
		}
	})
}

// bpfTarget is an interface's number for some types of attachment, whose offset
// is typeAt, and a descriptor for the others.
func bpfTarget(typeAt int) field {
	device := func(all []byte) bool {
		switch le32(all, typeAt) {
		case 37, 46, 47, 54, 55: // BPF_XDP, BPF_TCX_INGRESS, BPF_TCX_EGRESS, BPF_NETKIT_PRIMARY, BPF_NETKIT_PEER
			return true
		}
		return false
	}
	return part("target_fd", 4, func(p *printer, b, all []byte) {
		if device(all) {
			p.field("target_ifindex")
			p.ifindex(uint32(le(b)))
		} else {
			p.field("target_fd")
			showFD(p, b, all)
		}
	}).named()
}

// named says that the field prints its name.
func (f field) named() field { f.own = true; return f }

// bpfRelative is an id when the flags at flagsAt say so, else a descriptor.
func bpfRelative(flagsAt int) field {
	const byID = 0x20 // BPF_F_ID
	return part("relative_fd", 4, func(p *printer, b, all []byte) {
		if le32(all, flagsAt)&byID != 0 {
			p.field("relative_id")
			p.uint(le(b))
		} else {
			p.field("relative_fd")
			showFD(p, b, all)
		}
	}).named()
}

// bpfName is a name of 16 bytes, of which the attr may have fewer.
func bpfName(name string, at int) field {
	f := chars(name, 16)
	f.show = func(p *printer, b, all []byte) { p.charArray(b[:min(len(b), len(all)-at)]) }
	return f
}

// bpfCount tells of a number at offset at that the kernel changed.
func bpfCount(at int) func(p *printer, was, now []byte) {
	return func(p *printer, was, now []byte) {
		if le32(was, at) != le32(now, at) {
			p.str("}} => {batch={count=")
			p.uint(le32(now, at))
		}
	}
}
