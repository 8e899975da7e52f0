package sysabi

import "culprit/internal/event"

// The device mapper: linux/dm-ioctl.h. A request has a header and, where it
// says, data after it whose form depends on the request.

const dmHeader = 305 // offset of the data in struct dm_ioctl

var dmIoctl = lazily(func() *cstruct {
	return structure(
		u32("version").list(3), u32("data_size"), u32("data_start"), u32("target_count"), u32("open_count"), f32("flags", setDMFlags),
		u32("event_nr"), pad(4), dev64("dev").nonzero(), chars("name", 128).only(begun), chars("uuid", 129).only(begun), pad(7))
})

// begun holds for a text that is not empty.
func begun(_ *printer, b, _ []byte) bool { return b[0] != 0 }

// dmKind is what a request's header and data have.
type dmKind struct {
	bare    bool // the header names no device
	data    bool // it says where data is
	given   string
	suspend bool // given only when DM_SUSPEND_FLAG is not set
	filled  bool // counts are filled
	gives   func(p *printer, d dmData)
	fills   func(p *printer, d dmData)
}

// dmData is where the data of a request lies.
type dmData struct {
	addr, start, size uint64
	count             uint64
	flags             uint64
	minor             uint64
}

func dm(k dmKind) []Arg {
	return ioctlWith(shown("argp", in, dmIoctl().size, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, dmHeader)
		if b == nil || le32(b, 12) < 12 {
			return
		}
		p.dm(k, b, v.Uint, true)
	}).twice(func(p *printer, v *Value) {
		was := p.fetchAt(v.Uint, dmHeader, event.Enter)
		now := p.fetchAt(v.Uint, dmHeader, event.Leave)
		if was == nil || le32(was, 12) < 12 {
			p.hex(v.Uint)
			return
		}
		if now == nil || le32(now, 12) < 12 {
			return
		}
		same := string(was[:20]) == string(now[:20]) && le32(was, 28) == le32(now, 28)
		if p.failed && same {
			return
		}
		p.str(" => ")
		p.dm(k, now, v.Uint, false)
	}))
}

func (p *printer) dm(k dmKind, b []byte, addr uint64, entering bool) {
	p.str("[{version=[")
	for i := range 3 {
		p.sep(i)
		p.uint(le32(b, 4*i))
	}
	p.str("]")
	const major = 4
	if le32(b, 0) != major {
		p.str(" /* unsupported device mapper ABI version */}]")
		return
	}
	p.str(", data_size=")
	d := dmData{addr: addr, start: le32(b, 16), size: le32(b, 12), count: le32(b, 20), flags: le32(b, 28), minor: le32(b, 4)}
	p.uint(d.size)
	if d.size < dmHeader {
		p.str(" /* data_size too small */}]")
		return
	}
	names := ""
	if k.data {
		names += "data_start "
	}
	if !k.bare {
		names += "dev name uuid "
	}
	const suspended = 2
	switch {
	case entering && !(k.suspend && d.flags&suspended != 0):
		names += k.given + " "
	case !entering && k.filled && !p.failed:
		names += "target_count open_count event_nr "
	}
	p.moreAt(dmIoctl().pick(names+"flags"), b, addr)
	p.str("}")
	switch {
	case entering && k.gives != nil:
		k.gives(p, d)
	case !entering && k.fills != nil && !p.failed:
		k.fills(p, d)
	}
	p.str("]")
}

func (p *printer) misplaced(what string) { p.str("??? /* misplaced " + what + " */") }

// dmEach walks a list whose members say how far the next one is. step prints a
// member and returns that.
func (p *printer) dmEach(d dmData, what string, head uint64, most uint64, relative bool, step func(off, end uint64, b []byte) uint64) {
	off, end := d.start, uint64(0)
	for i := uint64(0); i < most; i++ {
		p.str(", ")
		if i > 0 && off <= end {
			p.misplaced(what)
			return
		}
		end = off + head
		if end > d.size || end > 1<<32-1 {
			p.misplaced(what)
			return
		}
		if i >= uint64(p.opt.strLen()) && p.abbreviated() {
			p.str("...")
			return
		}
		b := p.fetch(d.addr+off, int(head))
		if b == nil {
			p.ptr(d.addr + off)
			return
		}
		next := step(off, end, b)
		switch {
		case next == 0 && most == 1<<40:
			return
		case relative:
			off = uint64(uint32(off + next))
		default:
			off = uint64(uint32(d.start + next))
		}
	}
}

func (p *printer) dmMore(any bool) bool {
	if !p.abbreviated() {
		return false
	}
	if any {
		p.str(", ...")
	}
	return true
}

// dmTargets are struct dm_target_spec, each with a text.
func dmTargets(p *printer, d dmData) {
	if p.dmMore(d.count > 0) {
		return
	}
	entering := p.at == event.Enter
	p.dmEach(d, "struct dm_target_spec", 40, d.count, entering, func(_, end uint64, b []byte) uint64 {
		p.str("{sector_start=")
		p.uint(le64(b, 0))
		p.str(", length=")
		p.uint(le64(b, 8))
		if !entering {
			p.str(", status=")
			p.int(i32(b, 16))
		}
		p.str(", target_type=")
		p.charArray(b[24:40])
		p.str(", string=")
		p.cstrAt(d.addr+end, int(d.size-end))
		p.str("}")
		return le32(b, 20)
	})
}

