// Package pcapng reads and writes capture files: the blocks and options of
// pcapng (draft-ietf-opsawg-pcapng), and classic pcap for reading.
//
// A reader streams: it holds one block at a time and trusts no length it has
// not checked. What it does not know it hands out as a Raw block, which a
// Writer puts back unchanged. The package knows nothing about protocols, about
// culprit's own records inside custom blocks, or about files and paths.
package pcapng

import (
	"encoding/binary"
	"net/netip"
)

// Block types (draft-ietf-opsawg-pcapng, section 10.1).
const (
	TypeSection         uint32 = 0x0A0D0D0A // SHB
	TypeInterface       uint32 = 1          // IDB
	TypePacket          uint32 = 2          // PB, obsolete
	TypeSimplePacket    uint32 = 3          // SPB
	TypeNames           uint32 = 4          // NRB
	TypeStatistics      uint32 = 5          // ISB
	TypeEnhancedPacket  uint32 = 6          // EPB
	TypeJournal         uint32 = 9          // systemd Journal Export Block
	TypeSecrets         uint32 = 10         // DSB
	TypeCustom          uint32 = 0x00000BAD // tools that rewrite a file copy it
	TypeCustomDontCopy  uint32 = 0x40000BAD // tools that rewrite a file drop it
	byteOrderMagic      uint32 = 0x1A2B3C4D
	SecretsTLSKeyLog    uint32 = 0x544c534b // NSS key log lines
	ExamplePEN          uint32 = 32473      // the enterprise number of RFC 5612
	MaxBlock                   = 64 << 20   // bytes; a longer block ends the reading
	maxInterfaces              = 1 << 16    // of one section
	minBlock                   = 12         // type and the two lengths
	LinkTypeEthernet    uint16 = 1
	LinkTypeRawIP       uint16 = 101
	LinkTypeLinuxSLL2   uint16 = 276
	defaultTicksPerSec  uint64 = 1_000_000
	nanosecondsPerSec   uint64 = 1_000_000_000
	defaultResolution          = 6 // if_tsresol when the option is missing: 10^-6 s
	lengthUnknown       int64  = -1
	maxOptionLen               = 0xffff
	sectionFixed               = 16
	interfaceFixed             = 8
	enhancedPacketFixed        = 20
	packetFixed                = 20
	simplePacketFixed          = 4
	statisticsFixed            = 12
	secretsFixed               = 8
)

// Option codes. Those from 2 on depend on the block.
const (
	OptEnd     uint16 = 0
	OptComment uint16 = 1

	OptSectionHardware uint16 = 2
	OptSectionOS       uint16 = 3
	OptSectionApp      uint16 = 4 // shb_userappl

	OptInterfaceName        uint16 = 2
	OptInterfaceDescription uint16 = 3
	OptInterfaceResolution  uint16 = 9  // if_tsresol
	OptInterfaceOffset      uint16 = 14 // if_tsoffset, seconds

	OptPacketFlags   uint16 = 2
	OptPacketDrops   uint16 = 4 // epb_dropcount
	OptPacketProcess uint16 = 8 // epb_processid_threadid
)

// Name record types of a Names block.
const (
	NameEnd  uint16 = 0
	NameIPv4 uint16 = 1
	NameIPv6 uint16 = 2
)

// Direction is the low two bits of epb_flags.
type Direction uint8

// Directions, as the capturing machine sees them.
const (
	DirectionUnknown Direction = 0
	Inbound          Direction = 1
	Outbound         Direction = 2
)

// Block is one block of a file. The set of implementations is closed. What a
// reader returns, with every byte slice in it, is valid until its next call.
type Block interface {
	// Type is the block type code.
	Type() uint32
	// appendBody adds all that stands between the two lengths, padded.
	appendBody(b []byte, o binary.AppendByteOrder) []byte
}

// Option is one option of a block. Numbers in Value have the section's order.
type Option struct {
	Code  uint16
	Value []byte
}

// Options are a block's options in file order, without the end marker.
type Options []Option

// Get returns the first option with the code.
func (o Options) Get(code uint16) ([]byte, bool) {
	for _, opt := range o {
		if opt.Code == code {
			return opt.Value, true
		}
	}
	return nil, false
}

// Comments returns the texts of all opt_comment options.
func (o Options) Comments() []string {
	var out []string
	for _, opt := range o {
		if opt.Code == OptComment {
			out = append(out, string(opt.Value))
		}
	}
	return out
}

// Text makes an option of a string, cut at the 65535 bytes an option can hold.
func Text(code uint16, s string) Option {
	return Option{Code: code, Value: []byte(s[:min(len(s), maxOptionLen)])}
}

// Section begins a section (SHB): what follows, up to the next one, has its
// byte order, and its own numbering of interfaces.
type Section struct {
	Order   binary.ByteOrder // nil means little endian when writing
	Major   uint16
	Minor   uint16
	Length  int64 // of the section in bytes, -1 when not said
	Options Options
}

