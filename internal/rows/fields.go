package rows

import (
	"net/netip"
	"sync"

	"culprit/internal/filter"
)

// Groups of fields, by what they need.
const (
	// Envelope fields are in every row, also of a stream.
	Envelope filter.Group = 1 << iota
	// Kernel fields are in rows of the kernel lens, also of a stream.
	Kernel
	// Linked fields need the whole timeline.
	Linked
	// Said fields are in rows of messages: what was said, not how it was carried.
	Said
	// Whole fields are known only when a message has come to its end.
	Whole
)

// Fields are all fields of a row. The table is made on its first use: most
// commands do without.
var Fields = sync.OnceValue(func() *filter.Table[Row] {
	return filter.NewTable(frameFields, processFields, syscallFields, argFields(), kernelFields, pythonFields,
		netFields, packetFields, said(tlsFields), said(httpFields), said(http2Fields), said(quicFields), said(grpcFields), said(webSocketFields), said(dnsFields))
})

// said puts fields into the group of what was said.
func said(list []Field) []Field {
	for i := range list {
		list[i].Group |= Said
	}
	return list
}

// Field is one field of a row.
type Field = filter.Field[Row]

type group = filter.Group

// The words of the tables. What they return for "the row lacks it" is "", false
// or an invalid address.

func field(name string, t filter.Type, g group, doc string, get func(r *Row, to []filter.Value) []filter.Value) Field {
	return Field{Name: name, Type: t, Group: g, Doc: doc, Get: get}
}

// protocol is a field that is there or not.
func protocol(name string, g group, doc string, has func(*Row) bool) Field {
	return field(name, filter.Protocol, g, doc, func(r *Row, to []filter.Value) []filter.Value {
		if has(r) {
			to = append(to, filter.Value{})
		}
		return to
	})
}

// mark is a boolean that is there only when it is true.
func mark(name string, g group, doc string, is func(*Row) bool) Field {
	return field(name, filter.Bool, g, doc, func(r *Row, to []filter.Value) []filter.Value {
		if is(r) {
			to = append(to, filter.U(1))
		}
		return to
	})
}

func text(name string, g group, doc string, get func(*Row) string) Field {
	return field(name, filter.String, g, doc, func(r *Row, to []filter.Value) []filter.Value {
		if s := get(r); s != "" {
			to = append(to, filter.S(s))
		}
		return to
	})
}

func number(name string, g group, doc string, get func(*Row) (uint64, bool)) Field {
	return field(name, filter.Uint, g, doc, func(r *Row, to []filter.Value) []filter.Value {
		if n, ok := get(r); ok {
			to = append(to, filter.U(n))
		}
		return to
	})
}

func signed(name string, t filter.Type, g group, doc string, get func(*Row) (int64, bool)) Field {
	return field(name, t, g, doc, func(r *Row, to []filter.Value) []filter.Value {
		if n, ok := get(r); ok {
			to = append(to, filter.I(n))
		}
		return to
	})
}

func blob(name string, g group, doc string, get func(*Row) []byte) Field {
	return field(name, filter.Bytes, g, doc, func(r *Row, to []filter.Value) []filter.Value {
		if b := get(r); len(b) > 0 {
			to = append(to, filter.B(b))
		}
		return to
	})
}

// addresses is a field of both ends' addresses, of one family.
func addresses(name string, t filter.Type, doc string, get func(*Row) [2]netip.Addr) Field {
	return field(name, t, Linked, doc, func(r *Row, to []filter.Value) []filter.Value {
		for _, a := range get(r) {
			if a.IsValid() && a.Is4() == (t == filter.IPv4) {
				to = append(to, filter.A(a))
			}
		}
		return to
	})
}

// words says which values a string can have.
func words(f Field, list func() []string) Field { f.Words = list; return f }

// symbols gives an integer's values names.
func symbols(f Field, number func(string) (uint64, bool), word func(uint64) string) Field {
	f.Number, f.Word = number, word
	return f
}

// reverse makes a look-up of the numbers below n by their names.
func reverse(n uint64, name func(uint64) string) func(string) (uint64, bool) {
	table := sync.OnceValue(func() map[string]uint64 {
		m := map[string]uint64{}
		for i := range n {
			m[name(i)] = i
		}
		return m
	})
	return func(word string) (uint64, bool) {
		v, ok := table()[word]
		return v, ok
	}
}

func fixed(list ...string) func() []string { return func() []string { return list } }
