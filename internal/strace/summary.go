package strace

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// summaryOptions are those of -c and its relations.
type summaryOptions struct {
	mode       string // "c": only the table; "C": the calls too; "": no table
	wall       bool   // -w
	sort       column
	sortSet    bool
	columns    []column
	columnsSet bool
	overhead   int64 // ns
}

// column is one of the table's.
type column uint8

const (
	noColumn column = iota
	timePercent
	timeTotal
	timeMin
	timeMax
	timeAvg
	callCount
	errorCount
	callName
	wallTotal
	wallMin
	wallMax
	wallAvg
)

var columnNames = map[string]column{
	"time": timePercent, "time_percent": timePercent, "time-percent": timePercent,
	"time_total": timeTotal, "time-total": timeTotal, "total_time": timeTotal, "total-time": timeTotal,
	"min_time": timeMin, "min-time": timeMin, "shortest": timeMin, "time_min": timeMin, "time-min": timeMin,
	"longest": timeMax, "max_time": timeMax, "max-time": timeMax, "time_max": timeMax, "time-max": timeMax,
	"avg_time": timeAvg, "avg-time": timeAvg, "time_avg": timeAvg, "time-avg": timeAvg,
	"calls": callCount, "count": callCount, "error": errorCount, "errors": errorCount,
	"name": callName, "syscall": callName, "syscall_name": callName, "syscall-name": callName,
	"wall_total": wallTotal, "wall-total": wallTotal, "total_wall": wallTotal, "total-wall": wallTotal,
	"wall_min": wallMin, "wall-min": wallMin, "min_wall": wallMin, "min-wall": wallMin,
	"wall_max": wallMax, "wall-max": wallMax, "max_wall": wallMax, "max-wall": wallMax,
	"wall_avg": wallAvg, "wall-avg": wallAvg, "avg_wall": wallAvg, "avg-wall": wallAvg,
	"none": noColumn, "nothing": noColumn,
}

func (o *summaryOptions) sortBy(name string) error {
	c, ok := columnNames[name]
	if !ok {
		return &helpError{fmt.Sprintf("invalid sortby: '%s'", name)}
	}
	o.sort, o.sortSet = c, true
	return nil
}

func (o *summaryOptions) setColumns(list string) error {
	o.columnsSet, o.columns = true, nil
	rest := list
	for rest != "" || o.columns == nil {
		name, after, more := strings.Cut(rest, ",")
		c := columnNames[name]
		if c == noColumn {
			return &helpError{fmt.Sprintf("unknown column name: '%s'", name)}
		}
		if slices.Contains(o.columns, c) {
			return &helpError{fmt.Sprintf("call summary column has been provided more than once: '%s' (-U option residual: '%s')", name, rest)}
		}
		o.columns = append(o.columns, c)
		if !more {
			break
		}
		if rest = after; rest == "" {
			return &helpError{"unknown column name: ''"}
		}
	}
	if !slices.Contains(o.columns, callName) { // without it the table says nothing
		o.columns = append(o.columns, callName)
	}
	return nil
}

// overhead reads a number with a unit, microseconds when there is none.
func overhead(text string) (int64, bool) {
	end := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune("eE.-+0123456789", r) })
	unit := ""
	if end >= 0 {
		text, unit = text[:end], text[end:]
	}
	scale := map[string]float64{"": 1e3, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}[unit]
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 0 || scale == 0 || v*scale > 1<<62 {
		return 0, false
	}
	return int64(v * scale), true
}

// tally is the times of one sort of call, in ns.
type tally struct {
	name             string
	calls, errors    uint64
	sum, min, max    int64 // system time, or elapsed time with -w
	wSum, wMin, wMax int64 // elapsed time
}

// summary counts calls by name. Calls of different tables with one name are one
// row of their table.
type summary struct {
	opt  summaryOptions
	rows map[string]*tally
}

func newSummary(o summaryOptions) *summary { return &summary{opt: o, rows: map[string]*tally{}} }

func (s *summary) add(name string, failed bool, system, elapsed int64) {
	t := s.rows[name]
	if t == nil {
		t = &tally{name: name, min: 1<<63 - 1, wMin: 1<<63 - 1}
		s.rows[name] = t
	}
	t.calls++
	if failed {
		t.errors++
	}
	elapsed = max(elapsed-s.opt.overhead, 0)
	system = max(system-s.opt.overhead, 0)
	if s.opt.wall {
		system = elapsed
	}
	t.sum, t.min, t.max = t.sum+system, min(t.min, system), max(t.max, system)
	t.wSum, t.wMin, t.wMax = t.wSum+elapsed, min(t.wMin, elapsed), max(t.wMax, elapsed)
}

func (t *tally) avg() int64  { return t.sum / int64(max(t.calls, 1)) }
func (t *tally) wAvg() int64 { return t.wSum / int64(max(t.calls, 1)) }

