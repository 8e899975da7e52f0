package filter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// def is what the compiler knows of a field.
type def struct {
	name   string
	typ    Type
	group  Group
	words  func() []string
	number func(string) (uint64, bool)
	word   func(uint64) string
}

type schema struct {
	byName map[string]int
	names  []string
	defs   []def
}

// matcher is a compiled regular expression.
type matcher = *regexp.Regexp

// checker resolves words and types. Literals take the type of what they are
// compared with.
type checker struct {
	schema *schema
	text   string
}

func (c *checker) fail(n *node, format string, args ...any) error {
	return &Error{c.text, n.start, n.end, fmt.Sprintf(format, args...)}
}

// source is the text of a node.
func (c *checker) source(n *node) string { return c.text[n.start:n.end] }

// test checks a node that is true or false.
func (c *checker) test(n *node) error {
	switch n.op {
	case opAnd, opOr, opXor:
		if err := c.test(n.l); err != nil {
			return err
		}
		return c.test(n.r)
	case opNot:
		return c.test(n.l)
	case opExists:
		if err := c.value(n.l); err != nil {
			return err
		}
		if !n.l.typed {
			return c.lonely(n.l)
		}
		return nil
	case opIn:
		return c.in(n)
	case opContains:
		return c.contains(n)
	case opMatches:
		return c.matches(n)
	}
	return c.compare(n)
}

// lonely is the error of a literal that nothing gives a type to.
func (c *checker) lonely(n *node) error {
	if c.name(n) {
		return c.noField(n)
	}
	return c.fail(n, "%s is a constant: a field is missing", c.source(n))
}

// name says that a literal may be a field's name, mistyped.
func (c *checker) name(n *node) bool {
	return n.op == opLiteral && n.tok.kind == tWord && (n.tok.text[0] < '0' || n.tok.text[0] > '9')
}

func (c *checker) noField(n *node) error {
	name := n.tok.text
	return c.fail(n, "no field %q%s", name, didYouMean(name, c.schema.names))
}

// value resolves the words of a value and works out its type, as far as it has
// one of its own.
func (c *checker) value(n *node) error {
	switch n.op {
	case opWord:
		if i, ok := c.schema.byName[n.tok.text]; ok {
			n.op, n.field, n.typ, n.typed = opField, i, c.schema.defs[i].typ, true
			return nil
		}
		n.op = opLiteral
	case opNeg:
		if err := c.value(n.l); err != nil {
			return err
		}
		switch {
		case n.l.op == opLiteral && !n.l.typed:
			lit := *n.l
			lit.minus, lit.start = !lit.minus, n.start
			*n = lit
		case !n.l.typed:
		case n.l.typ == Duration:
			n.typ, n.typed = Duration, true
		case n.l.typ.integer():
			n.typ, n.typed = Int, true
		default:
			return c.fail(n, "a %s has no negative", n.l.typ)
		}
	case opArith:
		return c.arith(n)
	case opSlice:
		if err := c.value(n.l); err != nil {
			return err
		}
		if !n.l.typed {
			return c.lonely(n.l)
		}
		if !n.l.typ.text() && !n.l.typ.address() {
			return c.fail(n.l, "%s is of type %s: only strings, bytes and addresses have slices", c.source(n.l), n.l.typ)
		}
		n.typ, n.typed = Bytes, true
	case opCall:
		return c.call(n)
	}
	return nil
}

// arith gives an arithmetic operation the type of its operands.
func (c *checker) arith(n *node) error {
	if err := c.value(n.l); err != nil {
		return err
	}
	if err := c.value(n.r); err != nil {
		return err
	}
	if !n.l.typed && !n.r.typed {
		return nil // the other side of the comparison decides
	}
	scale := n.sym == "*" || n.sym == "/"
	for _, p := range [...][2]*node{{n.l, n.r}, {n.r, n.l}} {
		if p[0].typed {
			continue
		}
		want := p[1].typ
		switch {
		case scale && want == Duration, want == Bool:
			want = Int
		case want == Time:
			want = Duration
		}
		if err := c.literal(p[0], want, nil, false); err != nil {
			return err
		}
	}
	l, r := n.l.typ, n.r.typ
	sum := n.sym == "+" || n.sym == "-"
	n.typed = true
	switch {
	case l.integer() && r.integer():
		n.typ = Uint
		if l == Int || r == Int || n.sym == "-" {
			n.typ = Int
		}
	case l == Duration && r == Duration && sum:
		n.typ = Duration
	case l == Duration && r.integer() && scale, l.integer() && r == Duration && n.sym == "*":
		n.typ = Duration
	case l == Time && r == Time && n.sym == "-":
		n.typ = Duration
	case l == Time && r == Duration && sum:
		n.typ = Time
	default:
		return c.fail(n, "%q can't be applied to a %s and a %s", n.sym, l, r)
	}
	return nil
}

var mirrored = map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<="}

// pair resolves the two sides of a relation, and turns them so that a literal
// stands on the right.
func (c *checker) pair(n *node) error {
	c.asWord(n.l, n.r)
	c.asWord(n.r, n.l)
	if err := c.value(n.l); err != nil {
		return err
	}
	if err := c.value(n.r); err != nil {
		return err
	}
	if n.l.op == opLiteral && n.r.typed {
		n.l, n.r = n.r, n.l
		if m := mirrored[n.sym]; m != "" {
			n.sym = m
		}
	}
	for _, x := range [...]*node{n.l, n.r} {
		if x.op == opField && x.typ == Protocol {
			return c.fail(x, "%s has no value: it is there or not", c.source(x))
		}
	}
	return nil
}

