package sysabi

import (
	"sort"
	"strconv"
)

// Name is a constant of the ABI.
type Name struct {
	V uint64
	S string
}

// Set is the names of an enum or of flags. The order is the order that they
// are printed in; a value of several bits stands before those with fewer.
type Set struct {
	Unknown string // what strace(1) calls a value without a name: "PROT_???"
	Names   []Name
}

// all is every bit that has a name.
func (s *Set) all() uint64 {
	var v uint64
	for i := range s.Names {
		v |= s.Names[i].V
	}
	return v
}

// Name returns the name of value v, "" when it has none.
func (s *Set) Name(v uint64) string {
	if s == nil {
		return ""
	}
	if n := len(s.Names); n > 16 && s.Names[n-1].V >= s.Names[0].V {
		i := sort.Search(n, func(i int) bool { return s.Names[i].V >= v })
		if i < n && s.Names[i].V == v {
			return s.Names[i].S
		}
	}
	for i := range s.Names {
		if s.Names[i].V == v {
			return s.Names[i].S
		}
	}
	return ""
}

// Value returns the value of a name.
func (s *Set) Value(name string) (uint64, bool) {
	for i := range s.Names {
		if s.Names[i].S == name {
			return s.Names[i].V, true
		}
	}
	return 0, false
}

// Flags splits v into names, joined by "|"; bits without a name are in hex at
// the end.
func (s *Set) Flags(v uint64) string { return string(s.appendFlags(nil, v)) }

func (s *Set) appendFlags(b []byte, v uint64) []byte {
	if s == nil {
		return appendHex(b, v)
	}
	if v == 0 {
		if n := s.Name(0); n != "" {
			return append(b, n...)
		}
		return append(b, '0')
	}
	before := len(b)
	b, rest := s.appendNames(b, v)
	switch {
	case rest == 0:
	case len(b) > before:
		b = appendHex(append(b, '|'), rest)
	default:
		b = s.comment(appendHex(b, rest))
	}
	return b
}

// appendMore appends flags behind something else: each begins with "|".
func (s *Set) appendMore(b []byte, v uint64) []byte {
	if v == 0 {
		return b
	}
	before := len(b) + 1
	b, rest := s.appendNames(append(b, '|'), v)
	if rest != 0 {
		if len(b) > before {
			b = append(b, '|')
		}
		b = appendHex(b, rest)
	}
	return b
}

// appendNames appends the names in v and returns the bits that have none.
func (s *Set) appendNames(b []byte, v uint64) ([]byte, uint64) {
	some := false
	for i := range s.Names {
		if n := &s.Names[i]; n.V != 0 && v&n.V == n.V {
			if some {
				b = append(b, '|')
			}
			b = append(b, n.S...)
			v &^= n.V
			some = true
		}
	}
	return b, v
}

// Enum returns the name of v, or v in hex with a remark.
func (s *Set) Enum(v uint64) string { return string(s.appendEnum(nil, v)) }

func (s *Set) appendEnum(b []byte, v uint64) []byte {
	if n := s.Name(v); n != "" {
		return append(b, n...)
	}
	b = appendHex(b, v)
	if s != nil {
		b = s.comment(b)
	}
	return b
}

func (s *Set) comment(b []byte) []byte {
	if s.Unknown == "" {
		return b
	}
	b = append(b, " /* "...)
	b = append(b, s.Unknown...)
	return append(b, " */"...)
}

// appendHex prints as C's %#x does: zero has no prefix.
func appendHex(b []byte, v uint64) []byte {
	if v == 0 {
		return append(b, '0')
	}
	return strconv.AppendUint(append(b, "0x"...), v, 16)
}

// setNoFlags is for flags of which there are none yet.
var setNoFlags = &Set{}
