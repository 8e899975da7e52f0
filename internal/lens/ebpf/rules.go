package ebpf

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cilium/ebpf"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// The numbers of bpf/record.h.
const (
	opString = iota + 1
	opStrings
	opBuffer
	opSockaddr
	opIovec
	opMessage
	opMessages
	opBytes
)

const (
	dirIn  = 1
	dirOut = 2
	onIntr = 4
	ifRet  = 8
)

const (
	callEmit = 1 << iota
	callEnter
	callLeave
	callFD
	callData
	callVary
	callRetFD
	callConnect
	callPeekFD
	callPeekAll
	callMmap
	callStat3
	callStat2
	callTransfer
	callRange
	callSimple
)

const (
	tableSize = 512
	maxRules  = 6
	callSize  = 16 + 8*maxRules // struct call
	noArg     = 255
)

// row is one struct call.
type row struct {
	flags     uint32
	fd        uint8
	sel, sel2 uint8
	mask      uint32
	rules     []sysabi.Rule
}

// kinds says how the memory of an argument is copied.
var kinds = map[sysabi.ValueKind]uint8{
	sysabi.KindPath: opString, sysabi.KindString: opString, sysabi.KindStrings: opStrings,
	sysabi.KindBuffer: opBuffer, sysabi.KindSockaddr: opSockaddr, sysabi.KindIovec: opIovec,
	sysabi.KindMessage: opMessage, sysabi.KindMessages: opMessages,
}

// when says in which phases a rule copies.
func when(r sysabi.Rule) (enter, leave bool) {
	switch r.Kind {
	case sysabi.KindBuffer:
		return false, true
	case sysabi.KindMessage:
		return true, true
	case sysabi.KindIovec, sysabi.KindMessages:
		return r.In, true
	case sysabi.KindStrings:
		return true, false
	}
	return r.In && !r.OnIntr, r.Out || r.OnIntr
}

func (r *row) setRules(rules []sysabi.Rule) {
	r.rules = rules[:min(len(rules), maxRules)]
	r.flags &^= callEnter | callLeave | callSimple
	if len(rules) == 1 && rules[0].Kind == sysabi.KindBuffer && rules[0].From != sysabi.RulePtr {
		r.flags |= callSimple
	}
	for _, u := range r.rules {
		enter, leave := when(u)
		if enter {
			r.flags |= callEnter
		}
		if leave {
			r.flags |= callLeave
		}
	}
}

func (r *row) marshal() []byte {
	b := make([]byte, 0, callSize)
	b = binary.NativeEndian.AppendUint32(b, r.flags)
	b = append(b, uint8(len(r.rules)), r.fd, r.sel, r.sel2)
	b = binary.NativeEndian.AppendUint32(b, r.mask)
	b = append(b, 0, 0, 0, 0)
	for _, u := range r.rules {
		op, ok := kinds[u.Kind]
		if !ok {
			op = opBytes
		}
		var dir uint8
		if u.In {
			dir |= dirIn
		}
		if u.Out {
			dir |= dirOut
		}
		if u.OnIntr {
			dir |= onIntr
		}
		if u.IfRet {
			dir |= ifRet
		}
		b = append(b, op, u.Reg, dir, uint8(u.From), u.N, 0)
		b = binary.NativeEndian.AppendUint16(b, uint16(u.Elem))
	}
	return b[:callSize]
}

// selector says which argument chooses among the rules of a call that has
// several sets, and the values that matter. Rules of other values are those of
// the zero value.
type selector struct {
	arg, arg2 uint8
	mask      uint32
	values    []uint32
	values2   []uint32
}

func span(from, to uint32) []uint32 {
	var v []uint32
	for i := from; i <= to; i++ {
		v = append(v, i)
	}
	return v
}

// selectors lists the calls whose memory depends on an argument's value. Those
// that depend on single flags (open's mode, mount's data) are not here: they
// get the rules that copy most.
func selectors(arch event.Arch) map[string]selector {
	fcntl := selector{arg: 1, arg2: noArg, mask: ^uint32(0), values: append(span(0, 40), span(1024, 1044)...)}
	futex := selector{arg: 1, arg2: noArg, mask: 0x7f, values: span(0, 20)}
	sockopt := selector{
		arg: 1, arg2: 2, mask: ^uint32(0),
		values:  []uint32{0, 1, 6, 17, 41, 255, 263, 270, 271, 282, 283, 284},
		values2: span(0, 100),
	}
	return map[string]selector{
		"fcntl": fcntl, "fcntl64": fcntl, "futex": futex, "futex_time64": futex,
		"setsockopt": sockopt, "getsockopt": sockopt,
		"ioctl":                   {arg: 1, arg2: noArg, mask: ^uint32(0), values: sysabi.IoctlRequests(arch)},
		"prctl":                   {arg: 0, arg2: noArg, mask: ^uint32(0), values: sysabi.PrctlOptions()},
		"ptrace":                  {arg: 0, arg2: noArg, mask: ^uint32(0), values: append(span(0, 33), span(0x4200, 0x4220)...)},
		"seccomp":                 {arg: 0, arg2: noArg, mask: ^uint32(0), values: span(0, 3)},
		"arch_prctl":              {arg: 0, arg2: noArg, mask: ^uint32(0), values: span(0x1001, 0x1026)},
		"epoll_ctl":               {arg: 1, arg2: noArg, mask: ^uint32(0), values: span(1, 3)},
		"landlock_create_ruleset": {arg: 1, arg2: noArg, mask: ^uint32(0), values: span(8, 64)},
	}
}

