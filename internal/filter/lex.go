package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what a token is.
type kind uint8

const (
	tEnd    kind = iota
	tWord        // field, function, literal: whatever it turns out to be
	tString      // "..." or r"..."
	tChar        // 'c'
	tOp          // punctuation and operators, words included, in their first form
)

type token struct {
	kind       kind
	text       string // of a word or operator; the value of a string; of a character, its number
	start, end int
}

// lexer takes a filter's text apart. What a character means may depend on
// whether an operand can begin there, so the parser says that.
type lexer struct {
	text string
	at   int
}

func (l *lexer) fail(start, end int, format string, args ...any) error {
	return &Error{l.text, start, end, fmt.Sprintf(format, args...)}
}

// operators in the order in which they are tried, with their first form.
var operators = []struct{ text, op string }{
	{"===", "==="}, {"!==", "!=="}, {"==", "=="}, {"!=", "!="}, {"~=", "!=="}, {">=", ">="}, {"<=", "<="},
	{"&&", "&&"}, {"||", "||"}, {"^^", "^^"}, {"..", ".."}, {">", ">"}, {"<", "<"}, {"!", "!"}, {"~", "matches"},
	{"+", "+"}, {"-", "-"}, {"*", "*"}, {"/", "/"}, {"%", "%"}, {"&", "&"},
	{"(", "("}, {")", ")"}, {"{", "{"}, {"}", "}"}, {"[", "["}, {",", ","},
}

// wordOperators are the operators that are words; their case counts.
var wordOperators = map[string]string{
	"eq": "==", "any_eq": "==", "ne": "!=", "all_ne": "!=", "all_eq": "===", "any_ne": "!==",
	"gt": ">", "lt": "<", "ge": ">=", "le": "<=", "contains": "contains", "matches": "matches", "in": "in",
	"and": "&&", "or": "||", "xor": "^^", "not": "!", "bitand": "&", "bitwise_and": "&", "any": "any", "all": "all",
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':'
}

// next returns the next token. Operand says that one can begin here: then
// "%file", strace's way to write a class, is the word "file".
func (l *lexer) next(operand bool) (token, error) {
	for l.at < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.at]) >= 0 {
		l.at++
	}
	rest := l.text[l.at:]
	start := l.at
	if rest == "" {
		return token{kind: tEnd, start: start, end: start}, nil
	}
	switch c := rest[0]; {
	case c == '"':
		return l.quoted(start, 1, false)
	case (c == 'r' || c == 'R') && len(rest) > 1 && rest[1] == '"':
		return l.quoted(start, 2, true)
	case c == '\'':
		return l.char()
	case wordByte(c), operand && c == '%' && len(rest) > 1 && wordByte(rest[1]):
		l.at += wordLen(rest)
		w := l.text[start:l.at]
		if op := wordOperators[w]; op != "" {
			return token{tOp, op, start, l.at}, nil
		}
		return token{tWord, strings.TrimPrefix(w, "%"), start, l.at}, nil
	}
	for _, o := range operators {
		if strings.HasPrefix(rest, o.text) {
			l.at += len(o.text)
			return token{tOp, o.op, start, l.at}, nil
		}
	}
	if i := strings.IndexByte("#@$", rest[0]); i >= 0 {
		what := [...]string{"layers (#)", "raw fields (@)", "references and macros ($)"}[i]
		return token{}, l.fail(start, start+1, "Wireshark's %s are not in culprit's filters", what)
	}
	r, n := utf8.DecodeRuneInString(rest)
	return token{}, l.fail(start, start+n, "%q has no meaning here", r)
}

// wordLen is the length of the word that s begins with: names, numbers,
// addresses with a prefix, bytes, times with a unit. ".." ends it.
func wordLen(s string) int {
	n := 1
	for n < len(s) {
		c := s[n]
		switch {
		case wordByte(c), c == '/', c == '-':
			n++
		case c == '.' && n+1 < len(s) && (wordByte(s[n+1]) || s[n+1] == '-'):
			n++
		default:
			return n
		}
	}
	return n
}

// escapes of strings and characters; see also number escapes in escape.
var escapes = map[byte]byte{'\'': '\'', '"': '"', '\\': '\\', 'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

func (l *lexer) quoted(start, head int, raw bool) (token, error) {
	var out []byte
	for l.at = start + head; l.at < len(l.text); {
		c := l.text[l.at]
		switch {
		case c == '"':
			l.at++
			return token{tString, string(out), start, l.at}, nil
		case c == '\\' && raw && l.at+1 < len(l.text):
			out = append(out, c, l.text[l.at+1])
			l.at += 2
		case c == '\\':
			var err error
			if out, err = l.escape(out); err != nil {
				return token{}, err
			}
		default:
			out = append(out, c)
			l.at++
		}
	}
	return token{}, l.fail(start, l.at, "the string has no closing quote")
}

// escape takes the escape sequence at l.at.
func (l *lexer) escape(out []byte) ([]byte, error) {
	start := l.at
	s := l.text[start+1:]
	if s == "" {
		return nil, l.fail(start, start+1, "a backslash at the end")
	}
	digits := func(from, most, base int) int {
		n := 0
		for n < most && from+n < len(s) {
			if _, err := strconv.ParseUint(s[from+n:from+n+1], base, 8); err != nil {
				break
			}
			n++
		}
		return n
	}
	switch c := s[0]; {
	case c >= '0' && c <= '7':
		n := digits(0, 3, 8)
		v, _ := strconv.ParseUint(s[:n], 8, 16)
		l.at += 1 + n
		if v > 255 {
			return nil, l.fail(start, l.at, "\\%s is larger than 255", s[:n])
		}
		return append(out, byte(v)), nil
	case c == 'x', c == 'u', c == 'U':
		want := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		n := digits(1, want, 16)
		l.at += 2 + n
		v, _ := strconv.ParseUint(s[1:1+n], 16, 32)
		switch {
		case n == 0, c != 'x' && n < want:
			return nil, l.fail(start, l.at, "\\%c wants %d hexadecimal digits", c, want)
		case c == 'x':
			return append(out, byte(v)), nil
		case !utf8.ValidRune(rune(v)):
			return nil, l.fail(start, l.at, "%s is no character", l.text[start:l.at])
		}
		return utf8.AppendRune(out, rune(v)), nil
	case escapes[c] != 0:
		l.at += 2
		return append(out, escapes[c]), nil
	}
	return nil, l.fail(start, start+2, "%q is no escape sequence", l.text[start:start+2])
}

// char takes a character constant, which is a number.
func (l *lexer) char() (token, error) {
	start := l.at
	l.at++
	var out []byte
	for l.at < len(l.text) && l.text[l.at] != '\'' {
		if l.text[l.at] != '\\' {
			out = append(out, l.text[l.at])
			l.at++
			continue
		}
		var err error
		if out, err = l.escape(out); err != nil {
			return token{}, err
		}
	}
	if l.at >= len(l.text) {
		return token{}, l.fail(start, l.at, "the character has no closing quote")
	}
	l.at++
	if len(out) != 1 {
		return token{}, l.fail(start, l.at, "a character constant is one byte; strings stand in double quotes")
	}
	return token{tChar, strconv.Itoa(int(out[0])), start, l.at}, nil
}

// brackets takes what is between [ and ].
func (l *lexer) brackets(open int) (string, error) {
	i := strings.IndexByte(l.text[l.at:], ']')
	if i < 0 {
		return "", l.fail(open, len(l.text), "the slice has no closing bracket")
	}
	s := l.text[l.at : l.at+i]
	l.at += i + 1
	return s, nil
}
