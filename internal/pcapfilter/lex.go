package pcapfilter

import (
	"fmt"
	"strings"
)

// token is a word, a number, an address or an operator. An escaped word (\tcp)
// is never a keyword.
type token struct {
	text    string
	at      int
	escaped bool
}

// Error says what is wrong with a filter, and where.
type Error struct {
	Filter string
	At     int // byte offset
	Why    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("filter %q, at byte %d: %s", e.Filter, e.At, e.Why)
}

const operators = "()[]!=<>&|+-*/%^:"

// lex splits a filter. A word has letters, digits and what stands in names,
// addresses and networks; - and / are operators inside brackets only.
func lex(s string) ([]token, error) {
	var out []token
	depth := 0
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '\\':
			j := i + 1
			for j < len(s) && wordByte(s[j], false) {
				j++
			}
			if j == i+1 {
				return nil, &Error{s, i, "nothing follows the backslash"}
			}
			out = append(out, token{s[i+1 : j], i, true})
			i = j
			continue
		case c != '-' && wordByte(c, depth > 0):
			j := i
			for j < len(s) && wordByte(s[j], depth > 0) {
				j++
			}
			for s[j-1] == '-' { // none ends with it
				j--
			}
			out = append(out, token{text: s[i:j], at: i})
			i = j
			continue
		case strings.IndexByte(operators, c) < 0:
			return nil, &Error{s, i, fmt.Sprintf("unexpected %q", c)}
		}
		n := 1
		for _, two := range []string{"<=", ">=", "!=", "==", "&&", "||", "<<", ">>"} {
			if strings.HasPrefix(s[i:], two) {
				n = 2
			}
		}
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		}
		out = append(out, token{text: s[i : i+n], at: i})
		i += n
	}
	return out, nil
}

func wordByte(c byte, brackets bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.':
		return true
	case c == ':':
		return !brackets
	case c == '-':
		return true // of tcp-syn, and of ranges
	}
	return false
}
