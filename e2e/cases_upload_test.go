package e2e

import (
	"os"
	"strings"

	"culprit/e2e/stage"
)

// The real thing: a recording of 12 MB against nginx's 5 MiB, by three clients.

// eof is what CPython 3.10 to 3.12 make of EPIPE and ECONNRESET over TLS.
const eof = `EOF occurred in violation of protocol`

func uploadCases() (all []Case) {
	for _, recipe := range []stage.Recipe{stage.ResetAtOnce, stage.FinThenReset} {
		for _, secure := range []bool{true, false} {
			all = append(all,
				asciinema("python3", recipe, secure),
				asciinema("python3.8", recipe, secure),
				asciinema("python3.13", recipe, secure),
				curlUpload(recipe, secure),
				requestsUpload(recipe, secure))
		}
	}
	return all
}

func where(recipe stage.Recipe, secure bool) string {
	if secure {
		return recipe.String() + "-tls"
	}
	return recipe.String() + "-plain"
}

func base(n *stage.Nginx, secure bool) string {
	if secure {
		return n.TLS
	}
	return n.Plain
}

// errno matches the error of the client's write, its text and its name. A reset
// is told once (ECONNRESET); when the FIN before it was seen first, or another
// call took the error, the write ends in EPIPE. So ResetAtOnce may end in either.
func errno(recipe stage.Recipe) (text, name string) {
	if recipe == stage.FinThenReset {
		return `\[Errno 32\] Broken pipe`, `EPIPE`
	}
	return `(\[Errno 104\] Connection reset by peer|\[Errno 32\] Broken pipe)`, `ECONNRESET|EPIPE`
}

// asciinema is Debian's program under Debian's Python, or its package's code
// alone under one of pyenv's.
func asciinema(python string, recipe stage.Recipe, secure bool) Case {
	text, name := errno(recipe)
	if secure && python == "python3" {
		text = eof
	}
	c := Case{
		Name:  "asciinema-" + strings.TrimPrefix(python, "python") + "-" + where(recipe, secure),
		Needs: []string{"asciinema", "nginx", python},
		Code:  1,
		Says: []string{
			`upload failed: <urlopen error ` + text,
			`retry later by running: asciinema upload \S*big\.cast`,
		},
		Varies: recipe == stage.ResetAtOnce && text != eof,
		Cause:  "http-body-too-large",
		Facts:  []string{`\b413\b`, `(?i)Request Entity Too Large`, `/api/asciicasts`, `localhost`, `12,?44\d,?\d{3}`, name},
	}
	c.Setup = func(s *stage.Stage) stage.Run {
		n := s.Nginx(recipe)
		run := stage.Run{
			Argv: []string{"asciinema", "upload", s.Cast()},
			Env: []string{
				"ASCIINEMA_API_URL=" + base(n, secure),
				"ASCIINEMA_CONFIG_HOME=" + s.Path("config"),
				"ASCIINEMA_INSTALL_ID=5f3c9a52-0000-4000-8000-2a8d4c7b9e10",
				"SSL_CERT_FILE=" + s.PKI.CAFile,
			},
		}
		if python != "python3" {
			lib := s.Path("lib")
			must(s, os.CopyFS(lib+"/asciinema", os.DirFS("/usr/lib/python3/dist-packages/asciinema")))
			run.Argv = append([]string{stage.Python(python), "-m"}, run.Argv...)
			run.Env = append(run.Env, "PYTHONPATH="+lib)
		}
		return run
	}
	return c
}

// curl reads now and then while it writes: sometimes it has the answer and
// exits with 22, sometimes its write fails first and it exits with 55. The
// script that most of curl's uploads are part of makes the same of both.
const uploadScript = `curl -sf -H Expect: --cacert "$1" -F asciicast=@big.cast "$2" || {
  echo "backup: upload failed, trying again tomorrow" >&2
  exit 1
}
`

func curlUpload(recipe stage.Recipe, secure bool) Case {
	return Case{
		Name: "curl-" + where(recipe, secure), Needs: []string{"curl", "nginx", "sh"},
		Setup: func(s *stage.Stage) stage.Run {
			n := s.Nginx(recipe)
			s.Cast()
			return stage.Run{Argv: []string{"sh", s.File("backup.sh", uploadScript, 0o644), s.PKI.CAFile, base(n, secure) + "/api/asciicasts"}}
		},
		Code:  1,
		Says:  []string{`^backup: upload failed, trying again tomorrow\n$`},
		Cause: "http-body-too-large",
		Facts: []string{`\b413\b`, `/api/asciicasts`, `localhost`},
	}
}

const requestsScript = `import sys
import requests

def send(url, path):
    with open(path, "rb") as f:
        answer = requests.post(url, files={"asciicast": f})
    answer.raise_for_status()

def main():
    try:
        send(sys.argv[1], sys.argv[2])
    except requests.RequestException:
        print("sync failed, is the network up?", file=sys.stderr)
        return 1
    return 0

sys.exit(main())
`

// requests with urllib3 1.26 goes on to read the answer after EPIPE, but not
// after ECONNRESET or the false end of file.
func requestsUpload(recipe stage.Recipe, secure bool) Case {
	return Case{
		Name: "requests-" + where(recipe, secure), Needs: []string{"python3-requests", "nginx"},
		Setup: func(s *stage.Stage) stage.Run {
			n := s.Nginx(recipe)
			s.Cast()
			s.File("sync.py", requestsScript, 0o644)
			return stage.Run{
				Argv: []string{"/usr/bin/python3", "sync.py", base(n, secure) + "/api/asciicasts", "big.cast"},
				Env:  []string{"REQUESTS_CA_BUNDLE=" + s.PKI.CAFile},
			}
		},
		Code:  1,
		Says:  []string{`^sync failed, is the network up\?\n$`},
		Cause: "http-body-too-large",
		Facts: []string{`\b413\b`, `/api/asciicasts`, `localhost`, `sync\.py`},
	}
}

func must(s *stage.Stage, err error) {
	if err != nil {
		s.Fatal(err)
	}
}
