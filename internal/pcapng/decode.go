package pcapng

import (
	"fmt"
	"math"
	"math/bits"
)

func (r *Reader) decodeSection(body []byte) (Block, string) {
	r.ifaces = r.ifaces[:0]
	if len(body) < sectionFixed {
		return nil, "too short"
	}
	r.section = Section{
		Order:  r.order,
		Major:  r.order.Uint16(body[4:]),
		Minor:  r.order.Uint16(body[6:]),
		Length: int64(r.order.Uint64(body[8:])),
	}
	// Minor version 2 appeared by mistake and means 0.
	if r.section.Major != 1 {
		return nil, fmt.Sprintf("pcapng version %d.%d", r.section.Major, r.section.Minor)
	}
	var what string
	r.section.Options, what = r.options(body[sectionFixed:])
	return &r.section, what
}

func (r *Reader) decodeInterface(body []byte) (Block, string) {
	// Even a damaged one counts, or the numbers of those behind it are wrong.
	if len(r.ifaces) >= maxInterfaces {
		return nil, "more interfaces than a section may have"
	}
	r.ifaces = append(r.ifaces, Interface{})
	if len(body) < interfaceFixed {
		return nil, "too short"
	}
	r.iface = Interface{LinkType: r.order.Uint16(body), Snaplen: r.order.Uint32(body[4:])}
	opts, what := r.options(body[interfaceFixed:])
	r.iface.resolve(opts, r.order.Uint64)
	r.ifaces[len(r.ifaces)-1] = r.iface // without Options: they point into buf
	r.iface.Options = opts
	return &r.iface, what
}

// resolve reads what the options say about names and times.
func (i *Interface) resolve(opts Options, number func([]byte) uint64) {
	i.resolved = true
	i.PerSec = defaultTicksPerSec
	if v, ok := opts.Get(OptInterfaceName); ok {
		i.Name = string(v)
	}
	if v, ok := opts.Get(OptInterfaceResolution); ok && len(v) == 1 {
		i.PerSec = ticksPerSecond(v[0])
	}
	if v, ok := opts.Get(OptInterfaceOffset); ok && len(v) == 8 {
		i.Offset = int64(number(v))
	}
}

// ticksPerSecond reads if_tsresol: the top bit chooses a power of 2 instead of
// one of 10. It returns 0 for what doesn't fit 64 bits.
func ticksPerSecond(v byte) uint64 {
	exp := v & 0x7f
	if v&0x80 != 0 {
		if exp > 63 {
			return 0
		}
		return 1 << exp
	}
	if exp > 19 {
		return 0
	}
	n := uint64(1)
	for range exp {
		n *= 10
	}
	return n
}

// nanos converts a time of the interface to nanoseconds since 1970.
func (i *Interface) nanos(ticks uint64) (int64, bool) {
	if i.PerSec == 0 {
		return 0, false
	}
	sec := ticks / i.PerSec
	hi, lo := bits.Mul64(ticks%i.PerSec, nanosecondsPerSec)
	frac, _ := bits.Div64(hi, lo, i.PerSec) // hi < PerSec, as the remainder is
	const limit = math.MaxInt64 / int64(nanosecondsPerSec)
	if sec > math.MaxInt64 || i.Offset > 2*limit || i.Offset < -2*limit {
		return 0, false
	}
	if sec > 4*uint64(limit) {
		return 0, false
	}
	total := int64(sec) + i.Offset
	if total >= limit || total <= -limit {
		return 0, false
	}
	return total*int64(nanosecondsPerSec) + int64(frac), true
}

func (r *Reader) decodeEnhanced(body []byte) (Block, string) {
	if len(body) < enhancedPacketFixed {
		return nil, "too short"
	}
	r.packet = Packet{
		Interface: r.order.Uint32(body),
		Ticks:     r.ticks(body[4:]),
		OrigLen:   r.order.Uint32(body[16:]),
	}
	return r.finishPacket(body[enhancedPacketFixed:], r.order.Uint32(body[12:]))
}

