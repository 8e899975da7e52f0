package live

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// program writes prog.py into a directory of its own.
func program(t testing.TB, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prog.py"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wants checks that text has all of these, in this order.
func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			t.Errorf("no %q, or not in this place, in:\n%s", p, text)
			return
		}
		rest = after
	}
}

// each runs a test with every Python.
func each(t *testing.T, f func(t *testing.T, py string)) {
	for version, py := range interpreters(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			f(t, py)
		})
	}
}

// inTurn is each for sessions that trace: a tracer takes the stops of whatever
// its thread has started, also of a program that another session traces.
func inTurn(t *testing.T, f func(t *testing.T, py string)) {
	for version, py := range interpreters(t) {
		t.Run(version, func(t *testing.T) { f(t, py) })
	}
}

func TestProgramKeepsItsOwn(t *testing.T) {
	each(t, func(t *testing.T, py string) {
		dir := program(t, `
import os, sys
print(sys.argv, sys.stdin.read(), sorted(k for k in os.environ if k.startswith(('CULPRIT', 'PYTHONPATH'))))
print(sys.gettrace(), sorted(os.listdir('/proc/self/fd'), key=int)[:4], 'sitecustomize' in sys.modules, sys.excepthook is sys.__excepthook__)
sys.exit(7)
`)
		got := debug(t, dir, "some input", "b 5\nc\np sys.gettrace()\nc\n", nil, py, "prog.py", "an arg")
		if want := "['prog.py', 'an arg'] some input []\nNone ['0', '1', '2', '3'] False True\n"; got.Stdout != want && !old(py) {
			t.Errorf("stdout is %q, want %q", got.Stdout, want)
		}
		wants(t, got.Pdb, "(Pdb) Breakpoint 1 at ", "prog.py(5)<module>()\n-> sys.exit(7)\n")
		if got.Err != nil || got.Result.Quit || got.Result.Status.ExitStatus() != 7 {
			t.Errorf("ended with %+v, %v", got.Result, got.Err)
		}
	})
}

// old says whether bdb's trace function is needed at breakpoints.
func old(py string) bool {
	return strings.Contains(py, "/3.8.") || strings.Contains(py, "/3.11.") || py == "/usr/bin/python3"
}

func TestRaise(t *testing.T) {
	each(t, func(t *testing.T, py string) {
		dir := program(t, `
import threading, urllib.error
class Mine(urllib.error.URLError):
    pass
def deep(n):
    if n:
        return deep(n - 1)
    raise Mine('first')
def run():
    for i in range(3):
        try:
            deep(2)
        except OSError as e:
            kept = i
        try:
            {}['no']
        except KeyError:
            pass
run()
t = threading.Thread(target=run)
t.start()
t.join()
int('x')
`)
		got := debug(t, dir, "", `b raise URLError
tbreak raise builtins.LookupError if 'no' == exc.args[0]
b raise ValueError, nonsense
b raise Mine if n > 0
b
c
p n
w
n
n
c
c
ignore 1 1
c
p i, exc
condition 1 exc and
condition 1 threading.current_thread() is not threading.main_thread()
b raise ValueError
commands 1
p 'seen', n
continue
end
c
b
c
w
c
`, nil, py, "prog.py")
		deep := "Mine: <urlopen error first>\n> " + dir + "/prog.py(8)deep()\n-> raise Mine('first')\n"
		wants(t, got.Pdb, "Breakpoint 1 at raise URLError", "Breakpoint 2 at raise builtins.LookupError", "*** 'ValueError, nonsense' is no name",
			"Breakpoint 3 at raise Mine", "Num Type         Disp Enb   Where\n",
			"1   raise        keep yes  URLError\n2   raise        del  yes  builtins.LookupError\n\tstop only if 'no' == exc.args[0]\n",
			deep, "(Pdb) 0\n", "prog.py(12)run()", "prog.py(7)deep()", "prog.py(7)deep()", "(Pdb) --Return--", "(Pdb) Mine: ", "prog.py(7)deep()",
			"Deleted breakpoint 2 at raise builtins.LookupError\nKeyError: 'no'\n> "+dir+"/prog.py(16)run()", deep, "Will ignore next 1 crossing of breakpoint 1.",
			"*** Invalid condition exc and: SyntaxError", "New condition set", "('seen', 0)", "('seen', 0)",
			"ValueError: invalid literal")
		if got.Err != nil || got.Result.Status.ExitStatus() != 1 {
			t.Errorf("ended with %+v, %v", got.Result, got.Err)
		}
	})
}

