package python

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/python/stream"

	"culprit/internal/testkit/pythons"
)

// The program must not notice: the same output and the same end with the agent
// and without.
func TestSame(t *testing.T) {
	cases := []struct {
		name string
		args []string
	}{
		{"uncaught", []string{script("same_uncaught.py")}},
		{"exit3", []string{script("same_exits.py"), "exit3"}},
		{"exittext", []string{script("same_exits.py"), "exittext"}},
		{"_exit", []string{script("same_exits.py"), "_exit"}},
		{"kill", []string{script("same_exits.py"), "kill"}},
		{"abort", []string{script("same_exits.py"), "abort"}},
		{"segv", []string{script("same_exits.py"), "segv"}},
		{"interrupt", []string{script("same_exits.py"), "interrupt"}},
		{"caughtexit", []string{script("same_exits.py"), "caughtexit"}},
		{"finallyexit", []string{script("same_exits.py"), "finallyexit"}},
		{"recursion", []string{script("same_recursion.py")}},
		{"threads", []string{script("same_threads.py")}},
		{"asyncio", []string{script("same_asyncio.py")}},
		{"fork", []string{script("same_fork.py")}},
		{"clean", []string{script("same_clean.py")}},
		{"trace", []string{script("same_trace.py")}},
		{"locals", []string{script("same_locals.py")}},
		{"signal", []string{script("same_signal.py")}},
		{"groups", []string{script("same_groups.py")}},
		{"kinds", []string{script("kinds.py")}},
		{"hostile", []string{script("same_hostile.py")}},
		{"fds", []string{script("same_rude.py"), "fds"}},
		{"allfds", []string{script("same_rude.py"), "allfds"}},
		{"hooks", []string{script("same_rude.py"), "hooks"}},
		{"modules", []string{script("same_rude.py"), "modules"}},
		{"builtins", []string{script("same_rude.py"), "builtins"}},
		{"uid", []string{script("same_rude.py"), "uid"}},
		{"chroot", []string{script("same_rude.py"), "chroot"}},
		{"threadfork", []string{script("same_rude.py"), "threadfork"}},
		{"shutdown", []string{script("same_rude.py"), "shutdown"}},
		{"settrace", []string{script("same_rude.py"), "settrace"}},
		{"limits", []string{script("same_rude.py"), "limits"}},
		{"dev", []string{"-X", "dev", "-W", "error", script("same_clean.py")}},
		{"dev-uncaught", []string{"-X", "dev", "-W", "error", "-b", "-b", script("same_uncaught.py")}},
		{"optimized", []string{"-OO", script("same_uncaught.py")}},
		{"missing", []string{script("no_such_script.py")}},
		{"syntax", []string{"-c", "x = ("}},
		{"module", []string{"-m", "json.tool", "/proc/no-such"}},
		{"stdin", []string{"-"}},
		{"isolated", []string{"-I", "-c", "1/0"}},
	}
	each(t, func(t *testing.T, py string, env []string) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				if len(c.args) == 2 && c.args[0] == script("same_rude.py") && strings.Contains(t.Name(), "-environment") {
					return // how the agent came in makes no difference
				}
				if strings.Contains(t.Name(), "-trace") && (slices.Contains([]string{"trace", "settrace", "clean", "dev", "recursion", "locals"}, c.name)) {
					return // what sys.settrace does shows there
				}
				argv := append([]string{py}, c.args...)
				want := plain(t, "", env, argv...)
				got := record(t, "", env, argv...)
				for try := 0; c.name == "signal" && try < 3 && want != got.outcome; try++ {
					// Some interpreters lose an exception at a loop's end by themselves.
					want, got = plain(t, "", env, argv...), record(t, "", env, argv...)
				}
				if d := cmp.Diff(want, got.outcome); d != "" {
					t.Errorf("without (-) and with (+) the agent:\n%s", d)
				}
				if len(got.errs) > 0 {
					t.Error(got.errs)
				}
			})
		}
	})
}

