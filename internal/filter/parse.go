package filter

import (
	"strconv"
	"strings"
)

// op is what a node does.
type op uint8

const (
	opAnd op = iota
	opOr
	opXor
	opNot
	opExists   // l as a test: it is there, or of arithmetic that it is not 0
	opCompare  // l sym r
	opContains // l contains r
	opMatches
	opIn    // l in list, of which an opRange has two ends
	opRange // l .. r
	opWord  // a field or a literal, not known yet
	opField
	opLiteral
	opArith // l sym r
	opNeg
	opSlice
	opCall // of function sym
)

// quantifier is what "any" and "all" before a relation say.
type quantifier uint8

const (
	byDefault quantifier = iota
	anyPair
	allPairs
)

type node struct {
	op         op
	sym        string
	l, r       *node
	list       []*node
	start, end int
	quant      quantifier
	closed     bool // in brackets: no chain of comparisons goes on behind it

	tok    token // of a word or literal
	minus  bool  // before a literal
	ranges []span

	// From the check.
	field int
	typ   Type
	typed bool // else a literal whose type the other side decides
	val   Value
	match matcher
}

// span is one range of a slice: from offset at (below 0: from the end), n bytes
// or, with toEnd, to the offset end, which is part of it.
type span struct {
	at, n, end int
	toEnd      bool
}

// test says that a node is true or false and no value.
func (n *node) test() bool { return n.op <= opIn }

// maxDepth bounds how deep a filter nests.
const maxDepth = 500

type parser struct {
	l     lexer
	tok   token
	depth int
}

// Binding powers, weakest first.
const (
	pOr = iota + 1
	pXor
	pAnd
	pNot
	pCompare
	pBits
	pSum
	pProduct
	pUnary
)

var binary = map[string]int{
	"||": pOr, "^^": pXor, "&&": pAnd,
	"==": pCompare, "!=": pCompare, "===": pCompare, "!==": pCompare, ">": pCompare, "<": pCompare, ">=": pCompare, "<=": pCompare,
	"contains": pCompare, "matches": pCompare, "in": pCompare, "!": pCompare, // "not in"
	"&": pBits, "+": pSum, "-": pSum, "*": pProduct, "/": pProduct, "%": pProduct,
}

// parse makes the tree of a filter, nil for one that has only blanks.
func parse(text string) (*node, error) {
	p := &parser{l: lexer{text: text}}
	if err := p.advance(true); err != nil || p.tok.kind == tEnd {
		return nil, err
	}
	n, err := p.expr(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tEnd {
		return nil, p.unexpected()
	}
	return asTest(n), nil
}

func (p *parser) advance(operand bool) (err error) {
	p.tok, err = p.l.next(operand)
	return err
}

func (p *parser) is(op string) bool { return p.tok.kind == tOp && p.tok.text == op }

func (p *parser) failAt(n *node, format string, args ...any) error {
	return p.l.fail(n.start, n.end, format, args...)
}

func (p *parser) unexpected() error {
	if p.tok.kind == tEnd {
		return p.l.fail(p.tok.start, p.tok.end, "the filter ends where something is missing")
	}
	return p.l.fail(p.tok.start, p.tok.end, "%q is not expected here", p.l.text[p.tok.start:p.tok.end])
}

func asTest(n *node) *node {
	if n.test() {
		return n
	}
	return &node{op: opExists, l: n, start: n.start, end: n.end}
}

// expr parses operators that bind at least as strongly as power.
func (p *parser) expr(power int) (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.l.fail(p.tok.start, p.tok.end, "the filter nests too deep")
	}
	defer func() { p.depth-- }()
	left, err := p.prefix()
	if err != nil {
		return nil, err
	}
	for p.tok.kind == tOp {
		sym := p.tok.text
		bp := binary[sym]
		if bp == 0 || bp < power {
			break
		}
		if left, err = p.infix(left, sym, bp); err != nil {
			return nil, err
		}
	}
	return left, nil
}

