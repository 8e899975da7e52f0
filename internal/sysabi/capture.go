package sysabi

import (
	"bytes"
	"encoding/binary"

	"culprit/internal/event"
)

// Reader reads the memory of the thread that makes the call. It returns how
// many bytes it copied from addr on: fewer than len(p) when the rest is not
// mapped. A reader that can only copy all or nothing may return 0.
type Reader interface {
	ReadMem(p []byte, addr uint64) int
}

// Limits bound what is copied of one call, in bytes. Zero means none of it.
type Limits struct {
	String int // of each path or string
	Data   int // of the buffers of a call together
	Buffer int // of each buffer; unlike the others 0 is no bound of its own
	Failed int // of the data of a call that failed, 256 when 0
}

const (
	pageSize    = 4096
	failedData  = 256     // kept of the data of a call that failed
	maxSockaddr = 128     // sizeof(struct sockaddr_storage)
	maxIovecs   = 1024    // UIO_MAXIOV
	maxMessages = 1024    // the kernel's bound for sendmmsg
	maxStrings  = 1024    // of argv or envp that are kept
	maxStructs  = 4096    // bytes of one array of structures, at least one element
	maxControl  = 1 << 17 // bytes of ancillary data
	maxArgv     = 1 << 18 // bytes of all strings of one argv
)

// Capture appends to dst the memory that the call's signature names at a
// phase: at Enter what the program gives (paths, addresses, argv, structures),
// at Leave what the kernel filled, in its exact size, and the data of
// transfers. Data that the program gives is copied at Leave too, as many bytes
// as the kernel accepted, or up to 256 when the call failed. Nested memory is
// followed. What isn't readable is left out.
//
// Pieces point into a and are valid until its Reset. When dst holds what the
// same call's Enter appended, structures are not read again at Leave.
func (c *Call) Capture(dst []event.Mem, at event.Phase, args *[6]uint64, ret int64, lim Limits, r Reader, a *Arena) []event.Mem {
	k := capture{dst: dst, at: at, call: c, regs: args, ret: ret, lim: lim, r: r, a: a, word: uint64(c.ptr)}
	k.budget = lim.Data
	if failed(ret) {
		k.budget = min(k.budget, lim.failed())
	}
	list := c.args(args)
	for i := range list {
		if arg := &list[i]; arg.dir != 0 {
			if addr := k.reg(arg.register(i)); addr != 0 {
				k.arg(arg, addr)
			}
		}
	}
	return k.dst
}

func (l Limits) failed() int {
	if l.Failed > 0 {
		return l.Failed
	}
	return failedData
}

// failed reports whether the kernel's result is an errno.
func failed(ret int64) bool { return ret < 0 && ret >= -4095 }

// interrupted reports that a signal ended the call, EINTR or what the kernel
// makes of it later (ERESTARTSYS to ERESTART_RESTARTBLOCK).
func interrupted(ret int64) bool { return ret == -4 || ret <= -512 && ret >= -516 }

// stringSize is the length of a string that the kernel filled.
func stringSize(arg *Arg, ret int64) int {
	if arg.n.from == fromConst {
		return int(arg.n.v)
	}
	return int(min(uint64(max(ret, 0)), 1<<30))
}

type capture struct {
	dst    []event.Mem
	at     event.Phase
	call   *Call
	regs   *[6]uint64
	ret    int64
	lim    Limits
	r      Reader
	a      *Arena
	word   uint64
	budget int // bytes of data left
}

func (k *capture) reg(i int) uint64 {
	if k.word == 4 {
		return uint64(uint32(k.regs[i]))
	}
	return k.regs[i]
}

func (k *capture) arg(arg *Arg, addr uint64) {
	if arg.show != nil {
		k.rehearse(arg, addr)
		return
	}
	enter := k.at == event.Enter
	failed := failed(k.ret)
	switch arg.kind {
	case KindPath, KindString:
		switch {
		case enter && arg.dir == in:
			k.string(addr, k.lim.String)
		case !enter && arg.dir == out && !failed:
			k.read(addr, min(stringSize(arg, k.ret), k.lim.String))
		}
	case KindStrings:
		if enter {
			k.strings(addr)
		}
	case KindBuffer:
		switch {
		case k.call.data == 0 && arg.dir == in: // a value, not a transfer
			if enter {
				k.read(addr, min(k.room(arg.n.v), maxStructs))
			}
		case !enter && !(failed && arg.dir == out) && arg.st != nil:
			k.read(addr, min(k.transferred(arg), k.budget)) // entries of a directory
		case !enter && !(failed && arg.dir == out):
			k.data(addr, k.transferred(arg))
		}
	case KindSockaddr:
		switch {
		case enter && arg.dir == in:
			k.read(addr, min(int(uint32(k.reg(int(arg.n.v)))), maxSockaddr))
		case !enter && arg.dir == out && !failed:
			lenAt := k.reg(int(arg.n.v))
			if n, ok := k.u32(lenAt); ok {
				if p, ok := k.seen(lenAt, 4, event.Enter); ok {
					n = min(n, binary.LittleEndian.Uint32(p)) // the room that there was
				}
				k.read(addr, int(min(n, maxSockaddr)))
			}
		}
	case KindIovec:
		k.iovec(arg, addr)
	case KindMessage:
		k.message(arg, addr)
	case KindMessages:
		k.messages(arg, addr)
	default:
		if arg.onIntr {
			if !enter && interrupted(k.ret) {
				k.read(addr, k.sizeOf(arg))
			}
			return
		}
		if arg.ifRet && k.ret == 0 && !enter {
			return
		}
		if enter && arg.dir&in != 0 || !enter && arg.dir&out != 0 && !failed {
			p := k.read(addr, k.sizeOf(arg))
			if arg.st == layoutSigmaskArg && len(p) == 2*int(k.word) && long64(p, 0, k.word) != 0 {
				k.read(long64(p, 0, k.word), int(min(long64(p, 1, k.word), 128)))
			}
		}
	}
}

