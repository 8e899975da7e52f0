package filter

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// literal gives a constant, or arithmetic of constants, a type. D is the field
// that it is compared with, nil when it is none; known says that it must be one
// of that field's values.
func (c *checker) literal(n *node, t Type, d *def, known bool) error {
	if n.op == opNeg { // of arithmetic of constants
		if !t.integer() && t != Duration {
			return c.fail(n, "a %s has no negative", t)
		}
		if t.integer() {
			t = Int
		}
		n.typ, n.typed = t, true
		return c.literal(n.l, t, nil, false)
	}
	if n.op == opArith {
		if !t.integer() && t != Duration {
			return c.fail(n, "there is no arithmetic with constants of type %s", t)
		}
		for _, x := range [...]*node{n.l, n.r} {
			want := t
			if t == Duration && (n.sym == "*" || n.sym == "/") && x == n.r {
				want = Int
			}
			if err := c.literal(x, want, nil, false); err != nil {
				return err
			}
		}
		n.typ, n.typed = t, true
		return nil
	}
	n.typ, n.typed = t, true
	text := n.tok.text
	if n.minus {
		text = "-" + text
	}
	number := n.tok.kind == tWord || n.tok.kind == tChar
	switch t {
	case Bool, Int, Uint:
		if d != nil && d.number != nil && !n.minus {
			if v, ok := d.number(text); ok {
				n.val = U(v)
				return nil
			}
		}
		v, typ, ok := integer(text)
		if t == Bool && !ok {
			ok, v = true, 1
			switch strings.ToLower(text) {
			case "true":
			case "false":
				v = 0
			default:
				ok = false
			}
		}
		if number && ok {
			n.val = U(v)
			n.typ = typ
			return nil
		}
	case Duration:
		if v, ok := duration(text); ok {
			n.val = I(v)
			return nil
		}
	case Time:
		if v, ok := clock(text); ok {
			n.val = I(v)
			return nil
		}
	case String:
		return c.word(n, text, d, known)
	case Bytes, Ether:
		if b, ok := c.bytes(n, text, t); ok {
			n.val = B(b)
			return nil
		}
	case IPv4, IPv6:
		if v, ok := address(text, t); ok {
			n.val = v
			return nil
		}
	}
	return c.noLiteral(n, text, t, d)
}

// noLiteral says what is wrong with a constant: it is of another type, or a
// field or a symbol's name was mistyped.
func (c *checker) noLiteral(n *node, text string, t Type, d *def) error {
	if n.tok.kind == tWord {
		if i, ok := c.schema.byName[text]; ok && c.schema.defs[i].typ == Protocol {
			return c.fail(n, "%s has no value: it is there or not", text)
		}
		if c.family(text) {
			return c.noField(n)
		}
	}
	hint := ""
	switch t {
	case Duration:
		hint = ": it is a number of seconds, or has a unit, as 20ms"
	case Time:
		hint = ": it is \"2026-11-24 22:30:00\", with Z or +01:00 behind it where it is not local"
	case Bytes:
		hint = ": they are hexadecimal, as 0d:0a; a string stands in double quotes"
	case Bool:
		hint = ": it is true or false"
	}
	what := "no " + t.String()
	if d != nil && d.number != nil {
		what += " and no name that " + d.name + " has"
	}
	return c.fail(n, "%s is %s%s", c.source(n), what, hint)
}

// family says that a word looks like a field: its first part is one.
func (c *checker) family(word string) bool {
	head, _, dot := strings.Cut(word, ".")
	_, ok := c.schema.byName[head]
	return dot && ok
}

// word takes a constant for a string.
func (c *checker) word(n *node, text string, d *def, known bool) error {
	if n.tok.kind == tWord && c.family(text) {
		return c.noField(n)
	}
	if n.tok.kind == tChar {
		v, _ := strconv.Atoi(text)
		text = string([]byte{byte(v)})
	}
	n.val = S(text)
	if !known || d == nil || d.words == nil {
		return nil
	}
	words := d.words()
	for _, w := range words {
		if w == text {
			return nil
		}
	}
	return c.fail(n, "%s is never %q%s", d.name, text, didYouMean(text, words))
}

// integer reads a number: decimal, 0x hexadecimal, 0b binary, 0 octal.
func integer(s string) (v uint64, t Type, ok bool) {
	if strings.ContainsRune(s, '_') {
		return 0, 0, false
	}
	if strings.HasPrefix(s, "-") {
		i, err := strconv.ParseInt(s, 0, 64)
		return uint64(i), Int, err == nil
	}
	v, err := strconv.ParseUint(s, 0, 64)
	return v, Uint, err == nil
}

// duration reads a number of seconds, or numbers with units.
func duration(s string) (ns int64, ok bool) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && !strings.ContainsAny(s, "xXpP_nN") {
		whole, frac, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
		if w, err := strconv.ParseUint(whole, 10, 33); err == nil && len(frac) <= 9 && !strings.ContainsAny(frac, "eE") { // exactly
			n, _ := strconv.ParseUint((frac + "000000000")[:9], 10, 64)
			ns = int64(w)*1e9 + int64(n)
			if s[0] == '-' {
				ns = -ns
			}
			return ns, true
		}
		if f > -9e9 && f < 9e9 {
			return int64(f * 1e9), true
		}
		return 0, false
	}
	d, err := time.ParseDuration(s)
	return int64(d), err == nil
}

// clockLayouts are the forms of a date and time; one without a zone is local.
var clockLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02", "Jan _2, 2006 15:04:05", "Jan _2, 2006",
}

// clock reads a date and time, or seconds since 1970.
func clock(s string) (ns int64, ok bool) {
	for _, l := range clockLayouts {
		if t, err := time.ParseInLocation(l, s, time.Local); err == nil && t.Year() > 1678 && t.Year() < 2262 {
			return t.UnixNano(), true
		}
	}
	if s != "" && s[0] >= '0' && s[0] <= '9' && strings.Trim(s, "0123456789.") == "" {
		return duration(s)
	}
	return 0, false
}

// bytes reads a byte string: hexadecimal with or without separators, or the
// characters of a string.
func (c *checker) bytes(n *node, s string, t Type) ([]byte, bool) {
	if n.minus {
		return nil, false
	}
	switch {
	case n.tok.kind == tString && t == Bytes:
		return []byte(s), true
	case n.tok.kind == tChar:
		v, err := strconv.ParseUint(s, 10, 8)
		return []byte{byte(v)}, err == nil
	}
	if hexed, ok := strings.CutPrefix(s, "0x"); ok && len(hexed)%2 == 0 {
		s = hexed
	}
	sep := func(r rune) bool { return r == ':' || r == '.' || r == '-' }
	var b []byte
	for part := range strings.FieldsFuncSeq(s, sep) {
		if len(part) == 1 {
			part = "0" + part
		}
		p, err := hex.DecodeString(part)
		if err != nil {
			return nil, false
		}
		b = append(b, p...)
	}
	return b, len(b) > 0 && (t != Ether || len(b) == 6)
}

// address reads an address or a network.
func address(s string, t Type) (Value, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return A(a), a.Zone() == "" && a.Is4() == (t == IPv4)
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4() != (t == IPv4) {
		return Value{}, false
	}
	return Value{A: p.Masked().Addr(), N: uint64(p.Bits()) + 1}, true
}
