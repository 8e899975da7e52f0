package sysabi

import "culprit/internal/event"

// This file shows the table to a recorder that interprets it elsewhere: in the
// kernel. [Call.Capture] is the meaning of it.

// Rule says what memory of one argument a call copies.
type Rule struct {
	Kind    ValueKind
	In, Out bool  // the program gives it, the kernel fills it
	OnIntr  bool  // filled only when a signal interrupts the call
	IfRet   bool  // filled only when the result is not 0
	Reg     uint8 // has the address
	From    RuleCount
	N       uint8 // the constant, or the register that From speaks of
	Elem    int   // bytes of one element
}

// RuleCount says where a Rule's number of elements comes from.
type RuleCount uint8

// Sources of a number of elements.
const (
	RuleConst RuleCount = RuleCount(fromConst)   // N itself
	RuleArg   RuleCount = RuleCount(fromArg)     // register N, 32 bits
	RuleSize  RuleCount = RuleCount(fromSizeArg) // register N, a long
	RuleRet   RuleCount = RuleCount(fromRet)     // the result
	RulePtr   RuleCount = RuleCount(fromPtr)     // the int that register N points to, after the call
	RuleBits  RuleCount = RuleCount(fromBits)    // register N counts bits: bytes rounded up to longs
)

// Rules returns the rules of a call with these registers.
func (c *Call) Rules(regs *[6]uint64) []Rule {
	var rules []Rule
	list := c.args(regs)
	for i := range list {
		a := &list[i]
		if a.dir == 0 {
			continue
		}
		r := Rule{
			Kind: a.kind, In: a.dir&in != 0, Out: a.dir&out != 0,
			OnIntr: a.onIntr, IfRet: a.ifRet,
			Reg: uint8(a.register(i)), From: RuleCount(a.n.from), N: a.n.v, Elem: 1,
		}
		if a.st != nil {
			r.Elem = a.st.bytes(c.ptr)
		}
		rules = append(rules, r)
	}
	return rules
}

// Varies reports whether the rules depend on the registers.
func (c *Call) Varies() bool { return c.vary != nil }

// Word returns how many bytes a pointer has: 8 or 4.
func (c *Call) Word() int { return int(c.ptr) }

// IoctlRequests returns the requests of ioctl(2) that the table knows.
func IoctlRequests(arch event.Arch) []uint32 {
	t := ioctlsOf(arch)
	list := make([]uint32, 0, len(t.requests))
	for r := range t.requests {
		list = append(list, r)
	}
	return list
}

// PrctlOptions returns the options of prctl(2) that the table knows.
func PrctlOptions() []uint32 {
	list := make([]uint32, 0, len(prctls()))
	for o := range prctls() {
		list = append(list, o)
	}
	return list
}
