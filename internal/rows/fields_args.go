package rows

import (
	"slices"
	"strconv"
	"strings"

	"culprit/internal/filter"
	"culprit/internal/sysabi"
)

// argFields makes a field of each argument's name in the table of calls.
func argFields() []Field {
	type use struct {
		types map[filter.Type]bool
		calls []string
	}
	uses := map[string]*use{}
	for _, arch := range arches {
		for _, name := range sysabi.Calls(arch) {
			nr, _ := sysabi.Number(arch, name)
			c := sysabi.Lookup(arch, nr)
			for i := range c.Args {
				a := &c.Args[i]
				u := uses[a.Name]
				if u == nil {
					u = &use{types: map[filter.Type]bool{}}
					uses[a.Name] = u
				}
				u.types[argType(a.Kind())] = true
				if !slices.Contains(u.calls, name) {
					u.calls = append(u.calls, name)
				}
			}
		}
	}
	var list []Field
	for name, u := range uses {
		t := filter.String // what is a number here and a structure there is text
		if len(u.types) == 1 {
			for t = range u.types {
			}
		} else if len(u.types) == 2 && u.types[filter.Int] && u.types[filter.Uint] {
			t = filter.Int
		}
		slices.Sort(u.calls)
		list = append(list, argField(name, t, u.calls))
	}
	slices.SortFunc(list, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// argType is how values of a kind are compared: flags, enums and structures by
// their text.
func argType(k sysabi.ValueKind) filter.Type {
	switch k {
	case sysabi.KindInt, sysabi.KindLong, sysabi.KindFD, sysabi.KindDirFD, sysabi.KindOffset, sysabi.KindID, sysabi.KindPID:
		return filter.Int
	case sysabi.KindUint, sysabi.KindSize, sysabi.KindHex, sysabi.KindPtr, sysabi.KindMode, sysabi.KindDev:
		return filter.Uint
	case sysabi.KindBuffer, sysabi.KindIovec, sysabi.KindMessage, sysabi.KindMessages:
		return filter.Bytes
	}
	return filter.String
}

func argField(name string, t filter.Type, calls []string) Field {
	doc := "argument " + name + " of " + strings.Join(calls[:min(len(calls), 4)], ", ")
	if len(calls) > 4 {
		doc += " and " + strconv.Itoa(len(calls)-4) + " more"
	}
	return field("syscall.arg."+name, t, Kernel, doc, func(r *Row, to []filter.Value) []filter.Value {
		if r.Call == nil {
			return to
		}
		d := r.Decoded()
		for i := range d.Args {
			if d.Args[i].Name == name {
				return argValue(&d.Args[i], t, to)
			}
		}
		return to
	})
}

// argValue gives an argument's value as type t, nothing when its memory was not
// recorded.
func argValue(v *sysabi.Value, t filter.Type, to []filter.Value) []filter.Value {
	switch t {
	case filter.Int:
		if argType(v.Kind) == filter.Uint {
			return append(to, filter.U(v.Uint))
		}
		return append(to, filter.I(v.Int))
	case filter.Uint:
		return append(to, filter.U(v.Uint))
	case filter.Bytes:
		if !v.Captured {
			return to
		}
		return append(to, filter.B(v.Data))
	}
	switch v.Kind {
	case sysabi.KindPath, sysabi.KindString:
		if !v.Captured {
			return to
		}
		return append(to, filter.S(v.Str))
	case sysabi.KindBuffer, sysabi.KindIovec, sysabi.KindMessage, sysabi.KindMessages:
		if v.Captured {
			return append(to, filter.S(string(v.Data)))
		}
	case sysabi.KindStrings:
		for _, s := range v.Strings {
			to = append(to, filter.S(s))
		}
		return to
	}
	return append(to, filter.S(v.Text()))
}
