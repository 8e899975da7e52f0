package keys

import (
	"bytes"
	"debug/elf"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// callee finds the function that is called with a text as its second argument:
//
//  1. find the text among the constants;
//  2. find where its address is put into RSI (lea rsi, [rip+x], or mov esi, x in
//     a program that is not relocated);
//  3. the next call, with RSI untouched, is of that function.
//
// Compilers keep constant arguments near the call. 0 when there is none.
func (m *image) callee(text string) uint64 {
	places := m.constants(text)
	if len(places) == 0 {
		return 0
	}
	for _, s := range m.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_EXECINSTR == 0 {
			continue
		}
		code := m.data(s)
		for _, form := range [][]byte{{0x48, 0x8d, 0x35}, {0xbe}} {
			if len(form) == 1 && m.Type != elf.ET_EXEC {
				continue
			}
			for at := 0; ; at++ {
				i := bytes.Index(code[at:], form)
				if i < 0 || at+i+len(form)+4 > len(code) {
					break
				}
				at += i
				end := at + len(form) + 4
				x := le.Uint32(code[end-4:])
				addr := uint64(x)
				if len(form) > 1 {
					addr = s.Addr + uint64(end) + uint64(int64(int32(x)))
				}
				if !slices.Contains(places, addr) {
					continue
				}
				if f := nextCall(code[end:], s.Addr+uint64(end)); f != 0 {
					return f
				}
			}
		}
	}
	return 0
}

// nextCall is the function that the next call is of, 0 when RSI is given another
// value before, or the code goes elsewhere.
func nextCall(code []byte, addr uint64) uint64 {
	const most = 16
	for range most {
		in, err := x86asm.Decode(code, 64)
		if err != nil {
			return 0
		}
		addr += uint64(in.Len)
		code = code[in.Len:]
		to, relative := in.Args[0].(x86asm.Rel)
		switch {
		case in.Op == x86asm.CALL && relative:
			return addr + uint64(int64(to))
		case in.Op == x86asm.JMP && relative:
			return 0
		case in.Op == x86asm.CALL, in.Op == x86asm.RET, writes(&in, x86asm.RSI):
			return 0
		}
	}
	return 0
}

// writes reports whether an instruction changes a 64-bit register, as far as its
// first operand says.
func writes(in *x86asm.Inst, r x86asm.Reg) bool {
	to, ok := in.Args[0].(x86asm.Reg)
	return ok && in.Op != x86asm.CMP && in.Op != x86asm.TEST && in.Op != x86asm.PUSH && wide(to) == r
}

// wide is the 64-bit register that a register is a part of.
func wide(r x86asm.Reg) x86asm.Reg {
	switch {
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return r - x86asm.EAX + x86asm.RAX
	case r >= x86asm.AX && r <= x86asm.R15W:
		return r - x86asm.AX + x86asm.RAX
	}
	return r
}

// field says where something lies in an object: at an offset, or at one behind
// the pointer that stands at another.
type field struct {
	valid    bool
	off      uint64
	indirect bool
	behind   uint64
}

// state is what the 64-bit registers hold of an object.
type state [16]field

func number(r x86asm.Reg) int { return int(r - x86asm.RAX) }

// fields reads a getter, a function that hands out what lies in its first
// argument: the addresses inside the object that it computes. All ways through
// it are walked; one ends at a return or in a jump that leaves the code.
func fields(code []byte) []field {
	type place struct {
		at int
		state
	}
	const most = 1000 // instructions
	var out []field
	var begin state
	begin[number(x86asm.RDI)].valid = true
	todo, seen := []place{{0, begin}}, map[place]bool{}
	for n := 0; len(todo) > 0 && n < most; n++ {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p.at < 0 || p.at >= len(code) || seen[p] {
			continue
		}
		seen[p] = true
		in, err := x86asm.Decode(code[p.at:], 64)
		if err != nil || in.Op == x86asm.RET {
			continue
		}
		p.at += in.Len
		if to, ok := in.Args[0].(x86asm.Rel); ok {
			if in.Op == x86asm.CALL { // the registers that it may change
				for _, r := range []x86asm.Reg{x86asm.RAX, x86asm.RCX, x86asm.RDX, x86asm.RSI, x86asm.RDI, x86asm.R8, x86asm.R9, x86asm.R10, x86asm.R11} {
					p.state[number(r)] = field{}
				}
			} else {
				todo = append(todo, place{p.at + int(to), p.state})
				if in.Op == x86asm.JMP {
					continue
				}
			}
		} else if to, ok := in.Args[0].(x86asm.Reg); ok && writes(&in, wide(to)) && wide(to) >= x86asm.RAX && wide(to) <= x86asm.R15 {
			f := p.step(&in, to)
			if p.state[number(wide(to))] = (field{}); f.valid && wide(to) == to {
				p.state[number(to)] = f
				if in.Op != x86asm.MOV && (f.off > 0 && !f.indirect || f.behind > 0) {
					out = append(out, f)
				}
			}
		}
		todo = append(todo, p)
	}
	return out
}

// get is what a register holds.
func (s *state) get(r x86asm.Reg) field {
	if r < x86asm.RAX || r > x86asm.R15 {
		return field{}
	}
	return s[number(r)]
}

// step is what the register to holds after an instruction.
func (s *state) step(in *x86asm.Inst, to x86asm.Reg) field {
	switch from := in.Args[1].(type) {
	case x86asm.Reg:
		if in.Op == x86asm.MOV {
			return s.get(from)
		}
	case x86asm.Imm:
		if in.Op == x86asm.ADD {
			return s.get(to).plus(int64(from))
		}
	case x86asm.Mem:
		f := s.get(from.Base).plus(from.Disp)
		if from.Index != 0 {
			return field{}
		}
		if in.Op == x86asm.LEA {
			return f
		}
		if in.Op == x86asm.MOV && f.valid && !f.indirect {
			f.indirect = true
			return f
		}
	}
	return field{}
}

// plus is the field n bytes further on.
func (f field) plus(n int64) field {
	p := &f.off
	if f.indirect {
		p = &f.behind
	}
	if *p += uint64(n); !f.valid || *p >= 1<<20 {
		return field{}
	}
	return f
}

// returns lists the addresses of a function's return instructions. The code must
// be whole and hold nothing but instructions, as Go's does.
func returns(code []byte, addr uint64) []uint64 {
	var out []uint64
	for len(code) > 0 {
		in, err := x86asm.Decode(code, 64)
		if err != nil {
			return nil
		}
		if in.Op == x86asm.RET {
			out = append(out, addr)
		}
		addr += uint64(in.Len)
		code = code[in.Len:]
	}
	return out
}
