package e2e

import (
	"syscall"

	"culprit/e2e/stage"
)

// nobody runs a program, and culprit with it, as a user who owns nothing.
var nobody = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}

func fileCases() []Case {
	missing := func(path string) []string { return []string{path, `ENOENT|No such file|does not exist|missing`} }
	denied := []string{`keys/api\.key`, `EACCES|Permission denied`}
	return []Case{
		{
			Name: "missing-cat", Needs: []string{"cat"},
			Setup: func(*stage.Stage) stage.Run { return stage.Run{Argv: []string{"cat", "etc/app.conf"}} },
			Code:  1, Says: []string{`cat: etc/app\.conf: No such file or directory`},
			Cause: "file-missing", Facts: missing(`etc/app\.conf`), Confidence: "certain",
		}, {
			Name: "missing-python", Needs: []string{"python3"},
			Setup: func(s *stage.Stage) stage.Run {
				s.File("app.py", "import json, sys\ntry:\n    conf = json.load(open('etc/app.json'))\nexcept OSError:\n    sys.exit('app: not configured')\n", 0o644)
				return stage.Run{Argv: []string{"/usr/bin/python3", "app.py"}}
			},
			Code: 1, Says: []string{`^app: not configured\n$`},
			Cause: "file-missing", Facts: append(missing(`etc/app\.json`), `app\.py`),
		}, {
			Name: "missing-redirect", Needs: []string{"sh"},
			Setup: func(s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{"sh", s.File("report.sh", "date > out/today.txt 2>/dev/null || exit 9\n", 0o644)}}
			},
			Code: 9, Says: []string{`out/today\.txt`},
			Cause: "file-missing", Facts: missing(`out/today\.txt`),
		}, {
			Name: "missing-perl-silent", Needs: []string{"perl"},
			Setup: func(s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{"perl", s.File("load.pl", `open(my $f, "<", "data/prices.csv") or exit 2;`+"\n", 0o644)}}
			},
			Code:  2,
			Cause: "file-missing", Facts: missing(`data/prices\.csv`),
		}, {
			Name: "denied-cat", Needs: []string{"root", "setpriv"},
			Setup: func(s *stage.Stage) stage.Run {
				s.File("keys/api.key", "secret\n", 0o600)
				return stage.Run{Argv: []string{"cat", "keys/api.key"}, Prefix: nobody}
			},
			Code: 1, Says: []string{`cat: keys/api\.key: Permission denied`},
			Cause: "file-permission", Facts: denied, Confidence: "certain",
		}, {
			Name: "denied-python", Needs: []string{"root", "setpriv", "python3"},
			Setup: func(s *stage.Stage) stage.Run {
				s.File("keys/api.key", "secret\n", 0o600)
				s.File("sign.py", "import sys\ntry:\n    key = open('keys/api.key').read()\nexcept Exception:\n    sys.exit('sign: bad key')\n", 0o644)
				return stage.Run{Argv: []string{"/usr/bin/python3", "sign.py"}, Prefix: nobody}
			},
			Code: 1, Says: []string{`^sign: bad key\n$`},
			Cause: "file-permission", Facts: denied,
		}, {
			// culprit is root here, and so is the program at first.
			Name: "denied-after-setpriv", Needs: []string{"root", "setpriv"},
			Setup: func(s *stage.Stage) stage.Run {
				s.File("keys/api.key", "secret\n", 0o600)
				return stage.Run{Argv: append(append([]string{}, nobody...), "sh", "-c", "read k < keys/api.key || exit 5")}
			},
			Code: 5, Says: []string{`keys/api\.key: Permission denied`},
			Cause: "file-permission", Facts: denied,
		},
	}
}

