package filter

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// function describes a function of the language.
type function struct {
	args  int // how many, -1 for one or more
	doc   string
	check func(c *checker, n *node) error // of the arguments, whose types are known; sets the result's
}

// functions are the language's functions by name.
func functions() map[string]function {
	return map[string]function{
		"abs":    {1, "absolute value of a number or duration", numeric},
		"count":  {1, "how often a field occurs in the row", result(Uint)},
		"len":    {1, "bytes of a string or byte string", textual(Uint)},
		"lower":  {1, "a string in lower case", textual(String)},
		"max":    {-1, "largest of the values", numeric},
		"min":    {-1, "smallest of the values", numeric},
		"string": {1, "a value that is no string as text", converted},
		"upper":  {1, "a string in upper case", textual(String)},
		"vals":   {1, "an integer's symbolic name", named},
	}
}

// Functions lists the language's functions with their documentation.
func Functions() [][2]string {
	var out [][2]string
	list := functions()
	for _, name := range slices.Sorted(maps.Keys(list)) {
		out = append(out, [2]string{name, list[name].doc})
	}
	return out
}

func (c *checker) call(n *node) error {
	f, ok := functions()[n.sym]
	if !ok {
		at := &node{start: n.start, end: n.start + len(n.sym)}
		return c.fail(at, "no function %q%s", n.sym, didYouMean(n.sym, slices.Sorted(maps.Keys(functions()))))
	}
	switch {
	case len(n.list) == 0:
		return c.fail(n, "%s wants an argument", n.sym)
	case f.args > 0 && len(n.list) != f.args:
		return c.fail(n, "%s wants one argument, not %d", n.sym, len(n.list))
	}
	var of *node // an argument with a type, for the others
	for _, a := range n.list {
		if err := c.value(a); err != nil {
			return err
		}
		if a.typed && of == nil {
			of = a
		}
	}
	if of == nil {
		return c.lonely(n.list[0])
	}
	for _, a := range n.list {
		if a == of {
			continue
		}
		if err := c.fit(of, a, false); err != nil {
			return err
		}
	}
	n.typed = true
	return f.check(c, n)
}

func result(t Type) func(*checker, *node) error {
	return func(_ *checker, n *node) error { n.typ = t; return nil }
}

func textual(t Type) func(*checker, *node) error {
	return func(c *checker, n *node) error {
		n.typ = t
		a := n.list[0]
		if a.typ != String && (t == String || a.typ != Bytes) {
			return c.fail(a, "%s is of type %s, and %s is for strings", c.source(a), a.typ, n.sym)
		}
		return nil
	}
}

func numeric(c *checker, n *node) error {
	a := n.list[0]
	n.typ = a.typ
	for _, x := range n.list {
		if x.typ == Int {
			n.typ = Int
		}
	}
	if !a.typ.integer() && a.typ != Duration && a.typ != Time {
		return c.fail(a, "%s is of type %s, and %s is for numbers", c.source(a), a.typ, n.sym)
	}
	return nil
}

func converted(c *checker, n *node) error {
	n.typ = String
	if a := n.list[0]; a.typ == String || a.typ == Bytes || a.typ == Protocol {
		return c.fail(a, "%s is of type %s, and string is for what is no string", c.source(a), a.typ)
	}
	return nil
}

func named(c *checker, n *node) error {
	n.typ = String
	a := n.list[0]
	if d := c.def(a); d == nil || d.word == nil {
		return c.fail(a, "%s has no symbolic names", c.source(a))
	}
	return nil
}

// function makes the code of a call.
func (n *node) function(s *schema) expr {
	var args []expr
	for _, a := range n.list {
		args = append(args, a.compile(s))
	}
	arg, t := args[0], n.list[0].typ
	var buf []Value
	mapped := func(f func(v *Value) Value) expr {
		return func(m *machine) []Value {
			buf = buf[:0]
			list := arg(m)
			for i := range list {
				buf = append(buf, f(&list[i]))
			}
			return buf
		}
	}
	switch n.sym {
	case "count":
		return func(m *machine) []Value {
			buf = buf[:0]
			if k := len(arg(m)); k > 0 {
				buf = append(buf, U(uint64(k)))
			}
			return buf
		}
	case "len":
		return mapped(func(v *Value) Value {
			if t == String {
				return U(uint64(len(v.S)))
			}
			return U(uint64(len(v.B)))
		})
	case "lower":
		return mapped(func(v *Value) Value { return S(strings.ToLower(v.S)) })
	case "upper":
		return mapped(func(v *Value) Value { return S(strings.ToUpper(v.S)) })
	case "string":
		return mapped(func(v *Value) Value { return S(string(v.Append(nil, t))) })
	case "vals":
		word := s.defs[n.list[0].field].word
		return mapped(func(v *Value) Value {
			if w := word(v.N); w != "" {
				return S(w)
			}
			return S(strconv.FormatUint(v.N, 10))
		})
	case "abs":
		return mapped(func(v *Value) Value {
			if t != Uint && int64(v.N) < 0 {
				return U(-v.N)
			}
			return *v
		})
	}
	// max and min: of all values, absent when an argument is.
	sign := 1
	if n.sym == "min" {
		sign = -1
	}
	types := make([]Type, len(args))
	for i, a := range n.list {
		types[i] = a.typ
	}
	return func(m *machine) []Value {
		buf = buf[:0]
		best, bt := Value{}, Type(0)
		for i, a := range args {
			list := a(m)
			if len(list) == 0 {
				return buf
			}
			for j := range list {
				if i+j == 0 || sign*compare(&list[j], types[i], &best, bt) > 0 {
					best, bt = list[j], types[i]
				}
			}
		}
		buf = append(buf, best)
		return buf
	}
}
