package filter

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Value is one value of a field; its type says which part counts.
type Value struct {
	N uint64 // Bool (0, 1), Uint; Int, Duration and Time as int64; of an address literal, prefix length + 1
	S string
	B []byte
	A netip.Addr // IPv4, IPv6
}

// Constructors for getters.

// U is an unsigned integer.
func U(n uint64) Value { return Value{N: n} }

// I is a signed integer, a duration in ns, or a time in ns since 1970.
func I(n int64) Value { return Value{N: uint64(n)} }

// S is a string.
func S(s string) Value { return Value{S: s} }

// B is a byte string.
func B(b []byte) Value { return Value{B: b} }

// A is an address.
func A(a netip.Addr) Value { return Value{A: a} }

// Append appends a value of type t as text: integers in decimal, durations in
// seconds, times as RFC 3339 in UTC, bytes in hex.
func (v *Value) Append(b []byte, t Type) []byte {
	switch t {
	case Bool, Uint:
		return strconv.AppendUint(b, v.N, 10)
	case Int:
		return strconv.AppendInt(b, int64(v.N), 10)
	case Duration:
		return appendSeconds(b, int64(v.N))
	case Time:
		return time.Unix(0, int64(v.N)).UTC().AppendFormat(b, "2006-01-02T15:04:05.000000000Z")
	case String:
		return append(b, v.S...)
	case Bytes:
		return hex.AppendEncode(b, v.B)
	case IPv4, IPv6:
		return v.A.AppendTo(b)
	case Ether:
		for i, x := range v.B {
			if i > 0 {
				b = append(b, ':')
			}
			b = hex.AppendEncode(b, []byte{x})
		}
	}
	return b
}

// appendSeconds writes ns as seconds with nine digits, as tshark does.
func appendSeconds(b []byte, ns int64) []byte {
	u := uint64(ns)
	if ns < 0 {
		b = append(b, '-')
		u = -u
	}
	b = strconv.AppendUint(b, u/1e9, 10)
	frac := strconv.FormatUint(u%1e9+1e9, 10)
	b = append(b, '.')
	return append(b, frac[1:]...)
}

// integer says that values are numbers that mix in comparisons and arithmetic.
func (t Type) integer() bool { return t == Bool || t == Int || t == Uint }

// text says that values are strings of characters or bytes.
func (t Type) text() bool { return t == String || t == Bytes || t == Ether }

func (t Type) address() bool { return t == IPv4 || t == IPv6 }

// bytes are the bytes of a value, to be sliced.
func (v *Value) bytes(t Type, scratch []byte) []byte {
	switch {
	case t == String:
		return append(scratch, v.S...)
	case t.address():
		if v.A.Is4() {
			a := v.A.As4()
			return append(scratch, a[:]...)
		}
		a := v.A.As16()
		return append(scratch, a[:]...)
	}
	return v.B
}

// compare orders two values of types that comparable allows.
func compare(a *Value, ta Type, b *Value, tb Type) int {
	switch {
	case ta.integer():
		an, bn := ta == Int && int64(a.N) < 0, tb == Int && int64(b.N) < 0
		switch {
		case an && !bn:
			return -1
		case bn && !an:
			return 1
		}
		if an {
			return cmp.Compare(int64(a.N), int64(b.N))
		}
		return cmp.Compare(a.N, b.N)
	case ta == Duration, ta == Time:
		return cmp.Compare(int64(a.N), int64(b.N))
	case ta.address():
		if b.N > 0 && a.A.BitLen() == b.A.BitLen() { // a prefix
			if p, err := a.A.Prefix(int(b.N) - 1); err == nil {
				return p.Addr().Compare(b.A)
			}
		}
		return a.A.Compare(b.A)
	case ta == String && tb == String:
		return strings.Compare(a.S, b.S)
	case ta == String:
		return compareMixed(a.S, b.B)
	case tb == String:
		return -compareMixed(b.S, a.B)
	}
	return bytes.Compare(a.B, b.B)
}

// compareMixed is bytes.Compare without a conversion.
func compareMixed(s string, b []byte) int {
	for i := 0; i < len(s) && i < len(b); i++ {
		if s[i] != b[i] {
			return cmp.Compare(s[i], b[i])
		}
	}
	return cmp.Compare(len(s), len(b))
}

// comparable says whether values of two types compare.
func comparable(a, b Type) bool {
	switch {
	case a == Protocol || b == Protocol:
		return false
	case a == b, a.integer() && b.integer(), a.text() && b.text():
		return true
	}
	return false
}

func contains(a *Value, ta Type, b *Value, tb Type) bool {
	switch {
	case ta == String && tb == String:
		return strings.Contains(a.S, b.S)
	case ta == String:
		return strings.Contains(a.S, string(b.B))
	case tb == String:
		return bytes.Contains(a.B, []byte(b.S))
	}
	return bytes.Contains(a.B, b.B)
}

// didYouMean proposes the word of list that is nearest to a mistyped one.
func didYouMean(word string, list []string) string {
	best, at := "", len(word)/3+2
	for _, w := range list {
		if d := distance(word, w, at); d < at {
			best, at = w, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the number of edits (insert, delete, change, swap) between two
// words, or limit when it is not below that.
func distance(a, b string, limit int) int {
	const long = 64
	if len(a) > long || len(b) > long || len(a)-len(b) >= limit || len(b)-len(a) >= limit || !utf8.ValidString(a) {
		return limit
	}
	var rows [3][long + 1]int
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, now := &rows[(i+2)%3], &rows[i%3], &rows[(i+1)%3]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if lower(a[i-1]) != lower(b[j-1]) {
				change++
			}
			now[j] = min(change, last[j]+1, now[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
	}
	return min(rows[(len(a)+1)%3][len(b)], limit)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