func pythonCases() (all []Case) {
	for _, python := range []string{"python3", "python3.8", "python3.13"} {
		script := func(s *stage.Stage, source string) stage.Run {
			s.File("job.py", source, 0o644)
			return stage.Run{Argv: []string{stage.Python(python), "job.py"}}
		}
		all = append(all,
			Case{
				Name: "module-missing-" + python, Needs: []string{python},
				Setup: func(s *stage.Stage) stage.Run { return script(s, "import sys\nimport acme_ledger.tables\n") },
				Code:  1, Says: []string{`ModuleNotFoundError: No module named 'acme_ledger'`},
				Cause: "python-module-missing", Facts: []string{`acme_ledger`, `job\.py`}, Confidence: "certain",
			},
			Case{
				Name: "module-missing-hidden-" + python, Needs: []string{python},
				Setup: func(s *stage.Stage) stage.Run {
					return script(s, "import sys\ntry:\n    import acme_ledger\nexcept ImportError:\n    sys.exit('job: cannot start')\n")
				},
				Code: 1, Says: []string{`^job: cannot start\n$`},
				Cause: "python-module-missing", Facts: []string{`acme_ledger`, `job\.py`},
			},
			Case{
				Name: "exception-" + python, Needs: []string{python},
				Setup: func(s *stage.Stage) stage.Run {
					return script(s, "def share(total, people):\n    return total / people\n\ndef main():\n    print(share(100, 0))\n\nmain()\n")
				},
				Code: 1, Says: []string{`ZeroDivisionError: division by zero`},
				Cause: "python-exception", Facts: []string{`ZeroDivisionError`, `job\.py:2\b|job\.py.{0,20}\b2\b`, `share`}, Confidence: "certain",
			},
			Case{
				Name: "swallowed-" + python, Needs: []string{python},
				Setup: func(s *stage.Stage) stage.Run {
					return script(s, "import sys\n\ndef export(row):\n    return row['customer_id']\n\ndef main():\n    try:\n        export({'id': 7})\n    except Exception:\n        print('nothing exported')\n        return 1\n    return 0\n\nsys.exit(main())\n")
				},
				Code: 1, Says: []string{`^nothing exported\n$`},
				Cause: "python-swallowed-exception", Facts: []string{`KeyError`, `customer_id`, `job\.py:4\b|job\.py.{0,20}\b4\b`},
			})
	}
	return all
}

const segfault = `#include <stdio.h>
struct table { int *cells; };
static int *cell(struct table *t, int i) { return &t->cells[i]; }
int main(void) {
	struct table t = { NULL };
	puts("filling");
	fflush(stdout);
	*(volatile int *)cell(&t, 3) = 7;
	return 0;
}
`

