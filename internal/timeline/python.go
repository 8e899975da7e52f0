package timeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"culprit/internal/event"
	"culprit/internal/lens/python/stream"
)

// python reads the agents' streams and hangs what they say on their processes.
func (b *builder) python() {
	type source struct {
		state stream.State
		read  *reading
	}
	sources := map[int32]*source{}
	var order []*source
	for _, a := range b.agents {
		s := sources[a.pid]
		if s == nil {
			p := a.proc
			if p == nil {
				b.t.Skipped["agent of an unknown process"]++
				continue
			}
			s = &source{read: &reading{proc: p}}
			sources[a.pid] = s
			order = append(order, s)
		}
		for r := range s.state.Records(a.data) {
			s.read.record(r)
		}
	}
	for _, s := range order {
		s.read.settle()
		if n := s.state.Damaged; n > 0 {
			b.t.Skipped["damaged agent record"] += n
		}
	}
}

// reading collects one process's stream.
type reading struct {
	proc *Process
	byID map[int]*Exception // of the present interpreter: exec starts a new numbering
	left map[*Exception]stream.Frame
	last map[*Exception]event.Time // when it left a frame last
	all  []*Exception

	reasons map[*Exception][]*Exception // held as its reason
}

func (r *reading) record(rec stream.Record) {
	p := r.proc
	switch m := rec.Body.(type) {
	case *stream.Hello:
		p.Python = &Python{Version: m.Version, Executable: m.Executable, Argv: m.Argv, Hook: m.Mode, Way: m.Way, Code: -1}
		r.byID = nil
	case *stream.Raised:
		e := &Exception{ID: m.Exc, Proc: p, TID: rec.TID, Time: rec.Time, Late: rec.Late, Type: m.Type, MRO: m.MRO, Text: m.Text,
			Attrs: map[string]string{}, Cause: r.byID[m.Cause], Context: r.byID[m.Context]}
		for _, f := range m.Stack {
			e.Stack = append(e.Stack, frame(f))
		}
		if len(e.Stack) == 0 {
			e.Stack = []Frame{frame(m.Frame)}
		}
		for _, a := range m.Attrs {
			e.Attrs[a.Name] = attr(a.Value)
		}
		if r.byID == nil {
			r.byID = map[int]*Exception{}
			r.left, r.last = map[*Exception]stream.Frame{}, map[*Exception]event.Time{}
			r.reasons = map[*Exception][]*Exception{}
		}
		r.byID[m.Exc] = e
		r.all = append(r.all, e)
		if e.Cause != nil {
			r.wrap(e.Cause, e)
		} else if e.Context != nil {
			r.wrap(e.Context, e)
		}
	case *stream.Left:
		e := r.byID[m.Exc]
		if e == nil {
			return
		}
		e.Handled = nil
		r.left[e], r.last[e] = m.To, rec.Time
		f := frame(m.Frame)
		for _, l := range m.Locals {
			f.Locals = append(f.Locals, Local{l.Name, l.Type, l.Text})
		}
		for i := range e.Stack {
			s := &e.Stack[i]
			if s.File == f.File && s.Func == f.Func {
				s.Locals = f.Locals
				return
			}
		}
		e.Stack = append(e.Stack, f)
	case *stream.Handled:
		if e := r.byID[m.Exc]; e != nil {
			e.Handled = &Handler{rec.Time, frame(m.Frame)}
		}
	case *stream.Final:
		if e := r.byID[m.Exc]; e != nil {
			e.Final, e.FinalAt = m.How, rec.Time
			if m.How != "logging" {
				e.Handled = nil
			}
		}
	case *stream.Wrapped:
		if from, to := r.byID[m.From], r.byID[m.To]; from != nil && to != nil {
			if m.How == "reason" {
				r.reasons[to] = append(r.reasons[to], from)
			}
			r.wrap(from, to)
		}
	case *stream.Governor:
		if p.Python != nil {
			p.Python.govern(m)
		}
	case *stream.Done:
		if p.Python != nil {
			p.Python.Ended, p.Python.Code = true, m.RC
		}
	}
}

// maxCounted bounds the places of one process whose exceptions are counted.
const maxCounted = 256

// govern notes what the agent left out.
func (p *Python) govern(m *stream.Governor) {
	switch m.State {
	case "pause":
		p.Pauses++
	case "resume":
		p.Blind += time.Duration(m.Count) * time.Microsecond
	case "budget":
		f := frame(m.Frame)
		i := slices.IndexFunc(p.Counted, func(c Counted) bool {
			return c.Frame.File == f.File && c.Frame.Func == f.Func && c.Frame.Line == f.Line
		})
		if i < 0 && len(p.Counted) == maxCounted {
			return
		}
		if i < 0 {
			p.Counted = append(p.Counted, Counted{Frame: f})
			i = len(p.Counted) - 1
		}
		p.Counted[i].Count = max(p.Counted[i].Count, m.Count)
	}
}

// wrap says that to was made for from.
func (r *reading) wrap(from, to *Exception) {
	if from == to || slices.Contains(to.Wraps, from) {
		return
	}
	to.Wraps = append(to.Wraps, from)
	from.Into = append(from.Into, to)
}

// settle works out who handled what: an exception without a final was handled
// in the frame that it reached last.
func (r *reading) settle() {
	for _, e := range r.all {
		// An exception raised while another was on its way, and gone before that
		// went on, was not made for it: it came from cleaning up.
		e.Into = slices.DeleteFunc(e.Into, func(to *Exception) bool {
			if to.Cause == e || r.last[e] <= to.Time || slices.Contains(r.reasons[to], e) {
				return false
			}
			to.Wraps = slices.DeleteFunc(to.Wraps, func(x *Exception) bool { return x == e })
			return true
		})
		if e.Handled != nil || e.Final != "" {
			continue
		}
		to, left := r.left[e]
		switch {
		case left && to.File != "":
			e.Handled = &Handler{e.Time, frame(to)}
		case !left && len(e.Stack) > 0:
			e.Handled = &Handler{e.Time, e.Stack[0]}
		}
	}
	r.proc.Raised = append(r.proc.Raised, r.all...)
	slices.SortStableFunc(r.proc.Raised, func(x, y *Exception) int { return int(x.Time - y.Time) })
}

func frame(f stream.Frame) Frame {
	return Frame{File: f.File, Func: f.Func, First: f.First, Line: f.Line}
}

// attr shows an attribute's value as text: lists with blanks between.
func attr(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case []any:
		var s []string
		for _, x := range v {
			s = append(s, attr(x))
		}
		return strings.Join(s, " ")
	}
	return fmt.Sprint(v)
}
