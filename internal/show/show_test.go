package show

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect/http"
	"culprit/internal/rows"
	"culprit/internal/strace"
	"culprit/internal/testkit/recorded"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestForms writes all recorded cases in every form, and compares those that
// say most with what stands in testdata.
func TestForms(t *testing.T) {
	golden := map[string]string{"dns-timeout.curl": "dns", "dns-name-not-found.python": "dns", "http-not-found.curl": "http", "broken-pipe.pipefail": "io"}
	for name, events := range recorded.Cases(t, "*") {
		tl := recorded.Timeline(t, events)
		list := rows.All(tl)
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		take := func(err error) string {
			if err != nil || w.Flush() != nil {
				t.Errorf("%s: %v", name, err)
			}
			s := b.String()
			b.Reset()
			return s
		}
		for _, s := range Stats {
			got := take(WriteStats(w, list, s.Name))
			if golden[name] == s.Name {
				compare(t, name+"."+s.Name, got)
			}
		}
		if got := take(Summary(w, list)); !strings.Contains(got, " total\n") {
			t.Errorf("%s: summary:\n%s", name, got)
		}
		text := take(Text(w, list, TextOptions{TextOptions: rows.TextOptions{Descriptors: true}}))
		lines := take(JSON(w, list, rows.TextOptions{}))
		if n, m := strings.Count(text, "\n"), strings.Count(lines, "\n"); n != m {
			t.Errorf("%s: %d lines of text, %d of JSON", name, n, m)
		}
		checkJSON(t, name, lines)
		c, err := strace.ParseRecorded([]string{"-f", "-y"})
		if err != nil {
			t.Fatal(err)
		}
		printed := take(Strace(w, c, tl, slices.Values(events), func(*rows.Row) bool { return true }))
		if tl.Root != nil && tl.Root.Ended && !strings.Contains(printed, "+++ "+tl.Root.HowEnded()+" +++") {
			t.Errorf("%s: as strace:\n%.500s", name, printed)
		}
		for _, c := range tl.Calls {
			if !strings.Contains(printed, c.Name()+"(") {
				t.Errorf("%s: as strace there is no %s", name, c.Name())
				break
			}
		}
	}
}

// checkJSON wants the arguments of calls to have names, and values.
func checkJSON(t *testing.T, name, lines string) {
	for line := range strings.Lines(lines) {
		var r struct {
			Lens, Kind, Text string
			Call             *struct {
				Name string
				Args []map[string]any
			}
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Lens == "" || r.Kind == "" || r.Text == "" {
			t.Fatalf("%s: %v: %s", name, err, line)
		}
		if (r.Call != nil) != (r.Kind == "syscall") {
			t.Fatalf("%s: %s", name, line)
		}
		if r.Call == nil {
			continue
		}
		for _, a := range r.Call.Args {
			if a["name"] == "" || a["value"] == nil && a["base64"] == nil {
				t.Fatalf("%s: argument %v of %s", name, a, line)
			}
		}
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func TestPercentile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, top := range []int64{1, 60, 5000, 1e9, 1e15, 1<<63 - 1} {
		var h histogram
		var all []int64
		for range 1000 {
			n := r.Int64N(top)
			h.add(n)
			all = append(all, n)
		}
		slices.Sort(all)
		for _, p := range []uint64{1, 50, 95, 99, 100} {
			want, got := all[p*10-1], h.percentile(p)
			if got < want || got-want > want/64+1 {
				t.Errorf("p%d of numbers below %d: %d, want %d", p, top, got, want)
			}
		}
	}
	for shift := range 63 {
		for _, n := range []uint64{1<<shift - 1, 1 << shift, 1<<shift + 1} {
			if i := bucket(n); floor(i) > n || floor(i+1) <= n {
				t.Errorf("%d is in the bucket from %d to %d", n, floor(i), floor(i+1))
			}
		}
	}
}

func TestAppendClean(t *testing.T) {
	if got, want := string(rows.AppendClean(nil, "é\t\n\r\x1b[2J\xff\u009b1m\x7f→")), `é\t\n\r\x1b[2J\xff\xc2\x9b1m\x7f→`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestObjectNames(t *testing.T) {
	taken := map[string]bool{}
	var got []string
	for _, target := range []string{"/a/b.html?x=1#y", "/", "/..%2f..%2fetc/passwd", "/../../x", "http://h/p/%00q", "*", "-rf", "/.bashrc", "/a/b.html", "/a/b.html", "//", "/" + strings.Repeat("x", 500)} {
		m := &http.Message{Answer: true, Status: 200}
		got = append(got, unique(objectName(&http.Message{Method: "GET", Target: target}, m, "text/html"), taken))
	}
	want := []string{"b.html", "index.html", "passwd.html", "x.html", "q.html", "index-2.html", "rf.html", "bashrc.html", "b-2.html", "b-3.html", "index-3.html", strings.Repeat("x", maxName) + ".html"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func FuzzObjectName(f *testing.F) {
	f.Add("/../../etc/passwd", "PUT", "image/png")
	f.Fuzz(func(t *testing.T, target, method, typ string) {
		for _, answer := range []bool{true, false} {
			q := &http.Message{Method: method, Target: target}
			name := objectName(q, &http.Message{Answer: answer, Method: method}, typ)
			if name == "" || name[0] == '.' || name[0] == '-' || strings.ContainsAny(name, "/\\\x00\n") || len(name) > 255 {
				t.Fatalf("%q", name)
			}
		}
	})
}
