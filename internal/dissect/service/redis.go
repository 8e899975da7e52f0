package service

import (
	"strconv"
	"strings"

	"culprit/internal/dissect"
)

// redis reads RESP (the Redis serialization protocol, versions 2 and 3).
type redis struct {
	todo [2][]int // elements still to come of the arrays that are open, outermost first
	args []string // of the request that is being read
}

func (p *redis) read(c *Conn, d dissect.Dir, b []byte) int {
	text, n := line(b)
	if n <= 0 {
		return n
	}
	if text == "" {
		return n
	}
	kind, rest := text[0], text[1:]
	size := 0
	if strings.IndexByte("*~>%$=!", kind) >= 0 {
		var err error
		if size, err = strconv.Atoi(rest); err != nil || size > 1<<29 || size < -1 {
			return -1
		}
	}
	outer := len(p.todo[d]) == 0
	value := ""
	switch kind {
	case '*', '~', '>', '%':
		if kind == '%' {
			size *= 2
		}
		if size > 0 {
			if len(p.todo[d]) > 8 {
				return -1
			}
			p.todo[d] = append(p.todo[d], size)
			return n
		}
	case '$', '=', '!':
		if size < 0 {
			break
		}
		keep := min(size, maxText)
		if len(b) < n+keep {
			return 0
		}
		value = string(b[n : n+keep])
		if kind == '!' {
			p.refuse(c, outer, value)
		}
		c.skip[d] += size - keep + 2
		n += keep
	case '-':
		if d == dissect.ToClient {
			p.refuse(c, outer, rest)
		}
	case '+', ':', '_', '#', ',', '(':
	default:
		if d == dissect.ToClient || !outer {
			return -1
		}
		c.ask(command(text)) // an inline command
		return n
	}
	if d == dissect.ToServer && !outer && len(p.args) < 2 {
		p.args = append(p.args, value)
	}
	if p.closes(d) {
		if d == dissect.ToServer {
			if len(p.args) > 0 && strings.EqualFold(p.args[0], "AUTH") || len(p.args) > 0 && strings.EqualFold(p.args[0], "HELLO") {
				p.args = p.args[:1]
			}
			c.ask(strings.Join(p.args, " "))
			p.args = nil
		} else if kind != '-' && kind != '!' || !outer {
			c.reply(Reply{Request: c.next()})
		}
	}
	return n
}

// closes counts an element that has ended, and reports whether it was the last
// of the message.
func (p *redis) closes(d dissect.Dir) bool {
	for len(p.todo[d]) > 0 {
		last := len(p.todo[d]) - 1
		if p.todo[d][last]--; p.todo[d][last] > 0 {
			return false
		}
		p.todo[d] = p.todo[d][:last]
	}
	return true
}

func (p *redis) refuse(c *Conn, outer bool, text string) {
	if !outer {
		return // one command's failure in a transaction's result
	}
	code, words, _ := strings.Cut(text, " ")
	auth := code == "NOAUTH" || code == "WRONGPASS" || code == "NOPERM" || strings.Contains(words, "AUTH")
	c.reply(Reply{Request: c.next(), Code: code, Text: words, Refused: true, Auth: auth})
}
