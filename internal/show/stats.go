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
	"culprit/internal/wire"
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
	id, proto   int // for the order
	name        string
	flows       [2]flow // to the peer, from it; or to the server, from it
	first, last event.Time
}

// Kinds of conversations, in the order of their tables.
var protocols = [...]string{"TCP", "UDP", "Unix"}

func conversations(w *bufio.Writer, list Rows, _ string) error {
	found := map[any]*conversation{} // by *timeline.Conn or *wire.Stream
	what := "calls"
	var start event.Time
	for r := range list {
		var key any
		from, length, until := r.Outgoing(), int64(0), r.Time
		switch {
		case r.Kind == rows.Packet && r.Packet.Stream != nil:
			what = "frames"
			key, length = r.Packet.Stream, int64(r.Packet.Len)
		case r.Kind == rows.Syscall && r.Conn != nil:
			key, until = r.Conn, r.Call.Leave()
			if d := r.Decoded(); d.Call.Data() && d.Errno == 0 {
				length = max(r.Call.Raw.Ret, 0)
			} else {
				length = -1 // it moves nothing
			}
		default:
			continue
		}
		start = r.Start()
		c := found[key]
		if c == nil {
			c = &conversation{first: r.Time}
			found[key] = c
		}
		c.last = max(c.last, until)
		if length >= 0 {
			f := &c.flows[1]
			if from {
				f = &c.flows[0]
			}
			f.calls++
			f.bytes += length
		}
	}
	var all []*conversation
	for key, c := range found {
		switch k := key.(type) {
		case *timeline.Conn:
			c.describe(k)
		case *wire.Stream:
			client, server := k.Ends()
			c.id, c.name = k.ID, client.String()+" <-> "+server.String()
			if k.UDP != nil {
				c.proto = 1
			}
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *conversation) int { return cmp.Or(cmp.Compare(a.proto, b.proto), cmp.Compare(a.id, b.id)) })
	for i, c := range all {
		if i == 0 || c.proto != all[i-1].proto {
			fmt.Fprintf(w, "%s conversations\n%4s %-45s %22s %22s %12s %12s\n", protocols[c.proto], "", "",
				fmt.Sprintf("-> %s %12s", what, "bytes"), fmt.Sprintf("<- %s %12s", what, "bytes"), "start", "duration")
		}
		fmt.Fprintf(w, "%4d %-45s %8d %13d %8d %13d %12.6f %12.6f\n", c.id, rows.AppendClean(nil, c.name), c.flows[0].calls, c.flows[0].bytes,
			c.flows[1].calls, c.flows[1].bytes, float64(c.first-start)/1e9, float64(c.last-c.first)/1e9)
	}
	return nil
}

func (c *conversation) describe(conn *timeline.Conn) {
	local := "?"
	if conn.Local.IsValid() {
		local = conn.Local.String()
	}
	c.id, c.name = conn.ID, local+" <-> "+conn.Peer()
	switch {
	case !conn.Remote.IsValid():
		c.proto = 2
	case !conn.Stream():
		c.proto = 1
	}
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
		fmt.Fprintf(w, "  %-58s %8d  %5.1f%%\n", rows.AppendClean(nil, k), c[k], float64(c[k])*100/float64(total))
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
			codes[r.HTTP.Result()]++
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
		moved := int64(0)
		if r.Kind == rows.Syscall && r.Call.Raw.Ret > 0 {
			if d := r.Decoded(); d.Call.Data() && d.Errno == 0 {
				moved = r.Call.Raw.Ret
			}
		}
		if r.Kind == rows.Packet {
			moved = int64(r.Packet.Len)
		}
		if r.Outgoing() {
			s.written += moved
		} else {
			s.read += moved
		}
	}
	fmt.Fprintf(w, "%12s    %-12s %10s %10s %14s %14s\n", "from", "to", "rows", "failed", "bytes read", "bytes written")
	for i, s := range slots {
		fmt.Fprintf(w, "%12.6f <> %-12.6f %10d %10d %14d %14d\n", float64(i)*every, float64(i+1)*every, s.rows, s.errors, s.read, s.written)
	}
	return nil
}
