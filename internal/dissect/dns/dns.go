// Package dns reads DNS messages (RFC 1035), as datagrams and as a TCP stream,
// and keeps which names addresses were asked for by.
//
// A damaged message gives what was read up to the damage, with the error.
// Nothing is verified (DNSSEC), and records of types that are not listed here
// keep their raw data only.
package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Limits of one message.
const (
	maxName     = 255 // RFC 1035 section 2.3.4
	maxPointers = 64  // each must lead backward, so this is generous
	maxRecords  = 4096
)

// Type is a record type.
type Type uint16

// Types that are taken apart.
const (
	A     Type = 1
	NS    Type = 2
	CNAME Type = 5
	SOA   Type = 6
	PTR   Type = 12
	MX    Type = 15
	TXT   Type = 16
	AAAA  Type = 28
	SRV   Type = 33
	OPT   Type = 41
	SVCB  Type = 64
	HTTPS Type = 65
	ANY   Type = 255
	CAA   Type = 257
)

var typeNames = map[Type]string{
	A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", PTR: "PTR", 13: "HINFO", MX: "MX", TXT: "TXT", AAAA: "AAAA",
	29: "LOC", SRV: "SRV", 35: "NAPTR", 39: "DNAME", OPT: "OPT", 43: "DS", 44: "SSHFP", 46: "RRSIG", 47: "NSEC",
	48: "DNSKEY", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 59: "CDS", 60: "CDNSKEY", SVCB: "SVCB", HTTPS: "HTTPS",
	250: "TSIG", 251: "IXFR", 252: "AXFR", ANY: "ANY", 256: "URI", CAA: "CAA",
}

// String returns the type's mnemonic, or "TYPE123" (RFC 3597 section 5).
func (t Type) String() string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	return fmt.Sprintf("TYPE%d", uint16(t))
}

// Rcode is a response code, with the extension bits of EDNS.
type Rcode uint16

// Codes that explain failures.
const (
	NoError  Rcode = 0
	FormErr  Rcode = 1
	ServFail Rcode = 2
	NXDomain Rcode = 3
	NotImp   Rcode = 4
	Refused  Rcode = 5
)

var rcodeNames = map[Rcode]string{
	0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
	8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 11: "DSOTYPENI", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME",
	19: "BADMODE", 20: "BADNAME", 21: "BADALG", 22: "BADTRUNC", 23: "BADCOOKIE",
}

// String returns the code's name in upper case, or "RCODE12".
func (r Rcode) String() string {
	if n, ok := rcodeNames[r]; ok {
		return n
	}
	return fmt.Sprintf("RCODE%d", uint16(r))
}

// Question is what was asked. Names are without the final dot, "." is the root;
// bytes outside of printable ASCII and dots inside a label are escaped as in
// zone files (RFC 1035 section 5.1).
type Question struct {
	Name  string
	Type  Type
	Class uint16
}

// Record is one resource record.
type Record struct {
	Name  string
	Type  Type
	Class uint16
	TTL   uint32
	Data  []byte     // raw, a part of the message; names inside may be compressed
	Addr  netip.Addr // A, AAAA
	Host  string     // CNAME, NS, PTR, MX, SRV, SOA (primary), SVCB and HTTPS (target)
	Port  uint16     // SRV
	Pref  uint16     // MX preference, SRV and SVCB priority
	Text  []string   // TXT
}

// EDNS is the OPT record (RFC 6891).
type EDNS struct {
	Size    uint16 // UDP payload that the sender takes
	Version uint8
	DO      bool
	// ExtendedError is the INFO-CODE of RFC 8914 with its text; -1 when absent.
	ExtendedError int
	ErrorText     string
}

// Message is one DNS message.
type Message struct {
	ID         uint16
	Response   bool
	Opcode     uint8
	Rcode      Rcode
	AA, TC, RD bool
	RA, AD, CD bool
	Questions  []Question
	Answers    []Record
	Authority  []Record
	Additional []Record // without OPT
	EDNS       *EDNS    // nil when absent
	Trailing   int      // bytes after the last record
}

// Faults that Parse wraps with the place.
var (
	ErrShort = errors.New("message is cut short")
	ErrName  = errors.New("damaged name")
	ErrCount = errors.New("too many records")
	ErrData  = errors.New("damaged record data")
)

