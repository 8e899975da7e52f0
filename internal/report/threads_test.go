package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"culprit/internal/event"
	"culprit/internal/explain"
	"culprit/internal/timeline"
)

func TestThreads(t *testing.T) {
	p := &timeline.Process{PID: 70, Argv: []string{"python3", "job.py"}}
	stack := []timeline.Frame{{File: "/lib/queue.py", Line: 171, Func: "Queue.get"}, {File: "/srv/job.py", Line: 9, Func: "work", Locals: []timeline.Local{
		{Name: "n", Kind: "int", Text: "5"}, {Name: "text", Kind: "str", Text: "'" + strings.Repeat("é", 60) + "'"}, {Name: "c", Text: "3"},
		{Name: "d", Text: "4"}, {Name: "e", Text: "5"}, {Name: "f", Text: "6"}, {Name: "g", Text: "7"}, {Name: "h", Text: "8"}, {Name: "i", Text: "9"}}}}
	worker := func(tid int32, call string) explain.Thread {
		return explain.Thread{Proc: p, TID: tid, Name: "python3", State: "waiting", Call: call, For: 1500 * time.Millisecond, Used: -1,
			Waits: []string{"another Python thread to put something into a queue"}, Stack: stack}
	}
	all := []explain.Thread{
		{Proc: p, TID: 70, Name: "python3", State: "running", Used: 0.5, Stack: stack[1:]},
		worker(71, "futex(0x1000, FUTEX_WAIT, 0)"), worker(72, "futex(0x2000, FUTEX_WAIT, 0)"), worker(73, "read(0)"),
		{Proc: &timeline.Process{PID: 80, Argv: []string{"cat"}}, TID: 80, Name: "cat", State: "waiting", Call: "poll([], 6, -1)", Used: -1,
			Waits: []string{"1", "2", "3", "4", "5", "6"},
			Native: []timeline.NativeFrame{
				{NativeFrame: event.NativeFrame{Object: "/lib/libc.so.6", Addr: 0x90, Offset: 0x4f}, Function: "poll"},
				{NativeFrame: event.NativeFrame{Object: "/bin/cat", Addr: 0x30ca}},
			}},
	}
	for _, full := range []bool{false, true} {
		var b bytes.Buffer
		w := printer{w: &b, o: TextOptions{Width: 100, Full: full}}
		w.threads(all)
		golden(t, map[bool]string{false: "threads.txt", true: "threads-full.txt"}[full], b.Bytes())
	}
}
