package strace

import (
	"fmt"
	"strings"
)

// argument says whether an option takes one.
type argument uint8

const (
	none argument = iota
	required
	optional
)

type longOption struct {
	name string
	arg  argument
	id   string // letter of the short option that it stands for, or a name
}

// given is one option of the command line: its id, the long name it was given
// by ("" for a letter), and its argument.
type given struct {
	id, long string
	arg      string
	has      bool // an argument was given
}

// getopt reads options as getopt_long(3) does with a leading "+": up to the
// first word that is none. letters is in that function's notation.
func getopt(args []string, letters string, longs []longOption) (opts []given, rest []string, err error) {
	for len(args) > 0 {
		a := args[0]
		if a == "--" {
			return opts, args[1:], nil
		}
		if len(a) < 2 || a[0] != '-' {
			break
		}
		args = args[1:]
		if strings.HasPrefix(a, "--") {
			name, value, has := strings.Cut(a[2:], "=")
			o, err := findLong(name, longs)
			if err != nil {
				return opts, nil, err
			}
			switch {
			case has && o.arg == none:
				return opts, nil, fmt.Errorf("option '--%s' doesn't allow an argument", o.name)
			case !has && o.arg == required:
				if len(args) == 0 {
					return opts, nil, fmt.Errorf("option '--%s' requires an argument", o.name)
				}
				value, has, args = args[0], true, args[1:]
			}
			opts = append(opts, given{o.id, o.name, value, has})
			continue
		}
		for i := 1; i < len(a); i++ {
			at := strings.IndexByte(letters, a[i])
			if at < 0 || a[i] == ':' {
				return opts, nil, fmt.Errorf("invalid option -- '%c'", a[i])
			}
			g := given{id: a[i : i+1]}
			if at+1 < len(letters) && letters[at+1] == ':' {
				switch {
				case i+1 < len(a):
					g.arg, g.has = a[i+1:], true
				case len(args) == 0:
					return opts, nil, fmt.Errorf("option requires an argument -- '%c'", a[i])
				default:
					g.arg, g.has, args = args[0], true, args[1:]
				}
				i = len(a)
			}
			opts = append(opts, g)
		}
	}
	return opts, args, nil
}

// findLong finds a long option by its name or a beginning of it that fits only
// one.
func findLong(name string, longs []longOption) (longOption, error) {
	var found []longOption
	for _, o := range longs {
		if o.name == name {
			return o, nil
		}
		if strings.HasPrefix(o.name, name) {
			found = append(found, o)
		}
	}
	if len(found) == 0 {
		return longOption{}, fmt.Errorf("unrecognized option '--%s'", name)
	}
	for _, o := range found[1:] {
		if o.id != found[0].id {
			var list strings.Builder
			for _, o := range found {
				fmt.Fprintf(&list, " '--%s'", o.name)
			}
			return longOption{}, fmt.Errorf("option '--%s' is ambiguous; possibilities:%s", name, list.String())
		}
	}
	return found[0], nil
}
