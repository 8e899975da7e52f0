package pdb

import (
	"fmt"
	"strconv"
	"strings"

	"culprit/internal/timeline"
)

// value is what was recorded of an expression.
type value struct{ text, typ string }

// refusal says why there is no value.
type refusal string

const evaluate = "nothing can be evaluated, the run is over: values can only be looked at (a name, an item, an attribute)"

// show looks an expression up and prints one side of its value.
func (s *Session) show(expr string, side func(value) []string) {
	v, no := s.look(expr)
	if no != "" {
		s.fail("%s", string(no))
		return
	}
	for _, l := range side(v) {
		s.print("%s", l)
	}
}

func (s *Session) value(v value) []string { return []string{v.text} }

func (s *Session) whatis(v value) []string {
	if v.typ == "" {
		return []string{"*** the type was not recorded, only the text: " + v.text}
	}
	return []string{"<class '" + v.typ + "'>"}
}

// pretty breaks a container that is too long for a line, as pprint does.
func (s *Session) pretty(v value) []string {
	list := items(v.text)
	if len(list) < 2 || len(v.text) <= 80 {
		return []string{v.text}
	}
	last := len(list) - 1
	for i := range list {
		list[i] = " " + strings.TrimSpace(list[i])
		if i < last {
			list[i] += ","
		}
	}
	list[0] = v.text[:1] + list[0][1:]
	list[last] += v.text[len(v.text)-1:]
	return list
}

// look reads NAME, then .NAME and [LITERAL] as often as they come.
func (s *Session) look(expr string) (value, refusal) {
	expr = strings.TrimSpace(expr)
	f := s.frame()
	name, rest := word(expr)
	var v value
	switch {
	case strings.HasPrefix(expr, "$_exception"):
		e := s.exception()
		v, rest = value{e.String(), e.Type}, expr[len("$_exception"):]
		if after, ok := strings.CutPrefix(rest, "."); ok {
			attr, end := word(after)
			text, ok := e.Attrs[attr]
			if !ok {
				return v, refusal(fmt.Sprintf("the attribute '%s' of the exception was not recorded", attr))
			}
			v, rest = value{text: text}, end
		}
	case expr == "locals()":
		if len(f.Locals) == 0 {
			return v, notLeft
		}
		return value{locals(f), "dict"}, ""
	case name == "" || name[0] >= '0' && name[0] <= '9' || rest != "" && rest[0] != '.' && rest[0] != '[':
		return v, evaluate
	case len(f.Locals) == 0:
		return v, notLeft
	case local(f, name) == nil:
		more := ""
		if l := local(f, "..."); l != nil {
			more = ", nor were " + strings.TrimPrefix(l.Text, "+") + " more variables"
		}
		return v, refusal(fmt.Sprintf("name '%s' was not recorded in this frame%s", name, more))
	default:
		l := local(f, name)
		v = value{l.Text, l.Kind}
	}
	return into(v, rest)
}

// into follows items of a recorded text.
func into(v value, rest string) (value, refusal) {
	for rest != "" {
		if after, ok := strings.CutPrefix(rest, "."); ok {
			if attr, end := word(after); attr != "" && (end == "" || end[0] == '.' || end[0] == '[') {
				return v, refusal(fmt.Sprintf("the attribute '%s' was not recorded, only the text: %s", attr, v.text))
			}
			return v, evaluate
		}
		key := splitAt(rest, 0)
		if rest[0] != '[' || len(key) != 1 || len(key[0])+2 > len(rest) {
			return v, evaluate
		}
		text, no := item(v.text, strings.TrimSpace(key[0]))
		if no != "" {
			return v, no
		}
		v, rest = value{text: text}, strings.TrimSpace(rest[len(key[0])+2:])
	}
	return v, ""
}

// item finds an element of a list, tuple or dict in its recorded text, which
// ends in +N where N elements were left out.
func item(text, key string) (string, refusal) {
	list := items(text)
	if list == nil {
		return "", refusal("no items of it were recorded, only the text: " + text)
	}
	more := ""
	if n := len(list); n > 0 && strings.HasPrefix(strings.TrimSpace(list[n-1]), "+") {
		more, list = strings.TrimSpace(list[n-1])[1:], list[:n-1]
	}
	if text[0] == '{' {
		for _, l := range list {
			if k, v, ok := pair(l); ok && same(k, key) {
				return v, ""
			}
		}
		return "", missing("key "+key, more)
	}
	n, err := strconv.Atoi(key)
	switch {
	case err != nil:
		return "", evaluate
	case n < 0 && more == "":
		n += len(list)
	}
	if n < 0 || n >= len(list) {
		return "", missing("item "+key, more)
	}
	return strings.TrimSpace(list[n]), ""
}

func missing(what, more string) refusal {
	if more != "" {
		return refusal(fmt.Sprintf("%s is not among what was recorded; %s more are there", what, more))
	}
	return refusal(what + " is not there")
}

func pair(item string) (key, val string, ok bool) {
	parts := splitAt("{"+item+"}", ':')
	if len(parts) < 2 {
		return "", "", false
	}
	return strings.TrimSpace(parts[0]), strings.TrimSpace(strings.Join(parts[1:], ":")), true
}

// same compares literals; of a string the kind of quotes does not matter.
func same(x, y string) bool {
	quoted := func(s string) bool {
		return len(s) > 1 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0]
	}
	if quoted(x) && quoted(y) {
		return x[1:len(x)-1] == y[1:len(y)-1]
	}
	return x == y
}

func word(s string) (name, rest string) {
	n := 0
	for n < len(s) && identifier(s[n]) {
		n++
	}
	return s[:n], strings.TrimSpace(s[n:])
}

// locals is what locals() would show.
func locals(f timeline.Frame) string {
	var parts []string
	for _, l := range f.Locals {
		if l.Name == "..." {
			parts = append(parts, l.Text)
		} else {
			parts = append(parts, "'"+l.Name+"': "+l.Text)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
