package stream

import (
	"fmt"
	"iter"
)

// Bounds of what one process's stream may define.
const (
	maxDefined  = 1 << 18
	maxTextHeld = 64 << 20
)

// State turns the records of one process into typed ones. Feed it the data of
// the process's Agent events in order. The zero value is ready.
type State struct {
	// Damaged counts records that could not be read, Unknown those of a type
	// that this reader doesn't know, Unresolved numbers that were never defined
	// (their definition was dropped with a full ring).
	Damaged, Unknown, Unresolved int

	strings map[int64]string
	codes   map[int64]Frame
	held    int
}

// Records reads data, whole records as Drain gives them.
func (s *State) Records(data []byte) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for raw, err := range Decode(data) {
			if err != nil {
				s.Damaged++
				continue
			}
			body, err := s.resolve(raw)
			if err != nil {
				s.Damaged++
				continue
			}
			if body == nil {
				continue
			}
			late := raw.Type == 'R' && raw.Flags&1 != 0
			if !yield(Record{Time: raw.Time, TID: raw.TID, Late: late, Body: body}) {
				return
			}
		}
	}
}

// resolve gives nil for a definition and for an unknown type.
func (s *State) resolve(raw Raw) (Body, error) {
	switch raw.Type {
	case 'S', 'C', 'I', 'R', 'U', 'H', 'F', 'X', 'A', 'K', 'T', 'P', 'D', 'E', 'Z':
	default:
		s.Unknown++
		return nil, nil
	}
	v, err := unmarshal(raw.Body)
	if err != nil {
		return nil, err
	}
	t := &tuple{v: list(v), ok: true}
	if t.v == nil {
		return nil, fmt.Errorf("%w: record %c holds no tuple", ErrDamaged, raw.Type)
	}
	var body Body
	switch raw.Type {
	case 'S':
		s.define(t)
	case 'C':
		s.defineCode(t)
	case 'I':
		// The same process after an exec counts from 1 again.
		s.strings, s.codes, s.held = nil, nil, 0
		body = hello(t)
	case 'R':
		body = s.raised(t)
	case 'U':
		b := &Left{Exc: t.num(), Frame: s.frame(t.int(), t.num()), Locals: t.locals()}
		b.To = s.frame(t.int(), t.num())
		body = b
	case 'H':
		body = &Handled{Exc: t.num(), Frame: s.frame(t.int(), t.num())}
	case 'F':
		body = &Final{Exc: t.num(), How: t.text(), Detail: t.text()}
	case 'X':
		body = &Wrapped{From: t.num(), To: t.num(), How: t.text()}
	case 'A':
		body = &Audit{Event: t.text(), Args: texts(t.list())}
	case 'K':
		body = &KeyLog{Path: t.text()}
	case 'T':
		body = &ThreadName{Name: t.text(), TID: int32(t.num())}
	case 'P':
		body = &Governor{State: t.text(), Count: t.num(), Frame: s.frame(t.int(), t.num())}
	case 'D':
		body = &Forked{Parent: int32(t.num())}
	case 'E':
		body = &AgentError{Where: t.text(), Text: t.text(), Line: t.num()}
	case 'Z':
		body = &Done{RC: t.num()}
	}
	if !t.ok {
		return nil, fmt.Errorf("%w: fields of record %c", ErrDamaged, raw.Type)
	}
	return body, nil
}

func (s *State) define(t *tuple) {
	id, text := t.int(), t.text()
	if !t.ok {
		return
	}
	if s.strings == nil {
		s.strings = make(map[int64]string)
	}
	if len(s.strings) >= maxDefined || s.held+len(text) > maxTextHeld {
		t.ok = false
		return
	}
	s.held += len(text)
	s.strings[id] = text
}

func (s *State) defineCode(t *tuple) {
	id, file, name, first := t.int(), t.int(), t.text(), t.num()
	if !t.ok {
		return
	}
	if s.codes == nil {
		s.codes = make(map[int64]Frame)
	}
	if len(s.codes) >= maxDefined || s.held+len(name) > maxTextHeld {
		t.ok = false
		return
	}
	s.held += len(name)
	s.codes[id] = Frame{File: s.string(file), Func: name, First: first}
}

func (s *State) string(id int64) string {
	text, ok := s.strings[id]
	if !ok {
		s.Unresolved++
		return "?"
	}
	return text
}

func (s *State) frame(code int64, line int) Frame {
	if code == 0 {
		return Frame{Line: line}
	}
	f, ok := s.codes[code]
	if !ok {
		s.Unresolved++
		f = Frame{File: "?", Func: "?"}
	}
	f.Line = line
	return f
}

func hello(t *tuple) Body {
	h := &Hello{Version: t.text(), Executable: t.text(), Argv: texts(t.list())}
	flags := &tuple{v: t.list(), ok: true}
	h.Dev = flags.num() != 0
	h.Optimize = flags.num()
	h.Mode = t.text()
	h.Hooks = texts(t.list())
	h.Parent = int32(t.num())
	if len(t.v) > 0 {
		h.Way = t.text()
	}
	return h
}

func (s *State) raised(t *tuple) Body {
	r := &Raised{Exc: t.num()}
	for _, id := range t.list() {
		n, _ := id.(int64)
		r.MRO = append(r.MRO, s.string(n))
	}
	if len(r.MRO) > 0 {
		r.Type = r.MRO[0]
	}
	r.Text = t.text()
	r.Frame = s.frame(t.int(), t.num())
	r.Context, r.Cause = t.num(), t.num()
	for _, a := range t.list() {
		x := &tuple{v: list(a), ok: true}
		name := x.text()
		value := x.any()
		t.ok = t.ok && x.ok
		if name == "group" {
			r.Group = group(list(value))
			continue
		}
		r.Attrs = append(r.Attrs, KV{name, value})
	}
	for _, f := range t.list() {
		x := &tuple{v: list(f), ok: true}
		r.Stack = append(r.Stack, s.frame(x.int(), x.num()))
		t.ok = t.ok && x.ok
	}
	return r
}

func group(v []any) []Member {
	var out []Member
	for _, m := range v {
		x := &tuple{v: list(m), ok: true}
		g := Member{Exc: x.num(), Type: x.text(), Text: x.text()}
		if x.ok {
			out = append(out, g)
		}
	}
	return out
}

// tuple takes fields one after the other; a field that is missing or of another
// type clears ok.
type tuple struct {
	v  []any
	ok bool
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func (t *tuple) any() any {
	if len(t.v) == 0 {
		t.ok = false
		return nil
	}
	v := t.v[0]
	t.v = t.v[1:]
	return v
}

func (t *tuple) int() int64 {
	v, ok := t.any().(int64)
	t.ok = t.ok && ok
	return v
}

func (t *tuple) num() int { return int(t.int()) }

func (t *tuple) text() string {
	v, ok := t.any().(string)
	t.ok = t.ok && ok
	return v
}

func (t *tuple) list() []any {
	v, ok := t.any().([]any)
	t.ok = t.ok && ok
	return v
}

func texts(v []any) []string {
	out := make([]string, 0, len(v))
	for _, x := range v {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