func (p *parser) infix(left *node, sym string, bp int) (*node, error) {
	at := p.tok
	if err := p.advance(true); err != nil {
		return nil, err
	}
	chain := left.op == opCompare && !left.closed // a < b < c
	if bp >= pCompare && left.test() && !(chain && bp == pCompare) {
		return nil, p.l.fail(at.start, at.end, "%q wants values, and what is before it is a test", sym)
	}
	switch sym {
	case "in", "!":
		if sym == "!" {
			if !p.is("in") {
				return nil, p.l.fail(at.start, at.end, "%q is not expected here", p.l.text[at.start:at.end])
			}
			if err := p.advance(true); err != nil {
				return nil, err
			}
		}
		n, err := p.set(left)
		if err == nil && sym == "!" {
			n = &node{op: opNot, l: n, start: n.start, end: n.end}
		}
		return n, err
	}
	right, err := p.expr(bp + 1)
	if err != nil {
		return nil, err
	}
	n := &node{l: left, r: right, sym: sym, start: left.start, end: right.end}
	switch bp {
	case pOr, pXor, pAnd:
		n.op = map[int]op{pOr: opOr, pXor: opXor, pAnd: opAnd}[bp]
		n.l, n.r = asTest(left), asTest(right)
		return n, nil
	}
	if right.test() {
		return nil, p.failAt(right, "%q wants values, and this is a test", sym)
	}
	switch {
	case bp > pCompare:
		n.op = opArith
	case sym == "contains":
		n.op = opContains
	case sym == "matches":
		n.op = opMatches
	default:
		n.op = opCompare
	}
	if chain {
		if n.op != opCompare {
			return nil, p.l.fail(at.start, at.end, "%q wants values, and what is before it is a test", sym)
		}
		again := *left.r
		n.l = &again
		return &node{op: opAnd, l: left, r: n, start: left.start, end: n.end}, nil
	}
	return n, nil
}

// prefix parses an operand with what stands before it.
func (p *parser) prefix() (*node, error) {
	t := p.tok
	if t.kind != tOp {
		n, err := p.operand()
		if err != nil {
			return nil, err
		}
		return p.postfix(n)
	}
	switch t.text {
	case "!", "any", "all":
		if err := p.advance(true); err != nil {
			return nil, err
		}
		power := pNot
		if t.text != "!" {
			power = pCompare
		}
		n, err := p.expr(power)
		if err != nil {
			return nil, err
		}
		if t.text == "!" {
			return &node{op: opNot, l: asTest(n), start: t.start, end: n.end}, nil
		}
		if n.op < opCompare || n.op > opIn {
			return nil, p.l.fail(t.start, t.end, "%q wants a comparison behind it", t.text)
		}
		n.quant = anyPair
		if t.text == "all" {
			n.quant = allPairs
		}
		n.start = t.start
		return n, nil
	case "+", "-":
		if err := p.advance(true); err != nil {
			return nil, err
		}
		n, err := p.expr(pUnary)
		if err != nil {
			return nil, err
		}
		if n.test() {
			return nil, p.failAt(n, "%q wants a value, and this is a test", t.text)
		}
		n.start = t.start
		if t.text == "-" {
			n = &node{op: opNeg, l: n, start: t.start, end: n.end}
		}
		return n, nil
	case "(", "{":
		if err := p.advance(true); err != nil {
			return nil, err
		}
		n, err := p.expr(0)
		if err != nil {
			return nil, err
		}
		closing := map[string]string{"(": ")", "{": "}"}[t.text]
		if !p.is(closing) {
			if p.tok.kind == tEnd {
				return nil, p.l.fail(t.start, t.end, "%q is never closed", t.text)
			}
			return nil, p.unexpected()
		}
		if t.text == "{" && n.test() {
			return nil, p.l.fail(t.start, p.tok.end, "curly brackets group arithmetic; tests stand in round ones")
		}
		n.closed = true
		if err := p.advance(false); err != nil {
			return nil, err
		}
		return p.postfix(n)
	}
	return nil, p.unexpected()
}

