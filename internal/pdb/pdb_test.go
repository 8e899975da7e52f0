package pdb

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/testkit/recorded"
	"culprit/internal/timeline"
)

func load(t *testing.T, name string) *timeline.Timeline {
	t.Helper()
	for _, events := range recorded.Cases(t, name) {
		return recorded.Timeline(t, events)
	}
	return nil
}

// The forms are those of python3.13 -m pdb on the same program.
func TestCommands(t *testing.T) {
	tl := load(t, "python-exception.plain")
	for _, c := range []struct{ in, want string }{
		{"w", "  /tmp/case/job.py(7)<module>()\n-> main()\n  /tmp/case/job.py(5)main()\n-> print(share(100, 0))\n> /tmp/case/job.py(2)share()\n-> return total / people\n"},
		{"up", "> /tmp/case/job.py(5)main()\n-> print(share(100, 0))\n"},
		{"u -1;; u", "> /tmp/case/job.py(7)<module>()\n-> main()\n*** Oldest frame\n"},
		{"u 2;; d 9", "> /tmp/case/job.py(7)<module>()\n-> main()\n> /tmp/case/job.py(2)share()\n-> return total / people\n"},
		{"d", "*** Newest frame\n"},
		{"u x", "*** Invalid frame count (x)\n"},
		{"a", "total = 100\npeople = 0\n"},
		{"a x", "*** Invalid argument: x\n"},
		{"p people", "0\n"},
		{"people", "0\n"},
		{"p locals()", "{'total': 100, 'people': 0}\n"},
		{"p locals", "*** name 'locals' was not recorded in this frame\n"},
		{"p people+1", "*** " + evaluate + "\n"},
		{"p people.real", "*** the attribute 'real' was not recorded, only the text: 0\n"},
		{"p people[0]", "*** no items of it were recorded, only the text: 0\n"},
		{"p $_exception", "ZeroDivisionError: division by zero\n"},
		{"whatis people", "<class 'int'>\n"},
		{"ll", "  1 \tdef share(total, people):\n  2 ->\t    return total / people\n"},
		{"l 1,2", "  1 \tdef share(total, people):\n  2 ->\t    return total / people\n"},
		{"l 5,2", "  5 \t    print(share(100, 0))\n  6 \t\n  7 \tmain()\n"},
		{"l 90", "[EOF]\n"},
		{"l 9223372036854775807,9223372036854775807", "[EOF]\n"},
		{"l a", "*** Error in argument: 'a'\n"},
		{"source main", "  4 \tdef main():\n  5 \t    print(share(100, 0))\n"},
		{"exceptions 9", "*** No exception with that number: they go from 1 to 2\n"},
		{"ne", "*** Last exception\n"},
		{"continue", "*** continue: the run is over, nothing can be run, changed or stopped in it; `help` lists what there is\n"},
		{"help nix", "*** No help for 'nix'\n"},
		{"help u", "Usage: up | u [count]\nGo so many frames up (one), to an older one.\n"},
	} {
		t.Run(c.in, func(t *testing.T) {
			var b strings.Builder
			s, err := New(&b, tl, nil)
			if err != nil {
				t.Fatal(err)
			}
			b.Reset()
			s.Run(c.in)
			if d := cmp.Diff(c.want, b.String()); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// An empty line repeats the last command, and a listing then goes on.
func TestRepeat(t *testing.T) {
	tl := load(t, "python-exception.plain")
	var b strings.Builder
	s, err := New(&b, tl, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset()
	for _, line := range []string{"l 1,3", "", "l .", "", "u", "", "q"} {
		if quit := s.Run(line); quit != (line == "q") {
			t.Errorf("%q: quit is %v", line, quit)
		}
	}
	if n := strings.Count(b.String(), "[EOF]"); n != 3 {
		t.Errorf("%d ends of the file, want 3:\n%s", n, b.String())
	}
	if !strings.HasSuffix(b.String(), "> /tmp/case/job.py(7)<module>()\n-> main()\n") {
		t.Errorf("u was not repeated:\n%s", b.String())
	}
}

// run is a timeline with one process that raised these.
func run(all ...*timeline.Exception) *timeline.Timeline {
	p := &timeline.Process{PID: 1, Raised: all}
	for i, e := range all {
		e.Proc, e.Time = p, event.Time(i)
	}
	return &timeline.Timeline{Procs: []*timeline.Process{p}, Files: map[string]*event.File{}}
}

func TestStart(t *testing.T) {
	x, y, z := &timeline.Exception{Type: "X"}, &timeline.Exception{Type: "Y", Final: "thread"}, &timeline.Exception{Type: "Z"}
	var b strings.Builder
	for _, c := range []struct {
		t     *timeline.Timeline
		start *timeline.Exception
		want  string
	}{{run(x, y, z), x, "X "}, {run(x, y, z), nil, "Y (uncaught in its thread; exception 2 of 3)"}, {run(x, z), nil, "Z "}} {
		b.Reset()
		if _, err := New(&b, c.t, c.start); err != nil || !strings.HasPrefix(b.String(), c.want) {
			t.Errorf("%q, %v, want %q", b.String(), err, c.want)
		}
	}
	if _, err := New(&b, run(), nil); !errors.Is(err, ErrNone) {
		t.Errorf("without an exception: %v", err)
	}
}

// What a program put into its values plays no tricks on the terminal.
func TestHostile(t *testing.T) {
	evil := "\x1b[2J\r\nx\u009b1m"
	tl := run(&timeline.Exception{Type: evil, Text: evil, Stack: []timeline.Frame{{File: evil, Func: evil, First: 1, Line: 1,
		Locals: []timeline.Local{{Name: "v", Kind: evil, Text: evil}}}}})
	tl.Files[evil] = &event.File{Data: []byte("\x1b[2J\t)]}\"\"\"")}
	var b strings.Builder
	s, err := New(&b, tl, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"w", "a", "p v", "pp locals()", "whatis v", "l", "ll", "e", "when", "source " + evil, "p " + evil, "help " + evil} {
		s.Run(line)
	}
	if strings.ContainsAny(b.String(), "\x1b\r\u009b") {
		t.Errorf("control characters got through: %q", b.String())
	}
}

func TestItems(t *testing.T) {
	for _, c := range []struct{ text, rest, want string }{
		{`{'id': 7, "a:b": [1, (2, 3)], +4}`, `['id']`, `7`},
		{`{'id': 7, "a:b": [1, (2, 3)], +4}`, `["id"]`, `7`},
		{`{'id': 7, "a:b": [1, (2, 3)], +4}`, `['a:b'][1][-1]`, `3`},
		{`{'id': 7, +4}`, `['x']`, `key 'x' is not among what was recorded; 4 more are there`},
		{`{'id': 7}`, `['x']`, `key 'x' is not there`},
		{`[1, 2, 3, +2]`, `[-1]`, `item -1 is not among what was recorded; 2 more are there`},
		{`('a,]', 'b')`, `[0]`, `'a,]'`},
		{`(5,)`, `[0]`, `5`},
		{`[]`, `[0]`, `item 0 is not there`},
		{`[1]`, `[x]`, evaluate},
		{`[1]`, `[0`, evaluate},
		{`[1]`, `[]`, evaluate},
		{`[1]`, `()`, evaluate},
	} {
		v, no := into(value{text: c.text}, c.rest)
		if got := string(no); got != c.want && (no != "" || v.text != c.want) {
			t.Errorf("%s%s: %q %q, want %q", c.text, c.rest, v.text, no, c.want)
		}
	}
}

func TestFunctions(t *testing.T) {
	src := source(strings.Split(`@dec(
    1)
async def f(a, /, b: dict[str, int] = {"x": (1, 2)}, *args,
            c=")", **kw):  # (
    """
text at the margin
"""
    if a:
        return (
1)

    # the end
# not of f
def g(): return 1
x = 2`, "\n"))
	names, ok := src.params(1)
	if d := cmp.Diff([]string{"a", "b", "c", "args", "kw"}, names); d != "" || !ok {
		t.Errorf("parameters (-want +got), %v\n%s", ok, d)
	}
	for _, c := range [][3]int{{1, 1, 12}, {14, 14, 14}, {99, 1, 15}} {
		if from, to := src.block(c[0]); from != c[1] || to != c[2] {
			t.Errorf("block at %d is %d to %d, want %d to %d", c[0], from, to, c[1], c[2])
		}
	}
	if names, ok := src.params(15); ok {
		t.Errorf("a statement has parameters %q", names)
	}
}

func TestParse(t *testing.T) {
	got := Parse("p x ;; next-exception;;p-x;; ?u ;; p 'a;;b';;;;!x = 1;; q")
	want := []Command{{"p", "x", "p x"}, {"next-exception", "", "next-exception"}, {"p", "-x", "p-x"}, {"help", "u", "?u"},
		{"p", "'a;;b'", "p 'a;;b'"}, {"!", "x = 1", "!x = 1"}, {"q", "", "q"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Nothing that is typed, nor any recorded text or source, brings a session down
// or gets control characters onto the terminal.
func FuzzRun(f *testing.F) {
	f.Add("p v[0]['a'].b;;l 1,2;;u", "{'a': [1, 2], +3}", "def f(a, *b):\n    return 1")
	f.Add("when;;ll;;a;;pp v;;source f", "('x',)", "@x(\n)\nclass f:\n\t'''\n'''")
	f.Fuzz(func(t *testing.T, line, text, src string) {
		tl := run(&timeline.Exception{Type: "X", Text: text, Stack: []timeline.Frame{{File: "f", Func: "f", First: 1, Line: 2,
			Locals: []timeline.Local{{Name: "v", Kind: "dict", Text: text}}}}})
		tl.Files["f"] = &event.File{Data: []byte(src)}
		var b strings.Builder
		s, err := New(&b, tl, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []string{line, "", "a", "ll", "p v[0]", fmt.Sprintf("p v[%s]", line)} {
			s.Run(l)
		}
		if strings.ContainsAny(b.String(), "\x1b\r\x00\x7f") {
			t.Errorf("control characters got through: %q", b.String())
		}
	})
}
