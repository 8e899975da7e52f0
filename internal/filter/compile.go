package filter

// machine is what compiled code works with.
type machine struct {
	fetch func(field int, to []Value) []Value
}

type (
	expr func(*machine) []Value // no value: something that it needs is absent
	test func(*machine) bool
)

// compileTest makes a test's code. Each value has a buffer of its own, which
// grows to what it needs and stays.
func (n *node) compileTest(s *schema) test {
	switch n.op {
	case opAnd:
		l, r := n.l.compileTest(s), n.r.compileTest(s)
		return func(m *machine) bool { return l(m) && r(m) }
	case opOr:
		l, r := n.l.compileTest(s), n.r.compileTest(s)
		return func(m *machine) bool { return l(m) || r(m) }
	case opXor:
		l, r := n.l.compileTest(s), n.r.compileTest(s)
		return func(m *machine) bool { return l(m) != r(m) }
	case opNot:
		t := n.l.compileTest(s)
		return func(m *machine) bool { return !t(m) }
	case opExists:
		return n.exists(s)
	case opIn:
		return n.member(s)
	case opContains:
		lt, rt := n.l.typ, n.r.typ
		return n.relation(s, func(a, b *Value) bool { return contains(a, lt, b, rt) }, false)
	case opMatches:
		l, re, bytes := n.l.compile(s), n.match, n.l.typ == Bytes
		return each(l, n.quant == allPairs, func(v *Value) bool {
			if bytes {
				return re.Match(v.B)
			}
			return re.MatchString(v.S)
		})
	}
	return n.compare(s)
}

// exists tests that a value is there, or of a computed number that it is not 0.
func (n *node) exists(s *schema) test {
	v := n.l.compile(s)
	nonzero := (n.l.op == opArith || n.l.op == opNeg || n.l.op == opCall) && (n.l.typ.integer() || n.l.typ == Duration)
	return func(m *machine) bool {
		list := v(m)
		if !nonzero {
			return len(list) > 0
		}
		for i := range list {
			if list[i].N != 0 {
				return true
			}
		}
		return false
	}
}

// each tests the values of an expression: some must hold, or all of at least one.
func each(e expr, all bool, holds func(*Value) bool) test {
	return func(m *machine) bool {
		list := e(m)
		for i := range list {
			if holds(&list[i]) != all {
				return !all
			}
		}
		return all && len(list) > 0
	}
}

// relation tests the pairs of two expressions' values; all is how it is when
// the filter has no quantifier.
func (n *node) relation(s *schema, holds func(a, b *Value) bool, all bool) test {
	l := n.l.compile(s)
	switch n.quant {
	case anyPair:
		all = false
	case allPairs:
		all = true
	}
	if n.r.op == opLiteral {
		return each(l, all, func(v *Value) bool { return holds(v, &n.r.val) })
	}
	r := n.r.compile(s)
	return func(m *machine) bool {
		a, b := l(m), r(m)
		for i := range a {
			for j := range b {
				if holds(&a[i], &b[j]) != all {
					return !all
				}
			}
		}
		return all && len(a) > 0 && len(b) > 0
	}
}

func (n *node) compare(s *schema) test {
	lt, rt := n.l.typ, n.r.typ
	if lt == String && rt == String && (n.sym == "==" || n.sym == "===") {
		return n.relation(s, func(a, b *Value) bool { return a.S == b.S }, n.sym == "===")
	}
	order := func(f func(int) bool) func(a, b *Value) bool {
		return func(a, b *Value) bool { return f(compare(a, lt, b, rt)) }
	}
	equal := func(c int) bool { return c == 0 }
	differ := func(c int) bool { return c != 0 }
	switch n.sym {
	case "==":
		return n.relation(s, order(equal), false)
	case "===":
		return n.relation(s, order(equal), true)
	case "!=":
		return n.relation(s, order(differ), true)
	case "!==":
		return n.relation(s, order(differ), false)
	case "<":
		return n.relation(s, order(func(c int) bool { return c < 0 }), false)
	case "<=":
		return n.relation(s, order(func(c int) bool { return c <= 0 }), false)
	case ">":
		return n.relation(s, order(func(c int) bool { return c > 0 }), false)
	}
	return n.relation(s, order(func(c int) bool { return c >= 0 }), false)
}

