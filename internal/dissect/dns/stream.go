package dns

import (
	"fmt"
	"strings"

	"culprit/internal/dissect"
)

// Output is one message of a stream, or what is wrong with it.
type Output struct {
	Dir dissect.Dir
	dissect.Span
	Message *Message // nil when only Err is there
	Err     error    // the message is damaged, or the stream was cut
}

// Stream reads DNS over TCP (RFC 1035 section 4.2.2) or TLS: each message with
// its length in two bytes in front. The zero value is ready.
type Stream struct {
	half [2]half
	out  []Output
}

type half struct {
	buf  []byte
	span dissect.Span
	lost bool
}

// Feed takes the next bytes of a direction. The slice is valid until the next
// call, messages are the receiver's.
func (s *Stream) Feed(in dissect.Input) []Output {
	s.out = s.out[:0]
	h := &s.half[in.Dir&1]
	if h.lost {
		return nil
	}
	if in.Gap != 0 {
		h.lost, h.buf = true, nil
		s.out = append(s.out, Output{Dir: in.Dir, Span: dissect.At(&in), Err: fmt.Errorf("read the stream: bytes missing: %w", ErrShort)})
		return s.out
	}
	for data := in.Data; len(data) > 0; {
		if len(h.buf) == 0 {
			h.span = dissect.At(&in)
		}
		need := 2
		if len(h.buf) >= 2 {
			need += int(h.buf[0])<<8 | int(h.buf[1])
		}
		n := min(need-len(h.buf), len(data))
		h.buf = append(h.buf, data[:n]...)
		data = data[n:]
		if len(h.buf) < need || need == 2 && h.buf[0]|h.buf[1] != 0 {
			continue
		}
		m, err := Parse(h.buf[2:])
		s.out = append(s.out, Output{Dir: in.Dir, Span: h.span.To(&in), Message: m, Err: err})
		h.buf = nil // the message's records refer to it
	}
	if in.End && len(h.buf) > 0 {
		s.out = append(s.out, Output{Dir: in.Dir, Span: h.span, Err: fmt.Errorf("read a message: %w", ErrShort)})
		h.lost, h.buf = true, nil
	}
	return s.out
}

// Plausible says whether a datagram looks like a DNS message of names that
// people ask for: the header's counts and flags make sense, and all of it reads
// as a message. NetBIOS names (RFC 1002) have the same form and are not meant.
func Plausible(b []byte) bool {
	if !plausibleHeader(b) {
		return false
	}
	m, err := Parse(b)
	if err != nil || m.Trailing > 0 {
		return false
	}
	for _, q := range m.Questions {
		if netBIOS(q.Name) {
			return false
		}
	}
	return len(m.Questions)+len(m.Answers) > 0
}

func plausibleHeader(b []byte) bool {
	if len(b) < 12+5 {
		return false
	}
	opcode, zero := b[2]>>3&15, b[3]&0x40
	counts := func(i int) int { return int(b[4+2*i])<<8 | int(b[5+2*i]) }
	return opcode <= 6 && opcode != 3 && zero == 0 && counts(0) <= 4 && counts(1) <= 1024 && counts(2) <= 256 && counts(3) <= 256
}

// netBIOS tells a name in NetBIOS's first-level encoding: 32 letters from A to
// P (RFC 1001 section 14.1).
func netBIOS(name string) bool {
	label, _, _ := strings.Cut(name, ".")
	return len(label) == 32 && strings.Trim(label, "ABCDEFGHIJKLMNOP") == ""
}
