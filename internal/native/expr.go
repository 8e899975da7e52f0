package native

// evaluate computes a DWARF expression (DWARF 5, 2.5) as call frame
// information uses them: the PLT's, and those of the kernel's signal frames.
// With push the frame address lies on the stack at the beginning.
func evaluate(code []byte, cfa uint64, push bool, r *Registers, mem Memory) (uint64, bool) {
	const maxStack, maxSteps = 64, 4096
	c := cursor{b: code, word: r.Word}
	var stack [maxStack]uint64
	n := 0
	ok := true
	put := func(v uint64) {
		if n == maxStack {
			ok = false
			return
		}
		stack[n] = v
		n++
	}
	pop := func() uint64 {
		if n == 0 {
			ok = false
			return 0
		}
		n--
		return stack[n]
	}
	pick := func(i int) uint64 {
		if i >= n {
			ok = false
			return 0
		}
		return stack[n-1-i]
	}
	base := func(reg uint64, offset int64) {
		v, known := r.get(int(min(reg, 1<<20)))
		ok = ok && known
		put(v + uint64(offset))
	}
	if push {
		put(cfa)
	}
	for steps := 0; c.left() > 0 && ok && !c.bad; steps++ {
		if steps == maxSteps {
			return 0, false
		}
		switch op := c.u8(); {
		case op >= 0x30 && op <= 0x4f: // DW_OP_lit0..31
			put(uint64(op - 0x30))
		case op >= 0x70 && op <= 0x8f: // DW_OP_breg0..31
			base(uint64(op-0x70), c.sleb())
		case op == 0x92: // DW_OP_bregx
			reg := c.uleb()
			base(reg, c.sleb())
		case op == 0x03: // DW_OP_addr
			put(c.uint(r.Word))
		case op >= 0x08 && op <= 0x0f: // DW_OP_const1u, 1s, 2u, ... 8s
			size := 1 << ((op - 8) / 2)
			if op%2 == 0 {
				put(c.uint(size))
			} else {
				put(c.sint(size))
			}
		case op == 0x10: // DW_OP_constu
			put(c.uleb())
		case op == 0x11: // DW_OP_consts
			put(uint64(c.sleb()))
		case op == 0x12: // DW_OP_dup
			put(pick(0))
		case op == 0x13: // DW_OP_drop
			pop()
		case op == 0x14: // DW_OP_over
			put(pick(1))
		case op == 0x15: // DW_OP_pick
			put(pick(int(c.u8())))
		case op == 0x16: // DW_OP_swap
			b, a := pop(), pop()
			put(b)
			put(a)
		case op == 0x06: // DW_OP_deref
			v, read := readWord(mem, pop(), r.Word)
			ok = ok && read
			put(v)
		case op == 0x94: // DW_OP_deref_size
			size := int(c.u8())
			if size < 1 || size > 8 {
				return 0, false
			}
			v, read := readWord(mem, pop(), size)
			ok = ok && read
			put(v)
		case op == 0x19: // DW_OP_abs
			v := int64(pop())
			put(uint64(max(v, -v)))
		case op == 0x1f: // DW_OP_neg
			put(-pop())
		case op == 0x20: // DW_OP_not
			put(^pop())
		case op == 0x23: // DW_OP_plus_uconst
			put(pop() + c.uleb())
		case op == 0x2f: // DW_OP_skip
			ok = ok && c.jump(int16(c.uint(2)))
		case op == 0x28: // DW_OP_bra
			to := int16(c.uint(2))
			if pop() != 0 {
				ok = ok && c.jump(to)
			}
		case op == 0x96: // DW_OP_nop
		default:
			b, a := pop(), pop()
			v, known := binary2(op, a, b)
			ok = ok && known
			put(v)
		}
	}
	v := pop()
	return v, ok && !c.bad
}

func (c *cursor) jump(by int16) bool {
	to := c.at + int(by)
	if to < 0 || to > len(c.b) {
		return false
	}
	c.at = to
	return true
}

// binary2 computes the operations of two operands.
func binary2(op byte, a, b uint64) (uint64, bool) {
	truth := func(v bool) (uint64, bool) {
		if v {
			return 1, true
		}
		return 0, true
	}
	x, y := int64(a), int64(b)
	switch op {
	case 0x1a: // DW_OP_and
		return a & b, true
	case 0x1b: // DW_OP_div
		if y == 0 {
			return 0, false
		}
		return uint64(x / y), true
	case 0x1c: // DW_OP_minus
		return a - b, true
	case 0x1d: // DW_OP_mod
		if b == 0 {
			return 0, false
		}
		return a % b, true
	case 0x1e: // DW_OP_mul
		return a * b, true
	case 0x21: // DW_OP_or
		return a | b, true
	case 0x22: // DW_OP_plus
		return a + b, true
	case 0x24: // DW_OP_shl
		return a << b, true
	case 0x25: // DW_OP_shr
		return a >> b, true
	case 0x26: // DW_OP_shra
		return uint64(x >> b), true
	case 0x27: // DW_OP_xor
		return a ^ b, true
	case 0x29: // DW_OP_eq
		return truth(x == y)
	case 0x2a: // DW_OP_ge
		return truth(x >= y)
	case 0x2b: // DW_OP_gt
		return truth(x > y)
	case 0x2c: // DW_OP_le
		return truth(x <= y)
	case 0x2d: // DW_OP_lt
		return truth(x < y)
	case 0x2e: // DW_OP_ne
		return truth(x != y)
	}
	return 0, false
}
