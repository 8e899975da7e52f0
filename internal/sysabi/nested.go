package sysabi

import (
	"encoding/binary"

	"culprit/internal/event"
)

// This file follows memory that memory points to.

// long reads the i-th pointer or long of b.
func long64(b []byte, i int, word uint64) uint64 {
	if word == 4 {
		return uint64(binary.LittleEndian.Uint32(b[i*4:]))
	}
	return binary.LittleEndian.Uint64(b[i*8:])
}

// u32 reads an int that a register points to.
func (k *capture) u32(addr uint64) (uint32, bool) {
	if p, ok := k.seen(addr, 4, k.at); ok {
		return binary.LittleEndian.Uint32(p), true
	}
	if addr == 0 {
		return 0, false
	}
	p := k.a.take(4)
	defer k.a.giveBack(len(p))
	if len(p) < 4 || k.r.ReadMem(p, addr) < 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(p), true
}

// seen finds n bytes that were captured before, in this phase or at Enter.
func (k *capture) seen(addr uint64, n int, at event.Phase) ([]byte, bool) {
	for i := range k.dst {
		m := &k.dst[i]
		if m.At == at && addr >= m.Addr && addr-m.Addr <= uint64(len(m.Data)) && uint64(len(m.Data))-(addr-m.Addr) >= uint64(n) {
			o := addr - m.Addr
			return m.Data[o : o+uint64(n)], true
		}
	}
	return nil, false
}

// structure returns n bytes at addr, captured before at Enter or read now.
func (k *capture) structure(addr uint64, n int) []byte {
	if p, ok := k.seen(addr, n, event.Enter); ok {
		return p
	}
	return k.read(addr, n)
}

// strings follows a NULL-terminated array of pointers to strings.
func (k *capture) strings(addr uint64) {
	left := maxArgv
	for n := 0; n < maxStrings; {
		// Up to the page's end, so that the array's end is found in one read.
		room := min((pageSize-int(addr%pageSize))/int(k.word), 64, maxStrings-n)
		if room == 0 {
			room = 1
		}
		p := k.read(addr, room*int(k.word))
		have := len(p) / int(k.word)
		for i := range have {
			s := long64(p, i, k.word)
			if s == 0 {
				k.trim(p, i+1)
				return
			}
			if left -= k.string(s, min(k.lim.String, left)); left <= 0 {
				return
			}
		}
		n += have
		addr += uint64(have) * k.word
		if have < room {
			return
		}
	}
}

// trim shortens the piece p to its first n words.
func (k *capture) trim(p []byte, n int) {
	for i := len(k.dst) - 1; i >= 0; i-- {
		if d := k.dst[i].Data; len(d) == len(p) && &d[0] == &p[0] {
			k.dst[i].Data = d[:n*int(k.word)]
			return
		}
	}
}

func (k *capture) iovec(arg *Arg, addr uint64) {
	n := int(min(k.reg(int(arg.n.v)), maxIovecs))
	if k.at == event.Enter {
		if arg.dir == in {
			k.read(addr, n*2*int(k.word))
		}
		return
	}
	if failed(k.ret) && arg.dir == out {
		k.read(addr, n*2*int(k.word))
		return
	}
	left := int64(1) << 40
	if !failed(k.ret) {
		left = k.ret
	}
	k.buffers(addr, n, left)
}

// buffers copies the data of n iovecs at addr, left bytes of it at most.
func (k *capture) buffers(addr uint64, n int, left int64) {
	p := k.structure(addr, n*2*int(k.word))
	for i := range len(p) / (2 * int(k.word)) {
		if left <= 0 || k.budget <= 0 {
			return
		}
		base, size := long64(p, 2*i, k.word), long64(p, 2*i+1, k.word)
		m := min(size, uint64(left))
		left -= int64(m)
		k.data(base, int(min(m, 1<<31-1)))
	}
}

// A struct msghdr (sendmsg(2)) is 7 words; msg_namelen and msg_flags are ints.
const msgWords = 7

// msghdr is a struct msghdr read from memory.
type msghdr struct {
	name             uint64
	nameLen          uint32
	iov, iovLen      uint64
	control, ctrlLen uint64
	flags            uint32
}

func parseMsghdr(p []byte, word uint64) msghdr {
	return msghdr{
		name: long64(p, 0, word), nameLen: binary.LittleEndian.Uint32(p[word:]),
		iov: long64(p, 2, word), iovLen: long64(p, 3, word),
		control: long64(p, 4, word), ctrlLen: long64(p, 5, word),
		flags: binary.LittleEndian.Uint32(p[6*word:]),
	}
}

func (k *capture) message(arg *Arg, addr uint64) {
	size := msgWords * int(k.word)
	if k.at == event.Enter {
		if p := k.read(addr, size); len(p) == size && arg.dir == in {
			k.header(parseMsghdr(p, k.word))
		}
		return
	}
	if arg.dir == in {
		if p := k.structure(addr, size); len(p) == size {
			left := int64(1) << 40
			if !failed(k.ret) {
				left = k.ret
			}
			h := parseMsghdr(p, k.word)
			k.buffers(h.iov, int(min(h.iovLen, maxIovecs)), left)
		}
		return
	}
	p := k.read(addr, size)
	if failed(k.ret) || len(p) < size {
		return
	}
	k.received(parseMsghdr(p, k.word), k.ret)
}

// header copies what a msghdr names besides the data.
func (k *capture) header(h msghdr) {
	if h.name != 0 {
		k.read(h.name, int(min(h.nameLen, maxSockaddr)))
	}
	if h.iov != 0 {
		k.read(h.iov, int(min(h.iovLen, maxIovecs))*2*int(k.word))
	}
	if h.control != 0 {
		k.read(h.control, int(min(h.ctrlLen, maxControl)))
	}
}

// received copies a message that came in with n bytes of data.
func (k *capture) received(h msghdr, n int64) {
	k.header(h)
	p, _ := k.seen(h.iov, int(min(h.iovLen, maxIovecs))*2*int(k.word), event.Leave)
	for i := range len(p) / (2 * int(k.word)) {
		if n <= 0 {
			return
		}
		base, size := long64(p, 2*i, k.word), long64(p, 2*i+1, k.word)
		m := min(size, uint64(n))
		n -= int64(m)
		k.data(base, int(min(m, 1<<31-1)))
	}
}

// messages copies a struct mmsghdr array: a msghdr, the int msg_len, padding.
func (k *capture) messages(arg *Arg, addr uint64) {
	each := (msgWords + 1) * k.word
	n := min(int(uint32(k.reg(int(arg.n.v)))), maxMessages)
	done := 0
	if k.at == event.Leave && !failed(k.ret) {
		if done = min(n, int(k.ret)); arg.dir == out {
			n = done
		}
	} else if k.at == event.Leave && arg.dir == out {
		return
	}
	p := k.read(addr, n*int(each))
	if k.at == event.Enter && arg.dir == out {
		return // for the room that names have
	}
	for i := range len(p) / int(each) {
		m := p[i*int(each):]
		h := parseMsghdr(m, k.word)
		got := int64(binary.LittleEndian.Uint32(m[msgWords*k.word:]))
		switch {
		case k.at == event.Enter:
			k.header(h)
		case arg.dir == in:
			if i >= done { // not sent
				got = int64(k.lim.failed())
			}
			k.buffers(h.iov, int(min(h.iovLen, maxIovecs)), got)
		case !failed(k.ret):
			k.received(h, got)
		}
	}
}