// transferred is how many bytes of a buffer count at Leave.
func (k *capture) transferred(arg *Arg) int {
	if arg.n.from == fromPtr {
		n, _ := k.u32(k.reg(int(arg.n.v)))
		return int(min(n, maxStructs))
	}
	room := k.room(arg.n.v)
	switch {
	case failed(k.ret):
		return room
	case arg.n.from == fromRet || k.call.data > 0:
		return int(min(uint64(max(k.ret, 0)), uint64(room)))
	}
	return room
}

// room is a length in a register, made an int.
func (k *capture) room(reg uint8) int {
	return int(min(k.reg(int(reg)), 1<<31-1))
}

// sizeOf is how many bytes a structure, array or set has.
func (k *capture) sizeOf(arg *Arg) int {
	return memorySize(arg, k.call.ptr, k.regs, k.ret)
}

func memorySize(arg *Arg, word uint8, regs *[6]uint64, ret int64) int {
	var n uint64
	switch arg.n.from {
	case fromConst:
		n = uint64(arg.n.v)
	case fromArg:
		n = uint64(uint32(regs[arg.n.v]))
		if int32(n) < 0 {
			n = 0
		}
	case fromSizeArg:
		n = regs[arg.n.v]
	case fromRet:
		n = uint64(max(ret, 0))
	case fromBits:
		bits := uint64(word) * 8
		n = (uint64(max(int32(regs[arg.n.v]), 0)) + bits - 1) / bits * uint64(word)
	}
	elem := 1
	if arg.st != nil {
		elem = arg.st.bytes(word)
	}
	return int(min(n, uint64(max(maxStructs/elem, 1)))) * elem
}

// read copies n bytes from addr, or as many as can be read, and returns them.
func (k *capture) read(addr uint64, n int) []byte {
	if n <= 0 || len(k.dst) >= maxPieces {
		return nil
	}
	p := k.a.take(n)
	n = len(p)
	got := k.r.ReadMem(p, addr)
	if got < n {
		got = k.rest(p, addr, got)
		k.a.giveBack(n - got)
		if got == 0 {
			return nil
		}
	}
	p = p[:got:got]
	k.dst = append(k.dst, event.Mem{At: k.at, Addr: addr, Data: p})
	return p
}

// rest goes on after a short read page by page, for readers that copy all or
// nothing, and returns how many bytes there are in all.
func (k *capture) rest(p []byte, addr uint64, got int) int {
	got = max(got, 0)
	for got < len(p) {
		n := min(pageSize-int((addr+uint64(got))%pageSize), len(p)-got)
		if n == len(p) {
			break // just tried
		}
		m := k.r.ReadMem(p[got:got+n], addr+uint64(got))
		got += max(m, 0)
		if m < n {
			break
		}
	}
	return got
}

// data copies n bytes of a buffer as far as the call's limit allows.
func (k *capture) data(addr uint64, n int) {
	if k.lim.Buffer > 0 {
		n = min(n, k.lim.Buffer)
	}
	n = min(n, k.budget)
	k.budget -= len(k.read(addr, n))
}

// string copies up to and with the NUL byte, at most limit bytes, and returns
// how many. No read crosses a page border, so a string that ends just before
// unmapped memory is whole; each read makes a piece of its own.
func (k *capture) string(addr uint64, limit int) int {
	const first = 256 // longer than most paths, and cheap to copy
	total := 0
	for step := first; total < limit && len(k.dst) < maxPieces; step = pageSize {
		n := min(pageSize-int(addr%pageSize), step, limit-total)
		p := k.a.take(n)
		n = len(p)
		got := max(k.r.ReadMem(p, addr), 0)
		end := bytes.IndexByte(p[:got], 0)
		if end >= 0 {
			got = end + 1
		}
		k.a.giveBack(n - got)
		if got > 0 {
			k.dst = append(k.dst, event.Mem{At: k.at, Addr: addr, Data: p[:got:got]})
		}
		total += got
		addr += uint64(got)
		if end >= 0 || got < n || n == 0 {
			break
		}
	}
	return total
}
