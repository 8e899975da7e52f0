package show

import (
	"bufio"
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"culprit/internal/event"
)

// histogram counts durations in ns so finely that a percentile is at most 1/64
// off: 64 buckets for each power of two.
type histogram struct {
	count [(64 - fine + 1) << fine]uint64
	n     uint64
}

const fine = 6

func bucket(ns uint64) int {
	e := bits.Len64(ns >> fine)
	return e<<fine + int(ns>>max(e-1, 0)&(1<<fine-1))
}

// floor is the smallest duration of a bucket.
func floor(i int) uint64 {
	e := i >> fine
	if e == 0 {
		return uint64(i)
	}
	return (1<<fine + uint64(i&(1<<fine-1))) << (e - 1)
}

func (h *histogram) add(ns int64) {
	h.count[bucket(uint64(max(ns, 0)))]++
	h.n++
}

// percentile is a duration that p of 100 durations do not exceed: the end of
// the bucket with the last of them.
func (h *histogram) percentile(p uint64) int64 {
	want := max((h.n*p+99)/100, 1)
	var seen uint64
	for i, c := range h.count {
		if seen += c; seen >= want {
			return int64(floor(i+1) - 1)
		}
	}
	return 0
}

// tally sums up the calls of one name.
type tally struct {
	name          string
	calls, errors uint64
	sum, max      int64 // ns
	times         *histogram
}

func (t *tally) add(o *tally) {
	t.calls += o.calls
	t.errors += o.errors
	t.sum += o.sum
	t.max = max(t.max, o.max)
}

// Summary writes a table of the calls among the rows: that of strace -c -w, and
// how their durations are spread.
func Summary(w *bufio.Writer, list Rows) error {
	byName := map[string]*tally{}
	for r := range list {
		if r.Call == nil {
			continue
		}
		name := r.Call.Name()
		if name == "" {
			name = r.Decoded().Name
		}
		t := byName[name]
		if t == nil {
			t = &tally{name: name, times: &histogram{}}
			byName[name] = t
		}
		t.calls++
		if r.Call.Errno() != 0 {
			t.errors++
		}
		if r.Call.Raw.Flags&event.Unfinished == 0 {
			t.sum += r.Call.Raw.Dur
			t.max = max(t.max, r.Call.Raw.Dur)
			t.times.add(r.Call.Raw.Dur)
		}
	}
	total := &tally{name: "total"}
	var all []*tally
	for _, t := range byName {
		all = append(all, t)
		total.add(t)
	}
	slices.SortFunc(all, func(a, b *tally) int {
		return cmp.Or(cmp.Compare(b.sum, a.sum), cmp.Compare(b.calls, a.calls), strings.Compare(a.name, b.name))
	})
	const rule = "------ ----------- ----------- --------- --------- --------- --------- --------- --------- ----------------\n"
	fmt.Fprintf(w, "%6s %11s %11s %9s %9s %9s %9s %9s %9s %s\n", "% time", "seconds", "usecs/call", "calls", "errors", "p50 us", "p95 us", "p99 us", "max us", "syscall")
	w.WriteString(rule)
	line := func(t *tally) {
		share := 100.0
		if total.sum > 0 {
			share = float64(t.sum) * 100 / float64(total.sum)
		}
		errors := ""
		if t.errors > 0 {
			errors = fmt.Sprint(t.errors)
		}
		spread := [3]string{}
		if t.times != nil && t.times.n > 0 {
			for i, p := range [...]uint64{50, 95, 99} {
				spread[i] = micros(min(t.times.percentile(p), t.max))
			}
		}
		fmt.Fprintf(w, "%6.2f %11.6f %11d %9d %9s %9s %9s %9s %9s %s\n", share, float64(t.sum)/1e9, t.sum/1000/int64(max(t.calls, 1)),
			t.calls, errors, spread[0], spread[1], spread[2], micros(t.max), t.name)
	}
	for _, t := range all {
		line(t)
	}
	w.WriteString(rule)
	line(total)
	return nil
}

// micros writes ns as microseconds, short ones with a digit behind the point.
func micros(ns int64) string {
	if ns < 100_000 {
		return fmt.Sprintf("%.1f", float64(ns)/1000)
	}
	return fmt.Sprint(ns / 1000)
}
