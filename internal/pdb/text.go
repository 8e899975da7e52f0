package pdb

import "strings"

// text follows Python's text: how deep in brackets it stands, and in which string.
type text struct {
	depth int
	quote string // what ends the string, "" outside of one
}

// open reports whether a line or a string goes on.
func (x *text) open() bool { return x.depth > 0 || x.quote != "" }

// line reads a line; a string in simple quotes ends with it.
func (x *text) line(l string) {
	for i := 0; i < len(l); {
		n := x.step(l[i:])
		if n == 0 {
			break
		}
		i += n
	}
	if len(x.quote) == 1 && !strings.HasSuffix(l, "\\") {
		x.quote = ""
	}
}

// step reads the next piece of a text and returns its length, 0 at a comment.
func (x *text) step(s string) int {
	switch c := s[0]; {
	case x.quote != "" && c == '\\':
		return min(2, len(s))
	case x.quote != "":
		if strings.HasPrefix(s, x.quote) {
			n := len(x.quote)
			x.quote = ""
			return n
		}
	case c == '\'' || c == '"':
		x.quote = s[:1]
		if t := strings.Repeat(x.quote, 3); strings.HasPrefix(s, t) {
			x.quote = t
		}
		return len(x.quote)
	case strings.IndexByte("([{", c) >= 0:
		x.depth++
	case strings.IndexByte(")]}", c) >= 0:
		x.depth--
	case c == '#':
		return 0
	}
	return 1
}

// items splits what stands between the bracket that s begins with and its end
// at commas; nil when s begins with none. Comments are left out.
func items(s string) []string { return splitAt(s, ',') }

// splitAt is items, with another byte in the comma's place.
func splitAt(s string, at byte) []string {
	if s == "" || strings.IndexByte("([{", s[0]) < 0 {
		return nil
	}
	var x text
	out := []string{}
	var b strings.Builder
	for i := 0; i < len(s); {
		outside := x.quote == "" && x.depth == 1
		n := x.step(s[i:])
		switch {
		case n == 0:
			n = strings.IndexByte(s[i:]+"\n", '\n')
			if i+n >= len(s) {
				return append(out, b.String())
			}
		case x.depth <= 0:
			if strings.TrimSpace(b.String()) != "" {
				out = append(out, b.String())
			}
			return out
		case outside && s[i] == at:
			out = append(out, b.String())
			b.Reset()
		case i > 0:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return append(out, b.String())
}
