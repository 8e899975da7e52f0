package event

import "encoding/binary"

// Interface is a network interface that packets of the recording went through.
type Interface struct {
	Index uint32 // as Packet.Interface has it
	Name  string // "eth0", "lo"; "" when it was gone before it was asked for
	MTU   uint32 // bytes
}

// Packet is one packet of a socket of the recorded processes, from the IP
// header on, as the network layer of this machine handed it over: segments are
// joined (up to 64 KiB) and outgoing checksums not filled in where the hardware
// does that.
type Packet struct {
	Interface uint32 // index
	Out       bool   // sent by the recorded process; else it got it
	Len       uint32 // bytes on the wire
	Data      []byte // at most the recorder's limit
}

// Kind says which body this is.
func (*Interface) Kind() Kind { return KindInterface }

// Kind says which body this is.
func (*Packet) Kind() Kind { return KindPacket }

func (i *Interface) append(b []byte) []byte {
	b = appendString(binary.AppendUvarint(b, uint64(i.Index)), i.Name)
	return binary.AppendUvarint(b, uint64(i.MTU))
}

func (i *Interface) decode(c *cursor) {
	i.Index, i.Name, i.MTU = uint32(c.uint()), c.string(), uint32(c.uint())
}

func (p *Packet) append(b []byte) []byte {
	b = appendBool(binary.AppendUvarint(b, uint64(p.Interface)), p.Out)
	return appendBytes(binary.AppendUvarint(b, uint64(p.Len)), p.Data)
}

func (p *Packet) decode(c *cursor) {
	p.Interface, p.Out = uint32(c.uint()), c.bool()
	p.Len, p.Data = uint32(c.uint()), c.bytes()
}