// sorted returns the rows in the table's order.
func (s *summary) sorted() []*tally {
	rows := make([]*tally, 0, len(s.rows))
	for _, t := range s.rows {
		rows = append(rows, t)
	}
	slices.SortFunc(rows, func(a, b *tally) int { return strings.Compare(a.name, b.name) })
	by := s.opt.sort
	if !s.opt.sortSet {
		by = timePercent
	}
	key := func(t *tally) int64 {
		switch by {
		case timePercent, timeTotal:
			return t.sum
		case timeMin:
			return t.min
		case timeMax:
			return t.max
		case timeAvg:
			return t.avg()
		case callCount:
			return int64(t.calls)
		case errorCount:
			return int64(t.errors)
		case wallTotal:
			return t.wSum
		case wallMin:
			return t.wMin
		case wallMax:
			return t.wMax
		case wallAvg:
			return t.wAvg()
		}
		return 0
	}
	if by != callName && by != noColumn {
		slices.SortStableFunc(rows, func(a, b *tally) int { return cmp.Compare(key(b), key(a)) })
	}
	return rows
}

var defaultColumns = []column{timePercent, timeTotal, timeAvg, callCount, errorCount, callName}

var columnHeads = [...]struct {
	text  string
	width int
}{
	timePercent: {"% time", 6}, timeTotal: {"seconds", 11}, timeMin: {"shortest", 8}, timeMax: {"longest", 7},
	timeAvg: {"usecs/call", 11}, callCount: {"calls", 9}, errorCount: {"errors", 9}, callName: {"syscall", 16},
	wallTotal: {"wall-total", 11}, wallMin: {"wall-min", 8}, wallMax: {"wall-max", 8}, wallAvg: {"wall-avg", 11},
}

// append prints the table.
func (s *summary) append(b []byte) []byte {
	columns := s.opt.columns
	if columns == nil {
		columns = defaultColumns
	}
	rows := s.sorted()
	total := &tally{name: "total", min: 1<<63 - 1, wMin: 1<<63 - 1}
	for _, t := range rows {
		total.calls += t.calls
		total.errors += t.errors
		total.sum += t.sum
		total.wSum += t.wSum
		total.min, total.max = min(total.min, t.min), max(total.max, t.max)
		total.wMin, total.wMax = min(total.wMin, t.wMin), max(total.wMax, t.wMax)
	}
	if len(rows) == 0 {
		total.min, total.wMin = 0, 0
	}
	cell := func(t *tally, c column) string {
		switch c {
		case timePercent:
			if total.sum == 0 {
				if t == total {
					return "100.00"
				}
				return "0.00"
			}
			return strconv.FormatFloat(float64(t.sum)*100/float64(total.sum), 'f', 2, 64)
		case timeTotal:
			return seconds(t.sum)
		case timeMin:
			return seconds(t.min)
		case timeMax:
			return seconds(t.max)
		case timeAvg:
			return strconv.FormatInt(t.avg()/1000, 10)
		case callCount:
			return strconv.FormatUint(t.calls, 10)
		case errorCount:
			if t.errors == 0 {
				return ""
			}
			return strconv.FormatUint(t.errors, 10)
		case wallTotal:
			return seconds(t.wSum)
		case wallMin:
			return seconds(t.wMin)
		case wallMax:
			return seconds(t.wMax)
		case wallAvg:
			return strconv.FormatInt(t.wAvg()/1000, 10)
		}
		return t.name
	}
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = columnHeads[c].width
		for _, t := range append(rows[:len(rows):len(rows)], total) {
			n := len(cell(t, c))
			if c == callName && t != total {
				n++
			}
			widths[i] = max(widths[i], n)
		}
	}
	line := func(text func(i int) string, fill bool) {
		for i, c := range columns {
			if i > 0 {
				b = append(b, ' ')
			}
			t := text(i)
			pad := strings.Repeat(" ", max(widths[i]-len(t), 0))
			switch {
			case c != callName:
				b = append(append(b, pad...), t...)
			case i == len(columns)-1 && !fill:
				b = append(b, t...)
			default:
				b = append(append(b, t...), pad...)
			}
		}
		b = append(b, '\n')
	}
	rule := func(i int) string { return strings.Repeat("-", widths[i]) }
	line(func(i int) string { return columnHeads[columns[i]].text }, false)
	line(rule, false)
	for _, t := range rows {
		line(func(i int) string { return cell(t, columns[i]) }, false)
	}
	line(rule, false)
	line(func(i int) string { return cell(total, columns[i]) }, false)
	return b
}

// seconds prints ns as seconds with six digits.
func seconds(ns int64) string { return strconv.FormatFloat(float64(ns)/1e9, 'f', 6, 64) }