func (r *Reader) decodeObsolete(body []byte) (Block, string) {
	if len(body) < packetFixed {
		return nil, "too short"
	}
	r.packet = Packet{
		Form:      Obsolete,
		Interface: uint32(r.order.Uint16(body)),
		Drops:     r.order.Uint16(body[2:]),
		Ticks:     r.ticks(body[4:]),
		OrigLen:   r.order.Uint32(body[16:]),
	}
	return r.finishPacket(body[packetFixed:], r.order.Uint32(body[12:]))
}

func (r *Reader) finishPacket(rest []byte, captured uint32) (Block, string) {
	p := &r.packet
	if uint64(captured) > uint64(len(rest)) {
		return nil, fmt.Sprintf("%d bytes of packet in %d", captured, len(rest))
	}
	if uint64(p.Interface) >= uint64(len(r.ifaces)) || !r.ifaces[p.Interface].resolved {
		return nil, fmt.Sprintf("interface %d is not described", p.Interface)
	}
	p.Data = rest[:captured:captured]
	p.Nanos, p.TimeKnown = r.ifaces[p.Interface].nanos(p.Ticks)
	var what string
	p.Options, what = r.options(rest[min(len(rest), (int(captured)+3)&^3):])
	p.surplus = r.extra
	if v, ok := p.Options.Get(OptPacketFlags); ok && len(v) == 4 {
		p.Flags = r.order.Uint32(v)
	}
	if v, ok := p.Options.Get(OptPacketProcess); ok && len(v) == 8 && p.Form == Enhanced {
		p.PID, p.TID = r.order.Uint32(v), r.order.Uint32(v[4:])
	}
	return p, what
}

func (r *Reader) decodeSimple(body []byte) (Block, string) {
	if len(body) < simplePacketFixed {
		return nil, "too short"
	}
	if len(r.ifaces) == 0 || !r.ifaces[0].resolved {
		return nil, "interface 0 is not described"
	}
	r.packet = Packet{Form: Simple, OrigLen: r.order.Uint32(body)}
	n := uint64(r.packet.OrigLen)
	if snap := r.ifaces[0].Snaplen; snap != 0 {
		n = min(n, uint64(snap))
	}
	rest := body[simplePacketFixed:]
	if n > uint64(len(rest)) {
		return nil, fmt.Sprintf("%d bytes of packet in %d", n, len(rest))
	}
	r.packet.Data, r.packet.surplus = rest[:n:n], rest[n:]
	return &r.packet, ""
}

func (r *Reader) decodeNames(body []byte) (Block, string) {
	r.names = Names{Records: r.names.Records[:0]}
	for {
		if len(body) == 0 {
			return &r.names, "" // the end marker is missing, nothing else is
		}
		if len(body) < 4 {
			return nil, "name record cut off"
		}
		kind, n := r.order.Uint16(body), int(r.order.Uint16(body[2:]))
		body = body[4:]
		if kind == NameEnd {
			break
		}
		padded := (n + 3) &^ 3
		if padded > len(body) {
			return nil, "name record is longer than its block"
		}
		r.names.Records = append(r.names.Records, Name{Type: kind, Value: body[:n:n]})
		body = body[padded:]
	}
	var what string
	r.names.Options, what = r.options(body)
	return &r.names, what
}

func (r *Reader) decodeSecrets(body []byte) (Block, string) {
	if len(body) < secretsFixed {
		return nil, "too short"
	}
	n := uint64(r.order.Uint32(body[4:]))
	rest := body[secretsFixed:]
	if n > uint64(len(rest)) {
		return nil, fmt.Sprintf("%d bytes of secrets in %d", n, len(rest))
	}
	r.secrets = Secrets{Format: r.order.Uint32(body), Data: rest[:n:n]}
	var what string
	r.secrets.Options, what = r.options(rest[min(uint64(len(rest)), (n+3)&^3):])
	return &r.secrets, what
}
