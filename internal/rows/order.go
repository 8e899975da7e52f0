package rows

import (
	"cmp"
	"iter"
	"slices"

	"culprit/internal/event"
	"culprit/internal/filter"
	"culprit/internal/timeline"
)

// Stream is Scan in the order of the rows' times, which is that of All. It may
// go through the events twice. A row is valid until the next one.
func Stream(events iter.Seq2[event.Event, error], p *filter.Program[Row]) iter.Seq[*Row] {
	return order{rows: 1 << 16, long: 20e6, slack: 20e6}.stream(events, p)
}

// order puts rows in order. A recorder writes a call when it has returned, so a
// row can come long after others that began later:
//
//  1. Keep the rows that pass. If they are few, sort them: done.
//  2. If they are many, keep only the long calls, and go through the events
//     again: what is no long call is at most so long, and the disorder of the
//     recorder's writing, behind the newest, and gets its place within that.
type order struct {
	rows  int        // what may be kept
	long  int64      // ns from which on a call is a long one
	slack event.Time // disorder of the writing
}

// pending is a row that waits for its turn, with only what a call needs.
type pending struct {
	time     event.Time
	pid, tid int32
	call     *event.Syscall
	desc     *timeline.Desc
	row      *Row // of what is no call
}

func pend(r *Row) pending {
	if r.Call == nil {
		row := *r
		return pending{time: r.Time, row: &row}
	}
	return pending{r.Time, r.PID, r.TID, r.Call.Raw, r.Call.Desc, nil}
}

// end is when the row's call returned.
func (x *pending) end() event.Time {
	if x.call == nil {
		return x.time
	}
	return x.time + event.Time(x.call.Dur)
}

// earlier orders as a timeline does: calls before what else has their time, and
// in the order of their effects.
func earlier(x, y pending) int {
	kind := func(p *pending) Kind {
		if p.row != nil {
			return p.row.Kind
		}
		return Syscall
	}
	return cmp.Or(cmp.Compare(x.time, y.time), cmp.Compare(kind(&x), kind(&y)), cmp.Compare(x.end(), y.end()))
}

func (o order) stream(events iter.Seq2[event.Event, error], p *filter.Program[Row]) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		var run *Run
		call := Row{Kind: Syscall, Call: &timeline.Call{}}
		give := func(x *pending) bool {
			if x.row != nil {
				return yield(x.row)
			}
			call.Time, call.PID, call.TID, call.isDec, call.run = x.time, x.pid, x.tid, false, run
			*call.Call = timeline.Call{TID: x.tid, Enter: x.time, Raw: x.call, Desc: x.desc}
			return yield(&call)
		}
		var kept []pending
		many := false
		for r := range Scan(events, p) {
			run = r.run
			if !many || o.isLong(r) {
				kept = append(kept, pend(r))
			}
			if !many && len(kept) > o.rows {
				many = true
				kept = slices.DeleteFunc(kept, func(x pending) bool { return x.call == nil || x.call.Dur < o.long })
			}
		}
		slices.SortStableFunc(kept, earlier)
		if !many {
			for i := range kept {
				if !give(&kept[i]) {
					return
				}
			}
			return
		}
		o.again(Scan(events, p), kept, give)
	}
}

func (o order) isLong(r *Row) bool { return r.Call != nil && r.Call.Raw.Dur >= o.long }

// again gives the rows in order, with the long calls, which are in order.
func (o order) again(list iter.Seq[*Row], long []pending, give func(*pending) bool) {
	var wait []pending
	var newest event.Time
	flush := func(until event.Time) bool {
		slices.SortStableFunc(wait, earlier)
		n := 0
		for n < len(wait) && wait[n].time < until {
			next := &wait[n]
			if len(long) > 0 && earlier(long[0], *next) <= 0 {
				next, long = &long[0], long[1:]
			} else {
				n++
			}
			if !give(next) {
				return false
			}
		}
		wait = slices.Delete(wait, 0, n)
		return true
	}
	room := o.rows
	for r := range list {
		if o.isLong(r) {
			continue
		}
		wait = append(wait, pend(r))
		newest = max(newest, wait[len(wait)-1].end())
		if len(wait) >= room {
			if !flush(newest - event.Time(o.long) - o.slack) {
				return
			}
			room = max(o.rows, 2*len(wait))
		}
	}
	if !flush(1<<63 - 1) {
		return
	}
	for i := range long {
		if !give(&long[i]) {
			return
		}
	}
}