func TestRestart(t *testing.T) {
	each(t, func(t *testing.T, py string) {
		dir := program(t, "import sys\nx = sys.argv[1:]\ny = 1\nopen('log', 'a').write('%s\\n' % x)\n")
		got := debug(t, dir, "", `b 3, x
tbreak 4
commands 1
p x
end
alias hi p 'hi'
run
c
run new 'two words'
hi
b
c
c
restart
run "
c
c
`, func(o *Options) { o.Commands = []string{"p 'once'"} }, py, "prog.py", "old")
		wants(t, got.Pdb, "'once'", "Restarting ", "prog.py with arguments:\n\told\n", "['old']", "\tnew two words\n", "'hi'\n", "already hit 1 time",
			"['new', 'two words']", "Deleted breakpoint 2", "(Pdb) Restarting ", "\tnew two words", "*** Cannot run \": No closing quotation", "['new', 'two words']")
		if strings.Count(got.Pdb, "'once'") != 1 {
			t.Errorf("the first commands ran again:\n%s", got.Pdb)
		}
		if log, _ := os.ReadFile(filepath.Join(dir, "log")); string(log) != "['new', 'two words']\n" {
			t.Errorf("the program wrote %q", log)
		}
		if got.Err != nil || got.Result != (Result{}) {
			t.Errorf("ended with %+v, %v", got.Result, got.Err)
		}
	})
}

func TestPostMortem(t *testing.T) {
	each(t, func(t *testing.T, py string) {
		dir := program(t, `
import sys
def hook(*a):
    print('own hook', a[1])
def f(v):
    raise ValueError(v) from KeyError('k')
sys.excepthook = hook
f(5)
`)
		got := debug(t, dir, "", "c\nw\np v\nc\n", nil, py, "prog.py")
		wants(t, got.Pdb, "Uncaught exception. Entering post mortem debugging\nRunning 'cont' or 'step' will end the program\n",
			"prog.py(6)f()\n-> raise", "prog.py(8)<module>()", "(Pdb) 5")
		if got.Stdout != "own hook 5\n" || got.Err != nil || got.Result.Status.ExitStatus() != 1 {
			t.Errorf("printed %q, ended with %+v, %v", got.Stdout, got.Result, got.Err)
		}
	})
}

func TestQuit(t *testing.T) {
	each(t, func(t *testing.T, py string) {
		dir := program(t, `
import sys
try:
    for i in range(9):
        print(i)
finally:
    print('cleaned')
print('not reached')
`)
		got := debug(t, dir, "", "b 5, i == 1\nh\nhelp http\nh b\nc\nq\n", nil, py, "prog.py")
		wants(t, got.Pdb, "Documented commands", "help ", "syscall", "exec  pdb\n\n(Pdb) ", "http", "Print the heads of", "b syscall CALL|%CLASS")
		if got.Stdout != "0\ncleaned\n" || got.Stderr != "" || got.Err != nil || !got.Result.Quit {
			t.Errorf("printed %q %q, ended with %+v, %v", got.Stdout, got.Stderr, got.Result, got.Err)
		}
	})
}

