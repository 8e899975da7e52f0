package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"culprit/e2e/stage"
)

// healthy are everyday programs that do their work, some with warnings, failed
// probes and retries on the way. Nobody may be accused in them. docs/healthy.md
// shows the list with the figures of a run.
var healthy = []struct {
	name  string
	needs []string
	setup string // for sh, in the stage's directory
	run   string
}{
	{"git", []string{"git"}, "", `git init -q r && cd r && git config user.email a@b.example && git config user.name A && echo x >f && git add f && git commit -qm one && git log --oneline && git fsck`},
	{"git clone", []string{"git"}, `git init -q --bare r.git`, `git clone r.git w`}, // "You appear to have cloned an empty repository."
	{"apt-get update", []string{"apt-get", "root"}, `mkdir -p repo state/lists/partial cache/archives/partial etc && : >repo/Packages && : >status && echo "deb [trusted=yes] file:$PWD/repo ./" >sources.list`,
		`apt-get -o Dir::State=$PWD/state -o Dir::State::status=$PWD/status -o Dir::Cache=$PWD/cache -o Dir::Etc::sourcelist=$PWD/sources.list -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root update`},
	{"pip install", []string{"python3", "pip3"}, `/usr/bin/python3 -c 'import zipfile
with zipfile.ZipFile("tiny-1.0-py3-none-any.whl", "w") as z:
    i = "tiny-1.0.dist-info/"
    z.writestr("tiny.py", "def f(): return 42\n")
    z.writestr(i + "METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    z.writestr(i + "WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    z.writestr(i + "RECORD", "tiny.py,,\n" + i + "METADATA,,\n" + i + "WHEEL,,\n" + i + "RECORD,,\n")'`,
		`/usr/bin/python3 -m pip install --no-index --no-deps --disable-pip-version-check --target site tiny-1.0-py3-none-any.whl && PYTHONPATH=site /usr/bin/python3 -c 'import tiny; print(tiny.f())'`},
	{"npm", []string{"npm"}, `printf '{"name":"x","version":"1.0.0","license":"MIT","scripts":{"build":"echo built"}}' >package.json`, `npm run build --silent && npm pack --dry-run --silent`},
	{"make with warnings", []string{"make", "gcc"}, `printf 'int f(){return 1;}\nint main(){int unused;return 0*f();}\n' >a.c && printf -- '-include local.mk\nall: a\n\t-rm none\n\t./a\na: a.c\n\tgcc -Wall -o a a.c\n' >Makefile`, `make`},
	{"configure", []string{"gcc"}, "", `for h in stdio.h nosuch.h windows.h unistd.h; do printf '#include <%s>\nint main(){return 0;}\n' $h >conftest.c; gcc -c conftest.c 2>>config.log && echo "checking for $h... yes" || echo "checking for $h... no"; done; for c in icc tcc gcc; do command -v $c && break; done`},
	{"nginx -t", []string{"nginx"}, `mkdir -p tmp && printf 'pid nginx.pid; events {} http { access_log off; client_body_temp_path tmp; }\n' >n.conf`, `nginx -t -p "$PWD" -e err.log -c n.conf`},
	{"python unittest", []string{"python3"}, `printf 'import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        with self.assertRaises(FileNotFoundError): open("none")\n' >t.py`, `/usr/bin/python3 -m unittest -v t`},
	{"tar", []string{"tar"}, `mkdir d && echo 1 >d/a && ln -s none d/dangling`, `tar -czf /x.tgz d 2>/dev/null; tar -czf x.tgz d && tar -tzf x.tgz`},
	{"ssh-keygen", []string{"ssh-keygen"}, "", `ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -lf key`},
	{"gcc", []string{"gcc"}, `printf '#include <stdio.h>\nint main(){puts("hello");return 0;}\n' >a.c`, `gcc -O2 -o a a.c && ./a`},
	// What it needs of the standard library is compiled before: nobody waits for that.
	{"go build", nil, `printf 'module x\ngo 1.20\n' >go.mod && printf 'package main\nfunc main() { println("x") }\n' >a.go && "$GO" build -o before . && printf '\nfunc f() {}\n' >>a.go`,
		`"$GO" vet -h 2>/dev/null; "$GO" build -o x . && ./x && "$GO" list ./...`},
	{"node", []string{"node"}, "", `node -e 'const fs=require("fs"); try { fs.readFileSync("none") } catch (e) { console.warn("warning: " + e.message) } fetch("http://127.0.0.1:9/").catch(() => console.log("offline"))'`},
	{"ruby", []string{"ruby"}, "", `ruby -rjson -e 'begin; File.read("none"); rescue => e; warn e.message; end; puts JSON.generate(a: 1)'`},
	{"perl", []string{"perl"}, "", `perl -e 'open(my $f, "<", "none") or warn "no settings: $!\n"; print "done\n"'`},
	{"php", []string{"php"}, "", `php -r '@file_get_contents("none"); echo json_encode([1]), "\n";'`},
	{"sqlite3", []string{"sqlite3"}, "", `sqlite3 x.db 'create table t(a); insert into t values(1); select * from t'`},
	{"curl's second address", []string{"curl", "python3"}, "", `/usr/bin/python3 -c 'import http.server as h
s = h.HTTPServer(("127.0.0.1", 0), h.SimpleHTTPRequestHandler); print(s.server_port, flush=True); s.serve_forever()' >port 2>/dev/null & trap "kill $!" EXIT; while ! test -s port; do sleep 0.1; done; curl -sf --retry 2 "http://localhost:$(cat port)/" | head -1`},
	{"grep and find", nil, `mkdir -p d/e && echo needle >d/e/f`, `grep -r needle d; grep -q absent d/e/f || echo none; find d /nonexistent -name f 2>/dev/null; sort d/e/f | uniq -c`},
	{"openssl", []string{"openssl"}, "", `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out c.pem -days 1 -subj /CN=localhost 2>/dev/null && openssl x509 -in c.pem -noout -subject; openssl verify c.pem || true`},
	{"python retries", []string{"python3"}, "", `/usr/bin/python3 -c '
import logging, socket, sys
for port in (1, 2):
    try:
        socket.create_connection(("127.0.0.1", port))
    except OSError:
        logging.exception("statistics server is not there, going on")
print("report written")'`},
}

