package sysabi

import (
	"encoding/binary"

	"culprit/internal/event"
)

// socketcall(2) of i386 is all calls on sockets: its second argument points to
// their arguments. A recorder records it as the call that it stands for.

const socketcallI386 = 102

// socketcalls is the calls by socketcall's first argument, and how many
// arguments that has; those that the named one has beyond are 0. accept, send and
// recv have no number of their own.
var socketcalls = [...]struct {
	name string
	args int
}{
	1: {"socket", 3}, 2: {"bind", 3}, 3: {"connect", 3}, 4: {"listen", 2}, 5: {"accept4", 3}, 6: {"getsockname", 3},
	7: {"getpeername", 3}, 8: {"socketpair", 4}, 9: {"sendto", 4}, 10: {"recvfrom", 4}, 11: {"sendto", 6},
	12: {"recvfrom", 6}, 13: {"shutdown", 2}, 14: {"setsockopt", 5}, 15: {"getsockopt", 5}, 16: {"sendmsg", 3},
	17: {"recvmsg", 3}, 18: {"accept4", 4}, 19: {"recvmmsg", 5}, 20: {"sendmmsg", 4},
}

// Socketcall turns a socketcall at its entry into the call that it stands for.
// It leaves others, and one whose arguments can't be read, as they are.
func Socketcall(s *event.Syscall, r Reader) {
	if s.Arch != event.ArchI386 || s.NR != socketcallI386 || s.Args[0] >= uint64(len(socketcalls)) {
		return
	}
	call := socketcalls[s.Args[0]]
	nr, ok := Number(s.Arch, call.name)
	var b [6 * 4]byte
	if n := 4 * call.args; !ok || r.ReadMem(b[:n], uint64(uint32(s.Args[1]))) < n {
		return
	}
	s.NR = nr
	for i := range s.Args {
		s.Args[i] = uint64(binary.LittleEndian.Uint32(b[4*i:]))
	}
}