func otherCases() []Case {
	return []Case{
		{
			Name: "command-not-found-script", Needs: []string{"sh"},
			Setup: func(s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{"sh", s.File("release.sh", "set -e\nacme-sign --all\necho done\n", 0o644)}}
			},
			Code: 127, Says: []string{`acme-sign: not found`},
			Cause: "command-not-found", Facts: []string{`acme-sign`, `PATH|/usr/bin`},
		}, {
			Name: "command-not-found-hidden", Needs: []string{"sh"},
			Setup: func(s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{"sh", s.File("release.sh", "acme-sign --all 2>/dev/null || { echo 'signing failed'; exit 1; }\n", 0o644)}}
			},
			Code: 1, Says: []string{`^signing failed\n$`},
			Cause: "command-not-found", Facts: []string{`acme-sign`},
		}, {
			Name: "command-not-found-env", Needs: []string{"env"},
			Setup: func(s *stage.Stage) stage.Run {
				s.File("tool", "#!/usr/bin/env acme-python\n", 0o755)
				return stage.Run{Argv: []string{"./tool"}}
			},
			Code: 127, Says: []string{`env: .acme-python.: No such file or directory`},
			Cause: "command-not-found", Facts: []string{`acme-python`},
		}, {
			Name: "crashed-c", Needs: []string{"gcc"},
			Setup:  func(s *stage.Stage) stage.Run { return stage.Run{Argv: []string{s.C("mktable", segfault)}} },
			Signal: syscall.SIGSEGV, Says: []string{`^filling\n$`},
			Cause: "crashed", Facts: []string{`mktable`, `SIGSEGV|[Ss]egmentation fault`, `function main`}, Confidence: "certain",
		}, {
			Name: "crashed-child", Needs: []string{"gcc", "sh"},
			Setup: func(s *stage.Stage) stage.Run {
				exe := s.C("mktable", segfault)
				return stage.Run{Argv: []string{"sh", s.File("build.sh", exe+" >/dev/null 2>&1\n[ $? = 0 ] || { echo 'tables: incomplete' >&2; exit 1; }\n", 0o644)}}
			},
			Code: 1, Says: []string{`tables: incomplete\n$`},
			Cause: "crashed", Facts: []string{`mktable`, `SIGSEGV|[Ss]egmentation fault`},
		}, {
			Name: "crashed-ctypes", Needs: []string{"python3"},
			Setup: func(*stage.Stage) stage.Run {
				return stage.Run{Argv: []string{"/usr/bin/python3", "-c", "import ctypes; ctypes.string_at(0)"}}
			},
			Signal: syscall.SIGSEGV,
			Cause:  "crashed", Facts: []string{`SIGSEGV|[Ss]egmentation fault`, `python3`},
		}, {
			// The first of localhost's addresses that curl tries is ::1, and there
			// nobody listens.
			Name: "ok-curl-two-addresses", Needs: []string{"curl", "ipv6"},
			Setup: func(s *stage.Stage) stage.Run { return curl(s, s.Status(200, &s.PKI.Good)+"/feed", "-sS") },
			Says:  []string{`^200 OK: /feed\n$`},
			Cause: "ok",
		}, {
			Name: "ok-python-optional", Needs: []string{"python3"},
			Setup: func(s *stage.Stage) stage.Run {
				s.File("app.py", `import os, socket, sys
try:
    import acme_speedups
except ImportError:
    print("running without acme_speedups", file=sys.stderr)
try:
    open("settings.ini")
except FileNotFoundError:
    print("no settings.ini, using defaults", file=sys.stderr)
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
except OSError as e:
    print("statistics server: %s" % e, file=sys.stderr)
print("42 records done")
`, 0o644)
				port := hostPort(s.Refused())[len("localhost:"):]
				return stage.Run{Argv: []string{"/usr/bin/python3", "app.py", port}}
			},
			Says:  []string{`^42 records done\n$`, `statistics server: .*refused`, `without acme_speedups`},
			Cause: "ok",
		}, {
			Name: "ok-make-ignored", Needs: []string{"make", "sh"},
			Setup: func(s *stage.Stage) stage.Run {
				s.File("Makefile", "-include local.mk\nall:\n\t-@rm old.o\n\t-@acme-strip app 2>/dev/null\n\t@echo built > app\n", 0o644)
				return stage.Run{Argv: []string{"make"}}
			},
			Says:  []string{`make: \[Makefile:\d: all\] Error 1 \(ignored\)`, `Error 127 \(ignored\)`},
			Cause: "ok",
		}, {
			Name: "ok-grep-or", Needs: []string{"sh"},
			Setup: func(s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{"sh", "-c", "cat missing.txt || echo none; grep -q x /dev/null; true"}}
			},
			Says:  []string{`cat: missing\.txt: No such file or directory`, `^none\n$`},
			Cause: "ok",
		}, {
			Name: "unknown-exit-3", Needs: []string{"sh"},
			Setup: func(*stage.Stage) stage.Run { return stage.Run{Argv: []string{"sh", "-c", "exit 3"}} },
			Code:  3,
			Cause: "unknown", Confidence: "possible",
		}, {
			Name: "unknown-false", Needs: []string{"false"},
			Setup: func(*stage.Stage) stage.Run { return stage.Run{Argv: []string{"false"}} },
			Code:  1,
			Cause: "unknown", Confidence: "possible",
		}, {
			Name: "unknown-python-exit", Needs: []string{"python3"},
			Setup: func(*stage.Stage) stage.Run {
				return stage.Run{Argv: []string{"/usr/bin/python3", "-c", "import sys; sys.exit(4)"}}
			},
			Code:  4,
			Cause: "unknown", Confidence: "possible",
		},
	}
}