// TestHealthy runs everyday programs that succeed, two at a time: the status
// stays, and the verdict is ok.
func TestHealthy(t *testing.T) {
	culprit(t)
	env := goEnv(t)
	places := make(chan struct{}, 2)
	for _, h := range healthy {
		t.Run(strings.ReplaceAll(h.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			places <- struct{}{}
			defer func() { <-places }()
			stage.Need(t, h.needs...)
			s := stage.New(t)
			if h.setup != "" {
				if r := s.Exec(stage.Run{Argv: []string{"sh", "-ec", h.setup}, Env: env}); r.Code != 0 {
					t.Fatalf("setup: %s", r.Stderr)
				}
			}
			rec := record(t, s, stage.Run{Argv: []string{"sh", "-c", h.run}, Env: env})
			if rec.Code != 0 {
				t.Fatalf("exit status %d\n%s%s", rec.Code, rec.Stdout, rec.Stderr)
			}
			if v := rec.report.Verdict; v.Cause != "ok" || len(rec.report.Findings) > 0 {
				t.Errorf("verdict %s (%s), %d other findings", v.Cause, v.Title, len(rec.report.Findings))
			}
		})
	}
}

// goEnv is what a staged program needs to run this test's own go ($GO), with
// what that has compiled already.
func goEnv(t *testing.T) []string {
	path, err := exec.LookPath("go") // go test puts it there
	if err != nil {
		t.Fatal(err)
	}
	cache, err := exec.Command(path, "env", "GOCACHE").Output()
	if err != nil {
		t.Fatalf("go env GOCACHE: %v", err)
	}
	return []string{"GO=" + path, "GOCACHE=" + strings.TrimSpace(string(cache)), "GOTOOLCHAIN=local", "CGO_ENABLED=0"}
}