// asWord takes a bare word for a literal although a field has its name: where
// it is among the values that the other side can have, or where that is a
// string and the field has no value.
func (c *checker) asWord(word, other *node) {
	d := c.def(other)
	w := c.def(word)
	if word.op != opWord || w == nil || d == nil {
		return
	}
	literal := d.typ == String && w.typ == Protocol || d.words != nil && slices.Contains(d.words(), word.tok.text)
	if d.number != nil && !literal {
		_, literal = d.number(word.tok.text)
	}
	if literal {
		word.op = opLiteral
	}
}

// def is the declaration of a field, nil for other nodes.
func (c *checker) def(n *node) *def {
	switch n.op {
	case opField:
		return &c.schema.defs[n.field]
	case opWord:
		if i, ok := c.schema.byName[n.tok.text]; ok {
			return &c.schema.defs[i]
		}
	}
	return nil
}

func (c *checker) compare(n *node) error {
	if err := c.pair(n); err != nil {
		return err
	}
	if !n.l.typed {
		if c.name(n.l) {
			return c.noField(n.l)
		}
		return c.fail(n, "two constants are compared: a field is missing")
	}
	order := n.sym[0] == '<' || n.sym[0] == '>'
	if err := c.fit(n.l, n.r, !order); err != nil {
		return err
	}
	if order && n.r.network() {
		return c.fail(n.r, "a network has no order: it is equal or not")
	}
	return nil
}

// network says that a node is an address literal with a prefix length.
func (n *node) network() bool { return n.op == opLiteral && n.typ.address() && n.val.N > 0 }

// fit makes r comparable with l. Known says that a literal must be one of the
// values that the field can have.
func (c *checker) fit(l, r *node, known bool) error {
	if !r.typed {
		return c.literal(r, l.typ, c.def(l), known)
	}
	if !comparable(l.typ, r.typ) {
		return c.fail(r, "%s is of type %s, and %s of type %s", c.source(l), l.typ, c.source(r), r.typ)
	}
	return nil
}

func (c *checker) in(n *node) error {
	if err := c.value(n.l); err != nil {
		return err
	}
	if !n.l.typed {
		return c.lonely(n.l)
	}
	if n.l.typ == Protocol {
		return c.fail(n.l, "%s has no value: it is there or not", c.source(n.l))
	}
	for _, e := range n.list {
		ends := []*node{e}
		if e.op == opRange {
			ends = []*node{e.l, e.r}
		}
		for _, x := range ends {
			c.asWord(x, n.l)
			if err := c.value(x); err != nil {
				return err
			}
			if err := c.fit(n.l, x, e.op != opRange); err != nil {
				return err
			}
			if e.op == opRange && x.network() {
				return c.fail(x, "a network is no end of a range")
			}
		}
	}
	return nil
}

func (c *checker) contains(n *node) error {
	if err := c.value(n.l); err != nil {
		return err
	}
	if err := c.value(n.r); err != nil {
		return err
	}
	if !n.l.typed {
		return c.lonely(n.l)
	}
	if !n.l.typ.text() {
		return c.fail(n.l, "%s is of type %s: only strings and bytes contain something", c.source(n.l), n.l.typ)
	}
	if !n.r.typed {
		want := n.l.typ
		if want == Ether {
			want = Bytes
		}
		return c.literal(n.r, want, nil, false)
	}
	if !n.r.typ.text() {
		return c.fail(n.r, "%s is of type %s: only strings and bytes are contained", c.source(n.r), n.r.typ)
	}
	return nil
}

func (c *checker) matches(n *node) error {
	if err := c.value(n.l); err != nil {
		return err
	}
	if !n.l.typed {
		return c.lonely(n.l)
	}
	if n.l.typ != String && n.l.typ != Bytes {
		return c.fail(n.l, "%s is of type %s: regular expressions are for strings; string(%s) makes one", c.source(n.l), n.l.typ, c.source(n.l))
	}
	if n.r.op != opLiteral || n.r.tok.kind != tString {
		return c.fail(n.r, "a regular expression stands in double quotes, best as r\"...\"")
	}
	re, err := regexp.Compile("(?i)" + n.r.tok.text)
	if err != nil {
		return c.fail(n.r, "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	n.match = re
	return nil
}

// needs are the groups of the fields in a tree.
func (n *node) needs(s *schema) Group {
	if n == nil {
		return 0
	}
	var g Group
	if n.op == opField {
		g = s.defs[n.field].group
	}
	g |= n.l.needs(s)
	if n.r != n.l {
		g |= n.r.needs(s)
	}
	for _, x := range n.list {
		g |= x.needs(s)
	}
	return g
}

// truth is what is known of a test.
type truth uint8

const (
	unknown truth = iota
	no
	yes
)

// without works out what a test says of rows that lack the fields of g.
func (n *node) without(s *schema, g Group) truth {
	switch n.op {
	case opAnd:
		l, r := n.l.without(s, g), n.r.without(s, g)
		switch {
		case l == no || r == no:
			return no
		case l == yes && r == yes:
			return yes
		}
		return unknown
	case opOr:
		l, r := n.l.without(s, g), n.r.without(s, g)
		switch {
		case l == yes || r == yes:
			return yes
		case l == no && r == no:
			return no
		}
		return unknown
	case opXor:
		l, r := n.l.without(s, g), n.r.without(s, g)
		switch {
		case l == unknown || r == unknown:
			return unknown
		case l != r:
			return yes
		}
		return no
	case opNot:
		return [...]truth{unknown, yes, no}[n.l.without(s, g)]
	case opIn:
		if n.l.needs(s)&g != 0 {
			return no
		}
		return unknown
	}
	if n.needs(s)&g != 0 { // one absent operand makes any relation false
		return no
	}
	return unknown
}