// operand parses a word, a literal or a function call.
func (p *parser) operand() (*node, error) {
	t := p.tok
	if t.kind == tEnd {
		return nil, p.unexpected()
	}
	if err := p.advance(false); err != nil {
		return nil, err
	}
	n := &node{op: opLiteral, tok: t, start: t.start, end: t.end}
	if t.kind == tWord {
		n.op = opWord
		if p.is("(") && p.tok.start == t.end {
			return p.call(n)
		}
	}
	return n, nil
}

func (p *parser) call(n *node) (*node, error) {
	n.op, n.sym = opCall, n.tok.text
	if err := p.advance(true); err != nil {
		return nil, err
	}
	for !p.is(")") {
		if len(n.list) > 0 {
			if !p.is(",") {
				return nil, p.unexpected()
			}
			if err := p.advance(true); err != nil {
				return nil, err
			}
		}
		a, err := p.expr(pBits)
		if err != nil {
			return nil, err
		}
		if a.test() {
			return nil, p.failAt(a, "%s wants values, and this is a test", n.sym)
		}
		n.list = append(n.list, a)
	}
	n.end = p.tok.end
	return n, p.advance(false)
}

// postfix parses slices.
func (p *parser) postfix(n *node) (*node, error) {
	for p.is("[") {
		open := p.tok
		if n.test() {
			return nil, p.l.fail(open.start, open.end, "a test has no slices")
		}
		inner, err := p.l.brackets(open.start)
		if err != nil {
			return nil, err
		}
		n = &node{op: opSlice, l: n, start: n.start, end: p.l.at}
		for part := range strings.SplitSeq(inner, ",") {
			s, ok := parseSpan(strings.TrimSpace(part))
			if !ok {
				return nil, p.l.fail(open.start, p.l.at, "%q is no slice: it is [offset:length], [first-last], [offset], [:length] or [offset:]", strings.TrimSpace(part))
			}
			n.ranges = append(n.ranges, s)
		}
		if err := p.advance(false); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// parseSpan reads one range of a slice.
func parseSpan(s string) (r span, ok bool) {
	number := func(s string) (int, bool) {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 0, 32)
		return int(n), err == nil
	}
	if i := strings.IndexByte(s, ':'); i >= 0 {
		from, n := s[:i], s[i+1:]
		if from != "" {
			if r.at, ok = number(from); !ok {
				return r, false
			}
		}
		if strings.TrimSpace(n) == "" {
			r.toEnd, r.end = true, -1
			return r, from != ""
		}
		r.n, ok = number(n)
		return r, ok && r.n > 0
	}
	if i := strings.IndexByte(s[min(1, len(s)):], '-'); i >= 0 {
		var ok2 bool
		r.at, ok = number(s[:i+1])
		r.end, ok2 = number(s[i+2:])
		r.toEnd = true
		return r, ok && ok2 && !(r.at >= 0 == (r.end >= 0) && r.end < r.at)
	}
	r.at, ok = number(s)
	r.n = 1
	return r, ok
}

// set parses what follows "in".
func (p *parser) set(left *node) (*node, error) {
	if !p.is("{") {
		return nil, p.l.fail(p.tok.start, p.tok.end, "\"in\" wants a set in curly brackets: {80, 443, 8000..8999}")
	}
	open := p.tok
	n := &node{op: opIn, l: left, start: left.start}
	if err := p.advance(true); err != nil {
		return nil, err
	}
	for {
		e, err := p.expr(pBits)
		if err != nil {
			return nil, err
		}
		if p.is("..") {
			if err := p.advance(true); err != nil {
				return nil, err
			}
			to, err := p.expr(pBits)
			if err != nil {
				return nil, err
			}
			e = &node{op: opRange, l: e, r: to, start: e.start, end: to.end}
		}
		if e.test() {
			return nil, p.failAt(e, "a set has values, and this is a test")
		}
		n.list = append(n.list, e)
		if p.is("}") {
			break
		}
		if !p.is(",") {
			if p.tok.kind == tEnd {
				return nil, p.l.fail(open.start, open.end, "the set is never closed")
			}
			return nil, p.l.fail(p.tok.start, p.tok.end, "a comma is missing between the values of a set")
		}
		if err := p.advance(true); err != nil {
			return nil, err
		}
	}
	n.end = p.tok.end
	return n, p.advance(false)
}
