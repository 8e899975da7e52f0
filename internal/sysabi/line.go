package sysabi

import (
	"encoding/binary"

	"culprit/internal/event"
)

// This file prints a call in the pieces in which a tracer learns of it: the
// arguments that are known before the call, the others after it, the result.

// AppendArgs appends the arguments from number from on, without parentheses. At
// the entry, when the call is marked Unfinished, it stops before the first
// argument that only the exit tells; next is the number to go on with then,
// len(d.Args) when there is none.
func (d *Decoded) AppendArgs(b []byte, o Options, from int) (_ []byte, next int) {
	p := d.printer(b, o)
	for i := from; i < len(d.Args); i++ {
		v := &d.Args[i]
		if d.Unfinished && v.atExit() {
			return p.b, i
		}
		p.sep(i)
		p.argument(v)
		if d.Unfinished && v.arg.more != nil {
			return p.b, i
		}
	}
	return p.b, len(d.Args)
}

// AppendMore appends the arguments that the entry left, from number from on. Of
// an argument that is printed in two parts it is the second.
func (d *Decoded) AppendMore(b []byte, o Options, from int) []byte {
	p := d.printer(b, o)
	for i := from; i < len(d.Args); i++ {
		if i == from && d.Args[i].arg.more != nil {
			p.later(&d.Args[i])
			continue
		}
		p.sep(i)
		p.argument(&d.Args[i])
	}
	return p.b
}

// AppendResult appends the result as it stands after "= ".
func (d *Decoded) AppendResult(b []byte, o Options) []byte {
	p := d.printer(b, o)
	p.result(d)
	return p.b
}

// printer is one that d keeps: a new one for each piece of text would be garbage.
func (d *Decoded) printer(b []byte, o Options) *printer {
	if d.text == nil {
		d.text = new(printer)
	}
	*d.text = printer{b: b, opt: o, s: d.s, c: d.Call, m: memoryOf(d.s), failed: d.Errno != 0, unfinished: d.Unfinished}
	return d.text
}

func (p *printer) argument(v *Value) {
	if v.arg.named || p.opt.Names {
		p.str(v.Name)
		p.str("=")
	}
	p.value(v)
}

// atExit says that the argument's text may depend on what the kernel filled.
func (v *Value) atExit() bool {
	switch {
	case v.arg.dir == out || v.Kind == KindMessages: // sendmmsg fills msg_len
		return true
	case v.arg.show != nil:
		return v.arg.dir&out != 0 && v.arg.more == nil
	case v.arg.dir&out != 0:
		return v.arg.st != nil && v.arg.st.changes || v.Kind == KindMessage
	}
	return false
}

// fd prints a descriptor.
func (p *printer) fd(fd int64) {
	p.int(fd)
	if p.opt.FD != nil && fd >= 0 && fd <= 1<<31-1 {
		p.b = p.opt.FD(p.b, fd)
	}
}

// pid prints a number of a process.
func (p *printer) pid(id int64, kind PIDKind) {
	p.int(id)
	if kind == tgidOrNegativePgid {
		if kind = TGID; id < -1 {
			kind, id = PGID, -id
		}
	}
	if p.opt.PID != nil && id > 0 && kind <= SID {
		p.b = p.opt.PID(p.b, id, kind)
	}
}

// Given says that the argument's memory comes from the program and that the
// kernel doesn't change it.
func (a *Arg) Given() bool { return a.dir == in }

// Early says that the argument's text is known before the call: sendmmsg's isn't,
// since it tells what was sent.
func (a *Arg) Early() bool { return a.dir == in && a.kind != KindMessages }

// NetlinkProtocol returns the name of a netlink protocol, NETLINK_ROUTE for 0.
func NetlinkProtocol(v uint64) string { return setNetlinkProtocols.Enum(v) }

// Raw returns the register that the argument is in, as the program set it.
func (v *Value) Raw() uint64 {
	if v.s == nil {
		return v.Uint
	}
	return v.s.Args[v.reg]
}

// Buffers returns the data of a vector or a message, a slice for each of its
// buffers that has some.
func (v *Value) Buffers() [][]byte {
	m, word := memoryOf(v.s), uint64(v.c.ptr)
	left := uint64(1) << 40
	if v.arg.dir&out != 0 {
		left = uint64(max(v.s.Ret, 0))
	}
	if v.Kind == KindIovec {
		return v.buffers(m, v.Uint, v.s.Args[v.arg.n.v], left)
	}
	p, _ := m.read(v.Uint, msgWords*int(word), v.phase())
	if len(p) < msgWords*int(word) {
		return nil
	}
	h := parseMsghdr(p, word)
	return v.buffers(m, h.iov, h.iovLen, left)
}

// Messages returns the data of each message that was sent or received, as
// Buffers does, and how many buffers it names.
func (v *Value) Messages() (list [][][]byte, named []uint64) {
	m, word := memoryOf(v.s), uint64(v.c.ptr)
	each := (msgWords + 1) * word
	for i := range uint64(min(max(v.s.Ret, 0), maxMessages)) {
		p, _ := m.read(v.Uint+i*each, int(each), event.Leave)
		if len(p) < int(each) {
			break
		}
		h := parseMsghdr(p, word)
		list = append(list, v.buffers(m, h.iov, h.iovLen, le32(p, int(msgWords*word))))
		named = append(named, h.iovLen)
	}
	return list, named
}

// Readable says that the array of a vector could be read to its end.
func (v *Value) Readable() bool {
	n := min(v.s.Args[v.arg.n.v], maxIovecs) * 2 * uint64(v.c.ptr)
	p, _ := memoryOf(v.s).read(v.Uint, int(n), v.phase())
	return len(p) == int(n)
}

// buffers is the data of n iovecs, of which left bytes count.
func (v *Value) buffers(m memory, iov, n, left uint64) (list [][]byte) {
	word := uint64(v.c.ptr)
	for i := range min(n, maxIovecs) {
		p, _ := m.read(iov+i*2*word, int(2*word), v.phase())
		if len(p) < int(2*word) {
			break
		}
		take := min(long64(p, 1, word), left)
		if left -= take; take == 0 {
			break
		}
		q, _ := m.read(long64(p, 0, word), int(min(take, 1<<31-1)), event.Leave)
		list = append(list, q)
	}
	return list
}

// SigsetText prints a signal set, bit n-1 for signal n.
func SigsetText(mask uint64) string {
	p := printer{}
	p.sigset(binary.LittleEndian.AppendUint64(nil, mask))
	return string(p.b)
}