func TestSitecustomize(t *testing.T) {
	each(t, func(t *testing.T, py string, env []string) {
		env = append(env, "PYTHONPATH="+script("site"))
		argv := []string{py, script("same_site.py")}
		want, got := plain(t, "", env, argv...), record(t, "", env, argv...)
		if d := cmp.Diff(want, got.outcome); d != "" {
			t.Error(d)
		}
		if !strings.HasPrefix(got.Stdout, "user site ran\nsitecustomize.py True") {
			t.Error(got.Stdout)
		}
		broken := t.TempDir()
		if err := os.WriteFile(filepath.Join(broken, "sitecustomize.py"), []byte("import no_such_thing\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		env[len(env)-1] = "PYTHONPATH=" + broken
		argv = []string{py, "-c", "import sys; print('sitecustomize' in sys.modules)"}
		want, got = plain(t, "", env, argv...), record(t, "", env, argv...)
		if d := cmp.Diff(want, got.outcome); d != "" {
			t.Error(d)
		}
	})
}

// How a process ended shows in its records, those of a killed one included.
func TestEnds(t *testing.T) {
	cases := []struct {
		how  string
		exit string // the Final's How, "" for none
		rc   int    // of Done, -1 for none
	}{
		{"exit3", "exit", 3}, {"exittext", "exit", 1}, {"_exit", "", -1}, {"kill", "", -1},
		{"interrupt", "excepthook", 1}, {"caughtexit", "", 0}, {"finallyexit", "exit", 6},
	}
	each(t, func(t *testing.T, py string, env []string) {
		for _, c := range cases {
			r := record(t, "", env, py, script("same_exits.py"), c.how)
			if r.raised("KeyError") == nil {
				t.Errorf("%s: no KeyError in %q", c.how, r.types())
			}
			how, rc := "", -1
			for _, f := range all[*stream.Final](r) {
				how = f.How
			}
			for _, z := range all[*stream.Done](r) {
				rc = z.RC
			}
			if how != c.exit || rc != c.rc {
				t.Errorf("%s: final %q, done %d", c.how, how, rc)
			}
		}
	})
}

func TestProcesses(t *testing.T) {
	each(t, func(t *testing.T, py string, env []string) {
		r := record(t, "", env, py, script("same_fork.py"))
		var forked, hellos int
		for pid, recs := range r.recs {
			for _, rec := range recs {
				switch b := rec.Body.(type) {
				case *stream.Forked:
					forked++
				case *stream.Hello:
					hellos++
				case *stream.Raised:
					if b.Text == "in the fork" && (pid == r.pid || rec.TID != pid) {
						t.Errorf("the fork's exception is of process %d thread %d", pid, rec.TID)
					}
				}
			}
		}
		if forked < 2 || hellos < 5 {
			t.Errorf("%d forks, %d processes", forked, hellos)
		}
		var sub bool
		for _, x := range all[*stream.Raised](r) {
			sub = sub || x.Attr("filename") == "/proc/no-such/sub"
		}
		if !sub {
			t.Errorf("the subprocess's exception is missing: %q", r.types())
		}
	})
}

func TestFinals(t *testing.T) {
	each(t, func(t *testing.T, py string, env []string) {
		byHow := func(r *run) []string {
			text := make(map[int]string)
			for _, x := range all[*stream.Raised](r) {
				text[x.Exc] = x.Type + "(" + x.Text + ")"
			}
			var out []string
			for _, f := range all[*stream.Final](r) {
				out = append(out, f.How+" "+f.Detail+" "+text[f.Exc])
			}
			slices.Sort(out)
			return out
		}
		r := record(t, "", env, py, script("same_asyncio.py"))
		if d := cmp.Diff([]string{
			"asyncio asyncio ValueError(task 1)", "logging root IndexError(list index out of range)", "unraisable  KeyError('in del')",
		}, byHow(r)); d != "" {
			t.Error(d)
		}
		r = record(t, "", env, py, script("same_threads.py"))
		// A trace function set in a thread doesn't see the frame that set it.
		if !strings.HasSuffix(t.Name(), "-trace") {
			if d := cmp.Diff([]string{"thread  LookupError(thread two)"}, byHow(r)); d != "" {
				t.Error(d)
			}
		}
		var names []string
		for _, n := range all[*stream.ThreadName](r) {
			names = append(names, n.Name)
		}
		if !slices.Contains(names, "worker-2") && !slices.Contains(names, "Thread-3") {
			t.Errorf("threads %q", names)
		}
		r = record(t, "", env, py, script("same_uncaught.py"))
		if d := cmp.Diff([]string{"excepthook  RuntimeError(outer)"}, byHow(r)); d != "" {
			t.Error(d)
		}
	})
}

func TestKinds(t *testing.T) {
	each(t, func(t *testing.T, py string, env []string) {
		r := record(t, "", env, py, script("kinds.py"))
		attr := func(typ, name string, want any) {
			t.Helper()
			var got []any
			for _, x := range all[*stream.Raised](r) {
				if x.Type == typ {
					if cmp.Equal(want, x.Attr(name)) {
						return
					}
					got = append(got, x.Attr(name))
				}
			}
			t.Errorf("%s.%s: %q, want %q", typ, name, got, want)
		}
		attr("ModuleNotFoundError", "name", "no_such_module")
		attr("KeyError", "key", "('k', 1)")
		attr("UnicodeDecodeError", "object_length", int64(4))
		attr("UnicodeDecodeError", "bytes", []byte("\xff\xfe"))
		attr("SyntaxError", "filename", "bad.py")
		attr("json.decoder.JSONDecodeError", "pos", int64(6))
		attr("subprocess.CalledProcessError", "returncode", int64(1))
		attr("FileNotFoundError", "filename", "/proc/no-such/file")
		attr("urllib.error.HTTPError", "code", int64(413))
		for _, x := range all[*stream.Raised](r) {
			if strings.Contains(x.Text, "abcdef") || strings.Contains(x.Text, "pw@") {
				t.Errorf("a credential in %q", x.Text)
			}
			for _, a := range x.Attrs {
				if s, ok := a.Value.(string); ok && (strings.Contains(s, "pw@") || strings.Contains(s, "=abc")) {
					t.Errorf("a credential in %s: %q", a.Name, s)
				}
			}
		}
		var locals []string
		for _, l := range all[*stream.Left](r) {
			if l.Frame.Func == "sock" {
				for _, v := range l.Locals {
					locals = append(locals, v.Name+" "+v.Text)
				}
			}
		}
		if d := cmp.Diff([]string{"s <socket.socket fd=3>", "session_id <masked>"}, locals); d != "" {
			t.Error(d)
		}
	})
}

func TestNoise(t *testing.T) {
	each(t, func(t *testing.T, py string, env []string) {
		r := record(t, "", env, py, script("noise.py"))
		var keys, iter int
		for _, x := range all[*stream.Raised](r) {
			if x.Text == "'k'" {
				keys++
			}
			if x.Type == "StopIteration" {
				iter++
			}
		}
		if keys < 10 || keys > 50 || iter != 0 {
			t.Errorf("%d KeyErrors, %d StopIterations", keys, iter)
		}
		var end bool
		for _, x := range all[*stream.Raised](r) {
			end = end || x.Attr("filename") == "/the/end"
		}
		if !end {
			t.Error("the exception after the noise is missing")
		}
		if n := len(all[*stream.Raised](r)); n > 600 {
			t.Errorf("%d exceptions recorded", n)
		}
	})
}

func TestKeyLog(t *testing.T) {
	each(t, func(t *testing.T, py string, env []string) {
		log := filepath.Join(t.TempDir(), "keys")
		r := record(t, "", append(env, "SSLKEYLOGFILE="+log), py, script("keylog.py"))
		if want := strings.Repeat(log+"\n", 3); r.Stdout != want || r.Stderr != "" {
			t.Errorf("%+v, want %q", r.outcome, want)
		}
		if k := all[*stream.KeyLog](r); len(k) != 1 || k[0].Path != log {
			t.Errorf("%+v", k)
		}
		if setting(env, wayVar) == "environment" {
			return
		}
		// Without the variable, and where Python is told not to look at any.
		for _, options := range [][]string{nil, {"-I"}, {"-E"}, {"-I", "-S"}} {
			argv := append(append([]string{py}, options...), script("keylog.py"))
			if r := record(t, "", append(env, keysVar+"="+log), argv...); r.Stdout != strings.Repeat(log+"\n", 3) {
				t.Errorf("%q: %+v", options, r.outcome)
			}
		}
	})
}

// What ends a program is recorded whole, however many exceptions came before it;
// of those some are recorded and the others counted.
func TestStorm(t *testing.T) {
	cases := []struct {
		how, typ, final string
		frames          []string // that it left, innermost first
		rc              int
	}{
		{"quiet", "FileNotFoundError", "", []string{"fails"}, 0},
		{"leave", "SystemExit", "exit", []string{"leave"}, 3},
		{"uncaught", "KeyError", "excepthook", []string{"bad", "uncaught", "<module>"}, 1},
		{"thread", "KeyError", "thread", []string{"bad", "uncaught", "run"}, 0},
		{"wrapped", "ValueError", "excepthook", []string{"wrapped", "<module>"}, 1},
		{"logged", "KeyError", "logging", []string{"bad"}, 0},
	}
	each(t, func(t *testing.T, py string, env []string) {
		for _, c := range cases {
			r := record(t, "", env, py, script("storm.py"), c.how)
			if strings.HasSuffix(t.Name(), "-trace") && c.how == "thread" {
				continue // a trace function set in a thread doesn't see the frame that set it
			}
			var last *stream.Raised
			raised, count := 0, 0
			frames, rc, final, byID := map[int][]string{}, -1, map[int]string{}, map[int]*stream.Raised{}
			for _, rec := range r.recs[r.pid] {
				switch b := rec.Body.(type) {
				case *stream.Raised:
					byID[b.Exc] = b
					if b.Type == c.typ && c.final == "" {
						last = b
					}
					if b.Frame.Func == "bad" {
						raised++
					}
				case *stream.Left:
					frames[b.Exc] = append(frames[b.Exc], b.Frame.Func[strings.LastIndexByte(b.Frame.Func, '.')+1:])
				case *stream.Final:
					final[b.Exc] = b.How
					last = byID[b.Exc]
				case *stream.Done:
					rc = b.RC
				case *stream.Governor:
					if b.Frame.Func == "bad" {
						count = max(count, b.Count)
					}
				}
			}
			if last == nil || last.Type != c.typ {
				t.Errorf("%s: no %s, but %+v", c.how, c.typ, last)
				continue
			}
			if d := cmp.Diff(c.frames, frames[last.Exc]); d != "" || final[last.Exc] != c.final || rc != c.rc {
				t.Errorf("%s: final %q, status %d, frames left:\n%s", c.how, final[last.Exc], rc, d)
			}
			if old(t, py) && count < 5000 || count < 100 || raised > 60 {
				t.Errorf("%s: %d exceptions of the storm recorded, %d counted", c.how, raised, count)
			}
		}
	})
}

// A ring that nobody empties drops and counts, and the program goes on.
func TestSmallRing(t *testing.T) {
	each(t, func(t *testing.T, py string, env []string) {
		src := `
for i in range(3000):
    exec('def f%d():\n  v = "x" * 150\n  raise KeyError(%d)\ntry:\n  f%d()\nexcept KeyError: pass' % (i, i, i))
print('ok')
`
		dir := t.TempDir()
		added, err := Prepare(dir, env)
		if err != nil {
			t.Fatal(err)
		}
		out := plain(t, "", append(append(env, "CULPRIT_RING=65536"), added...), py, "-c", src)
		if out.Stdout != "ok\n" || out.Stderr != "" || out.Status != "exit status 0" {
			t.Fatalf("%+v", out)
		}
		// Nobody was reading: what is in the ring is whole, and the rest counted.
		sink := &memory{}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := (&Lens{}).Record(ctx, lens.Target{Dir: dir}, sink); err != nil {
			t.Fatal(err)
		}
		var raised int
		var dropped uint64
		var s stream.State
		for _, e := range sink.events {
			switch b := e.Body.(type) {
			case *event.Loss:
				dropped += b.Count
			case *event.Agent:
				for r := range s.Records(b.Data) {
					if _, ok := r.Body.(*stream.Raised); ok {
						raised++
					}
				}
			}
		}
		if raised < 20 || dropped < 1000 || s.Damaged+s.Unknown > 0 {
			t.Errorf("%d exceptions, %d records dropped, %d damaged", raised, dropped, s.Damaged)
		}
	})
}

// Interpreters that the agent can't work in say so and run as ever.
func TestRefused(t *testing.T) {
	home, _ := os.UserHomeDir()
	tried := 0
	for _, v := range []string{"2.7", "3.6", "3.7"} {
		found, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/"+v+".*/bin/python"))
		for _, py := range found {
			tried++
			argv := []string{py, "-c", "import sys; print('sitecustomize' in sys.modules); sys.exit(3)"}
			want, got := plain(t, "", pythons.Clean(), argv...), record(t, "", pythons.Clean(), argv...)
			if d := cmp.Diff(want, got.outcome); d != "" {
				t.Errorf("%s: %s", v, d)
			}
			if d := cmp.Diff([]string{"python-too-old"}, got.sink.notes()); d != "" {
				t.Errorf("%s: %s", v, d)
			}
		}
	}
	if tried == 0 {
		t.Skip("no Python 2.7, 3.6 or 3.7 in ~/.pyenv")
	}
}
