package strace

import (
	"bytes"
	"io"
	"strings"
)

// ink is what a colour is for.
type ink uint8

const (
	argNameInk ink = iota
	argValueInk
	callInk
	commentInk
	constInk
	errorInk
	punctInk
	resultInk
	syscallInk
	inks
)

var inkNames = [inks]string{"argname", "argval", "call", "comment", "const", "error", "punct", "retval", "syscall"}

// Palette has the colours of a trace (--color), as parameters of SGR (ECMA-48).
type Palette [inks]string

// NewPalette reads colours in the form of STRACE_COLORS, name=SGR:name=SGR...
// What is wrong or not named keeps its default.
func NewPalette(spec string) *Palette {
	p := &Palette{"39", "35", "33", "36", "34", "31", "0", "32", "33"}
	for _, w := range strings.Split(spec, ":") {
		name, sgr, _ := strings.Cut(w, "=")
		name, sgr = strings.TrimSpace(name), strings.TrimSpace(sgr)
		if strings.Trim(sgr, "0123456789;") != "" || strings.Trim(sgr, ";") == "" {
			continue
		}
		for i, known := range inkNames {
			if strings.EqualFold(known, name) {
				p[i] = sgr
			}
		}
	}
	return p
}

// painter colours text that is on its way to w. Text comes in pieces that end
// between words.
type painter struct {
	w     io.Writer
	inks  *Palette
	where where
	depth int // of parentheses
	b     []byte
}

type where uint8

const (
	lineStart where = iota
	inArgs
	afterArgs
	inResult
	plainLine
)

// paint returns w, or with a palette a writer in front of it.
func paint(w io.Writer, inks *Palette) io.Writer {
	if inks == nil {
		return w
	}
	return &painter{w: w, inks: inks}
}

func (p *painter) Close() error {
	if c, ok := p.w.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (p *painter) Write(text []byte) (int, error) {
	p.b = p.b[:0]
	for t := text; len(t) > 0; {
		n := p.next(t)
		t = t[n:]
	}
	_, err := p.w.Write(p.b)
	return len(text), err
}

func (p *painter) put(i ink, text []byte) int {
	p.b = append(append(append(p.b, "\x1b["...), p.inks[i]...), 'm')
	p.b = append(p.b, text...)
	p.b = append(p.b, "\x1b[0m"...)
	return len(text)
}

func (p *painter) plain(text []byte) int {
	p.b = append(p.b, text...)
	return len(text)
}

// next takes the first word of t and returns its length.
func (p *painter) next(t []byte) int {
	if t[0] == '\n' {
		p.where, p.depth = lineStart, 0
		return p.plain(t[:1])
	}
	line := t
	if i := bytes.IndexByte(t, '\n'); i >= 0 {
		line = t[:i]
	}
	switch p.where {
	case lineStart:
		return p.start(line)
	case inArgs:
		return p.arg(line)
	case afterArgs:
		if rest, ok := bytes.CutPrefix(line, []byte("= ")); ok && len(rest) > 0 {
			p.where = inResult
			n := p.plain(line[:2])
			return n + p.put(resultInk, rest[:max(wordLength(rest, func(c byte) bool { return c != ' ' && c != '<' }), 1)])
		}
		return p.plain(line[:1])
	case inResult:
		switch n := wordLength(line, func(c byte) bool { return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' }); {
		case n > 1 && line[0] == 'E':
			return p.put(errorInk, line[:n])
		case line[0] == '(':
			if i := bytes.IndexByte(line, ')'); i > 0 {
				return p.put(commentInk, line[:i+1])
			}
		}
		return p.plain(line[:1])
	}
	return p.plain(line)
}

// start takes what stands before a call's arguments, or a line that is no call.
func (p *painter) start(line []byte) int {
	if i := bytes.Index(line, []byte("<... ")); i >= 0 {
		if j := bytes.Index(line[i:], []byte(" resumed>")); j > 0 {
			p.where, p.depth = inArgs, 1
			n := p.plain(line[:i+5])
			n += p.put(syscallInk, line[n:i+j])
			return n + p.plain(line[n:i+j+len(" resumed>")])
		}
	}
	open := bytes.IndexByte(line, '(')
	from := open
	for from > 0 && isWord(line[from-1]) {
		from--
	}
	if open <= 0 || from == open || bytes.Contains(line[:from], []byte("---")) || bytes.Contains(line[:from], []byte("+++")) ||
		line[0] == ' ' && len(line) > 1 && (line[1] == '>' || line[1] == '|' || line[1] == '*') {
		p.where = plainLine
		return p.plain(line)
	}
	p.where, p.depth = inArgs, 1
	n := p.plain(line[:from])
	n += p.put(syscallInk, line[from:open])
	return n + p.put(punctInk, line[open:open+1])
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func wordLength(b []byte, in func(byte) bool) int {
	n := 0
	for n < len(b) && in(b[n]) {
		n++
	}
	return n
}

// arg takes a word of a call's arguments.
func (p *painter) arg(line []byte) int {
	switch c := line[0]; {
	case c == '"':
		n := 1
		for n < len(line) && line[n] != '"' {
			if line[n] == '\\' {
				n++
			}
			n++
		}
		return p.put(argValueInk, line[:min(n+1, len(line))])
	case bytes.HasPrefix(line, []byte("/*")):
		n := len(line)
		if i := bytes.Index(line, []byte("*/")); i > 0 {
			n = i + 2
		}
		return p.put(commentInk, line[:n])
	case isWord(c) || c == '-' && len(line) > 1 && isWord(line[1]):
		n := 1 + wordLength(line[1:], isWord)
		kind := argValueInk
		switch {
		case n < len(line) && line[n] == '=':
			kind = argNameInk
		case n < len(line) && line[n] == '(':
			kind = callInk
		case c >= 'A' && c <= 'Z':
			kind = constInk
		}
		return p.put(kind, line[:n])
	case c == ' ':
		return p.plain(line[:1])
	case c == '(':
		p.depth++
	case c == ')':
		if p.depth--; p.depth == 0 {
			p.where = afterArgs
		}
	}
	return p.put(punctInk, line[:1])
}
