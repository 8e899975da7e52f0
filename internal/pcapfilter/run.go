package pcapfilter

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Match says whether a packet, which begins with its link header and had a
// length on the wire, passes. A load from beyond what was captured rejects it,
// as in the kernel.
func (f *Filter) Match(b []byte, length int) bool {
	var a, x uint32
	var mem [unix.BPF_MEMWORDS]uint32
	for at := 0; at < len(f.Program); at++ {
		in := &f.Program[at]
		switch in.Op & 7 {
		case unix.BPF_LD:
			switch in.Op & 0xe0 {
			case unix.BPF_IMM:
				a = in.K
			case unix.BPF_MEM:
				a = mem[in.K]
			case unix.BPF_LEN:
				a = uint32(length)
			default:
				from := uint64(in.K)
				if in.Op&0xe0 == unix.BPF_IND {
					from = uint64(x + in.K)
				}
				n := uint64(4)
				switch in.Op & 0x18 {
				case unix.BPF_B:
					n = 1
				case unix.BPF_H:
					n = 2
				}
				if from+n > uint64(len(b)) {
					return false
				}
				switch p := b[from:]; n {
				case 1:
					a = uint32(p[0])
				case 2:
					a = uint32(binary.BigEndian.Uint16(p))
				default:
					a = binary.BigEndian.Uint32(p)
				}
			}
		case unix.BPF_LDX:
			if in.Op&0xe0 == unix.BPF_MEM {
				x = mem[in.K]
				continue
			}
			if uint64(in.K) >= uint64(len(b)) { // BPF_MSH
				return false
			}
			x = uint32(b[in.K]&15) * 4
		case unix.BPF_ST:
			mem[in.K] = a
		case unix.BPF_ALU:
			k := in.K
			if in.Op&8 == unix.BPF_X {
				k = x
			}
			switch op := in.Op & 0xf0; {
			case op == unix.BPF_NEG:
				a = -a
			case (op == unix.BPF_DIV || op == unix.BPF_MOD) && k == 0:
				return false
			default:
				a = alu(op, a, k)
			}
		case unix.BPF_JMP:
			k := in.K
			if in.Op&8 == unix.BPF_X {
				k = x
			}
			yes := false
			switch in.Op & 0xf0 {
			case unix.BPF_JA:
				at += int(in.K)
				continue
			case unix.BPF_JEQ:
				yes = a == k
			case unix.BPF_JGT:
				yes = a > k
			case unix.BPF_JGE:
				yes = a >= k
			case unix.BPF_JSET:
				yes = a&k != 0
			}
			if yes {
				at += int(in.Jt)
			} else {
				at += int(in.Jf)
			}
		case unix.BPF_RET:
			return in.K > 0
		default: // BPF_TAX, the only other one that is made here
			x = a
		}
	}
	return false
}

func alu(op uint16, a, k uint32) uint32 {
	switch op {
	case unix.BPF_ADD:
		return a + k
	case unix.BPF_SUB:
		return a - k
	case unix.BPF_MUL:
		return a * k
	case unix.BPF_DIV:
		return a / k
	case unix.BPF_MOD:
		return a % k
	case unix.BPF_AND:
		return a & k
	case unix.BPF_OR:
		return a | k
	case unix.BPF_XOR:
		return a ^ k
	case unix.BPF_LSH:
		return a << k
	case unix.BPF_RSH:
		return a >> k
	}
	return a
}