// sizes are calls that take a descriptor's data without it passing through the
// program's memory, or whose result counts messages.
var uncounted = []string{"sendfile", "sendfile64", "splice", "tee", "copy_file_range", "vmsplice"}

// table makes the rows for one architecture, and those that depend on a value.
func table(arch event.Arch, trace []string, base uint32) (rows map[uint32]*row, varied map[[3]uint32]*row) {
	rows, varied = map[uint32]*row{}, map[[3]uint32]*row{}
	choose := selectors(arch)
	for nr := range uint32(tableSize) {
		r := &row{flags: callEmit, fd: noArg, sel: noArg, sel2: noArg}
		rows[base+nr] = r
		c := sysabi.Lookup(arch, nr)
		if c == nil {
			continue
		}
		native := base == 0
		if trace != nil && native && !slices.Contains(trace, c.Name) {
			r.flags = 0
		}
		r.conditions(c, trace != nil && native)
		regs := [6]uint64{}
		r.setRules(given(c, c.Rules(&regs)))
		if !c.Varies() {
			continue
		}
		s, ok := choose[c.Name]
		if !ok {
			all := [6]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
			if more := given(c, c.Rules(&all)); len(more) > len(r.rules) {
				r.setRules(more)
			}
			continue
		}
		r.sel, r.sel2, r.mask = s.arg, s.arg2, s.mask
		r.vary(c, s, base+nr, varied)
	}
	return rows, varied
}

// given makes of a buffer that is a value, not a transfer, what it is: bytes that
// the program gives.
func given(c *sysabi.Call, rules []sysabi.Rule) []sysabi.Rule {
	for i := range rules {
		if u := &rules[i]; u.Kind == sysabi.KindBuffer && u.In && !u.Out && !c.Data() {
			u.Kind, u.From, u.Elem = sysabi.KindStruct, sysabi.RuleSize, 1
		}
	}
	return rules
}

// vary adds a row for each value with rules of its own.
func (r *row) vary(c *sysabi.Call, s selector, index uint32, varied map[[3]uint32]*row) {
	second := s.values2
	if s.arg2 == noArg {
		second = []uint32{0}
	}
	flags := r.flags
	for _, v := range s.values {
		for _, v2 := range second {
			regs := [6]uint64{4: 1 << 20} // setsockopt's length: long enough for every option
			regs[s.arg] = uint64(v)
			if s.arg2 != noArg {
				regs[s.arg2] = uint64(v2)
			}
			rules := given(c, c.Rules(&regs))
			if slices.Equal(rules, r.rules) {
				continue
			}
			one := *r
			one.setRules(rules)
			flags |= one.flags
			varied[[3]uint32{index, v & s.mask, v2}] = &one
		}
	}
	r.flags = flags&^callSimple | callVary
}

// conditions sets what a call means besides its memory.
func (r *row) conditions(c *sysabi.Call, spare bool) {
	if fd := c.FD(); fd >= 0 && c.Data() && r.flags&callEmit != 0 {
		r.fd = uint8(fd)
		r.flags |= callFD | callData
		if !slices.Contains(uncounted, c.Name) {
			r.flags |= callTransfer
		}
	}
	switch c.Name {
	case "close", "shutdown":
		r.fd, r.flags = 0, r.flags|callPeekFD
	case "dup2", "dup3":
		r.fd, r.flags = 1, r.flags|callPeekFD
	case "close_range":
		r.flags |= callRange
	case "exit_group":
		r.flags |= callPeekAll
	case "connect":
		r.fd, r.flags = 0, r.flags|callFD|callConnect
	case "accept", "accept4":
		r.flags |= callRetFD
	case "mmap", "mmap2":
		if spare {
			r.flags |= callMmap
		}
	case "newfstatat":
		if spare {
			r.flags |= callStat3
		}
	case "statx":
		if spare {
			r.flags |= callStat2
		}
	}
}

// fill hands the rows to the kernel. native is the architecture whose numbers
// come first; compat those of its 32-bit programs.
func (l *loaded) fill(native, compat event.Arch, trace []string) error {
	var indexes []uint32
	var keys [][3]uint32
	var rows, varied [][callSize]byte
	for i, arch := range []event.Arch{native, compat} {
		if arch == 0 {
			continue
		}
		byIndex, byValue := table(arch, trace, uint32(i*tableSize))
		for index, r := range byIndex {
			indexes, rows = append(indexes, index), append(rows, [callSize]byte(r.marshal()))
		}
		for key, r := range byValue {
			keys, varied = append(keys, key), append(varied, [callSize]byte(r.marshal()))
		}
	}
	return errors.Join(putAll(l.obj.Calls, indexes, rows), putAll(l.obj.Varied, keys, varied))
}

// putAll fills a map at once, or one by one before Linux 5.6.
func putAll[K any](m *ebpf.Map, keys []K, values [][callSize]byte) error {
	_, err := m.BatchUpdate(keys, values, nil)
	if !errors.Is(err, ebpf.ErrNotSupported) {
		return err
	}
	for i := range keys {
		if err := m.Put(keys[i], values[i][:]); err != nil {
			return err
		}
	}
	return nil
}
