package sysabi

import "culprit/internal/event"

// Remarks that follow a result: which descriptors are ready, what is left of a
// timeout.

// pollRemark prints ([{fd=3, revents=POLLIN}]).
func pollRemark(p *printer) {
	if p.s.Ret == 0 {
		p.str("Timeout")
		return
	}
	n := min(int(uint32(p.s.Args[1])), maxStructs/8)
	q := p.m.exactly(p.s.Args[0], n*8, event.Leave)
	if q == nil {
		return
	}
	p.str("[")
	shown := 0
	for ; len(q) >= 8; q = q[8:] {
		got := le16(q, 6)
		if got == 0 {
			continue
		}
		p.sep(shown)
		if shown++; shown > p.opt.strLen() && p.abbreviated() {
			p.str("...")
			break
		}
		p.str("{fd=")
		p.int(i32(q, 0))
		p.str(", revents=")
		p.flags(setPollEvents, got)
		p.str("}")
	}
	p.str("]")
	if len(p.s.Args) > 2 && p.c.Name != "poll" {
		p.leftTime(p.s.Args[2], p.timeLayout(2))
	}
}

// selectRemark prints (in [3], left {tv_sec=0, tv_usec=999998}).
func selectRemark(p *printer) {
	start := len(p.b)
	if p.s.Ret == 0 {
		p.str("Timeout")
		return
	}
	p.empty = true
	n, ready := int(int32(p.s.Args[0])), p.s.Ret
	for i, name := range [...]string{"in ", "out ", "except "} {
		arg := &p.c.Args[i+1]
		size := memorySize(arg, p.c.ptr, &p.s.Args, p.s.Ret)
		q := p.m.exactly(p.s.Args[i+1], size, event.Leave)
		set := inSet(q, n)
		if p.s.Args[i+1] == 0 || set == 0 || ready <= 0 {
			continue
		}
		if len(p.b) > start {
			p.str(", ")
		}
		ready -= set
		p.str(name)
		p.fdSet(q, n)
	}
	p.leftTime(p.s.Args[4], p.timeLayout(4))
}

// inSet counts the descriptors below n in a set.
func inSet(b []byte, n int) (set int64) {
	for i := 0; i < n && i/8 < len(b); i++ {
		if b[i/8]&(1<<(i%8)) != 0 {
			set++
		}
	}
	return set
}

// timeLayout returns the layout of argument i, which holds a timeout.
func (p *printer) timeLayout(i int) *layout { return p.c.Args[i].st }

func (p *printer) leftTime(addr uint64, l *layout) {
	if addr == 0 || l == nil {
		return
	}
	q := p.m.exactly(addr, l.bytes(p.c.ptr), event.Leave)
	if q == nil {
		return
	}
	if n := len(p.b); n > 0 && p.b[n-1] != '(' {
		p.str(", ")
	}
	p.str("left ")
	l.print(p, q)
}
