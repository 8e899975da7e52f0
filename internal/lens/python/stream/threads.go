package stream

import "fmt"

// Held is a thread with what its frames held when it was asked.
type Held struct {
	Ident  uint64 // threading.get_ident()
	Frames []HeldFrame
}

// HeldFrame is one frame; of those that are not among the innermost the values
// are not told.
type HeldFrame struct {
	File, Func string
	Line       int
	Locals     []Local
}

// Threads reads what threads.py leaves: innermost frame first.
func Threads(b []byte) ([]Held, error) {
	v, err := unmarshal(b)
	if err != nil {
		return nil, err
	}
	var out []Held
	ok := true
	for _, x := range list(v) {
		t := &tuple{v: list(x), ok: true}
		h := Held{Ident: uint64(t.int())}
		for _, y := range t.list() {
			f := &tuple{v: list(y), ok: true}
			h.Frames = append(h.Frames, HeldFrame{File: f.text(), Func: f.text(), Line: f.num(), Locals: f.locals()})
			ok = ok && f.ok
		}
		out = append(out, h)
		ok = ok && t.ok
	}
	if !ok || out == nil {
		return nil, fmt.Errorf("%w: the stacks of threads", ErrDamaged)
	}
	return out, nil
}

// locals reads the values of a frame.
func (t *tuple) locals() (out []Local) {
	for _, l := range t.list() {
		x := &tuple{v: list(l), ok: true}
		out = append(out, Local{x.text(), x.text(), x.text()})
		t.ok = t.ok && x.ok
	}
	return out
}
