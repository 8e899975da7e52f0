package show

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/event"
	"culprit/internal/rows"
	"culprit/internal/timeline"
)

// Stats are the tables that there are, in the order of their names, with what
// they show.
var Stats = []struct {
	Name, Doc string
	write     func(w *bufio.Writer, list Rows, arg string) error
}{
	{"conv", "conversations: calls and bytes each way, beginning, duration", conversations},
	{"dns", "lookups: response codes, query types, times of the answers", lookups},
	{"http", "requests by method and host, responses by status, times of the answers", exchanges},
	{"io", "calls, errors and bytes per interval; io,0.5 for half a second", intervals},
}

// WriteStats writes a table of the rows: a name of Stats, perhaps with a comma
// and an argument.
func WriteStats(w *bufio.Writer, list Rows, what string) error {
	name, arg, _ := strings.Cut(what, ",")
	var names []string
	for _, s := range Stats {
		if s.Name == name && (arg == "" || name == "io") {
			return s.write(w, list, arg)
		}
		names = append(names, s.Name)
	}
	return fmt.Errorf("--stats %s: it is %s or io,SECONDS", what, strings.Join(names, ", "))
}

// flow is what went one way.
type flow struct {
	calls int
	bytes int64
}

type conversation struct {
	flows       [2]flow // to the peer, from it
	first, last event.Time
}

func conversations(w *bufio.Writer, list Rows, _ string) error {
	found := map[*timeline.Conn]*conversation{}
	var start event.Time
	for r := range list {
		if r.Kind != rows.Syscall || r.Conn == nil {
			continue
		}
		start = r.Time - event.Time(r.Seconds()*1e9)
		c := found[r.Conn]
		if c == nil {
			c = &conversation{first: r.Time}
			found[r.Conn] = c
		}
		c.last = max(c.last, r.Call.Leave())
		if d := r.Decoded(); d.Call.Data() && d.Errno == 0 {
			f := &c.flows[0]
			if !sends(d.Name) {
				f = &c.flows[1]
			}
			f.calls++
			f.bytes += max(r.Call.Raw.Ret, 0)
		}
	}
	for _, p := range []struct {
		title string
		in    func(*timeline.Conn) bool
	}{
		{"TCP conversations", func(c *timeline.Conn) bool { return c.Remote.IsValid() && c.Stream() }},
		{"UDP conversations", func(c *timeline.Conn) bool { return c.Remote.IsValid() && !c.Stream() }},
		{"Unix conversations", func(c *timeline.Conn) bool { return !c.Remote.IsValid() }},
	} {
		conns := slices.SortedFunc(maps.Keys(found), func(a, b *timeline.Conn) int { return cmp.Compare(a.ID, b.ID) })
		conns = slices.DeleteFunc(conns, func(c *timeline.Conn) bool { return !p.in(c) })
		if len(conns) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\n%4s %-45s %22s %22s %12s %12s\n", p.title, "", "", "-> calls        bytes", "<- calls        bytes", "start", "duration")
		for _, c := range conns {
			x := found[c]
			local := "?"
			if c.Local.IsValid() {
				local = c.Local.String()
			}
			fmt.Fprintf(w, "%4d %-45s %8d %13d %8d %13d %12.6f %12.6f\n", c.ID, local+" <-> "+c.Peer(), x.flows[0].calls, x.flows[0].bytes,
				x.flows[1].calls, x.flows[1].bytes, float64(x.first-start)/1e9, float64(x.last-x.first)/1e9)
		}
	}
	return nil
}

// sends says of a call that transfers data that it sends.
func sends(name string) bool {
	return strings.Contains(name, "write") || strings.HasPrefix(name, "send") || name == "splice" || name == "vmsplice"
}

// counter counts words and prints the most frequent first.
type counter map[string]int

func (c counter) write(w *bufio.Writer, title string) {
	if len(c) == 0 {
		return
	}
	total := 0
	for _, n := range c {
		total += n
	}
	fmt.Fprintf(w, "%-60s %8d\n", title, total)
	for _, k := range slices.SortedFunc(maps.Keys(c), func(a, b string) int { return cmp.Or(cmp.Compare(c[b], c[a]), strings.Compare(a, b)) }) {
		fmt.Fprintf(w, "  %-58s %8d  %5.1f%%\n", appendClean(nil, k), c[k], float64(c[k])*100/float64(total))
	}
}

