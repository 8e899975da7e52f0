package strace

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// wordSet is a set of the words of an -e expression: "none", "all", a list, or
// what a list leaves out.
type wordSet struct {
	not bool
	has map[string]bool
}

func all() wordSet { return wordSet{not: true} }

func (s wordSet) in(word string) bool { return s.has[word] != s.not }

// empty reports that nothing is in the set.
func (s wordSet) empty() bool { return !s.not && len(s.has) == 0 }

// full reports that everything is in the set.
func (s wordSet) full() bool { return s.not && len(s.has) == 0 }

// parseWords reads a set. canon turns a word into its only form, "" for a wrong
// one; what names the sort in messages.
func parseWords(text, what string, canon func(string) string) (wordSet, error) {
	s := wordSet{has: map[string]bool{}}
	list := text
	for strings.HasPrefix(list, "!") {
		s.not, list = !s.not, list[1:]
	}
	switch list {
	case "none":
		return s, nil
	case "all":
		s.not = !s.not
		return s, nil
	}
	some := false
	for _, word := range strings.Split(list, ",") {
		if word == "" {
			continue
		}
		c := canon(word)
		if c == "" {
			return s, fmt.Errorf("invalid %s '%s'", what, word)
		}
		s.has[c], some = true, true
	}
	if !some {
		return s, fmt.Errorf("invalid %s '%s'", what, text)
	}
	return s, nil
}

// oneOf makes a canon of words with their other names after them.
func oneOf(lists ...[]string) func(string) string {
	return func(w string) string {
		for _, l := range lists {
			for _, name := range l {
				if strings.EqualFold(name, w) {
					return l[0]
				}
			}
		}
		return ""
	}
}

// descriptor is the canon of descriptor numbers.
func descriptor(w string) string {
	if n, ok := number(w, 1<<31-1); ok {
		return strconv.Itoa(n)
	}
	return ""
}

// number reads an unsigned decimal number.
func number(w string, limit int) (int, bool) {
	if w == "" || w[0] < '0' || w[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(w, 10, 63)
	return int(n), err == nil && n <= uint64(limit)
}

// signalWord is the canon of signals: names with or without SIG, numbers.
func signalWord(w string) string {
	if n, ok := number(w, 255); ok {
		return strconv.Itoa(n)
	}
	if n := signalNumber(w); n > 0 {
		return strconv.Itoa(n)
	}
	return ""
}

func signalNumber(w string) int {
	up := strings.ToUpper(w)
	if n := sysabi.SignalNumber(up); n > 0 {
		return n
	}
	switch strings.TrimPrefix(up, "SIG") {
	case "IOT":
		return 6
	case "CLD":
		return 17
	case "POLL":
		return 29
	case "RTMIN":
		return 32
	}
	return 0
}

var (
	statusWord = oneOf([]string{"successful"}, []string{"failed"}, []string{"unfinished"}, []string{"unavailable"}, []string{"detached"})
	quietWord  = oneOf([]string{"attach", "attaching"}, []string{"exit", "exits"}, []string{"path-resolution", "path-resolve"},
		[]string{"personality"}, []string{"thread-execve", "superseded"})
	decodeWord = oneOf([]string{"path"}, []string{"socket"}, []string{"dev"}, []string{"pidfd"}, []string{"eventfd"}, []string{"signalfd"})
	labelWord  = oneOf([]string{"full"}, []string{"mismatch"})
	pidsWord   = oneOf([]string{"comm"}, []string{"pidns"})
)

// arches are the tables of this machine, with strace's designators.
var arches = [...]struct {
	arch event.Arch
	name string
}{{event.ArchX8664, "64"}, {event.ArchI386, "32"}}

// callSet is a set of system calls, by table and number.
type callSet struct {
	not bool
	has map[event.Arch]map[uint32]bool
}

func allCalls() callSet { return callSet{not: true} }

func (s *callSet) in(arch event.Arch, nr uint32) bool { return s.has[arch][nr] != s.not }

// parseCalls reads -e trace= and its like.
func parseCalls(text string) (callSet, error) {
	s := callSet{has: map[event.Arch]map[uint32]bool{}}
	for _, a := range arches {
		s.has[a.arch] = map[uint32]bool{}
	}
	list := text
	for strings.HasPrefix(list, "!") {
		s.not, list = !s.not, list[1:]
	}
	switch list {
	case "none":
		return s, nil
	case "all":
		s.not = !s.not
		return s, nil
	}
	some := false
	for _, word := range strings.Split(list, ",") {
		if word == "" {
			continue
		}
		ok, err := s.add(word)
		if err != nil {
			return s, err
		}
		if !ok {
			return s, fmt.Errorf("invalid system call '%s'", word)
		}
		some = true
	}
	if !some {
		return s, fmt.Errorf("invalid system call '%s'", text)
	}
	return s, nil
}

// add puts one word in: a name, a number, a /regular expression/, or a %class,
// of one table (@64) or all.
func (s *callSet) add(word string) (ok bool, err error) {
	token := strings.TrimLeft(word, "?")
	ok = token != word
	only := ""
	if i := strings.LastIndexByte(token, '@'); i >= 0 {
		only = token[i+1:]
		switch only {
		case "64", "32", "x32":
		default:
			return false, &helpError{fmt.Sprintf("incorrect personality designator '%s' in qualification '%s'", only, token)}
		}
		token = token[:i]
		if only == "x32" { // kernels that run such programs are rare; none of the calls here is theirs
			_, err = (&callSet{has: map[event.Arch]map[uint32]bool{event.ArchX8664: {}}}).addFrom(event.ArchX8664, token)
			return true, err
		}
	}
	for _, a := range arches {
		if only != "" && only != a.name {
			continue
		}
		found, err := s.addFrom(a.arch, token)
		if err != nil {
			return false, err
		}
		ok = ok || found
	}
	return ok, nil
}

func (s *callSet) addFrom(arch event.Arch, token string) (bool, error) {
	set, found := s.has[arch], false
	switch {
	case token == "":
		return false, nil
	case token[0] >= '0' && token[0] <= '9':
		n, ok := number(token, 1<<31-1)
		if !ok || sysabi.Lookup(arch, uint32(n)) == nil {
			return false, nil
		}
		set[uint32(n)] = true
		return true, nil
	case token[0] == '/':
		re, err := regexp.CompilePOSIX(token[1:])
		if err != nil {
			return false, fmt.Errorf("regcomp: %s: %w", token[1:], err)
		}
		for _, name := range sysabi.Calls(arch) {
			if re.MatchString(name) {
				nr, _ := sysabi.Number(arch, name)
				set[nr], found = true, true
			}
		}
		return found, nil
	}
	if match := classOf(token); match != nil {
		for _, name := range sysabi.Calls(arch) {
			nr, _ := sysabi.Number(arch, name)
			if c := sysabi.Lookup(arch, nr); match(c) {
				set[nr] = true
			}
		}
		return true, nil
	}
	nr, ok := sysabi.Number(arch, token)
	if ok {
		set[nr] = true
	}
	return ok, nil
}