// Parse reads one message without TCP's length in front. With an error the
// message holds what was read before; it is nil only when the header is short.
// Records refer to b.
func Parse(b []byte) (*Message, error) {
	if len(b) < 12 {
		return nil, fmt.Errorf("read the header: %w", ErrShort)
	}
	flags := binary.BigEndian.Uint16(b[2:])
	bit := func(n uint) bool { return flags>>n&1 != 0 }
	m := &Message{
		ID: binary.BigEndian.Uint16(b), Response: bit(15), Opcode: uint8(flags >> 11 & 15), Rcode: Rcode(flags & 15),
		AA: bit(10), TC: bit(9), RD: bit(8), RA: bit(7), AD: bit(5), CD: bit(4),
	}
	at := 12
	count := func(i int) int { return int(binary.BigEndian.Uint16(b[4+2*i:])) }
	for i := range count(0) {
		name, next, err := readName(b, at)
		if err == nil && next+4 > len(b) {
			err = ErrShort
		}
		if err == nil && i >= maxRecords {
			err = ErrCount
		}
		if err != nil {
			return m, fmt.Errorf("read question %d: %w", i+1, err)
		}
		m.Questions = append(m.Questions, Question{name, Type(binary.BigEndian.Uint16(b[next:])), binary.BigEndian.Uint16(b[next+2:])})
		at = next + 4
	}
	for s, to := range []*[]Record{&m.Answers, &m.Authority, &m.Additional} {
		for i := range count(s + 1) {
			r, next, err := readRecord(b, at)
			if err == nil && len(*to) >= maxRecords {
				err = ErrCount
			}
			if err != nil {
				return m, fmt.Errorf("read %s record %d: %w", [...]string{"answer", "authority", "additional"}[s], i+1, err)
			}
			at = next
			if r.Type == OPT && s == 2 {
				m.opt(&r)
			} else {
				*to = append(*to, r)
			}
		}
	}
	m.Trailing = len(b) - at
	return m, nil
}

func (m *Message) opt(r *Record) {
	m.EDNS = &EDNS{Size: r.Class, Version: uint8(r.TTL >> 16), DO: r.TTL>>15&1 != 0, ExtendedError: -1}
	m.Rcode |= Rcode(r.TTL>>24) << 4
	for d := r.Data; len(d) >= 4; {
		code, n := binary.BigEndian.Uint16(d), int(binary.BigEndian.Uint16(d[2:]))
		if d = d[4:]; n > len(d) {
			return
		}
		if code == 15 && n >= 2 {
			m.EDNS.ExtendedError = int(binary.BigEndian.Uint16(d))
			m.EDNS.ErrorText = string(d[2:n])
		}
		d = d[n:]
	}
}

func readRecord(b []byte, at int) (r Record, next int, err error) {
	if r.Name, at, err = readName(b, at); err != nil {
		return r, 0, err
	}
	if at+10 > len(b) {
		return r, 0, ErrShort
	}
	r.Type, r.Class = Type(binary.BigEndian.Uint16(b[at:])), binary.BigEndian.Uint16(b[at+2:])
	r.TTL = binary.BigEndian.Uint32(b[at+4:])
	n := int(binary.BigEndian.Uint16(b[at+8:]))
	at += 10
	if at+n > len(b) {
		return r, 0, ErrShort
	}
	r.Data = b[at : at+n : at+n]
	return r, at + n, r.data(b[:at+n], at)
}

// data takes the data of known types apart. B ends with the record, so that a
// name can't reach past it.
func (r *Record) data(b []byte, at int) (err error) {
	d := r.Data
	if len(d) == 0 { // allowed in updates (RFC 2136 section 2.4)
		return nil
	}
	skip := -1
	switch r.Type {
	case A, AAAA:
		a, ok := netip.AddrFromSlice(d)
		if !ok || a.Is4() != (r.Type == A) {
			return ErrData
		}
		r.Addr = a
	case CNAME, NS, PTR, SOA:
		skip = 0
	case MX, SVCB, HTTPS:
		skip = 2
	case SRV:
		skip = 6
	case TXT:
		for len(d) > 0 {
			n := int(d[0])
			if n >= len(d) {
				return ErrData
			}
			r.Text = append(r.Text, string(d[1:1+n]))
			d = d[1+n:]
		}
	}
	if skip < 0 {
		return nil
	}
	if len(d) <= skip {
		return ErrData
	}
	if skip >= 2 {
		r.Pref = binary.BigEndian.Uint16(d)
	}
	if skip == 6 {
		r.Port = binary.BigEndian.Uint16(d[4:])
	}
	r.Host, _, err = readName(b, at+skip)
	return err
}

// readName reads a name at b[at:] and returns where its own bytes end. Pointers
// must lead backward, each to before where the last began, so that it ends.
func readName(b []byte, at int) (name string, next int, err error) {
	var out strings.Builder
	next = -1
	limit := at
	total, jumps := 0, 0
	for {
		if at >= len(b) {
			return "", 0, ErrShort
		}
		n := int(b[at])
		switch n & 0xc0 {
		case 0:
			at++
			if n == 0 {
				if next < 0 {
					next = at
				}
				if out.Len() == 0 {
					return ".", next, nil
				}
				return out.String(), next, nil
			}
			if at+n > len(b) {
				return "", 0, ErrShort
			}
			if total += n + 1; total > maxName {
				return "", 0, ErrName
			}
			if out.Len() > 0 {
				out.WriteByte('.')
			}
			label(&out, b[at:at+n])
			at += n
		case 0xc0:
			if at+2 > len(b) {
				return "", 0, ErrShort
			}
			to := n&0x3f<<8 | int(b[at+1])
			if next < 0 {
				next = at + 2
			}
			if jumps++; to >= limit || jumps > maxPointers {
				return "", 0, ErrName
			}
			at, limit = to, to
		default:
			return "", 0, ErrName
		}
	}
}

func label(out *strings.Builder, b []byte) {
	for _, c := range b {
		switch {
		case c == '.' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c > ' ' && c < 0x7f:
			out.WriteByte(c)
		default:
			fmt.Fprintf(out, "\\%03d", c)
		}
	}
}