func dmDeps(p *printer, d dmData) {
	if d.start == d.size || p.dmMore(true) {
		return
	}
	p.str(", ")
	end := d.start + 8
	if end > d.size {
		p.misplaced("struct dm_target_deps")
		return
	}
	b := p.fetch(d.addr+d.start, 8)
	if b == nil {
		p.ptr(d.addr + d.start)
		return
	}
	n := le32(b, 0)
	if n > (d.size-end)/8 {
		p.misplaced("struct dm_target_deps")
		return
	}
	p.str("{count=")
	p.uint(n)
	p.str(", deps=")
	p.array(d.addr+end, n, 8, func(b []byte) { p.dev(le64(b, 0)) })
	p.str("}")
}

// dmNames are struct dm_name_list. Behind the name there may be an event number,
// which the structure doesn't tell.
func dmNames(p *printer, d dmData) {
	if d.start == d.size || p.dmMore(true) {
		return
	}
	p.dmEach(d, "struct dm_name_list", 12, 1<<40, true, func(off, end uint64, b []byte) uint64 {
		p.str("{dev=")
		p.dev(le64(b, 0))
		p.str(", name=")
		next := le32(b, 8)
		limit := p.opt.strLen()
		q, ended, whole := p.textAt(d.addr+end, min(limit+1, int(d.size-end)))
		switch {
		case !whole:
			p.ptr(d.addr + end)
		case ended:
			p.quote(q, len(q), limit)
			at := (d.addr + end + uint64(len(q)) + 1 + 7) &^ 7
			if d.minor >= 37 && at+4 <= d.addr+off+next {
				if e := p.fetch(at, 4); e != nil {
					p.str(", event_nr=")
					p.uint(le(e))
				}
			}
		default:
			p.quote(q[:min(len(q), limit)], len(q)+1, limit)
		}
		p.str("}")
		return next
	})
}

func dmVersions(p *printer, d dmData) {
	if d.start == d.size || p.dmMore(true) {
		return
	}
	p.dmEach(d, "struct dm_target_versions", 16, 1<<40, true, func(_, end uint64, b []byte) uint64 {
		p.str("{name=")
		p.cstrAt(d.addr+end, int(d.size-end))
		p.str(", version=[")
		for i := range 3 {
			p.sep(i)
			p.uint(le32(b, 4+4*i))
		}
		p.str("]}")
		return le32(b, 0)
	})
}

func dmMessage(p *printer, d dmData) {
	if d.start == d.size || p.dmMore(true) {
		return
	}
	p.str(", ")
	end := d.start + 8
	if end > d.size {
		p.misplaced("struct dm_target_msg")
		return
	}
	b := p.fetch(d.addr+d.start, 8)
	if b == nil {
		p.ptr(d.addr + d.start)
		return
	}
	p.str("{sector=")
	p.uint(le64(b, 0))
	p.str(", message=")
	p.cstrAt(d.addr+end, int(d.size-end))
	p.str("}")
}

func dmString(p *printer, d dmData) {
	if p.dmMore(true) {
		return
	}
	p.str(", ")
	if d.start > d.size {
		p.misplaced("string")
		return
	}
	p.str("{string=")
	p.cstrAt(d.addr+d.start, int(d.size-d.start))
	p.str("}")
}

// dmAnswer is the text that a target answers a message with.
func dmAnswer(p *printer, d dmData) {
	const dataOut = 1 << 16
	if d.flags&dataOut != 0 {
		dmString(p, d)
	}
}

var ioctlsDM = lazily(func() []request {
	return []request{
		{names: "DM_VERSION DM_DEV_ARM_POLL", args: dm(dmKind{})},
		{names: "DM_REMOVE_ALL", args: dm(dmKind{bare: true})},
		{names: "DM_LIST_DEVICES", args: dm(dmKind{bare: true, data: true, fills: dmNames})},
		{names: "DM_LIST_VERSIONS", args: dm(dmKind{bare: true, data: true, fills: dmVersions})},
		{names: "DM_DEV_CREATE DM_DEV_STATUS DM_TABLE_CLEAR", args: dm(dmKind{filled: true})},
		{names: "DM_DEV_REMOVE", args: dm(dmKind{given: "event_nr"})},
		{names: "DM_DEV_RENAME", args: dm(dmKind{data: true, given: "event_nr", filled: true, gives: dmString})},
		{names: "DM_DEV_SUSPEND", args: dm(dmKind{given: "event_nr", suspend: true, filled: true})},
		{names: "DM_DEV_WAIT", args: dm(dmKind{data: true, given: "event_nr", filled: true, fills: dmTargets})},
		{names: "DM_TABLE_LOAD", args: dm(dmKind{data: true, given: "target_count", filled: true, gives: dmTargets})},
		{names: "DM_TABLE_DEPS", args: dm(dmKind{data: true, filled: true, fills: dmDeps})},
		{names: "DM_TABLE_STATUS", args: dm(dmKind{data: true, filled: true, fills: dmTargets})},
		{names: "DM_TARGET_MSG", args: dm(dmKind{data: true, filled: true, gives: dmMessage, fills: dmAnswer})},
		{names: "DM_DEV_SET_GEOMETRY", args: dm(dmKind{data: true, gives: dmString})},
	}
})
