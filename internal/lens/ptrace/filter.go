package ptrace

import (
	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// Offsets in struct seccomp_data (linux/seccomp.h) of the little-endian
// architectures.
const (
	offNR   = 0
	offArch = 4
	offArgs = 16 // 8 bytes each, low half first
)

// mmapMin is the size from which anonymous mappings are recorded.
const mmapMin = 1 << 20

// x32Bit marks the numbers of the x32 ABI (asm/unistd.h, __X32_SYSCALL_BIT).
const x32Bit = 0x40000000

// action is what the filter does with a call.
type action uint8

const (
	allow      action = iota
	trace             // always
	traceMmap         // anonymous and large
	traceFlag3        // flags in argument 3 lack AT_EMPTY_PATH
	traceFlag2        // flags in argument 2 lack AT_EMPTY_PATH
)

// selection says for every number of the native table what the filter does and
// whether the call is put into the recording.
type selection struct {
	arch   event.Arch
	action []action // by number; numbers above are traced
	emit   []bool
}

// tableSize bounds the numbers that a selection tells apart. Numbers without a
// name, and all above, are traced: they are too new for the table or wrong.
const tableSize = 512

func choose(arch event.Arch, names []string) *selection {
	s := &selection{arch: arch, action: make([]action, tableSize), emit: make([]bool, tableSize)}
	for nr := range s.action {
		if sysabi.Lookup(arch, uint32(nr)) == nil {
			s.action[nr], s.emit[nr] = trace, true
		}
	}
	for _, name := range names {
		nr, ok := sysabi.Number(arch, name)
		if !ok || nr >= tableSize {
			continue
		}
		s.emit[nr] = true
		switch name {
		case "mmap":
			s.action[nr] = traceMmap
		case "newfstatat":
			s.action[nr] = traceFlag3
		case "statx":
			s.action[nr] = traceFlag2
		default:
			s.action[nr] = trace
		}
	}
	for _, name := range bookkeeping {
		if nr, ok := sysabi.Number(arch, name); ok && nr < tableSize {
			s.action[nr] = trace
		}
	}
	return s
}

// emits says whether a call that stopped is recorded.
func (s *selection) emits(arch event.Arch, nr uint32) bool {
	return arch != s.arch || nr >= tableSize || s.emit[nr]
}

// selects says of a call at its entry what the filter would: whether to stop for
// it.
func (s *selection) selects(arch event.Arch, nr uint32, args *[6]uint64) bool {
	switch {
	case arch != s.arch:
		return arch == event.ArchI386
	case nr >= tableSize:
		return true
	}
	switch s.action[nr] {
	case allow:
		return false
	case traceMmap:
		return args[3]&unix.MAP_ANONYMOUS != 0 && args[1] >= mmapMin
	case traceFlag3:
		return args[3]&unix.AT_EMPTY_PATH == 0
	case traceFlag2:
		return args[2]&unix.AT_EMPTY_PATH == 0
	}
	return true
}

// program is the filter: a binary search over the runs of numbers that are
// treated alike, so that no call costs more than about eight comparisons. What
// is allowed by number alone the kernel (5.11 and later) learns at installation
// and doesn't run the filter for.
func (s *selection) program() []unix.SockFilter {
	body := append(
		[]unix.SockFilter{
			stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offNR),
			jump(unix.BPF_JGE, x32Bit, 0, 1),
			ret(unix.SECCOMP_RET_TRACE),
		}, s.search()...)
	head := []unix.SockFilter{
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offArch),
		jump(unix.BPF_JEQ, uint32(s.arch), 3, 0),
		jump(unix.BPF_JEQ, uint32(event.ArchI386), 1, 0),
		ret(unix.SECCOMP_RET_ALLOW),
		ret(unix.SECCOMP_RET_TRACE),
	}
	return append(head, body...)
}

// search builds the tree over the runs.
func (s *selection) search() []unix.SockFilter {
	type run struct {
		first uint32
		do    action
	}
	runs := []run{{0, s.action[0]}}
	for nr, a := range s.action {
		if a != runs[len(runs)-1].do {
			runs = append(runs, run{uint32(nr), a})
		}
	}
	if runs[len(runs)-1].do != trace {
		runs = append(runs, run{uint32(len(s.action)), trace})
	}
	var build func(r []run) []unix.SockFilter
	build = func(r []run) []unix.SockFilter {
		if len(r) == 1 {
			return leaf(r[0].do)
		}
		mid := len(r) / 2
		low, high := build(r[:mid]), build(r[mid:])
		var code []unix.SockFilter
		if len(low) <= 255 {
			code = append(code, jump(unix.BPF_JGE, r[mid].first, uint8(len(low)), 0))
		} else { // a conditional jump spans 255 instructions at most
			code = append(code,
				jump(unix.BPF_JGE, r[mid].first, 0, 1),
				stmt(unix.BPF_JMP|unix.BPF_JA, uint32(len(low))))
		}
		return append(append(code, low...), high...)
	}
	return build(runs)
}

func leaf(a action) []unix.SockFilter {
	load := func(arg, half int) unix.SockFilter {
		return stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, uint32(offArgs+8*arg+4*half))
	}
	unless := func(arg int) []unix.SockFilter {
		return []unix.SockFilter{
			load(arg, 0),
			jump(unix.BPF_JSET, unix.AT_EMPTY_PATH, 0, 1),
			ret(unix.SECCOMP_RET_ALLOW),
			ret(unix.SECCOMP_RET_TRACE),
		}
	}
	switch a {
	case trace:
		return []unix.SockFilter{ret(unix.SECCOMP_RET_TRACE)}
	case traceFlag2:
		return unless(2)
	case traceFlag3:
		return unless(3)
	case traceMmap: // mmap(addr, length, prot, flags, fd, offset)
		return []unix.SockFilter{
			load(3, 0),
			jump(unix.BPF_JSET, unix.MAP_ANONYMOUS, 0, 4),
			load(1, 1),
			jump(unix.BPF_JGE, 1, 3, 0),
			load(1, 0),
			jump(unix.BPF_JGE, mmapMin, 1, 0),
			ret(unix.SECCOMP_RET_ALLOW),
			ret(unix.SECCOMP_RET_TRACE),
		}
	}
	return []unix.SockFilter{ret(unix.SECCOMP_RET_ALLOW)}
}

func stmt(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
func ret(k uint32) unix.SockFilter               { return stmt(unix.BPF_RET|unix.BPF_K, k) }
func jump(op uint16, k uint32, jt, jf uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, Jt: jt, Jf: jf, K: k}
}
