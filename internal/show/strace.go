package show

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"io"
	"iter"
	"slices"
	"time"

	"culprit/internal/event"
	"culprit/internal/rows"
	"culprit/internal/strace"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// Strace prints a recording as `culprit strace` with the options in c would have
// printed the run. Of calls and signals it prints those that keep lets through;
// calls that culprit's own agent made are left out as everywhere.
//
// The first execve, which the recorder itself saw only the outcome of, is put
// together from that: the address of its environment is made up.
func Strace(w *bufio.Writer, c *strace.Config, t *timeline.Timeline, events iter.Seq[event.Event], keep func(*rows.Row) bool) error {
	if t.Root == nil {
		return nil
	}
	kept := map[*event.Syscall]*rows.Row{}
	signals := map[moment]bool{}
	for r := range rows.All(t) {
		switch {
		case r.Kind != rows.Syscall && r.Kind != rows.Signal || !keep(r):
		case r.Kind == rows.Signal:
			signals[moment{r.Time, r.TID}] = true
		default:
			x := *r
			kept[r.Call.Raw] = &x
		}
	}
	var steps []strace.Step
	if s, ok := firstExec(t); ok && keep(&s) {
		call := s.Call.Raw
		steps = append(steps, strace.Step{Time: s.Time, PID: s.PID, TID: s.TID, Body: call},
			strace.Step{Time: s.Time, PID: s.PID, TID: s.TID, Body: call, Return: true})
	}
	for e := range events {
		s := strace.Step{Time: e.Time, PID: e.PID, TID: e.TID, Body: e.Body}
		switch b := e.Body.(type) {
		case *event.Syscall:
			r := kept[b]
			if r == nil {
				continue
			}
			s.FD, s.Netlink = r.Describe, r.Netlink()
			steps = append(steps, s)
			if b.Flags&event.Unfinished != 0 {
				continue
			}
			s.Time, s.Return = s.Time+event.Time(b.Dur), true
		case *event.Signal:
			if !signals[moment{e.Time, e.TID}] {
				continue
			}
		case *event.Fork, *event.Exec, *event.Exit:
		default:
			continue
		}
		steps = append(steps, s)
	}
	slices.SortStableFunc(steps, func(x, y strace.Step) int { return cmp.Compare(x.Time, y.Time) })
	return strace.Replay(c, strace.Process{Name: "strace", Stderr: io.Writer(w), Log: w,
		Wall: time.Duration(t.Header.Wall - int64(t.Start))}, t.Root.PID, slices.Values(steps))
}

type moment struct {
	at  event.Time
	tid int32
}

// firstExec is the call by which the program began; false when it did not.
func firstExec(t *timeline.Timeline) (rows.Row, bool) {
	p := t.Root
	if len(p.Execs) == 0 || len(p.Calls) > 0 && p.Calls[0].Enter < p.Execs[0].Time {
		return rows.Row{}, false
	}
	x := p.Execs[0]
	path := x.Exe
	if t.Spawn != nil && t.Spawn.Errno == 0 && len(t.Spawn.Tried) > 0 {
		path = t.Spawn.Tried[len(t.Spawn.Tried)-1]
	}
	const base = 0x7ffc00000000
	nr, _ := sysabi.Number(event.ArchX8664, "execve")
	s := &event.Syscall{Arch: event.ArchX8664, NR: nr, Args: [6]uint64{base, base + 1<<20, base + 2<<20}}
	add := func(addr uint64, b []byte) { s.Mem = append(s.Mem, event.Mem{Addr: addr, Data: b}) }
	add(s.Args[0], append([]byte(path), 0))
	var argv, envp []byte
	for i, a := range x.Argv {
		at := base + uint64(3+i)<<20
		argv = binary.LittleEndian.AppendUint64(argv, at)
		add(at, append([]byte(a), 0))
	}
	for range len(t.Header.Env) + len(t.Header.Added) {
		envp = binary.LittleEndian.AppendUint64(envp, base)
	}
	add(s.Args[1], binary.LittleEndian.AppendUint64(argv, 0))
	add(s.Args[2], binary.LittleEndian.AppendUint64(envp, 0))
	return rows.Call(t, &timeline.Call{Proc: p, TID: p.PID, Enter: x.Time, Raw: s}), true
}
