// Package filter is Wireshark's display-filter language (wireshark-filter(4))
// over rows of any type: comparisons, sets, slices, functions, arithmetic.
//
//	http.response.code >= 400 && ip.addr == 10.0.0.0/8
//	syscall.error == EPIPE or py.exception in {URLError, OSError}
//
// It knows no row and no field. Whoever has rows declares their fields, a line
// each, and [Compile] checks a text against them and makes a [Program], which
// asks a row for the fields that it needs and allocates nothing (but for
// upper, lower, string and vals).
//
// Where a field has several values in a row (ip.addr: source and destination),
// == and the orders hold when some value fits, != when none is equal; "any" and
// "all" before a comparison say it otherwise. A comparison with a field that
// the row lacks is false. Different from Wireshark: a bare word is a string
// where a string is wanted (py.exception == URLError), regular expressions are
// RE2's, and there are no layers (#), raw fields (@), references (${}), macros,
// floating-point fields or host names in the place of addresses.
package filter

import (
	"fmt"
	"slices"
	"strings"
)

// Type says what a field's values are and which literals they compare with.
type Type uint8

// Types.
const (
	Protocol Type = iota // present or not, no value
	Bool                 // present only where it is true, so that its bare name is a test
	Int
	Uint
	Duration // ns; a literal is a number of seconds, or has a unit: 20ms
	Time     // ns since 1970
	String
	Bytes
	IPv4
	IPv6
	Ether
	nTypes
)

var typeNames = [nTypes]string{"protocol", "boolean", "signed integer", "unsigned integer", "duration", "date and time",
	"string", "bytes", "IPv4 address", "IPv6 address", "Ethernet address"}

// String returns the type as documentation names it, e.g. "unsigned integer".
func (t Type) String() string { return typeNames[t] }

// Group is a set of fields that a row has all or none of, as one bit.
type Group uint8

// Field declares one field of rows of type R.
type Field[R any] struct {
	Name  string
	Type  Type
	Doc   string // a line without a full stop
	Group Group

	// Get appends the field's values in a row, nothing when the row lacks it.
	Get func(row *R, to []Value) []Value

	// Words are all values that a string can have; nil when any can occur.
	Words func() []string
	// Number and Word relate an integer's values to symbols; both may be nil.
	Number func(word string) (uint64, bool)
	Word   func(n uint64) string
}

// Table is a set of fields.
type Table[R any] struct {
	fields []Field[R] // by name
	byName map[string]int
}

// NewTable makes a table of lists of fields. Names are unique.
func NewTable[R any](lists ...[]Field[R]) *Table[R] {
	t := &Table[R]{fields: slices.Concat(lists...), byName: map[string]int{}}
	slices.SortFunc(t.fields, func(a, b Field[R]) int { return strings.Compare(a.Name, b.Name) })
	for i := range t.fields {
		t.byName[t.fields[i].Name] = i
	}
	return t
}

// Fields are the fields in the order of their names.
func (t *Table[R]) Fields() []Field[R] { return t.fields }

// Find returns the field called name. Where there is none the error says which
// one may have been meant.
func (t *Table[R]) Find(name string) (*Field[R], error) {
	if i, ok := t.byName[name]; ok {
		return &t.fields[i], nil
	}
	return nil, fmt.Errorf("no field %q%s", name, didYouMean(name, t.names()))
}

func (t *Table[R]) names() []string {
	list := make([]string, len(t.fields))
	for i := range t.fields {
		list[i] = t.fields[i].Name
	}
	return list
}

// Error is a fault of a filter's text.
type Error struct {
	Text       string // the whole filter
	Start, End int    // what is wrong, in bytes
	Msg        string
}

// Error returns the message and below it the place.
func (e *Error) Error() string {
	start := min(e.Start, len(e.Text))
	end := min(max(e.End, start+1), max(len(e.Text), start+1))
	blank := func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}
	mark := len([]rune(e.Text[start:min(end, len(e.Text))]))
	return fmt.Sprintf("%s\n    %s\n    %s^%s", e.Msg, strings.Map(printable, e.Text), strings.Map(blank, e.Text[:start]), strings.Repeat("~", max(mark-1, 0)))
}

func printable(r rune) rune {
	if r == '\t' || r >= ' ' && r != 0x7f {
		return r
	}
	return ' '
}

// Program is a compiled filter. It is for one goroutine at a time.
type Program[R any] struct {
	fields []Field[R]
	row    *R
	m      machine
	test   test
	root   *node
	needs  Group
}

// Compile checks a filter and prepares it. An error is an *Error. The empty
// text lets everything through.
func Compile[R any](t *Table[R], text string) (*Program[R], error) {
	s := schema{byName: t.byName, names: t.names(), defs: make([]def, len(t.fields))}
	for i := range t.fields {
		f := &t.fields[i]
		s.defs[i] = def{f.Name, f.Type, f.Group, f.Words, f.Number, f.Word}
	}
	p := &Program[R]{fields: t.fields}
	p.m.fetch = func(i int, to []Value) []Value { return p.fields[i].Get(p.row, to) }
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	if root == nil {
		p.test = func(*machine) bool { return true }
		return p, nil
	}
	c := &checker{schema: &s, text: text}
	if err := c.test(root); err != nil {
		return nil, err
	}
	p.root = root
	p.needs = root.needs(&s)
	p.test = root.compileTest(&s)
	return p, nil
}

// Match reports whether the filter lets row through.
func (p *Program[R]) Match(row *R) bool {
	p.row = row
	return p.test(&p.m)
}

// Needs are the groups of the fields that the filter names.
func (p *Program[R]) Needs() Group { return p.needs }

// Requires reports that no row without the fields of g can pass.
func (p *Program[R]) Requires(g Group) bool {
	if p.root == nil {
		return false
	}
	s := schema{defs: make([]def, len(p.fields))}
	for i := range p.fields {
		s.defs[i].group = p.fields[i].Group
	}
	return p.root.without(&s, g) == no
}
