package native

// rule says where the caller's value of a register is (DWARF 5, 6.4.1).
type rule struct {
	how    how
	offset int64 // from the canonical frame address
	reg    uint64
	expr   []byte
}

type how uint8

const (
	same how = iota // also what nothing is said of
	undefined
	atOffset
	isOffset
	register
	atExpr
	isExpr
)

// row is what the instructions say of one place in a function.
type row struct {
	cfa  rule // register: register plus offset; or isExpr
	regs [len(Registers{}.Value)]rule
}

const maxRemembered = 32

// unwind turns the registers of a frame at pc into its caller's.
func (d *description) unwind(t *table, r *Registers, pc uint64, mem Memory) bool {
	var now, initial row
	loc, ok := d.run(d.first, &now, nil, d.start, pc)
	if !ok {
		return false
	}
	initial = now
	if _, ok = d.run(d.rest, &now, &initial, loc, pc); !ok {
		return false
	}
	cfa, ok := d.frameAddress(&now, r, mem)
	if !ok {
		return false
	}
	next := Registers{Word: r.Word}
	next.Set(r.sp(), cfa)
	for i := range now.regs {
		if v, ok := value(&now.regs[i], i, r, cfa, mem); ok && (i != r.sp() || now.regs[i].how != same) {
			next.Set(i, v)
		}
	}
	next.PC, ok = next.get(int(min(d.ret, 1<<20)))
	if int(d.ret) < len(now.regs) && now.regs[d.ret].how == same {
		ok = false // the return address is always saved on x86
	}
	*r = next
	return ok
}

func (d *description) frameAddress(w *row, r *Registers, mem Memory) (uint64, bool) {
	switch w.cfa.how {
	case register:
		v, ok := r.get(int(min(w.cfa.reg, 1<<20)))
		return v + uint64(w.cfa.offset), ok
	case isExpr:
		return evaluate(w.cfa.expr, 0, false, r, mem)
	}
	return 0, false
}

func value(u *rule, i int, r *Registers, cfa uint64, mem Memory) (uint64, bool) {
	switch u.how {
	case same:
		return r.get(i)
	case atOffset:
		return readWord(mem, cfa+uint64(u.offset), r.Word)
	case isOffset:
		return cfa + uint64(u.offset), true
	case register:
		return r.get(int(min(u.reg, 1<<20)))
	case atExpr:
		at, ok := evaluate(u.expr, cfa, true, r, mem)
		if !ok {
			return 0, false
		}
		return readWord(mem, at, r.Word)
	case isExpr:
		return evaluate(u.expr, cfa, true, r, mem)
	}
	return 0, false
}

// run executes instructions up to pc. initial is the row after the common
// ones, nil while these run.
func (d *description) run(c cursor, w, initial *row, loc, pc uint64) (uint64, bool) {
	var remembered []row
	for c.left() > 0 && !c.bad {
		op := c.u8()
		low := uint64(op & 0x3f)
		switch op >> 6 {
		case 1: // DW_CFA_advance_loc
			loc += low * d.codeAlign
		case 2: // DW_CFA_offset
			w.set(low, rule{how: atOffset, offset: int64(c.uleb()) * d.dataAlign})
		case 3: // DW_CFA_restore
			w.restore(low, initial)
		default:
			switch op {
			case 0x00: // DW_CFA_nop
			case 0x01: // DW_CFA_set_loc
				loc = c.pointer(0, 0)
			case 0x02, 0x03, 0x04: // DW_CFA_advance_loc1, 2, 4
				loc += c.uint(1<<(op-2)) * d.codeAlign
			case 0x05: // DW_CFA_offset_extended
				r := c.uleb()
				w.set(r, rule{how: atOffset, offset: int64(c.uleb()) * d.dataAlign})
			case 0x06: // DW_CFA_restore_extended
				w.restore(c.uleb(), initial)
			case 0x07: // DW_CFA_undefined
				w.set(c.uleb(), rule{how: undefined})
			case 0x08: // DW_CFA_same_value
				w.set(c.uleb(), rule{how: same})
			case 0x09: // DW_CFA_register
				r := c.uleb()
				w.set(r, rule{how: register, reg: c.uleb()})
			case 0x0a: // DW_CFA_remember_state
				if len(remembered) >= maxRemembered {
					return loc, false
				}
				remembered = append(remembered, *w)
			case 0x0b: // DW_CFA_restore_state
				if len(remembered) == 0 {
					return loc, false
				}
				*w = remembered[len(remembered)-1]
				remembered = remembered[:len(remembered)-1]
			case 0x0c: // DW_CFA_def_cfa
				w.cfa = rule{how: register, reg: c.uleb()}
				w.cfa.offset = int64(c.uleb())
			case 0x0d: // DW_CFA_def_cfa_register
				w.cfa.how, w.cfa.reg = register, c.uleb()
			case 0x0e: // DW_CFA_def_cfa_offset
				w.cfa.offset = int64(c.uleb())
			case 0x0f: // DW_CFA_def_cfa_expression
				w.cfa = rule{how: isExpr, expr: c.take(c.uleb())}
			case 0x10: // DW_CFA_expression
				r := c.uleb()
				w.set(r, rule{how: atExpr, expr: c.take(c.uleb())})
			case 0x11: // DW_CFA_offset_extended_sf
				r := c.uleb()
				w.set(r, rule{how: atOffset, offset: c.sleb() * d.dataAlign})
			case 0x12: // DW_CFA_def_cfa_sf
				w.cfa = rule{how: register, reg: c.uleb()}
				w.cfa.offset = c.sleb() * d.dataAlign
			case 0x13: // DW_CFA_def_cfa_offset_sf
				w.cfa.offset = c.sleb() * d.dataAlign
			case 0x14: // DW_CFA_val_offset
				r := c.uleb()
				w.set(r, rule{how: isOffset, offset: int64(c.uleb()) * d.dataAlign})
			case 0x15: // DW_CFA_val_offset_sf
				r := c.uleb()
				w.set(r, rule{how: isOffset, offset: c.sleb() * d.dataAlign})
			case 0x16: // DW_CFA_val_expression
				r := c.uleb()
				w.set(r, rule{how: isExpr, expr: c.take(c.uleb())})
			case 0x2e: // DW_CFA_GNU_args_size
				c.uleb()
			default:
				return loc, false
			}
		}
		if loc > pc {
			break
		}
	}
	return loc, !c.bad
}

func (w *row) set(reg uint64, u rule) {
	if reg < uint64(len(w.regs)) { // others, as those of vectors, are not needed
		w.regs[reg] = u
	}
}

func (w *row) restore(reg uint64, initial *row) {
	if initial != nil && reg < uint64(len(w.regs)) {
		w.regs[reg] = initial.regs[reg]
	}
}