// Interface describes where packets were taken from (IDB).
type Interface struct {
	LinkType uint16
	Snaplen  uint32 // 0 means no limit
	Options  Options

	// From the options if_name, if_tsresol and if_tsoffset, for reading.
	// Writing takes Options alone.
	Name     string
	PerSec   uint64 // ticks in a second, 0 when out of this package's range
	Offset   int64  // seconds to add to every time
	resolved bool
}

// Form says in which of the three blocks a packet stands.
type Form uint8

// Enhanced is the zero value because it is the one to write. Classic is a
// record of a pcap file and can't be written as such.
const (
	Enhanced Form = iota
	Simple
	Obsolete
	Classic
)

// Packet is a packet (EPB, SPB, PB, or a record of a pcap file).
type Packet struct {
	Form      Form
	Interface uint32
	Ticks     uint64 // in the interface's resolution; absent from Simple
	OrigLen   uint32 // on the wire
	Drops     uint16 // of Obsolete only; 0xffff is "not known"
	Data      []byte
	Options   Options

	// Nanos is Ticks as nanoseconds since 1970, for reading; TimeKnown is
	// false for Simple and for times outside of the years 1678 to 2262.
	Nanos     int64
	TimeKnown bool
	// PID and TID are epb_processid_threadid, 0 when not known, for reading.
	PID, TID uint32
	// Flags is epb_flags, for reading.
	Flags uint32

	// surplus is for rewriting: what a Simple block holds beyond Data, and
	// what others hold behind the last option if it is more than an end marker.
	surplus []byte
}

// Direction is which way the packet went.
func (p *Packet) Direction() Direction { return Direction(p.Flags & 3) }

// Name is one record of a Names block: Value is the address (4 or 16 bytes)
// and then its names, each ended by a zero byte.
type Name struct {
	Type  uint16
	Value []byte
}

// Names maps addresses to names (NRB).
type Names struct {
	Records []Name
	Options Options
}

// NameRecord makes a record of an address and its names. Names that hold a
// zero byte or would make the record too long are left out.
func NameRecord(addr netip.Addr, names []string) Name {
	addr = addr.Unmap()
	n := Name{Type: NameIPv4, Value: addr.AsSlice()}
	if addr.Is6() {
		n.Type = NameIPv6
	}
	for _, s := range names {
		if len(n.Value)+len(s)+1 > maxOptionLen || hasZero(s) {
			continue
		}
		n.Value = append(append(n.Value, s...), 0)
	}
	return n
}

func hasZero(s string) bool {
	for i := range len(s) {
		if s[i] == 0 {
			return true
		}
	}
	return false
}

// Split takes a record apart; ok is false when it is neither an IPv4 nor an
// IPv6 record or is shorter than an address.
func (n Name) Split() (addr netip.Addr, names []string, ok bool) {
	size := map[uint16]int{NameIPv4: 4, NameIPv6: 16}[n.Type]
	if size == 0 || len(n.Value) < size {
		return addr, nil, false
	}
	addr, _ = netip.AddrFromSlice(n.Value[:size])
	rest := n.Value[size:]
	for start, i := 0, 0; i < len(rest); i++ {
		if rest[i] == 0 {
			if i > start {
				names = append(names, string(rest[start:i]))
			}
			start = i + 1
		}
	}
	return addr, names, true
}

// Statistics are counters of an interface (ISB).
type Statistics struct {
	Interface uint32
	Ticks     uint64
	Options   Options
}

// Secrets are keys that decrypt what is captured (DSB).
type Secrets struct {
	Format  uint32 // SecretsTLSKeyLog, ...
	Data    []byte
	Options Options
}

// Journal is one entry in systemd's Journal Export Format.
type Journal struct {
	Entry []byte // without the padding
}

// Custom is a block whose content the holder of an enterprise number defines.
type Custom struct {
	DontCopy bool
	PEN      uint32
	Data     []byte // with the padding and the options, if any
}

// Raw is a block of a type that this package doesn't know.
type Raw struct {
	Code uint32
	Body []byte
}

func (*Section) Type() uint32    { return TypeSection }
func (*Interface) Type() uint32  { return TypeInterface }
func (*Names) Type() uint32      { return TypeNames }
func (*Statistics) Type() uint32 { return TypeStatistics }
func (*Secrets) Type() uint32    { return TypeSecrets }
func (*Journal) Type() uint32    { return TypeJournal }
func (r *Raw) Type() uint32      { return r.Code }

func (p *Packet) Type() uint32 {
	switch p.Form {
	case Simple:
		return TypeSimplePacket
	case Obsolete:
		return TypePacket
	default:
		return TypeEnhancedPacket
	}
}

func (c *Custom) Type() uint32 {
	if c.DontCopy {
		return TypeCustomDontCopy
	}
	return TypeCustom
}
