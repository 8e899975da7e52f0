package event

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Most calls are like the one before: the same thread, number and addresses,
// another moment. An Encoder writes such a call as its difference from the
// latest of its thread and number, in a record of kind 0:
//
//	uvarint  length of what follows
//	byte     0, where other events have their kind
//	byte     slot: which earlier call
//	varint   time since that call, ns
//	varint   duration, less that call's, ns
//	byte     what differs: bits 0 to 5 an argument, 6 the result, 7 the memory
//	varint   new less old, for each that differs
//	         memory as in a Syscall's body, when it differs
const (
	repeatKind = 0
	slots      = 64
	ofResult   = 1 << 6
	ofMemory   = 1 << 7
	keepMemory = 512 // bytes of an earlier call's memory that an Encoder keeps
)

// slot is where the latest call of a thread and number is remembered. Writer and
// reader must agree.
func slot(tid int32, nr uint32) uint8 { return uint8((uint32(tid)*31 + nr) % slots) }

// Encoder writes events one behind the other, to be read by one Decoder from the
// start. The zero value is ready.
type Encoder struct {
	last [slots]encoded
}

type encoded struct {
	used     bool
	keeps    bool // mem is what the call had
	pid, tid int32
	time     Time
	call     Syscall // without Mem
	mem      []Mem
	data     []byte // that mem's slices lie in
}

// Reset forgets all earlier calls: what is appended from now on can be read
// without what was appended before.
func (x *Encoder) Reset() {
	for i := range x.last {
		x.last[i].used = false
	}
}

// Append adds e's encoding to b.
func (x *Encoder) Append(b []byte, e Event) []byte {
	s, ok := e.Body.(*Syscall)
	if !ok {
		return Append(b, e)
	}
	n := slot(e.TID, s.NR)
	l := &x.last[n]
	if !l.used || l.pid != e.PID || l.tid != e.TID || l.call.NR != s.NR || l.call.Arch != s.Arch ||
		l.call.Flags != s.Flags || l.call.Stack != s.Stack {
		l.used, l.pid, l.tid = true, e.PID, e.TID
		l.call = *s
		l.time = e.Time
		l.keep(s.Mem)
		return Append(b, e)
	}
	start := len(b)
	b = append(b, 0, repeatKind, n)
	b = binary.AppendVarint(b, int64(e.Time-l.time))
	b = binary.AppendVarint(b, s.Dur-l.call.Dur)
	at := len(b)
	b = append(b, 0)
	differs := byte(0)
	for i, v := range s.Args {
		if old := l.call.Args[i]; v != old {
			differs |= 1 << i
			b = binary.AppendVarint(b, int64(v-old))
			l.call.Args[i] = v
		}
	}
	if s.Ret != l.call.Ret {
		differs |= ofResult
		b = binary.AppendVarint(b, int64(uint64(s.Ret)-uint64(l.call.Ret)))
		l.call.Ret = s.Ret
	}
	l.time, l.call.Dur = e.Time, s.Dur
	if !l.keeps || !same(l.mem, s.Mem) {
		differs |= ofMemory
		b = appendMem(b, s.Mem)
		l.keep(s.Mem)
	}
	size := len(b) - start - 1
	if size >= 0x80 { // rare: the length needs more than a byte
		return Append(b[:start], e)
	}
	b[at] = differs
	b[start] = byte(size)
	return b
}

func (l *encoded) keep(mem []Mem) {
	l.mem, l.data, l.keeps = l.mem[:0], l.data[:0], true
	total := 0
	for i := range mem {
		total += len(mem[i].Data)
	}
	if total > keepMemory || len(mem) > keepMemory/8 {
		l.keeps = false
		return
	}
	if cap(l.data) < total {
		l.data = make([]byte, 0, keepMemory)
	}
	for _, m := range mem {
		from := len(l.data)
		l.data = append(l.data, m.Data...)
		m.Data = l.data[from:]
		l.mem = append(l.mem, m)
	}
}

func same(a, b []Mem) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := &a[i], &b[i]
		if x.At != y.At || x.Addr != y.Addr || !bytes.Equal(x.Data, y.Data) {
			return false
		}
	}
	return true
}

// Decoder reads what one Encoder wrote. The zero value is ready.
type Decoder struct {
	last [slots]decoded
}

type decoded struct {
	e Event
	s *Syscall
}

// Decode takes the first event off b and returns the rest, as the function
// Decode does. Events share the memory of calls that had the same. After an
// error it knows no earlier call any more.
func (x *Decoder) Decode(b []byte) (e Event, rest []byte, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) || size < 2 || b[n] != repeatKind {
		e, rest, err = Decode(b)
		if err != nil {
			*x = Decoder{}
		} else if s, ok := e.Body.(*Syscall); ok {
			x.last[slot(e.TID, s.NR)] = decoded{e, s}
		}
		return e, rest, err
	}
	c := cursor{b: b[n+1 : n+int(size)]}
	rest = b[n+int(size):]
	l := &x.last[c.b[0]%slots]
	c.b = c.b[1:]
	if l.s == nil {
		*x = Decoder{}
		return e, rest, fmt.Errorf("%w: a call like one that is missing", ErrDamaged)
	}
	s := new(Syscall)
	*s = *l.s
	e = l.e
	e.Time += Time(c.int())
	s.Dur += c.int()
	if !c.more() {
		*x = Decoder{}
		return e, rest, fmt.Errorf("%w: call ends early", ErrDamaged)
	}
	differs := c.b[0]
	c.b = c.b[1:]
	for i := range s.Args {
		if differs&(1<<i) != 0 {
			s.Args[i] += uint64(c.int())
		}
	}
	if differs&ofResult != 0 {
		s.Ret = int64(uint64(s.Ret) + uint64(c.int()))
	}
	if differs&ofMemory != 0 {
		s.Mem = c.mem()
	}
	if c.bad || len(c.b) > 0 {
		*x = Decoder{}
		return e, rest, fmt.Errorf("%w: call ends early or late", ErrDamaged)
	}
	e.Body = s
	l.e, l.s = e, s
	return e, rest, nil
}
