package pdb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// source is the recorded text of a file, nil where there is none. Lines count
// from 1.
type source []string

func (s *Session) source(file string) source {
	src, ok := s.sources[file]
	if f := s.t.Files[file]; !ok && f != nil {
		src = strings.Split(strings.TrimSuffix(string(f.Data), "\n"), "\n")
		s.sources[file] = src
	}
	return src
}

func (src source) line(n int) string {
	if n < 1 || n > len(src) {
		return ""
	}
	return src[n-1]
}

// list is pdb's own arithmetic: one number is listed around, a second one that
// is smaller is a count.
func (s *Session) list(arg string) {
	f := s.frame()
	src, ok := s.recorded(f.File)
	if !ok {
		return
	}
	first, last := s.next, -1
	if arg == "." || arg == "" && first == 0 {
		first = max(1, f.Line-5)
	} else if arg != "" {
		a, b, two := strings.Cut(arg, ",")
		n, err := number(a)
		first = max(1, n-5)
		if two && err == nil {
			first = n
			if last, err = number(b); last < first {
				last += first
			}
		}
		if err != nil || n < 0 || two && last < 0 {
			s.fail("Error in argument: '%s'", arg)
			return
		}
	}
	if last < 0 {
		last = first + 10
	}
	s.lines(src, first, min(last, len(src)), f.Line)
	s.next = min(last, len(src)) + 1
	if len(src) < last {
		s.print("[EOF]")
	}
	s.last = "list"
}

// number reads the number of a line, bounded so that it can be added to.
func number(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	return max(min(n, 1<<30), -1), err
}

func (s *Session) longlist(string) {
	f := s.frame()
	if src, ok := s.recorded(f.File); ok {
		first, last := 1, len(src)
		if unqualified(f.Func) != "<module>" {
			first, last = src.block(f.First)
		}
		s.lines(src, first, last, f.Line)
	}
}

func (s *Session) sourceOf(arg string) {
	src, ok := s.recorded(s.frame().File)
	if !ok {
		return
	}
	for i, l := range src {
		f := strings.FieldsFunc(strings.TrimPrefix(strings.TrimSpace(l), "async "), func(r rune) bool { return strings.ContainsRune(" \t(:[", r) })
		if len(f) > 1 && (f[0] == "def" || f[0] == "class") && f[1] == arg {
			first, last := src.block(i + 1)
			s.lines(src, first, last, 0)
			return
		}
	}
	s.fail("%s has no function or class '%s'", s.frame().File, arg)
}

func (s *Session) recorded(file string) (source, bool) {
	src := s.source(file)
	if src == nil {
		s.fail("the source of %s was not recorded", file)
	}
	return src, src != nil
}

// lines prints lines as pdb does, with an arrow at the current one.
func (s *Session) lines(src source, first, last, current int) {
	for n := max(first, 1); n <= last && n <= len(src); n++ {
		mark := ""
		if n == current {
			mark = "->"
		}
		s.print("%-4s%s\t%s", fmt.Sprintf("%3d", n), mark, strings.TrimRight(src[n-1], " \t\r\f"))
	}
}

// block is the extent of the function or class that begins at a line, with its
// decorators before it. Strings and brackets may go over lines.
func (src source) block(first int) (from, to int) {
	if first < 1 || first > len(src) {
		return 1, len(src)
	}
	indent, head := -1, false
	last := first
	var x text
	for n := first; n <= len(src); n++ {
		l := src[n-1]
		code, inside := strings.TrimSpace(l), x.open()
		in := len(l) - len(strings.TrimLeft(l, " \t"))
		switch {
		case inside, code == "", code[0] == '#':
		case indent < 0:
			indent = in
			fallthrough
		case !head:
			head = code[0] != '@'
		case in <= indent:
			return first, last
		}
		x.line(l)
		if code != "" && (inside || code[0] != '#' || in > indent) {
			last = n
		}
	}
	return first, last
}

// params reads the names of the parameters of the function that begins at a
// line, in the order of pdb's args: *args and **kwargs come last.
func (src source) params(first int) (names []string, ok bool) {
	if first < 1 || first > len(src) {
		return nil, false
	}
	from, to := src.block(first)
	head := strings.Join(src[from-1:to], "\n")
	for strings.HasPrefix(strings.TrimSpace(head), "@") {
		_, head, ok = strings.Cut(head, "\n")
		if !ok {
			return nil, false
		}
	}
	i := strings.Index(head, "def ")
	if i < 0 {
		return nil, false
	}
	head = head[i:]
	open := strings.IndexByte(head, '(')
	if open < 0 {
		return nil, false
	}
	var rest []string
	for _, p := range items(head[open:]) {
		p = strings.TrimSpace(p)
		name := strings.TrimLeft(p, "*")
		if end := strings.IndexFunc(name, func(r rune) bool { return r < 0x80 && !identifier(byte(r)) }); end >= 0 {
			name = name[:end]
		}
		switch {
		case name == "":
		case p[0] == '*':
			rest = append(rest, name)
		default:
			names = append(names, name)
		}
	}
	return slices.Concat(names, rest), true
}
