package wireshark

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/casefile"
	"culprit/internal/dissect"
	"culprit/internal/event"
	"culprit/internal/explain"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

func fields(r casefile.Row) map[string]string {
	m := map[string]string{}
	for _, f := range r.Fields {
		m[f.Name] = f.Value
	}
	return m
}

func TestLayout(t *testing.T) {
	p := &timeline.Process{PID: 70, Argv: []string{"python3"}, Ended: true, EndTime: 90, Status: 1 << 8,
		Execs:   []*timeline.Exec{{Time: 5, Exec: event.Exec{Exe: "/usr/bin/python3.11", Argv: []string{"python3", "x.py"}}}},
		Signals: []*timeline.Signal{{Time: 41, TID: 71, Siginfo: sysabi.Siginfo{Signo: 13}}},
		Raised: []*timeline.Exception{
			{Time: 50, TID: 70, Type: "urllib.error.URLError", Text: "no", Stack: []timeline.Frame{{File: "/x.py", Func: "get", Line: 3}}, Final: "excepthook"},
			{Time: 45, TID: 70, Type: "KeyError"},
		},
	}
	failed := &timeline.Call{Proc: p, TID: 71, Enter: 33, Raw: raw(t, "write", -32)}
	tl := &timeline.Timeline{
		Header: event.Header{Wall: 1_000_100}, Start: 100, EndAt: 95, Procs: []*timeline.Process{p}, Secrets: []byte("CLIENT_RANDOM 00 11\n"),
		Calls: []*timeline.Call{{Proc: p, TID: 70, Enter: 20, Raw: raw(t, "write", 5)}, failed},
		Lines: []*timeline.Line{
			{Time: 60, Proc: p, FD: 2, Text: "failed", Visible: true, Call: failed},
			{Time: 61, Proc: p, FD: 2, Text: "hidden", Call: failed},
		},
		Conns: []*timeline.Conn{
			{Proc: p, Type: stream, Remote: addr("10.0.0.1:443"), Name: "a.example", NameBy: "DNS"},
			{Proc: p, Type: stream, Remote: addr("10.0.0.1:443"), Name: "a.example", NameBy: "SNI"},
			{Proc: p, Type: stream, Remote: addr("10.0.0.1:443"), Name: "b.example", NameBy: "SNI"},
			{Proc: p, Type: stream, Remote: addr("10.0.0.2:80"), Name: "claimed.example", NameBy: "Host"},
			{Proc: p, Type: stream, Path: "/run/x", Name: "x"},
			{Proc: p, Type: stream, Remote: addr("10.0.0.3:80"), Segments: []timeline.Segment{{Dir: dissect.ToServer, Data: []byte("x")}}},
		},
	}
	l := Layout(tl, explain.Finding{Cause: "unknown", Title: "no cause", Confidence: explain.Possible, Why: "why"}, "1.2")
	if l.Culprit != "1.2" || l.Wall != 1_000_000 || len(l.Packets) != 4 || len(l.Interfaces) != 1 {
		t.Errorf("culprit %q, wall %d, %d packets, %d interfaces", l.Culprit, l.Wall, len(l.Packets), len(l.Interfaces))
	}
	// Names that a server may claim for itself are not given to an address.
	if d := cmp.Diff(map[netip.Addr][]string{netip.MustParseAddr("10.0.0.1"): {"a.example", "b.example"}}, l.Names,
		cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
	if d := cmp.Diff([][]byte{tl.Secrets}, l.Secrets); d != "" {
		t.Error(d)
	}
	var got []map[string]string
	for _, r := range l.Rows {
		f := fields(r)
		if f["SYSLOG_IDENTIFIER"] != "culprit" {
			t.Errorf("row %v", f)
		}
		delete(f, "SYSLOG_IDENTIFIER")
		got = append(got, f)
	}
	want := []map[string]string{
		{"MESSAGE": "exec python3 x.py", "PRIORITY": "6", "CULPRIT_KIND": "exec", "_PID": "70", "TID": "70", "_COMM": "python3", "_EXE": "/usr/bin/python3.11"},
		{"MESSAGE": "signal SIGPIPE", "PRIORITY": "4", "CULPRIT_KIND": "signal", "_PID": "70", "TID": "71", "_COMM": "python3"},
		{"MESSAGE": "URLError: no at /x.py:3 in get", "PRIORITY": "3", "CULPRIT_KIND": "exception", "_PID": "70", "TID": "70", "_COMM": "python3",
			"PY_EXCEPTION": "urllib.error.URLError", "CODE_FILE": "/x.py", "CODE_LINE": "3", "CODE_FUNC": "get"},
		{"MESSAGE": "KeyError at :0 in ", "PRIORITY": "6", "CULPRIT_KIND": "exception", "_PID": "70", "TID": "70", "_COMM": "python3",
			"PY_EXCEPTION": "KeyError", "CODE_FILE": "", "CODE_LINE": "0", "CODE_FUNC": ""},
		{"MESSAGE": "exited with 1", "PRIORITY": "3", "CULPRIT_KIND": "exit", "_PID": "70", "TID": "70", "_COMM": "python3"},
		{"MESSAGE": "failed", "PRIORITY": "4", "CULPRIT_KIND": "line", "_PID": "70", "TID": "71", "_COMM": "python3", "FD": "2"},
		{"MESSAGE": "write(0, NULL, 0) = -1 EPIPE (Broken pipe)", "PRIORITY": "6", "CULPRIT_KIND": "syscall", "_PID": "70", "TID": "71", "_COMM": "python3",
			"SYSCALL": "write", "ERRNO": "32", "ERRNO_NAME": "EPIPE"},
		{"MESSAGE": "culprit: no cause", "PRIORITY": "3", "CULPRIT_KIND": "verdict", "CULPRIT_CAUSE": "unknown", "CULPRIT_CONFIDENCE": "possible", "CULPRIT_WHY": "why"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if at := l.Rows[6].Time; at != 40 {
		t.Errorf("the failed call's row is of %d, want the time of its return", at)
	}
}

// A program that fails a million calls makes no million rows, and the verdict is
// among those that there are.
func TestRowsAreBounded(t *testing.T) {
	p := &timeline.Process{PID: 70}
	tl := &timeline.Timeline{}
	for range maxRows + 10 {
		tl.Calls = append(tl.Calls, &timeline.Call{Proc: p, TID: 70, Raw: raw(t, "access", -2)})
	}
	l := Layout(tl, explain.Finding{Cause: "ok"}, "")
	if n := len(l.Rows); n != maxRows+1 {
		t.Errorf("%d rows, want %d", n, maxRows+1)
	}
	if f := fields(l.Rows[len(l.Rows)-1]); f["CULPRIT_CAUSE"] != "ok" {
		t.Errorf("the last row is %v", f)
	}
}