// member tests membership in a set.
func (n *node) member(s *schema) test {
	type element struct {
		from, to expr
		ft, tt   Type
	}
	lt := n.l.typ
	var set []element
	for _, e := range n.list {
		if e.op == opRange {
			set = append(set, element{e.l.compile(s), e.r.compile(s), e.l.typ, e.r.typ})
		} else {
			set = append(set, element{e.compile(s), nil, e.typ, e.typ})
		}
	}
	within := func(m *machine, v *Value) bool {
		for i := range set {
			e := &set[i]
			from := e.from(m)
			if e.to == nil {
				for j := range from {
					if compare(v, lt, &from[j], e.ft) == 0 {
						return true
					}
				}
				continue
			}
			to := e.to(m)
			for j := range from {
				for k := range to {
					if compare(v, lt, &from[j], e.ft) >= 0 && compare(v, lt, &to[k], e.tt) <= 0 {
						return true
					}
				}
			}
		}
		return false
	}
	l, all := n.l.compile(s), n.quant == allPairs
	return func(m *machine) bool {
		list := l(m)
		for i := range list {
			if within(m, &list[i]) != all {
				return !all
			}
		}
		return all && len(list) > 0
	}
}

// compile makes a value's code.
func (n *node) compile(s *schema) expr {
	var buf []Value
	switch n.op {
	case opField:
		field := n.field
		return func(m *machine) []Value {
			buf = m.fetch(field, buf[:0])
			return buf
		}
	case opNeg:
		e := n.l.compile(s)
		return func(m *machine) []Value {
			buf = buf[:0]
			for _, v := range e(m) {
				buf = append(buf, U(-v.N))
			}
			return buf
		}
	case opArith:
		l, r, f := n.l.compile(s), n.r.compile(s), n.operation()
		return func(m *machine) []Value {
			buf = buf[:0]
			a, b := l(m), r(m)
			for i := range a {
				for j := range b {
					if v, ok := f(a[i].N, b[j].N); ok {
						buf = append(buf, U(v))
					}
				}
			}
			return buf
		}
	case opSlice:
		return n.slice(s)
	case opCall:
		return n.function(s)
	}
	constant := []Value{n.val}
	return func(*machine) []Value { return constant }
}

// operation is the arithmetic of a node; there is no result of a division by 0.
func (n *node) operation() func(a, b uint64) (uint64, bool) {
	signed := n.typ != Uint
	switch n.sym {
	case "+":
		return func(a, b uint64) (uint64, bool) { return a + b, true }
	case "-":
		return func(a, b uint64) (uint64, bool) { return a - b, true }
	case "*":
		return func(a, b uint64) (uint64, bool) { return a * b, true }
	case "&":
		return func(a, b uint64) (uint64, bool) { return a & b, true }
	case "/":
		return func(a, b uint64) (uint64, bool) {
			switch {
			case b == 0:
				return 0, false
			case signed:
				return uint64(int64(a) / int64(b)), true
			}
			return a / b, true
		}
	}
	return func(a, b uint64) (uint64, bool) {
		switch {
		case b == 0:
			return 0, false
		case signed:
			return uint64(int64(a) % int64(b)), true
		}
		return a % b, true
	}
}

// slice makes the code of a slice. A range that is not all within the value
// makes the slice absent, as in Wireshark.
func (n *node) slice(s *schema) expr {
	e, t, ranges := n.l.compile(s), n.l.typ, n.ranges
	var buf []Value
	var room []byte
	return func(m *machine) []Value {
		buf, room = buf[:0], room[:0]
		list := e(m)
		for i := range list {
			from := len(room)
			var own [16]byte
			data := list[i].bytes(t, own[:0])
			ok := true
			for _, r := range ranges {
				start, end, within := r.bounds(len(data))
				if ok = within; !ok {
					break
				}
				room = append(room, data[start:end]...)
			}
			if ok {
				buf = append(buf, B(room[from:len(room):len(room)]))
			} else {
				room = room[:from]
			}
		}
		return buf
	}
}

// bounds turns a range into offsets of a value of n bytes.
func (r span) bounds(n int) (start, end int, ok bool) {
	start = r.at
	if start < 0 {
		start += n
	}
	end = start + r.n
	if r.toEnd {
		end = r.end + 1
		if r.end < 0 {
			end += n
		}
	}
	return start, end, start >= 0 && start < end && end <= n
}
