package grpc

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Wire types of protobuf ("Encoding" in its documentation).
const (
	varint = 0
	i64    = 1
	length = 2
	sgroup = 3
	egroup = 4
	i32    = 5
)

// maxNested is how deep messages in messages are followed.
const maxNested = 16

// field is one field of a message.
type field struct {
	number uint64
	wire   int
	value  uint64 // of varint, i64, i32
	data   []byte // of length
}

// next takes a field from the front of b.
func next(b []byte) (f field, rest []byte, ok bool) {
	key, n := binary.Uvarint(b)
	if n <= 0 || key>>3 == 0 || key>>3 >= 1<<29 {
		return f, nil, false
	}
	f.number, f.wire, b = key>>3, int(key&7), b[n:]
	switch f.wire {
	case varint:
		if f.value, n = binary.Uvarint(b); n <= 0 {
			return f, nil, false
		}
		return f, b[n:], true
	case i64:
		if len(b) < 8 {
			return f, nil, false
		}
		f.value = binary.LittleEndian.Uint64(b)
		return f, b[8:], true
	case i32:
		if len(b) < 4 {
			return f, nil, false
		}
		f.value = uint64(binary.LittleEndian.Uint32(b))
		return f, b[4:], true
	case length:
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return f, nil, false
		}
		f.data = b[n : n+int(size)]
		return f, b[n+int(size):], true
	case sgroup, egroup:
		return f, b, true
	}
	return f, nil, false
}

// whole says whether b reads as a message from its beginning to its end.
func whole(b []byte) bool {
	open := 0
	for len(b) > 0 {
		f, rest, ok := next(b)
		if !ok {
			return false
		}
		switch f.wire {
		case sgroup:
			open++
		case egroup:
			open--
		}
		if open < 0 || open > maxNested {
			return false
		}
		b = rest
	}
	return open == 0
}

// AppendProtobuf appends a message as text, a line for each field, by number:
// what its wire type alone tells. Bytes that read as text are a string, else as a
// message, else hex digits; a varint is given unsigned. Every line begins with
// indent. What is no message is given as one string or as hex digits.
func AppendProtobuf(to []byte, b []byte, indent string) []byte {
	if !whole(b) {
		return fmt.Appendf(to, "%s%s\n", indent, bytesText(b))
	}
	return appendFields(to, b, indent, 0)
}

func appendFields(to []byte, b []byte, indent string, depth int) []byte {
	groups := 0
	for len(b) > 0 {
		f, rest, _ := next(b)
		b = rest
		in := indent + strings.Repeat("  ", groups)
		switch f.wire {
		case varint:
			to = fmt.Appendf(to, "%s%d: %d\n", in, f.number, f.value)
		case i64:
			to = fmt.Appendf(to, "%s%d: 0x%016x\n", in, f.number, f.value)
		case i32:
			to = fmt.Appendf(to, "%s%d: 0x%08x\n", in, f.number, f.value)
		case sgroup:
			to = fmt.Appendf(to, "%s%d:\n", in, f.number)
			groups++
		case egroup:
			groups--
		default:
			if !isText(f.data) && len(f.data) > 0 && depth < maxNested && whole(f.data) {
				to = fmt.Appendf(to, "%s%d:\n", in, f.number)
				to = appendFields(to, f.data, in+"  ", depth+1)
				continue
			}
			to = fmt.Appendf(to, "%s%d: %s\n", in, f.number, bytesText(f.data))
		}
	}
	return to
}

func bytesText(b []byte) string {
	if isText(b) {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("!!hex %x", b)
}

func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return true
}