// times writes how long answers took.
func times(w *bufio.Writer, title string, h *histogram, sum, most int64) {
	if h.n == 0 {
		return
	}
	fmt.Fprintf(w, "%s: mean %.6f s, p50 %.6f s, p95 %.6f s, max %.6f s\n", title, float64(sum)/float64(h.n)/1e9,
		float64(min(h.percentile(50), most))/1e9, float64(min(h.percentile(95), most))/1e9, float64(most)/1e9)
}

func exchanges(w *bufio.Writer, list Rows, _ string) error {
	methods, hosts, codes, unanswered := counter{}, counter{}, counter{}, counter{}
	var h histogram
	var sum, most int64
	for r := range list {
		switch r.Kind {
		case rows.Request:
			methods[r.HTTP.Method]++
			hosts[cmp.Or(r.HTTP.Get("Host"), "(no Host field)")]++
			if r.Exchange.Response == nil {
				unanswered[r.HTTP.Method+" "+r.Exchange.URL]++
			}
		case rows.Response:
			codes[strings.TrimSpace(strconv.Itoa(r.HTTP.Status)+" "+r.HTTP.Reason)]++
			if q := r.Exchange.Request; q != nil {
				t := int64(r.Time - q.Head.First)
				h.add(t)
				sum, most = sum+t, max(most, t)
			}
		}
	}
	methods.write(w, "HTTP requests by method")
	hosts.write(w, "HTTP requests by host")
	codes.write(w, "HTTP responses by status")
	unanswered.write(w, "HTTP requests without a response")
	times(w, "Time to the response", &h, sum, most)
	return nil
}

func lookups(w *bufio.Writer, list Rows, _ string) error {
	types, names, servers, codes := counter{}, counter{}, counter{}, counter{}
	var h histogram
	var sum, most int64
	for r := range list {
		l := r.Lookup
		switch r.Kind {
		case rows.Query:
			types[l.Type]++
			names[l.Name]++
			servers[l.Server.String()]++
			if !l.Answered {
				codes["(no answer)"]++
			}
		case rows.Answer:
			codes[l.Rcode]++
			t := int64(l.AnsweredAt - l.Time)
			h.add(t)
			sum, most = sum+t, max(most, t)
		}
	}
	types.write(w, "DNS questions by type")
	names.write(w, "DNS questions by name")
	servers.write(w, "DNS questions by server")
	codes.write(w, "DNS answers by response code")
	times(w, "Time to the answer", &h, sum, most)
	return nil
}

// maxIntervals bounds the lines of the io table.
const maxIntervals = 100_000

func intervals(w *bufio.Writer, list Rows, arg string) error {
	every := 1.0
	if arg != "" {
		var err error
		if every, err = strconv.ParseFloat(arg, 64); err != nil || !(every >= 1e-6 && every <= 1e9) {
			return fmt.Errorf("--stats io,%s: %q is no number of seconds", arg, arg)
		}
	}
	type slot struct {
		rows, errors  int
		read, written int64
	}
	var slots []slot
	for r := range list {
		i := int(max(r.Seconds(), 0) / every)
		if i >= maxIntervals {
			return fmt.Errorf("--stats io,%s: the run has more than %d intervals of that length", arg, maxIntervals)
		}
		for len(slots) <= i {
			slots = append(slots, slot{})
		}
		s := &slots[i]
		s.rows++
		if r.Failed() {
			s.errors++
		}
		if r.Kind == rows.Syscall && r.Call.Raw.Ret > 0 {
			if d := r.Decoded(); d.Call.Data() && d.Errno == 0 {
				if sends(d.Name) {
					s.written += r.Call.Raw.Ret
				} else {
					s.read += r.Call.Raw.Ret
				}
			}
		}
	}
	fmt.Fprintf(w, "%12s    %-12s %10s %10s %14s %14s\n", "from", "to", "rows", "failed", "bytes read", "bytes written")
	for i, s := range slots {
		fmt.Fprintf(w, "%12.6f <> %-12.6f %10d %10d %14d %14d\n", float64(i)*every, float64(i+1)*every, s.rows, s.errors, s.read, s.written)
	}
	return nil
}
