package pdb

import "strings"

// Command is one command of a line.
type Command struct {
	Name string // as it was written, abbreviated or not; "" when it can be none
	Arg  string
	Text string // all of it
}

// Parse splits a line at ";;" outside of quotes, and each command into its name
// and argument. As in pdb a name ends where an identifier does: "p-x" is "p" of
// "-x". The names that have a hyphen end at a blank.
func Parse(line string) []Command {
	var out []Command
	for _, text := range split(line) {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		c := Command{Text: text}
		n := 0
		switch word, _, _ := strings.Cut(text, " "); {
		case text[0] == '?' || text[0] == '!':
			n = 1
		case strings.Contains(word, "-") && find(word) != nil:
			n = len(word)
		default:
			for n < len(text) && identifier(text[n]) {
				n++
			}
		}
		c.Name, c.Arg = text[:n], strings.TrimSpace(text[n:])
		if c.Name == "?" {
			c.Name = "help"
		}
		out = append(out, c)
	}
	return out
}

func identifier(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

func split(line string) []string {
	var out []string
	var quote byte
	start := 0
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ';' && i+1 < len(line) && line[i+1] == ';':
			out = append(out, line[start:i])
			start = i + 2
			i++
		}
	}
	return append(out, line[start:])
}
