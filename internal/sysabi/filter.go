package sysabi

// Classic BPF programs: seccomp's and socket filters (linux/filter.h).

const maxInsns = 4096 // BPF_MAXINSNS

// struct sock_fprog: a length and a pointer.
var (
	recordFprog = lazily(func() *cstruct {
		return newRecord(u16("len"), part("filter", 0, func(p *printer, b, all []byte) { p.filter(le(b), le16(all, 0), seccompOperand) })).words()
	})
)

// seccompProgram is a struct sock_fprog of seccomp.
func seccompProgram(name string) Arg { return given(name, recordFprog()) }

// operand prints an instruction's constant where it has a meaning.
type operand func(p *printer, code, k uint64) bool

// filter prints the program at addr.
func (p *printer) filter(addr, n uint64, k operand) {
	if p.abbreviated() {
		p.ptr(addr)
		return
	}
	p.arrayUpTo(addr, n, 8, maxInsns, func(b []byte) { p.filterInsn(b, k) })
}

func (p *printer) filterInsn(b []byte, k operand) {
	code, jt, jf, v := le16(b, 0), uint64(b[2]), uint64(b[3]), le32(b, 4)
	if jt == 0 && jf == 0 {
		p.str("BPF_STMT(")
		p.filterCode(code, false)
		p.str(", ")
		if !k(p, code, v) {
			p.hex(v)
		}
		p.str(")")
		return
	}
	p.str("BPF_JUMP(")
	p.filterCode(code, false)
	for _, v := range [...]uint64{v, jt, jf} {
		p.str(", ")
		p.hex(v)
	}
	p.str(")")
}

// filterCode prints the code of an instruction; the extended ones are eBPF's.
func (p *printer) filterCode(code uint64, extended bool) {
	class, rest := code&7, code&^7
	set, modes := setBpfClass, setBpfMode
	if extended {
		set, modes = setEbpfClass, setEbpfMode
	}
	p.enum(set, class)
	or := func(s *Set, v uint64) {
		p.str("|")
		p.enum(s, v)
	}
	more := func() {
		if rest != 0 {
			p.str("|")
			p.hex(rest)
			p.str(" /* BPF_??? */")
		}
	}
	switch {
	case class <= 1 || class <= 3 && extended: // BPF_LD, BPF_LDX, BPF_ST, BPF_STX
		or(setBpfSize, code&0x18)
		or(modes, code&0xe0)
	case class <= 3 || class == 6 && extended:
		more()
	case class == 6: // BPF_RET
		or(setBpfRval, code&0x18)
		rest &^= 0x18
		more()
	case class == 7 && !extended: // BPF_MISC
		or(setBpfMiscop, code&0xf8)
		rest &^= 0xf8
		more()
	case class == 5: // BPF_JMP
		or(setBpfSrc, code&8)
		or(setBpfOpJmp, code&0xf0)
	default:
		or(setBpfSrc, code&8)
		or(setBpfOpAlu, code&0xf0)
	}
}

// seccompOperand prints what a filter returns.
func seccompOperand(p *printer, code, k uint64) bool {
	if code&7 != 6 {
		return false
	}
	p.enum(setSeccompRet, k&0xffff0000)
	if k&0xffff != 0 {
		p.str("|")
		p.hex(k & 0xffff)
	}
	return true
}
