// Package wireshark works out what other programs see of a case: the bytes that
// went through sockets as packets, the moments that matter as journal rows, the
// names of addresses, the TLS secrets. Everything in it follows from the
// timeline; culprit itself reads none of it back.
package wireshark

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/explain"
	"culprit/internal/pcapng"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// Layout makes the visible part of a case.
func Layout(t *timeline.Timeline, verdict explain.Finding, version string) casefile.Layout {
	l := casefile.Layout{
		Culprit: version, Wall: t.Header.Wall - int64(t.Start),
		Names: map[netip.Addr][]string{},
		Interfaces: []casefile.Interface{{
			Name: "system calls", LinkType: pcapng.LinkTypeRawIP,
			Description: "packets made up from the program's own system calls: the bytes and times are real, the headers are not",
		}},
	}
	if len(t.Secrets) > 0 {
		l.Secrets = [][]byte{t.Secrets}
	}
	for _, c := range t.Conns {
		if c.Name != "" && c.NameBy != "Host" && c.Remote.IsValid() && !slices.Contains(l.Names[c.Remote.Addr()], c.Name) {
			l.Names[c.Remote.Addr()] = append(l.Names[c.Remote.Addr()], c.Name)
		}
		if c.Packets == nil && !c.Carried {
			l.Packets = append(l.Packets, packets(c)...)
		}
	}
	recorded(&l, t)
	l.Rows = rows(t, verdict)
	return l
}

// Priorities of journal rows (syslog(3)).
const (
	priErr     = "3"
	priWarning = "4"
	priInfo    = "6"
)

// maxRows bounds the rows of a case: a program may fail a million calls.
const maxRows = 20000

func rows(t *timeline.Timeline, verdict explain.Finding) []casefile.Row {
	var out []casefile.Row
	add := func(at event.Time, p *timeline.Process, tid int32, pri, kind, message string, more ...casefile.Field) {
		if len(out) >= maxRows {
			return
		}
		f := []casefile.Field{{Name: "MESSAGE", Value: message}, {Name: "PRIORITY", Value: pri},
			{Name: "SYSLOG_IDENTIFIER", Value: "culprit"}, {Name: "CULPRIT_KIND", Value: kind}}
		if p != nil {
			f = append(f, casefile.Field{Name: "_PID", Value: strconv.Itoa(int(p.PID))},
				casefile.Field{Name: "TID", Value: strconv.Itoa(int(tid))}, casefile.Field{Name: "_COMM", Value: p.Name()})
		}
		out = append(out, casefile.Row{Time: at, Fields: append(f, more...)})
	}
	for _, p := range t.Procs {
		for _, x := range p.Execs {
			add(x.Time, p, p.PID, priInfo, "exec", "exec "+strings.Join(x.Argv, " "), casefile.Field{Name: "_EXE", Value: x.Exe})
		}
		for _, s := range p.Signals {
			add(s.Time, p, s.TID, priWarning, "signal", "signal "+sysabi.SignalName(int(s.Signo)))
		}
		for _, n := range p.Natives {
			add(n.Time, p, n.TID, priErr, "native", "in "+n.String())
		}
		for _, e := range p.Raised {
			pri := priInfo
			if e.Final != "" {
				pri = priErr
			}
			o := e.Origin()
			add(e.Time, p, e.TID, pri, "exception", fmt.Sprintf("%s at %s:%d in %s", e, o.File, o.Line, o.Func),
				casefile.Field{Name: "PY_EXCEPTION", Value: e.Type}, casefile.Field{Name: "CODE_FILE", Value: o.File},
				casefile.Field{Name: "CODE_LINE", Value: strconv.Itoa(o.Line)}, casefile.Field{Name: "CODE_FUNC", Value: o.Func})
		}
		if p.Ended {
			pri := priInfo
			if p.Status != 0 {
				pri = priErr
			}
			add(p.EndTime, p, p.PID, pri, "exit", p.HowEnded())
		}
	}
	for _, l := range t.Lines {
		if l.Visible {
			add(l.Time, l.Proc, l.Call.TID, priWarning, "line", l.Text, casefile.Field{Name: "FD", Value: strconv.Itoa(int(l.FD))})
		}
	}
	for _, c := range t.Calls {
		if e := c.Errno(); e != 0 {
			add(c.Leave(), c.Proc, c.TID, priInfo, "syscall", c.Decode().String(),
				casefile.Field{Name: "SYSCALL", Value: c.Name()}, casefile.Field{Name: "ERRNO", Value: strconv.Itoa(int(e))},
				casefile.Field{Name: "ERRNO_NAME", Value: e.Name()})
		}
	}
	out = append(out, casefile.Row{Time: t.EndAt, Fields: []casefile.Field{
		{Name: "MESSAGE", Value: "culprit: " + verdict.Title}, {Name: "PRIORITY", Value: priErr},
		{Name: "SYSLOG_IDENTIFIER", Value: "culprit"}, {Name: "CULPRIT_KIND", Value: "verdict"},
		{Name: "CULPRIT_CAUSE", Value: verdict.Cause}, {Name: "CULPRIT_CONFIDENCE", Value: string(verdict.Confidence)},
		{Name: "CULPRIT_WHY", Value: verdict.Why}}})
	return out
}