func TestThreadsForksAndInteract(t *testing.T) {
	each(t, func(t *testing.T, py string) {
		dir := program(t, `
import os, sys, threading, subprocess
def work(n):
    k = n + 1
    return k
pid = os.fork()
if not pid:
    work(1)
    os._exit(work(8))
status = os.waitpid(pid, 0)[1]
ts = [threading.Thread(target=work, args=(i,)) for i in (3, 4)]
for t in ts: t.start()
for t in ts: t.join()
out = subprocess.check_output([sys.executable, '-c', 'print(1)'])
end = 1
`)
		got := debug(t, dir, "", `b 5
c
a
r
c
tbreak 15
c
p status, out
interact
end + 1
for j in range(2):
    print('j', j)

exit()
whatis end
c
`, nil, py, "prog.py")
		wants(t, got.Pdb, "prog.py(5)work()\n-> return k\n", "(Pdb) n = ", "--Return--\n", "prog.py(5)work()", "prog.py(15)<module>()", "(2304, b'1\\n')",
			">>> ", "NameError", ">>> ", "j 0\nj 1", "(Pdb) *** NameError")
		if got.Stderr != "" || got.Err != nil || got.Result != (Result{}) {
			t.Errorf("printed %q, ended with %+v, %v", got.Stderr, got.Result, got.Err)
		}
	})
}

func TestModuleAndDirectory(t *testing.T) {
	each(t, func(t *testing.T, py string) {
		dir := program(t, "x = __name__\nprint(x)\n")
		if err := os.Mkdir(filepath.Join(dir, "pack"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"__init__.py": "first = 1\n", "__main__.py": "y = __package__\nprint(y)\n"} {
			if err := os.WriteFile(filepath.Join(dir, "pack", name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			argv []string
			at   string
			out  string
		}{
			{[]string{py, "-m", "pack"}, "__main__.py(1)<module>()\n-> y = __package__\n(Pdb) > ", "pack\n"},
			{[]string{py, "pack"}, "__main__.py(1)<module>()\n-> y = __package__\n(Pdb) > ", "\n"},
			{[]string{"/bin/sh", "-c", "exec " + py + " prog.py"}, "prog.py(1)<module>()\n-> x = __name__\n(Pdb) > ", "__main__\n"},
			{[]string{py, "-c", "z = 1\nprint(z)"}, "> <string>(1)<module>()\n", "1\n"},
		} {
			got := debug(t, dir, "", "w\nc\n", nil, c.argv...)
			if got.Stdout != c.out || !strings.Contains(got.Pdb, c.at) || got.Err != nil {
				t.Errorf("%q printed %q, %v, and pdb:\n%s", c.argv, got.Stdout, got.Err, got.Pdb)
			}
		}
	})
}

func TestNoPython(t *testing.T) {
	got := debug(t, t.TempDir(), "", "", nil, "/bin/sh", "-c", "exit 3")
	if !errors.Is(got.Err, ErrNoPython) || got.Result.Status.ExitStatus() != 3 {
		t.Errorf("ended with %+v, %v", got.Result, got.Err)
	}
}

// TestChannelClosed closes the debugger's descriptor: the program must go on.
func TestChannelClosed(t *testing.T) {
	each(t, func(t *testing.T, py string) {
		dir := program(t, "import os\nos.closerange(3, 1024)\nfd = os.open('new', os.O_RDWR | os.O_CREAT)\nfor i in range(3):\n    x = i\nos._exit(os.fstat(fd).st_size)\n")
		got := debug(t, dir, "", "b 5\nc\nc\nc\n", nil, py, "prog.py")
		if got.Err != nil || got.Result != (Result{}) {
			t.Errorf("ended with %+v, %v\n%s%s", got.Result, got.Err, got.Pdb, got.Stderr)
		}
	})
}

func TestSignalled(t *testing.T) {
	each(t, func(t *testing.T, py string) {
		dir := program(t, "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
		got := debug(t, dir, "", "c\n", nil, py, "prog.py")
		if got.Err != nil || !got.Result.Status.Signaled() || got.Result.Status.Signal() != unix.SIGTERM {
			t.Errorf("ended with %+v, %v", got.Result, got.Err)
		}
	})
}
