package sysabi

import (
	"encoding/binary"
	"time"

	"culprit/internal/event"
)

// sigset prints [HUP INT], and ~[...] when more are in than out.
func (p *printer) sigset(b []byte) {
	var v uint64
	for i := range min(len(b), 8) {
		v |= uint64(b[i]) << (8 * i)
	}
	n := 0
	for x := v; x != 0; x &= x - 1 {
		n++
	}
	bits := min(len(b), 8) * 8
	if n*3 >= bits*2 {
		p.str("~")
		v = ^v
		if bits < 64 {
			v &= 1<<bits - 1
		}
	}
	p.str("[")
	first := true
	for s := 1; s <= bits; s++ {
		if v&(1<<(s-1)) == 0 {
			continue
		}
		if !first {
			p.str(" ")
		}
		first = false
		name := SignalName(s)
		if len(name) > 3 && name[:3] == "SIG" {
			name = name[3:]
		}
		p.constant(name, func() { p.int(int64(s)) })
	}
	p.str("]")
}

// fdSet prints [3 5], of the descriptors below n.
func (p *printer) fdSet(b []byte, n int) {
	p.str("[")
	first := true
	for i := 0; i < n && i/8 < len(b); i++ {
		if b[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		if !first {
			p.str(" ")
		}
		first = false
		p.fd(int64(i))
	}
	p.str("]")
}

// iovec prints n iovecs at addr, with left bytes of data in all.
func (p *printer) iovec(addr, n, left uint64, at event.Phase) {
	size := 2 * p.word()
	if addr == 0 {
		p.str("NULL")
		return
	}
	if n == 0 {
		p.str("[]")
		return
	}
	if first, _ := p.m.read(addr, size, at); len(first) < size {
		p.ptr(addr)
		return
	}
	p.str("[")
	for i := range n {
		p.sep(int(min(i, 1)))
		q, _ := p.m.read(addr+i*uint64(size), size, at)
		if p.budget -= len(q); len(q) < size || p.budget < 0 {
			p.str("... /* ")
			p.hex(addr + i*uint64(size))
			p.str(" */")
			break
		}
		if i >= uint64(p.opt.strLen()) && !p.opt.Verbose {
			p.str("...")
			break
		}
		base, length := long64(q, 0, uint64(p.word())), long64(q, 1, uint64(p.word()))
		take := min(length, left)
		left -= take
		p.str("{iov_base=")
		data, ok := p.m.read(base, int(min(take, uint64(p.budget))), event.Leave)
		p.budget -= len(data)
		switch {
		case p.remote:
			p.ptr(base)
		case p.nlBuffers:
			p.netlink(p.nlProtocol, span{base, int(min(take, 1<<31-1)), data})
		case base != 0 && uint64(len(data)) >= min(take, uint64(p.opt.strLen()+1)) && (ok || length == 0 || take == 0 && !p.failed && !p.unfinished):
			p.quote(data, int(min(take, 1<<31-1)), p.opt.strLen())
		default:
			p.ptr(base)
		}
		p.str(", iov_len=")
		p.uint(length)
		p.str("}")
	}
	p.str("]")
}

func (p *printer) message(v *Value) {
	size := msgWords * p.word()
	q, _ := p.m.read(v.Uint, size, v.phase())
	if v.Uint == 0 || len(q) < size || v.arg.dir == out && p.unfinished {
		p.ptr(v.Uint)
		return
	}
	h := parseMsghdr(q, uint64(p.word()))
	if v.arg.dir == out && p.failed {
		p.str("{msg_namelen=")
		p.int(int64(int32(h.nameLen)))
		p.str("}")
		return
	}
	room := h.nameLen
	if v.arg.dir == out {
		if b := p.m.exactly(v.Uint, size, event.Enter); b != nil {
			room = parseMsghdr(b, uint64(p.word())).nameLen
		}
	}
	p.header(h, p.left(v), v.phase(), room)
}

// header prints a msghdr; room is its msg_namelen before the call.
func (p *printer) header(h msghdr, left uint64, at event.Phase, room uint32) {
	p.str("{msg_name=")
	family := p.messageName(h, room, at)
	p.str(", msg_namelen=")
	if room != h.nameLen {
		p.int(int64(int32(room)))
		p.str(" => ")
	}
	p.int(int64(int32(h.nameLen)))
	p.str(", msg_iov=")
	p.messageData(family)
	p.iovec(h.iov, h.iovLen, left, at)
	p.nlBuffers = false
	p.str(", msg_iovlen=")
	p.uint(h.iovLen)
	if h.ctrlLen != 0 {
		p.str(", msg_control=")
		p.control(h, at)
	}
	p.str(", msg_controllen=")
	p.uint(h.ctrlLen)
	p.str(", msg_flags=")
	p.flags(setMsgFlags, uint64(h.flags))
	p.str("}")
}

func (p *printer) messages(v *Value) {
	word := p.word()
	each := uint64((msgWords + 1) * word)
	n, filled := uint64(uint32(p.s.Args[v.arg.n.v])), uint64(0)
	done := !p.failed && !p.unfinished
	if done {
		if filled = min(n, uint64(max(p.s.Ret, 0))); v.arg.dir == out {
			n = filled
		}
	}
	if first, _ := p.m.read(v.Uint, int(each), event.Leave); v.Uint == 0 || n > 0 && len(first) < int(each) ||
		v.arg.dir == out && !done {
		p.ptr(v.Uint)
		return
	}
	p.str("[")
	for i := range n {
		p.sep(int(min(i, 1)))
		if i >= maxMessages {
			p.str("...")
			break
		}
		q, _ := p.m.read(v.Uint+i*each, int(each), event.Leave)
		if len(q) < int(each) {
			p.str("... /* ")
			p.hex(v.Uint + i*each)
			p.str(" */")
			break
		}
		if i >= uint64(p.opt.strLen()) && !p.opt.Verbose {
			p.str("...")
			break
		}
		got := uint64(binary.LittleEndian.Uint32(q[msgWords*word:]))
		p.str("{msg_hdr=")
		h := parseMsghdr(q, uint64(word))
		left, room := uint64(1<<40), h.nameLen
		if v.arg.dir == out {
			left = got
			if b := p.m.exactly(v.Uint+i*each, int(each), event.Enter); b != nil {
				room = parseMsghdr(b, uint64(word)).nameLen
			}
		}
		p.header(h, left, v.phase(), room)
		if i < filled {
			p.str(", msg_len=")
			p.uint(got)
		}
		p.str("}")
	}
	p.str("]")
}

// date6 is date for microseconds.
func (p *printer) date6(sec, usec int64) { p.dateTo(sec, min(max(usec, -1), 1000000)*1000, ".000000") }

// date prints a remark with a time of day in UTC, /* 2022-04-21T15:44:12Z */,
// for times other than the epoch.
func (p *printer) date(sec, nsec int64) { p.dateTo(sec, nsec, ".000000000") }

func (p *printer) dateTo(sec, nsec int64, digits string) {
	if sec == 0 && nsec == 0 || nsec < 0 || nsec > 999999999 {
		return
	}
	t := time.Unix(sec, nsec).UTC()
	if y := t.Year(); sec>>56 != sec>>63 || y-1900 != int(int32(y-1900)) { // more than struct tm holds
		return
	}
	p.str(" /* ")
	p.b = t.AppendFormat(p.b, "2006-01-02T15:04:05")
	if nsec != 0 {
		p.b = t.AppendFormat(p.b, digits)
	}
	p.str("+0000 */")
}
